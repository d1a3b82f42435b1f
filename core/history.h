/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_HISTORY_H
#define CORE_HISTORY_H

/*
 * What happened to each device, when, and by which program: SQLite, in the state directory. For people only: nothing is ever
 * decided by it, and nothing fails because of it. What cannot be written is left out and said in the log, once, and to who reads it.
 */

#include <stdint.h>
#include <sys/types.h>

#include "core/status.h"

#define HISTORY_EVENTS_MAX 10000 /* older ones are dropped */

/* Who asked for something. */
struct caller {
        pid_t pid; /* 0: nobody did, it came from wnetd itself */
        char program[64];
        const void *owner; /* for manager_abandon(); NULL: nobody waits */
};

struct history_event {
        uint64_t when_usec; /* CLOCK_REALTIME */
        const char *device; /* or remote name of a deviceless connection */
        const char *remote;
        const char *event;  /* one word, as core/control-protocol.h lists them */
        const char *detail;
        const char *program;
        pid_t pid;
};

struct history;

/* Opens or makes path. Where that cannot be, the log says why, and nothing is kept. NULL: out of memory; every function accepts that. */
struct history *history_open(const char *path);
void history_close(struct history *history);

/* Writes an event down, as of now. */
void history_add(struct history *history, const char *device, const char *remote, const char *event, const char *detail,
                 const struct caller *caller);

/* Calls back for each event of device (compared without case, as remote_name_equal() does; NULL: of every one), the latest
 * first, at most n_max of them; a callback that answers other than 0 ends it. Returns 0, what the
 * callback answered, or ERROR_EXTENDED_ERROR with err filled: no history is kept, it cannot be read, or there is nothing in it and the last
 * event could not be written. */
int history_read(struct history *history, const char *device, uint32_t n_max,
                 int (*each)(void *userdata, const struct history_event *event), void *userdata, struct wn_error *err);

#endif
