/* SPDX-License-Identifier: GPL-3.0-or-later */

/* core/manager.c: the choice of letters, restoring what is remembered, planned attempts. */

#include "manager-driver.h"

#include "core/watch.h"

#define SHARE "\\\\srv\\share"

static void letters(void **state)
{
        struct driver *d = *state;
        char name[3] = "Z:";

        put_row(d, "Y:", SHARE); /* remembered, not connected */
        fake_plan("Y:")->start_result = ERROR_LOGON_FAILURE;
        manager_restore(&d->manager);
        LOOP_UNTIL(d->event, strcmp(state_of(d, "Y:"), "unavailable") == 0);
        assert_int_equal(add(d, "X:", SHARE, false), NO_ERROR);
        for (; name[0] >= 'A'; name[0]--) {
                struct answer *answer;

                if (name[0] == 'Y' || name[0] == 'X')
                        continue;
                answer = begin_add(d, "*", SHARE, false);
                assert_int_equal(wait_for(answer), NO_ERROR);
                assert_string_equal(answer->connection->name, name);
        }
        assert_int_equal(add(d, "*", SHARE, false), ERROR_ALREADY_ASSIGNED);
        assert_int_equal(cancel(d, "M:", 0, false), NO_ERROR);
        assert_int_equal(add(d, "*", SHARE, true), NO_ERROR);
        assert_true(has_row(d, "M:"));
        assert_string_equal(find(d, "Y:")->remote.share, "share");
}

static void restores(void **state)
{
        struct driver *d = *state;
        struct profile_row row = {
                .device = (char *) "Z:", .remote = (char *) "\\\\srv:4450\\share", .type = RESOURCETYPE_DISK,
                .user = (char *) "me", .domain = (char *) "DOM", .provider = (char *) "wnet", .read_only = true,
                .secret = PROFILE_SECRET_FILE, .credentials_file = (char *) "/home/me/cred",
        };
        struct profile_change *change = NULL;
        struct connection *c;

        assert_int_equal(profile_stage_put(d->profile, &row, &change, NULL), 0);
        assert_int_equal(profile_commit(change, NULL), 0);
        put_row(d, "Y:", SHARE);
        fake_plan("Y:")->start_result = ERROR_BAD_NETPATH;
        manager_restore(&d->manager);
        c = find(d, "Z:");
        assert_int_equal(c->state, CONNECTION_CONNECTING);
        assert_true(c->remembered && c->read_only);
        assert_int_equal(c->remote.port, 4450);
        assert_string_equal(c->credentials.user, "me");
        assert_string_equal(c->credentials.domain, "DOM");
        assert_string_equal(c->credentials_file, "/home/me/cred");
        assert_true(fake_plan("Z:")->folder); /* it is there at once, and says so itself when it is not */
        assert_true(fake_plan("Y:")->folder);
        LOOP_UNTIL(d->event, c->state == CONNECTION_OK && strcmp(state_of(d, "Y:"), "unavailable") == 0);
        assert_true(find(d, "Y:")->next_retry_usec > 0);
        assert_int_equal(count_rows(d), 2);
}

static void nothing_to_restore(void **state)
{
        struct driver *d = *state;

        manager_restore(&d->manager);
        assert_int_equal(count_entries(d->folder), 0);
        break_profile(d);
        manager_restore(&d->manager);
        block_profile(d);
        manager_restore(&d->manager);
        loop_for(d->event, 50000);
        assert_true(TAILQ_EMPTY(&d->manager.connections));
        assert_string_equal(fake_log(), "");
        assert_int_equal(rmdir(d->profile), 0);
}

