/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What the thread's calls have ended with.
 */

#include <stdio.h>
#include <string.h>

#include "core/control-protocol.h"
#include "core/libwnet/call.h"
#include "core/libwnet/text.h"

static _Thread_local DWORD last_error;            /* GetLastError() */
static _Thread_local struct wn_error last_failure; /* WNetGetLastError() */

DWORD call_done(int status, const struct wn_error *err)
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

int call_open(struct control_client **ret_client, struct wn_error *err)
{
        return control_open(CONTROL_START, CONTROL_TIMEOUT_USEC, ret_client, err);
}

/* Does not go through call_done(): asking about a failure must not become the most recent one. */
static DWORD get_last_error(DWORD *code, void *text, DWORD text_chars, void *name, DWORD name_chars, bool wide)
{
        char line[sizeof last_failure.text + sizeof last_failure.phase + 4];
        bool with_phase = last_failure.phase[0] != '\0';

        if (!code || !text || !name)
                return last_error = ERROR_INVALID_ADDRESS;
        snprintf(line, sizeof line, "%s%s%s%s", last_failure.text, with_phase ? " (" : "",
                 with_phase ? last_failure.phase : "", with_phase ? ")" : "");
        *code = (DWORD) (last_failure.cause ? last_failure.cause : last_failure.status);
        text_put_cut(text, text_chars, line, wide);
        text_put_cut(name, name_chars, PROVIDER, wide);
        return last_error = NO_ERROR;
}

EXPORT DWORD WNetGetLastErrorA(LPDWORD lpError, LPSTR lpErrorBuf, DWORD nErrorBufSize, LPSTR lpNameBuf,
                               DWORD nNameBufSize)
{
        return get_last_error(lpError, lpErrorBuf, nErrorBufSize, lpNameBuf, nNameBufSize, false);
}

EXPORT DWORD WNetGetLastErrorW(LPDWORD lpError, LPWSTR lpErrorBuf, DWORD nErrorBufSize, LPWSTR lpNameBuf,
                               DWORD nNameBufSize)
{
        return get_last_error(lpError, lpErrorBuf, nErrorBufSize, lpNameBuf, nNameBufSize, true);
}

EXPORT DWORD GetLastError(void)
{
        return last_error;
}

EXPORT void SetLastError(DWORD dwErrCode)
{
        last_error = dwErrCode;
}
