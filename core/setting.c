/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The profile's settings: asked again from a timer while the profile is locked, as it is while a disconnection is to change it.
 */

#include <errno.h>
#include <stdlib.h>

#include "core/manager.h"

struct setting_call {
        LIST_ENTRY(setting_call) entry;
        struct manager *manager;
        bool store; /* else load */
        bool persistent;
        uint64_t deadline_usec;
        sd_event_source *source;
        setting_done_fn done;
        void *userdata;
};

static void finish(struct setting_call *s, int status, const struct wn_error *err)
{
        LIST_REMOVE(s, entry);
        s->done(s->userdata, status, s->persistent, err);
        sd_event_source_disable_unref(s->source);
        free(s);
}

static int try(struct setting_call *s, struct wn_error *err)
{
        struct profile_change *change = NULL;
        int r;

        if (!s->store)
                return profile_load_persistence(s->manager->profile_path, &s->persistent, err);
        r = profile_stage_persistence(s->manager->profile_path, s->persistent, &change, err);
        return r == 0 ? profile_commit(change, err) : r;
}

static int on_try(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct setting_call *s = userdata;
        struct wn_error err = { 0 };
        int r = try(s, &err);

        (void) source;
        (void) usec;
        if (manager_profile_again(s->manager, r, &s->deadline_usec)) {
                (void) sd_event_source_set_time_relative(s->source, PROFILE_RETRY_USEC);
                (void) sd_event_source_set_enabled(s->source, SD_EVENT_ONESHOT);
                return 0;
        }
        if (r == -EBUSY)
                r = ERROR_CANNOT_OPEN_PROFILE;
        finish(s, r == 0 ? NO_ERROR : status_from_result(r), &err);
        return 0;
}

static int begin(struct manager *m, bool store, bool persistent, setting_done_fn done, void *userdata)
{
        struct setting_call *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        *s = (struct setting_call){
                .manager = m, .store = store, .persistent = persistent, .deadline_usec = manager_profile_deadline(m), .done = done,
                .userdata = userdata,
        };
        r = sd_event_add_time_relative(m->event, &s->source, CLOCK_MONOTONIC, 0, 1, on_try, s);
        if (r < 0) {
                free(s);
                return r;
        }
        LIST_INSERT_HEAD(&m->settings, s, entry);
        return 0;
}

int manager_set_persistence(struct manager *m, bool persistent, setting_done_fn done, void *userdata)
{
        return begin(m, true, persistent, done, userdata);
}

int manager_get_persistence(struct manager *m, setting_done_fn done, void *userdata)
{
        return begin(m, false, true, done, userdata);
}

void setting_end_all(struct manager *m)
{
        struct setting_call *s;

        while ((s = LIST_FIRST(&m->settings))) {
                struct wn_error err = { 0 };

                finish(s, error_set(&err, ERROR_CANCELLED, 0, "profile", "wnetd has ended"), &err);
        }
}
