/* SPDX-License-Identifier: GPL-3.0-or-later */

/* fuse/smb/pool.c, fuse/smb/link.c: connecting, requests and their order, slots, and the pool's end. */

#include "pool-driver.h"

static void connects(void **state)
{
        struct driver *d = *state;

        snprintf(d->config.setup.user, sizeof d->config.setup.user, "alice");
        snprintf(d->config.setup.domain, sizeof d->config.setup.domain, "DOM");
        assert_int_equal(pool_start(d), NO_ERROR);
        loop_for(d->event, 50000);
        assert_int_equal(d->n_connected, 1);
        assert_string_equal(d->session, "DOM\\alice");
        assert_string_equal(d->server->setup.password, "s3cret");
        assert_int_equal(d->n_up + d->n_down, 0);
}

static void refused(void **state)
{
        struct driver *d = *state;

        d->server->connect_status = ERROR_ACCESS_DENIED;
        d->server->connect_cause = 0xc0000022;
        snprintf(d->server->connect_text, sizeof d->server->connect_text, "not for you");
        assert_int_equal(pool_start(d), ERROR_ACCESS_DENIED);
        assert_int_equal(d->err.status, ERROR_ACCESS_DENIED);
        assert_int_equal(d->err.cause, (int) 0xc0000022);
        assert_string_equal(d->err.text, "not for you");
        loop_for(d->event, 50000);
        assert_int_equal(d->n_connected, 1);
}

static void worker_dies_connecting(void **state)
{
        struct driver *d = *state;

        fake_break(d->server, FAKE_CONNECT, "*", FAKE_EXIT, 3, -1);
        assert_int_equal(pool_start(d), ERROR_EXTENDED_ERROR);
        assert_int_equal(d->err.status, ERROR_EXTENDED_ERROR);
        assert_true(d->err.text[0]);
}

static void connecting_takes_too_long(void **state)
{
        struct driver *d = *state;

        fake_break(d->server, FAKE_CONNECT, "*", FAKE_HANG, 0, -1);
        d->config.connect_usec = POOL_SHORT_USEC;
        assert_int_equal(pool_start(d), ERROR_BAD_NETPATH);
        assert_int_equal(d->err.cause, ETIMEDOUT);
}

static void no_worker_program(void **state)
{
        struct driver *d = *state;

        d->config.worker_program = "/no/such/program";
        assert_int_equal(smb_pool_new(&d->config, &d->pool), -ENOENT);
        assert_null(d->pool);
        d->config.worker_program = "/bin/true"; /* ends at once */
        assert_int_equal(pool_start(d), ERROR_EXTENDED_ERROR);
}

static void operations(void **state)
{
        struct driver *d = *state;
        struct ask *ask;

        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        ask = pool_submit(d, SMB_OP_STAT, "f", NULL, 0, 0);
        assert_int_equal(pool_wait(ask), 0);
        assert_int_equal(ask->request.attr.size_bytes, 4);
        assert_int_equal(pool_do(d, SMB_OP_STAT, "none"), -ENOENT);
        assert_int_equal(pool_do(d, SMB_OP_MKDIR, "d"), 0);
        ask = pool_ask(d, SMB_OP_RENAME, "f", NULL, 0, 0);
        ask->request.path2 = strdup("d/g");
        submit(ask);
        assert_int_equal(pool_wait(ask), 0);
        assert_non_null(fake_find(d->server, "d/g"));
        ask = pool_submit(d, SMB_OP_STATFS, NULL, NULL, 0, 0);
        assert_int_equal(pool_wait(ask), 0);
        assert_int_equal(ask->request.space.blocks, 1000);

        pool_open(d, "d/g", O_RDWR);
        pool_assert_text(d, "text");
        ask = pool_ask(d, SMB_OP_WRITE, NULL, d->file, 3, 4);
        ask->request.slot = arena_take(smb_pool_arena(d->pool));
        ask->request.slot_offset = 77;
        memcpy(pool_slot(d, ask->request.slot) + 77, "ure", 3);
        submit(ask);
        assert_int_equal(pool_wait(ask), 0);
        assert_int_equal(ask->request.reply_length, 3);
        smb_pool_give_slot(d->pool, ask->request.slot);
        pool_assert_text(d, "texture");

        /* Two workers. */
        assert_int_not_equal(fake_pid(d->server, FAKE_READ, "*"), fake_pid(d->server, FAKE_STAT, "*"));
        assert_int_equal(fake_open_handles(d->server), 1);
        assert_int_equal(pool_wait(pool_submit(d, SMB_OP_CLOSE, NULL, d->file, 0, 0)), 0);
        assert_int_equal(fake_open_handles(d->server), 0);
}

