/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The first step of a disconnection: what its name means, which flags it may have, and the end of the attempts that it meets.
 * Another cancel, or an attempt that cannot end at once, is waited for; then everything is resolved anew.
 */

#include <errno.h>
#include <stdlib.h>

#include "core/cancel-internal.h"
#include "core/cleanup.h"
#include "core/clock.h"
#include "core/fault.h"

static int add_target(struct cancel *x, struct connection *c)
{
        struct connection **grown = realloc(x->targets, (x->n_targets + 1) * sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        x->targets = grown;
        x->targets[x->n_targets++] = c;
        return 0;
}

int cancel_find_targets(struct cancel *x)
{
        struct device_name device;
        _cleanup_(remote_name_done) struct remote_name remote = { 0 };
        struct connection *c;

        x->n_targets = 0;
        x->device = x->name && device_parse(x->name, &device) == 0;
        if (x->device) {
                c = manager_find_device(x->manager, &device);
                return c ? add_target(x, c) : 0;
        }
        if (x->name && remote_name_parse(x->name, &remote) != 0)
                return 0;
        TAILQ_FOREACH(c, &x->manager->connections, entry)
                if (connection_is_live(c) && (!x->name || remote_name_equal(&c->remote, &remote)) && add_target(x, c) < 0)
                        return -ENOMEM;
        return 0;
}

void cancel_say_not_connected(struct cancel *x, bool remembered)
{
        if (x->forget_only)
                error_set(&x->outcome.err, ERROR_NOT_CONNECTED, 0, "resolve",
                          "%s is not remembered: there is nothing to forget", x->name);
        else if (remembered)
                error_set(&x->outcome.err, ERROR_NOT_CONNECTED, 0, "resolve",
                          "%s is remembered, but not connected now; to forget it: wnet cancel %s --forget", x->name, x->name);
        else
                error_set(&x->outcome.err, ERROR_NOT_CONNECTED, 0, "resolve",
                          "%.80s is not connected", *x->name ? x->name : "\"\"");
}

static void not_connected(struct cancel *x, bool remembered)
{
        cancel_say_not_connected(x, remembered);
        x->n_targets = 0;
        cancel_refuse(x, ERROR_NOT_CONNECTED);
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
                        else if (!cancel_is_to_forget(x, c))
                                continue;
                }
                x->targets[n++] = c;
        }
        x->n_targets = n;
        return ended;
}

/* Whether the row of a device that is just being connected could not be deleted: that is looked for before its attempt ends. It is waited
 * for, or has made it a refusal. */
static bool row_stays(struct cancel *x)
{
        struct connection *c = x->n_targets == 1 ? x->targets[0] : NULL;
        struct profile_change *change = NULL;
        int r;

        if (!c || !c->attempt || !cancel_is_to_forget(x, c))
                return false;
        r = profile_stage_delete(x->manager->profile_path, c->device.text, &change, &x->outcome.err);
        profile_rollback(change);
        if (r == 0)
                return false;
        if (x->deadline_usec == 0)
                x->deadline_usec = manager_profile_deadline(x->manager);
        if (manager_profile_again(x->manager, r, &x->deadline_usec)) {
                x->outcome.err = (struct wn_error){ 0 };
                cancel_step_after(x, PROFILE_RETRY_USEC);
        } else {
                x->n_targets = 0; /* none is its own yet */
                cancel_refuse(x, r == -EBUSY ? ERROR_CANNOT_OPEN_PROFILE : status_from_result(r));
        }
        return true;
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
        if (x->device && (x->forget_only || !connection_is_live(x->targets[0])) && !cancel_is_to_forget(x, x->targets[0])) {
                not_connected(x, x->targets[0]->remembered);
                return true;
        }
        return false;
}

/* A device may be remembered that the profile, which could not be read since the start, has not told of yet. Whether it has been read
 * now, is waited for, or has made it a refusal. */
static bool read_rows(struct cancel *x)
{
        struct manager *m = x->manager;
        struct wn_error err;
        int r;

        if (!x->device || !(x->flags & CONNECT_UPDATE_PROFILE) || !m->restore_pending)
                return false;
        r = manager_restore_again(m, &err);
        if (r != 0 && x->n_targets > 0) /* its row is looked for when the deletion is staged */
                return false;
        if (x->deadline_usec == 0)
                x->deadline_usec = manager_profile_deadline(m);
        if (r == 0)
                cancel_step_after(x, 0);
        else if (manager_profile_again(m, r, &x->deadline_usec))
                cancel_step_after(x, PROFILE_RETRY_USEC);
        else {
                x->outcome.err = err;
                cancel_refuse(x, err.status);
        }
        return true;
}

/* Whether a disconnection waits for the keyring, which wnetd's end would cut short. */
static bool passwords_are_forgotten(const struct manager *m)
{
        const struct cancel *x;

        TAILQ_FOREACH(x, &m->cancels, entry)
                if (x->phase == CANCEL_FORGET_PASSWORD)
                        return true;
        return false;
}

void cancel_resolve(struct cancel *x)
{
        if (x->abandoned) {
                x->n_targets = 0; /* none is its own yet */
                cancel_refuse(x, ERROR_CANCELLED);
                return;
        }
        if (x->flags & ~(uint32_t) CONNECT_UPDATE_PROFILE) {
                error_set(&x->outcome.err, ERROR_INVALID_PARAMETER, 0, "resolve", "unknown flags: %#x", x->flags);
                cancel_refuse(x, ERROR_INVALID_PARAMETER);
                return;
        }
        manager_release(x->manager);
        if (cancel_find_targets(x) < 0) {
                error_set(&x->outcome.err, ERROR_EXTENDED_ERROR, ENOMEM, "resolve", "wnetd is out of memory");
                x->n_targets = 0;
                cancel_refuse(x, ERROR_EXTENDED_ERROR);
                return;
        }
        if (read_rows(x))
                return;
        for (size_t i = 0; i < x->n_targets && !x->waiting; i++)
                x->waiting = x->targets[i]->cancel != NULL;
        if (!x->name && passwords_are_forgotten(x->manager))
                x->waiting = true;
        if (x->waiting || refuse_unknown(x))
                return;
        if (x->device && x->n_targets == 1 && !connection_is_live(x->targets[0]) && !cancel_is_to_forget(x, x->targets[0]))
                x->n_targets = 0; /* what there was to end has ended */
        if (!x->name)
                x->manager->shutting_down = true;
        if (row_stays(x))
                return;
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
        if (x->n_targets == 1 && cancel_is_to_forget(x, x->targets[0]))
                cancel_stage(x);
        else
                cancel_freeze(x);
}
