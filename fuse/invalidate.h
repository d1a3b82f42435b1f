/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_INVALIDATE_H
#define FUSE_INVALIDATE_H

/*
 * What the kernel is to forget while a drive is in use, in order. A notification can make its caller wait until wnetd has answered
 * something, so a thread of its own sends them and does nothing else.
 */

#include <stdbool.h>
#include <stdint.h>

struct fuse_session;
struct invalidator;

/* Starts the thread. before: how many the session's predecessors have been given. 0 or a negative errno. */
int invalidator_new(struct fuse_session *session, uint64_t before, struct invalidator **ret);

/* Lets the kernel forget the attributes of ino (name NULL), or what it knows of name in the directory ino. Returns the count of all
 * that were given so far, this one included; 0: there is no memory. */
uint64_t invalidator_add(struct invalidator *inv, uint64_t ino, const char *name);

/* Of these, how many have been begun, and how many have been done. */
uint64_t invalidator_begun(struct invalidator *inv);
uint64_t invalidator_done(struct invalidator *inv);
uint64_t invalidator_added(struct invalidator *inv);

/* Begins no more of them. */
void invalidator_stop(struct invalidator *inv);

/* Whether the thread is doing one, or waits in it. */
bool invalidator_busy(struct invalidator *inv);

/* Ends the thread, which may wait for what it is just doing: not if the FUSE connection has ended. Accepts NULL. */
void invalidator_free(struct invalidator *inv);

#endif
