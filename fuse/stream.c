/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading. The kernel asks for at most 128 KiB at a time; a worker is at its best with 1 MiB calls, several of them waiting. So
 * a file's contents are read in windows, each in a slot of its own, and the kernel is answered from there without a copy:
 * sequential readers get windows ahead of them, growing up to AHEAD_MAX of WINDOW_MAX_BYTES; any other read gets a window of
 * just its own size.
 *
 * A window serves requests that arrive within WINDOW_LIFE_USEC, so that what others change on the server is seen as soon as the
 * attributes say so; one that waited for it is served whenever it comes. It goes as soon as all of it has been handed out, or the
 * file is changed from here.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "core/cleanup.h"
#include "fuse/internal.h"

#define WINDOW_MIN_BYTES (128u << 10)
#define WINDOW_MAX_BYTES MAX_TRANSFER_BYTES
#define WINDOW_LIFE_USEC 1000000u
#define SLOW_USEC 1000000u     /* a window that takes longer is too large for the link */
#define AHEAD_MAX 4u           /* windows of one file, being read or waiting to be handed out */
#define SPARE_SLOTS 8u         /* not used for reading ahead */
#define BEGINNING_BYTES (64u << 10) /* a file of so many comes with its open */
#define BEHIND_BYTES (2u << 20) /* a window that lies so far behind the reader will not be asked for again */
#define IOV_MAX_READ 16

void stream_init(struct stream *stream)
{
        *stream = (struct stream){ .window_max_bytes = WINDOW_MAX_BYTES };
        TAILQ_INIT(&stream->windows);
        TAILQ_INIT(&stream->waiting);
}

/* ---- windows ---- */

static void window_free(struct redirector *r, struct window *w)
{
        if (w->request.slot != SMB_NO_SLOT) {
                smb_pool_give_slot(r->pool, w->request.slot);
                device_resume(r);
        }
        free(w);
}

/* Takes a window out of its stream; it is freed now, or when its request is done. */
static void window_drop(struct window *w)
{
        struct open_file *file = w->file;
        struct redirector *r = file->redirector;

        TAILQ_REMOVE(&file->stream.windows, w, entry);
        file->stream.n_windows--;
        w->file = NULL;
        if (w->ready) {
                TAILQ_REMOVE(&r->recent_windows, w, recent);
                window_free(r, w);
        }
}

static void drop_all(struct open_file *file)
{
        struct window *w;

        while ((w = TAILQ_FIRST(&file->stream.windows)))
                window_drop(w);
        file->stream.window_bytes = 0;
}

static void serve_waiting(struct open_file *file);

static void window_done(struct smb_request *request)
{
        struct window *w = (struct window *) ((char *) request - offsetof(struct window, request));
        struct redirector *r = request->userdata;
        struct open_file *file = w->file;

        if (!file) {
                window_free(r, w);
                return;
        }
        w->ready = true;
        w->ready_usec = redirector_now(r);
        if (w->ready_usec - w->asked_usec > SLOW_USEC && file->stream.window_max_bytes > WINDOW_MIN_BYTES)
                file->stream.window_max_bytes /= 2;
        TAILQ_INSERT_TAIL(&r->recent_windows, w, recent);
        serve_waiting(file);
}

/* Begins to read a window at offset. 0 or -ENOMEM. */
static int window_start(struct open_file *file, uint64_t offset, uint32_t length)
{
        struct redirector *r = file->redirector;
        struct window *w = calloc(1, sizeof(*w));

        if (!w)
                return -ENOMEM;
        w->file = file;
        w->offset = offset;
        w->length = length;
        w->asked_usec = redirector_now(r);
        w->request = (struct smb_request){
                .op = SMB_OP_READ, .file = file->smb, .offset = offset, .length = length, .slot = SMB_NO_SLOT,
                .done = window_done, .userdata = r,
        };
        TAILQ_INSERT_TAIL(&file->stream.windows, w, entry);
        file->stream.n_windows++;
        smb_pool_submit(r->pool, &w->request);
        return 0;
}

static struct window *window_at(struct open_file *file, uint64_t offset)
{
        struct window *w;

        TAILQ_FOREACH(w, &file->stream.windows, entry)
                if (offset >= w->offset && offset - w->offset < w->length)
                        return w;
        return NULL;
}

void stream_want_beginning(struct op *op)
{
        struct arena *arena = smb_pool_arena(op->redirector->pool);
        const struct node *node = op->node;

        if ((op->flags & (O_ACCMODE | O_TRUNC | O_DIRECT)) != O_RDONLY || node->size_bytes == 0 || node->size_bytes > BEGINNING_BYTES ||
            op->request.slot != SMB_NO_SLOT || arena->n_free <= SPARE_SLOTS)
                return;
        op->request.slot = arena_take(arena);
        op->request.length = BEGINNING_BYTES;
        op->request.valid |= SMB_WANT_DATA;
}

