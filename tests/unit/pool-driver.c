/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Owns the loop, the server and the pool of one test, and the requests that it makes. */

#include "pool-driver.h"

#include "fuse/smb/pool-internal.h"

#define ASKS_MAX 1024

static struct ask *asks[ASKS_MAX]; /* of the test that runs */
static unsigned n_asks;
static bool submitting;

/* ---- callbacks ---- */

static void on_authenticated(void *userdata, const char *user, const char *domain)
{
        struct driver *d = userdata;

        assert_int_equal(d->n_connected, 0); /* known before the connection is used */
        snprintf(d->session, sizeof d->session, "%s\\%s", domain, user);
}

static void on_connected(void *userdata, int status, const struct wn_error *err)
{
        struct driver *d = userdata;

        d->n_connected++;
        d->status = status;
        if (err)
                d->err = *err;
}

static void on_health(void *userdata, bool up, const char *reason)
{
        struct driver *d = userdata;

        assert_true(up == (*reason == '\0'));
        if (up)
                d->n_up++;
        else if (!d->reason[0])
                d->n_down++;
        snprintf(d->reason, sizeof(d->reason), "%s", reason);
}

static bool on_reclaim(void *userdata)
{
        struct driver *d = userdata;

        if (d->n_reclaims == 0)
                return false;
        d->n_reclaims--;
        arena_give(smb_pool_arena(d->pool), d->n_reclaims);
        return true;
}

static void on_done(struct smb_request *request)
{
        struct ask *ask = request->userdata;
        struct driver *d = ask->driver;

        assert_ptr_equal(request, &ask->request);
        assert_false(submitting); /* never from within */
        assert_int_equal(ask->n_done, 0);
        ask->n_done++;
        d->order[d->n_done++ % N_ELEMENTS(d->order)] = ask->number;
}

/* ---- life ---- */

int pool_setup(void **state)
{
        struct driver *d = calloc(1, sizeof *d);

        if (!d)
                return -1;
        n_asks = 0;
        d->event = loop_new();
        d->server = fake_server_new(d->server_path);
        if (!d->server)
                return -1;
        d->config = (struct smb_pool_config) {
                .event = d->event, .worker_program = FAKE_WORKER, .connect_usec = POOL_OPERATION_USEC,
                .operation_usec = POOL_OPERATION_USEC, .n_file_workers = 1, .worker_files = 1000, .authenticated = on_authenticated,
                .connected = on_connected, .health = on_health, .reclaim_slot = on_reclaim, .lock_fd = -1, .userdata = d,
        };
        snprintf(d->config.setup.share, sizeof d->config.setup.share, "%s", d->server_path);
        snprintf(d->config.setup.password, sizeof d->config.setup.password, "s3cret");
        d->config.setup.has_password = 1;
        *state = d;
        return 0;
}

void pool_stop(struct driver *d)
{
        smb_pool_free(d->pool);
        d->pool = NULL;
        LOOP_UNTIL(d->event, loop_no_children());
}

int pool_teardown(void **state)
{
        struct driver *d = *state;

        pool_stop(d);
        for (unsigned i = 0; i < n_asks; i++) {
                assert_int_equal(asks[i]->n_done, 1); /* every request has ended, once */
                free(asks[i]->request.path);
                free(asks[i]->request.path2);
                free(asks[i]);
        }
        for (unsigned i = 0; i < d->n_files; i++)
                smb_file_unref(d->files[i]);
        sd_event_unref(d->event);
        fake_server_free(d->server, d->server_path);
        free(d);
        return 0;
}

int pool_start(struct driver *d)
{
        assert_int_equal(smb_pool_new(&d->config, &d->pool), 0);
        assert_int_equal(d->n_connected, 0);
        LOOP_UNTIL(d->event, d->n_connected > 0);
        return d->status;
}

unsigned pool_n_workers(const struct driver *d)
{
        unsigned n = 0;

        for (unsigned i = 0; i < d->pool->n_links; i++)
                n += d->pool->links[i].pid > 0;
        return n;
}

/* ---- requests ---- */

struct ask *pool_ask(struct driver *d, enum smb_op op, const char *path, struct smb_file *file, uint32_t length,
                     uint64_t offset)
{
        struct ask *ask = calloc(1, sizeof *ask);

        assert_non_null(ask);
        assert_true(n_asks < ASKS_MAX);
        ask->driver = d;
        ask->number = n_asks;
        asks[n_asks++] = ask;
        ask->request = (struct smb_request) {
                .op = op, .path = path ? strdup(path) : NULL, .file = file, .length = length, .offset = offset,
                .slot = SMB_NO_SLOT, .done = on_done, .userdata = ask,
        };
        return ask;
}

void submit(struct ask *ask)
{
        submitting = true;
        smb_pool_submit(ask->driver->pool, &ask->request);
        submitting = false;
}

struct ask *pool_submit(struct driver *d, enum smb_op op, const char *path, struct smb_file *file, uint32_t length,
                        uint64_t offset)
{
        struct ask *ask = pool_ask(d, op, path, file, length, offset);

        submit(ask);
        return ask;
}

int pool_wait(struct ask *ask)
{
        LOOP_UNTIL(ask->driver->event, ask->n_done > 0);
        return ask->request.error;
}

int pool_do(struct driver *d, enum smb_op op, const char *path)
{
        return pool_wait(pool_submit(d, op, path, NULL, 0, 0));
}

struct smb_file *pool_open(struct driver *d, const char *path, int flags)
{
        struct ask *ask;

        assert_true(d->n_files < N_ELEMENTS(d->files));
        d->file = d->files[d->n_files++] = smb_file_new(d->pool, path, flags, false);
        assert_non_null(d->file);
        ask = pool_ask(d, SMB_OP_OPEN, path, d->file, 0, 0);
        ask->request.flags = (uint32_t) flags;
        ask->request.valid = SMB_WANT_ATTR;
        submit(ask);
        assert_int_equal(pool_wait(ask), 0);
        d->file->file_id = ask->request.attr.file_id;
        return d->file;
}

int pool_write(struct driver *d, struct smb_file *file, char byte)
{
        struct ask *ask = pool_ask(d, SMB_OP_WRITE, NULL, file, 1, 0);

        ask->request.slot = arena_take(smb_pool_arena(d->pool));
        *pool_slot(d, ask->request.slot) = (unsigned char) byte;
        submit(ask);
        (void) pool_wait(ask);
        smb_pool_give_slot(d->pool, ask->request.slot);
        return ask->request.error;
}

void pool_assert_text(struct driver *d, const char *text)
{
        struct ask *ask = pool_submit(d, SMB_OP_READ, NULL, d->file, 1000, 0);

        assert_int_equal(pool_wait(ask), 0);
        assert_int_equal(ask->request.reply_length, strlen(text));
        assert_memory_equal(pool_slot(d, ask->request.slot), text, strlen(text));
        smb_pool_give_slot(d->pool, ask->request.slot);
}

unsigned char *pool_slot(struct driver *d, uint32_t slot)
{
        assert_int_not_equal(slot, SMB_NO_SLOT);
        return arena_memory(smb_pool_arena(d->pool), slot);
}
