/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * core/attempt.c: what adding a connection answers, what is left behind when it fails, and when it is tried again. With
 * a fake redirector and a real profile.
 */

#include "manager-driver.h"

#include "core/session.h"

#define SHARE "\\\\srv\\share"
#define OTHER "\\\\srv\\other"

static void refused_at_once(void **state)
{
        static char long_path[4100];
        static const struct {
                struct add_request request;
                int status;
        } cases[] = {
                { { .local = "Q", .remote = SHARE }, ERROR_BAD_DEVICE },
                { { .local = "QQ:", .remote = SHARE }, ERROR_BAD_DEVICE },
                { { .local = "1:", .remote = SHARE }, ERROR_BAD_DEVICE },
                { { .local = "/mnt", .remote = SHARE }, ERROR_BAD_DEVICE },
                { { .local = "**", .remote = SHARE }, ERROR_BAD_DEVICE },
                { { .local = "Z:", .remote = "" }, ERROR_BAD_NET_NAME },
                { { .local = "Z:", .remote = "\\\\srv" }, ERROR_BAD_NET_NAME },
                { { .local = "Z:", .remote = "share" }, ERROR_BAD_NET_NAME },
                { { .local = "Z:", .remote = "//srv/../share" }, ERROR_BAD_NET_NAME },
                { { .local = "", .remote = "nothing" }, ERROR_BAD_NET_NAME },
                { { .local = "*", .remote = "nothing" }, ERROR_BAD_NET_NAME },
                { { .local = "Z:", .remote = SHARE, .type = RESOURCETYPE_PRINT }, ERROR_BAD_DEV_TYPE },
                { { .local = "LPT1", .remote = SHARE, .type = RESOURCETYPE_DISK }, ERROR_BAD_DEV_TYPE },
                { { .local = "*", .remote = SHARE, .type = RESOURCETYPE_PRINT }, ERROR_BAD_DEV_TYPE },
                { { .local = "", .remote = SHARE, .type = RESOURCETYPE_PRINT }, ERROR_BAD_DEV_TYPE },
                { { .local = "LPT1", .remote = "//srv/printer/dir" }, ERROR_BAD_NET_NAME },
                { { .local = "LPT1", .remote = SHARE, .read_only = true }, ERROR_INVALID_PARAMETER },
                { { .local = "Z:", .remote = SHARE, .type = 3 }, ERROR_INVALID_PARAMETER },
                { { .local = "Z:", .remote = SHARE, .type = UINT32_MAX }, ERROR_INVALID_PARAMETER },
                { { .local = "Z:", .remote = SHARE, .credentials_file = "not/absolute" }, ERROR_INVALID_PARAMETER },
                { { .local = "Z:", .remote = SHARE, .credentials_file = long_path }, ERROR_INVALID_PARAMETER },
        };
        struct driver *d = *state;

        memset(long_path, '/', sizeof long_path - 1);
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct answer *answer = begin_request(d, &cases[i].request);

                assert_int_equal(answer->n, 1); /* there is nothing to wait for */
                assert_int_equal(answer->status, cases[i].status);
        }
        assert_string_equal(fake_log(), "");
        assert_true(TAILQ_EMPTY(&d->manager.connections));
        assert_int_equal(count_entries(d->folder), 0);
}

static void connects(void **state)
{
        struct driver *d = *state;
        struct answer *answer = begin_add(d, "z:", "//srv:4450/Share", false);
        const struct connection *c = find(d, "Z:");

        assert_string_equal(state_of(d, "Z:"), "connecting");
        assert_int_equal(wait_for(answer), NO_ERROR);
        assert_ptr_equal(answer->connection, c);
        assert_string_equal(c->mountpoint, "/tmp/wnet-unit-drives/Z");
        assert_string_equal(c->remote.share, "Share");
        assert_int_equal(c->remote.port, 4450);
        assert_false(c->remembered);
        assert_string_equal(d->states, "Z: connecting\nZ: ok\n");
        assert_string_equal(fake_log(), "start Z:\n");
        assert_int_equal(count_entries(d->folder), 0); /* the profile is not even made */
}

static void port(void **state)
{
        static const uint32_t types[] = { RESOURCETYPE_ANY, RESOURCETYPE_PRINT };
        struct driver *d = *state;
        struct profile_rows rows = { 0 };
        struct wn_error err;

        for (size_t i = 0; i < N_ELEMENTS(types); i++) {
                const struct add_request request = { .local = i ? "lpt1:" : "LPT9", .remote = "//srv/printer", .type = types[i],
                                                     .persistent = true };

                assert_int_equal(wait_for(begin_request(d, &request)), NO_ERROR);
        }
        assert_string_equal(find(d, "LPT1")->mountpoint, "/tmp/wnet-unit-drives/LPT1");
        assert_true(connection_is_printer(find(d, "LPT9")));
        assert_int_equal(profile_load(d->manager.profile_path, &rows, &err), 0);
        assert_int_equal(rows.n_items, 2);
        assert_int_equal(rows.items[0].type, RESOURCETYPE_PRINT);
        assert_int_equal(rows.items[1].type, RESOURCETYPE_PRINT);
        profile_rows_done(&rows);
}

static void deviceless(void **state)
{
        struct driver *d = *state;

        assert_int_equal(add(d, "", "//srv/share/dir", true), NO_ERROR);
        assert_string_equal(state_of(d, "\\\\srv\\share\\dir"), "ok");
        assert_string_equal(find(d, "\\\\srv\\share\\dir")->mountpoint, "/tmp/wnet-unit-drives/UNC/srv/share%2Fdir");
        assert_int_equal(count_rows(d), 0); /* never remembered */
        assert_int_equal(add(d, "", "\\\\SRV\\share\\dir", false), ERROR_ALREADY_ASSIGNED);
        assert_int_equal(add(d, "", "//srv/share", false), NO_ERROR); /* a resource of its own */
        assert_int_equal(add(d, "Z:", "//srv/share", false), NO_ERROR);
}

/* What cannot be connected is named once. */
static void deviceless_fails(void **state)
{
        static const char begin[] = OTHER " cannot be connected: ";
        struct driver *d = *state;
        struct answer *answer;

        fake_plan(OTHER)->start_result = ERROR_BAD_NET_NAME;
        answer = begin_add(d, "", OTHER, false);
        assert_int_equal(wait_for(answer), ERROR_BAD_NET_NAME);
        assert_memory_equal(answer->err.text, begin, sizeof begin - 1);
        assert_null(strstr(answer->err.text + 1, OTHER));
}

