/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_BURST_H
#define FUSE_BURST_H

/*
 * How much of a file goes over the line at a time. libsmbclient has several requests on the line, or one large one, within one call only:
 * where the time on the line is what counts, calls have to be large, and where it is nothing beside the server's, a slot's size will do.
 * On a slow line a large call is in the way of everybody else's. Only looks at numbers.
 */

#include <stdbool.h>
#include <stdint.h>

#include "fuse/smb/protocol.h"

#define BURST_MIN_BYTES (128u << 10)
#define BURST_NEAR_BYTES SMB_SLOT_DATA_BYTES /* at most, but on a long line */
#define BURST_GROWTH 4u                      /* on a long line, from one to the next */

struct burst {
        uint32_t max_bytes;  /* of a call: what has shown to be of use, */
        uint32_t top_bytes;  /* and never more than this */
        unsigned n_waits;    /* calls in a row that somebody had to wait for; */
        unsigned waits_min;  /* so many of them say that longer ones are of use */
        uint64_t round_usec; /* a round trip takes no longer: the shortest time that a call took, or what else is known; UINT64_MAX: nothing */
};

void burst_init(struct burst *burst, uint32_t top_bytes, unsigned waits_min);

/* It is known that a round trip takes no longer. */
void burst_round_at_most(struct burst *burst, uint64_t usec);

/* Whether the line is a long one. */
bool burst_is_far(const struct burst *burst);

/* A call of bytes took usec; waited: somebody had to wait for it. */
void burst_took(struct burst *burst, uint32_t bytes, uint64_t usec, bool waited);

/* One of bytes was too much. */
void burst_too_much(struct burst *burst, uint32_t bytes);

/* A long one could not be done as a whole. */
void burst_no_long(struct burst *burst);

#endif
