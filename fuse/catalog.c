/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Entries in the order in which they came, a chained hash over them that is made when somebody first asks by name, and a set of
 * hashes for the names in doubt. Two names of the same hash are in doubt together, which costs a question and no more.
 */

#include "fuse/catalog.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/cleanup.h"

#define CATALOG_MAX_BYTES (256u << 20) /* of names and attributes, two million of them: more is a broken server */
#define DOUBTS_MAX 65536u
#define PLAIN_MAX_BYTES 143u /* a longer name may be too long for the server, which is another answer */
#define SORTED_MAX 10000u /* entries: more would hold others up */
#define INDEX_MIN 64u
#define DOUBTS_MIN 16u

#define FNV_OFFSET 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL

void catalog_done(struct catalog *catalog)
{
        free(catalog->entries);
        free(catalog->names);
        free(catalog->index);
        free(catalog->sorted);
        free(catalog->doubts);
        *catalog = (struct catalog){ 0 };
}

/* ---- names ---- */

/* Never 0. */
static uint64_t hash_folded(const char *name)
{
        uint64_t hash = FNV_OFFSET;

        for (; *name; name++)
                hash = (hash ^ (unsigned char) (*name >= 'A' && *name <= 'Z' ? *name + ('a' - 'A') : *name)) * FNV_PRIME;
        hash ^= hash >> 32;
        return hash ? hash : 1;
}

static bool is_ascii(const char *name)
{
        for (; *name; name++)
                if ((unsigned char) *name >= 0x80)
                        return false;
        return true;
}

static size_t n_chars(const char *name)
{
        size_t n = 0;

        for (; *name; name++)
                n += ((unsigned char) *name & 0xc0) != 0x80;
        return n;
}

/* Names that are devices to Windows, with whatever behind a dot: Samba lists such files under names of its own. */
static bool is_device(const char *name)
{
        static const char devices[][5] = { "con", "prn", "aux", "nul", "com", "lpt" };
        size_t length = strcspn(name, ".");

        for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
                if (strncasecmp(name, devices[i], 3) == 0 && (length == 3 || (length == 4 && isdigit((unsigned char) name[3]))))
                        return true;
        return false;
}

/* Whether a server knows name as nothing but an entry that is spelled like it, but for upper and lower case: no short name made of a
 * longer one, none that has to be written otherwise. */
static bool is_plain(const char *name)
{
        size_t length = strlen(name);

        for (size_t i = 0; i < length; i++)
                if (!isalnum((unsigned char) name[i]) && !strchr("._-+,=@#()[]{}!$&'; ", name[i]))
                        return false;
        return length <= PLAIN_MAX_BYTES && is_ascii(name) && name[length - 1] != '.' && name[length - 1] != ' ' && !is_device(name);
}

/* Whether name travels to a server in another form than it is listed in (smb/names.c): one that a server lists like it may be another
 * name, which cannot be asked for. */
static bool is_mapped(const char *name)
{
        char last = name[strlen(name) - 1];

        for (const char *at = name; *at; at++)
                if ((unsigned char) *at < 0x20 || strchr("\\:*?\"<>|", *at))
                        return true;
        return last == '.' || last == ' ';
}

/* ---- entries ---- */

const char *catalog_name(const struct catalog *catalog, const struct catalog_entry *entry)
{
        return catalog->names + entry->name;
}

static int make_room(struct catalog *catalog, size_t name_bytes)
{
        if (catalog->names_bytes + name_bytes + catalog->n * sizeof(*catalog->entries) > CATALOG_MAX_BYTES)
                return -EFBIG;
        if (catalog->n == catalog->room) {
                size_t room = catalog->room ? catalog->room * 2 : 64;
                struct catalog_entry *entries = realloc(catalog->entries, room * sizeof(*entries));

                if (!entries)
                        return -ENOMEM;
                catalog->entries = entries;
                catalog->room = room;
        }
        if (catalog->names_bytes + name_bytes > catalog->names_room) {
                size_t room = catalog->names_room ? catalog->names_room * 2 : 4096;
                char *names = realloc(catalog->names, room);

                if (!names)
                        return -ENOMEM;
                catalog->names = names;
                catalog->names_room = room;
        }
        return 0;
}

int catalog_add(struct catalog *catalog, const char *name, const struct smb_attr *attr)
{
        size_t bytes = strlen(name) + 1;
        int r = make_room(catalog, bytes);

        if (r < 0)
                return r;
        free(TAKE_PTR(catalog->sorted));
        memcpy(catalog->names + catalog->names_bytes, name, bytes);
        catalog->entries[catalog->n++] = (struct catalog_entry){ .attr = *attr, .name = (uint32_t) catalog->names_bytes };
        catalog->names_bytes += bytes;
        return 0;
}

/* ---- doubts ---- */

static uint64_t *doubt_place(uint64_t *doubts, size_t room, uint64_t hash)
{
        size_t i = hash & (room - 1);

        while (doubts[i] != 0 && doubts[i] != hash)
                i = (i + 1) & (room - 1);
        return &doubts[i];
}