static void already_connected(void **state)
{
        struct driver *d = *state;
        struct answer *first = begin_add(d, "Z:", SHARE, false);

        assert_int_equal(add(d, "Z:", SHARE, false), ERROR_ALREADY_ASSIGNED); /* while it is connecting */
        assert_int_equal(wait_for(first), NO_ERROR);
        assert_int_equal(add(d, "Z:", SHARE, false), ERROR_ALREADY_ASSIGNED);
        assert_int_equal(add(d, "z:", OTHER, true), ERROR_ALREADY_ASSIGNED);
        assert_int_equal(count_rows(d), 0);
        assert_int_equal(add(d, "Y:", SHARE, false), NO_ERROR);
        assert_int_equal(fake_plan("Z:")->n_starts, 1);
}

/* Z: is remembered for SHARE, and not connected. */
static struct connection *make_unavailable(struct driver *d)
{
        put_row(d, "Z:", SHARE);
        fake_plan("Z:")->start_result = ERROR_BAD_NETPATH;
        manager_restore(&d->manager);
        LOOP_UNTIL(d->event, strcmp(state_of(d, "Z:"), "unavailable") == 0 && fake_n_redirectors() == 0);
        fake_plan("Z:")->start_result = 0;
        return find(d, "Z:");
}

static void remembered(void **state)
{
        struct driver *d = *state;
        struct connection *c = make_unavailable(d);

        assert_int_equal(add(d, "Z:", OTHER, false), ERROR_DEVICE_ALREADY_REMEMBERED);
        assert_int_equal(add(d, "Z:", OTHER, true), ERROR_DEVICE_ALREADY_REMEMBERED);
        assert_int_equal(fake_plan("Z:")->n_starts, 1);
        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR); /* the same: connected again */
        assert_ptr_equal(find(d, "Z:"), c);
        assert_true(c->remembered);
        assert_int_equal(c->next_retry_usec, 0);
        assert_int_equal(count_rows(d), 1);
}

static void remembered_by_somebody_else(void **state)
{
        struct driver *d = *state;

        put_row(d, "Z:", SHARE); /* after the daemon's start */
        assert_int_equal(add(d, "Z:", OTHER, true), ERROR_DEVICE_ALREADY_REMEMBERED);
        assert_string_equal(fake_log(), "");
        assert_int_equal(count_rows(d), 1);
        assert_string_equal(state_of(d, "Z:"), "none");
        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        assert_int_equal(count_rows(d), 1);
}

static void failures(void **state)
{
        static const int statuses[] = {
                ERROR_BAD_NETPATH, ERROR_NO_NET_OR_BAD_PATH, ERROR_BAD_NET_NAME, ERROR_LOGON_FAILURE,
                ERROR_INVALID_PASSWORD, ERROR_ACCESS_DENIED, ERROR_EXTENDED_ERROR,
        };
        struct driver *d = *state;
        struct fake_plan *plan = fake_plan("Z:");

        plan->start_text = "as the server said";
        for (size_t i = 0; i < N_ELEMENTS(statuses); i++) {
                struct answer *answer;

                plan->start_result = statuses[i];
                answer = begin_add(d, "Z:", SHARE, true);
                assert_string_equal(state_of(d, "Z:"), "connecting");
                assert_int_equal(wait_for(answer), statuses[i]);
                assert_non_null(strstr(answer->err.text, "as the server said"));
                assert_string_equal(state_of(d, "Z:"), "none");
                LOOP_UNTIL(d->event, TAILQ_EMPTY(&d->manager.connections));
                assert_int_equal(fake_n_redirectors(), 0);
                assert_false(plan->folder);
                assert_int_equal(count_rows(d), 0); /* the row comes after success only */
        }
        plan->start_result = 0;
        plan->refuse_start = -ENOMEM;
        assert_int_equal(add(d, "Z:", SHARE, false), ERROR_EXTENDED_ERROR);
        assert_string_equal(state_of(d, "Z:"), "none");
        plan->refuse_start = 0;
        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
}

static void row_is_written(void **state)
{
        struct driver *d = *state;
        struct add_request request = {
                .local = "Y:", .remote = "//srv:4450/share/dir", .type = RESOURCETYPE_ANY, .persistent = true,
                .read_only = true, .credentials_file = "/home/me/cred",
        };
        struct profile_rows rows;
        struct answer *answer;

        request.credentials.user = (char *) "me";
        request.credentials.domain = (char *) "DOM";
        assert_int_equal(secret_set(&request.credentials.password, "s3cret"), 0);
        fake_plan("Y:")->start_stops = true;
        answer = begin_request(d, &request);
        secret_done(&request.credentials.password);
        LOOP_UNTIL(d->event, fake_plan("Y:")->n_starts == 1);
        loop_for(d->event, 20000);
        assert_int_equal(count_rows(d), 0); /* not before it has succeeded */
        assert_string_equal(find(d, "Y:")->credentials.password.bytes, "s3cret");
        fake_go_on(find(d, "Y:"), 0);
        assert_int_equal(wait_for(answer), NO_ERROR);
        assert_true(answer->connection->remembered);

        assert_int_equal(profile_load(d->profile, &rows, NULL), 0);
        assert_int_equal(rows.n_items, 1);
        assert_string_equal(rows.items[0].device, "Y:");
        assert_string_equal(rows.items[0].remote, "\\\\srv:4450\\share\\dir");
        assert_int_equal(rows.items[0].type, RESOURCETYPE_DISK);
        assert_string_equal(rows.items[0].user, "me");
        assert_string_equal(rows.items[0].domain, "DOM");
        assert_true(rows.items[0].read_only);
        assert_int_equal(rows.items[0].secret, PROFILE_SECRET_FILE);
        assert_string_equal(rows.items[0].credentials_file, "/home/me/cred");
        assert_true(rows.items[0].since_usec > 1600000000000000);
        profile_rows_done(&rows);
}

static void bad_profile(void **state)
{
        struct driver *d = *state;
        static struct bytes before;

        break_profile(d);
        read_bytes(d->profile, &before);
        assert_int_equal(add(d, "Z:", SHARE, true), ERROR_BAD_PROFILE);
        assert_string_equal(state_of(d, "Z:"), "none");
        assert_string_equal(fake_log(), ""); /* checked first */
        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR); /* who does not ask for it is not bothered by it */
        assert_file_is(d->profile, &before);

        block_profile(d);
        assert_int_equal(add(d, "Y:", SHARE, true), ERROR_CANNOT_OPEN_PROFILE);
        assert_string_equal(state_of(d, "Y:"), "none");
        assert_int_equal(add(d, "Y:", SHARE, false), NO_ERROR);
        assert_int_equal(count_entries(d->profile), 0);
        assert_int_equal(rmdir(d->profile), 0);
}

