/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_LEFTOVERS_H
#define FUSE_LEFTOVERS_H

/*
 * What a killed daemon of ours has left in the share's hidden folder (change.c): deleted files that were open, and files that were
 * just being replaced.
 */

#include <stdbool.h>
#include <stddef.h>

struct redirector;

#define LEFTOVERS_INSTANCE_BYTES 32

/* What the names of parked files begin with: "MACHINE.UID.START", the first two a hash. Another daemon of the same user on the same
 * machine is one that is gone, for there is one at a time; what other machines park is theirs. */
void leftovers_instance(char ret_instance[LEFTOVERS_INSTANCE_BYTES]);

/* Whether the name that begins so is this user's on this machine; and a daemon's that is gone. */
bool leftovers_is_ours(const char *instance, const char *name);
bool leftovers_is_left(const struct redirector *r, const char *name);

/* Before the mount: removes what predecessors of this daemon have left, and gives replaced files their names back where
 * nothing has taken them. Calls done() once, later, whatever came of it, and after a few seconds at the latest; not when the pool
 * is freed meanwhile. */
void leftovers_clean(struct redirector *r, void (*done)(struct redirector *r));

#endif
