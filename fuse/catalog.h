/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_CATALOG_H
#define FUSE_CATALOG_H

/*
 * The names of a directory with their attributes, as a server has listed them once, and which of them are in doubt since: changed
 * from here after it was asked. To be looked through in order, and by name.
 *
 * A server may fold upper and lower case, and nobody tells how. So a name in doubt puts all those in doubt that may be the same
 * one, and absence is only told of names that no server can take for one that is there.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fuse/smb/protocol.h"

struct catalog_entry {
        struct smb_attr attr;
        uint32_t name; /* where it begins in the names */
        uint32_t next; /* with the same place in the index: number + 1; 0: none */
};

struct catalog {
        struct catalog_entry *entries;
        size_t n, room;
        char *names;
        size_t names_bytes, names_room;

        uint32_t *index;         /* by folded name: number + 1 */
        size_t index_room;       /* a power of two */
        size_t n_indexed;        /* of the entries, from the first on */
        uint32_t *sorted;        /* numbers by name; NULL: not asked for, or out of date */
        uint64_t *doubts;        /* hashes of folded names; 0: none here */
        size_t n_doubts, doubts_room;
        bool all_doubted;        /* there was no memory for more */
        bool odd_doubted;        /* every name that is not ASCII */
        bool odd_chars[SMB_NAME_MAX_BYTES + 1]; /* such names of so many characters are there */
};

enum catalog_found {
        CATALOG_UNKNOWN, /* the server has to be asked */
        CATALOG_PRESENT,
        CATALOG_ABSENT,  /* if every entry has been added */
        CATALOG_AWAITED, /* snapshot_find() alone: whoever asks will be called again */
};

/* An empty one is all zeros. */
void catalog_done(struct catalog *catalog);

/* 0, -ENOMEM, or -EFBIG when it has all that one directory may have. */
int catalog_add(struct catalog *catalog, const char *name, const struct smb_attr *attr);

const char *catalog_name(const struct catalog *catalog, const struct catalog_entry *entry);

/* Something was done to name that the catalog may not show. */
void catalog_doubt(struct catalog *catalog, const char *name);
bool catalog_doubts(const struct catalog *catalog, const char *name);

/* The numbers of the entries in the order of their names' bytes, made when it is first asked for: the catalog's, until the next entry
 * is added. NULL: there are too many entries for that, or no memory. And where in that order an entry stands. */
const uint32_t *catalog_sorted(struct catalog *catalog);
size_t catalog_position(const struct catalog *catalog, const struct catalog_entry *entry);

enum catalog_found catalog_find(struct catalog *catalog, const char *name, const struct catalog_entry **ret_entry);

#endif
