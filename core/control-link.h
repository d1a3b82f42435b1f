/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_CONTROL_LINK_H
#define CORE_CONTROL_LINK_H

/*
 * Calls over a control_client's connection: for core/control-client.c, which gives them types. control_open(),
 * control_close() and what the daemon said of itself are declared in core/control-client.h, for everybody.
 */

#include <stdint.h>

#include "core/control-client.h"

/* Makes a message for a method of the daemon, to be filled and passed to control_call(). 0 or a status. */
int control_new_call(struct control_client *client, const char *member, struct sd_bus_message **ret_message,
                     struct wn_error *err);

/* Sends a call and waits for its reply, no longer than the client's time-out. 0; the daemon's own status for a D-Bus
 * error of ours; ERROR_EXTENDED_ERROR for every other error, silence and a lost connection. */
int control_call(struct control_client *client, struct sd_bus_message *message, struct sd_bus_message **ret_reply,
                 struct wn_error *err);

/* The same for a call that is meant to take up to wait_usec more. */
int control_call_waiting(struct control_client *client, struct sd_bus_message *message, uint64_t wait_usec,
                         struct sd_bus_message **ret_reply, struct wn_error *err);

/* Both in one, with arguments as sd_bus_message_append() takes them; types NULL: none. */
int control_call_simple(struct control_client *client, const char *member, struct sd_bus_message **ret_reply,
                        struct wn_error *err, const char *types, ...);

/* Says in err why there is no answer to a call: r is sd-bus's or a decoder's negative errno. Returns
 * ERROR_EXTENDED_ERROR. */
int control_no_answer(struct wn_error *err, int r, const char *call, uint64_t timeout_usec);

#endif
