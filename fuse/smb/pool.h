/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SMB_POOL_H
#define FUSE_SMB_POOL_H

/*
 * The workers of one connection, as the rest of wnetd sees them: requests go in, their callbacks come out, in the event loop's
 * thread, and nothing here ever waits.
 *
 * Worker 0 serves names; the others, where there are any, serve open files and listings, so that neither ever holds up a look-up.
 * They are started when they are needed, and end when they have not been for a while. Look-ups go to any worker that has nothing
 * else to do (choice.c has the rules). An open file belongs to the worker that opened it. A worker that crashes or exceeds its deadline is killed and replaced: requests that may be repeated go to its successor (three
 * times at most), files are opened again there when they are next used, provided that the server still has the same file under
 * the name; the other requests end with -EIO.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "core/status.h"
#include "fuse/smb/arena.h"
#include "fuse/smb/file.h"
#include "fuse/smb/protocol.h"

#define POOL_WORKERS_MAX 13u        /* one for names, the others for files */
#define POOL_BUSY_WORKERS 4u        /* so many workers for files share what there is to do; further ones are only started for */
#define POOL_IDLE_USEC (20 * 1000000ULL)
#define POOL_WORKER_FILES 10000u    /* more open files than so many each: a server stops at some more on one connection */

struct smb_pool;
struct smb_request;

typedef void (*smb_done_fn)(struct smb_request *request);

/* One request; whoever submits it owns it and keeps it until done() was called. */
struct smb_request {
        enum smb_op op;
        char *path;            /* owned by the submitter */
        char *path2;
        uint32_t flags, valid;
        uint64_t offset;       /* also the new size */
        uint64_t offset2;      /* COPY: of the source */
        uint32_t length;
        struct smb_time atime, mtime;
        uint32_t dos_set, dos_clear;
        struct smb_file *file; /* READ, WRITE, CLOSE, SETATTR with a size; OPEN: the file that is being opened */
        uint32_t slot;         /* WRITE: the submitter's, READ, LIST_NEXT, SHARES: taken for it when it is dispatched (but for a READ
                                  of more than a slot, which comes with its run); afterwards the submitter's, who gives it back. Else
                                  SMB_NO_SLOT */
        uint32_t slot_offset;
        uint32_t unsent_bytes; /* WRITE: so many of them, and of what lies behind them, a program has been told are written; 0: none */
        unsigned worker;       /* LIST: where it ran; LIST_NEXT, LIST_CLOSE: where it must run, */
        uint32_t generation;   /* and in which process */
        uint64_t fh;           /* LIST → LIST_NEXT, LIST_CLOSE; CLOSE: the pool's */
        char *text;            /* WATCH: gets the reply's text, as much as length */
        smb_done_fn done;
        void *userdata;

        int error;             /* 0 or a negative errno */
        uint32_t reply_length; /* never more than length */
        uint32_t status;       /* WATCH: SMB_WATCH_* */
        uint32_t took_usec;    /* READ, WRITE: what the worker says that it took */
        bool created;          /* OPEN with O_CREAT: there was no such file */
        struct smb_attr attr;
        struct smb_time birth; /* STAT with SMB_WANT_BIRTH */
        struct smb_space space;

        /* the pool's own */
        unsigned repeats;      /* workers that died over it */
        bool internal;
        TAILQ_ENTRY(smb_request) queue;
};

struct smb_pool_config {
        sd_event *event;
        const char *worker_program;   /* path of wnet-smb */
        int lock_fd;                  /* which each worker has open as long as it lives; -1: none */
        struct smb_setup setup;       /* erased with the pool */
        uint64_t connect_usec, operation_usec;
        unsigned n_file_workers;      /* 0 (worker 0 does it all) … POOL_WORKERS_MAX - 1 */
        unsigned worker_files;        /* open files of one worker, before another is started */
        uint64_t idle_usec;           /* after which a worker that has no open file ends; 0: never */
        /* The first worker was accepted as user of domain (which may be ""); connected() with 0 follows at once. */
        void (*authenticated)(void *userdata, const char *user, const char *domain);
        /* The first connection attempt has ended: 0, or a status with err filled. */
        void (*connected)(void *userdata, int status, const struct wn_error *err);
        /* Later on: the server went away (reason says why; again for each attempt in vain, which may have another), or is back. */
        void (*health)(void *userdata, bool up, const char *reason);
        /* No slot is free: let go of one that only holds data read ahead. Returns false when there is none. */
        bool (*reclaim_slot)(void *userdata);
        /* A slot has become free, from within whatever gave it back. NULL: nobody waits for one. */
        void (*slot_free)(void *userdata);
        void *userdata;
};

/* Starts the first worker. 0 or a negative errno; connected() tells the rest. config is copied. */
int smb_pool_new(const struct smb_pool_config *config, struct smb_pool **ret_pool);

/* Kills the workers and ends every request with -ECANCELED. Accepts NULL. Not to be called from a callback of the pool. */
void smb_pool_free(struct smb_pool *pool);

/* Whom the pool's workers connect to, and as whom: for a pool beside it. */
const struct smb_setup *smb_pool_setup(const struct smb_pool *pool);

struct arena *smb_pool_arena(struct smb_pool *pool);

/* Gives a slot, or a run of them, back; a request that waits for one goes on soon, not from within. */
void smb_pool_give_slot(struct smb_pool *pool, uint32_t slot);

/* Whether a worker could look into a file for which nobody waits yet, and leave another one free for who asks for something meanwhile.
 * If not, there will be one more of them soon, maybe. */
bool smb_pool_has_spare(struct smb_pool *pool);

/* Takes a request in; done() is called later, never from within. */
void smb_pool_submit(struct smb_pool *pool, struct smb_request *request);

#endif
