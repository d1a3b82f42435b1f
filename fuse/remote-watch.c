/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The watch on a drive's changes. Owns a pool with one worker, which does nothing but answer two WATCH requests in turn.
 *
 *   - The server is believed to tell (established) when the worker has said so for two beats, until something is lost, a beat does not
 *     come, or the worker is gone. Then everything that the kernel may believe for longer is forgotten.
 *   - Only what was asked for behind the last change of whatever path may be believed for longer: an answer that was on its way when a
 *     change came in may be older than that, and the kernel has been told to forget already.
 *   - What names mean is believed for longer, and folders' attributes, which show what became of the names in them. Files' attributes
 *     are not: Samba tells nothing of what is written to a file that exists (but for its being cut), and others are late with it. So
 *     a name whose loss nobody has told of is found out a second later, when the file's attributes are asked for.
 *   - Nor is what is open or being changed from here: that is told as well.
 *
 * A name is gone from the kernel when a lock of its folder is free, for which a thread waits (invalidate.c).
 */

#include "fuse/remote-watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/log.h"
#include "core/utf8.h"
#include "fuse/invalidate.h"
#include "fuse/snapshot.h"

#define KEPT_USEC (30 * 1000000ULL)       /* how long the kernel may answer while the server tells */
#define USUAL_USEC (ATTR_TIMEOUT_USEC + 2 * ATTR_LATE_USEC) /* what is believed for as long as ever has been forgotten then */
#define BEATS 2u                          /* until it is believed */
#define BEAT_LATE_USEC (3 * 1000000ULL)   /* a worker that has not answered for so long is not believed */
#define RETRY_MIN_USEC (1 * 1000000ULL)
#define RETRY_MAX_USEC (300 * 1000000ULL)
#define ABSENT_PENDING_MAX 4096u          /* a name that is not known is forgotten early only if there is not so much to do */
#define FORGET_STEP_USEC 20000u
#define REQUESTS 2u

struct remote_watch {
        struct redirector *redirector;
        struct smb_pool *pool;        /* NULL: until the next attempt */
        struct smb_request requests[REQUESTS];
        char texts[REQUESTS][SMB_TEXT_BYTES];
        sd_event_source *source;      /* the next attempt; before it, the end of what has failed, or a beat that does not come */
        bool failed;                  /* the pool is about to be ended */
        unsigned failures;
        unsigned beats;               /* without a loss */
        bool established, told;       /* now; it was logged that it is not */
        bool ending;
        uint64_t since_usec;          /* established: since when, */
        uint64_t beat_usec;           /* when the worker was last heard of, */
        uint64_t changed_usec;        /* and when the last change came in */
};

/* ---- what the kernel keeps ---- */

static bool is_believed(const struct redirector *r, uint64_t asked_usec)
{
        const struct remote_watch *watch = r->watch;

        return watch && watch->established && r->expires_names && r->phase == PHASE_SERVING && asked_usec > watch->changed_usec &&
               asked_usec > watch->since_usec && redirector_now(r) - watch->beat_usec < BEAT_LATE_USEC;
}

static bool is_at_work(const struct node *node)
{
        return node->behind || node->writers > 0 || node->unsettled > 0 || node->closing > 0 || !LIST_EMPTY(&node->files) ||
               !node->linked;
}

double remote_watch_name_timeout(const struct redirector *r, const struct node *node, uint64_t asked_usec, double seconds)
{
        uint64_t age;

        if (!is_believed(r, asked_usec) || is_at_work(node) || node->changed_usec >= asked_usec)
                return seconds;
        age = redirector_now(r) - asked_usec;
        return age < KEPT_USEC - ATTR_TIMEOUT_USEC ? (double) (KEPT_USEC - age) / 1e6 : seconds;
}

double remote_watch_attr_timeout(const struct redirector *r, const struct node *node, uint64_t asked_usec, double seconds)
{
        return node->directory ? remote_watch_name_timeout(r, node, asked_usec, seconds) : seconds;
}

