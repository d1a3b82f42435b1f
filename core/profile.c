/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rows of the profile: what makes one valid, reading all of them, putting one and deleting one. Owns the table's columns; the
 * file and its transactions are the business of profile-file.c, profile-create.c and profile-change.c.
 */

#include "core/profile.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/name.h"
#include "core/profile-internal.h"
#include "core/utf8.h"

#define TEXT_MAX_BYTES 256 /* user, domain, provider */

enum column { DEVICE, REMOTE, TYPE, USER, DOMAIN, PROVIDER, READ_ONLY, SECRET, CREDENTIALS_FILE, SINCE_USEC };

#define COLUMNS "device, remote, type, user, domain, provider, read_only, secret, credentials_file, since_usec"

void profile_row_done(struct profile_row *row)
{
        free(row->device);
        free(row->remote);
        free(row->user);
        free(row->domain);
        free(row->provider);
        free(row->credentials_file);
        *row = (struct profile_row){ 0 };
}

void profile_rows_done(struct profile_rows *rows)
{
        for (size_t i = 0; i < rows->n_items; i++)
                profile_row_done(&rows->items[i]);
        free(rows->items);
        *rows = (struct profile_rows){ 0 };
}

/* A text without control characters that is not empty. */
static bool is_text(const char *text, size_t max_bytes)
{
        size_t size_bytes = text ? strnlen(text, max_bytes + 1) : 0;

        return size_bytes > 0 && size_bytes <= max_bytes && utf8_is_clean(text, size_bytes);
}

/* What is wrong with a row; NULL: nothing. */
static const char *find_fault(const struct profile_row *row)
{
        struct remote_name remote = { 0 };
        struct device_name device;

        if (device_parse(row->device, &device) != 0 || strcmp(device.text, row->device) != 0)
                return "device";
        if (!row->remote || strncmp(row->remote, "\\\\", 2) != 0 || remote_name_parse(row->remote, &remote) != 0)
                return "remote";
        remote_name_done(&remote);
        if (row->type != (device.kind == DEVICE_DRIVE ? RESOURCETYPE_DISK : RESOURCETYPE_PRINT))
                return "type";
        if (row->user && !is_text(row->user, TEXT_MAX_BYTES))
                return "user";
        if (row->domain && !is_text(row->domain, TEXT_MAX_BYTES))
                return "domain";
        if (!is_text(row->provider, TEXT_MAX_BYTES))
                return "provider";
        if (row->secret > PROFILE_SECRET_SERVICE)
                return "secret";
        if ((row->secret == PROFILE_SECRET_FILE) != (row->credentials_file != NULL) ||
            (row->credentials_file &&
             (row->credentials_file[0] != '/' || !is_text(row->credentials_file, PATH_MAX - 1))))
                return "credentials_file";
        if (row->since_usec > INT64_MAX)
                return "since_usec";
        return NULL;
}

/* 1, 0 (not a text as we write them) or -ENOMEM. */
static int read_text(sqlite3_stmt *stmt, enum column column, char **ret_text)
{
        const char *text;

        *ret_text = NULL;
        if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
                return 1;
        if (sqlite3_column_type(stmt, column) != SQLITE_TEXT)
                return 0;
        text = (const char *) sqlite3_column_text(stmt, column);
        if (!text)
                return -ENOMEM;
        if (strlen(text) != (size_t) sqlite3_column_bytes(stmt, column))
                return 0;
        *ret_text = strdup(text);
        return *ret_text ? 1 : -ENOMEM;
}

static bool read_number(sqlite3_stmt *stmt, enum column column, int64_t max, int64_t *ret_number)
{
        int64_t number = sqlite3_column_int64(stmt, column);

        if (sqlite3_column_type(stmt, column) != SQLITE_INTEGER || number < 0 || number > max)
                return false;
        *ret_number = number;
        return true;
}

/* row is zeroed; what it got is freed by the caller in any case. */
static int read_row(sqlite3_stmt *stmt, struct profile_row *row, const char *path, struct wn_error *err)
{
        const struct {
                enum column column;
                char **text;
        } texts[] = {
                { DEVICE, &row->device }, { REMOTE, &row->remote },     { USER, &row->user },
                { DOMAIN, &row->domain }, { PROVIDER, &row->provider }, { CREDENTIALS_FILE, &row->credentials_file },
        };
        int64_t type, read_only, secret, since_usec;
        const char *fault;

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                int r = read_text(stmt, texts[i].column, texts[i].text);

                if (r < 0)
                        return r;
                if (r == 0)
                        return profile_bad(path, err, "a row has a malformed %s", sqlite3_column_name(stmt, texts[i].column));
        }
        if (!read_number(stmt, TYPE, RESOURCETYPE_PRINT, &type) || !read_number(stmt, READ_ONLY, 1, &read_only) ||
            !read_number(stmt, SECRET, PROFILE_SECRET_SERVICE, &secret) ||
            !read_number(stmt, SINCE_USEC, INT64_MAX, &since_usec))
                return profile_bad(path, err, "a row has a malformed number");
        row->type = (uint32_t) type;
        row->read_only = read_only;
        row->secret = (enum profile_secret) secret;
        row->since_usec = (uint64_t) since_usec;

        fault = find_fault(row);
        return fault ? profile_bad(path, err, "a row has a malformed %s", fault) : 0;
}

