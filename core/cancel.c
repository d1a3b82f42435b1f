/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Disconnecting: the one path that every disconnection takes, from `wnet cancel` to the end of the daemon.
 *
 *   resolve → stage the profile → freeze → count → unmount, or revoke when forced → commit and verify →
 *   remove the saved password, if the row said that there is one → answer
 *
 * Nothing is changed before everything that can refuse has been asked; what was staged or unmounted is put back when a later
 * step refuses. A connection belongs to one cancel at a time (c->cancel); another one for it waits, and resolves anew.
 * Completions of the redirector only note their result: each step runs from the event loop.
 *
 * The first two steps and the last one are in cancel-resolve.c and cancel-forget.c; cancel-wait.c begins one anew that waits for
 * holders.
 */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cancel-internal.h"
#include "core/clock.h"
#include "core/fault.h"
#include "core/log.h"
#include "core/mountinfo.h"
#include "core/password.h"

#define UNMOUNT_TRIES_USEC (100 * 1000ULL) /* a mount that is busy for a moment: a program that just ends */
#define UNMOUNT_REQUESTS_USEC (1000 * 1000ULL) /* likewise, as long as a look-up is still on its way to a far server */
#define UNMOUNT_RETRY_USEC (10 * 1000ULL)

static int on_step(sd_event_source *source, uint64_t usec, void *userdata);

void cancel_step_after(struct cancel *x, uint64_t usec)
{
        x->step_source = sd_event_source_disable_unref(x->step_source);
        (void) sd_event_add_time_relative(x->manager->event, &x->step_source, CLOCK_MONOTONIC, usec, 1, on_step, x);
}

static void on_completed(void *userdata, int r, const struct wn_error *err)
{
        struct cancel *x = userdata;

        x->result = r;
        if (r != 0 && err && !x->outcome.err.text[0])
                x->outcome.err = *err;
        if (--x->n_waiting == 0)
                cancel_step_after(x, 0);
}

struct completion cancel_completion(struct cancel *x)
{
        x->n_waiting++;
        return (struct completion){ on_completed, x };
}

/* ---- the end ---- */

void cancel_wake(struct manager *m)
{
        struct cancel *x;

        TAILQ_FOREACH(x, &m->cancels, entry) {
                if (x->waiting)
                        cancel_step_after(x, 0);
                x->waiting = false;
        }
}

void cancel_finish(struct cancel *x)
{
        struct manager *m = x->manager;

        assert(!x->change && x->n_waiting == 0);
        if (x->outcome.status == NO_ERROR && x->phase != CANCEL_FORGET_PASSWORD)
                x->outcome.err = (struct wn_error){ 0 };
        if (x->outcome.status == NO_ERROR && x->outcome.note)
                error_set(&x->outcome.err, NO_ERROR, 0, "", "%s", x->outcome.note);
        if (x->outcome.status != NO_ERROR && !x->outcome.err.text[0])
                error_set(&x->outcome.err, x->outcome.status, 0, "cancel", "%s", status_message(x->outcome.status));
        TAILQ_REMOVE(&m->cancels, x, entry);
        sd_event_source_disable_unref(x->step_source);
        FAULT_POINT("cancel.answer");
        if (x->done)
                x->done(x->userdata, &x->outcome);
        cancel_outcome_done(&x->outcome);
        free(x->targets);
        free(x->name);
        free(x);
        cancel_wake(m);
}

void cancel_let_go(struct cancel *x, struct connection *c, bool forget)
{
        c->cancel = NULL;
        if (connection_is_live(c))
                manager_record(c, "disconnected", x->force ? "by force" : c->mount_lost ? "unmounted by another program" : "", &x->caller);
        if (forget) {
                c->remembered = c->has_other_row = c->other_row_saved = false;
                manager_record(c, "forgotten", "", &x->caller);
        }
        c->retry_wanted = c->wants_session = false; /* nothing reconnects it behind the user's back */
        c->next_retry_usec = 0;
        if (c->remembered)
                connection_set_state(c, CONNECTION_UNAVAILABLE, "disconnected");
        else
                connection_set_state(c, CONNECTION_GONE, "");
        c->release_pending = true;
}

