/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_CONTROL_H
#define CORE_CONTROL_H

/*
 * The daemon's end of the control protocol (control-protocol.h): accepts clients of the same user, decodes their calls, calls
 * the manager, encodes its answers. Never waits for a client.
 */

#include <systemd/sd-event.h>

#include "core/manager.h"
#include "core/paths.h"

struct control;

/* Serves listen_fd, which listens at paths' socket; one that somebody removes is made anew. ended() is called when a client has shut the
 * daemon down. paths is borrowed. 0 or a negative errno. */
int control_new(sd_event *event, int listen_fd /* takes */, const struct paths *paths, struct manager *manager,
                void (*ended)(void *userdata), void *userdata, struct control **ret_control);
void control_free(struct control *control);

/* Tells every client that a connection's state has changed (manager->changed; userdata is the control). */
void control_changed(void *userdata, struct connection *c, const char *state_name);

#endif
