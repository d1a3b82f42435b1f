/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A change of the profile, staged and then committed. Between the two the changed pages are in the file and the old ones, page 1
 * included, in a synced rollback journal. Commit overwrites page 1, syncs and deletes the journal, so it needs no space that is not
 * there already.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fault.h"
#include "core/profile-internal.h"

/* Removes the empty profile that this process made, unless somebody put a row into it meanwhile. The journal is gone
 * before the file is: the other way round, a crash would leave it for the next profile. */
static void remove_created(sqlite3 *db, const char *path)
{
        struct profile_rows rows = { 0 };

        if (sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK)
                return;
        if (profile_read_rows(db, &rows, path, NULL) == 0 && rows.n_items == 0)
                unlink(path);
        FAULT_POINT("profile.removed");
        profile_rows_done(&rows);
}

void profile_rollback(struct profile_change *change)
{
        if (!change)
                return;
        if (change->db) {
                sqlite3_exec(change->db, "ROLLBACK", NULL, NULL, NULL); /* fails where SQLite has rolled back itself */
                if (change->created)
                        remove_created(change->db, change->path);
                sqlite3_close(change->db);
        }
        free(change->path);
        free(change);
}

int profile_commit(struct profile_change *change, struct wn_error *err)
{
        int r;

        if (!change)
                return 0;
        r = profile_execute(change->db, "COMMIT", change->path, err);
        FAULT_POINT("profile.committed");
        if (r != 0) {
                profile_rollback(change);
                return r;
        }
        sqlite3_close(change->db);
        free(change->path);
        free(change);
        return 0;
}

/* created: this process has just made the profile. */
static int begin(const char *path, bool created, struct profile_change **ret_change, struct profile_rows *ret_rows,
                 struct wn_error *err)
{
        _cleanup_(profile_rollbackp) struct profile_change *change = calloc(1, sizeof(*change));
        int r;

        if (!change || !(change->path = strdup(path)))
                return -ENOMEM;
        change->created = created;
        r = profile_open(path, &change->db, err);
        if (r != 0)
                return r;
        if (sqlite3_db_readonly(change->db, "main") != 0) {
                struct profile_rows rows = { 0 };

                /* A file that is not a profile is that in the first place. */
                r = profile_read_rows(change->db, &rows, path, err);
                profile_rows_done(&rows);
                return r != 0 ? r
                              : profile_cannot_open(path, EROFS, "it is read-only; check its rights and its directory's", err);
        }
        /* EXTRA is FULL and syncs the directory too: a power failure does not bring the journal back. */
        r = profile_execute(change->db, "PRAGMA synchronous=EXTRA; PRAGMA journal_mode=DELETE; BEGIN EXCLUSIVE", path, err);
        if (r != 0)
                return r;
        r = profile_read_rows(change->db, ret_rows, path, err);
        if (r != 0)
                return r;
        *ret_change = TAKE_PTR(change);
        return 0;
}

int profile_begin_change(const char *path, struct profile_change **ret_change, struct profile_rows *ret_rows, struct wn_error *err)
{
        return begin(path, false, ret_change, ret_rows, err);
}

int profile_begin_put(const char *path, struct profile_change **ret_change, struct wn_error *err)
{
        _cleanup_(profile_rows_done) struct profile_rows rows = { 0 };
        bool created = false;
        int r = begin(path, false, ret_change, &rows, err);

        if (r != -ENOENT)
                return r;
        r = profile_create(path, &created, err);
        if (r != 0)
                return r;
        r = begin(path, created, ret_change, &rows, err);
        if (r == -ENOENT)
                r = profile_cannot_open(path, ENOENT, "it was removed just now, or is a symbolic link to nothing", err);
        return r;
}

int profile_stage(struct profile_change *change, sqlite3_stmt *stmt, int bound, struct wn_error *err)
{
        char touch[64];
        int code = bound == SQLITE_OK ? sqlite3_step(stmt) : bound, r;

        if (code != SQLITE_DONE)
                return profile_map_sqlite(code, change->db, change->path, err);
        sqlite3_reset(stmt);

        /* COMMIT counts the change in page 1. Written here too, page 1 is in the journal already when COMMIT comes. */
        snprintf(touch, sizeof(touch), "PRAGMA user_version=%d", PROFILE_VERSION);
        r = profile_execute(change->db, touch, change->path, err);
        if (r != 0)
                return r;
        return profile_map_sqlite(sqlite3_db_cacheflush(change->db), change->db, change->path, err);
}
