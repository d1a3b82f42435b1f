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
 */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/log.h"
#include "fuse/internal.h"

#define PARKED_NAME_MAX_BYTES 255
#define TIDY_USEC (2 * 1000000ULL) /* without anything parked the folder goes */

struct change {
        struct redirector *redirector;
        struct op *op;
        struct smb_request request; /* the step that is under way */
        struct smb_file **files;    /* held */
        size_t n_files, n_to_close;
        char *parked;               /* where the target is moved to, or what is deleted; NULL: nowhere (yet) */
        bool target_parked, target_directory;
        bool park_gone;             /* it was made anew once */
        uint64_t target_id;         /* the server's number of what has the new name */
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

/* ---- parked files ---- */

static void tidied(struct smb_request *request)
{
        struct op *op = op_of(request);

        op->redirector->tidying = false;
        op_free(op);
}

/* Removes the empty folder. What comes behind it at the worker makes it anew. */
static void tidy(struct redirector *r)
{
        struct op *op = op_new(r, NULL);

        r->park_made = false;
        if (!op || !(op->request.path = strdup(PARK_FOLDER))) {
                if (op)
                        op_free(op);
                return;
        }
        r->tidying = true;
        op_submit(op, SMB_OP_RMDIR, tidied);
}

static int on_tidy(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct redirector *r = userdata;

        (void) source;
        (void) usec;
        if (r->park_made && r->n_parked == 0 && !r->change)
                tidy(r);
        return 0;
}

static void tidy_soon(struct redirector *r)
{
        if (!r->park_made || r->n_parked > 0)
                return;
        r->tidy_source = sd_event_source_disable_unref(r->tidy_source);
        (void) sd_event_add_time_relative(r->event, &r->tidy_source, CLOCK_MONOTONIC, TIDY_USEC, 100000, on_tidy, r);
}

static void parked_gone(struct redirector *r)
{
        r->n_parked--;
        tidy_soon(r);
}

bool change_settled(struct redirector *r)
{
        if (r->connection->handles.n > 0)
                return true;
        if (r->change || r->n_parked > 0 || r->tidying)
                return false;
        if (r->park_made)
                tidy(r);
        return !r->tidying;
}

static void unparked(struct smb_request *request)
{
        struct redirector *r = op_of(request)->redirector;
        bool ended = request->error == -ECANCELED; /* and the folder is the next connection's */

        if (request->error < 0 && request->error != -ENOENT && request->error != -ECANCELED)
                log_info("a deleted file could not be removed from %s: %s", request->path, strerror(-request->error));
        op_free(op_of(request));
        if (!ended)
                parked_gone(r);
}

/* Deletes a parked file; nobody waits for it. */
static void remove_parked(struct redirector *r, char *path /* takes */)
{
        struct op *op = op_new(r, NULL);

        if (!op) {
                free(path); /* the next connection finds it */
                r->n_parked--;
                return;
        }
        op->request.path = path;
        op_submit(op, SMB_OP_UNLINK, unparked);
}

void change_closed(struct redirector *r, struct node *node)
{
        if (node->parked && !node->linked && node->closing == 0 && LIST_EMPTY(&node->files))
                remove_parked(r, TAKE_PTR(node->parked));
}

/* A name that nobody has, with the way back where it fits: "INSTANCE-COUNT" or "INSTANCE-COUNT=path", '/' as "%2F". */
static char *parked_path(struct redirector *r, const char *original, bool replaced)
{
        char name[PARKED_NAME_MAX_BYTES + 1], *path;
        size_t used = (size_t) snprintf(name, sizeof(name), "%s-%.1s-%llx", r->settings->instance,
                                        r->connection->has_device ? r->connection->device.text : "-", /* each drive counts for itself */
                                        (unsigned long long) ++r->parked_count);

        if (replaced) {
                size_t begin = used;

                name[used++] = '=';
                for (const char *p = original; *p && used < PARKED_NAME_MAX_BYTES - 3; p++)
                        if (*p == '/' || *p == '%')
                                used += (size_t) snprintf(name + used, 4, "%%%02X", (unsigned) *p);
                        else
                                name[used++] = *p;
                if (used >= PARKED_NAME_MAX_BYTES - 3)
                        used = begin; /* too long for a name */
                name[used] = '\0';
        }
        return asprintf(&path, PARK_FOLDER "/%s", name) < 0 ? NULL : path;
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
                smb_file_unref(c->files[i]);
        }
        free(c->files);
}

