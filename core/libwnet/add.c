/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * WNetAddConnection, WNetAddConnection2 and WNetAddConnection3.
 */

#include "core/libwnet/add.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "core/cleanup.h"
#include "core/libwnet/text.h"
#include "core/name.h"
#include "core/secret.h"

static int check_remote(const char *text, struct wn_error *err)
{
        _cleanup_(remote_name_done) struct remote_name remote = { 0 };
        int r = text ? remote_name_parse(text, &remote) : ERROR_BAD_NET_NAME;

        if (r > 0)
                return error_set(err, r, 0, "check", "%s is not a remote name (such as \\\\server\\share)",
                                 text && text[0] ? text : "an empty text");
        return r;
}

int add_check(const NETRESOURCEA *resource, DWORD flags, DWORD known_flags, struct wn_error *err)
{
        struct device_name device;

        if (!resource)
                return error_set(err, ERROR_INVALID_ADDRESS, 0, "check", "lpNetResource is NULL");
        if (flags & ~known_flags)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "check", "unknown flags: 0x%x", flags & ~known_flags);
        if (flags & CONNECT_UPDATE_PROFILE && flags & CONNECT_TEMPORARY)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "check",
                                 "CONNECT_TEMPORARY and CONNECT_UPDATE_PROFILE exclude each other");
        if (flags & CONNECT_CMD_SAVECRED && flags & CONNECT_TEMPORARY)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "check",
                                 "CONNECT_TEMPORARY and CONNECT_CMD_SAVECRED exclude each other");
        if (resource->dwType > RESOURCETYPE_PRINT)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "check", "unknown resource type: %u",
                                 resource->dwType);
        if (resource->lpLocalName && resource->lpLocalName[0] != '\0' &&
            device_parse(resource->lpLocalName, &device) != 0)
                return error_set(err, ERROR_BAD_DEVICE, 0, "check", "%s is not a device's name (such as Z: or LPT1)",
                                 resource->lpLocalName);
        if (resource->lpProvider && resource->lpProvider[0] != '\0' && strcasecmp(resource->lpProvider, PROVIDER) != 0)
                return error_set(err, ERROR_BAD_PROVIDER, 0, "check", "there is no network provider %s, only " PROVIDER,
                                 resource->lpProvider);
        return check_remote(resource->lpRemoteName, err);
}

int add_connect(const NETRESOURCEA *resource, const char *local, const char *password_text, const char *user,
                DWORD flags, struct control_added *ret_added, struct wn_error *err)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(secret_done) struct secret password = { 0 };
        int r;

        if (flags & CONNECT_CMD_SAVECRED && (!password_text || local[0] == '\0'))
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "check",
                                 "CONNECT_CMD_SAVECRED needs a device that is remembered and a password");
        r = secret_set(&password, password_text);
        if (r == -E2BIG)
                return error_set(err, ERROR_INVALID_PASSWORD, 0, "check", "the password is longer than %d bytes",
                                 SECRET_MAX_BYTES);
        if (r < 0)
                return r;
        r = call_open(&client, err);
        if (r != 0)
                return r;
        return control_add(client,
                           &(struct control_add_request) {
                                   .local = local,
                                   .remote = resource->lpRemoteName,
                                   .user = user,
                                   .password = &password,
                                   .type = resource->dwType,
                                   .persistent = flags & CONNECT_UPDATE_PROFILE && local[0] != '\0',
                                   .save_password = flags & CONNECT_CMD_SAVECRED,
                           },
                           ret_added, err);
}

