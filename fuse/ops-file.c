/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Open files. The data of a write are received from the kernel straight into the slot that the worker sends them from; when
 * it is answered, write-behind.c decides.
 *
 * An open file is entered into the connection's handle table when its open is answered, and taken out at RELEASE, whatever the
 * server says about the close.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "fuse/internal.h"

static struct open_file *file_of(const struct fuse_file_info *fi)
{
        return (struct open_file *) (uintptr_t) fi->fh;
}

static struct open_file *file_new(struct op *op, struct node *node)
{
        struct redirector *r = op->redirector;
        struct open_file *file = calloc(1, sizeof(*file));

        if (!file)
                return NULL;
        file->smb = smb_file_new(r->pool, op->request.path, op->flags);
        if (!file->smb) {
                free(file);
                return NULL;
        }
        file->redirector = r;
        file->node = node ? node_ref(node) : NULL;
        stream_init(&file->stream);
        TAILQ_INSERT_TAIL(&r->files, file, entry);
        if (node)
                LIST_INSERT_HEAD(&node->files, file, of_node);
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
                op_closes(op);
        }
        if (file->write_error < 0 && r->phase == PHASE_SERVING)
                log_warning("%llu bytes that were written to %s are lost, and nobody has asked: %s",
                            (unsigned long long) file->failed_bytes, file->handle.path, strerror(-file->write_error));
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

static void looked_for(struct smb_request *request)
{
        struct op *op = op_of(request);

        if (request->error == 0 && !op->looked) { /* it may have been made meanwhile */
                op->looked = true;
                op_begin(op, op->start);
        } else if (request->error == 0)
                op_fail(op, -ENFILE);
        else /* of a file that the kernel knows: it looks the name up anew, and creates it where that was asked for */
                op_fail(op, op->name ? op->error : op_stale_error(op->error));
}

/* The server did not open what path names, or did not make something in it, and says that there is no such thing. It says so, too,
 * when it takes no more open files on a connection: whether the thing is there, the worker for names finds out on its own.
 * path: taken. */
static void look_for(struct op *op, char *path)
{
        op->error = op->request.error;
        file_free(op->file);
        op->file = NULL;
        op->request.file = NULL;
        free(op->request.path);
        op->request.path = path;
        op_submit(op, SMB_OP_STAT, looked_for);
}

static void opened(struct smb_request *request)
{
        struct op *op = op_of(request);
        struct open_file *file = op->file;
        fuse_req_t fuse = op->fuse;
        struct fuse_file_info info;
        char *path;

        if ((request->error == -ENOENT || request->error == -EINVAL) && node_path(op->node, NULL, &path) == 0) {
                look_for(op, path);
                return;
        }
        if (request->error < 0) {
                file_free(file);
                op_fail(op, op_stale_error(request->error));
                return;
        }
        if (op->flags & O_TRUNC) {
                stream_invalidate(file->node);
                node_changed(op->redirector, file->node);
                file->node->mtime_pinned = false;
        }
        file->smb->file_id = request->attr.file_id;
        if (!fuse || enter_handle(file, op) < 0) { /* nobody waits for it any more */
                file_close(file);
                op_fail(op, -ENOMEM);
                return;
        }
        file->node->writers += is_writer(file);
        op->fuse = NULL;
        fuse_req_interrupt_func(fuse, NULL, NULL);
        fill_info(file, &info);
        if (fuse_reply_open(fuse, &info) != 0)
                file_close(file);
        op_free(op);
}

static void start_open(struct op *op)
{
        if (!op_ready(op))
                return;
        op->file = file_new(op, op->node);
        if (!op->file) {
                op_fail(op, -ENOMEM);
                return;
        }
        op->request.file = op->file->smb;
        op_submit(op, SMB_OP_OPEN, opened);
}

void file_open(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi)
{
        struct redirector *r = redirector_of(fuse);
        struct op *op = op_new(r, fuse);

        if (!op)
                return;
        op->node = node_ref(node_find(&r->nodes, ino));
        op->flags = fi->flags;
        op->opens = true;
        op->request.flags = (uint32_t) (fi->flags & (O_ACCMODE | O_TRUNC));
        op->request.valid = SMB_WANT_ATTR; /* which file it is, should it have to be opened again */
        if (!(fi->flags & O_TRUNC))
                op_harmless(op);
        op_begin(op, start_open);
}

/* ---- create ---- */

