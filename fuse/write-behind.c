/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing behind. A write() is answered when its data lie in a slot, and they go to the server in batches: of small writes that
 * follow each other one batch is made, and while the worker sends one the program fills the next. What that must not change:
 *
 *   - Only a file's single writer gets ahead of the server. Whoever else has to do with the file (reads, opens, looks at it,
 *     renames it, another writer), and close() and fsync(), first wait until the server has everything (behind_settled()).
 *   - An error is kept, and told to the writer once: by its next write or fsync, or by close. A close is told each time until then, for
 *     it may be another process's: whatever a program starts closes what it has inherited. fsync() tells it once to each other one, too,
 *     who has the file open.
 *   - A batch is sent when it is full, and HOLD_USEC after it was begun at the latest. Full is a slot, into which the kernel has put a
 *     write's data, or on a long line a run of slots, into which they are copied (burst.h). A long one waits until no other one of the
 *     file is on its way, and others wait for it: should it fail, it is sent in pieces, which nothing may overtake.
 *   - Should wnetd be killed, the workers write what lies in the slots: they know of it (smb_file_note_unsent()).
 *   - A forced disconnection sends what the server takes, and names the rest (behind_give_up()).
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/log.h"
#include "fuse/internal.h"

#define SENT_MAX 4u       /* batches of a file on their way; with more its writer waits. A long one is the only one */
#define HURRY 1u          /* that of one batch's time another one has come together says that they may be longer */
#define HOLD_USEC 100000u
#define SPARE_SLOTS 8u    /* with fewer free ones no batch is kept back */

struct batch {
        struct smb_request request; /* WRITE; userdata: the redirector */
        struct behind *behind;      /* NULL: given up */
        uint64_t begun_usec;
        uint32_t room_bytes;        /* so many it may have */
        uint32_t bytes;             /* as it was sent, */
        uint32_t rest_bytes;        /* and so many come behind what the request is about: a server may take it in pieces, */
        bool in_pieces;             /* and a long one that has failed is sent in short ones */
        bool due;                   /* is sent as soon as it may be */
};

/* What the server does not have yet of one file; gone when it has everything. */
struct behind {
        TAILQ_ENTRY(behind) entry;  /* in redirector->behinds */
        struct redirector *redirector;
        struct node *node;          /* referred to */
        struct open_file *file;     /* the writer */
        struct batch *open;         /* may still grow; NULL: none */
        unsigned n_sent;
        bool long_sent;             /* one of these is a long one: nothing may overtake what it may have to be sent in */
        struct op_list settlers;    /* ops that wait until the server has everything */
        struct op_list writers;     /* and WRITEs that wait for their turn */
};

void behind_init(struct open_file *file)
{
        burst_init(&file->burst, SMB_WRITE_MAX_BYTES, HURRY);
}

static void note(struct batch *batch, uint32_t length)
{
        batch->request.unsent_bytes = length;
        smb_file_note_unsent(batch->behind->redirector->pool, batch->request.file, &batch->request, length);
}

/* ---- sending ---- */

static bool is_long(const struct batch *batch)
{
        return batch->room_bytes > MAX_TRANSFER_BYTES;
}

static void submit_open(struct behind *b)
{
        struct batch *batch = TAKE_PTR(b->open);

        if (!batch)
                return;
        b->n_sent++;
        b->long_sent = b->long_sent || is_long(batch);
        batch->bytes = batch->request.length;
        note(batch, batch->bytes); /* its worker may be another one by now */
        smb_pool_submit(b->redirector->pool, &batch->request);
}

/* Now, or as soon as it may be; until then it may grow. */
static void send_open(struct behind *b)
{
        if (!b->open)
                return;
        b->open->due = true;
        if (b->n_sent == 0 || (!b->long_sent && !is_long(b->open)))
                submit_open(b);
}

