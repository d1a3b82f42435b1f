/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One job per list. Owns a pool with a single worker, the one request that is under way, and the shares that have come. The
 * end is only noted where it happens, in a callback of the pool: the pool is freed, and done called, from the event loop.
 */

#include "fuse/shares.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/utf8.h"
#include "fuse/smb/pool.h"
#include "fuse/smb/setup.h"

struct shares_job {
        struct smb_pool *pool;
        struct smb_request request;
        struct share *items;
        size_t n_items, room;
        bool ended; /* with this: */
        int status;
        struct wn_error err;
        sd_event_source *deadline_source, *end_source;
        shares_done_fn done;
        void *userdata;
};

void shares_cancel(struct shares_job *job)
{
        if (!job)
                return;
        job->ended = true;
        sd_event_source_disable_unref(job->deadline_source);
        sd_event_source_disable_unref(job->end_source);
        smb_pool_free(job->pool);
        for (size_t i = 0; i < job->n_items; i++) {
                free(job->items[i].name);
                free(job->items[i].comment);
        }
        free(job->items);
        free(job);
}

static int on_end(sd_event_source *source, void *userdata)
{
        struct shares_job *job = userdata;

        (void) source;
        smb_pool_free(job->pool);
        job->pool = NULL;
        if (job->status == NO_ERROR)
                job->done(job->userdata, NO_ERROR, NULL, job->items, job->n_items);
        else
                job->done(job->userdata, job->status, &job->err, NULL, 0);
        shares_cancel(job);
        return 0;
}

/* err NULL: it went well. The first end counts. */
static void end(struct shares_job *job, const struct wn_error *err)
{
        if (job->ended)
                return;
        job->ended = true;
        job->status = err ? err->status : NO_ERROR;
        if (err)
                job->err = *err;
        (void) sd_event_source_set_enabled(job->end_source, SD_EVENT_ONESHOT);
}

static void end_failed(struct shares_job *job, int cause, const char *why)
{
        struct wn_error err = { 0 };

        error_set(&err, ERROR_BAD_NETPATH, cause, "list", "the list of shares did not come: %s", why);
        end(job, &err);
}

/* ---- what comes ---- */

static bool share_makes_sense(const struct smb_share *share)
{
        size_t comment_bytes = strnlen(share->comment, sizeof(share->comment));

        return share->kind >= SMB_SHARE_DISK && share->kind <= SMB_SHARE_OTHER && memchr(share->name, '\0', sizeof(share->name)) &&
               remote_share_valid(share->name) && comment_bytes < sizeof(share->comment) &&
               utf8_is_clean(share->comment, comment_bytes);
}

static uint32_t type_of(const struct smb_share *share)
{
        return share->kind == SMB_SHARE_DISK ? RESOURCETYPE_DISK : share->kind == SMB_SHARE_PRINTER ? RESOURCETYPE_PRINT
                                                                                                    : RESOURCETYPE_ANY;
}

/* 0, -EBADMSG or -ENOMEM. */
static int add_share(struct shares_job *job, const struct smb_share *share)
{
        struct share *item;

        if (!share_makes_sense(share))
                return -EBADMSG;
        if (job->n_items == job->room) {
                size_t room = job->room ? 2 * job->room : 64;
                struct share *grown = reallocarray(job->items, room, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                job->items = grown;
                job->room = room;
        }
        item = &job->items[job->n_items++];
        *item = (struct share){ .name = strdup(share->name), .type = type_of(share), .comment = strdup(share->comment) };
        return item->name && item->comment ? 0 : -ENOMEM;
}

/* Takes what is in the slot: each record is copied out before it is looked at, for the worker may still write there. */
static int take_shares(struct shares_job *job)
{
        const unsigned char *data = arena_memory(smb_pool_arena(job->pool), job->request.slot);
        size_t n = job->request.reply_length / sizeof(struct smb_share);

        if (job->request.reply_length % sizeof(struct smb_share) != 0)
                return -EBADMSG;
        for (size_t i = 0; i < n && job->n_items < SHARES_MAX; i++) {
                struct smb_share share;
                int r;

                memcpy(&share, data + i * sizeof(share), sizeof(share));
                r = add_share(job, &share);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void ask(struct shares_job *job);

static void on_shares(struct smb_request *request)
{
        struct shares_job *job = request->userdata;
        int r = request->error;

        if (r == 0) {
                if (!job->ended)
                        r = take_shares(job);
                smb_pool_give_slot(job->pool, request->slot);
        }
        if (job->ended)
                return;
        if (r == -EBADMSG)
                log_warning("a worker sent a list of shares that makes no sense");
        if (r < 0)
                end_failed(job, -r, r == -EBADMSG ? "what came makes no sense" : strerror(-r));
        else if (request->reply_length == 0)
                end(job, NULL);
        else if (job->n_items == SHARES_MAX) {
                log_info("a server has more than %u shares; the others are left out", SHARES_MAX);
                end(job, NULL);
        } else
                ask(job);
}

static void ask(struct shares_job *job)
{
        job->request = (struct smb_request){
                .op = SMB_OP_SHARES, .offset = job->n_items, .length = SMB_SLOT_DATA_BYTES, .slot = SMB_NO_SLOT,
                .done = on_shares, .userdata = job,
        };
        smb_pool_submit(job->pool, &job->request);
}

/* ---- events of the pool ---- */

static void on_authenticated(void *userdata, const char *user, const char *domain)
{
        (void) userdata;
        (void) user;
        (void) domain;
}

static void on_connected(void *userdata, int status, const struct wn_error *err)
{
        if (status == NO_ERROR)
                ask(userdata);
        else
                end(userdata, err);
}

static void on_health(void *userdata, bool up, const char *reason)
{
        if (!up)
                end_failed(userdata, ECONNABORTED, reason);
}

static bool on_reclaim(void *userdata)
{
        (void) userdata;
        return false;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void) source;
        (void) usec;
        end_failed(userdata, ETIMEDOUT, "the server does not answer");
        return 0;
}

/* ---- start ---- */

static int add_sources(struct shares_job *job, sd_event *event, uint64_t deadline_usec)
{
        int r = sd_event_add_defer(event, &job->end_source, on_end, job);

        if (r >= 0)
                r = sd_event_source_set_enabled(job->end_source, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &job->deadline_source, CLOCK_MONOTONIC, deadline_usec, 0, on_deadline, job);
        return r < 0 ? r : 0;
}

int shares_start(const struct redirector_settings *settings, sd_event *event, const struct remote_name *server,
                 const struct credentials *credentials, const char *credentials_file, shares_done_fn done, void *userdata,
                 struct shares_job **ret_job)
{
        struct smb_pool_config config = {
                .event = event,
                .worker_program = settings->worker_program,
                .connect_usec = settings->connect_usec,
                .operation_usec = settings->operation_usec,
                .authenticated = on_authenticated,
                .connected = on_connected,
                .health = on_health,
                .reclaim_slot = on_reclaim,
                .lock_fd = -1,
        };
        struct shares_job *job = calloc(1, sizeof(*job));
        int r;

        if (!job)
                return -ENOMEM;
        job->done = done;
        job->userdata = userdata;
        config.userdata = job;
        r = add_sources(job, event, settings->connect_usec + settings->operation_usec);
        if (r == 0)
                r = setup_fill(&config.setup, server, credentials, credentials_file, settings->login, settings->operation_usec);
        if (r == 0)
                r = smb_pool_new(&config, &job->pool);
        explicit_bzero(&config.setup, sizeof(config.setup));
        if (r < 0) {
                shares_cancel(job);
                return r;
        }
        *ret_job = job;
        return 0;
}
