/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Operations on names: look-up, attributes, changes of the tree. Each is one request to the worker for names; a change is
 * entered into the node table when the server has confirmed it.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "fuse/internal.h"
#include "fuse/snapshot.h"
#include "fuse/spelling.h"

/* Makes an op on a node, or on a child of it. NULL: answered already. */
static struct op *op_on(fuse_req_t fuse, fuse_ino_t ino, const char *name)
{
        struct redirector *r = redirector_of(fuse);
        struct op *op = op_new(r, fuse);

        if (!op)
                return NULL;
        op->node = node_ref(node_find(&r->nodes, ino));
        op->asked = node_ref(node_known(&r->nodes, ino));
        if (name && !(op->name = strdup(name))) {
                op_fail(op, -ENOMEM);
                return NULL;
        }
        return op;
}

/* ---- look-up ---- */

void name_reply_entry(struct op *op, const struct smb_attr *attr)
{
        struct redirector *r = op->redirector;
        struct fuse_entry_param entry = { 0 };
        struct node *node, *known;
        fuse_req_t fuse = op->fuse;

        if (op->mode != 0)
                spelling_made(op);
        node = node_child_or_new(&r->nodes, op->node, op->name);
        if (!node) {
                op_fail(op, -ENOMEM);
                return;
        }
        node_ref(node);
        if (op->mode != 0) {
                node->mode_known = true;
                node->mode = op->mode & 07777;
        }
        fill_stat(r, node, attr, &entry.attr);
        if (op->seen_usec != 0)
                node->seen_usec = op->seen_usec;
        known = spelling_entry(op, node, &entry);
        if (!known) {
                node_unref(&r->nodes, node);
                op_fail(op, -ENOMEM);
                return;
        }
        node_ref(known);
        op->fuse = NULL;
        if (fuse) {
                fuse_req_interrupt_func(fuse, NULL, NULL);
                node_looked_up(known);
                if (fuse_reply_entry(fuse, &entry) != 0)
                        node_forget(&r->nodes, known->ino, 1);
        }
        node_unref(&r->nodes, known);
        node_unref(&r->nodes, node);
        op_free(op);
}

/* There is no such name, as the kernel may remember for a while. */
static void reply_absent(struct op *op)
{
        struct fuse_entry_param negative = { .entry_timeout = op->fuse ? spelling_absent_timeout(op) : 0 };
        fuse_req_t fuse = op->fuse;

        op->fuse = NULL;
        if (fuse) {
                fuse_req_interrupt_func(fuse, NULL, NULL);
                fuse_reply_entry(fuse, &negative);
        }
        op_free(op);
}

static void looked_up(struct smb_request *request)
{
        struct op *op = op_of(request);

        snapshot_note_lookup(op);
        if (request->error == 0)
                spelling_answer(op);
        else if (request->error == -ENOENT) {
                snapshot_name_absent(op->node, op->name);
                reply_absent(op);
        } else
                op_fail(op, request->error);
}

/* While a name is being changed, nothing is answered before. Of one that may be too long only the server knows what to say. */
static enum catalog_found find_here(struct op *op, struct node *dir, const char *name, struct smb_attr *ret_attr)
{
        return op->redirector->change || !op->fuse || strlen(name) > NAME_MAX ? CATALOG_UNKNOWN : snapshot_find(op, dir, name, ret_attr);
}

static void start_lookup(struct op *op)
{
        struct smb_attr attr;
        enum catalog_found found = find_here(op, op->node, op->name, &attr);

        if (found == CATALOG_PRESENT) {
                op->request.attr = attr;
                spelling_answer(op);
        } else if (found == CATALOG_ABSENT)
                reply_absent(op);
        else if (found != CATALOG_AWAITED && op_ready(op)) {
                op->arrived_usec = redirector_now(op->redirector);
                op_submit(op, SMB_OP_STAT, looked_up);
        }
}

void name_look_up(struct op *op)
{
        op->seen_usec = 0;
        op_begin(op, start_lookup);
}

