/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tells it by the operation. */

#include "fuse/smb/request.h"

#include <errno.h>
#include <fcntl.h>

#include "fuse/smb/pool.h"

#define BULK_BYTES (256u << 10)

bool request_fills_slot(const struct smb_request *request)
{
        return request->op == SMB_OP_READ || request->op == SMB_OP_LIST_NEXT || request->op == SMB_OP_SHARES;
}

bool request_lists(const struct smb_request *request)
{
        return request->op == SMB_OP_LIST || request->op == SMB_OP_SPELT || (request->valid & SMB_WANT_DOS);
}

bool request_is_long(const struct smb_request *request)
{
        return request_lists(request) || request->op == SMB_OP_COPY;
}

bool request_is_bulk(const struct smb_request *request)
{
        return (request->op == SMB_OP_READ || request->op == SMB_OP_WRITE) && request->length >= BULK_BYTES;
}

bool request_changes_names(const struct smb_request *request)
{
        switch (request->op) {
        case SMB_OP_SETATTR:
        case SMB_OP_UNLINK:
        case SMB_OP_MKDIR:
        case SMB_OP_RMDIR:
        case SMB_OP_RENAME:
                return !request->file;
        default:
                return false;
        }
}

bool request_removes_names(const struct smb_request *request)
{
        return request->op == SMB_OP_UNLINK || request->op == SMB_OP_RMDIR || request->op == SMB_OP_RENAME;
}

bool request_looks_up(const struct smb_request *request)
{
        return request->op == SMB_OP_STAT && !request_lists(request) && !request_peeks(request);
}

bool request_peeks(const struct smb_request *request)
{
        return request->op == SMB_OP_STAT && (request->valid & SMB_WANT_DATA);
}

bool request_only_lists(const struct smb_request *request)
{
        return request_lists(request) && !request_changes_names(request);
}

int request_unreachable_error(const struct smb_request *request)
{
        return request->file ? -EIO : -EHOSTDOWN;
}

bool request_is_repeatable(const struct smb_request *request)
{
        switch (request->op) {
        case SMB_OP_STAT:
        case SMB_OP_LIST:
        case SMB_OP_SETATTR:
        case SMB_OP_STATFS:
        case SMB_OP_SPELT:
                return true;
        case SMB_OP_READ: /* of the long ones see stream.c */
                return request->length <= SMB_SLOT_DATA_BYTES;
        case SMB_OP_WRITE: /* at an offset: once more does no harm */
        case SMB_OP_COPY:
                return !request->file->once;
        case SMB_OP_OPEN:
                return !(request->flags & (O_CREAT | O_TRUNC));
        default:
                return false;
        }
}

int request_lost_close_error(const struct smb_request *request)
{
        return request->file && request->file->once ? -EIO : 0;
}
