/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Slots: a mapping and a stack of free numbers. Pages are only allocated once a slot has been used.
 */

#include "fuse/smb/arena.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/cleanup.h"

#define ARENA_BYTES ((size_t) SMB_SLOTS * SMB_SLOT_BYTES)

int shared_memory_new(const char *name, size_t size, int *ret_fd, void **ret_memory)
{
        _cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        void *memory;

        if (fd < 0 || ftruncate(fd, (off_t) size) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
                return -errno;
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (memory == MAP_FAILED)
                return -errno;
        *ret_memory = memory;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int arena_init(struct arena *arena)
{
        void *memory;
        int r;

        *arena = (struct arena){ .fd = -1, .n_free = SMB_SLOTS };
        r = shared_memory_new("wnet-arena", ARENA_BYTES, &arena->fd, &memory);
        if (r < 0)
                return r;
        arena->memory = memory;
        for (uint32_t i = 0; i < SMB_SLOTS; i++)
                arena->free[i] = SMB_SLOTS - 1 - i;
        return 0;
}

void arena_done(struct arena *arena)
{
        if (arena->memory)
                munmap(arena->memory, ARENA_BYTES);
        arena->memory = NULL;
        if (arena->fd >= 0)
                close(arena->fd);
        arena->fd = -1;
}

uint32_t arena_take(struct arena *arena)
{
        uint32_t slot;

        if (arena->n_free == 0)
                return SMB_NO_SLOT;
        slot = arena->free[--arena->n_free];
        arena->used[slot] = true;
        arena->run[slot] = 1;
        return slot;
}

/* Takes n slots from first on out of the stack, whose order stays. */
static void take_out(struct arena *arena, uint32_t first, uint32_t n)
{
        uint32_t kept = 0;

        for (uint32_t i = 0; i < arena->n_free; i++)
                if (arena->free[i] < first || arena->free[i] - first >= n)
                        arena->free[kept++] = arena->free[i];
        arena->n_free = kept;
}

/* From the end on: single slots come from the begin, which stays warm. */
uint32_t arena_take_run(struct arena *arena, uint32_t bytes)
{
        const uint32_t n = (bytes + SMB_SLOT_BYTES - 1) / SMB_SLOT_BYTES;
        bool is_free[SMB_SLOTS] = { false };
        uint32_t in_a_row = 0;

        for (uint32_t i = 0; i < arena->n_free; i++)
                is_free[arena->free[i]] = true;
        for (uint32_t slot = SMB_SLOTS; slot-- > 0;) {
                in_a_row = is_free[slot] ? in_a_row + 1 : 0;
                if (in_a_row == n) {
                        take_out(arena, slot, n);
                        arena->run[slot] = n;
                        memset(arena->used + slot, true, n);
                        return slot;
                }
        }
        return SMB_NO_SLOT;
}

/* A run goes below the single ones: these are not to be scattered all over the arena. */
void arena_give(struct arena *arena, uint32_t slot)
{
        uint32_t n, at;

        if (slot == SMB_NO_SLOT)
                return;
        assert(slot < SMB_SLOTS);
        n = arena->run[slot];
        assert(n > 0 && arena->n_free + n <= SMB_SLOTS);
        at = n == 1 ? arena->n_free : 0;
        memmove(arena->free + at + n, arena->free + at, (arena->n_free - at) * sizeof(arena->free[0]));
        for (uint32_t i = 0; i < n; i++)
                arena->free[at + i] = slot + n - 1 - i;
        arena->n_free += n;
        arena->run[slot] = 0;
}

void arena_trim(struct arena *arena)
{
        for (uint32_t i = 0; i < arena->n_free; i++) {
                uint32_t slot = arena->free[i];

                if (arena->used[slot])
                        (void) madvise(arena_memory(arena, slot), SMB_SLOT_BYTES, MADV_REMOVE);
                arena->used[slot] = false;
        }
}

void *arena_memory(const struct arena *arena, uint32_t slot)
{
        assert(slot < SMB_SLOTS);
        return arena->memory + (size_t) slot * SMB_SLOT_BYTES;
}
