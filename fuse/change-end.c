/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How a change of names ends: done, undone, or, when nobody can tell, settled by looking at the names.
 *
 * A step that ends with EIO may have been done or not: its worker is gone. Then the names are looked at (change_settle()): the
 * change has been done, or what was done of it is undone. When the server cannot be asked, the program has its error, and
 * the change is settled when the server is back (change_repair()).
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/log.h"
#include "fuse/change-internal.h"
#include "fuse/snapshot.h"
#include "fuse/spelling.h"

#define SETTLE_TRIES 3u

/* Where a held file is from now on; NULL: where it was. The caller frees. */
static char *new_path(const struct change *c, const char *path)
{
        const char *rest;
        char *moved = NULL;

        if (!change_is_rename(c))
                return strdup(c->parked);
        rest = path_behind(path, c->op->request.path);
        if (rest && asprintf(&moved, "%s%s", c->op->request.path2, rest) < 0)
                return NULL;
        return rest ? moved : strdup(c->parked ? c->parked : path);
}

/* What people are shown of an open file follows its name; a deleted one keeps the name that it had. */
static void rename_handles(const struct change *c)
{
        struct open_file *file;

        TAILQ_FOREACH(file, &c->redirector->files, entry) {
                const char *rest = file->handle.path ? path_behind(file->handle.path, c->op->request.path) : NULL;
                char *path;

                if (!rest || !file->node || !file->node->linked || asprintf(&path, "%s%s", c->op->request.path2, rest) < 0)
                        continue;
                free(file->handle.path);
                file->handle.path = path;
        }
}

static void release_files(struct change *c)
{
        for (size_t i = 0; i < c->n_files; i++) {
                _cleanup_free_ char *path = c->error == 0 ? new_path(c, c->files[i]->path) : NULL;

                smb_file_release(c->redirector->pool, c->files[i], path);
        }
}

static void forget_files(struct change *c)
{
        for (size_t i = 0; i < c->n_files; i++)
                smb_file_unref(c->files[i]);
        free(TAKE_PTR(c->files));
        c->n_files = 0;
}

static bool was_held(const struct change *c, const struct smb_file *file)
{
        for (size_t i = 0; i < c->n_files; i++)
                if (c->files[i] == file)
                        return true;
        return false;
}

static void change_free(struct change *c)
{
        for (size_t i = 0; i < c->n_pieces; i++)
                free(c->pieces[i]);
        forget_files(c);
        free(c->target);
        free(c->parked);
        free(c);
}

/* The server has done it: so have we. Returns the node that lost its name, referred to. */
static struct node *apply(struct change *c)
{
        struct redirector *r = c->redirector;
        struct op *op = c->op;
        struct node *node = node_child(&r->nodes, op->node, op->name), *target;

        if (!change_is_rename(c)) {
                if (node) {
                        node_ref(node);
                        node_unlink(&r->nodes, node);
                }
                return node;
        }
        target = node_child(&r->nodes, op->new_parent, op->new_name);
        if (target == node)
                target = NULL;
        if (target)
                node_ref(target);
        if (node) {
                (void) node_rename(&r->nodes, node, op->new_parent, op->new_name); /* unnamed at worst: looked up anew */
                node_changed(r, node);
        } else if (target)
                node_unlink(&r->nodes, target);
        rename_handles(c);
        park_renamed(r, op->request.path, op->request.path2);
        return target;
}

static void repair_next(struct redirector *r);

static void go_on(struct redirector *r)
{
        struct op_list waiting = TAILQ_HEAD_INITIALIZER(waiting);
        struct op *op;

        TAILQ_CONCAT(&waiting, &r->change_waiters, wait);
        while ((op = TAILQ_FIRST(&waiting))) {
                TAILQ_REMOVE(&waiting, op, wait);
                if (op->after_all_closes)
                        op_after_closes(op, NULL); /* some may have begun since */
                else
                        op->start(op); /* may be a change itself: the rest waits again */
        }
}

static void time_pinned(struct smb_request *request)
{
        op_free(op_of(request));
}

/* At the worker that opens the file again, so that they come one after the other: both may have to lift its read-only attribute. */
static void start_pin(struct op *op)
{
        const struct open_file *file;

        if (!op_ready(op))
                return;
        LIST_FOREACH(file, &op->node->files, of_node)
                if (file->handle.path) /* else it is just being opened */
                        break;
        op->request.file = file ? file->smb : NULL;
        op_submit(op, SMB_OP_SETATTR, time_pinned);
}

/* With the close of a held file came the server's own time; until the next write the one counts that was set (file_flush()). */
static void pin_times(struct change *c)
{
        struct redirector *r = c->redirector;
        struct open_file *file;

        TAILQ_FOREACH(file, &r->files, entry) {
                struct op *op;

                if (!file->node || !file->node->mtime_pinned || file != LIST_FIRST(&file->node->files) || !was_held(c, file->smb))
                        continue;
                op = op_new(r, NULL);
                if (!op)
                        return;
                op->node = node_ref(file->node);
                op->request.valid = SMB_SET_MTIME;
                op->request.mtime = file->node->pinned_mtime;
                op_begin(op, start_pin);
        }
}

/* What told the parked file's path is of no more use: the new one is in place, or the old one again. */
static void drop_pieces(struct change *c)
{
        for (size_t i = 0; i < c->n_pieces_made; i++)
                park_remove(c->redirector, SMB_OP_RMDIR, TAKE_PTR(c->pieces[i]));
}

/* Whatever was listed while it lasted, and before. */
static void doubt_names(const struct change *c)
{
        snapshot_name_changed(c->op->node, c->op->name);
        if (change_is_rename(c))
                snapshot_name_changed(c->op->new_parent, c->op->new_name);
}

