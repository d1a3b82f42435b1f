/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The mapping of names and their escaping in URLs. Nothing here allocates.
 */

#include "fuse/smb/names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Character ↔ low byte of its code point U+F0xx, besides the control characters, which keep their number. */
static const struct {
        char character;
        unsigned char low;
} private_range[] = {
        { '"', 0x20 }, { '*', 0x21 }, { ':', 0x22 }, { '<', 0x23 },  { '>', 0x24 },
        { '?', 0x25 }, { '\\', 0x26 }, { '|', 0x27 }, { ' ', 0x28 }, { '.', 0x29 },
};

/* Returns the code point's low byte for a character of a component, or 0 when it travels as itself. */
static unsigned char map_character(char c, bool last)
{
        if ((unsigned char) c < 0x20)
                return (unsigned char) c;
        if ((c == ' ' || c == '.') && !last)
                return 0;
        for (size_t i = 0; i < sizeof(private_range) / sizeof(private_range[0]); i++)
                if (private_range[i].character == c)
                        return private_range[i].low;
        return 0;
}

static char unmap_character(unsigned char low)
{
        if (low > 0 && low < 0x20)
                return (char) low;
        for (size_t i = 0; i < sizeof(private_range) / sizeof(private_range[0]); i++)
                if (private_range[i].low == low)
                        return private_range[i].character;
        return '\0';
}

static bool put(char *url, size_t size, size_t *at, const char *text, size_t length)
{
        if (length >= size - *at)
                return false;
        memcpy(url + *at, text, length);
        *at += length;
        url[*at] = '\0';
        return true;
}

static bool put_escaped(char *url, size_t size, size_t *at, unsigned char byte)
{
        static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
        char escaped[4];

        if (byte != '\0' && strchr(unreserved, byte))
                return put(url, size, at, (const char *) &byte, 1);
        snprintf(escaped, sizeof(escaped), "%%%02X", byte);
        return put(url, size, at, escaped, 3);
}

static bool put_text(char *url, size_t size, size_t *at, const char *text)
{
        for (; *text; text++)
                if (!put_escaped(url, size, at, (unsigned char) *text))
                        return false;
        return true;
}

int names_share_url(char *ret_url, size_t size, const char *server, unsigned port, const char *share)
{
        char number[16];
        size_t at = 0;

        snprintf(number, sizeof(number), ":%u/", port);
        if (!put(ret_url, size, &at, "smb://", 6) || !put_text(ret_url, size, &at, server) ||
            !put(ret_url, size, &at, number, strlen(number)) || !put_text(ret_url, size, &at, share))
                return -ENAMETOOLONG;
        return (int) at;
}

int names_append_path(char *url, size_t size, size_t at, const char *path)
{
        size_t end = at;

        for (const char *p = path; *p;) {
                const char *next = strchrnul(p, '/');

                if (!put(url, size, &end, "/", 1))
                        goto too_long;
                for (; p < next; p++) {
                        unsigned char low = map_character(*p, p + 1 == next);

                        /* U+F0xx is EF 80 80+xx in UTF-8. */
                        if (low ? !put_escaped(url, size, &end, 0xef) || !put_escaped(url, size, &end, 0x80) ||
                                            !put_escaped(url, size, &end, (unsigned char) (0x80 + low))
                                : !put_escaped(url, size, &end, (unsigned char) *p))
                                goto too_long;
                }
                if (*p == '/')
                        p++;
        }
        return (int) end;

too_long:
        url[at] = '\0';
        return -ENAMETOOLONG;
}

bool names_from_server(const char *name, char *ret_name, size_t size)
{
        const unsigned char *p = (const unsigned char *) name;
        size_t at = 0;

        while (*p) {
                char c = (char) *p;
                size_t length = 1;

                if (p[0] == 0xef && p[1] == 0x80 && (p[2] & 0xc0) == 0x80) {
                        char mapped = unmap_character(p[2] & 0x3f);

                        if (mapped != '\0') {
                                c = mapped;
                                length = 3;
                        }
                }
                if (at + 1 >= size)
                        return false;
                ret_name[at++] = c;
                p += length;
        }
        ret_name[at] = '\0';
        return true;
}
