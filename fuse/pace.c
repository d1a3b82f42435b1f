/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "fuse/pace.h"

#define NEAR_BYTES (256u << 10) /* READs of one run may be so far apart: the kernel's own read-ahead may bring neighbours out of order */
#define HURRY 2u                /* windows in a row that were waited for: for a first one everybody waits */
#define NEAR_AHEAD_BYTES (4u << 20) /* read ahead, but for two windows on a long line */
#define READ_AHEAD_FACTOR 2u    /* times what was read in order is read ahead, at most */
#define STRIDES_MIN 2u          /* equal distances that make a habit */
#define PIECES_KEPT 4u          /* the longest of so many counts: the kernel's own read-ahead makes one longer than another */

void pace_init(struct pace *pace)
{
        *pace = (struct pace){ 0 };
        burst_init(&pace->burst, WINDOW_FAR_BYTES, HURRY);
}

/* ---- order ---- */

static bool goes_on(const struct pace *pace, uint64_t offset)
{
        if (offset == pace->next)
                return true;
        if (pace->window_bytes == 0 && pace->n_strides < STRIDES_MIN)
                return false;
        return offset <= pace->next + NEAR_BYTES && offset + NEAR_BYTES >= pace->next;
}

/* A piece of bytes was read, at the same distance as those before or not. */
static void learn_piece(struct pace *pace, uint32_t bytes, bool same)
{
        if (!same || bytes >= pace->piece_bytes) {
                pace->piece_bytes = bytes;
                pace->shorter_bytes = 0;
                pace->n_shorter = 0;
                return;
        }
        if (bytes > pace->shorter_bytes)
                pace->shorter_bytes = bytes;
        if (++pace->n_shorter == PIECES_KEPT) {
                pace->piece_bytes = pace->shorter_bytes;
                pace->shorter_bytes = 0;
                pace->n_shorter = 0;
        }
}

/* A new run of READs begins at offset. */
static void begin_piece(struct pace *pace, uint64_t offset)
{
        uint64_t stride = offset > pace->piece ? offset - pace->piece : 0;
        uint64_t bytes = pace->next - pace->piece;
        bool same = stride != 0 && stride == pace->stride_bytes;

        learn_piece(pace, bytes < WINDOW_NEAR_BYTES ? (uint32_t) bytes : WINDOW_NEAR_BYTES, same);
        pace->n_strides = same ? pace->n_strides + 1 : stride != 0;
        pace->stride_bytes = stride;
        pace->piece = offset;
}

void pace_follow(struct pace *pace, uint64_t offset, uint32_t size)
{
        if (goes_on(pace, offset)) {
                if (offset + size > pace->next)
                        pace->next = offset + size;
                if (pace->window_bytes == 0 && (pace->n_strides < STRIDES_MIN || pace->next - pace->piece > pace->piece_bytes))
                        pace->window_bytes = size > WINDOW_MIN_BYTES ? size : WINDOW_MIN_BYTES;
                return;
        }
        begin_piece(pace, offset);
        pace->window_bytes = 0;
        pace->next = offset + size;
}

bool pace_piece(const struct pace *pace, unsigned i, uint64_t *ret_offset, uint32_t *ret_bytes)
{
        if (pace->n_strides < STRIDES_MIN || pace->window_bytes != 0 || pace->piece > UINT64_MAX / 8)
                return false;
        *ret_offset = pace->piece + i * pace->stride_bytes;
        *ret_bytes = pace->piece_bytes;
        return true;
}

/* ---- sizes ---- */

static uint32_t at_most(uint64_t bytes, uint32_t most)
{
        return bytes < most ? (uint32_t) bytes : most;
}

void pace_took(struct pace *pace, uint32_t bytes, uint64_t usec, bool waited)
{
        burst_took(&pace->burst, bytes, usec, waited);
        if (burst_is_far(&pace->burst) && pace->window_bytes != 0 && pace->window_bytes < WINDOW_NEAR_BYTES)
                pace->window_bytes = WINDOW_NEAR_BYTES;
}

void pace_too_far(struct pace *pace)
{
        burst_too_much(&pace->burst, pace->window_bytes);
}

void pace_no_long(struct pace *pace)
{
        burst_no_long(&pace->burst);
}

uint32_t pace_window(const struct pace *pace, uint64_t ahead_bytes)
{
        uint32_t bytes = at_most(pace->window_bytes, pace->burst.max_bytes);

        if (ahead_bytes > READ_AHEAD_FACTOR * (pace->next - pace->piece))
                return 0;
        return ahead_bytes + bytes > NEAR_AHEAD_BYTES && ahead_bytes > bytes ? 0 : bytes;
}

void pace_began(struct pace *pace)
{
        pace->window_bytes = at_most((uint64_t) pace->window_bytes * (burst_is_far(&pace->burst) ? BURST_GROWTH : 2), WINDOW_FAR_BYTES);
}
