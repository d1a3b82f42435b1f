/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOOLS_WNET_OUTPUT_H
#define TOOLS_WNET_OUTPUT_H

/*
 * What the tool prints: lines, tables, errors, JSON. Text of servers, files and the daemon goes to a terminal only
 * through here: control characters, and those that turn the direction of writing, are shown as \x1b or \u202e, in JSON
 * as \u001b.
 */

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/cleanup.h"
#include "core/status.h"

static inline void cleanup_json(struct json_object **json)
{
        json_object_put(*json);
}
#define _cleanup_json_ _cleanup_(cleanup_json)

/* Text as it may be shown; the caller frees. Never NULL: when memory is short the program ends, as everywhere here. */
char *output_escape(const char *text);

/* How many columns of a terminal an escaped text takes. */
int output_width(const char *escaped);

/* printf() whose result is shown escaped, with a newline added. */
void output_line(FILE *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "wnet: TEXT (ERROR_NAME, NUMBER)" on standard error, then "hint: HINT" (NULL: none). Returns the exit code. */
int output_error(const struct wn_error *err, const char *hint);

/* A usage error: "wnet: TEXT" and where to read on (command NULL: the tool's help). Returns exit code 2. */
int output_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A table whose columns are as wide as what is in them. A row may have text of its own below it. */
struct table {
        const char *const *headings; /* NULL-terminated */
        size_t n_columns;
        char **cells; /* row after row, escaped */
        char **notes; /* one a row; NULL: none */
        size_t n_rows;
};

void table_init(struct table *ret_table, const char *const *headings);
void table_done(struct table *table);

/* Adds a row: one text for each column, copied; NULL and "" are shown as "-". */
void table_add(struct table *table, const char *const *cells);

/* Puts a text below the row that was added last. */
void table_note(struct table *table, const char *text);

void table_print(const struct table *table, FILE *f);

/* "512 B", "1.5 KiB", "20 MiB". */
#define OUTPUT_SIZE_MAX 16
const char *output_size(uint64_t size_bytes, char buffer[static OUTPUT_SIZE_MAX]);

/* A time (CLOCK_REALTIME µs) for people, "2025-01-31 23:59:59" local time; "" for 0. */
#define OUTPUT_TIME_MAX 48
const char *output_time(uint64_t time_usec, char buffer[static OUTPUT_TIME_MAX]);

/* The user's name, or the number where there is none. */
#define OUTPUT_USER_MAX 64
const char *output_user(uint32_t uid, char buffer[static OUTPUT_USER_MAX]);

/* A time in JSON: "2025-01-31T23:59:59Z", or null for 0. */
struct json_object *output_json_time(uint64_t time_usec);

/* A number, or null for 0. */
struct json_object *output_json_number(uint64_t number);

/* json_object_object_add() that cannot fail; consumes value. */
void output_json_add(struct json_object *object, const char *key, struct json_object *value /* takes */);
void output_json_text(struct json_object *object, const char *key, const char *text);

/* Prints json to standard output. */
void output_json(struct json_object *json);

/* Standard output at the end: code, or 1 with an error line when something could not be written to it (that nobody
 * reads a pipe any more is no error). */
int output_finish(int code);

#endif
