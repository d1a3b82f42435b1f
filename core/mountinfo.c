/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Reads the mount table. Always true: only the text of /proc/self/mountinfo is used, no path in it is ever looked up.
 */

#include "core/mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>

#include "core/cleanup.h"

#define MOUNTINFO_MAX_BYTES (64 * 1024 * 1024) /* the kernel allows 100000 mounts */

static void entry_done(struct mountinfo_entry *entry)
{
        free(entry->mountpoint);
        free(entry->fstype);
        free(entry->source);
        *entry = (struct mountinfo_entry) { 0 };
}

/* Decodes "\040" and its like in place. */
static void unescape(char *text)
{
        char *out = text;

        while (*text) {
                if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' && text[2] <= '7' &&
                    text[3] >= '0' && text[3] <= '7') {
                        *out++ = (char) ((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
                        text += 4;
                } else
                        *out++ = *text++;
        }
        *out = '\0';
}

/* Cuts the next field off. Fields may be empty (a mount without a source), so that each space counts. NULL: no more. */
static char *next_field(char **line)
{
        return *line ? strsep(line, " ") : NULL;
}

static bool parse_number(const char *text, char end, unsigned *ret_number, const char **ret_rest)
{
        uint64_t number = 0;
        size_t n = strspn(text, "0123456789");

        if (n < 1 || n > 10 || text[n] != end)
                return false;
        for (size_t i = 0; i < n; i++)
                number = number * 10 + (uint64_t) (text[i] - '0');
        if (number > UINT32_MAX)
                return false;
        *ret_number = (unsigned) number;
        *ret_rest = text + n + (end ? 1 : 0);
        return true;
}

/* The number behind "user_id=" in a list of options; -1 where there is none. */
static long find_user_id(char *options)
{
        char *option;

        while (options && (option = strsep(&options, ","))) {
                const char *rest;
                unsigned id;

                if (strncmp(option, "user_id=", 8) == 0 && parse_number(option + 8, '\0', &id, &rest))
                        return (long) id;
        }
        return -1;
}

/* Line: "36 35 98:0 /root /mountpoint options [optional …] - fstype source superoptions". 1, 0 (not understood) or
 * -ENOMEM. */
static int parse_line(char *line, struct mountinfo_entry *ret_entry)
{
        struct mountinfo_entry entry = { 0 };
        char *fields[6], *field, *fstype, *source, *options;
        const char *rest;

        for (size_t i = 0; i < 6; i++)
                if (!(fields[i] = next_field(&line)))
                        return 0;
        do
                field = next_field(&line);
        while (field && strcmp(field, "-") != 0);
        fstype = next_field(&line);
        source = next_field(&line);
        options = next_field(&line);
        if (!options || fields[4][0] != '/' || !parse_number(fields[2], ':', &entry.major, &rest) ||
            !parse_number(rest, '\0', &entry.minor, &rest))
                return 0;

        unescape(fields[4]);
        unescape(fstype);
        unescape(source);
        entry.user_id = find_user_id(options);
        entry.mountpoint = strdup(fields[4]);
        entry.fstype = strdup(fstype);
        entry.source = strdup(source);
        if (!entry.mountpoint || !entry.fstype || !entry.source) {
                entry_done(&entry);
                return -ENOMEM;
        }
        *ret_entry = entry;
        return 1;
}

int mountinfo_parse(const char *text, struct mountinfo *ret_table)
{
        _cleanup_(mountinfo_done) struct mountinfo table = { 0 };
        _cleanup_free_ char *copy = strdup(text);
        char *next = copy;
        size_t n_lines = 1;
        int r;

        if (!copy)
                return -ENOMEM;
        for (const char *p = text; (p = strchr(p, '\n')); p++)
                n_lines++;
        table.entries = calloc(n_lines, sizeof *table.entries);
        if (!table.entries)
                return -ENOMEM;

        while (next) {
                char *line = strsep(&next, "\n");

                r = parse_line(line, &table.entries[table.n_entries]);
                if (r < 0)
                        return r;
                table.n_entries += (size_t) r;
        }
        *ret_table = table;
        table = (struct mountinfo) { 0 };
        return 0;
}

int mountinfo_read(struct mountinfo *ret_table)
{
        _cleanup_free_ char *text = NULL;
        _cleanup_close_ int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
        size_t used = 0, size_bytes = 0;

        if (fd < 0)
                return -errno;
        for (;;) {
                ssize_t n;

                if (size_bytes - used < 4096) {
                        char *larger;

                        if (size_bytes >= MOUNTINFO_MAX_BYTES)
                                return -E2BIG;
                        size_bytes = size_bytes ? 2 * size_bytes : 65536;
                        larger = realloc(text, size_bytes);
                        if (!larger)
                                return -ENOMEM;
                        text = larger;
                }
                n = read(fd, text + used, size_bytes - used - 1);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                used += (size_t) n;
        }
        text[used] = '\0';
        return mountinfo_parse(text, ret_table);
}

void mountinfo_done(struct mountinfo *table)
{
        for (size_t i = 0; i < table->n_entries; i++)
                entry_done(&table->entries[i]);
        free(table->entries);
        *table = (struct mountinfo) { 0 };
}

const struct mountinfo_entry *mountinfo_find(const struct mountinfo *table, const char *path)
{
        for (size_t i = table->n_entries; i > 0; i--)
                if (strcmp(table->entries[i - 1].mountpoint, path) == 0)
                        return &table->entries[i - 1];
        return NULL;
}

static bool is_below(const char *path, const char *folder)
{
        size_t n = strcmp(folder, "/") == 0 ? 0 : strlen(folder);

        return strncmp(path, folder, n) == 0 && path[n] == '/' && path[n + 1];
}

const struct mountinfo_entry *mountinfo_find_stacked(const struct mountinfo *table, const char *path)
{
        const struct mountinfo_entry *own = NULL;

        /* What is mounted at path before the drive lies under it, and keeps nothing busy. */
        for (size_t i = 0; i < table->n_entries && !own; i++)
                if (strcmp(table->entries[i].mountpoint, path) == 0 &&
                    strcmp(table->entries[i].fstype, MOUNTINFO_FSTYPE) == 0)
                        own = &table->entries[i];
        if (!own) {
                for (size_t i = 0; i < table->n_entries && !own; i++)
                        if (strcmp(table->entries[i].mountpoint, path) == 0)
                                own = &table->entries[i];
        }

        for (size_t i = 0; i < table->n_entries; i++) {
                const struct mountinfo_entry *entry = &table->entries[i];

                if (is_below(entry->mountpoint, path) || (own && entry > own && strcmp(entry->mountpoint, path) == 0))
                        return entry;
        }
        return NULL;
}

const struct mountinfo_entry *mountinfo_find_wnet_above(const struct mountinfo *table, const char *path)
{
        for (size_t i = table->n_entries; i > 0; i--) {
                const struct mountinfo_entry *entry = &table->entries[i - 1];

                if (strcmp(entry->fstype, MOUNTINFO_FSTYPE) == 0 &&
                    (strcmp(entry->mountpoint, path) == 0 || is_below(path, entry->mountpoint)))
                        return entry;
        }
        return NULL;
}
