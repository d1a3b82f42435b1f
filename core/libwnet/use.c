/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * WNetUseConnection: connects as WNetAddConnection2 does. Always true: whether the access name fits is known before
 * anything is connected, for its length does not depend on which letter is free.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/libwnet/add.h"
#include "core/libwnet/text.h"
#include "core/name.h"

#define USE_FLAGS (ADD_FLAGS | CONNECT_REDIRECT)
#define ANY_LETTER "*"

/* Where the answers go. */
struct use_answer {
        void *access_name; /* NULL: not wanted */
        DWORD *chars;
        DWORD *result; /* NULL: not wanted */
        bool wide;
};

/* What the connection will be called: the device, "X:" for a letter that is still to be chosen, or the remote name.
 * 0, ERROR_BAD_DEV_TYPE or -ENOMEM. */
static int choose_name(const NETRESOURCEA *resource, DWORD flags, const char **ret_local, char **ret_name,
                       struct wn_error *err)
{
        _cleanup_(remote_name_done) struct remote_name remote = { 0 };
        struct device_name device;

        if (resource->lpLocalName && resource->lpLocalName[0] != '\0') {
                if (device_parse(resource->lpLocalName, &device) != 0)
                        return ERROR_BAD_DEVICE;
                *ret_local = resource->lpLocalName;
                *ret_name = strdup(device.text);
        } else if (flags & CONNECT_REDIRECT) {
                if (resource->dwType != RESOURCETYPE_DISK)
                        return error_set(err, ERROR_BAD_DEV_TYPE, 0, "check",
                                         "a device can be chosen for RESOURCETYPE_DISK only");
                *ret_local = ANY_LETTER;
                *ret_name = strdup("X:");
        } else {
                int r = remote_name_parse(resource->lpRemoteName, &remote);

                if (r != 0)
                        return r;
                *ret_local = "";
                *ret_name = remote_name_to_unc(&remote);
        }
        return *ret_name ? 0 : -ENOMEM;
}

static int check_buffer(const struct use_answer *answer, struct wn_error *err)
{
        if (answer->access_name && (!answer->chars || *answer->chars == 0))
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "check",
                                 "there is an lpAccessName without a size in lpBufferSize");
        return 0;
}

/* 0, or ERROR_MORE_DATA with the size that is needed. */
static int check_size(const struct use_answer *answer, const char *name, struct wn_error *err)
{
        size_t needed_chars = text_chars(name, answer->wide);

        if (!answer->access_name || *answer->chars >= needed_chars)
                return 0;
        *answer->chars = (DWORD) needed_chars;
        return error_set(err, ERROR_MORE_DATA, 0, "check", "the access name needs %zu characters", needed_chars);
}

static int use(const NETRESOURCEA *resource, const char *password, const char *user, DWORD flags,
               const struct use_answer *answer, struct wn_error *err)
{
        _cleanup_(control_added_done) struct control_added added = { 0 };
        _cleanup_free_ char *name = NULL;
        struct device_name device;
        const char *local = "";
        int r;

        r = add_check(resource, flags, USE_FLAGS, err);
        if (r == 0)
                r = check_buffer(answer, err);
        if (r == 0)
                r = choose_name(resource, flags, &local, &name, err);
        if (r == 0)
                r = check_size(answer, name, err);
        if (r == 0)
                r = add_connect(resource, local, password, user, flags, &added, err);
        if (r != 0)
                return r;
        if (strcmp(local, ANY_LETTER) == 0) {
                if (device_parse(added.device, &device) != 0 || device.kind != DEVICE_DRIVE)
                        return -EBADMSG;
                memcpy(name, device.text, strlen(name) + 1);
        }
        if (answer->access_name)
                text_put(answer->access_name, name, answer->wide);
        if (answer->result)
                *answer->result = local[0] != '\0' ? CONNECT_LOCALDRIVE : 0;
        return 0;
}

EXPORT DWORD WNetUseConnectionA(HWND hwndOwner, LPNETRESOURCEA lpNetResource, LPCSTR lpPassword, LPCSTR lpUserID,
                                DWORD dwFlags, LPSTR lpAccessName, LPDWORD lpBufferSize, LPDWORD lpResult)
{
        struct use_answer answer = { lpAccessName, lpBufferSize, lpResult, false };
        struct wn_error err = { 0 };

        (void) hwndOwner;
        return call_done(use(lpNetResource, lpPassword, lpUserID, dwFlags, &answer, &err), &err);
}

EXPORT DWORD WNetUseConnectionW(HWND hwndOwner, LPNETRESOURCEW lpNetResource, LPCWSTR lpPassword, LPCWSTR lpUserID,
                                DWORD dwFlags, LPWSTR lpAccessName, LPDWORD lpBufferSize, LPDWORD lpResult)
{
        _cleanup_(add_narrow_done) struct add_narrow narrow;
        struct use_answer answer = { lpAccessName, lpBufferSize, lpResult, true };
        struct wn_error err = { 0 };
        int r;

        (void) hwndOwner;
        r = add_narrow_init(&narrow, lpNetResource, lpPassword, lpUserID);
        if (r == 0)
                r = use(lpNetResource ? &narrow.resource : NULL, narrow.password, narrow.user, dwFlags, &answer, &err);
        return call_done(r, &err);
}
