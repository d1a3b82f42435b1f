/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The remembered part of a disconnection: the row's deletion, staged before anything else happens and committed behind the
 * mount's end, then the saved password.
 */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cancel-internal.h"
#include "core/cleanup.h"
#include "core/fault.h"
#include "core/log.h"
#include "core/password.h"

int cancel_commit_profile(struct cancel *x)
{
        FAULT_POINT("cancel.commit");
        x->manager->n_staged -= x->change != NULL;
        return profile_commit(TAKE_PTR(x->change), &x->outcome.err);
}

void cancel_rollback(struct cancel *x)
{
        x->manager->n_staged -= x->change != NULL;
        profile_rollback(TAKE_PTR(x->change));
}

bool cancel_is_to_forget(const struct cancel *x, const struct connection *c)
{
        return x->device && (x->flags & CONNECT_UPDATE_PROFILE) && manager_may_have_row(c);
}

void cancel_stage(struct cancel *x)
{
        struct connection *c = x->targets[0];
        int r = profile_stage_delete(x->manager->profile_path, c->device.text, &x->change, &x->outcome.err);

        assert(!c->attempt); /* nobody begins one while c->cancel is set */
        x->phase = CANCEL_STAGE;
        if (manager_profile_again(x->manager, r, &x->deadline_usec)) {
                x->outcome.err = (struct wn_error){ 0 };
                cancel_step_after(x, PROFILE_RETRY_USEC);
                return;
        }
        x->manager->n_staged += x->change != NULL;
        if (r != 0) {
                cancel_refuse(x, r == -EBUSY ? ERROR_CANNOT_OPEN_PROFILE : status_from_result(r));
                return;
        }
        FAULT_POINT("cancel.staged");
        if (!x->change && x->forget_only && !c->remembered) { /* it was not known whether there is one */
                cancel_say_not_connected(x, false);
                cancel_refuse(x, ERROR_NOT_CONNECTED);
                return;
        }
        if (!x->change) /* the row had gone already */
                c->remembered = false;
        if (connection_is_live(c) && !x->forget_only) {
                cancel_freeze(x);
                return;
        }
        r = cancel_commit_profile(x);
        if (r != 0) {
                cancel_refuse(x, ERROR_EXTENDED_ERROR);
                return;
        }
        FAULT_POINT("cancel.committed");
        if (!cancel_forget_password(x, c))
                cancel_forgotten(x);
}

bool cancel_forget_password(struct cancel *x, struct connection *c)
{
        int r;

        if (!x->device || !(x->flags & CONNECT_UPDATE_PROFILE) || !(c->saved_user || c->other_row_saved || manager_expects_rows(c->manager)))
                return false;
        x->phase = CANCEL_FORGET_PASSWORD;
        r = password_forget(c, cancel_completion(x));
        if (r == 0)
                return true;
        x->n_waiting--;
        (void) password_say_left(c, strerror(-r), &x->outcome.err);
        log_warning("%s", x->outcome.err.text);
        return false;
}

void cancel_forgotten(struct cancel *x)
{
        struct connection *c = x->targets[0];

        free(TAKE_PTR(c->saved_user));
        if (connection_is_live(c) && !c->mount_lost) {
                c->cancel = NULL;
                c->remembered = c->retry_wanted = c->has_other_row = c->other_row_saved = false;
                manager_record(c, "forgotten", "", &x->caller);
        } else
                cancel_let_go(x, c, true);
        manager_release(x->manager);
        cancel_finish(x);
}