/* Whether the kernel may believe what it was told of node for longer than usual. */
static bool keeps(const struct redirector *r, const struct node *node)
{
        return node->cached_usec > redirector_now(r) + USUAL_USEC;
}

/* NULL: there is none, for the kernel is not there. */
static struct invalidator *the_invalidator(struct redirector *r)
{
        int error;

        if (!r->session || r->phase != PHASE_SERVING)
                return NULL;
        if (!r->invalidator) {
                error = invalidator_new(r->session, r->n_invalidated, &r->invalidator);
                if (error < 0)
                        log_error("the kernel cannot be told of changes: %s", strerror(-error));
        }
        return r->invalidator;
}

/* The name too, where there is one. */
static bool forget_name(struct redirector *r, struct invalidator *inv, const struct node *node)
{
        return node->linked && node->parent && r->expires_names && invalidator_add(inv, node->parent->ino, node->name) != 0;
}

/* Whether the kernel has forgotten node, or its attributes at least, and was told nothing since. */
static bool is_forgotten(struct redirector *r, const struct node *node, bool with_name)
{
        return node->forget_number != 0 && node->forget_answers == node->answers && r->invalidator &&
               invalidator_done(r->invalidator) >= node->forget_number + (with_name && node->forget_name);
}

void remote_watch_forget(struct redirector *r, struct node *node, bool with_name)
{
        struct invalidator *inv;

        if ((node->lookups == 0 && node->parent) || node->cached_usec <= redirector_now(r))
                return;
        inv = the_invalidator(r);
        if (!inv)
                return;
        if (node->forget_number > r->n_invalidated && node->forget_answers == node->answers &&
            (node->forget_name || !with_name || !r->expires_names)) /* it was told nothing since */
                return;
        if (node->forget_number > invalidator_begun(inv) && (node->forget_name || !with_name || !r->expires_names)) { /* it is still to come */
                node->forget_answers = node->answers;
                return;
        }
        node->forget_number = invalidator_add(inv, node->ino, NULL);
        node->forget_answers = node->answers;
        node->forget_name = with_name && forget_name(r, inv, node);
}

bool remote_watch_keeps(struct redirector *r, struct node *node)
{
        if (!keeps(r, node))
                return false;
        remote_watch_forget(r, node, true);
        return !is_forgotten(r, node, true);
}

/* Attributes that are forgotten are enough, in the end: the name may have to wait for the one who asks here, who keeps its folder
 * locked. */
uint64_t remote_watch_forgotten_at(struct redirector *r, struct node *node)
{
        uint64_t now = redirector_now(r);

        if (!keeps(r, node))
                return node->cached_usec;
        remote_watch_forget(r, node, true);
        if (!is_forgotten(r, node, false))
                return now + FORGET_STEP_USEC;
        if (is_forgotten(r, node, true))
                node->cached_usec = now;
        return now;
}

/* The server does not tell any more, or not everything. */
static void lost(struct remote_watch *watch)
{
        struct redirector *r = watch->redirector;

        watch->beats = 0;
        watch->changed_usec = redirector_now(r);
        if (!watch->established) /* nothing has been believed for longer since */
                return;
        watch->established = false;
        log_debug("%s: changes may have been missed", r->connection->name);
        for (size_t i = 0; i < r->nodes.n_buckets; i++)
                for (struct node *node = r->nodes.by_ino[i]; node; node = node->next_by_ino)
                        if (keeps(r, node))
                                remote_watch_forget(r, node, true);
}

/* ---- changes ---- */

/* What was done from here a moment ago is told as well: the kernel knows it, and believes it for as long as ever only. */
static bool is_our_own(const struct redirector *r, const struct node *node)
{
        return node->changed_usec != 0 && redirector_now(r) - node->changed_usec < ATTR_TIMEOUT_USEC && !keeps(r, node);
}

static void node_changed_elsewhere(struct redirector *r, struct node *node, bool with_name)
{
        node->told_usec = redirector_now(r);
        node->dos_known = false;
        snapshot_attr_changed(node);
        stream_invalidate(node);
        if (!is_our_own(r, node))
                remote_watch_forget(r, node, with_name);
}

