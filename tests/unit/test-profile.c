/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * core/profile.c: what is on the disk before, during and after a change, and which files are refused. SQLite is used
 * here beside the module to make the files that other programs would make.
 */

#include "unit.h"

#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "core/profile.h"

static struct profile_row row_z(void)
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

static struct profile_row row_lpt(void)
{
        return (struct profile_row) {
                .device = (char *) "LPT1",
                .remote = (char *) "\\\\srv\\printer",
                .type = RESOURCETYPE_PRINT,
                .provider = (char *) "wnet",
        };
}

static int put(const char *path, const struct profile_row *row)
{
        struct profile_change *change = NULL;
        int r = profile_stage_put(path, row, &change, NULL);

        return r != 0 ? r : profile_commit(change, NULL);
}

/* How many rows a load finds; its code, made negative, where it fails. */
static int count_rows(const char *path)
{
        struct profile_rows rows = { 0 };
        int r = profile_load(path, &rows, NULL), n = (int) rows.n_items;

        profile_rows_done(&rows);
        return r == 0 ? n : r > 0 ? -r : r;
}

/* A profile with Z: and LPT1, at folder/profile.db. */
static const char *make_profile(void **state)
{
        struct profile_row z = row_z(), lpt = row_lpt();
        const char *path = in_folder(state, "profile.db");

        assert_int_equal(put(path, &z), 0);
        assert_int_equal(put(path, &lpt), 0);
        if (geteuid() == 0)
                assert_int_equal(chown(path, NOBODY, NOBODY), 0);
        return path;
}

static bool text_equal(const char *a, const char *b)
{
        return a && b ? strcmp(a, b) == 0 : a == b;
}

static void assert_row(const struct profile_row *row, const struct profile_row *expected)
{
        assert_string_equal(row->device, expected->device);
        assert_string_equal(row->remote, expected->remote);
        assert_int_equal(row->type, expected->type);
        assert_true(text_equal(row->user, expected->user));
        assert_true(text_equal(row->domain, expected->domain));
        assert_string_equal(row->provider, expected->provider);
        assert_int_equal(row->read_only, expected->read_only);
        assert_int_equal(row->secret, expected->secret);
        assert_true(text_equal(row->credentials_file, expected->credentials_file));
        assert_int_equal(row->since_usec, expected->since_usec);
}

static void missing(void **state)
{
        const char *path = in_folder(state, "profile.db");
        struct profile_change *change = (void *) 1;
        struct wn_error err = { 0 };

        assert_int_equal(count_rows(path), 0);
        assert_int_equal(profile_stage_delete(path, "Z:", &change, &err), 0);
        assert_null(change);
        assert_int_equal(profile_commit(change, &err), 0);
        profile_rollback(change);
        assert_int_equal(count_rows(in_folder(state, "no/such/folder/profile.db")), 0);
        assert_int_equal(count_entries(*state), 0);
        assert_int_equal(err.status, 0);
}

