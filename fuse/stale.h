/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_STALE_H
#define FUSE_STALE_H

/* Detaches what a daemon that was killed has left mounted below drives_dir, and removes the empty closed folders. Only the
 * holder of the daemon's lock may call it: to it alone, every wnet mount there is a stale one. Waits for fusermount3. */
void stale_clean(const char *drives_dir);

#endif
