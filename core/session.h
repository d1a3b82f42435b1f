/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_SESSION_H
#define CORE_SESSION_H

/*
 * As whom one user is known to one server (name and port): all connections to it share their credentials, as Windows has it.
 */

#include "core/manager.h"

/* Whether c may be connected beside the other live connections to its server, as far as user, domain and password are known
 * now: what a credentials file says is known once a worker has connected with it. Called when an attempt begins, and again when
 * the server has accepted it; those that are not that far do not count.
 * 0, or ERROR_SESSION_CREDENTIAL_CONFLICT with err (may be NULL) naming the connection in the way. */
int session_check(const struct connection *c, struct wn_error *err);

/* Gives c, for which no password is known, those of a live connection to the same server; nothing where there is none, or where
 * c's user is another one, or of another domain. One that has a password comes first; one that the server has not accepted yet does
 * not count. What c had is freed: it is the caller who keeps a copy. 0 or -ENOMEM. */
int session_join(struct connection *c, bool *ret_joined);

/* A live connection to the server, rather one that has a password, and none that the server has not accepted yet; NULL: there is none. */
struct connection *session_find(struct manager *m, const struct remote_name *server);

#endif
