/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * core/keyring.c: what becomes of a call, with a script in the place of wnet-secret.
 */

#include "loop.h"

#include "core/keyring.h"

struct fixture {
        char *folder;
        char program[128];
        sd_event *event;
        struct keyring keyring;
        unsigned n_done;
        enum keyring_result result;
        struct secret password;
        char text[256];
};

static const struct keyring_key z_key = { .device = "Z:", .server = "srv:445", .user = "DOM\\alice" };

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof *f);
        void *folder;

        if (!f || make_folder(&folder) < 0)
                return -1;
        f->folder = folder;
        snprintf(f->program, sizeof f->program, "%s/program", f->folder);
        f->event = loop_new();
        f->keyring = (struct keyring){ f->event, f->program };
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;
        void *folder = f->folder;

        sd_event_unref(f->event);
        secret_done(&f->password);
        free(f);
        return remove_folder(&folder);
}

/* body runs in the test's folder. */
static void set_program(struct fixture *f, const char *body)
{
        char script[1024];

        snprintf(script, sizeof script, "#!/bin/sh\ncd %s\n%s\n", f->folder, body);
        write_text(f->program, script);
        assert_int_equal(chmod(f->program, 0700), 0);
}

static const char *content(struct fixture *f, const char *name)
{
        static struct bytes bytes;
        char path[160];

        snprintf(path, sizeof path, "%s/%s", f->folder, name);
        read_bytes(path, &bytes);
        bytes.data[bytes.size_bytes] = '\0';
        return bytes.data;
}

static bool exists(struct fixture *f, const char *name)
{
        char path[160];

        snprintf(path, sizeof path, "%s/%s", f->folder, name);
        return access(path, F_OK) == 0;
}

static void on_done(void *userdata, enum keyring_result result, struct secret *password, const char *text)
{
        struct fixture *f = userdata;

        f->n_done++;
        f->result = result;
        secret_done(&f->password);
        f->password = *password;
        *password = (struct secret){ 0 };
        snprintf(f->text, sizeof f->text, "%s", text);
}

static enum keyring_result run(struct fixture *f, enum keyring_action action, const struct keyring_key *key, const char *password)
{
        struct secret secret = { 0 };

        f->n_done = 0;
        assert_int_equal(secret_set(&secret, password), 0);
        assert_int_equal(keyring_run(&f->keyring, action, key, password ? &secret : NULL, on_done, f, NULL), 0);
        secret_done(&secret);
        assert_int_equal(f->n_done, 0); /* never from within */
        LOOP_UNTIL(f->event, f->n_done > 0);
        loop_for(f->event, 20000);
        assert_int_equal(f->n_done, 1);
        assert_int_equal(f->text[0] == '\0', f->result == KEYRING_DONE);
        return f->result;
}

static void store(void **state)
{
        struct fixture *f = *state;
        char longest[SECRET_MAX_BYTES + 1];

        set_program(f, "cat > input; printf '<%s>\\n' \"$@\" > arguments; env > environment");
        assert_int_equal(run(f, KEYRING_STORE, &z_key, "pass word\t\xc3\xa4"), KEYRING_DONE);
        assert_string_equal(content(f, "input"), "pass word\t\xc3\xa4");
        assert_string_equal(content(f, "arguments"), "<store>\n<Z:>\n<srv:445>\n<DOM\\alice>\n");
        assert_null(strstr(content(f, "environment"), "pass word"));
        assert_null(f->password.bytes);

        memset(longest, 'x', SECRET_MAX_BYTES);
        longest[SECRET_MAX_BYTES] = '\0';
        assert_int_equal(run(f, KEYRING_STORE, &z_key, longest), KEYRING_DONE);
        assert_string_equal(content(f, "input"), longest);
        assert_int_equal(run(f, KEYRING_STORE, &z_key, ""), KEYRING_DONE);
        assert_string_equal(content(f, "input"), "");
}

static void look_up(void **state)
{
        struct fixture *f = *state;
        static const struct {
                const char *body, *password; /* NULL: it fails */
        } cases[] = {
                { "printf 'pass word\\t'", "pass word\t" },
                { "printf ''", "" },
                { "head -c 1024 /dev/zero | tr '\\0' x", NULL }, /* filled in below */
                { "head -c 1025 /dev/zero | tr '\\0' x", NULL },
                { "head -c 60000 /dev/zero | tr '\\0' x", NULL },
                { "printf 'a\\0b'", NULL },
                { "printf 'hush'; exit 2", NULL },
                { "printf 'hush'; kill -9 $$", NULL },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                set_program(f, cases[i].body);
                run(f, KEYRING_LOOKUP, &z_key, NULL);
                if (i == 2) {
                        assert_int_equal(f->result, KEYRING_DONE);
                        assert_int_equal(f->password.size_bytes, SECRET_MAX_BYTES);
                } else if (cases[i].password) {
                        assert_int_equal(f->result, KEYRING_DONE);
                        assert_string_equal(f->password.bytes, cases[i].password);
                } else {
                        assert_int_not_equal(f->result, KEYRING_DONE);
                        assert_null(f->password.bytes);
                        assert_null(strstr(f->text, "hush"));
                }
        }
}

