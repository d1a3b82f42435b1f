/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_PROFILE_DRIVER_H
#define TESTS_UNIT_PROFILE_DRIVER_H

/* Profiles for the tests of core/profile*.c. */

#include "unit.h"

#include <sqlite3.h>

#include "core/profile.h"

#define CANNOT ERROR_CANNOT_OPEN_PROFILE
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

static inline struct profile_row row_z(void)
{
        return (struct profile_row) {
                .device = (char *) "Z:",
                .remote = (char *) "\\\\srv:4450\\share\\d\xc3\xa4",
                .type = RESOURCETYPE_DISK,
                .user = (char *) "me",
                .domain = (char *) "DOM",
                .provider = (char *) "wnet",
                .read_only = true,
                .secret = PROFILE_SECRET_FILE,
                .credentials_file = (char *) "/home/me/cred",
                .since_usec = 1700000000123456,
        };
}

static inline struct profile_row row_lpt(void)
{
        return (struct profile_row) {
                .device = (char *) "LPT1",
                .remote = (char *) "\\\\srv\\printer",
                .type = RESOURCETYPE_PRINT,
                .provider = (char *) "wnet",
        };
}

static inline int put(const char *path, const struct profile_row *row)
{
        struct profile_change *change = NULL;
        int r = profile_stage_put(path, row, &change, NULL);

        return r != 0 ? r : profile_commit(change, NULL);
}

/* How many rows a load finds; its code, made negative, where it fails. */
static inline int count_rows(const char *path)
{
        struct profile_rows rows = { 0 };
        int r = profile_load(path, &rows, NULL), n = (int) rows.n_items;

        profile_rows_done(&rows);
        return r == 0 ? n : r > 0 ? -r : r;
}

/* A profile with Z: and LPT1, at folder/profile.db. */
static inline const char *make_profile(void **state)
{
        struct profile_row z = row_z(), lpt = row_lpt();
        const char *path = in_folder(state, "profile.db");

        assert_int_equal(put(path, &z), 0);
        assert_int_equal(put(path, &lpt), 0);
        if (geteuid() == 0)
                assert_int_equal(chown(path, NOBODY, NOBODY), 0);
        return path;
}

static inline bool persistence(const char *path)
{
        bool persistent;

        assert_int_equal(profile_load_persistence(path, &persistent, NULL), 0);
        return persistent;
}

static inline void set_persistence(const char *path, bool persistent)
{
        struct profile_change *change = NULL;

        assert_int_equal(profile_stage_persistence(path, persistent, &change, NULL), 0);
        assert_int_equal(profile_commit(change, NULL), 0);
}

/* Runs SQL on the profile as another program would. */
static inline void run_sql(const char *path, const char *sql)
{
        sqlite3 *db = NULL;

        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
                fail_msg("%s: %s", sql, sqlite3_errmsg(db));
        sqlite3_close(db);
}

/* What each of the three functions answers for path. */
static inline int answers(const char *path, int load, int delete, int put_row)
{
        struct profile_change *change = NULL;
        struct profile_row row = row_z();
        struct profile_rows rows = { 0 };
        struct wn_error err = { 0 };

        CHECK(profile_load(path, &rows, &err) == load);
        profile_rows_done(&rows);
        CHECK(load == 0 || (strstr(err.text, path) && err.cause != 0));
        err = (struct wn_error) { 0 };
        CHECK(profile_stage_delete(path, "Z:", &change, &err) == delete);
        CHECK(delete == 0 || (strstr(err.text, path) && err.cause != 0));
        CHECK(!change);
        err = (struct wn_error) { 0 };
        CHECK(profile_stage_put(path, &row, &change, &err) == put_row);
        CHECK(put_row == 0 || (strstr(err.text, path) && err.cause != 0));
        CHECK(!change);
        return 0;
}

#endif
