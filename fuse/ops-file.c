/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What open files are for: reading, writing, flush and fsync. The data of a write are received from the kernel straight into the
 * slot that the worker sends them from; when it is answered, write-behind.c decides.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/log.h"
#include "fuse/internal.h"

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
        op->called_for = fi->flags & O_DIRECT; /* else the kernel may read ahead, which it may also send behind a FLUSH */
        op->file->flushed = op->file->flushed && !op->called_for;
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
                if (op->dirty && op->redirector->phase == PHASE_REVOKING && op->fuse)
                        op->file->failed_bytes += request->length;
                op_fail(op, request->error);
                return;
        }
        revoke_note_write(op->redirector, request);
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
        uint64_t lost_bytes = fi->writepage && r->gave_up ? size : 0;
        struct op *op = fi->writepage ? op_new_dirty(r, fuse) : op_new(r, fuse);
        const char *slot = r->receive_slot == SMB_NO_SLOT ? NULL : arena_memory(smb_pool_arena(r->pool), r->receive_slot);

        (void) ino;
        if (!op) {
                file_of(fi)->failed_bytes += lost_bytes;
                return;
        }
        op->file = file_of(fi);
        op->node = node_ref(op->file->node);
        op->dirty = fi->writepage;
        op->request.offset = (uint64_t) offset;
        op->request.length = (uint32_t) size;
        op->writes_through = fi->writepage || (fi->flags & (O_DIRECT | O_SYNC | O_DSYNC));
        stream_invalidate(op->node);
        op->node->mtime_pinned = false;
        if (!fi->writepage) {
                op->file->flushed = false;
                node_drop_privileges(op->node);
        }
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

/* The server has not kept what was written: the writer may have to be told, too. */
static void close_failed(struct op *op)
{
        int error = op->request.error;

        if (op->fuse) { /* else the file may be gone */
                behind_failed(op->file, error, 0);
                error = behind_close_error(op->file);
        }
        op_fail(op, error);
}

static void flushed_close(struct smb_request *request)
{
        struct op *op = op_of(request);

        request->file = NULL;
        if (request->error < 0) {
                close_failed(op);
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
                close_failed(op);
        else {
                op_reply_none(op);
                op_free(op);
        }
}

/* Whether the server has what op's file was given. If not, op waits; or it was answered, with what became of that.
 * error_of: what became of it. */
static bool is_written(struct op *op, int (*error_of)(struct open_file *file))
{
        int error;

        if (!op->fuse) { /* revoked while it waited; its file may be gone */
                op_free(op);
                return false;
        }
        if (!behind_settled(op, op->node))
                return false;
        error = error_of(op->file);
        if (error < 0)
                op_fail(op, error);
        return error == 0;
}

static void start_flush(struct op *op)
{
        struct open_file *file = op->file;

        if (!is_written(op, behind_close_error))
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
        if (!is_written(op, behind_take_any_error))
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
