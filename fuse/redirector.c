/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One connection from its first packet to its unmounting. Owns the pool, the session, the node table and every op; the steps
 * that core asks for run one at a time, each with one timer and one completion.
 *
 *   start: the pool connects → nobody else writes there any more (orphans.c) → leftovers.c → mounting.c → done
 *   remount and unmount: mounting.c; freeze and revoke have files of their own.
 */

#include "fuse/redirector.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/fault.h"
#include "core/manager.h"
#include "fuse/internal.h"
#include "fuse/leftovers.h"
#include "fuse/mount.h"
#include "fuse/orphans.h"
#include "fuse/prefetch.h"
#include "fuse/printer.h"
#include "fuse/remote-watch.h"
#include "fuse/shares.h"
#include "fuse/smb/setup.h"
#include "fuse/snapshot.h"
#include "fuse/spelling.h"

#define ORPHANS_STEP_USEC (50 * 1000ULL)
#define ORPHANS_LOOK_USEC (1000 * 1000ULL)
#define ORPHANS_USEC (60 * 1000000ULL) /* so long may what a wnetd that was killed had to write make no progress; then its workers are ended, */
#define ORPHANS_GONE_USEC (65 * 1000000ULL) /* and are taken for gone */

static const struct redirector_settings *the_settings;

uint64_t redirector_now(const struct redirector *r)
{
        return clock_now_usec(r->event);
}

void redirector_complete(struct redirector *r, int result, const struct wn_error *err)
{
        struct completion done = r->done;

        r->step = STEP_NONE;
        r->done = (struct completion){ 0 };
        if (r->step_source)
                (void) sd_event_source_set_enabled(r->step_source, SD_EVENT_OFF);
        if (done.fn)
                done.fn(done.userdata, result, err);
}

int redirector_step_after(struct redirector *r, uint64_t usec, sd_event_time_handler_t handler)
{
        int error;

        r->step_source = sd_event_source_disable_unref(r->step_source);
        error = sd_event_add_time_relative(r->event, &r->step_source, CLOCK_MONOTONIC, usec, 1, handler, r);
        return error < 0 ? error : 0;
}

static void begin_step(struct redirector *r, enum redirector_step step, struct completion done)
{
        assert(r->step == STEP_NONE);
        r->step = step;
        r->done = done;
}

/* What the kernel knew and held is over with its session: files are closed, nodes are no longer looked up. */
void redirector_forget_session(struct redirector *r)
{
        struct open_file *file, *next_file;
        struct open_dir *dir, *next_dir;

        for (file = TAILQ_FIRST(&r->files); file; file = next_file) {
                next_file = TAILQ_NEXT(file, entry);
                if (file->handle.path) /* else it is still being opened, and goes with its op */
                        file_close(file);
        }
        for (dir = TAILQ_FIRST(&r->dirs); dir; dir = next_dir) {
                next_dir = TAILQ_NEXT(dir, entry);
                if (dir->handle.path) /* else it is still being opened */
                        dir_free(dir);
        }
        node_forget_all(&r->nodes);
        if (r->printer)
                printer_forget_session(r->printer);
}

/* ---- starting ---- */

void redirector_initialized(struct redirector *r)
{
        FAULT_POINT("mount.initialized");
        r->phase = PHASE_SERVING;
        r->gave_up = false;
        if (r->printer)
                printer_serve(r->printer);
        remote_watch_start(r);
        redirector_complete(r, 0, NULL);
}

static void on_authenticated(void *userdata, const char *user, const char *domain)
{
        struct redirector *r = userdata;

        connection_authenticated(r->connection, user, domain);
}

/* As long as it becomes less that the workers of a wnetd that was killed have to write, they have a minute more. */
static void look_at_others(struct redirector *r, uint64_t now)
{
        uint64_t bytes = orphans_end(r->settings->lock_fd, now - r->others_since_usec >= ORPHANS_USEC);

        if (bytes < r->others_bytes)
                r->others_since_usec = now;
        r->others_bytes = bytes;
        r->others_seen_usec = now;
}

/* Mounts when nobody writes to the share any more for a wnetd that was killed. */
static int on_others_writing(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct redirector *r = userdata;
        uint64_t now = redirector_now(r);
        struct wn_error err;
        int error;

        (void) source;
        (void) usec;
        if (!orphans_gone(r->settings->lock_fd) && now - r->others_since_usec < ORPHANS_GONE_USEC) {
                if (r->others_seen_usec == 0 || now - r->others_seen_usec >= ORPHANS_LOOK_USEC)
                        look_at_others(r, now);
                error = redirector_step_after(r, ORPHANS_STEP_USEC, on_others_writing);
                if (error < 0)
                        redirector_complete(r, error, NULL);
        } else if (r->server_away)
                redirector_complete(r, error_set(&err, ERROR_BAD_NETPATH, 0, "connect", "the server has gone away again"), &err);
        else if (r->printer || r->connection->read_only)
                mounting_mount(r);
        else
                leftovers_clean(r, mounting_mount);
        return 0;
}