void name_lookup(fuse_req_t fuse, fuse_ino_t parent, const char *name)
{
        struct op *op;

        if (!op_name_allowed(fuse, name) || !permission_given(fuse, node_find(&redirector_of(fuse)->nodes, parent), X_OK))
                return;
        op = op_on(fuse, parent, name);
        if (!op)
                return;
        op_harmless(op);
        if (park_hides(op->redirector, op->node, name))
                reply_absent(op);
        else
                name_look_up(op);
}

void name_forget(fuse_req_t fuse, fuse_ino_t ino, uint64_t n)
{
        node_forget(&redirector_of(fuse)->nodes, ino, n);
        fuse_reply_none(fuse);
}

void name_forget_multi(fuse_req_t fuse, size_t count, struct fuse_forget_data *forgets)
{
        for (size_t i = 0; i < count; i++)
                node_forget(&redirector_of(fuse)->nodes, forgets[i].ino, forgets[i].nlookup);
        fuse_reply_none(fuse);
}

/* ---- attributes ---- */

static void got_attr(struct smb_request *request)
{
        struct op *op = op_of(request);
        int error = request->error;

        snapshot_note_lookup(op);
        if (error == 0 && op->node->directory != (bool) (request->attr.dos & SMB_ATTR_DIRECTORY))
                error = -ENOENT; /* something else is called so now */
        if (error < 0) {
                op_fail(op, op_stale_error(op, error));
                return;
        }
        op_reply_attr(op, op->node, &request->attr);
        op_free(op);
}

static void start_getattr(struct op *op)
{
        static const struct smb_attr removed_directory = { .dos = SMB_ATTR_DIRECTORY };
        struct node *node = op->node;
        const struct smb_attr *attr = node->directory && !node->linked ? &removed_directory
                                      : file_known_attr(op->redirector, node, &op->seen_usec);
        struct smb_attr listed;
        enum catalog_found found = CATALOG_UNKNOWN;

        if (!attr && node->linked && node->parent)
                found = find_here(op, node->parent, node->name, &listed);
        if (found == CATALOG_AWAITED)
                return;
        if (found == CATALOG_PRESENT)
                attr = &listed;
        if (attr) {
                op_reply_attr(op, node, attr);
                op_free(op);
        } else if (op_ready(op)) {
                op->arrived_usec = redirector_now(op->redirector);
                op_submit(op, SMB_OP_STAT, got_attr);
        }
}

void name_getattr(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi)
{
        struct op *op = op_on(fuse, ino, NULL);

        (void) fi;
        if (!op)
                return;
        op_harmless(op);
        op_begin(op, start_getattr);
}

static void set_attr(struct smb_request *request)
{
        struct op *op = op_of(request);

        if (request->valid & SMB_SET_SIZE)
                stream_invalidate(op->node);
        node_changed(op->redirector, op->node); /* a part of it may be done though it failed */
        if (request->error < 0) {
                op_fail(op, request->error);
                return;
        }
        if (op->mode != 0) {
                op->node->mode_known = true;
                op->node->mode = op->mode & 07777;
        }
        if (op->drops_privileges)
                node_drop_privileges(op->node);
        if (request->valid & SMB_SET_SIZE)
                op->node->mtime_pinned = false;
        if (request->valid & SMB_SET_MTIME) {
                op->node->mtime_pinned = op->node->writers > 0;
                op->node->pinned_mtime = request->mtime;
        }
        op_reply_attr(op, op->node, &request->attr);
        op_free(op);
}

static void start_setattr(struct op *op)
{
        if (!op->fuse) /* it was answered while it waited, and its file may be gone */
                op_free(op);
        else if (spelling_ready(op))
                op_submit(op, SMB_OP_SETATTR, set_attr);
}

static struct smb_time smb_time_from(struct timespec t, bool now)
{
        if (now)
                clock_gettime(CLOCK_REALTIME, &t);
        return (struct smb_time){ .sec = t.tv_sec, .nsec = (uint32_t) t.tv_nsec };
}

