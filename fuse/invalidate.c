/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The thread shares with the event loop the queue and the counters, under the mutex, and the session, which outlives it.
 */

#include "fuse/invalidate.h"

#include <errno.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/uio.h>

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

struct item {
        STAILQ_ENTRY(item) entry;
        uint64_t ino;
        char name[]; /* "": attributes */
};

struct invalidator {
        struct fuse_session *session;
        pthread_t thread;
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        bool stop;
        uint64_t added, begun, done;
        STAILQ_HEAD(, item) items;
};

/* Waits for the next one. NULL: that was all. */
static struct item *take(struct invalidator *inv)
{
        struct item *item;

        pthread_mutex_lock(&inv->mutex);
        while (!inv->stop && STAILQ_EMPTY(&inv->items))
                pthread_cond_wait(&inv->changed, &inv->mutex);
        item = inv->stop ? NULL : STAILQ_FIRST(&inv->items);
        if (item) {
                STAILQ_REMOVE_HEAD(&inv->items, entry);
                inv->begun++;
        }
        pthread_mutex_unlock(&inv->mutex);
        return item;
}

/* The kernel asks for the name when it is next used. It is not taken away from who has it open or stands in it, as
 * fuse_lowlevel_notify_inval_entry() does: to them it would look deleted. libfuse has a function for this with changing arguments. */
static void expire_name(struct invalidator *inv, const struct item *item)
{
        const struct {
                uint64_t parent;
                uint32_t length, flags; /* these are younger than many a header */
        } body = { item->ino, (uint32_t) strlen(item->name), 1u /* FUSE_EXPIRE_ONLY */ };
        struct fuse_out_header header = {
                .len = (uint32_t) (sizeof(header) + sizeof(body) + body.length + 1), .error = FUSE_NOTIFY_INVAL_ENTRY,
        };
        struct iovec iov[] = {
                { &header, sizeof(header) }, { (void *) &body, sizeof(body) }, { (void *) item->name, body.length + 1 },
        };

        (void) !writev(fuse_session_fd(inv->session), iov, 3);
}

/* Whatever the kernel answers: what it does not know it has forgotten. */
static void *run(void *argument)
{
        struct invalidator *inv = argument;
        struct item *item;

        while ((item = take(inv))) {
                if (item->name[0])
                        expire_name(inv, item);
                else
                        (void) fuse_lowlevel_notify_inval_inode(inv->session, item->ino, -1, 0);
                free(item);
                pthread_mutex_lock(&inv->mutex);
                inv->done++;
                pthread_mutex_unlock(&inv->mutex);
        }
        return NULL;
}

int invalidator_new(struct fuse_session *session, uint64_t before, struct invalidator **ret)
{
        struct invalidator *inv = calloc(1, sizeof(*inv));
        sigset_t all, mask;
        int r;

        if (!inv)
                return -ENOMEM;
        inv->session = session;
        inv->added = inv->begun = inv->done = before;
        STAILQ_INIT(&inv->items);
        pthread_mutex_init(&inv->mutex, NULL);
        pthread_cond_init(&inv->changed, NULL);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &mask);
        r = -pthread_create(&inv->thread, NULL, run, inv);
        pthread_sigmask(SIG_SETMASK, &mask, NULL);
        if (r < 0) {
                pthread_cond_destroy(&inv->changed);
                pthread_mutex_destroy(&inv->mutex);
                free(inv);
                return r;
        }
        *ret = inv;
        return 0;
}

uint64_t invalidator_add(struct invalidator *inv, uint64_t ino, const char *name)
{
        size_t length = name ? strlen(name) : 0;
        struct item *item = calloc(1, sizeof(*item) + length + 1);
        uint64_t number;

        if (!item)
                return 0;
        item->ino = ino;
        memcpy(item->name, name ? name : "", length);
        pthread_mutex_lock(&inv->mutex);
        STAILQ_INSERT_TAIL(&inv->items, item, entry);
        number = ++inv->added;
        pthread_cond_signal(&inv->changed);
        pthread_mutex_unlock(&inv->mutex);
        return number;
}

static uint64_t counter(struct invalidator *inv, const uint64_t *value)
{
        uint64_t n;

        pthread_mutex_lock(&inv->mutex);
        n = *value;
        pthread_mutex_unlock(&inv->mutex);
        return n;
}

uint64_t invalidator_begun(struct invalidator *inv)
{
        return counter(inv, &inv->begun);
}

uint64_t invalidator_done(struct invalidator *inv)
{
        return counter(inv, &inv->done);
}

uint64_t invalidator_added(struct invalidator *inv)
{
        return counter(inv, &inv->added);
}

void invalidator_stop(struct invalidator *inv)
{
        pthread_mutex_lock(&inv->mutex);
        inv->stop = true;
        pthread_cond_signal(&inv->changed);
        pthread_mutex_unlock(&inv->mutex);
}

bool invalidator_busy(struct invalidator *inv)
{
        bool busy;

        pthread_mutex_lock(&inv->mutex);
        busy = inv->done < inv->begun;
        pthread_mutex_unlock(&inv->mutex);
        return busy;
}

void invalidator_free(struct invalidator *inv)
{
        struct item *item;

        if (!inv)
                return;
        invalidator_stop(inv);
        pthread_join(inv->thread, NULL);
        while ((item = STAILQ_FIRST(&inv->items))) {
                STAILQ_REMOVE_HEAD(&inv->items, entry);
                free(item);
        }
        pthread_cond_destroy(&inv->changed);
        pthread_mutex_destroy(&inv->mutex);
        free(inv);
}
