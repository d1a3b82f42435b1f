/* SPDX-License-Identifier: GPL-3.0-or-later */

/* core/handle.c: the table's count, what a handle tells of its opener, and who is named as holder. */

#include "unit.h"

#include <signal.h>
#include <sys/prctl.h>

#include "core/handle.h"

static void counts(void **state)
{
        struct handle_table table;
        struct handle a = { 0 }, b = { 0 };
        char path[] = "dir/file";

        (void) state;
        handle_table_init(&table);
        assert_int_equal(table.n, 0);
        assert_int_equal(handle_table_add(&table, &a, path, false, O_WRONLY | O_APPEND, getpid()), 0);
        path[0] = 'x'; /* it was copied */
        assert_int_equal(handle_table_add(&table, &b, "", true, O_RDONLY, getpid()), 0);
        assert_int_equal(table.n, 2);
        assert_string_equal(a.path, "dir/file");
        assert_int_equal(a.pid, getpid());
        assert_true(a.program[0]);
        assert_true(a.since_usec > 1600000000000000);
        assert_true(b.directory && !a.directory);
        handle_table_remove(&table, &a);
        assert_int_equal(table.n, 1);
        assert_null(a.path);
        assert_ptr_equal(LIST_FIRST(&table.list), &b);
        assert_int_equal(handle_table_add(&table, &a, "again", false, O_RDWR, getpid()), 0);
        handle_table_remove(&table, &b);
        handle_table_remove(&table, &a);
        assert_int_equal(table.n, 0);
        assert_true(LIST_EMPTY(&table.list));
}

static void modes(void **state)
{
        static const struct {
                int flags;
                const char *mode;
        } cases[] = {
                { O_RDONLY, "r" }, { O_WRONLY, "w" }, { O_RDWR, "rw" }, { O_RDONLY | O_DIRECTORY, "r" },
                { O_WRONLY | O_CREAT | O_TRUNC, "w" }, { O_RDWR | O_APPEND, "rw" },
                { 0x8020, "r" }, /* a program that runs */
        };

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct handle handle = { .flags = cases[i].flags };

                assert_string_equal(handle_mode(&handle), cases[i].mode);
        }
}

static void openers(void **state)
{
        struct handle_table table;
        struct handle file = { 0 }, root = { 0 };
        struct holders holders = { 0 };

        (void) state;
        handle_table_init(&table);
        assert_int_equal(handle_table_add(&table, &file, "a/b", false, O_RDWR, getpid()), 0);
        assert_int_equal(handle_table_add(&table, &root, "", true, O_RDONLY, getpid()), 0);
        assert_int_equal(handle_table_holders(&table, "/no/such/mount", &holders), 0);
        assert_int_equal(holders.total, 2);
        assert_int_equal(holders.n_items, 2);
        assert_string_equal(holders.items[0].path, "/");
        assert_string_equal(holders.items[0].mode, "r");
        assert_string_equal(holders.items[1].path, "/a/b");
        assert_string_equal(holders.items[1].mode, "rw");
        assert_int_equal(holders.items[1].kind, HOLDER_OPEN);
        assert_int_equal(holders.items[1].pid, getpid());
        assert_int_equal(holders.items[1].uid, getuid());
        assert_string_equal(holders.items[1].program, file.program);
        assert_int_equal(holders.items[1].since_usec, file.since_usec);
        holders_done(&holders);
        handle_table_remove(&table, &file);
        handle_table_remove(&table, &root);
        assert_int_equal(handle_table_holders(&table, "/no/such/mount", &holders), 0);
        assert_int_equal(holders.total, 0);
        holders_done(&holders);
}

/* Whoever has opened a file for a program that it then becomes, as a shell does, is named as that program; another process with the
 * opener's number is not. */
static void opener_now(void **state)
{
        struct handle_table table;
        struct handle handle = { 0 };
        struct holders holders = { 0 };
        struct openers openers = { 0 };
        char before[16];

        (void) state;
        assert_int_equal(prctl(PR_GET_NAME, before), 0);
        handle_table_init(&table);
        assert_int_equal(handle_table_add(&table, &handle, "f", false, O_WRONLY, getpid()), 0);
        assert_string_equal(handle_program(&handle, &openers), before);
        assert_int_equal(prctl(PR_SET_NAME, "another-one"), 0);
        assert_string_equal(handle_program(&handle, &openers), before); /* asked for once in a table */
        openers = (struct openers){ 0 };
        assert_string_equal(handle_program(&handle, &openers), "another-one");
        assert_int_equal(handle_table_holders(&table, "/no/such/mount", &holders), 0);
        assert_int_equal(holders.items[0].pid, getpid());
        assert_string_equal(holders.items[0].program, "another-one");
        holders_done(&holders);

        handle.job = true; /* that stays its writer's */
        assert_string_equal(handle_program(&handle, &openers), before);
        handle.job = false;
        handle.noted_usec = 1; /* this process began later */
        assert_null(handle_program(&handle, &openers));
        assert_int_equal(handle_table_holders(&table, "/no/such/mount", &holders), 0);
        assert_int_equal(holders.items[0].pid, 0);
        assert_string_equal(holders.items[0].program, "");
        holders_done(&holders);
        handle_table_remove(&table, &handle);
        assert_int_equal(prctl(PR_SET_NAME, before), 0);
}

