/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * WNetGetConnection and WNetGetUser.
 */

#include "core/libwnet/get.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/libwnet/text.h"
#include "core/utf8.h"

#define PASSWD_MAX_BYTES 16384

int get_device(const struct device_name *name, struct control_device *ret_device, struct wn_error *err)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        int r = call_open(&client, err);

        return r != 0 ? r : control_get(client, name->text, ret_device, err);
}

int get_check_connected(const struct device_name *name, const struct control_device *device, struct wn_error *err)
{
        if (control_state_connected(device->state))
                return 0;
        return error_set(err, ERROR_CONNECTION_UNAVAIL, 0, NULL, "%s is not connected to %s now", name->text,
                         device->remote);
}

static int get_connection(const char *local, void *buffer, DWORD *chars, bool wide, struct wn_error *err)
{
        _cleanup_(control_device_done) struct control_device device = { 0 };
        struct device_name name;
        int r;

        if (!local || !chars || (!buffer && *chars != 0))
                return error_set(err, ERROR_INVALID_ADDRESS, 0, "check", "%s is NULL",
                                 !local ? "lpLocalName" : !chars ? "lpnLength" : "lpRemoteName");
        if (device_parse(local, &name) != 0)
                return error_set(err, ERROR_BAD_DEVICE, 0, "check", "%s is not a device's name (such as Z: or LPT1)",
                                 local);
        r = get_device(&name, &device, err);
        if (r == 0)
                r = text_give("the remote name", device.remote, buffer, chars, wide, err);
        return r != 0 ? r : get_check_connected(&name, &device, err);
}

/* Whether a connection is what name calls: a device, or else a remote resource. */
static bool is_named(const struct control_connection *c, const struct device_name *device,
                     const struct remote_name *remote)
{
        _cleanup_(remote_name_done) struct remote_name its = { 0 };

        if (device)
                return strcmp(c->device, device->text) == 0;
        return remote_name_parse(c->remote, &its) == 0 && remote_name_equal(&its, remote);
}

/* The login name of the caller, its number where there is no such user. 0 or -ENOMEM. */
static int login_name(char **ret_user)
{
        _cleanup_free_ char *buffer = malloc(PASSWD_MAX_BYTES);
        struct passwd entry, *found = NULL;

        if (!buffer)
                return -ENOMEM;
        if (getpwuid_r(geteuid(), &entry, buffer, PASSWD_MAX_BYTES, &found) == 0 && found && utf8_is_valid(found->pw_name))
                *ret_user = strdup(found->pw_name);
        else if (asprintf(ret_user, "%u", geteuid()) < 0)
                *ret_user = NULL;
        return *ret_user ? 0 : -ENOMEM;
}

/* The user of the connection that name calls. */
static int connection_user(const char *name, char **ret_user, struct wn_error *err)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_list_done) struct control_list list = { 0 };
        _cleanup_(remote_name_done) struct remote_name remote = { 0 };
        struct device_name device;
        bool has_device = device_parse(name, &device) == 0;
        int r = has_device ? 0 : remote_name_parse(name, &remote);

        if (r > 0)
                return error_set(err, ERROR_NOT_CONNECTED, 0, "check",
                                 "%s is neither a device (such as Z:) nor a remote name (such as \\\\server\\share)",
                                 name[0] ? name : "an empty text");
        if (r == 0)
                r = call_open(&client, err);
        if (r == 0)
                r = control_list(client, &list, err);
        if (r != 0)
                return r;
        for (size_t i = 0; i < list.n_items; i++) {
                const struct control_connection *c = &list.items[i];

                if (!control_state_connected(c->state) || !is_named(c, has_device ? &device : NULL, &remote))
                        continue;
                if (c->user[0] == '\0')
                        return login_name(ret_user);
                *ret_user = strdup(c->user);
                return *ret_user ? 0 : -ENOMEM;
        }
        return error_set(err, ERROR_NOT_CONNECTED, 0, NULL, "%s is not connected", name);
}

static int get_user(const char *name, void *buffer, DWORD *chars, bool wide, struct wn_error *err)
{
        _cleanup_free_ char *user = NULL;
        int r;

        if (!chars || (!buffer && *chars != 0))
                return error_set(err, ERROR_INVALID_ADDRESS, 0, "check", "%s is NULL",
                                 !chars ? "lpnLength" : "lpUserName");
        r = name ? connection_user(name, &user, err) : login_name(&user);
        return r != 0 ? r : text_give("the user's name", user, buffer, chars, wide, err);
}

EXPORT DWORD WNetGetConnectionA(LPCSTR lpLocalName, LPSTR lpRemoteName, LPDWORD lpnLength)
{
        struct wn_error err = { 0 };

        return call_done(get_connection(lpLocalName, lpRemoteName, lpnLength, false, &err), &err);
}

EXPORT DWORD WNetGetConnectionW(LPCWSTR lpLocalName, LPWSTR lpRemoteName, LPDWORD lpnLength)
{
        _cleanup_free_ char *local = NULL;
        struct wn_error err = { 0 };
        int r = text_from_wide(lpLocalName, &local);

        if (r == 0)
                r = get_connection(local, lpRemoteName, lpnLength, true, &err);
        return call_done(r, &err);
}

EXPORT DWORD WNetGetUserA(LPCSTR lpName, LPSTR lpUserName, LPDWORD lpnLength)
{
        struct wn_error err = { 0 };

        return call_done(get_user(lpName, lpUserName, lpnLength, false, &err), &err);
}

EXPORT DWORD WNetGetUserW(LPCWSTR lpName, LPWSTR lpUserName, LPDWORD lpnLength)
{
        _cleanup_free_ char *name = NULL;
        struct wn_error err = { 0 };
        int r = text_from_wide(lpName, &name);

        if (r == 0)
                r = get_user(name, lpUserName, lpnLength, true, &err);
        return call_done(r, &err);
}
