/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * core/cancel-wait.c, core/cancel-forget.c: disconnections that wait for the last holder, and forgetting, which leaves a
 * connection alone.
 */

#include "manager-driver.h"

#define SHARE "\\\\srv\\share"
#define OTHER "\\\\srv\\other"
#define FORGET CONNECT_UPDATE_PROFILE
#define LONG_USEC (60 * 1000000ULL)
#define SHORT_USEC (300 * 1000ULL)

static void run_for(struct driver *d, uint64_t usec)
{
        uint64_t begin, now;

        sd_event_now(d->event, CLOCK_MONOTONIC, &begin);
        do {
                assert_true(sd_event_run(d->event, 10000) >= 0);
                sd_event_now(d->event, CLOCK_MONOTONIC, &now);
        } while (now - begin < usec);
}

static void last_holder_lets_go(void **state)
{
        struct driver *d = *state;
        struct handle first, second;
        struct answer *answer;

        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        open_file(find(d, "Z:"), &first);
        open_file(find(d, "Z:"), &second);
        answer = begin_waiting_cancel(d, "Z:", FORGET, LONG_USEC, d);
        run_for(d, 250000);
        assert_int_equal(answer->n, 0);
        assert_string_equal(state_of(d, "Z:"), "ok"); /* and works on meanwhile */
        assert_false(fake_plan("Z:")->frozen);
        assert_true(has_row(d, "Z:"));
        close_file(find(d, "Z:"), &first);
        run_for(d, 250000);
        assert_int_equal(answer->n, 0);
        close_file(find(d, "Z:"), &second);
        assert_int_equal(wait_for(answer), NO_ERROR);
        assert_string_equal(state_of(d, "Z:"), "none");
        assert_false(has_row(d, "Z:"));
        assert_int_equal(answer->n_in_use, 0);
}

static void patience_ends(void **state)
{
        struct driver *d = *state;
        struct handle handle;
        struct answer *answer;

        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        open_file(find(d, "Z:"), &handle);
        answer = begin_waiting_cancel(d, "Z:", FORGET, SHORT_USEC, d);
        assert_int_equal(wait_for(answer), ERROR_OPEN_FILES);
        assert_int_equal(answer->n_holders, 1); /* told as at any refusal */
        assert_string_equal(state_of(d, "Z:"), "ok");
        assert_true(has_row(d, "Z:"));
        close_file(find(d, "Z:"), &handle);
}

static void giving_up(void **state)
{
        struct driver *d = *state;
        struct handle handle;
        struct answer *answer, *other;
        const int owners[2] = { 0 };

        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
        open_file(find(d, "Z:"), &handle);
        answer = begin_waiting_cancel(d, "Z:", 0, UINT64_MAX, &owners[0]);
        other = begin_waiting_cancel(d, "Z:", 0, UINT64_MAX, &owners[1]);
        run_for(d, 250000);
        manager_abandon(&d->manager, &owners[0], false);
        close_file(find(d, "Z:"), &handle); /* what it waited for comes too late for the first, not for the second */
        assert_int_equal(wait_for(answer), ERROR_OPEN_FILES);
        assert_int_equal(wait_for(other), NO_ERROR);
        assert_string_equal(state_of(d, "Z:"), "none");
}

/* It waits for its turn behind another one when its owner goes. */
static void giving_up_in_the_queue(void **state)
{
        struct driver *d = *state;
        struct answer *first, *second;
        struct handle handle;
        const int owner = 0;

        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
        fake_plan("Z:")->step_usec = 200000;
        open_file(find(d, "Z:"), &handle);
        first = begin_cancel(d, "Z:", 0, false);
        LOOP_UNTIL(d->event, strcmp(state_of(d, "Z:"), "cancelling") == 0);
        second = begin_waiting_cancel(d, "Z:", 0, LONG_USEC, &owner);
        run_for(d, 20000);
        manager_abandon(&d->manager, &owner, false);
        assert_int_equal(wait_for(first), ERROR_OPEN_FILES);
        close_file(find(d, "Z:"), &handle);
        assert_int_equal(wait_for(second), ERROR_CANCELLED);
        assert_string_equal(state_of(d, "Z:"), "ok");
}

static void busy_without_a_file(void **state)
{
        struct driver *d = *state;
        struct answer *answer;

        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
        fake_plan("Z:")->unmount_result = -EBUSY;
        fake_plan("Z:")->n_unmount_fails = 1000;
        answer = begin_waiting_cancel(d, "Z:", 0, LONG_USEC, d);
        run_for(d, 500000);
        assert_int_equal(answer->n, 0);
        assert_string_equal(state_of(d, "Z:"), "ok");
        fake_plan("Z:")->n_unmount_fails = 0;
        assert_int_equal(wait_for(answer), NO_ERROR);
}