static void created(struct smb_request *request)
{
        struct op *op = op_of(request);
        struct redirector *r = op->redirector;
        struct open_file *file = op->file;
        struct fuse_entry_param entry = { .attr_timeout = ATTR_TIMEOUT_SEC, .entry_timeout = ATTR_TIMEOUT_SEC };
        struct fuse_file_info info;
        struct node *node;
        fuse_req_t fuse = op->fuse;
        char *path;

        if (request->error == -ENOENT && node_path(op->node, NULL, &path) == 0) {
                look_for(op, path);
                return;
        }
        if (request->error < 0) {
                file_free(file);
                op_fail(op, request->error);
                return;
        }
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
                op->node->names_made_usec = redirector_now(r);
                note_server_time(r, request->attr.mtime);
        }
        fill_stat(r, node, &request->attr, &entry.attr);
        file->smb->file_id = request->attr.file_id;
        node_changed(r, node);
        entry.ino = node->ino;
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
        char *path;

        if (request->error == -ENOENT && node_path(op->node, NULL, &path) == 0) {
                look_for(op, path);
                return;
        }
        if (request->error < 0) {
                file_free(file);
                op_fail(op, request->error);
                return;
        }
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
        if (!op_ready(op))
                return;
        op->file = file_new(op, NULL);
        if (!op->file) {
                op_fail(op, -ENOMEM);
                return;
        }
        op->request.file = op->file->smb;
        op_submit(op, SMB_OP_OPEN, done);
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

        if (!op_name_allowed(fuse, name))
                return NULL;
        op = op_new(r, fuse);
        if (!op)
                return NULL;
        op->node = node_ref(node_find(&r->nodes, parent));
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

/* ---- data ---- */

/* Data were taken for it. */
static void note_written(struct open_file *file)
{
        struct node *node = file->node;

        node->unsettled += !file->written;
        file->written = true;
        node->mtime_pinned = node->mtime_shown = false;
        node->written_mtime = server_time(file->redirector);
}

static void start_read(struct op *op)
{
        if (!op->fuse) /* interrupted while it waited; its file may be gone */
                op_free(op);
        else if (behind_settled(op, op->node))
                stream_read(op);
}

void file_read(fuse_req_t fuse, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
        struct op *op = op_new(redirector_of(fuse), fuse);

        (void) ino;
        if (!op)
                return;
        op->file = file_of(fi);
        op->offset = (uint64_t) offset;
        op->size = size > MAX_TRANSFER_BYTES ? MAX_TRANSFER_BYTES : (uint32_t) size;
        op->arrived_usec = redirector_now(op->redirector);
        op->node = node_ref(op->file->node);
        op_harmless(op);
        op_begin(op, start_read);
}

void file_reply_written(struct op *op, struct node *node)
{
        uint32_t n = op->request.reply_length;
        uint64_t end = op->request.offset + n;
        fuse_req_t fuse = op->fuse;

        if (node->size_bytes < end)
                node->size_bytes = end;
        op->fuse = NULL;
        if (fuse) { /* else the file may be gone: a revocation has answered early */
                note_written(op->file);
                op->file->handle.written_bytes += n;
                fuse_reply_write(fuse, n);
        }
        op_free(op);
}

static void wrote(struct smb_request *request)
{
        struct op *op = op_of(request);
        struct node *node = op->node;

        stream_invalidate(node); /* what was read while it was under way may be older */
        node_changed(op->redirector, node);
        if (request->error < 0) {
                op_fail(op, request->error);
                return;
        }
        file_reply_written(op, node);
}

void file_write_through(struct op *op)
{
        op->request.file = op->file->smb;
        op_submit(op, SMB_OP_WRITE, wrote);
}

void file_write(fuse_req_t fuse, fuse_ino_t ino, const char *data, size_t size, off_t offset, struct fuse_file_info *fi)
{
        struct redirector *r = redirector_of(fuse);
        struct op *op = fi->writepage ? op_new_dirty(r, fuse) : op_new(r, fuse);
        const char *slot = r->receive_slot == SMB_NO_SLOT ? NULL : arena_memory(smb_pool_arena(r->pool), r->receive_slot);

        (void) ino;
        if (!op)
                return;
        op->file = file_of(fi);
        op->node = node_ref(op->file->node);
        op->request.offset = (uint64_t) offset;
        op->request.length = (uint32_t) size;
        op->writes_through = fi->writepage || (fi->flags & (O_DIRECT | O_SYNC | O_DSYNC));
        stream_invalidate(op->node);
        op->node->mtime_pinned = false;
        if (behind_append(op, data))
                return;
        if (!slot) { /* it came into the spare buffer, and stays there until a slot is free */
                assert(!r->stalled_write);
                op->request.slot_offset = (uint32_t) (data - (const char *) r->spare_buffer);
                r->stalled_write = op;
                file_write_unstall(r);
                return;
        }
        op->request.slot = r->receive_slot;
        op->request.slot_offset = (uint32_t) (data - slot);
        r->receive_slot = SMB_NO_SLOT; /* the op's now */
        behind_write(op);
}