/* The row cannot be written after all: the mount goes again. */
static void profile_breaks_meanwhile(void **state)
{
        struct driver *d = *state;
        struct answer *answer;

        fake_plan("Z:")->start_stops = true;
        answer = begin_add(d, "Z:", SHARE, true);
        LOOP_UNTIL(d->event, fake_plan("Z:")->n_starts == 1);
        break_profile(d);
        fake_go_on(find(d, "Z:"), 0);
        assert_int_equal(wait_for(answer), ERROR_BAD_PROFILE);
        LOOP_UNTIL(d->event, fake_n_redirectors() == 0);
        assert_string_equal(fake_log(), "start Z:\nrevoke Z:\nfree Z:\n");
        assert_string_equal(state_of(d, "Z:"), "none");
        assert_false(fake_plan("Z:")->mounted);
        assert_false(fake_plan("Z:")->folder);
}

static void profile_locked_for_a_moment(void **state)
{
        struct driver *d = *state;
        struct answer *answer;
        void *lock;

        put_row(d, "A:", SHARE);
        lock = lock_profile(d);
        answer = begin_add(d, "Z:", SHARE, true);
        loop_for(d->event, 200000);
        assert_int_equal(answer->n, 0);
        unlock_profile(lock);
        assert_int_equal(wait_for(answer), NO_ERROR);
        assert_true(has_row(d, "Z:"));
}

static void profile_stays_locked(void **state)
{
        struct driver *d = *state;
        void *lock;

        put_row(d, "A:", SHARE);
        lock = lock_profile(d);
        assert_int_equal(add(d, "Z:", SHARE, true), ERROR_CANNOT_OPEN_PROFILE); /* in bounded time */
        assert_string_equal(state_of(d, "Z:"), "none");
        assert_string_equal(fake_log(), "");
        unlock_profile(lock);
        assert_false(has_row(d, "Z:"));
}

static struct answer *begin_of_domain(struct driver *d, const char *local, const char *remote, const char *domain, const char *user,
                                      const char *password)
{
        struct add_request request = { .local = local, .remote = remote, .type = RESOURCETYPE_DISK };
        struct answer *answer;

        request.credentials.domain = (char *) domain;
        request.credentials.user = (char *) user;
        assert_int_equal(secret_set(&request.credentials.password, password), 0);
        answer = begin_request(d, &request);
        secret_done(&request.credentials.password);
        return answer;
}

static struct answer *begin_as(struct driver *d, const char *local, const char *remote, const char *user, const char *password)
{
        return begin_of_domain(d, local, remote, NULL, user, password);
}

static struct answer *add_as(struct driver *d, const char *local, const char *remote, const char *user, const char *password)
{
        struct answer *answer = begin_as(d, local, remote, user, password);

        (void) wait_for(answer);
        return answer;
}

/* Capitals make no other name, in any alphabet: of a share, a server or a user. */
static void spelled_otherwise(void **state)
{
        struct driver *d = *state;

        assert_int_equal(add(d, "Z:", "//f\u00fcr/gr\u00f6\u00dfe", true), NO_ERROR);
        assert_int_equal(cancel(d, "//F\u00dcR/GR\u00d6\u00dfE", 0, false), NO_ERROR);
        assert_int_equal(add(d, "Z:", "//F\u00dcR/GR\u00d6\u00dfE", true), NO_ERROR);
        assert_int_equal(cancel(d, "Z:", CONNECT_UPDATE_PROFILE, false), NO_ERROR);
        assert_int_equal(add_as(d, "Z:", "//f\u00fcr/a", "j\u00f6rg", "one")->status, NO_ERROR);
        assert_int_equal(add_as(d, "Y:", "//F\u00dcR/b", "J\u00d6RG", "one")->status, NO_ERROR);
        assert_int_equal(add_as(d, "X:", "//F\u00dcR/c", "bob", "two")->status, ERROR_SESSION_CREDENTIAL_CONFLICT);
}

static void credential_conflict(void **state)
{
        struct driver *d = *state;
        struct answer *answer;

        assert_int_equal(add_as(d, "Z:", SHARE, "alice", "one")->status, NO_ERROR);
        answer = add_as(d, "Y:", OTHER, "bob", "two");
        assert_int_equal(answer->status, ERROR_SESSION_CREDENTIAL_CONFLICT);
        assert_non_null(strstr(answer->err.text, "Z:"));
        assert_string_equal(state_of(d, "Y:"), "none");
        assert_non_null(strstr(answer->err.text, "other credentials, as alice"));
        answer = add_as(d, "Y:", "\\\\SRV\\other", "Alice", "two");
        assert_int_equal(answer->status, ERROR_SESSION_CREDENTIAL_CONFLICT);
        assert_non_null(strstr(answer->err.text, "the password is not the one with which Z: is connected to the same server, as alice"));
        assert_null(strstr(answer->err.text, "other credentials"));
        assert_int_equal(add_as(d, "", OTHER, "bob", "two")->status, ERROR_SESSION_CREDENTIAL_CONFLICT);
        assert_int_equal(add_as(d, "Y:", OTHER, "alice", "one")->status, NO_ERROR);
        assert_int_equal(add_as(d, "X:", "//srv:4450/share", "bob", "two")->status, NO_ERROR); /* another server */
        assert_int_equal(add_as(d, "W:", SHARE, NULL, NULL)->status, NO_ERROR); /* none: those of the session */
        assert_string_equal(find(d, "W:")->credentials.user, "alice");
        assert_string_equal(find(d, "W:")->credentials.password.bytes, "one");

        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        assert_int_equal(add_as(d, "Z:", SHARE, "bob", "two")->status, ERROR_SESSION_CREDENTIAL_CONFLICT);
        assert_int_equal(cancel(d, "Y:", 0, false), NO_ERROR);
        assert_int_equal(cancel(d, "W:", 0, false), NO_ERROR);
        /* With the last one the session went. */
        assert_int_equal(add_as(d, "Z:", SHARE, "bob", "two")->status, NO_ERROR);
}

/* One name in two domains is two users, whether a password is given or not. */
static void credential_conflict_of_domains(void **state)
{
        struct driver *d = *state;
        struct answer *answer;

        assert_int_equal(wait_for(begin_of_domain(d, "Z:", SHARE, "CORP", "alice", "one")), NO_ERROR);
        assert_int_equal(wait_for(begin_of_domain(d, "Y:", OTHER, "OTHER", "alice", "one")), ERROR_SESSION_CREDENTIAL_CONFLICT);
        answer = begin_of_domain(d, "Y:", OTHER, "OTHER", "alice", NULL);
        assert_int_equal(wait_for(answer), ERROR_SESSION_CREDENTIAL_CONFLICT);
        assert_non_null(strstr(answer->err.text, "Z:"));
        assert_int_equal(wait_for(begin_of_domain(d, "Y:", OTHER, "corp", "Alice", NULL)), NO_ERROR);
        assert_string_equal(find(d, "Y:")->credentials.password.bytes, "one");
        assert_int_equal(add_as(d, "X:", OTHER, "alice", NULL)->status, NO_ERROR); /* of no domain in particular */
        assert_string_equal(find(d, "X:")->credentials.domain, "CORP");
        assert_string_equal(find(d, "X:")->credentials.password.bytes, "one");
}

