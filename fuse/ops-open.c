/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Opening, creating and closing files.
 *
 * An open file is entered into the connection's handle table when its open is answered, and taken out at RELEASE, whatever the
 * server says about the close.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "fuse/internal.h"
#include "fuse/prefetch.h"
#include "fuse/snapshot.h"
#include "fuse/spelling.h"

static struct open_file *file_new(struct op *op, struct node *node)
{
        struct redirector *r = op->redirector;
        struct open_file *file = calloc(1, sizeof(*file));

        if (!file)
                return NULL;
        file->smb = smb_file_new(r->pool, op->request.path, op->flags, node && stream_is_small(op));
        if (!file->smb) {
                free(file);
                return NULL;
        }
        file->redirector = r;
        file->node = node ? node_ref(node) : NULL;
        stream_init(&file->stream);
        behind_init(file);
        TAILQ_INSERT_TAIL(&r->files, file, entry);
        if (node) {
                LIST_INSERT_HEAD(&node->files, file, of_node);
                behind_share_error(file);
        }
        return file;
}

static bool is_writer(const struct open_file *file)
{
        return file->handle.path && (file->handle.flags & O_ACCMODE) != O_RDONLY;
}

void file_free(struct open_file *file)
{
        struct redirector *r = file->redirector;

        stream_done(file);
        if (file->node) {
                file->node->writers -= is_writer(file);
                file->node->unsettled -= file->written;
        }
        if (file->handle.path)
                handle_table_remove(&r->connection->handles, &file->handle);
        TAILQ_REMOVE(&r->files, file, entry);
        if (file->node)
                LIST_REMOVE(file, of_node);
        node_unref(&r->nodes, file->node);
        smb_file_unref(file->smb);
        free(file);
}

/* ---- close ---- */

static void closed(struct smb_request *request)
{
        struct op *op = op_of(request);
        struct redirector *r = op->redirector;

        op_closed(op);
        if (op->node && (op->flags & O_ACCMODE) != O_RDONLY)
                node_changed(r, op->node); /* its time at the least */
        smb_file_unref(request->file);
        op_free(op);
        ops_check_close_waiters(r);
}

/* Closes the server's file and forgets ours; as a rule, close() has seen to it that everything was written. */
void file_close(struct open_file *file)
{
        struct redirector *r = file->redirector;
        struct node *node;
        struct op *op;

        if (!behind_may_close(file))
                return;
        op = op_new(r, NULL);
        if (op) {
                op->request.file = file->smb;
                file->smb = NULL; /* the op's now */
                op->node = file->node ? node_ref(file->node) : NULL;
                op->flags = is_writer(file) ? O_RDWR : O_RDONLY;
                op_closes(op);
        }
        if (file->write_error < 0 && !file->told_at_close && r->phase == PHASE_SERVING)
                log_warning("%llu bytes that were written to %s are lost, and nobody has asked: %s",
                            (unsigned long long) file->failed_bytes, file->handle.path, strerror(-file->write_error));
        if (file->failed_bytes > 0 && r->phase == PHASE_REVOKING)
                behind_add_lost(r, file, file->failed_bytes);
        node = file->node ? node_ref(file->node) : NULL;
        file_free(file);
        if (node && node->writers == 0)
                node->mtime_pinned = false;
        node_unref(&r->nodes, node);
        if (op)
                op_submit(op, SMB_OP_CLOSE, closed);
}


void file_release(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi)
{
        (void) ino;
        file_close(file_of(fi));
        fuse_reply_err(fuse, 0);
}

/* ---- open ---- */

static void fill_info(struct open_file *file, struct fuse_file_info *ret_info)
{
        *ret_info = (struct fuse_file_info){ .fh = (uint64_t) (uintptr_t) file };
}

