/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Decode, call, encode. An answer that comes later holds a reference to its call's message, and so to the client's bus, which
 * takes it even when the client has gone.
 */

#include "core/control-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/control-protocol.h"
#include "core/log.h"
#include "core/utf8.h"

/* ---- answers ---- */

int control_reply_error(sd_bus_message *call, const struct wn_error *err, int status)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(
                status_dbus_error(status), err && err->text[0] ? err->text : status_message(status));
        int r = sd_bus_message_new_method_error(call, &reply, &error);

        if (r >= 0)
                r = sd_bus_message_append(reply, "us", err ? (uint32_t) err->cause : 0, err ? err->phase : "");
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int append_holder(sd_bus_message *reply, const char *name, const struct holder *holder)
{
        char program[sizeof(holder->program)];

        memcpy(program, holder->program, sizeof(program));
        utf8_make_printable(program);
        return sd_bus_message_append(reply, "(" CONTROL_HOLDER ")", name, holder_kind_name(holder->kind), (uint32_t) holder->pid,
                                     (uint32_t) holder->uid, program, holder->path, holder->mode, holder->since_usec,
                                     holder->unsent_bytes);
}

static int append_outcome(sd_bus_message *reply, const struct cancel_outcome *outcome)
{
        uint64_t total = 0, shown = 0;
        int r;

        for (size_t i = 0; i < outcome->n_in_use; i++)
                total += outcome->in_use[i].holders.total;
        r = sd_bus_message_append(reply, "ssust", status_name(outcome->status), outcome->err.text, (uint32_t) outcome->err.cause,
                                  outcome->err.phase, total);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(" CONTROL_HOLDER ")");
        for (size_t i = 0; i < outcome->n_in_use; i++)
                for (size_t j = 0; j < outcome->in_use[i].holders.n_items && r >= 0 && shown++ < HOLDERS_MAX; j++)
                        r = append_holder(reply, outcome->in_use[i].name, &outcome->in_use[i].holders.items[j]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(" CONTROL_LOST ")");
        for (size_t i = 0; i < outcome->n_lost && r >= 0; i++)
                r = sd_bus_message_append(reply, "(" CONTROL_LOST ")", outcome->lost[i].name, outcome->lost[i].path,
                                          outcome->lost[i].bytes);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static void reply_outcome(sd_bus_message *call, const struct cancel_outcome *outcome)
{
        sd_bus_message *reply = NULL;
        int r = sd_bus_message_new_method_return(call, &reply);

        if (r >= 0)
                r = append_outcome(reply, outcome);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        if (r < 0)
                log_debug("an answer could not be sent: %s", strerror(-r));
        sd_bus_message_unref(reply);
        sd_bus_message_unref(call);
}

/* ---- calls ---- */

static int on_get_version(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        (void) userdata;
        (void) error;
        return sd_bus_reply_method_return(call, CONTROL_VERSION_REPLY, WNET_VERSION, (uint32_t) CONTROL_PROTOCOL);
}

static void added(void *userdata, int status, const struct wn_error *err, struct connection *c)
{
        sd_bus_message *call = userdata;
        int r = status == NO_ERROR ? sd_bus_reply_method_return(call, CONTROL_ADD_REPLY, c->has_device ? c->name : "", c->mountpoint)
                                   : control_reply_error(call, err, status);

        if (r < 0)
                log_debug("an answer could not be sent: %s", strerror(-r));
        sd_bus_message_unref(call);
}

static int read_option(sd_bus_message *call, const char *key, bool add, struct add_request *request, const char **ret_user,
                       const char **ret_password)
{
        const struct {
                const char *key;
                bool *flag;
        } flags[] = {
                { "persistent", &request->persistent },
                { "read-only", &request->read_only },
                { "save-password", &request->save_password },
        };
        int r = -ENOENT, value;

        if (strcmp(key, "user") == 0)
                return sd_bus_message_read(call, "v", "s", ret_user);
        if (strcmp(key, "password") == 0)
                return sd_bus_message_read(call, "v", "s", ret_password);
        if (strcmp(key, "credentials") == 0)
                return sd_bus_message_read(call, "v", "s", &request->credentials_file);
        if (add && strcmp(key, "type") == 0)
                return sd_bus_message_read(call, "v", "u", &request->type);
        for (size_t i = 0; add && i < sizeof(flags) / sizeof(flags[0]); i++)
                if (strcmp(key, flags[i].key) == 0) {
                        r = sd_bus_message_read(call, "v", "b", &value);
                        if (r >= 0)
                                *flags[i].flag = value;
                }
        return r;
}

int control_read_options(sd_bus_message *call, bool add, struct add_request *request, struct wn_error *err)
{
        const char *key, *user = NULL, *password = NULL;
        int r = sd_bus_message_enter_container(call, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(call, 'e', "sv")) > 0) {
                r = sd_bus_message_read(call, "s", &key);
                if (r >= 0)
                        r = read_option(call, key, add, request, &user, &password);
                if (r < 0)
                        return error_set(err, ERROR_INVALID_PARAMETER, 0, "resolve", "the option \"%.40s\" is not known or malformed",
                                         r == -ENOENT || r == -ENXIO ? key : "?");
                r = sd_bus_message_exit_container(call);
        }
        if (r < 0)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "resolve", "the request is malformed");
        if (user) {
                r = credentials_split_user(user, &request->credentials.user, &request->credentials.domain);
                if (r != 0)
                        return error_set(err, r < 0 ? ERROR_EXTENDED_ERROR : r, 0, "resolve", "\"%.60s\" is not a user name", user);
        }
        if (password && (r = secret_set(&request->credentials.password, password)) < 0)
                return error_set(err, ERROR_INVALID_PASSWORD, -r, "resolve", "the password is too long");
        return 0;
}

