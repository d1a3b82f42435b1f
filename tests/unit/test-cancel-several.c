/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * core/cancel.c where more than one thing goes on: a resource with several connections, connections that are still
 * being made, cancels of the same connection, and the daemon's end. With a fake redirector and a real profile.
 */

#include "manager-driver.h"

#define SHARE "\\\\srv\\share"
#define OTHER "\\\\srv\\other"
#define FORGET CONNECT_UPDATE_PROFILE

/* Z:, Y: (remembered) and a deviceless one, all for SHARE, and X: for OTHER. */
static void connect_four(struct driver *d)
{
        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
        assert_int_equal(add(d, "Y:", "//SRV/Share", true), NO_ERROR);
        assert_int_equal(add(d, "", "smb://srv/share", false), NO_ERROR);
        assert_int_equal(add(d, "X:", OTHER, false), NO_ERROR);
        fake_forget_log();
}

static void assert_four(struct driver *d)
{
        static const char *const names[] = { "Z:", "Y:", SHARE, "X:" };

        for (size_t i = 0; i < N_ELEMENTS(names); i++) {
                assert_string_equal(state_of(d, names[i]), "ok");
                assert_true(fake_plan(names[i])->mounted);
                assert_false(fake_plan(names[i])->frozen);
        }
        assert_true(has_row(d, "Y:"));
}

static void resource(void **state)
{
        struct driver *d = *state;

        connect_four(d);
        assert_int_equal(cancel(d, "//srv/SHARE/", FORGET, false), NO_ERROR);
        assert_string_equal(state_of(d, "Z:"), "none");
        assert_string_equal(state_of(d, "Y:"), "unavailable");
        assert_true(has_row(d, "Y:")); /* rows always stay */
        assert_string_equal(state_of(d, SHARE), "none");
        assert_string_equal(state_of(d, "X:"), "ok");
        assert_int_equal(fake_n_redirectors(), 1);
}

static void resource_forced(void **state)
{
        struct driver *d = *state;

        connect_four(d);
        fake_plan("Y:")->unmount_result = -EBUSY;
        fake_plan("Y:")->n_unmount_fails = UINT_MAX;
        assert_int_equal(cancel(d, SHARE, 0, true), NO_ERROR);
        assert_int_equal(fake_n_redirectors(), 1);
        assert_null(strstr(fake_log(), "unmount"));
}

static void resource_with_open_file(void **state)
{
        static const char *const names[] = { "Z:", "Y:", SHARE };
        struct driver *d = *state;

        connect_four(d);
        for (size_t i = 0; i < N_ELEMENTS(names); i++) {
                struct handle handle = { 0 };
                struct answer *answer;

                open_file(find(d, names[i]), &handle);
                answer = begin_cancel(d, SHARE, 0, false);
                assert_int_equal(wait_for(answer), ERROR_OPEN_FILES);
                assert_int_equal(answer->n_in_use, 1);
                assert_string_equal(answer->in_use, names[i]);
                assert_four(d);
                assert_null(strstr(fake_log(), "unmount")); /* all are asked before the first one goes */
                close_file(find(d, names[i]), &handle);
        }
}

/* The last one is busy: those that went already are put back. */
static void put_back(void **state)
{
        struct driver *d = *state;

        connect_four(d);
        fake_plan(SHARE)->unmount_result = -EBUSY;
        fake_plan(SHARE)->n_unmount_fails = UINT_MAX;
        assert_int_equal(cancel(d, SHARE, 0, false), ERROR_DEVICE_IN_USE);
        assert_non_null(strstr(fake_log(), "unmount Z:\nunmount Y:\nunmount \\\\srv\\share\n"));
        assert_non_null(strstr(fake_log(), "remount Y:\nremount Z:\n"));
        assert_four(d);
}

static void open_has_come(void **state)
{
        struct driver *d = *state;

        connect_four(d);
        fake_plan(SHARE)->opens_waiting = true;
        assert_int_equal(cancel(d, SHARE, 0, false), ERROR_OPEN_FILES);
        assert_null(strstr(fake_log(), "unmount"));
        assert_four(d);
}

/* When the first one is gone already. Putting it back would not be unseen, so the open has lost. */
static void open_comes_too_late(void **state)
{
        struct driver *d = *state;

        connect_four(d);
        fake_plan(SHARE)->unmount_result = -EBUSY;
        fake_plan(SHARE)->n_unmount_fails = 1;
        fake_plan(SHARE)->open_comes = true;
        assert_int_equal(cancel(d, SHARE, 0, false), NO_ERROR);
        assert_non_null(strstr(fake_log(), "fail opens \\\\srv\\share\nunmount \\\\srv\\share\n"));
        assert_null(strstr(fake_log(), "remount"));
}

