/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Slots: a mapping and a stack of free numbers. Pages are only allocated once a slot has been used.
 */

#include "fuse/smb/arena.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARENA_BYTES ((size_t) SMB_SLOTS * SMB_SLOT_BYTES)

int arena_init(struct arena *arena)
{
        int r;

        *arena = (struct arena){ .fd = memfd_create("wnet-arena", MFD_CLOEXEC), .n_free = SMB_SLOTS };
        if (arena->fd < 0)
                return -errno;
        if (ftruncate(arena->fd, (off_t) ARENA_BYTES) < 0)
                goto fail;
        arena->memory = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, arena->fd, 0);
        if (arena->memory == MAP_FAILED)
                goto fail;
        for (uint32_t i = 0; i < SMB_SLOTS; i++)
                arena->free[i] = SMB_SLOTS - 1 - i;
        return 0;

fail:
        r = -errno;
        arena->memory = NULL;
        arena_done(arena);
        return r;
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
        return arena->n_free > 0 ? arena->free[--arena->n_free] : SMB_NO_SLOT;
}

void arena_give(struct arena *arena, uint32_t slot)
{
        if (slot == SMB_NO_SLOT)
                return;
        assert(slot < SMB_SLOTS && arena->n_free < SMB_SLOTS);
        arena->free[arena->n_free++] = slot;
}

void *arena_memory(const struct arena *arena, uint32_t slot)
{
        assert(slot < SMB_SLOTS);
        return arena->memory + (size_t) slot * SMB_SLOT_BYTES;
}