static void round_trip(void **state)
{
        const char *path = in_folder(state, "a/b/profile.db");
        struct profile_row z = row_z(), lpt = row_lpt();
        struct profile_rows rows;
        struct stat st;
        mode_t old = umask(0);

        assert_int_equal(put(path, &z), 0);
        umask(0777); /* neither opens the file to others nor closes it to its owner */
        assert_int_equal(put(in_folder(state, "other.db"), &z), 0);
        umask(old);
        assert_int_equal(put(path, &lpt), 0);

        assert_int_equal(profile_load(path, &rows, NULL), 0);
        assert_int_equal(rows.n_items, 2);
        assert_row(&rows.items[0], &lpt); /* ordered by device */
        assert_row(&rows.items[1], &z);
        profile_rows_done(&rows);
        profile_rows_done(&rows);

        /* Put again: replaced, not added. */
        z.user = z.domain = NULL;
        z.read_only = false;
        z.secret = PROFILE_SECRET_NONE;
        z.credentials_file = NULL;
        z.since_usec = INT64_MAX;
        assert_int_equal(put(path, &z), 0);
        assert_int_equal(profile_load(path, &rows, NULL), 0);
        assert_int_equal(rows.n_items, 2);
        assert_row(&rows.items[1], &z);
        profile_rows_done(&rows);

        z.secret = PROFILE_SECRET_SERVICE;
        assert_int_equal(put(path, &z), 0);
        assert_int_equal(profile_load(path, &rows, NULL), 0);
        assert_row(&rows.items[1], &z);
        profile_rows_done(&rows);

        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(stat(in_folder(state, "other.db"), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(stat(in_folder(state, "a/b"), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        assert_int_equal(count_entries(in_folder(state, "a/b")), 1);
}

static void every_device(void **state)
{
        const char *path = in_folder(state, "profile.db");
        struct profile_row row = row_lpt();

        for (int i = 0; i < PROFILE_ROWS_MAX; i++) {
                char device[8];

                snprintf(device, sizeof device, i < 26 ? "%c:" : "LPT%c", i < 26 ? 'A' + i : '1' + i - 26);
                row.device = device;
                row.type = i < 26 ? RESOURCETYPE_DISK : RESOURCETYPE_PRINT;
                assert_int_equal(put(path, &row), 0);
        }
        assert_int_equal(count_rows(path), PROFILE_ROWS_MAX);
}

static void delete_and_commit(void **state)
{
        const char *path = make_profile(state);
        struct profile_change *change = NULL;
        struct profile_row lpt = row_lpt();
        struct profile_rows rows;

        assert_int_equal(profile_stage_delete(path, "Z:", &change, NULL), 0);
        assert_non_null(change);
        assert_int_equal(profile_commit(change, NULL), 0);
        assert_int_equal(profile_load(path, &rows, NULL), 0);
        assert_int_equal(rows.n_items, 1);
        assert_row(&rows.items[0], &lpt);
        profile_rows_done(&rows);
        assert_int_equal(count_entries(*state), 1);
}

static void rollback(void **state)
{
        const char *path = make_profile(state);
        struct profile_change *change = NULL;
        struct profile_row row = row_z();
        struct bytes before;

        read_bytes(path, &before);
        assert_int_equal(profile_stage_delete(path, "Z:", &change, NULL), 0);
        profile_rollback(change);
        assert_file_is(path, &before);
        row.device = (char *) "Q:";
        assert_int_equal(profile_stage_put(path, &row, &change, NULL), 0);
        profile_rollback(change);
        assert_file_is(path, &before);
        assert_int_equal(count_rows(path), 2);

        /* No row, no change. */
        assert_int_equal(profile_stage_delete(path, "Y:", &change, NULL), 0);
        assert_null(change);
        assert_file_is(path, &before);
        assert_int_equal(count_entries(*state), 1);
}

static void rollback_of_created(void **state)
{
        const char *path = in_folder(state, "profile.db");
        struct profile_change *change = NULL;
        struct profile_row row = row_z();

        assert_int_equal(profile_stage_put(path, &row, &change, NULL), 0);
        profile_rollback(change);
        assert_int_equal(count_entries(*state), 0);
        assert_int_equal(put(path, &row), 0);
        assert_int_equal(count_rows(path), 1);
}

static void refused_rows(void **state)
{
        static const struct {
                const char *member;
                const char *text;
        } cases[] = {
                { "device", "z:" }, { "device", "LPT1:" }, { "device", "" }, { "device", "ZZ:" },
                { "remote", "" }, { "remote", "//srv/share" }, { "remote", "\\\\srv" }, { "remote", "\\\\srv\\..\\x" },
                { "user", "" }, { "user", "a\nb" }, { "user", "\xff" }, { "domain", "" }, { "provider", "" },
                { "credentials_file", "relative" }, { "credentials_file", "/a\nb" }, { "credentials_file", NULL },
                { "remote", NULL }, { "device", NULL }, { "provider", NULL },
        };
        struct profile_change *change = NULL;
        const char *path = in_folder(state, "profile.db");
        struct profile_row row;

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct wn_error err = { 0 };
                const struct {
                        const char *name;
                        char **text;
                } members[] = {
                        { "device", &row.device },     { "remote", &row.remote },
                        { "user", &row.user },         { "domain", &row.domain },
                        { "provider", &row.provider }, { "credentials_file", &row.credentials_file },
                };

                row = row_z();
                for (size_t j = 0; j < N_ELEMENTS(members); j++)
                        if (strcmp(members[j].name, cases[i].member) == 0)
                                *members[j].text = (char *) cases[i].text;
                assert_int_equal(profile_stage_put(path, &row, &change, &err), ERROR_INVALID_PARAMETER);
                assert_non_null(strstr(err.text, cases[i].member));
        }
        row = row_z();
        row.type = RESOURCETYPE_PRINT;
        assert_int_equal(put(path, &row), ERROR_INVALID_PARAMETER);
        row = row_z();
        row.secret = PROFILE_SECRET_NONE;
        assert_int_equal(put(path, &row), ERROR_INVALID_PARAMETER);
        row = row_z();
        row.since_usec = UINT64_MAX;
        assert_int_equal(put(path, &row), ERROR_INVALID_PARAMETER);
        assert_null(change);
        assert_int_equal(count_entries(*state), 0);
}

/* Every function answers ERROR_BAD_PROFILE, and neither the file nor its folder has changed. */
static void assert_bad(void **state, const char *path, const char *what)
{
        struct profile_change *change = NULL;
        struct profile_rows rows = { 0 };
        unsigned entries = count_entries(*state);
        struct profile_row row = row_z();
        struct wn_error err = { 0 };
        struct bytes before;

        read_bytes(path, &before);
        if (profile_load(path, &rows, &err) != ERROR_BAD_PROFILE)
                fail_msg("load took %s", what);
        assert_non_null(strstr(err.text, path));
        assert_int_equal(err.status, ERROR_BAD_PROFILE);
        if (profile_stage_delete(path, "Z:", &change, &err) != ERROR_BAD_PROFILE)
                fail_msg("delete took %s", what);
        if (profile_stage_delete(path, "Y:", &change, NULL) != ERROR_BAD_PROFILE)
                fail_msg("delete of a row that is not there took %s", what);
        if (profile_stage_put(path, &row, &change, &err) != ERROR_BAD_PROFILE)
                fail_msg("put took %s", what);
        assert_null(change);
        assert_null(rows.items);
        assert_file_is(path, &before);
        assert_int_equal(count_entries(*state), entries);
}

static void garbage(void **state)
{
        const char *path = in_folder(state, "profile.db");
        struct bytes profile;
        char text[5000];

        write_text(path, "");
        assert_bad(state, path, "an empty file");
        write_text(path, "x");
        assert_bad(state, path, "one byte");
        memset(text, 'x', sizeof text);
        write_file(path, text, 99);
        assert_bad(state, path, "99 bytes");
        write_file(path, text, sizeof text);
        assert_bad(state, path, "text");
        memset(text, 0, sizeof text);
        write_file(path, text, sizeof text);
        assert_bad(state, path, "zeros");

        unlink(path);
        make_profile(state);
        read_bytes(path, &profile);
        for (size_t n = 1; n < profile.size_bytes; n += n < 1000 ? 1 + n / 2 : 503) {
                write_file(path, profile.data, n);
                assert_bad(state, path, "a truncated profile");
        }
        for (size_t n = 1; n <= 4096; n += 4095) {
                memset(profile.data + profile.size_bytes, 'x', n);
                write_file(path, profile.data, profile.size_bytes + n);
                assert_bad(state, path, "a profile with something behind its end");
        }
        memset(text, 0xa5, sizeof text);
        memcpy(profile.data + 100, text, 1000);
        write_file(path, profile.data, profile.size_bytes);
        assert_bad(state, path, "a profile with a destroyed first page");
}

/* Runs SQL on the profile as another program would. */
static void run_sql(const char *path, const char *sql)
{
        sqlite3 *db = NULL;

        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
                fail_msg("%s: %s", sql, sqlite3_errmsg(db));
        sqlite3_close(db);
}

static void not_ours(void **state)
{
        static const char *const statements[] = {
                "PRAGMA application_id=0",
                "PRAGMA application_id=1464812886",
                "PRAGMA user_version=0",
                "PRAGMA user_version=3",
                "PRAGMA user_version=-1",
                "PRAGMA journal_mode=WAL",
                "CREATE TABLE other (x)",
                "CREATE INDEX i ON device (remote)",
                "CREATE VIEW v AS SELECT 1",
                "CREATE TRIGGER t AFTER DELETE ON device BEGIN DELETE FROM device; END",
                "ALTER TABLE device ADD COLUMN more",
                "ALTER TABLE device RENAME COLUMN user TO username",
                "ALTER TABLE device RENAME TO devices",
                "DROP TABLE device",
                "DROP TABLE device; CREATE TABLE device (device TEXT PRIMARY KEY NOT NULL, remote TEXT)",
                "UPDATE device SET device='z:' WHERE device='Z:'",
                "UPDATE device SET device='LPT1:' WHERE device='LPT1'",
                "UPDATE device SET device='Z' || char(0) || ':' WHERE device='Z:'",
                "UPDATE device SET device=x'5a3a' WHERE device='Z:'",
                "UPDATE device SET remote=''",
                "UPDATE device SET remote='//srv/share'",
                "UPDATE device SET remote='\\\\srv\\share\\..'",
                "UPDATE device SET remote=remote || char(0) || 'x'",
                "UPDATE device SET remote=CAST(x'5c5c735c68ff' AS TEXT)",
                "UPDATE device SET remote=hex(zeroblob(40000)) WHERE device='Z:'",
                "UPDATE device SET type=0",
                "UPDATE device SET type=3",
                "UPDATE device SET type=4294967297",
                "UPDATE device SET type='disk'",
                "UPDATE device SET type=2 WHERE device='Z:'",
                "UPDATE device SET user=''",
                "UPDATE device SET user='a' || char(10)",
                "UPDATE device SET user=x'00'",
                "UPDATE device SET domain=hex(zeroblob(200))",
                "UPDATE device SET provider=''",
                "UPDATE device SET read_only=2",
                "UPDATE device SET read_only=1.5",
                "UPDATE device SET secret=2 WHERE device='Z:'",
                "UPDATE device SET secret=3",
                "UPDATE device SET secret=-1",
                "UPDATE device SET secret=0 WHERE device='Z:'",
                "UPDATE device SET secret=1 WHERE device='LPT1'",
                "UPDATE device SET credentials_file='cred' WHERE device='Z:'",
                "UPDATE device SET since_usec=-1",
                "UPDATE device SET since_usec='then'",
                "INSERT INTO device SELECT 'x' || remote, remote, 1, NULL, NULL, 'wnet', 0, 0, NULL, 0 FROM device",
        };
        const char *path = in_folder(state, "profile.db");

        for (size_t i = 0; i < N_ELEMENTS(statements); i++) {
                make_profile(state);
                run_sql(path, statements[i]);
                assert_bad(state, path, statements[i]);
                unlink(path);
        }
}

static void newer_version(void **state)
{
        const char *path = make_profile(state);
        struct profile_rows rows = { 0 };
        struct wn_error err = { 0 };

        run_sql(path, "PRAGMA user_version=3");
        assert_int_equal(profile_load(path, &rows, &err), ERROR_BAD_PROFILE);
        assert_non_null(strstr(err.text, "newer version (3, known is 2)"));
}

static bool persistence(const char *path)
{
        bool persistent;

        assert_int_equal(profile_load_persistence(path, &persistent, NULL), 0);
        return persistent;
}

static void set_persistence(const char *path, bool persistent)
{
        struct profile_change *change = NULL;

        assert_int_equal(profile_stage_persistence(path, persistent, &change, NULL), 0);
        assert_int_equal(profile_commit(change, NULL), 0);
}

static void settings(void **state)
{
        const char *path = in_folder(state, "profile.db");
        struct profile_change *change = NULL;
        struct profile_row z = row_z();

        assert_true(persistence(path)); /* where there is no profile; and it is not made for that */
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(profile_stage_persistence(path, false, &change, NULL), 0);
        profile_rollback(change);
        assert_int_equal(access(path, F_OK), -1);

        assert_int_equal(put(path, &z), 0);
        assert_true(persistence(path));
        set_persistence(path, false);
        assert_false(persistence(path));
        assert_int_equal(count_rows(path), 1);
        set_persistence(path, true);
        assert_true(persistence(path));
        set_persistence(path, false);
        unlink(path);
        set_persistence(path, false); /* makes the profile */
        assert_false(persistence(path));
        assert_int_equal(count_rows(path), 0);
}

/* The first version, which had no settings, is read as it is and brought up by the next change. */
static void older_version(void **state)
{
        const char *path = make_profile(state);
        struct profile_row z = row_z();

        run_sql(path, "PRAGMA user_version=1");
        assert_int_equal(count_rows(path), 2);
        assert_true(persistence(path));
        assert_int_equal(put(path, &z), 0);
        assert_int_equal(count_rows(path), 2);
        run_sql(path, "PRAGMA user_version=1");
        set_persistence(path, false);
        assert_false(persistence(path));
        assert_int_equal(count_rows(path), 2);
}

/* Another program's database with a journal that its crash left: not even that is rolled back. */
static int crash_elsewhere(void **state)
{
        sqlite3 *db = NULL;

        CHECK(sqlite3_open(in_folder(state, "profile.db"), &db) == SQLITE_OK);
        CHECK(sqlite3_exec(db, "CREATE TABLE t (x); INSERT INTO t VALUES (1); BEGIN EXCLUSIVE; UPDATE t SET x = 2",
                           NULL, NULL, NULL) == SQLITE_OK);
        CHECK(sqlite3_db_cacheflush(db) == SQLITE_OK);
        kill(getpid(), SIGKILL);
        return 1;
}

static void foreign_journal(void **state)
{
        const char *path = in_folder(state, "profile.db"), *journal = in_folder(state, "profile.db-journal");
        struct bytes before;

        assert_int_equal(in_child(crash_elsewhere, state, false), 1000 + SIGKILL);
        read_bytes(journal, &before);
        assert_bad(state, path, "another program's database");
        assert_file_is(journal, &before);
}

/* Other programs may use the profile as long as they leave it one. */
static void still_ours(void **state)
{
        static const char *const statements[] = {
                "VACUUM",
                "UPDATE device SET remote='\\\\a\\b', user='u', read_only=1 WHERE device='LPT1'",
                "PRAGMA journal_mode=WAL; PRAGMA journal_mode=DELETE",
                "PRAGMA page_size=512; VACUUM", "PRAGMA journal_mode=PERSIST; UPDATE device SET since_usec=1",
        };
        const char *path = make_profile(state);
        struct profile_row row = row_z();

        for (size_t i = 0; i < N_ELEMENTS(statements); i++) {
                struct profile_change *change = NULL;

                run_sql(path, statements[i]);
                assert_int_equal(count_rows(path), 2);
                assert_int_equal(profile_stage_delete(path, "Z:", &change, NULL), 0);
                assert_int_equal(profile_commit(change, NULL), 0);
                assert_int_equal(count_rows(path), 1);
                assert_int_equal(put(path, &row), 0);
        }
}

/* What each of the three functions answers for path. */
static int answers(const char *path, int load, int delete, int put_row)
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

#define CANNOT ERROR_CANNOT_OPEN_PROFILE

static int try_unopenable(void **state)
{
        const char *path = in_folder(state, "profile.db"), *other = in_folder(state, "other");

        CHECK(chmod(path, 0000) == 0);
        CHECK(answers(path, CANNOT, CANNOT, CANNOT) == 0);
        CHECK(chmod(path, 0400) == 0);
        CHECK(answers(path, 0, CANNOT, CANNOT) == 0);
        CHECK(chmod(path, 0600) == 0);
        CHECK(chmod(*state, 0500) == 0); /* no journal can be made */
        CHECK(answers(path, 0, CANNOT, CANNOT) == 0);
        CHECK(answers(in_folder(state, "new.db"), 0, 0, CANNOT) == 0);
        CHECK(answers(in_folder(state, "new/profile.db"), 0, 0, CANNOT) == 0);
        CHECK(chmod(*state, 0000) == 0);
        CHECK(answers(path, CANNOT, CANNOT, CANNOT) == 0);
        CHECK(chmod(*state, 0700) == 0);
        CHECK(count_rows(path) == 2);

        CHECK(answers(*state, CANNOT, CANNOT, CANNOT) == 0);
        CHECK(mkfifo(other, 0600) == 0);
        CHECK(answers(other, CANNOT, CANNOT, CANNOT) == 0);
        CHECK(unlink(other) == 0 && symlink("/dev/zero", other) == 0);
        CHECK(answers(other, CANNOT, CANNOT, CANNOT) == 0);
        CHECK(unlink(other) == 0 && symlink("other", other) == 0);
        CHECK(answers(other, CANNOT, CANNOT, CANNOT) == 0);
        CHECK(unlink(other) == 0 && symlink("nowhere", other) == 0);
        CHECK(answers(other, 0, 0, CANNOT) == 0);
        CHECK(answers(in_folder(state, "profile.db/below"), CANNOT, CANNOT, CANNOT) == 0);
        CHECK(count_entries(*state) == 2);
        return 0;
}

static void unopenable(void **state)
{
        make_profile(state);
        assert_int_equal(in_child(try_unopenable, state, true), 0);
}

static void symbolic_link(void **state)
{
        const char *link = in_folder(state, "link.db");
        struct profile_row row = row_z();
        struct stat st;

        make_profile(state);
        assert_int_equal(symlink("profile.db", link), 0);
        assert_int_equal(count_rows(link), 2);
        row.device = (char *) "Q:";
        assert_int_equal(put(link, &row), 0);
        assert_int_equal(count_rows(in_folder(state, "profile.db")), 3);
        assert_int_equal(lstat(link, &st), 0);
        assert_true(S_ISLNK(st.st_mode));
}

static int expect_locked(void **state)
{
        return answers(in_folder(state, "profile.db"), -EBUSY, -EBUSY, -EBUSY);
}

static int expect_readable(void **state)
{
        return answers(in_folder(state, "profile.db"), 0, -EBUSY, -EBUSY);
}

static void locked(void **state)
{
        const char *path = make_profile(state);
        sqlite3 *db = NULL;

        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT * FROM device", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(in_child(expect_readable, state, false), 0);
        assert_int_equal(sqlite3_exec(db, "COMMIT; BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(in_child(expect_locked, state, false), 0);
        sqlite3_close(db);
        assert_int_equal(count_rows(path), 2);
}

/* A load or a second change in the process that staged one is refused, and leaves the lock where it is. */
static void staged_is_locked(void **state)
{
        const char *path = make_profile(state);
        struct profile_change *change = NULL;
        struct bytes before, now;

        read_bytes(path, &before);
        assert_int_equal(profile_stage_delete(path, "Z:", &change, NULL), 0);
        assert_int_equal(answers(path, -EBUSY, -EBUSY, -EBUSY), 0);
        assert_int_equal(in_child(expect_locked, state, false), 0);
        assert_int_equal(answers(path, -EBUSY, -EBUSY, -EBUSY), 0);
        assert_int_equal(in_child(expect_locked, state, false), 0);
        assert_int_equal(profile_commit(change, NULL), 0);
        assert_int_equal(count_rows(path), 1);

        read_bytes(path, &now);
        assert_true(memcmp(now.data, before.data, now.size_bytes) != 0);
}

static int stage_and_die(void **state)
{
        struct profile_change *change = NULL;

        CHECK(profile_stage_delete(in_folder(state, "profile.db"), "Z:", &change, NULL) == 0);
        CHECK(change);
        kill(getpid(), SIGKILL);
        return 1;
}

static int load_read_only(void **state)
{
        const char *path = in_folder(state, "profile.db");
        int r;

        CHECK(chmod(path, 0400) == 0 && chmod(*state, 0500) == 0);
        r = answers(path, CANNOT, CANNOT, CANNOT);
        CHECK(chmod(*state, 0700) == 0 && chmod(path, 0600) == 0);
        return r;
}

/* Killed between staging and commit: the row's pages are in the file already, the journal takes them back. */
static void crash(void **state)
{
        const char *path = make_profile(state), *journal = in_folder(state, "profile.db-journal");
        struct bytes before, after;

        read_bytes(path, &before);
        assert_int_equal(in_child(stage_and_die, state, true), 1000 + SIGKILL);
        assert_int_equal(access(journal, F_OK), 0);
        read_bytes(path, &after);
        assert_true(memcmp(after.data, before.data, before.size_bytes) != 0);

        /* Who may only read cannot take them back, and must not believe the file. */
        assert_int_equal(in_child(load_read_only, state, true), 0);

        assert_int_equal(count_rows(path), 2);
        assert_file_is(path, &before);
        assert_int_equal(access(journal, F_OK), -1);
}

static int create_and_die(void **state)
{
        struct profile_change *change = NULL;
        struct profile_row row = row_z();

        CHECK(profile_stage_put(in_folder(state, "profile.db"), &row, &change, NULL) == 0);
        kill(getpid(), SIGKILL);
        return 1;
}

static void crash_of_created(void **state)
{
        const char *path = in_folder(state, "profile.db");
        struct profile_row row = row_lpt();

        assert_int_equal(in_child(create_and_die, state, false), 1000 + SIGKILL);
        assert_int_equal(count_rows(path), 0);
        assert_int_equal(count_entries(*state), 1);
        assert_int_equal(put(path, &row), 0);
        assert_int_equal(count_rows(path), 1);
}

/* Somebody removes the profile but not its journal: that is not rolled back into the next profile. */
static void orphaned_journal(void **state)
{
        const char *path = make_profile(state);
        struct profile_row row = row_lpt();

        assert_int_equal(in_child(stage_and_die, state, false), 1000 + SIGKILL);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(access(in_folder(state, "profile.db-journal"), F_OK), 0);
        assert_int_equal(put(path, &row), 0);
        assert_int_equal(count_rows(path), 1);
        assert_int_equal(count_entries(*state), 1);
}

/* With whatever space there is: staging answers ERROR_CANNOT_OPEN_PROFILE and nothing has changed, or the commit
 * succeeds. */
static int change_in_little_space(const char *path, bool *ret_done)
{
        struct profile_change *change = NULL;
        struct profile_row row = row_z();
        struct wn_error err = { 0 };
        int before = count_rows(path), r;
        char user[240] = "";

        memset(user, 'u', sizeof user - 1);
        row.user = row.domain = user;
        row.device = (char *) "Q:";
        r = profile_stage_put(path, &row, &change, &err);
        *ret_done = r == 0;
        if (r != 0) {
                CHECK(r == ERROR_CANNOT_OPEN_PROFILE);
                CHECK(strstr(err.text, path));
                CHECK(count_rows(path) == before);
                return 0;
        }
        CHECK(profile_commit(change, &err) == 0);
        CHECK(count_rows(path) == before + 1);
        CHECK(profile_stage_delete(path, "Q:", &change, NULL) == 0 && profile_commit(change, NULL) == 0);
        return 0;
}

static int limit_file_size(void **state)
{
        const char *existing = in_folder(state, "profile.db"), *fresh = in_folder(state, "fresh.db");
        unsigned refused[2] = { 0 }, done[2] = { 0 };

        signal(SIGXFSZ, SIG_IGN);
        for (rlim_t bytes = 0; bytes < 32768; bytes += 256) {
                for (int i = 0; i < 2; i++) {
                        struct rlimit limit = { .rlim_cur = bytes, .rlim_max = RLIM_INFINITY };
                        bool ok = false;
                        int r;

                        unlink(fresh);
                        CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
                        r = change_in_little_space(i ? fresh : existing, &ok);
                        limit.rlim_cur = RLIM_INFINITY;
                        CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
                        CHECK(r == 0);
                        ok ? done[i]++ : refused[i]++;
                        CHECK(ok || access(fresh, F_OK) < 0);
                }
        }
        CHECK(refused[0] > 0 && refused[1] > 0 && done[0] > 0 && done[1] > 0);
        unlink(fresh);
        CHECK(count_rows(existing) == 2);
        CHECK(count_entries(*state) == 1);
        return 0;
}

static void file_size_limit(void **state)
{
        make_profile(state);
        assert_int_equal(in_child(limit_file_size, state, true), 0);
}

/* Fills what is left of the file system, then gives back `pages` pages of 4 KiB. */
static int fill(const char *path, unsigned pages)
{
        static const char page[4096];
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        off_t size = 0;

        if (fd < 0)
                return -1;
        while (write(fd, page, sizeof page) == sizeof page)
                size += sizeof page;
        if (ftruncate(fd, size > pages * 4096 ? size - pages * 4096 : 0) < 0)
                size = 0;
        close(fd);
        return size > 0 ? 0 : -1;
}

static int write_proc(const char *path, const char *text)
{
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        ssize_t n = fd >= 0 ? write(fd, text, strlen(text)) : -1;

        if (fd >= 0)
                close(fd);
        return n < 0 ? -1 : 0;
}

/* A mount namespace of our own; without root's rights in a user namespace, where we stay who we are. */
static int enter_namespace(void)
{
        unsigned uid = geteuid(), gid = getegid();
        char text[64];

        if (uid == 0)
                return unshare(CLONE_NEWNS);
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || write_proc("/proc/self/setgroups", "deny") < 0)
                return -1;
        snprintf(text, sizeof text, "%u %u 1", uid, uid);
        if (write_proc("/proc/self/uid_map", text) < 0)
                return -1;
        snprintf(text, sizeof text, "%u %u 1", gid, gid);
        return write_proc("/proc/self/gid_map", text);
}

#define CANNOT_MOUNT 77

static int fill_disk(void **state)
{
        const char *path = in_folder(state, "profile.db"), *filler = in_folder(state, "filler");
        unsigned refused = 0, done = 0;
        struct profile_row row = row_z();

        if (enter_namespace() < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", *state, "tmpfs", 0, "size=256k") < 0)
                return CANNOT_MOUNT;
        CHECK(put(path, &row) == 0);
        for (unsigned pages = 0; pages < 16; pages++) {
                bool ok = false;

                CHECK(fill(filler, pages) == 0);
                CHECK(change_in_little_space(path, &ok) == 0);
                ok ? done++ : refused++;
                CHECK(unlink(filler) == 0);
        }
        CHECK(refused > 0 && done > 0);
        CHECK(count_rows(path) == 1);
        CHECK(count_entries(*state) == 1);
        return 0;
}

static void full_disk(void **state)
{
        int r = in_child(fill_disk, state, false);

        if (r == CANNOT_MOUNT) {
                print_message("no file system can be mounted here, not even in a namespace of its own\n");
                skip();
        }
        assert_int_equal(r, 0);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
        const struct CMUnitTest tests[] = {
                IN_FOLDER(missing),              IN_FOLDER(round_trip),           IN_FOLDER(every_device),
                IN_FOLDER(delete_and_commit),    IN_FOLDER(rollback),             IN_FOLDER(rollback_of_created),
                IN_FOLDER(refused_rows),         IN_FOLDER(garbage),              IN_FOLDER(not_ours),
                IN_FOLDER(newer_version),        IN_FOLDER(foreign_journal),      IN_FOLDER(still_ours),
                IN_FOLDER(unopenable),           IN_FOLDER(symbolic_link),        IN_FOLDER(locked),
                IN_FOLDER(staged_is_locked),     IN_FOLDER(crash),                IN_FOLDER(crash_of_created),
                IN_FOLDER(orphaned_journal),     IN_FOLDER(file_size_limit),      IN_FOLDER(full_disk),
                IN_FOLDER(settings),             IN_FOLDER(older_version),
        };

        return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
