/* SPDX-License-Identifier: GPL-3.0-or-later */

/* core/history.c: what is written down, and that nothing fails because of it. */

#include "unit.h"

#include <sqlite3.h>

#include "core/history.h"

struct seen {
        unsigned n;
        char text[4096];
};

static int note(void *userdata, const struct history_event *event)
{
        struct seen *seen = userdata;
        size_t used = strlen(seen->text);

        assert_true(event->when_usec > 0);
        seen->n++;
        snprintf(seen->text + used, sizeof(seen->text) - used, "%s %s %s %s %s %d|", event->device, event->remote, event->event,
                 event->detail, event->program, (int) event->pid);
        return 0;
}

static int stop(void *userdata, const struct history_event *event)
{
        (void) event;
        ++*(unsigned *) userdata;
        return 7;
}

static void written_and_read(void **state)
{
        const char *path = in_folder(state, "history.db");
        const struct caller editor = { .pid = 42, .program = "editor" };
        struct history *h = history_open(path);
        struct seen all = { 0 }, one = { 0 }, nocase = { 0 }, latest = { 0 };
        unsigned n_stopped = 0;

        assert_non_null(h);
        history_add(h, "Z:", "r1", "connected", "", &editor);
        history_add(h, "Y:", "r2", "failed", "no server", NULL);
        history_close(h);

        h = history_open(path); /* it is kept */
        assert_non_null(h);
        history_add(h, "\\\\h\\Data\\\xc3\x84", "r3", "connected", "", &editor);
        assert_int_equal(history_read(h, "\\\\H\\dATA\\\xc3\xa4", 100, note, &nocase, NULL), 0);
        assert_string_equal(nocase.text, "\\\\h\\Data\\\xc3\x84 r3 connected  editor 42|");
        history_add(h, "Z:", "r1", "disconnected", "by force", &editor);
        assert_int_equal(history_read(h, NULL, 100, note, &all, NULL), 0);
        assert_string_equal(all.text, "Z: r1 disconnected by force editor 42|\\\\h\\Data\\\xc3\x84 r3 connected  editor 42|"
                                      "Y: r2 failed no server wnetd 0|Z: r1 connected  editor 42|");
        assert_int_equal(history_read(h, "Y:", 100, note, &one, NULL), 0);
        assert_int_equal(one.n, 1);
        assert_int_equal(history_read(h, "Z:", 1, note, &latest, NULL), 0);
        assert_string_equal(latest.text, "Z: r1 disconnected by force editor 42|");
        assert_int_equal(history_read(h, NULL, 100, stop, &n_stopped, NULL), 7);
        assert_int_equal(n_stopped, 1);
        history_close(h);
}

static void old_events_go(void **state)
{
        struct history *h = history_open(in_folder(state, "history.db"));
        char detail[16];
        struct seen oldest = { 0 };

        for (int i = 0; i < HISTORY_EVENTS_MAX + 1200; i++) {
                snprintf(detail, sizeof(detail), "%d", i);
                history_add(h, "Z:", "r", "connected", detail, NULL);
        }
        assert_int_equal(history_read(h, NULL, HISTORY_EVENTS_MAX + 2000, note, &oldest, NULL), 0);
        assert_in_range(oldest.n, HISTORY_EVENTS_MAX, HISTORY_EVENTS_MAX + 500);
        history_close(h);
}

/* Without a history everything goes on, and who reads it is told why there is none. */
static void assert_not_kept(const char *path)
{
        struct history *h = history_open(path);
        struct wn_error err = { 0 };
        struct seen none = { 0 };

        assert_non_null(h);
        history_add(h, "Z:", "r", "connected", "", NULL);
        assert_int_equal(history_read(h, NULL, 10, note, &none, &err), ERROR_EXTENDED_ERROR);
        assert_int_equal(err.status, ERROR_EXTENDED_ERROR);
        assert_non_null(strstr(err.text, path));
        assert_int_equal(none.n, 0);
        history_close(h);
}

/* A file that is something else is left alone, and everything goes on without a history. */
static void not_ours(void **state)
{
        const char *garbage = in_folder(state, "garbage.db"), *other = in_folder(state, "other.db");
        struct seen none = { 0 };
        struct bytes before;
        sqlite3 *db;

        write_text(garbage, "this is no database, and it is longer than a header would be: 0123456789012345678901234567890123456789");
        read_bytes(garbage, &before);
        assert_not_kept(garbage);
        assert_file_is(garbage, &before);

        assert_int_equal(sqlite3_open(other, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "CREATE TABLE t (x)", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        assert_not_kept(other);
        assert_not_kept("/nonexistent/history.db");
        assert_not_kept(in_folder(state, "."));

        history_add(NULL, "Z:", "r", "connected", "", NULL);
        assert_int_equal(history_read(NULL, NULL, 10, note, &none, NULL), ERROR_EXTENDED_ERROR);
        assert_int_equal(none.n, 0);
        history_close(NULL);
}

/* A folder may lie behind a symbolic link, as /home does on many a machine; the file may be none. */
static void behind_a_link(void **state)
{
        const char *real = in_folder(state, "real"), *link = in_folder(state, "link"), *file = in_folder(state, "link/history.db");
        struct seen seen = { 0 };
        struct history *h;

        assert_int_equal(mkdir(real, 0700), 0);
        assert_int_equal(mkdir(in_folder(state, "real/wnet"), 0700), 0);
        assert_int_equal(symlink(real, link), 0);
        h = history_open(in_folder(state, "link/wnet/history.db"));
        assert_non_null(h);
        history_add(h, "Z:", "r", "connected", "", NULL);
        assert_int_equal(history_read(h, NULL, 10, note, &seen, NULL), 0);
        assert_int_equal(seen.n, 1);
        history_close(h);
        assert_int_equal(access(in_folder(state, "real/wnet/history.db"), F_OK), 0);

        assert_int_equal(symlink("wnet/history.db", file), 0);
        assert_not_kept(file);
}

/* Somebody else's lock costs the event, and no time. */
static void locked(void **state)
{
        const char *path = in_folder(state, "history.db");
        struct history *h = history_open(path);
        struct wn_error err = { 0 };
        struct seen seen = { 0 };
        sqlite3 *db;

        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
        history_add(h, "Z:", "r", "connected", "left out", NULL);
        assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        assert_int_equal(history_read(h, NULL, 10, note, &seen, &err), ERROR_EXTENDED_ERROR); /* not that nothing has happened */
        assert_non_null(strstr(err.text, "locked"));
        history_add(h, "Z:", "r", "disconnected", "", NULL);
        assert_int_equal(history_read(h, NULL, 10, note, &seen, NULL), 0);
        assert_string_equal(seen.text, "Z: r disconnected  wnetd 0|");
        history_close(h);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
        const struct CMUnitTest tests[] = {
                IN_FOLDER(written_and_read),
                IN_FOLDER(old_events_go),
                IN_FOLDER(not_ours),
                IN_FOLDER(behind_a_link),
                IN_FOLDER(locked),
        };

        return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