/* Some cannot be put back. They are gone in truth, and whatever happens meanwhile finds them so. */
static void put_back_fails(void **state)
{
        static const char *const names[] = { "Z:", "Y:", "W:", "V:" };
        struct driver *d = *state;
        struct answer *answer;

        for (size_t i = 0; i < N_ELEMENTS(names); i++)
                assert_int_equal(add(d, names[i], SHARE, i == 2), NO_ERROR);
        fake_plan("V:")->unmount_result = -EBUSY;
        fake_plan("V:")->n_unmount_fails = UINT_MAX;
        fake_plan("W:")->remount_result = -EIO; /* remembered */
        fake_plan("Y:")->remount_result = -EIO;
        fake_plan("Z:")->step_usec = 100000;
        answer = begin_cancel(d, SHARE, 0, false);
        LOOP_UNTIL(d->event, strstr(fake_log(), "remount W:\nremount Y:\nremount Z:\n"));
        assert_int_equal(add(d, "X:", OTHER, false), NO_ERROR); /* lets go of what can be let go of */
        assert_int_equal(answer->n, 0);
        assert_int_equal(wait_for(answer), ERROR_DEVICE_IN_USE);
        assert_string_equal(state_of(d, "Z:"), "ok");
        assert_string_equal(state_of(d, "Y:"), "none");
        assert_string_equal(state_of(d, "W:"), "unavailable");
        assert_string_equal(state_of(d, "V:"), "ok");
        assert_true(has_row(d, "W:"));
        LOOP_UNTIL(d->event, fake_n_redirectors() == 3);
        assert_int_equal(add(d, "Y:", SHARE, false), NO_ERROR);
}

static void still_connecting(void **state)
{
        struct driver *d = *state;
        struct answer *added, *cancelled;

        fake_plan("Z:")->start_stops = true;
        added = begin_add(d, "Z:", SHARE, false);
        LOOP_UNTIL(d->event, fake_plan("Z:")->n_starts == 1);
        cancelled = begin_cancel(d, "Z:", 0, false);
        assert_int_equal(wait_for(cancelled), NO_ERROR);
        assert_int_equal(wait_for(added), ERROR_CANCELLED);
        assert_string_equal(state_of(d, "Z:"), "none");
        LOOP_UNTIL(d->event, fake_n_redirectors() == 0);

        /* By its remote name, and with a row to be. */
        added = begin_add(d, "Z:", SHARE, true);
        LOOP_UNTIL(d->event, fake_plan("Z:")->n_starts == 2);
        assert_int_equal(cancel(d, SHARE, 0, true), NO_ERROR);
        assert_int_equal(wait_for(added), ERROR_CANCELLED);
        assert_int_equal(count_rows(d), 0);

        /* Before it has even begun. */
        added = begin_add(d, "Z:", SHARE, true);
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        assert_int_equal(wait_for(added), ERROR_CANCELLED);
        assert_int_equal(count_rows(d), 0);
}

/* One that becomes connected when the others have gone already, and is used at once: it came after the disconnection. */
static void connected_meanwhile(void **state)
{
        struct driver *d = *state;
        struct answer *added, *cancelled;
        struct handle handle;

        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
        fake_plan("Y:")->start_stops = true;
        added = begin_add(d, "Y:", SHARE, false);
        fake_plan("Z:")->step_usec = 100000;
        cancelled = begin_cancel(d, SHARE, 0, false);
        LOOP_UNTIL(d->event, strstr(fake_log(), "unmount Z:"));
        fake_go_on(find(d, "Y:"), 0);
        assert_int_equal(wait_for(added), NO_ERROR);
        open_file(find(d, "Y:"), &handle);
        assert_int_equal(wait_for(cancelled), NO_ERROR); /* Z: is gone: a refusal would say that it is not */
        assert_int_equal(cancelled->n_in_use, 0);
        assert_string_equal(state_of(d, "Z:"), "none");
        assert_string_equal(state_of(d, "Y:"), "ok");
        assert_false(fake_plan("Y:")->frozen);
        close_file(find(d, "Y:"), &handle);
}

static void still_restoring(void **state)
{
        struct driver *d = *state;

        put_row(d, "Z:", SHARE);
        put_row(d, "Y:", SHARE);
        fake_plan("Z:")->start_stops = fake_plan("Y:")->start_stops = true;
        manager_restore(&d->manager);
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        assert_string_equal(state_of(d, "Z:"), "unavailable");
        assert_int_equal(find(d, "Z:")->next_retry_usec, 0);
        assert_true(has_row(d, "Z:"));
        assert_int_equal(cancel(d, "Y:", FORGET, false), NO_ERROR);
        assert_string_equal(state_of(d, "Y:"), "none");
        assert_false(has_row(d, "Y:"));
}

