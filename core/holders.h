/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_HOLDERS_H
#define CORE_HOLDERS_H

/*
 * Who keeps a mount busy: a search of /proc by readlink alone, so that it can never wait on the mount itself.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HOLDERS_MAX 100 /* shown at most; the total is counted on */

enum holder_kind { HOLDER_OPEN, HOLDER_CWD, HOLDER_ROOT, HOLDER_EXE, HOLDER_MOUNT, HOLDER_JOB };

/* "open", "cwd", "root", "exe", "mount", "job" (a print job on its way: the process is the one that wrote it). */
const char *holder_kind_name(enum holder_kind kind);

struct holder {
        enum holder_kind kind;
        pid_t pid;          /* 0: not a process (a stacked mount), or one that cannot be seen */
        uid_t uid;
        char program[64];   /* the process's comm; "" when it is gone */
        char *path;         /* inside the drive, "/" at its begin, "/" for its root */
        char mode[4];       /* "r", "w", "rw"; "" where it does not apply */
        uint64_t since_usec; /* CLOCK_REALTIME; 0: not known */
        uint64_t unsent_bytes;
};

struct holders {
        struct holder *items; /* at most HOLDERS_MAX */
        size_t n_items;
        size_t total;
};

void holders_done(struct holders *holders);

/* Appends a copy of item (path is copied too, "/" for NULL) unless HOLDERS_MAX are there already; counts it in any case.
 * 0 or -ENOMEM. */
int holders_add(struct holders *holders, const struct holder *item);

/* What of a process is looked at: its working directory and root; its program and its descriptors. */
#define HOLDERS_PLACES 0x1u
#define HOLDERS_FILES 0x2u

#define HOLDERS_SCAN_USEC (250 * 1000ULL) /* a limit that a search only comes to where there are very many processes or descriptors */

/* Adds every process of which something (what: HOLDERS_*) lies on mountpoint: places, then files. Those of session (a
 * process's; 0: none) are looked at first, who may have inherited from it; else the youngest first. Processes of
 * other users cannot be seen and are passed over; the calling process is not counted. A search takes at most limit_usec of
 * processor time, and for files it ends when HOLDERS_MAX are there: then not everybody has been found. proc is "/proc"
 * (tests pass a copy). 0 or -ENOMEM. */
int holders_scan(struct holders *holders, const char *proc, const char *mountpoint, unsigned what, pid_t session,
                 uint64_t limit_usec);

/* Reads thread group id and program name of a thread id (FUSE gives the thread's).
 * 0, or -ESRCH when it is gone (ret_program is then ""). */
int holders_read_thread(const char *proc, pid_t tid, pid_t *ret_pid, char ret_program[64]);

/* Reads when a process began (CLOCK_BOOTTIME, cut to a tick) and the name of the program that it is now.
 * 0, or -ESRCH when it is gone or cannot be seen. */
int holders_read_process(const char *proc, pid_t pid, uint64_t *ret_began_usec, char ret_program[64]);

#endif
