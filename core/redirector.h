/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_REDIRECTOR_H
#define CORE_REDIRECTOR_H

/*
 * How core has a connection shown and served, without knowing that it is FUSE that does it. fuse/redirector.c implements it;
 * unit tests have a fake. Every function returns at once, in the event loop's thread; an answer comes later through its
 * completion, never from within the call, and exactly once, unless free() comes first.
 */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "core/credentials.h"
#include "core/name.h"
#include "core/status.h"

struct connection;

/* r: 0, a negative errno or a status. */
typedef void (*completion_fn)(void *userdata, int r, const struct wn_error *err);

struct completion {
        completion_fn fn;
        void *userdata;
};

/* A file whose acknowledged writes were lost by a forced disconnection; or, on a printer port, a job ("/") and its size. */
struct lost_file {
        char *path;
        uint64_t bytes;
};

/* A share that a server offers. */
struct share {
        char *name;
        uint32_t type; /* RESOURCETYPE_DISK, RESOURCETYPE_PRINT; RESOURCETYPE_ANY: another kind, as IPC$ and devices are */
        char *comment; /* one line, "" where the server has none */
};

struct shares_job;

/* status: NO_ERROR, or as connecting to the server ends, with err filled. shares are valid during the call; the job has ended. */
typedef void (*shares_done_fn)(void *userdata, int status, const struct wn_error *err, const struct share *shares, size_t n);

struct redirector_ops {
        /* Connects to c's resource and mounts it on c->mountpoint. */
        int (*start)(struct connection *c, struct completion done);

        /* Whether start() has come as far as the mount: it is there, or fusermount3 is at work. */
        bool (*mounting)(const struct connection *c);

        /* Opens that arrive from now on wait. Done when every close() made before counts: what the kernel had to say has been
         * read, and the reads behind a closed descriptor have been answered. */
        void (*freeze)(struct connection *c, struct completion done);

        /* Lets what waited go on. */
        void (*thaw)(struct connection *c);

        /* Whether an open that has come is not answered yet, be it that the server is asked or that it waits since freeze(). */
        bool (*opens_waiting)(const struct connection *c);

        /* Ends the opens that wait since freeze() with an error, and until thaw() those that come. */
        void (*fail_opens)(struct connection *c);

        /* Whether a program waits for an answer: while one does, the mount is busy. */
        bool (*requests_waiting)(const struct connection *c);

        /* Unmounts, never lazily. Done with 0: the kernel has let go of the mount; -EBUSY: it refused. The workers live on. */
        void (*unmount)(struct connection *c, struct completion done);

        /* Mounts again after unmount(), for a disconnection that is not to happen after all. */
        void (*remount)(struct connection *c, struct completion done);

        /* Forced: sends what can still be sent, makes every descriptor, map and cached page fail, detaches the mount. Always
         * succeeds, in bounded time. */
        void (*revoke)(struct connection *c, struct completion done);

        /* What revoke() could not send. Valid until free(). */
        void (*lost)(const struct connection *c, const struct lost_file **ret_files, size_t *ret_n);

        /* The drive's folder, or the port's file, while it has no mount: kept, closed to writers (wanted), or removed. Best
         * effort. */
        void (*folder)(const struct connection *c, bool wanted);

        /* Ends everything at once: workers killed, session closed. Not to be called from a completion. c->redirector may be
         * NULL. */
        void (*free)(struct connection *c);

        /* Lists a server's shares (hidden ones too), with a connection of its own that ends with it. server: share and path are "".
         * credentials_file: NULL, or whose user and password count instead of credentials'. Takes at most the time-out of
         * connecting and one of an operation. Returns 0, or a negative errno: then done is not called. */
        int (*shares)(sd_event *event, const struct remote_name *server, const struct credentials *credentials,
                      const char *credentials_file, shares_done_fn done, void *userdata, struct shares_job **ret_job);

        /* Ends a job early: done is not called. Accepts NULL. */
        void (*shares_cancel)(struct shares_job *job);
};

#endif
