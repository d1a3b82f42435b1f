/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_MOUNT_H
#define FUSE_MOUNT_H

/*
 * The folder of a drive, and the command lines that mount and unmount it. A folder is 0500 while nothing is mounted on it, so
 * that no program writes to the local disk by mistake.
 */

#include <stdbool.h>

#include "core/status.h"

/* Modes of a drive's folder: the one it has, and the one while fusermount3 mounts on it. The latter's sticky bit has no other
 * meaning than that the folder is ours, for whoever cleans up after a daemon that was killed just then. */
#define MOUNT_FOLDER_CLOSED 0500
#define MOUNT_FOLDER_OPEN 01700

/* Makes path (and its parents) or checks that it is an empty directory of ours with nothing mounted on it, opens it and makes it
 * writable, as fusermount3 wants it. *ret_fd: to be closed by mount_folder_protect(). 0 or a status with err filled. */
int mount_folder_prepare(const char *path, int *ret_fd, struct wn_error *err);

/* Makes the folder 0500 again, through the descriptor, whether or not something is mounted on it by now; closes it. */
void mount_folder_protect(int fd);

/* Makes path 0500, or makes it as such where it is missing: for a drive that is remembered and not connected. Best effort. */
void mount_folder_keep(const char *path);

/* Removes the folder (and, for a deviceless connection, the empty folder of its server) when it is empty. Best effort. */
void mount_folder_remove(const char *path, bool with_parent);

/* "fsname=…,subtype=wnet,…": the mount's options, source escaped. NULL: out of memory; the caller frees. */
char *mount_options(const char *source, bool read_only, unsigned max_read_bytes);

/* The number below /sys/fs/fuse/connections of the mount on path; 0 when nothing is mounted there. */
unsigned mount_device_minor(const char *path);

/* Whether the mount table shows a wnet mount on path. */
bool mount_is_mounted(const char *path);

/* Aborts a FUSE connection through fusectl. False where that is not mounted. */
bool mount_abort(unsigned minor);

#endif
