/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_CONTROL_START_H
#define CORE_CONTROL_START_H

/*
 * Finding and starting the user's daemon.
 */

#include "core/status.h"

/* Longest `wnetd --background` may take until it is ready, or has given up. */
#define CONTROL_START_TIMEOUT_USEC (20 * 1000000ULL)

/* Runs `wnetd --background` and waits until it has ended, which it does as soon as the daemon in the background is
 * ready. wnetd is looked for beside the program or library that this code is linked into (for a library in core/libwnet
 * of a build directory: in that build directory), then in WNET_BINDIR. 0, or ERROR_EXTENDED_ERROR with what wnetd wrote
 * to its standard error. */
int control_start_daemon(struct wn_error *err);

#endif
