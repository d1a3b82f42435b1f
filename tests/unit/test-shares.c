/* SPDX-License-Identifier: GPL-3.0-or-later */

/* fuse/shares.c: the list of a server's shares, by a real worker in front of a fake server, and a hostile one. */

#include "loop.h"

#include "fake-backend.h"
#include "fuse/shares.h"

#define LONG_USEC (20 * 1000000ULL)
#define SHORT_USEC (300 * 1000ULL)

struct driver {
        sd_event *event;
        struct fake_server *server;
        char server_path[64];
        struct redirector_settings settings;
        struct shares_job *job;

        unsigned n_done;
        int status;
        struct wn_error err;
        size_t n;
        char text[1024]; /* the first ones, as "type name comment\n" */
};

static int setup(void **state)
{
        struct driver *d = calloc(1, sizeof *d);

        if (!d)
                return -1;
        d->event = loop_new();
        d->server = fake_server_new(d->server_path);
        if (!d->server)
                return -1;
        d->settings = (struct redirector_settings) {
                .event = d->event, .worker_program = FAKE_WORKER, .connect_usec = LONG_USEC, .operation_usec = LONG_USEC,
                .login = "login",
        };
        *state = d;
        return 0;
}

static int teardown(void **state)
{
        struct driver *d = *state;

        LOOP_UNTIL(d->event, loop_no_children());
        sd_event_unref(d->event);
        fake_server_free(d->server, d->server_path);
        free(d);
        return 0;
}

static void on_done(void *userdata, int status, const struct wn_error *err, const struct share *shares, size_t n)
{
        struct driver *d = userdata;

        d->n_done++;
        d->status = status;
        d->err = err ? *err : (struct wn_error) { 0 };
        d->n = n;
        d->text[0] = '\0';
        for (size_t i = 0; i < n && i < 8; i++)
                snprintf(d->text + strlen(d->text), sizeof d->text - strlen(d->text), "%u %s %s\n", shares[i].type, shares[i].name,
                         shares[i].comment);
}

static void begin(struct driver *d, const struct credentials *credentials, const char *credentials_file)
{
        struct remote_name server = { .server = d->server_path, .port = 445, .share = (char *) "", .path = (char *) "" };

        d->n_done = 0;
        assert_int_equal(shares_start(&d->settings, d->event, &server, credentials, credentials_file, on_done, d, &d->job), 0);
        assert_int_equal(d->n_done, 0); /* later, never from within */
}

static int list(struct driver *d)
{
        begin(d, &(struct credentials) { 0 }, NULL);
        LOOP_UNTIL(d->event, d->n_done > 0);
        loop_for(d->event, 20000);
        assert_int_equal(d->n_done, 1);
        return d->status;
}

static void lists(void **state)
{
        struct driver *d = *state;

        assert_int_equal(list(d), NO_ERROR);
        assert_int_equal(d->n, 0);
        assert_string_equal(d->server->setup.user, "login");
        assert_string_equal(d->server->setup.share, "");

        fake_add_share(d->server, SMB_SHARE_DISK, "data", "all of it");
        fake_add_share(d->server, SMB_SHARE_PRINTER, "laser", "");
        fake_add_share(d->server, SMB_SHARE_OTHER, "IPC$", "IPC Service");
        fake_add_share(d->server, SMB_SHARE_DISK, "Fotos \xc3\xa4", "\xe2\x82\xac");
        assert_int_equal(list(d), NO_ERROR);
        assert_int_equal(d->n, 4);
        assert_string_equal(d->text, "1 data all of it\n2 laser \n0 IPC$ IPC Service\n1 Fotos \xc3\xa4 \xe2\x82\xac\n");
        LOOP_UNTIL(d->event, loop_no_children()); /* its worker ends with it */
        assert_int_equal(fake_count(d->server, FAKE_CONNECT, "*"), 2);
}

/* More than fit into one slot, and more than anybody is meant to have. */
static void many(void **state)
{
        struct driver *d = *state;

        for (unsigned i = 0; i < FAKE_SHARES; i++)
                fake_add_share(d->server, SMB_SHARE_DISK, "x", "y");
        d->server->n_shares = 2 * (SMB_SLOT_DATA_BYTES / sizeof(struct smb_share)) + 1;
        assert_int_equal(list(d), NO_ERROR);
        assert_int_equal(d->n, d->server->n_shares);
        d->server->n_shares = SHARES_MAX + 1;
        assert_int_equal(list(d), NO_ERROR);
        assert_int_equal(d->n, SHARES_MAX);
}