void cancel_refuse(struct cancel *x, int status)
{
        x->outcome.status = x->outcome.err.status = status;
        cancel_rollback(x);
        for (size_t i = 0; i < x->n_targets; i++) {
                struct connection *c = x->targets[i];

                if (c->mount_lost)
                        cancel_let_go(x, c, false);
                else if (c->state == CONNECTION_CANCELLING) {
                        connection_set_state(c, c->state_before_cancel, c->reason);
                        c->since_usec = c->since_before_cancel_usec;
                }
                c->cancel = NULL;
                if (x->revive && c->state == CONNECTION_UNAVAILABLE) {
                        c->retry_wanted = true;
                        manager_plan_retry(c);
                }
        }
        manager_release(x->manager);
        if (!x->name)
                x->manager->shutting_down = false;
        if (cancel_wait_for_holders(x)) {
                cancel_wake(x->manager);
                return;
        }
        if (x->broken && x->name && cancel_is_in_use(x)) /* this one became connected after the others had gone: after the disconnection */
                cancel_outcome_done(&x->outcome);
        cancel_finish(x);
}

/* ---- 6: commit, verify ---- */

static bool mounts_are_gone(const struct cancel *x)
{
        struct mountinfo table = { 0 };
        bool gone = mountinfo_read(&table) == 0;

        for (size_t i = 0; gone && i < x->n_targets; i++) {
                const struct mountinfo_entry *entry = mountinfo_find(&table, x->targets[i]->mountpoint);

                gone = !entry || strcmp(entry->fstype, MOUNTINFO_FSTYPE) != 0;
        }
        mountinfo_done(&table);
        return gone;
}

static void put_back(struct cancel *x);

static void commit(struct cancel *x)
{
        bool forget = x->change != NULL;
        int r = cancel_commit_profile(x);

        if (r != 0) {
                x->outcome.status = ERROR_EXTENDED_ERROR;
                put_back(x);
                return;
        }
        FAULT_POINT("cancel.committed");
        if (!mounts_are_gone(x)) {
                error_set(&x->outcome.err, ERROR_EXTENDED_ERROR, 0, "verify", "%s is still in the mount table; see wnetd's log",
                          x->targets[0]->name);
                x->outcome.status = ERROR_EXTENDED_ERROR;
        }
        for (size_t i = 0; i < x->n_targets; i++)
                cancel_outcome_add_lost(&x->outcome, x->targets[i]);
        for (size_t i = 0; i < x->n_targets && !x->name; i++)
                cancel_outcome_add_kept(&x->outcome, x->targets[i]);
        if (x->n_targets == 1 && cancel_forget_password(x, x->targets[0])) {
                cancel_let_go(x, x->targets[0], false);
                x->targets[0]->cancel = x;
                return;
        }
        for (size_t i = 0; i < x->n_targets; i++)
                cancel_let_go(x, x->targets[i], forget);
        manager_release(x->manager);
        if (!x->device && x->outcome.status == NO_ERROR && x->n_targets > 0) { /* attempts that were put off */
                x->broken = true;
                x->n_unmounted = 0;
                x->phase = CANCEL_RESOLVE;
                cancel_step_after(x, 0);
                return;
        }
        cancel_finish(x);
}

/* ---- 5: unmount, or revoke ---- */

/* Mounts again what already went, then refuses. */
static void put_back(struct cancel *x)
{
        x->phase = CANCEL_PUT_BACK;
        if (x->n_unmounted > 0) {
                x->manager->ops->remount(x->targets[x->n_unmounted - 1], cancel_completion(x));
                return;
        }
        for (size_t i = 0; i < x->n_targets; i++)
                if (x->targets[i]->state == CONNECTION_CANCELLING)
                        x->manager->ops->thaw(x->targets[i]);
        cancel_refuse(x, x->outcome.status);
}

static void remounted(struct cancel *x)
{
        struct connection *c = x->targets[--x->n_unmounted];

        FAULT_POINT("cancel.remounted");
        if (x->result != 0) {
                log_error("%s could not be mounted again and is disconnected", c->name);
                cancel_let_go(x, c, false);
                c->cancel = x; /* until cancel_refuse() has let go of all targets */
        }
        put_back(x);
}

