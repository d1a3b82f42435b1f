/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Asking ahead. When a name was made in a directory, the kernel forgets the directory's attributes, and asks for them before the next
 * thing is done in it: it wants to see whether that is allowed. So where one name is made behind the other, they are asked for while
 * the program still works on what it has just made.
 *
 * One directory of a connection at a time. What was asked for is an answer for a second, and until something about the directory is
 * changed from here once more.
 */

#include <stdlib.h>

#include "fuse/internal.h"

static void go_on(struct redirector *r)
{
        struct op_list waiting = TAILQ_HEAD_INITIALIZER(waiting);
        struct op *op;

        TAILQ_CONCAT(&waiting, &r->ahead.waiting, wait);
        while ((op = TAILQ_FIRST(&waiting))) {
                TAILQ_REMOVE(&waiting, op, wait);
                op->start(op);
        }
}

static void forget(struct redirector *r)
{
        struct node *node = r->ahead.node;

        r->ahead.node = NULL;
        r->ahead.asking = NULL;
        go_on(r);
        node_unref(&r->nodes, node);
}

static void answered(struct smb_request *request)
{
        struct op *op = op_of(request);
        struct redirector *r = op->redirector;

        if (r->ahead.asking == op) {
                r->ahead.asking = NULL;
                r->ahead.attr = request->attr;
                if (request->error < 0)
                        forget(r);
                else
                        go_on(r);
        }
        op_free(op);
}

static void ask(struct redirector *r, struct node *dir)
{
        struct op *op = op_new(r, NULL);

        if (!op)
                return;
        op->harmless = true;
        if (node_path(dir, NULL, &op->request.path) < 0) {
                op_free(op);
                return;
        }
        forget(r);
        r->ahead.node = node_ref(dir);
        r->ahead.asking = op;
        r->ahead.asked_usec = redirector_now(r);
        r->ahead.attr_changes = dir->attr_changes;
        op_submit(op, SMB_OP_STAT, answered);
}

void ahead_made(struct redirector *r, struct node *dir)
{
        uint64_t before = r->ahead.made_ino == dir->ino ? r->ahead.made_usec : 0;

        r->ahead.made_ino = dir->ino;
        r->ahead.made_usec = redirector_now(r);
        if (r->ahead.made_usec - before < ATTR_TIMEOUT_USEC && !r->change && !r->frozen)
                ask(r, dir);
}

bool ahead_answers(struct op *op, const struct smb_attr **ret_attr)
{
        struct redirector *r = op->redirector;

        *ret_attr = NULL;
        if (r->ahead.node != op->node || r->ahead.attr_changes != op->node->attr_changes || !op->fuse ||
            redirector_now(r) - r->ahead.asked_usec >= ATTR_TIMEOUT_USEC)
                return false;
        if (r->ahead.asking)
                TAILQ_INSERT_TAIL(&r->ahead.waiting, op, wait);
        else {
                op->seen_usec = r->ahead.asked_usec;
                *ret_attr = &r->ahead.attr;
        }
        return true;
}
