/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading. The kernel asks for at most 128 KiB at a time; a worker is at its best with calls of 1 MiB, on a long line of 16 MiB, and
 * one more of them waiting. So a file's contents are read in windows, each in a slot (a long one in a run of slots) of its own,
 * and the kernel is answered from there without a copy. Who reads in order, or in pieces at equal distances, gets windows
 * ahead, as pace.c says; any other read gets a window of just its own size.
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

#define WINDOW_LIFE_USEC 1000000u
#define WINDOWS_MAX 8u         /* of one file, being read or waiting to be handed out, before others are read ahead; */
#define AHEAD_MAX 4u           /* ahead of who reads in order, */
#define UNDER_WAY_MAX 2u       /* one of them at the worker, one behind it; */
#define PIECES_AHEAD 3u        /* ahead of who reads in pieces */
#define SPARE_SLOTS 8u         /* not used for reading ahead */
#define BEHIND_BYTES (2u << 20) /* a window that lies so far behind the reader will not be asked for again */
#define IOV_MAX_READ 16
#define PAGE_BYTES 4096u

void stream_init(struct stream *stream)
{
        *stream = (struct stream){ 0 };
        pace_init(&stream->pace);
        TAILQ_INIT(&stream->windows);
        TAILQ_INIT(&stream->waiting);
}

/* ---- windows ---- */

static void window_free(struct redirector *r, struct window *w)
{
        smb_pool_give_slot(r->pool, w->request.slot);
        free(w);
}

/* Takes a window out of its stream; it is freed now, or when its request is done. */
static void window_drop(struct window *w)
{
        struct open_file *file = w->file;
        struct redirector *r = file->redirector;

        TAILQ_REMOVE(&file->stream.windows, w, entry);
        file->stream.n_windows--;
        file->stream.n_under_way -= !w->ready;
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
        file->stream.pace.window_bytes = 0;
}

/* How long a window may be: who shares the line and its slots with others has to leave them some. */
static uint32_t longest_window(const struct open_file *file)
{
        struct redirector *r = file->redirector;
        uint32_t n = 1 + !TAILQ_EMPTY(&r->behinds), longest;
        struct open_file *other;

        TAILQ_FOREACH(other, &r->reading, reading)
                n += other != file;
        longest = WINDOW_FAR_BYTES / n;
        return longest < 2 * SMB_SLOT_DATA_BYTES ? SMB_SLOT_DATA_BYTES : longest;
}

/* The slots of a window, if it is a long one and there is such a run; or SMB_NO_SLOT. */
static uint32_t take_run(struct redirector *r, uint32_t length)
{
        struct arena *arena = smb_pool_arena(r->pool);

        if (length <= SMB_SLOT_DATA_BYTES || arena->n_free < length / SMB_SLOT_DATA_BYTES + SPARE_SLOTS)
                return SMB_NO_SLOT;
        return arena_take_run(arena, length);
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
        file->stream.n_under_way--;
        TAILQ_INSERT_TAIL(&r->recent_windows, w, recent);
        if (request->error == 0)
                pace_took(&file->stream.pace, w->length, request->took_usec, !TAILQ_EMPTY(&file->stream.waiting));
        else if (w->length > SMB_SLOT_DATA_BYTES) { /* short ones tell which part it is, if any */
                pace_no_long(&file->stream.pace);
                window_drop(w);
        }
        serve_waiting(file);
}

/* Begins to read a window at offset; a long one may turn out shorter. 0 or -ENOMEM. */
static int window_start(struct open_file *file, uint64_t offset, uint32_t length)
{
        struct redirector *r = file->redirector;
        struct window *w = calloc(1, sizeof(*w));
        uint32_t slot;

        if (!w)
                return -ENOMEM;
        if (length > SMB_SLOT_DATA_BYTES && length > longest_window(file))
                length = longest_window(file);
        slot = take_run(r, length);
        if (length > SMB_SLOT_DATA_BYTES && slot == SMB_NO_SLOT)
                length = SMB_SLOT_DATA_BYTES;
        w->file = file;
        w->offset = offset;
        w->length = length;
        w->request = (struct smb_request){
                .op = SMB_OP_READ, .file = file->smb, .offset = offset, .length = length, .slot = slot,
                .done = window_done, .userdata = r,
        };
        TAILQ_INSERT_TAIL(&file->stream.windows, w, entry);
        file->stream.n_windows++;
        file->stream.n_under_way++;
        smb_pool_submit(r->pool, &w->request);
        return 0;
}

static bool window_has(const struct window *w, uint64_t offset)
{
        return offset >= w->offset && offset - w->offset < w->length;
}

static struct window *window_at(struct open_file *file, uint64_t offset)
{
        struct window *w;

        TAILQ_FOREACH(w, &file->stream.windows, entry)
                if (window_has(w, offset))
                        return w;
        return NULL;
}

bool stream_only_reads(const struct op *op)
{
        return (op->flags & (O_ACCMODE | O_TRUNC | O_DIRECT)) == O_RDONLY;
}

bool stream_is_small(const struct op *op)
{
        return stream_only_reads(op) && op->node->size_bytes <= BEGINNING_BYTES;
}

void stream_want_beginning(struct op *op)
{
        struct arena *arena = smb_pool_arena(op->redirector->pool);

        if (!stream_is_small(op) || op->node->size_bytes == 0 || op->request.slot != SMB_NO_SLOT || arena->n_free <= SPARE_SLOTS)
                return;
        op->request.slot = arena_take(arena);
        op->request.length = BEGINNING_BYTES;
        op->request.valid |= SMB_WANT_DATA;
}