static void unmount_next(struct cancel *x)
{
        x->phase = CANCEL_UNMOUNT;
        if (x->n_unmounted == x->n_targets)
                commit(x);
        else
                x->manager->ops->unmount(x->targets[x->n_unmounted], cancel_completion(x));
}

static void begin_tries(struct cancel *x)
{
        x->deadline_usec = clock_now_usec(x->manager->event) + UNMOUNT_TRIES_USEC;
        x->requests_deadline_usec = clock_now_usec(x->manager->event) + UNMOUNT_REQUESTS_USEC;
}

static void refuse_opening(struct cancel *x, const struct connection *c)
{
        x->outcome.status = ERROR_OPEN_FILES;
        error_set(&x->outcome.err, ERROR_OPEN_FILES, 0, "unmount", "%s cannot be disconnected: a file is being opened", c->name);
        put_back(x);
}

static void unmounted(struct cancel *x)
{
        struct connection *c = x->targets[x->n_unmounted];

        if (x->result == 0) {
                FAULT_POINT("cancel.unmounted");
                x->outcome.err = (struct wn_error){ 0 };
                x->n_unmounted++;
                begin_tries(x);
                unmount_next(x);
                return;
        }
        if (x->n_unmounted == 0 && (x->manager->ops->opens_waiting(c) || c->handles.n > 0)) { /* it came between: let it work */
                refuse_opening(x, c);
                return;
        }
        if (x->manager->ops->requests_waiting(c) && clock_now_usec(x->manager->event) < x->requests_deadline_usec)
                x->deadline_usec = clock_now_usec(x->manager->event) + UNMOUNT_TRIES_USEC;
        if (x->n_unmounted > 0) /* others have gone, and cannot come back unseen: an open has lost the race now */
                x->manager->ops->fail_opens(c);
        if (x->result == -EBUSY && clock_now_usec(x->manager->event) < x->deadline_usec) {
                x->outcome.err = (struct wn_error){ 0 };
                x->phase = CANCEL_UNMOUNT_AGAIN;
                cancel_step_after(x, UNMOUNT_RETRY_USEC);
                return;
        }
        if (x->result == -EBUSY)
                cancel_outcome_add_busy(&x->outcome, c);
        else
                x->outcome.status = ERROR_EXTENDED_ERROR;
        put_back(x);
}

static void revoke_all(struct cancel *x)
{
        x->phase = CANCEL_REVOKE;
        for (size_t i = 0; i < x->n_targets; i++)
                x->manager->ops->revoke(x->targets[i], cancel_completion(x));
}

/* Several: what would refuse is asked of all before the first one goes. That one could be put back, but not unseen. */
static void check_all(struct cancel *x)
{
        const struct redirector_ops *ops = x->manager->ops;

        x->phase = CANCEL_CHECK;
        for (size_t i = 0; i < x->n_targets && x->n_targets > 1; i++) {
                struct connection *c = x->targets[i];
                bool asked = ops->requests_waiting(c) && clock_now_usec(x->manager->event) < x->requests_deadline_usec;

                if (ops->opens_waiting(c)) {
                        refuse_opening(x, c);
                        return;
                }
                if (!asked && !cancel_is_inside(c))
                        continue;
                if (asked || clock_now_usec(x->manager->event) < x->deadline_usec) {
                        cancel_step_after(x, asked ? UNMOUNT_RETRY_USEC : UNMOUNT_TRIES_USEC);
                        return;
                }
                cancel_outcome_add_busy(&x->outcome, c);
                put_back(x);
                return;
        }
        begin_tries(x);
        unmount_next(x);
}

/* ---- 3, 4: freeze, count ---- */

