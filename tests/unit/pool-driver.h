/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_POOL_DRIVER_H
#define TESTS_POOL_DRIVER_H

/*
 * A pool in front of a fake server: a real event loop, real worker processes (the program FAKE_WORKER).
 */

#include "loop.h"

#include "fake-backend.h"
#include "fuse/smb/pool.h"

#define POOL_OPERATION_USEC (20 * 1000000ULL)
#define POOL_SHORT_USEC (1000 * 1000ULL)

struct driver {
        sd_event *event;
        struct fake_server *server;
        char server_path[64];
        struct smb_pool_config config;
        struct smb_pool *pool;

        char session[600]; /* "domain\user", as authenticated() told them */
        unsigned n_connected;
        int status;
        struct wn_error err;
        unsigned n_down, n_up;   /* how often health() has said that it went away, and that it is back */
        char reason[256];        /* of its being away; "" when it is not */
        struct smb_file *file;   /* the last one that pool_open() has opened, */
        struct smb_file *files[20]; /* and all of them */
        unsigned n_files;
        unsigned n_reclaims;     /* how many slots reclaim_slot() gives back when it is asked */
        unsigned n_done;         /* requests that have ended, in order: */
        unsigned order[256];
};

/* A request of a test. */
struct ask {
        struct smb_request request;
        struct driver *driver;
        unsigned number;
        unsigned n_done; /* how often done() was called */
};

/* cmocka's setup and teardown; the pool is not started yet. */
int pool_setup(void **state);
int pool_teardown(void **state);

/* Starts the pool with what is in config; returns the status that connected() told. */
int pool_start(struct driver *d);

/* Ends the pool and waits until its workers are gone. */
void pool_stop(struct driver *d);

/* How many workers there are. */
unsigned pool_n_workers(const struct driver *d);

/* A request, made and handed in. It lives until the test's end. */
struct ask *pool_submit(struct driver *d, enum smb_op op, const char *path, struct smb_file *file, uint32_t length,
                        uint64_t offset);

/* The same, made only; submit() hands it in. */
struct ask *pool_ask(struct driver *d, enum smb_op op, const char *path, struct smb_file *file, uint32_t length,
                     uint64_t offset);
void submit(struct ask *ask);

/* Waits for its end and returns its error. */
int pool_wait(struct ask *ask);

/* pool_submit(), pool_wait(). */
int pool_do(struct driver *d, enum smb_op op, const char *path);

/* Opens path as d->file; both live until the test's end. */
struct smb_file *pool_open(struct driver *d, const char *path, int flags);

/* Writes one byte at the begin of file; returns its error. */
int pool_write(struct driver *d, struct smb_file *file, char byte);

/* Reads d->file's begin and asserts what comes; gives the slot back. */
void pool_assert_text(struct driver *d, const char *text);

/* The memory of a slot that was taken. */
unsigned char *pool_slot(struct driver *d, uint32_t slot);

#endif
