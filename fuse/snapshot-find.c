/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is found in listings: a name that is looked up, which needs no server then, and the files that a program opens next. A directory
 * in which much is looked up is listed for that reason alone, and again before the listing is too old; as long as that costs less than the
 * look-ups would.
 */

#include "fuse/internal.h"
#include "fuse/snapshot-internal.h"
#include "fuse/spelling.h"

#define HANDOVER_MAX_USEC 100000u /* for so long, look-ups wait for a listing that is being taken over */
#define MISSES_MIN 3u             /* before a directory of unknown size is listed for look-ups, */
#define MISSES_MIN_FAR 2u         /* on a long line: a listing takes hardly twice as many round trips as a look-up */
#define COST_KNOWN_USEC (60 * 1000000ULL)
#define ATTR_FAR_AWAY (0x1000u | 0x40000u | 0x400000u) /* offline, recalled when it is opened, or read: that can take hours */
#define STEPS_MIN 2u              /* from one file to the next, before it is believed that the next ones follow; */
#define STEP_MAX 8u               /* names that a step may leave out: folders, what a pattern does not match */

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
        unsigned enough = r->lookup_usec > LOOKUP_FAR_USEC ? MISSES_MIN_FAR : MISSES_MIN;
        bool known = folder->cost_known_usec != 0 && redirector_now(r) - folder->cost_known_usec < COST_KNOWN_USEC;

        if (r->phase != PHASE_SERVING || r->frozen || is_loading(folder))
                return;
        if (known ? folder->cost_usec > COST_MAX_USEC || lookups * r->lookup_usec < folder->cost_usec : lookups < enough)
                return;
        snapshot_load_for_look_ups(r, dir);
}

static void note_miss(struct redirector *r, struct node *dir)
{
        struct folder *folder = snapshot_folder(dir);
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
        if (snapshot_age_usec(s) + ahead_usec > ATTR_TIMEOUT_USEC)
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
        if (known && (is_another(known, &entry->attr) || snapshot_is_behind(s, known, &entry->attr)))
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

        if (known && (snapshot_is_unsettled(known) || !LIST_EMPTY(&known->files)))
                return CATALOG_UNKNOWN;
        if (dir->folder)
                LIST_FOREACH(s, &dir->folder->snapshots, of_node) {
                        enum catalog_found found;

                        if (s->error < 0 || s->abandoned || snapshot_age_usec(s) >= ATTR_TIMEOUT_USEC)
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
