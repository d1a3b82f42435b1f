/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * WNetCancelConnection2 and WNetCancelConnection.
 */

#include "core/cleanup.h"
#include "core/libwnet/call.h"
#include "core/libwnet/text.h"

static int cancel_connection(const char *name, DWORD flags, BOOL force, struct wn_error *err)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_outcome_done) struct control_outcome outcome = { 0 };
        int r;

        r = control_check_cancel(name, flags, err);
        if (r != 0)
                return r;
        r = call_open(&client, err);
        if (r != 0)
                return r;
        r = control_cancel(client, name, flags, force != FALSE, 0, &outcome, err);
        if (r != 0)
                return r;
        if (outcome.status != NO_ERROR)
                return error_set(err, outcome.status, (int) outcome.cause, outcome.phase, "%s",
                                 outcome.text[0] ? outcome.text : status_message(outcome.status));
        return 0;
}

EXPORT DWORD WNetCancelConnection2A(LPCSTR lpName, DWORD dwFlags, BOOL fForce)
{
        struct wn_error err = { 0 };

        return call_done(cancel_connection(lpName, dwFlags, fForce, &err), &err);
}

EXPORT DWORD WNetCancelConnection2W(LPCWSTR lpName, DWORD dwFlags, BOOL fForce)
{
        _cleanup_free_ char *name = NULL;
        struct wn_error err = { 0 };
        int r = text_from_wide(lpName, &name);

        if (r == 0)
                r = cancel_connection(name, dwFlags, fForce, &err);
        return call_done(r, &err);
}

EXPORT DWORD WNetCancelConnectionA(LPCSTR lpName, BOOL fForce)
{
        return WNetCancelConnection2A(lpName, CONNECT_UPDATE_PROFILE, fForce);
}

EXPORT DWORD WNetCancelConnectionW(LPCWSTR lpName, BOOL fForce)
{
        return WNetCancelConnection2W(lpName, CONNECT_UPDATE_PROFILE, fForce);
}