static void whose(void **state)
{
        struct driver *d = *state;
        struct credentials credentials = { .user = (char *) "me", .domain = (char *) "DOM" };
        char path[80];

        assert_true(secret_set(&credentials.password, "s3cret") >= 0);
        begin(d, &credentials, NULL);
        LOOP_UNTIL(d->event, d->n_done > 0);
        assert_string_equal(d->server->setup.user, "me");
        assert_string_equal(d->server->setup.domain, "DOM");
        assert_string_equal(d->server->setup.password, "s3cret");
        secret_done(&credentials.password);

        snprintf(path, sizeof path, "%s.cred", d->server_path);
        write_text(path, "username=alice\npassword=other\n");
        begin(d, &(struct credentials) { 0 }, path);
        LOOP_UNTIL(d->event, d->n_done > 0);
        assert_string_equal(d->server->setup.user, "alice");
        assert_string_equal(d->server->setup.password, "other");
        unlink(path);
}

static void refused(void **state)
{
        struct driver *d = *state;

        fake_add_share(d->server, SMB_SHARE_DISK, "data", "");
        d->server->connect_status = ERROR_LOGON_FAILURE;
        snprintf(d->server->connect_text, sizeof d->server->connect_text, "no such user");
        assert_int_equal(list(d), ERROR_LOGON_FAILURE);
        assert_string_equal(d->err.text, "no such user");
        assert_int_equal(d->n, 0);
        d->server->connect_status = 0;

        fake_break(d->server, FAKE_SHARE_NEXT, "*", FAKE_FAIL, EIO, 1);
        assert_int_equal(list(d), ERROR_BAD_NETPATH);
        fake_break(d->server, FAKE_SHARE_NEXT, "*", FAKE_FAIL, ECONNABORTED, 1);
        assert_int_equal(list(d), ERROR_BAD_NETPATH);
        fake_break(d->server, FAKE_SHARE_NEXT, "*", FAKE_EXIT, 0, 1);
        assert_int_equal(list(d), ERROR_BAD_NETPATH);
        assert_int_equal(list(d), NO_ERROR);
}

static void silent(void **state)
{
        struct driver *d = *state;

        d->settings.connect_usec = d->settings.operation_usec = SHORT_USEC;
        fake_break(d->server, FAKE_CONNECT, "*", FAKE_HANG, 0, 1);
        assert_int_equal(list(d), ERROR_BAD_NETPATH);
        fake_break(d->server, FAKE_SHARE_NEXT, "*", FAKE_HANG, 0, 1);
        assert_int_equal(list(d), ERROR_BAD_NETPATH);
        d->settings.worker_program = "/no/such/program";
        assert_int_equal(shares_start(&d->settings, d->event, &(struct remote_name) { .server = d->server_path },
                                      &(struct credentials) { 0 }, NULL, on_done, d, &d->job), -ENOENT);
}

static void cancelled(void **state)
{
        struct driver *d = *state;

        shares_cancel(NULL);
        fake_break(d->server, FAKE_CONNECT, "*", FAKE_HANG, 0, 1);
        begin(d, &(struct credentials) { 0 }, NULL);
        loop_for(d->event, 50000);
        shares_cancel(d->job);
        fake_break(d->server, FAKE_SHARE_NEXT, "*", FAKE_HANG, 0, 1);
        begin(d, &(struct credentials) { 0 }, NULL);
        LOOP_UNTIL(d->event, fake_count(d->server, FAKE_SHARE_NEXT, "*") > 0);
        shares_cancel(d->job);
        loop_for(d->event, 50000);
        assert_int_equal(d->n_done, 0);
}

/* A worker that the server has taken over: nothing of its list is believed. */
static void hostile(void **state)
{
        static const char *const names[] = { "", ".", "a/b", "a\\b", "a\nb", "\xff", "a:b" };
        struct driver *d = *state;
        struct smb_share *share = &d->server->shares[0];

        fake_add_share(d->server, SMB_SHARE_DISK, "data", "");
        for (size_t i = 0; i < N_ELEMENTS(names); i++) {
                snprintf(share->name, sizeof share->name, "%s", names[i]);
                assert_int_equal(list(d), ERROR_BAD_NETPATH);
        }
        memset(share->name, 'x', sizeof share->name); /* without an end */
        assert_int_equal(list(d), ERROR_BAD_NETPATH);
        snprintf(share->name, sizeof share->name, "data");
        memset(share->comment, 'x', sizeof share->comment);
        assert_int_equal(list(d), ERROR_BAD_NETPATH);
        snprintf(share->comment, sizeof share->comment, "two\nlines");
        assert_int_equal(list(d), ERROR_BAD_NETPATH);
        share->comment[0] = '\0';
        share->kind = 0;
        assert_int_equal(list(d), ERROR_BAD_NETPATH);
        share->kind = SMB_SHARE_OTHER + 1;
        assert_int_equal(list(d), ERROR_BAD_NETPATH);
        share->kind = SMB_SHARE_OTHER;
        assert_int_equal(list(d), NO_ERROR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(lists), TEST(many), TEST(whose), TEST(refused), TEST(silent), TEST(cancelled), TEST(hostile),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
