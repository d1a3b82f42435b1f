/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What core/attempt.c and core/cancel.c do with a password that is saved: in which order, and what is undone. With a fake redirector,
 * a real profile, and a script in the place of wnet-secret, which writes down what it is asked.
 */

#include "manager-driver.h"

#define SHARE "\\\\srv\\share"

static char program[160], calls_path[160];

static int setup(void **state)
{
        struct driver *d;

        if (manager_setup(state) < 0)
                return -1;
        d = *state;
        snprintf(program, sizeof program, "%s/wnet-secret", d->folder);
        snprintf(calls_path, sizeof calls_path, "%s/calls", d->folder);
        d->manager.secret_program = program;
        return 0;
}

/* answer: what it does after writing down its arguments. */
static void set_keyring(struct driver *d, const char *answer)
{
        char script[512];

        snprintf(script, sizeof script, "#!/bin/sh\ncd %s\nprintf '%%s ' \"$@\" >> calls\necho >> calls\n%s\n", d->folder, answer);
        write_text(program, script);
        assert_int_equal(chmod(program, 0700), 0);
        (void) unlink(calls_path);
}

static const char *calls(void)
{
        static struct bytes bytes;

        if (access(calls_path, F_OK) < 0)
                return "";
        read_bytes(calls_path, &bytes);
        bytes.data[bytes.size_bytes] = '\0';
        return bytes.data;
}

static struct answer *begin_save(struct driver *d, const char *user)
{
        struct add_request request = { .local = "Z:", .remote = SHARE, .save_password = true };
        struct answer *answer;

        request.credentials.user = (char *) user;
        assert_int_equal(secret_set(&request.credentials.password, "s3cret"), 0);
        answer = begin_request(d, &request);
        secret_done(&request.credentials.password);
        return answer;
}

static enum profile_secret row_secret(struct driver *d)
{
        struct profile_rows rows = { 0 };
        enum profile_secret secret;

        assert_int_equal(profile_load(d->profile, &rows, NULL), 0);
        assert_int_equal(rows.n_items, 1);
        secret = rows.items[0].secret;
        profile_rows_done(&rows);
        return secret;
}

static void saved(void **state)
{
        struct driver *d = *state;

        set_keyring(d, "");
        assert_int_equal(wait_for(begin_save(d, "me")), NO_ERROR);
        assert_string_equal(calls(), "store Z: srv:445 me \n");
        assert_int_equal(row_secret(d), PROFILE_SECRET_SERVICE);

        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        set_keyring(d, "printf n3w");
        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        assert_string_equal(calls(), "lookup Z: srv:445 me \n");
        assert_string_equal(find(d, "Z:")->credentials.password.bytes, "n3w");
        assert_int_equal(row_secret(d), PROFILE_SECRET_SERVICE);

        set_keyring(d, "");
        assert_int_equal(cancel(d, "Z:", CONNECT_UPDATE_PROFILE, false), NO_ERROR);
        assert_string_equal(calls(), "clear Z: \n"); /* before the answer */
        assert_int_equal(count_rows(d), 0);
}

static void cannot_be_saved(void **state)
{
        struct driver *d = *state;
        struct answer *answer;

        set_keyring(d, "echo it says no >&2; exit 1");
        answer = begin_save(d, "me");
        assert_int_equal(wait_for(answer), ERROR_EXTENDED_ERROR);
        assert_non_null(strstr(answer->err.text, "it says no"));
        assert_string_equal(answer->err.phase, "secret");
        assert_string_equal(state_of(d, "Z:"), "none");
        assert_false(fake_plan("Z:")->mounted);
        assert_int_equal(count_rows(d), 0);
        assert_string_equal(calls(), "store Z: srv:445 me \n");
        LOOP_UNTIL(d->event, fake_n_redirectors() == 0);

        assert_int_equal(unlink(program), 0);
        assert_int_equal(wait_for(begin_save(d, "me")), ERROR_EXTENDED_ERROR);
        assert_string_equal(state_of(d, "Z:"), "none");
        assert_int_equal(count_rows(d), 0);
}

/* The row cannot be written after all: what was saved for it goes again. */
static void row_fails(void **state)
{
        struct driver *d = *state;

        set_keyring(d, "[ $1 = clear ] || echo garbage > profile.db");
        assert_int_equal(wait_for(begin_save(d, "me")), ERROR_BAD_PROFILE);
        assert_string_equal(calls(), "store Z: srv:445 me \nclear Z: srv:445 me \n");
        assert_string_equal(state_of(d, "Z:"), "none");
        assert_false(fake_plan("Z:")->mounted);
}

static void cancelled_while_saving(void **state)
{
        struct driver *d = *state;
        struct answer *answer;

        set_keyring(d, "[ $1 = clear ] || exec sleep 1000");
        answer = begin_save(d, "me");
        LOOP_UNTIL(d->event, calls()[0]);
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        assert_int_equal(wait_for(answer), ERROR_CANCELLED);
        assert_string_equal(calls(), "store Z: srv:445 me \nclear Z: srv:445 me \n");
        assert_int_equal(count_rows(d), 0);
        assert_false(fake_plan("Z:")->mounted);
}

