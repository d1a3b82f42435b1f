/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_OUTCOME_H
#define CORE_OUTCOME_H

/*
 * What a disconnection ended with: the status, and who stood in its way, or what it cost.
 */

#include <stddef.h>
#include <stdint.h>

#include "core/holders.h"
#include "core/status.h"

struct connection;

struct cancel_holders {
        char *name; /* of the connection */
        struct holders holders;
};

struct cancel_lost {
        char *name;
        char *path;
        uint64_t bytes;
};

struct cancel_outcome {
        int status;
        struct wn_error err;
        struct cancel_holders *in_use;
        size_t n_in_use;
        struct cancel_lost *lost;
        size_t n_lost;
        char *note; /* what is to be said of a success; NULL: nothing */
};

void cancel_outcome_done(struct cancel_outcome *outcome);

/* If files are open on c: ERROR_OPEN_FILES, with their holders. */
void cancel_outcome_add_open(struct cancel_outcome *outcome, const struct connection *c);

/* Whether a working directory or root of a process that can be seen lies on c's mount, or another mount does. */
bool cancel_is_inside(const struct connection *c);

/* The kernel says that c's mount is busy, though no file is open: ERROR_DEVICE_IN_USE, with the working directories, roots and
 * mounts that explain it. The cause is EINPROGRESS where none does, but a program waits for an answer of the server; else EBUSY. */
void cancel_outcome_add_busy(struct cancel_outcome *outcome, const struct connection *c);

/* What a revocation of c could not send. */
void cancel_outcome_add_lost(struct cancel_outcome *outcome, const struct connection *c);

/* At wnetd's end: how many of c's print jobs are kept. */
void cancel_outcome_add_kept(struct cancel_outcome *outcome, const struct connection *c);

#endif
