/* SPDX-License-Identifier: GPL-3.0-or-later */

/* core/holders.c: a made-up /proc of links that lead nowhere, and the real one once. */

#include "unit.h"

#include "core/clock.h"
#include "core/holders.h"

#define EVERYTHING (HOLDERS_PLACES | HOLDERS_FILES)
#define LONG_USEC (60 * 1000000ULL)

__attribute__((format(printf, 2, 3))) static void make_dir(void **state, const char *format, ...)
{
        char name[256];
        va_list args;

        va_start(args, format);
        vsnprintf(name, sizeof name, format, args);
        va_end(args);
        assert_int_equal(mkdir(in_folder(state, name), 0700), 0);
}

static void make_link(void **state, int pid, const char *name, const char *target)
{
        char link[256];

        snprintf(link, sizeof link, "%d/%s", pid, name);
        assert_int_equal(symlink(target, in_folder(state, link)), 0);
}

static void make_text(void **state, int pid, const char *name, const char *text)
{
        char file[256];

        snprintf(file, sizeof file, "%d/%s", pid, name);
        write_text(in_folder(state, file), text);
}

static void make_process(void **state, int pid, const char *comm)
{
        make_dir(state, "%d", pid);
        make_dir(state, "%d/fd", pid);
        make_dir(state, "%d/fdinfo", pid);
        make_text(state, pid, "comm", comm);
}

/* The one holder of that kind and pid; NULL: none. */
static const struct holder *find(const struct holders *holders, int pid, enum holder_kind kind)
{
        const struct holder *found = NULL;

        for (size_t i = 0; i < holders->n_items; i++)
                if (holders->items[i].pid == pid && holders->items[i].kind == kind) {
                        assert_null(found);
                        found = &holders->items[i];
                }
        return found;
}

static void kinds(void **state)
{
        struct holders holders = { 0 };
        const struct holder *holder;

        make_process(state, 10, "bash\n");
        make_link(state, 10, "cwd", "/d/Z/dir/deeper");
        make_link(state, 10, "root", "/");
        make_link(state, 10, "exe", "/usr/bin/bash");
        make_process(state, 11, "a\x1b\xff");
        make_link(state, 11, "cwd", "/d/Z");
        make_link(state, 11, "root", "/d/Z/root");
        make_link(state, 11, "exe", "/d/Z/bin/prog (deleted)");
        make_process(state, 12, "cwd gone\n");
        make_link(state, 12, "cwd", "/d/Zebra");
        make_link(state, 12, "root", "/d");
        make_link(state, 12, "exe", "d/Z/x");
        make_process(state, getpid(), "self\n");
        make_link(state, getpid(), "cwd", "/d/Z");
        make_dir(state, "self");
        make_dir(state, "12x");
        make_dir(state, "99999999999999999999");

        assert_int_equal(holders_scan(&holders, *state, "/d/Z", EVERYTHING, 0, LONG_USEC), 0);
        assert_int_equal(holders.total, 4);
        assert_int_equal(holders.n_items, 4);
        holder = find(&holders, 10, HOLDER_CWD);
        assert_string_equal(holder->path, "/dir/deeper");
        assert_string_equal(holder->program, "bash");
        assert_string_equal(holder->mode, "");
        assert_int_equal(holder->uid, getuid());
        assert_string_equal(find(&holders, 11, HOLDER_CWD)->path, "/");
        assert_string_equal(find(&holders, 11, HOLDER_ROOT)->path, "/root");
        assert_string_equal(find(&holders, 11, HOLDER_EXE)->path, "/bin/prog");
        assert_string_equal(find(&holders, 11, HOLDER_EXE)->program, "a??");
        holders_done(&holders);
        holders_done(&holders);
}

