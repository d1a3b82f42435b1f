/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_REMOTE_WATCH_H
#define FUSE_REMOTE_WATCH_H

/*
 * Changes made elsewhere, as the server tells of them: what is known of a changed path is forgotten at once, here and in the kernel; and
 * as long as the server tells, the kernel may answer for longer from what it was told. A worker of its own is told, on a connection of
 * its own; whether there is one changes nothing else.
 */

#include "fuse/internal.h"

/* Begins when the drive is up; tries again by itself, and at once with remote_watch_again(). */
void remote_watch_start(struct redirector *r);
void remote_watch_again(struct redirector *r);

/* Ends it. Not to be called from one of its pool's callbacks. */
void remote_watch_end(struct redirector *r);

/* How long the kernel may believe what the server was asked about node, whose node->directory is right, at asked_usec: its name, and its
 * attributes. seconds, if it is not for longer. */
double remote_watch_name_timeout(const struct redirector *r, const struct node *node, uint64_t asked_usec, double seconds);
double remote_watch_attr_timeout(const struct redirector *r, const struct node *node, uint64_t asked_usec, double seconds);

/* Lets the kernel forget soon what it was told of node: its attributes; with_name: and what its name means. */
void remote_watch_forget(struct redirector *r, struct node *node, bool with_name);

/* Whether the kernel may still believe what it was told of node for longer than usual; it is being made to forget. */
bool remote_watch_keeps(struct redirector *r, struct node *node);

/* When the kernel has forgotten what it was told of node, at the latest; or when to ask again, for it is being made to. */
uint64_t remote_watch_forgotten_at(struct redirector *r, struct node *node);

#endif
