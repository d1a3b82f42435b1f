/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is left of a daemon that was killed. Runs before the event loop does.
 */

#include "fuse/stale.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/child.h"
#include "core/cleanup.h"
#include "core/log.h"
#include "core/mountinfo.h"
#include "core/name.h"
#include "fuse/mount.h"

extern char **environ;

static void detach(const char *mountpoint)
{
        char *argv[] = { (char *) "fusermount3", (char *) "-u", (char *) "-z", (char *) "--", (char *) mountpoint, NULL };
        int status = 0;
        pid_t pid;

        if (child_spawn(argv, environ, NULL, 0, &pid) < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
                log_warning("the stale mount %s cannot be detached", mountpoint);
        else
                log_info("the stale mount %s was detached", mountpoint);
}

static bool below(const char *path, const char *folder)
{
        size_t length = strlen(folder);

        return strncmp(path, folder, length) == 0 && path[length] == '/';
}

/* Whether a mode is one that only a mount point of ours has. */
static bool is_ours(mode_t mode, enum mount_kind kind)
{
        return (mode & 07777) == mount_point_mode(kind, true) || (mode & 07777) == mount_point_mode(kind, false);
}

static bool is_closed_port(const char *name, const struct stat *st)
{
        struct device_name device;

        return S_ISREG(st->st_mode) && st->st_size == 0 && is_ours(st->st_mode, MOUNT_FILE) && device_parse(name, &device) == 0 &&
               device.kind == DEVICE_PRINTER && strcmp(name, device.text) == 0;
}

/* Removes the folder of a drive and the file of a port that is no longer there: empty, and with a mode as only ours have; then
 * what held nothing else. What is mounted there by others is not touched: it might not answer. Returns whether it has removed
 * something. */
static bool remove_closed(const struct mountinfo *table, const char *folder, unsigned depth)
{
        DIR *dir = opendir(folder);
        const struct dirent *entry;
        bool removed = false;

        while (dir && (entry = readdir(dir))) {
                _cleanup_free_ char *path = NULL;
                struct stat st;

                if (entry->d_name[0] == '.' || asprintf(&path, "%s/%s", folder, entry->d_name) < 0)
                        continue;
                if (mountinfo_find(table, path) || lstat(path, &st) < 0 || st.st_uid != geteuid())
                        continue;
                if (is_closed_port(entry->d_name, &st))
                        removed = unlink(path) == 0 || removed;
                else if (S_ISDIR(st.st_mode) &&
                         (is_ours(st.st_mode, MOUNT_FOLDER) || (depth > 0 && remove_closed(table, path, depth - 1))))
                        removed = rmdir(path) == 0 || removed;
        }
        if (dir)
                closedir(dir);
        return removed;
}

void stale_clean(const char *drives_dir)
{
        struct mountinfo table = { 0 };

        if (mountinfo_read(&table) < 0)
                return;
        for (size_t i = table.n_entries; i-- > 0;) /* what lies on top first */
                if (strcmp(table.entries[i].fstype, MOUNTINFO_FSTYPE) == 0 && below(table.entries[i].mountpoint, drives_dir))
                        detach(table.entries[i].mountpoint);
        mountinfo_done(&table);
        if (mountinfo_read(&table) < 0)
                return;
        if (!mountinfo_find(&table, drives_dir))
                (void) remove_closed(&table, drives_dir, 2);
        mountinfo_done(&table);
}
