/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a mode forbids. The kernel could see to that (default_permissions), but then forgets a folder's mode with each change in it,
 * and asks for that of each folder on a path once a second: three round trips, several times for every file that is made or
 * deleted. Modes are known here: they are what chmod and creation have set (node.h), for the server has none. What it does have,
 * the read-only attribute, it sees to by itself.
 *
 * As the kernel does it: by the owner's bits, of what is opened and of the folder that a name is looked up or changed in.
 */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "fuse/internal.h"

#define OWNER_SHIFT 6
#define OPEN_TO_EXECUTE 040 /* the kernel's __FMODE_EXEC in an open's flags: of the mode, only x counts then, and it has looked */

static bool allows(mode_t mode, int mask)
{
        return ((mode >> OWNER_SHIFT) & (mode_t) mask) == (mode_t) mask || getuid() == 0;
}

bool permission_is(const struct node *node, int mask)
{
        return !node->mode_known || allows(node->mode, mask);
}

bool permission_given(fuse_req_t fuse, const struct node *node, int mask)
{
        if (permission_is(node, mask))
                return true;
        fuse_reply_err(fuse, EACCES);
        return false;
}

/* Of a file that the kernel knows: its folder has to let one in. */
static bool is_reachable(fuse_req_t fuse, const struct node *node)
{
        return !node->linked || !node->parent || permission_given(fuse, node->parent, X_OK);
}

bool permission_to_open(fuse_req_t fuse, const struct node *node, int flags)
{
        bool reads = (flags & O_ACCMODE) != O_WRONLY && !(flags & OPEN_TO_EXECUTE);

        return is_reachable(fuse, node) && (!reads || permission_given(fuse, node, R_OK));
}

/* ---- access() ---- */

static void answer(struct op *op)
{
        mode_t mode = node_mode(op->redirector, op->node);

        if (allows(mode, op->flags) && (!(op->flags & X_OK) || op->node->directory || mode & 0111)) { /* root, too, executes only what has an x */
                op_reply_none(op);
                op_free(op);
        } else
                op_fail(op, -EACCES);
}

static void got_attr(struct smb_request *request)
{
        struct op *op = op_of(request);
        struct stat st;

        if (request->error < 0) {
                op_fail(op, op_stale_error(op, request->error));
                return;
        }
        fill_stat(op->redirector, op->node, &request->attr, &st);
        answer(op);
}

static void start_access(struct op *op)
{
        const struct redirector *r = op->redirector;
        const struct node *node = op->node;
        bool is_asked_for = (op->flags & W_OK) || r->watch; /* that it is there, the kernel may have believed for longer */

        if (node->directory || !is_asked_for || redirector_now(r) - node->seen_usec < ATTR_TIMEOUT_USEC)
                answer(op);
        else if (op_ready(op))
                op_submit(op, SMB_OP_STAT, got_attr);
}

/* Of a file, only whether it is read-only has to be asked for, and whether it is still there where the server is asked for names less
 * often (remote-watch.h). */
void permission_access(fuse_req_t fuse, fuse_ino_t ino, int mask)
{
        struct redirector *r = redirector_of(fuse);
        struct node *node = node_find(&r->nodes, ino);
        struct op *op = is_reachable(fuse, node) ? op_new(r, fuse) : NULL;

        if (!op)
                return;
        op->node = node_ref(node);
        op->flags = mask;
        op_harmless(op);
        op_begin(op, start_access);
}
