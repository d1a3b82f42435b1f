/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The table of nodes: two chained hashes over the same nodes, by number and by (parent, name). An unlinked node is only in the
 * first. A child holds a reference to its parent.
 */

#include "fuse/node.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BUCKETS_MIN 256u
#define MODES 65536u /* remembered: a power of two; pages that are not needed take no memory */

#define FNV_OFFSET 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL

static uint64_t hash_text(uint64_t hash, const char *text)
{
        for (; *text; text++)
                hash = (hash ^ (unsigned char) *text) * FNV_PRIME;
        return hash;
}


static struct node **ino_bucket(struct node_table *table, uint64_t ino)
{
        return &table->by_ino[(ino ^ ino >> 32) & (table->n_buckets - 1)];
}

static struct node **name_bucket(struct node_table *table, uint64_t parent_ino, const char *name)
{
        uint64_t hash = fold_hash(table->fold, parent_ino, name);

        return &table->by_name[(hash ^ hash >> 32) & (table->n_buckets - 1)];
}

static struct node *find(struct node_table *table, uint64_t ino)
{
        struct node *node = *ino_bucket(table, ino);

        while (node && node->ino != ino)
                node = node->next_by_ino;
        return node;
}

static void insert_by_ino(struct node_table *table, struct node *node)
{
        struct node **bucket = ino_bucket(table, node->ino);

        node->next_by_ino = *bucket;
        *bucket = node;
}

static void insert_by_name(struct node_table *table, struct node *node)
{
        struct node **bucket = name_bucket(table, node->parent->ino, node->name);

        node->next_by_name = *bucket;
        *bucket = node;
}

static void remove_by_name(struct node_table *table, struct node *node)
{
        struct node **p = name_bucket(table, node->parent->ino, node->name);

        while (*p != node)
                p = &(*p)->next_by_name;
        *p = node->next_by_name;
}

static void remove_by_ino(struct node_table *table, struct node *node)
{
        struct node **p = ino_bucket(table, node->ino);

        while (*p != node)
                p = &(*p)->next_by_ino;
        *p = node->next_by_ino;
}

/* Doubles the buckets when there are as many nodes; goes on with long chains when there is no memory. */
static void grow(struct node_table *table)
{
        struct node **old = table->by_ino;
        size_t n_old = table->n_buckets, n_new = n_old * 2;
        struct node **by_ino = calloc(n_new, sizeof(*by_ino)), **by_name = calloc(n_new, sizeof(*by_name));

        if (!by_ino || !by_name) {
                free(by_ino);
                free(by_name);
                return;
        }
        free(table->by_name);
        table->by_ino = by_ino;
        table->by_name = by_name;
        table->n_buckets = n_new;
        for (size_t i = 0; i < n_old; i++)
                for (struct node *node = old[i], *next; node; node = next) {
                        next = node->next_by_ino;
                        insert_by_ino(table, node);
                        if (node->parent && node->linked)
                                insert_by_name(table, node);
                }
        free(old);
}

int node_table_init(struct node_table *table)
{
        struct node *root = calloc(1, sizeof(*root));

        *table = (struct node_table){
                .fold = fold_new(),
                .by_ino = calloc(BUCKETS_MIN, sizeof(struct node *)),
                .by_name = calloc(BUCKETS_MIN, sizeof(struct node *)),
                .modes = calloc(MODES, sizeof(struct node_mode)),
                .n_buckets = BUCKETS_MIN,
        };
        if (!root || !table->by_ino || !table->by_name || !table->modes) {
                free(root);
                node_table_done(table);
                return -ENOMEM;
        }
        *root = (struct node){ .ino = NODE_ROOT, .linked = true, .directory = true, .refs = 1 };
        table->root = root;
        table->n = 1;
        insert_by_ino(table, root);
        return 0;
}

void node_table_done(struct node_table *table)
{
        for (size_t i = 0; table->by_ino && i < table->n_buckets; i++)
                for (struct node *node = table->by_ino[i], *next; node; node = next) {
                        next = node->next_by_ino;
                        free(node->name);
                        free(node->parked);
                        free(node->folder);
                        free(node);
                }
        free(table->by_ino);
        free(table->by_name);
        free(table->modes);
        if (table->fold)
                freelocale(table->fold);
        *table = (struct node_table){ 0 };
}

struct node *node_known(struct node_table *table, uint64_t ino)
{
        struct node *node = find(table, ino);

        assert(node);
        return node;
}

struct node *node_meant(struct node *node)
{
        while (node->of)
                node = node->of;
        return node;
}

struct node *node_find(struct node_table *table, uint64_t ino)
{
        return node_meant(node_known(table, ino));
}