/* Enters the file into the handle table, for the thread that opened it. */
static int enter_handle(struct open_file *file, const struct op *op)
{
        return handle_table_add(&file->redirector->connection->handles, &file->handle, file->smb->path, false, op->flags,
                                fuse_req_ctx(op->fuse)->pid);
}

/* Who opens it is found out meanwhile. */
static void submit_open(struct op *op, smb_done_fn done)
{
        op_submit(op, SMB_OP_OPEN, done);
        if (op->fuse)
                handle_note_opener(&op->file->handle, fuse_req_ctx(op->fuse)->pid);
}

static void looked_for(struct smb_request *request)
{
        struct op *op = op_of(request);

        if (request->error == 0 && !op->looked) { /* it may have been made meanwhile, or others be closed */
                op->looked = true;
                op_after_closes(op, NULL);
        } else if (request->error == 0)
                op_fail(op, op->name && op->error == -EINVAL ? op->error : -ENFILE); /* it may be the name */
        else /* of a file that the kernel knows: it looks the name up anew, and creates it where that was asked for */
                op_fail(op, op->name ? op->error : op_stale_error(op, op->error));
}

/* The server did not open what path names, or did not make something in it, and says that there is no such thing, or nothing that makes
 * sense. It says so, too, when it takes no more open files on a connection: whether the thing is there, the worker for names finds out on
 * its own.
 * path: taken. */
static void look_for(struct op *op, char *path)
{
        op->error = op->request.error;
        file_free(op->file);
        op->file = NULL;
        op->request.file = NULL;
        free(op->request.path);
        op->request.path = path;
        op->request.valid &= ~SMB_WANT_DATA; /* for which it would be opened */
        smb_pool_give_slot(op->redirector->pool, op->request.slot);
        op->request.slot = SMB_NO_SLOT;
        op_submit(op, SMB_OP_STAT, looked_for);
}

/* The open has shown what the file is now. Should the kernel remember it differently, it is told to ask before open() returns: whoever
 * opens a file finds it as it was closed elsewhere. That it is told from here cannot hang: attributes alone are concerned, of an inode
 * that the open() itself keeps alive. Returns whether the kernel's idea was right. */
static bool found(struct open_file *file, const struct smb_attr *attr, uint64_t asked_usec)
{
        struct redirector *r = file->redirector;
        struct node *node = file->node;

        file->smb->file_id = attr->file_id;
        if (!node_is_unchanged(node, asked_usec))
                return false;
        file->attr = *attr;
        file->attr_usec = asked_usec;
        if (node->size_bytes == attr->size_bytes && node->mtime.sec == attr->mtime.sec && node->mtime.nsec == attr->mtime.nsec)
                return true;
        node->size_bytes = attr->size_bytes;
        node->mtime = attr->mtime;
        snapshot_attr_changed(node); /* nor do older listings know it */
        (void) fuse_lowlevel_notify_inval_inode(r->session, node->ino, -1, 0);
        return false;
}

const struct smb_attr *file_known_attr(const struct redirector *r, const struct node *node, uint64_t *ret_seen_usec)
{
        const struct open_file *file = LIST_FIRST(&node->files); /* the one that was opened last */

        if (!file || file->attr_usec <= node->changed_usec || file->attr_usec <= node->told_usec || node->unsettled > 0 || node->behind)
                return NULL;
        if (redirector_now(r) - file->attr_usec >= ATTR_TIMEOUT_USEC)
                return NULL;
        *ret_seen_usec = file->attr_usec;
        return &file->attr;
}

