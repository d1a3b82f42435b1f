/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names that differ in upper and lower case, on a server to which they are one. Nothing says whether a server, or a folder of it,
 * folds case, nor how: two names are one file's when the server has the same number for both and its listing does not have both (a
 * listing with both has two links to a file). That is asked when a name is looked up that differs from a known one in case alone.
 *
 * The kernel cannot be told that two names are one: what it knows by one name it takes for its own for a second, and a rename between
 * two names of one inode it takes for done. So:
 *
 *   - A name that is not the node's own has a number of its own, for stat() and rename() alone. Whoever opens a file by it, or changes
 *     its attributes, is sent back with ESTALE: the kernel looks the name up again, and that thread is told the node's number then.
 *     Thus whatever is open is one inode, with its pages, its size and its locks, by whichever spelling it was opened.
 *   - The kernel keeps nothing of what it is told by another spelling, nor, for a while, by the node's own.
 *   - A change through another spelling waits until the kernel has forgotten what it was told before by the node's own name.
 *
 * A directory is not opened by several names at once: its other spellings have numbers of their own for good, and so have those of the
 * directories below. Files below have their own number there.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "fuse/internal.h"
#include "fuse/remote-watch.h"
#include "fuse/spelling.h"

#define SPELT_USEC (2 * ATTR_TIMEOUT_USEC) /* so long after another spelling was used, the kernel keeps nothing */
#define ABSENT 16384u                      /* names: a power of two */
#define SENT_BACK_USEC 30000000u           /* so long it may take to look a path up anew */

/* A name that was told to be free. Each has one place, which it may lose to another. */
struct absent {
        uint64_t folded;     /* a hash of all its spellings, */
        uint64_t exact;      /* and of the one that was looked up; 0: several */
        uint64_t until_usec; /* until when the kernel may take it for free; 0: it may not */
};

/* ---- what the kernel may keep ---- */

int spelling_init(struct redirector *r)
{
        r->absent = calloc(ABSENT, sizeof(*r->absent));
        return r->absent ? 0 : -ENOMEM;
}

void spelling_done(struct redirector *r)
{
        r->spelling_source = sd_event_source_disable_unref(r->spelling_source);
        free(TAKE_PTR(r->absent));
}

/* It or what it lies in is being called by several spellings. */
static bool is_spelt(const struct redirector *r, const struct node *node)
{
        uint64_t now = redirector_now(r);

        for (; node; node = node->parent)
                if (node->spelt_usec != 0 && now - node->spelt_usec < SPELT_USEC)
                        return true;
        return false;
}

double spelling_timeout(struct redirector *r, struct node *node, double seconds)
{
        uint64_t until = redirector_now(r) + (uint64_t) (seconds * 1e6) + ATTR_LATE_USEC;

        if (is_spelt(r, node))
                return 0;
        if (node->cached_usec < until)
                node->cached_usec = until;
        node->answers++;
        return seconds;
}

/* Where name in directory has its place, and its hashes. asked: directory as the kernel calls it. */
static struct absent *absent_place(const struct redirector *r, const struct node *asked, const struct node *directory,
                                   const char *name, uint64_t *ret_folded, uint64_t *ret_exact)
{
        uint64_t folded = fold_hash(r->nodes.fold, directory->ino, name), exact = asked->ino;

        for (; *name; name++)
                exact = exact * 31 + (unsigned char) *name;
        *ret_folded = folded;
        *ret_exact = exact | 1;
        return &r->absent[(folded ^ folded >> 32) & (ABSENT - 1)];
}

double spelling_absent_timeout(struct op *op)
{
        struct redirector *r = op->redirector;
        uint64_t folded, exact, now = redirector_now(r);
        struct absent *place;

        if (op->asked != op->node || is_spelt(r, op->node))
                return 0;
        place = absent_place(r, op->asked, op->node, op->name, &folded, &exact);
        if (place->until_usec > now && place->folded == folded && place->exact != exact)
                exact = 0;
        *place = (struct absent){ .folded = folded, .exact = exact, .until_usec = now + ATTR_TIMEOUT_USEC + ATTR_LATE_USEC };
        return op_timeout_sec(op);
}

