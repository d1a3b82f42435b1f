/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_PRINTER_H
#define FUSE_PRINTER_H

/*
 * What a redirector needs for a printer port besides what it has for a drive. The mount is one file; what is written to it
 * between an open() and the last close() is one job, collected in a file of the spool (spool.h). Then the job is complete and
 * goes to the server (printer-send.c), one job at a time, in the order of their closes; one that cannot be sent is tried again.
 *
 * A job stands in the connection's handle table from its open() until the server has it, or it was dropped.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "fuse/internal.h"
#include "fuse/spool.h"

enum job_state {
        JOB_OPEN,
        JOB_COMPLETE,
        JOB_DROPPED, /* while it was open: until the kernel lets go of it */
};

struct print_job {
        struct handle handle; /* in the connection's table but for JOB_DROPPED */
        TAILQ_ENTRY(print_job) entry;
        struct printer *printer;
        enum job_state state;
        struct spool_file file;
        uint64_t size_bytes;
        int error;       /* of the last write: a negative errno; such a job is not sent */
        bool complained; /* that it cannot be sent */
};

struct printer {
        struct redirector *redirector;
        struct spool spool;
        TAILQ_HEAD(, print_job) jobs; /* the complete ones in their order */
        bool loaded;                  /* what an earlier daemon has left was looked for */
        bool stopped;                 /* nothing more is sent */

        /* the job being sent */
        struct print_job *sending;    /* NULL also when it was dropped while the request was under way */
        uint64_t sent_bytes;
        int send_error;               /* what it failed with, while its file at the server is being closed */
        struct smb_request request;
        bool request_under_way;
        unsigned failures;
        sd_event_source *retry_source;

        struct lost_file *lost;       /* dropped by force */
        size_t n_lost;
};

extern const struct fuse_lowlevel_ops printer_fuse_ops;

/* For r's connection, which is a port's; spool_dir as spool_open() has it. 0 or a negative errno. */
int printer_new(struct redirector *r, const char *spool_dir, struct printer **ret_printer);

/* Frees it, after the pool. Jobs that are open are dropped, complete ones stay on the disk for the next connection to the same
 * printer. Accepts NULL. */
void printer_free(struct printer *printer);

/* The mount is there: sends what was left from earlier. */
void printer_serve(struct printer *printer);

/* The kernel's session is over: jobs that are open will never be closed. */
void printer_forget_session(struct printer *printer);

/* Forced disconnection. Jobs that are open are dropped; with keep, complete ones stay on the disk, else they are dropped as well.
 * With send they are sent meanwhile. */
void printer_revoke(struct printer *printer, bool keep, bool send);

/* Bytes of complete jobs that are still being sent; 0 when nothing more is. */
uint64_t printer_unsent_bytes(const struct printer *printer);

/* Takes a job out of everything and frees it; with remove its file too. */
void printer_job_free(struct print_job *job, bool remove);

/* ---- printer-send.c ---- */

/* Begins to send the next complete job, unless one is being sent or a failed attempt was just now. */
void printer_send(struct printer *printer);

/* The server is back: no waiting. */
void printer_send_now(struct printer *printer);

#endif
