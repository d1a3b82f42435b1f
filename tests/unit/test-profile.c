/* SPDX-License-Identifier: GPL-3.0-or-later */

/* core/profile.c, core/profile-setting.c: rows and settings, put, deleted, taken back, and read again. */

#include "profile-driver.h"

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

int main(void)
{
        const struct CMUnitTest tests[] = {
                IN_FOLDER(missing),             IN_FOLDER(round_trip),          IN_FOLDER(every_device),
                IN_FOLDER(delete_and_commit),   IN_FOLDER(rollback),            IN_FOLDER(rollback_of_created),
                IN_FOLDER(refused_rows),        IN_FOLDER(settings),
        };

        return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
