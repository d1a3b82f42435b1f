/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SMB_WORKER_H
#define FUSE_SMB_WORKER_H

/*
 * A worker's life: takes requests out of the channel one by one, in order, does them with its backend, and puts the replies
 * back. Single-threaded.
 */

#include "fuse/smb/backend.h"

/* Serves the descriptors of protocol.h until wnetd is gone or the connection to the server is lost. Writes that were already
 * handed over when wnetd dies are still done. Returns the process's exit code. */
int worker_run(struct smb_backend *backend);

#endif