void file_write_unstall(struct redirector *r)
{
        struct op *op = r->stalled_write;
        uint32_t slot;

        if (!op)
                return;
        if (!op->fuse) { /* revoked */
                r->stalled_write = NULL;
                op_free(op);
                return;
        }
        slot = arena_take(smb_pool_arena(r->pool));
        if (slot == SMB_NO_SLOT && stream_reclaim_slot(r))
                slot = arena_take(smb_pool_arena(r->pool));
        if (slot == SMB_NO_SLOT)
                return;
        memcpy((char *) arena_memory(smb_pool_arena(r->pool), slot) + op->request.slot_offset,
               (const char *) r->spare_buffer + op->request.slot_offset, op->request.length);
        op->request.slot = slot;
        r->stalled_write = NULL;
        behind_write(op);
}

/* ---- flush, fsync ---- */

static void flushed_time(struct smb_request *request)
{
        struct op *op = op_of(request);

        if (request->error < 0) {
                op_fail(op, request->error);
                return;
        }
        op_reply_none(op);
        op_free(op);
}

static void start_flush_time(struct op *op)
{
        if (op_ready(op))
                op_submit(op, SMB_OP_SETATTR, flushed_time);
}

static void flushed_close(struct smb_request *request)
{
        struct op *op = op_of(request);

        request->file = NULL;
        if (request->error < 0) {
                op_fail(op, request->error);
                return;
        }
        request->valid = SMB_SET_MTIME;
        request->mtime = op->node->pinned_mtime;
        op_begin(op, start_flush_time);
}

/* A time that was only shown, not asked for, is no reason for a close() to fail. */
static void kept_shown_time(struct smb_request *request)
{
        if (request->error < 0)
                log_debug("the modification time of %s could not be kept: %s", request->path, strerror(-request->error));
        op_reply_none(op_of(request));
        op_free(op_of(request));
}

static void start_keep_time(struct op *op)
{
        if (op_ready(op))
                op_submit(op, SMB_OP_SETATTR, kept_shown_time);
}

static void settled_close(struct smb_request *request)
{
        struct op *op = op_of(request);
        struct node *node = op->node;

        request->file = NULL;
        if (request->error == 0 && node->mtime_shown && (node->linked || node->parked)) {
                request->valid = SMB_SET_MTIME;
                request->mtime = node->written_mtime;
                op_begin(op, start_keep_time);
                return;
        }
        if (request->error < 0)
                op_fail(op, request->error);
        else {
                op_reply_none(op);
                op_free(op);
        }
}

/* Whether the server has what op's file was given. If not, op waits; or it was answered, with what became of that. */
static bool is_written(struct op *op)
{
        int error;

        if (!op->fuse) { /* revoked while it waited; its file may be gone */
                op_free(op);
                return false;
        }
        if (!behind_settled(op, op->node))
                return false;
        error = behind_take_error(op->file);
        if (error < 0)
                op_fail(op, error);
        return error == 0;
}

static void start_flush(struct op *op)
{
        struct open_file *file = op->file;

        if (!is_written(op))
                return;
        op->request.file = file->smb;
        if (!file->written && !file->node->mtime_pinned) {
                op_reply_none(op);
                op_free(op);
        } else if (file->node->mtime_pinned)
                op_submit(op, SMB_OP_CLOSE, flushed_close);
        else {
                op->settles = file->written;
                file->written = false;
                op_submit(op, SMB_OP_CLOSE, settled_close);
        }
}

/* Comes with every close() of every descriptor. What was written has to be at the server then; and the server's close sets the
 * modification time of what was written to, to the moment of the close. Whatever time a program has set or seen before, and whoever
 * looks afterwards, it must not change when close() has returned. So the server's file is closed here (should another descriptor
 * of it be used, it is opened again), and then the time set that a program has set or seen. */
void file_flush(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi)
{
        struct open_file *file = file_of(fi);
        struct op *op = op_new(redirector_of(fuse), fuse);

        (void) ino;
        file->flushed = true;
        if (!op)
                return;
        if ((file->handle.flags & O_ACCMODE) == O_RDONLY) {
                op_reply_none(op);
                op_free(op);
                return;
        }
        op->file = file;
        op->node = node_ref(op->file->node);
        op_begin(op, start_flush);
}

static void start_fsync(struct op *op)
{
        if (!is_written(op))
                return;
        op_reply_none(op);
        op_free(op);
}

/* The kernel has sent its dirty pages and waited for the answers; libsmbclient has no flush to ask the server for. */
void file_fsync(fuse_req_t fuse, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
        struct op *op = op_new(redirector_of(fuse), fuse);

        (void) ino;
        (void) datasync;
        if (!op)
                return;
        op->file = file_of(fi);
        op->node = node_ref(op->file->node);
        op_begin(op, start_fsync);
}