static void clear(void **state)
{
        struct fixture *f = *state;
        const struct keyring_key all = { .device = "Z:" };

        set_program(f, "echo $# > arguments; printf '<%s>\\n' \"$@\" >> arguments");
        assert_int_equal(run(f, KEYRING_CLEAR, &all, NULL), KEYRING_DONE);
        assert_string_equal(content(f, "arguments"), "2\n<clear>\n<Z:>\n");
        assert_int_equal(run(f, KEYRING_CLEAR, &z_key, NULL), KEYRING_DONE);
        assert_string_equal(content(f, "arguments"), "4\n<clear>\n<Z:>\n<srv:445>\n<DOM\\alice>\n");
}

static void results(void **state)
{
        struct fixture *f = *state;
        static const struct {
                const char *body, *text;
                enum keyring_result result;
        } cases[] = {
                { "echo some reason >&2; exit 1", "some reason", KEYRING_FAILED },
                { "echo none >&2; exit 2", "none", KEYRING_NOT_FOUND },
                { "echo locked >&2; echo more >&2; exit 3", "locked", KEYRING_LOCKED },
                { "printf 'no\\033[1m service' >&2; exit 4", "no?[1m service", KEYRING_NO_SERVICE },
                { "echo what >&2; exit 5", "what", KEYRING_FAILED },
                { "exit 99", "wnet-secret failed", KEYRING_FAILED },
                { "kill -9 $$", "the Secret Service does not answer", KEYRING_FAILED },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                set_program(f, cases[i].body);
                assert_int_equal(run(f, KEYRING_STORE, &z_key, "x"), cases[i].result);
                assert_string_equal(f->text, cases[i].text);
        }
}

/* It is ended, though it would never end itself. */
static void hangs(void **state)
{
        struct fixture *f = *state;

        set_program(f, "exec sleep 1000");
        assert_int_equal(run(f, KEYRING_LOOKUP, &z_key, NULL), KEYRING_FAILED);
        assert_string_equal(f->text, "the Secret Service does not answer");
}

static void cancelled(void **state)
{
        struct fixture *f = *state;
        struct keyring_call *call;

        set_program(f, "echo $$ > pid.new; mv pid.new pid; exec sleep 1000");
        assert_int_equal(keyring_run(&f->keyring, KEYRING_LOOKUP, &z_key, NULL, on_done, f, &call), 0);
        LOOP_UNTIL(f->event, exists(f, "pid"));
        keyring_cancel(call);
        LOOP_UNTIL(f->event, kill(atoi(content(f, "pid")), 0) < 0 && errno == ESRCH); /* reaped, too */
        assert_int_equal(f->n_done, 0);
        keyring_cancel(NULL);
}

/* The daemon's end: the loop goes while a program runs. */
static void loop_goes(void **state)
{
        struct fixture *f = *state;
        struct keyring_call *call;

        set_program(f, "exec sleep 1000");
        assert_int_equal(keyring_run(&f->keyring, KEYRING_LOOKUP, &z_key, NULL, on_done, f, &call), 0);
        keyring_cancel(call);
        f->event = sd_event_unref(f->event);
        assert_int_equal(f->n_done, 0);
}

static void no_program(void **state)
{
        struct fixture *f = *state;

        assert_int_equal(keyring_run(&f->keyring, KEYRING_CLEAR, &z_key, NULL, on_done, f, NULL), -ENOENT);
        loop_for(f->event, 20000);
        assert_int_equal(f->n_done, 0);
}

static void server(void **state)
{
        static const struct {
                const char *remote, *server;
        } cases[] = {
                { "//srv/share/dir", "srv:445" },
                { "//srv:4450/share", "srv:4450" },
                { "//[fe80::1]:4450/share", "[fe80::1]:4450" },
        };

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct remote_name remote;
                char *text;

                assert_int_equal(remote_name_parse(cases[i].remote, &remote), 0);
                text = keyring_server(&remote);
                assert_string_equal(text, cases[i].server);
                free(text);
                remote_name_done(&remote);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(store),     TEST(look_up),   TEST(clear),      TEST(results), TEST(hangs),
                TEST(cancelled), TEST(loop_goes), TEST(no_program), TEST(server),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
