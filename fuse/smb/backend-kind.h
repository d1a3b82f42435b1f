/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SMB_BACKEND_KIND_H
#define FUSE_SMB_BACKEND_KIND_H

/*
 * Whether a share is of files or a printer's. The answer to the connecting says so, but libsmbclient keeps it to itself.
 */

#include <libsmbclient.h>

enum share_kind { SHARE_UNKNOWN, SHARE_DISK, SHARE_PRINTER };

/* Looks the share up in the server's list; where that is refused, or does not have it, judges by what its root answers. Never
 * creates anything. server_url: "smb://server:port/"; share_url: of the share, to which context is connected. */
enum share_kind share_kind(SMBCCTX *context, const char *server_url, const char *share_url, const char *share);

#endif