void node_identify(struct node *node, uint64_t file_id)
{
        if (node->file_id != 0 && node->file_id != file_id)
                node->shown_ino = 0;
        node->file_id = file_id;
}

uint64_t node_shown_ino(struct node *node)
{
        if (node->shown_ino == 0)
                node->shown_ino = node->file_id != 0 ? node->file_id : node->ino;
        return node->shown_ino;
}

struct node *node_named(struct node_table *table, const struct node *parent, const char *name)
{
        struct node *node = *name_bucket(table, parent->ino, name);

        while (node && (node->parent != parent || strcmp(node->name, name) != 0))
                node = node->next_by_name;
        return node;
}

struct node *node_child(struct node_table *table, struct node *parent, const char *name)
{
        struct node *node = node_named(table, parent, name);

        return node ? node_meant(node) : NULL;
}

struct node *node_other_case(struct node_table *table, const struct node *parent, const char *name, uint64_t file_id)
{
        struct node *found = NULL;

        for (struct node *node = *name_bucket(table, parent->ino, name); node; node = node->next_by_name) {
                if (node->parent != parent || node->of || strcmp(node->name, name) == 0 || !fold_equal(table->fold, node->name, name))
                        continue;
                if (file_id != 0 && node->file_id == file_id)
                        return node;
                found = node;
        }
        return found;
}

struct node *node_next_alike(struct node_table *table, const struct node *parent, const char *name, const struct node *after)
{
        struct node *node = after ? after->next_by_name : *name_bucket(table, parent->ino, name);

        while (node && (node->parent != parent || node->of || !fold_equal(table->fold, node->name, name)))
                node = node->next_by_name;
        return node;
}

static uint64_t hash_path(const struct node *parent)
{
        uint64_t hash = parent->parent ? hash_path(parent->parent) : FNV_OFFSET;

        return parent->name ? hash_text((hash ^ '/') * FNV_PRIME, parent->name) : hash;
}

/* ---- modes that outlive their nodes ---- */

static struct node_mode *mode_place(struct node_table *table, uint64_t path_hash)
{
        return &table->modes[(path_hash ^ path_hash >> 32) & (MODES - 1)];
}

static void remember_mode(struct node_table *table, const struct node *node)
{
        uint64_t hash;

        if (!node->linked || !node->mode_known)
                return;
        hash = hash_path(node);
        *mode_place(table, hash) = (struct node_mode){ .path_hash = hash, .mode = node->mode };
}

static void recall_mode(struct node_table *table, struct node *node)
{
        uint64_t hash = hash_path(node);
        const struct node_mode *place = mode_place(table, hash);

        node->mode_known = hash != 0 && place->path_hash == hash;
        node->mode = node->mode_known ? place->mode : 0;
}

/* Whatever is called so next is something else. */
static void forget_mode(struct node_table *table, const struct node *node)
{
        uint64_t hash = hash_path(node);
        struct node_mode *place = mode_place(table, hash);

        if (place->path_hash == hash)
                place->path_hash = 0;
}

/* ---- nodes ---- */

/* of: NULL, or what it is a spelling of. NULL: out of memory. */
static struct node *node_new(struct node_table *table, struct node *parent, const char *name, struct node *of)
{
        struct node *node = calloc(1, sizeof(*node));

        if (node)
                node->name = strdup(name);
        if (!node || !node->name) {
                free(node);
                return NULL;
        }
        node->parent = node_ref(parent);
        node->linked = true;
        LIST_INIT(&node->files);
        LIST_INIT(&node->spellings);
        if (of) {
                node->of = node_ref(of);
                LIST_INSERT_HEAD(&of->spellings, node, of_spellings);
        } else
                recall_mode(table, node);
        for (node->ino = hash_path(node); node->ino <= NODE_ROOT || find(table, node->ino); node->ino++)
                ;
        if (table->n >= table->n_buckets)
                grow(table);
        table->n++;
        insert_by_ino(table, node);
        insert_by_name(table, node);
        return node;
}

struct node *node_child_or_new(struct node_table *table, struct node *parent, const char *name)
{
        struct node *node = node_child(table, parent, name);

        return node ? node : node_new(table, parent, name, NULL);
}

static struct node *spelling_of(struct node_table *table, struct node *parent, const char *name, struct node *of)
{
        struct node *known = node_named(table, parent, name);

        if (known && known->of == of)
                return known;
        if (known)
                node_unlink(table, known);
        return node_new(table, parent, name, of);
}

struct node *node_spelling(struct node_table *table, struct node *directory, const char *name, struct node *node)
{
        struct node *parent = node_meant(directory), *known = node, *below;

