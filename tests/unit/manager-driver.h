/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_MANAGER_DRIVER_H
#define TESTS_MANAGER_DRIVER_H

/*
 * A manager with a fake redirector, a real event loop, and a real profile in a folder of its own.
 */

#include "fake-redirector.h"

#define ANSWERS_MAX 64

/* What somebody who asked was told. */
struct answer {
        struct driver *driver;
        unsigned n; /* how often: once */
        int status;
        struct wn_error err;
        struct connection *connection; /* of an add that went well */
        size_t n_in_use;               /* of a cancel: connections in use, */
        char in_use[32];               /* the first of them, */
        size_t n_holders;              /* its holders, */
        size_t n_lost;                 /* and what was lost */
        char lost[128];                /* "name path bytes" of the first */
};

struct driver {
        char *folder;
        char profile[128];
        sd_event *event;
        struct manager manager;
        bool manager_done; /* by the test itself */
        struct answer answers[ANSWERS_MAX];
        unsigned n_answers;
        char states[4096]; /* what changed() was told: "Z: connecting\n…" */
};

int manager_setup(void **state);
int manager_teardown(void **state); /* expects that everything was answered once, and nothing is left */

/* Begins, and does not wait. An answer that comes at once (manager_add()'s own) is there already. */
struct answer *begin_add(struct driver *d, const char *local, const char *remote, bool persistent);
struct answer *begin_request(struct driver *d, const struct add_request *request);
struct answer *begin_cancel(struct driver *d, const char *name, uint32_t flags, bool force);
struct answer *begin_waiting_cancel(struct driver *d, const char *name, uint32_t flags, uint64_t wait_usec, const void *owner);
struct answer *begin_forget(struct driver *d, const char *name);
struct answer *begin_shutdown(struct driver *d, bool force);

/* Waits for the answer; its status. */
int wait_for(struct answer *answer);

/* Both in one. */
int add(struct driver *d, const char *local, const char *remote, bool persistent);
int cancel(struct driver *d, const char *name, uint32_t flags, bool force);

/* The connection of that name that is not gone, or NULL. */
struct connection *find(struct driver *d, const char *name);

/* Its state's name; "none" where there is no such connection. */
const char *state_of(struct driver *d, const char *name);

/* A file that a program of ours has open on c. */
void open_file(struct connection *c, struct handle *handle);
void close_file(struct connection *c, struct handle *handle);

/* The profile: a row that another logon has left, how many there are now (-1: it cannot be read), those of a device. */
void put_row(struct driver *d, const char *device, const char *remote);
int count_rows(struct driver *d);
bool has_row(struct driver *d, const char *device);

/* Another program's lock on it. */
void *lock_profile(struct driver *d);
void unlock_profile(void *lock);

/* Makes it something that is not a profile, or that cannot be opened. */
void break_profile(struct driver *d);
void block_profile(struct driver *d);

/* Puts it aside, and back in the place of whatever is there. */
void put_profile_aside(struct driver *d);
void put_profile_back(struct driver *d);

#endif
