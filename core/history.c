/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One table, written by one process, kept open. It is not synced: a power failure may cost the last events, a killed daemon
 * none (write-ahead log). Another program that holds it locked makes an event be left out, never wait.
 */

#include "core/history.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/fold.h"
#include "core/log.h"

#define APPLICATION_ID 0x574e4548 /* "WNEH" */
#define TRIM_EVERY 500            /* events between two looks for old ones */

#define SCHEMA                                                                                                             \
        "CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY, when_usec INTEGER NOT NULL, device TEXT NOT NULL, "     \
        "remote TEXT NOT NULL, event TEXT NOT NULL, detail TEXT NOT NULL, program TEXT NOT NULL, pid INTEGER NOT NULL);"

struct history {
        sqlite3 *db; /* NULL: no history is kept */
        sqlite3_stmt *insert;
        unsigned n_added;
        bool failed;   /* to write the last event, and said so */
        char why[400]; /* or why there is no database */
};

static int keep_number(void *userdata, int n, char **values, char **names)
{
        long *number = userdata;

        (void) names;
        if (n == 1 && values[0])
                *number = strtol(values[0], NULL, 10);
        return 0;
}

/* Ours, or nobody's yet. */
static bool is_history(sqlite3 *db)
{
        long id = -1, n_tables = -1;

        if (sqlite3_exec(db, "PRAGMA application_id", keep_number, &id, NULL) != SQLITE_OK ||
            sqlite3_exec(db, "SELECT count(*) FROM sqlite_master", keep_number, &n_tables, NULL) != SQLITE_OK)
                return false;
        return id == APPLICATION_ID || (id == 0 && n_tables == 0);
}

