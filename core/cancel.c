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
 */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/fault.h"
#include "core/log.h"
#include "core/manager.h"
#include "core/mountinfo.h"
#include "core/password.h"

#define UNMOUNT_TRIES_USEC (100 * 1000ULL) /* a mount that is busy for a moment: a program that just ends */
#define UNMOUNT_REQUESTS_USEC (1000 * 1000ULL) /* likewise, as long as a look-up is still on its way to a far server */
#define UNMOUNT_RETRY_USEC (10 * 1000ULL)
#define WAIT_OPEN_USEC (100 * 1000ULL) /* between two looks whether the last holder has let go: at our own table, */
#define WAIT_BUSY_USEC (1000 * 1000ULL) /* or by another attempt to unmount */

enum cancel_phase {
        CANCEL_RESOLVE,
        CANCEL_STAGE,
        CANCEL_FREEZE,
        CANCEL_CHECK,
        CANCEL_UNMOUNT,
        CANCEL_UNMOUNT_AGAIN,
        CANCEL_REVOKE,
        CANCEL_PUT_BACK,
        CANCEL_FORGET_PASSWORD,
        CANCEL_WAIT,
};

struct cancel {
        TAILQ_ENTRY(cancel) entry;
        struct manager *manager;
        char *name; /* NULL: everything, for the daemon's end */
        uint32_t flags;
        bool force;
        bool forget_only; /* the row goes, a connection stays */
        uint64_t give_up_usec; /* how long to wait for holders, CLOCK_MONOTONIC; 0: not at all */
        struct caller caller;
        const void *owner;
        bool abandoned; /* nobody waits for the answer any more */
        cancel_done_fn done;
        void *userdata;

        enum cancel_phase phase;
        bool device;        /* name is a device's */
        bool waiting;       /* for another cancel or an attempt to end: cancel_wake() */
        struct connection **targets;
        size_t n_targets;
        bool revive;        /* it would have been tried again: so it is when the cancel is refused */
        bool ended_attempt; /* a connection attempt was ended: there was something to cancel */
        bool broken;        /* what was connected is gone: only what was still connecting is left */
        size_t n_unmounted; /* targets before this one have no mount any more */
        unsigned n_waiting; /* completions that are to come */
        int result;         /* of the last completion */
        uint64_t deadline_usec;
        uint64_t requests_deadline_usec; /* up to then a request that is on its way puts the other one off */
        struct profile_change *change;
        sd_event_source *step_source;
        struct cancel_outcome outcome;
};

static int on_step(sd_event_source *source, uint64_t usec, void *userdata);

static void step_after(struct cancel *x, uint64_t usec)
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
                step_after(x, 0);
}

static struct completion completion(struct cancel *x)
{
        x->n_waiting++;
        return (struct completion){ on_completed, x };
}

/* ---- the end ---- */

/* Ends a staged change: 0, or what profile_commit() answers. */
static int commit_profile(struct cancel *x)
{
        FAULT_POINT("cancel.commit");
        x->manager->n_staged -= x->change != NULL;
        return profile_commit(TAKE_PTR(x->change), &x->outcome.err);
}

static void rollback(struct cancel *x)
{
        x->manager->n_staged -= x->change != NULL;
        profile_rollback(TAKE_PTR(x->change));
}

void cancel_wake(struct manager *m)
{
        struct cancel *x;

        TAILQ_FOREACH(x, &m->cancels, entry) {
                if (x->waiting)
                        step_after(x, 0);
                x->waiting = false;
        }
}

