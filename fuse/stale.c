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

static bool is_ours(mode_t mode)
{
        return (mode & 07777) == MOUNT_FOLDER_CLOSED || (mode & 07777) == MOUNT_FOLDER_OPEN;
}

/* Removes the folder of a drive that is no longer there: empty, and with a mode as only ours have; then what held nothing else.
 * What is mounted there by others is not touched: it might not answer. Returns whether it has removed something. */
static bool remove_closed_folders(const struct mountinfo *table, const char *folder, unsigned depth)
{
        DIR *dir = opendir(folder);
        const struct dirent *entry;
        bool removed = false;

        while (dir && (entry = readdir(dir))) {
                _cleanup_free_ char *path = NULL;
                struct stat st;

                if (entry->d_name[0] == '.' || asprintf(&path, "%s/%s", folder, entry->d_name) < 0)
                        continue;
                if (mountinfo_find(table, path) || lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
                        continue;
                if (is_ours(st.st_mode) || (depth > 0 && remove_closed_folders(table, path, depth - 1)))
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
                (void) remove_closed_folders(&table, drives_dir, 2);
        mountinfo_done(&table);
}
