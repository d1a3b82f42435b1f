/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Freezing: the moment before the handles are counted. A close() that a program has made must count, but its RELEASE comes
 * only after the kernel's outstanding read-ahead of that file has been answered. So: opens wait; what the kernel has to say is
 * read until there is nothing more; reads behind a file that had a FLUSH are answered (with data; with EIO after a second);
 * then the RELEASE is there, and was read. Reads of a file whose closing is not told are waited for, too, but never ended.
 *
 * The FLUSH may also be that of one descriptor of several, or of a program that was started and had it from another one. Who reads then
 * must not notice. What was read ahead in vain, the kernel asks for again before a program is told of an error, and from then on it is
 * known that the file is open. What is read past the kernel's cache is never ended.
 */

#include <errno.h>
#include <poll.h>

#include "fuse/internal.h"

#define FREEZE_MAX_USEC 1000000ULL
#define FREEZE_STEP_USEC 2000ULL
#define SERVE_ROUNDS 32

static bool device_is_dry(struct redirector *r)
{
        for (int i = 0; i < SERVE_ROUNDS; i++) {
                struct pollfd fd = { .fd = r->device_fd, .events = POLLIN };

                if (poll(&fd, 1, 0) <= 0)
                        return true;
                if (!device_serve(r))
                        return true;
        }
        return false;
}

/* Whether a RELEASE may still be held up by reads. With answer_them, those that were read ahead end with EIO. */
static bool reads_behind_close(struct redirector *r, bool answer_them)
{
        struct open_file *file;
        bool any = false;

        TAILQ_FOREACH(file, &r->reading, reading) {
                struct op *op;

                if (!file->flushed && !file->closes_silently)
                        continue;
                any = true;
                if (!file->flushed) /* it may as well be open */
                        continue;
                TAILQ_FOREACH(op, &file->stream.waiting, wait) {
                        if (!answer_them || !op->fuse || op->called_for)
                                continue;
                        fuse_req_interrupt_func(op->fuse, NULL, NULL);
                        fuse_reply_err(op->fuse, EIO);
                        op->fuse = NULL;
                }
                file->flushed = file->flushed && !answer_them; /* was it closed, then its RELEASE comes now */
        }
        return any;
}

static int on_step(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct redirector *r = userdata;
        bool late = redirector_now(r) >= r->step_deadline_usec;

        (void) source;
        (void) usec;
        if (device_is_dry(r) && !reads_behind_close(r, late) && park_settled(r)) {
                redirector_complete(r, 0, NULL);
                return 0;
        }
        if (late) {
                (void) device_is_dry(r);
                redirector_complete(r, 0, NULL);
                return 0;
        }
        (void) redirector_step_after(r, FREEZE_STEP_USEC, on_step);
        return 0;
}

void freeze_begin(struct redirector *r)
{
        r->frozen = true;
        r->step_deadline_usec = redirector_now(r) + FREEZE_MAX_USEC;
        (void) redirector_step_after(r, 0, on_step);
}

void freeze_end(struct redirector *r)
{
        struct op *op;

        r->frozen = r->opens_fail = false;
        while (!r->frozen && (op = TAILQ_FIRST(&r->parked))) {
                TAILQ_REMOVE(&r->parked, op, wait);
                op->start(op);
        }
}