/* What cannot be forgotten is not disturbed, either: whoever is connecting it has his drive. */
static void bad_profile_while_restoring(void **state)
{
        struct driver *d = *state;

        put_row(d, "Z:", SHARE);
        fake_plan("Z:")->start_stops = true;
        manager_restore(&d->manager);
        break_profile(d);
        assert_int_equal(cancel(d, "Z:", FORGET, false), ERROR_BAD_PROFILE);
        assert_string_equal(state_of(d, "Z:"), "connecting");
        block_profile(d);
        assert_int_equal(cancel(d, "Z:", FORGET, true), ERROR_CANNOT_OPEN_PROFILE);
        assert_string_equal(state_of(d, "Z:"), "connecting");
        fake_go_on(find(d, "Z:"), 0);
        LOOP_UNTIL(d->event, strcmp(state_of(d, "Z:"), "ok") == 0);
        assert_int_equal(rmdir(d->profile), 0);
}

/* It is being mounted: that cannot be stopped half way, and is taken back. */
static void already_mounting(void **state)
{
        struct driver *d = *state;
        struct answer *added, *cancelled;

        fake_plan("Z:")->start_stops = fake_plan("Z:")->mounting = true;
        added = begin_add(d, "Z:", SHARE, true);
        LOOP_UNTIL(d->event, fake_plan("Z:")->n_starts == 1);
        cancelled = begin_cancel(d, "Z:", FORGET, false);
        loop_for(d->event, 50000);
        fake_go_on(find(d, "Z:"), 0);
        assert_int_equal(wait_for(cancelled), NO_ERROR);
        assert_int_equal(wait_for(added), ERROR_CANCELLED);
        LOOP_UNTIL(d->event, fake_n_redirectors() == 0);
        assert_false(fake_plan("Z:")->mounted);
        assert_int_equal(count_rows(d), 0);
        assert_string_equal(state_of(d, "Z:"), "none");
}

/* It is mounted, and only its row is not written yet. */
static void mounted_without_row(void **state)
{
        struct driver *d = *state;
        struct answer *added, *cancelled;
        void *lock;

        put_row(d, "A:", OTHER);
        fake_plan("Z:")->start_stops = true;
        added = begin_add(d, "Z:", SHARE, true);
        LOOP_UNTIL(d->event, fake_plan("Z:")->n_starts == 1);
        lock = lock_profile(d);
        fake_go_on(find(d, "Z:"), 0);
        LOOP_UNTIL(d->event, fake_plan("Z:")->mounted);
        loop_for(d->event, 100000);
        assert_int_equal(added->n, 0);
        cancelled = begin_cancel(d, "Z:", 0, false);
        assert_int_equal(wait_for(cancelled), NO_ERROR);
        assert_int_equal(wait_for(added), ERROR_CANCELLED);
        LOOP_UNTIL(d->event, fake_n_redirectors() == 0);
        assert_non_null(strstr(fake_log(), "revoke Z:")); /* not just let go of: the mount must go */
        unlock_profile(lock);
        loop_for(d->event, 100000);
        assert_int_equal(count_rows(d), 1);
}

/* All or nothing holds for a connection that is only being made, too. */
static void connecting_beside_open_file(void **state)
{
        struct driver *d = *state;
        struct handle handle = { 0 };
        struct answer *added;

        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
        open_file(find(d, "Z:"), &handle);
        fake_plan("Y:")->start_stops = true;
        added = begin_add(d, "Y:", SHARE, false);
        LOOP_UNTIL(d->event, fake_plan("Y:")->n_starts == 1);
        assert_int_equal(cancel(d, SHARE, 0, false), ERROR_OPEN_FILES);
        assert_int_equal(added->n, 0);
        assert_string_equal(state_of(d, "Y:"), "connecting");
        close_file(find(d, "Z:"), &handle);
        assert_int_equal(cancel(d, SHARE, 0, false), NO_ERROR);
        assert_int_equal(wait_for(added), ERROR_CANCELLED);
        LOOP_UNTIL(d->event, fake_n_redirectors() == 0);
        assert_true(TAILQ_EMPTY(&d->manager.connections));
}

