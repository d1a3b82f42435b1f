/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Deleting, renaming and replacing as POSIX has it, over a protocol that refuses to change the name of what is open.
 *
 *   hold:    the server's files that are in the way are closed; requests for them wait
 *   park:    what is deleted while open, or replaced, moves to PARK_FOLDER under a name of its own; or it gets one where it is
 *   rename:  the source takes the free name; should that fail, what was parked moves back
 *   release: the files go on under their new names, opened again when they are next used
 *
 * So a replaced file's content exists under one name or another at every moment: libsmbclient's own rename over an existing
 * name deletes that first. While a change lasts, everything else that has to do with names waits (op_ready()): no path that was
 * worked out before it is used after it.
 *
 * What becomes of a change whose step fails is change-end.c's.
 */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/fault.h"
#include "fuse/change-internal.h"

const char *path_behind(const char *path, const char *base)
{
        size_t length = strlen(base);

        if (strncmp(path, base, length) != 0 || (path[length] != '\0' && path[length] != '/'))
                return NULL;
        return path + length;
}

void path_follow(char **path, const char *from, const char *to)
{
        const char *rest = *path ? path_behind(*path, from) : NULL;
        char *moved;

        if (!rest || asprintf(&moved, "%s%s", to, rest) < 0)
                return;
        free(*path);
        *path = moved;
}

void change_submit(struct change *c, enum smb_op what, char *path, char *path2, uint32_t flags, smb_done_fn done)
{
        c->request = (struct smb_request){
                .op = what, .path = path, .path2 = path2, .flags = flags, .slot = SMB_NO_SLOT, .done = done, .userdata = c,
        };
        smb_pool_submit(c->redirector->pool, &c->request);
}

/* ---- rename ---- */

static void renamed(struct smb_request *request)
{
        struct change *c = request->userdata;

        FAULT_POINT("change.renamed");
        c->error = request->error;
        if (request->error == -EIO)
                change_settle(c);
        else if (request->error < 0 && request->error != -ECANCELED)
                change_undo(c);
        else
                change_finish(c, request->error);
}

static void rename_now(struct change *c)
{
        change_submit(c, SMB_OP_RENAME, c->op->request.path, c->op->request.path2, 0, renamed);
}

static void target_removed(struct smb_request *request)
{
        struct change *c = request->userdata;

        FAULT_POINT("change.folder-removed");
        c->error = request->error;
        c->target_removed = request->error == 0 || request->error == -EIO;
        if (request->error == -EIO)
                change_settle(c);
        else if (request->error < 0)
                change_finish(c, request->error);
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
                if (strcmp(c->files[i]->path, c->target) == 0)
                        return true;
        return false;
}

static bool is_forbidden(const struct smb_request *request)
{
        return request->error == -EACCES || request->error == -EPERM;
}

/* Nothing can be put into PARK_FOLDER: between the name and that is a DFS link, and behind it another server; or it is somebody else's, or
 * the root is; or a server wants no names with a dot (Samba's word for those is ENOENT). Then it is put beside, where a killed daemon's is
 * found when the folder is listed. */
static void park_beside(struct change *c)
{
        c->beside = true;
        free(TAKE_PTR(c->parked));
        park_target(c);
}

/* The same, if that is why request has failed, and it has not been done yet. Returns whether. */
static bool park_beside_instead(struct change *c, const struct smb_request *request)
{
        if (c->beside || (!is_forbidden(request) && request->error != -EXDEV))
                return false;
        park_beside(c);
        return true;
}

/* Nor beside. What is not open is replaced as the library does it: the new contents survive, be it under the old name. Returns whether. */
static bool rename_without_parking(struct change *c, const struct smb_request *request)
{
        if (!c->beside || !change_is_rename(c) || target_is_open(c) || (!is_forbidden(request) && request->error != -ENOENT))
                return false;
        free(TAKE_PTR(c->parked));
        rename_now(c);
        return true;
}

static void parked(struct smb_request *request)
{
        struct change *c = request->userdata;

        FAULT_POINT("change.parked");
        if ((request->error == -ENOENT && !c->beside && park_again(c)) || park_beside_instead(c, request) || rename_without_parking(c, request))
                return;
        c->error = request->error;
        c->target_parked = change_is_rename(c) && (request->error == 0 || request->error == -EIO);
        if (request->error == -EIO)
                change_settle(c);
        else if (request->error < 0 || !change_is_rename(c))
                change_finish(c, request->error);
        else
                rename_now(c);
}

static void piece_made(struct smb_request *request)
{
        struct change *c = request->userdata;

        if ((request->error == -ENOENT && park_again(c)) || park_beside_instead(c, request))
                return;
        if (request->error == 0 || request->error == -EEXIST || request->error == -EIO) /* EIO: it may be there */
                c->n_pieces_made++;
        if (request->error < 0 && request->error != -EEXIST)
                change_finish(c, request->error);
        else
                park_target(c);
}

