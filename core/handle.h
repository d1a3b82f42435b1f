/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_HANDLE_H
#define CORE_HANDLE_H

/*
 * What programs hold open on a connection. One table per connection; the redirector enters a handle when it answers an open and
 * takes it out at the kernel's RELEASE. "In use" means: the table is not empty.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "core/holders.h"

struct handle {
        LIST_ENTRY(handle) entry;
        char *path;          /* inside the drive, without a '/' at its begin; "" for the root; owned */
        bool directory;
        int flags;           /* O_RDONLY, O_WRONLY or O_RDWR, and the others of open() */
        pid_t tid;           /* the opener, a thread; 0: not noted yet */
        pid_t pid;           /* its process */
        pid_t session;       /* of that process; -1: not known */
        char program[64];    /* that it was then */
        uint64_t noted_usec; /* CLOCK_BOOTTIME; a process of this number that began later is another one */
        uint64_t since_usec; /* CLOCK_REALTIME */
        uint64_t read_bytes, written_bytes;
        bool job;            /* a print job that was closed and is still to be sent: no descriptor stands for it any more */
        uint64_t unsent_bytes;
};

LIST_HEAD(handle_list, handle);

struct handle_table {
        struct handle_list list;
        size_t n;
};

void handle_table_init(struct handle_table *table);

/* Looks who thread tid is, which is about to get handle: to be called while it waits, so that it is still there. */
void handle_note_opener(struct handle *handle, pid_t tid);

/* Fills handle (embedded in the caller's own struct, zero but for its opener) for a new opening by thread tid and enters it; notes
 * the opener unless that was done. path is copied. 0 or -ENOMEM. */
int handle_table_add(struct handle_table *table, struct handle *handle, const char *path, bool directory, int flags, pid_t tid);

/* Takes handle out and frees its path. */
void handle_table_remove(struct handle_table *table, struct handle *handle);

/* "r", "w", "rw". */
const char *handle_mode(const struct handle *handle);

/* What is known of processes while a table is looked through, zero at first: most handles are a few processes'. */
struct openers {
        struct opener {
                pid_t pid;
                bool exists;
                uint64_t began_usec; /* 0: it cannot be seen */
                char program[64];
        } seen[64];
};

/* The program that handle's opener is now, which may be another one than at its open(); "" where that is not known. NULL: it has ended.
 * A print job that is on its way stays its writer's. The text is valid until the next call. */
const char *handle_program(const struct handle *handle, struct openers *openers);

/* Adds the table's handles to holders, at most HOLDERS_MAX of them; the newest, whose openers are believed; the total
 * counts all. Where an opener is gone, /proc is searched for those who have its descriptor now, for a bounded time; a handle for
 * which nobody is found is added with pid 0. 0 or -ENOMEM. */
int handle_table_holders(const struct handle_table *table, const char *mountpoint, struct holders *holders);

#endif