void name_setattr(fuse_req_t fuse, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
        struct op *op;

        if (((to_set & FUSE_SET_ATTR_UID) && attr->st_uid != getuid()) ||
            ((to_set & FUSE_SET_ATTR_GID) && attr->st_gid != getgid())) {
                fuse_reply_err(fuse, EPERM);
                return;
        }
        if (!fi && spelling_sends_back(redirector_of(fuse), fuse, ino))
                return;
        op = op_on(fuse, ino, NULL);
        if (!op)
                return;
        op->drops_privileges = (to_set & (FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) && !(to_set & FUSE_SET_ATTR_MODE);
        if (to_set & FUSE_SET_ATTR_SIZE) {
                op->request.valid |= SMB_SET_SIZE;
                op->request.offset = (uint64_t) attr->st_size;
                if (fi)
                        op->request.file = file_of(fi)->smb;
                stream_invalidate(op->node);
        }
        if (to_set & FUSE_SET_ATTR_MODE) {
                op->mode = attr->st_mode | S_IFMT; /* never 0: a mode of 0000 is one too */
                if (!op->node->directory) {
                        op->request.valid |= SMB_SET_DOS;
                        *(attr->st_mode & 0200 ? &op->request.dos_clear : &op->request.dos_set) = SMB_ATTR_READONLY;
                }
        }
        if (to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW)) {
                op->request.valid |= SMB_SET_ATIME;
                op->request.atime = smb_time_from(attr->st_atim, to_set & FUSE_SET_ATTR_ATIME_NOW);
        }
        if (to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)) {
                op->request.valid |= SMB_SET_MTIME;
                op->request.mtime = smb_time_from(attr->st_mtim, to_set & FUSE_SET_ATTR_MTIME_NOW);
        }
        if (op->node->directory)
                op->request.valid |= SMB_WANT_DOS;
        op->start = start_setattr;
        if (op->request.valid & SMB_SET_MTIME) /* a close behind it would bring its own time */
                op_after_closes(op, op->node);
        else
                start_setattr(op);
}

/* ---- changes of the tree ---- */

/* Makes the op of a change of a name. NULL: answered already. */
static struct op *op_changing(fuse_req_t fuse, fuse_ino_t parent, const char *name)
{
        if (!op_name_allowed(fuse, name) || !permission_given(fuse, node_find(&redirector_of(fuse)->nodes, parent), W_OK | X_OK))
                return NULL;
        return op_on(fuse, parent, name);
}

static void made(struct smb_request *request)
{
        struct op *op = op_of(request);

        snapshot_name_changed(op->node, op->name);
        if (request->error < 0)
                op_fail(op, request->error);
        else
                name_reply_entry(op, &request->attr);
}

static void start_mkdir(struct op *op)
{
        if (spelling_ready(op))
                op_submit(op, SMB_OP_MKDIR, made);
}

void name_mkdir(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode)
{
        struct op *op = op_changing(fuse, parent, name);

        if (!op)
                return;
        op->mode = mode | S_IFDIR;
        op_begin(op, start_mkdir);
}

/* Opens that waited for it go on: they find the file gone, or still there. */
static void end_removal(struct redirector *r, struct node *node)
{
        struct op_list waiting = TAILQ_HEAD_INITIALIZER(waiting);
        struct op *op;

        node->removals--;
        TAILQ_CONCAT(&waiting, &r->removal_waiters, wait);
        while ((op = TAILQ_FIRST(&waiting))) {
                TAILQ_REMOVE(&waiting, op, wait);
                op->start(op);
        }
}

static void removed(struct smb_request *request)
{
        struct op *op = op_of(request);
        struct redirector *r = op->redirector;
        struct node *victim = TAKE_PTR(op->other), *node;

        snapshot_name_changed(op->node, op->name);
        if (request->error < 0)
                op_fail(op, request->error);
        else {
                node = node_child(&r->nodes, op->node, op->name);
                if (node)
                        node_unlink(&r->nodes, node);
                op_reply_none(op);
                op_free(op);
        }
        if (victim)
                end_removal(r, victim);
        node_unref(&r->nodes, victim);
}

