/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The table of connections: restoring at start, planned attempts, and the freeing of redirectors from outside their own
 * callbacks.
 */

#include "core/manager.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/fault.h"
#include "core/log.h"
#include "core/watch.h"

#define RETRY_MIN_USEC (5 * 1000000ULL)
#define RETRY_MAX_USEC (300 * 1000000ULL)
#define RESTORE_LOCKED_USEC (500 * 1000ULL) /* between two looks at a profile that is locked */
#define RESTORE_ASKED_USEC (1000 * 1000ULL) /* what somebody's question has found is his for so long, then it is connected by itself */
#define PROFILE_WAIT_USEC (5 * 1000000ULL) /* for a lock of another process */

struct connection *manager_find_device(struct manager *m, const struct device_name *device)
{
        struct connection *c;

        TAILQ_FOREACH(c, &m->connections, entry)
                if (c->has_device && c->state != CONNECTION_GONE && strcmp(c->device.text, device->text) == 0)
                        return c;
        return NULL;
}

void manager_record(const struct connection *c, const char *event, const char *detail, const struct caller *caller)
{
        _cleanup_free_ char *remote = remote_name_to_unc(&c->remote);

        history_add(c->manager->history, c->name, remote ? remote : "", event, detail, caller);
}

/* Has the profile read, for the first time or once more. */
static void restore_after(struct manager *m, uint64_t usec)
{
        (void) sd_event_source_set_time_relative(m->restore_source, usec);
        (void) sd_event_source_set_enabled(m->restore_source, SD_EVENT_ONESHOT);
}

/* ---- release ---- */

void manager_release(struct manager *m)
{
        struct connection *c, *next;

        for (c = TAILQ_FIRST(&m->connections); c; c = next) {
                next = TAILQ_NEXT(c, entry);
                if (!c->release_pending || c->cancel)
                        continue;
                c->release_pending = false;
                m->ops->free(c);
                m->ops->folder(c, c->state != CONNECTION_GONE);
                watch_folder(m->watch, c);
                if (c->state != CONNECTION_GONE)
                        continue;
                if (c->has_other_row) /* of its device, which is free now */
                        restore_after(m, 0);
                connection_free(c);
        }
}

static int on_release(sd_event_source *source, void *userdata)
{
        (void) source;
        manager_release(userdata);
        return 0;
}

void manager_release_later(struct connection *c)
{
        c->release_pending = true;
        (void) sd_event_source_set_enabled(c->manager->release_source, SD_EVENT_ONESHOT);
}

/* ---- planned attempts ---- */

static uint64_t retry_distance(unsigned retries)
{
        uint64_t distance = retries < 8 ? RETRY_MIN_USEC << retries : RETRY_MAX_USEC;

        return distance < RETRY_MAX_USEC ? distance : RETRY_MAX_USEC;
}

static void plan_after(struct connection *c, uint64_t usec)
{
        c->next_retry_usec = clock_real_usec() + usec;
        c->retry_at_usec = clock_now_usec(c->manager->event) + usec;
}

