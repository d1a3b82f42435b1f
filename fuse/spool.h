/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SPOOL_H
#define FUSE_SPOOL_H

/*
 * Print jobs on the local disk: a folder for each printer, SPOOL_DIR/server/printer, a file of mode 0600 for each job. "N.part" is
 * still being written, "N.job" is complete and N its place in the order. Whoever works on a job holds a lock on its file: two
 * ports may be connected to one printer. Nothing here waits for anything but the local disk.
 */

#include <stdint.h>

#include "core/name.h"

#define SPOOL_NAME_BYTES 32

struct spool {
        int fd; /* of the folder; -1: none */
};

struct spool_file {
        char name[SPOOL_NAME_BYTES];
        int fd; /* -1: none */
};

/* Opens the printer's folder below dir (an absolute path), making what is missing. 0 or a negative errno. */
int spool_open(const char *dir, const struct remote_name *printer, struct spool *ret_spool);

/* Closes it. Its folder stays: another port may use it too. Accepts one that is not open. */
void spool_close(struct spool *spool);

/* A new job, to be written. 0 or a negative errno. */
int spool_create(const struct spool *spool, struct spool_file *ret_file);

/* Says that a job is complete: from here on it survives the process. 0 or a negative errno. */
int spool_complete(const struct spool *spool, struct spool_file *file);

/* Takes the oldest complete job behind the one named after ("" at first) that nobody works on. 0, -ENOENT when there is none, or
 * another negative errno. */
int spool_take(const struct spool *spool, const char *after, struct spool_file *ret_file);

/* Deletes the job, and closes its file. */
void spool_remove(const struct spool *spool, struct spool_file *file);

/* Closes the job's file: it stays on the disk, and may be taken again. */
void spool_leave(struct spool_file *file);

/* At the daemon's start: deletes what was still being written when the last one was killed (its writers have been told by an
 * error), and empty folders. */
void spool_clean(const char *dir);

#endif