static void park_made(struct smb_request *request)
{
        struct change *c = request->userdata;

        FAULT_POINT("change.park-made");
        c->redirector->park_made = request->error == 0 || request->error == -EEXIST || request->error == -EIO; /* EIO: it may be */
        c->redirector->park_forbidden = is_forbidden(request) || request->error == -ENOENT;
        if (c->redirector->park_forbidden)
                park_beside(c);
        else if (request->error == 0 || request->error == -EEXIST)
                park_target(c);
        else
                change_finish(c, request->error);
}

/* Chooses where it goes. 0 or a negative errno. */
static int plan(struct change *c, const char *victim)
{
        if (!c->beside)
                return park_plan(c->redirector, c->target, c->target_id, c->target && target_is_open(c), &c->parked, c->pieces, &c->n_pieces);
        c->parked = park_plan_beside(c->redirector, victim);
        return c->parked ? 0 : -ENOMEM;
}

/* The next step of it. */
static void park_target(struct change *c)
{
        char *victim = c->target ? c->target : c->op->request.path;
        int error = c->parked ? 0 : plan(c, victim);

        if (error < 0)
                change_finish(c, error);
        else if (!c->beside && !c->redirector->park_made)
                change_submit(c, SMB_OP_MKDIR, (char *) PARK_FOLDER, NULL, SMB_MKDIR_HIDDEN, park_made);
        else if (!c->beside && c->n_pieces_made < c->n_pieces)
                change_submit(c, SMB_OP_MKDIR, c->pieces[c->n_pieces_made], NULL, 0, piece_made);
        else
                change_submit(c, SMB_OP_RENAME, victim, c->parked, 0, parked);
}

/* ---- what is there ---- */

/* Something else has the new name. */
static void replace(struct change *c, bool source_directory)
{
        if (c->op->request.flags & RENAME_NOREPLACE)
                change_finish(c, -EEXIST);
        else if (c->target_directory && !source_directory)
                change_finish(c, -EISDIR);
        else if (!c->target_directory && source_directory)
                change_finish(c, -ENOTDIR);
        else if (!c->target_directory)
                park_target(c);
        else
                change_submit(c, SMB_OP_RMDIR, c->op->request.path2, NULL, 0, target_removed);
}

/* The source, which may be the target under another spelling. */
static void source_seen(struct smb_request *request)
{
        struct change *c = request->userdata;

        c->source_id = request->attr.file_id;
        c->same = c->source_id != 0 && c->source_id == c->target_id;
        if (request->error < 0)
                change_finish(c, request->error);
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
                change_finish(c, request->error);
        else
                change_submit(c, SMB_OP_STAT, c->op->request.path, NULL, 0, source_seen);
}

/* What is deleted, by a name that may have become another thing's since it was opened. */
static void victim_seen(struct smb_request *request)
{
        struct change *c = request->userdata;

        if (request->error < 0)
                change_finish(c, request->error);
        else if (request->attr.dos & SMB_ATTR_DIRECTORY)
                change_finish(c, -EISDIR);
        else
                park_target(c);
}

/* ---- hold ---- */

static void all_held(struct change *c)
{
        FAULT_POINT("change.held");
        if (c->repairs)
                change_settle(c);
        else if (c->error < 0)
                change_finish(c, c->error);
        else if (change_is_rename(c))
                change_submit(c, SMB_OP_STAT, c->op->request.path2, NULL, 0, target_seen);
        else
                change_submit(c, SMB_OP_STAT, c->op->request.path, NULL, 0, victim_seen);
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
        return path_behind(file->smb->path, op->request.path) ||
               (c->target && strcmp(file->smb->path, c->target) == 0);
}

/* 0 or a negative errno. */
static int find_target(struct change *c)
{
        const struct op *op = c->op;
        const struct node *target;

        free(TAKE_PTR(c->target));
        if (!change_is_rename(c))
                return 0;
        target = node_child(&c->redirector->nodes, op->new_parent, op->new_name);
        return target ? node_path(target, NULL, &c->target) : node_path(op->new_parent, op->new_name, &c->target);
}

void change_hold(struct change *c)
{
        struct redirector *r = c->redirector;
        struct open_file *file;
        int error = find_target(c);

        assert(!r->change);
        r->change = c;
        c->n_to_close = 1;
        if (error < 0 && !c->repairs)
                c->error = error;
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
        c->beside = op->redirector->park_forbidden;
        change_hold(c);
}

void change_unlink(struct op *op)
{
        begin(op);
}

/* Whether the server has what was written to the files below, which are going to be closed: of data for a closed file no worker could
 * tell which one it is. If not, op->start comes when it has. */
static bool settled_below(struct op *op)
{
        const struct open_file *file;

        TAILQ_FOREACH(file, &op->redirector->files, entry)
                if (file->smb && file->node && path_behind(file->smb->path, op->request.path) && !behind_settled(op, file->node))
                        return false;
        return true;
}

void change_rename(struct op *op)
{
        struct redirector *r = op->redirector;
        bool settled = settled_below(op);

        r->n_renames_settling -= op->settles_below;
        op->settles_below = !settled;
        r->n_renames_settling += op->settles_below; /* else several writers below could keep it waiting for ever */
        if (settled)
                begin(op);
}