void change_finish(struct change *c, int error)
{
        struct redirector *r = c->redirector;
        struct node *dropped = NULL;

        doubt_names(c);
        c->error = error;
        if (error == 0)
                dropped = apply(c);
        release_files(c);
        r->change = NULL;
        park_tidy_soon(r); /* it may have been due meanwhile, or have been made for nothing */
        if (error != -ECANCELED)
                drop_pieces(c);
        if (error == 0 && c->parked)
                park_keep(r, dropped, TAKE_PTR(c->parked));
        node_unref(&r->nodes, dropped);
        if (error != -ECANCELED)
                pin_times(c);
        if (error < 0)
                op_fail(c->op, error);
        else {
                op_reply_none(c->op);
                op_free(c->op);
        }
        change_free(c);
        if (error != -ECANCELED)
                repair_next(r);
        go_on(r);
}

/* The server cannot be asked what has become of it. */
static void postpone(struct change *c)
{
        struct redirector *r = c->redirector;

        log_info("what has become of %s is found out when the server is back", c->op->request.path);
        doubt_names(c);
        release_files(c);
        forget_files(c);
        r->change = NULL;
        op_reply_error(c->op, c->error);
        TAILQ_INSERT_TAIL(&r->unsettled, c, entry);
        repair_next(r);
        go_on(r);
}

/* ---- undoing ---- */

static void put_back(struct smb_request *request)
{
        struct change *c = request->userdata;

        if (request->error == -ECANCELED)
                change_finish(c, request->error);
        else if (request->error < 0 && request->error != -ENOENT) {
                log_info("%s is kept as %s for now: %s", c->op->request.path2, c->parked, strerror(-request->error));
                change_settle(c);
        } else {
                free(TAKE_PTR(c->parked));
                change_finish(c, c->error);
        }
}

static void made_again(struct smb_request *request)
{
        struct change *c = request->userdata;

        change_finish(c, request->error == -ECANCELED ? request->error : c->error);
}

void change_undo(struct change *c)
{
        if (c->target_parked)
                change_submit(c, SMB_OP_RENAME, c->parked, c->op->request.path2, 0, put_back);
        else if (c->target_removed)
                change_submit(c, SMB_OP_MKDIR, c->op->request.path2, NULL, 0, made_again);
        else
                change_finish(c, c->error);
}

/* ---- settling ---- */

static void source_asked(struct smb_request *request)
{
        struct change *c = request->userdata;
        bool gone = request->error == -ENOENT;

        if (request->error == -ECANCELED)
                change_finish(c, request->error);
        else if (request->error < 0 && !gone)
                postpone(c);
        else if (!c->target_there)
                change_undo(c);
        else if (!c->same && (gone || (c->source_id != 0 && c->source_id == c->target_id)))
                change_finish(c, 0);
        else {
                if (c->target_parked) /* somebody else has taken the name; or it has never been parked */
                        park_remove(c->redirector, SMB_OP_UNLINK, TAKE_PTR(c->parked));
                change_finish(c, c->error);
        }
}

static void outcome_asked(struct smb_request *request)
{
        struct change *c = request->userdata;

        if (request->error == -ECANCELED)
                change_finish(c, request->error);
        else if (request->error < 0 && request->error != -ENOENT)
                postpone(c);
        else if (!change_is_rename(c))
                change_finish(c, request->error == 0 ? 0 : c->error);
        else {
                c->target_there = request->error == 0;
                c->target_id = request->attr.file_id;
                change_submit(c, SMB_OP_STAT, c->op->request.path, NULL, 0, source_asked);
        }
}

void change_settle(struct change *c)
{
        if (c->settled++ == SETTLE_TRIES)
                postpone(c);
        else
                change_submit(c, SMB_OP_STAT, change_is_rename(c) ? c->op->request.path2 : c->parked, NULL, 0, outcome_asked);
}

/* ---- repair ---- */

/* The names as they are called now. */
static int find_paths(struct op *op)
{
        int r;

        free(TAKE_PTR(op->request.path));
        free(TAKE_PTR(op->request.path2));
        r = node_path(op->node, op->name, &op->request.path);
        if (r == 0)
                r = spelling_own(op);
        return r == 0 && op->new_name ? node_path(op->new_parent, op->new_name, &op->request.path2) : r;
}

static void repair_next(struct redirector *r)
{
        while (!r->change && r->n_repairs > 0) {
                struct change *c = TAILQ_FIRST(&r->unsettled);

                TAILQ_REMOVE(&r->unsettled, c, entry);
                r->n_repairs--;
                c->repairs = true;
                c->settled = 0;
                if (find_paths(c->op) == 0) {
                        change_hold(c);
                        continue;
                }
                op_free(c->op); /* no such folder any more; the next connection sees to what is parked in the hidden one */
                change_free(c);
        }
}

void change_repair(struct redirector *r)
{
        const struct change *c;

        park_try_again(r);
        r->n_repairs = 0;
        TAILQ_FOREACH(c, &r->unsettled, entry)
                r->n_repairs++;
        repair_next(r);
}

void change_follow(struct redirector *r, const char *from, const char *to)
{
        struct change *c;

        TAILQ_FOREACH(c, &r->unsettled, entry)
                path_follow(&c->parked, from, to);
}

void change_forget(struct redirector *r)
{
        struct change *c;

        while ((c = TAILQ_FIRST(&r->unsettled))) {
                TAILQ_REMOVE(&r->unsettled, c, entry);
                change_free(c);
        }
}
