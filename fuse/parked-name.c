/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Making and reading of parked names. Nothing here knows what is on the server.
 */

#include "fuse/parked-name.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"

#define TEXT_MAX_BYTES 180u /* with a base of 63 bytes and a number a name of 255 */

/* Besides what names cannot be made of, what would be sent as another, longer character. */
static bool is_plain(char c, bool last)
{
        if ((unsigned char) c < 0x20 || c == 0x7f || strchr("/%\\:*?\"<>|", c))
                return false;
        return !last || (c != ' ' && c != '.');
}

static size_t char_bytes(const char *p)
{
        size_t n = 1;

        while (((unsigned char) p[n] & 0xc0) == 0x80)
                n++;
        return n;
}

/* Writes as much of *path as fits, in whole characters, and moves it on. */
static void put_text(char ret_text[TEXT_MAX_BYTES + 1], const char **path)
{
        size_t used = 0;

        for (size_t n; **path; *path += n) {
                n = char_bytes(*path);
                if (used + (n > 3 ? n : 3) > TEXT_MAX_BYTES)
                        break;
                if (n > 1 || is_plain(**path, (*path)[1] == '\0' || used + 6 > TEXT_MAX_BYTES)) {
                        memcpy(ret_text + used, *path, n);
                        used += n;
                } else
                        used += (size_t) snprintf(ret_text + used, 4, "%%%02X", (unsigned) (unsigned char) **path);
        }
        ret_text[used] = '\0';
}

char *parked_name(const char *base, const char *original, bool stays, char **ret_pieces, size_t *ret_n_pieces)
{
        char text[TEXT_MAX_BYTES + 1] = "", *name;
        const char *rest = original ? original : "";
        size_t n = 0;

        *ret_n_pieces = 0;
        if (!original)
                return strdup(base);
        put_text(text, &rest);
        if (!*rest && !stays)
                return asprintf(&name, "%s=%s", base, text) < 0 ? NULL : name;
        do {
                if (n == PARKED_PIECES_MAX || asprintf(&ret_pieces[n], "%s.%zu=%s", base, n, text) < 0)
                        goto fail;
                n++;
                put_text(text, &rest);
        } while (text[0]);
        if (asprintf(&name, "%s+%zu", base, n) < 0)
                goto fail;
        *ret_n_pieces = n;
        return name;

fail:
        while (n > 0)
                free(ret_pieces[--n]);
        return NULL;
}

static int hex_digit(char c)
{
        return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Appends what text stands for. */
static void take_text(char *path, size_t *used, const char *text)
{
        for (const char *p = text; *p; p++) {
                int high = *p == '%' ? hex_digit(p[1]) : -1, low = high >= 0 ? hex_digit(p[2]) : -1;

                path[(*used)++] = low >= 0 ? (char) (high * 16 + low) : *p;
                p += low >= 0 ? 2 : 0;
        }
        path[*used] = '\0';
}

/* The text of the folder that is called as prefix says, or NULL. */
static const char *find_piece(const char *prefix, char *const *names, size_t n_names)
{
        size_t length = strlen(prefix);

        for (size_t i = 0; i < n_names; i++)
                if (strncmp(names[i], prefix, length) == 0)
                        return names[i] + length;
        return NULL;
}

int parked_original(const char *name, char *const *names, size_t n_names, char **ret_path)
{
        const char *mark = name + strcspn(name, "=+");
        unsigned long n = *mark == '+' ? strtoul(mark + 1, NULL, 10) : 0;
        _cleanup_free_ char *path = NULL;
        size_t used = 0;

        *ret_path = NULL;
        if (*mark != '=' && (n == 0 || n > PARKED_PIECES_MAX))
                return 0;
        path = malloc(*mark == '=' ? strlen(mark) : n * TEXT_MAX_BYTES + 1);
        if (!path)
                return -ENOMEM;
        if (*mark == '=')
                take_text(path, &used, mark + 1);
        for (unsigned long i = 0; i < n; i++) {
                _cleanup_free_ char *prefix = NULL;
                const char *text;

                if (asprintf(&prefix, "%.*s.%lu=", (int) (mark - name), name, i) < 0)
                        return -ENOMEM;
                text = find_piece(prefix, names, n_names);
                if (!text || strlen(text) > TEXT_MAX_BYTES)
                        return 0;
                take_text(path, &used, text);
        }
        *ret_path = TAKE_PTR(path);
        return 0;
}

bool parked_is_piece(const char *name, const char *file)
{
        size_t length = strcspn(file, "=+");

        return strncmp(name, file, length) == 0 && name[length] == '.';
}
