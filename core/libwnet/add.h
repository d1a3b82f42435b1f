/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_LIBWNET_ADD_H
#define CORE_LIBWNET_ADD_H

/*
 * Connecting: what WNetAddConnection and its kin (add.c) and WNetUseConnection (use.c) have in common.
 */

#include "core/libwnet/call.h"

/* Flags of WNetAddConnection2(). */
#define ADD_FLAGS ((DWORD) (CONNECT_UPDATE_PROFILE | CONNECT_TEMPORARY | CONNECT_INTERACTIVE | CONNECT_CMD_SAVECRED))

/* Checks what an addition can be refused for without asking anybody. known_flags: those that the call has. */
int add_check(const NETRESOURCEA *resource, DWORD flags, DWORD known_flags, struct wn_error *err);

/* Connects. local: the device, "" (deviceless), or "*" (the first free letter); resource has been checked. */
int add_connect(const NETRESOURCEA *resource, const char *local, const char *password, const char *user, DWORD flags,
                struct control_added *ret_added, struct wn_error *err);

/* A W function's arguments in UTF-8. */
struct add_narrow {
        NETRESOURCEA resource; /* owns lpLocalName, lpRemoteName, lpProvider; other strings are NULL */
        char *password;
        char *user;
};

/* resource may be NULL. 0 or -ENOMEM; add_narrow_done() frees in either case. */
int add_narrow_init(struct add_narrow *ret_narrow, const NETRESOURCEW *resource, const WCHAR *password,
                    const WCHAR *user);
void add_narrow_done(struct add_narrow *narrow);

#endif