static struct connection *find_session(struct driver *d)
{
        struct remote_name server = { 0 };
        struct connection *session;

        assert_int_equal(remote_name_parse(SHARE, &server), 0);
        session = session_find(&d->manager, &server);
        remote_name_done(&server);
        return session;
}

/* A guest's connection is no conflict for one of the same name; it has nothing to give. */
static void password_of_the_session(void **state)
{
        struct driver *d = *state;

        d->manager.login = "me";
        fake_plan("X:")->user = "me";
        assert_int_equal(add_as(d, "X:", SHARE, NULL, NULL)->status, NO_ERROR);
        assert_ptr_equal(find_session(d), find(d, "X:"));
        assert_int_equal(add_as(d, "Z:", OTHER, "me", "one")->status, NO_ERROR);
        assert_ptr_equal(find_session(d), find(d, "Z:"));
        assert_int_equal(add_as(d, "Y:", OTHER, NULL, NULL)->status, NO_ERROR);
        assert_string_equal(find(d, "Y:")->credentials.password.bytes, "one");
}

/* What is to be disconnected first is named as a shell takes it. */
static void conflict_without_a_device(void **state)
{
        struct driver *d = *state;
        struct answer *answer;

        assert_int_equal(add_as(d, "", SHARE, "alice", "one")->status, NO_ERROR);
        answer = add_as(d, "Y:", OTHER, "bob", "two");
        assert_int_equal(answer->status, ERROR_SESSION_CREDENTIAL_CONFLICT);
        assert_true(strncmp(answer->err.text, "\\\\srv\\share is connected", 24) == 0);
        assert_non_null(strstr(answer->err.text, ": wnet cancel //srv/share"));
        assert_int_equal(cancel(d, SHARE, 0, false), NO_ERROR);
        assert_int_equal(add_as(d, "", "//srv/my share", "alice", "one")->status, NO_ERROR);
        assert_non_null(strstr(add_as(d, "Y:", OTHER, "bob", "two")->err.text, ": wnet cancel '//srv/my share'"));
}

static int add_remembered(struct driver *d, const char *user, const char *password)
{
        struct add_request request = { .local = "Z:", .remote = SHARE, .type = RESOURCETYPE_DISK, .persistent = true };
        struct answer *answer;

        request.credentials.user = (char *) user;
        assert_int_equal(secret_set(&request.credentials.password, password), 0);
        answer = begin_request(d, &request);
        secret_done(&request.credentials.password);
        return wait_for(answer);
}

static void restore_and_wait(struct driver *d, const char *device)
{
        struct wn_error err = { 0 };

        assert_int_equal(manager_restore_device(&d->manager, device, &(struct caller){ 0 }, NULL, NULL, &err), 0);
        LOOP_UNTIL(d->event, strcmp(state_of(d, device), "ok") == 0);
}

/* As somebody else, or for reading only: what is remembered comes back with the end of that. */
static void connected_with_something_else_for_once(void **state)
{
        const struct add_request read_only = { .local = "Z:", .remote = SHARE, .type = RESOURCETYPE_DISK, .read_only = true };
        struct driver *d = *state;
        struct connection *c;

        assert_int_equal(add_remembered(d, "alice", "one"), NO_ERROR);
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        assert_int_equal(add_as(d, "Z:", SHARE, "bob", "two")->status, NO_ERROR);
        c = find(d, "Z:");
        assert_string_equal(c->credentials.user, "bob");
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        restore_and_wait(d, "Z:");
        assert_string_equal(c->credentials.user, "alice");
        assert_string_equal(c->credentials.password.bytes, "one");

        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        assert_int_equal(wait_for(begin_request(d, &read_only)), NO_ERROR);
        assert_true(c->read_only);
        connection_unmounted(c);
        assert_false(c->read_only);
        restore_and_wait(d, "Z:");
        assert_string_equal(c->credentials.password.bytes, "one");

        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        assert_int_equal(add_as(d, "Z:", SHARE, "alice", "new")->status, NO_ERROR); /* the same user's */
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        restore_and_wait(d, "Z:");
        assert_string_equal(c->credentials.password.bytes, "new");

        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        assert_int_equal(add_as(d, "Z:", SHARE, "bob", "two")->status, NO_ERROR);
        assert_int_equal(cancel(d, "Z:", CONNECT_UPDATE_PROFILE, false), NO_ERROR);
        assert_string_equal(state_of(d, "Z:"), "none");
}

/* What was refused, or failed with credentials of its own, is no reason not to try again with what is remembered. */
static void tried_again_after_somebody_else(void **state)
{
        struct driver *d = *state;
        struct wn_error err = { 0 };
        struct connection *c;

        assert_int_equal(add_remembered(d, "alice", "one"), NO_ERROR);
        c = find(d, "Z:");
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        fake_plan("Z:")->start_result = ERROR_BAD_NETPATH;
        c->retry_wanted = true; /* as after a logon */
        manager_reconnect(c);
        LOOP_UNTIL(d->event, c->next_retry_usec != 0);

        fake_plan("Z:")->start_result = ERROR_LOGON_FAILURE;
        assert_int_equal(add_as(d, "Z:", SHARE, "bob", "typo")->status, ERROR_LOGON_FAILURE);
        assert_true(c->next_retry_usec != 0);

        fake_plan("Z:")->start_result = 0;
        assert_int_equal(add_as(d, "Y:", OTHER, "bob", "two")->status, NO_ERROR);
        assert_int_equal(manager_restore_device(&d->manager, "Z:", &(struct caller){ 0 }, NULL, NULL, &err), ERROR_SESSION_CREDENTIAL_CONFLICT);
        assert_true(c->next_retry_usec != 0);
        assert_int_equal(add(d, "Z:", SHARE, false), ERROR_SESSION_CREDENTIAL_CONFLICT);
        assert_true(c->next_retry_usec != 0);
}

static struct answer *add_with_file(struct driver *d, const char *local, const char *remote, const char *file)
{
        struct add_request request = { .local = local, .remote = remote, .type = RESOURCETYPE_DISK, .credentials_file = file };
        struct answer *answer = begin_request(d, &request);

