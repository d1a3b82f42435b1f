/* SPDX-License-Identifier: GPL-3.0-or-later */

/* core/connection.c: what a connection is called and where it appears, changes of state, the redirector's events. */

#include "manager-driver.h"

#define SHARE "\\\\srv\\share"

static void names(void **state)
{
        static const struct {
                const char *device, *remote, *name, *mountpoint;
        } cases[] = {
                { "Z:", "//srv/share", "Z:", "/tmp/wnet-unit-drives/Z" },
                { "LPT1", "//srv/printer", "LPT1", "/tmp/wnet-unit-drives/LPT1" },
                { NULL, "//srv/share", SHARE, "/tmp/wnet-unit-drives/UNC/srv/share" },
                { NULL, "//srv:4450/share", "\\\\srv:4450\\share", "/tmp/wnet-unit-drives/UNC/srv@4450/share" },
                { NULL, "//srv/share/a/b", "\\\\srv\\share\\a\\b", "/tmp/wnet-unit-drives/UNC/srv/share%2Fa%2Fb" },
        };
        struct driver *d = *state;

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct device_name device;
                struct remote_name remote;
                struct connection *c;

                if (cases[i].device)
                        assert_int_equal(device_parse(cases[i].device, &device), 0);
                assert_int_equal(remote_name_parse(cases[i].remote, &remote), 0);
                c = connection_new(&d->manager, cases[i].device ? &device : NULL, &remote);
                assert_non_null(c);
                assert_null(remote.server); /* moved from */
                assert_string_equal(c->name, cases[i].name);
                assert_string_equal(c->mountpoint, cases[i].mountpoint);
                assert_int_equal(c->state, CONNECTION_UNAVAILABLE);
                assert_false(connection_is_live(c));
                assert_ptr_equal(TAILQ_LAST(&d->manager.connections, connection_list), c);
                if (i == 0)
                        assert_ptr_equal(manager_find_device(&d->manager, &device), c);
        }
        connection_free(TAILQ_FIRST(&d->manager.connections));
        assert_null(find(d, "Z:"));
}

static void states(void **state)
{
        struct driver *d = *state;
        char long_reason[300];
        struct connection *c;
        uint64_t since;

        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
        c = find(d, "Z:");
        since = c->since_usec;
        d->states[0] = '\0';
        connection_set_state(c, CONNECTION_OK, ""); /* no change: nobody is told */
        assert_string_equal(d->states, "");
        assert_int_equal(c->since_usec, since);
        connection_set_state(c, CONNECTION_OK, "another reason");
        assert_string_equal(d->states, "Z: ok\n");
        assert_true(c->since_usec >= since);
        c->next_retry_usec = 1;
        connection_set_state(c, CONNECTION_UNAVAILABLE, "x");
        assert_int_equal(c->next_retry_usec, 1);
        connection_set_state(c, CONNECTION_CONNECTING, "");
        assert_int_equal(c->next_retry_usec, 0);

        memset(long_reason, 'x', sizeof long_reason); /* cut, and not within a character */
        memcpy(long_reason + sizeof c->reason - 2, "\xc3\xa4", 3);
        connection_set_state(c, CONNECTION_OK, long_reason);
        assert_int_equal(strlen(c->reason), sizeof c->reason - 2);

        assert_string_equal(connection_state_name(CONNECTION_CONNECTING), "connecting");
        assert_string_equal(connection_state_name(CONNECTION_CANCELLING), "cancelling");
        assert_string_equal(connection_state_name(CONNECTION_GONE), "gone");
        c->state = CONNECTION_GONE;
        assert_false(connection_is_live(c));
        c->state = CONNECTION_RECONNECTING;
        assert_true(connection_is_live(c));
}

/* As whom the server knows us: told while connecting, forgotten when that begins anew. */
static void session_user(void **state)
{
        struct add_request request = {
                .local = "Y:", .remote = SHARE, .type = RESOURCETYPE_DISK,
                .credentials = { .user = (char *) "me", .domain = (char *) "HOME" },
        };
        struct driver *d = *state;
        struct connection *c;

        fake_plan("Z:")->user = "alice";
        fake_plan("Z:")->domain = "DOM";
        fake_plan("Z:")->start_stops = true;
        begin_add(d, "Z:", SHARE, false);
        c = find(d, "Z:");
        assert_null(c->session_user);
        fake_go_on(c, 0);
        LOOP_UNTIL(d->event, c->state == CONNECTION_OK);
        assert_string_equal(c->session_user, "alice");
        assert_string_equal(c->session_domain, "DOM");
        connection_authenticated(c, "bob", "");
        assert_string_equal(c->session_user, "bob");
        assert_null(c->session_domain);
        connection_set_state(c, CONNECTION_RECONNECTING, "the server is away");
        assert_string_equal(c->session_user, "bob");
        connection_set_state(c, CONNECTION_CONNECTING, "");
        assert_null(c->session_user);
        connection_set_state(c, CONNECTION_OK, "");

        assert_int_equal(wait_for(begin_request(d, &request)), NO_ERROR);
        assert_string_equal(find(d, "Y:")->session_user, "me");
        assert_string_equal(find(d, "Y:")->session_domain, "HOME");
        assert_int_equal(add(d, "X:", "//srv2/share", false), NO_ERROR);
        assert_string_equal(find(d, "X:")->session_user, "login");
        assert_null(find(d, "X:")->session_domain);
}

static void health(void **state)
{
        struct driver *d = *state;
        struct connection *c;

        put_row(d, "Y:", SHARE);
        fake_plan("Y:")->start_result = ERROR_LOGON_FAILURE;
        manager_restore(&d->manager);
        assert_int_equal(add(d, "Z:", "//srv/other", false), NO_ERROR);
        c = find(d, "Z:");
        connection_health(c, false, "the server is away");
        assert_int_equal(c->state, CONNECTION_RECONNECTING);
        assert_string_equal(c->reason, "the server is away");
        connection_health(c, true, "");
        assert_int_equal(c->state, CONNECTION_OK);
        assert_string_equal(c->reason, "");

        c = find(d, "Y:"); /* not connected: whatever is said of it */
        LOOP_UNTIL(d->event, c->state == CONNECTION_UNAVAILABLE);
        connection_health(c, true, "");
        assert_int_equal(c->state, CONNECTION_UNAVAILABLE);
}

static void unmounted(void **state)
{
        struct driver *d = *state;
        struct connection *c;

        assert_int_equal(add(d, "Z:", SHARE, true), NO_ERROR);
        assert_int_equal(add(d, "Y:", SHARE, false), NO_ERROR);
        c = find(d, "Z:");
        connection_unmounted(c);
        assert_non_null(c->redirector); /* this was its own callback: it goes later */
        connection_unmounted(find(d, "Y:"));
        LOOP_UNTIL(d->event, fake_n_redirectors() == 0);
        assert_ptr_equal(find(d, "Z:"), c);
        assert_int_equal(c->state, CONNECTION_UNAVAILABLE);
        assert_int_equal(c->next_retry_usec, 0); /* on purpose, so it seems */
        assert_false(c->retry_wanted);
        assert_true(has_row(d, "Z:"));
        assert_true(fake_plan("Z:")->folder);
        assert_null(find(d, "Y:"));
        assert_false(fake_plan("Y:")->folder);
        assert_int_equal(add(d, "Z:", SHARE, false), NO_ERROR);
        assert_int_equal(add(d, "Y:", SHARE, false), NO_ERROR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, manager_setup, manager_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = { TEST(names), TEST(states), TEST(session_user), TEST(health), TEST(unmounted) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
