/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which worker does what, and how many there are.
 *
 * What asks for names only, and no file, may run anywhere; a look-up goes to a worker that has nothing else to do, a listing, which may
 * take a server minutes, to a worker for files. What changes names runs at the worker for names, in order. A server does not remove or
 * rename what another connection of ours has open, be it for a look-up. Hence, always:
 *  - a change of names is handed over only while no look-up is at another worker, and look-ups that come behind one are not sent
 *    there: it is as if one worker did them all;
 *  - an UNLINK, RMDIR or RENAME of a folder that is being listed elsewhere, of a file that is looked into, or of a folder above, waits for
 *    its end (none is looked into while any change of names waits), and
 *    listings that come behind it are the worker for names', so that it does not wait for ever.
 */

#include <stddef.h>

#include "core/clock.h"
#include "fuse/smb/pool-internal.h"
#include "fuse/smb/request.h"

#define BACKLOG 4u /* so many requests for names at once want one more worker */
#define SMALL_FILES 4u     /* at once, of the worker for names: a server lets one connection have so many files, and it has to go on looking */
#define SPARE_WORKERS 2u /* so many more than share the work do what nobody waits for, */
#define SPARE_AT_A_TIME 3u /* and are started together: it comes too late otherwise */

/* ---- listings and changes ---- */

