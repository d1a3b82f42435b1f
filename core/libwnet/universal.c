/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * WNetGetUniversalName. The buffer is filled without asking for its alignment: UNIVERSAL_NAME_INFO and REMOTE_NAME_INFO
 * are one and three pointers, in either form, and their strings follow.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/libwnet/get.h"
#include "core/libwnet/text.h"
#include "core/utf8.h"

#define NAMES_MAX 3

_Static_assert(sizeof(UNIVERSAL_NAME_INFOA) == sizeof(void *) && sizeof(UNIVERSAL_NAME_INFOW) == sizeof(void *) &&
                       sizeof(REMOTE_NAME_INFOA) == NAMES_MAX * sizeof(void *) &&
                       sizeof(REMOTE_NAME_INFOW) == NAMES_MAX * sizeof(void *),
               "the structures are pointers only");

/* Puts n pointers, and the texts that they point to behind them. 0 or ERROR_MORE_DATA. */
static int put_names(const char *const *names, size_t n, void *buffer, DWORD *size_bytes, bool wide,
                     struct wn_error *err)
{
        size_t needed_bytes = n * sizeof(void *);
        char *pointers = buffer, *text = pointers + needed_bytes;

        for (size_t i = 0; i < n; i++)
                needed_bytes += text_chars(names[i], wide) * text_char_bytes(wide);
        if (*size_bytes < needed_bytes) {
                *size_bytes = (DWORD) needed_bytes;
                return error_set(err, ERROR_MORE_DATA, 0, NULL, "the names need %zu bytes", needed_bytes);
        }
        for (size_t i = 0; i < n; i++) {
                memcpy(pointers + i * sizeof(void *), &(void *) { text }, sizeof(void *));
                text = text_put(text, names[i], wide);
        }
        return 0;
}

/* Splits "Z:\dir\file" or "Z:/dir/file" into the drive and the rest, with backslashes; "" where there is none.
 * 0, ERROR_BAD_DEVICE or -ENOMEM. */
static int split_path(const char *path, struct device_name *ret_drive, char **ret_rest)
{
        const char drive[3] = { path[0], path[0] ? path[1] : '\0', '\0' };
        char *rest;

        if (device_parse(drive, ret_drive) != 0 || (path[2] != '\0' && path[2] != '\\' && path[2] != '/') ||
            !utf8_is_valid(path))
                return ERROR_BAD_DEVICE;
        rest = strdup(path + 2);
        if (!rest)
                return -ENOMEM;
        for (char *p = rest; *p; p++)
                if (*p == '/')
                        *p = '\\';
        *ret_rest = rest;
        return 0;
}

static int check_arguments(const char *path, DWORD level, const void *buffer, const DWORD *size_bytes,
                           struct wn_error *err)
{
        if (level != UNIVERSAL_NAME_INFO_LEVEL && level != REMOTE_NAME_INFO_LEVEL)
                return error_set(err, ERROR_INVALID_LEVEL, 0, "check", "unknown level: %u", level);
        if (!path || !size_bytes)
                return error_set(err, ERROR_INVALID_ADDRESS, 0, "check", "%s is NULL",
                                 !path ? "lpLocalPath" : "lpBufferSize");
        if (*size_bytes == 0)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "check", "the size of lpBuffer is 0");
        if (!buffer)
                return error_set(err, ERROR_INVALID_ADDRESS, 0, "check", "lpBuffer is NULL");
        return 0;
}

static int get_universal_name(const char *path, DWORD level, void *buffer, DWORD *size_bytes, bool wide,
                              struct wn_error *err)
{
        _cleanup_(control_device_done) struct control_device device = { 0 };
        _cleanup_free_ char *rest = NULL, *universal = NULL;
        struct device_name drive;
        int r;

        r = check_arguments(path, level, buffer, size_bytes, err);
        if (r != 0)
                return r;
        r = split_path(path, &drive, &rest);
        if (r > 0)
                return error_set(err, r, 0, "check", "%s is not a path on a drive (such as Z:\\file)", path);
        if (r == 0)
                r = get_device(&drive, &device, err);
        if (r == 0)
                r = get_check_connected(&drive, &device, err);
        if (r != 0)
                return r;
        if (asprintf(&universal, "%s%s", device.remote, rest) < 0) {
                universal = NULL;
                return -ENOMEM;
        }
        return put_names((const char *const[NAMES_MAX]) { universal, device.remote, rest },
                         level == REMOTE_NAME_INFO_LEVEL ? NAMES_MAX : 1, buffer, size_bytes, wide, err);
}

EXPORT DWORD WNetGetUniversalNameA(LPCSTR lpLocalPath, DWORD dwInfoLevel, LPVOID lpBuffer, LPDWORD lpBufferSize)
{
        struct wn_error err = { 0 };

        return call_done(get_universal_name(lpLocalPath, dwInfoLevel, lpBuffer, lpBufferSize, false, &err), &err);
}

EXPORT DWORD WNetGetUniversalNameW(LPCWSTR lpLocalPath, DWORD dwInfoLevel, LPVOID lpBuffer, LPDWORD lpBufferSize)
{
        _cleanup_free_ char *path = NULL;
        struct wn_error err = { 0 };
        int r = text_from_wide(lpLocalPath, &path);

        if (r == 0)
                r = get_universal_name(path, dwInfoLevel, lpBuffer, lpBufferSize, true, &err);
        return call_done(r, &err);
}
