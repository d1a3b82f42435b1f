/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is compared is what the server has accepted where it has, and what is to be tried where it has not yet.
 */

#include "core/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"

/* NULL: not known yet. */
static const char *user_of(const struct connection *c)
{
        if (c->session_user)
                return c->session_user;
        if (c->credentials_file)
                return NULL;
        return c->credentials.user ? c->credentials.user : c->manager->login;
}

static const char *domain_of(const struct connection *c)
{
        if (c->session_user)
                return c->session_domain;
        return c->credentials_file ? NULL : c->credentials.domain;
}

static bool differ(const char *a, const char *b)
{
        return a && b && !name_equal_nocase(a, b);
}

static bool passwords_differ(const struct connection *a, const struct connection *b)
{
        return !a->credentials_file && !b->credentials_file && a->credentials.password.bytes && b->credentials.password.bytes &&
               !secret_equal(&a->credentials.password, &b->credentials.password);
}

/* One that is only being tried is none: it may fail yet. */
static bool is_session(const struct connection *c, const struct remote_name *server)
{
        return connection_is_live(c) && !attempt_may_fail(c) && remote_name_same_server(&c->remote, server);
}

static bool users_differ(const struct connection *a, const struct connection *b)
{
        return differ(user_of(a), user_of(b)) || differ(domain_of(a), domain_of(b));
}

/* One that is only being tried finds c there when the server has accepted it. */
static bool conflicts(const struct connection *c, const struct connection *other)
{
        return other != c && is_session(other, &c->remote) && (users_differ(c, other) || passwords_differ(c, other));
}

/* What to type is written with slashes: a shell takes backslashes away. */
static int say_conflict(const struct connection *c, const struct connection *other, struct wn_error *err)
{
        _cleanup_free_ char *source = other->has_device ? NULL : remote_name_to_source(&other->remote);
        const char *name = source ? source : other->name, *user = user_of(other);
        const char *quote = strpbrk(name, " \"$&;()#`!") && !strchr(name, '\'') ? "'" : "";

        if (!users_differ(c, other))
                return error_set(err, ERROR_SESSION_CREDENTIAL_CONFLICT, 0, "resolve",
                                 "the password is not the one with which %s is connected to the same server%s%s; leave it out, and that one is "
                                 "used, or disconnect it first: wnet cancel %s%s%s",
                                 other->name, user ? ", as " : "", user ? user : "", quote, name, quote);
        return error_set(err, ERROR_SESSION_CREDENTIAL_CONFLICT, 0, "resolve",
                         "%s is connected to the same server with other credentials%s%s; disconnect it first: wnet cancel %s%s%s",
                         other->name, user ? ", as " : "", user ? user : "", quote, name, quote);
}

int session_check(const struct connection *c, struct wn_error *err)
{
        const struct connection *other;

        TAILQ_FOREACH(other, &c->manager->connections, entry)
                if (conflicts(c, other))
                        return say_conflict(c, other, err);
        return 0;
}

/* Whether c, with no password of its own, may be connected with other's: it asks for that user, or for none in particular. */
static bool may_join(const struct connection *c, const struct connection *other)
{
        return !c->credentials.user ||
               (user_of(other) && !differ(c->credentials.user, user_of(other)) && !differ(c->credentials.domain, domain_of(other)));
}

/* A live connection to the server, one that has a password if there is one: a guest's has nothing to give. c: which may join it; NULL: nobody
 * in particular. */
static struct connection *find_session(struct manager *m, const struct remote_name *server, const struct connection *c)
{
        struct connection *other, *found = NULL;

        TAILQ_FOREACH(other, &m->connections, entry) {
                if (other == c || !is_session(other, server) || (c && !may_join(c, other)))
                        continue;
                if (connection_has_password(other))
                        return other;
                if (!found)
                        found = other;
        }
        return found;
}

int session_join(struct connection *c, bool *ret_joined)
{
        const struct connection *other;
        struct credentials copy = { 0 };
        char *file = NULL;
        int r;

        other = connection_has_password(c) ? NULL : find_session(c->manager, &c->remote, c);
        if (!other) {
                *ret_joined = false;
                return 0;
        }
        r = credentials_copy(&other->credentials, &copy);
        if (r == 0 && other->credentials_file && !(file = strdup(other->credentials_file)))
                r = -ENOMEM;
        if (r < 0) {
                credentials_done(&copy);
                return r;
        }
        credentials_done(&c->credentials);
        c->credentials = copy;
        c->credentials_file = file;
        *ret_joined = true;
        return 0;
}

struct connection *session_find(struct manager *m, const struct remote_name *server)
{
        return find_session(m, server, NULL);
}