static unsigned char folded(char c)
{
        return (unsigned char) (c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* Whether path may be folder, or lie below it: how a server folds what is not ASCII is not known. */
static bool may_be_below(const char *path, const char *folder)
{
        for (; *folder; path++, folder++) {
                if ((*path | *folder) & 0x80)
                        return true;
                if (folded(*path) != folded(*folder))
                        return false;
        }
        return *path == '\0' || *path == '/';
}

static bool is_in_the_way(const struct smb_request *listing, const struct smb_request *change)
{
        return may_be_below(listing->path, change->path) || (change->path2 && may_be_below(listing->path, change->path2));
}

/* A listing, or a look into a file. */
static bool any_listing_in_the_way(const struct smb_request_list *list, const struct smb_request *change)
{
        const struct smb_request *request;

        TAILQ_FOREACH(request, list, queue)
                if ((request_only_lists(request) || request_peeks(request)) && is_in_the_way(request, change))
                        return true;
        return false;
}

static bool any_change_in_the_way(const struct smb_request_list *list, const struct smb_request *listing)
{
        const struct smb_request *request;

        TAILQ_FOREACH(request, list, queue)
                if (request_removes_names(request) && is_in_the_way(listing, request))
                        return true;
        return false;
}

bool choice_defers(const struct smb_pool *pool, const struct smb_request *request)
{
        if (!request_removes_names(request))
                return false;
        for (unsigned i = 1; i < pool->n_links; i++)
                if (any_listing_in_the_way(&pool->links[i].sent, request) ||
                    any_listing_in_the_way(&pool->links[i].pending, request))
                        return true;
        return false;
}

bool choice_holds_back(const struct smb_link *link, const struct smb_request *request)
{
        return link->index == NAMES_WORKER && link->pool->n_elsewhere > 0 && request_changes_names(request);
}

/* ---- how many ---- */

/* Starts one more of the first n workers for files, so many at a time. */
static void start_one_of(struct smb_pool *pool, unsigned n, unsigned n_at_a_time)
{
        struct smb_link *next = NULL;

        for (unsigned i = n < pool->n_links ? n : pool->n_links - 1; i > 0; i--) {
                if (pool->links[i].state == LINK_STARTING && --n_at_a_time == 0)
                        return;
                if (pool->links[i].state == LINK_DOWN)
                        next = &pool->links[i];
        }
        if (next && clock_now_usec(pool->config.event) >= next->next_attempt_usec)
                (void) link_start(next);
}

/* If work is still shared by fewer than may share it. */
static void start_another(struct smb_pool *pool)
{
        start_one_of(pool, POOL_BUSY_WORKERS, 1);
}

/* ---- names ---- */

/* One that shares the work last: that one is missed the least. */
static struct smb_link *idle_worker(struct smb_pool *pool)
{
        for (unsigned i = pool->n_links - 1; i > 0; i--)
                if (pool->links[i].state == LINK_UP && pool->links[i].n_requests == 0)
                        return &pool->links[i];
        return NULL;
}

/* Look-ups wait where they do: behind a listing, or there are many. */
static bool wants_help(const struct smb_link *names)
{
        const struct smb_request *first = TAILQ_FIRST(&names->sent);

        return names->n_requests >= BACKLOG || (first && request_is_long(first));
}

static struct smb_link *for_look_up(struct smb_pool *pool)
{
        struct smb_link *names = &pool->links[NAMES_WORKER], *idle;

        if (names->state != LINK_UP || names->n_requests == 0 || pool->n_changes > 0)
                return names;
        idle = idle_worker(pool);
        if (idle)
                return idle;
        if (wants_help(names))
                start_another(pool);
        return names;
}

bool smb_pool_has_spare(struct smb_pool *pool)
{
        unsigned n_idle = 0, n_free = 0;

        if (pool->links[NAMES_WORKER].state != LINK_UP || pool->n_changes > 0 || !TAILQ_EMPTY(&pool->behind_lists))
                return false;
        for (unsigned i = 1; i < pool->n_links; i++) {
                const struct smb_link *link = &pool->links[i];

                n_idle += link->state == LINK_UP && link->n_requests == 0;
                n_free += link->state == LINK_UP && link->n_requests == link->n_closes;
        }
        if (n_idle > 0 && n_free > 1)
                return true;
        for (unsigned i = 0; i < SPARE_AT_A_TIME; i++)
                start_one_of(pool, POOL_BUSY_WORKERS + SPARE_WORKERS, SPARE_AT_A_TIME);
        return false;
}

/* Whether a listing is less in the way of others at a. Who reads an open file cannot go elsewhere. */
static bool suits_listing_better(const struct smb_link *a, const struct smb_link *b)
{
        return a->n_requests != b->n_requests ? a->n_requests < b->n_requests : a->n_files < b->n_files;
}

/* A listing: the least busy worker for files that there is. */
static struct smb_link *for_listing(struct smb_pool *pool, const struct smb_request *request)
{
        struct smb_link *names = &pool->links[NAMES_WORKER], *best = NULL;

        if (names->state != LINK_UP || any_change_in_the_way(&names->sent, request) ||
            any_change_in_the_way(&names->pending, request) || any_change_in_the_way(&pool->behind_lists, request))
                return names;
        for (unsigned i = 1; i < pool->n_links; i++) {
                struct smb_link *link = &pool->links[i];

                if (link->state == LINK_UP && (!best || suits_listing_better(link, best)))
                        best = link;
        }
        if (!best || best->n_requests > 0)
                start_another(pool);
        return best ? best : names;
}

struct smb_link *choice_for_name(struct smb_pool *pool, const struct smb_request *request)
{
        if (request_looks_up(request))
                return for_look_up(pool);
        if (request_peeks(request)) /* in no hurry, and it may take longer */
                return idle_worker(pool) ? idle_worker(pool) : &pool->links[NAMES_WORKER];
        return request_only_lists(request) ? for_listing(pool, request) : &pool->links[NAMES_WORKER];
}

void choice_entered(struct smb_link *link, const struct smb_request *request)
{
        struct smb_pool *pool = link->pool;

        link->n_requests++;
        link->n_closes += request->op == SMB_OP_CLOSE;
        link->n_bulk += request_is_bulk(request) || request->op == SMB_OP_COPY;
        if (link->index == NAMES_WORKER)
                pool->n_changes += request_changes_names(request);
        else
                pool->n_elsewhere += request_looks_up(request);
}

void choice_left(struct smb_link *link, const struct smb_request *request)
{
        struct smb_pool *pool = link->pool;

        link->n_requests--;
        link->n_closes -= request->op == SMB_OP_CLOSE;
        link->n_bulk -= request_is_bulk(request) || request->op == SMB_OP_COPY;
        link->used_usec = clock_now_usec(pool->config.event);
        if (link->index == NAMES_WORKER)
                pool->n_changes -= request_changes_names(request);
        else if (request_looks_up(request) && --pool->n_elsewhere == 0 && pool->n_changes > 0)
                link_dispatch(&pool->links[NAMES_WORKER]);
}

static void move(struct smb_request *request, struct smb_link *from, struct smb_link *to)
{
        TAILQ_REMOVE(&from->pending, request, queue);
        choice_left(from, request);
        TAILQ_INSERT_TAIL(&to->pending, request, queue);
        choice_entered(to, request);
}

static bool take_over_name(struct smb_link *link)
{
        struct smb_pool *pool = link->pool;
        struct smb_link *names = &pool->links[NAMES_WORKER];
        struct smb_request *request;

        if (names->state != LINK_UP || names->n_under_way == 0 || pool->n_changes > 0)
                return false;
        TAILQ_FOREACH(request, &names->pending, queue)
                if (!request->file &&
                    (request_looks_up(request) || (request_only_lists(request) && !any_change_in_the_way(&pool->behind_lists, request)))) {
                        move(request, names, link);
                        return true;
                }
        return false;
}

/* A file that waits to be opened belongs to no process yet. */
static bool take_over_open(struct smb_link *link)
{
        struct smb_pool *pool = link->pool;

        for (unsigned i = 1; i < pool->n_links && link->n_files < pool->config.worker_files; i++) {
                struct smb_link *other = &pool->links[i];
                struct smb_request *request;

                if (other == link || other->state != LINK_UP || other->n_under_way == 0)
                        continue;
                TAILQ_FOREACH(request, &other->pending, queue)
                        if (request->op == SMB_OP_OPEN && !request->internal) {
                                other->n_files--;
                                link->n_files++;
                                request->file->worker = link->index;
                                move(request, other, link);
                                return true;
                        }
        }
        return false;
}

bool choice_take_over(struct smb_link *link)
{
        if (link->index == NAMES_WORKER || link->n_requests > 0)
                return false;
        return take_over_name(link) || take_over_open(link);
}

/* ---- files ---- */

/* Whether the worker for names has nothing to do, and may open a file. */
static bool names_worker_is_free(const struct smb_pool *pool)
{
        const struct smb_link *names = &pool->links[NAMES_WORKER];

        return pool->n_links > 1 && names->state == LINK_UP && names->n_requests == names->n_closes &&
               names->n_files < pool->config.worker_files;
}

/* Whether it does that because those for files have ended, unused. The others will be there for the next one. */
static bool names_worker_opens(const struct smb_pool *pool)
{
        for (unsigned i = 1; i < pool->n_links; i++)
                if (pool->links[i].state == LINK_UP)
                        return false;
        return names_worker_is_free(pool) && pool->links[1].ended_idle;
}

/* What an open has to wait for at a worker, the least first: nothing; the end of closes; that of something short, or of what another
 * worker can take it away from; a start, and what waits for it already; transfers, which would share the worker with what is opened. */
static unsigned waiting_at(const struct smb_link *link)
{
        if (link->n_bulk > 0)
                return 3000 + link->n_requests;
        if (link->state != LINK_UP)
                return (link->state == LINK_STARTING ? 2000 : 2001) + link->n_requests;
        return link->n_requests > link->n_closes ? 10 + link->n_requests : link->n_requests > 0;
}

/* Of those that share the work and have room for a file the one at which it waits the least; where it waits, there will be one more
 * for the next. Those behind come one after the other, when the ones before are full; when all are, the emptiest has to say that there is no more.
 * A small file may be the worker for names', where it waits the least, and there are few. */
unsigned choice_for_file(struct smb_pool *pool, bool small)
{
        const struct smb_link *names = &pool->links[NAMES_WORKER], *best = NULL, *emptiest = pool->n_links > 1 ? &pool->links[1] : names;

        if (names_worker_opens(pool)) {
                start_another(pool);
                return NAMES_WORKER;
        }
        for (unsigned i = 1; i < pool->n_links && (!best || i <= POOL_BUSY_WORKERS); i++) {
                const struct smb_link *link = &pool->links[i];

                if (link->n_files < emptiest->n_files)
                        emptiest = link;
                if (link->n_files < pool->config.worker_files && (!best || waiting_at(link) < waiting_at(best)))
                        best = link;
        }
        if (small && best && names_worker_is_free(pool) && names->n_files < SMALL_FILES && waiting_at(names) < waiting_at(best))
                return NAMES_WORKER;
        if (best && best->state == LINK_UP && best->n_requests > 0)
                start_another(pool);
        return best ? best->index : emptiest->index;
}
