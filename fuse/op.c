/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Life of an op, answers, and the waiting of changes for closes: the kernel sends RELEASE without waiting for its answer, so
 * an unlink or rename just behind a close() must not overtake the close on its way to the server, which would refuse it.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cleanup.h"
#include "fuse/internal.h"
#include "fuse/remote-watch.h"
#include "fuse/smb/listing.h"
#include "fuse/snapshot.h"
#include "fuse/spelling.h"

#define USEC_PER_SEC INT64_C(1000000)

#define SPARE_OPS_MAX 32u /* as many as a program's requests make at a time */

struct redirector *redirector_of(fuse_req_t fuse)
{
        return fuse_req_userdata(fuse);
}

struct op *op_of(struct smb_request *request)
{
        return request->userdata;
}

static struct op *spare_or_new(struct redirector *r)
{
        struct op *op = TAILQ_FIRST(&r->spare_ops);

        if (!op)
                return calloc(1, sizeof(*op));
        TAILQ_REMOVE(&r->spare_ops, op, entry);
        r->n_spare_ops--;
        memset(op, 0, sizeof(*op));
        return op;
}

static bool may_keep(const struct redirector *r)
{
#ifdef __SANITIZE_ADDRESS__
        (void) r;
        return false; /* each has memory of its own, so that its use behind its end is seen */
#else
        return r->n_spare_ops < SPARE_OPS_MAX;
#endif
}

void op_free_spare(struct redirector *r)
{
        struct op *op;

        while ((op = TAILQ_FIRST(&r->spare_ops))) {
                TAILQ_REMOVE(&r->spare_ops, op, entry);
                free(op);
        }
        r->n_spare_ops = 0;
}

static struct op *new_op(struct redirector *r, fuse_req_t fuse, bool revoked)
{
        struct op *op = revoked ? NULL : spare_or_new(r);

        if (!op) {
                if (fuse)
                        fuse_reply_err(fuse, revoked ? EIO : ENOMEM);
                return NULL;
        }
        op->redirector = r;
        op->fuse = fuse;
        op->request.slot = SMB_NO_SLOT;
        op->request.userdata = op;
        TAILQ_INSERT_TAIL(&r->ops, op, entry);
        return op;
}

struct op *op_new(struct redirector *r, fuse_req_t fuse)
{
        return new_op(r, fuse, fuse && r->phase == PHASE_REVOKING);
}

struct op *op_new_dirty(struct redirector *r, fuse_req_t fuse)
{
        return new_op(r, fuse, r->gave_up);
}

void op_free(struct op *op)
{
        struct redirector *r = op->redirector;

        smb_pool_give_slot(r->pool, op->request.slot);
        TAILQ_REMOVE(&r->ops, op, entry);
        if (op->settles)
                op->node->unsettled--;
        r->n_renames_settling -= op->settles_below;
        node_unref(&r->nodes, op->node);
        node_unref(&r->nodes, op->new_parent);
        node_unref(&r->nodes, op->asked);
        node_unref(&r->nodes, op->new_asked);
        node_unref(&r->nodes, op->other);
        node_unref(&r->nodes, op->wait_node);
        free(op->request.path);
        free(op->request.path2);
        free(op->name);
        free(op->new_name);
        if (may_keep(r)) {
                TAILQ_INSERT_HEAD(&r->spare_ops, op, entry);
                r->n_spare_ops++;
        } else
                free(op);
}

static fuse_req_t take_fuse(struct op *op)
{
        fuse_req_t fuse = op->fuse;

        op->fuse = NULL;
        if (fuse)
                fuse_req_interrupt_func(fuse, NULL, NULL);
        return fuse;
}

/* What a server says of a name that is too long for its file system does not tell that from one that it does not like. */
static bool name_too_long(const struct op *op)
{
        return (op->name && strlen(op->name) > NAME_MAX) || (op->new_name && strlen(op->new_name) > NAME_MAX);
}

void op_reply_error(struct op *op, int error)
{
        fuse_req_t fuse = take_fuse(op);

        if (error == -EINVAL && name_too_long(op))
                error = -ENAMETOOLONG;
        if (fuse)
                fuse_reply_err(fuse, error == -ECANCELED ? EIO : -error);
}

void op_fail(struct op *op, int error)
{
        op_reply_error(op, error);
        op_free(op);
}

int op_stale_error(const struct op *op, int error)
{
        if (error != -ENOENT)
                return error;
        if (op->node->linked && op->node->parent)
                snapshot_name_changed(op->node->parent, op->node->name);
        return -ESTALE;
}

bool op_reply_none(struct op *op)
{
        fuse_req_t fuse = take_fuse(op);

        return fuse && fuse_reply_err(fuse, 0) == 0;
}

double op_timeout_sec(const struct op *op)
{
        uint64_t age = op->seen_usec != 0 ? redirector_now(op->redirector) - op->seen_usec : 0;

        return age < ATTR_TIMEOUT_USEC ? (double) (ATTR_TIMEOUT_USEC - age) / 1e6 : 0;
}

