/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_WATCH_H
#define CORE_WATCH_H

/*
 * Notices that somebody opens the empty folder of a drive that is not connected now: its planned attempt is then made at once.
 */

#include <systemd/sd-event.h>

struct connection;
struct manager;
struct watch;

/* 0 or a negative errno. */
int watch_new(struct manager *manager, struct watch **ret_watch);
void watch_free(struct watch *watch);

/* Begins to watch c's folder, or ends it, as c's state asks for. To be called after whatever wnetd itself does with the folder:
 * its own opening does not count. Accepts watch NULL. */
void watch_folder(struct watch *watch, struct connection *c);

/* No longer: c goes, or its folder is about to be opened by wnetd. */
void watch_end(struct watch *watch, struct connection *c);

#endif