static void start_unlink(struct op *op)
{
        struct node *node;

        if (!spelling_ready(op))
                return;
        node = node_child(&op->redirector->nodes, op->node, op->name);
        if (node && node->closing > 0) /* since it waited for something else */
                op_after_closes(op, node);
        else if (node && !LIST_EMPTY(&node->files))
                change_unlink(op);
        else {
                if (node) {
                        op->other = node_ref(node);
                        node->removals++;
                }
                op_submit(op, SMB_OP_UNLINK, removed);
        }
}

static void start_rmdir(struct op *op)
{
        if (spelling_ready(op))
                op_submit(op, SMB_OP_RMDIR, removed);
}

void name_unlink(fuse_req_t fuse, fuse_ino_t parent, const char *name)
{
        struct op *op = op_changing(fuse, parent, name);

        if (!op)
                return;
        op->start = start_unlink;
        op_after_closes(op, node_child(&op->redirector->nodes, op->node, name));
}

void name_rmdir(fuse_req_t fuse, fuse_ino_t parent, const char *name)
{
        struct op *op = op_changing(fuse, parent, name);

        if (!op)
                return;
        op->start = start_rmdir;
        op_after_closes(op, NULL);
}

static void start_rename(struct op *op)
{
        if (spelling_ready(op))
                change_rename(op);
}

void name_rename(fuse_req_t fuse, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name,
                 unsigned flags)
{
        struct op *op;

        if (flags & ~(unsigned) RENAME_NOREPLACE) {
                fuse_reply_err(fuse, EINVAL);
                return;
        }
        if (!op_name_allowed(fuse, new_name) || !permission_given(fuse, node_find(&redirector_of(fuse)->nodes, new_parent), W_OK | X_OK))
                return;
        op = op_changing(fuse, parent, name);
        if (!op)
                return;
        op->new_parent = node_ref(node_find(&op->redirector->nodes, new_parent));
        op->new_asked = node_ref(node_known(&op->redirector->nodes, new_parent));
        op->new_name = strdup(new_name);
        if (!op->new_name) {
                op_fail(op, -ENOMEM);
                return;
        }
        op->request.flags = flags;
        op->start = start_rename;
        op_after_closes(op, NULL); /* whatever may be open below either name */
}

/* What SMB through libsmbclient has no way to make: the errno that link(2), symlink(2) and mknod(2) document for that. */

void name_link(fuse_req_t fuse, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name)
{
        (void) ino;
        (void) new_parent;
        (void) new_name;
        fuse_reply_err(fuse, EPERM);
}

void name_symlink(fuse_req_t fuse, const char *target, fuse_ino_t parent, const char *name)
{
        (void) target;
        (void) parent;
        (void) name;
        fuse_reply_err(fuse, EPERM);
}

void name_mknod(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
        (void) device;
        if (S_ISREG(mode))
                file_make(fuse, parent, name, mode);
        else
                fuse_reply_err(fuse, EPERM);
}

/* ---- statfs ---- */

static void got_space(struct smb_request *request)
{
        struct op *op = op_of(request);
        const struct smb_space *space = &request->space;
        fuse_req_t fuse = op->fuse;

        if (request->error < 0 || !fuse || space->block_bytes == 0 || space->block_bytes > UINT32_MAX) {
                op_fail(op, request->error < 0 ? request->error : -EIO);
                return;
        }
        op->fuse = NULL;
        fuse_req_interrupt_func(fuse, NULL, NULL);
        fuse_reply_statfs(fuse, &(struct statvfs){
                                        .f_bsize = space->block_bytes,
                                        .f_frsize = space->block_bytes,
                                        .f_blocks = space->blocks,
                                        .f_bfree = space->blocks_free,
                                        .f_bavail = space->blocks_available,
                                        .f_namemax = 255,
                                });
        op_free(op);
}

void name_statfs(fuse_req_t fuse, fuse_ino_t ino)
{
        struct redirector *r = redirector_of(fuse);
        struct op *op = op_new(r, fuse);

        (void) ino;
        if (!op)
                return;
        op_harmless(op);
        op_submit(op, SMB_OP_STATFS, got_space);
}
