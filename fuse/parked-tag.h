/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_PARKED_TAG_H
#define FUSE_PARKED_TAG_H

/*
 * How the next connection knows a replaced file that it gives its name back: whoever may write to a share's hidden folder could make up a
 * name there, and have a file of theirs moved with our rights. So the name of what is parked with its path has a tag that only who has
 * the user's key can make, for a file of that number on that share.
 */

#include <stdint.h>

#define PARKED_KEY_BYTES 32u
#define PARKED_TAG_CHARS 16u

struct parked_key {
        unsigned char bytes[PARKED_KEY_BYTES];
};

/* Reads the user's key from the file path, which is made (0600) where there is none. 0 or a negative errno; then the key is one that only this
 * process has, and what it leaves when it is killed keeps its parked name. */
int parked_key_load(const char *path, struct parked_key *ret_key);

/* The tag (hexadecimal digits) of the file with the server's number file_id that was called original below the remote name source, and is
 * parked under base. 0 or a negative errno. */
int parked_tag(const struct parked_key *key, const char *source, const char *base, const char *original, uint64_t file_id,
               char ret_tag[PARKED_TAG_CHARS + 1]);

#endif