/* Until when the kernel may take name for free by another spelling. */
static uint64_t absent_until(const struct redirector *r, const struct node *asked, const struct node *directory, const char *name)
{
        uint64_t folded, exact;
        const struct absent *place = absent_place(r, asked, directory, name, &folded, &exact);

        return place->folded != folded || place->exact == exact || directory->folds == FOLDS_NO ? 0 : place->until_usec;
}

/* ---- sending back ---- */

static bool is_fresh(const struct redirector *r, const struct sent_back *s)
{
        return s->usec != 0 && redirector_now(r) - s->usec < SENT_BACK_USEC;
}

static bool was_sent_back(const struct redirector *r, uint64_t ino, pid_t pid)
{
        for (unsigned i = 0; i < SENT_BACK_MAX; i++) {
                const struct sent_back *s = &r->sent_back[i];

                if (s->pid == pid && (s->ino == ino || s->ino == 0) && is_fresh(r, s))
                        return true;
        }
        return false;
}

static void send_back(struct redirector *r, uint64_t ino, pid_t pid)
{
        r->sent_back[r->next_sent_back++ % SENT_BACK_MAX] = (struct sent_back){ .ino = ino, .pid = pid, .usec = redirector_now(r) };
}

void spelling_send_back(struct redirector *r, fuse_req_t fuse)
{
        send_back(r, 0, fuse_req_ctx(fuse)->pid);
}

bool spelling_sends_back(struct redirector *r, fuse_req_t fuse, fuse_ino_t ino)
{
        pid_t pid = fuse_req_ctx(fuse)->pid;
        const struct node *known = node_known(&r->nodes, ino);

        if (known->of && node_meant(known->of)->directory)
                return false;
        if (known->of && !was_sent_back(r, ino, pid)) {
                send_back(r, ino, pid);
                fuse_reply_err(fuse, ESTALE);
                return true;
        }
        for (unsigned i = 0; i < SENT_BACK_MAX; i++) /* it has come, or has no name to look up (/proc/self/fd) */
                if (r->sent_back[i].pid == pid)
                        r->sent_back[i].usec = 0;
        return false;
}

/* ---- look-up ---- */

struct node *spelling_entry(struct op *op, struct node *node, struct fuse_entry_param *entry)
{
        struct redirector *r = op->redirector;
        struct node *known = node_spelling(&r->nodes, op->asked, op->name, node);

        if (!known)
                return NULL;
        if (op->asked != op->node)
                op->node->spelt_usec = redirector_now(r);
        if (known != node) {
                node->spelt_usec = redirector_now(r);
                remote_watch_forget(r, node, true); /* in time for who is about to change it by this name */
        }
        if (known != node && !node->directory && op->fuse && was_sent_back(r, known->ino, fuse_req_ctx(op->fuse)->pid))
                known = node;
        entry->ino = known->ino;
        entry->entry_timeout = spelling_timeout(r, node, op_name_timeout_sec(op, node));
        entry->attr_timeout = entry->entry_timeout > 0 ? op_attr_timeout_sec(op, node) : 0;
        return known;
}

bool spelling_possible(struct redirector *r, const struct node *directory, const char *name)
{
        const struct node *known = node_named(&r->nodes, directory, name);

        return known ? known->of != NULL : directory->folds != FOLDS_NO && node_other_case(&r->nodes, directory, name, 0);
}

static void asked(struct smb_request *request)
{
        struct op *op = op_of(request);

        if (request->error == 0) {
                op->node->folds = FOLDS_YES;
                node_identify(op->other, request->attr.file_id);
        } else if (request->error == -ENOTUNIQ)
                op->node->folds = FOLDS_NO;
        else
                node_identify(op->other, 0); /* whatever it is */
        name_look_up(op);
}