static void descriptors(void **state)
{
        static const struct {
                const char *fd, *target, *fdinfo, *path, *mode; /* path NULL: does not count */
        } cases[] = {
                { "0", "/d/Z/r", "pos:\t0\nflags:\t0100000\nmnt_id:\t5\n", "/r", "r" },
                { "1", "/d/Z/w (deleted)", "pos:\t0\nflags:\t0100001\n", "/w", "w" },
                { "2", "/d/Z/rw", "pos:\t0\nflags:\t02100002\n", "/rw", "rw" },
                { "3", "/d/Z/path", "pos:\t0\nflags:\t012000000\n", "/path", "" },
                { "4", "/d/Z/no-info", NULL, "/no-info", "" },
                { "5", "/d/Z/odd", "pos:\t0\nflags:\tx\n", "/odd", "" },
                { "6", "/d/Z", "flags:\t0300000\n", "/", "r" },
                { "7", "/d/Z (deleted)", "flags:\t0\n", "/", "r" },
                { "8", "/d/Z/line\nbreak\xff", "flags:\t0\n", "/line?break?", "r" },
                { "9", "/d/Z2/x", "flags:\t0\n", NULL, NULL },
                { "10", "pipe:[4711]", "flags:\t0\n", NULL, NULL },
                { "11", "/other/d/Z/x", "flags:\t0\n", NULL, NULL },
                { "12", " (deleted)", "flags:\t0\n", NULL, NULL },
        };
        struct holders holders = { 0 };
        size_t expected = 0;

        make_process(state, 20, "prog\n");
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                char name[64];

                snprintf(name, sizeof name, "fd/%s", cases[i].fd);
                make_link(state, 20, name, cases[i].target);
                snprintf(name, sizeof name, "fdinfo/%s", cases[i].fd);
                if (cases[i].fdinfo)
                        make_text(state, 20, name, cases[i].fdinfo);
                expected += cases[i].path != NULL;
        }

        assert_int_equal(holders_scan(&holders, *state, "/d/Z", HOLDERS_PLACES, 0, LONG_USEC), 0);
        assert_int_equal(holders.total, 0);
        assert_int_equal(holders_scan(&holders, *state, "/d/Z", EVERYTHING, 0, LONG_USEC), 0);
        assert_int_equal(holders.total, expected);
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                size_t hits = 0;

                for (size_t j = 0; cases[i].path && j < holders.n_items; j++)
                        hits += strcmp(holders.items[j].path, cases[i].path) == 0 &&
                                strcmp(holders.items[j].mode, cases[i].mode) == 0 &&
                                holders.items[j].kind == HOLDER_OPEN && holders.items[j].pid == 20;
                if (cases[i].path)
                        assert_in_range(hits, 1, 2); /* two cases are the drive's root */
        }
        holders_done(&holders);
}

/* Files are looked for until there are as many as are shown; places are always looked at. */
static void very_many(void **state)
{
        struct holders holders = { 0 };

        for (int pid = 100; pid <= 101; pid++) {
                make_process(state, pid, "prog\n");
                make_link(state, pid, "cwd", "/d/Z");
                for (int fd = 0; fd < 2 * HOLDERS_MAX; fd++) {
                        char name[64];

                        snprintf(name, sizeof name, "fd/%d", fd);
                        make_link(state, pid, name, "/d/Z/f");
                }
        }
        assert_int_equal(holders_scan(&holders, *state, "/d/Z", EVERYTHING, 0, LONG_USEC), 0);
        assert_int_equal(holders.n_items, HOLDERS_MAX);
        assert_in_range(holders.total, HOLDERS_MAX, 2 * HOLDERS_MAX);
        assert_int_equal(holders.items[0].pid, 101); /* the youngest first */
        assert_int_equal(holders.items[0].kind, HOLDER_CWD);
        assert_int_equal(holders.items[1].pid, 100);
        assert_int_equal(holders.items[1].kind, HOLDER_CWD);
        assert_int_equal(holders.items[HOLDERS_MAX - 1].pid, 101);
        assert_int_equal(holders.items[HOLDERS_MAX - 1].kind, HOLDER_OPEN);
        holders_done(&holders);

        assert_int_equal(holders_scan(&holders, *state, "/d/Z", HOLDERS_FILES, 0, 0), 0); /* no time at all */
        assert_in_range(holders.total, 0, 16);
        holders_done(&holders);
}

