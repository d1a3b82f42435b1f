/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a server has listed of a directory serves whoever asks within a second: who opens it, and look-ups of single names. A
 * directory in which much is looked up is listed for that reason alone, in the background (snapshot-find.c).
 *
 * What must not come of it:
 *   - An answer that is staler than ATTR_TIMEOUT_USEC, the kernel's own memory of it included: both count from the moment at which
 *     the listing was asked for. Only a directory whose listing alone takes most of that is shown, to who reads it, for longer.
 *   - An answer that something done from here contradicts: whatever is done to a name puts it in doubt in every listing that was
 *     asked for before, when it has been done; and what is open from here is not answered for at all.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "fuse/internal.h"
#include "fuse/smb/listing.h"
#include "fuse/snapshot-internal.h"

#define PIECE_BYTES (256u << 10)  /* taken over at a time: the worker makes the next one meanwhile */
#define KEPT_MAX_BYTES (32u << 20) /* of one that nobody shows */
#define ASKED_TWICE_USEC 200000u  /* for so long an entry is believed that is taken late from a long listing */

struct folder *snapshot_folder(struct node *node)
{
        if (!node->folder)
                node->folder = calloc(1, sizeof(*node->folder));
        return node->folder;
}

uint64_t snapshot_age_usec(const struct snapshot *s)
{
        return redirector_now(s->redirector) - s->asked_usec;
}

/* ---- life ---- */

static void snapshot_free(struct snapshot *s)
{
        LIST_REMOVE(s, of_node);
        TAILQ_REMOVE(&s->redirector->snapshots, s, entry);
        catalog_done(&s->catalog);
        node_unref(&s->redirector->nodes, s->node);
        free(s);
}

static void free_if_unused(struct snapshot *s)
{
        if (!s->kept && !s->loading && s->pins == 0 && LIST_EMPTY(&s->dirs))
                snapshot_free(s);
}

