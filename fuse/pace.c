/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "fuse/pace.h"

#define NEAR_BYTES (256u << 10) /* READs of one run may be so far apart: the kernel's own read-ahead may bring neighbours out of order */
#define SLOW_USEC 1000000u      /* a window that takes longer is too large for the link */
#define FAR_USEC 2000u          /* a window never takes less: the line is long */
#define FAR_ROUNDS 8u           /* a long window that takes longer than so many round trips gains nothing by its length */
#define GROWTH 4u               /* of windows on a long line, from one to the next */
#define HURRY 2u                /* windows in a row that were waited for: for a first one everybody waits */
#define NEAR_AHEAD_BYTES (4u << 20) /* read ahead, but for two windows on a long line */
#define READ_AHEAD_FACTOR 2u    /* times what was read in order is read ahead, at most */
#define STRIDES_MIN 2u          /* equal distances that make a habit */
#define PIECES_KEPT 4u          /* the longest of so many counts: the kernel's own read-ahead makes one longer than another */

void pace_init(struct pace *pace)
{
        *pace = (struct pace){ .max_bytes = WINDOW_NEAR_BYTES, .top_bytes = WINDOW_FAR_BYTES, .round_usec = UINT64_MAX };
}

static bool is_far(const struct pace *pace)
{
        return pace->round_usec >= FAR_USEC && pace->round_usec != UINT64_MAX;
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

static uint32_t half(uint32_t bytes)
{
        return bytes / 2 > WINDOW_MIN_BYTES ? bytes / 2 : WINDOW_MIN_BYTES;
}

/* How long a window of bytes may take. */
static uint64_t longest_usec(const struct pace *pace, uint64_t bytes)
{
        uint64_t usec = bytes > WINDOW_NEAR_BYTES ? FAR_ROUNDS * pace->round_usec : SLOW_USEC;

        return usec < SLOW_USEC ? usec : SLOW_USEC;
}

void pace_took(struct pace *pace, uint32_t bytes, uint64_t usec, bool waited)
{
        uint32_t top = WINDOW_NEAR_BYTES;

        if (usec < pace->round_usec)
                pace->round_usec = usec;
        pace->n_waits = waited ? pace->n_waits + 1 : 0;
        if (is_far(pace)) {
                top = pace->top_bytes;
                if (pace->window_bytes != 0 && pace->window_bytes < WINDOW_NEAR_BYTES)
                        pace->window_bytes = WINDOW_NEAR_BYTES;
        }
        if (usec > longest_usec(pace, bytes)) {
                if (pace->max_bytes > half(bytes))
                        pace->max_bytes = half(bytes);
        } else if (pace->n_waits >= HURRY && pace->max_bytes < top && usec * GROWTH < longest_usec(pace, top))
                pace->max_bytes = at_most((uint64_t) pace->max_bytes * GROWTH, top);
}

void pace_too_far(struct pace *pace)
{
        pace->max_bytes = half(at_most(pace->window_bytes, pace->max_bytes));
        pace->n_waits = 0;
}

void pace_no_long(struct pace *pace)
{
        pace->top_bytes = WINDOW_NEAR_BYTES;
        pace->max_bytes = at_most(pace->max_bytes, WINDOW_NEAR_BYTES);
}

uint32_t pace_window(const struct pace *pace, uint64_t ahead_bytes)
{
        uint32_t bytes = at_most(pace->window_bytes, pace->max_bytes);

        if (ahead_bytes > READ_AHEAD_FACTOR * (pace->next - pace->piece))
                return 0;
        return ahead_bytes + bytes > NEAR_AHEAD_BYTES && ahead_bytes > bytes ? 0 : bytes;
}

void pace_began(struct pace *pace)
{
        pace->window_bytes = at_most((uint64_t) pace->window_bytes * (is_far(pace) ? GROWTH : 2), WINDOW_FAR_BYTES);
}
