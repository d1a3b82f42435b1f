/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_PACE_H
#define FUSE_PACE_H

/*
 * How a file is being read, and so what of it should be read ahead: in order, in pieces at equal distances, or anyhow. Only looks
 * at numbers; stream.c does the reading.
 *
 * The windows ahead double from one to the next, or grow faster on a long line, up to what burst.h finds of use.
 */

#include <stdbool.h>
#include <stdint.h>

#include "fuse/burst.h"

#define WINDOW_MIN_BYTES BURST_MIN_BYTES
#define WINDOW_NEAR_BYTES BURST_NEAR_BYTES
#define WINDOW_FAR_BYTES SMB_READ_MAX_BYTES

struct pace {
        uint64_t next;         /* where reading in order would go on */
        uint32_t window_bytes; /* size of the next window ahead; 0: not reading in order */
        struct burst burst;    /* what limits it */
        uint64_t piece;        /* where the last READ began that did not go on where another one had ended, */
        uint64_t stride_bytes; /* how far it was ahead of the one before; 0: it was not, */
        unsigned n_strides;    /* so far in a row, */
        uint32_t piece_bytes;  /* and how much is read at such a distance; */
        uint32_t shorter_bytes; /* the longest since of those that were shorter, */
        unsigned n_shorter;    /* so many in a row */
};

void pace_init(struct pace *pace);

/* A READ has come. */
void pace_follow(struct pace *pace, uint64_t offset, uint32_t size);

/* A window of bytes took usec; waited: a READ had to wait for it. */
void pace_took(struct pace *pace, uint32_t bytes, uint64_t usec, bool waited);

/* What had been read ahead was asked for when it was too old. */
void pace_too_far(struct pace *pace);

/* A long window could not be read as a whole. */
void pace_no_long(struct pace *pace);

/* The size of the next window ahead, ahead_bytes behind where the reader is; 0: none yet. */
uint32_t pace_window(const struct pace *pace, uint64_t ahead_bytes);

/* It was begun. */
void pace_began(struct pace *pace);

/* The i-th piece ahead (from 1 on) of a file that is read at equal distances. False: it is not. */
bool pace_piece(const struct pace *pace, unsigned i, uint64_t *ret_offset, uint32_t *ret_bytes);

#endif
