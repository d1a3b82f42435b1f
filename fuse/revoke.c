/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Revocation: the end of a connection whatever is open, whether or not its server answers.
 *
 *   1. Requests that change nothing end with EIO, new ones too; what had begun to change the server is waited for as long as
 *      there is progress.
 *   2. Every inode the kernel knows is invalidated: cached pages, attributes and maps stop answering, dirty mapped pages are
 *      sent.
 *   3. The FUSE connection is aborted and the mount detached. From here on every descriptor fails, for ever.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "fuse/internal.h"
#include "fuse/mount.h"
#include "fuse/notify.h"
#include "fuse/printer.h"
#include "fuse/remote-watch.h"

#define DRAIN_MAX_USEC (30 * 1000000ULL)
#define NO_PROGRESS_USEC (500 * 1000ULL)
#define NO_PROGRESS_LONG_USEC (2 * 1000000ULL) /* while a large request is on its way, twice as long as one should take (burst.c) */
#define UNKNOWN_WRITE_USEC (1 * 1000000ULL) /* of a slot, before one has been written */
#define INVALIDATE_NO_PROGRESS_USEC (300 * 1000ULL)
#define INVALIDATE_MAX_USEC (2 * 1000000ULL) /* without progress: the kernel is made to let go */
#define STEP_USEC (2 * 1000ULL)
#define DETACH_TIMEOUT_USEC (5 * 1000000ULL)

/* ---- what is known of the line ---- */

void revoke_note_write(struct redirector *r, const struct smb_request *request)
{
        uint64_t bytes = request->reply_length;

        r->n_writes_taken++;
        if (bytes >= SMB_SLOT_DATA_BYTES / 8) /* of less, most is not the line's */
                r->write_usec = request->took_usec * (uint64_t) SMB_SLOT_DATA_BYTES / bytes;
}

/* How long to wait for a sign of progress while so much is to be written: on a slow line the first one comes when a whole request is there. */
static uint64_t patience(const struct redirector *r, uint64_t shortest_usec, uint64_t bytes)
{
        uint64_t one = bytes < SMB_SLOT_DATA_BYTES ? bytes : SMB_SLOT_DATA_BYTES;
        uint64_t usec = 2 * (r->write_usec > 0 ? r->write_usec : UNKNOWN_WRITE_USEC) * one / SMB_SLOT_DATA_BYTES;

        return usec > shortest_usec ? usec : shortest_usec;
}

/* ---- requests ---- */

void revoke_answer(struct redirector *r, bool all)
{
        struct op *op;

        TAILQ_FOREACH(op, &r->ops, entry) {
                fuse_req_t fuse = op->fuse;

                if (!fuse || (!all && !op->harmless))
                        continue;
                if (op->dirty)
                        op->file->failed_bytes += op->request.length;
                op->fuse = NULL;
                fuse_req_interrupt_func(fuse, NULL, NULL);
                fuse_reply_err(fuse, EIO);
        }
        device_resume(r); /* a write that waited for a slot does so no longer */
}

static size_t n_changes_under_way(const struct redirector *r)
{
        const struct op *op;
        size_t n = 0;

        TAILQ_FOREACH(op, &r->ops, entry)
                n += op->fuse != NULL;
        return n;
}

static uint64_t dirty_bytes_under_way(const struct redirector *r)
{
        const struct op *op;
        uint64_t bytes = 0;

        TAILQ_FOREACH(op, &r->ops, entry)
                if (op->fuse && op->dirty)
                        bytes += op->request.length;
        return bytes;
}

/* ---- 3 ---- */

static void on_detached(void *userdata, int exit_code, const char *text, int fd)
{
        struct redirector *r = userdata;

        (void) fd;
        r->helper = NULL;
        if (exit_code != 0 && mount_is_mounted(r->connection->mountpoint))
                log_error("%s cannot be detached: %s", r->connection->mountpoint, text);
        r->phase = PHASE_UNMOUNTED;
        redirector_complete(r, 0, NULL);
}