void behind_send_all(struct redirector *r)
{
        struct behind *b;

        TAILQ_FOREACH(b, &r->behinds, entry)
                send_open(b);
}

static int on_held_long(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct redirector *r = userdata;
        uint64_t now = redirector_now(r), next = UINT64_MAX;
        struct behind *b;

        (void) usec;
        TAILQ_FOREACH(b, &r->behinds, entry) {
                if (b->open && b->open->begun_usec + HOLD_USEC <= now)
                        send_open(b); /* if only at the end of another one, which sees to it */
                else if (b->open && b->open->begun_usec + HOLD_USEC < next)
                        next = b->open->begun_usec + HOLD_USEC;
        }
        if (next == UINT64_MAX)
                return 0;
        (void) sd_event_source_set_time(source, next);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Sees to it that what begins to be held back now does not stay for long. 0 or a negative errno. */
static int arm_timer(struct redirector *r)
{
        int enabled = SD_EVENT_OFF, error;

        if (!r->behind_source)
                return sd_event_add_time_relative(r->event, &r->behind_source, CLOCK_MONOTONIC, HOLD_USEC, 1, on_held_long, r);
        error = sd_event_source_get_enabled(r->behind_source, &enabled);
        if (error < 0 || enabled != SD_EVENT_OFF)
                return error;
        error = sd_event_source_set_time_relative(r->behind_source, HOLD_USEC);
        return error < 0 ? error : sd_event_source_set_enabled(r->behind_source, SD_EVENT_ONESHOT);
}

/* ---- the end ---- */

static void start_all(struct op_list *waiting)
{
        struct op *op;

        while ((op = TAILQ_FIRST(waiting))) {
                TAILQ_REMOVE(waiting, op, wait);
                if (op->after_all_closes)
                        op_after_closes(op, NULL); /* some may have begun since */
                else
                        op->start(op);
        }
}

/* The server has everything, or will never have it. */
static void settled(struct behind *b)
{
        struct op_list waiting = TAILQ_HEAD_INITIALIZER(waiting);
        struct open_file *closing = b->file->closing ? b->file : NULL;
        struct redirector *r = b->redirector;

        TAILQ_CONCAT(&waiting, &b->settlers, wait);
        TAILQ_CONCAT(&waiting, &b->writers, wait);
        TAILQ_REMOVE(&r->behinds, b, entry);
        b->node->behind = NULL;
        start_all(&waiting);
        if (closing)
                file_close(closing);
        node_unref(&r->nodes, b->node);
        free(b);
}

static void go_on(struct behind *b)
{
        struct op *writer;

        if (b->open && (b->open->due || (b->n_sent == 0 && b->open->request.length > MAX_TRANSFER_BYTES)))
                send_open(b);
        if (b->n_sent == 0 && !b->open)
                settled(b);
        else if (TAILQ_EMPTY(&b->settlers) && (writer = TAILQ_FIRST(&b->writers))) {
                TAILQ_REMOVE(&b->writers, writer, wait);
                writer->start(writer);
        }
}

static uint32_t whole_slots(uint32_t bytes)
{
        return bytes < MAX_TRANSFER_BYTES ? MAX_TRANSFER_BYTES : bytes - bytes % MAX_TRANSFER_BYTES;
}

/* What a batch took tells how long the next ones should be; that longer ones are of use, only one of that length. */
static void note_took(struct behind *b, const struct batch *batch)
{
        struct burst *burst = &b->file->burst;
        bool full = batch->room_bytes >= whole_slots(burst->max_bytes) && batch->bytes > batch->room_bytes / 2;
        bool waited = full && (b->open || b->n_sent > 1 || !TAILQ_EMPTY(&b->writers));

        if (batch->request.length != batch->bytes) /* it was not taken as one */
                return;
        burst_round_at_most(burst, b->redirector->lookup_usec);
        burst_took(burst, batch->bytes, batch->request.took_usec, waited);
}

static void note_failure(struct behind *b, const struct batch *batch)
{
        if (batch->request.error != -ECANCELED) /* else the connection ends: behind_give_up() has counted it */
                behind_failed(b->file, batch->request.error, batch->request.length + batch->rest_bytes);
}

/* What is left of a batch, if anything, is sent. A long one that has failed, for the line has become slow, may get there in short ones. */
static bool send_rest(struct batch *batch)
{
        struct smb_request *request = &batch->request;
        uint32_t done = request->error == 0 ? request->reply_length : 0, left = request->length - done + batch->rest_bytes;

        if (request->error == 0 && done == 0)
                request->error = -EIO;
        if (request->error < 0 && (request->length <= MAX_TRANSFER_BYTES || request->error == -ECANCELED))
                return false;
        if (request->error < 0) {
                batch->in_pieces = true;
                burst_no_long(&batch->behind->file->burst);
        }
        if (left == 0)
                return false;
        request->offset += done;
        request->slot_offset += done;
        request->length = batch->in_pieces && left > MAX_TRANSFER_BYTES ? MAX_TRANSFER_BYTES : left;
        batch->rest_bytes = left - request->length;
        request->unsent_bytes = left;
        smb_pool_submit(batch->behind->redirector->pool, request);
        return true;
}

static void batch_done(struct smb_request *request)
{
        struct batch *batch = (struct batch *) ((char *) request - offsetof(struct batch, request));
        struct redirector *r = request->userdata;
        struct behind *b = batch->behind;

        if (request->error == 0)
                revoke_note_write(r, request);
        if (b && send_rest(batch))
                return;
        if (b) {
                note(batch, 0);
                stream_invalidate(b->node); /* what was read while it was under way may be older */
                node_changed(r, b->node);
                b->file->handle.unsent_bytes -= batch->bytes;
                if (request->error < 0)
                        note_failure(b, batch);
                else
                        note_took(b, batch);
                b->n_sent--;
                b->long_sent = b->long_sent && !is_long(batch);
        }
        smb_pool_give_slot(r->pool, request->slot);
        free(batch);
        if (b)
                go_on(b);
}

/* ---- errors ---- */

void behind_failed(struct open_file *file, int error, uint64_t bytes)
{
        struct open_file *other;

        LIST_FOREACH(other, &file->node->files, of_node)
                if (other != file && other->others_error == 0)
                        other->others_error = error;
        if (file->write_error == 0)
                file->write_error = error;
        file->told_at_close = false;
        file->failed_bytes += bytes;
}

int behind_take_error(struct open_file *file)
{
        int error = file->write_error;

        file->write_error = 0;
        file->told_at_close = false;
        file->failed_bytes = 0;
        return error;
}

int behind_take_any_error(struct open_file *file)
{
        int error = behind_take_error(file);

        if (error == 0)
                error = file->others_error;
        file->others_error = 0;
        return error;
}

void behind_share_error(struct open_file *file)
{
        const struct open_file *other;

        LIST_FOREACH(other, &file->node->files, of_node)
                if (other->write_error < 0)
                        file->others_error = other->write_error;
}

int behind_close_error(struct open_file *file)
{
        file->told_at_close = file->write_error < 0;
        return file->write_error;
}

/* ---- writing ---- */

/* Answers a WRITE whose data were taken over; more of them are now unsent. */
static void acknowledge(struct op *op, uint64_t more)
{
        stream_invalidate(op->node);
        node_changed(op->redirector, op->node);
        op->file->handle.unsent_bytes += more;
        op->request.reply_length = op->request.length;
        file_reply_written(op, op->node);
}

static bool may_lag(const struct op *op)
{
        const struct redirector *r = op->redirector;

        return !op->writes_through && op->node->writers == 1 && op->file->handle.path && r->phase == PHASE_SERVING && r->n_renames_settling == 0 &&
               smb_file_is_open(r->pool, op->file->smb);
}

bool behind_append(struct op *op, const char *data)
{
        struct behind *b = op->node->behind;
        struct smb_request *batch = b && b->open ? &b->open->request : NULL;
        uint64_t at = batch ? op->request.offset - batch->offset : 0, end = at + op->request.length, more;

        if (!batch || b->file != op->file || op->file->write_error < 0 || !may_lag(op) || !TAILQ_EMPTY(&b->settlers) || !TAILQ_EMPTY(&b->writers) ||
            op->request.offset < batch->offset || at > batch->length || end > b->open->room_bytes)
                return false;
        memcpy((char *) arena_memory(smb_pool_arena(op->redirector->pool), batch->slot) + batch->slot_offset + at, data,
               op->request.length);
        more = end > batch->length ? end - batch->length : 0;
        batch->length += (uint32_t) more;
        note(b->open, batch->length);
        if (batch->length + op->request.length > b->open->room_bytes) /* the next one like this would not fit */
                send_open(b);
        acknowledge(op, more);
        return true;
}

static struct behind *behind_new(struct op *op)
{
        struct behind *b = calloc(1, sizeof(*b));

        if (!b)
                return NULL;
        b->redirector = op->redirector;
        b->node = node_ref(op->node);
        b->file = op->file;
        TAILQ_INIT(&b->settlers);
        TAILQ_INIT(&b->writers);
        TAILQ_INSERT_TAIL(&op->redirector->behinds, b, entry);
        op->node->behind = b;
        return b;
}

/* Whether the line is a long one, by what look-ups take: of a large write's time nobody can tell. */
static bool is_far(const struct behind *b)
{
        return b->redirector->lookup_usec > LOOKUP_FAR_USEC;
}

/* How long a batch may be: who shares the line and its slots with others has to leave them some. */
static uint32_t batch_bytes(const struct behind *b)
{
        const struct behind *other;
        uint32_t bytes = b->file->burst.max_bytes, n = 1 + !TAILQ_EMPTY(&b->redirector->reading);

        if (bytes <= MAX_TRANSFER_BYTES || !is_far(b))
                return MAX_TRANSFER_BYTES;
        TAILQ_FOREACH(other, &b->redirector->behinds, entry)
                n += other != b;
        return whole_slots(bytes < SMB_WRITE_MAX_BYTES / n ? bytes : SMB_WRITE_MAX_BYTES / n);
}

/* The slots of a long batch, with op's data in them; SMB_NO_SLOT: it will be none. */
static uint32_t take_run(const struct behind *b, const struct op *op, uint32_t bytes)
{
        struct arena *arena = smb_pool_arena(b->redirector->pool);
        uint32_t slot;

        if (bytes < 2 * MAX_TRANSFER_BYTES || arena->n_free < bytes / MAX_TRANSFER_BYTES + SPARE_SLOTS)
                return SMB_NO_SLOT;
        slot = arena_take_run(arena, bytes);
        if (slot != SMB_NO_SLOT)
                memcpy(arena_memory(arena, slot), (const char *) arena_memory(arena, op->request.slot) + op->request.slot_offset,
                       op->request.length);
        return slot;
}

/* Makes a batch of op's slot, or of a run. False: without memory. */
static bool begin_batch(struct behind *b, struct op *op)
{
        struct redirector *r = op->redirector;
        struct batch *batch = calloc(1, sizeof(*batch));
        uint32_t bytes = batch_bytes(b), run;

        if (!batch || arm_timer(r) < 0) {
                free(batch);
                return false;
        }
        run = take_run(b, op, bytes);
        batch->behind = b;
        batch->begun_usec = redirector_now(r);
        batch->room_bytes = run == SMB_NO_SLOT ? MAX_TRANSFER_BYTES : bytes;
        batch->request = (struct smb_request){
                .op = SMB_OP_WRITE, .file = op->file->smb, .offset = op->request.offset, .length = op->request.length,
                .slot = run, .done = batch_done, .userdata = r,
        };
        if (run == SMB_NO_SLOT) {
                batch->request.slot = op->request.slot;
                batch->request.slot_offset = op->request.slot_offset;
                op->request.slot = SMB_NO_SLOT;
        }
        b->open = batch;
        note(batch, batch->request.length);
        return true;
}

void behind_write(struct op *op)
{
        struct redirector *r = op->redirector;
        struct behind *b = op->node->behind;
        int error;

        if (!op->fuse) { /* it was answered while it waited */
                op_free(op);
                return;
        }
        op->start = behind_write;
        error = op->dirty ? 0 : behind_take_error(op->file); /* a page that is refused is thrown away by the kernel */
        if (error < 0) {
                op_fail(op, error);
                return;
        }
        if (b && (b->file != op->file || !may_lag(op))) {
                (void) behind_settled(op, op->node);
                return;
        }
        if (b) {
                send_open(b);
                if (b->open || b->n_sent >= SENT_MAX || !TAILQ_EMPTY(&b->settlers)) {
                        TAILQ_INSERT_TAIL(&b->writers, op, wait);
                        return;
                }
        } else if (!may_lag(op) || !(b = behind_new(op))) {
                file_write_through(op);
                return;
        }
        if (!begin_batch(b, op)) {
                op_fail(op, -ENOMEM);
                go_on(b);
                return;
        }
        if (b->open->request.length + op->request.length > b->open->room_bytes || smb_pool_arena(r->pool)->n_free < SPARE_SLOTS)
                send_open(b);
        acknowledge(op, op->request.length);
}

bool behind_settled(struct op *op, struct node *node)
{
        struct behind *b = node->behind;

        if (!b)
                return true;
        TAILQ_INSERT_TAIL(&b->settlers, op, wait);
        send_open(b);
        return false;
}

bool behind_may_close(struct open_file *file)
{
        struct behind *b = file->node ? file->node->behind : NULL;

        if (!b || b->file != file)
                return true;
        file->closing = true;
        send_open(b);
        return false;
}

/* ---- giving up ---- */

bool behind_sends_long(const struct redirector *r)
{
        const struct behind *b;

        TAILQ_FOREACH(b, &r->behinds, entry)
                if (b->long_sent)
                        return true;
        return false;
}

uint64_t behind_unsent_bytes(const struct redirector *r)
{
        const struct behind *b;
        uint64_t bytes = 0;

        TAILQ_FOREACH(b, &r->behinds, entry)
                bytes += b->file->handle.unsent_bytes;
        return bytes;
}

void behind_add_lost(struct redirector *r, const struct open_file *file, uint64_t bytes)
{
        struct lost_file *lost = realloc(r->lost, (r->n_lost + 1) * sizeof(*lost));
        char *path;

        log_warning("%llu bytes that were written to %s/%s are lost", (unsigned long long) bytes, r->connection->name,
                    file->handle.path);
        if (lost)
                r->lost = lost;
        if (lost && asprintf(&path, "/%s", file->handle.path) >= 0)
                lost[r->n_lost++] = (struct lost_file){ .path = path, .bytes = bytes };
}

void behind_give_up(struct redirector *r)
{
        const struct open_file *file;

        TAILQ_FOREACH(file, &r->files, entry)
                if (file->handle.unsent_bytes + file->failed_bytes > 0)
                        behind_add_lost(r, file, file->handle.unsent_bytes + file->failed_bytes);
}

void behind_done(struct redirector *r)
{
        struct behind *b;

        r->behind_source = sd_event_source_disable_unref(r->behind_source);
        TAILQ_FOREACH(b, &r->behinds, entry)
                submit_open(b); /* the pool ends them all alike */
        for (size_t i = 0; i < r->n_lost; i++)
                free(r->lost[i].path);
        free(TAKE_PTR(r->lost));
        r->n_lost = 0;
}