int add_narrow_init(struct add_narrow *ret_narrow, const NETRESOURCEW *resource, const WCHAR *password,
                    const WCHAR *user)
{
        int r = 0;

        *ret_narrow = (struct add_narrow) { 0 };
        if (resource) {
                ret_narrow->resource.dwType = resource->dwType;
                r = text_from_wide(resource->lpLocalName, &ret_narrow->resource.lpLocalName);
                if (r == 0)
                        r = text_from_wide(resource->lpRemoteName, &ret_narrow->resource.lpRemoteName);
                if (r == 0)
                        r = text_from_wide(resource->lpProvider, &ret_narrow->resource.lpProvider);
        }
        if (r == 0)
                r = text_from_wide(password, &ret_narrow->password);
        if (r == 0)
                r = text_from_wide(user, &ret_narrow->user);
        return r;
}

void add_narrow_done(struct add_narrow *narrow)
{
        free(narrow->resource.lpLocalName);
        free(narrow->resource.lpRemoteName);
        free(narrow->resource.lpProvider);
        text_erase_free(&narrow->password);
        free(narrow->user);
}

static DWORD add(const NETRESOURCEA *resource, const char *password, const char *user, DWORD flags)
{
        _cleanup_(control_added_done) struct control_added added = { 0 };
        struct wn_error err = { 0 };
        int r;

        r = add_check(resource, flags, ADD_FLAGS, &err);
        if (r == 0)
                r = add_connect(resource, resource->lpLocalName ? resource->lpLocalName : "", password, user, flags,
                                &added, &err);
        return call_done(r, &err);
}

static DWORD add_wide(const NETRESOURCEW *resource, const WCHAR *password, const WCHAR *user, DWORD flags)
{
        _cleanup_(add_narrow_done) struct add_narrow narrow;
        struct wn_error err = { 0 };
        int r = add_narrow_init(&narrow, resource, password, user);

        if (r < 0)
                return call_done(r, &err);
        return add(resource ? &narrow.resource : NULL, narrow.password, narrow.user, flags);
}

EXPORT DWORD WNetAddConnection2A(LPNETRESOURCEA lpNetResource, LPCSTR lpPassword, LPCSTR lpUserName, DWORD dwFlags)
{
        return add(lpNetResource, lpPassword, lpUserName, dwFlags);
}

EXPORT DWORD WNetAddConnection2W(LPNETRESOURCEW lpNetResource, LPCWSTR lpPassword, LPCWSTR lpUserName, DWORD dwFlags)
{
        return add_wide(lpNetResource, lpPassword, lpUserName, dwFlags);
}

EXPORT DWORD WNetAddConnection3A(HWND hwndOwner, LPNETRESOURCEA lpNetResource, LPCSTR lpPassword, LPCSTR lpUserName,
                                 DWORD dwFlags)
{
        (void) hwndOwner;
        return add(lpNetResource, lpPassword, lpUserName, dwFlags);
}

EXPORT DWORD WNetAddConnection3W(HWND hwndOwner, LPNETRESOURCEW lpNetResource, LPCWSTR lpPassword, LPCWSTR lpUserName,
                                 DWORD dwFlags)
{
        (void) hwndOwner;
        return add_wide(lpNetResource, lpPassword, lpUserName, dwFlags);
}

EXPORT DWORD WNetAddConnectionA(LPCSTR lpRemoteName, LPCSTR lpPassword, LPCSTR lpLocalName)
{
        NETRESOURCEA resource = {
                .dwType = RESOURCETYPE_ANY,
                .lpLocalName = (LPSTR) lpLocalName,
                .lpRemoteName = (LPSTR) lpRemoteName,
        };

        return add(&resource, lpPassword, NULL, CONNECT_UPDATE_PROFILE);
}

EXPORT DWORD WNetAddConnectionW(LPCWSTR lpRemoteName, LPCWSTR lpPassword, LPCWSTR lpLocalName)
{
        NETRESOURCEW resource = {
                .dwType = RESOURCETYPE_ANY,
                .lpLocalName = (LPWSTR) lpLocalName,
                .lpRemoteName = (LPWSTR) lpRemoteName,
        };

        return add_wide(&resource, lpPassword, NULL, CONNECT_UPDATE_PROFILE);
}