void stream_take_beginning(struct open_file *file, struct smb_request *open, uint64_t read_usec)
{
        struct redirector *r = file->redirector;
        bool whole = open->reply_length == open->attr.size_bytes; /* else nothing is said of the end */
        struct window *w = open->slot != SMB_NO_SLOT && open->reply_length > 0 ? calloc(1, sizeof(*w)) : NULL;

        if (!w)
                return;
        *w = (struct window){
                .request = { .op = SMB_OP_READ, .slot = open->slot, .length = open->length, .reply_length = open->reply_length },
                .file = file, .length = whole ? open->length : open->reply_length, .ready = true, .ready_usec = read_usec,
        };
        open->slot = SMB_NO_SLOT;
        TAILQ_INSERT_TAIL(&file->stream.windows, w, entry);
        file->stream.n_windows++;
        TAILQ_INSERT_TAIL(&r->recent_windows, w, recent);
}

bool stream_hand_over(struct open_file *file)
{
        struct redirector *r = file->redirector;
        struct node *node = file->node;
        struct window *w = TAILQ_FIRST(&file->stream.windows);
        struct fuse_bufvec data;

        if (!w || w->request.reply_length != node->size_bytes || (!r->clears_pages && node->size_bytes % PAGE_BYTES != 0) || LIST_FIRST(&node->files) != file || LIST_NEXT(file, of_node))
                return false;
        data = FUSE_BUFVEC_INIT(w->request.reply_length);
        data.buf[0].mem = arena_memory(smb_pool_arena(r->pool), w->request.slot);
        if (fuse_lowlevel_notify_store(r->session, node->ino, 0, &data, 0) != 0)
                return false;
        file->handle.read_bytes += w->request.reply_length;
        window_drop(w);
        return true;
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

/* Lets go of what had lain there for too long when op came. */
static void drop_old(struct open_file *file, const struct op *op)
{
        uint64_t now_usec = redirector_now(op->redirector);
        struct window *w, *next;
        bool too_far = false;

        for (w = TAILQ_FIRST(&file->stream.windows); w; w = next) {
                next = TAILQ_NEXT(w, entry);
                if (w->ready && w->ready_usec < op->arrived_usec && now_usec - w->ready_usec > WINDOW_LIFE_USEC) {
                        too_far = too_far || window_has(w, op->offset);
                        window_drop(w);
                }
        }
        if (too_far)
                pace_too_far(&file->stream.pace);
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
        drop_old(file, op);
        while (at < end && n < IOV_MAX_READ) {
                struct window *w = window_at(file, at);
                uint64_t skip, valid;

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

/* The first byte from offset on that no window has, or is being read for; behind so many windows. */
static uint64_t end_of_windows(struct open_file *file, uint64_t offset, unsigned *ret_n)
{
        const struct window *w;
        unsigned n = 0;

        for (; (w = window_at(file, offset)); n++)
                offset = w->offset + w->length;
        *ret_n = n;
        return offset;
}

static bool may_start(const struct open_file *file)
{
        return file->stream.n_windows < WINDOWS_MAX && smb_pool_arena(file->redirector->pool)->n_free > SPARE_SLOTS;
}

static void read_pieces_ahead(struct open_file *file)
{
        const struct stream *stream = &file->stream;
        uint64_t at;
        uint32_t length;

        for (unsigned i = 1; i <= PIECES_AHEAD && pace_piece(&stream->pace, i, &at, &length); i++) {
                if (at >= file->node->size_bytes || !may_start(file))
                        return;
                if (length > file->node->size_bytes - at)
                        length = (uint32_t) (file->node->size_bytes - at);
                if (!window_at(file, at) && window_start(file, at, length) < 0)
                        return;
        }
}

static void read_ahead(struct open_file *file)
{
        struct stream *stream = &file->stream;

        if (stream->pace.window_bytes == 0) {
                read_pieces_ahead(file);
                return;
        }
        while (stream->n_under_way < UNDER_WAY_MAX && may_start(file)) {
                unsigned n;
                uint64_t at = end_of_windows(file, stream->pace.next, &n);
                uint32_t length = pace_window(&stream->pace, at - stream->pace.next);

                if (length == 0 || n >= AHEAD_MAX || at >= file->node->size_bytes)
                        return;
                if (length > file->node->size_bytes - at)
                        length = (uint32_t) (file->node->size_bytes - at);
                if (window_start(file, at, length) < 0)
                        return;
                pace_began(&stream->pace);
        }
}

/* Starts what op needs and nobody is reading yet. */
static int start_missing(struct op *op, uint64_t missing)
{
        struct open_file *file = op->file;
        uint64_t end = op->offset + op->size;
        uint32_t length = (uint32_t) (end - missing), ahead = pace_window(&file->stream.pace, 0);

        if (ahead > length && missing < file->node->size_bytes) {
                uint64_t left = file->node->size_bytes - missing;

                if (left > length)
                        length = left < ahead ? (uint32_t) left : ahead;
        }
        return window_start(file, missing, length);
}

void stream_read(struct op *op)
{
        struct open_file *file = op->file;
        uint64_t missing;

        if (file->reads_waiting++ == 0)
                TAILQ_INSERT_TAIL(&file->redirector->reading, file, reading);
        pace_follow(&file->stream.pace, op->offset, op->size);
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
