/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the profile keeps beside the devices: the default of `wnet use /persistent`. */

#include <errno.h>

#include "core/cleanup.h"
#include "core/profile-internal.h"

/* In a transaction. */
static int read_persistence(sqlite3 *db, bool *ret_persistent, const char *path, struct wn_error *err)
{
        _cleanup_(cleanup_sqlite3_finalize) sqlite3_stmt *stmt = NULL;
        bool has_settings = false;
        int r = profile_check_schema(db, path, &has_settings, err), code;

        if (r != 0)
                return r;
        *ret_persistent = true;
        if (!has_settings)
                return 0;
        code = sqlite3_prepare_v2(db, "SELECT value FROM setting WHERE name = 'persistent'", -1, &stmt, NULL);
        if (code == SQLITE_OK)
                code = sqlite3_step(stmt);
        if (code == SQLITE_ROW)
                *ret_persistent = sqlite3_column_int64(stmt, 0) != 0;
        return profile_map_sqlite(code, db, path, err);
}

int profile_load_persistence(const char *path, bool *ret_persistent, struct wn_error *err)
{
        _cleanup_(cleanup_sqlite3_close) sqlite3 *db = NULL;
        int r = profile_open_to_read(path, &db, err);

        if (r == -ENOENT) {
                *ret_persistent = true;
                return 0;
        }
        return r != 0 ? r : read_persistence(db, ret_persistent, path, err);
}

int profile_stage_persistence(const char *path, bool persistent, struct profile_change **ret_change, struct wn_error *err)
{
        _cleanup_(profile_rollbackp) struct profile_change *change = NULL;
        _cleanup_(cleanup_sqlite3_finalize) sqlite3_stmt *stmt = NULL;
        bool has_settings;
        int r = profile_begin_put(path, &change, err), code;

        if (r == 0)
                r = profile_check_schema(change->db, path, &has_settings, err);
        if (r == 0 && !has_settings)
                r = profile_execute(change->db, PROFILE_SETTING_SCHEMA, path, err);
        if (r != 0)
                return r;
        code = sqlite3_prepare_v2(change->db, "INSERT OR REPLACE INTO setting (name, value) VALUES ('persistent', ?)", -1, &stmt,
                                  NULL);
        if (code == SQLITE_OK)
                code = sqlite3_bind_int(stmt, 1, persistent);
        r = profile_stage(change, stmt, code, err);
        if (r == 0)
                *ret_change = TAKE_PTR(change);
        return r;
}
