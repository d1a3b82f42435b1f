/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One inotify descriptor for all folders. A watch begins only when wnetd is done with a folder, so that each event is
 * somebody else's; a watch that was removed has another number, so that what it had still to say is not heard.
 */

#include "core/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "core/log.h"
#include "core/manager.h"

struct watch {
        int fd;
        sd_event_source *source;
        struct manager *manager;
};

static void opened(struct watch *w, int number)
{
        struct connection *c, *found = NULL;

        TAILQ_FOREACH(c, &w->manager->connections, entry)
                if (c->watch == number)
                        found = c;
        if (!found)
                return;
        log_info("somebody opens the folder of %s", found->name);
        watch_end(w, found);
        manager_retry_now(found);
        if (found->state == CONNECTION_UNAVAILABLE) /* not tried, or in vain: it is watched again */
                manager_release_later(found);
}

static int on_events(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct watch *w = userdata;
        _Alignas(struct inotify_event) char buffer[4096];
        ssize_t n = read(fd, buffer, sizeof(buffer));

        (void) source;
        (void) revents;
        for (char *p = buffer; n > 0 && p < buffer + n;) {
                const struct inotify_event *event = (const struct inotify_event *) p;

                if (event->mask & IN_OPEN)
                        opened(w, event->wd);
                p += sizeof(*event) + event->len;
        }
        return 0;
}

int watch_new(struct manager *manager, struct watch **ret_watch)
{
        struct watch *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return -ENOMEM;
        w->manager = manager;
        w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        r = w->fd < 0 ? -errno : sd_event_add_io(manager->event, &w->source, w->fd, EPOLLIN, on_events, w);
        if (r < 0) {
                watch_free(w);
                return r;
        }
        *ret_watch = w;
        return 0;
}

void watch_free(struct watch *w)
{
        if (!w)
                return;
        sd_event_source_disable_unref(w->source);
        if (w->fd >= 0)
                close(w->fd);
        free(w);
}

void watch_folder(struct watch *w, struct connection *c)
{
        watch_end(w, c);
        if (!w || c->state != CONNECTION_UNAVAILABLE || !c->retry_wanted)
                return;
        c->watch = inotify_add_watch(w->fd, c->mountpoint, IN_OPEN | IN_DONT_FOLLOW);
        if (c->watch < 0)
                c->watch = 0;
}

void watch_end(struct watch *w, struct connection *c)
{
        if (w && c->watch > 0)
                (void) inotify_rm_watch(w->fd, c->watch);
        c->watch = 0;
}
