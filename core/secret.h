/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_SECRET_H
#define CORE_SECRET_H

/*
 * A password in memory: erased when it is let go of, and never printed.
 */

#include <stdbool.h>
#include <stddef.h>

#define SECRET_MAX_BYTES 1024

struct secret {
        char *bytes; /* NUL-terminated; NULL: no secret is known (an empty password is "") */
        size_t size_bytes;
};

/* Copies text (NULL: no secret). 0, -ENOMEM, or -E2BIG beyond SECRET_MAX_BYTES. Erases what secret held before. */
int secret_set(struct secret *secret, const char *text);

/* Copies one secret into another. 0 or -ENOMEM. */
int secret_copy(struct secret *secret, const struct secret *from);

/* Same bytes, or both unknown. */
bool secret_equal(const struct secret *a, const struct secret *b);

/* Erases and frees; accepts a zeroed struct. */
void secret_done(struct secret *secret);

#endif
