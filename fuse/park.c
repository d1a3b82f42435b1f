/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The hidden folder of the share: deleted files live there while they are open, and replaced ones until the new one is in place.
 * It is made when it is needed, and goes when nothing has been in it for a while.
 */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/cleanup.h"
#include "core/fault.h"
#include "core/log.h"
#include "fuse/internal.h"
#include "fuse/leftovers.h"
#include "fuse/parked-name.h"
#include "fuse/parked-tag.h"

#define TIDY_USEC (2 * 1000000ULL)
#define TRIES_MAX 5u /* what cannot be removed then is left to the next connection; what is beside, to the next listing */

static unsigned long long parked_count; /* of all connections, so that no name comes again */

static void remove_entry(struct redirector *r, enum smb_op what, char *path, unsigned tries);

/* PARK_FOLDER "/" name. name: taken. */
static char *in_folder(char *name)
{
        char *path = NULL;

        if (name && asprintf(&path, PARK_FOLDER "/%s", name) < 0)
                path = NULL;
        free(name);
        return path;
}

void park_prefix(const struct redirector *r, char ret_prefix[PARK_PREFIX_BYTES])
{
        snprintf(ret_prefix, PARK_PREFIX_BYTES, "%s-%.1s-", r->settings->instance,
                 r->connection->has_device ? r->connection->device.text : "-");
}

void park_init(struct redirector *r)
{
        TAILQ_INIT(&r->unremoved);
        r->parked_before = parked_count;
}

/* What the next name begins with. Returns its length. */
static size_t new_base(struct redirector *r, char ret_base[PARK_BASE_BYTES])
{
        size_t n;

        park_prefix(r, ret_base);
        n = strlen(ret_base);
        return n + (size_t) snprintf(ret_base + n, PARK_BASE_BYTES - n, "%llx", ++parked_count);
}

int park_plan(struct redirector *r, const char *original, uint64_t file_id, bool stays, char **ret_path, char **ret_pieces, size_t *ret_n_pieces)
{
        char base[PARK_BASE_BYTES], tag[PARKED_TAG_CHARS + 1];
        size_t n = new_base(r, base);
        int error;

        if (original) {
                error = parked_tag(r->settings->parked_key, r->source, base, original, file_id, tag);
                if (error < 0)
                        return error;
                snprintf(base + n, sizeof(base) - n, "-%s", tag);
        }
        *ret_path = in_folder(parked_name(base, original, stays, ret_pieces, ret_n_pieces));
        error = *ret_path ? 0 : -ENOMEM;
        for (size_t i = 0; i < *ret_n_pieces; i++)
                if (!(ret_pieces[i] = in_folder(ret_pieces[i])))
                        error = -ENOMEM;
        return error;
}

char *park_plan_beside(struct redirector *r, const char *path)
{
        const char *slash = strrchr(path, '/');
        char base[PARK_BASE_BYTES], *parked;

        (void) new_base(r, base);
        return asprintf(&parked, "%.*s" PARK_FOLDER "-%s", slash ? (int) (slash + 1 - path) : 0, path, base) < 0 ? NULL : parked;
}

/* What comes behind PARK_FOLDER "-" in name, in any spelling: most servers fold it. Or NULL. */
static const char *base_beside(const char *name)
{
        const size_t length = strlen(PARK_FOLDER "-");

        return strncasecmp(name, PARK_FOLDER "-", length) == 0 ? name + length : NULL;
}

bool park_is_beside(const struct redirector *r, const char *name)
{
        const char *base = base_beside(name);

        return base && leftovers_is_ours(r->settings->instance, base);
}

bool park_hides(const struct redirector *r, const struct node *folder, const char *name)
{
        return park_is_beside(r, name) || (!folder->parent && strcasecmp(name, PARK_FOLDER) == 0);
}

static void tidied(struct smb_request *request)
{
        struct op *op = op_of(request);

        op->redirector->tidying = false;
        op->redirector->park_left = request->error == -EIO || request->error == -EHOSTDOWN;
        op_free(op);
}

/* Removes the empty folder. What comes behind it at the worker makes it anew. */
static void tidy(struct redirector *r)
{
        struct op *op = op_new(r, NULL);

        r->park_made = false;
        if (!op || !(op->request.path = strdup(PARK_FOLDER))) {
                if (op)
                        op_free(op);
                return;
        }
        r->tidying = true;
        op_submit(op, SMB_OP_RMDIR, tidied);
}

/* Something that could not be removed. What is beside stays here after its tries, for when it is found in a listing. */
struct unremoved {
        TAILQ_ENTRY(unremoved) entry;
        enum smb_op what;
        char *path;
        unsigned tries;
};

static bool is_due(const struct unremoved *u)
{
        return u->tries <= TRIES_MAX;
}

static bool any_due(const struct redirector *r)
{
        const struct unremoved *u;

        TAILQ_FOREACH(u, &r->unremoved, entry)
                if (is_due(u))
                        return true;
        return false;
}

/* What cannot be removed comes back later, not from within. */
static void remove_again(struct redirector *r, struct unremoved *u)
{
        TAILQ_REMOVE(&r->unremoved, u, entry);
        remove_entry(r, u->what, u->path, u->tries);
        free(u);
}

static void remove_due(struct redirector *r)
{
        struct unremoved *u, *next;

        for (u = TAILQ_FIRST(&r->unremoved); u; u = next) {
                next = TAILQ_NEXT(u, entry);
                if (is_due(u))
                        remove_again(r, u);
        }
}

void park_forget(struct redirector *r)
{
        struct unremoved *u;

        while ((u = TAILQ_FIRST(&r->unremoved))) {
                TAILQ_REMOVE(&r->unremoved, u, entry);
                free(u->path);
                free(u);
        }
}

