/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SMB_WORKER_INTERNAL_H
#define FUSE_SMB_WORKER_INTERNAL_H

/* A worker's parts: its life (worker.c), and what it does for a request (worker-ops.c, of files worker-files.c, of listings
 * worker-lists.c); and a worker that does nothing but to watch (worker-watch.c). */

#include <stdbool.h>
#include <stdint.h>

#include "fuse/smb/backend.h"
#include "fuse/smb/protocol.h"

/* An open file or listing. */
struct open_handle {
        struct smb_open_file *file;
        struct smb_open_list *list;
        uint64_t n_listed;
        uint32_t counter;
        uint32_t next_free;
        /* An entry that did not fit into the last slot. */
        bool has_pending;
        char pending_name[SMB_NAME_MAX_BYTES + 1];
        struct smb_attr pending_attr;
};

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

/* Answers the message of that index, with 0 or a negative errno. */
void worker_reply(struct worker *w, uint32_t index, int r);

/* ---- worker-watch.c ---- */

/* Answers a WATCH of that index, and all that come behind it, until wnetd or the server is gone, or the server refuses. */
void worker_watch(struct worker *w, uint32_t index);

/* ---- worker-ops.c: handles, and checks on what wnetd asks ---- */

/* A new handle, and its number on the wire: 0, -EMFILE or -ENOMEM. */
int worker_handle_new(struct worker *w, struct open_handle **ret_handle, uint64_t *ret_fh);
void worker_handle_free(struct worker *w, struct open_handle *h, uint64_t fh);

/* The handle, or its file, of a number that wnetd has sent; NULL: there is none. */
struct open_handle *worker_handle_find(struct worker *w, uint64_t fh);
struct smb_open_file *worker_file_find(struct worker *w, uint64_t fh);

/* A transfer's memory; NULL when the request leaves its slot. */
void *worker_transfer_memory(struct worker *w, const struct smb_message *m);

/* The same of READ and WRITE, which may have several slots, side by side; NULL when they want more than that, or leave the arena. */
void *worker_run_memory(struct worker *w, const struct smb_message *m, uint32_t max_bytes);

/* Sets DOS attributes of which some are as they were found. */
int worker_set_found_dos(struct worker *w, const char *path, uint32_t dos);

/* ---- worker-files.c, worker-lists.c: as worker_perform(), for one kind of request each ---- */

int worker_open(struct worker *w, struct smb_message *m);
int worker_peek(struct worker *w, struct smb_message *m); /* STAT with SMB_WANT_DATA */
int worker_close(struct worker *w, struct smb_message *m);
int worker_read(struct worker *w, struct smb_message *m);
int worker_write(struct worker *w, struct smb_message *m);
int worker_copy(struct worker *w, struct smb_message *m);
int worker_list(struct worker *w, struct smb_message *m);
int worker_list_next(struct worker *w, struct smb_message *m);
int worker_list_close(struct worker *w, struct smb_message *m);
int worker_shares(struct worker *w, struct smb_message *m);

#endif
