/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is not used is given back: workers end, and the memory of slots. The worker for names stays, for it tells when the server goes
 * away. A look takes place a while after the last request, and again while there is something to be seen; then no timer runs.
 */

#include <stddef.h>

#include "core/clock.h"
#include "fuse/smb/pool-internal.h"

#define LOOKS 4u /* in the time after which the last worker for files ends; the others have but the time between two */

static void look_later(struct smb_pool *pool)
{
        pool->idle_planned = true;
        (void) sd_event_source_set_time(pool->idle_source, clock_now_usec(pool->config.event) + pool->config.idle_usec / LOOKS);
        (void) sd_event_source_set_enabled(pool->idle_source, SD_EVENT_ONESHOT);
}

static bool is_unused(const struct smb_link *link)
{
        return link->state == LINK_UP && link->n_requests == 0 && link->n_files == 0;
}

/* Ends the workers for files that have not been used for long. Returns whether one is left that may be next. */
static bool end_workers(struct smb_pool *pool, uint64_t now)
{
        bool later = false;

        for (unsigned i = 1; i < pool->n_links; i++) {
                struct smb_link *link = &pool->links[i];
                uint64_t life = i == 1 ? pool->config.idle_usec : pool->config.idle_usec / LOOKS;

                if (!is_unused(link))
                        continue;
                if (now - link->used_usec >= life) {
                        link_kill(link);
                        link->ended_idle = true;
                } else
                        later = true;
        }
        return later;
}

static bool is_quiet(const struct smb_pool *pool, uint64_t now)
{
        for (unsigned i = 0; i < pool->n_links; i++)
                if (pool->links[i].n_requests > 0 || now - pool->links[i].used_usec < pool->config.idle_usec / LOOKS)
                        return false;
        return true;
}

static int on_idle(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct smb_pool *pool = userdata;
        uint64_t now = clock_now_usec(pool->config.event);
        bool later = end_workers(pool, now), quiet = is_quiet(pool, now);

        (void) source;
        (void) usec;
        pool->idle_planned = false;
        if (quiet)
                arena_trim(&pool->arena);
        if (later || !quiet)
                look_later(pool);
        return 0;
}

int idle_init(struct smb_pool *pool)
{
        int r = sd_event_add_time(pool->config.event, &pool->idle_source, CLOCK_MONOTONIC, UINT64_MAX, 0, on_idle, pool);

        return r < 0 ? r : sd_event_source_set_enabled(pool->idle_source, SD_EVENT_OFF);
}

void idle_plan(struct smb_pool *pool)
{
        if (!pool->idle_planned && pool->config.idle_usec > 0 && !pool->closing)
                look_later(pool);
}