static void opened(struct smb_request *request)
{
        struct op *op = op_of(request);
        struct open_file *file = op->file;
        fuse_req_t fuse = op->fuse;
        struct fuse_file_info info;
        uint64_t read_usec = redirector_now(op->redirector);
        bool as_known;
        char *path;

        if ((request->error == -ENOENT || request->error == -EINVAL) && node_path(op->node, NULL, &path) == 0) {
                look_for(op, path);
                return;
        }
        if (request->error < 0) {
                file_free(file);
                op_fail(op, op_stale_error(op, request->error));
                return;
        }
        if (op->flags & O_TRUNC) {
                stream_invalidate(file->node);
                node_changed(op->redirector, file->node);
                file->node->size_bytes = request->attr.size_bytes; /* a write only makes it larger */
                file->node->mtime_pinned = false;
                node_drop_privileges(file->node);
        }
        if (stream_only_reads(op))
                (void) prefetch_give(op->redirector, file->node, request, &read_usec);
        if (node_is_unchanged(file->node, op->arrived_usec)) /* else what has come with it may be older */
                stream_take_beginning(file, request, read_usec);
        if (!fuse || enter_handle(file, op) < 0) { /* nobody waits for it any more */
                file_close(file);
                op_fail(op, -ENOMEM);
                return;
        }
        as_known = found(file, &request->attr, op->arrived_usec);
        file->node->writers += is_writer(file);
        op->fuse = NULL;
        fuse_req_interrupt_func(fuse, NULL, NULL);
        fill_info(file, &info);
        file->closes_silently = as_known && stream_only_reads(op) && stream_hand_over(file);
        info.keep_cache = info.noflush = file->closes_silently;
        if (fuse_reply_open(fuse, &info) != 0)
                file_close(file);
        else if (stream_only_reads(op))
                prefetch_next(op->redirector, op->node);
        op_free(op);
}

static void start_open(struct op *op)
{
        if (!op->fuse) { /* it was answered while it waited */
                op_free(op);
                return;
        }
        if (op->node->removals > 0) { /* at the server one of them would be refused, as in use */
                TAILQ_INSERT_TAIL(&op->redirector->removal_waiters, op, wait);
                return;
        }
        if (!op_ready(op))
                return;
        op->file = file_new(op, op->node);
        if (!op->file) {
                op_fail(op, -ENOMEM);
                return;
        }
        op->request.file = op->file->smb;
        op->arrived_usec = redirector_now(op->redirector);
        if (!prefetch_knows(op->redirector, op->node))
                stream_want_beginning(op);
        submit_open(op, opened);
}

void file_open(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi)
{
        struct redirector *r = redirector_of(fuse);
        struct op *op;

        if (spelling_sends_back(r, fuse, ino) || !permission_to_open(fuse, node_find(&r->nodes, ino), fi->flags))
                return;
        op = op_new(r, fuse);
        if (!op)
                return;
        op->node = node_ref(node_find(&r->nodes, ino));
        op->flags = fi->flags;
        op->opens = true;
        op->request.flags = (uint32_t) (fi->flags & (O_ACCMODE | O_TRUNC));
        if ((fi->flags & (O_ACCMODE | O_TRUNC)) == (O_RDONLY | O_TRUNC)) /* a server empties what it would not let be written to */
                op->request.flags = O_RDWR | O_TRUNC;
        op->request.valid = SMB_WANT_ATTR; /* which file it is, should it have to be opened again */
        if (!(fi->flags & O_TRUNC))
                op_harmless(op);
        op_begin(op, start_open);
}

/* ---- create ---- */

/* Whether the server has the file now that op was to make. If not, op is seen to. */
static bool is_created(struct op *op)
{
        int error = op->request.error;
        char *path;

        if ((error == -ENOENT || error == -EINVAL) && node_path(op->node, NULL, &path) == 0)
                look_for(op, path);
        else if (error < 0) {
                file_free(op->file);
                op_fail(op, error);
        }
        return error == 0;
}

