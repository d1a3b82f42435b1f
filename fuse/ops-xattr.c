/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Extended attributes: what SMB knows of a file and stat() has no place for.
 *
 *   user.DOSATTRIB   the DOS attributes, as "0x22"; takes letters of RHSA too. The name and form that Wine and Samba know them by
 *   user.birthtime   when the file was made, in seconds since 1970; only to be read
 *
 * Both can always be asked for. Only the first is listed, and only where it says system, or hidden of what does not begin with a dot
 * (Samba says that of all that does): what is listed, cp -a, rsync -X and tar --xattrs take along, and of the others, read-only is in
 * the mode, and archive is the server's own business.
 *
 * With a getxattr of any kind, the kernel asks for security.capability before a write (device.c sees to it that it does so seldom), and
 * ls -l for ACLs. So everything else is answered here, as a file system without extended attributes answers it.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/xattr.h>

#include "fuse/internal.h"

#define DOS_NAME "user.DOSATTRIB"
#define BIRTH_NAME "user.birthtime"
#define DOS_LISTED (SMB_ATTR_HIDDEN | SMB_ATTR_SYSTEM)

enum attribute { ATTRIBUTE_DOS, ATTRIBUTE_BIRTH, ATTRIBUTE_NONE, ATTRIBUTE_FOREIGN };

static enum attribute attribute_of(const char *name)
{
        if (strcmp(name, DOS_NAME) == 0)
                return ATTRIBUTE_DOS;
        if (strcmp(name, BIRTH_NAME) == 0)
                return ATTRIBUTE_BIRTH;
        return strncmp(name, "user.", 5) == 0 ? ATTRIBUTE_NONE : ATTRIBUTE_FOREIGN;
}

static struct op *op_on(fuse_req_t fuse, fuse_ino_t ino)
{
        struct redirector *r = redirector_of(fuse);
        struct op *op = op_new(r, fuse);

        if (op)
                op->node = node_ref(node_find(&r->nodes, ino));
        return op;
}

/* As long as the kernel may answer from what it was told of a file, so may we. */
static bool dos_known(const struct op *op)
{
        const struct node *node = op->node;

        return node->dos_known && node->seen_usec >= node->changed_usec &&
               redirector_now(op->redirector) - node->seen_usec < ATTR_TIMEOUT_USEC;
}

static void reply_value(struct op *op, const char *value, size_t length)
{
        fuse_req_t fuse = op->fuse;

        if (op->size > 0 && op->size < length) {
                op_fail(op, -ERANGE);
                return;
        }
        op->fuse = NULL;
        if (fuse) {
                fuse_req_interrupt_func(fuse, NULL, NULL);
                if (op->size == 0)
                        fuse_reply_xattr(fuse, length);
                else
                        fuse_reply_buf(fuse, value, length);
        }
        op_free(op);
}

static void reply_dos(struct op *op)
{
        char text[16];
        int n = snprintf(text, sizeof(text), "0x%" PRIx32, op->node->dos & (SMB_ATTR_SETTABLE | SMB_ATTR_DIRECTORY));

        reply_value(op, text, (size_t) n);
}

static void reply_names(struct op *op)
{
        const struct node *node = op->node;
        uint32_t listed = node->name && node->name[0] == '.' ? SMB_ATTR_SYSTEM : DOS_LISTED;

        reply_value(op, DOS_NAME, node->dos & listed ? sizeof(DOS_NAME) : 0);
}

/* ---- get, list ---- */

/* Notes the answer's attributes; false: there are none, and op has ended. */
static bool note_attr(struct op *op)
{
        struct stat st;

        if (op->request.error < 0) {
                op_fail(op, op_stale_error(op, op->request.error));
                return false;
        }
        fill_stat(op->redirector, op->node, &op->request.attr, &st);
        return true;
}

static void got_dos(struct smb_request *request)
{
        if (note_attr(op_of(request)))
                reply_dos(op_of(request));
}

static void got_names(struct smb_request *request)
{
        if (note_attr(op_of(request)))
                reply_names(op_of(request));
}

static void got_birth(struct smb_request *request)
{
        char text[32];
        int n = snprintf(text, sizeof(text), "%" PRId64, request->birth.sec);

        if (note_attr(op_of(request)))
                reply_value(op_of(request), text, (size_t) n);
}

static void start_get_dos(struct op *op)
{
        op->request.valid = SMB_WANT_DOS;
        if (op_ready(op))
                op_submit(op, SMB_OP_STAT, got_dos);
}

static void start_list(struct op *op)
{
        op->request.valid = SMB_WANT_DOS;
        if (op_ready(op))
                op_submit(op, SMB_OP_STAT, got_names);
}

static void start_get_birth(struct op *op)
{
        op->request.valid = SMB_WANT_BIRTH;
        if (op_ready(op))
                op_submit(op, SMB_OP_STAT, got_birth);
}

