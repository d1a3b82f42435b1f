/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * core/cancel.c: the rows of WNetCancelConnection2's table for one device, as far as core decides them. With a fake
 * redirector and a real profile.
 */

#include "manager-driver.h"

#define SHARE "\\\\srv\\share"
#define OTHER "\\\\srv\\other"
#define FORGET CONNECT_UPDATE_PROFILE

static void assert_untouched(struct driver *d, const char *name)
{
        assert_string_equal(state_of(d, name), "ok");
        assert_true(fake_plan(name)->mounted);
        assert_false(fake_plan(name)->frozen);
}

static void one_of_two(void **state)
{
        struct driver *d = *state;

        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
        assert_int_equal(add(d, "Y:", SHARE, false), NO_ERROR);
        fake_forget_log();
        d->states[0] = '\0';
        assert_int_equal(cancel(d, "z:", 0, false), NO_ERROR);
        assert_string_equal(fake_log(), "freeze Z:\nunmount Z:\nfree Z:\n"); /* gone before the answer */
        assert_string_equal(d->states, "Z: cancelling\nZ: gone\n");
        assert_string_equal(state_of(d, "Z:"), "none");
        assert_false(fake_plan("Z:")->folder);
        assert_untouched(d, "Y:");
        assert_int_equal(cancel(d, "Z:", 0, false), ERROR_NOT_CONNECTED);
        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
}

static void rows(void **state)
{
        struct driver *d = *state;

        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        assert_true(has_row(d, "Z:"));
        assert_string_equal(state_of(d, "Z:"), "unavailable");
        assert_int_equal(find(d, "Z:")->next_retry_usec, 0); /* nothing reconnects it */
        assert_false(find(d, "Z:")->retry_wanted);
        assert_true(fake_plan("Z:")->folder);
        assert_int_equal(cancel(d, "Z:", 0, false), ERROR_NOT_CONNECTED); /* a row only: it stays */
        assert_true(has_row(d, "Z:"));
        assert_string_equal(state_of(d, "Z:"), "unavailable");

        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
        assert_int_equal(cancel(d, "Z:", FORGET, false), NO_ERROR);
        assert_false(has_row(d, "Z:"));
        assert_string_equal(state_of(d, "Z:"), "none");
        assert_false(fake_plan("Z:")->folder);

        put_row(d, "X:", OTHER); /* another one's row is none of ours */
        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
        assert_int_equal(cancel(d, "Z:", FORGET, false), NO_ERROR);
        assert_true(has_row(d, "X:"));
}

static void row_only(void **state)
{
        struct driver *d = *state;

        put_row(d, "Z:", SHARE);
        put_row(d, "Y:", SHARE);
        fake_plan("Z:")->start_result = fake_plan("Y:")->start_result = ERROR_BAD_NETPATH;
        manager_restore(&d->manager);
        LOOP_UNTIL(d->event, strcmp(state_of(d, "Z:"), "unavailable") == 0);
        LOOP_UNTIL(d->event, strcmp(state_of(d, "Y:"), "unavailable") == 0);
        LOOP_UNTIL(d->event, fake_n_redirectors() == 0);
        fake_forget_log();
        assert_int_equal(cancel(d, SHARE, 0, false), ERROR_NOT_CONNECTED); /* a remote name with rows only */
        assert_int_equal(cancel(d, SHARE, FORGET, true), ERROR_NOT_CONNECTED);
        assert_int_equal(count_rows(d), 2);
        assert_true(find(d, "Z:")->next_retry_usec > 0); /* and they are tried again as before */
        assert_int_equal(cancel(d, "Z:", FORGET, false), NO_ERROR);
        assert_int_equal(count_rows(d), 1);
        assert_string_equal(state_of(d, "Z:"), "none");
        assert_false(fake_plan("Z:")->folder);
        assert_string_equal(fake_log(), ""); /* no network traffic */
        assert_int_equal(cancel(d, "Z:", FORGET, false), ERROR_NOT_CONNECTED);
}