/* One worker after the other is filled, and each is only started when it is needed. */
static void workers_for_many_files(void **state)
{
        static const unsigned workers[] = { 1, 1, 2, 2, 3, 3, 4, 4, 5, 5 };
        struct driver *d = *state;
        struct ask *opening, *reading[POOL_BUSY_WORKERS];
        unsigned held[POOL_BUSY_WORKERS];

        d->config.n_file_workers = 5;
        d->config.worker_files = 2;
        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        for (size_t i = 0; i < N_ELEMENTS(workers); i++) {
                assert_int_equal(pool_open(d, "f", O_RDONLY)->worker, workers[i]);
                assert_int_equal(fake_count(d->server, FAKE_CONNECT, "*"), 1 + workers[i]);
        }
        assert_int_equal(pool_open(d, "f", O_RDONLY)->worker, 1); /* all are full: what comes now, the worker may refuse */
        assert_int_equal(pool_wait(pool_submit(d, SMB_OP_CLOSE, NULL, d->files[6], 0, 0)), 0);
        assert_int_equal(pool_wait(pool_submit(d, SMB_OP_CLOSE, NULL, d->files[6], 0, 0)), 0); /* counts once */
        d->file = d->files[d->n_files++] = smb_file_new(d->pool, "none", O_RDONLY, false);
        assert_int_equal(d->file->worker, 4);
        opening = pool_ask(d, SMB_OP_OPEN, "none", d->file, 0, 0);
        submit(opening);
        assert_int_equal(pool_wait(opening), -ENOENT); /* is not open: its place is free */
        assert_int_equal(pool_open(d, "f", O_RDONLY)->worker, 4);

        /* Work is shared by the first ones only, however busy they are. */
        for (size_t i = 0; i < 10; i++)
                assert_int_equal(pool_wait(pool_submit(d, SMB_OP_CLOSE, NULL, d->files[i], 0, 0)), 0);
        for (size_t i = 0; i < N_ELEMENTS(reading); i++) {
                struct smb_file *file = pool_open(d, "f", O_RDONLY);

                assert_int_equal(file->worker, i + 1);
                held[i] = fake_hold(d->server, FAKE_READ, "f");
                reading[i] = pool_submit(d, SMB_OP_READ, NULL, file, 4, 0);
                LOOP_UNTIL(d->event, fake_is_held(d->server, held[i]));
        }
        d->files[d->n_files++] = smb_file_new(d->pool, "f", O_RDONLY, false);
        assert_in_range(d->files[d->n_files - 1]->worker, 1, POOL_BUSY_WORKERS);
        for (size_t i = 0; i < N_ELEMENTS(reading); i++) {
                fake_let_go(d->server, held[i]);
                assert_int_equal(pool_wait(reading[i]), 0);
                smb_pool_give_slot(d->pool, reading[i]->request.slot);
        }
}

/* A close takes less than a worker's start, for which only later opens have a use. */
static void an_open_behind_a_close(void **state)
{
        struct driver *d = *state;
        struct smb_file *first, *second;
        struct ask *close;

        d->config.n_file_workers = 2;
        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        first = pool_open(d, "f", O_RDONLY);
        fake_break(d->server, FAKE_CLOSE, "f", FAKE_DELAY, 100, 1);
        close = pool_submit(d, SMB_OP_CLOSE, NULL, first, 0, 0);
        second = pool_open(d, "f", O_RDONLY);
        assert_int_equal(second->worker, first->worker);
        assert_int_equal(pool_wait(close), 0);
        assert_int_equal(pool_n_workers(d), 3);
}