        (void) wait_for(answer);
        return answer;
}

/* Whom a credentials file stands for is known once the server has accepted it. */
static void credential_conflict_of_files(void **state)
{
        struct driver *d = *state;

        d->manager.login = "me";
        fake_plan("Z:")->user = "Alice";
        assert_int_equal(add_with_file(d, "Z:", SHARE, "/alice")->status, NO_ERROR);
        assert_int_equal(add_as(d, "Y:", OTHER, "bob", "two")->status, ERROR_SESSION_CREDENTIAL_CONFLICT);
        assert_int_equal(add_as(d, "Y:", OTHER, NULL, "two")->status, ERROR_SESSION_CREDENTIAL_CONFLICT); /* "me" */
        fake_plan("Y:")->user = "bob";
        assert_int_equal(add_with_file(d, "Y:", OTHER, "/bob")->status, ERROR_SESSION_CREDENTIAL_CONFLICT);
        assert_false(fake_plan("Y:")->mounted);
        assert_string_equal(state_of(d, "Y:"), "none");
        fake_plan("Y:")->user = "alice";
        assert_int_equal(add_with_file(d, "Y:", OTHER, "/also-alice")->status, NO_ERROR);
        fake_plan("X:")->user = "alice";
        assert_int_equal(add_as(d, "X:", OTHER, NULL, NULL)->status, NO_ERROR);
        assert_string_equal(find(d, "X:")->credentials_file, "/alice");
}

/* Who is only being tried is in nobody's way: a wrong password there refuses no right one here. */
static void attempt_is_no_conflict(void **state)
{
        struct driver *d = *state;
        struct answer *wrong, *right;

        fake_plan("Z:")->start_stops = true;
        wrong = begin_as(d, "Z:", SHARE, "alice", "wrong");
        right = begin_as(d, "Y:", OTHER, "alice", "right");
        assert_int_equal(wait_for(right), NO_ERROR);
        fake_go_on(find(d, "Z:"), ERROR_LOGON_FAILURE);
        assert_int_equal(wait_for(wrong), ERROR_LOGON_FAILURE);
}

/* What it is tried with may be wrong, and nobody else's. */
static void attempt_is_no_session(void **state)
{
        struct add_request bob = { .local = "W:", .remote = OTHER, .type = RESOURCETYPE_DISK, .credentials_file = "/bob" };
        struct driver *d = *state;
        struct answer *wrong, *file;

        fake_plan("Z:")->start_stops = fake_plan("W:")->start_stops = true;
        wrong = begin_as(d, "Z:", SHARE, "alice", "wrong");
        file = begin_request(d, &bob);
        assert_null(find_session(d));
        assert_int_equal(add_as(d, "Y:", OTHER, NULL, NULL)->status, NO_ERROR);
        assert_null(find(d, "Y:")->credentials.user);
        assert_null(find(d, "Y:")->credentials.password.bytes);
        assert_ptr_equal(find_session(d), find(d, "Y:"));
        assert_int_equal(cancel(d, "Y:", 0, false), NO_ERROR);

        assert_int_equal(add_as(d, "X:", OTHER, "alice", "right")->status, NO_ERROR);
        assert_int_equal(add_as(d, "Y:", OTHER, NULL, NULL)->status, NO_ERROR);
        assert_string_equal(find(d, "Y:")->credentials.password.bytes, "right");
        assert_null(find(d, "Y:")->credentials_file);
        fake_go_on(find(d, "Z:"), ERROR_LOGON_FAILURE);
        fake_go_on(find(d, "W:"), ERROR_LOGON_FAILURE);
        assert_int_equal(wait_for(wrong), ERROR_LOGON_FAILURE);
        assert_int_equal(wait_for(file), ERROR_LOGON_FAILURE);
}

/* Two that the server accepts in the same moment: one of them is connected. */
static void conflict_of_attempts(void **state)
{
        struct add_request first = { .local = "Z:", .remote = SHARE, .type = RESOURCETYPE_DISK, .credentials_file = "/alice" };
        struct add_request second = { .local = "Y:", .remote = OTHER, .type = RESOURCETYPE_DISK, .credentials_file = "/bob" };
        struct driver *d = *state;
        struct answer *answers[2];

        fake_plan("Z:")->user = "alice";
        fake_plan("Y:")->user = "bob";
        fake_plan("Z:")->start_stops = fake_plan("Y:")->start_stops = true;
        answers[0] = begin_request(d, &first);
        answers[1] = begin_request(d, &second);
        fake_go_on(find(d, "Z:"), 0);
        fake_go_on(find(d, "Y:"), 0);
        assert_int_equal(wait_for(answers[0]), NO_ERROR);
        assert_int_equal(wait_for(answers[1]), ERROR_SESSION_CREDENTIAL_CONFLICT);
        assert_non_null(strstr(answers[1]->err.text, "Z:"));
}

/* What a remembered device was given of another's session is not its own when it fails. */
static void joined_credentials_are_dropped(void **state)
{
        struct driver *d = *state;

        put_row(d, "Z:", SHARE);
        d->manager.login = "me";
        fake_plan("Z:")->start_result = ERROR_BAD_NETPATH;
        manager_restore(&d->manager);
        LOOP_UNTIL(d->event, find(d, "Z:")->state == CONNECTION_UNAVAILABLE);
        assert_int_equal(add_as(d, "Y:", OTHER, "bob", "two")->status, NO_ERROR);
        assert_int_equal(add_as(d, "Z:", SHARE, NULL, NULL)->status, ERROR_BAD_NETPATH);
        assert_null(find(d, "Z:")->credentials.user);
        assert_null(find(d, "Z:")->credentials.password.bytes);
        assert_int_equal(cancel(d, "Y:", 0, false), NO_ERROR);
        assert_int_equal(add_as(d, "Y:", OTHER, "alice", "one")->status, NO_ERROR);
        fake_plan("Z:")->start_result = 0;
        assert_int_equal(add_as(d, "Z:", SHARE, NULL, NULL)->status, NO_ERROR);
        assert_string_equal(find(d, "Z:")->credentials.user, "alice");
}