static int on_old(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct redirector *r = userdata;
        struct snapshot *s, *next;
        bool more = false;

        (void) usec;
        for (s = TAILQ_FIRST(&r->snapshots); s; s = next) {
                next = TAILQ_NEXT(s, entry);
                if (!s->loading && snapshot_age_usec(s) >= ATTR_TIMEOUT_USEC) {
                        s->kept = false;
                        free_if_unused(s);
                } else
                        more = more || s->kept;
        }
        if (!more)
                return 0;
        (void) sd_event_source_set_time_relative(source, ATTR_TIMEOUT_USEC);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Keeps it until it is too old. */
static void keep(struct snapshot *s)
{
        struct redirector *r = s->redirector;
        int enabled = SD_EVENT_OFF, error;

        if (!r->snapshot_source)
                error = sd_event_add_time_relative(r->event, &r->snapshot_source, CLOCK_MONOTONIC, ATTR_TIMEOUT_USEC, 0, on_old, r);
        else {
                error = sd_event_source_get_enabled(r->snapshot_source, &enabled);
                if (error >= 0 && enabled == SD_EVENT_OFF)
                        error = sd_event_source_set_time_relative(r->snapshot_source, ATTR_TIMEOUT_USEC);
                if (error >= 0 && enabled == SD_EVENT_OFF)
                        error = sd_event_source_set_enabled(r->snapshot_source, SD_EVENT_ONESHOT);
        }
        s->kept = error >= 0;
}

void snapshots_forget(struct redirector *r)
{
        struct snapshot *s;

        r->snapshot_source = sd_event_source_disable_unref(r->snapshot_source);
        while ((s = TAILQ_FIRST(&r->snapshots))) {
                s->pins++;
                while (!LIST_EMPTY(&s->dirs))
                        dir_free(LIST_FIRST(&s->dirs));
                snapshot_free(s);
        }
}

void snapshot_use(struct snapshot *s, struct open_dir *dir)
{
        dir->snapshot = s;
        LIST_INSERT_HEAD(&s->dirs, dir, of_snapshot);
}

void snapshot_leave(struct open_dir *dir)
{
        struct snapshot *s = dir->snapshot;

        LIST_REMOVE(dir, of_snapshot);
        dir->snapshot = NULL;
        free_if_unused(s);
}

/* ---- loading ---- */

static void load_next(struct snapshot *s);

/* Tells those who show it, or wait for it. */
static void progress(struct snapshot *s)
{
        struct op_list waiting = TAILQ_HEAD_INITIALIZER(waiting);
        struct open_dir *dir, *next;
        struct op *op;

        s->pins++;
        TAILQ_CONCAT(&waiting, &s->waiting, wait);
        while ((op = TAILQ_FIRST(&waiting))) {
                TAILQ_REMOVE(&waiting, op, wait);
                if (op->fuse)
                        op->start(op);
                else
                        op_free(op);
        }
        for (dir = LIST_FIRST(&s->dirs); dir; dir = next) {
                next = LIST_NEXT(dir, of_snapshot);
                dir_progress(dir);
        }
        s->pins--;
        free_if_unused(s);
}

/* It takes the place of those before. */
static void supersede(const struct snapshot *s)
{
        struct snapshot *older, *next;

        for (older = LIST_NEXT(s, of_node); older; older = next) {
                next = LIST_NEXT(older, of_node);
                older->kept = false;
                free_if_unused(older);
        }
}

static void loading_ended(struct snapshot *s, int error)
{
        struct folder *folder = s->node->folder;

        s->loading = false;
        s->listed = s->complete = true;
        s->error = error;
        s->kept = false;
        if (error == 0 && !s->abandoned) {
                folder->cost_usec = snapshot_age_usec(s);
                folder->cost_known_usec = redirector_now(s->redirector);
                if (snapshot_age_usec(s) < ATTR_TIMEOUT_USEC && s->catalog.names_room + s->catalog.room * sizeof(struct catalog_entry) < KEPT_MAX_BYTES)
                        keep(s);
                supersede(s);
        }
        progress(s);
}

static int add_entries(struct snapshot *s, const void *data, size_t size)
{
        char name[SMB_NAME_MAX_BYTES + 1];
        struct smb_attr attr;
        size_t at = 0;
        int r;

        while ((r = listing_take(data, size, &at, name, &attr)) == 1) {
                if (park_hides(s->redirector, s->node, name)) {
                        park_found(s->redirector, s->node, name);
                        continue;
                }
                r = catalog_add(&s->catalog, name, &attr);
                if (r < 0)
                        return r;
        }
        if (r == -EBADMSG) {
                log_warning("a listing that makes no sense was refused: %s", s->node->name ? s->node->name : "/");
                return -EIO;
        }
        return r;
}

static void loaded(struct smb_request *request)
{
        struct op *op = op_of(request);
        struct snapshot *s = op->snapshot;
        int error = request->error;

        if (error < 0 || request->reply_length == 0) {
                op_free(op);
                loading_ended(s, error < 0 ? error : s->error);
                return;
        }
        s->pins++;
        load_next(s); /* the worker fills the next slot while this one is looked through */
        if (s->error == 0 && !s->abandoned)
                s->error = add_entries(s, arena_memory(smb_pool_arena(op->redirector->pool), request->slot), request->reply_length);
        op_free(op);
        s->pins--;
        progress(s);
}

static void list_closed(struct smb_request *request)
{
        struct op *op = op_of(request);

        loading_ended(op->snapshot, op->snapshot->error);
        op_free(op);
}

static void load_next(struct snapshot *s)
{
        struct op *op = op_new(s->redirector, NULL);

        if (!op) {
                s->error = -ENOMEM;
                loading_ended(s, -ENOMEM);
                return;
        }
        s->abandoned = s->abandoned || (!s->kept && LIST_EMPTY(&s->dirs));
        op->snapshot = s;
        op_harmless(op);
        op->request.worker = s->list_worker;
        op->request.generation = s->list_generation;
        op->request.fh = s->list_fh;
        op->request.length = PIECE_BYTES;
        if (s->error < 0 || s->abandoned)
                op_submit(op, SMB_OP_LIST_CLOSE, list_closed);
        else
                op_submit(op, SMB_OP_LIST_NEXT, loaded);
}

/* The server has read the directory. */
static void listed(struct smb_request *request)
{
        struct op *op = op_of(request);
        struct snapshot *s = op->snapshot;
        int error = request->error;

        s->listed_usec = redirector_now(s->redirector);
        s->list_worker = request->worker;
        s->list_generation = request->generation;
        s->list_fh = request->fh;
        op_free(op);
        if (error < 0) {
                loading_ended(s, error);
                return;
        }
        s->listed = true;
        s->pins++;
        load_next(s);
        s->pins--;
        progress(s);
}

static void start_list(struct op *op)
{
        struct snapshot *s = op->snapshot;
        struct redirector *r = op->redirector;
        int error;

        if (r->change) { /* it may be its name, or one in it */
                TAILQ_INSERT_TAIL(&r->change_waiters, op, wait);
                return;
        }
        error = node_path(s->node, NULL, &op->request.path);
        if (error < 0) {
                op_free(op);
                loading_ended(s, error == -ESTALE ? 0 : error); /* it was deleted: nothing is in it */
                return;
        }
        s->asked_usec = redirector_now(r);
        op_submit(op, SMB_OP_LIST, listed);
}

/* It stays until somebody uses or pins it. */
static struct snapshot *load(struct redirector *r, struct node *node, bool kept)
{
        struct snapshot *s = snapshot_folder(node) ? calloc(1, sizeof(*s)) : NULL;
        struct op *op = s ? op_new(r, NULL) : NULL;

        if (!op) {
                free(s);
                return NULL;
        }
        s->redirector = r;
        s->node = node_ref(node);
        s->asked_usec = redirector_now(r);
        s->kept = kept;
        s->loading = true;
        LIST_INIT(&s->dirs);
        TAILQ_INIT(&s->waiting);
        LIST_INSERT_HEAD(&node->folder->snapshots, s, of_node);
        TAILQ_INSERT_TAIL(&r->snapshots, s, entry);
        op->snapshot = s;
        op_harmless(op);
        s->pins++;
        op_begin(op, start_list); /* may have failed */
        s->pins--;
        return s;
}

struct snapshot *snapshot_load(struct redirector *r, struct node *node)
{
        return load(r, node, false);
}

void snapshot_load_for_look_ups(struct redirector *r, struct node *node)
{
        struct snapshot *s = load(r, node, true);

        if (s)
                free_if_unused(s);
}

struct snapshot *snapshot_for_opening(struct redirector *r, struct node *node)
{
        struct snapshot *s;

        if (node->folder)
                LIST_FOREACH(s, &node->folder->snapshots, of_node)
                        if (s->error == 0 && !s->abandoned && !s->names_changed && snapshot_age_usec(s) < ATTR_TIMEOUT_USEC)
                                return s;
        return load(r, node, false);
}

/* ---- what was changed from here ---- */

static void doubt(struct node *dir, const char *name, bool changes_names)
{
        struct snapshot *s;

        if (!dir || !dir->folder)
                return;
        LIST_FOREACH(s, &dir->folder->snapshots, of_node) {
                catalog_doubt(&s->catalog, name);
                s->names_changed = s->names_changed || changes_names;
        }
}

void snapshot_attr_changed(struct node *node)
{
        node->attr_changes++;
        if (node->linked && node->parent)
                doubt(node->parent, node->name, false);
}

void snapshot_entry_changed(struct node *dir, const char *name)
{
        doubt(dir, name, false);
}

void snapshot_name_changed(struct node *dir, const char *name)
{
        doubt(dir, name, true);
        snapshot_attr_changed(dir);
}

void snapshot_name_absent(struct node *dir, const char *name)
{
        const struct catalog_entry *entry;
        struct snapshot *s;

        if (!dir->folder)
                return;
        LIST_FOREACH(s, &dir->folder->snapshots, of_node)
                if (catalog_find(&s->catalog, name, &entry) != CATALOG_ABSENT) {
                        catalog_doubt(&s->catalog, name);
                        s->names_changed = true;
                }
}

/* ---- giving out ---- */

bool snapshot_is_unsettled(const struct node *node)
{
        return node->behind || node->writers > 0 || node->unsettled > 0 || node->closing > 0;
}

bool snapshot_is_behind(const struct snapshot *s, const struct node *node, const struct smb_attr *attr)
{
        return node->seen_usec > s->asked_usec &&
               ((!node->directory && node->size_bytes != attr->size_bytes) || node->mtime.sec != attr->mtime.sec ||
                node->mtime.nsec != attr->mtime.nsec);
}

/* When the server has read a directory so slowly that a listing cannot be renewed in time, its reader would wait for each entry anew. */
uint64_t snapshot_life_usec(const struct snapshot *s)
{
        uint64_t took = s->listed_usec > s->asked_usec ? s->listed_usec - s->asked_usec : 0, age = snapshot_age_usec(s);
        uint64_t rest = age < ATTR_TIMEOUT_USEC ? ATTR_TIMEOUT_USEC - age : 0, life = took > COST_MAX_USEC ? took * 3 : 0;

        if (rest < ASKED_TWICE_USEC && age < life)
                rest = life - age < ASKED_TWICE_USEC ? life - age : ASKED_TWICE_USEC;
        return rest;
}

bool snapshot_believes(const struct snapshot *s, const struct catalog_entry *entry, const struct node *known)
{
        return !(known && (snapshot_is_unsettled(known) || snapshot_is_behind(s, known, &entry->attr))) && !(entry->attr.dos & ATTR_REPARSE_POINT) &&
               !catalog_doubts(&s->catalog, catalog_name(&s->catalog, entry));
}
