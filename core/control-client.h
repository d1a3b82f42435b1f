/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_CONTROL_CLIENT_H
#define CORE_CONTROL_CLIENT_H

/*
 * The client's side of core/control-protocol.h: used by the control tool and by libwnet.
 *
 * A control_client is one connection to the user's daemon. It is not shared between threads, nor used on both sides of
 * a fork(): open one for a call, or for a few calls in a row, and close it.
 *
 * Every function that returns int answers 0 or a positive status, never a negative errno unless its comment lists one;
 * with a status, err (may be NULL) says what failed, with the daemon's own text where the daemon refused. No call waits
 * longer than the time-out given to control_open(), plus CONTROL_START_TIMEOUT_USEC where a daemon has to be started, and ten seconds
 * where one runs that cannot be reached: it may be just ending, or about to make its socket again.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/control-reply.h"
#include "core/secret.h"
#include "core/status.h"

/* Longest a daemon may take to greet us: it never blocks, so a longer silence means that it hangs. */
#define CONTROL_HELLO_TIMEOUT_USEC (10 * 1000000ULL)

enum control_open_flags {
        CONTROL_START = 1 << 0,        /* start the daemon when it is not running */
        CONTROL_ANY_PROTOCOL = 1 << 1, /* talk to a daemon of another protocol version too (shutdown, version) */
};

struct control_client;

/* Connects to the user's daemon and asks its version. timeout_usec bounds each later call: CONTROL_TIMEOUT_USEC, or
 * less. 0, a status (ERROR_EXTENDED_ERROR: cannot be started, does not answer, belongs to another user, speaks another
 * protocol), or -ESRCH: no daemon runs (its lock is free), and flags do not let it be started. The caller closes: control_close(). */
int control_open(unsigned flags, uint64_t timeout_usec, struct control_client **ret_client, struct wn_error *err);

/* The same over a connected socket. Consumes fd even when it fails. */
int control_open_fd(int fd /* takes */, unsigned flags, uint64_t timeout_usec, struct control_client **ret_client,
                    struct wn_error *err);

/* Accepts NULL. Never waits. */
void control_close(struct control_client *client);
void control_closep(struct control_client **client);

/* The daemon's release ("0.1.0") and protocol version. */
const char *control_release(const struct control_client *client);
uint32_t control_protocol(const struct control_client *client);

struct control_add_request {
        const char *local;             /* "Z:", "*" or "" */
        const char *remote;
        const char *user;              /* NULL: not given */
        const struct secret *password; /* NULL, or bytes NULL: not given */
        const char *credentials;       /* absolute path of a credentials file; NULL: none */
        uint32_t type;                 /* RESOURCETYPE_* */
        bool persistent;
        bool read_only;
        bool save_password;            /* in the Secret Service */
};

/* Connects a device. The password is copied into the message alone, which is erased when it is freed. */
int control_add(struct control_client *client, const struct control_add_request *request,
                struct control_added *ret_added, struct wn_error *err);

/* Connects a remembered device again: ERROR_ALREADY_ASSIGNED where it is connected or on its way, ERROR_NOT_CONNECTED
 * where it is not remembered, ERROR_BAD_DEVICE for a malformed name, else as control_add(). */
int control_restore(struct control_client *client, const char *local, struct control_added *ret_added,
                    struct wn_error *err);

/* What a cancel can be refused for without asking anybody, in this order: ERROR_INVALID_PARAMETER for unknown flags,
 * ERROR_NOT_CONNECTED for a name (NULL too) that is neither a device's nor a remote resource's. */
int control_check_cancel(const char *name, uint32_t flags, struct wn_error *err);

/* Breaks the connections that name stands for. 0 means that the daemon answered, and ret_outcome->status tells what: a
 * refusal is an answer, with the holders. A status means that there is no outcome. A disconnection that is not forced and
 * refused because something is in use waits for up to wait_usec (0: not at all; UINT64_MAX: without end) for that to end;
 * closing the client, or its process's end, gives up. */
int control_cancel(struct control_client *client, const char *name, uint32_t flags, bool force, uint64_t wait_usec,
                   struct control_outcome *ret_outcome, struct wn_error *err);

/* Forgets a remembered device; where it is connected it stays so. ERROR_BAD_DEVICE for a malformed name; else 0, and ret_outcome
 * tells as for control_cancel(): ERROR_NOT_CONNECTED where nothing is remembered, ERROR_CANNOT_OPEN_PROFILE, ERROR_BAD_PROFILE. */
int control_forget(struct control_client *client, const char *local, struct control_outcome *ret_outcome,
                   struct wn_error *err);

/* Disconnects everything and ends the daemon; answers as control_cancel() does. A daemon of another protocol version
 * whose outcome cannot be decoded in full has its status decoded only. */
int control_shutdown(struct control_client *client, bool force, struct control_outcome *ret_outcome,
                     struct wn_error *err);

int control_list(struct control_client *client, struct control_list *ret_list, struct wn_error *err);

/* Whether the daemon knows what is remembered: ERROR_CANNOT_OPEN_PROFILE, ERROR_BAD_PROFILE where it could not read that. */
int control_check_profile(struct control_client *client, struct wn_error *err);

/* Open files of a device or remote resource, of every connection where name is "". */
int control_files(struct control_client *client, const char *name, struct control_files *ret_files,
                  struct wn_error *err);

/* The remote resource behind a device. */
int control_get(struct control_client *client, const char *local, struct control_device *ret_device,
                struct wn_error *err);

struct control_shares_request {
        const char *server;            /* "//server", "\\\\server:port" */
        const char *user;              /* these as in struct control_add_request */
        const struct secret *password;
        const char *credentials;
};

/* A server's shares. Codes as for connecting. */
int control_shares(struct control_client *client, const struct control_shares_request *request,
                   struct control_shares *ret_shares, struct wn_error *err);

/* What happened, the latest first, at most n_max events; device NULL: to every one. */
int control_history(struct control_client *client, const char *device, uint32_t n_max,
                    struct control_history *ret_history, struct wn_error *err);

/* The default of `wnet use /persistent`. */
int control_get_persistence(struct control_client *client, bool *ret_persistent, struct wn_error *err);
int control_set_persistence(struct control_client *client, bool persistent, struct wn_error *err);

#endif