/* On its way to the server a job is its writer's, even when that has ended. */
static void print_job(void **state)
{
        struct handle_table table;
        struct handle job = { 0 };
        struct holders holders = { 0 };

        (void) state;
        handle_table_init(&table);
        assert_int_equal(handle_table_add(&table, &job, "", false, O_WRONLY, getpid()), 0);
        job.job = true;
        job.pid = 0x7fffffff; /* no process has this number */
        job.unsent_bytes = 1234;
        assert_int_equal(handle_table_holders(&table, "/no/such/mount", &holders), 0);
        assert_int_equal(holders.n_items, 1);
        assert_int_equal(holders.items[0].kind, HOLDER_JOB);
        assert_string_equal(holder_kind_name(holders.items[0].kind), "job");
        assert_int_equal(holders.items[0].pid, 0x7fffffff);
        assert_string_equal(holders.items[0].program, job.program);
        assert_string_equal(holders.items[0].path, "/");
        assert_string_equal(holders.items[0].mode, "");
        assert_int_equal(holders.items[0].unsent_bytes, 1234);
        holders_done(&holders);
        handle_table_remove(&table, &job);
}

static void very_many(void **state)
{
        enum { N = HOLDERS_MAX + 50 };
        struct handle_table table;
        struct handle *handles = calloc(N, sizeof *handles);
        struct holders holders = { 0 };

        (void) state;
        assert_non_null(handles);
        handle_table_init(&table);
        for (unsigned i = 0; i < N; i++)
                assert_int_equal(handle_table_add(&table, &handles[i], "f", false, O_RDONLY, getpid()), 0);
        assert_int_equal(handle_table_holders(&table, "/no/such/mount", &holders), 0);
        assert_int_equal(holders.n_items, HOLDERS_MAX);
        assert_int_equal(holders.total, N);
        holders_done(&holders);
        for (unsigned i = 0; i < N; i++)
                handle_table_remove(&table, &handles[i]);
        free(handles);
}

/* A process that has a file open, or none (path NULL), until it is killed. */
static pid_t start_holder(const char *path)
{
        int ready[2];
        char byte;
        pid_t pid;

        assert_int_equal(pipe(ready), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                prctl(PR_SET_NAME, "a-holder");
                if (path && open(path, O_RDONLY) < 0)
                        _exit(1);
                (void) !write(ready[1], "", 1);
                for (;;)
                        pause();
        }
        close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        return pid;
}

static void end_holder(pid_t pid)
{
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* The opener is gone and has left its descriptor to somebody: that one is named. */
static void opener_is_gone(void **state)
{
        struct handle_table table;
        struct handle handle = { 0 };
        struct holders holders = { 0 };
        const char *file = in_folder(state, "file");
        pid_t opener = start_holder(NULL), inheritor;

        write_text(file, "text");
        handle_table_init(&table);
        assert_int_equal(handle_table_add(&table, &handle, "file", false, O_RDWR, opener), 0);
        assert_int_equal(handle.pid, opener);
        assert_string_equal(handle.program, "a-holder");
        end_holder(opener);
        inheritor = start_holder(file);
        assert_int_equal(handle_table_holders(&table, *state, &holders), 0);
        assert_int_equal(holders.total, 1);
        assert_int_equal(holders.items[0].pid, inheritor);
        assert_string_equal(holders.items[0].program, "a-holder");
        assert_string_equal(holders.items[0].path, "/file");
        holders_done(&holders);

        end_holder(inheritor); /* now there is nobody to be named: the file is, all the same */
        assert_int_equal(handle_table_holders(&table, *state, &holders), 0);
        assert_int_equal(holders.n_items, 1);
        assert_int_equal(holders.total, 1);
        assert_int_equal(holders.items[0].pid, 0);
        assert_string_equal(holders.items[0].program, "");
        assert_string_equal(holders.items[0].path, "/file");
        holders_done(&holders);
        handle_table_remove(&table, &handle);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(counts),
                cmocka_unit_test(modes),
                cmocka_unit_test(openers),
                cmocka_unit_test(opener_now),
                cmocka_unit_test(print_job),
                cmocka_unit_test(very_many),
                cmocka_unit_test_setup_teardown(opener_is_gone, make_folder, remove_folder),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