static void two_at_once(void **state)
{
        struct driver *d = *state;
        struct answer *first, *second, *third;
        struct handle handle = { 0 };

        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        fake_plan("Z:")->step_usec = 20000;
        open_file(find(d, "Z:"), &handle);
        first = begin_cancel(d, "Z:", FORGET, false);
        second = begin_cancel(d, SHARE, 0, false);
        assert_int_equal(wait_for(first), ERROR_OPEN_FILES);
        assert_int_equal(wait_for(second), ERROR_OPEN_FILES);
        close_file(find(d, "Z:"), &handle);

        first = begin_cancel(d, "Z:", FORGET, false);
        second = begin_cancel(d, "Z:", FORGET, false);
        third = begin_cancel(d, SHARE, 0, true);
        assert_int_equal(wait_for(first), NO_ERROR);
        assert_int_equal(wait_for(second), ERROR_NOT_CONNECTED);
        assert_int_equal(wait_for(third), ERROR_NOT_CONNECTED);
        assert_int_equal(count_rows(d), 0);

        /* The second one may still have something to do. */
        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        first = begin_cancel(d, "Z:", 0, false);
        second = begin_cancel(d, "Z:", FORGET, false);
        assert_int_equal(wait_for(first), NO_ERROR);
        assert_int_equal(wait_for(second), NO_ERROR);
        assert_int_equal(count_rows(d), 0);
        assert_string_equal(state_of(d, "Z:"), "none");
}

/* Two devices' rows: the file has room for one change at a time. */
static void two_rows_at_once(void **state)
{
        struct driver *d = *state;
        struct answer *first, *second;

        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        assert_int_equal(add(d, "Y:", SHARE, true), NO_ERROR);
        fake_plan("Z:")->step_usec = 200000;
        first = begin_cancel(d, "Z:", FORGET, false);
        second = begin_cancel(d, "Y:", FORGET, false);
        assert_int_equal(wait_for(first), NO_ERROR);
        assert_int_equal(wait_for(second), NO_ERROR);
        assert_int_equal(count_rows(d), 0);
}

/* While a row waits to be deleted, nothing connects the device. */
static void added_while_forgotten(void **state)
{
        struct driver *d = *state;
        struct answer *cancelled, *added;
        struct wn_error err = { 0 };
        void *lock;

        put_row(d, "Z:", SHARE);
        fake_plan("Z:")->start_result = ERROR_BAD_NETPATH;
        manager_restore(&d->manager);
        LOOP_UNTIL(d->event, strcmp(state_of(d, "Z:"), "unavailable") == 0 && fake_n_redirectors() == 0);
        fake_plan("Z:")->start_stops = true;
        lock = lock_profile(d);
        cancelled = begin_cancel(d, "Z:", FORGET, false);
        loop_for(d->event, 20000);
        assert_int_equal(add(d, "Y:", OTHER, false), NO_ERROR);
        find(d, "Z:")->retry_at_usec = 1; /* its planned attempt comes due just now */
        manager_plan_retry(find(d, "Y:"));
        added = begin_add(d, "Z:", SHARE, false);
        assert_int_equal(manager_restore_device(&d->manager, "Z:", &(struct caller){ 0 }, NULL, NULL, &err), ERROR_BUSY);
        loop_for(d->event, 500000); /* timers are not exact */
        unlock_profile(lock);
        assert_int_equal(wait_for(cancelled), NO_ERROR);
        assert_int_equal(wait_for(added), ERROR_BUSY);
        assert_false(has_row(d, "Z:"));
        assert_string_equal(state_of(d, "Z:"), "none");
}

static void shutdown_refused(void **state)
{
        struct driver *d = *state;
        struct handle handle = { 0 };
        struct answer *answer;

        connect_four(d);
        open_file(find(d, "X:"), &handle);
        answer = begin_shutdown(d, false);
        assert_int_equal(wait_for(answer), ERROR_OPEN_FILES);
        assert_string_equal(answer->in_use, "X:");
        assert_four(d);
        assert_int_equal(add(d, "W:", OTHER, false), NO_ERROR); /* life goes on */
        close_file(find(d, "X:"), &handle);

        fake_plan("X:")->unmount_result = -EBUSY;
        fake_plan("X:")->n_unmount_fails = UINT_MAX;
        assert_int_equal(wait_for(begin_shutdown(d, false)), ERROR_DEVICE_IN_USE);
        assert_four(d);
        assert_string_equal(state_of(d, "W:"), "ok");
}

