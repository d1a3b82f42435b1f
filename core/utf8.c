/* SPDX-License-Identifier: LGPL-3.0-or-later */

/*
 * UTF-8 checking. Always true: no function reads beyond the size it was given.
 */

#include "core/utf8.h"

#include <stdint.h>
#include <string.h>

/* The length that a character's first byte announces; 0 for a byte that begins none. */
static size_t announced_bytes(unsigned char first)
{
        if (first < 0x80)
                return 1;
        if (first >= 0xc2 && first <= 0xdf)
                return 2;
        if (first >= 0xe0 && first <= 0xef)
                return 3;
        if (first >= 0xf0 && first <= 0xf4)
                return 4;
        return 0;
}

size_t utf8_char_bytes(const char *text, size_t size_bytes)
{
        const unsigned char *p = (const unsigned char *) text;
        size_t n = size_bytes > 0 ? announced_bytes(p[0]) : 0;

        if (n == 0 || n > size_bytes)
                return 0;
        for (size_t i = 1; i < n; i++)
                if ((p[i] & 0xc0) != 0x80)
                        return 0;

        /* The second byte's range is narrower behind these four: overlong forms, surrogates, beyond U+10FFFF. */
        if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
            (p[0] == 0xf4 && p[1] > 0x8f))
                return 0;
        return n;
}

/* text is the begin of a valid character. */
static bool is_control(const char *text)
{
        const unsigned char *p = (const unsigned char *) text;

        return p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0);
}

bool utf8_is_valid(const char *text)
{
        size_t left_bytes = strlen(text), n;

        for (; left_bytes > 0; left_bytes -= n, text += n) {
                n = utf8_char_bytes(text, left_bytes);
                if (n == 0)
                        return false;
        }
        return true;
}

bool utf8_is_clean(const char *text, size_t size_bytes)
{
        for (size_t i = 0; i < size_bytes;) {
                size_t n = utf8_char_bytes(text + i, size_bytes - i);

                if (n == 0 || is_control(text + i))
                        return false;
                i += n;
        }
        return true;
}

size_t utf8_cut_bytes(const char *text, size_t size_bytes)
{
        for (size_t back = 1; back <= 3 && back <= size_bytes; back++) {
                unsigned char c = (unsigned char) text[size_bytes - back];

                if ((c & 0xc0) == 0x80)
                        continue;
                return announced_bytes(c) > back ? size_bytes - back : size_bytes;
        }
        return size_bytes;
}

void utf8_make_printable(char *text)
{
        size_t left_bytes = strlen(text);
        char *out = text;

        while (left_bytes > 0) {
                size_t n = utf8_char_bytes(text, left_bytes);

                if (n == 0 || is_control(text)) {
                        *out++ = '?';
                        n = n == 0 ? 1 : n;
                } else {
                        memmove(out, text, n);
                        out += n;
                }
                text += n;
                left_bytes -= n;
        }
        *out = '\0';
}