void stream_take_beginning(struct open_file *file, struct smb_request *open)
{
        struct redirector *r = file->redirector;
        bool whole = open->reply_length == open->attr.size_bytes; /* else nothing is said of the end */
        struct window *w = open->slot != SMB_NO_SLOT && open->reply_length > 0 ? calloc(1, sizeof(*w)) : NULL;

        if (!w)
                return;
        *w = (struct window){
                .request = { .op = SMB_OP_READ, .slot = open->slot, .length = open->length, .reply_length = open->reply_length },
                .file = file, .length = whole ? open->length : open->reply_length, .ready = true, .ready_usec = redirector_now(r),
        };
        w->asked_usec = w->ready_usec;
        open->slot = SMB_NO_SLOT;
        TAILQ_INSERT_TAIL(&file->stream.windows, w, entry);
        file->stream.n_windows++;
        TAILQ_INSERT_TAIL(&r->recent_windows, w, recent);
}

/* ---- answering ---- */

static void read_ended(struct open_file *file)
{
        if (--file->reads_waiting == 0)
                TAILQ_REMOVE(&file->redirector->reading, file, reading);
}

static void answer_data(struct op *op, const struct iovec *iov, int n_iov, uint64_t bytes)
{
        fuse_req_t fuse = op->fuse;

        op->fuse = NULL;
        read_ended(op->file);
        if (fuse) {
                fuse_req_interrupt_func(fuse, NULL, NULL);
                if (fuse_reply_iov(fuse, iov, n_iov) == 0)
                        op->file->handle.read_bytes += bytes;
        }
        op_free(op);
}

static void answer_error(struct op *op, int error)
{
        read_ended(op->file);
        op_fail(op, error);
}

/* Counts what was handed out, and lets go of windows that have served. */
static void account(struct open_file *file, uint64_t begin, uint64_t end)
{
        struct window *w, *next;

        for (w = TAILQ_FIRST(&file->stream.windows); w; w = next) {
                next = TAILQ_NEXT(w, entry);
                if (!w->ready)
                        continue;
                if (begin < w->offset + w->length && end > w->offset) {
                        uint64_t from = begin > w->offset ? begin : w->offset;
                        uint64_t to = end < w->offset + w->length ? end : w->offset + w->length;

                        w->served_bytes += (uint32_t) (to - from);
                }
                if (w->served_bytes >= w->request.reply_length || w->offset + w->length + BEHIND_BYTES < begin)
                        window_drop(w);
        }
}

enum served { SERVED, MUST_WAIT };

/* Answers op if all of its data (up to the end of the file) are there; else ret_missing is the first offset that no window is
 * being read for, or UINT64_MAX. */
static enum served try_serve(struct op *op, uint64_t *ret_missing)
{
        struct open_file *file = op->file;
        struct redirector *r = op->redirector;
        struct iovec iov[IOV_MAX_READ];
        const uint64_t begin = op->offset, end = begin + op->size;
        uint64_t at = begin;
        int n = 0;

        *ret_missing = UINT64_MAX;
        while (at < end && n < IOV_MAX_READ) {
                struct window *w = window_at(file, at);
                uint64_t skip, valid;

                if (w && w->ready && w->ready_usec < op->arrived_usec &&
                    redirector_now(r) - w->ready_usec > WINDOW_LIFE_USEC) {
                        window_drop(w);
                        w = NULL;
                }
                if (!w) {
                        *ret_missing = at;
                        return MUST_WAIT;
                }
                if (!w->ready)
                        return MUST_WAIT;
                if (w->request.error < 0) {
                        int error = w->request.error;

                        window_drop(w);
                        answer_error(op, error);
                        return SERVED;
                }
                skip = at - w->offset;
                valid = w->request.reply_length > skip ? w->request.reply_length - skip : 0;
                if (valid > end - at)
                        valid = end - at;
                if (valid > 0) {
                        iov[n].iov_base = (char *) arena_memory(smb_pool_arena(r->pool), w->request.slot) + skip;
                        iov[n++].iov_len = valid;
                        at += valid;
                }
                if (at < end && w->request.reply_length < w->length) /* the end of the file lies in this window */
                        break;
        }
        if (at < end && n == IOV_MAX_READ) { /* in too many pieces: a short answer would mean the end of the file */
                drop_all(file);
                *ret_missing = begin;
                return MUST_WAIT;
        }
        answer_data(op, iov, n, at - begin); /* frees op */
        account(file, begin, at == begin ? end : at);
        return SERVED;
}

