/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SMB_SETUP_H
#define FUSE_SMB_SETUP_H

/* What a worker is told about its server, made from core's names and credentials. */

#include "core/credentials.h"
#include "core/name.h"
#include "fuse/smb/protocol.h"

/* Fills ret_setup, which holds a password then: the caller erases it. login: the user where credentials have none;
 * credentials_file may be NULL; operation_usec: after which a server counts as silent. 0 or -ENAMETOOLONG. */
int setup_fill(struct smb_setup *ret_setup, const struct remote_name *remote, const struct credentials *credentials,
               const char *credentials_file, const char *login, uint64_t operation_usec);

#endif
