/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_LIBWNET_CALL_H
#define CORE_LIBWNET_CALL_H

/*
 * How every call begins and ends. A call checks its arguments, asks the daemon over a connection of its own and leaves
 * its answer in the thread's last error; but for the open enumerations (enum-handle.c) nothing is kept between calls,
 * so there is nothing to lock and nothing to break in a fork.
 */

#include <wnet/wnet.h>

#include "core/control-client.h"
#include "core/status.h"

#define EXPORT __attribute__((visibility("default")))
#define PROVIDER "wnet"

/* Ends every call, but for WNetGetLastError()'s: status is 0, a status, or a negative errno of a function that has not
 * filled err. Returns what the call returns. */
DWORD call_done(int status, const struct wn_error *err);

/* Connects to the daemon, started where it does not run. 0 or a status; the caller closes. */
int call_open(struct control_client **ret_client, struct wn_error *err);

#endif
