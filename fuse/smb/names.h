/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SMB_NAMES_H
#define FUSE_SMB_NAMES_H

/*
 * Names on the wire. Characters that SMB servers refuse in a name (\ : * ? " < > |, control characters, a trailing dot or
 * blank) travel as code points of the Unicode private range, U+F001–U+F029, exactly as the Linux kernel client ("mapposix")
 * and macOS send them; and libsmbclient takes its paths as URLs, in which nearly everything has to be escaped. Pure functions.
 */

#include <stdbool.h>
#include <stddef.h>

#include "fuse/smb/protocol.h"

/* "smb://host:port/share" with host and share escaped. Returns its length, or -ENAMETOOLONG. */
int names_share_url(char *ret_url, size_t size, const char *server, unsigned port, const char *share);

/* Appends "/path" to the URL of length at (path: '/' between components, "" appends nothing), mapped and escaped.
 * Returns the new length, or -ENAMETOOLONG; the URL is then cut back to at. */
int names_append_path(char *url, size_t size, size_t at, const char *path);

/* Maps a server's name back to what the user sees. Returns false when the result does not fit into size bytes. */
bool names_from_server(const char *name, char *ret_name, size_t size);

#endif
