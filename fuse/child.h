/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_CHILD_H
#define FUSE_CHILD_H

/* Child processes: a clean signal mask, default dispositions, and exactly the descriptors that are meant for them (everything
 * else is CLOEXEC from birth). */

#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#define CHILD_FDS_MAX 8

struct child_fd {
        int from; /* ours; stays open here */
        int to;   /* its number in the child; several may have the same from */
};

/* Makes a child's event source one that cannot miss the child's end. As sd_event_add_child() makes it, it is one-shot in epoll too,
 * and sd-event (252) drops an event that comes between its two polls. */
void child_source_keep(sd_event_source *source);

/* Runs argv[0], looked for in PATH unless it has a '/', with environment. 0 or a negative errno. */
int child_spawn(char *const argv[], char *const environment[], const struct child_fd *fds, size_t n_fds, pid_t *ret_pid);

#endif
