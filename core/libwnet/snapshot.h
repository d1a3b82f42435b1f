/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_LIBWNET_SNAPSHOT_H
#define CORE_LIBWNET_SNAPSHOT_H

/*
 * What an enumeration lists: taken whole when it is opened.
 */

#include <stddef.h>

#include "core/libwnet/enum.h"
#include "core/name.h"
#include "core/status.h"

struct enum_entry {
        char *local; /* NULL: deviceless */
        char *remote;
        char *comment; /* NULL: none */
        DWORD type;
};

struct enumeration {
        DWORD scope;
        struct enum_entry *entries;
        size_t n_entries;
        size_t next;
};

/* The connections (RESOURCE_CONNECTED) or remembered devices (RESOURCE_REMEMBERED) of the wanted types. 0, -ENOMEM or a status;
 * the caller frees: enumeration_free(). */
int snapshot_connections(DWORD scope, DWORD type, struct enumeration **ret_e, struct wn_error *err);

/* A server's shares of the wanted types that are not hidden: RESOURCE_GLOBALNET. */
int snapshot_shares(const struct remote_name *server, DWORD type, struct enumeration **ret_e, struct wn_error *err);

/* A list without entries. 0 or -ENOMEM. */
int snapshot_empty(DWORD scope, struct enumeration **ret_e);

#endif