/* Locked by another program at the start: tried again, and what was connected meanwhile stays. */
static void restores_later(void **state)
{
        struct driver *d = *state;
        struct connection *c;
        void *lock;

        put_row(d, "Z:", SHARE);
        put_row(d, "Y:", SHARE);
        lock = lock_profile(d);
        manager_restore(&d->manager);
        assert_null(find(d, "Z:"));
        assert_int_equal(add(d, "Z:", "//srv/other", false), NO_ERROR);
        c = find(d, "Z:");
        loop_for(d->event, 600000);
        unlock_profile(lock);
        LOOP_UNTIL(d->event, strcmp(state_of(d, "Y:"), "ok") == 0);
        assert_ptr_equal(find(d, "Z:"), c);
        assert_string_equal(c->remote.share, "other");
        assert_int_equal(fake_plan("Z:")->n_starts, 1);
}

static int restore_device(struct driver *d, const char *name)
{
        struct wn_error err = { 0 };
        int r = manager_restore_device(&d->manager, name, &(struct caller){ 0 }, NULL, NULL, &err);

        assert_int_equal(err.status, r);
        return r;
}

/* What was connected while nobody could tell what is remembered is remembered all the same. */
static void connected_while_the_profile_was_locked(void **state)
{
        const struct add_request request = { .local = "Z:", .remote = SHARE, .read_only = true, .credentials.user = (char *) "bob" };
        struct driver *d = *state;
        struct connection *c;
        struct answer *y;
        void *lock;

        put_row(d, "Z:", SHARE);
        put_row(d, "Y:", SHARE);
        lock = lock_profile(d);
        manager_restore(&d->manager);
        assert_int_equal(wait_for(begin_request(d, &request)), NO_ERROR);
        assert_int_equal(cancel(d, "X:", 0, false), ERROR_NOT_CONNECTED);
        assert_int_equal(restore_device(d, "Y:"), ERROR_CANNOT_OPEN_PROFILE);
        y = begin_cancel(d, "Y:", CONNECT_UPDATE_PROFILE, false);
        assert_int_equal(cancel(d, "Z:", CONNECT_UPDATE_PROFILE, false), ERROR_CANNOT_OPEN_PROFILE);
        assert_int_equal(wait_for(y), ERROR_CANNOT_OPEN_PROFILE);
        unlock_profile(lock);
        LOOP_UNTIL(d->event, strcmp(state_of(d, "Y:"), "ok") == 0);
        c = find(d, "Z:");
        assert_true(c->remembered);
        assert_true(c->read_only);
        assert_int_equal(cancel(d, "Z:", 0, false), 0);
        assert_null(c->credentials.user); /* as the row has it again */
        assert_false(c->read_only);
        assert_int_equal(cancel(d, "Z:", CONNECT_UPDATE_PROFILE, false), 0);
        assert_false(has_row(d, "Z:"));
        assert_int_equal(wait_for(begin_forget(d, "X:")), ERROR_NOT_CONNECTED);
}

/* The row of a device that was connected to something else goes with a cancel that updates the profile, or comes back behind one that does
 * not. */
static void connected_to_something_else_while_the_profile_was_locked(void **state)
{
        static const char *const devices[] = { "Z:", "Y:", "X:" };
        struct driver *d = *state;
        void *lock;

        for (size_t i = 0; i < N_ELEMENTS(devices); i++)
                put_row(d, devices[i], SHARE);
        lock = lock_profile(d);
        manager_restore(&d->manager);
        for (size_t i = 0; i < N_ELEMENTS(devices); i++)
                assert_int_equal(add(d, devices[i], "//srv/other", false), NO_ERROR);
        unlock_profile(lock);
        LOOP_UNTIL(d->event, find(d, "Z:")->has_other_row);
        assert_int_equal(cancel(d, "Z:", CONNECT_UPDATE_PROFILE, false), 0);
        assert_false(has_row(d, "Z:"));
        assert_int_equal(wait_for(begin_forget(d, "Y:")), 0);
        assert_false(has_row(d, "Y:"));
        assert_string_equal(state_of(d, "Y:"), "ok");
        assert_int_equal(cancel(d, "X:", 0, false), 0);
        assert_true(has_row(d, "X:"));
        LOOP_UNTIL(d->event, strcmp(state_of(d, "X:"), "unavailable") == 0);
        assert_string_equal(find(d, "X:")->remote.share, "share");
        assert_int_equal(fake_plan("X:")->n_starts, 1); /* nothing reconnects it behind the user's back */
        assert_int_equal(cancel(d, "X:", CONNECT_UPDATE_PROFILE, false), 0);
        assert_false(has_row(d, "X:"));
}

