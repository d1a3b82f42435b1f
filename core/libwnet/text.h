/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_LIBWNET_TEXT_H
#define CORE_LIBWNET_TEXT_H

/*
 * The two forms of strings: within the library all are UTF-8; here they come from a W function, and go to the caller's
 * buffers, as UTF-8 or (wide) as UTF-16. A character is a byte or a UTF-16 code unit. No I/O.
 */

#include <stdbool.h>
#include <stddef.h>

#include <wnet/wnet.h>

#include "core/status.h"

/* Converts UTF-16; NULL stays NULL. A surrogate without its partner becomes the three bytes that its number would have:
 * they are not valid UTF-8, so whatever refuses a malformed UTF-8 name refuses it too. 0 or -ENOMEM; the caller
 * frees. */
int text_from_wide(const WCHAR *wide, char **ret_text);

/* Erases a text that was a password, and frees it; accepts NULL. */
void text_erase_free(char **text);

/* Bytes of a character. */
static inline size_t text_char_bytes(bool wide)
{
        return wide ? sizeof(WCHAR) : 1;
}

/* Characters of a valid text in that form, its NUL counted. */
size_t text_chars(const char *text, bool wide);

/* Writes the whole of a valid text, its NUL too, which has to fit. The buffer need not be aligned. Returns the end. */
void *text_put(void *buffer, const char *text, bool wide);

/* Writes as much as fits into size_chars characters, never half a character, and terminates it; nothing where that is
 * 0. */
void text_put_cut(void *buffer, size_t size_chars, const char *text, bool wide);

/* Gives a text to the caller, whose buffer has *chars characters. 0, or ERROR_MORE_DATA with the needed size in *chars
 * and the buffer untouched. what: "the user's name". */
int text_give(const char *what, const char *text, void *buffer, DWORD *chars, bool wide, struct wn_error *err);

#endif