static int on_tidy(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct redirector *r = userdata;

        (void) source;
        (void) usec;
        if (r->change)
                return 0;
        if (any_due(r))
                remove_due(r);
        else if (r->park_made && r->n_parked == 0)
                tidy(r);
        return 0;
}

void park_tidy_soon(struct redirector *r)
{
        if (!any_due(r) && (!r->park_made || r->n_parked > 0))
                return;
        r->tidy_source = sd_event_source_disable_unref(r->tidy_source);
        (void) sd_event_add_time_relative(r->event, &r->tidy_source, CLOCK_MONOTONIC, TIDY_USEC, 100000, on_tidy, r);
}

bool park_settled(struct redirector *r)
{
        if (r->connection->handles.n > 0)
                return true;
        if (r->change || r->n_parked > 0 || r->tidying)
                return false;
        if (r->park_made)
                tidy(r);
        return !r->tidying;
}

/* Keeps in mind what op could not remove: the server may have it open still for a worker that is gone. away: the server cannot be asked. What
 * is beside may be another server's, behind a DFS link, and each try may cost the worker for names. */
static void keep_unremoved(struct redirector *r, struct op *op, bool away)
{
        struct smb_request *request = &op->request;
        bool is_beside = !path_behind(request->path, PARK_FOLDER);
        struct unremoved *u = op->tries < TRIES_MAX || is_beside ? calloc(1, sizeof(*u)) : NULL;

        if (op->tries == 0)
                log_info("%s could not be removed: %s", request->path, strerror(-request->error));
        if (!u)
                return;
        u->what = request->op;
        u->path = TAKE_PTR(request->path);
        u->tries = away && !is_beside ? 0 : op->tries + 1;
        TAILQ_INSERT_TAIL(&r->unremoved, u, entry);
}

static void removed(struct smb_request *request)
{
        struct redirector *r = op_of(request)->redirector;
        bool ended = request->error == -ECANCELED; /* and the folder is the next connection's */
        bool away = request->error == -EIO || request->error == -EHOSTDOWN; /* park_try_again() comes when the server is back */

        if (request->error < 0 && request->error != -ENOENT && !ended)
                keep_unremoved(r, op_of(request), away);
        FAULT_POINT("change.removed");
        op_free(op_of(request));
        if (ended)
                return;
        r->n_parked--;
        if (!away)
                park_tidy_soon(r);
}

void park_try_again(struct redirector *r)
{
        r->park_forbidden = false; /* it may have been restarted for that */
        r->park_made = r->park_made || r->park_left;
        r->park_left = false;
        park_tidy_soon(r);
}

static void remove_entry(struct redirector *r, enum smb_op what, char *path, unsigned tries)
{
        struct op *op = op_new(r, NULL);

        if (!op) {
                free(path); /* the next connection finds it */
                return;
        }
        r->n_parked++;
        op->tries = tries;
        op->request.path = path;
        op_submit(op, what, removed);
}

/* Whether an earlier connection of the drive has put it there. */
static bool is_earlier(const struct redirector *r, const char *base)
{
        char own[PARK_PREFIX_BYTES];

        park_prefix(r, own);
        return r->connection->has_device && strncasecmp(base, own, strlen(own)) == 0 &&
               strtoull(base + strlen(own), NULL, 16) <= r->parked_before;
}

/* What could not be removed at path, and is not tried again by itself any more. */
static struct unremoved *find_given_up(struct redirector *r, const char *path)
{
        struct unremoved *u;

        TAILQ_FOREACH(u, &r->unremoved, entry)
                if (!is_due(u) && strcmp(u->path, path) == 0)
                        return u;
        return NULL;
}

void park_found(struct redirector *r, const struct node *folder, const char *name)
{
        _cleanup_free_ char *path = NULL;
        const char *base = base_beside(name);
        struct unremoved *given_up;

        if (!base || r->connection->read_only || node_path(folder, name, &path) < 0)
                return;
        given_up = find_given_up(r, path);
        if (given_up)
                remove_again(r, given_up);
        else if (leftovers_is_left(r, base) || is_earlier(r, base))
                remove_entry(r, SMB_OP_UNLINK, TAKE_PTR(path), TRIES_MAX);
}

void park_remove(struct redirector *r, enum smb_op what, char *path)
{
        remove_entry(r, what, path, 0);
}

void park_keep(struct redirector *r, struct node *node, char *path)
{
        if (!node || (LIST_EMPTY(&node->files) && node->closing == 0)) {
                park_remove(r, SMB_OP_UNLINK, path);
                return;
        }
        assert(!node->parked);
        r->n_parked++;
        node->parked = path;
}

void park_closed(struct redirector *r, struct node *node)
{
        char *path = node->parked;

        if (!path || node->linked || node->closing > 0 || !LIST_EMPTY(&node->files))
                return;
        node->parked = NULL;
        r->n_parked--;
        park_remove(r, SMB_OP_UNLINK, path);
}

void park_renamed(struct redirector *r, const char *from, const char *to)
{
        struct open_file *file;
        struct unremoved *u;
        struct op *op;

        TAILQ_FOREACH(file, &r->files, entry)
                if (file->node)
                        path_follow(&file->node->parked, from, to);
        TAILQ_FOREACH(op, &r->closes, wait) /* the last one of a file may be among them */
                if (op->node)
                        path_follow(&op->node->parked, from, to);
        TAILQ_FOREACH(u, &r->unremoved, entry)
                path_follow(&u->path, from, to);
        change_follow(r, from, to);
}
