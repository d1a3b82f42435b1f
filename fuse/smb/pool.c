/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Routing of requests to workers, and what happens when one of these is gone. A request is in exactly one place: a link's
 * pending or sent list, a file's waiting list, or the list of finished ones whose callback is due.
 *
 * Callbacks run from the event loop only (pool_finish(), or a link's reply), so that a caller of smb_pool_submit() never finds its
 * own state changed under its feet.
 */

#include "fuse/smb/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "fuse/smb/link.h"
#include "fuse/smb/pool-internal.h"
#include "fuse/smb/request.h"

#define ON_DEMAND_RETRY_USEC (1 * 1000000ULL) /* a request may start a new attempt this long after the last one failed */
#define RETRY_MIN_USEC (1 * 1000000ULL)       /* without a request: attempts in these distances, doubled each time */
#define RETRY_MAX_USEC (30 * 1000000ULL)
#define REPEATS_MAX 3u                        /* one that kills its worker each time shall come to an end, too */

const struct smb_pool_config *pool_config(const struct smb_pool *pool)
{
        return &pool->config;
}

int pool_arena_fd(const struct smb_pool *pool)
{
        return pool->arena.fd;
}

const struct smb_setup *smb_pool_setup(const struct smb_pool *pool)
{
        return &pool->config.setup;
}

struct arena *smb_pool_arena(struct smb_pool *pool)
{
        return &pool->arena;
}

uint64_t pool_next_turn(struct smb_pool *pool)
{
        return ++pool->turns;
}

/* ---- ends of requests ---- */

/* A CLOSE may have been overtaken by the OPEN behind it. */
static bool is_open_again(const struct smb_pool *pool, const struct smb_file *file)
{
        const struct smb_link *link = &pool->links[file->worker];

        return link->state == LINK_UP && link->generation == file->generation;
}

static void call_done(struct smb_pool *pool, struct smb_request *request)
{
        struct smb_file *file = request->file;

        if (request_fills_slot(request) && request->error < 0) {
                smb_pool_give_slot(pool, request->slot);
                request->slot = SMB_NO_SLOT;
        }
        if ((request->op == SMB_OP_CLOSE && !is_open_again(pool, file)) ||
            (request->op == SMB_OP_OPEN && request->error < 0 && !request->internal))
                file_uncount(pool, file);
        request->done(request);
        smb_file_unref(file);
        idle_plan(pool);
}

static int on_finish(sd_event_source *source, void *userdata)
{
        struct smb_pool *pool = userdata;
        struct smb_request_list finished = TAILQ_HEAD_INITIALIZER(finished);
        struct smb_request *request;

        (void) source;
        TAILQ_CONCAT(&finished, &pool->finished, queue);
        while ((request = TAILQ_FIRST(&finished))) {
                TAILQ_REMOVE(&finished, request, queue);
                call_done(pool, request);
        }
        if (pool->slots_wanted && pool->arena.n_free > 0) {
                pool->slots_wanted = false;
                for (unsigned i = 0; i < pool->n_links; i++)
                        link_dispatch(&pool->links[i]);
        }
        return 0;
}

void pool_finish(struct smb_pool *pool, struct smb_request *request, int error)
{
        request->error = error;
        TAILQ_INSERT_TAIL(&pool->finished, request, queue);
        if (pool->finish_source)
                (void) sd_event_source_set_enabled(pool->finish_source, SD_EVENT_ONESHOT);
}

/* What waited for listings has waited for this one, perhaps. */
static void route_behind_lists(struct smb_pool *pool)
{
        struct smb_request_list waiting = TAILQ_HEAD_INITIALIZER(waiting);
        struct smb_request *request;

        TAILQ_CONCAT(&waiting, &pool->behind_lists, queue);
        while ((request = TAILQ_FIRST(&waiting))) {
                TAILQ_REMOVE(&waiting, request, queue);
                pool_route(pool, request);
        }
}

/* A request is no longer at its worker: answered, refused, or the worker is gone. */
static void left_worker(struct smb_link *link, struct smb_request *request)
{
        choice_left(link, request);
        file_left_worker(link->pool, request);
        if (request_lists(request) || request_peeks(request))
                route_behind_lists(link->pool);
}

void pool_request_done(struct smb_link *link, struct smb_request *request)
{
        left_worker(link, request);
        call_done(link->pool, request);
}

void pool_request_refused(struct smb_link *link, struct smb_request *request, int error)
{
        left_worker(link, request);
        pool_finish(link->pool, request, error);
}

/* ---- slots ---- */

bool pool_needs_slot(const struct smb_request *request)
{
        return request_fills_slot(request) && request->slot == SMB_NO_SLOT;
}

bool pool_take_slot(struct smb_pool *pool, struct smb_request *request)
{
        if (!request_fills_slot(request))
                return true;
        if (request->slot == SMB_NO_SLOT)
                request->slot = arena_take(&pool->arena);
        if (request->slot == SMB_NO_SLOT && pool->config.reclaim_slot(pool->config.userdata))
                request->slot = arena_take(&pool->arena);
        if (request->slot == SMB_NO_SLOT)
                pool->slots_wanted = true;
        return request->slot != SMB_NO_SLOT;
}

void smb_pool_give_slot(struct smb_pool *pool, uint32_t slot)
{
        if (slot == SMB_NO_SLOT)
                return;
        arena_give(&pool->arena, slot);
        if (pool->slots_wanted && pool->finish_source)
                (void) sd_event_source_set_enabled(pool->finish_source, SD_EVENT_ONESHOT);
        if (pool->config.slot_free)
                pool->config.slot_free(pool->config.userdata);
}

/* ---- what a worker hung in ---- */

/* A look-up that a worker hung in. Where the server answers others, what says nothing is behind this name: a DFS link's target.
 * The root is none. */
static void remember_hang(struct smb_pool *pool, const struct smb_request *request)
{
        if (request->op != SMB_OP_STAT || request_peeks(request) || !request->path[0])
                return;
        free(pool->hung_path);
        pool->hung_path = strdup(request->path);
        pool->hung_until_usec = clock_now_usec(pool->config.event) + ON_DEMAND_RETRY_USEC;
}

/* The kernel looks a name up for one program at a time: those that waited meanwhile do not wait as long again, one after the other. */
static bool has_just_hung(const struct smb_pool *pool, const struct smb_request *request)
{
        return request->op == SMB_OP_STAT && !request_peeks(request) && pool->hung_path && strcmp(request->path, pool->hung_path) == 0 &&
               clock_now_usec(pool->config.event) < pool->hung_until_usec;
}

/* ---- routing ---- */

static struct smb_link *link_of(struct smb_pool *pool, const struct smb_request *request)
{
        switch (request->op) {
        case SMB_OP_LIST_NEXT:
        case SMB_OP_LIST_CLOSE:
                return &pool->links[request->worker];
        default:
                return request->file ? &pool->links[request->file->worker] : choice_for_name(pool, request);
        }
}

/* Whether the request refers to something in a process that is gone. */
static bool refers_to_gone_process(const struct smb_link *link, const struct smb_request *request)
{
        switch (request->op) {
        case SMB_OP_LIST_NEXT:
        case SMB_OP_LIST_CLOSE:
                return link->state != LINK_UP || link->generation != request->generation;
        case SMB_OP_OPEN:
                return false;
        default:
                return request->file && (link->state == LINK_DOWN || link->generation != request->file->generation);
        }
}

void pool_route(struct smb_pool *pool, struct smb_request *request)
{
        struct smb_link *link;

        if (pool->closing) {
                pool_finish(pool, request, -ECANCELED);
                return;
        }
        if (choice_defers(pool, request)) {
                TAILQ_INSERT_TAIL(&pool->behind_lists, request, queue);
                return;
        }
        link = link_of(pool, request);
        if (request->file && request->file->dead && request->op != SMB_OP_CLOSE) {
                pool_finish(pool, request, -EIO);
                return;
        }
        if (has_just_hung(pool, request)) {
                pool_finish(pool, request, -EIO);
                return;
        }
        if (request->file && file_defers(request->file, request)) {
                TAILQ_INSERT_TAIL(&request->file->waiting, request, queue);
                return;
        }
        if (refers_to_gone_process(link, request)) {
                if (request->op == SMB_OP_CLOSE || request->op == SMB_OP_LIST_CLOSE)
                        pool_finish(pool, request, request_lost_close_error(request));
                else if (request->op == SMB_OP_LIST_NEXT || request->file->once)
                        pool_finish(pool, request, -EIO);
                else {
                        TAILQ_INSERT_TAIL(&request->file->waiting, request, queue);
                        if (!request->file->reopening)
                                file_reopen(pool, request->file);
                }
                return;
        }
        if (link->state == LINK_DOWN && (clock_now_usec(pool->config.event) < link->next_attempt_usec || link_start(link) < 0)) {
                pool_finish(pool, request, request_unreachable_error(request));
                return;
        }
        TAILQ_INSERT_TAIL(&link->pending, request, queue);
        choice_entered(link, request);
        if (request->file)
                request->file->under_way++;
        if (request->op == SMB_OP_CLOSE) {
                request->fh = request->file->fh;
                request->file->generation = 0; /* of no process: what comes behind the close opens it again, before it perhaps (turn.c) */
        }
        link_dispatch(link);
}

void smb_pool_submit(struct smb_pool *pool, struct smb_request *request)
{
        request->error = 0;
        request->repeats = 0;
        request->reply_length = 0;
        if (request->file)
                request->file->refs++;
        pool_route(pool, request);
}

/* ---- workers come and go ---- */

static void set_health(struct smb_pool *pool, bool up, const char *reason)
{
        if (pool->healthy && up)
                return;
        pool->healthy = up;
        pool->config.health(pool->config.userdata, up, reason);
}

void pool_link_connected(struct smb_link *link, const char *user, const char *domain)
{
        struct smb_pool *pool = link->pool;

        link->used_usec = clock_now_usec(pool->config.event);
        link_dispatch(link);
        idle_plan(pool);
        if (link->index != NAMES_WORKER)
                return;
        (void) sd_event_source_set_enabled(pool->retry_source, SD_EVENT_OFF);
        if (pool->connected) {
                set_health(pool, true, "");
                return;
        }
        pool->connected = pool->healthy = true;
        if (pool->n_links > 1)
                (void) link_start(&pool->links[1]); /* the first open shall not have to wait for it */
        pool->config.authenticated(pool->config.userdata, user, domain);
        pool->config.connected(pool->config.userdata, NO_ERROR, NULL);
}

static void plan_retry(struct smb_pool *pool);

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct smb_pool *pool = userdata;

        (void) source;
        (void) usec;
        if (pool->links[NAMES_WORKER].state == LINK_DOWN && link_start(&pool->links[NAMES_WORKER]) < 0)
                plan_retry(pool);
        return 0;
}

