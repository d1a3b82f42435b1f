/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "core/fold.h"

#include <string.h>
#include <wctype.h>

#include "core/utf8.h"

#define FNV_OFFSET 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL

locale_t fold_new(void)
{
        return newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t) 0);
}

/* The character that begins at *name, in lower case; moves on behind it. What is not UTF-8 counts byte by byte. */
static uint32_t take(locale_t fold, const char **name)
{
        static const unsigned char first_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
        unsigned char byte = (unsigned char) **name;
        uint32_t c = byte;
        size_t n;

        if (byte < 0x80) {
                ++*name;
                return byte >= 'A' && byte <= 'Z' ? c + ('a' - 'A') : c;
        }
        n = utf8_char_bytes(*name, strnlen(*name, 4));
        if (n > 0)
                c &= first_bits[n];
        for (size_t i = 1; i < n; i++)
                c = c << 6 | ((unsigned char) (*name)[i] & 0x3f);
        *name += n > 0 ? n : 1;
        /* By way of upper case: what shares a capital, as the two small sigmas, is one letter. */
        return n > 0 && fold ? (uint32_t) towlower_l(towupper_l((wint_t) c, fold), fold) : c;
}

uint64_t fold_hash(locale_t fold, uint64_t directory_ino, const char *name)
{
        uint64_t hash = (FNV_OFFSET ^ directory_ino) * FNV_PRIME;

        while (*name)
                hash = (hash ^ take(fold, &name)) * FNV_PRIME;
        return hash;
}

bool fold_equal(locale_t fold, const char *a, const char *b)
{
        while (*a && *b)
                if (take(fold, &a) != take(fold, &b))
                        return false;
        return *a == *b;
}

bool fold_same(locale_t fold, const char *a, const char *b)
{
        while (*a && *b) {
                const char *a_was = a, *b_was = b;
                uint32_t c = take(fold, &a);

                if (c != take(fold, &b))
                        return false;
                if (c < 0x80 && ((unsigned char) *a_was >= 0x80 || (unsigned char) *b_was >= 0x80) &&
                    (a - a_was != b - b_was || memcmp(a_was, b_was, (size_t) (a - a_was)) != 0))
                        return false;
        }
        return *a == *b;
}