static void on_connected(void *userdata, int status, const struct wn_error *err)
{
        struct redirector *r = userdata;

        if (status != NO_ERROR) {
                redirector_complete(r, status, err);
                return;
        }
        r->others_since_usec = redirector_now(r);
        (void) on_others_writing(NULL, 0, r);
}

static void on_health(void *userdata, bool up, const char *reason)
{
        struct redirector *r = userdata;

        r->server_away = !up;
        connection_health(r->connection, up, reason);
        if (r->printer && up)
                printer_send_now(r->printer);
        if (up) {
                change_repair(r);
                remote_watch_again(r);
        }
}

static bool on_reclaim(void *userdata)
{
        return stream_reclaim_slot(userdata);
}

static void on_slot_free(void *userdata)
{
        device_resume(userdata);
}

static struct redirector *redirector_new(struct connection *c)
{
        struct redirector *r = calloc(1, sizeof(*r));

        if (!r)
                return NULL;
        r->connection = c;
        r->settings = the_settings;
        r->event = the_settings->event;
        r->device_fd = r->mount_point_fd = -1;
        r->receive_slot = SMB_NO_SLOT;
        TAILQ_INIT(&r->files);
        TAILQ_INIT(&r->reading);
        TAILQ_INIT(&r->dirs);
        TAILQ_INIT(&r->snapshots);
        TAILQ_INIT(&r->prefetches);
        TAILQ_INIT(&r->ops);
        TAILQ_INIT(&r->spare_ops);
        TAILQ_INIT(&r->parked);
        TAILQ_INIT(&r->spelling_waiters);
        TAILQ_INIT(&r->close_waiters);
        TAILQ_INIT(&r->removal_waiters);
        TAILQ_INIT(&r->change_waiters);
        TAILQ_INIT(&r->unsettled);
        TAILQ_INIT(&r->closes);
        TAILQ_INIT(&r->recent_windows);
        TAILQ_INIT(&r->behinds);
        park_init(r);
        r->source = remote_name_to_source(&c->remote);
        r->options = r->source ? mount_options(r->source, c->read_only, connection_is_printer(c), MAX_TRANSFER_BYTES) : NULL;
        return r;
}

static void redirector_free(struct connection *c);

static int redirector_start(struct connection *c, struct completion done)
{
        struct smb_pool_config config = {
                .event = the_settings->event,
                .worker_program = the_settings->worker_program,
                .lock_fd = the_settings->lock_fd,
                .connect_usec = the_settings->connect_usec,
                .operation_usec = the_settings->operation_usec,
                .n_file_workers = POOL_WORKERS_MAX - 1,
                .worker_files = POOL_WORKER_FILES,
                .idle_usec = POOL_IDLE_USEC,
                .authenticated = on_authenticated,
                .connected = on_connected,
                .health = on_health,
                .reclaim_slot = on_reclaim,
                .slot_free = on_slot_free,
        };
        struct redirector *r = redirector_new(c);
        int error;

        if (!r)
                return -ENOMEM;
        c->redirector = r;
        config.userdata = r;
        error = node_table_init(&r->nodes);
        if (error == 0)
                error = spelling_init(r);
        if (error == 0)
                error = !r->options ? -ENOMEM
                                    : setup_fill(&config.setup, &c->remote, &c->credentials, c->credentials_file,
                                                 the_settings->login, the_settings->operation_usec);
        if (error == 0 && connection_is_printer(c)) {
                config.setup.print = true;
                config.n_file_workers = 0; /* a job may hold up everything else: there is nothing else */
                error = printer_new(r, the_settings->spool_dir, &r->printer);
        }
        if (error == 0)
                error = smb_pool_new(&config, &r->pool);
        explicit_bzero(&config.setup, sizeof(config.setup));
        if (error < 0) {
                redirector_free(c);
                return error;
        }
        r->phase = PHASE_CONNECTING;
        begin_step(r, STEP_START, done);
        return 0;
}

/* ---- the rest of the interface ---- */

static void redirector_unmount(struct connection *c, struct completion done)
{
        begin_step(c->redirector, STEP_UNMOUNT, done);
        mounting_unmount(c->redirector);
}

static void redirector_remount(struct connection *c, struct completion done)
{
        begin_step(c->redirector, STEP_REMOUNT, done);
        mounting_mount(c->redirector);
}

