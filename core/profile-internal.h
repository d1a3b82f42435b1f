/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_PROFILE_INTERNAL_H
#define CORE_PROFILE_INTERNAL_H

/*
 * What the parts of the profile share: rows (profile.c), settings (profile-setting.c), changes (profile-change.c), the file
 * (profile-file.c) and its making (profile-create.c). Codes as in profile.h; where err is filled, path is named.
 */

#include <sqlite3.h>
#include <stdbool.h>

#include "core/cleanup.h"
#include "core/profile.h"

/* The file keeps these texts; a profile whose texts differ is not one. The settings' table is made with the first setting. */
#define PROFILE_SCHEMA                                                                                             \
        "CREATE TABLE device (device TEXT PRIMARY KEY NOT NULL, remote TEXT NOT NULL, type INTEGER NOT NULL, "     \
        "user TEXT, domain TEXT, provider TEXT NOT NULL, read_only INTEGER NOT NULL, secret INTEGER NOT NULL, "    \
        "credentials_file TEXT, since_usec INTEGER NOT NULL) WITHOUT ROWID"

#define PROFILE_SETTING_SCHEMA "CREATE TABLE setting (name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL) WITHOUT ROWID"

struct profile_change {
        sqlite3 *db; /* in a transaction */
        char *path;
        bool created; /* the file did not exist before */
};

DEFINE_CLEANUP(struct profile_change *, profile_rollback);

static inline void cleanup_sqlite3_finalize(sqlite3_stmt **stmt)
{
        sqlite3_finalize(*stmt);
}

static inline void cleanup_sqlite3_close(sqlite3 **db)
{
        sqlite3_close(*db);
}

/* ---- profile-file.c ---- */

/* ERROR_BAD_PROFILE, with err filled. */
__attribute__((format(printf, 3, 4))) int profile_bad(const char *path, struct wn_error *err, const char *format, ...);

/* ERROR_CANNOT_OPEN_PROFILE, with err filled. cause: an errno. */
int profile_cannot_open(const char *path, int cause, const char *why, struct wn_error *err);

/* The one place that maps SQLite's codes. db may be NULL. */
int profile_map_sqlite(int code, sqlite3 *db, const char *path, struct wn_error *err);

int profile_execute(sqlite3 *db, const char *sql, const char *path, struct wn_error *err);

/* Opens without looking at the content; pragmas already do, and roll a journal back. SQLite itself falls back to reading when the
 * file cannot be written. */
int profile_open_database(const char *path, sqlite3 **ret_db, struct wn_error *err);

/* Opens an existing profile and checks that it is one. -ENOENT (nothing there; err is not set), or a code. */
int profile_open(const char *path, sqlite3 **ret_db, struct wn_error *err);

/* The same, and begins to read. */
int profile_open_to_read(const char *path, sqlite3 **ret_db, struct wn_error *err);

/* In a transaction: the schema is the tables that we make, nothing more and nothing less. ret_settings (may be NULL): whether there
 * are settings. */
int profile_check_schema(sqlite3 *db, const char *path, bool *ret_settings, struct wn_error *err);

/* ---- profile.c ---- */

/* In a transaction: checks the schema and reads every row. */
int profile_read_rows(sqlite3 *db, struct profile_rows *ret_rows, const char *path, struct wn_error *err);

/* ---- profile-create.c ---- */

/* Makes an empty profile where there is none. *ret_created: this call did. */
int profile_create(const char *path, bool *ret_created, struct wn_error *err);

/* ---- profile-change.c ---- */

/* Opens the profile for a change, locks and checks it. -ENOENT where there is none. */
int profile_begin_change(const char *path, struct profile_change **ret_change, struct profile_rows *ret_rows, struct wn_error *err);

/* The same for what is to be written, without its rows; makes the profile where there is none. */
int profile_begin_put(const char *path, struct profile_change **ret_change, struct wn_error *err);

/* Runs stmt, then writes all but the end of the transaction. bound: SQLite's code of preparing and binding stmt. */
int profile_stage(struct profile_change *change, sqlite3_stmt *stmt, int bound, struct wn_error *err);

#endif
