/* SPDX-License-Identifier: GPL-3.0-or-later */

/* core/conf.c: values, their limits, and that a faulty file changes nothing. */

#include "unit.h"

#include "core/conf.h"

static void good(void **state)
{
        static const struct {
                const char *text, *drives;
                uint64_t connect_usec, operation_usec;
        } cases[] = {
                { "", NULL, 10000000, 20000000 },
                { "# a comment = 1\n\n  # another\n\t\n", NULL, 10000000, 20000000 },
                { "drives = ~/net drives \n", "~/net drives", 10000000, 20000000 },
                { "drives=/mnt/a=b#c\r\nconnect_timeout=1\r\n", "/mnt/a=b#c", 1000000, 20000000 },
                { "  connect_timeout\t=  0.5", NULL, 500000, 20000000 },
                { "connect_timeout = 0.1\noperation_timeout = 600\n", NULL, 100000, 600000000 },
                { "connect_timeout = 120\noperation_timeout = 600.000000\n", NULL, 120000000, 600000000 },
                { "connect_timeout = 007.25\n", NULL, 7250000, 20000000 },
                { "drives = /a\ndrives = /b\nconnect_timeout = 1\nconnect_timeout = 2", "/b", 2000000, 20000000 },
        };

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct wn_error err = { 0 };
                struct conf conf;

                conf_init(&conf);
                assert_int_equal(conf_parse(&conf, cases[i].text, &err), 0);
                assert_int_equal(err.status, 0);
                if (cases[i].drives)
                        assert_string_equal(conf.drives, cases[i].drives);
                else
                        assert_null(conf.drives);
                assert_int_equal(conf.connect_usec, cases[i].connect_usec);
                assert_int_equal(conf.operation_usec, cases[i].operation_usec);
                conf_done(&conf);
                conf_done(&conf);
        }
}

static void switches(void **state)
{
        struct wn_error err = { 0 };
        struct conf conf;

        (void) state;
        conf_init(&conf);
        assert_false(conf.change_notification);
        assert_int_equal(conf_parse(&conf, "change_notification = yes\n", &err), 0);
        assert_true(conf.change_notification);
        assert_int_equal(conf_parse(&conf, "change_notification = yes\nchange_notification = no\n", &err), 0);
        assert_false(conf.change_notification);
        conf_done(&conf);
}

static void bad(void **state)
{
        static const struct {
                const char *text, *key, *line;
        } cases[] = {
                { "connect_timeout = 0", "connect_timeout", "line 1" },
                { "\nconnect_timeout = 0.09", "connect_timeout", "line 2" },
                { "connect_timeout = 120.1", "connect_timeout", "line 1" },
                { "operation_timeout = 601", "operation_timeout", "line 1" },
                { "operation_timeout = -1", "operation_timeout", "line 1" },
                { "operation_timeout = 1e2", "operation_timeout", "line 1" },
                { "operation_timeout = 0x10", "operation_timeout", "line 1" },
                { "operation_timeout = 1,5", "operation_timeout", "line 1" },
                { "operation_timeout = 1.", "operation_timeout", "line 1" },
                { "operation_timeout = .5", "operation_timeout", "line 1" },
                { "operation_timeout = 1.5.5", "operation_timeout", "line 1" },
                { "operation_timeout = 1.0000000", "operation_timeout", "line 1" },
                { "operation_timeout = 18446744073709551621", "operation_timeout", "line 1" },
                { "operation_timeout = 5 s", "operation_timeout", "line 1" },
                { "operation_timeout = 5 # five", "operation_timeout", "line 1" },
                { "operation_timeout =", "operation_timeout", "line 1" },
                { "change_notification =", "change_notification", "line 1" },
                { "change_notification = Yes", "change_notification", "line 1" },
                { "change_notification = 1", "change_notification", "line 1" },
                { "drives = relative", "drives", "line 1" },
                { "drives = ~", "drives", "line 1" },
                { "drives =", "drives", "line 1" },
                { "drives = /a\x01", "drives", "line 1" },
                { "drives = /\xff", "drives", "line 1" },
                { "# x\n\ncolour = red\n", "colour", "line 3" },
                { "Drives = /a", "Drives", "line 1" },
                { "= x", "", "line 1" },
                { "drives /a", "drives /a", "line 1" },
        };

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct conf conf = { .drives = strdup("/as/before"), .connect_usec = 1, .operation_usec = 2 };
                struct wn_error err = { 0 };
                char text[256];

                /* A good line before it has no effect either. */
                snprintf(text, sizeof text, "%s\ndrives = /other\nconnect_timeout = 3\n", cases[i].text);
                assert_int_equal(conf_parse(&conf, text, &err), ERROR_INVALID_PARAMETER);
                assert_int_equal(err.status, ERROR_INVALID_PARAMETER);
                assert_non_null(strstr(err.text, cases[i].key));
                assert_non_null(strstr(err.text, cases[i].line));
                snprintf(text, sizeof text, "drives = /other\nconnect_timeout = 3\n%s", cases[i].text);
                assert_int_equal(conf_parse(&conf, text, NULL), ERROR_INVALID_PARAMETER);

                assert_string_equal(conf.drives, "/as/before");
                assert_int_equal(conf.connect_usec, 1);
                assert_int_equal(conf.operation_usec, 2);
                conf_done(&conf);
        }
}

static void keeps_drives(void **state)
{
        struct conf conf = { .drives = strdup("/as/before") };

        (void) state;
        assert_int_equal(conf_parse(&conf, "connect_timeout = 3\n", NULL), 0);
        assert_string_equal(conf.drives, "/as/before");
        conf_done(&conf);
}

static int load_files(void **state)
{
        const char *path = in_folder(state, "wnet.conf");
        struct wn_error err = { 0 };
        struct conf conf;

        conf_init(&conf);
        CHECK(conf_load(&conf, path, &err) == 0);
        CHECK(conf.connect_usec == 10000000 && err.status == 0);

        write_text(path, "connect_timeout = 3\n");
        CHECK(conf_load(&conf, path, &err) == 0);
        CHECK(conf.connect_usec == 3000000);

        write_text(path, "connect_timeout = 4\n#\nx = 1\n");
        CHECK(conf_load(&conf, path, &err) == ERROR_INVALID_PARAMETER);
        CHECK(strstr(err.text, path) && strstr(err.text, "line 3"));
        CHECK(conf.connect_usec == 3000000);

        write_file(path, "drives = /a\0b\n", 14);
        CHECK(conf_load(&conf, path, &err) == -EINVAL);
        CHECK(truncate(path, 0) == 0);
        CHECK(conf_load(&conf, path, &err) == 0);
        CHECK(truncate(path, CONF_MAX_BYTES + 1) == 0);
        CHECK(conf_load(&conf, path, &err) == -EFBIG);
        CHECK(chmod(path, 0) == 0);
        CHECK(conf_load(&conf, path, &err) == -EACCES);
        CHECK(strstr(err.text, path));

        CHECK(conf_load(&conf, *state, &err) == -EISDIR);
        CHECK(mkfifo(in_folder(state, "fifo"), 0600) == 0);
        CHECK(conf_load(&conf, in_folder(state, "fifo"), &err) == -EINVAL);
        CHECK(conf.connect_usec == 3000000 && !conf.drives);
        return 0;
}

static void load(void **state)
{
        assert_int_equal(in_child(load_files, state, true), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(good),
                cmocka_unit_test(switches),
                cmocka_unit_test(bad),
                cmocka_unit_test(keeps_drives),
                cmocka_unit_test_setup_teardown(load, make_folder, remove_folder),
        };

        return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
