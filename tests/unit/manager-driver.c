/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Owns the manager, its folder and the answers of one test. */

#include "manager-driver.h"

#include <sqlite3.h>

static void on_changed(void *userdata, struct connection *c, const char *state_name)
{
        struct driver *d = userdata;
        size_t length = strlen(d->states);

        snprintf(d->states + length, sizeof d->states - length, "%s %s\n", c->name, state_name);
}

int manager_setup(void **state)
{
        struct driver *d = calloc(1, sizeof *d);
        void *folder;

        if (!d || make_folder(&folder) < 0)
                return -1;
        d->folder = folder;
        snprintf(d->profile, sizeof d->profile, "%s/profile.db", d->folder);
        d->event = loop_new();
        if (manager_init(&d->manager, d->event, fake_redirector(d->event), "/tmp/wnet-unit-drives", d->profile) != 0)
                return -1;
        d->manager.changed = on_changed;
        d->manager.userdata = d;
        *state = d;
        return 0;
}

int manager_teardown(void **state)
{
        struct driver *d = *state;
        void *folder = d->folder;

        if (!d->manager_done)
                manager_done(&d->manager);
        for (unsigned i = 0; i < d->n_answers; i++)
                assert_int_equal(d->answers[i].n, 1);
        assert_int_equal(fake_n_redirectors(), 0);
        sd_event_unref(d->event);
        free(d);
        return remove_folder(&folder);
}

/* ---- asking ---- */

static struct answer *new_answer(struct driver *d)
{
        assert_true(d->n_answers < ANSWERS_MAX);
        d->answers[d->n_answers].driver = d;
        return &d->answers[d->n_answers++];
}

static void on_added(void *userdata, int status, const struct wn_error *err, struct connection *c)
{
        struct answer *answer = userdata;

        answer->n++;
        answer->status = status;
        if (status == NO_ERROR) {
                assert_non_null(c);
                assert_int_equal(c->state, CONNECTION_OK);
                answer->connection = c;
                return;
        }
        assert_null(c);
        assert_int_equal(err->status, status);
        assert_true(err->text[0]);
        answer->err = *err;
}

static void on_cancelled(void *userdata, const struct cancel_outcome *outcome)
{
        struct answer *answer = userdata;

        answer->n++;
        answer->status = outcome->status;
        answer->err = outcome->err;
        assert_true(outcome->status == NO_ERROR || outcome->err.status == outcome->status);
        assert_true(outcome->status == NO_ERROR || outcome->err.text[0]);
        answer->n_in_use = outcome->n_in_use;
        if (outcome->n_in_use > 0) {
                snprintf(answer->in_use, sizeof answer->in_use, "%s", outcome->in_use[0].name);
                answer->n_holders = outcome->in_use[0].holders.total;
        }
        answer->n_lost = outcome->n_lost;
        if (outcome->n_lost > 0)
                snprintf(answer->lost, sizeof answer->lost, "%s %s %u", outcome->lost[0].name, outcome->lost[0].path,
                         (unsigned) outcome->lost[0].bytes);
}

struct answer *begin_request(struct driver *d, const struct add_request *request)
{
        struct answer *answer = new_answer(d);
        int r = manager_add(&d->manager, request, on_added, answer, &answer->err);

        assert_int_equal(answer->n, 0); /* never from within */
        if (r != 0) {
                assert_true(r > 0);
                assert_int_equal(answer->err.status, r);
                assert_true(answer->err.text[0]);
                answer->status = r;
                answer->n = 1;
        }
        return answer;
}

struct answer *begin_add(struct driver *d, const char *local, const char *remote, bool persistent)
{
        const struct add_request request = {
                .local = local, .remote = remote, .type = RESOURCETYPE_DISK, .persistent = persistent,
        };

        return begin_request(d, &request);
}

struct answer *begin_cancel(struct driver *d, const char *name, uint32_t flags, bool force)
{
        const struct cancel_request request = { .name = name, .flags = flags, .force = force };
        struct answer *answer = new_answer(d);

        assert_int_equal(manager_cancel(&d->manager, &request, on_cancelled, answer), 0);
        assert_int_equal(answer->n, 0);
        return answer;
}

