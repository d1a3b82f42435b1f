/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_PROFILE_H
#define CORE_PROFILE_H

/*
 * The stored profile: one row per remembered device. SQLite, opened for each use and closed again, so that what is on the
 * disk at that moment counts and nobody is locked out. Nothing here waits: a lock held by somebody else answers -EBUSY and
 * the caller tries again.
 *
 * Codes of every function that opens the file:
 *   0                          done
 *   -EBUSY                     locked by another process; try again later, ERROR_CANNOT_OPEN_PROFILE when that takes too long
 *   ERROR_CANNOT_OPEN_PROFILE  missing rights, a directory in its place, read-only where a change is asked, disk full, I/O
 *   ERROR_BAD_PROFILE          not a profile: garbage, zero bytes, another schema, a newer version. Left untouched.
 *   -ENOMEM
 * err (may be NULL) tells file, reason and next step.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

#define PROFILE_APPLICATION_ID 0x574e4554 /* "WNET" */
#define PROFILE_VERSION 2 /* 1: without settings; read, and brought up with the next change */
#define PROFILE_ROWS_MAX (26 + 9)

/* Where a remembered device's credentials come from. */
enum profile_secret { PROFILE_SECRET_NONE, PROFILE_SECRET_FILE, PROFILE_SECRET_SERVICE };

struct profile_row {
        char *device;          /* canonical: "Z:", "LPT1" */
        char *remote;          /* UNC: \\server\share */
        uint32_t type;         /* RESOURCETYPE_DISK or RESOURCETYPE_PRINT */
        char *user;            /* NULL: the login name */
        char *domain;          /* NULL: none */
        char *provider;        /* "wnet" */
        bool read_only;
        enum profile_secret secret;
        char *credentials_file; /* absolute path, with PROFILE_SECRET_FILE */
        uint64_t since_usec;    /* when it was remembered, CLOCK_REALTIME */
};

void profile_row_done(struct profile_row *row);

struct profile_rows {
        struct profile_row *items;
        size_t n_items;
};

void profile_rows_done(struct profile_rows *rows);

/* Reads every row, ordered by device. A profile that does not exist is an empty one, and is not created. Rows with malformed
 * names, and rows beyond PROFILE_ROWS_MAX, make it ERROR_BAD_PROFILE: every text is checked with core/name.h. */
int profile_load(const char *path, struct profile_rows *ret_rows, struct wn_error *err);

/* Removes what a daemon that was killed has left of a profile that it was making. Only for who holds the daemon's lock. */
void profile_clean(const char *path);

/* A change that has been staged: everything that can fail has been done, only the commit remains. */
struct profile_change;

/* Deletes device's row in a transaction left open (BEGIN EXCLUSIVE, rollback journal, cache flushed to the file).
 * A missing file or row is no error: *ret_change is NULL and there is nothing to commit. */
int profile_stage_delete(const char *path, const char *device, struct profile_change **ret_change, struct wn_error *err);

/* Inserts or replaces row's device likewise; creates file, schema and directories (0700, file 0600) where missing. A file that
 * it had to create is removed again by profile_rollback(), and after a crash the next load shows no row. A row that
 * profile_load() would refuse answers ERROR_INVALID_PARAMETER, and nothing is changed. */
int profile_stage_put(const char *path, const struct profile_row *row, struct profile_change **ret_change,
                      struct wn_error *err);

/* The default of `wnet use /persistent`: true until it was set, and where there is no profile. Codes as above. */
int profile_load_persistence(const char *path, bool *ret_persistent, struct wn_error *err);

/* Stages a change of it, as profile_stage_put() does. */
int profile_stage_persistence(const char *path, bool persistent, struct profile_change **ret_change, struct wn_error *err);

/* Commits and frees change (NULL: nothing to do). 0 or a code as above; the file is then as before. */
int profile_commit(struct profile_change *change, struct wn_error *err);

/* Undoes and frees change (NULL: nothing to do). */
void profile_rollback(struct profile_change *change);

#endif