        assert(node->parent == parent);
        if (strcmp(node->name, name) != 0)
                known = spelling_of(table, parent, name, node);
        if (!known || directory == parent || !node->directory) /* a file may have several folders, to the kernel */
                return known;
        node_ref(known);
        below = spelling_of(table, directory, name, known);
        if (below)
                node_ref(below);
        node_unref(table, known);
        if (below)
                below->refs--;
        return below;
}

struct node *node_ref(struct node *node)
{
        node->refs++;
        return node;
}

static void free_if_unused(struct node_table *table, struct node *node)
{
        while (node && node->refs == 0 && node->lookups == 0) {
                struct node *parent = node->parent, *of = node->of;

                if (of)
                        LIST_REMOVE(node, of_spellings);
                else
                        remember_mode(table, node);
                if (node->linked)
                        remove_by_name(table, node);
                remove_by_ino(table, node);
                table->n--;
                free(node->name);
                free(node->parked);
                free(node->folder);
                free(node);
                node_unref(table, of);
                node = parent;
                if (node)
                        node->refs--;
        }
}

void node_unref(struct node_table *table, struct node *node)
{
        if (!node)
                return;
        assert(node->refs > 0);
        node->refs--;
        free_if_unused(table, node);
}

void node_looked_up(struct node *node)
{
        node->lookups++;
}

void node_forget(struct node_table *table, uint64_t ino, uint64_t n)
{
        struct node *node = find(table, ino);

        if (!node || ino == NODE_ROOT)
                return;
        node->lookups -= n < node->lookups ? n : node->lookups;
        free_if_unused(table, node);
}

void node_drop_privileges(struct node *node)
{
        if (node->directory)
                return;
        node->mode &= ~(mode_t) S_ISUID;
        if (node->mode & S_IXGRP)
                node->mode &= ~(mode_t) S_ISGID;
}

void node_forget_all(struct node_table *table)
{
        for (size_t i = 0; i < table->n_buckets; i++)
                for (struct node *node = table->by_ino[i]; node; node = node->next_by_ino)
                        node->lookups = 0;
        for (size_t i = 0; i < table->n_buckets; i++)
                for (struct node *node = table->by_ino[i]; node;) {
                        if (node->refs > 0) {
                                node = node->next_by_ino;
                                continue;
                        }
                        free_if_unused(table, node); /* its parents too, which may stand in this bucket: begin it again */
                        node = table->by_ino[i];
                }
}

static void unlink_spellings(struct node_table *table, struct node *node)
{
        struct node *spelling;

        LIST_FOREACH(spelling, &node->spellings, of_spellings)
                node_unlink(table, spelling);
}

void node_unlink(struct node_table *table, struct node *node)
{
        if (!node->linked || !node->parent)
                return;
        if (!node->of)
                forget_mode(table, node);
        remove_by_name(table, node);
        node->linked = false;
        unlink_spellings(table, node);
}

int node_rename(struct node_table *table, struct node *node, struct node *parent, const char *name)
{
        struct node *replaced = node_child(table, parent, name), *old_parent = node->parent;
        char *copy = strdup(name);

        if (replaced && replaced != node)
                node_unlink(table, replaced);
        if (!copy)
                return -ENOMEM;
        if (node->linked) {
                forget_mode(table, node);
                remove_by_name(table, node);
        }
        unlink_spellings(table, node);
        free(node->name);
        node->name = copy;
        node->parent = node_ref(parent);
        node->linked = true;
        forget_mode(table, node); /* of what had the name before */
        node->dos_known = false; /* a server may call hidden what begins with a dot */
        insert_by_name(table, node);
        node_unref(table, old_parent);
        return 0;
}

int node_path(const struct node *node, const char *name, char **ret_path)
{
        size_t length = name ? strlen(name) : 0;
        char *path, *at;

        if (!node->linked && node->parked && !name) {
                *ret_path = strdup(node->parked);
                return *ret_path ? 0 : -ENOMEM;
        }
        for (const struct node *n = node; n->parent; n = n->parent) {
                if (!n->linked)
                        return -ESTALE;
                length += strlen(n->name) + (length > 0);
        }
        if (length >= SMB_PATH_MAX_BYTES)
                return -ENAMETOOLONG;
        path = malloc(length + 1);
        if (!path)
                return -ENOMEM;
        at = path + length;
        *at = '\0';
        if (name) {
                at -= strlen(name);
                memcpy(at, name, strlen(name));
        }
        for (const struct node *n = node; n->parent; n = n->parent) {
                if (*at != '\0')
                        *--at = '/';
                at -= strlen(n->name);
                memcpy(at, n->name, strlen(n->name));
        }
        assert(at == path);
        *ret_path = path;
        return 0;
}