static void start_asking(struct op *op)
{
        if (!op_ready(op))
                return;
        if (!op->other->linked || node_path(op->other, NULL, &op->request.path2) < 0) {
                name_look_up(op);
                return;
        }
        op->request.flags = op->node->folds == FOLDS_YES ? SMB_SPELT_FOLDS : 0;
        op_submit(op, SMB_OP_SPELT, asked);
}

/* What op->name may be another spelling of, or NULL. */
static struct node *find_other(const struct op *op, struct node *exact)
{
        uint64_t id = op->request.attr.file_id;
        struct node *other;

        if (id == 0 || op->node->folds == FOLDS_NO)
                return NULL;
        other = node_other_case(&op->redirector->nodes, op->node, op->name, id);
        if (!other || !exact)
                return other;
        /* Both have been files of their own: one of them has become the other, unless they still are. */
        return other->file_id == id && LIST_EMPTY(&exact->files) && exact->closing == 0 && !exact->behind ? other : NULL;
}

void spelling_answer(struct op *op)
{
        struct node_table *nodes = &op->redirector->nodes;
        uint64_t id = op->request.attr.file_id;
        struct node *exact = node_named(nodes, op->node, op->name), *other;

        if (exact && exact->of && id != 0 && node_meant(exact)->file_id != id) {
                node_unlink(nodes, exact); /* no longer the same */
                exact = NULL;
        }
        other = exact && exact->of ? NULL : find_other(op, exact);
        if (other && !op->spelt && (other->file_id != id || op->node->folds != FOLDS_YES)) {
                op->spelt = true;
                op->other = node_ref(other);
                op_begin(op, start_asking);
                return;
        }
        if (other && other->file_id == id && op->node->folds == FOLDS_YES) {
                if (exact)
                        node_unlink(nodes, exact);
                if (!node_spelling(nodes, op->node, op->name, other)) {
                        op_fail(op, -ENOMEM);
                        return;
                }
        }
        name_reply_entry(op, &op->request.attr);
}

void spelling_made(struct op *op)
{
        struct node_table *nodes = &op->redirector->nodes;
        struct node *known = node_named(nodes, op->node, op->name);

        if (known && known->of)
                node_unlink(nodes, known);
        if (op->node->folds != FOLDS_YES)
                return;
        known = node_other_case(nodes, op->node, op->name, 0);
        if (known && LIST_EMPTY(&known->files) && known->closing == 0)
                node_unlink(nodes, known);
}

/* ---- changes ---- */

static int on_forgotten(sd_event_source *source, uint64_t usec, void *userdata);

/* 0 or a negative errno. */
static int wait_until(struct op *op, uint64_t usec)
{
        struct redirector *r = op->redirector;
        int error;

        op->wait_usec = usec;
        if (!r->spelling_source) {
                error = sd_event_add_time(r->event, &r->spelling_source, CLOCK_MONOTONIC, usec, 1, on_forgotten, r);
                if (error < 0)
                        return error;
        } else if (TAILQ_EMPTY(&r->spelling_waiters)) {
                error = sd_event_source_set_time(r->spelling_source, usec);
                if (error >= 0)
                        error = sd_event_source_set_enabled(r->spelling_source, SD_EVENT_ONESHOT);
                if (error < 0)
                        return error;
        }
        TAILQ_INSERT_TAIL(&r->spelling_waiters, op, wait);
        return 0;
}

static void go_on(struct op *op)
{
        if (!op->fuse) /* it was answered: the connection is being revoked */
                op_free(op);
        else if (op->after_all_closes)
                op_after_closes(op, NULL); /* some may have begun since */
        else
                op->start(op);
}