/* Answers with outcome.status and frees. The targets have been let go of. */
static void finish(struct cancel *x)
{
        struct manager *m = x->manager;

        assert(!x->change && x->n_waiting == 0);
        if (x->outcome.status == NO_ERROR && x->phase != CANCEL_FORGET_PASSWORD)
                x->outcome.err = (struct wn_error){ 0 };
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

/* The connection has no mount any more: what it is from now on. */
static void let_go(struct cancel *x, struct connection *c, bool forget)
{
        c->cancel = NULL;
        if (connection_is_live(c))
                manager_record(c, "disconnected", x->force ? "by force" : c->mount_lost ? "unmounted by another program" : "", &x->caller);
        if (forget) {
                c->remembered = false;
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

static bool is_in_use(const struct cancel *x)
{
        return x->outcome.status == ERROR_OPEN_FILES || x->outcome.status == ERROR_DEVICE_IN_USE;
}

/* Refused because of its holders: whether to wait until they let go. Then everything is as it was before the first step. */
static bool wait_for_holders(struct cancel *x)
{
        if (!is_in_use(x) || clock_now_usec(x->manager->event) >= x->give_up_usec)
                return false;
        x->phase = CANCEL_WAIT;
        step_after(x, x->outcome.status == ERROR_OPEN_FILES ? WAIT_OPEN_USEC : WAIT_BUSY_USEC);
        return true;
}

static void refuse(struct cancel *x, int status)
{
        x->outcome.status = x->outcome.err.status = status;
        rollback(x);
        for (size_t i = 0; i < x->n_targets; i++) {
                struct connection *c = x->targets[i];

                if (c->mount_lost)
                        let_go(x, c, false);
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
        if (wait_for_holders(x)) {
                cancel_wake(x->manager);
                return;
        }
        if (x->broken && x->name && is_in_use(x)) /* this one became connected after the others had gone: after the disconnection */
                cancel_outcome_done(&x->outcome);
        finish(x);
}

static bool name_is_open(struct cancel *x);

/* Still refused while a file is open, as far as our own table tells; else everything is asked anew. */
static void look_again(struct cancel *x)
{
        if (x->abandoned) {
                finish(x);
                return;
        }
        if (name_is_open(x) && clock_now_usec(x->manager->event) < x->give_up_usec) {
                step_after(x, WAIT_OPEN_USEC);
                return;
        }
        cancel_outcome_done(&x->outcome);
        x->phase = CANCEL_RESOLVE;
        x->revive = x->ended_attempt = false;
        step_after(x, 0);
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

/* The row is gone, and the mount unless it is to stay: now the saved password, for which c is kept. Whether there is one. */
static bool forget_password(struct cancel *x, struct connection *c)
{
        int r;

        if (!x->device || !(x->flags & CONNECT_UPDATE_PROFILE) || !c->saved_user)
                return false;
        x->phase = CANCEL_FORGET_PASSWORD;
        r = password_forget(c, completion(x));
        if (r == 0)
                return true;
        x->n_waiting--;
        log_warning("the saved password of %s could not be removed: %s", c->name, strerror(-r));
        return false;
}

/* The device is remembered no longer, and its password neither, or outcome.err tells why. */
static void forgotten(struct cancel *x)
{
        struct connection *c = x->targets[0];

        free(TAKE_PTR(c->saved_user));
        if (connection_is_live(c) && !c->mount_lost) {
                c->cancel = NULL;
                c->remembered = c->retry_wanted = false;
                manager_record(c, "forgotten", "", &x->caller);
        } else
                let_go(x, c, true);
        manager_release(x->manager);
        finish(x);
}

static void put_back(struct cancel *x);

static void commit(struct cancel *x)
{
        bool forget = x->change != NULL;
        int r = commit_profile(x);

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
        if (x->n_targets == 1 && forget_password(x, x->targets[0])) {
                let_go(x, x->targets[0], false);
                x->targets[0]->cancel = x;
                return;
        }
        for (size_t i = 0; i < x->n_targets; i++)
                let_go(x, x->targets[i], forget);
        manager_release(x->manager);
        if (!x->device && x->outcome.status == NO_ERROR && x->n_targets > 0) { /* attempts that were put off */
                x->broken = true;
                x->n_unmounted = 0;
                x->phase = CANCEL_RESOLVE;
                step_after(x, 0);
                return;
        }
        finish(x);
}

/* ---- 5: unmount, or revoke ---- */

/* Mounts again what already went, then refuses. */
static void put_back(struct cancel *x)
{
        x->phase = CANCEL_PUT_BACK;
        if (x->n_unmounted > 0) {
                x->manager->ops->remount(x->targets[x->n_unmounted - 1], completion(x));
                return;
        }
        for (size_t i = 0; i < x->n_targets; i++)
                if (x->targets[i]->state == CONNECTION_CANCELLING)
                        x->manager->ops->thaw(x->targets[i]);
        refuse(x, x->outcome.status);
}

static void remounted(struct cancel *x)
{
        struct connection *c = x->targets[--x->n_unmounted];

        FAULT_POINT("cancel.remounted");
        if (x->result != 0) {
                log_error("%s could not be mounted again and is disconnected", c->name);
                let_go(x, c, false);
                c->cancel = x; /* until refuse() has let go of all targets */
        }
        put_back(x);
}

static void unmount_next(struct cancel *x)
{
        x->phase = CANCEL_UNMOUNT;
        if (x->n_unmounted == x->n_targets)
                commit(x);
        else
                x->manager->ops->unmount(x->targets[x->n_unmounted], completion(x));
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
                step_after(x, UNMOUNT_RETRY_USEC);
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
                x->manager->ops->revoke(x->targets[i], completion(x));
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
                        step_after(x, asked ? UNMOUNT_RETRY_USEC : UNMOUNT_TRIES_USEC);
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

static void freeze(struct cancel *x)
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
                x->manager->ops->freeze(x->targets[i], completion(x));
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

/* ---- 2: stage ---- */

/* The device whose row is to go, or NULL: only one that is remembered, named as a device. */
static struct connection *to_forget(struct cancel *x, struct connection *c)
{
        return x->device && (x->flags & CONNECT_UPDATE_PROFILE) && c->remembered ? c : NULL;
}

static void stage(struct cancel *x)
{
        struct connection *c = x->targets[0];
        int r = profile_stage_delete(x->manager->profile_path, c->device.text, &x->change, &x->outcome.err);

        assert(!c->attempt); /* nobody begins one while c->cancel is set */
        x->phase = CANCEL_STAGE;
        if (manager_profile_again(x->manager, r, &x->deadline_usec)) {
                x->outcome.err = (struct wn_error){ 0 };
                step_after(x, PROFILE_RETRY_USEC);
                return;
        }
        x->manager->n_staged += x->change != NULL;
        if (r != 0) {
                refuse(x, r == -EBUSY ? ERROR_CANNOT_OPEN_PROFILE : status_from_result(r));
                return;
        }
        FAULT_POINT("cancel.staged");
        if (!x->change) /* the row had gone already */
                c->remembered = false;
        if (connection_is_live(c) && !x->forget_only) {
                freeze(x);
                return;
        }
        r = commit_profile(x);
        if (r != 0) {
                refuse(x, ERROR_EXTENDED_ERROR);
                return;
        }
        FAULT_POINT("cancel.committed");
        if (!forget_password(x, c))
                forgotten(x);
}

/* ---- 1: resolve ---- */

static int add_target(struct cancel *x, struct connection *c)
{
        struct connection **grown = realloc(x->targets, (x->n_targets + 1) * sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        x->targets = grown;
        x->targets[x->n_targets++] = c;
        return 0;
}

/* Finds what x->name means. */
static void find_targets(struct cancel *x)
{
        struct device_name device;
        _cleanup_(remote_name_done) struct remote_name remote = { 0 };
        struct connection *c;

        x->n_targets = 0;
        x->device = x->name && device_parse(x->name, &device) == 0;
        if (x->device) {
                c = manager_find_device(x->manager, &device);
                if (c)
                        (void) add_target(x, c);
                return;
        }
        if (x->name && remote_name_parse(x->name, &remote) != 0)
                return;
        TAILQ_FOREACH(c, &x->manager->connections, entry)
                if (connection_is_live(c) && (!x->name || remote_name_equal(&c->remote, &remote)))
                        (void) add_target(x, c);
}

/* Whether a file is open on what x->name stands for. */
static bool name_is_open(struct cancel *x)
{
        bool open = false;

        find_targets(x);
        for (size_t i = 0; i < x->n_targets; i++)
                open = open || x->targets[i]->handles.n > 0;
        x->n_targets = 0;
        return open;
}

static void not_connected(struct cancel *x, bool remembered)
{
        if (x->forget_only)
                error_set(&x->outcome.err, ERROR_NOT_CONNECTED, 0, "resolve",
                          "%s is not remembered: there is nothing to forget; wnet list shows what is", x->name);
        else if (remembered)
                error_set(&x->outcome.err, ERROR_NOT_CONNECTED, 0, "resolve",
                          "%s is remembered, but not connected now; to forget it: wnet cancel %s --forget", x->name, x->name);
        else
                error_set(&x->outcome.err, ERROR_NOT_CONNECTED, 0, "resolve",
                          "%.80s is not connected; wnet list shows what is", *x->name ? x->name : "\"\"");
        x->n_targets = 0;
        refuse(x, ERROR_NOT_CONNECTED);
}

/* Ends the attempts under way. Targets that are gone with it are no targets any more. Returns whether all have ended. */
static bool end_attempts(struct cancel *x)
{
        size_t n = 0;
        bool ended = true;

        for (size_t i = 0; i < x->n_targets; i++) {
                struct connection *c = x->targets[i];

                if (c->attempt) {
                        x->revive = x->revive || c->retry_wanted;
                        c->retry_wanted = false;
                        x->ended_attempt = true;
                        if (!attempt_cancel(c))
                                ended = false;
                        else if (!to_forget(x, c))
                                continue;
                }
                x->targets[n++] = c;
        }
        x->n_targets = n;
        return ended;
}

/* Several connections: those that are only being connected come last, when nothing can refuse any more. */
static void put_off_attempts(struct cancel *x)
{
        size_t n = 0;

        for (size_t i = 0; i < x->n_targets; i++)
                if (!x->targets[i]->attempt)
                        x->targets[n++] = x->targets[i];
        if (n > 0)
                x->n_targets = n;
}

/* Whether the name means nothing that could be disconnected or forgotten; the refusal has been made then. */
static bool refuse_unknown(struct cancel *x)
{
        if (!x->name || x->ended_attempt || x->broken)
                return false;
        if (x->n_targets == 0) {
                not_connected(x, false);
                return true;
        }
        if (x->device && (x->forget_only || !connection_is_live(x->targets[0])) && !to_forget(x, x->targets[0])) {
                not_connected(x, x->targets[0]->remembered);
                return true;
        }
        return false;
}

static void resolve(struct cancel *x)
{
        if (x->abandoned) {
                x->n_targets = 0; /* none is its own yet */
                refuse(x, ERROR_CANCELLED);
                return;
        }
        if (x->flags & ~(uint32_t) CONNECT_UPDATE_PROFILE) {
                error_set(&x->outcome.err, ERROR_INVALID_PARAMETER, 0, "resolve", "unknown flags: %#x", x->flags);
                refuse(x, ERROR_INVALID_PARAMETER);
                return;
        }
        manager_release(x->manager);
        find_targets(x);
        for (size_t i = 0; i < x->n_targets && !x->waiting; i++)
                x->waiting = x->targets[i]->cancel != NULL;
        if (x->waiting || refuse_unknown(x))
                return;
        if (x->device && x->n_targets == 1 && !connection_is_live(x->targets[0]) && !to_forget(x, x->targets[0]))
                x->n_targets = 0; /* what there was to end has ended */
        if (!x->name)
                x->manager->shutting_down = true;
        if (!x->device)
                put_off_attempts(x);
        if (!end_attempts(x)) {
                x->waiting = true;
                return;
        }
        for (size_t i = 0; i < x->n_targets; i++)
                x->targets[i]->cancel = x;
        FAULT_POINT("cancel.resolved");
        x->deadline_usec = manager_profile_deadline(x->manager);
        if (x->n_targets == 1 && to_forget(x, x->targets[0]))
                stage(x);
        else
                freeze(x);
}

static int on_step(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct cancel *x = userdata;

        (void) source;
        (void) usec;
        switch (x->phase) {
        case CANCEL_RESOLVE:
                resolve(x);
                break;
        case CANCEL_STAGE:
                stage(x);
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
                forgotten(x);
                break;
        case CANCEL_WAIT:
                look_again(x);
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
                if (x->phase == CANCEL_FORGET_PASSWORD)
                        password_cancel(x->targets[0]);
                x->outcome.status = ERROR_CANCELLED;
                error_set(&x->outcome.err, ERROR_CANCELLED, 0, "cancel", "wnetd has ended");
                rollback(x);
                finish(x);
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
        x->owner = request->owner;
        x->done = done;
        x->userdata = userdata;
        if (!x->force && request->wait_usec > 0)
                x->give_up_usec = request->wait_usec > UINT64_MAX - now ? UINT64_MAX : now + request->wait_usec;
        TAILQ_INSERT_TAIL(&m->cancels, x, entry);
        step_after(x, 0);
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

void manager_abandon(struct manager *m, const void *owner)
{
        struct cancel *x;

        TAILQ_FOREACH(x, &m->cancels, entry)
                if (x->owner == owner && x->give_up_usec > 0) { /* others are done all the same */
                        x->abandoned = true;
                        x->give_up_usec = 0;
                        if (x->phase == CANCEL_WAIT)
                                step_after(x, 0);
                }
}