static void arm_retry(struct manager *m)
{
        const struct connection *c;
        uint64_t next = UINT64_MAX;

        TAILQ_FOREACH(c, &m->connections, entry)
                if (c->next_retry_usec != 0 && c->retry_at_usec < next)
                        next = c->retry_at_usec;
        (void) sd_event_source_set_time(m->retry_source, next);
        (void) sd_event_source_set_enabled(m->retry_source, next == UINT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct manager *m = userdata;
        struct connection *c;
        uint64_t now = clock_now_usec(m->event);

        (void) source;
        (void) usec;
        manager_release(m);
        TAILQ_FOREACH(c, &m->connections, entry) {
                if (c->next_retry_usec == 0 || c->retry_at_usec > now)
                        continue;
                if (c->cancel || m->shutting_down) { /* both may be refused yet */
                        c->retry_at_usec = now + RETRY_MIN_USEC;
                        continue;
                }
                c->next_retry_usec = 0;
                if (c->state == CONNECTION_UNAVAILABLE)
                        manager_reconnect(c);
        }
        arm_retry(m);
        return 0;
}

void manager_retry_now(struct connection *c)
{
        struct manager *m = c->manager;

        if (c->state != CONNECTION_UNAVAILABLE || c->next_retry_usec == 0 || c->cancel || m->shutting_down)
                return;
        manager_release(m);
        c->next_retry_usec = 0;
        manager_reconnect(c);
        arm_retry(m);
}

void manager_session_began(const struct connection *c)
{
        struct manager *m = c->manager;
        struct connection *other;

        TAILQ_FOREACH(other, &m->connections, entry) {
                if (!remote_name_same_server(&other->remote, &c->remote))
                        continue;
                if (other->attempt)
                        attempt_session_began(other);
                else if (other->wants_session && other->state == CONNECTION_UNAVAILABLE)
                        manager_session_wanted(other);
        }
}

void manager_session_wanted(struct connection *c)
{
        c->retry_wanted = true;
        plan_after(c, 0);
        arm_retry(c->manager);
}

void manager_plan_retry(struct connection *c)
{
        c->next_retry_usec = 0;
        if (c->retry_wanted && !c->manager->shutting_down)
                plan_after(c, retry_distance(c->retries++));
        arm_retry(c->manager);
}

void manager_abandon(struct manager *m, const void *owner, bool ended)
{
        cancel_abandon(m, owner);
        attempt_abandon(m, owner, ended);
}

/* ---- the profile, while it is locked ---- */

uint64_t manager_profile_deadline(const struct manager *m)
{
        return clock_now_usec(m->event) + PROFILE_WAIT_USEC;
}

bool manager_profile_again(const struct manager *m, int result, uint64_t *deadline_usec)
{
        if (result == -EBUSY && m->n_staged > 0)
                *deadline_usec = manager_profile_deadline(m);
        return result == -EBUSY && clock_now_usec(m->event) < *deadline_usec;
}

/* ---- restoring ---- */

bool manager_expects_rows(const struct manager *m)
{
        return m->restore_pending && m->restore_result == -EBUSY;
}

bool manager_may_have_row(const struct connection *c)
{
        return c->remembered || c->has_other_row || manager_expects_rows(c->manager);
}

/* The user of a row whose password is in the Secret Service; NULL: it is not, or without memory. */
static char *saved_user_of(const struct profile_row *row)
{
        const struct credentials credentials = { .user = row->user, .domain = row->domain };

        return row->secret == PROFILE_SECRET_SERVICE ? credentials_user_text(&credentials) : NULL;
}

/* What c is to be connected with, by its row. 0 or -ENOMEM. */
static int keep_row(struct connection *c, const struct profile_row *row)
{
        struct kept_credentials *kept = calloc(1, sizeof(*kept));

        if (!kept)
                return -ENOMEM;
        *kept = (struct kept_credentials){ .any = true, .replaced = true, .read_only = row->read_only };
        c->kept = kept;
        if ((row->user && !(kept->credentials.user = strdup(row->user))) || (row->domain && !(kept->credentials.domain = strdup(row->domain))) ||
            (row->secret == PROFILE_SECRET_FILE && !(kept->file = strdup(row->credentials_file))))
                return -ENOMEM;
        return 0;
}

/* A row whose device is connected already, since the profile could not be read when that was done. */
static int adopt_connected(struct connection *c, const struct profile_row *row, const struct remote_name *remote)
{
        if (!remote_name_equal(&c->remote, remote)) {
                c->has_other_row = true;
                c->other_row_saved = row->secret == PROFILE_SECRET_SERVICE;
                return ERROR_ALREADY_ASSIGNED;
        }
        if (c->remembered)
                return 0;
        c->remembered = c->retry_wanted = true;
        if (!c->saved_user)
                c->saved_user = saved_user_of(row);
        return row->secret == PROFILE_SECRET_SERVICE && !c->saved_user ? -ENOMEM : keep_row(c, row);
}

static int adopt_row(struct manager *m, const struct profile_row *row, bool asked)
{
        _cleanup_(remote_name_done) struct remote_name remote = { 0 };
        struct device_name device;
        struct connection *c;
        int r = device_parse(row->device, &device);

        if (r == 0)
                r = remote_name_parse(row->remote, &remote);
        if (r != 0)
                return r;
        c = manager_find_device(m, &device);
        if (c)
                return adopt_connected(c, row, &remote);
        c = connection_new(m, &device, &remote);
        if (!c)
                return -ENOMEM;
        c->remembered = true;
        c->retry_wanted = !m->restored;
        c->read_only = row->read_only;
        c->since_usec = clock_real_usec();
        if ((row->user && !(c->credentials.user = strdup(row->user))) ||
            (row->domain && !(c->credentials.domain = strdup(row->domain))) ||
            (row->secret == PROFILE_SECRET_FILE && !(c->credentials_file = strdup(row->credentials_file))) ||
            (row->secret == PROFILE_SECRET_SERVICE && !(c->saved_user = saved_user_of(row))))
                return -ENOMEM;
        m->ops->folder(c, true);
        watch_folder(m->watch, c);
        FAULT_POINT("restore.folder");
        if (m->restored)
                connection_set_state(c, CONNECTION_UNAVAILABLE, "disconnected");
        else if (asked) {
                connection_set_state(c, CONNECTION_UNAVAILABLE, "it is connected in a moment");
                plan_after(c, RESTORE_ASKED_USEC);
                arm_retry(m);
        } else
                manager_reconnect(c);
        return 0;
}

/* It is read again when its time has come, and earlier when somebody asks. */
static void restore_failed(struct manager *m, int r, bool asked, const struct wn_error *err)
{
        if (r != m->restore_result && r == -EBUSY)
                log_info("the profile is locked by another program; it is read as soon as it is not");
        else if (r != m->restore_result)
                log_warning("no drive can be restored yet: %s", err->text);
        m->restore_result = r;
        m->restore_pending = !m->restored;
        if (r == -EBUSY)
                restore_after(m, RESTORE_LOCKED_USEC);
        else if (!asked)
                restore_after(m, retry_distance(m->restore_retries++));
}

/* asked: by somebody who may want a device of it himself. */
static int restore(struct manager *m, bool asked, struct wn_error *err)
{
        struct profile_rows rows = { 0 };
        int r = profile_load(m->profile_path, &rows, err);

        if (r == -ENOMEM)
                r = error_set(err, ERROR_EXTENDED_ERROR, ENOMEM, "profile", "wnetd is out of memory");
        if (r != 0) {
                restore_failed(m, r, asked, err);
                return r;
        }
        m->restore_pending = false;
        m->restore_result = 0;
        m->restore_retries = 0;
        (void) sd_event_source_set_enabled(m->restore_source, SD_EVENT_OFF);
        FAULT_POINT("restore.loaded");
        for (size_t i = 0; i < rows.n_items; i++) {
                r = adopt_row(m, &rows.items[i], asked);
                if (r != 0)
                        log_warning("%s cannot be restored: %s", rows.items[i].device,
                                    r < 0 ? strerror(-r) : status_message(r));
        }
        m->restored = true;
        profile_rows_done(&rows);
        return 0;
}

void manager_restore(struct manager *m)
{
        struct wn_error err = { 0 };

        (void) restore(m, false, &err);
}

int manager_restore_again(struct manager *m, struct wn_error *err)
{
        struct wn_error unread = { 0 };
        int r = m->restore_pending ? restore(m, true, &unread) : 0;

        if (r != 0 && err)
                *err = unread;
        return r;
}

static int on_restore(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void) source;
        (void) usec;
        manager_restore(userdata);
        return 0;
}