/* What somebody tried in vain is not what a remembered device is tried with later. */
static void failed_credentials_are_dropped(void **state)
{
        struct add_request read_only = { .local = "Z:", .remote = SHARE, .type = RESOURCETYPE_DISK, .read_only = true };
        struct driver *d = *state;

        d->manager.login = "me";
        read_only.credentials.user = (char *) "bob";
        assert_int_equal(add_as(d, "Z:", SHARE, "alice", "one")->status, NO_ERROR);
        put_row(d, "Z:", SHARE);
        find(d, "Z:")->remembered = true;
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        fake_plan("Z:")->start_result = ERROR_LOGON_FAILURE;
        assert_int_equal(wait_for(begin_request(d, &read_only)), ERROR_LOGON_FAILURE);
        assert_string_equal(find(d, "Z:")->credentials.user, "alice");
        assert_string_equal(find(d, "Z:")->credentials.password.bytes, "one");
        assert_false(find(d, "Z:")->read_only);
        fake_plan("Z:")->start_result = 0;
        assert_int_equal(add_as(d, "Z:", SHARE, NULL, "two")->status, NO_ERROR); /* a password alone: the same user's */
        assert_string_equal(find(d, "Z:")->credentials.user, "alice");
        assert_string_equal(find(d, "Z:")->credentials.password.bytes, "two");
}

/* Remembered without a password, beside a drive that has one: it comes back with that one, and not when it was disconnected. */
static void session_comes_later(void **state)
{
        struct driver *d = *state;

        put_row(d, "Y:", OTHER);
        fake_plan("Y:")->start_result = ERROR_LOGON_FAILURE;
        manager_restore(&d->manager);
        LOOP_UNTIL(d->event, find(d, "Y:")->state == CONNECTION_UNAVAILABLE);
        assert_int_equal(find(d, "Y:")->next_retry_usec, 0);
        assert_int_equal(add_as(d, "X:", "//srv2/share", "alice", "one")->status, NO_ERROR); /* not this server */
        loop_for(d->event, 100000);
        assert_int_equal(fake_plan("Y:")->n_starts, 1);
        assert_int_equal(add_as(d, "W:", OTHER, "alice", "one")->status, NO_ERROR); /* tried again, once */
        loop_for(d->event, 100000);
        assert_int_equal(fake_plan("Y:")->n_starts, 2);
        fake_plan("Y:")->start_result = 0;
        assert_int_equal(cancel(d, "W:", 0, false), NO_ERROR);
        assert_int_equal(add_as(d, "Z:", SHARE, "alice", "one")->status, NO_ERROR);
        LOOP_UNTIL(d->event, find(d, "Y:")->state == CONNECTION_OK);
        assert_int_equal(cancel(d, "Y:", 0, false), NO_ERROR);
        assert_int_equal(add_as(d, "W:", OTHER, "alice", "one")->status, NO_ERROR);
        loop_for(d->event, 100000);
        assert_string_equal(state_of(d, "Y:"), "unavailable");
}

/* Y:, remembered without a user, is connected with what alice's Z: has. */
static struct connection *join_alice(struct driver *d)
{
        struct connection *c;

        put_row(d, "Y:", OTHER);
        fake_plan("Y:")->start_result = ERROR_LOGON_FAILURE;
        manager_restore(&d->manager);
        c = find(d, "Y:");
        LOOP_UNTIL(d->event, c->state == CONNECTION_UNAVAILABLE && !c->redirector);
        fake_plan("Y:")->start_result = 0;
        assert_int_equal(add_as(d, "Z:", SHARE, "alice", "one")->status, NO_ERROR);
        LOOP_UNTIL(d->event, c->state == CONNECTION_OK);
        assert_string_equal(c->credentials.user, "alice");
        return c;
}

static char *user_in_row(struct driver *d)
{
        struct profile_rows rows = { 0 };
        char *user;

        assert_int_equal(profile_load(d->profile, &rows, NULL), 0);
        assert_int_equal(rows.n_items, 1);
        user = rows.items[0].user ? strdup(rows.items[0].user) : NULL;
        profile_rows_done(&rows);
        return user;
}

/* What comes from a session ends with the connection, whoever began the attempt: the next one is the next session's. */
static void joined_credentials_are_given_back(void **state)
{
        struct driver *d = *state;
        struct connection *c = join_alice(d);

        assert_int_equal(cancel(d, "Y:", 0, false), NO_ERROR);
        assert_null(c->credentials.user); /* the row has none */
        assert_null(c->credentials.password.bytes);
        assert_null(c->session_user);
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        assert_int_equal(add_as(d, "W:", SHARE, "bob", "two")->status, NO_ERROR);
        restore_and_wait(d, "Y:");
        assert_string_equal(c->credentials.user, "bob");
        assert_string_equal(c->credentials.password.bytes, "two");

        connection_unmounted(c);
        assert_null(c->credentials.user);
        assert_int_equal(cancel(d, "W:", 0, false), NO_ERROR);
        assert_int_equal(add(d, "Y:", OTHER, true), NO_ERROR);
        assert_null(user_in_row(d));
}

/* A row that is written while a session lends its user has that user, and no more. */
static void joined_user_is_remembered(void **state)
{
        struct driver *d = *state;
        struct connection *c = join_alice(d);
        char *user;

        assert_int_equal(cancel(d, "Y:", 0, false), NO_ERROR);
        assert_int_equal(add(d, "Y:", OTHER, true), NO_ERROR);
        user = user_in_row(d);
        assert_string_equal(user, "alice");
        free(user);
        assert_int_equal(cancel(d, "Y:", 0, false), NO_ERROR);
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        assert_string_equal(c->credentials.user, "alice");
        assert_null(c->credentials.password.bytes);
        assert_int_equal(add_as(d, "W:", SHARE, "alice", "two")->status, NO_ERROR); /* she has another password now */
        restore_and_wait(d, "Y:");
        assert_string_equal(c->credentials.password.bytes, "two");
}

/* What it was connected as before says nothing of the next attempt. */
static void session_is_over(void **state)
{
        struct driver *d = *state;

        assert_int_equal(add_remembered(d, "alice", "one"), NO_ERROR);
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        assert_int_equal(add_as(d, "W:", OTHER, "bob", "two")->status, NO_ERROR);
        assert_int_equal(add_as(d, "Z:", SHARE, "bob", "two")->status, NO_ERROR);
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
        assert_string_equal(find(d, "Z:")->credentials.user, "alice");
        assert_string_equal(find(d, "Z:")->credentials.password.bytes, "one");
}

/* Y: is refused for want of a password when Z: has just begun a session with the server; the next attempt ends with result. */
static void refuse_behind_session(struct driver *d, int result)
{
        put_row(d, "Y:", OTHER);
        fake_plan("Y:")->start_stops = true;
        manager_restore(&d->manager);
        LOOP_UNTIL(d->event, fake_plan("Y:")->n_starts == 1);
        assert_int_equal(add_as(d, "Z:", SHARE, "alice", "one")->status, NO_ERROR);
        fake_plan("Y:")->start_stops = false;
        fake_plan("Y:")->start_result = result;
        fake_go_on(find(d, "Y:"), ERROR_LOGON_FAILURE);
}