/* path's last component is directory's child. */
static void name_changed_elsewhere(struct redirector *r, struct node *directory, const char *name, char action)
{
        bool changes_names = action != SMB_CHANGE_MODIFIED;
        struct invalidator *inv;

        if (changes_names) {
                snapshot_name_changed(directory, name);
                remote_watch_forget(r, directory, false);
        } else
                snapshot_entry_changed(directory, name);
        if (!changes_names || node_named(&r->nodes, directory, name) || (directory->lookups == 0 && directory->parent))
                return;
        inv = the_invalidator(r); /* it may have been told that there is none */
        if (inv && r->expires_names && invalidator_added(inv) - invalidator_begun(inv) < ABSENT_PENDING_MAX)
                (void) invalidator_add(inv, directory->ino, name);
}

/* path: below directory; as it was, afterwards. A server that folds case may mean any of the nodes that are alike. */
static void path_changed(struct redirector *r, struct node *directory, char *path, char action)
{
        char *rest = strchr(path, '/');
        struct node *node, *next;

        if (rest)
                *rest++ = '\0';
        else
                name_changed_elsewhere(r, directory, path, action);
        for (node = node_next_alike(&r->nodes, directory, path, NULL); node; node = next) {
                node_ref(node);
                if (rest)
                        path_changed(r, node, rest, action);
                else
                        node_changed_elsewhere(r, node, action != SMB_CHANGE_MODIFIED);
                next = node_next_alike(&r->nodes, directory, path, node);
                node_unref(&r->nodes, node);
        }
        if (rest)
                rest[-1] = '/';
}

/* What is done in PARK_FOLDER, and what we put beside. */
static bool is_parked(const struct redirector *r, const char *path)
{
        const char *slash = strrchr(path, '/');

        return path_behind(path, PARK_FOLDER) || park_is_beside(r, slash ? slash + 1 : path);
}

/* What a worker says: false when it makes no sense. */
static bool take_changes(struct remote_watch *watch, char *text, size_t size)
{
        struct redirector *r = watch->redirector;

        for (size_t at = 0; at < size;) {
                size_t length = strnlen(text + at, size - at);

                if (length < 2 || at + length == size || length > SMB_PATH_MAX_BYTES || !utf8_is_valid(text + at + 1))
                        return false;
                if (!is_parked(r, text + at + 1)) {
                        watch->changed_usec = redirector_now(r);
                        path_changed(r, r->nodes.root, text + at + 1, text[at]);
                }
                at += length + 1;
        }
        return true;
}

/* ---- the worker ---- */

static void plan(struct remote_watch *watch, uint64_t usec)
{
        (void) sd_event_source_set_time_relative(watch->source, usec);
        (void) sd_event_source_set_enabled(watch->source, SD_EVENT_ONESHOT);
}

/* The pool may not be ended from its own callbacks: soon. */
static void failed(struct remote_watch *watch, const char *why)
{
        if (watch->ending || watch->failed)
                return;
        watch->failed = true;
        lost(watch);
        if (!watch->told)
                log_info("%s: the server does not tell of changes: %s", watch->redirector->connection->name, why);
        watch->told = true;
        plan(watch, 0);
}

static void beat(struct remote_watch *watch, uint32_t status)
{
        if ((status & SMB_WATCH_LOST) || ((status & SMB_WATCH_BEAT) && !(status & SMB_WATCH_ALIVE))) {
                lost(watch);
                return;
        }
        watch->beats += (status & SMB_WATCH_BEAT) != 0;
        if (watch->established || watch->beats < BEATS)
                return;
        watch->established = true;
        watch->since_usec = redirector_now(watch->redirector);
        watch->failures = 0;
        watch->told = false;
        log_debug("%s: the server tells of changes", watch->redirector->connection->name);
}