void xattr_get(fuse_req_t fuse, fuse_ino_t ino, const char *name, size_t size)
{
        enum attribute attribute = attribute_of(name);
        struct op *op;

        if (attribute == ATTRIBUTE_NONE || attribute == ATTRIBUTE_FOREIGN) {
                fuse_reply_err(fuse, attribute == ATTRIBUTE_NONE ? ENODATA : EOPNOTSUPP);
                return;
        }
        op = op_on(fuse, ino);
        if (!op)
                return;
        op->size = (uint32_t) size;
        op_harmless(op);
        if (attribute == ATTRIBUTE_BIRTH)
                op_begin(op, start_get_birth);
        else if (dos_known(op))
                reply_dos(op);
        else
                op_begin(op, start_get_dos);
}

void xattr_list(fuse_req_t fuse, fuse_ino_t ino, size_t size)
{
        struct op *op = op_on(fuse, ino);

        if (!op)
                return;
        op->size = (uint32_t) size;
        op_harmless(op);
        if (dos_known(op))
                reply_names(op);
        else
                op_begin(op, start_list);
}

/* ---- set, remove ---- */

static void set_done(struct smb_request *request)
{
        struct op *op = op_of(request);

        node_changed(op->redirector, op->node); /* a part of it may be done though it failed */
        if (request->error < 0) {
                op_fail(op, op_stale_error(op, request->error));
                return;
        }
        if (note_attr(op)) {
                op_reply_none(op);
                op_free(op);
        }
}

static void start_set(struct op *op)
{
        if (op_ready(op))
                op_submit(op, SMB_OP_SETATTR, set_done);
}

static void set_dos(fuse_req_t fuse, fuse_ino_t ino, uint32_t to_set, uint32_t to_clear)
{
        struct op *op = op_on(fuse, ino);

        if (!op)
                return;
        op->request.valid = SMB_SET_DOS | SMB_WANT_DOS;
        op->request.dos_set = to_set;
        op->request.dos_clear = to_clear;
        op_begin(op, start_set);
}

static int parse_letters(const char *text, uint32_t *ret_dos)
{
        static const char letters[] = "RHSA";
        static const uint32_t bits[] = { SMB_ATTR_READONLY, SMB_ATTR_HIDDEN, SMB_ATTR_SYSTEM, SMB_ATTR_ARCHIVE };

        for (*ret_dos = 0; *text; text++) {
                const char *found = strchr(letters, *text >= 'a' ? *text - 'a' + 'A' : *text);

                if (!found)
                        return -EINVAL;
                *ret_dos |= bits[found - letters];
        }
        return 0;
}

/* "0x" and a number, of which only what can be set counts; or letters, in any order and case. A NUL behind it is allowed. */
static int parse_dos(const char *value, size_t size, uint32_t *ret_dos)
{
        char text[16] = "", *end;

        if (size >= sizeof(text))
                return -EINVAL;
        memcpy(text, value, size);
        if (strlen(text) + 1 < size)
                return -EINVAL;
        if (strncasecmp(text, "0x", 2) != 0)
                return parse_letters(text, ret_dos);
        *ret_dos = (uint32_t) strtoul(text + 2, &end, 16) & SMB_ATTR_SETTABLE;
        return *end || strspn(text + 2, "0123456789abcdefABCDEF") == 0 ? -EINVAL : 0;
}

void xattr_set(fuse_req_t fuse, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
        enum attribute attribute = attribute_of(name);
        bool there = attribute == ATTRIBUTE_DOS || attribute == ATTRIBUTE_BIRTH;
        uint32_t dos = 0;
        int error = 0;

        if (there && (flags & XATTR_CREATE))
                error = -EEXIST;
        else if (attribute == ATTRIBUTE_NONE && (flags & XATTR_REPLACE))
                error = -ENODATA;
        else if (!there)
                error = -EOPNOTSUPP;
        else if (attribute == ATTRIBUTE_BIRTH)
                error = -EPERM;
        else
                error = parse_dos(value, size, &dos);
        if (error < 0)
                fuse_reply_err(fuse, -error);
        else
                set_dos(fuse, ino, dos, SMB_ATTR_SETTABLE);
}

/* The attributes cannot be without a value: what is removed is what has them listed. */
void xattr_remove(fuse_req_t fuse, fuse_ino_t ino, const char *name)
{
        switch (attribute_of(name)) {
        case ATTRIBUTE_DOS: set_dos(fuse, ino, 0, DOS_LISTED); break;
        case ATTRIBUTE_BIRTH: fuse_reply_err(fuse, EPERM); break;
        case ATTRIBUTE_NONE: fuse_reply_err(fuse, ENODATA); break;
        case ATTRIBUTE_FOREIGN: fuse_reply_err(fuse, EOPNOTSUPP); break;
        }
}
