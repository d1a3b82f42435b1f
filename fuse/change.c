/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Deleting, renaming and replacing as POSIX has it, over a protocol that refuses to change the name of what is open.
 *
 *   hold:    the server's files that are in the way are closed; requests for them wait
 *   park:    what is deleted while open, or replaced, moves to PARK_FOLDER under a name of its own
 *   rename:  the source takes the free name; should that fail, what was parked moves back
 *   release: the files go on under their new names, opened again when they are next used
 *
 * So a replaced file's content exists under one name or another at every moment: libsmbclient's own rename over an existing
 * name deletes that first. While a change lasts, everything else that has to do with names waits (op_ready()): no path that was
 * worked out before it is used after it.
 *
 * A step that ends with EIO may have been done or not: its worker is gone. Then the names are looked at (settle()): the change has
 * been done, or what was done of it is undone. When the server cannot be asked, the program has its error, and the change
 * is settled when the server is back (change_repair()).
 */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/fault.h"
#include "core/log.h"
#include "fuse/internal.h"
#include "fuse/parked-name.h"

#define SETTLE_TRIES 3u

struct change {
        TAILQ_ENTRY(change) entry;  /* in redirector->unsettled */
        struct redirector *redirector;
        struct op *op;
        struct smb_request request; /* the step that is under way */
        struct smb_file **files;    /* held */
        size_t n_files, n_to_close;
        char *parked;               /* where the target is moved to, or what is deleted; NULL: nowhere (yet) */
        char *pieces[PARKED_PIECES_MAX]; /* the folders that tell its path, if need be; */
        size_t n_pieces, n_pieces_made;  /* so many are there */
        bool park_gone;             /* it was made anew once */
        bool target_parked, target_directory, target_removed;
        bool target_there;          /* while it is settled: something has the new name */
        bool same;                  /* both are names of one file */
        bool repairs;               /* it begins with being settled */
        unsigned settled;           /* how often */
        uint64_t source_id, target_id; /* the server's numbers of what had the names; 0: not known */
        int error;                  /* what the change ends with, once it is to be undone */
};

static bool is_rename(const struct change *c)
{
        return c->op->new_name != NULL;
}

/* Whether path is base, or lies below it; what comes behind base then. */
static const char *behind(const char *path, const char *base)
{
        size_t length = strlen(base);

        if (strncmp(path, base, length) != 0 || (path[length] != '\0' && path[length] != '/'))
                return NULL;
        return path + length;
}

static void submit(struct change *c, enum smb_op what, char *path, char *path2, uint32_t flags, smb_done_fn done)
{
        c->request = (struct smb_request){
                .op = what, .path = path, .path2 = path2, .flags = flags, .slot = SMB_NO_SLOT, .done = done, .userdata = c,
        };
        smb_pool_submit(c->redirector->pool, &c->request);
}

/* ---- the end ---- */

/* Where a held file is from now on; NULL: where it was. The caller frees. */
static char *new_path(const struct change *c, const char *path)
{
        const char *rest;
        char *moved = NULL;

        if (!is_rename(c))
                return strdup(c->parked);
        rest = behind(path, c->op->request.path);
        if (rest && asprintf(&moved, "%s%s", c->op->request.path2, rest) < 0)
                return NULL;
        return rest ? moved : strdup(c->parked ? c->parked : path);
}

