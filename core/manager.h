/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_MANAGER_H
#define CORE_MANAGER_H

/*
 * The connection table of one user, and what is done with it: connecting (add.c, attempt.c), disconnecting (cancel.c), restoring.
 * Everything runs in the event loop's thread; so "no handle is open, therefore disconnect" needs no lock.
 */

#include <systemd/sd-event.h>

#include "core/connection.h"
#include "core/history.h"
#include "core/outcome.h"
#include "core/profile.h"

#define PROFILE_RETRY_USEC (50 * 1000ULL)

struct manager {
        sd_event *event;
        const struct redirector_ops *ops;
        char *drives_dir;
        char *profile_path;
        const char *login;               /* the user name where a connection has none; the caller's */
        const char *secret_program;      /* path of wnet-secret; set after manager_init() */
        struct connection_list connections;
        TAILQ_HEAD(, cancel) cancels;    /* those that wait for another one to end come behind it */
        LIST_HEAD(, setting_call) settings; /* those that wait for the profile */
        sd_event_source *restore_source; /* the profile could not be read at start */
        sd_event_source *retry_source;   /* the next planned attempt of any connection */
        sd_event_source *release_source; /* redirectors to be freed */
        struct watch *watch;             /* the manager's, as the next; NULL: none */
        struct history *history;
        unsigned n_staged;               /* changes of the profile that are staged now */
        int restore_result;              /* what its last reading answered */
        unsigned restore_retries;        /* how often it was another failure than a lock */
        bool restore_pending;            /* it could not be read since the start: what is remembered, nobody knows yet */
        bool restored;                   /* it has been read */
        bool shutting_down;
        /* A state has changed. state_name may be "gone". */
        void (*changed)(void *userdata, struct connection *c, const char *state_name);
        void *userdata;
};

/* drives_dir and profile_path are copied. 0 or a negative errno. */
int manager_init(struct manager *m, sd_event *event, const struct redirector_ops *ops, const char *drives_dir,
                 const char *profile_path);

/* Ends everything at once, mounts as well as they can be. */
void manager_done(struct manager *m);

/* Whoever asked, a caller's owner, listens no longer: its cancels do not wait for holders any more. ended: its process is gone; then
 * what it has asked to be connected and is not yet will not be. */
void manager_abandon(struct manager *m, const void *owner, bool ended);

/* Reads the profile and begins to connect what it remembers. One that cannot be read is read again, soon while it is locked, with
 * growing distances where it is broken. */
void manager_restore(struct manager *m);

/* Reads a profile at once that could not be read since the start, for somebody who asks about a device; what it remembers is connected a
 * moment later, unless he has it connected himself. 0 (it has been read, now or earlier); else err (may be NULL) tells why not: -EBUSY (locked;
 * err->status is ERROR_CANNOT_OPEN_PROFILE), ERROR_CANNOT_OPEN_PROFILE, ERROR_BAD_PROFILE, ERROR_EXTENDED_ERROR (no memory). */
int manager_restore_again(struct manager *m, struct wn_error *err);

/* Whether the profile was locked at the start and still is: any device may have a row. (In a broken one there is none, as far as anybody
 * can tell.) */
bool manager_expects_rows(const struct manager *m);

/* Whether the profile has a row of c's device, or may have one. */
bool manager_may_have_row(const struct connection *c);

struct connection *manager_find_device(struct manager *m, const struct device_name *device);

/* Frees the redirectors that have ended. Called where none of their callbacks is running. */
void manager_release(struct manager *m);

/* Writes down what happened to c. */
void manager_record(const struct connection *c, const char *event, const char *detail, const struct caller *caller);

/* Lets go of c's redirector soon; c itself goes too when it is GONE. */
void manager_release_later(struct connection *c);

/* Somebody wants c: the planned attempt, if there is one, is made now. */
void manager_retry_now(struct connection *c);

/* c has a session with its server: drives that were refused there for lack of a password are tried again. */
void manager_session_began(const struct connection *c);

/* Tries c, which wants a session, and could have it, again at once. */
void manager_session_wanted(struct connection *c);

/* Plans the next attempt for c, or none (retry_wanted false). */
void manager_plan_retry(struct connection *c);

/* Until when to ask a profile that somebody has locked, CLOCK_MONOTONIC. */
uint64_t manager_profile_deadline(const struct manager *m);

/* Whether to ask it again after PROFILE_RETRY_USEC, because of what it answered. A lock of another process is waited for until
 * *deadline_usec; one of our own, a staged change, puts that off: its turn is bounded. */
bool manager_profile_again(const struct manager *m, int result, uint64_t *deadline_usec);

