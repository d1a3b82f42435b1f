/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Copying within the share without the data coming here: copy_file_range(), which cp uses.
 */

#include <errno.h>

#include "fuse/internal.h"

#define COPY_MAX_BYTES (64u << 20) /* at a time: well within the time that an operation has */

static void copied(struct smb_request *request)
{
        struct op *op = op_of(request);
        struct node *node = op->new_parent; /* the file that was written */

        stream_invalidate(node);
        node_changed(op->redirector, node);
        op_closed(op);
        ops_check_close_waiters(op->redirector);
        if (request->error == -ENOSPC || request->error == -EDQUOT || request->error == -ECANCELED) {
                op_fail(op, request->error);
                return;
        }
        if (request->error < 0) { /* the kernel reads and writes instead, and hears what is wrong */
                op_fail(op, -EOPNOTSUPP);
                return;
        }
        file_reply_written(op, node);
}

static void start_copy(struct op *op)
{
        if (!op->fuse) { /* it was answered while it waited, and its file may be gone */
                op_free(op);
                return;
        }
        if (!op_ready(op))
                return;
        stream_invalidate(op->new_parent);
        op_closes(op); /* the worker opens the source: its name cannot be changed meanwhile */
        op_submit(op, SMB_OP_COPY, copied);
}

void file_copy(fuse_req_t fuse, fuse_ino_t from, off_t from_offset, struct fuse_file_info *from_info, fuse_ino_t to,
               off_t to_offset, struct fuse_file_info *to_info, size_t size, int flags)
{
        struct redirector *r = redirector_of(fuse);
        struct op *op;

        (void) from_info;
        (void) to;
        if (flags != 0) {
                fuse_reply_err(fuse, EINVAL);
                return;
        }
        op = op_new(r, fuse);
        if (!op)
                return;
        op->node = node_ref(node_find(&r->nodes, from));
        op->file = file_of(to_info);
        op->new_parent = node_ref(op->file->node);
        op->new_parent->mtime_pinned = false;
        node_drop_privileges(op->new_parent);
        op->request.file = op->file->smb;
        op->request.offset = (uint64_t) to_offset;
        op->request.offset2 = (uint64_t) from_offset;
        op->request.length = size < COPY_MAX_BYTES ? (uint32_t) size : COPY_MAX_BYTES;
        op_begin(op, start_copy);
}
