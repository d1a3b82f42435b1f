/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A handle is no pointer but a number: a slot of the table below and how often the slot has been used, so that a closed
 * or an invented handle is found out without touching memory. The table is all that the library keeps between calls;
 * its lock is held while memory is worked on, never while the daemon is asked, and is free in the child of a fork.
 */

#include "core/libwnet/enum.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SLOT_BITS 16
#define SLOTS_MAX ((1u << SLOT_BITS) - 1) /* a handle has the slot + 1, so that none is NULL */
#define SLOTS_AT_FIRST 15
#define USES_MAX 0x7fffu

struct slot {
        struct enumeration *enumeration; /* NULL: free */
        unsigned uses;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static struct slot *slots;
static size_t n_slots;

static void before_fork(void)
{
        pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
        pthread_mutex_unlock(&lock);
}

static void watch_forks(void)
{
        pthread_atfork(before_fork, after_fork, after_fork);
}

/* The slot of an open handle, or NULL. The lock is held. */
static struct slot *find_slot(HANDLE handle)
{
        uintptr_t number = (uintptr_t) handle;
        size_t slot = (number & SLOTS_MAX) - 1; /* very large for 0 */

        if (slot >= n_slots || !slots[slot].enumeration || number >> SLOT_BITS != slots[slot].uses)
                return NULL;
        return &slots[slot];
}

/* A free slot, or NULL. The lock is held. */
static struct slot *free_slot(void)
{
        size_t before = n_slots, larger = before ? 2 * before + 1 : SLOTS_AT_FIRST; /* ends at SLOTS_MAX exactly */
        struct slot *grown;

        for (size_t i = 0; i < n_slots; i++)
                if (!slots[i].enumeration)
                        return &slots[i];
        if (larger > SLOTS_MAX)
                return NULL;
        grown = reallocarray(slots, larger, sizeof *slots);
        if (!grown)
                return NULL;
        memset(grown + before, 0, (larger - before) * sizeof *grown);
        slots = grown;
        n_slots = larger;
        return &slots[before];
}

int enum_handle_new(struct enumeration *e, HANDLE *ret_handle)
{
        struct slot *slot;

        pthread_once(&fork_once, watch_forks);
        pthread_mutex_lock(&lock);
        slot = free_slot();
        if (slot) {
                slot->uses = slot->uses % USES_MAX + 1;
                slot->enumeration = e;
                *ret_handle = (HANDLE) ((uintptr_t) slot->uses << SLOT_BITS | (uintptr_t) (slot - slots + 1));
        }
        pthread_mutex_unlock(&lock);
        return slot ? 0 : -ENOMEM;
}

struct enumeration *enum_handle_lock(HANDLE handle)
{
        const struct slot *slot;

        pthread_mutex_lock(&lock);
        slot = find_slot(handle);
        if (slot)
                return slot->enumeration;
        pthread_mutex_unlock(&lock);
        return NULL;
}

void enum_handle_unlock(void)
{
        pthread_mutex_unlock(&lock);
}

struct enumeration *enum_handle_take(HANDLE handle)
{
        struct enumeration *e = NULL;
        struct slot *slot;

        pthread_mutex_lock(&lock);
        slot = find_slot(handle);
        if (slot)
                e = TAKE_PTR(slot->enumeration);
        pthread_mutex_unlock(&lock);
        return e;
}