/* ---- connecting (add.c, attempt.c) ---- */

struct add_request {
        const char *local;       /* "Z:", "*" or "" */
        const char *remote;
        uint32_t type;           /* RESOURCETYPE_* */
        struct credentials credentials;
        const char *credentials_file;
        bool persistent;
        bool save_password;      /* in the Secret Service, once it is connected; implies persistent */
        bool read_only;
        struct caller caller;
};

/* c: the connection, on NO_ERROR only. Called once, not from within manager_add(). */
typedef void (*add_done_fn)(void *userdata, int status, const struct wn_error *err, struct connection *c);

/* Connects. Codes as in WNetAddConnection2's table; 0 when done() will be called, else a status with err filled. */
int manager_add(struct manager *m, const struct add_request *request, add_done_fn done, void *userdata, struct wn_error *err);

/* Connects a remembered device again, for somebody who waits for it. 0 when done() will be called, else a status with err
 * filled: ERROR_BAD_DEVICE, ERROR_NOT_CONNECTED (not remembered), ERROR_ALREADY_ASSIGNED (connected already), ERROR_EXTENDED_ERROR
 * (while wnetd is shutting down), ERROR_CANNOT_OPEN_PROFILE or ERROR_BAD_PROFILE (it could not be read since the start). */
int manager_restore_device(struct manager *m, const char *local, const struct caller *caller, add_done_fn done, void *userdata,
                           struct wn_error *err);

/* Connects what is remembered and unavailable, for nobody in particular. */
void manager_reconnect(struct connection *c);

/* Ends the attempt that is under way; whoever waits for it gets ERROR_CANCELLED. The connection is UNAVAILABLE or GONE then.
 * Returns false when it is mounted already, or about to be: it ends soon, with cancel_wake(). */
bool attempt_cancel(struct connection *c);

/* The same at the daemon's end: at once. */
void attempt_end(struct connection *c);

/* A session with its server has begun that has a password: should the attempt fail for want of one, there will be another one. */
void attempt_session_began(struct connection *c);

/* Whoever asked for the attempts listens no longer. give_up: they end as by attempt_cancel(), but a remembered device is what it was
 * before, and is tried again if it would have been. */
void attempt_abandon(struct manager *m, const void *owner, bool give_up);

/* Whether an attempt is under way for c whose user the server has not accepted yet, or that has failed and is being undone. */
bool attempt_may_fail(const struct connection *c);

/* ---- disconnecting (cancel.c) ---- */

/* Lets the cancels that wait for a connection look again: an attempt, or another cancel, has ended. */
void cancel_wake(struct manager *m);

/* Answers every cancel that is still under way, with ERROR_CANCELLED. */
void cancel_end_all(struct manager *m);

struct cancel_request {
        const char *name;   /* a device's or a remote one */
        uint32_t flags;
        bool force;
        uint64_t wait_usec; /* how long to wait for holders to let go, when not forced; UINT64_MAX: without end */
        struct caller caller;
};

typedef void (*cancel_done_fn)(void *userdata, const struct cancel_outcome *outcome);

/* WNetCancelConnection2. done() is called once, later; outcome is valid during the call. 0 or -ENOMEM. */
int manager_cancel(struct manager *m, const struct cancel_request *request, cancel_done_fn done, void *userdata);

/* Deletes a device's row, whether it is connected or not; a connection stays. done() as above. 0 or -ENOMEM. */
int manager_forget(struct manager *m, const char *local, const struct caller *caller, cancel_done_fn done, void *userdata);

/* Disconnects everything, for the daemon's end; rows stay. On success the manager takes no new connections. 0 or -ENOMEM. */
int manager_shutdown(struct manager *m, bool force, const struct caller *caller, cancel_done_fn done, void *userdata);

/* See manager_abandon(). */
void cancel_abandon(struct manager *m, const void *owner);

/* ---- settings (setting.c) ---- */

/* status: NO_ERROR; ERROR_CANNOT_OPEN_PROFILE, ERROR_BAD_PROFILE or, at the daemon's end, ERROR_CANCELLED with err filled. */
typedef void (*setting_done_fn)(void *userdata, int status, bool persistent, const struct wn_error *err);

/* Store, or load, the default of `wnet use /persistent`; both wait for a locked profile as a cancel does. done() is called once,
 * later. 0 or -ENOMEM. */
int manager_set_persistence(struct manager *m, bool persistent, setting_done_fn done, void *userdata);
int manager_get_persistence(struct manager *m, setting_done_fn done, void *userdata);

/* Answers every one that is still under way. */
void setting_end_all(struct manager *m);

#endif