/* One that has very many descriptors is looked through as well, when everybody else was. */
static void many_elsewhere(void **state)
{
        struct holders holders = { 0 };

        make_process(state, 100, "prog\n");
        make_process(state, 101, "hog\n");
        make_link(state, 100, "fd/3", "/d/Z/f");
        for (int fd = 0; fd < 1000; fd++) {
                char name[64];

                snprintf(name, sizeof name, "fd/%d", fd);
                make_link(state, 101, name, fd % 100 == 0 ? "/d/Z/f" : "/elsewhere");
        }
        assert_int_equal(holders_scan(&holders, *state, "/d/Z", HOLDERS_FILES, 0, LONG_USEC), 0);
        assert_int_equal(holders.total, 11);
        assert_int_not_equal(holders.items[10].pid, 100);
        holders_done(&holders);
}

static void incomplete(void **state)
{
        struct holders holders = { 0 };

        make_dir(state, "30"); /* without any link, as another user's process */
        make_dir(state, "31");
        make_link(state, 31, "cwd", "/d/Z/x");
        assert_int_equal(holders_scan(&holders, *state, "/d/Z", EVERYTHING, 0, LONG_USEC), 0);
        assert_int_equal(holders.total, 1);
        assert_string_equal(holders.items[0].program, "");
        assert_int_equal(holders_scan(&holders, in_folder(state, "no-such-proc"), "/d/Z", EVERYTHING, 0, LONG_USEC), 0);
        assert_int_equal(holders.total, 1);
        holders_done(&holders);
}

static void at_most(void **state)
{
        struct holder item = { .kind = HOLDER_MOUNT, .program = "x", .since_usec = 5, .unsent_bytes = 6 };
        struct holders holders = { 0 };
        char path[] = "/p";

        (void) state;
        item.path = path;
        for (int i = 0; i < HOLDERS_MAX + 7; i++)
                assert_int_equal(holders_add(&holders, &item), 0);
        path[1] = 'q';
        assert_int_equal(holders.n_items, HOLDERS_MAX);
        assert_int_equal(holders.total, HOLDERS_MAX + 7);
        assert_string_equal(holders.items[HOLDERS_MAX - 1].path, "/p");
        assert_int_equal(holders.items[0].since_usec, 5);
        assert_int_equal(holders.items[0].unsent_bytes, 6);
        holders_done(&holders);
        item.path = NULL;
        assert_int_equal(holders_add(&holders, &item), 0);
        assert_string_equal(holders.items[0].path, "/");
        holders_done(&holders);
}

static void names(void **state)
{
        (void) state;
        assert_string_equal(holder_kind_name(HOLDER_OPEN), "open");
        assert_string_equal(holder_kind_name(HOLDER_CWD), "cwd");
        assert_string_equal(holder_kind_name(HOLDER_ROOT), "root");
        assert_string_equal(holder_kind_name(HOLDER_EXE), "exe");
        assert_string_equal(holder_kind_name(HOLDER_MOUNT), "mount");
}

static void threads(void **state)
{
        char program[64] = "unchanged";
        pid_t pid = -1;

        make_process(state, 40, "browser\n");
        make_text(state, 40, "status", "Name:\tbrowser\nTgid:\t40\n");
        make_process(state, 41, "pool-7\n");
        make_text(state, 41, "status", "Name:\tTgid:\nUmask:\t0022\nTgid:\t40\nPid:\t41\n");
        make_process(state, 42, "orphan\n");
        make_text(state, 42, "status", "Tgid:\t4711\n");
        make_process(state, 43, "odd\n");
        make_text(state, 43, "status", "Tgid:\tx\n");
        make_process(state, 44, "odd\n");
        make_text(state, 44, "status", "Tgid:\t99999999999999\n");

        assert_int_equal(holders_read_thread(*state, 41, &pid, program), 0);
        assert_int_equal(pid, 40);
        assert_string_equal(program, "browser");
        assert_int_equal(holders_read_thread(*state, 42, &pid, program), 0);
        assert_int_equal(pid, 4711);
        assert_string_equal(program, "orphan");
        for (pid_t tid = 43; tid < 46; tid++) {
                strcpy(program, "unchanged");
                assert_int_equal(holders_read_thread(*state, tid, &pid, program), -ESRCH);
                assert_string_equal(program, "");
        }
        assert_int_equal(holders_read_thread(*state, 0, &pid, program), -ESRCH);
        assert_int_equal(holders_read_thread(*state, -1, &pid, program), -ESRCH);
        assert_int_equal(pid, 4711);

        assert_int_equal(holders_read_thread("/proc", getpid(), &pid, program), 0);
        assert_int_equal(pid, getpid());
        assert_string_equal(program, "test-holders");
}

