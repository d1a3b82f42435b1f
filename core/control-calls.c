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

#define NOT_A_DEVICE "%.40s is not a local device; use a drive letter with its colon (Z:) or a printer port (LPT1)"

/* ---- answers ---- */

static int reply_error(sd_bus_message *call, const struct wn_error *err, int status)
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
                                   : reply_error(call, err, status);

        if (r < 0)
                log_debug("an answer could not be sent: %s", strerror(-r));
        sd_bus_message_unref(call);
}

static int read_option(sd_bus_message *call, const char *key, struct add_request *request, const char **ret_user,
                       const char **ret_password)
{
        int r, value;

        if (strcmp(key, "user") == 0)
                return sd_bus_message_read(call, "v", "s", ret_user);
        if (strcmp(key, "password") == 0)
                return sd_bus_message_read(call, "v", "s", ret_password);
        if (strcmp(key, "credentials") == 0)
                return sd_bus_message_read(call, "v", "s", &request->credentials_file);
        if (strcmp(key, "type") == 0)
                return sd_bus_message_read(call, "v", "u", &request->type);
        if (strcmp(key, "persistent") != 0 && strcmp(key, "read-only") != 0)
                return -ENOENT;
        r = sd_bus_message_read(call, "v", "b", &value);
        if (r >= 0)
                *(strcmp(key, "persistent") == 0 ? &request->persistent : &request->read_only) = value;
        return r;
}