static void created(struct smb_request *request)
{
        struct op *op = op_of(request);
        struct redirector *r = op->redirector;
        struct open_file *file = op->file;
        struct fuse_entry_param entry = { 0 };
        struct fuse_file_info info;
        struct node *node;
        fuse_req_t fuse = op->fuse;

        if (request->error < 0 || request->created)
                snapshot_name_changed(op->node, op->name);
        if (!is_created(op))
                return;
        if (!request->created && fuse && spelling_possible(r, op->node, op->name)) {
                spelling_send_back(r, fuse); /* the kernel did not know that it is there */
                file_close(file);
                op_fail(op, -ESTALE);
                return;
        }
        if (request->created)
                spelling_made(op);
        node = node_child_or_new(&r->nodes, op->node, op->name);
        if (!fuse || !node || enter_handle(file, op) < 0) {
                file_close(file);
                op_fail(op, -ENOMEM);
                return;
        }
        file->node = node_ref(node);
        LIST_INSERT_HEAD(&node->files, file, of_node);
        node->writers += is_writer(file);
        if (request->created) {
                node->mode_known = true;
                node->mode = op->mode & 07777;
                note_server_time(r, request->attr.mtime);
        } else if (op->flags & O_TRUNC)
                node_drop_privileges(node);
        fill_stat(r, node, &request->attr, &entry.attr);
        file->smb->file_id = request->attr.file_id;
        node_changed(r, node);
        (void) spelling_entry(op, node, &entry); /* by its own name: no other spelling is needed */
        fill_info(file, &info);
        node_looked_up(node);
        op->fuse = NULL;
        if (fuse_reply_create(fuse, &entry, &info) != 0) {
                file_close(file);
                node_forget(&r->nodes, entry.ino, 1);
        }
        op_free(op);
}

/* The server's file is closed again; what comes next for it waits for that. */
static void made(struct smb_request *request)
{
        struct op *op = op_of(request);
        struct open_file *file = op->file;
        struct smb_attr attr = request->attr;
        struct node *node;

        snapshot_name_changed(op->node, op->name);
        if (!is_created(op))
                return;
        spelling_made(op);
        node = node_child_or_new(&op->redirector->nodes, op->node, op->name);
        if (node) {
                file->node = node_ref(node);
                LIST_INSERT_HEAD(&node->files, file, of_node);
                node_changed(op->redirector, node);
        }
        note_server_time(op->redirector, attr.mtime);
        file_close(file);
        request->file = NULL;
        name_reply_entry(op, &attr);
}

static void start_create_then(struct op *op, smb_done_fn done)
{
        if (!spelling_ready(op))
                return;
        op->file = file_new(op, NULL);
        if (!op->file) {
                op_fail(op, -ENOMEM);
                return;
        }
        op->request.file = op->file->smb;
        submit_open(op, done);
}

static void start_create(struct op *op)
{
        start_create_then(op, created);
}

static void start_make(struct op *op)
{
        start_create_then(op, made);
}

/* flags: as open() has them. */
static struct op *op_creating(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode, int flags)
{
        struct redirector *r = redirector_of(fuse);
        struct op *op;

        if (!op_name_allowed(fuse, name) || !permission_given(fuse, node_find(&r->nodes, parent), W_OK | X_OK))
                return NULL;
        op = op_new(r, fuse);
        if (!op)
                return NULL;
        op->node = node_ref(node_find(&r->nodes, parent));
        op->asked = node_ref(node_known(&r->nodes, parent));
        op->name = strdup(name);
        op->flags = flags;
        op->mode = mode;
        op->opens = true;
        if (!op->name) {
                op_fail(op, -ENOMEM);
                return NULL;
        }
        op->request.flags = (uint32_t) (flags & (O_ACCMODE | O_TRUNC | O_EXCL)) | O_CREAT;
        op->request.valid = SMB_WANT_ATTR | (mode & 0200 ? 0 : SMB_SET_CREATE_READONLY);
        return op;
}

void file_create(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
        struct op *op = op_creating(fuse, parent, name, mode, fi->flags);

        if (op)
                op_begin(op, start_create);
}

void file_make(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode)
{
        struct op *op = op_creating(fuse, parent, name, mode, O_WRONLY | O_EXCL);

        if (op)
                op_begin(op, start_make);
}
