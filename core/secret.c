/* SPDX-License-Identifier: LGPL-3.0-or-later */

/*
 * Owns the bytes of passwords. Always true: bytes is NULL or has size_bytes bytes and a NUL behind them, and memory
 * that held a password is erased before it is freed.
 */

#include "core/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int secret_set(struct secret *secret, const char *text)
{
        char *copy = NULL;
        size_t size_bytes = 0;

        if (text) {
                size_bytes = strnlen(text, SECRET_MAX_BYTES + 1);
                if (size_bytes > SECRET_MAX_BYTES)
                        return -E2BIG;
                copy = malloc(size_bytes + 1);
                if (!copy)
                        return -ENOMEM;
                memcpy(copy, text, size_bytes);
                copy[size_bytes] = '\0';
        }

        secret_done(secret); /* after the copy: text may be what secret holds */
        *secret = (struct secret) { .bytes = copy, .size_bytes = size_bytes };
        return 0;
}

int secret_copy(struct secret *secret, const struct secret *from)
{
        return secret_set(secret, from->bytes);
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
        if (!a->bytes || !b->bytes)
                return !a->bytes && !b->bytes;
        return a->size_bytes == b->size_bytes && memcmp(a->bytes, b->bytes, a->size_bytes) == 0;
}

void secret_done(struct secret *secret)
{
        if (secret->bytes) {
                explicit_bzero(secret->bytes, secret->size_bytes + 1);
                free(secret->bytes);
        }
        *secret = (struct secret) { 0 };
}
