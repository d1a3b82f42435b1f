/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_UTF8_H
#define CORE_UTF8_H

/*
 * UTF-8 as RFC 3629 has it (no surrogates, no overlong forms, nothing above U+10FFFF). Pure functions, no I/O.
 */

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the valid character at text's begin, 1 to 4; 0 where there is none, also at the end of the text. */
size_t utf8_char_bytes(const char *text, size_t size_bytes);

/* Valid UTF-8 to its NUL. */
bool utf8_is_valid(const char *text);

/* Valid UTF-8 without control characters (U+0000–U+001F, U+007F–U+009F). */
bool utf8_is_clean(const char *text, size_t size_bytes);

/* size_bytes, less an unfinished character at the end: where a text that was cut there has to end. */
size_t utf8_cut_bytes(const char *text, size_t size_bytes);

/* Turns every control character and every byte that is not UTF-8 into '?', in place. */
void utf8_make_printable(char *text);

#endif
