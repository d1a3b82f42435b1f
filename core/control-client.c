/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The daemon's methods as functions: each encodes its arguments, calls over the connection (core/control-link.c) and
 * decodes the reply (core/control-reply.c).
 */

#include "core/control-client.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "core/cleanup.h"
#include "core/control-link.h"
#include "core/control-protocol.h"
#include "core/name.h"
#include "core/utf8.h"

/* Text that is not UTF-8 cannot be a string of D-Bus, and the daemon would end the connection: it never leaves here. */
static int check_credentials(const char *user, const struct secret *password, const char *file, struct wn_error *err)
{
        if (user && !utf8_is_valid(user))
                return error_set(err, ERROR_BAD_USERNAME, 0, "check", "the user name is not valid UTF-8");
        if (password && password->bytes && !utf8_is_valid(password->bytes))
                return error_set(err, ERROR_INVALID_PASSWORD, 0, "check", "the password is not valid UTF-8");
        if (file && !utf8_is_valid(file))
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "check",
                                 "the path of the credentials file is not valid UTF-8");
        return 0;
}

static int check_add(const struct control_add_request *request, struct wn_error *err)
{
        if (!utf8_is_valid(request->local))
                return error_set(err, ERROR_BAD_DEVICE, 0, "check", "the device's name is not valid UTF-8");
        if (!utf8_is_valid(request->remote))
                return error_set(err, ERROR_BAD_NET_NAME, 0, "check", "the remote name is not valid UTF-8");
        return check_credentials(request->user, request->password, request->credentials, err);
}

static int append_credentials(sd_bus_message *message, const char *user, const struct secret *password, const char *file)
{
        int r = 0;

        if (user)
                r = sd_bus_message_append(message, "{sv}", "user", "s", user);
        if (r >= 0 && password && password->bytes)
                r = sd_bus_message_append(message, "{sv}", "password", "s", password->bytes);
        if (r >= 0 && file)
                r = sd_bus_message_append(message, "{sv}", "credentials", "s", file);
        return r;
}

static int append_add(sd_bus_message *message, const struct control_add_request *request)
{
        int r;

        r = sd_bus_message_append(message, "ss", request->local, request->remote);
        if (r >= 0)
                r = sd_bus_message_open_container(message, 'a', "{sv}");
        if (r >= 0)
                r = append_credentials(message, request->user, request->password, request->credentials);
        if (r >= 0 && request->type != RESOURCETYPE_ANY)
                r = sd_bus_message_append(message, "{sv}", "type", "u", request->type);
        if (r >= 0 && request->persistent)
                r = sd_bus_message_append(message, "{sv}", "persistent", "b", true);
        if (r >= 0 && request->read_only)
                r = sd_bus_message_append(message, "{sv}", "read-only", "b", true);
        if (r >= 0 && request->save_password)
                r = sd_bus_message_append(message, "{sv}", "save-password", "b", true);
        return r < 0 ? r : sd_bus_message_close_container(message);
}

int control_add(struct control_client *client, const struct control_add_request *request,
                struct control_added *ret_added, struct wn_error *err)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        int r;

        r = check_add(request, err);
        if (r != 0)
                return r;
        r = control_new_call(client, "Add", &message, err);
        if (r != 0)
                return r;
        r = sd_bus_message_sensitive(message);
        if (r >= 0)
                r = append_add(message, request);
        if (r < 0)
                return control_no_answer(err, r, "Add", 0);
        r = control_call(client, message, &reply, err);
        if (r != 0)
                return r;
        r = control_added_decode(reply, ret_added);
        return r < 0 ? control_no_answer(err, r, "Add", 0) : 0;
}

int control_restore(struct control_client *client, const char *local, struct control_added *ret_added,
                    struct wn_error *err)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        if (!utf8_is_valid(local))
                return error_set(err, ERROR_BAD_DEVICE, 0, "check", "the device's name is not valid UTF-8");
        r = control_call_simple(client, "Restore", &reply, err, "s", local);
        if (r != 0)
                return r;
        r = control_added_decode(reply, ret_added);
        return r < 0 ? control_no_answer(err, r, "Restore", 0) : 0;
}

int control_check_cancel(const char *name, uint32_t flags, struct wn_error *err)
{
        _cleanup_(remote_name_done) struct remote_name remote = { 0 };
        struct device_name device;
        int r;

        if (flags & ~(uint32_t) CONNECT_UPDATE_PROFILE)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "check", "unknown flags: 0x%x", flags);
        if (!name || name[0] == '\0')
                return error_set(err, ERROR_NOT_CONNECTED, 0, "check", "no connection was named");
        if (device_parse(name, &device) == 0)
                return 0;
        r = remote_name_parse(name, &remote);
        if (r < 0)
                return control_no_answer(err, r, "Cancel", 0);
        if (r > 0)
                return error_set(err, ERROR_NOT_CONNECTED, 0, "check",
                                 "%s is neither a device (such as Z:) nor a remote name (such as //server/share)",
                                 name);
        return 0;
}

int control_cancel(struct control_client *client, const char *name, uint32_t flags, bool force, uint64_t wait_usec,
                   struct control_outcome *ret_outcome, struct wn_error *err)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        int r;

        r = control_check_cancel(name, flags, err);
        if (r != 0)
                return r;
        r = control_new_call(client, "Cancel", &message, err);
        if (r != 0)
                return r;
        r = sd_bus_message_append(message, CONTROL_CANCEL_ARGS, name, flags, (int) force, wait_usec);
        if (r < 0)
                return control_no_answer(err, r, "Cancel", 0);
        r = control_call_waiting(client, message, wait_usec, &reply, err);
        if (r != 0)
                return r;
        r = control_outcome_decode(reply, ret_outcome);
        return r < 0 ? control_no_answer(err, r, "Cancel", 0) : 0;
}

