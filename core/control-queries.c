/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The calls that only ask.
 */

#include "core/control-internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/control-protocol.h"
#include "core/log.h"
#include "core/mountinfo.h"
#include "core/session.h"

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

/* Why c is as it is, or what is odd about it. What was detached while it is in use, or is elsewhere since a folder above was renamed, goes on
 * for those, and nobody else comes to it. */
static const char *connection_reason(const struct connection *c, const struct mountinfo *mounts)
{
        if (c->state == CONNECTION_OK && mounts->n_entries > 0 && !mountinfo_find(mounts, c->mountpoint))
                return "it is not mounted in its place any more, and is still in use; wnet cancel ends it";
        return c->reason;
}

static int append_connection(sd_bus_message *reply, const struct connection *c, const struct mountinfo *mounts)
{
        _cleanup_free_ char *remote = remote_name_to_unc(&c->remote), *user = connection_user(c);

        if (!remote || !user)
                return -ENOMEM;
        return sd_bus_message_append(reply, "(" CONTROL_CONNECTION ")", c->has_device ? c->name : "", remote,
                                     connection_state_name(c->state), connection_reason(c, mounts), user, c->mountpoint,
                                     c->since_usec, c->next_retry_usec, (int) c->remembered, (int) c->read_only);
}

int control_on_list(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        struct client *client = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(mountinfo_done) struct mountinfo mounts = { 0 };
        struct connection *c;
        int r = sd_bus_message_new_method_return(call, &reply);

        (void) error;
        (void) manager_restore_again(client->control->manager, NULL);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(" CONTROL_CONNECTION ")");
        (void) mountinfo_read(&mounts);
        TAILQ_FOREACH(c, &client->control->manager->connections, entry)
                if (r >= 0 && c->state != CONNECTION_GONE)
                        r = append_connection(reply, c, &mounts);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

int control_on_check_profile(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        struct client *client = userdata;
        struct wn_error err;

        (void) error;
        if (manager_restore_again(client->control->manager, &err) != 0)
                return control_reply_error(call, &err, err.status);
        return sd_bus_reply_method_return(call, NULL);
}

static const char *handle_kind(const struct handle *handle)
{
        return handle->job ? "job" : handle->directory ? "directory" : "file";
}

static int append_files(sd_bus_message *reply, const struct connection *c)
{
        struct openers openers = { 0 };
        const struct handle *handle;

        LIST_FOREACH(handle, &c->handles.list, entry) {
                const char *program = handle_program(handle, &openers);
                _cleanup_free_ char *path = NULL;
                int r;

                if (asprintf(&path, "/%s", handle->path) < 0)
                        return -ENOMEM;
                r = sd_bus_message_append(reply, "(" CONTROL_FILE ")", c->name, handle_kind(handle), path,
                                          program ? (uint32_t) handle->pid : 0, (uint32_t) getuid(), program ? program : "",
                                          handle_mode(handle), handle->since_usec, handle->read_bytes, handle->written_bytes);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Whether c is what was asked for: a device, all connections to a resource, or, with neither, every one. */
static bool is_asked_for(const struct connection *c, const struct device_name *device, const struct remote_name *remote)
{
        if (c->state == CONNECTION_GONE)
                return false;
        if (device)
                return c->has_device && strcmp(c->device.text, device->text) == 0;
        return !remote || remote_name_equal(&c->remote, remote);
}

static int reply_not_connected(sd_bus_message *call, const char *name)
{
        struct wn_error err = { 0 };

        return control_reply_error(call, &err, error_set(&err, ERROR_NOT_CONNECTED, 0, "resolve",
                                                         "%.80s is not connected", name));
}

int control_on_files(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        struct client *client = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(remote_name_done) struct remote_name remote = { 0 };
        struct device_name device;
        struct connection *c;
        const char *name;
        bool is_device, found = false;
        int r = sd_bus_message_read(call, "s", &name);

        (void) error;
        if (r < 0)
                return r;
        is_device = device_parse(name, &device) == 0;
        r = *name && !is_device ? remote_name_parse(name, &remote) : 0;
        if (r != 0)
                return r < 0 ? r : reply_not_connected(call, name);
        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(" CONTROL_FILE ")");
        TAILQ_FOREACH(c, &client->control->manager->connections, entry) {
                if (r < 0 || !is_asked_for(c, is_device ? &device : NULL, remote.server ? &remote : NULL))
                        continue;
                found = true;
                r = append_files(reply, c);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0 && *name && !found)
                return reply_not_connected(call, name);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

int control_on_get(sd_bus_message *call, void *userdata, sd_bus_error *error)
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
                return control_reply_error(call, &err, error_set(&err, ERROR_BAD_DEVICE, 0, "resolve", NOT_A_DEVICE, name));
        r = manager_restore_again(client->control->manager, &err);
        c = manager_find_device(client->control->manager, &device);
        if (!c && r != 0) /* it may be remembered */
                return control_reply_error(call, &err, err.status);
        if (!c)
                return control_reply_error(call, &err, error_set(&err, ERROR_NOT_CONNECTED, 0, "resolve", "%s is not connected", device.text));
        remote = remote_name_to_unc(&c->remote);
        if (!remote)
                return -ENOMEM;
        return sd_bus_reply_method_return(call, CONTROL_GET_REPLY, remote, connection_state_name(c->state));
}

static int append_event(void *userdata, const struct history_event *event)
{
        int r = sd_bus_message_append(userdata, "(" CONTROL_EVENT ")", event->when_usec, event->device, event->remote, event->event,
                                      event->detail, event->program, (uint32_t) event->pid);

        return r < 0 ? r : 0;
}

int control_on_history(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        struct client *client = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(remote_name_done) struct remote_name remote = { 0 };
        _cleanup_free_ char *unc = NULL;
        struct wn_error err = { 0 };
        struct device_name device;
        const char *name;
        uint32_t n_max;
        int r = sd_bus_message_read(call, CONTROL_HISTORY_ARGS, &name, &n_max);

        (void) error;
        if (r < 0)
                return r;
        if (device_parse(name, &device) == 0)
                name = device.text;
        else if (remote_name_parse(name, &remote) == 0) {
                unc = remote_name_to_unc(&remote); /* so it stands in the events */
                if (!unc)
                        return -ENOMEM;
                name = unc;
        }
        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(" CONTROL_EVENT ")");
        if (r >= 0)
                r = history_read(client->control->manager->history, *name ? name : NULL, n_max, append_event, reply, &err);
        if (r > 0)
                return control_reply_error(call, &err, r);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static void persistence_loaded(void *userdata, int status, bool persistent, const struct wn_error *err)
{
        sd_bus_message *call = userdata;
        int r = status == NO_ERROR ? sd_bus_reply_method_return(call, "b", (int) persistent) : control_reply_error(call, err, status);

        if (r < 0)
                log_debug("an answer could not be sent: %s", strerror(-r));
        sd_bus_message_unref(call);
}

int control_on_get_persistence(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        struct client *client = userdata;
        int r = manager_get_persistence(client->control->manager, persistence_loaded, sd_bus_message_ref(call));

        (void) error;
        if (r < 0)
                sd_bus_message_unref(call);
        return r < 0 ? r : 1;
}

/* ---- shares ---- */

/* A server is being asked; in control->asking. */
struct shares_call {
        LIST_ENTRY(shares_call) entry;
        struct control *control;
        sd_bus_message *call;
        struct shares_job *job;
};

static void shares_call_free(struct shares_call *s)
{
        LIST_REMOVE(s, entry);
        sd_bus_message_unref(s->call);
        free(s);
}

void control_end_shares(struct control *control)
{
        struct shares_call *s;

        while ((s = LIST_FIRST(&control->asking))) {
                control->manager->ops->shares_cancel(s->job);
                shares_call_free(s);
        }
}

static int reply_shares(sd_bus_message *call, const struct share *shares, size_t n)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r = sd_bus_message_new_method_return(call, &reply);

        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(" CONTROL_SHARE ")");
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = sd_bus_message_append(reply, "(" CONTROL_SHARE ")", shares[i].name, shares[i].type, shares[i].comment);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static void on_listed(void *userdata, int status, const struct wn_error *err, const struct share *shares, size_t n)
{
        struct shares_call *s = userdata;
        int r = status == NO_ERROR ? reply_shares(s->call, shares, n) : control_reply_error(s->call, err, status);

        if (r < 0)
                log_debug("an answer could not be sent: %s", strerror(-r));
        shares_call_free(s);
}

static bool no_credentials(const struct add_request *request)
{
        return !request->credentials.user && !request->credentials.password.bytes && !request->credentials_file;
}

static int ask_server(struct client *client, sd_bus_message *call, const struct remote_name *server,
                      const struct add_request *request)
{
        struct control *control = client->control;
        const struct connection *session = no_credentials(request) ? session_find(control->manager, server) : NULL;
        struct shares_call *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        *s = (struct shares_call){ .control = control, .call = sd_bus_message_ref(call) };
        LIST_INSERT_HEAD(&control->asking, s, entry);
        r = control->manager->ops->shares(control->event, server, session ? &session->credentials : &request->credentials,
                                          session ? session->credentials_file : request->credentials_file, on_listed, s, &s->job);
        if (r < 0)
                shares_call_free(s);
        return r;
}

int control_on_shares(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        _cleanup_(remote_name_done) struct remote_name server = { 0 };
        struct add_request request = { 0 };
        struct client *client = userdata;
        struct wn_error err = { 0 };
        const char *name;
        int r = sd_bus_message_read(call, "s", &name);

        (void) error;
        (void) sd_bus_message_sensitive(call);
        if (r < 0)
                return r;
        r = control_read_options(call, false, &request, &err);
        if (r == 0 && request.credentials_file && request.credentials_file[0] != '/')
                r = error_set(&err, ERROR_INVALID_PARAMETER, 0, "resolve", "the path of the credentials file is not absolute");
        else if (r == 0 && request.credentials_file && strlen(request.credentials_file) >= PATH_MAX)
                r = error_set(&err, ERROR_INVALID_PARAMETER, 0, "resolve", "the path of the credentials file is too long");
        if (r == 0 && remote_server_parse(name, &server) != 0)
                r = error_set(&err, ERROR_BAD_NET_NAME, 0, "resolve", "%.80s is not a server's name; write //server", name);
        if (r == 0)
                r = ask_server(client, call, &server, &request);
        credentials_done(&request.credentials);
        if (r > 0)
                return control_reply_error(call, &err, r);
        return r < 0 ? r : 1;
}
