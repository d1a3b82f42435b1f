/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Changing a setting of the profile: tried again from a timer while the profile is locked.
 */

#include <errno.h>
#include <stdlib.h>

#include "core/manager.h"

#define PROFILE_WAIT_USEC (5 * 1000000ULL)
#define PROFILE_RETRY_USEC (50 * 1000ULL)

struct setting_change {
        struct manager *manager;
        bool persistent;
        uint64_t deadline_usec;
        sd_event_source *source;
        completion_fn done;
        void *userdata;
};

static uint64_t now_usec(const struct manager *m)
{
        uint64_t now = 0;

        (void) sd_event_now(m->event, CLOCK_MONOTONIC, &now);
        return now;
}

static int on_try(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct setting_change *s = userdata;
        struct profile_change *change = NULL;
        struct wn_error err = { 0 };
        int r = profile_stage_persistence(s->manager->profile_path, s->persistent, &change, &err);

        (void) source;
        (void) usec;
        if (r == 0)
                r = profile_commit(change, &err);
        if (r == -EBUSY && now_usec(s->manager) < s->deadline_usec) {
                (void) sd_event_source_set_time_relative(s->source, PROFILE_RETRY_USEC);
                (void) sd_event_source_set_enabled(s->source, SD_EVENT_ONESHOT);
                return 0;
        }
        if (r == -EBUSY)
                r = ERROR_CANNOT_OPEN_PROFILE;
        s->done(s->userdata, r == 0 ? 0 : status_from_result(r), &err);
        sd_event_source_disable_unref(s->source);
        free(s);
        return 0;
}

int manager_set_persistence(struct manager *m, bool persistent, completion_fn done, void *userdata)
{
        struct setting_change *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        *s = (struct setting_change){
                .manager = m, .persistent = persistent, .deadline_usec = now_usec(m) + PROFILE_WAIT_USEC,
                .done = done, .userdata = userdata,
        };
        r = sd_event_add_time_relative(m->event, &s->source, CLOCK_MONOTONIC, 0, 1, on_try, s);
        if (r < 0)
                free(s);
        return r < 0 ? r : 0;
}