static void plan_retry(struct smb_pool *pool)
{
        unsigned failures = pool->links[NAMES_WORKER].failures;
        uint64_t distance = failures < 6 ? RETRY_MIN_USEC << failures : RETRY_MAX_USEC;

        if (distance > RETRY_MAX_USEC)
                distance = RETRY_MAX_USEC;
        (void) sd_event_source_set_time(pool->retry_source, clock_now_usec(pool->config.event) + distance);
        (void) sd_event_source_set_enabled(pool->retry_source, SD_EVENT_ONESHOT);
}

static void asked(struct smb_request *request)
{
        struct smb_pool *pool = request->userdata;

        pool->asking = false;
}

/* What a worker for files has lost may be lost to all of them (the share is closed, say), and the one for names, which health is about,
 * only learns of it by asking. */
static void ask_names_worker(struct smb_pool *pool)
{
        const struct smb_link *names = &pool->links[NAMES_WORKER];

        if (pool->asking || names->state != LINK_UP || names->n_requests > 0)
                return;
        pool->asking = true;
        pool->question = (struct smb_request){ .op = SMB_OP_STAT, .path = pool->root, .slot = SMB_NO_SLOT, .done = asked, .userdata = pool };
        smb_pool_submit(pool, &pool->question);
}

void pool_link_died(struct smb_link *link, const struct wn_error *err)
{
        struct smb_pool *pool = link->pool;
        struct smb_request_list sent = TAILQ_HEAD_INITIALIZER(sent), pending = TAILQ_HEAD_INITIALIZER(pending);
        struct smb_request *request;

        TAILQ_CONCAT(&sent, &link->sent, queue);
        TAILQ_CONCAT(&pending, &link->pending, queue);
        if (!pool->connected) {
                pool->config.connected(pool->config.userdata, err->status, err);
                return;
        }
        log_info("the worker for %s ended: %s", link->index == NAMES_WORKER ? "names" : "files", err->text);
        /* One that was connected gets a prompt successor, as one does that somebody killed; one that could not connect makes the next
         * one wait. */
        link->next_attempt_usec = link->death_was_up || (link->death_unexplained && link->failures < REPEATS_MAX)
                ? 0 : clock_now_usec(pool->config.event) + ON_DEMAND_RETRY_USEC;
        if (link->index == NAMES_WORKER) {
                set_health(pool, false, err->text);
                plan_retry(pool);
        } else if (!link->death_unexplained)
                ask_names_worker(pool);
        link->failures++;
        for (bool hung = link->death_timed_out; (request = TAILQ_FIRST(&sent)); hung = false) {
                TAILQ_REMOVE(&sent, request, queue);
                left_worker(link, request);
                if (hung)
                        remember_hang(pool, request);
                if (!hung && request->repeats < REPEATS_MAX && request_is_repeatable(request)) { /* the oldest is what it hung in */
                        request->repeats++;
                        pool_route(pool, request);
                } else
                        pool_finish(pool, request,
                               request->op == SMB_OP_CLOSE || request->op == SMB_OP_LIST_CLOSE ? request_lost_close_error(request) : -EIO);
        }
        while ((request = TAILQ_FIRST(&pending))) {
                TAILQ_REMOVE(&pending, request, queue);
                left_worker(link, request);
                pool_route(pool, request);
        }
}