static void unknown_names(void **state)
{
        static const char *const names[] = {
                "", "Z", "Y:", "nothing", "/mnt", "\\\\srv", "\\\\srv\\other", "\\\\srv\\share\\dir", "LPT1", "*",
                "\\\\srv:4450\\share",
        };
        struct driver *d = *state;

        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
        fake_forget_log();
        for (size_t i = 0; i < N_ELEMENTS(names); i++) {
                assert_int_equal(cancel(d, names[i], 0, false), ERROR_NOT_CONNECTED);
                assert_int_equal(cancel(d, names[i], FORGET, true), ERROR_NOT_CONNECTED);
                assert_int_equal(cancel(d, names[i], 2, false), ERROR_INVALID_PARAMETER);
        }
        assert_int_equal(cancel(d, "Z:", 2, true), ERROR_INVALID_PARAMETER);
        assert_int_equal(cancel(d, "Z:", 0x80000001, true), ERROR_INVALID_PARAMETER);
        assert_string_equal(fake_log(), "");
        assert_untouched(d, "Z:");
}

static void open_files(void **state)
{
        struct driver *d = *state;
        struct handle handle = { 0 };
        struct answer *answer;

        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        open_file(find(d, "Z:"), &handle);
        answer = begin_cancel(d, "Z:", FORGET, false);
        assert_int_equal(wait_for(answer), ERROR_OPEN_FILES);
        assert_int_equal(answer->n_in_use, 1);
        assert_string_equal(answer->in_use, "Z:");
        assert_int_equal(answer->n_holders, 1);
        assert_untouched(d, "Z:");
        assert_true(has_row(d, "Z:"));
        assert_true(find(d, "Z:")->remembered);
        assert_null(strstr(fake_log(), "unmount"));
        close_file(find(d, "Z:"), &handle);
        assert_int_equal(cancel(d, "Z:", FORGET, false), NO_ERROR);
        assert_int_equal(count_rows(d), 0);
}

/* A close() whose RELEASE comes while the kernel's last words are read counts. */
static void closed_just_before(void **state)
{
        struct driver *d = *state;
        struct handle handle = { 0 };
        struct answer *answer;

        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
        open_file(find(d, "Z:"), &handle);
        fake_plan("Z:")->step_usec = 50000;
        answer = begin_cancel(d, "Z:", 0, false);
        LOOP_UNTIL(d->event, fake_plan("Z:")->frozen);
        close_file(find(d, "Z:"), &handle);
        assert_int_equal(wait_for(answer), NO_ERROR);
}

static void busy(void **state)
{
        struct driver *d = *state;
        struct fake_plan *plan = fake_plan("Z:");
        struct answer *answer;

        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        plan->unmount_result = -EBUSY;
        plan->n_unmount_fails = 3; /* for a moment: a look-up, a program that just ends */
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);

        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
        plan->n_unmount_fails = UINT_MAX;
        answer = begin_cancel(d, "Z:", FORGET, false);
        assert_int_equal(wait_for(answer), ERROR_DEVICE_IN_USE);
        assert_int_equal(answer->n_in_use, 1);
        assert_string_equal(answer->in_use, "Z:");
        assert_true(plan->n_unmount_fails < UINT_MAX - 3);
        assert_untouched(d, "Z:");
        assert_true(has_row(d, "Z:"));
        plan->n_unmount_fails = 0;
        assert_int_equal(cancel(d, "Z:", FORGET, false), NO_ERROR);
}

static void open_comes_between(void **state)
{
        struct driver *d = *state;
        struct fake_plan *plan = fake_plan("Z:");

        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        plan->unmount_result = -EBUSY;
        plan->n_unmount_fails = UINT_MAX;
        plan->opens_waiting = true;
        fake_forget_log();
        assert_int_equal(cancel(d, "Z:", FORGET, false), ERROR_OPEN_FILES);
        assert_string_equal(fake_log(), "freeze Z:\nunmount Z:\nthaw Z:\n"); /* it is let through at once */
        assert_untouched(d, "Z:");
        assert_true(has_row(d, "Z:"));
}

/* More tries than a mount gets that is busy for no such reason. */
static void look_up_on_its_way(void **state)
{
        struct driver *d = *state;
        struct fake_plan *plan = fake_plan("Z:");

        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        plan->unmount_result = -EBUSY;
        plan->n_unmount_fails = 30;
        plan->requests_waiting = true;
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        assert_int_equal(plan->n_unmount_fails, 0);
}

