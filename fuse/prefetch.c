/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * On a long line, who reads a folder's small files one behind the other waits for the server most of the time, while other workers have
 * nothing to do. These look into the files that come next: open them, ask what they are, read their beginning and close them again.
 *
 * An open() asks the server all the same, which file the name means and what that is; but if it is what was looked into, its contents need not be
 * asked for, and one round trip of three is spared. It is the same when it has the same number, size and times, and these are so old that
 * no change can have been made since within the same tick of the server's clock. What was changed from here since does not count.
 *
 * The pool sees to it that a file that is looked into is not in the way of a change of names.
 */

#include "fuse/prefetch.h"

#include <errno.h>
#include <stdlib.h>

#include "fuse/snapshot.h"

#define AHEAD_MAX 3u               /* files: on their way is one for each that is opened, and each takes as long as two opens */
#define SPARE_SLOTS 16u            /* not used for this */
#define LIFE_USEC ATTR_TIMEOUT_USEC
#define SETTLED_SEC 10             /* a time that is so old is no present one; */
#define SETTLED_COARSE_SEC 86400   /* where the server may count in whole seconds it takes longer to be sure, for its clock may be wrong, too */

struct prefetch {
        TAILQ_ENTRY(prefetch) entry; /* in redirector->prefetches, the oldest first */
        struct op *op;               /* of its node; its request has the slot */
        uint64_t began_usec;
        uint64_t read_usec;          /* when it had been read; 0: under way */
};

static void drop(struct redirector *r, struct prefetch *p)
{
        TAILQ_REMOVE(&r->prefetches, p, entry);
        op_free(p->op);
        free(p);
}

static void drop_old(struct redirector *r)
{
        struct prefetch *p, *next;

        for (p = TAILQ_FIRST(&r->prefetches); p; p = next) {
                next = TAILQ_NEXT(p, entry);
                if (p->read_usec != 0 && redirector_now(r) - p->began_usec >= LIFE_USEC)
                        drop(r, p);
        }
}

void prefetch_forget(struct redirector *r)
{
        struct prefetch *p, *next;

        r->prefetch_source = sd_event_source_disable_unref(r->prefetch_source);
        for (p = TAILQ_FIRST(&r->prefetches); p; p = next) {
                next = TAILQ_NEXT(p, entry);
                if (p->read_usec != 0) /* the others end with the pool */
                        drop(r, p);
        }
}

static struct prefetch *find(const struct redirector *r, const struct node *node)
{
        struct prefetch *p;

        TAILQ_FOREACH(p, &r->prefetches, entry)
                if (p->op->node == node)
                        return p;
        return NULL;
}

bool prefetch_knows(const struct redirector *r, const struct node *node)
{
        return find(r, node) != NULL;
}

/* Whether what has that time now cannot have been changed since within the same tick of the server's clock. */
static bool is_settled(const struct redirector *r, struct smb_time t)
{
        return t.sec + (t.nsec == 0 ? SETTLED_COARSE_SEC : SETTLED_SEC) < server_time(r).sec;
}

/* ---- looking into files ---- */

static int on_old(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct redirector *r = userdata;

        (void) usec;
        drop_old(r);
        if (TAILQ_EMPTY(&r->prefetches))
                return 0;
        (void) sd_event_source_set_time_relative(source, LIFE_USEC);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* What nobody comes for goes. Returns false when that cannot be seen to. */
static bool plan_end(struct redirector *r)
{
        if (!r->prefetch_source)
                return sd_event_add_time_relative(r->event, &r->prefetch_source, CLOCK_MONOTONIC, LIFE_USEC, 0, on_old, r) >= 0;
        if (!TAILQ_EMPTY(&r->prefetches)) /* it was seen to when the first one came */
                return true;
        return sd_event_source_set_time_relative(r->prefetch_source, LIFE_USEC) >= 0 &&
               sd_event_source_set_enabled(r->prefetch_source, SD_EVENT_ONESHOT) >= 0;
}

static struct prefetch *of_op(const struct op *op)
{
        struct prefetch *p = TAILQ_FIRST(&op->redirector->prefetches);

        while (p && p->op != op)
                p = TAILQ_NEXT(p, entry);
        return p;
}

static void looked_into(struct smb_request *request)
{
        struct op *op = op_of(request);
        struct prefetch *p = of_op(op);

        p->read_usec = redirector_now(op->redirector);
        if (request->error < 0 || request->reply_length == 0)
                drop(op->redirector, p);
}

/* 0 or a negative errno. */
static int look_into(struct redirector *r, struct node *node)
{
        struct prefetch *p;
        struct op *op;
        int error;

        if (!plan_end(r))
                return -ENOMEM;
        p = calloc(1, sizeof(*p));
        op = p ? op_new(r, NULL) : NULL;
        if (!op) {
                free(p);
                return -ENOMEM;
        }
        op->node = node_ref(node);
        op_harmless(op);
        error = node_path(node, NULL, &op->request.path);
        if (error < 0) {
                op_free(op);
                free(p);
                return error;
        }
        op->request.slot = arena_take(smb_pool_arena(r->pool));
        op->request.length = BEGINNING_BYTES;
        op->request.valid = SMB_WANT_DATA;
        p->op = op;
        p->began_usec = redirector_now(r);
        TAILQ_INSERT_TAIL(&r->prefetches, p, entry);
        op_submit(op, SMB_OP_STAT, looked_into);
        return 0;
}

void prefetch_next(struct redirector *r, struct node *node)
{
        struct node *next[AHEAD_MAX];
        size_t n;

        if (r->lookup_usec <= LOOKUP_FAR_USEC || r->phase != PHASE_SERVING || r->frozen || r->change)
                return;
        drop_old(r);
        n = snapshot_next_files(node, next, AHEAD_MAX);
        for (size_t i = 0; i < n; i++)
                if (!find(r, next[i]) && is_settled(r, next[i]->mtime) &&
                    (smb_pool_arena(r->pool)->n_free <= SPARE_SLOTS || !smb_pool_has_spare(r->pool) || look_into(r, next[i]) < 0))
                        return;
}

/* ---- using what was found ---- */

static bool same_time(struct smb_time a, struct smb_time b)
{
        return a.sec == b.sec && a.nsec == b.nsec;
}

static bool is_same(const struct smb_attr *a, const struct smb_attr *b)
{
        return a->file_id != 0 && a->file_id == b->file_id && a->size_bytes == b->size_bytes && same_time(a->mtime, b->mtime) &&
               same_time(a->ctime, b->ctime);
}

bool prefetch_give(struct redirector *r, struct node *node, struct smb_request *open, uint64_t *ret_read_usec)
{
        struct prefetch *p = find(r, node);
        struct smb_request *look = p ? &p->op->request : NULL;
        bool given = p && p->read_usec != 0 && open->slot == SMB_NO_SLOT && node_is_unchanged(node, p->began_usec) &&
                     redirector_now(r) - p->read_usec < LIFE_USEC && is_same(&look->attr, &open->attr) &&
                     is_settled(r, open->attr.mtime) && is_settled(r, open->attr.ctime);

        if (given) {
                open->slot = look->slot;
                open->length = look->length;
                open->reply_length = look->reply_length;
                look->slot = SMB_NO_SLOT;
                *ret_read_usec = p->read_usec;
        }
        if (p && p->read_usec != 0)
                drop(r, p);
        return given;
}
