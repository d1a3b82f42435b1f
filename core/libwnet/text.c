/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Converts between UTF-16 and UTF-8, without the C library's conversions, which follow the locale and the width of
 * wchar_t.
 */

#include "core/libwnet/text.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"

#define FIRST_SUPPLEMENTARY 0x10000u

static bool is_high(uint32_t unit)
{
        return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low(uint32_t unit)
{
        return unit >= 0xdc00 && unit <= 0xdfff;
}

/* The code point at *wide, which moves behind it; a lone surrogate's is its own number. */
static uint32_t next_code_point(const WCHAR **wide)
{
        uint32_t c = *(*wide)++;

        if (is_high(c) && is_low(**wide))
                c = FIRST_SUPPLEMENTARY + ((c - 0xd800) << 10) + (uint32_t) (*(*wide)++ - 0xdc00);
        return c;
}

/* Writes a code point as UTF-8 (out NULL: only counts). Returns its bytes. */
static size_t encode(uint32_t c, char *out)
{
        size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < FIRST_SUPPLEMENTARY ? 3 : 4;
        static const unsigned char first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

        if (!out)
                return n;
        for (size_t i = n; i-- > 1; c >>= 6)
                out[i] = (char) (0x80 | (c & 0x3f));
        out[0] = (char) (first[n] | c);
        return n;
}

int text_from_wide(const WCHAR *wide, char **ret_text)
{
        size_t size_bytes = 1;
        char *text, *out;

        if (!wide) {
                *ret_text = NULL;
                return 0;
        }
        for (const WCHAR *p = wide; *p;)
                size_bytes += encode(next_code_point(&p), NULL);
        text = out = malloc(size_bytes);
        if (!text)
                return -ENOMEM;
        while (*wide)
                out += encode(next_code_point(&wide), out);
        *out = '\0';
        *ret_text = text;
        return 0;
}

void text_erase_free(char **text)
{
        if (*text)
                explicit_bzero(*text, strlen(*text));
        free(*text);
        *text = NULL;
}

/* The valid character at text, of n bytes, as UTF-16. Returns its code units. */
static size_t decode(const char *text, size_t n, WCHAR ret_units[2])
{
        const unsigned char *p = (const unsigned char *) text;
        uint32_t c = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));

        for (size_t i = 1; i < n; i++)
                c = c << 6 | (p[i] & 0x3f);
        if (c < FIRST_SUPPLEMENTARY) {
                ret_units[0] = (WCHAR) c;
                return 1;
        }
        c -= FIRST_SUPPLEMENTARY;
        ret_units[0] = (WCHAR) (0xd800 + (c >> 10));
        ret_units[1] = (WCHAR) (0xdc00 + (c & 0x3ff));
        return 2;
}

/* Writes what fits into left_chars and ends there without a NUL (buffer NULL: only counts). Returns the characters. */
static size_t put(char *buffer, size_t left_chars, const char *text, bool wide)
{
        size_t left_bytes = strlen(text), total = 0, n;

        for (; left_bytes > 0; left_bytes -= n, text += n) {
                WCHAR units[2];
                size_t chars;

                n = utf8_char_bytes(text, left_bytes);
                if (n == 0) /* never: what is put is valid */
                        break;
                chars = wide ? decode(text, n, units) : n;
                if (chars > left_chars - total)
                        break;
                if (buffer)
                        memcpy(buffer + total * text_char_bytes(wide), wide ? (const void *) units : text,
                               chars * text_char_bytes(wide));
                total += chars;
        }
        return total;
}

size_t text_chars(const char *text, bool wide)
{
        return put(NULL, SIZE_MAX, text, wide) + 1;
}

void text_put_cut(void *buffer, size_t size_chars, const char *text, bool wide)
{
        size_t chars;

        if (size_chars == 0)
                return;
        chars = put(buffer, size_chars - 1, text, wide);
        memset((char *) buffer + chars * text_char_bytes(wide), 0, text_char_bytes(wide));
}

void *text_put(void *buffer, const char *text, bool wide)
{
        size_t chars = text_chars(text, wide);

        text_put_cut(buffer, chars, text, wide);
        return (char *) buffer + chars * text_char_bytes(wide);
}

int text_give(const char *what, const char *text, void *buffer, DWORD *chars, bool wide, struct wn_error *err)
{
        size_t needed_chars = text_chars(text, wide);

        if (*chars < needed_chars) {
                *chars = (DWORD) needed_chars;
                return error_set(err, ERROR_MORE_DATA, 0, NULL, "%s needs %zu characters", what, needed_chars);
        }
        text_put(buffer, text, wide);
        return 0;
}
