/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "fuse/burst.h"

#define SLOW_USEC 1000000u /* a call that takes longer is too large for the line */
#define FAR_USEC 2000u     /* a call never takes less: the line is long */
#define FAR_ROUNDS 8u      /* a long call that takes longer than so many round trips gains nothing by its length */

void burst_init(struct burst *burst, uint32_t top_bytes, unsigned waits_min)
{
        *burst = (struct burst){
                .max_bytes = BURST_NEAR_BYTES, .top_bytes = top_bytes, .waits_min = waits_min, .round_usec = UINT64_MAX,
        };
}

void burst_round_at_most(struct burst *burst, uint64_t usec)
{
        if (usec < burst->round_usec)
                burst->round_usec = usec;
}

bool burst_is_far(const struct burst *burst)
{
        return burst->round_usec >= FAR_USEC && burst->round_usec != UINT64_MAX;
}

static uint32_t half(uint32_t bytes)
{
        return bytes / 2 > BURST_MIN_BYTES ? bytes / 2 : BURST_MIN_BYTES;
}

/* How long a call of bytes may take. */
static uint64_t longest_usec(const struct burst *burst, uint64_t bytes)
{
        uint64_t usec = bytes > BURST_NEAR_BYTES ? FAR_ROUNDS * burst->round_usec : SLOW_USEC;

        return usec < SLOW_USEC ? usec : SLOW_USEC;
}

/* How long a call may take that is the next larger one, after one that took usec: the round trip stays the same. */
static uint64_t next_usec(const struct burst *burst, uint64_t usec)
{
        return burst->round_usec + (usec - burst->round_usec) * BURST_GROWTH;
}

void burst_took(struct burst *burst, uint32_t bytes, uint64_t usec, bool waited)
{
        uint32_t top;

        burst_round_at_most(burst, usec);
        burst->n_waits = waited ? burst->n_waits + 1 : 0;
        top = burst_is_far(burst) ? burst->top_bytes : BURST_NEAR_BYTES;
        if (usec > longest_usec(burst, bytes)) {
                if (burst->max_bytes > half(bytes))
                        burst->max_bytes = half(bytes);
        } else if (burst->n_waits >= burst->waits_min && burst->max_bytes < top && next_usec(burst, usec) < longest_usec(burst, top))
                burst->max_bytes = burst->max_bytes < top / BURST_GROWTH ? burst->max_bytes * BURST_GROWTH : top;
}

void burst_too_much(struct burst *burst, uint32_t bytes)
{
        burst->max_bytes = half(bytes < burst->max_bytes ? bytes : burst->max_bytes);
        burst->n_waits = 0;
}

void burst_no_long(struct burst *burst)
{
        burst->top_bytes = BURST_NEAR_BYTES;
        if (burst->max_bytes > BURST_NEAR_BYTES)
                burst->max_bytes = BURST_NEAR_BYTES;
}