int control_forget(struct control_client *client, const char *local, struct control_outcome *ret_outcome,
                   struct wn_error *err)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        if (!utf8_is_valid(local))
                return error_set(err, ERROR_BAD_DEVICE, 0, "check", "the device's name is not valid UTF-8");
        r = control_call_simple(client, "Forget", &reply, err, "s", local);
        if (r != 0)
                return r;
        r = control_outcome_decode(reply, ret_outcome);
        return r < 0 ? control_no_answer(err, r, "Forget", 0) : 0;
}

int control_shutdown(struct control_client *client, bool force, struct control_outcome *ret_outcome,
                     struct wn_error *err)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = control_call_simple(client, "Shutdown", &reply, err, CONTROL_SHUTDOWN_ARGS, (int) force);
        if (r != 0)
                return r;
        r = control_outcome_decode(reply, ret_outcome);
        if (r == -EBADMSG && control_protocol(client) != CONTROL_PROTOCOL)
                r = control_outcome_decode_foreign(reply, ret_outcome);
        return r < 0 ? control_no_answer(err, r, "Shutdown", 0) : 0;
}

int control_list(struct control_client *client, struct control_list *ret_list, struct wn_error *err)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = control_call_simple(client, "List", &reply, err, NULL);
        if (r != 0)
                return r;
        r = control_list_decode(reply, ret_list);
        return r < 0 ? control_no_answer(err, r, "List", 0) : 0;
}

int control_check_profile(struct control_client *client, struct wn_error *err)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;

        return control_call_simple(client, "CheckProfile", &reply, err, NULL);
}

int control_files(struct control_client *client, const char *name, struct control_files *ret_files,
                  struct wn_error *err)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        if (!utf8_is_valid(name))
                return error_set(err, ERROR_NOT_CONNECTED, 0, "check", "the name is not valid UTF-8");
        r = control_call_simple(client, "Files", &reply, err, "s", name);
        if (r != 0)
                return r;
        r = control_files_decode(reply, ret_files);
        return r < 0 ? control_no_answer(err, r, "Files", 0) : 0;
}

int control_get(struct control_client *client, const char *local, struct control_device *ret_device,
                struct wn_error *err)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        if (!utf8_is_valid(local))
                return error_set(err, ERROR_BAD_DEVICE, 0, "check", "the device's name is not valid UTF-8");
        r = control_call_simple(client, "Get", &reply, err, "s", local);
        if (r != 0)
                return r;
        r = control_device_decode(reply, ret_device);
        return r < 0 ? control_no_answer(err, r, "Get", 0) : 0;
}

static int append_shares(sd_bus_message *message, const struct control_shares_request *request)
{
        int r = sd_bus_message_append(message, "s", request->server);

        if (r >= 0)
                r = sd_bus_message_open_container(message, 'a', "{sv}");
        if (r >= 0)
                r = append_credentials(message, request->user, request->password, request->credentials);
        return r < 0 ? r : sd_bus_message_close_container(message);
}

int control_shares(struct control_client *client, const struct control_shares_request *request,
                   struct control_shares *ret_shares, struct wn_error *err)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        int r;

        if (!utf8_is_valid(request->server))
                return error_set(err, ERROR_BAD_NET_NAME, 0, "check", "the server's name is not valid UTF-8");
        r = check_credentials(request->user, request->password, request->credentials, err);
        if (r != 0)
                return r;
        r = control_new_call(client, "Shares", &message, err);
        if (r != 0)
                return r;
        r = sd_bus_message_sensitive(message);
        if (r >= 0)
                r = append_shares(message, request);
        if (r < 0)
                return control_no_answer(err, r, "Shares", 0);
        r = control_call(client, message, &reply, err);
        if (r != 0)
                return r;
        r = control_shares_decode(reply, ret_shares);
        return r < 0 ? control_no_answer(err, r, "Shares", 0) : 0;
}

int control_history(struct control_client *client, const char *device, uint32_t n_max,
                    struct control_history *ret_history, struct wn_error *err)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        if (device && !utf8_is_valid(device))
                return error_set(err, ERROR_BAD_DEVICE, 0, "check", "the device's name is not valid UTF-8");
        r = control_call_simple(client, "History", &reply, err, CONTROL_HISTORY_ARGS, device ? device : "", n_max);
        if (r != 0)
                return r;
        r = control_history_decode(reply, ret_history);
        return r < 0 ? control_no_answer(err, r, "History", 0) : 0;
}

int control_get_persistence(struct control_client *client, bool *ret_persistent, struct wn_error *err)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int persistent, r;

        r = control_call_simple(client, "GetPersistence", &reply, err, NULL);
        if (r != 0)
                return r;
        r = sd_bus_message_read(reply, "b", &persistent);
        if (r <= 0)
                return control_no_answer(err, r == -ENOMEM ? r : -EBADMSG, "GetPersistence", 0);
        *ret_persistent = persistent;
        return 0;
}

int control_set_persistence(struct control_client *client, bool persistent, struct wn_error *err)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;

        return control_call_simple(client, "SetPersistence", &reply, err, "b", (int) persistent);
}
