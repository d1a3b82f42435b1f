/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SMB_BACKEND_INTERNAL_H
#define FUSE_SMB_BACKEND_INTERNAL_H

/* The parts of the libsmbclient backend: connecting (backend-connect.c), names and files (backend-smbclient.c), changes
 * (backend-watch.c). */

#include <libsmbclient.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fuse/smb/backend.h"

#define URL_MAX_BYTES 32768u /* a path of SMB_PATH_MAX_BYTES, each byte escaped, and some */
#define ERRNO_MAX 133        /* EHWPOISON: Linux's highest */

struct share_list;

struct smbclient {
        struct smb_backend backend;
        SMBCCTX *context;
        struct smb_setup credentials;
        SMBCFILE *root; /* for statfs and watch, opened at the first one */
        struct share_list *shares; /* only where the connection is to a server alone, until the list's end */
        bool shares_at_end;
        uint32_t last_ntstatus;
        bool login_failed; /* the session, not the share, was refused */
        bool session_set_up; /* it was not: what failed, failed behind the logon */
        bool tree_connected; /* the share was not refused: what failed, failed inside it */
        size_t share_url_length; /* up to the connection's root */
        char url[URL_MAX_BYTES];
        char url2[URL_MAX_BYTES];
};

static inline struct smbclient *smbclient_of(struct smb_backend *b)
{
        return (struct smbclient *) b;
}

/* What the library's last call ended with, as a negative errno that Linux has; never 0. */
int smbclient_errno(void);

/* See struct smb_backend_ops. */
int smbclient_connect(struct smb_backend *b, const struct smb_setup *setup, struct wn_error *err);
int smbclient_check(struct smb_backend *b);
int smbclient_watch(struct smb_backend *b, struct smb_watcher *watcher);

/* Opens s->root, if it is not open. 0 or a negative errno. */
int smbclient_open_root(struct smbclient *s);

#endif
