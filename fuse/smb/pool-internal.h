/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SMB_POOL_INTERNAL_H
#define FUSE_SMB_POOL_INTERNAL_H

/* What the pool (routing) and its open files say to each other. */

#include <stdbool.h>
#include <stdint.h>

#include "fuse/smb/arena.h"
#include "fuse/smb/link.h"
#include "fuse/smb/pool.h"

#define NAMES_WORKER 0u

struct smb_pool {
        struct smb_pool_config config;
        struct arena arena;
        struct smb_link links[POOL_WORKERS_MAX];
        unsigned n_links;
        bool connected;  /* once */
        bool healthy;
        bool closing;
        bool slots_wanted; /* a pending request found no slot */
        uint64_t unsent_count;
        struct smb_request_list finished;
        sd_event_source *finish_source, *retry_source;
};

/* ---- pool.c ---- */

/* Sends a request to the worker that it belongs to, lets it wait for its file, or ends it. */
void pool_route(struct smb_pool *pool, struct smb_request *request);

/* Ends a request soon, with error. */
void pool_finish(struct smb_pool *pool, struct smb_request *request, int error);

/* ---- file.c ---- */

/* Whether request has to wait though the file's process is there. */
bool file_defers(const struct smb_file *file, const struct smb_request *request);

/* Opens file at its worker's present process; what waits for it follows. */
void file_reopen(struct smb_pool *pool, struct smb_file *file);

/* At the pool's end: open is file_reopen()'s own request, which nobody else frees. */
void file_reopening_cancelled(struct smb_pool *pool, struct smb_request *open);

/* A request is no longer at its worker: answered, refused, or the worker is gone. */
void file_left_worker(struct smb_pool *pool, struct smb_request *request);

/* The file is no longer among those of its worker: closed, or not opened. */
void file_uncount(struct smb_pool *pool, struct smb_file *file);

#endif