static void shutdown_succeeds(void **state)
{
        struct driver *d = *state;
        struct handle handle = { 0 };
        struct answer *answer;

        connect_four(d);
        open_file(find(d, "X:"), &handle);
        fake_plan("W:")->start_stops = true;
        (void) begin_add(d, "W:", OTHER, false); /* is told that it was cancelled */
        answer = begin_shutdown(d, true);
        LOOP_UNTIL(d->event, strstr(fake_log(), "revoke X:"));
        close_file(find(d, "X:"), &handle);
        assert_int_equal(wait_for(answer), NO_ERROR);
        assert_int_equal(d->answers[4].status, ERROR_CANCELLED);
        assert_int_equal(fake_n_redirectors(), 0);
        assert_true(has_row(d, "Y:")); /* the next start restores it */
        assert_string_equal(state_of(d, "Y:"), "unavailable");
        assert_int_equal(find(d, "Y:")->next_retry_usec, 0);
        assert_int_equal(add(d, "Z:", SHARE, false), ERROR_EXTENDED_ERROR); /* no new ones */
}

/* One that becomes connected when the others have gone already: nobody can use it, and so keep the daemon from ending. */
static void connected_during_shutdown(void **state)
{
        struct driver *d = *state;
        struct answer *added, *answer;

        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
        fake_plan("Y:")->start_stops = fake_plan("Y:")->mounting = true;
        added = begin_add(d, "Y:", SHARE, true);
        fake_plan("Z:")->step_usec = 100000;
        answer = begin_shutdown(d, false);
        LOOP_UNTIL(d->event, strstr(fake_log(), "unmount Z:"));
        fake_go_on(find(d, "Y:"), 0);
        assert_int_equal(wait_for(answer), NO_ERROR);
        assert_int_equal(wait_for(added), ERROR_CANCELLED);
        assert_non_null(strstr(fake_log(), "revoke Y:"));
        assert_string_equal(state_of(d, "Y:"), "none");
        assert_int_equal(count_rows(d), 0);
}

/* The same, and the others cannot be disconnected: it goes on. */
static void connected_during_refused_shutdown(void **state)
{
        struct driver *d = *state;
        struct answer *added, *answer;

        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
        fake_plan("Y:")->start_stops = fake_plan("Y:")->mounting = true;
        added = begin_add(d, "Y:", SHARE, true);
        fake_plan("Z:")->unmount_result = -EBUSY;
        fake_plan("Z:")->n_unmount_fails = UINT_MAX;
        answer = begin_shutdown(d, false);
        LOOP_UNTIL(d->event, strstr(fake_log(), "unmount Z:"));
        fake_go_on(find(d, "Y:"), 0);
        assert_int_equal(wait_for(answer), ERROR_DEVICE_IN_USE);
        assert_int_equal(added->n, 0);
        assert_int_equal(wait_for(added), NO_ERROR);
        assert_string_equal(state_of(d, "Y:"), "ok");
        assert_int_equal(count_rows(d), 1);
}

static void shutdown_of_nothing(void **state)
{
        struct driver *d = *state;

        assert_int_equal(wait_for(begin_shutdown(d, false)), NO_ERROR);
        assert_int_equal(wait_for(begin_shutdown(d, true)), NO_ERROR);
}

/* The daemon ends while things go on: everybody is answered. */
static void end_in_the_middle(void **state)
{
        struct driver *d = *state;
        struct answer *cancelled, *behind, *added;

        connect_four(d);
        fake_plan("Z:")->step_usec = fake_plan("W:")->start_usec = 10000000;
        added = begin_add(d, "W:", OTHER, true);
        cancelled = begin_cancel(d, "Z:", 0, false);
        behind = begin_cancel(d, "Z:", 0, false);
        LOOP_UNTIL(d->event, strstr(fake_log(), "freeze Z:") && strstr(fake_log(), "start W:"));
        manager_done(&d->manager);
        d->manager_done = true;
        assert_int_equal(cancelled->n, 1);
        assert_int_not_equal(cancelled->status, NO_ERROR);
        assert_int_equal(behind->n, 1);
        assert_int_equal(added->n, 1);
        assert_int_equal(added->status, ERROR_CANCELLED);
        loop_for(d->event, 20000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, manager_setup, manager_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(resource),
                TEST(resource_forced),
                TEST(resource_with_open_file),
                TEST(put_back),
                TEST(open_has_come),
                TEST(open_comes_too_late),
                TEST(put_back_fails),
                TEST(still_connecting),
                TEST(connected_meanwhile),
                TEST(still_restoring),
                TEST(bad_profile_while_restoring),
                TEST(already_mounting),
                TEST(mounted_without_row),
                TEST(connecting_beside_open_file),
                TEST(two_at_once),
                TEST(two_rows_at_once),
                TEST(added_while_forgotten),
                TEST(shutdown_refused),
                TEST(shutdown_succeeds),
                TEST(connected_during_shutdown),
                TEST(connected_during_refused_shutdown),
                TEST(shutdown_of_nothing),
                TEST(end_in_the_middle),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
