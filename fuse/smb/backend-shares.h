/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SMB_BACKEND_SHARES_H
#define FUSE_SMB_BACKEND_SHARES_H

/*
 * What a server offers, as libsmbclient tells it. The library answers for a server as it does for a directory, through a
 * session with the share IPC$ that it makes, with context's credentials, where it has none.
 */

#include <libsmbclient.h>

#include "fuse/smb/protocol.h"

struct share_list;

/* Asks for the shares of the server at url ("smb://server:port/"). 0 or an errno of Linux's, positive; the answer has
 * come whole then. */
int share_list_open(SMBCCTX *context, const char *url, struct share_list **ret_list);

/* The next share whose name can be one here: 1, or 0 at the end. */
int share_list_next(struct share_list *list, struct smb_share *ret_share);

void share_list_close(struct share_list *list); /* accepts NULL */

#endif
