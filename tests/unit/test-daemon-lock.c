/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * core/daemon-lock.c: who may run, and what is known of the one that does.
 */

#include "unit.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>

#include "core/control-socket.h"
#include "core/daemon-lock.h"

/* The lock and the socket of a test; everything else is not looked at. */
static struct paths paths_in(void **state)
{
        return (struct paths){ .lock = (char *) in_folder(state, "lock"), .socket = (char *) in_folder(state, "control") };
}

static void taken_and_told(void **state)
{
        struct paths paths = paths_in(state);
        struct lock_holder holder = { 0 };
        char text[DAEMON_LOCK_TEXT_BYTES], pid[16];
        int fd, other;

        assert_int_equal(daemon_lock_take(&paths, false, &holder), -ENOENT); /* it is only asked */
        assert_int_equal(access(paths.lock, F_OK), -1);
        fd = daemon_lock_take(&paths, true, &holder);
        assert_true(fd >= 0);
        daemon_lock_tell(fd, 1234567, "/a/very/long/path/that/leaves/nothing/behind");
        daemon_lock_tell(fd, getpid(), "/elsewhere/control");
        for (int start = 0; start < 2; start++) {
                assert_int_equal(daemon_lock_take(&paths, start, &holder), -EBUSY);
                assert_int_equal(holder.pid, getpid());
                assert_string_equal(holder.socket, "/elsewhere/control");
        }
        daemon_lock_explain(&holder, &paths, text);
        snprintf(pid, sizeof pid, "kill %d,", (int) getpid());
        assert_non_null(strstr(text, pid));
        assert_non_null(strstr(text, "/elsewhere/control"));
        assert_non_null(strstr(text, paths.socket));
        close(fd);

        other = daemon_lock_take(&paths, false, &holder); /* what a dead one has written says nothing */
        assert_true(other >= 0);
        close(other);
}

static void answered(void **state)
{
        struct paths paths = paths_in(state);
        struct lock_holder holder;
        int fd = daemon_lock_take(&paths, true, &holder), listening = control_socket_listen(paths.socket);

        assert_true(fd >= 0 && listening >= 0);
        daemon_lock_tell(fd, getpid(), paths.socket);
        assert_int_equal(daemon_lock_take(&paths, true, &holder), -EEXIST);
        assert_int_equal(daemon_lock_take(&paths, false, &holder), -EEXIST);
        close(listening);
        close(fd);
}

/* Somebody has the lock for a moment, and text stands in its file, which says nothing of who that is: he is waited for. */
static void assert_waited_for(struct paths paths, const char *text, bool start)
{
        struct lock_holder holder;
        int ready[2], fd;
        pid_t child;
        char byte;

        assert_int_equal(pipe(ready), 0);
        child = fork();
        if (child == 0) {
                fd = daemon_lock_take(&paths, true, &holder);
                if (fd < 0 || ftruncate(fd, 0) < 0 || write(fd, text, strlen(text)) < 0 || write(ready[1], "", 1) < 0)
                        _exit(1);
                usleep(100000);
                _exit(0);
        }
        assert_int_equal(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        close(ready[1]);
        fd = daemon_lock_take(&paths, start, &holder);
        assert_true(fd >= 0);
        close(fd);
        assert_int_equal(waitpid(child, NULL, 0), child);
}

/* One that does not say where it answers may be just ending. */
static void ending(void **state)
{
        static const char *const texts[] = { "", "x\n/elsewhere\n", "0\n/elsewhere\n", "-1\n/elsewhere\n", "2147483648\n/elsewhere\n", "1", "1\n",
                                             "1\n\n/elsewhere\n" };

        for (size_t i = 0; i < N_ELEMENTS(texts); i++)
                assert_waited_for(paths_in(state), texts[i], i % 2);
}

static void assert_not_believed(void **state, pid_t pid)
{
        char text[64];

        snprintf(text, sizeof text, "%d\n/elsewhere/control\n", (int) pid);
        assert_waited_for(paths_in(state), text, true);
}

/* It leaves its number behind, and somebody else has the lock. */
static void told_by_a_dead_one(void **state)
{
        pid_t dead = fork();

        if (dead == 0)
                _exit(0);
        assert_int_equal(waitpid(dead, NULL, 0), dead);
        assert_not_believed(state, dead);
}

/* Its number is another program's by now, or here, where the home directory is another machine's as well. */
static void told_by_a_stranger(void **state)
{
        assert_not_believed(state, getppid());
        assert_not_believed(state, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(taken_and_told),
                TEST(answered),
                TEST(ending),
                TEST(told_by_a_dead_one),
                TEST(told_by_a_stranger),
        };

        if (prctl(PR_SET_NAME, "wnetd") < 0) /* what is looked for */
                return 1;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