void cancel_freeze(struct cancel *x)
{
        x->phase = CANCEL_FREEZE;
        if (x->n_targets == 0) {
                commit(x);
                return;
        }
        for (size_t i = 0; i < x->n_targets; i++) {
                struct connection *c = x->targets[i];

                c->state_before_cancel = c->state;
                c->since_before_cancel_usec = c->since_usec;
                connection_set_state(c, CONNECTION_CANCELLING, c->reason);
        }
        if (x->force) {
                revoke_all(x);
                return;
        }
        for (size_t i = 0; i < x->n_targets; i++)
                x->manager->ops->freeze(x->targets[i], cancel_completion(x));
}

static void frozen(struct cancel *x)
{
        FAULT_POINT("cancel.frozen");
        for (size_t i = 0; i < x->n_targets; i++)
                cancel_outcome_add_open(&x->outcome, x->targets[i]);
        if (x->outcome.status != NO_ERROR) {
                put_back(x);
                return;
        }
        FAULT_POINT("cancel.counted");
        begin_tries(x);
        check_all(x);
}

static int on_step(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct cancel *x = userdata;

        (void) source;
        (void) usec;
        switch (x->phase) {
        case CANCEL_RESOLVE:
                cancel_resolve(x);
                break;
        case CANCEL_STAGE:
                cancel_stage(x);
                break;
        case CANCEL_FREEZE:
                frozen(x);
                break;
        case CANCEL_CHECK:
                check_all(x);
                break;
        case CANCEL_UNMOUNT:
                unmounted(x);
                break;
        case CANCEL_UNMOUNT_AGAIN:
                unmount_next(x);
                break;
        case CANCEL_REVOKE:
                FAULT_POINT("cancel.revoked");
                x->n_unmounted = x->n_targets;
                commit(x);
                break;
        case CANCEL_PUT_BACK:
                remounted(x);
                break;
        case CANCEL_FORGET_PASSWORD:
                cancel_forgotten(x);
                break;
        case CANCEL_WAIT:
                cancel_look_again(x);
                break;
        }
        return 0;
}

/* ---- the daemon's end ---- */

void cancel_end_all(struct manager *m)
{
        struct cancel *x;

        while ((x = TAILQ_FIRST(&m->cancels))) {
                x->n_waiting = 0;
                if (x->phase == CANCEL_FORGET_PASSWORD) { /* all but that is done */
                        password_cancel(x->targets[0]);
                        (void) password_say_left(x->targets[0], "wnetd has ended", &x->outcome.err);
                } else
                        x->outcome.status = error_set(&x->outcome.err, ERROR_CANCELLED, 0, "cancel", "wnetd has ended");
                cancel_rollback(x);
                cancel_finish(x);
        }
}

/* ---- begin ---- */

static int begin(struct manager *m, const struct cancel_request *request, bool forget_only, cancel_done_fn done, void *userdata)
{
        struct cancel *x = calloc(1, sizeof(*x));
        uint64_t now = clock_now_usec(m->event);

        if (x && request->name)
                x->name = strdup(request->name);
        if (!x || (request->name && !x->name)) {
                free(x);
                return -ENOMEM;
        }
        x->manager = m;
        x->flags = request->flags;
        x->force = request->force;
        x->forget_only = forget_only;
        x->caller = request->caller;
        x->done = done;
        x->userdata = userdata;
        if (!x->force && request->wait_usec > 0)
                x->give_up_usec = request->wait_usec > UINT64_MAX - now ? UINT64_MAX : now + request->wait_usec;
        TAILQ_INSERT_TAIL(&m->cancels, x, entry);
        cancel_step_after(x, 0);
        return 0;
}

int manager_cancel(struct manager *m, const struct cancel_request *request, cancel_done_fn done, void *userdata)
{
        return begin(m, request, false, done, userdata);
}

int manager_forget(struct manager *m, const char *local, const struct caller *caller, cancel_done_fn done, void *userdata)
{
        const struct cancel_request request = { .name = local, .flags = CONNECT_UPDATE_PROFILE, .caller = *caller };

        return begin(m, &request, true, done, userdata);
}

int manager_shutdown(struct manager *m, bool force, const struct caller *caller, cancel_done_fn done, void *userdata)
{
        const struct cancel_request request = { .force = force, .caller = *caller };

        return begin(m, &request, false, done, userdata);
}
