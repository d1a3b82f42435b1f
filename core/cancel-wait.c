/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Disconnections that wait until their holders let go (`wnet cancel --wait`). A refused one has put everything back; it begins
 * anew when our own table shows no open file any more, or after a while where the kernel said that the mount is busy.
 */

#include "core/cancel-internal.h"
#include "core/clock.h"

#define WAIT_OPEN_USEC (100 * 1000ULL) /* between two looks whether the last holder has let go: at our own table, */
#define WAIT_BUSY_USEC (1000 * 1000ULL) /* or by another attempt to unmount */

bool cancel_is_in_use(const struct cancel *x)
{
        return x->outcome.status == ERROR_OPEN_FILES || x->outcome.status == ERROR_DEVICE_IN_USE;
}

bool cancel_wait_for_holders(struct cancel *x)
{
        if (!cancel_is_in_use(x) || clock_now_usec(x->manager->event) >= x->give_up_usec)
                return false;
        x->phase = CANCEL_WAIT;
        cancel_step_after(x, x->outcome.status == ERROR_OPEN_FILES ? WAIT_OPEN_USEC : WAIT_BUSY_USEC);
        return true;
}

/* Whether a file is open on what x->name stands for. */
static bool name_is_open(struct cancel *x)
{
        bool open = cancel_find_targets(x) < 0; /* nothing is known then */

        for (size_t i = 0; i < x->n_targets; i++)
                open = open || x->targets[i]->handles.n > 0;
        x->n_targets = 0;
        return open;
}

void cancel_look_again(struct cancel *x)
{
        if (x->abandoned) {
                cancel_finish(x);
                return;
        }
        if (name_is_open(x) && clock_now_usec(x->manager->event) < x->give_up_usec) {
                cancel_step_after(x, WAIT_OPEN_USEC);
                return;
        }
        cancel_outcome_done(&x->outcome);
        x->phase = CANCEL_RESOLVE;
        x->revive = x->ended_attempt = false;
        cancel_step_after(x, 0);
}

void cancel_abandon(struct manager *m, const void *owner)
{
        struct cancel *x;

        TAILQ_FOREACH(x, &m->cancels, entry)
                if (x->caller.owner == owner && x->give_up_usec > 0) { /* others are done all the same */
                        x->abandoned = true;
                        x->give_up_usec = 0;
                        if (x->phase == CANCEL_WAIT)
                                cancel_step_after(x, 0);
                }
}
