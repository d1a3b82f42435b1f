/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SMB_FILE_H
#define FUSE_SMB_FILE_H

/*
 * Open files of the server. Each belongs to a worker of the pool; it is opened again at the worker's successor, and can be
 * closed for a while.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct smb_pool;
struct smb_request;
struct smb_hold;

/* An open file of the server. Counted: requests that name it keep it. */
struct smb_file {
        unsigned refs;
        char *path;
        int flags;            /* as it was opened, for opening it again */
        uint64_t file_id;     /* the server's number, 0: not known */
        unsigned worker;      /* which one owns it */
        uint32_t generation;  /* of that worker's process; another one: to be opened again when it is next used */
        uint64_t fh;
        bool counted;         /* among the files of its worker: from the first request to open it to the end of a close */
        bool reopening;
        unsigned under_way;   /* requests at its worker */
        uint64_t turn;        /* when its worker was last handed one over: who has waited longest is next */
        struct smb_hold *hold; /* closed for a while; NULL: not */
        bool dead;            /* the server no longer has this file: every request ends with -EIO */
        bool once;            /* a print job: opened once, so that a lost connection ends it (CLOSE too: with -EIO) */
        TAILQ_HEAD(, smb_request) waiting; /* for the reopening, or for the end of the hold */
};

/* A file to be opened by an OPEN request: chooses its worker. It is let go of when OPEN has failed, or CLOSE has been done. small: hardly
 * anything will be asked of it but to be opened and closed. */
struct smb_file *smb_file_new(struct smb_pool *pool, const char *path, int flags, bool small);
void smb_file_unref(struct smb_file *file); /* accepts NULL */

/* Lets go of the server's file for a while, because its name cannot be changed while it is open: requests for it wait from now
 * on, and held() is called later, when those under way have ended and it is closed. One hold at a time. 0 or -ENOMEM. */
int smb_file_hold(struct smb_pool *pool, struct smb_file *file, void (*held)(void *userdata), void *userdata);

/* What waits goes on, after held(): the file is opened again when it is next used, under path (copied; NULL: as before). Without
 * memory for the path every later request ends with -EIO. */
void smb_file_release(struct smb_pool *pool, struct smb_file *file, const char *path);

/* Whether it is open at a worker that is there, as far as is known. */
bool smb_file_is_open(const struct smb_pool *pool, const struct smb_file *file);

/* Tells file's worker of data that are to be written in any case: the first length bytes of write's, which will be submitted later.
 * 0: no longer. */
void smb_file_note_unsent(struct smb_pool *pool, const struct smb_file *file, const struct smb_request *write, uint32_t length);

#endif