static int on_add(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        struct client *client = userdata;
        struct add_request request = { .type = RESOURCETYPE_ANY, .caller = client->caller };
        struct wn_error err = { 0 };
        int r = sd_bus_message_read(call, "ss", &request.local, &request.remote);

        (void) error;
        (void) sd_bus_message_sensitive(call);
        if (r < 0)
                return r;
        r = control_read_options(call, true, &request, &err);
        if (r == 0)
                r = manager_add(client->control->manager, &request, added, sd_bus_message_ref(call), &err);
        else
                sd_bus_message_ref(call);
        credentials_done(&request.credentials);
        if (r != 0) {
                r = control_reply_error(call, &err, r);
                sd_bus_message_unref(call);
        }
        return r < 0 ? r : 1;
}

static int on_restore(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        struct client *client = userdata;
        struct wn_error err = { 0 };
        const char *local;
        int r = sd_bus_message_read(call, "s", &local);

        (void) error;
        if (r < 0)
                return r;
        r = manager_restore_device(client->control->manager, local, &client->caller, added, sd_bus_message_ref(call), &err);
        if (r != 0) {
                r = control_reply_error(call, &err, r);
                sd_bus_message_unref(call);
        }
        return r < 0 ? r : 1;
}

static void cancelled(void *userdata, const struct cancel_outcome *outcome)
{
        reply_outcome(userdata, outcome);
}

static int on_cancel(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        struct client *client = userdata;
        struct cancel_request request = { .caller = client->caller };
        int force, r = sd_bus_message_read(call, CONTROL_CANCEL_ARGS, &request.name, &request.flags, &force, &request.wait_usec);

        (void) error;
        if (r < 0)
                return r;
        request.force = force;
        r = manager_cancel(client->control->manager, &request, cancelled, sd_bus_message_ref(call));
        if (r < 0)
                sd_bus_message_unref(call);
        return r < 0 ? r : 1;
}

/* Answers a call that has nothing to say but whether it went well. */
static void reply_done(void *userdata, int status, const struct wn_error *err)
{
        sd_bus_message *call = userdata;
        int r = status == NO_ERROR ? sd_bus_reply_method_return(call, NULL) : control_reply_error(call, err, status);

        if (r < 0)
                log_debug("an answer could not be sent: %s", strerror(-r));
        sd_bus_message_unref(call);
}

static int on_forget(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        struct client *client = userdata;
        struct wn_error err = { 0 };
        struct device_name device;
        const char *local;
        int r = sd_bus_message_read(call, "s", &local);

        (void) error;
        if (r < 0)
                return r;
        if (device_parse(local, &device) != 0)
                return control_reply_error(call, &err, error_set(&err, ERROR_BAD_DEVICE, 0, "resolve", NOT_A_DEVICE, local));
        r = manager_forget(client->control->manager, device.text, &client->caller, cancelled, sd_bus_message_ref(call));
        if (r < 0)
                sd_bus_message_unref(call);
        return r < 0 ? r : 1;
}

struct shutdown_call {
        struct control *control;
        sd_bus_message *call;
};

static void shut_down(void *userdata, const struct cancel_outcome *outcome)
{
        struct shutdown_call *s = userdata;
        struct control *control = s->control;

        if (outcome->status == NO_ERROR)
                control->ended(control->userdata); /* before the answer: whoever has it and starts a daemon must not find this one */
        reply_outcome(s->call, outcome);
        free(s);
}

static int on_shutdown(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        struct client *client = userdata;
        struct shutdown_call *s;
        int force, r = sd_bus_message_read(call, CONTROL_SHUTDOWN_ARGS, &force);

        (void) error;
        if (r < 0)
                return r;
        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        *s = (struct shutdown_call){ client->control, sd_bus_message_ref(call) };
        r = manager_shutdown(client->control->manager, force, &client->caller, shut_down, s);
        if (r < 0) {
                sd_bus_message_unref(call);
                free(s);
        }
        return r < 0 ? r : 1;
}

static void persistence_stored(void *userdata, int status, bool persistent, const struct wn_error *err)
{
        (void) persistent;
        reply_done(userdata, status, err);
}

static int on_set_persistence(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        struct client *client = userdata;
        int persistent, r = sd_bus_message_read(call, "b", &persistent);

        (void) error;
        if (r < 0)
                return r;
        r = manager_set_persistence(client->control->manager, persistent, persistence_stored, sd_bus_message_ref(call));
        if (r < 0)
                sd_bus_message_unref(call);
        return r < 0 ? r : 1;
}

const sd_bus_vtable control_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("GetVersion", "", CONTROL_VERSION_REPLY, on_get_version, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Add", CONTROL_ADD_ARGS, CONTROL_ADD_REPLY, on_add, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Restore", "s", CONTROL_ADD_REPLY, on_restore, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Cancel", CONTROL_CANCEL_ARGS, CONTROL_OUTCOME, on_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Forget", "s", CONTROL_OUTCOME, on_forget, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Shares", CONTROL_SHARES_ARGS, CONTROL_SHARES_REPLY, control_on_shares, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("History", CONTROL_HISTORY_ARGS, CONTROL_HISTORY_REPLY, control_on_history, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("GetPersistence", "", "b", control_on_get_persistence, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("SetPersistence", "b", "", on_set_persistence, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Shutdown", CONTROL_SHUTDOWN_ARGS, CONTROL_OUTCOME, on_shutdown, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("List", "", CONTROL_LIST_REPLY, control_on_list, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("CheckProfile", "", "", control_on_check_profile, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Files", "s", CONTROL_FILES_REPLY, control_on_files, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Get", "s", CONTROL_GET_REPLY, control_on_get, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL("Changed", CONTROL_CHANGED, 0),
        SD_BUS_VTABLE_END,
};