int profile_read_rows(sqlite3 *db, struct profile_rows *ret_rows, const char *path, struct wn_error *err)
{
        _cleanup_(cleanup_sqlite3_finalize) sqlite3_stmt *stmt = NULL;
        _cleanup_(profile_rows_done) struct profile_rows rows = { 0 };
        int r = profile_check_schema(db, path, NULL, err), code;

        if (r != 0)
                return r;
        rows.items = calloc(PROFILE_ROWS_MAX, sizeof(*rows.items));
        if (!rows.items)
                return -ENOMEM;
        code = sqlite3_prepare_v2(db, "SELECT " COLUMNS " FROM device ORDER BY device", -1, &stmt, NULL);
        if (code != SQLITE_OK)
                return profile_map_sqlite(code, db, path, err);
        while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
                if (rows.n_items >= PROFILE_ROWS_MAX)
                        return profile_bad(path, err, "it has more rows than there are devices");
                r = read_row(stmt, &rows.items[rows.n_items++], path, err);
                if (r != 0)
                        return r;
        }
        if (code != SQLITE_DONE)
                return profile_map_sqlite(code, db, path, err);
        *ret_rows = rows;
        rows = (struct profile_rows){ 0 };
        return 0;
}

int profile_load(const char *path, struct profile_rows *ret_rows, struct wn_error *err)
{
        _cleanup_(cleanup_sqlite3_close) sqlite3 *db = NULL;
        int r = profile_open_to_read(path, &db, err);

        if (r == -ENOENT) {
                *ret_rows = (struct profile_rows){ 0 };
                return 0;
        }
        return r != 0 ? r : profile_read_rows(db, ret_rows, path, err);
}

int profile_stage_delete(const char *path, const char *device, struct profile_change **ret_change, struct wn_error *err)
{
        _cleanup_(profile_rollbackp) struct profile_change *change = NULL;
        _cleanup_(profile_rows_done) struct profile_rows rows = { 0 };
        _cleanup_(cleanup_sqlite3_finalize) sqlite3_stmt *stmt = NULL;
        bool found = false;
        int r = profile_begin_change(path, &change, &rows, err), code;

        if (r != 0 && r != -ENOENT)
                return r;
        for (size_t i = 0; i < rows.n_items; i++)
                found = found || strcmp(rows.items[i].device, device) == 0;
        if (!found) {
                *ret_change = NULL;
                return 0;
        }

        code = sqlite3_prepare_v2(change->db, "DELETE FROM device WHERE device = ?", -1, &stmt, NULL);
        if (code == SQLITE_OK)
                code = sqlite3_bind_text(stmt, 1, device, -1, SQLITE_STATIC);
        r = profile_stage(change, stmt, code, err);
        if (r == 0)
                *ret_change = TAKE_PTR(change);
        return r;
}

static int bind_row(sqlite3_stmt *stmt, const struct profile_row *row)
{
        const struct {
                enum column column;
                const char *text;
        } texts[] = {
                { DEVICE, row->device }, { REMOTE, row->remote },     { USER, row->user },
                { DOMAIN, row->domain }, { PROVIDER, row->provider }, { CREDENTIALS_FILE, row->credentials_file },
        };
        const struct {
                enum column column;
                int64_t number;
        } numbers[] = {
                { TYPE, row->type },
                { READ_ONLY, row->read_only },
                { SECRET, row->secret },
                { SINCE_USEC, (int64_t) row->since_usec },
        };
        int code = SQLITE_OK;

        for (size_t i = 0; code == SQLITE_OK && i < sizeof(texts) / sizeof(texts[0]); i++) /* NULL is bound as NULL */
                code = sqlite3_bind_text(stmt, texts[i].column + 1, texts[i].text, -1, SQLITE_STATIC);
        for (size_t i = 0; code == SQLITE_OK && i < sizeof(numbers) / sizeof(numbers[0]); i++)
                code = sqlite3_bind_int64(stmt, numbers[i].column + 1, numbers[i].number);
        return code;
}

int profile_stage_put(const char *path, const struct profile_row *row, struct profile_change **ret_change,
                      struct wn_error *err)
{
        _cleanup_(profile_rollbackp) struct profile_change *change = NULL;
        _cleanup_(cleanup_sqlite3_finalize) sqlite3_stmt *stmt = NULL;
        const char *fault = find_fault(row);
        int r, code;

        if (fault)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "profile",
                                 "the device cannot be remembered: its %s is malformed",
                                 fault);
        r = profile_begin_put(path, &change, err);
        if (r != 0)
                return r;

        code = sqlite3_prepare_v2(change->db, "INSERT OR REPLACE INTO device (" COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?)", -1, &stmt,
                                  NULL);
        if (code == SQLITE_OK)
                code = bind_row(stmt, row);
        r = profile_stage(change, stmt, code, err);
        if (r == 0)
                *ret_change = TAKE_PTR(change);
        return r;
}
