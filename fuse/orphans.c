/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "fuse/orphans.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/log.h"
#include "fuse/smb/protocol.h"

int orphans_open(const char *path)
{
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        return fd < 0 ? -errno : fd;
}

bool orphans_gone(int lock_fd)
{
        return flock(lock_fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK; /* where nothing can be locked, nobody waits for ever */
}

/* Reads the link of a process's descriptor. What it leads to, which may be on a drive of ours, is not looked at. */
static bool read_descriptor(pid_t pid, int fd, char *ret_target, size_t size)
{
        char path[64];
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int) pid, fd);
        n = readlink(path, ret_target, size - 1);
        if (n < 0)
                return false;
        ret_target[n] = '\0';
        return true;
}

/* Whether it is a child of ours; or gone, which is no orphan either. */
static bool is_child(pid_t pid)
{
        _cleanup_close_ int fd = -1;
        char path[64], text[512];
        const char *end;
        ssize_t n;
        int parent;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (n <= 0)
                return true;
        text[n] = '\0';
        end = strrchr(text, ')'); /* of the program's name */
        return !end || sscanf(end, ") %*c %d", &parent) != 1 || parent == getpid();
}

/* What a worker has been told to write should wnetd be killed, in bytes. */
static uint64_t unsent_bytes(pid_t pid)
{
        struct smb_unsent table[SMB_SLOTS];
        _cleanup_close_ int fd = -1;
        uint64_t bytes = 0;
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int) pid, SMB_FD_CHANNEL);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || pread(fd, table, sizeof(table), offsetof(struct smb_channel, unsent)) != (ssize_t) sizeof(table))
                return 0;
        for (unsigned i = 0; i < SMB_SLOTS; i++)
                bytes += table[i].length;
        return bytes;
}

/* Returns what it has to write, if it is an orphan and goes on. */
static uint64_t end_orphan(pid_t pid, const char *lock, bool all)
{
        _cleanup_close_ int process_fd = pidfd_open(pid, 0); /* what is found out is about the process that is killed */
        char target[PATH_MAX];
        uint64_t bytes;

        if (process_fd < 0 || !read_descriptor(pid, SMB_FD_LOCK, target, sizeof(target)) || strcmp(target, lock) != 0 || is_child(pid))
                return 0;
        bytes = unsent_bytes(pid);
        if (bytes > 0 && !all)
                return bytes;
        if (bytes > 0)
                log_error("%llu bytes that were written before wnetd was killed are lost: the server has not taken them",
                          (unsigned long long) bytes);
        (void) pidfd_send_signal(process_fd, SIGKILL, NULL, 0);
        return 0;
}

uint64_t orphans_end(int lock_fd, bool all)
{
        char lock[PATH_MAX];
        uint64_t bytes = 0;
        struct dirent *entry;
        DIR *proc;

        if (!read_descriptor(getpid(), lock_fd, lock, sizeof(lock)))
                return 0;
        proc = opendir("/proc");
        if (!proc)
                return 0;
        while ((entry = readdir(proc))) {
                pid_t pid = atoi(entry->d_name);

                if (pid > 0)
                        bytes += end_orphan(pid, lock, all);
        }
        closedir(proc);
        return bytes;
}