static void on_answer(struct smb_request *request)
{
        struct remote_watch *watch = request->userdata;

        if (watch->ending || watch->failed)
                return;
        if (request->error < 0) {
                failed(watch, strerror(-request->error));
                return;
        }
        watch->beat_usec = redirector_now(watch->redirector);
        if (!take_changes(watch, request->text, request->reply_length)) {
                log_warning("a worker told of changes that make no sense");
                failed(watch, strerror(EBADMSG));
                return;
        }
        beat(watch, request->status);
        plan(watch, BEAT_LATE_USEC);
        smb_pool_submit(watch->pool, request);
}

static void on_authenticated(void *userdata, const char *user, const char *domain)
{
        (void) userdata;
        (void) user;
        (void) domain;
}

static void on_connected(void *userdata, int status, const struct wn_error *err)
{
        struct remote_watch *watch = userdata;

        if (status != NO_ERROR) {
                failed(watch, err->text);
                return;
        }
        for (size_t i = 0; i < REQUESTS; i++) {
                watch->requests[i] = (struct smb_request){
                        .op = SMB_OP_WATCH, .text = watch->texts[i], .length = sizeof(watch->texts[i]), .slot = SMB_NO_SLOT,
                        .done = on_answer, .userdata = watch,
                };
                smb_pool_submit(watch->pool, &watch->requests[i]);
        }
}

static void on_health(void *userdata, bool up, const char *reason)
{
        if (!up)
                failed(userdata, reason);
}

static bool on_reclaim(void *userdata)
{
        (void) userdata;
        return false;
}

static int begin(struct remote_watch *watch)
{
        struct redirector *r = watch->redirector;
        struct smb_pool_config config = {
                .event = r->event,
                .worker_program = r->settings->worker_program,
                .setup = *smb_pool_setup(r->pool),
                .connect_usec = r->settings->connect_usec,
                .operation_usec = r->settings->operation_usec,
                .authenticated = on_authenticated,
                .connected = on_connected,
                .health = on_health,
                .reclaim_slot = on_reclaim,
                .lock_fd = -1,
                .userdata = watch,
        };
        int error;

        error = smb_pool_new(&config, &watch->pool);
        explicit_bzero(&config.setup, sizeof(config.setup));
        return error;
}

static void end(struct remote_watch *watch)
{
        watch->ending = true; /* its requests end, which is nothing new */
        smb_pool_free(TAKE_PTR(watch->pool));
        watch->ending = watch->failed = false;
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct remote_watch *watch = userdata;
        uint64_t delay = watch->failures < 9 ? RETRY_MIN_USEC << watch->failures : RETRY_MAX_USEC;

        (void) source;
        (void) usec;
        if (watch->pool && !watch->failed) {
                lost(watch);
                return 0;
        }
        if (!watch->pool && begin(watch) == 0)
                return 0;
        end(watch);
        watch->failures++;
        plan(watch, delay < RETRY_MAX_USEC ? delay : RETRY_MAX_USEC);
        return 0;
}

/* ---- life ---- */

void remote_watch_start(struct redirector *r)
{
        struct remote_watch *watch;

        if (r->watch || r->printer || !r->settings->change_notification)
                return;
        watch = calloc(1, sizeof(*watch));
        if (watch && sd_event_add_time_relative(r->event, &watch->source, CLOCK_MONOTONIC, 0, 0, on_time, watch) < 0)
                free(TAKE_PTR(watch));
        if (!watch) {
                log_error("%s: the server cannot be asked to tell of changes: %s", r->connection->name, strerror(ENOMEM));
                return;
        }
        watch->redirector = r;
        r->watch = watch;
}

void remote_watch_again(struct redirector *r)
{
        if (!r->watch || r->watch->pool)
                return;
        r->watch->failures = 0;
        plan(r->watch, RETRY_MIN_USEC);
}

void remote_watch_end(struct redirector *r)
{
        struct remote_watch *watch = r->watch;

        if (!watch)
                return;
        r->watch = NULL;
        sd_event_source_disable_unref(watch->source);
        end(watch);
        free(watch);
}
