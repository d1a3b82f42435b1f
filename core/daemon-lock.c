/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The file's text is "PID\nSOCKET\n", and nothing while its daemon ends. One that was killed leaves it behind; so it counts only while the
 * lock is held and the process lives.
 */

#include "core/daemon-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/control-socket.h"

#define ENDING_MSEC 10000   /* for a daemon that is just ending */
#define ANSWERING_MSEC 5000 /* for one whose socket is gone: longer than it takes to notice (control.c) */
#define STEP_MSEC 20

#define KILL_TEXT "kill %d, which ends it as wnet shutdown --force does: what has been written is sent first"

/* What a file says that was written by one that is gone, or on another machine, is about anybody. */
static bool is_wnetd(long pid)
{
        char path[64], comm[16] = "";
        _cleanup_close_ int fd = -1;

        snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        return fd >= 0 && read(fd, comm, sizeof(comm)) == 6 && memcmp(comm, "wnetd\n", 6) == 0 && kill((pid_t) pid, 0) == 0;
}

static void read_holder(int fd, struct lock_holder *ret_holder)
{
        char text[sizeof(ret_holder->socket) + 16], *end;
        ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
        long pid;

        *ret_holder = (struct lock_holder){ 0 };
        text[n > 0 ? n : 0] = '\0';
        pid = strtol(text, &end, 10);
        if (pid <= 0 || pid > INT_MAX || *end++ != '\n' || !is_wnetd(pid))
                return;
        end[strcspn(end, "\n")] = '\0';
        if (*end == '\0' || strlen(end) >= sizeof(ret_holder->socket))
                return;
        ret_holder->pid = (pid_t) pid;
        strcpy(ret_holder->socket, end);
}

static bool is_elsewhere(const struct lock_holder *holder, const struct paths *paths)
{
        return holder->pid != 0 && strcmp(holder->socket, paths->socket) != 0;
}

/* Longest that it is worth to wait for holder. One that has just taken the lock has not said so yet; the next look tells. */
static unsigned patience_msec(const struct lock_holder *holder, const struct paths *paths)
{
        if (holder->pid == 0)
                return ENDING_MSEC;
        return is_elsewhere(holder, paths) ? STEP_MSEC : ANSWERING_MSEC;
}

int daemon_lock_take(const struct paths *paths, bool start, struct lock_holder *ret_holder)
{
        _cleanup_close_ int fd = open(paths->lock, (start ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0)
                return -errno;
        for (unsigned waited_msec = 0;; waited_msec += STEP_MSEC) {
                if (flock(fd, (start ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0)
                        return TAKE_FD(fd);
                if (errno != EWOULDBLOCK)
                        return -errno;
                if (control_socket_answers(paths->socket))
                        return -EEXIST;
                read_holder(fd, ret_holder);
                if (waited_msec >= patience_msec(ret_holder, paths))
                        return -EBUSY;
                usleep(STEP_MSEC * 1000);
        }
}

void daemon_lock_tell(int fd, pid_t pid, const char *socket)
{
        char text[sizeof(((struct lock_holder *) NULL)->socket) + 16] = "";
        int n = pid ? snprintf(text, sizeof(text), "%d\n%s\n", (int) pid, socket) : 0;

        /* What cannot be written is not known, then. */
        if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t) n, 0) < 0)
                return;
}

void daemon_lock_explain(const struct lock_holder *holder, const struct paths *paths, char ret_text[static DAEMON_LOCK_TEXT_BYTES])
{
        int pid = (int) holder->pid;

        if (pid == 0)
                snprintf(ret_text, DAEMON_LOCK_TEXT_BYTES, "another wnetd runs, but does not answer at %s; if it hangs, kill it (it holds the lock %s)",
                         paths->socket, paths->lock);
        else if (is_elsewhere(holder, paths))
                snprintf(ret_text, DAEMON_LOCK_TEXT_BYTES, "wnetd (process %d) runs with another XDG_RUNTIME_DIR and answers at %s, not at %s; "
                         "set XDG_RUNTIME_DIR as it was there, or " KILL_TEXT, pid, holder->socket, paths->socket, pid);
        else
                snprintf(ret_text, DAEMON_LOCK_TEXT_BYTES, "wnetd (process %d) runs, but does not answer at %s; " KILL_TEXT, pid,
                         paths->socket, pid);
}
