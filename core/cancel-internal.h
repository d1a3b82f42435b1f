/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_CANCEL_INTERNAL_H
#define CORE_CANCEL_INTERNAL_H

/*
 * The parts of a disconnection: its steps (cancel.c), resolving (cancel-resolve.c), the row and the password
 * (cancel-forget.c), and waiting for holders (cancel-wait.c).
 */

#include "core/manager.h"

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

/* ---- cancel.c ---- */

/* Goes on with x->phase from the event loop. */
void cancel_step_after(struct cancel *x, uint64_t usec);

/* One more completion that is to come; the last one goes on. */
struct completion cancel_completion(struct cancel *x);

void cancel_freeze(struct cancel *x);

/* The connection has no mount any more: what it is from now on. */
void cancel_let_go(struct cancel *x, struct connection *c, bool forget);

/* Puts everything back, and answers with status or waits for the holders. The mounts are there again. */
void cancel_refuse(struct cancel *x, int status);

/* Answers with outcome.status and frees. The targets have been let go of. */
void cancel_finish(struct cancel *x);

/* ---- cancel-resolve.c ---- */

/* The first step. */
void cancel_resolve(struct cancel *x);

/* Why there is nothing to disconnect or to forget. remembered: there is a row, which is not to go. */
void cancel_say_not_connected(struct cancel *x, bool remembered);

/* Sets targets to what x->name means. 0 or -ENOMEM. */
int cancel_find_targets(struct cancel *x);

/* ---- cancel-forget.c ---- */

/* Whether c's row is to go: only one that is remembered, named as a device. */
bool cancel_is_to_forget(const struct cancel *x, const struct connection *c);

/* Stages the deletion of the only target's row; what comes behind it follows. */
void cancel_stage(struct cancel *x);

/* Ends a staged change: 0, or what profile_commit() answers. */
int cancel_commit_profile(struct cancel *x);

/* Undoes it. */
void cancel_rollback(struct cancel *x);

/* The row is gone, and the mount unless it is to stay: now the saved password, for which c is kept. Whether there is one. */
bool cancel_forget_password(struct cancel *x, struct connection *c);

/* The device is remembered no longer, and its password neither, or outcome.err tells why. */
void cancel_forgotten(struct cancel *x);

/* ---- cancel-wait.c ---- */

/* Whether it was refused because of holders. */
bool cancel_is_in_use(const struct cancel *x);

/* Refused, and everything is as it was before the first step: whether to wait until the holders let go. */
bool cancel_wait_for_holders(struct cancel *x);

/* Still refused while a file is open, as far as our own table tells; else everything is asked anew. */
void cancel_look_again(struct cancel *x);

#endif
