/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Making a profile where there is none. It appears under its name complete, schema and all: it is made under another name and
 * renamed.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fault.h"
#include "core/paths.h"
#include "core/profile-internal.h"

#define TEMPORARY ".new-XXXXXX" /* behind the name of a profile that is being made, as for mkostemp() */

/* Writes an empty profile to a file of no bytes that nobody else knows. */
static int write_empty(const char *path, struct wn_error *err)
{
        _cleanup_(cleanup_sqlite3_close) sqlite3 *db = NULL;
        char pragmas[128];
        int r = profile_open_database(path, &db, err);

        if (r != 0)
                return r;
        /* No journal: nobody reads the file before it is complete, and one would be left over after a crash. */
        r = profile_execute(db, "PRAGMA synchronous=FULL; PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE; " PROFILE_SCHEMA, path, err);
        if (r != 0)
                return r;
        snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
                 PROFILE_APPLICATION_ID, PROFILE_VERSION);
        return profile_execute(db, pragmas, path, err);
}

/* Gives the complete file temporary the profile's name, unless somebody was faster. 0 or a negative errno. */
static int publish(const char *temporary, const char *path)
{
        if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
                return 0;
        if (errno == EEXIST)
                return -EEXIST;
        if (link(temporary, path) < 0) /* file systems without that flag */
                return -errno;
        unlink(temporary);
        return 0;
}

/* The directory above path exists afterwards; one that was there is taken as it is. */
static int make_parent(const char *path, struct wn_error *err)
{
        _cleanup_free_ char *dir = strdup(path);
        char *slash = dir ? strrchr(dir, '/') : NULL;
        struct stat st;
        int r;

        if (!dir)
                return -ENOMEM;
        if (!slash || slash == dir)
                return 0;
        *slash = '\0';
        if (stat(dir, &st) == 0)
                return 0;
        r = paths_make_private_dir(dir);
        return r == 0 || r == -ENOMEM ? r : profile_cannot_open(path, -r, strerror(-r), err);
}

void profile_clean(const char *path)
{
        const char *name = strrchr(path, '/') + 1;
        _cleanup_free_ char *folder = strndup(path, (size_t) (name - path)), *pattern = NULL;
        DIR *dir = folder ? opendir(folder) : NULL;
        const struct dirent *entry;

        if (asprintf(&pattern, "%s" TEMPORARY, name) < 0)
                pattern = NULL;
        while (dir && pattern && (entry = readdir(dir)))
                if (strlen(entry->d_name) == strlen(pattern) &&
                    strncmp(entry->d_name, pattern, strlen(pattern) - 6) == 0)
                        (void) unlinkat(dirfd(dir), entry->d_name, 0);
        if (dir)
                closedir(dir);
}

int profile_create(const char *path, bool *ret_created, struct wn_error *err)
{
        _cleanup_free_ char *temporary = NULL, *journal = NULL;
        int r = make_parent(path, err), fd;

        if (r != 0)
                return r;
        if (asprintf(&temporary, "%s" TEMPORARY, path) < 0) {
                temporary = NULL;
                return -ENOMEM;
        }
        if (asprintf(&journal, "%s-journal", path) < 0) {
                journal = NULL;
                return -ENOMEM;
        }
        fd = mkostemp(temporary, O_CLOEXEC);
        if (fd < 0)
                return profile_cannot_open(path, errno, strerror(errno), err);
        r = fchmod(fd, 0600) < 0 ? profile_cannot_open(path, errno, strerror(errno), err) : 0; /* whatever the umask */
        close(fd);
        FAULT_POINT("profile.made");
        if (r == 0)
                r = write_empty(temporary, err);
        FAULT_POINT("profile.written");
        if (r == 0) {
                /* A journal whose profile somebody removed would be rolled back into the new one. */
                unlink(journal);
                r = publish(temporary, path);
                FAULT_POINT("profile.published");
                *ret_created = r == 0;
                if (r == -EEXIST)
                        r = 0;
                else if (r < 0)
                        r = profile_cannot_open(path, -r, strerror(-r), err);
                else
                        return 0;
        }
        unlink(temporary);
        return r;
}
