/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_LIBWNET_ENUM_H
#define CORE_LIBWNET_ENUM_H

/*
 * The handles of open enumerations (enum-handle.c). Any value may be passed for a handle.
 */

#include <wnet/wnet.h>

#include "core/cleanup.h"

struct enumeration;

/* Accepts NULL. */
void enumeration_free(struct enumeration *e);
DEFINE_CLEANUP(struct enumeration *, enumeration_free);

/* Gives e a handle, which owns it from then on. 0, or -ENOMEM (too many are open, too), and e is still the caller's. */
int enum_handle_new(struct enumeration *e, HANDLE *ret_handle);

/* The enumeration of an open handle, which nobody else uses or closes until enum_handle_unlock(); NULL, and nothing to
 * unlock, for every other value. */
struct enumeration *enum_handle_lock(HANDLE handle);
void enum_handle_unlock(void);

/* Closes a handle and gives its enumeration to the caller; NULL where it is not open. */
struct enumeration *enum_handle_take(HANDLE handle);

#endif
