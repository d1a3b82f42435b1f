/* SPDX-License-Identifier: GPL-3.0-or-later */

/* fuse/smb/arena.c: slots handed out once, apart from each other, and shared through the descriptor. */

#include "unit.h"

#include <sys/mman.h>

#include "fuse/smb/arena.h"

#define ARENA_BYTES ((size_t) SMB_SLOTS * SMB_SLOT_BYTES)

static void slots(void **state)
{
        struct arena arena;
        bool taken[SMB_SLOTS] = { false };

        (void) state;
        assert_int_equal(arena_init(&arena), 0);
        for (uint32_t i = 0; i < SMB_SLOTS; i++) {
                uint32_t slot = arena_take(&arena);

                assert_in_range(slot, 0, SMB_SLOTS - 1);
                assert_false(taken[slot]);
                taken[slot] = true;
        }
        assert_int_equal(arena_take(&arena), SMB_NO_SLOT);
        assert_int_equal(arena_take(&arena), SMB_NO_SLOT);

        arena_give(&arena, SMB_NO_SLOT); /* was never taken: nothing to give */
        assert_int_equal(arena_take(&arena), SMB_NO_SLOT);
        arena_give(&arena, 5);
        arena_give(&arena, 17);
        assert_int_equal(arena_take(&arena), 17); /* used last, warm */
        assert_int_equal(arena_take(&arena), 5);
        assert_int_equal(arena_take(&arena), SMB_NO_SLOT);
        arena_done(&arena);
        arena_done(&arena);
        assert_int_equal(arena.fd, -1);
}

#define RUN_SLOTS (SMB_READ_MAX_BYTES / SMB_SLOT_DATA_BYTES) /* the longest */

static void runs(void **state)
{
        struct arena arena;
        uint32_t one, run, another;

        (void) state;
        assert_int_equal(arena_init(&arena), 0);
        one = arena_take(&arena);
        run = arena_take_run(&arena, SMB_READ_MAX_BYTES);
        assert_in_range(run, 0, SMB_SLOTS - RUN_SLOTS);
        assert_int_equal(arena.n_free, SMB_SLOTS - RUN_SLOTS - 1);
        assert_int_equal(arena_take_run(&arena, SMB_SLOTS * SMB_SLOT_BYTES), SMB_NO_SLOT); /* there are not so many */
        another = arena_take_run(&arena, SMB_SLOT_BYTES + 1);
        assert_int_equal(arena.n_free, SMB_SLOTS - RUN_SLOTS - 3);
        assert_true(another + 2 <= run || another >= run + RUN_SLOTS);

        /* Nobody else gets one of them. */
        for (uint32_t slot; (slot = arena_take(&arena)) != SMB_NO_SLOT;) {
                assert_true(slot != one && slot != another && slot != another + 1);
                assert_true(slot < run || slot >= run + RUN_SLOTS);
        }
        assert_int_equal(arena_take_run(&arena, 1), SMB_NO_SLOT);

        arena_give(&arena, run);
        assert_int_equal(arena.n_free, RUN_SLOTS);
        assert_int_equal(arena_take(&arena), run);
        arena_give(&arena, another);
        assert_int_equal(arena_take_run(&arena, SMB_READ_MAX_BYTES), SMB_NO_SLOT); /* one more, but not side by side */
        assert_int_equal(arena_take_run(&arena, (RUN_SLOTS - 1) * SMB_SLOT_BYTES), run + 1);
        assert_int_equal(arena.n_free, 2);
        arena_done(&arena);
}

static void memory(void **state)
{
        struct arena arena;
        unsigned char *other;

        (void) state;
        assert_int_equal(arena_init(&arena), 0);
        for (uint32_t i = 0; i < SMB_SLOTS; i++) {
                unsigned char *slot = arena_memory(&arena, i);

                assert_int_equal((uintptr_t) slot % 4096, 0);
                slot[0] = (unsigned char) i;
                slot[SMB_SLOT_BYTES - 1] = (unsigned char) ~i;
        }

        /* As a worker sees it. */
        other = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, arena.fd, 0);
        assert_ptr_not_equal(other, MAP_FAILED);
        for (uint32_t i = 0; i < SMB_SLOTS; i++) {
                assert_int_equal(other[(size_t) i * SMB_SLOT_BYTES], i);
                assert_int_equal(other[(size_t) (i + 1) * SMB_SLOT_BYTES - 1], (unsigned char) ~i);
        }
        other[(size_t) 3 * SMB_SLOT_BYTES + 100] = 0x5a;
        assert_int_equal(((unsigned char *) arena_memory(&arena, 3))[100], 0x5a);
        munmap(other, ARENA_BYTES);
        assert_true(fcntl(arena.fd, F_GETFD) & FD_CLOEXEC);
        arena_done(&arena);
}

/* Whoever has the descriptor could otherwise cut the file short: the next touch of a slot would end the other side. */
static void cannot_be_cut(void **state)
{
        struct arena arena;

        (void) state;
        assert_int_equal(arena_init(&arena), 0);
        assert_int_equal(ftruncate(arena.fd, 0), -1);
        assert_int_equal(errno, EPERM);
        arena_done(&arena);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(slots),
                cmocka_unit_test(runs),
                cmocka_unit_test(memory),
                cmocka_unit_test(cannot_be_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
