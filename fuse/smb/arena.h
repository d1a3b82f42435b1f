/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SMB_ARENA_H
#define FUSE_SMB_ARENA_H

/*
 * The data slots of one connection: SMB_SLOTS pieces of SMB_SLOT_BYTES in a memfd that all its workers map. File data is
 * received from the kernel into a slot and written by the worker from there, or the other way round, without a copy between.
 * Slots lie side by side, so a run of them is one piece of memory: it goes by its first slot's number.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fuse/smb/protocol.h"

struct arena {
        int fd;
        unsigned char *memory;
        uint32_t free[SMB_SLOTS]; /* a stack: the slot used last is the one whose pages are warm */
        uint32_t n_free;
        bool used[SMB_SLOTS]; /* since its memory was given back */
        uint32_t run[SMB_SLOTS]; /* of one that is taken, the first of a run: how many these are */
};

/* A memfd of size bytes, mapped; sealed, so that no worker can cut it and make wnetd fault. *ret_fd is CLOEXEC.
 * 0 or a negative errno. */
int shared_memory_new(const char *name, size_t size, int *ret_fd, void **ret_memory);

/* 0 or a negative errno. */
int arena_init(struct arena *arena);
void arena_done(struct arena *arena);

/* A free slot's number, or SMB_NO_SLOT. */
uint32_t arena_take(struct arena *arena);

/* The first of the slots, side by side, that bytes need, or SMB_NO_SLOT. */
uint32_t arena_take_run(struct arena *arena, uint32_t bytes);

/* Gives back what was taken as slot, one or a run. */
void arena_give(struct arena *arena, uint32_t slot);

/* Gives the memory of the free slots back to the system. */
void arena_trim(struct arena *arena);

/* Of a run, all of it. */
void *arena_memory(const struct arena *arena, uint32_t slot);

#endif
