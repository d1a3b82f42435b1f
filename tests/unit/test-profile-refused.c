/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * core/profile-file.c: which files are no profile, or cannot be opened, and that nothing is written to one of them. SQLite is used
 * beside the module to make the files that other programs would make.
 */

#include "profile-driver.h"

#include <signal.h>

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

int main(void)
{
        const struct CMUnitTest tests[] = {
                IN_FOLDER(garbage),             IN_FOLDER(not_ours),            IN_FOLDER(newer_version),
                IN_FOLDER(older_version),       IN_FOLDER(foreign_journal),     IN_FOLDER(still_ours),
                IN_FOLDER(unopenable),          IN_FOLDER(symbolic_link),
        };

        return cmocka_run_group_tests_name("profile-refused", tests, NULL, NULL);
}
