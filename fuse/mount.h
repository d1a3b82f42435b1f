/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_MOUNT_H
#define FUSE_MOUNT_H

/*
 * Mount points: the folder of a drive, the empty file of a printer port; and the command lines that mount and unmount them. A
 * folder is 0500 and a file 0400 while nothing is mounted there, so that no program writes to the local disk by mistake.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "core/status.h"

enum mount_kind { MOUNT_FOLDER, MOUNT_FILE };

/* A mount point's mode: the one it has, and (open) the one while fusermount3 mounts on it. The latter's sticky bit has no other
 * meaning than that the mount point is ours, for whoever cleans up after a daemon that was killed just then. */
static inline mode_t mount_point_mode(enum mount_kind kind, bool open)
{
        return (open ? 01600 : 0400) | (kind == MOUNT_FOLDER ? 0100 : 0);
}

/* Makes path (and its parents) or checks that it is an empty directory (or file) of ours with nothing mounted on it, opens it and
 * makes it writable, as fusermount3 wants it. *ret_fd: to be closed by mount_point_protect(). 0 or a status with err filled. */
int mount_point_prepare(const char *path, enum mount_kind kind, int *ret_fd, struct wn_error *err);

/* Closes it to writers again, through the descriptor, whether or not something is mounted on it by now; closes that. */
void mount_point_protect(int fd, enum mount_kind kind);

/* Closes path to writers, or makes it as such where it is missing: for a device that is remembered and not connected. Best
 * effort. */
void mount_point_keep(const char *path, enum mount_kind kind);

/* Removes the mount point when it is empty, and for a deviceless connection the folder of its server and UNC when these are empty then.
 * Best effort. */
void mount_point_remove(const char *path, enum mount_kind kind, bool with_parents);

/* "fsname=…,subtype=wnet,…": the mount's options, source escaped. kernel_permits: by the modes, the kernel says who may do what. NULL:
 * out of memory; the caller frees. */
char *mount_options(const char *source, bool read_only, bool kernel_permits, unsigned max_read_bytes);

/* The number below /sys/fs/fuse/connections of the mount on path; 0 when nothing is mounted there. */
unsigned mount_device_minor(const char *path);

/* Whether the mount table shows a wnet mount on path. */
bool mount_is_mounted(const char *path);

/* Aborts a FUSE connection through fusectl. False where that is not mounted. */
bool mount_abort(unsigned minor);

#endif
