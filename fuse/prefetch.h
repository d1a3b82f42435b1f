/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_PREFETCH_H
#define FUSE_PREFETCH_H

/* What the files hold that are about to be opened. */

#include "fuse/internal.h"

/* node was opened for reading: looks into those that are likely to be next, where the line is long and workers are free. */
void prefetch_next(struct redirector *r, struct node *node);

/* Whether what node holds is known, or is being asked for. */
bool prefetch_knows(const struct redirector *r, const struct node *node);

/* open, an OPEN of node, was answered: should its request->attr show that node is still what was looked into, the request gets the slot with the
 * file's beginning, as if it had brought it itself, and *ret_read_usec is when that was read. False: there is nothing for it. */
bool prefetch_give(struct redirector *r, struct node *node, struct smb_request *open, uint64_t *ret_read_usec);

/* Before the pool's end. */
void prefetch_forget(struct redirector *r);

#endif
