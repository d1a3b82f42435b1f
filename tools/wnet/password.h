/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOOLS_WNET_PASSWORD_H
#define TOOLS_WNET_PASSWORD_H

/*
 * Where the tool gets a password from.
 */

#include <stdbool.h>

#include "core/secret.h"
#include "core/status.h"

/* Whether there is a terminal to ask on. */
bool password_can_ask(void);

/* Shows prompt on the controlling terminal and reads one line without echo. The terminal is as before when it returns,
 * and when a signal ends or stops the program meanwhile.
 * 0, -ENXIO (there is no terminal), ERROR_CANCELLED (end of file instead of a line), ERROR_INVALID_PASSWORD (too long)
 * or ERROR_EXTENDED_ERROR, with err. */
int password_ask(const char *prompt, struct secret *ret_password, struct wn_error *err);

/* Reads standard input to the end of its first line, or to its end; the newline is not part of it. Nothing behind it is
 * read. 0, ERROR_INVALID_PASSWORD (nothing there, too long, a NUL in it) or ERROR_EXTENDED_ERROR, with err. */
int password_from_stdin(struct secret *ret_password, struct wn_error *err);

#endif
