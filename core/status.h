/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_STATUS_H
#define CORE_STATUS_H

/*
 * The one table of what a call can answer: Win32 code, name, message, next step. Every other place (D-Bus errors, exit
 * codes, the tool's texts) is derived from it.
 *
 * Convention everywhere in wnet: a function that returns int answers 0, a negative errno, or a positive status of this
 * table.
 */

#include <stdbool.h>
#include <stddef.h>

#include <wnet/wnet.h> /* the ERROR_* numbers */

/* "ERROR_OPEN_FILES"; "ERROR_EXTENDED_ERROR" for a number that is not in the table. Never NULL. */
const char *status_name(int status);

/* What the code means, one sentence without a full stop, lower case first: "files are open on the connection". */
const char *status_message(int status);

/* Finds the number of a name as status_name() gives it. Returns 0, or -ENOENT when there is no such name. */
int status_from_name(const char *name, int *ret_status);

/* The control tool's exit code: 0 for NO_ERROR, 1 for every other status. */
int status_exit_code(int status);

/* "org.wnet.Error.OPEN_FILES": the D-Bus error name of a status other than NO_ERROR. Static storage. */
const char *status_dbus_error(int status);

/* The inverse. Returns 0, or -ENOENT for an error name that is not one of ours. */
int status_from_dbus_error(const char *error_name, int *ret_status);

/* Maps a negative errno to the nearest status; ERROR_EXTENDED_ERROR where there is none. A status passes unchanged. */
int status_from_result(int r);

/* What is told about a failure, from the place that noticed it up to the person who reads it. */
struct wn_error {
        int status;       /* code of the table; 0: no error was recorded */
        int cause;        /* errno behind it, 0 where there is none */
        char phase[24];   /* step that failed: "resolve", "stage", "connect", "mount" … */
        char text[512];   /* what failed, on what, why, and what to do next: one line, no full stop at the end */
};

/* Fills err (may be NULL) and returns status, so that `return error_set(…)` reads well. Text that is too long is cut at
 * a character's border; control characters become '?'. */
int error_set(struct wn_error *err, int status, int cause, const char *phase, const char *format, ...)
        __attribute__((format(printf, 5, 6)));

#endif
