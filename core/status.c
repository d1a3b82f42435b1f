/* SPDX-License-Identifier: LGPL-3.0-or-later */

/*
 * Owns the table of statuses. Always true: each number, name and D-Bus error appears in it once, and NO_ERROR and
 * ERROR_EXTENDED_ERROR are in it.
 */

#include "core/status.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/utf8.h"

struct status_entry {
        int status;
        const char *name;
        const char *dbus_error; /* NULL for NO_ERROR, which is none */
        const char *message;
};

#define ENTRY(suffix, text) { ERROR_##suffix, "ERROR_" #suffix, "org.wnet.Error." #suffix, text }

static const struct status_entry table[] = {
        { NO_ERROR, "NO_ERROR", NULL, "the operation completed successfully" },
        ENTRY(ACCESS_DENIED, "access is denied"),
        ENTRY(INVALID_HANDLE, "the handle is not valid"),
        ENTRY(BAD_NETPATH, "the network path was not found"),
        ENTRY(BAD_DEV_TYPE, "the device is not of the resource's type"),
        ENTRY(BAD_NET_NAME, "the network name cannot be found"),
        ENTRY(ALREADY_ASSIGNED, "the local device name is already in use"),
        ENTRY(INVALID_PASSWORD, "the password is not correct"),
        ENTRY(INVALID_PARAMETER, "a parameter is not correct"),
        ENTRY(INVALID_LEVEL, "the information level is not valid"),
        ENTRY(BUSY, "the resource is busy"),
        ENTRY(MORE_DATA, "more data is available than the buffer holds"),
        ENTRY(NO_MORE_ITEMS, "there are no more items"),
        ENTRY(INVALID_ADDRESS, "an address is not valid"),
        ENTRY(BAD_DEVICE, "the device name is not valid"),
        ENTRY(CONNECTION_UNAVAIL, "the device is remembered but not connected now"),
        ENTRY(DEVICE_ALREADY_REMEMBERED, "the device is already remembered for another resource"),
        ENTRY(NO_NET_OR_BAD_PATH, "no server answered for the network path"),
        ENTRY(BAD_PROVIDER, "the network provider's name is not valid"),
        ENTRY(CANNOT_OPEN_PROFILE, "the connection profile cannot be opened"),
        ENTRY(BAD_PROFILE, "the connection profile is damaged or is not one"),
        ENTRY(EXTENDED_ERROR, "an error of the network software occurred"),
        ENTRY(SESSION_CREDENTIAL_CONFLICT, "the server is connected already with other credentials"),
        ENTRY(NO_NETWORK, "there is no network"),
        ENTRY(CANCELLED, "the operation was cancelled"),
        ENTRY(LOGON_FAILURE, "the user name or password is not correct"),
        ENTRY(BAD_USERNAME, "the user name is not valid"),
        ENTRY(NOT_CONNECTED, "the network connection does not exist"),
        ENTRY(OPEN_FILES, "files are open on the connection"),
        ENTRY(DEVICE_IN_USE, "the device is in use by a process"),
};

#define N_ENTRIES (sizeof table / sizeof table[0])

static const struct status_entry *status_entry(int status)
{
        const struct status_entry *fallback = NULL;

        for (size_t i = 0; i < N_ENTRIES; i++) {
                if (table[i].status == status)
                        return &table[i];
                if (table[i].status == ERROR_EXTENDED_ERROR)
                        fallback = &table[i];
        }
        assert(fallback);
        return fallback;
}

const char *status_name(int status)
{
        return status_entry(status)->name;
}

const char *status_message(int status)
{
        return status_entry(status)->message;
}

int status_from_name(const char *name, int *ret_status)
{
        for (size_t i = 0; name && i < N_ENTRIES; i++) {
                if (strcmp(table[i].name, name) != 0)
                        continue;
                *ret_status = table[i].status;
                return 0;
        }
        return -ENOENT;
}

int status_exit_code(int status)
{
        return status == NO_ERROR ? 0 : 1;
}

const char *status_dbus_error(int status)
{
        assert(status != NO_ERROR);
        return status_entry(status)->dbus_error;
}

int status_from_dbus_error(const char *error_name, int *ret_status)
{
        for (size_t i = 0; error_name && i < N_ENTRIES; i++) {
                if (!table[i].dbus_error || strcmp(table[i].dbus_error, error_name) != 0)
                        continue;
                *ret_status = table[i].status;
                return 0;
        }
        return -ENOENT;
}

/*
 * ENOTCONN, ECONNREFUSED and ETIMEDOUT stay ERROR_EXTENDED_ERROR on purpose: here they tell of our own socket or child,
 * and "not connected" or "no such server" would be a false answer. The worker maps a server's errno itself.
 */
int status_from_result(int r)
{
        if (r >= 0)
                return r;

        switch (-r) {
        case EACCES:
        case EPERM:
                return ERROR_ACCESS_DENIED;
        case EINVAL:
                return ERROR_INVALID_PARAMETER;
        case EBUSY:
                return ERROR_BUSY;
        case ECANCELED:
                return ERROR_CANCELLED;
        case ENETDOWN:
        case ENETUNREACH:
                return ERROR_NO_NETWORK;
        case EHOSTDOWN:
        case EHOSTUNREACH:
                return ERROR_BAD_NETPATH;
        default:
                return ERROR_EXTENDED_ERROR;
        }
}

int error_set(struct wn_error *err, int status, int cause, const char *phase, const char *format, ...)
{
        struct wn_error filled = { .status = status, .cause = cause };
        int saved_errno = errno;
        va_list args;
        int n;

        if (!err)
                return status;

        va_start(args, format);
        n = vsnprintf(filled.text, sizeof filled.text, format, args);
        va_end(args);
        if (n < 0)
                filled.text[0] = '\0';
        else if ((size_t) n >= sizeof filled.text)
                filled.text[utf8_cut_bytes(filled.text, sizeof filled.text - 1)] = '\0';
        utf8_make_printable(filled.text);
        snprintf(filled.phase, sizeof filled.phase, "%s", phase ? phase : "");

        *err = filled; /* only now: the arguments may point into what err held before */
        errno = saved_errno;
        return status;
}
