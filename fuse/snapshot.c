/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a server has listed of a directory serves whoever asks within a second: who opens it, and look-ups of single names. A
 * directory in which much is looked up is listed for that reason alone, in the background, and again before the listing is too
 * old; as long as that costs less than the look-ups would.
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
#include "fuse/snapshot.h"
#include "fuse/spelling.h"

#define PIECE_BYTES (256u << 10)         /* taken over at a time: the worker makes the next one meanwhile */
#define KEPT_MAX_BYTES (32u << 20)       /* of one that nobody shows */
#define ASKED_TWICE_USEC 200000u         /* for so long an entry is believed that is taken late from a long listing */
#define HANDOVER_MAX_USEC 100000u        /* for so long, look-ups wait for a listing that is being taken over */
#define MISSES_MIN 3u                    /* before a directory of unknown size is listed for look-ups, */
#define MISSES_MIN_FAR 2u                /* on a long line: a listing takes hardly twice as many round trips as a look-up */
#define COST_KNOWN_USEC (60 * 1000000ULL)
#define COST_MAX_USEC (ATTR_TIMEOUT_USEC * 6 / 10) /* a listing that takes longer is too old when it is there */
#define ATTR_REPARSE_POINT 0x400u        /* leads elsewhere: what is there, only a look-up tells */
#define ATTR_FAR_AWAY (0x1000u | 0x40000u | 0x400000u) /* offline, recalled when it is opened, or read: that can take hours */
#define STEPS_MIN 2u                     /* from one file to the next, before it is believed that the next ones follow; */
#define STEP_MAX 8u                      /* names that a step may leave out: folders, what a pattern does not match */

enum order { ORDER_LISTED, ORDER_NAMES, N_ORDERS };

/* How a folder's files are being opened. */
struct walk {
        size_t at;      /* behind the file that was opened last; 0: at the beginning */
        unsigned steps; /* so many in a row that have led forwards */
};

struct folder {
        LIST_HEAD(, snapshot) snapshots;
        uint64_t cost_usec;        /* what the last listing took, */
        uint64_t cost_known_usec;  /* and when that was found out; 0: never */
        unsigned misses;           /* look-ups that went to the server */
        uint64_t misses_since_usec;
        struct walk walks[N_ORDERS];
};

static struct folder *folder_of(struct node *node)
{
        if (!node->folder)
                node->folder = calloc(1, sizeof(*node->folder));
        return node->folder;
}