/* What people are shown of an open file follows its name; a deleted one keeps the name that it had. */
static void rename_handles(const struct change *c)
{
        struct open_file *file;

        TAILQ_FOREACH(file, &c->redirector->files, entry) {
                const char *rest = file->handle.path ? behind(file->handle.path, c->op->request.path) : NULL;
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
        free(c->parked);
        free(c);
}

/* The server has done it: so have we. Returns the node that lost its name, referred to. */
static struct node *apply(struct change *c)
{
        struct redirector *r = c->redirector;
        struct op *op = c->op;
        struct node *node = node_child(&r->nodes, op->node, op->name), *target;

        op->node->names_changed_usec = redirector_now(r);
        if (!is_rename(c)) {
                if (node) {
                        node_ref(node);
                        node_unlink(&r->nodes, node);
                }
                return node;
        }
        op->new_parent->names_changed_usec = op->node->names_changed_usec;
        target = node_child(&r->nodes, op->new_parent, op->new_name);
        if (target == node)
                target = NULL;
        if (target)
                node_ref(target);
        if (node)
                (void) node_rename(&r->nodes, node, op->new_parent, op->new_name); /* unnamed at worst: looked up anew */
        else if (target)
                node_unlink(&r->nodes, target);
        rename_handles(c);
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

static void finish(struct change *c, int error)
{
        struct redirector *r = c->redirector;
        struct node *dropped = NULL;

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
        release_files(c);
        forget_files(c);
        r->change = NULL;
        op_reply_error(c->op, c->error);
        TAILQ_INSERT_TAIL(&r->unsettled, c, entry);
        repair_next(r);
        go_on(r);
}

/* ---- undoing ---- */

static void settle(struct change *c);

static void put_back(struct smb_request *request)
{
        struct change *c = request->userdata;

        if (request->error == -ECANCELED)
                finish(c, request->error);
        else if (request->error < 0 && request->error != -ENOENT) {
                log_info("%s is kept as %s for now: %s", c->op->request.path2, c->parked, strerror(-request->error));
                settle(c);
        } else {
                free(TAKE_PTR(c->parked));
                finish(c, c->error);
        }
}

static void made_again(struct smb_request *request)
{
        struct change *c = request->userdata;

        finish(c, request->error == -ECANCELED ? request->error : c->error);
}

/* The new name is free: what had it gets it back. */
static void undo(struct change *c)
{
        if (c->target_parked)
                submit(c, SMB_OP_RENAME, c->parked, c->op->request.path2, 0, put_back);
        else if (c->target_removed)
                submit(c, SMB_OP_MKDIR, c->op->request.path2, NULL, 0, made_again);
        else
                finish(c, c->error);
}

/* ---- settling ---- */

static void source_asked(struct smb_request *request)
{
        struct change *c = request->userdata;
        bool gone = request->error == -ENOENT;

        if (request->error == -ECANCELED)
                finish(c, request->error);
        else if (request->error < 0 && !gone)
                postpone(c);
        else if (!c->target_there)
                undo(c);
        else if (!c->same && (gone || (c->source_id != 0 && c->source_id == c->target_id)))
                finish(c, 0);
        else {
                if (c->target_parked) /* somebody else has taken the name; or it has never been parked */
                        park_remove(c->redirector, SMB_OP_UNLINK, TAKE_PTR(c->parked));
                finish(c, c->error);
        }
}

static void outcome_asked(struct smb_request *request)
{
        struct change *c = request->userdata;

        if (request->error == -ECANCELED)
                finish(c, request->error);
        else if (request->error < 0 && request->error != -ENOENT)
                postpone(c);
        else if (!is_rename(c))
                finish(c, request->error == 0 ? 0 : c->error);
        else {
                c->target_there = request->error == 0;
                c->target_id = request->attr.file_id;
                submit(c, SMB_OP_STAT, c->op->request.path, NULL, 0, source_asked);
        }
}

/* c->error: what the step under way has ended with. */
static void settle(struct change *c)
{
        if (c->settled++ == SETTLE_TRIES)
                postpone(c);
        else
                submit(c, SMB_OP_STAT, is_rename(c) ? c->op->request.path2 : c->parked, NULL, 0, outcome_asked);
}

/* ---- rename ---- */

static void renamed(struct smb_request *request)
{
        struct change *c = request->userdata;

        FAULT_POINT("change.renamed");
        c->error = request->error;
        if (request->error == -EIO)
                settle(c);
        else if (request->error < 0 && request->error != -ECANCELED)
                undo(c);
        else
                finish(c, request->error);
}

static void rename_now(struct change *c)
{
        submit(c, SMB_OP_RENAME, c->op->request.path, c->op->request.path2, 0, renamed);
}

static void target_removed(struct smb_request *request)
{
        struct change *c = request->userdata;

        FAULT_POINT("change.folder-removed");
        c->error = request->error;
        c->target_removed = request->error == 0 || request->error == -EIO;
        if (request->error == -EIO)
                settle(c);
        else if (request->error < 0)
                finish(c, request->error);
        else
                rename_now(c);
}

/* ---- park ---- */

static void park_target(struct change *c);

/* Somebody has tidied up there: once more, from the beginning. Returns false when that has been tried. */
static bool park_again(struct change *c)
{
        if (c->park_gone)
                return false;
        c->park_gone = true;
        c->redirector->park_made = false;
        c->n_pieces_made = 0;
        park_target(c);
        return true;
}

static bool target_is_open(const struct change *c)
{
        for (size_t i = 0; i < c->n_files; i++)
                if (strcmp(c->files[i]->path, c->op->request.path2) == 0)
                        return true;
        return false;
}

/* Between the name and PARK_FOLDER is a DFS link, and behind it another server. */
static void park_is_elsewhere(struct change *c)
{
        free(TAKE_PTR(c->parked));
        if (is_rename(c) && !target_is_open(c))
                rename_now(c); /* as the library does it: the new contents survive, be it under the old name */
        else
                finish(c, -EBUSY);
}

static void parked(struct smb_request *request)
{
        struct change *c = request->userdata;

        FAULT_POINT("change.parked");
        if (request->error == -ENOENT && park_again(c))
                return;
        if (request->error == -EXDEV) {
                park_is_elsewhere(c);
                return;
        }
        c->error = request->error;
        c->target_parked = is_rename(c) && (request->error == 0 || request->error == -EIO);
        if (request->error == -EIO)
                settle(c);
        else if (request->error < 0 || !is_rename(c))
                finish(c, request->error);
        else
                rename_now(c);
}

static void piece_made(struct smb_request *request)
{
        struct change *c = request->userdata;

        if (request->error == -ENOENT && park_again(c))
                return;
        if (request->error < 0 && request->error != -EEXIST) {
                finish(c, request->error);
                return;
        }
        c->n_pieces_made++;
        park_target(c);
}

static void park_made(struct smb_request *request)
{
        struct change *c = request->userdata;

        FAULT_POINT("change.park-made");
        c->redirector->park_made = request->error == 0 || request->error == -EEXIST || request->error == -EIO; /* EIO: it may be */
        if (request->error == 0 || request->error == -EEXIST)
                park_target(c);
        else if (is_rename(c) && c->n_files == 0 && (request->error == -EACCES || request->error == -EPERM))
                rename_now(c); /* where nothing can be parked, as the library does it */
        else
                finish(c, request->error);
}

/* The next step of it. */
static void park_target(struct change *c)
{
        if (!c->parked && park_plan(c->redirector, is_rename(c) ? c->op->request.path2 : NULL, &c->parked, c->pieces, &c->n_pieces) < 0)
                finish(c, -ENOMEM);
        else if (!c->redirector->park_made)
                submit(c, SMB_OP_MKDIR, (char *) PARK_FOLDER, NULL, SMB_MKDIR_HIDDEN, park_made);
        else if (c->n_pieces_made < c->n_pieces)
                submit(c, SMB_OP_MKDIR, c->pieces[c->n_pieces_made], NULL, 0, piece_made);
        else
                submit(c, SMB_OP_RENAME, is_rename(c) ? c->op->request.path2 : c->op->request.path, c->parked, 0, parked);
}

/* ---- what is there ---- */

/* Something else has the new name. */
static void replace(struct change *c, bool source_directory)
{
        if (c->op->request.flags & RENAME_NOREPLACE)
                finish(c, -EEXIST);
        else if (c->target_directory && !source_directory)
                finish(c, -EISDIR);
        else if (!c->target_directory && source_directory)
                finish(c, -ENOTDIR);
        else if (!c->target_directory)
                park_target(c);
        else
                submit(c, SMB_OP_RMDIR, c->op->request.path2, NULL, 0, target_removed);
}

/* The source, which may be the target under another spelling. */
static void source_seen(struct smb_request *request)
{
        struct change *c = request->userdata;

        c->source_id = request->attr.file_id;
        c->same = c->source_id != 0 && c->source_id == c->target_id;
        if (request->error < 0)
                finish(c, request->error);
        else if (c->same)
                rename_now(c);
        else
                replace(c, request->attr.dos & SMB_ATTR_DIRECTORY);
}

static void target_seen(struct smb_request *request)
{
        struct change *c = request->userdata;

        c->target_id = request->attr.file_id;
        c->target_directory = request->attr.dos & SMB_ATTR_DIRECTORY;
        if (request->error == -ENOENT)
                rename_now(c);
        else if (request->error < 0)
                finish(c, request->error);
        else
                submit(c, SMB_OP_STAT, c->op->request.path, NULL, 0, source_seen);
}

/* What is deleted, by a name that may have become another thing's since it was opened. */
static void victim_seen(struct smb_request *request)
{
        struct change *c = request->userdata;

        if (request->error < 0)
                finish(c, request->error);
        else if (request->attr.dos & SMB_ATTR_DIRECTORY)
                finish(c, -EISDIR);
        else
                park_target(c);
}

/* ---- hold ---- */

static void all_held(struct change *c)
{
        FAULT_POINT("change.held");
        if (c->repairs)
                settle(c);
        else if (c->error < 0)
                finish(c, c->error);
        else if (is_rename(c))
                submit(c, SMB_OP_STAT, c->op->request.path2, NULL, 0, target_seen);
        else
                submit(c, SMB_OP_STAT, c->op->request.path, NULL, 0, victim_seen);
}

static void on_held(void *userdata)
{
        struct change *c = userdata;

        if (--c->n_to_close == 0)
                all_held(c);
}

static bool in_the_way(const struct change *c, const struct open_file *file)
{
        const struct op *op = c->op;

        if (!file->smb || file->smb->hold)
                return false;
        return behind(file->smb->path, op->request.path) || (is_rename(c) && strcmp(file->smb->path, op->request.path2) == 0);
}

/* The change has the drive's names for itself, and the files that it is about. */
static void hold(struct change *c)
{
        struct redirector *r = c->redirector;
        struct open_file *file;

        assert(!r->change);
        r->change = c;
        c->n_to_close = 1;
        TAILQ_FOREACH(file, &r->files, entry) {
                struct smb_file **grown;

                if (!in_the_way(c, file))
                        continue;
                grown = realloc(c->files, (c->n_files + 1) * sizeof(*grown));
                if (grown)
                        c->files = grown;
                if (!grown || smb_file_hold(r->pool, file->smb, on_held, c) < 0) {
                        c->error = -ENOMEM;
                        break;
                }
                if (file->smb->file_id != 0 && strcmp(file->smb->path, c->op->request.path) == 0)
                        c->source_id = file->smb->file_id;
                c->files[c->n_files++] = file->smb;
                file->smb->refs++;
                c->n_to_close++;
        }
        on_held(c);
}

static void begin(struct op *op)
{
        struct change *c = calloc(1, sizeof(*c));

        if (!c) {
                op_fail(op, -ENOMEM);
                return;
        }
        c->redirector = op->redirector;
        c->op = op;
        hold(c);
}

void change_unlink(struct op *op)
{
        begin(op);
}

void change_rename(struct op *op)
{
        begin(op);
}

/* ---- repair ---- */

/* The names as they are called now. */
static int find_paths(struct op *op)
{
        int r;

        free(TAKE_PTR(op->request.path));
        free(TAKE_PTR(op->request.path2));
        r = node_path(op->node, op->name, &op->request.path);
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
                        hold(c);
                        continue;
                }
                op_free(c->op); /* no such folder any more; the next connection sees to what is parked */
                change_free(c);
        }
}

void change_repair(struct redirector *r)
{
        const struct change *c;

        r->park_made = r->park_made || r->park_left;
        r->park_left = false;
        park_tidy_soon(r);
        r->n_repairs = 0;
        TAILQ_FOREACH(c, &r->unsettled, entry)
                r->n_repairs++;
        repair_next(r);
}

void change_forget(struct redirector *r)
{
        struct change *c;

        while ((c = TAILQ_FIRST(&r->unsettled))) {
                TAILQ_REMOVE(&r->unsettled, c, entry);
                change_free(c);
        }
}