static void detach(struct redirector *r)
{
        char *argv[] = { (char *) "fusermount3", (char *) "-u", (char *) "-z", (char *) "--", r->connection->mountpoint, NULL };
        int error;

        revoke_answer(r, true);
        behind_give_up(r);
        if (r->session)
                (void) mount_abort(r->device_minor);
        device_close(r); /* its last descriptor: an abort too */
        error = helper_run(r->event, argv, false, DETACH_TIMEOUT_USEC, on_detached, r, &r->helper);
        if (error < 0)
                on_detached(r, -1, strerror(-error), -1);
}

/* ---- 2 ---- */

static bool progressed(struct redirector *r, size_t count)
{
        if (count == r->progress_count)
                return false;
        r->progress_count = count;
        r->progress_usec = redirector_now(r);
        return true;
}

static int on_invalidating(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct redirector *r = userdata;
        uint64_t now = redirector_now(r);

        (void) source;
        (void) usec;
        if (!progressed(r, notify_progress(r->notify_job) + r->n_writes_taken) &&
            (now - r->progress_usec > patience(r, INVALIDATE_NO_PROGRESS_USEC, dirty_bytes_under_way(r)) || now > r->step_deadline_usec)) {
                r->gave_up = true; /* the notification waits for dirty pages: these end with EIO too, and it goes on */
                revoke_answer(r, true);
                if (now - r->progress_usec > INVALIDATE_MAX_USEC)
                        (void) mount_abort(r->device_minor);
        }
        (void) redirector_step_after(r, STEP_USEC, on_invalidating);
        return 0;
}

static void on_invalidated(void *userdata)
{
        struct redirector *r = userdata;

        (void) sd_event_source_set_enabled(r->step_source, SD_EVENT_OFF);
        detach(r);
}

static void invalidate(struct redirector *r)
{
        uint64_t *inos = calloc(r->nodes.n, sizeof(*inos));
        size_t n = 0;

        for (size_t i = 0; inos && i < r->nodes.n_buckets; i++)
                for (const struct node *node = r->nodes.by_ino[i]; node; node = node->next_by_ino)
                        if (node->lookups > 0 || node->ino == NODE_ROOT)
                                inos[n++] = node->ino;
        r->progress_usec = redirector_now(r);
        r->progress_count = 0;
        if (!inos || notify_start(r->event, r->session, inos, n, on_invalidated, r, &r->notify_job) < 0) {
                detach(r);
                return;
        }
        (void) redirector_step_after(r, STEP_USEC, on_invalidating);
}

/* ---- 1 ---- */

static int on_draining(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct redirector *r = userdata;
        uint64_t now = redirector_now(r);
        uint64_t unsent_bytes = behind_unsent_bytes(r) + dirty_bytes_under_way(r);
        size_t n = n_changes_under_way(r) + behind_unsent_bytes(r) + (r->printer ? printer_unsent_bytes(r->printer) : 0);
        uint64_t wait_usec = patience(r, behind_sends_long(r) ? NO_PROGRESS_LONG_USEC : NO_PROGRESS_USEC, unsent_bytes);

        (void) source;
        (void) usec;
        if (n > 0 && (progressed(r, n) || now - r->progress_usec < wait_usec) && now < r->step_deadline_usec) {
                (void) redirector_step_after(r, STEP_USEC, on_draining);
                return 0;
        }
        revoke_answer(r, true);
        if (r->session)
                invalidate(r);
        else
                detach(r);
        return 0;
}

void revoke_begin(struct redirector *r)
{
        r->phase = PHASE_REVOKING;
        remote_watch_end(r);
        behind_send_all(r);
        r->step_deadline_usec = redirector_now(r) + DRAIN_MAX_USEC;
        r->progress_usec = redirector_now(r);
        r->progress_count = 0;
        revoke_answer(r, false);
        r->frozen = false;
        redirector_fail_parked(r, -EIO);
        (void) redirector_step_after(r, 0, on_draining);
}
