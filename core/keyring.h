/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_KEYRING_H
#define CORE_KEYRING_H

/*
 * Passwords in the user's Secret Service (gnome-keyring, KWallet …). It can hang or ask, so a program of its own speaks to it,
 * wnet-secret, beside the event loop. The password goes through pipes: never in arguments, environment or a file.
 */

#include <systemd/sd-event.h>

#include "core/name.h"
#include "core/secret.h"

struct keyring {
        sd_event *event;
        const char *program; /* path of wnet-secret */
};

/* Also wnet-secret's exit codes; another one, or a signal, is KEYRING_FAILED. */
enum keyring_result {
        KEYRING_DONE,
        KEYRING_FAILED,
        KEYRING_NOT_FOUND,
        KEYRING_LOCKED,
        KEYRING_NO_SERVICE,
};

enum keyring_action { KEYRING_STORE, KEYRING_LOOKUP, KEYRING_CLEAR };

/* Which password: an item's attributes. To clear all of a device's, server and user are NULL. */
struct keyring_key {
        const char *device; /* "Z:" */
        const char *server; /* "host:port" */
        const char *user;   /* "DOMAIN\user", "user", "" */
};

struct keyring_call;

/* password: what was looked up, else no secret; the callee may move it away. text: the reason of a failure, one line; else "". */
typedef void (*keyring_done_fn)(void *userdata, enum keyring_result result, struct secret *password, const char *text);

/* Starts action; password: what to store, else NULL. It never asks the user anything: a locked keyring is an answer. done() is called
 * once, from the event loop and within a few seconds, unless keyring_cancel() comes first. ret_call may be NULL.
 * 0 or a negative errno. */
int keyring_run(const struct keyring *keyring, enum keyring_action action, const struct keyring_key *key, const struct secret *password,
                keyring_done_fn done, void *userdata, struct keyring_call **ret_call);

/* Ends a call: what it was to do may have been done or not. Accepts NULL. */
void keyring_cancel(struct keyring_call *call);

/* The attribute "host:port". NULL when out of memory; the caller frees. */
char *keyring_server(const struct remote_name *remote);

#endif