static void lists(void **state)
{
        struct driver *d = *state;
        struct ask *list, *next;

        fake_add(d->server, "f", "");
        assert_int_equal(pool_start(d), NO_ERROR);
        list = pool_submit(d, SMB_OP_LIST, "", NULL, 0, 0);
        assert_int_equal(pool_wait(list), 0);
        for (int i = 0; i < 2; i++) {
                next = pool_ask(d, SMB_OP_LIST_NEXT, NULL, NULL, 1000, 0);
                next->request.worker = list->request.worker;
                next->request.generation = list->request.generation;
                next->request.fh = list->request.fh;
                submit(next);
                assert_int_equal(pool_wait(next), 0);
                assert_int_equal(next->request.reply_length > 0, i == 0);
                smb_pool_give_slot(d->pool, next->request.slot);
        }

        /* In another process there is no such listing. */
        next = pool_ask(d, SMB_OP_LIST_NEXT, NULL, NULL, 1000, 0);
        next->request.worker = list->request.worker;
        next->request.generation = list->request.generation + 1;
        submit(next);
        assert_int_equal(pool_wait(next), -EIO);
        next = pool_ask(d, SMB_OP_LIST_CLOSE, NULL, NULL, 0, 0);
        next->request.generation = list->request.generation - 1;
        submit(next);
        assert_int_equal(pool_wait(next), 0);
}

static void in_order(void **state)
{
        struct driver *d = *state;
        struct ask *last = NULL;
        char path[16];

        d->config.n_file_workers = 0;
        assert_int_equal(pool_start(d), NO_ERROR);
        for (unsigned i = 0; i < 100; i++) { /* far more than are under way at once */
                snprintf(path, sizeof path, "f%u", i);
                last = pool_submit(d, SMB_OP_STAT, path, NULL, 0, 0);
        }
        assert_int_equal(pool_wait(last), -ENOENT);
        assert_int_equal(d->n_done, 100);
        for (unsigned i = 0; i < 100; i++) {
                snprintf(path, sizeof path, "f%u", i);
                assert_int_equal(d->order[i], i);
                assert_int_equal(fake_count(d->server, FAKE_STAT, path), 1);
        }
}

/* Such a request never gets to a worker, and ends like every other one: later. */
static void long_path(void **state)
{
        struct driver *d = *state;
        char path[SMB_PATH_MAX_BYTES + 1];
        struct ask *ask;

        memset(path, 'x', SMB_PATH_MAX_BYTES);
        path[SMB_PATH_MAX_BYTES] = '\0';
        assert_int_equal(pool_start(d), NO_ERROR);
        assert_int_equal(pool_do(d, SMB_OP_STAT, path), -ENAMETOOLONG);
        ask = pool_ask(d, SMB_OP_RENAME, "f", NULL, 0, 0);
        ask->request.path2 = strdup(path);
        submit(ask);
        assert_int_equal(pool_wait(ask), -ENAMETOOLONG);
        assert_int_equal(fake_count(d->server, FAKE_RENAME, "*"), 0);
        assert_int_equal(pool_do(d, SMB_OP_STAT, ""), 0);
}

static void slots_run_out(void **state)
{
        struct driver *d = *state;
        struct ask *reads[6], *write;
        uint32_t slots[SMB_SLOTS];

        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDWR);
        for (unsigned i = 0; i < SMB_SLOTS; i++)
                slots[i] = arena_take(smb_pool_arena(d->pool));
        for (unsigned i = 0; i < N_ELEMENTS(reads); i++)
                reads[i] = pool_submit(d, SMB_OP_READ, NULL, d->file, 4, 0);
        write = pool_ask(d, SMB_OP_WRITE, NULL, d->file, 1, 0); /* has its slot, and passes them */
        write->request.slot = slots[0];
        *pool_slot(d, slots[0]) = 'n';
        submit(write);
        assert_int_equal(pool_wait(write), 0);
        loop_for(d->event, 50000);
        assert_int_equal(d->n_done, 2); /* the open and the write */
        assert_int_equal(pool_do(d, SMB_OP_STAT, "f"), 0); /* names are not held up */

        smb_pool_give_slot(d->pool, slots[0]); /* one slot serves them all */
        for (unsigned i = 0; i < N_ELEMENTS(reads); i++) {
                assert_int_equal(pool_wait(reads[i]), 0);
                assert_memory_equal(pool_slot(d, reads[i]->request.slot), "next", 4);
                loop_for(d->event, 10000);
                for (unsigned j = i + 1; j < N_ELEMENTS(reads); j++)
                        assert_int_equal(reads[j]->n_done, 0);
                smb_pool_give_slot(d->pool, reads[i]->request.slot);
        }
        assert_int_equal(arena_take(smb_pool_arena(d->pool)), slots[0]);
        assert_int_equal(arena_take(smb_pool_arena(d->pool)), SMB_NO_SLOT);
}

