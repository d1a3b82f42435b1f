/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A worker that watches: it answers WATCH requests with what the server tells, and does nothing else. What comes while no request is
 * there is kept, as far as it fits; what does not fit is lost, and that is told.
 */

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>

#include "fuse/smb/worker-internal.h"

#define KEPT_BYTES (64u << 10)
#define AGAIN_MSEC 100 /* after a loss: where much changes, more will */

struct watch {
        struct smb_watcher watcher;
        struct worker *worker;
        bool has_request;
        uint32_t index;  /* of the request that is to be answered next */
        bool lost, beat, alive; /* to be told */
        bool ended;      /* wnetd is gone, or makes no sense */
        size_t used;
        char kept[KEPT_BYTES]; /* changes, as they are sent */
};

static struct watch *watch_of(struct smb_watcher *watcher)
{
        return (struct watch *) ((char *) watcher - offsetof(struct watch, watcher));
}

static bool wnetd_gone(int timeout_msec)
{
        struct pollfd setup = { .fd = SMB_FD_SETUP, .events = POLLRDHUP };

        return poll(&setup, 1, timeout_msec) > 0;
}

/* Whether there is a request to be answered. */
static bool has_request(struct watch *watch)
{
        struct worker *w = watch->worker;

        while (!watch->has_request && !watch->ended && smb_ring_take(&w->channel->requests, &w->requests_read, &watch->index)) {
                watch->ended = watch->index >= SMB_MESSAGES;
                if (watch->ended)
                        break;
                watch->has_request = w->channel->messages[watch->index].op == SMB_OP_WATCH;
                if (!watch->has_request)
                        worker_reply(w, watch->index, -EBUSY);
        }
        return watch->has_request;
}

/* As many of the kept changes as fit into an answer: their bytes. */
static size_t piece_bytes(const struct watch *watch)
{
        size_t end = 0;

        while (end < watch->used) {
                size_t next = end + strlen(watch->kept + end) + 1;

                if (next > SMB_TEXT_BYTES)
                        break;
                end = next;
        }
        return end;
}

static void answer(struct watch *watch)
{
        struct smb_message *m = &watch->worker->channel->messages[watch->index];
        size_t length = piece_bytes(watch);

        memcpy(m->text, watch->kept, length);
        memmove(watch->kept, watch->kept + length, watch->used - length);
        watch->used -= length;
        m->reply_length = (uint32_t) length;
        m->status = (watch->lost ? SMB_WATCH_LOST : 0) | (watch->beat ? SMB_WATCH_BEAT : 0) | (watch->alive ? SMB_WATCH_ALIVE : 0);
        watch->lost = watch->beat = watch->alive = watch->has_request = false;
        worker_reply(watch->worker, watch->index, 0);
}

static void answer_all(struct watch *watch)
{
        while ((watch->lost || watch->beat || watch->used > 0) && has_request(watch))
                answer(watch);
}

static void lose(struct watch *watch)
{
        watch->lost = true;
        watch->used = 0;
}

static void on_changed(struct smb_watcher *watcher, char action, const char *path)
{
        struct watch *watch = watch_of(watcher);
        size_t length = strlen(path) + 1;

        if (length > SMB_PATH_MAX_BYTES || watch->used + 1 + length > sizeof(watch->kept)) {
                lose(watch);
                return;
        }
        watch->kept[watch->used] = action;
        memcpy(watch->kept + watch->used + 1, path, length);
        watch->used += 1 + length;
}

static bool on_told(struct smb_watcher *watcher, bool beat, bool alive)
{
        struct watch *watch = watch_of(watcher);

        watch->beat = watch->beat || beat;
        watch->alive = beat ? alive : watch->alive;
        answer_all(watch);
        watch->ended = watch->ended || wnetd_gone(0);
        return !watch->ended;
}

void worker_watch(struct worker *w, uint32_t index)
{
        static struct watch watch; /* large */
        int r;

        watch = (struct watch){
                .watcher = { .changed = on_changed, .told = on_told }, .worker = w, .has_request = true, .index = index,
        };
        while ((r = w->backend->ops->watch(w->backend, &watch.watcher)) == -EOVERFLOW) {
                lose(&watch);
                answer_all(&watch);
                watch.ended = watch.ended || wnetd_gone(AGAIN_MSEC);
                if (watch.ended)
                        break;
        }
        if (r < 0 && !watch.ended && has_request(&watch))
                worker_reply(w, watch.index, r);
        else
                w->lost = true;
}
