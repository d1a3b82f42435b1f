/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_FOLD_H
#define FUSE_FOLD_H

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

#endif