/* What is broken at the start counts as it is when somebody asks: first as broken, then as what was put in its place. */
static void broken_at_the_start(void **state)
{
        struct driver *d = *state;

        put_row(d, "Z:", SHARE);
        put_row(d, "Y:", SHARE);
        put_row(d, "X:", SHARE);
        put_profile_aside(d);
        break_profile(d);
        manager_restore(&d->manager);
        assert_int_equal(restore_device(d, "Y:"), ERROR_BAD_PROFILE);
        assert_int_equal(cancel(d, "Y:", CONNECT_UPDATE_PROFILE, false), ERROR_BAD_PROFILE);
        assert_non_null(strstr(d->answers[0].err.text, d->profile));
        assert_int_equal(wait_for(begin_forget(d, "Y:")), ERROR_BAD_PROFILE);
        assert_int_equal(cancel(d, "Y:", 0, false), ERROR_NOT_CONNECTED);
        assert_int_equal(add(d, "W:", SHARE, true), ERROR_BAD_PROFILE);
        assert_int_equal(add(d, "W:", SHARE, false), NO_ERROR);
        assert_int_equal(cancel(d, "W:", CONNECT_UPDATE_PROFILE, false), NO_ERROR); /* as far as anybody knows it is not remembered */
        block_profile(d);
        assert_int_equal(restore_device(d, "Y:"), ERROR_CANNOT_OPEN_PROFILE);
        assert_int_equal(wait_for(begin_forget(d, "Y:")), ERROR_CANNOT_OPEN_PROFILE);

        put_profile_back(d);
        assert_int_equal(add(d, "Z:", "//srv/other", false), ERROR_DEVICE_ALREADY_REMEMBERED);
        assert_string_equal(state_of(d, "Y:"), "unavailable");
        assert_int_equal(restore_device(d, "Y:"), 0);
        LOOP_UNTIL(d->event, strcmp(state_of(d, "Y:"), "ok") == 0);
        assert_string_equal(state_of(d, "X:"), "unavailable");
        LOOP_UNTIL(d->event, strcmp(state_of(d, "X:"), "ok") == 0); /* without having been asked for */
        assert_int_equal(fake_plan("Y:")->n_starts, 1);
        assert_int_equal(count_rows(d), 3);
}

static void forgotten_after_a_repair(void **state)
{
        struct driver *d = *state;

        put_row(d, "Z:", SHARE);
        put_row(d, "Y:", SHARE);
        put_profile_aside(d);
        break_profile(d);
        manager_restore(&d->manager);
        put_profile_back(d);
        assert_int_equal(wait_for(begin_forget(d, "X:")), ERROR_NOT_CONNECTED);
        assert_int_equal(cancel(d, "Z:", CONNECT_UPDATE_PROFILE, false), NO_ERROR);
        assert_false(has_row(d, "Z:"));
        LOOP_UNTIL(d->event, strcmp(state_of(d, "Y:"), "ok") == 0);
        assert_int_equal(fake_plan("Z:")->n_starts, 0);
}

/* Has the manager look at the profile as if its time had come; returns when it will do so next, 0: never. */
static uint64_t look_again(struct driver *d)
{
        uint64_t usec, now = 0;
        int enabled;

        assert_int_equal(sd_event_source_set_time_relative(d->manager.restore_source, 0), 0);
        loop_for(d->event, 50000);
        assert_true(sd_event_source_get_enabled(d->manager.restore_source, &enabled) >= 0);
        assert_true(sd_event_source_get_time(d->manager.restore_source, &usec) >= 0);
        assert_true(sd_event_now(d->event, CLOCK_MONOTONIC, &now) >= 0);
        return enabled == SD_EVENT_OFF ? 0 : usec - now;
}

