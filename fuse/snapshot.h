/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SNAPSHOT_H
#define FUSE_SNAPSHOT_H

/* What the server has said of a directory's names. */

#include "fuse/internal.h"

/* The one to be shown to who opens node now: of the last second if nothing from here contradicts it, else one that is asked for.
 * NULL: no memory. The caller uses it at once. */
struct snapshot *snapshot_for_opening(struct redirector *r, struct node *node);

/* Asks for a new one; as above. */
struct snapshot *snapshot_load(struct redirector *r, struct node *node);

void snapshot_use(struct snapshot *s, struct open_dir *dir);
void snapshot_leave(struct open_dir *dir);

/* How long from now on its attributes may be given out: 0, not at all. And whether those of an entry may. */
uint64_t snapshot_life_usec(const struct snapshot *s);
bool snapshot_believes(const struct snapshot *s, const struct catalog_entry *entry, const struct node *known);

/* Answers a look at dir's name without the server, if that is not staler than the kernel's own memory may be: op->seen_usec says of
 * when it is. CATALOG_AWAITED: op waits until more is known, and starts again. */
enum catalog_found snapshot_find(struct op *op, struct node *dir, const char *name, struct smb_attr *ret_attr);

/* A file is being opened. Where programs open a folder's files one behind the other, as they are listed or by name: the small files that come
 * next, as far as they are known, at most n of them. To be used at once. Returns how many there are. */
size_t snapshot_next_files(struct node *node, struct node **ret_nodes, size_t n);

/* op has got its answer from the server. */
void snapshot_note_lookup(const struct op *op);

/* Something was done from here to a name of dir (it may have been), or to a node's attributes. */
void snapshot_name_changed(struct node *dir, const char *name);
void snapshot_attr_changed(struct node *node);

/* Something was done elsewhere to what has a name in dir. */
void snapshot_entry_changed(struct node *dir, const char *name);

/* The server says that there is no such name: who opens dir is not shown a listing that may have it. */
void snapshot_name_absent(struct node *dir, const char *name);

void snapshots_forget(struct redirector *r); /* and the directories that show them */

#endif