/* Nothing would try it again otherwise. */
static void session_comes_meanwhile(void **state)
{
        struct driver *d = *state;

        refuse_behind_session(d, 0);
        LOOP_UNTIL(d->event, find(d, "Y:")->state == CONNECTION_OK);
        assert_int_equal(fake_plan("Y:")->n_starts, 2);
        assert_string_equal(find(d, "Y:")->credentials.user, "alice");
}

/* It is tried once for each session, not for ever: this one is somebody else's. */
static void session_comes_meanwhile_in_vain(void **state)
{
        struct driver *d = *state;

        refuse_behind_session(d, ERROR_LOGON_FAILURE);
        loop_for(d->event, 200000);
        assert_int_equal(fake_plan("Y:")->n_starts, 2);
        assert_string_equal(state_of(d, "Y:"), "unavailable");
}

static uint64_t realtime(void)
{
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        return (uint64_t) now.tv_sec * 1000000;
}

static void retries(void **state)
{
        static const int never[] = {
                ERROR_LOGON_FAILURE, ERROR_INVALID_PASSWORD, ERROR_ACCESS_DENIED, ERROR_BAD_USERNAME,
                ERROR_INVALID_PARAMETER,
        };
        static const int later[] = {
                ERROR_BAD_NETPATH, ERROR_NO_NET_OR_BAD_PATH, ERROR_NO_NETWORK, ERROR_EXTENDED_ERROR,
        };
        struct driver *d = *state;
        struct connection *c = make_unavailable(d);
        struct fake_plan *plan = fake_plan("Z:");
        uint64_t distance = c->next_retry_usec - realtime();

        assert_in_range(distance, 3000000, 7000000);
        assert_string_equal(c->reason, "planned");
        for (size_t i = 0; i < N_ELEMENTS(later); i++) { /* twice as long each time */
                plan->start_result = later[i];
                manager_reconnect(c);
                assert_int_equal(c->next_retry_usec, 0);
                LOOP_UNTIL(d->event, c->state == CONNECTION_UNAVAILABLE);
                assert_in_range(c->next_retry_usec - realtime(), distance * 3 / 2, distance * 5 / 2);
                distance = c->next_retry_usec - realtime();
                LOOP_UNTIL(d->event, !c->redirector);
        }
        c->retries = 1000;
        manager_plan_retry(c);
        assert_in_range(c->next_retry_usec - realtime(), 200000000, 301000000); /* but not for ever longer */

        for (size_t i = 0; i < N_ELEMENTS(never); i++) {
                plan->start_result = never[i];
                c->retry_wanted = true;
                manager_reconnect(c);
                LOOP_UNTIL(d->event, c->state == CONNECTION_UNAVAILABLE && !c->redirector);
                assert_int_equal(c->next_retry_usec, 0);
        }
        plan->start_result = 0;
        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
        assert_int_equal(c->retries, 0);
        assert_int_equal(c->next_retry_usec, 0);
        assert_int_equal(count_rows(d), 1);
}

static void unmounted_while_cancelled(void **state)
{
        struct driver *d = *state;
        struct answer *added, *cancelled;

        fake_plan("Z:")->start_stops = fake_plan("Z:")->mounting = true;
        added = begin_add(d, "Z:", SHARE, false);
        cancelled = begin_cancel(d, "Z:", 0, false);
        loop_for(d->event, 50000);
        fake_go_on(find(d, "Z:"), 0);
        connection_unmounted(find(d, "Z:"));
        assert_int_equal(wait_for(cancelled), NO_ERROR);
        assert_int_equal(wait_for(added), ERROR_CANCELLED);
}

static void unmounted_meanwhile(void **state)
{
        struct driver *d = *state;
        struct answer *answer;

        fake_plan("Z:")->start_stops = true;
        answer = begin_add(d, "Z:", SHARE, true);
        LOOP_UNTIL(d->event, fake_plan("Z:")->n_starts == 1);
        fake_go_on(find(d, "Z:"), 0);
        connection_unmounted(find(d, "Z:")); /* before the row could be written */
        assert_int_equal(wait_for(answer), ERROR_EXTENDED_ERROR);
        assert_int_equal(count_rows(d), 0);
        assert_string_equal(state_of(d, "Z:"), "none");
}

/* ---- whoever asked goes ---- */

static struct answer *begin_add_for(struct driver *d, const void *owner, const char *local, bool persistent)
{
        const struct add_request request = {
                .local = local, .remote = SHARE, .persistent = persistent, .caller = { .pid = 1, .owner = owner },
        };

        return begin_request(d, &request);
}

static void given_up(void **state)
{
        struct driver *d = *state;
        struct answer *first, *second, *other;
        const int owners[2] = { 0 };

        fake_plan("Z:")->start_stops = fake_plan("Y:")->start_stops = fake_plan("X:")->start_stops = true;
        first = begin_add_for(d, &owners[0], "Z:", true);
        second = begin_add_for(d, &owners[0], "Y:", false);
        other = begin_add_for(d, &owners[1], "X:", false);
        LOOP_UNTIL(d->event, fake_plan("Z:")->n_starts == 1);
        manager_abandon(&d->manager, &owners[0], true);
        assert_int_equal(wait_for(first), ERROR_CANCELLED);
        assert_int_equal(wait_for(second), ERROR_CANCELLED);
        assert_string_equal(state_of(d, "Z:"), "none");
        assert_string_equal(state_of(d, "Y:"), "none");
        assert_int_equal(count_rows(d), 0);
        fake_plan("Z:")->start_stops = false;
        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR); /* at once */
        fake_go_on(find(d, "X:"), 0);
        assert_int_equal(wait_for(other), NO_ERROR);
}

static void only_not_listening(void **state)
{
        struct driver *d = *state;
        struct answer *answer;
        const int owner = 0;

        fake_plan("Z:")->start_stops = true;
        answer = begin_add_for(d, &owner, "Z:", true);
        LOOP_UNTIL(d->event, fake_plan("Z:")->n_starts == 1);
        manager_abandon(&d->manager, &owner, false);
        manager_abandon(&d->manager, &owner, true); /* somebody else, in the same place */
        fake_go_on(find(d, "Z:"), 0);
        assert_int_equal(wait_for(answer), NO_ERROR);
        assert_true(has_row(d, "Z:"));
        manager_abandon(&d->manager, &owner, true);
        loop_for(d->event, 50000);
        assert_string_equal(state_of(d, "Z:"), "ok"); /* what is done stays */
}