static void unmount_fails(void **state)
{
        struct driver *d = *state;

        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        fake_plan("Z:")->unmount_result = -ENOENT;
        fake_plan("Z:")->n_unmount_fails = 1;
        assert_int_equal(cancel(d, "Z:", FORGET, false), ERROR_EXTENDED_ERROR);
        assert_untouched(d, "Z:");
        assert_true(has_row(d, "Z:"));
}

static void force(void **state)
{
        static const struct lost_file lost[] = { { (char *) "some/file", 4096 } };
        struct driver *d = *state;
        struct handle handle = { 0 };
        struct answer *answer;

        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        open_file(find(d, "Z:"), &handle);
        fake_plan("Z:")->unmount_result = -EBUSY;
        fake_plan("Z:")->n_unmount_fails = UINT_MAX;
        fake_plan("Z:")->lost = lost;
        fake_plan("Z:")->n_lost = N_ELEMENTS(lost);
        fake_forget_log();
        answer = begin_cancel(d, "Z:", FORGET, true);
        LOOP_UNTIL(d->event, strstr(fake_log(), "revoke Z:"));
        close_file(find(d, "Z:"), &handle); /* the redirector lets go of it */
        assert_int_equal(wait_for(answer), NO_ERROR);
        assert_string_equal(fake_log(), "revoke Z:\nfree Z:\n");
        assert_int_equal(answer->n_lost, 1);
        assert_string_equal(answer->lost, "Z: some/file 4096");
        assert_string_equal(state_of(d, "Z:"), "none");
        assert_int_equal(count_rows(d), 0);

        assert_int_equal(add(d, "Y:", SHARE, true), NO_ERROR);
        assert_int_equal(cancel(d, "Y:", 0, true), NO_ERROR);
        assert_true(has_row(d, "Y:"));
        assert_string_equal(state_of(d, "Y:"), "unavailable");
}

static void bad_profile(void **state)
{
        static struct bytes before;
        struct driver *d = *state;

        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        assert_int_equal(add(d, "Y:", SHARE, false), NO_ERROR);
        assert_int_equal(add(d, "X:", OTHER, true), NO_ERROR);
        break_profile(d);
        read_bytes(d->profile, &before);
        fake_forget_log();
        assert_int_equal(cancel(d, "Z:", FORGET, false), ERROR_BAD_PROFILE);
        assert_int_equal(cancel(d, "Z:", FORGET, true), ERROR_BAD_PROFILE); /* force breaks connections, not profiles */
        assert_string_equal(fake_log(), ""); /* checked first */
        assert_untouched(d, "Z:");

        /* Where it is not to change, it is never even read. */
        assert_int_equal(cancel(d, "Y:", FORGET, false), NO_ERROR);
        assert_int_equal(cancel(d, OTHER, FORGET, false), NO_ERROR);
        assert_file_is(d->profile, &before);

        block_profile(d);
        assert_int_equal(cancel(d, "Z:", FORGET, false), ERROR_CANNOT_OPEN_PROFILE);
        assert_int_equal(cancel(d, "X:", FORGET, false), ERROR_CANNOT_OPEN_PROFILE); /* a row only */
        assert_untouched(d, "Z:");
        assert_string_equal(state_of(d, "X:"), "unavailable");
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        assert_int_equal(rmdir(d->profile), 0);
}

