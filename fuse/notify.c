/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One thread per job. It shares with the event loop only the counter, the stop flag and the eventfd.
 */

#include "fuse/notify.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

struct notify_job {
        struct fuse_session *session;
        uint64_t *inos;
        size_t n;
        _Atomic size_t sent;
        _Atomic bool stop, ended;
        int event_fd;
        pthread_t thread;
        sd_event_source *source;
        void (*done)(void *userdata);
        void *userdata;
};

static void *run(void *argument)
{
        struct notify_job *job = argument;

        for (size_t i = 0; i < job->n && !atomic_load(&job->stop); i++) {
                int r = fuse_lowlevel_notify_inval_inode(job->session, job->inos[i], 0, 0);

                if (r == -ENODEV || r == -ENOTCONN)
                        break;
                atomic_fetch_add(&job->sent, 1);
        }
        atomic_store(&job->ended, true);
        (void) eventfd_write(job->event_fd, 1);
        return NULL;
}

static int on_done(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct notify_job *job = userdata;

        (void) fd;
        (void) revents;
        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        job->done(job->userdata);
        return 0;
}

int notify_start(sd_event *event, struct fuse_session *session, uint64_t *inos, size_t n, void (*done)(void *userdata),
                 void *userdata, struct notify_job **ret_job)
{
        struct notify_job *job = calloc(1, sizeof(*job));
        sigset_t all, before;
        int r;

        if (!job) {
                free(inos);
                return -ENOMEM;
        }
        job->session = session;
        job->inos = inos;
        job->n = n;
        job->done = done;
        job->userdata = userdata;
        job->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = job->event_fd < 0 ? -errno : sd_event_add_io(event, &job->source, job->event_fd, EPOLLIN, on_done, job);
        if (r >= 0) {
                sigfillset(&all);
                pthread_sigmask(SIG_SETMASK, &all, &before);
                r = -pthread_create(&job->thread, NULL, run, job);
                pthread_sigmask(SIG_SETMASK, &before, NULL);
        }
        if (r < 0) {
                sd_event_source_disable_unref(job->source);
                if (job->event_fd >= 0)
                        close(job->event_fd);
                free(job->inos);
                free(job);
                return r;
        }
        *ret_job = job;
        return 0;
}

size_t notify_progress(const struct notify_job *job)
{
        return atomic_load(&job->sent);
}

void notify_stop(struct notify_job *job)
{
        atomic_store(&job->stop, true);
}

bool notify_busy(const struct notify_job *job)
{
        return !atomic_load(&job->ended);
}

void notify_free(struct notify_job *job)
{
        if (!job)
                return;
        notify_stop(job);
        pthread_join(job->thread, NULL);
        sd_event_source_disable_unref(job->source);
        close(job->event_fd);
        free(job->inos);
        free(job);
}