/* ---- reading ahead ---- */

static void read_ahead(struct open_file *file)
{
        struct stream *stream = &file->stream;
        const struct window *last = TAILQ_LAST(&stream->windows, window_list);
        uint64_t at = last ? last->offset + last->length : stream->next;

        if (stream->window_bytes == 0 || at < stream->next)
                return;
        while (stream->n_windows < AHEAD_MAX && at < file->node->size_bytes &&
               smb_pool_arena(file->redirector->pool)->n_free > SPARE_SLOTS) {
                uint64_t left = file->node->size_bytes - at;
                uint32_t length;

                if (stream->window_bytes > stream->window_max_bytes)
                        stream->window_bytes = stream->window_max_bytes;
                length = left < stream->window_bytes ? (uint32_t) left : stream->window_bytes;
                if (window_start(file, at, length) < 0)
                        return;
                at += length;
                if (stream->window_bytes < stream->window_max_bytes)
                        stream->window_bytes *= 2;
        }
}

/* Sees whether op goes on where the last one ended. The kernel's own read-ahead may bring neighbours out of order. */
static void follow(struct stream *stream, uint64_t offset, uint32_t size)
{
        bool sequential = offset == stream->next || (stream->window_bytes != 0 && offset < stream->next + WINDOW_MAX_BYTES &&
                                                     offset + WINDOW_MAX_BYTES > stream->next);

        if (!sequential)
                stream->window_bytes = 0;
        else if (stream->window_bytes == 0)
                stream->window_bytes = size > WINDOW_MIN_BYTES ? size : WINDOW_MIN_BYTES;
        if (!sequential || offset + size > stream->next)
                stream->next = offset + size;
}

/* Starts what op needs and nobody is reading yet. */
static int start_missing(struct op *op, uint64_t missing)
{
        struct open_file *file = op->file;
        uint64_t end = op->offset + op->size;
        uint32_t length = (uint32_t) (end - missing);

        if (file->stream.window_bytes > length && missing < file->node->size_bytes) {
                uint64_t left = file->node->size_bytes - missing;

                if (left > length)
                        length = left < file->stream.window_bytes ? (uint32_t) left : file->stream.window_bytes;
        }
        return window_start(file, missing, length);
}

void stream_read(struct op *op)
{
        struct open_file *file = op->file;
        uint64_t missing;

        if (file->reads_waiting++ == 0)
                TAILQ_INSERT_TAIL(&file->redirector->reading, file, reading);
        follow(&file->stream, op->offset, op->size);
        if (try_serve(op, &missing) == MUST_WAIT) {
                if (missing != UINT64_MAX && start_missing(op, missing) < 0) {
                        answer_error(op, -ENOMEM);
                        return;
                }
                TAILQ_INSERT_TAIL(&file->stream.waiting, op, wait);
        }
        read_ahead(file);
}

static void serve_waiting(struct open_file *file)
{
        struct op_list waiting = TAILQ_HEAD_INITIALIZER(waiting);
        struct op *op;

        TAILQ_CONCAT(&waiting, &file->stream.waiting, wait);
        while ((op = TAILQ_FIRST(&waiting))) {
                uint64_t missing;

                TAILQ_REMOVE(&waiting, op, wait);
                if (try_serve(op, &missing) == SERVED)
                        continue;
                if (missing != UINT64_MAX && start_missing(op, missing) < 0)
                        answer_error(op, -ENOMEM);
                else
                        TAILQ_INSERT_TAIL(&file->stream.waiting, op, wait);
        }
        read_ahead(file);
}

/* ---- letting go ---- */

void stream_invalidate(struct node *node)
{
        struct open_file *file;

        LIST_FOREACH(file, &node->files, of_node) {
                if (TAILQ_EMPTY(&file->stream.windows))
                        continue;
                drop_all(file);
                serve_waiting(file);
        }
}

void stream_done(struct open_file *file)
{
        struct op *op;

        drop_all(file);
        while ((op = TAILQ_FIRST(&file->stream.waiting))) {
                TAILQ_REMOVE(&file->stream.waiting, op, wait);
                answer_error(op, -EIO);
        }
}

bool stream_reclaim_slot(struct redirector *r)
{
        uint32_t slot = SMB_NO_SLOT;
        struct window *w;

        while (slot == SMB_NO_SLOT && (w = TAILQ_FIRST(&r->recent_windows))) {
                slot = w->request.slot;
                w->request.slot = SMB_NO_SLOT;
                window_drop(w);
        }
        /* Straight to the arena: whoever asks is about to take it. */
        arena_give(smb_pool_arena(r->pool), slot);
        return slot != SMB_NO_SLOT;
}
