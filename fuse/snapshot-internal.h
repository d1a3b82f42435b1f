/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SNAPSHOT_INTERNAL_H
#define FUSE_SNAPSHOT_INTERNAL_H

/* What is known of a directory's listings: how they come and go (snapshot.c), and what is found in them (snapshot-find.c). */

#include "fuse/snapshot.h"

#define COST_MAX_USEC (ATTR_TIMEOUT_USEC * 6 / 10) /* a listing that takes longer is too old when it is there */
#define ATTR_REPARSE_POINT 0x400u /* leads elsewhere: what is there, only a look-up tells */

enum order { ORDER_LISTED, ORDER_NAMES, N_ORDERS };

/* How a folder's files are being opened. */
struct walk {
        size_t at;      /* behind the file that was opened last; 0: at the beginning */
        unsigned steps; /* so many in a row that have led forwards */
};

struct folder {
        LIST_HEAD(, snapshot) snapshots;
        uint64_t cost_usec;        /* what the last listing took, */
        uint64_t cost_known_usec;  /* and when that was found out; 0: never */
        unsigned misses;           /* look-ups that went to the server */
        uint64_t misses_since_usec;
        struct walk walks[N_ORDERS];
};

/* A directory's; NULL: no memory. */
struct folder *snapshot_folder(struct node *node);

/* Since it was asked for. */
uint64_t snapshot_age_usec(const struct snapshot *s);

/* Asks for a new one in the background, to find names in. */
void snapshot_load_for_look_ups(struct redirector *r, struct node *node);

/* Something about it is on its way to the server, or will be. */
bool snapshot_is_unsettled(const struct node *node);

/* Whether something newer than what s says of node was seen since. */
bool snapshot_is_behind(const struct snapshot *s, const struct node *node, const struct smb_attr *attr);

#endif
