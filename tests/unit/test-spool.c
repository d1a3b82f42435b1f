/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * fuse/spool.c: the files of print jobs, over the end of the process that wrote them.
 */

#include "unit.h"

#include "fuse/spool.h"

static struct spool open_spool(const char *folder, const char *printer)
{
        struct remote_name remote = { 0 };
        struct spool spool = { .fd = -1 };

        assert_int_equal(remote_name_parse(printer, &remote), 0);
        assert_int_equal(spool_open(folder, &remote, &spool), 0);
        remote_name_done(&remote);
        return spool;
}

static struct spool_file write_job(const struct spool *spool, const char *text)
{
        struct spool_file file = { .fd = -1 };

        assert_int_equal(spool_create(spool, &file), 0);
        assert_int_equal(write(file.fd, text, strlen(text)), (ssize_t) strlen(text));
        return file;
}

/* The oldest job behind *after that is free has text; it becomes *after and is left again. */
static void assert_job(const struct spool *spool, char after[SPOOL_NAME_BYTES], const char *text)
{
        struct spool_file file = { .fd = -1 };
        char buffer[64] = "";

        assert_int_equal(spool_take(spool, after, &file), 0);
        assert_int_equal(pread(file.fd, buffer, sizeof(buffer) - 1, 0), (ssize_t) strlen(text));
        assert_string_equal(buffer, text);
        strcpy(after, file.name);
        spool_leave(&file);
}

static void assert_no_job(const struct spool *spool, const char *after)
{
        struct spool_file file = { .fd = -1 };

        assert_int_equal(spool_take(spool, after, &file), -ENOENT);
}

static void case_beyond_ascii(void **state)
{
        struct spool spool = open_spool(*state, "//srv/B\xc3\xbcro"), same = open_spool(*state, "//srv/B\xc3\x9cRO");
        struct spool other = open_spool(*state, "//srv/B\xc3\xa4ro");
        struct spool_file job = write_job(&spool, "a");
        char after[SPOOL_NAME_BYTES] = "";

        assert_int_equal(spool_complete(&spool, &job), 0);
        spool_leave(&job);
        assert_job(&same, after, "a");
        assert_no_job(&other, "");
        spool_close(&spool);
        spool_close(&same);
        spool_close(&other);
}

static void in_the_order_of_their_closes(void **state)
{
        struct spool spool = open_spool(*state, "//srv/Printer"), same = open_spool(*state, "\\\\SRV\\PRINTER");
        struct spool_file jobs[3];
        char after[SPOOL_NAME_BYTES] = "";
        struct stat st;

        for (unsigned i = 0; i < 3; i++)
                jobs[i] = write_job(&spool, (const char *[]) { "a", "bb", "ccc" }[i]);
        assert_int_equal(fstat(jobs[0].fd, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_no_job(&spool, ""); /* none is complete */
        for (unsigned i = 3; i-- > 0;)
                assert_int_equal(spool_complete(&spool, &jobs[i]), 0);
        assert_no_job(&same, ""); /* they are somebody's */
        for (unsigned i = 0; i < 3; i++)
                spool_leave(&jobs[i]);
        assert_job(&same, after, "ccc");
        assert_job(&same, after, "bb");
        assert_job(&same, after, "a");
        assert_no_job(&same, after);
        spool_close(&spool);
        spool_close(&same);
}

static void each_printer_has_its_own(void **state)
{
        static const char *const others[] = { "//srv/other", "//srv:4450/printer", "//other/printer" };
        struct spool spool = open_spool(*state, "//srv/printer");
        struct spool_file job = write_job(&spool, "text");

        assert_int_equal(spool_complete(&spool, &job), 0);
        spool_leave(&job);
        for (size_t i = 0; i < N_ELEMENTS(others); i++) {
                struct spool other = open_spool(*state, others[i]);

                assert_no_job(&other, "");
                spool_close(&other);
        }
        assert_int_equal(spool_take(&spool, "", &job), 0);
        spool_remove(&spool, &job);
        assert_no_job(&spool, "");
        spool_close(&spool);
}

static void after_a_crash(void **state)
{
        struct spool spool = open_spool(*state, "//srv/printer"), empty = open_spool(*state, "//srv2/printer");
        struct spool_file complete = write_job(&spool, "complete"), half = write_job(&spool, "half");
        char after[SPOOL_NAME_BYTES] = "";

        assert_int_equal(spool_complete(&spool, &complete), 0);
        spool_leave(&complete);
        spool_leave(&half);
        spool_close(&spool);
        spool_close(&empty);
        spool_clean(*state);
        assert_int_equal(access(in_folder(state, "srv2"), F_OK), -1);
        assert_int_equal(count_entries(in_folder(state, "srv/printer")), 1);
        spool = open_spool(*state, "//srv/printer");
        assert_job(&spool, after, "complete");
        assert_no_job(&spool, after);
        spool_close(&spool);
        spool_clean(in_folder(state, "nothing"));
}

/* What is no job of ours is left alone, and no harm. */
static void foreign_files(void **state)
{
        static const char *const names[] = { "readme", ".job", "00000000000000000000000000000000000001.job" };
        struct spool spool = open_spool(*state, "//srv/printer");
        char after[SPOOL_NAME_BYTES] = "";
        struct spool_file job;

        for (size_t i = 0; i < N_ELEMENTS(names); i++)
                assert_true(openat(spool.fd, names[i], O_WRONLY | O_CREAT, 0600) >= 0);
        assert_int_equal(symlinkat("/etc/passwd", spool.fd, "00000000000000000001.job"), 0);
        assert_int_equal(mkdirat(spool.fd, "00000000000000000002.job", 0700), 0);
        job = write_job(&spool, "mine");
        assert_int_equal(spool_complete(&spool, &job), 0);
        spool_leave(&job);
        assert_job(&spool, after, "mine");
        spool_clean(*state);
        assert_int_equal(count_entries(in_folder(state, "srv/printer")), (int) N_ELEMENTS(names) + 3);
        spool_close(&spool);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(case_beyond_ascii, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(in_the_order_of_their_closes, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(each_printer_has_its_own, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(after_a_crash, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(foreign_files, make_folder, remove_folder),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
