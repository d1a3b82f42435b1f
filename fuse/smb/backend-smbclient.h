/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SMB_BACKEND_SMBCLIENT_H
#define FUSE_SMB_BACKEND_SMBCLIENT_H

/* The real backend: libsmbclient, one context, one process. Its process-global state makes a second one impossible. */

#include "fuse/smb/backend.h"

struct smb_backend *backend_smbclient(void);

#endif
