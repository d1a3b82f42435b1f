/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The WNet calls: each checks its arguments, asks the daemon over a connection of its own and leaves its answer in the
 * thread's last error. Nothing but that is kept between calls, so there is nothing to lock and nothing to break in a
 * fork.
 */

#include <wnet/wnet.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/cleanup.h"
#include "core/control-client.h"
#include "core/control-protocol.h"
#include "core/name.h"
#include "core/secret.h"
#include "core/utf8.h"

#define EXPORT __attribute__((visibility("default")))
#define PROVIDER "wnet"

static _Thread_local DWORD last_error;            /* GetLastError() */
static _Thread_local struct wn_error last_failure; /* WNetGetLastError() */

/* Ends every call: status is 0, a status, or a negative errno of a function that has not filled err. */
static DWORD call_done(int status, const struct wn_error *err)
{
        if (status < 0)
                status = error_set(&last_failure, status_from_result(status), -status, "call", "%s", strerror(-status));
        else if (status > 0 && err->status == status)
                last_failure = *err;
        else if (status > 0)
                error_set(&last_failure, status, 0, NULL, "%s", status_message(status));
        last_error = (DWORD) status;
        return last_error;
}

static int check_remote(const char *text, struct wn_error *err)
{
        _cleanup_(remote_name_done) struct remote_name remote = { 0 };
        int r = text ? remote_name_parse(text, &remote) : ERROR_BAD_NET_NAME;

        if (r > 0)
                return error_set(err, r, 0, "check", "%s is not a remote name (such as \\\\server\\share)",
                                 text && text[0] ? text : "an empty text");
        return r;
}

/* What an addition can be refused for without asking anybody. */
static int check_add(const NETRESOURCEA *resource, const char *local, DWORD flags, struct wn_error *err)
{
        struct device_name device;

        if (flags & ~(DWORD) CONNECT_UPDATE_PROFILE)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "check", "unknown flags: 0x%x", flags);
        if (resource->dwType > RESOURCETYPE_PRINT)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "check", "unknown resource type: %u",
                                 resource->dwType);
        if (local[0] != '\0' && device_parse(local, &device) != 0)
                return error_set(err, ERROR_BAD_DEVICE, 0, "check", "%s is not a device's name (such as Z: or LPT1)",
                                 local);
        if (resource->lpProvider && resource->lpProvider[0] != '\0' && strcasecmp(resource->lpProvider, PROVIDER) != 0)
                return error_set(err, ERROR_BAD_PROVIDER, 0, "check", "there is no network provider %s, only " PROVIDER,
                                 resource->lpProvider);
        return check_remote(resource->lpRemoteName, err);
}

static int add_connection(const NETRESOURCEA *resource, const char *password_text, const char *user, DWORD flags,
                          struct wn_error *err)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_added_done) struct control_added added = { 0 };
        _cleanup_(secret_done) struct secret password = { 0 };
        const char *local;
        int r;

        if (!resource)
                return error_set(err, ERROR_INVALID_ADDRESS, 0, "check", "lpNetResource is NULL");
        local = resource->lpLocalName ? resource->lpLocalName : "";
        r = check_add(resource, local, flags, err);
        if (r != 0)
                return r;
        r = secret_set(&password, password_text);
        if (r == -E2BIG)
                return error_set(err, ERROR_INVALID_PASSWORD, 0, "check", "the password is longer than %d bytes",
                                 SECRET_MAX_BYTES);
        if (r < 0)
                return r;
        r = control_open(CONTROL_START, CONTROL_TIMEOUT_USEC, &client, err);
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
                           },
                           &added, err);
}

static int cancel_connection(const char *name, DWORD flags, BOOL force, struct wn_error *err)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_outcome_done) struct control_outcome outcome = { 0 };
        int r;

        r = control_check_cancel(name, flags, err);
        if (r != 0)
                return r;
        r = control_open(CONTROL_START, CONTROL_TIMEOUT_USEC, &client, err);
        if (r != 0)
                return r;
        r = control_cancel(client, name, flags, force != FALSE, &outcome, err);
        if (r != 0)
                return r;
        if (outcome.status != NO_ERROR)
                return error_set(err, outcome.status, 0, NULL, "%s",
                                 outcome.text[0] ? outcome.text : status_message(outcome.status));
        return 0;
}

