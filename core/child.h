/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_CHILD_H
#define CORE_CHILD_H

/* Child processes: a clean signal mask, default dispositions, and exactly the descriptors that are meant for them (everything
 * else is CLOEXEC from birth). */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#define CHILD_FDS_MAX 8

struct child_fd {
        int from; /* ours; stays open here */
        int to;   /* its number in the child; several may have the same from */
};

/* exit_code: the child's; -1: a signal ended it. */
typedef void (*child_ended_fn)(void *userdata, int exit_code);
typedef void (*child_free_fn)(void *userdata);

/* Kills a child after timeout_usec, calls ended() once when it has been reaped, and free_userdata() after that, or when the event loop goes.
 * 0 or a negative errno: the child has been killed then, and neither is called. */
int child_watch(sd_event *event, pid_t pid, uint64_t timeout_usec, child_ended_fn ended, child_free_fn free_userdata, void *userdata);

/* What a child that has ended left in a non-blocking pipe: its first line, "" where there is nothing. */
void child_take_line(int fd, char *ret_text, size_t size);

/* Makes a child's event source one that cannot miss the child's end. As sd_event_add_child() makes it, it is one-shot in epoll too,
 * and sd-event (252) drops an event that comes between its two polls. */
void child_source_keep(sd_event_source *source);

/* Runs argv[0], looked for in PATH unless it has a '/', with environment. 0 or a negative errno. */
int child_spawn(char *const argv[], char *const environment[], const struct child_fd *fds, size_t n_fds, pid_t *ret_pid);

#endif
