/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_CONTROL_RESTORE_H
#define CORE_CONTROL_RESTORE_H

/*
 * Restoring everything that is remembered and not connected, for whoever waits for it.
 */

#include "core/control-client.h"

struct control_restored {
        char device[8];
        char *remote;
        char *mountpoint;    /* NULL: not connected */
        struct wn_error err; /* status NO_ERROR: connected */
};

struct control_restored_list {
        struct control_restored *items; /* in the order of the daemon's list */
        size_t n_items;
};

/* Restores every remembered device that is not connected, all at once, each over a connection of its own: a dead server delays
 * no other one. Those that the daemon itself is connecting just now are waited for. Starts the daemon where it does not run.
 * 0 means that every device has its result in the list, which may be empty; a status means that nothing was tried:
 * ERROR_CANNOT_OPEN_PROFILE, ERROR_BAD_PROFILE where the daemon could not read what is remembered. */
int control_restore_all(struct control_restored_list *ret_list, struct wn_error *err);

/* Accepts a zeroed struct. */
void control_restored_list_done(struct control_restored_list *list);

#endif
