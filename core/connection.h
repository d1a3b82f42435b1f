/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_CONNECTION_H
#define CORE_CONNECTION_H

/*
 * One network connection and its state. A connection exists from the moment somebody asks for it, or a row of the profile
 * remembers it, until it is neither connected nor remembered.
 *
 *   connecting → ok ⇄ reconnecting      ok, reconnecting → cancelling → gone | back
 *   unavailable: remembered, not connected now
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "core/credentials.h"
#include "core/handle.h"
#include "core/name.h"
#include "core/redirector.h"

struct manager;
struct cancel;

enum connection_state {
        CONNECTION_CONNECTING,
        CONNECTION_OK,
        CONNECTION_RECONNECTING,
        CONNECTION_CANCELLING,
        CONNECTION_UNAVAILABLE,
        CONNECTION_GONE,
};

/* "connecting", "ok", "reconnecting", "cancelling", "unavailable", "gone". */
const char *connection_state_name(enum connection_state state);

/* What a remembered device was to be connected with before somebody tried something else. */
struct kept_credentials {
        bool any;
        bool read_only;
        bool others_tried; /* credentials were given, whose failure says nothing of these */
        bool replaced;     /* the next two too */
        struct credentials credentials;
        char *file;
};

struct connection {
        TAILQ_ENTRY(connection) entry;
        struct manager *manager;

        char *name;                  /* how people call it: "Z:", or "\\server\share" for a deviceless one */
        bool has_device;             /* else deviceless */
        struct device_name device;
        struct remote_name remote;
        struct credentials credentials;
        char *credentials_file;      /* NULL: none; then credentials' password counts */
        char *saved_user;            /* its password is in the Secret Service, under this name ("DOMAIN\user" or ""); NULL: it is not */
        char *session_user;          /* as whom the server knows us: set when the first worker has been accepted, NULL before
                                        and while it is unavailable */
        char *session_domain;        /* the same; NULL: none */
        bool read_only;
        struct kept_credentials *kept; /* what is remembered, as long as it is connected with something else for once; NULL: it is not */
        bool remembered;             /* has a row, as far as the daemon knows */
        bool has_other_row;          /* its device's row is about another resource: it was connected while the profile could not be read; */
        bool other_row_saved;        /* and has a password in the Secret Service */

        enum connection_state state;
        enum connection_state state_before_cancel; /* and since when: a refused cancel leaves no trace */
        uint64_t since_before_cancel_usec;
        char reason[256];
        uint64_t since_usec;         /* CLOCK_REALTIME */
        uint64_t next_retry_usec;    /* CLOCK_REALTIME, for people; 0: none planned */
        uint64_t retry_at_usec;      /* the same, CLOCK_MONOTONIC */
        unsigned retries;
        int watch;                   /* of its folder, while it is unavailable; 0: none */
        bool retry_wanted;           /* false: disconnected on purpose, or hopeless */
        bool wants_session;          /* hopeless without a password, which a session with its server would have */

        char *mountpoint;
        struct handle_table handles;
        struct redirector *redirector; /* its own; not NULL only while it has one */
        bool mount_lost;               /* unmounted by somebody else while a cancel or an attempt was under way */
        bool release_pending;          /* its redirector is to be freed, outside of the redirector's own callbacks */
        struct cancel *cancel;         /* the disconnection that is under way */
        struct password_call *password_call; /* what is asked of the Secret Service now */
        struct attempt *attempt;       /* the connection attempt that is under way */
};

TAILQ_HEAD(connection_list, connection);

/* A new connection in state UNAVAILABLE, entered into manager's table; remote is moved from (and zeroed). device NULL: deviceless.
 * NULL: out of memory. */
struct connection *connection_new(struct manager *manager, const struct device_name *device, struct remote_name *remote);

/* Takes it out of the table and frees it. It has no redirector any more. */
void connection_free(struct connection *c);

/* The one place where a state changes: logged, and told to every client. reason may be "". */
void connection_set_state(struct connection *c, enum connection_state state, const char *reason);

/* c is to be connected with what was kept again, which is taken. */
void connection_put_back(struct connection *c, struct kept_credentials *kept);
void kept_credentials_done(struct kept_credentials *kept);

/* What it is connected with now is what is remembered. */
void connection_drop_kept(struct connection *c);

/* Whether it is a printer port. */
bool connection_is_printer(const struct connection *c);

/* Whether it has a mount, or is getting one. */
bool connection_is_live(const struct connection *c);

/* Whether it is, or is to be, connected with a password, be it that of a file. */
bool connection_has_password(const struct connection *c);

/* Events from the redirector. */

/* The server has accepted user of domain ("": none), before the mount is made. Forgotten when c is UNAVAILABLE or CONNECTING. */
void connection_authenticated(struct connection *c, const char *user, const char *domain);
void connection_health(struct connection *c, bool up, const char *reason);
void connection_unmounted(struct connection *c); /* by somebody else: fusermount3 -u, umount */

#endif