static void slots_are_reclaimed(void **state)
{
        struct driver *d = *state;
        struct ask *reads[3];

        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDONLY);
        while (arena_take(smb_pool_arena(d->pool)) != SMB_NO_SLOT)
                ;
        d->n_reclaims = 2;
        for (unsigned i = 0; i < N_ELEMENTS(reads); i++)
                reads[i] = pool_submit(d, SMB_OP_READ, NULL, d->file, 4, 0);
        assert_int_equal(pool_wait(reads[0]), 0);
        assert_int_equal(pool_wait(reads[1]), 0);
        assert_int_not_equal(reads[0]->request.slot, reads[1]->request.slot);
        loop_for(d->event, 20000);
        assert_int_equal(reads[2]->n_done, 0);
        assert_int_equal(d->n_reclaims, 0);
}

/* A read that fails keeps no slot. */
static void failed_read(void **state)
{
        struct driver *d = *state;
        struct ask *read;

        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDONLY);
        fake_break(d->server, FAKE_READ, "f", FAKE_FAIL, EACCES, 1);
        read = pool_submit(d, SMB_OP_READ, NULL, d->file, 4, 0);
        assert_int_equal(pool_wait(read), -EACCES);
        assert_int_equal(read->request.slot, SMB_NO_SLOT);
        assert_int_equal(smb_pool_arena(d->pool)->n_free, SMB_SLOTS);
}

static void end_with_requests_under_way(void **state)
{
        struct driver *d = *state;
        struct ask *asks[16];
        unsigned n = 0;

        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDWR);
        fake_break(d->server, FAKE_STAT, "*", FAKE_HANG, 0, 1);
        fake_break(d->server, FAKE_READ, "*", FAKE_HANG, 0, 1);
        for (unsigned i = 0; i < 7; i++) { /* handed over, and waiting behind those */
                asks[n++] = pool_submit(d, SMB_OP_STAT, "f", NULL, 0, 0);
                asks[n++] = pool_submit(d, SMB_OP_READ, NULL, d->file, 4, 0);
        }
        asks[n++] = pool_submit(d, SMB_OP_CLOSE, NULL, d->file, 0, 0);
        loop_for(d->event, 50000);
        d->n_done = 0;
        pool_stop(d);
        assert_int_equal(d->n_done, n);
        for (unsigned i = 0; i < n; i++) {
                assert_int_equal(asks[i]->n_done, 1);
                assert_int_equal(asks[i]->request.error, -ECANCELED);
        }
}

static void end_while_connecting(void **state)
{
        struct driver *d = *state;

        fake_break(d->server, FAKE_CONNECT, "*", FAKE_HANG, 0, -1);
        assert_int_equal(smb_pool_new(&d->config, &d->pool), 0);
        loop_for(d->event, 50000);
        pool_stop(d);
        assert_int_equal(d->n_connected, 0); /* whoever frees it knows */
        smb_pool_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, pool_setup, pool_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(connects),
                TEST(refused),
                TEST(worker_dies_connecting),
                TEST(connecting_takes_too_long),
                TEST(no_worker_program),
                TEST(operations),
                TEST(workers_for_many_files),
                TEST(an_open_behind_a_close),
                TEST(lists),
                TEST(in_order),
                TEST(long_path),
                TEST(slots_run_out),
                TEST(slots_are_reclaimed),
                TEST(failed_read),
                TEST(end_with_requests_under_way),
                TEST(end_while_connecting),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