static uint64_t asked_usec(const struct op *op)
{
        return op->seen_usec != 0 ? op->seen_usec : op->arrived_usec;
}

double op_name_timeout_sec(const struct op *op, const struct node *node)
{
        return remote_watch_name_timeout(op->redirector, node, asked_usec(op), op_timeout_sec(op));
}

double op_attr_timeout_sec(const struct op *op, const struct node *node)
{
        return remote_watch_attr_timeout(op->redirector, node, asked_usec(op), op_timeout_sec(op));
}

bool op_reply_attr(struct op *op, struct node *node, const struct smb_attr *attr)
{
        fuse_req_t fuse = take_fuse(op);
        struct stat st;

        fill_stat(op->redirector, node, attr, &st);
        if (op->seen_usec != 0)
                node->seen_usec = op->seen_usec;
        return fuse && fuse_reply_attr(fuse, &st, op->asked == node ? spelling_timeout(op->redirector, node, op_attr_timeout_sec(op, node)) : 0) == 0;
}

void op_begin(struct op *op, void (*start)(struct op *op))
{
        op->start = start;
        start(op);
}

/* What lies in our own folder, or is put beside, is nobody's business. */
static bool is_parked(const struct op *op)
{
        return (op->name && park_hides(op->redirector, op->node, op->name)) ||
               (op->new_name && park_hides(op->redirector, op->new_parent, op->new_name));
}

/* Whatever is asked or done at the server finds there what was written before. */
static bool all_settled(struct op *op)
{
        struct node_table *nodes = &op->redirector->nodes;
        struct node *child = op->name ? node_child(nodes, op->node, op->name) : NULL;
        struct node *target = op->new_name ? node_child(nodes, op->new_parent, op->new_name) : NULL;

        return behind_settled(op, op->node) && (!child || behind_settled(op, child)) &&
               (!op->new_parent || behind_settled(op, op->new_parent)) && (!target || behind_settled(op, target));
}

bool op_ready(struct op *op)
{
        struct redirector *r = op->redirector;
        int error;

        if (r->change) {
                TAILQ_INSERT_TAIL(&r->change_waiters, op, wait);
                return false;
        }
        if (op->opens && r->frozen) {
                if (r->opens_fail)
                        op_fail(op, -ENODEV);
                else
                        TAILQ_INSERT_TAIL(&r->parked, op, wait);
                return false;
        }
        if (!all_settled(op))
                return false;
        free(TAKE_PTR(op->request.path));
        free(TAKE_PTR(op->request.path2));
        error = is_parked(op) ? -EPERM : node_path(op->node, op->name, &op->request.path);
        if (error == 0 && op->new_name)
                error = node_path(op->new_parent, op->new_name, &op->request.path2);
        if (error < 0)
                op_fail(op, error);
        return error == 0;
}

void op_submit(struct op *op, enum smb_op what, smb_done_fn done)
{
        op->request.op = what;
        op->request.done = done;
        smb_pool_submit(op->redirector->pool, &op->request);
}

static void on_interrupt(fuse_req_t fuse, void *userdata)
{
        struct op *op = userdata;

        (void) fuse;
        if (!op->fuse)
                return;
        op->fuse = NULL;
        fuse_reply_err(fuse, EINTR);
}

void op_harmless(struct op *op)
{
        op->harmless = true;
        if (op->fuse)
                fuse_req_interrupt_func(op->fuse, on_interrupt, op);
}

void op_start_or_park(struct op *op)
{
        if (op->redirector->frozen && op->redirector->opens_fail)
                op_fail(op, -ENODEV);
        else if (op->redirector->frozen)
                TAILQ_INSERT_TAIL(&op->redirector->parked, op, wait);
        else
                op->start(op);
}

bool op_name_allowed(fuse_req_t fuse, const char *name)
{
        size_t length = strlen(name);

        if (length > SMB_NAME_MAX_BYTES)
                fuse_reply_err(fuse, ENAMETOOLONG);
        else if (!listing_name_valid(name, length))
                fuse_reply_err(fuse, EILSEQ);
        else
                return true;
        return false;
}

/* ---- closes ---- */

static bool closes_allow(const struct op *op)
{
        const struct op *oldest = TAILQ_FIRST(&op->redirector->closes);

        if (op->wait_node)
                return op->wait_node->closing == 0;
        return !oldest || oldest->wait_close > op->wait_close;
}

void op_closes(struct op *op)
{
        op->wait_close = ++op->redirector->closes_begun;
        TAILQ_INSERT_TAIL(&op->redirector->closes, op, wait);
        if (op->node)
                op->node->closing++;
}

void op_closed(struct op *op)
{
        TAILQ_REMOVE(&op->redirector->closes, op, wait);
        if (!op->node)
                return;
        op->node->closing--;
        park_closed(op->redirector, op->node);
}

