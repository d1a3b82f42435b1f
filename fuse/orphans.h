/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_ORPHANS_H
#define FUSE_ORPHANS_H

/*
 * The workers of a wnetd that was killed. They write what programs had been told is written, and whatever is written to the same files
 * from then on has to come behind that: so no drive is mounted before they have ended. A lock tells: each worker has its descriptor open.
 */

#include <stdbool.h>
#include <stdint.h>

/* Opens the lock file at path, which is made. The descriptor, for this wnetd and its workers, or a negative errno. */
int orphans_open(const char *path);

/* Whether there are none, or no more. */
bool orphans_gone(int lock_fd);

/* Ends those that have nothing to write, or all of them: then what they had is lost, and the log says how much. Returns how many bytes those
 * that are left have to write. Looks at every process there is. */
uint64_t orphans_end(int lock_fd, bool all);

#endif