static void redirector_freeze(struct connection *c, struct completion done)
{
        begin_step(c->redirector, STEP_FREEZE, done);
        freeze_begin(c->redirector);
}

static void redirector_thaw(struct connection *c)
{
        freeze_end(c->redirector);
}

static bool redirector_mounting(const struct connection *c)
{
        return c->redirector && (c->redirector->helper || c->redirector->session);
}

static bool redirector_opens_waiting(const struct connection *c)
{
        const struct redirector *r = c->redirector;
        const struct open_file *file;
        const struct open_dir *dir;

        TAILQ_FOREACH(file, &r->files, entry)
                if (!file->handle.path) /* the server has been asked */
                        return true;
        TAILQ_FOREACH(dir, &r->dirs, entry)
                if (!dir->handle.path)
                        return true;
        return !TAILQ_EMPTY(&r->parked);
}

void redirector_fail_parked(struct redirector *r, int error)
{
        struct op *op;

        while ((op = TAILQ_FIRST(&r->parked))) {
                TAILQ_REMOVE(&r->parked, op, wait);
                op_fail(op, error);
        }
}

static void redirector_fail_opens(struct connection *c)
{
        c->redirector->opens_fail = true;
        redirector_fail_parked(c->redirector, -ENODEV);
}

static bool redirector_requests_waiting(const struct connection *c)
{
        const struct op *op;

        TAILQ_FOREACH(op, &c->redirector->ops, entry)
                if (op->fuse)
                        return true;
        return false;
}

static void redirector_revoke(struct connection *c, struct completion done)
{
        begin_step(c->redirector, STEP_REVOKE, done);
        /* Jobs are dropped for somebody who wants just that: not at the daemon's end, nor by an attempt that has failed. */
        if (c->redirector->printer)
                printer_revoke(c->redirector->printer, c->manager->shutting_down || c->attempt, c->manager->shutting_down);
        revoke_begin(c->redirector);
}

static void redirector_lost(const struct connection *c, const struct lost_file **ret_files, size_t *ret_n)
{
        const struct printer *printer = c->redirector->printer;

        *ret_files = printer ? printer->lost : c->redirector->lost;
        *ret_n = printer ? printer->n_lost : c->redirector->n_lost;
}

static void redirector_free(struct connection *c)
{
        struct redirector *r = c->redirector;
        struct op *op;

        if (!r)
                return;
        c->redirector = NULL;
        r->connection = c;
        remote_watch_end(r);
        helper_abandon(r->helper, c->mountpoint);
        mounting_protect(r);
        r->step_source = sd_event_source_disable_unref(r->step_source);
        if (r->session) {
                revoke_answer(r, true);
                helper_detach(r->event, c->mountpoint);
        }
        device_close(r);
        if (r->n_lost == 0) /* not revoked: the connection to the kernel was aborted */
                behind_give_up(r);
        behind_done(r);
        if (r->pool)
                redirector_forget_session(r); /* their closes end with the pool */
        prefetch_forget(r);
        smb_pool_free(r->pool);
        change_forget(r);
        park_forget(r);
        snapshots_forget(r);
        while ((op = TAILQ_FIRST(&r->ops))) {
                op->request.slot = SMB_NO_SLOT; /* it went with the pool */
                op_free(op);
        }
        r->tidy_source = sd_event_source_disable_unref(r->tidy_source); /* a change that ended with the pool may have armed it, */
        spelling_done(r); /* and begun another one, which asks for spellings */
        op_free_spare(r);
        printer_free(r->printer);
        node_table_done(&r->nodes);
        free(r->spare_buffer);
        free(r->source);
        free(r->options);
        free(r);
}

static int redirector_shares(sd_event *event, const struct remote_name *server, const struct credentials *credentials,
                             const char *credentials_file, shares_done_fn done, void *userdata, struct shares_job **ret_job)
{
        return shares_start(the_settings, event, server, credentials, credentials_file, done, userdata, ret_job);
}

const struct redirector_ops *redirector_ops(const struct redirector_settings *settings)
{
        static const struct redirector_ops ops = {
                .start = redirector_start,
                .mounting = redirector_mounting,
                .freeze = redirector_freeze,
                .thaw = redirector_thaw,
                .opens_waiting = redirector_opens_waiting,
                .fail_opens = redirector_fail_opens,
                .requests_waiting = redirector_requests_waiting,
                .unmount = redirector_unmount,
                .remount = redirector_remount,
                .revoke = redirector_revoke,
                .lost = redirector_lost,
                .folder = mounting_folder,
                .free = redirector_free,
                .shares = redirector_shares,
                .shares_cancel = shares_cancel,
        };

        the_settings = settings;
        return &ops;
}
