/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_DAEMON_LOCK_H
#define CORE_DAEMON_LOCK_H

/*
 * The lock that lets one wnetd run for each user, paths->lock. Where it lies does not depend on XDG_RUNTIME_DIR, as the socket does: so
 * its file tells who holds it, and where that one answers.
 */

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#include "core/paths.h"

#define DAEMON_LOCK_TEXT_BYTES 480

struct lock_holder {
        pid_t pid; /* 0: nothing is known of it; it may be ending */
        char socket[sizeof(((struct sockaddr_un *) NULL)->sun_path)];
};

/* Takes the lock; start: for a daemon, which makes the file, else to see whether one runs. Waits as long as whoever holds it may be just
 * ending, or about to make its socket again. A descriptor, whose end gives the lock back; -EEXIST: a daemon answers at paths->socket;
 * -EBUSY: one runs that does not, ret_holder; or another negative errno: there is no file (-ENOENT), or it cannot be locked. */
int daemon_lock_take(const struct paths *paths, bool start, struct lock_holder *ret_holder);

/* Writes into the file who holds it now. pid 0: it is about to end. */
void daemon_lock_tell(int fd, pid_t pid, const char *socket);

/* Who holds the lock, that it does not answer at paths->socket, and what to do about that. */
void daemon_lock_explain(const struct lock_holder *holder, const struct paths *paths, char ret_text[static DAEMON_LOCK_TEXT_BYTES]);

#endif
