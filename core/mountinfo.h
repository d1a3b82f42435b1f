/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_MOUNTINFO_H
#define CORE_MOUNTINFO_H

/*
 * The mount table, read as text: no file system of ours is ever touched (a stat of one's own mount can wait for ever).
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define MOUNTINFO_FSTYPE "fuse.wnet"

struct mountinfo_entry {
        char *mountpoint; /* octal escapes decoded */
        char *fstype;
        char *source;
        unsigned major, minor; /* the device: minor is the number below /sys/fs/fuse/connections */
        long user_id;          /* of a FUSE mount's "user_id=" option; -1 where there is none */
};

struct mountinfo {
        struct mountinfo_entry *entries; /* in the kernel's order */
        size_t n_entries;
};

/* Parses the text of a mountinfo file; lines that are not understood are skipped. 0 or -ENOMEM. */
int mountinfo_parse(const char *text, struct mountinfo *ret_table);

/* Reads /proc/self/mountinfo. 0 or a negative errno. */
int mountinfo_read(struct mountinfo *ret_table);
void mountinfo_done(struct mountinfo *table);

/* The topmost (last) mount exactly on path, or NULL. Paths are compared as text. */
const struct mountinfo_entry *mountinfo_find(const struct mountinfo *table, const char *path);

/* The first mount strictly below path, or stacked on a mount at path, that is not the wnet mount itself; NULL: none. */
const struct mountinfo_entry *mountinfo_find_stacked(const struct mountinfo *table, const char *path);

/* The wnet drive that path lies on (equal to or below its mount point), or NULL. */
const struct mountinfo_entry *mountinfo_find_wnet_above(const struct mountinfo *table, const char *path);

#endif
