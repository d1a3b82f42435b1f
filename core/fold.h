/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_FOLD_H
#define CORE_FOLD_H

/*
 * Names that differ in nothing but upper and lower case, as nearly as that can be told here: each server has a table of its own. So
 * what is equal here is only a suspicion.
 */

#include <locale.h>
#include <stdbool.h>
#include <stdint.h>

/* How letters are folded; (locale_t) 0 where the system has no such table: then ASCII's alone. freelocale() it. */
locale_t fold_new(void);

/* Of name in the directory of that number (FNV-1a): the same for all its spellings. */
uint64_t fold_hash(locale_t fold, uint64_t directory_ino, const char *name);

/* Both are valid UTF-8. */
bool fold_equal(locale_t fold, const char *a, const char *b);

/* The same, but for ASCII's letters, which are nobody else's: the long s is no s, a dotless i no i. For names that are one where more
 * than a suspicion is needed. */
bool fold_same(locale_t fold, const char *a, const char *b);

#endif