/* wnetd ends while a saved password is removed: not before it is. */
static void forgotten_at_the_end(void **state)
{
        struct driver *d = *state;
        struct answer *answer, *end;

        set_keyring(d, "[ $1 = store ] || sleep 1");
        assert_int_equal(wait_for(begin_save(d, "me")), NO_ERROR);
        answer = begin_cancel(d, "Z:", CONNECT_UPDATE_PROFILE, false);
        LOOP_UNTIL(d->event, strstr(calls(), "clear"));
        end = begin_shutdown(d, true);
        loop_for(d->event, 50000);
        assert_int_equal(end->n, 0);
        assert_int_equal(wait_for(answer), NO_ERROR);
        assert_string_equal(answer->err.text, "");
        assert_int_equal(wait_for(end), NO_ERROR);
}

/* What is done is not called cancelled; what is not, is told. */
static void not_forgotten(void **state)
{
        struct driver *d = *state;
        struct answer *answer;

        set_keyring(d, "[ $1 = store ] || sleep 1000");
        assert_int_equal(wait_for(begin_save(d, "me")), NO_ERROR);
        d->manager.secret_program = "/nonexistent/wnet-secret";
        answer = begin_cancel(d, "Z:", CONNECT_UPDATE_PROFILE, false);
        assert_int_equal(wait_for(answer), NO_ERROR);
        assert_non_null(strstr(answer->err.text, "secret-tool clear"));

        d->manager.secret_program = program;
        assert_int_equal(wait_for(begin_save(d, "me")), NO_ERROR);
        answer = begin_cancel(d, "Z:", CONNECT_UPDATE_PROFILE, false);
        LOOP_UNTIL(d->event, strstr(calls(), "clear"));
        manager_done(&d->manager);
        d->manager_done = true;
        assert_int_equal(answer->n, 1);
        assert_int_equal(answer->status, NO_ERROR);
        assert_non_null(strstr(answer->err.text, "secret-tool clear"));
}

static void another_user(void **state)
{
        struct driver *d = *state;

        set_keyring(d, "");
        assert_int_equal(wait_for(begin_save(d, "me")), NO_ERROR);
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        assert_int_equal(wait_for(begin_save(d, "you")), NO_ERROR);
        LOOP_UNTIL(d->event, strstr(calls(), "clear"));
        assert_string_equal(calls(), "store Z: srv:445 me \nstore Z: srv:445 you \nclear Z: srv:445 me \n");
        loop_for(d->event, 50000);
}

/* Z: again, with another password of the same user, and without asking for it to be saved. */
static int add_with_password(struct driver *d, bool persistent)
{
        struct add_request request = { .local = "Z:", .remote = SHARE, .persistent = persistent };
        struct answer *answer;

        request.credentials.user = (char *) "me";
        assert_int_equal(secret_set(&request.credentials.password, "ch4nged"), 0);
        answer = begin_request(d, &request);
        secret_done(&request.credentials.password);
        return wait_for(answer);
}

/* Given for once it changes nothing that is kept; remembered with the drive, it takes the saved one's place, if that can be. */
static void given_anew(void **state)
{
        static struct bytes stored;
        struct driver *d = *state;

        set_keyring(d, "");
        assert_int_equal(wait_for(begin_save(d, "me")), NO_ERROR);
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);

        set_keyring(d, "cat > stored");
        assert_int_equal(add_with_password(d, false), NO_ERROR);
        assert_string_equal(calls(), "");
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);

        assert_int_equal(add_with_password(d, true), NO_ERROR);
        assert_string_equal(calls(), "store Z: srv:445 me \n");
        read_bytes(in_folder((void **) &d->folder, "stored"), &stored);
        assert_int_equal(stored.size_bytes, 7);
        assert_memory_equal(stored.data, "ch4nged", 7);
        assert_int_equal(row_secret(d), PROFILE_SECRET_SERVICE);
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);

        set_keyring(d, "exit 1");
        assert_int_equal(add_with_password(d, true), NO_ERROR);
        assert_string_equal(calls(), "store Z: srv:445 me \n");
        assert_string_equal(state_of(d, "Z:"), "ok");
        assert_int_equal(row_secret(d), PROFILE_SECRET_SERVICE);
}

static void looked_up_in_vain(void **state)
{
        static const struct {
                const char *answer;
                int status;
                bool again;
        } cases[] = {
                { "exit 1", ERROR_EXTENDED_ERROR, true },
                { "exit 2", ERROR_LOGON_FAILURE, false },
                { "exit 3", ERROR_EXTENDED_ERROR, true },
                { "exit 4", ERROR_EXTENDED_ERROR, true },
        };
        struct driver *d = *state;

        set_keyring(d, "");
        assert_int_equal(wait_for(begin_save(d, "me")), NO_ERROR);
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct connection *c = find(d, "Z:");

                set_keyring(d, cases[i].answer);
                c->retry_wanted = true;
                assert_int_equal(add(d, "Z:", SHARE, false), cases[i].status);
                assert_string_equal(state_of(d, "Z:"), "unavailable");
                assert_int_equal(c->next_retry_usec != 0, cases[i].again);
                assert_int_equal(row_secret(d), PROFILE_SECRET_SERVICE);
        }
        assert_int_equal(fake_plan("Z:")->n_starts, 1); /* no server was asked without a password */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, manager_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(forgotten_at_the_end),
                TEST(not_forgotten),
                TEST(saved),
                TEST(cannot_be_saved),
                TEST(row_fails),
                TEST(cancelled_while_saving),
                TEST(another_user),
                TEST(given_anew),
                TEST(looked_up_in_vain),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