/* ---- life ---- */

int manager_init(struct manager *m, sd_event *event, const struct redirector_ops *ops, const char *drives_dir,
                 const char *profile_path)
{
        int r;

        *m = (struct manager){ .event = event, .ops = ops };
        TAILQ_INIT(&m->connections);
        TAILQ_INIT(&m->cancels);
        LIST_INIT(&m->settings);
        m->drives_dir = strdup(drives_dir);
        m->profile_path = strdup(profile_path);
        if (!m->drives_dir || !m->profile_path)
                return -ENOMEM;
        r = sd_event_add_time(event, &m->retry_source, CLOCK_MONOTONIC, UINT64_MAX, 0, on_retry, m);
        if (r >= 0)
                r = sd_event_source_set_enabled(m->retry_source, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(event, &m->restore_source, CLOCK_MONOTONIC, UINT64_MAX, 0, on_restore, m);
        if (r >= 0)
                r = sd_event_source_set_enabled(m->restore_source, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(event, &m->release_source, on_release, m);
        if (r >= 0)
                r = sd_event_source_set_enabled(m->release_source, SD_EVENT_OFF);
        return r < 0 ? r : 0;
}

void manager_done(struct manager *m)
{
        struct connection *c;

        m->changed = NULL;
        m->shutting_down = true;
        cancel_end_all(m);
        setting_end_all(m);
        while ((c = TAILQ_FIRST(&m->connections))) {
                if (c->attempt)
                        attempt_end(c);
                c->cancel = NULL;
                m->ops->free(c);
                connection_free(c);
        }
        watch_free(m->watch);
        history_close(m->history);
        sd_event_source_disable_unref(m->restore_source);
        sd_event_source_disable_unref(m->retry_source);
        sd_event_source_disable_unref(m->release_source);
        free(m->drives_dir);
        free(m->profile_path);
}