static void processes(void **state)
{
        uint64_t began_usec = 0, tick_usec = 1000000 / (uint64_t) sysconf(_SC_CLK_TCK);
        char program[64];

        make_process(state, 50, "a) b (c\n");
        make_text(state, 50, "stat", "50 (a) b (c) S 1 50 50 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 10 18446744073709551615 1");
        make_process(state, 51, "short\n");
        make_text(state, 51, "stat", "51 (short) S 1 51");
        make_process(state, 52, "odd\n");
        make_text(state, 52, "stat", "nonsense");
        make_process(state, 53, "hidden\n");

        assert_int_equal(holders_read_process(*state, 50, &began_usec, program), 0);
        assert_string_equal(program, "a) b (c");
        assert_int_equal(began_usec, 4711 * tick_usec);
        for (pid_t pid = 51; pid < 55; pid++)
                assert_int_equal(holders_read_process(*state, pid, &began_usec, program), -ESRCH);
        assert_int_equal(began_usec, 4711 * tick_usec);

        assert_int_equal(holders_read_process("/proc", getpid(), &began_usec, program), 0);
        assert_string_equal(program, "test-holders");
        assert_true(began_usec > 0 && began_usec <= clock_boot_usec());
}

/* A child holds the folder, the parent finds it in the real /proc; the parent itself is not counted. */
static void real_proc(void **state)
{
        struct holders holders = { 0 };
        int ready[2], end[2], own;
        pid_t child;
        char byte;

        own = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(own >= 0);
        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        assert_int_equal(pipe2(end, O_CLOEXEC), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
                close(own);
                close(end[1]);
                if (chdir(*state) < 0 || open("file", O_WRONLY | O_CREAT, 0600) < 0 || write(ready[1], "x", 1) != 1)
                        _exit(1);
                _exit(read(end[0], &byte, 1) != 0);
        }
        assert_int_equal(read(ready[0], &byte, 1), 1);

        assert_int_equal(holders_scan(&holders, "/proc", *state, EVERYTHING, 0, LONG_USEC), 0);
        assert_int_equal(holders.total, 2);
        assert_string_equal(find(&holders, child, HOLDER_CWD)->path, "/");
        assert_string_equal(find(&holders, child, HOLDER_CWD)->program, "test-holders");
        assert_string_equal(find(&holders, child, HOLDER_OPEN)->path, "/file");
        assert_string_equal(find(&holders, child, HOLDER_OPEN)->mode, "w");
        assert_int_equal(find(&holders, child, HOLDER_OPEN)->uid, getuid());
        holders_done(&holders);

        /* Of its session it is looked at before all others. */
        assert_int_equal(holders_scan(&holders, "/proc", *state, HOLDERS_FILES, getsid(0), LONG_USEC), 0);
        assert_int_equal(holders.total, 1);
        assert_int_equal(holders.items[0].pid, child);
        holders_done(&holders);

        close(end[1]);
        assert_int_equal(waitpid(child, NULL, 0), child);
        close(end[0]);
        close(ready[0]);
        close(ready[1]);
        assert_int_equal(holders_scan(&holders, "/proc", *state, EVERYTHING, 0, LONG_USEC), 0);
        assert_int_equal(holders.total, 0);
        close(own);
        holders_done(&holders);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(kinds, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(descriptors, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(very_many, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(many_elsewhere, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(incomplete, make_folder, remove_folder),
                cmocka_unit_test(at_most),
                cmocka_unit_test(names),
                cmocka_unit_test_setup_teardown(threads, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(processes, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(real_proc, make_folder, remove_folder),
        };

        return cmocka_run_group_tests_name("holders", tests, NULL, NULL);
}