static void given_up_before_the_profile_is_read(void **state)
{
        struct driver *d = *state;
        struct answer *answer;
        const int owner = 0;

        answer = begin_add_for(d, &owner, "Z:", true);
        manager_abandon(&d->manager, &owner, true);
        assert_int_equal(wait_for(answer), ERROR_CANCELLED);
        assert_int_equal(fake_plan("Z:")->n_starts, 0);
        assert_string_equal(state_of(d, "Z:"), "none");
}

static void given_up_while_it_is_mounted(void **state)
{
        struct driver *d = *state;
        struct answer *answer;
        const int owner = 0;

        fake_plan("Z:")->start_stops = fake_plan("Z:")->mounting = true;
        answer = begin_add_for(d, &owner, "Z:", true);
        LOOP_UNTIL(d->event, fake_plan("Z:")->n_starts == 1);
        manager_abandon(&d->manager, &owner, true);
        fake_go_on(find(d, "Z:"), 0);
        assert_int_equal(wait_for(answer), ERROR_CANCELLED);
        assert_false(fake_plan("Z:")->mounted);
        assert_string_equal(state_of(d, "Z:"), "none");
        assert_int_equal(count_rows(d), 0);
}

static void given_up_before_the_row_is_written(void **state)
{
        struct driver *d = *state;
        struct answer *answer;
        const int owner = 0;
        void *lock;

        put_row(d, "Y:", OTHER); /* so that there is a profile to be locked */
        fake_plan("Z:")->start_stops = true;
        answer = begin_add_for(d, &owner, "Z:", true);
        LOOP_UNTIL(d->event, fake_plan("Z:")->n_starts == 1);
        lock = lock_profile(d);
        fake_go_on(find(d, "Z:"), 0);
        loop_for(d->event, 100000);
        manager_abandon(&d->manager, &owner, true);
        assert_int_equal(wait_for(answer), ERROR_CANCELLED);
        unlock_profile(lock);
        assert_false(has_row(d, "Z:"));
        assert_string_equal(state_of(d, "Z:"), "none");
}

/* A remembered drive is what it was: tried again, or not. */
static void given_up_what_is_remembered(void **state)
{
        struct driver *d = *state;
        struct connection *c = make_unavailable(d);
        const int owner = 0;
        const struct caller caller = { .pid = 1, .owner = &owner };
        struct answer *answer;
        struct wn_error err;

        fake_plan("Z:")->start_stops = true;
        answer = begin_add_for(d, &owner, "Z:", false);
        loop_for(d->event, 20000);
        manager_abandon(&d->manager, &owner, true);
        assert_int_equal(wait_for(answer), ERROR_CANCELLED);
        assert_string_equal(state_of(d, "Z:"), "unavailable");
        assert_int_not_equal(c->next_retry_usec, 0);
        assert_true(has_row(d, "Z:"));
        loop_for(d->event, 20000);

        manager_reconnect(c); /* the attempt that was planned is nobody's */
        loop_for(d->event, 20000);
        manager_abandon(&d->manager, &owner, true);
        fake_go_on(c, 0);
        LOOP_UNTIL(d->event, c->state == CONNECTION_OK);
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);

        assert_int_equal(manager_restore_device(&d->manager, "Z:", &caller, NULL, NULL, &err), 0);
        loop_for(d->event, 20000);
        manager_abandon(&d->manager, &owner, true);
        assert_string_equal(state_of(d, "Z:"), "unavailable");
        assert_int_equal(c->next_retry_usec, 0); /* it was disconnected on purpose */
}

/* A drive that waits for a session with its server does so on. */
static void given_up_without_a_session(void **state)
{
        struct driver *d = *state;
        struct answer *answer;
        const int owner = 0;

        put_row(d, "Z:", SHARE);
        fake_plan("Z:")->start_result = ERROR_LOGON_FAILURE;
        manager_restore(&d->manager);
        LOOP_UNTIL(d->event, find(d, "Z:")->state == CONNECTION_UNAVAILABLE && fake_n_redirectors() == 0);
        fake_plan("Z:")->start_stops = true;
        answer = begin_add_for(d, &owner, "Z:", false);
        loop_for(d->event, 20000);
        manager_abandon(&d->manager, &owner, true);
        assert_int_equal(wait_for(answer), ERROR_CANCELLED);
        assert_int_equal(find(d, "Z:")->next_retry_usec, 0);
        fake_plan("Z:")->start_stops = false;
        fake_plan("Z:")->start_result = 0;
        assert_int_equal(add_as(d, "W:", OTHER, "alice", "one")->status, NO_ERROR);
        LOOP_UNTIL(d->event, find(d, "Z:")->state == CONNECTION_OK);
}

static void way_out(void **state)
{
        struct driver *d = *state;
        struct answer *answer;

        fake_plan("Z:")->start_stops = true;
        begin_add(d, "Z:", SHARE, false);
        answer = begin_add(d, "Z:", SHARE, false);
        assert_int_equal(answer->status, ERROR_ALREADY_ASSIGNED);
        assert_string_equal(answer->err.text, "Z: is already being connected to " SHARE "; to end that: wnet cancel Z:");
        assert_int_equal(cancel(d, "Z:", 0, false), NO_ERROR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, manager_setup, manager_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(connected_with_something_else_for_once),
                TEST(tried_again_after_somebody_else),
                TEST(refused_at_once),
                TEST(given_up),
                TEST(only_not_listening),
                TEST(given_up_before_the_profile_is_read),
                TEST(given_up_while_it_is_mounted),
                TEST(given_up_before_the_row_is_written),
                TEST(given_up_what_is_remembered),
                TEST(given_up_without_a_session),
                TEST(way_out),
                TEST(connects),
                TEST(port),
                TEST(deviceless),
                TEST(deviceless_fails),
                TEST(already_connected),
                TEST(remembered),
                TEST(remembered_by_somebody_else),
                TEST(failures),
                TEST(row_is_written),
                TEST(bad_profile),
                TEST(profile_breaks_meanwhile),
                TEST(profile_locked_for_a_moment),
                TEST(profile_stays_locked),
                TEST(spelled_otherwise), TEST(credential_conflict),
                TEST(conflict_without_a_device),
                TEST(credential_conflict_of_domains),
                TEST(password_of_the_session),
                TEST(credential_conflict_of_files),
                TEST(attempt_is_no_conflict),
                TEST(attempt_is_no_session),
                TEST(conflict_of_attempts),
                TEST(joined_credentials_are_dropped),
                TEST(failed_credentials_are_dropped),
                TEST(joined_credentials_are_given_back),
                TEST(joined_user_is_remembered),
                TEST(session_is_over),
                TEST(session_comes_later),
                TEST(session_comes_meanwhile),
                TEST(session_comes_meanwhile_in_vain),
                TEST(retries),
                TEST(unmounted_meanwhile),
                TEST(unmounted_while_cancelled),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
