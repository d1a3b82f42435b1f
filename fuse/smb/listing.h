/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SMB_LISTING_H
#define FUSE_SMB_LISTING_H

/*
 * Directory entries as they cross from a worker to wnetd in a data slot: records of struct smb_entry, name without NUL
 * behind it, padded to eight bytes. The worker parses what a server sends, and a server may be hostile; so wnetd checks every
 * length and every name again.
 */

#include <stdbool.h>
#include <stddef.h>

#include "fuse/smb/protocol.h"

struct smb_entry {
        uint32_t record_bytes;
        uint32_t name_bytes;
        struct smb_attr attr;
        char name[];
};

/* Appends an entry to buffer at *used. Returns false, changing nothing, when it does not fit into size bytes. */
bool listing_put(void *buffer, size_t size, size_t *used, const char *name, const struct smb_attr *attr);

/* Takes the entry at *at of a buffer of size bytes, copying it out (the other side may still write): 1 and *at moved behind it,
 * 0 at the end, -EBADMSG when a record makes no sense. ret_name gets the name with a NUL. */
int listing_take(const void *buffer, size_t size, size_t *at, char ret_name[SMB_NAME_MAX_BYTES + 1], struct smb_attr *ret_attr);

/* Puts 0 for times and sizes that no file has. */
void listing_limit_attr(struct smb_attr *attr);

/* Whether a server's entry can be a Linux name: not empty, not "." or "..", no '/', no NUL within, valid UTF-8, no longer than
 * SMB_NAME_MAX_BYTES. */
bool listing_name_valid(const char *name, size_t name_bytes);

#endif