/* Somebody else disconnects it: there is nothing to wait for any more. */
static void gone_meanwhile(void **state)
{
        struct driver *d = *state;
        struct handle handle;
        struct answer *answer;

        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
        open_file(find(d, "Z:"), &handle);
        answer = begin_waiting_cancel(d, "Z:", 0, LONG_USEC, d);
        run_for(d, 250000);
        close_file(find(d, "Z:"), &handle);
        assert_int_equal(cancel(d, "Z:", 0, true), NO_ERROR);
        assert_int_equal(wait_for(answer), ERROR_NOT_CONNECTED);
}

static void other_refusals_do_not_wait(void **state)
{
        struct driver *d = *state;

        assert_int_equal(wait_for(begin_waiting_cancel(d, "Z:", 0, UINT64_MAX, d)), ERROR_NOT_CONNECTED);
        assert_int_equal(wait_for(begin_waiting_cancel(d, "Z:", 2, UINT64_MAX, d)), ERROR_INVALID_PARAMETER);
        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        break_profile(d);
        assert_int_equal(wait_for(begin_waiting_cancel(d, "Z:", FORGET, UINT64_MAX, d)), ERROR_BAD_PROFILE);
        assert_string_equal(state_of(d, "Z:"), "ok");
}

static void several(void **state)
{
        struct driver *d = *state;
        struct handle handle;
        struct answer *answer;

        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
        assert_int_equal(add(d, "Y:", SHARE, false), NO_ERROR);
        open_file(find(d, "Y:"), &handle);
        answer = begin_waiting_cancel(d, SHARE, 0, LONG_USEC, d);
        run_for(d, 250000);
        assert_string_equal(state_of(d, "Z:"), "ok");
        close_file(find(d, "Y:"), &handle);
        assert_int_equal(wait_for(answer), NO_ERROR);
        assert_string_equal(state_of(d, "Z:"), "none");
        assert_string_equal(state_of(d, "Y:"), "none");
}

static void forgetting_leaves_the_connection(void **state)
{
        struct driver *d = *state;
        struct handle handle;

        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        assert_int_equal(add(d, "Y:", OTHER, true), NO_ERROR);
        open_file(find(d, "Z:"), &handle);
        fake_forget_log();
        assert_int_equal(wait_for(begin_forget(d, "Z:")), NO_ERROR);
        assert_string_equal(fake_log(), "");
        assert_string_equal(state_of(d, "Z:"), "ok");
        assert_false(has_row(d, "Z:"));
        assert_true(has_row(d, "Y:"));
        assert_int_equal(wait_for(begin_forget(d, "Z:")), ERROR_NOT_CONNECTED);
        close_file(find(d, "Z:"), &handle);
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        assert_string_equal(state_of(d, "Z:"), "none"); /* nothing is left of it */
        assert_int_equal(wait_for(begin_forget(d, "X:")), ERROR_NOT_CONNECTED);
}

/* An attempt under way ends, be it before or after the mount is there: what is forgotten is not connected again. */
static void forgetting_what_is_being_connected(void **state)
{
        struct driver *d = *state;

        for (int mounting = 0; mounting <= 1; mounting++) {
                struct answer *restored, *forgotten;

                assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
                assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
                fake_plan("Z:")->start_stops = true;
                fake_plan("Z:")->mounting = mounting;
                restored = begin_add(d, "Z:", SHARE, false);
                forgotten = begin_forget(d, "Z:");
                run_for(d, 50000);
                if (mounting)
                        fake_go_on(find(d, "Z:"), 0);
                assert_int_equal(wait_for(forgotten), NO_ERROR);
                assert_int_equal(wait_for(restored), ERROR_CANCELLED);
                assert_string_equal(state_of(d, "Z:"), "none");
                assert_int_equal(count_rows(d), 0);
                LOOP_UNTIL(d->event, fake_n_redirectors() == 0);
                fake_plan("Z:")->start_stops = fake_plan("Z:")->mounting = false;
        }
}

static void forgetting_what_is_not_connected(void **state)
{
        struct driver *d = *state;

        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        assert_string_equal(state_of(d, "Z:"), "unavailable");
        break_profile(d);
        assert_int_equal(wait_for(begin_forget(d, "Z:")), ERROR_BAD_PROFILE);
        assert_string_equal(state_of(d, "Z:"), "unavailable");
}

static void forgetting_removes_the_rest(void **state)
{
        struct driver *d = *state;

        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        assert_int_equal(wait_for(begin_forget(d, "Z:")), NO_ERROR);
        assert_string_equal(state_of(d, "Z:"), "none");
        assert_false(fake_plan("Z:")->folder);
        assert_false(has_row(d, "Z:"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, manager_setup, manager_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(last_holder_lets_go),
                TEST(patience_ends),
                TEST(giving_up),
                TEST(giving_up_in_the_queue),
                TEST(busy_without_a_file),
                TEST(gone_meanwhile),
                TEST(other_refusals_do_not_wait),
                TEST(several),
                TEST(forgetting_leaves_the_connection),
                TEST(forgetting_what_is_being_connected),
                TEST(forgetting_what_is_not_connected),
                TEST(forgetting_removes_the_rest),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