/* ---- life ---- */

int smb_pool_new(const struct smb_pool_config *config, struct smb_pool **ret_pool)
{
        struct smb_pool *pool = calloc(1, sizeof(*pool));
        int r;

        if (!pool)
                return -ENOMEM;
        pool->config = *config;
        pool->n_links = config->n_file_workers + 1;
        assert(pool->n_links <= POOL_WORKERS_MAX);
        TAILQ_INIT(&pool->finished);
        TAILQ_INIT(&pool->behind_lists);
        for (unsigned i = 0; i < pool->n_links; i++)
                link_init(&pool->links[i], pool, i);
        r = arena_init(&pool->arena);
        if (r >= 0)
                r = sd_event_add_defer(config->event, &pool->finish_source, on_finish, pool);
        if (r >= 0)
                r = sd_event_source_set_enabled(pool->finish_source, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(config->event, &pool->retry_source, CLOCK_MONOTONIC, UINT64_MAX, 0, on_retry, pool);
        if (r >= 0)
                r = sd_event_source_set_enabled(pool->retry_source, SD_EVENT_OFF);
        if (r >= 0)
                r = idle_init(pool);
        if (r >= 0)
                r = link_start(&pool->links[NAMES_WORKER]);
        if (r < 0) {
                smb_pool_free(pool);
                return r;
        }
        *ret_pool = pool;
        return 0;
}

/* link: where they are, NULL: at no worker. */
static void cancel_all(struct smb_pool *pool, struct smb_request_list *list, struct smb_link *link)
{
        struct smb_request *request;

        while ((request = TAILQ_FIRST(list))) {
                TAILQ_REMOVE(list, request, queue);
                request->error = -ECANCELED;
                if (link)
                        left_worker(link, request);
                if (request->internal)
                        file_reopening_cancelled(pool, request);
                else
                        call_done(pool, request);
        }
}

void smb_pool_free(struct smb_pool *pool)
{
        if (!pool)
                return;
        pool->closing = true;
        pool->retry_source = sd_event_source_disable_unref(pool->retry_source);
        pool->finish_source = sd_event_source_disable_unref(pool->finish_source);
        pool->idle_source = sd_event_source_disable_unref(pool->idle_source);
        for (unsigned i = 0; i < pool->n_links; i++)
                link_kill(&pool->links[i]);
        for (unsigned i = 0; i < pool->n_links; i++) {
                cancel_all(pool, &pool->links[i].sent, &pool->links[i]);
                cancel_all(pool, &pool->links[i].pending, &pool->links[i]);
        }
        cancel_all(pool, &pool->behind_lists, NULL);
        cancel_all(pool, &pool->finished, NULL);
        arena_done(&pool->arena);
        free(pool->hung_path);
        explicit_bzero(&pool->config.setup, sizeof(pool->config.setup));
        free(pool);
}