struct answer *begin_waiting_cancel(struct driver *d, const char *name, uint32_t flags, uint64_t wait_usec, const void *owner)
{
        const struct cancel_request request = { .name = name, .flags = flags, .wait_usec = wait_usec, .caller.owner = owner };
        struct answer *answer = new_answer(d);

        assert_int_equal(manager_cancel(&d->manager, &request, on_cancelled, answer), 0);
        return answer;
}

struct answer *begin_forget(struct driver *d, const char *name)
{
        struct answer *answer = new_answer(d);

        assert_int_equal(manager_forget(&d->manager, name, &(struct caller){ 0 }, on_cancelled, answer), 0);
        return answer;
}

struct answer *begin_shutdown(struct driver *d, bool force)
{
        struct answer *answer = new_answer(d);

        assert_int_equal(manager_shutdown(&d->manager, force, &(struct caller){ 0 }, on_cancelled, answer), 0);
        assert_int_equal(answer->n, 0);
        return answer;
}

int wait_for(struct answer *answer)
{
        LOOP_UNTIL(answer->driver->event, answer->n > 0);
        return answer->status;
}

int add(struct driver *d, const char *local, const char *remote, bool persistent)
{
        return wait_for(begin_add(d, local, remote, persistent));
}

int cancel(struct driver *d, const char *name, uint32_t flags, bool force)
{
        return wait_for(begin_cancel(d, name, flags, force));
}

/* ---- looking ---- */

struct connection *find(struct driver *d, const char *name)
{
        struct connection *c;

        TAILQ_FOREACH(c, &d->manager.connections, entry)
                if (c->state != CONNECTION_GONE && strcmp(c->name, name) == 0)
                        return c;
        return NULL;
}

const char *state_of(struct driver *d, const char *name)
{
        const struct connection *c = find(d, name);

        return c ? connection_state_name(c->state) : "none";
}

void open_file(struct connection *c, struct handle *handle)
{
        assert_int_equal(handle_table_add(&c->handles, handle, "some/file", false, O_RDWR, getpid()), 0);
}

void close_file(struct connection *c, struct handle *handle)
{
        handle_table_remove(&c->handles, handle);
}

/* ---- the profile ---- */

void put_row(struct driver *d, const char *device, const char *remote)
{
        const struct profile_row row = {
                .device = (char *) device, .remote = (char *) remote, .type = RESOURCETYPE_DISK,
                .provider = (char *) "wnet",
        };
        struct profile_change *change = NULL;

        assert_int_equal(profile_stage_put(d->profile, &row, &change, NULL), 0);
        assert_int_equal(profile_commit(change, NULL), 0);
}

int count_rows(struct driver *d)
{
        struct profile_rows rows = { 0 };
        int r = profile_load(d->profile, &rows, NULL), n = (int) rows.n_items;

        profile_rows_done(&rows);
        return r == 0 ? n : -1;
}

bool has_row(struct driver *d, const char *device)
{
        struct profile_rows rows = { 0 };
        bool found = false;

        assert_int_equal(profile_load(d->profile, &rows, NULL), 0);
        for (size_t i = 0; i < rows.n_items; i++)
                found = found || strcmp(rows.items[i].device, device) == 0;
        profile_rows_done(&rows);
        return found;
}

void *lock_profile(struct driver *d)
{
        sqlite3 *db = NULL;

        assert_int_equal(sqlite3_open(d->profile, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
        return db;
}

void unlock_profile(void *lock)
{
        assert_int_equal(sqlite3_exec(lock, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(lock), SQLITE_OK);
}

void break_profile(struct driver *d)
{
        (void) unlink(d->profile);
        write_text(d->profile, "this is not a profile, whatever its name says\n");
}

void block_profile(struct driver *d)
{
        (void) unlink(d->profile);
        assert_int_equal(mkdir(d->profile, 0700), 0);
}

void put_profile_aside(struct driver *d)
{
        char aside[sizeof d->profile + 8];

        snprintf(aside, sizeof aside, "%s.aside", d->profile);
        assert_int_equal(rename(d->profile, aside), 0);
}

void put_profile_back(struct driver *d)
{
        char aside[sizeof d->profile + 8];

        snprintf(aside, sizeof aside, "%s.aside", d->profile);
        (void) remove(d->profile);
        assert_int_equal(rename(aside, d->profile), 0);
}
