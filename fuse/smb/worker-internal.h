/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SMB_WORKER_INTERNAL_H
#define FUSE_SMB_WORKER_INTERNAL_H

/* A worker's two parts: its life (worker.c), and what it does for a request (worker-ops.c). */

#include <stdbool.h>
#include <stdint.h>

#include "fuse/smb/backend.h"
#include "fuse/smb/protocol.h"

struct open_handle;

struct worker {
        struct smb_backend *backend;
        struct smb_channel *channel;
        unsigned char *arena;
        uint32_t requests_read;
        struct open_handle **handles;
        uint32_t n_handles, first_free;
        uint64_t n_shares; /* handed out */
        bool may_check; /* connected to a share of files */
        bool lost;
        struct smb_setup setup;
};

/* Whether an error means that the connection to the server is gone. A time-out does: the library would keep a connection
 * that answers out of step. */
bool worker_lost_connection(int error);

/* Does what m asks, anything but CONNECT, and fills in its reply. 0 or a negative errno. */
int worker_perform(struct worker *w, struct smb_message *m);

#endif