void op_after_closes(struct op *op, struct node *node)
{
        struct node *before = op->wait_node;

        op->wait_node = node ? node_ref(node) : NULL;
        node_unref(&op->redirector->nodes, before);
        op->after_all_closes = !node;
        op->wait_close = op->redirector->closes_begun;
        if (closes_allow(op))
                op->start(op);
        else
                TAILQ_INSERT_TAIL(&op->redirector->close_waiters, op, wait);
}

void ops_check_close_waiters(struct redirector *r)
{
        struct op_list ready = TAILQ_HEAD_INITIALIZER(ready);
        struct op *op, *next;

        for (op = TAILQ_FIRST(&r->close_waiters); op; op = next) {
                next = TAILQ_NEXT(op, wait);
                if (!closes_allow(op))
                        continue;
                TAILQ_REMOVE(&r->close_waiters, op, wait);
                TAILQ_INSERT_TAIL(&ready, op, wait);
        }
        while ((op = TAILQ_FIRST(&ready))) {
                TAILQ_REMOVE(&ready, op, wait);
                op->start(op);
        }
}

/* ---- attributes ---- */

static int64_t real_usec(void)
{
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        return now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

static struct timespec timespec_from(struct smb_time t)
{
        return (struct timespec){ .tv_sec = t.sec, .tv_nsec = t.nsec };
}

/* Of several files, the one that was answered for soonest tells best; a large step back is a clock that was set. */
void note_server_time(struct redirector *r, struct smb_time t)
{
        int64_t offset = t.sec * USEC_PER_SEC + t.nsec / 1000 - real_usec();

        if (!r->clock_known || offset > r->clock_offset_usec || offset < r->clock_offset_usec - USEC_PER_SEC)
                r->clock_offset_usec = offset;
        r->clock_known = true;
}

struct smb_time server_time(const struct redirector *r)
{
        int64_t usec = real_usec() + r->clock_offset_usec;

        return (struct smb_time){ .sec = usec / USEC_PER_SEC, .nsec = (uint32_t) (usec % USEC_PER_SEC) * 1000 };
}

static bool is_earlier(struct smb_time a, struct smb_time b)
{
        return a.sec < b.sec || (a.sec == b.sec && a.nsec < b.nsec);
}

/* Until a file that was written to is closed, the server tells any older time. What is shown now is kept then (file_flush()). */
static void show_times(struct node *node, const struct smb_attr *attr, struct stat *ret_stat)
{
        struct smb_time mtime = node->pinned_mtime;

        if (!node->mtime_pinned) {
                if (!node->mtime_shown && is_earlier(node->written_mtime, attr->mtime))
                        node->written_mtime = attr->mtime;
                node->mtime_shown = true;
                mtime = node->written_mtime;
        }
        ret_stat->st_mtim = timespec_from(mtime);
        if (is_earlier(attr->ctime, mtime))
                ret_stat->st_ctim = timespec_from(mtime);
}

mode_t node_mode(const struct redirector *r, const struct node *node)
{
        mode_t mode = node->mode_known ? node->mode : 0755 & ~r->settings->umask;

        if (!node->directory && (node->dos & SMB_ATTR_READONLY))
                mode &= mode & 0200 ? ~(mode_t) 0222 : ~(mode_t) 0; /* without the owner's bit it is as it was set */
        else if (!node->directory && node->mode_known)
                mode |= 0200;
        return mode;
}

void fill_stat(struct redirector *r, struct node *node, const struct smb_attr *attr, struct stat *ret_stat)
{
        bool directory = attr->dos & SMB_ATTR_DIRECTORY;
        uint64_t size = directory ? 0 : attr->size_bytes;

        if (node->behind && size < node->size_bytes) /* found under another name: not all of it is there yet */
                size = node->size_bytes;
        if (attr->file_id != 0)
                node_identify(node, attr->file_id);
        node->directory = directory;
        node->size_bytes = size;
        node->mtime = attr->mtime;
        node->dos = attr->dos;
        node->dos_known = !attr->dos_partial;
        node->seen_usec = redirector_now(r);
        *ret_stat = (struct stat){
                .st_ino = node_shown_ino(node),
                .st_mode = (directory ? S_IFDIR : S_IFREG) | node_mode(r, node),
                .st_nlink = !node->linked ? 0 : directory ? 2 : 1,
                .st_uid = getuid(),
                .st_gid = getgid(),
                .st_size = (off_t) size,
                .st_blksize = 4096,
                .st_blocks = (blkcnt_t) ((size + 511) / 512),
                .st_atim = timespec_from(attr->atime),
                .st_mtim = timespec_from(attr->mtime),
                .st_ctim = timespec_from(attr->ctime),
        };
        if (node->unsettled > 0)
                show_times(node, attr, ret_stat);
}

void node_changed(struct redirector *r, struct node *node)
{
        node->changed_usec = redirector_now(r);
        snapshot_attr_changed(node);
}

bool node_is_unchanged(const struct node *node, uint64_t since_usec)
{
        return node->changed_usec < since_usec && node->writers == 0 && node->unsettled == 0 && !node->behind;
}