static int trim(sqlite3 *db)
{
        char sql[128];

        snprintf(sql, sizeof(sql), "DELETE FROM event WHERE id <= (SELECT max(id) FROM event) - %d", HISTORY_EVENTS_MAX);
        return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int set_up(struct history *h)
{
        char identify[64];
        int code;

        snprintf(identify, sizeof(identify), "PRAGMA application_id=%d", APPLICATION_ID);
        if (!is_history(h->db))
                return SQLITE_NOTADB;
        code = sqlite3_exec(h->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; " SCHEMA, NULL, NULL, NULL);
        if (code == SQLITE_OK)
                code = sqlite3_exec(h->db, identify, NULL, NULL, NULL);
        if (code == SQLITE_OK)
                code = trim(h->db);
        if (code == SQLITE_OK)
                code = sqlite3_prepare_v3(h->db,
                                          "INSERT INTO event (when_usec, device, remote, event, detail, program, pid) "
                                          "VALUES (?,?,?,?,?,?,?)",
                                          -1, SQLITE_PREPARE_PERSISTENT, &h->insert, NULL);
        return code;
}

/* path with the links in its folder resolved; NULL: it cannot be, or out of memory. */
static char *resolve_folder(const char *path)
{
        const char *name = strrchr(path, '/');
        _cleanup_free_ char *folder = name ? strndup(path, (size_t) (name - path) + 1) : NULL;
        _cleanup_free_ char *resolved = folder ? realpath(folder, NULL) : NULL;
        char *joined;

        return resolved && asprintf(&joined, "%s%s", resolved, name) >= 0 ? joined : NULL;
}

static void close_database(struct history *h)
{
        sqlite3_finalize(TAKE_PTR(h->insert));
        sqlite3_close(TAKE_PTR(h->db));
}

/* SQLite's flag refuses links anywhere in a path, and a home directory often lies behind one. It stays for the file itself, though the
 * folder is private: so nothing else of the user's is ever written to. */
struct history *history_open(const char *path)
{
        _cleanup_free_ char *resolved = resolve_folder(path);
        struct history *h = calloc(1, sizeof(*h));
        int code;

        if (!h)
                return NULL;
        code = sqlite3_open_v2(resolved ? resolved : path, &h->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW, NULL);
        if (code == SQLITE_OK)
                code = set_up(h);
        if (code == SQLITE_OK)
                return h;
        snprintf(h->why, sizeof(h->why), "%s: %s%s", path, sqlite3_errstr(code),
                 code == SQLITE_NOTADB ? "; move the file away to begin a new one" : "");
        log_info("no history is kept: %s", h->why);
        close_database(h);
        return h;
}

void history_close(struct history *h)
{
        if (!h)
                return;
        close_database(h);
        free(h);
}

static int insert(struct history *h, uint64_t when_usec, const char *const texts[5], pid_t pid)
{
        int code = sqlite3_bind_int64(h->insert, 1, (int64_t) when_usec);

        for (int i = 0; code == SQLITE_OK && i < 5; i++)
                code = sqlite3_bind_text(h->insert, 2 + i, texts[i], -1, SQLITE_STATIC);
        if (code == SQLITE_OK)
                code = sqlite3_bind_int64(h->insert, 7, pid);
        if (code == SQLITE_OK)
                code = sqlite3_step(h->insert);
        sqlite3_reset(h->insert);
        sqlite3_clear_bindings(h->insert);
        return code == SQLITE_DONE ? SQLITE_OK : code;
}

void history_add(struct history *h, const char *device, const char *remote, const char *event, const char *detail,
                 const struct caller *caller)
{
        const char *const texts[5] = { device, remote, event, detail, caller && caller->pid ? caller->program : "wnetd" };
        int code;

        if (!h || !h->db)
                return;
        code = insert(h, clock_real_usec(), texts, caller ? caller->pid : 0);
        if (code == SQLITE_OK && ++h->n_added % TRIM_EVERY == 0)
                code = trim(h->db);
        if (code != SQLITE_OK)
                snprintf(h->why, sizeof(h->why), "%s", sqlite3_errmsg(h->db));
        if (code != SQLITE_OK && !h->failed)
                log_info("the history has gaps: %s", h->why);
        h->failed = code != SQLITE_OK;
}

static const char *text_of(sqlite3_stmt *stmt, int column)
{
        const char *text = (const char *) sqlite3_column_text(stmt, column);

        return text ? text : "";
}

int history_read(struct history *h, const char *device, uint32_t n_max,
                 int (*each)(void *userdata, const struct history_event *event), void *userdata, struct wn_error *err)
{
        sqlite3_stmt *stmt = NULL;
        uint32_t n = 0;
        locale_t fold;
        int code, r = 0;

        if (!h || !h->db)
                return error_set(err, ERROR_EXTENDED_ERROR, 0, "history", "no history is kept: %s; wnetd tries again when it starts anew",
                                 h ? h->why : strerror(ENOMEM));
        fold = fold_new();
        code = sqlite3_prepare_v2(h->db,
                                  "SELECT when_usec, device, remote, event, detail, program, pid FROM event ORDER BY id DESC", -1, &stmt,
                                  NULL);
        while (code == SQLITE_OK && r == 0 && n < n_max && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
                const struct history_event event = {
                        .when_usec = (uint64_t) sqlite3_column_int64(stmt, 0),
                        .device = text_of(stmt, 1),
                        .remote = text_of(stmt, 2),
                        .event = text_of(stmt, 3),
                        .detail = text_of(stmt, 4),
                        .program = text_of(stmt, 5),
                        .pid = (pid_t) sqlite3_column_int64(stmt, 6),
                };

                code = SQLITE_OK;
                if (device && !fold_same(fold, device, event.device))
                        continue;
                r = each(userdata, &event);
                n++;
        }
        sqlite3_finalize(stmt);
        if (fold)
                freelocale(fold);
        if (r != 0)
                return r;
        if (code != SQLITE_OK && code != SQLITE_DONE)
                return error_set(err, ERROR_EXTENDED_ERROR, 0, "history", "the history cannot be read: %s", sqlite3_errstr(code));
        if (n == 0 && h->failed)
                return error_set(err, ERROR_EXTENDED_ERROR, 0, "history", "the history has gaps: what happened last could not be written: %s",
                                 h->why);
        return 0;
}
