/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_PARKED_NAME_H
#define FUSE_PARKED_NAME_H

/*
 * What things are called in the share's hidden folder, so that the next connection knows what to do with them:
 *
 *   BASE          a file that was deleted while it was open
 *   BASE=PATH     a file that is being replaced; it was called PATH
 *   BASE+N        the same, where PATH does not fit into a name, or the file stays for it is open: it is the texts, in order, of the folders
 *                 beside it
 *   BASE.I=TEXT   I = 0 … N-1: such a folder. They are there before the file is, and go when the new one is in place
 *
 * PATH and TEXT have a '%' and two digits for what cannot be in a name, here or on a server.
 */

#include <stdbool.h>
#include <stddef.h>

#define PARKED_PIECES_MAX 128u /* of the longest path, when each character is escaped */

/* base: less than 64 bytes. original: the path of a file that is being replaced; NULL: it is deleted. stays: it is open, and stays when it has
 * been replaced, so its own name may not tell the path. ret_pieces, which has room for PARKED_PIECES_MAX, gets the names of the folders.
 * Returns the file's name, or NULL without memory. The caller frees them all. */
char *parked_name(const char *base, const char *original, bool stays, char **ret_pieces, size_t *ret_n_pieces);

/* The path that the file called name had, from its name and from those that are beside it. *ret_path, which the caller frees, is NULL
 * where the file is deleted, or the new one is in place. 0 or -ENOMEM. */
int parked_original(const char *name, char *const *names, size_t n_names, char **ret_path);

/* Whether the folder called name belongs to the file called file. */
bool parked_is_piece(const char *name, const char *file);

#endif