static bool grow_doubts(struct catalog *catalog)
{
        size_t room = catalog->doubts_room ? catalog->doubts_room * 2 : DOUBTS_MIN;
        uint64_t *doubts = catalog->n_doubts < DOUBTS_MAX ? calloc(room, sizeof(*doubts)) : NULL;

        if (!doubts)
                return false;
        for (size_t i = 0; i < catalog->doubts_room; i++)
                if (catalog->doubts[i] != 0)
                        *doubt_place(doubts, room, catalog->doubts[i]) = catalog->doubts[i];
        free(catalog->doubts);
        catalog->doubts = doubts;
        catalog->doubts_room = room;
        return true;
}

void catalog_doubt(struct catalog *catalog, const char *name)
{
        uint64_t *place;

        if (catalog->all_doubted)
                return;
        if (!is_ascii(name))
                catalog->odd_doubted = true;
        if (catalog->n_doubts * 2 >= catalog->doubts_room && !grow_doubts(catalog)) {
                free(TAKE_PTR(catalog->doubts));
                catalog->n_doubts = catalog->doubts_room = 0;
                catalog->all_doubted = true;
                return;
        }
        place = doubt_place(catalog->doubts, catalog->doubts_room, hash_folded(name));
        catalog->n_doubts += *place == 0;
        *place = hash_folded(name);
}

bool catalog_doubts(const struct catalog *catalog, const char *name)
{
        if (catalog->all_doubted || (catalog->odd_doubted && !is_ascii(name)))
                return true;
        return catalog->n_doubts > 0 && *doubt_place(catalog->doubts, catalog->doubts_room, hash_folded(name)) != 0;
}

/* ---- by name ---- */

static bool grow_index(struct catalog *catalog)
{
        size_t room = catalog->index_room ? catalog->index_room : INDEX_MIN;
        uint32_t *index;

        while (room < catalog->n)
                room *= 2;
        if (room == catalog->index_room)
                return true;
        index = calloc(room, sizeof(*index));
        if (!index)
                return false;
        free(catalog->index);
        catalog->index = index;
        catalog->index_room = room;
        catalog->n_indexed = 0;
        return true;
}

/* Brings the index up to date. False: there is no memory for it. */
static bool is_indexed(struct catalog *catalog)
{
        if (!grow_index(catalog))
                return false;
        for (; catalog->n_indexed < catalog->n; catalog->n_indexed++) {
                struct catalog_entry *entry = &catalog->entries[catalog->n_indexed];
                const char *name = catalog_name(catalog, entry);
                uint32_t *place = &catalog->index[hash_folded(name) & (catalog->index_room - 1)];

                entry->next = *place;
                *place = (uint32_t) catalog->n_indexed + 1;
                if (!is_ascii(name))
                        catalog->odd_chars[n_chars(name)] = true;
        }
        return true;
}

enum catalog_found catalog_find(struct catalog *catalog, const char *name, const struct catalog_entry **ret_entry)
{
        bool absent = is_plain(name) && !catalog->odd_doubted;

        if (is_mapped(name) || catalog_doubts(catalog, name) || !is_indexed(catalog))
                return CATALOG_UNKNOWN;
        for (uint32_t i = catalog->index[hash_folded(name) & (catalog->index_room - 1)]; i != 0; i = catalog->entries[i - 1].next) {
                const char *found = catalog_name(catalog, &catalog->entries[i - 1]);

                if (strcmp(found, name) == 0) {
                        *ret_entry = &catalog->entries[i - 1];
                        return CATALOG_PRESENT;
                }
                absent = absent && strcasecmp(found, name) != 0;
        }
        return absent && !catalog->odd_chars[n_chars(name)] ? CATALOG_ABSENT : CATALOG_UNKNOWN;
}

/* ---- in order ---- */

static int by_name(const void *a, const void *b, void *userdata)
{
        const struct catalog *catalog = userdata;

        return strcmp(catalog_name(catalog, &catalog->entries[*(const uint32_t *) a]),
                      catalog_name(catalog, &catalog->entries[*(const uint32_t *) b]));
}

const uint32_t *catalog_sorted(struct catalog *catalog)
{
        if (catalog->sorted || catalog->n == 0 || catalog->n > SORTED_MAX)
                return catalog->sorted;
        catalog->sorted = malloc(catalog->n * sizeof(*catalog->sorted));
        if (!catalog->sorted)
                return NULL;
        for (uint32_t i = 0; i < catalog->n; i++)
                catalog->sorted[i] = i;
        qsort_r(catalog->sorted, catalog->n, sizeof(*catalog->sorted), by_name, catalog);
        return catalog->sorted;
}

size_t catalog_position(const struct catalog *catalog, const struct catalog_entry *entry)
{
        uint32_t number = (uint32_t) (entry - catalog->entries);
        size_t low = 0, high = catalog->n;

        while (high - low > 1) {
                size_t middle = low + (high - low) / 2;

                if (by_name(&catalog->sorted[middle], &number, (void *) catalog) <= 0)
                        low = middle;
                else
                        high = middle;
        }
        return low;
}
