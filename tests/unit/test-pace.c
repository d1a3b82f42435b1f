/* SPDX-License-Identifier: GPL-3.0-or-later */

/* fuse/pace.c: what is read ahead of whom, and how much of it at a time. */

#include "unit.h"

#include "fuse/pace.h"

#define KIB(n) ((n) << 10)
#define MIB(n) ((n) << 20)
#define NEAR_USEC 300
#define FAR_ROUND_USEC 20000

/* Reads a file in order, one window after the other: each takes round_usec and its time on a line of so many bytes each millisecond. Returns the
 * size of the last of n windows. */
static uint32_t in_order(struct pace *pace, unsigned n, uint64_t round_usec, uint64_t bytes_msec, bool waits)
{
        uint32_t bytes = 0;

        for (unsigned i = 0; i < n; i++) {
                bytes = pace_window(pace, 0);
                assert_in_range(bytes, WINDOW_MIN_BYTES, WINDOW_FAR_BYTES);
                pace_began(pace);
                pace_follow(pace, pace->next, bytes);
                pace_took(pace, bytes, round_usec + bytes * 1000ULL / bytes_msec, waits);
        }
        return bytes;
}

static void begin(struct pace *pace)
{
        pace_init(pace);
        assert_int_equal(pace_window(pace, 0), 0);
        pace_follow(pace, 0, KIB(128));
        assert_int_equal(pace_window(pace, 0), KIB(128)); /* the first bytes come early, */
        assert_int_equal(pace_window(pace, KIB(256)), KIB(128));
        assert_int_equal(pace_window(pace, KIB(256) + 1), 0); /* and who reads a file's begin only costs little */
}

static void near(void **state)
{
        struct pace pace;

        (void) state;
        begin(&pace);
        assert_int_equal(in_order(&pace, 2, NEAR_USEC, MIB(1), true), KIB(256));
        assert_int_equal(in_order(&pace, 2, NEAR_USEC, MIB(1), true), MIB(1));
        assert_int_equal(in_order(&pace, 50, NEAR_USEC, MIB(1), true), MIB(1));
        assert_int_equal(pace_window(&pace, MIB(3)), MIB(1));
        assert_int_equal(pace_window(&pace, MIB(3) + 1), 0); /* enough lies there */
}

static void far(void **state)
{
        struct pace pace;

        (void) state;
        begin(&pace);
        assert_int_equal(in_order(&pace, 6, FAR_ROUND_USEC, KIB(400), true), WINDOW_FAR_BYTES);
        assert_int_equal(in_order(&pace, 50, FAR_ROUND_USEC, KIB(400), true), WINDOW_FAR_BYTES);
        assert_int_equal(pace_window(&pace, WINDOW_FAR_BYTES), WINDOW_FAR_BYTES);
        assert_int_equal(pace_window(&pace, WINDOW_FAR_BYTES + 1), 0);

        pace_no_long(&pace);
        assert_int_equal(in_order(&pace, 50, FAR_ROUND_USEC, KIB(400), true), MIB(1));
}

/* Whom the windows do not keep waiting has no use for longer ones. */
static void slow_reader(void **state)
{
        struct pace pace;

        (void) state;
        begin(&pace);
        assert_int_equal(in_order(&pace, 50, FAR_ROUND_USEC, KIB(400), false), MIB(1));
        pace_too_far(&pace);
        pace_too_far(&pace);
        assert_int_equal(pace_window(&pace, 0), KIB(256));
        for (unsigned i = 0; i < 5; i++)
                pace_too_far(&pace);
        assert_int_equal(in_order(&pace, 50, FAR_ROUND_USEC, KIB(400), false), KIB(128));
        assert_int_equal(in_order(&pace, 50, FAR_ROUND_USEC, KIB(400), true), WINDOW_FAR_BYTES); /* it is in a hurry again */
}

static void slow_line(void **state)
{
        struct pace pace;
        uint32_t bytes;

        (void) state;
        begin(&pace);
        bytes = in_order(&pace, 20, FAR_ROUND_USEC, 500, true); /* half a megabyte a second */
        assert_in_range(bytes, KIB(128), KIB(512));
        assert_int_equal(in_order(&pace, 1, FAR_ROUND_USEC, 500, true), bytes);

        begin(&pace);
        bytes = in_order(&pace, 20, FAR_ROUND_USEC, 12500, true); /* where the line is busy with what goes over it, long ones gain nothing */
        assert_in_range(bytes, MIB(1), MIB(4));
        assert_int_equal(in_order(&pace, 1, FAR_ROUND_USEC, 12500, true), bytes);
}