static void repaired_it_is_restored_by_itself(void **state)
{
        struct driver *d = *state;

        put_row(d, "Z:", SHARE);
        put_profile_aside(d);
        break_profile(d);
        manager_restore(&d->manager);
        assert_in_range(look_again(d), 9000000, 10000000);
        assert_in_range(look_again(d), 19000000, 20000000);
        for (int i = 0; i < 8; i++)
                (void) look_again(d);
        assert_in_range(look_again(d), 299000000, 300000000);
        put_profile_back(d);
        assert_int_equal(look_again(d), 0);
        LOOP_UNTIL(d->event, strcmp(state_of(d, "Z:"), "ok") == 0);
}

static void planned_attempts(void **state)
{
        struct driver *d = *state;
        struct connection *z, *y;

        put_row(d, "Z:", SHARE);
        put_row(d, "Y:", SHARE);
        fake_plan("Z:")->start_result = fake_plan("Y:")->start_result = ERROR_BAD_NETPATH;
        manager_restore(&d->manager);
        z = find(d, "Z:");
        y = find(d, "Y:");
        LOOP_UNTIL(d->event, z->state == CONNECTION_UNAVAILABLE && y->state == CONNECTION_UNAVAILABLE);
        assert_true(z->next_retry_usec > 0 && y->next_retry_usec > 0);
        fake_plan("Z:")->start_result = 0;
        z->retry_at_usec = 1; /* its time has come */
        y->retry_wanted = false;
        manager_plan_retry(y);
        assert_int_equal(y->next_retry_usec, 0);
        LOOP_UNTIL(d->event, z->state == CONNECTION_OK);
        assert_int_equal(y->state, CONNECTION_UNAVAILABLE);
        assert_int_equal(fake_plan("Y:")->n_starts, 1);

        d->manager.shutting_down = true; /* then nothing is planned */
        y->retry_wanted = true;
        manager_plan_retry(y);
        assert_int_equal(y->next_retry_usec, 0);
        d->manager.shutting_down = false;
}

static void restores_one(void **state)
{
        struct driver *d = *state;

        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        assert_int_equal(restore_device(d, "Z"), ERROR_BAD_DEVICE);
        assert_int_equal(restore_device(d, "Y:"), ERROR_NOT_CONNECTED);
        assert_int_equal(restore_device(d, "Z:"), ERROR_ALREADY_ASSIGNED);
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        d->manager.shutting_down = true; /* it is remembered all the same, and the shutdown may be refused */
        assert_int_equal(restore_device(d, "Z:"), ERROR_EXTENDED_ERROR);
        d->manager.shutting_down = false;
        assert_int_equal(restore_device(d, "z:"), 0);
        LOOP_UNTIL(d->event, strcmp(state_of(d, "Z:"), "ok") == 0);
        assert_true(find(d, "Z:")->retry_wanted);
        assert_int_equal(count_rows(d), 1);
}

/* A drive that could not even be tried is tried again when somebody opens its folder again. */
static void folder_is_opened(void **state)
{
        const struct add_request bob = {
                .local = "Y:", .remote = "//srv/other", .type = RESOURCETYPE_DISK, .credentials.user = (char *) "bob",
        };
        struct driver *d = *state;
        char folder[160];

        snprintf(folder, sizeof folder, "%s/Z", d->folder);
        assert_int_equal(mkdir(folder, 0700), 0);
        free(d->manager.drives_dir);
        d->manager.drives_dir = strdup(d->folder);
        assert_int_equal(watch_new(&d->manager, &d->manager.watch), 0);
        put_row(d, "Z:", SHARE);
        fake_plan("Z:")->start_result = ERROR_BAD_NETPATH;
        manager_restore(&d->manager);
        LOOP_UNTIL(d->event, find(d, "Z:")->state == CONNECTION_UNAVAILABLE && fake_n_redirectors() == 0);
        find(d, "Z:")->credentials.user = strdup("me");
        find(d, "Z:")->retries = 100; /* the next planned attempt is minutes away */
        assert_int_equal(wait_for(begin_request(d, &bob)), NO_ERROR);
        fake_plan("Z:")->start_result = 0;
        close(open(folder, O_RDONLY | O_DIRECTORY));
        LOOP_UNTIL(d->event, strstr(find(d, "Z:")->reason, "other credentials"));
        assert_int_equal(cancel(d, "Y:", 0, false), NO_ERROR);
        close(open(folder, O_RDONLY | O_DIRECTORY));
        LOOP_UNTIL(d->event, find(d, "Z:")->state == CONNECTION_OK);
}