/* node has lost its name; what is parked of it goes when nobody has it open. */
static void drop_target(struct change *c, struct node *node)
{
        struct redirector *r = c->redirector;

        if (node && (!LIST_EMPTY(&node->files) || node->closing > 0)) {
                assert(!node->parked);
                node->parked = TAKE_PTR(c->parked);
        } else
                remove_parked(r, TAKE_PTR(c->parked));
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

static void start_pin(struct op *op)
{
        if (op_ready(op))
                op_submit(op, SMB_OP_SETATTR, time_pinned);
}

/* With the close of a held file came the server's own time; until the next write the one counts that was set (file_flush()). */
static void pin_times(struct redirector *r)
{
        struct open_file *file;

        TAILQ_FOREACH(file, &r->files, entry) {
                struct op *op;

                if (!file->node || !file->node->mtime_pinned || file != LIST_FIRST(&file->node->files))
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

static void finish(struct change *c, int error)
{
        struct redirector *r = c->redirector;
        struct node *dropped = NULL;

        c->error = error;
        if (error == 0)
                dropped = apply(c);
        release_files(c);
        r->change = NULL;
        tidy_soon(r); /* it may have been due meanwhile, or have been made for nothing */
        if (error == 0 && c->parked) {
                r->n_parked++;
                drop_target(c, dropped);
        }
        node_unref(&r->nodes, dropped);
        if (error != -ECANCELED)
                pin_times(r);
        if (error < 0)
                op_fail(c->op, error);
        else {
                op_reply_none(c->op);
                op_free(c->op);
        }
        free(c->parked);
        free(c);
        go_on(r);
}

/* ---- rename ---- */

static void put_back(struct smb_request *request)
{
        struct change *c = request->userdata;

        if (request->error < 0)
                log_error("%s could not be renamed; what it would have replaced is kept as %s", c->op->request.path, c->parked);
        finish(c, c->error);
}

static void renamed(struct smb_request *request)
{
        struct change *c = request->userdata;

        if (request->error < 0 && c->target_parked && request->error != -ECANCELED) {
                c->error = request->error;
                submit(c, SMB_OP_RENAME, c->parked, c->op->request.path2, 0, put_back);
                return;
        }
        finish(c, request->error);
}

static void rename_now(struct change *c)
{
        submit(c, SMB_OP_RENAME, c->op->request.path, c->op->request.path2, 0, renamed);
}

static void target_removed(struct smb_request *request)
{
        struct change *c = request->userdata;

        if (request->error < 0)
                finish(c, request->error);
        else
                rename_now(c);
}

/* ---- park ---- */

static void park_target(struct change *c);

static void parked(struct smb_request *request)
{
        struct change *c = request->userdata;

        if (request->error == -ENOENT && !c->park_gone) { /* somebody has tidied up there */
                c->park_gone = true;
                c->redirector->park_made = false;
                free(TAKE_PTR(c->parked));
                park_target(c);
                return;
        }
        if (request->error < 0 || !is_rename(c)) {
                finish(c, request->error);
                return;
        }
        c->target_parked = true;
        rename_now(c);
}

static void park(struct change *c)
{
        char *path = is_rename(c) ? c->op->request.path2 : c->op->request.path;

        c->parked = parked_path(c->redirector, path, is_rename(c));
        if (!c->parked)
                finish(c, -ENOMEM);
        else
                submit(c, SMB_OP_RENAME, path, c->parked, 0, parked);
}

static void park_made(struct smb_request *request)
{
        struct change *c = request->userdata;

        if (request->error == 0 || request->error == -EEXIST) {
                c->redirector->park_made = true;
                park(c);
        } else if (is_rename(c) && c->n_files == 0 && request->error != -ECANCELED) {
                rename_now(c); /* where nothing can be parked, as the library does it */
        } else
                finish(c, request->error);
}

static void park_target(struct change *c)
{
        if (c->redirector->park_made)
                park(c);
        else
                submit(c, SMB_OP_MKDIR, (char *) PARK_FOLDER, NULL, SMB_MKDIR_HIDDEN, park_made);
}

/* ---- what is there ---- */

/* Something else has the new name. */
static void replace(struct change *c)
{
        const struct node *source = node_child(&c->redirector->nodes, c->op->node, c->op->name);

        if (c->op->request.flags & RENAME_NOREPLACE)
                finish(c, -EEXIST);
        else if (!c->target_directory)
                park_target(c);
        else if (source && !source->directory)
                finish(c, -EISDIR);
        else
                submit(c, SMB_OP_RMDIR, c->op->request.path2, NULL, 0, target_removed);
}

/* The source, which may be the target under another spelling. */
static void source_seen(struct smb_request *request)
{
        struct change *c = request->userdata;

        if (request->error < 0)
                finish(c, request->error);
        else if (request->attr.file_id != 0 && request->attr.file_id == c->target_id)
                rename_now(c);
        else
                replace(c);
}

static bool may_be_same(const struct op *op)
{
        return op->node == op->new_parent && strlen(op->name) == strlen(op->new_name);
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
        else if (may_be_same(c->op))
                submit(c, SMB_OP_STAT, c->op->request.path, NULL, 0, source_seen);
        else
                replace(c);
}

/* ---- hold ---- */

static void all_held(struct change *c)
{
        if (c->error < 0)
                finish(c, c->error);
        else if (is_rename(c))
                submit(c, SMB_OP_STAT, c->op->request.path2, NULL, 0, target_seen);
        else
                park_target(c);
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

static void begin(struct op *op)
{
        struct redirector *r = op->redirector;
        struct change *c = calloc(1, sizeof(*c));
        struct open_file *file;

        assert(!r->change);
        if (!c) {
                op_fail(op, -ENOMEM);
                return;
        }
        *c = (struct change){ .redirector = r, .op = op, .n_to_close = 1 };
        r->change = c;
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
                c->files[c->n_files++] = file->smb;
                file->smb->refs++;
                c->n_to_close++;
        }
        on_held(c);
}

void change_unlink(struct op *op)
{
        begin(op);
}

void change_rename(struct op *op)
{
        begin(op);
}