static void anyhow(void **state)
{
        static const uint64_t offsets[] = { MIB(700), MIB(3), MIB(90), MIB(400), KIB(4), MIB(50) };
        struct pace pace;
        uint64_t at;
        uint32_t bytes;

        (void) state;
        begin(&pace);
        for (size_t i = 0; i < N_ELEMENTS(offsets); i++) {
                pace_follow(&pace, offsets[i], KIB(4));
                assert_int_equal(pace_window(&pace, 0), 0);
                assert_false(pace_piece(&pace, 1, &at, &bytes));
        }
        pace_follow(&pace, MIB(50) + KIB(4), KIB(4)); /* from now on in order */
        assert_int_equal(pace_window(&pace, 0), WINDOW_MIN_BYTES);
}

/* The kernel's own read-ahead may swap neighbours. */
static void out_of_order(void **state)
{
        struct pace pace;

        (void) state;
        begin(&pace);
        pace_follow(&pace, KIB(256), KIB(128));
        pace_follow(&pace, KIB(128), KIB(128));
        assert_int_not_equal(pace_window(&pace, 0), 0);
        assert_int_equal(pace.next, KIB(384));
}

static void pieces(void **state)
{
        struct pace pace;
        uint64_t at;
        uint32_t bytes;

        (void) state;
        begin(&pace);
        for (uint64_t i = 1; i < 10; i++) { /* the second READ of a piece goes on where the first one ended */
                pace_follow(&pace, MIB(i), KIB(32));
                pace_follow(&pace, MIB(i) + KIB(32), KIB(32));
                if (i < 3)
                        continue;
                assert_int_equal(pace_window(&pace, 0), 0);
                assert_true(pace_piece(&pace, 2, &at, &bytes));
                assert_int_equal(at, MIB(i + 2));
                assert_int_equal(bytes, i < 5 ? KIB(128) : KIB(64)); /* the file's begin was read in one of 128 KiB */
        }
        pace_follow(&pace, MIB(9) + KIB(64), KIB(64)); /* longer than a piece: in order */
        assert_int_not_equal(pace_window(&pace, 0), 0);
        assert_false(pace_piece(&pace, 1, &at, &bytes));

        pace_follow(&pace, MIB(30), KIB(64));
        assert_false(pace_piece(&pace, 1, &at, &bytes));
        pace_follow(&pace, MIB(29), KIB(64)); /* backwards is no direction */
        pace_follow(&pace, MIB(28), KIB(64));
        pace_follow(&pace, MIB(27), KIB(64));
        assert_false(pace_piece(&pace, 1, &at, &bytes));
}

/* The kernel's own read-ahead goes beyond what is asked for, now more, now less. */
static void pieces_of_different_lengths(void **state)
{
        static const uint64_t lengths[] = { KIB(136), KIB(188), KIB(244), KIB(192) };
        struct pace pace;
        uint64_t at;
        uint32_t bytes;

        (void) state;
        begin(&pace);
        for (uint64_t i = 1; i < 20; i++) {
                pace_follow(&pace, MIB(i), KIB(64));
                pace_follow(&pace, MIB(i) + KIB(64), (uint32_t) (lengths[i % 4] - KIB(64)));
                if (i < 5)
                        continue;
                assert_true(pace_piece(&pace, 1, &at, &bytes));
                assert_int_equal(at, MIB(i + 1));
                assert_int_equal(bytes, KIB(244));
        }
}

static void pieces_at_the_end_of_all_numbers(void **state)
{
        const uint64_t far_away = UINT64_MAX / 4;
        struct pace pace;
        uint64_t at;
        uint32_t bytes;

        (void) state;
        begin(&pace);
        for (uint64_t i = 1; i < 4; i++)
                pace_follow(&pace, i * far_away, KIB(64));
        assert_false(pace_piece(&pace, 1, &at, &bytes));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(near),
                cmocka_unit_test(far),
                cmocka_unit_test(slow_reader),
                cmocka_unit_test(slow_line),
                cmocka_unit_test(anyhow),
                cmocka_unit_test(out_of_order),
                cmocka_unit_test(pieces),
                cmocka_unit_test(pieces_of_different_lengths),
                cmocka_unit_test(pieces_at_the_end_of_all_numbers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