static uint64_t age_usec(const struct snapshot *s)
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
                if (!s->loading && age_usec(s) >= ATTR_TIMEOUT_USEC) {
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
                folder->cost_usec = age_usec(s);
                folder->cost_known_usec = redirector_now(s->redirector);
                if (age_usec(s) < ATTR_TIMEOUT_USEC && s->catalog.names_room + s->catalog.room * sizeof(struct catalog_entry) < KEPT_MAX_BYTES)
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
                if (!s->node->parent && strcmp(name, PARK_FOLDER) == 0)
                        continue;
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
        struct snapshot *s = folder_of(node) ? calloc(1, sizeof(*s)) : NULL;
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

struct snapshot *snapshot_for_opening(struct redirector *r, struct node *node)
{
        struct snapshot *s;

        if (node->folder)
                LIST_FOREACH(s, &node->folder->snapshots, of_node)
                        if (s->error == 0 && !s->abandoned && !s->names_changed && age_usec(s) < ATTR_TIMEOUT_USEC)
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

/* ---- giving out ---- */

/* Something about it is on its way to the server, or will be. */
static bool is_unsettled(const struct node *node)
{
        return node->behind || node->writers > 0 || node->unsettled > 0 || node->closing > 0;
}

/* Whether something newer was seen of it since. */
static bool is_behind(const struct snapshot *s, const struct node *node, const struct smb_attr *attr)
{
        return node->seen_usec > s->asked_usec &&
               ((!node->directory && node->size_bytes != attr->size_bytes) || node->mtime.sec != attr->mtime.sec ||
                node->mtime.nsec != attr->mtime.nsec);
}

/* When the server has read a directory so slowly that a listing cannot be renewed in time, its reader would wait for each entry anew. */
uint64_t snapshot_life_usec(const struct snapshot *s)
{
        uint64_t took = s->listed_usec > s->asked_usec ? s->listed_usec - s->asked_usec : 0, age = age_usec(s);
        uint64_t rest = age < ATTR_TIMEOUT_USEC ? ATTR_TIMEOUT_USEC - age : 0, life = took > COST_MAX_USEC ? took * 3 : 0;

        if (rest < ASKED_TWICE_USEC && age < life)
                rest = life - age < ASKED_TWICE_USEC ? life - age : ASKED_TWICE_USEC;
        return rest;
}

bool snapshot_believes(const struct snapshot *s, const struct catalog_entry *entry, const struct node *known)
{
        return !(known && (is_unsettled(known) || is_behind(s, known, &entry->attr))) && !(entry->attr.dos & ATTR_REPARSE_POINT) &&
               !catalog_doubts(&s->catalog, catalog_name(&s->catalog, entry));
}

/* ---- look-ups ---- */

void snapshot_note_lookup(const struct op *op)
{
        struct redirector *r = op->redirector;
        uint64_t took = redirector_now(r) - op->arrived_usec;

        r->lookup_usec = r->lookup_usec == 0 ? took : (r->lookup_usec * 7 + took) / 8;
}

static bool is_loading(const struct folder *folder)
{
        const struct snapshot *s;

        LIST_FOREACH(s, &folder->snapshots, of_node)
                if (s->loading)
                        return true;
        return false;
}

/* Lists dir in the background if that takes no longer than so many look-ups. */
static void list_if_cheaper(struct redirector *r, struct node *dir, unsigned lookups)
{
        const struct folder *folder = dir->folder;
        struct snapshot *s;
        unsigned enough = r->lookup_usec > LOOKUP_FAR_USEC ? MISSES_MIN_FAR : MISSES_MIN;
        bool known = folder->cost_known_usec != 0 && redirector_now(r) - folder->cost_known_usec < COST_KNOWN_USEC;

        if (r->phase != PHASE_SERVING || r->frozen || is_loading(folder))
                return;
        if (known ? folder->cost_usec > COST_MAX_USEC || lookups * r->lookup_usec < folder->cost_usec : lookups < enough)
                return;
        s = load(r, dir, true);
        if (s)
                free_if_unused(s);
}

static void note_miss(struct redirector *r, struct node *dir)
{
        struct folder *folder = folder_of(dir);
        uint64_t now = redirector_now(r);

        if (!folder)
                return;
        if (now - folder->misses_since_usec > ATTR_TIMEOUT_USEC) {
                folder->misses = 0;
                folder->misses_since_usec = now;
        }
        list_if_cheaper(r, dir, ++folder->misses);
}

/* In time, so that the next one is there before it is too old. */
static void note_hit(struct snapshot *s)
{
        uint64_t ahead_usec = s->node->folder->cost_usec * 2 + ATTR_TIMEOUT_USEC / 10;

        s->hits++;
        if (age_usec(s) + ahead_usec > ATTR_TIMEOUT_USEC)
                list_if_cheaper(s->redirector, s->node, s->hits);
}

/* Something else has the name now, as far as a listing tells: what it does not number, and nobody has open, may as well be the same. */
static bool is_another(const struct node *known, const struct smb_attr *attr)
{
        return (known->file_id != 0 && attr->file_id != 0 && known->file_id != attr->file_id) ||
               known->directory != (bool) (attr->dos & SMB_ATTR_DIRECTORY);
}

/* The server has told it, and the worker hands it over: that takes less than a question, unless it is a very large one. */
static bool is_handed_over(const struct snapshot *s)
{
        return s->loading && s->listed && redirector_now(s->redirector) - s->listed_usec < HANDOVER_MAX_USEC;
}

/* What s says. */
static enum catalog_found look_into(struct snapshot *s, const char *name, const struct node *known, struct smb_attr *ret_attr)
{
        const struct catalog_entry *entry;
        enum catalog_found found = catalog_find(&s->catalog, name, &entry);

        if (found == CATALOG_ABSENT && !s->complete)
                return is_handed_over(s) ? CATALOG_AWAITED : CATALOG_UNKNOWN;
        if (found != CATALOG_PRESENT)
                return found;
        if (entry->attr.dos & ATTR_REPARSE_POINT)
                return CATALOG_UNKNOWN;
        if (known && (is_another(known, &entry->attr) || is_behind(s, known, &entry->attr)))
                return CATALOG_UNKNOWN;
        if (entry->attr.file_id == 0 && spelling_possible(s->redirector, s->node, name))
                return CATALOG_UNKNOWN;
        *ret_attr = entry->attr;
        return CATALOG_PRESENT;
}

enum catalog_found snapshot_find(struct op *op, struct node *dir, const char *name, struct smb_attr *ret_attr)
{
        struct redirector *r = op->redirector;
        const struct node *known = node_child(&r->nodes, dir, name);
        struct snapshot *s;

        if (known && (is_unsettled(known) || !LIST_EMPTY(&known->files)))
                return CATALOG_UNKNOWN;
        if (dir->folder)
                LIST_FOREACH(s, &dir->folder->snapshots, of_node) {
                        enum catalog_found found;

                        if (s->error < 0 || s->abandoned || age_usec(s) >= ATTR_TIMEOUT_USEC)
                                continue;
                        found = look_into(s, name, known, ret_attr);
                        if (found == CATALOG_UNKNOWN)
                                continue;
                        if (found == CATALOG_AWAITED) {
                                TAILQ_INSERT_TAIL(&s->waiting, op, wait);
                                return found;
                        }
                        op->seen_usec = s->asked_usec;
                        note_hit(s);
                        return found;
                }
        note_miss(r, dir);
        return CATALOG_UNKNOWN;
}

/* ---- what is opened next ---- */

static struct snapshot *newest(const struct folder *folder)
{
        struct snapshot *s;

        LIST_FOREACH(s, &folder->snapshots, of_node)
                if (s->complete && s->error == 0 && !s->abandoned)
                        return s;
        return NULL;
}

/* A file was opened at that position. Returns whether the ones behind it may be next. */
static bool walk_to(struct walk *walk, size_t at)
{
        bool goes_on = at >= walk->at && at < walk->at + STEP_MAX; /* the first one: it begins at the beginning */

        if (at + 1 != walk->at)
                walk->steps = goes_on ? walk->steps + 1 : 0;
        walk->at = at + 1;
        return walk->steps >= STEPS_MIN;
}

/* The node of an entry, if it is a small file that nobody is at work on. */
static struct node *next_file(const struct snapshot *s, const struct catalog_entry *entry)
{
        struct node *node;

        if ((entry->attr.dos & (SMB_ATTR_DIRECTORY | ATTR_REPARSE_POINT | ATTR_FAR_AWAY)) || entry->attr.size_bytes == 0 ||
            entry->attr.size_bytes > BEGINNING_BYTES)
                return NULL;
        node = node_child(&s->redirector->nodes, s->node, catalog_name(&s->catalog, entry));
        return node && LIST_EMPTY(&node->files) && snapshot_believes(s, entry, node) ? node : NULL;
}

size_t snapshot_next_files(struct node *node, struct node **ret_nodes, size_t n)
{
        struct folder *folder = node->linked && node->parent ? node->parent->folder : NULL;
        const struct catalog_entry *entry;
        const uint32_t *sorted;
        struct snapshot *s = folder ? newest(folder) : NULL;
        size_t found = 0, position;
        bool listed, named;

        if (!s || catalog_find(&s->catalog, node->name, &entry) != CATALOG_PRESENT)
                return 0;
        position = (size_t) (entry - s->catalog.entries);
        listed = walk_to(&folder->walks[ORDER_LISTED], position);
        sorted = catalog_sorted(&s->catalog);
        named = sorted && walk_to(&folder->walks[ORDER_NAMES], catalog_position(&s->catalog, entry));
        if (!listed && !named)
                return 0;
        if (!listed)
                position = folder->walks[ORDER_NAMES].at - 1;
        for (size_t i = position + 1; i < s->catalog.n && i <= position + STEP_MAX * n && found < n; i++) {
                struct node *next = next_file(s, &s->catalog.entries[listed ? i : sorted[i]]);

                if (next)
                        ret_nodes[found++] = next;
        }
        note_hit(s); /* who goes on looks at the next ones soon */
        return found;
}