static int on_forgotten(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct redirector *r = userdata;
        struct op_list due = TAILQ_HEAD_INITIALIZER(due);
        uint64_t now = redirector_now(r), next = UINT64_MAX;
        struct op *op, *after;

        (void) usec;
        for (op = TAILQ_FIRST(&r->spelling_waiters); op; op = after) {
                after = TAILQ_NEXT(op, wait);
                if (op->wait_usec <= now) {
                        TAILQ_REMOVE(&r->spelling_waiters, op, wait);
                        TAILQ_INSERT_TAIL(&due, op, wait);
                } else if (op->wait_usec < next)
                        next = op->wait_usec;
        }
        if (next != UINT64_MAX) {
                (void) sd_event_source_set_time(source, next);
                (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        }
        while ((op = TAILQ_FIRST(&due))) {
                TAILQ_REMOVE(&due, op, wait);
                go_on(op);
        }
        return 0;
}

/* Until when the kernel may answer otherwise, by node's own name, than name in directory tells. */
static uint64_t cached_until(struct redirector *r, const struct node *asked_for, struct node *directory, const char *name)
{
        const struct node *known = node_named(&r->nodes, directory, name);

        if (!known || (asked_for == directory && !known->of))
                return 0;
        return remote_watch_forgotten_at(r, node_child(&r->nodes, directory, name));
}

static uint64_t forgotten_at(const struct op *op)
{
        struct redirector *r = op->redirector;
        uint64_t until, target = 0, absent = 0;

        if (!op->name)
                return op->asked != op->node ? remote_watch_forgotten_at(r, op->node) : 0;
        if (op->mode != 0)
                return absent_until(r, op->asked, op->node, op->name);
        until = cached_until(r, op->asked, op->node, op->name);
        if (op->new_name && (until != 0 || node_child(&r->nodes, op->new_parent, op->new_name) != node_child(&r->nodes, op->node, op->name)))
                target = cached_until(r, op->new_asked, op->new_parent, op->new_name);
        if (op->new_name)
                absent = absent_until(r, op->new_asked, op->new_parent, op->new_name);
        until = until > target ? until : target;
        return until > absent ? until : absent;
}

int spelling_own(struct op *op)
{
        struct node *known = op->name ? node_named(&op->redirector->nodes, op->node, op->name) : NULL;

        if (!known || !known->of)
                return 0;
        free(TAKE_PTR(op->request.path));
        return node_path(node_meant(known), NULL, &op->request.path);
}

static bool is_kept(const struct op *op, const struct node *asked_for, struct node *directory, const char *name)
{
        struct redirector *r = op->redirector;
        const struct node *known = name ? node_named(&r->nodes, directory, name) : NULL;

        return known && (asked_for != directory || known->of) && remote_watch_keeps(r, node_child(&r->nodes, directory, name));
}

/* What the kernel believes for longer of a name it can only be made to forget while the folder is not locked, as it is by a change: so
 * that is sent back, once. */
static bool sends_change_back(struct op *op)
{
        struct redirector *r = op->redirector;
        pid_t pid = op->fuse ? fuse_req_ctx(op->fuse)->pid : 0;
        uint64_t ino = op->node->ino;

        if (!op->fuse || op->mode != 0 || was_sent_back(r, ino, pid) ||
            !(is_kept(op, op->asked, op->node, op->name) || is_kept(op, op->new_asked, op->new_parent, op->new_name)))
                return false;
        send_back(r, ino, pid);
        op_fail(op, -ESTALE);
        return true;
}

bool spelling_ready(struct op *op)
{
        uint64_t until;
        int error;

        if (!op_ready(op) || sends_change_back(op))
                return false;
        until = forgotten_at(op);
        if (until > redirector_now(op->redirector)) {
                op->node->spelt_usec = redirector_now(op->redirector); /* nothing new is kept meanwhile */
                if (op->new_parent)
                        op->new_parent->spelt_usec = op->node->spelt_usec;
                error = wait_until(op, until);
                if (error < 0)
                        op_fail(op, error);
                return false;
        }
        error = op->mode != 0 ? 0 : spelling_own(op);
        if (error < 0)
                op_fail(op, error);
        return error == 0;
}
