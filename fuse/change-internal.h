/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_CHANGE_INTERNAL_H
#define FUSE_CHANGE_INTERNAL_H

/* A change of a name that is open, or that replaces another one: its steps (change.c), and how it ends (change-end.c). */

#include "fuse/internal.h"
#include "fuse/parked-name.h"

struct change {
        TAILQ_ENTRY(change) entry;  /* in redirector->unsettled */
        struct redirector *redirector;
        struct op *op;
        struct smb_request request; /* the step that is under way */
        struct smb_file **files;    /* held */
        size_t n_files, n_to_close;
        char *target;               /* of a rename: the path of what has the new name, in that node's own spelling */
        char *parked;               /* where the target is moved to, or what is deleted; NULL: nowhere (yet) */
        char *pieces[PARKED_PIECES_MAX]; /* the folders that tell its path, if need be; */
        size_t n_pieces, n_pieces_made;  /* so many are there */
        bool park_gone;             /* the hidden folder was made anew once */
        bool beside;                /* the target is parked beside, not in that folder */
        bool target_parked, target_directory, target_removed;
        bool target_there;          /* while it is settled: something has the new name */
        bool same;                  /* both are names of one file */
        bool repairs;               /* it begins with being settled */
        unsigned settled;           /* how often */
        uint64_t source_id, target_id; /* the server's numbers of what had the names; 0: not known */
        int error;                  /* what the change ends with, once it is to be undone */
};

static inline bool change_is_rename(const struct change *c)
{
        return c->op->new_name != NULL;
}

/* ---- change.c ---- */

/* The change has the drive's names for itself, and the files that it is about; then it begins, or is settled (c->repairs). */
void change_hold(struct change *c);

/* Sends a step off; done gets &c->request with userdata c. */
void change_submit(struct change *c, enum smb_op what, char *path, char *path2, uint32_t flags, smb_done_fn done);

/* ---- change-end.c ---- */

/* Ends it: done (0), or as if it had not begun. */
void change_finish(struct change *c, int error);

/* The new name is free: what had it gets it back. Then c->error is told. */
void change_undo(struct change *c);

/* A step has ended with c->error and may have been done all the same: finds out, and finishes it or undoes it. */
void change_settle(struct change *c);

#endif
