/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is asked of the keyring for a connection, and what its answers mean for people.
 */

#include "core/password.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/keyring.h"
#include "core/log.h"
#include "core/manager.h"

struct password_call {
        struct connection *connection;
        enum keyring_action action;
        struct completion done;
        struct keyring_call *call;
};

int password_say_left(const struct connection *c, const char *reason, struct wn_error *err)
{
        return error_set(err, ERROR_EXTENDED_ERROR, 0, "secret",
                         "the saved password of %s could not be removed: %s; to remove it by hand: "
                         "secret-tool clear xdg:schema org.wnet.Password device %s", c->device.text, reason, c->device.text);
}

static int explain(const struct password_call *call, enum keyring_result result, const char *text, struct wn_error *err)
{
        const char *device = call->connection->device.text;

        if (call->action == KEYRING_STORE)
                return error_set(err, ERROR_EXTENDED_ERROR, 0, "secret", "the password cannot be saved: %s%s", text,
                                 result == KEYRING_LOCKED ? "; unlock it first" : "");
        if (call->action == KEYRING_CLEAR)
                return password_say_left(call->connection, text, err);
        if (result == KEYRING_NOT_FOUND)
                return error_set(err, ERROR_LOGON_FAILURE, 0, "secret",
                                 "it needs a password: the one that was saved is gone; connect it again with --save-password");
        if (result == KEYRING_LOCKED)
                return error_set(err, ERROR_EXTENDED_ERROR, 0, "secret", "%s; unlock it, then: wnet restore %s", text, device);
        return error_set(err, ERROR_EXTENDED_ERROR, 0, "secret", "its saved password cannot be looked up: %s", text);
}

static void on_done(void *userdata, enum keyring_result result, struct secret *password, const char *text)
{
        _cleanup_free_ struct password_call *call = userdata;
        struct wn_error err = { 0 };
        int status = 0;

        if (result != KEYRING_DONE && !(call->action == KEYRING_CLEAR && result == KEYRING_NOT_FOUND))
                status = explain(call, result, text, &err);
        if (status != 0 && call->action == KEYRING_CLEAR)
                log_warning("%s", err.text);
        call->connection->password_call = NULL;
        if (status == 0 && call->action == KEYRING_LOOKUP) {
                call->connection->credentials.password = *password;
                *password = (struct secret){ 0 };
        }
        call->done.fn(call->done.userdata, status, status ? &err : NULL);
}

/* user: whose password; NULL: all of the device. */
static int ask_keyring(const struct connection *c, enum keyring_action action, const char *user, keyring_done_fn done, void *userdata,
                       struct keyring_call **ret_call)
{
        const struct keyring keyring = { c->manager->event, c->manager->secret_program };
        _cleanup_free_ char *server = keyring_server(&c->remote);
        const struct keyring_key key = { .device = c->device.text, .server = user ? server : NULL, .user = user };

        if (!server)
                return -ENOMEM;
        return keyring_run(&keyring, action, &key, action == KEYRING_STORE ? &c->credentials.password : NULL, done, userdata, ret_call);
}

static int run(struct connection *c, enum keyring_action action, const char *user, struct completion done)
{
        struct password_call *call = calloc(1, sizeof(*call));
        int r;

        assert(c->has_device && !c->password_call);
        if (!call)
                return -ENOMEM;
        *call = (struct password_call){ .connection = c, .action = action, .done = done };
        r = ask_keyring(c, action, user, on_done, call, &call->call);
        if (r < 0)
                free(call);
        else
                c->password_call = call;
        return r;
}

int password_use_saved(struct connection *c)
{
        struct credentials saved = { 0 };
        int r = c->saved_user[0] ? credentials_split_user(c->saved_user, &saved.user, &saved.domain) : 0;

        if (r != 0)
                return r < 0 ? r : -EINVAL;
        credentials_done(&c->credentials);
        c->credentials = saved;
        free(TAKE_PTR(c->credentials_file));
        return 0;
}

int password_look_up(struct connection *c, struct completion done)
{
        return run(c, KEYRING_LOOKUP, c->saved_user, done);
}

int password_save(struct connection *c, struct completion done)
{
        _cleanup_free_ char *user = credentials_user_text(&c->credentials);

        return user ? run(c, KEYRING_STORE, user, done) : -ENOMEM;
}

int password_unsave(struct connection *c, struct completion done)
{
        _cleanup_free_ char *user = credentials_user_text(&c->credentials);

        return user ? run(c, KEYRING_CLEAR, user, done) : -ENOMEM;
}

int password_forget(struct connection *c, struct completion done)
{
        return run(c, KEYRING_CLEAR, NULL, done);
}

static void on_dropped(void *userdata, enum keyring_result result, struct secret *password, const char *text)
{
        (void) userdata;
        (void) password;
        if (result != KEYRING_DONE && result != KEYRING_NOT_FOUND)
                log_warning("a password that is no longer used could not be removed from the keyring: %s", text);
}

void password_drop(const struct connection *c)
{
        int r = ask_keyring(c, KEYRING_CLEAR, c->saved_user, on_dropped, NULL, NULL);

        if (r < 0)
                log_warning("a password of %s that is no longer used could not be removed: %s", c->name, strerror(-r));
}

void password_cancel(struct connection *c)
{
        if (!c->password_call)
                return;
        keyring_cancel(c->password_call->call);
        free(TAKE_PTR(c->password_call));
}
