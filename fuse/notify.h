/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_NOTIFY_H
#define FUSE_NOTIFY_H

/*
 * Invalidation of what the kernel knows. A notification can make its caller wait until wnetd has answered something, so a
 * thread of its own sends them and does nothing else.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct fuse_session;
struct notify_job;

/* Invalidates attributes and cached pages of every inode of inos (taken, freed) in order. done() is called in the event loop
 * when all have been sent. 0 or a negative errno. */
int notify_start(sd_event *event, struct fuse_session *session, uint64_t *inos, size_t n, void (*done)(void *userdata),
                 void *userdata, struct notify_job **ret_job);

/* How many have been sent so far. */
size_t notify_progress(const struct notify_job *job);

/* Sends no more of them. */
void notify_stop(struct notify_job *job);

/* Whether the thread is sending one, or waits in it. */
bool notify_busy(const struct notify_job *job);

/* Ends the job: waits for the thread, which stops at once when the FUSE connection was aborted. Accepts NULL. */
void notify_free(struct notify_job *job);

#endif