struct setting {
        unsigned n;
        int status;
        bool persistent;
};

static void on_setting(void *userdata, int status, bool persistent, const struct wn_error *err)
{
        *(struct setting *) userdata = (struct setting){ ((struct setting *) userdata)->n + 1, status, persistent };
        assert_true(status == NO_ERROR || err->text[0]);
}

/* The profile is locked while a disconnection is to change it, however long that takes, and for a moment by others. */
static void setting_waits(void **state)
{
        struct setting stored = { 0 }, loaded = { 0 };
        struct driver *d = *state;
        struct answer *answer;
        void *lock;

        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        fake_plan("Z:")->step_usec = 5500000;
        answer = begin_cancel(d, "Z:", CONNECT_UPDATE_PROFILE, true);
        LOOP_UNTIL(d->event, find(d, "Z:")->state == CONNECTION_CANCELLING);
        assert_int_equal(manager_get_persistence(&d->manager, on_setting, &loaded), 0);
        assert_int_equal(manager_set_persistence(&d->manager, false, on_setting, &stored), 0);
        assert_int_equal(wait_for(answer), NO_ERROR);
        LOOP_UNTIL(d->event, stored.n && loaded.n);
        assert_int_equal(stored.status, NO_ERROR);
        assert_int_equal(loaded.status, NO_ERROR);

        lock = lock_profile(d);
        loaded = (struct setting){ 0 };
        assert_int_equal(manager_get_persistence(&d->manager, on_setting, &loaded), 0);
        loop_for(d->event, 100000);
        assert_int_equal(loaded.n, 0);
        unlock_profile(lock);
        LOOP_UNTIL(d->event, loaded.n);
        assert_int_equal(loaded.status, NO_ERROR);
        assert_false(loaded.persistent);
}

/* Whoever waits for the profile is answered at the daemon's end. */
static void setting_ends(void **state)
{
        struct setting stored = { 0 };
        struct driver *d = *state;
        void *lock;

        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        lock = lock_profile(d);
        assert_int_equal(manager_set_persistence(&d->manager, false, on_setting, &stored), 0);
        loop_for(d->event, 100000);
        manager_done(&d->manager);
        d->manager_done = true;
        unlock_profile(lock);
        assert_int_equal(stored.n, 1);
        assert_int_equal(stored.status, ERROR_CANCELLED);
}

static void end_of_everything(void **state)
{
        struct driver *d = *state;

        put_row(d, "Z:", SHARE);
        fake_plan("Z:")->start_result = ERROR_BAD_NETPATH;
        manager_restore(&d->manager);
        assert_int_equal(add(d, "Y:", SHARE, false), NO_ERROR);
        fake_plan("X:")->start_stops = true;
        (void) begin_add(d, "X:", SHARE, false);
        d->states[0] = '\0';
        manager_done(&d->manager);
        d->manager_done = true;
        assert_string_equal(d->states, ""); /* nobody is told any more */
        assert_int_equal(fake_n_redirectors(), 0);
        assert_int_equal(d->answers[1].status, ERROR_CANCELLED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, manager_setup, manager_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(letters),          TEST(restores),     TEST(nothing_to_restore), TEST(restores_later),
                TEST(connected_while_the_profile_was_locked), TEST(connected_to_something_else_while_the_profile_was_locked),
                TEST(broken_at_the_start), TEST(forgotten_after_a_repair), TEST(repaired_it_is_restored_by_itself),
                TEST(planned_attempts), TEST(restores_one), TEST(end_of_everything), TEST(folder_is_opened), TEST(setting_waits),
                TEST(setting_ends),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
