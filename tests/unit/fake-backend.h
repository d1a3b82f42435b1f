/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_FAKE_BACKEND_H
#define TESTS_FAKE_BACKEND_H

/*
 * A server in shared memory, and a backend of the worker that serves from it. Several workers and the test map the same
 * file, whose path travels as the share's name (as the server's where the list of shares is asked for): so a test prepares files, says what shall go wrong, and looks at what
 * the workers did. Nothing is locked: tests do not change the tree from two workers at once.
 */

#include <stdatomic.h>
#include <sys/types.h>

#include "fuse/smb/backend.h"

#define FAKE_NODES 64
#define FAKE_DATA_BYTES 8192 /* a file's size at most: writing beyond is ENOSPC */
#define FAKE_HANDLES 64
#define FAKE_FAULTS 8
#define FAKE_CALLS 2048
#define FAKE_GATES 32 /* of a test */
#define FAKE_PATH_BYTES 256
#define FAKE_SHARES 4
#define FAKE_CHANGES 2000

/* The backend's functions. */
enum fake_op {
        FAKE_ANY, FAKE_CONNECT, FAKE_STAT, FAKE_OPEN, FAKE_CLOSE, FAKE_FSTAT, FAKE_READ, FAKE_WRITE, FAKE_TRUNCATE,
        FAKE_LIST, FAKE_UNLINK, FAKE_MKDIR, FAKE_RMDIR, FAKE_RENAME, FAKE_SET_DOS, FAKE_SET_TIMES, FAKE_BIRTH, FAKE_STATFS,
        FAKE_CHECK, FAKE_SHARE_NEXT, FAKE_WATCH,
};

enum fake_act {
        FAKE_FAIL,       /* returns -value; a lost connection is ECONNABORTED */
        FAKE_RETURN,     /* returns value as it is */
        FAKE_DELAY,      /* value milliseconds, then goes on */
        FAKE_WORK,       /* the same, in a hundred steps */
        FAKE_EXIT,       /* ends the worker with exit code value */
        FAKE_ABORT,      /* ends it by a signal */
        FAKE_HOLD,       /* goes on when gate value is open: see fake_hold() */
        FAKE_HANG,       /* never comes back */
        FAKE_LEAVE,      /* ends the worker, and leaves a process behind that holds all its descriptors */
        /* What a worker that the server has taken over might do. All but the last then go on as if nothing were. */
        FAKE_BAD_INDEX,   /* a reply with index value */
        FAKE_BAD_COUNTER, /* the reply ring's counter goes up by value */
        FAKE_FULL_WAKE_UPS, /* the counter of its wake-ups has no room for one more */
        FAKE_CUT_CHANNEL, /* the channel's file gets value bytes, then the worker hangs */
};

struct fake_node {
        bool used, directory;
        char path[FAKE_PATH_BYTES]; /* "" for the root */
        uint32_t dos;
        uint64_t file_id;
        struct smb_time atime, mtime, birth;
        uint64_t size_bytes;
        unsigned char data[FAKE_DATA_BYTES];
};

struct fake_fault {
        _Atomic int left; /* how many times it strikes; -1: always */
        enum fake_op op;
        char path[FAKE_PATH_BYTES]; /* "*": any */
        enum fake_act act;
        int64_t value;
};

struct fake_handle {
        _Atomic pid_t pid; /* of the worker; 0: free */
        unsigned node;
        uint64_t file_id;
        int flags;
};

struct fake_call {
        enum fake_op op;
        pid_t pid;
        char path[FAKE_PATH_BYTES];
};

struct fake_server {
        struct fake_node nodes[FAKE_NODES]; /* the first is the root */
        struct fake_handle handles[FAKE_HANDLES];
        struct fake_fault faults[FAKE_FAULTS];
        struct fake_call calls[FAKE_CALLS];
        _Atomic unsigned n_calls;
        _Atomic uint64_t next_file_id;
        int connect_status; /* what connecting ends with */
        uint32_t connect_cause;
        char connect_text[128];
        struct smb_share shares[FAKE_SHARES]; /* in turn, */
        unsigned n_shares;                    /* until there are so many */
        struct {
                _Atomic bool reached, open;
        } gates[FAKE_GATES];
        unsigned n_gates;
        struct {
                char action;
                char path[FAKE_PATH_BYTES];
        } changes[FAKE_CHANGES];     /* that are told, */
        _Atomic unsigned n_changes;  /* so many of them */
        _Atomic unsigned n_told;     /* of which who watches has so many */
        _Atomic unsigned n_overflows; /* how often changes are lost, from now on */
        struct smb_setup setup; /* as it came */
        _Atomic pid_t left_behind;
};

/* ---- for tests ---- */

/* An empty server, or NULL. ret_path is the name of its file, to be put into smb_setup.share. */
struct fake_server *fake_server_new(char ret_path[64]);
void fake_server_free(struct fake_server *s, const char *path);

/* Adds a share to the list. */
void fake_add_share(struct fake_server *s, enum smb_share_kind kind, const char *name, const char *comment);

/* A change elsewhere, told to who watches. */
void fake_change(struct fake_server *s, char action, const char *path);

/* Adds a file (text NULL: a directory). */
struct fake_node *fake_add(struct fake_server *s, const char *path, const char *text);
struct fake_node *fake_find(struct fake_server *s, const char *path); /* or NULL */

void fake_break(struct fake_server *s, enum fake_op op, const char *path, enum fake_act act, int64_t value, int times);
void fake_mend(struct fake_server *s);

/* The next call of op on path does not go on until the gate that is returned is opened. */
unsigned fake_hold(struct fake_server *s, enum fake_op op, const char *path);
bool fake_is_held(struct fake_server *s, unsigned gate); /* a worker has come to it */
void fake_let_go(struct fake_server *s, unsigned gate);

/* How often op was called on path ("*": on any). */
unsigned fake_count(struct fake_server *s, enum fake_op op, const char *path);

/* The worker that did the last call of op on path ("*": on any), or 0. */
pid_t fake_pid(struct fake_server *s, enum fake_op op, const char *path);

/* Open handles of workers that live. */
unsigned fake_open_handles(struct fake_server *s);

/* ---- for workers ---- */

struct smb_backend *fake_backend(void);

/* Logs a call and lets a fault strike. Returns false when *ret_result is the call's result already. */
bool fake_enter(struct fake_server *s, enum fake_op op, const char *path, int64_t *ret_result);

#endif
