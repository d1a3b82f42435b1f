/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SPELLING_H
#define FUSE_SPELLING_H

/* Names that differ in case, on servers that fold it. */

#include "fuse/internal.h"

/* Answers a LOOKUP for which the server has shown op->request.attr, when it is known whether the name is another spelling of what
 * is known already. */
void spelling_answer(struct op *op);

/* The server has made op->name: what was known by it is something else, or gone. */
void spelling_made(struct op *op);

/* Fills in how the kernel calls node, which it asked for as op->name in op->asked, and for how long. Returns the node or spelling that
 * has the number, or NULL without memory; the caller refers to it at once. node->directory is right. */
struct node *spelling_entry(struct op *op, struct node *node, struct fuse_entry_param *entry);

/* The same of op->name, which is not there. */
double spelling_absent_timeout(struct op *op);

/* Whether the kernel may answer from what it is told of node for so many seconds, which is remembered: returns these, or 0. */
double spelling_timeout(struct redirector *r, struct node *node, double seconds);

/* Whether name in directory may be another spelling of something that is known. */
bool spelling_possible(struct redirector *r, const struct node *directory, const char *name);

/* In the place of op_ready(), for changes: whether op may go on, with the path that the node itself has, whatever it is called by. What
 * makes something (op->mode is not 0) has the path that was asked for. It waits as long as the kernel may answer from what it was told
 * by another spelling than op's. */
bool spelling_ready(struct op *op);

/* Gives op->request.path, which is op->name's, the node's own spelling. 0 or a negative errno. */
int spelling_own(struct op *op);

/* What is opened or changed by another spelling is opened or changed by the node's own number: the caller is answered with ESTALE, and
 * the kernel looks the name up again. Returns whether it was. */
bool spelling_sends_back(struct redirector *r, fuse_req_t fuse, fuse_ino_t ino);

/* The same, where it is not known yet which one it is. The caller answers. */
void spelling_send_back(struct redirector *r, fuse_req_t fuse);

int spelling_init(struct redirector *r); /* 0 or -ENOMEM */
void spelling_done(struct redirector *r);

#endif
