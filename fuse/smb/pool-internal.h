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
        unsigned n_changes;  /* of names, waiting or under way at the worker for names; */
        unsigned n_elsewhere; /* look-ups at other workers than that */
        uint64_t turns;      /* counts what is handed over */
        uint64_t unsent_count;
        char *hung_path; /* of the last look-up that a worker hung in, which fails at once until then */
        uint64_t hung_until_usec;
        struct smb_request question; /* to the worker for names, whether it still has its connection, */
        bool asking;                 /* which is under way */
        char root[1];                /* "", its path */
        struct smb_request_list finished;
        struct smb_request_list behind_lists; /* changes that wait for listings of what they change */
        sd_event_source *finish_source, *retry_source, *idle_source;
        bool idle_planned; /* idle_source is going to look */
};

/* ---- pool.c ---- */

/* Sends a request to the worker that it belongs to, lets it wait for its file, or ends it. */
void pool_route(struct smb_pool *pool, struct smb_request *request);

/* Ends a request soon, with error. */
void pool_finish(struct smb_pool *pool, struct smb_request *request, int error);

/* ---- choice.c: which worker, and how many ---- */

/* The worker for a file that is to be opened. small: see smb_file_new(). */
unsigned choice_for_file(struct smb_pool *pool, bool small);

/* The worker for a request that names no file. */
struct smb_link *choice_for_name(struct smb_pool *pool, const struct smb_request *request);

/* Whether a change has to wait, at no worker, until listings have ended. */
bool choice_defers(const struct smb_pool *pool, const struct smb_request *request);

/* Request is at link from now on, and is no longer. */
void choice_entered(struct smb_link *link, const struct smb_request *request);
void choice_left(struct smb_link *link, const struct smb_request *request);

/* ---- idle.c: what is not used is given back ---- */

int idle_init(struct smb_pool *pool);

/* Something has ended: it may have been the last for long. */
void idle_plan(struct smb_pool *pool);

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