static int read_options(sd_bus_message *call, struct add_request *request, struct wn_error *err)
{
        const char *key, *user = NULL, *password = NULL;
        int r = sd_bus_message_enter_container(call, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(call, 'e', "sv")) > 0) {
                r = sd_bus_message_read(call, "s", &key);
                if (r >= 0)
                        r = read_option(call, key, request, &user, &password);
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
        r = read_options(call, &request, &err);
        if (r == 0)
                r = manager_add(client->control->manager, &request, added, sd_bus_message_ref(call), &err);
        else
                sd_bus_message_ref(call);
        credentials_done(&request.credentials);
        if (r != 0) {
                r = reply_error(call, &err, r);
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
                r = reply_error(call, &err, r);
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
        struct cancel_request request = { .caller = client->caller, .owner = client };
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
        int r = status == NO_ERROR ? sd_bus_reply_method_return(call, NULL) : reply_error(call, err, status);

        if (r < 0)
                log_debug("an answer could not be sent: %s", strerror(-r));
        sd_bus_message_unref(call);
}

static void forgotten(void *userdata, const struct cancel_outcome *outcome)
{
        reply_done(userdata, outcome->status, &outcome->err);
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
                return reply_error(call, &err, error_set(&err, ERROR_BAD_DEVICE, 0, "resolve", NOT_A_DEVICE, local));
        r = manager_forget(client->control->manager, device.text, &client->caller, forgotten, sd_bus_message_ref(call));
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

        reply_outcome(s->call, outcome);
        free(s);
        if (outcome->status == NO_ERROR)
                control->ended(control->userdata);
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

/* As whom c is, or is to be, connected: "DOMAIN\\user", "user"; "" where nobody has said it and no server has accepted it yet.
 * NULL: out of memory. */
static char *connection_user(const struct connection *c)
{
        const char *user = c->session_user ? c->session_user : c->credentials.user;
        const char *domain = c->session_user ? c->session_domain : c->credentials.domain;
        char *text;

        if (!user || !domain)
                return strdup(user ? user : "");
        return asprintf(&text, "%s\\%s", domain, user) < 0 ? NULL : text;
}

static int append_connection(sd_bus_message *reply, struct connection *c)
{
        _cleanup_free_ char *remote = remote_name_to_unc(&c->remote), *user = connection_user(c);

        if (!remote || !user)
                return -ENOMEM;
        return sd_bus_message_append(reply, "(" CONTROL_CONNECTION ")", c->has_device ? c->name : "", remote,
                                     connection_state_name(c->state), c->reason, user, c->mountpoint,
                                     c->since_usec, c->next_retry_usec, (int) c->remembered, (int) c->read_only);
}

static int on_list(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        struct client *client = userdata;
        sd_bus_message *reply = NULL;
        struct connection *c;
        int r = sd_bus_message_new_method_return(call, &reply);

        (void) error;
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(" CONTROL_CONNECTION ")");
        TAILQ_FOREACH(c, &client->control->manager->connections, entry)
                if (r >= 0 && c->state != CONNECTION_GONE)
                        r = append_connection(reply, c);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r;
}

static int append_files(sd_bus_message *reply, const struct connection *c)
{
        const struct handle *handle;

        LIST_FOREACH(handle, &c->handles.list, entry) {
                char program[sizeof(handle->program)];
                _cleanup_free_ char *path = NULL;
                int r;

                if (asprintf(&path, "/%s", handle->path) < 0)
                        return -ENOMEM;
                memcpy(program, handle->program, sizeof(program));
                utf8_make_printable(program);
                r = sd_bus_message_append(reply, "(" CONTROL_FILE ")", c->name, handle->directory ? "directory" : "file", path,
                                          (uint32_t) handle->pid, (uint32_t) getuid(), program, handle_mode(handle),
                                          handle->since_usec, handle->read_bytes, handle->written_bytes);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int on_files(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        struct client *client = userdata;
        struct manager *m = client->control->manager;
        sd_bus_message *reply = NULL;
        struct connection *c, *only = NULL;
        struct wn_error err = { 0 };
        struct device_name device;
        const char *name;
        int r = sd_bus_message_read(call, "s", &name);

        (void) error;
        if (r < 0)
                return r;
        if (*name) {
                TAILQ_FOREACH(c, &m->connections, entry)
                        if (c->state != CONNECTION_GONE &&
                            strcmp(c->name, device_parse(name, &device) == 0 ? device.text : name) == 0)
                                only = c;
                if (!only)
                        return reply_error(call, &err, error_set(&err, ERROR_NOT_CONNECTED, 0, "resolve",
                                                                 "%.80s is not connected; wnet list shows what is", name));
        }
        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(" CONTROL_FILE ")");
        TAILQ_FOREACH(c, &m->connections, entry)
                if (r >= 0 && (!only || c == only))
                        r = append_files(reply, c);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r;
}

static int on_get(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        struct client *client = userdata;
        _cleanup_free_ char *remote = NULL;
        struct wn_error err = { 0 };
        struct device_name device;
        struct connection *c;
        const char *name;
        int r = sd_bus_message_read(call, "s", &name);

        (void) error;
        if (r < 0)
                return r;
        if (device_parse(name, &device) != 0)
                return reply_error(call, &err, error_set(&err, ERROR_BAD_DEVICE, 0, "resolve", NOT_A_DEVICE, name));
        c = manager_find_device(client->control->manager, &device);
        if (!c)
                return reply_error(call, &err, error_set(&err, ERROR_NOT_CONNECTED, 0, "resolve", "%s is not connected", device.text));
        remote = remote_name_to_unc(&c->remote);
        if (!remote)
                return -ENOMEM;
        return sd_bus_reply_method_return(call, CONTROL_GET_REPLY, remote, connection_state_name(c->state));
}

/* ---- history, settings ---- */

static int append_event(void *userdata, const struct history_event *event)
{
        int r = sd_bus_message_append(userdata, "(" CONTROL_EVENT ")", event->when_usec, event->device, event->remote, event->event,
                                      event->detail, event->program, (uint32_t) event->pid);

        return r < 0 ? r : 0;
}

static int on_history(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        struct client *client = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        struct device_name device;
        const char *name;
        uint32_t n_max;
        int r = sd_bus_message_read(call, CONTROL_HISTORY_ARGS, &name, &n_max);

        (void) error;
        if (r < 0)
                return r;
        if (device_parse(name, &device) == 0)
                name = device.text;
        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(" CONTROL_EVENT ")");
        if (r >= 0)
                r = history_read(client->control->manager->history, *name ? name : NULL, n_max, append_event, reply);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int on_get_persistence(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        struct client *client = userdata;
        struct wn_error err = { 0 };
        bool persistent;
        int r = profile_load_persistence(client->control->manager->profile_path, &persistent, &err);

        (void) error;
        if (r == -EBUSY)
                r = ERROR_CANNOT_OPEN_PROFILE;
        if (r != 0)
                return r < 0 ? r : reply_error(call, &err, r);
        return sd_bus_reply_method_return(call, "b", (int) persistent);
}

static int on_set_persistence(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        struct client *client = userdata;
        int persistent, r = sd_bus_message_read(call, "b", &persistent);

        (void) error;
        if (r < 0)
                return r;
        r = manager_set_persistence(client->control->manager, persistent, reply_done, sd_bus_message_ref(call));
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
        SD_BUS_METHOD("Forget", "s", "", on_forget, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("History", CONTROL_HISTORY_ARGS, CONTROL_HISTORY_REPLY, on_history, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("GetPersistence", "", "b", on_get_persistence, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("SetPersistence", "b", "", on_set_persistence, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Shutdown", CONTROL_SHUTDOWN_ARGS, CONTROL_OUTCOME, on_shutdown, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("List", "", CONTROL_LIST_REPLY, on_list, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Files", "s", CONTROL_FILES_REPLY, on_files, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Get", "s", CONTROL_GET_REPLY, on_get, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL("Changed", CONTROL_CHANGED, 0),
        SD_BUS_VTABLE_END,
};