static int get_connection(const char *local, char *buffer, DWORD *length_chars, struct wn_error *err)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_device_done) struct control_device device = { 0 };
        struct device_name name;
        size_t needed_chars;
        int r;

        if (!local || !length_chars || (!buffer && *length_chars != 0))
                return error_set(err, ERROR_INVALID_ADDRESS, 0, "check", "%s is NULL",
                                 !local ? "lpLocalName" : !length_chars ? "lpnLength" : "lpRemoteName");
        if (device_parse(local, &name) != 0)
                return error_set(err, ERROR_BAD_DEVICE, 0, "check", "%s is not a device's name (such as Z: or LPT1)",
                                 local);
        r = control_open(CONTROL_START, CONTROL_TIMEOUT_USEC, &client, err);
        if (r != 0)
                return r;
        r = control_get(client, name.text, &device, err);
        if (r != 0)
                return r;
        needed_chars = strlen(device.remote) + 1;
        if (*length_chars < needed_chars) {
                *length_chars = (DWORD) needed_chars;
                return error_set(err, ERROR_MORE_DATA, 0, NULL, "the remote name of %s needs %zu characters", name.text,
                                 needed_chars);
        }
        memcpy(buffer, device.remote, needed_chars);
        if (!control_state_connected(device.state))
                return error_set(err, ERROR_CONNECTION_UNAVAIL, 0, NULL, "%s is not connected to %s now", name.text,
                                 device.remote);
        return 0;
}

/* Copies as much of text as fits, never half a character. */
static void copy_cut(char *buffer, DWORD size_bytes, const char *text)
{
        size_t n = strlen(text);

        if (size_bytes == 0)
                return;
        if (n >= size_bytes)
                n = utf8_cut_bytes(text, size_bytes - 1);
        memcpy(buffer, text, n);
        buffer[n] = '\0';
}

EXPORT DWORD WNetAddConnection2A(LPNETRESOURCEA lpNetResource, LPCSTR lpPassword, LPCSTR lpUserName, DWORD dwFlags)
{
        struct wn_error err = { 0 };

        return call_done(add_connection(lpNetResource, lpPassword, lpUserName, dwFlags, &err), &err);
}

EXPORT DWORD WNetAddConnectionA(LPCSTR lpRemoteName, LPCSTR lpPassword, LPCSTR lpLocalName)
{
        struct wn_error err = { 0 };
        NETRESOURCEA resource = {
                .dwType = RESOURCETYPE_ANY,
                .lpLocalName = (LPSTR) lpLocalName,
                .lpRemoteName = (LPSTR) lpRemoteName,
        };

        return call_done(add_connection(&resource, lpPassword, NULL, CONNECT_UPDATE_PROFILE, &err), &err);
}

EXPORT DWORD WNetCancelConnection2A(LPCSTR lpName, DWORD dwFlags, BOOL fForce)
{
        struct wn_error err = { 0 };

        return call_done(cancel_connection(lpName, dwFlags, fForce, &err), &err);
}

EXPORT DWORD WNetCancelConnectionA(LPCSTR lpName, BOOL fForce)
{
        return WNetCancelConnection2A(lpName, CONNECT_UPDATE_PROFILE, fForce);
}

EXPORT DWORD WNetGetConnectionA(LPCSTR lpLocalName, LPSTR lpRemoteName, LPDWORD lpnLength)
{
        struct wn_error err = { 0 };

        return call_done(get_connection(lpLocalName, lpRemoteName, lpnLength, &err), &err);
}

/* Does not go through call_done(): asking about a failure must not become the most recent one. */
EXPORT DWORD WNetGetLastErrorA(LPDWORD lpError, LPSTR lpErrorBuf, DWORD nErrorBufSize, LPSTR lpNameBuf,
                               DWORD nNameBufSize)
{
        char text[sizeof last_failure.text + sizeof last_failure.phase + 4];
        bool with_phase = last_failure.phase[0] != '\0';

        if (!lpError || !lpErrorBuf || !lpNameBuf)
                return last_error = ERROR_INVALID_ADDRESS;
        snprintf(text, sizeof text, "%s%s%s%s", last_failure.text, with_phase ? " (" : "",
                 with_phase ? last_failure.phase : "", with_phase ? ")" : "");
        *lpError = (DWORD) last_failure.status;
        copy_cut(lpErrorBuf, nErrorBufSize, text);
        copy_cut(lpNameBuf, nNameBufSize, PROVIDER);
        return last_error = NO_ERROR;
}

EXPORT DWORD GetLastError(void)
{
        return last_error;
}

EXPORT void SetLastError(DWORD dwErrCode)
{
        last_error = dwErrCode;
}