static void locked_profile(void **state)
{
        struct driver *d = *state;
        struct answer *answer, *other, *row_only;
        void *lock;

        put_row(d, "X:", OTHER);
        fake_plan("X:")->start_result = ERROR_BAD_NETPATH;
        manager_restore(&d->manager);
        LOOP_UNTIL(d->event, strcmp(state_of(d, "X:"), "unavailable") == 0 && fake_n_redirectors() == 0);
        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        assert_int_equal(add(d, "Y:", SHARE, false), NO_ERROR);
        lock = lock_profile(d);
        answer = begin_cancel(d, "Z:", FORGET, false);
        row_only = begin_cancel(d, "X:", FORGET, false);
        find(d, "X:")->retry_at_usec = 1; /* its planned attempt comes due meanwhile */
        manager_plan_retry(find(d, "Y:"));
        other = begin_cancel(d, "Y:", FORGET, false);
        assert_int_equal(wait_for(other), NO_ERROR); /* nobody else waits */
        assert_int_equal(answer->n, 0);
        assert_int_equal(wait_for(answer), ERROR_CANNOT_OPEN_PROFILE); /* in bounded time */
        assert_untouched(d, "Z:");
        assert_int_equal(wait_for(row_only), ERROR_CANNOT_OPEN_PROFILE);
        assert_true(find(d, "X:")->next_retry_usec > 0); /* a refusal changes nothing: it is tried again later */

        answer = begin_cancel(d, "Z:", FORGET, false);
        loop_for(d->event, 200000);
        assert_int_equal(answer->n, 0);
        assert_untouched(d, "Z:");
        unlock_profile(lock);
        assert_int_equal(wait_for(answer), NO_ERROR);
        assert_false(has_row(d, "Z:"));
        assert_true(has_row(d, "X:"));
}

static void row_gone_already(void **state)
{
        struct driver *d = *state;

        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        assert_int_equal(unlink(d->profile), 0);
        assert_int_equal(cancel(d, "Z:", FORGET, false), NO_ERROR);
        assert_string_equal(state_of(d, "Z:"), "none");
        assert_int_equal(count_entries(d->folder), 0); /* not made for that */
}

/* Unmounted by somebody else while it is being cancelled. */
static void unmounted_meanwhile(void **state)
{
        struct driver *d = *state;
        struct answer *answer;

        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        fake_plan("Z:")->unmount_result = -EIO;
        fake_plan("Z:")->n_unmount_fails = 1;
        fake_plan("Z:")->step_usec = 20000;
        answer = begin_cancel(d, "Z:", 0, false);
        LOOP_UNTIL(d->event, strstr(fake_log(), "unmount Z:"));
        connection_unmounted(find(d, "Z:"));
        (void) wait_for(answer);
        assert_string_equal(state_of(d, "Z:"), "unavailable"); /* never "ok" without a mount */
        assert_int_equal(fake_n_redirectors(), 0);
        assert_true(has_row(d, "Z:"));
}

static void reconnecting(void **state)
{
        struct driver *d = *state;
        struct handle handle = { 0 };
        struct answer *answer;
        uint64_t since;

        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
        connection_health(find(d, "Z:"), false, "the server is away");
        since = find(d, "Z:")->since_usec;
        open_file(find(d, "Z:"), &handle);
        assert_int_equal(cancel(d, "Z:", 0, false), ERROR_OPEN_FILES);
        assert_string_equal(state_of(d, "Z:"), "reconnecting"); /* as it was, */
        assert_string_equal(find(d, "Z:")->reason, "the server is away"); /* for the same reason, */
        assert_int_equal(find(d, "Z:")->since_usec, since);               /* and since then */

        fake_plan("Z:")->step_usec = 20000;
        answer = begin_cancel(d, "Z:", 0, false);
        LOOP_UNTIL(d->event, strcmp(state_of(d, "Z:"), "cancelling") == 0);
        connection_health(find(d, "Z:"), true, "");
        assert_string_equal(state_of(d, "Z:"), "cancelling");
        assert_int_equal(wait_for(answer), ERROR_OPEN_FILES);
        assert_string_equal(state_of(d, "Z:"), "ok"); /* as it is by now */
        close_file(find(d, "Z:"), &handle);
        connection_health(find(d, "Z:"), false, "the server is away");
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, manager_setup, manager_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(one_of_two),
                TEST(rows),
                TEST(row_only),
                TEST(unknown_names),
                TEST(open_files),
                TEST(closed_just_before),
                TEST(busy),
                TEST(open_comes_between),
                TEST(look_up_on_its_way),
                TEST(unmount_fails),
                TEST(force),
                TEST(bad_profile),
                TEST(locked_profile),
                TEST(row_gone_already),
                TEST(unmounted_meanwhile),
                TEST(reconnecting),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
