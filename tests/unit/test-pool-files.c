/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * fuse/smb/file.c, fuse/smb/turn.c: what is done to one open file comes in its order, is counted, and does not wait for itself; and what
 * a worker knows of unsent data.
 */

#include "fuse/smb/file.h"
#include "fuse/smb/pool-internal.h"
#include "pool-driver.h"

static unsigned n_held;

static void on_held(void *userdata)
{
        (void) userdata;
        n_held++;
}

/* An open file whose worker is gone. */
static void open_and_kill(struct driver *d)
{
        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDWR);
        pool_assert_text(d, "text");
        assert_int_equal(kill(fake_pid(d->server, FAKE_READ, "f"), SIGKILL), 0);
        loop_for(d->event, 50000);
}

static void hold(struct driver *d)
{
        n_held = 0;
        assert_int_equal(smb_file_hold(d->pool, d->file, on_held, NULL), 0);
        assert_int_equal(n_held, 0);
}

static void held_and_released(struct driver *d, struct ask *read)
{
        LOOP_UNTIL(d->event, n_held == 1);
        assert_int_equal(fake_open_handles(d->server), 0);
        smb_file_release(d->pool, d->file, NULL);
        (void) pool_wait(read);
        smb_pool_give_slot(d->pool, read->request.slot);
        pool_assert_text(d, "text");
}

/* A read that waits until the file is open again, which takes half a second. */
static struct ask *read_again(struct driver *d)
{
        struct ask *read;

        open_and_kill(d);
        fake_break(d->server, FAKE_OPEN, "f", FAKE_DELAY, 500, 1);
        read = pool_submit(d, SMB_OP_READ, NULL, d->file, 4, 0);
        LOOP_UNTIL(d->event, fake_count(d->server, FAKE_OPEN, "f") == 2);
        return read;
}

static void held_while_opened_again(void **state)
{
        struct driver *d = *state;
        struct ask *read = read_again(d);

        hold(d);
        held_and_released(d, read);
}

/* Its worker dies once more. */
static void held_while_opened_again_in_vain(void **state)
{
        struct driver *d = *state;
        struct ask *read = read_again(d);

        hold(d);
        assert_int_equal(kill(fake_pid(d->server, FAKE_OPEN, "f"), SIGKILL), 0);
        held_and_released(d, read);
}

static void held_while_the_server_is_away(void **state)
{
        struct driver *d = *state;
        struct ask *read;

        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDWR);
        pool_assert_text(d, "text");
        fake_break(d->server, FAKE_READ, "f", FAKE_FAIL, ECONNABORTED, 1);
        fake_break(d->server, FAKE_CONNECT, "*", FAKE_DELAY, 500, 1);
        d->server->connect_status = ERROR_BAD_NETPATH;
        snprintf(d->server->connect_text, sizeof(d->server->connect_text), "away");
        read = pool_submit(d, SMB_OP_READ, NULL, d->file, 4, 0);
        loop_for(d->event, 250000); /* it is being connected anew */
        hold(d);
        LOOP_UNTIL(d->event, n_held == 1);
        smb_file_release(d->pool, d->file, NULL);
        assert_int_equal(pool_wait(read), -EIO);
        d->server->connect_status = 0;
        loop_for(d->event, 1200000); /* so long is the distance of two attempts */
        pool_assert_text(d, "text");
}

/* Where slots are short, what needs none goes first; not so a CLOSE, before a READ of the same file. */
static void closed_behind_what_waits_for_a_slot(void **state)
{
        struct driver *d = *state;
        struct arena *arena;
        uint32_t taken[SMB_SLOTS], n = 0;
        struct ask *read, *close;

        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDWR);
        arena = smb_pool_arena(d->pool);
        while (arena->n_free > 0)
                taken[n++] = arena_take(arena);
        read = pool_submit(d, SMB_OP_READ, NULL, d->file, 4, 0);
        close = pool_submit(d, SMB_OP_CLOSE, NULL, d->file, 0, 0);
        assert_int_equal(pool_do(d, SMB_OP_STAT, "f"), 0);
        loop_for(d->event, 50000);
        assert_int_equal(close->n_done, 0);
        while (n > 0)
                smb_pool_give_slot(d->pool, taken[--n]);
        assert_int_equal(pool_wait(read), 0);
        smb_pool_give_slot(d->pool, read->request.slot);
        assert_int_equal(pool_wait(close), 0);
}

/* Nor does the CLOSE close what is opened again behind it, should that come first. */
static void opened_again_before_what_waits_for_a_slot(void **state)
{
        struct driver *d = *state;
        struct arena *arena;
        uint32_t taken[SMB_SLOTS], n = 0;
        struct ask *read, *close, *write;

        fake_add(d->server, "f", "text");
        d->config.idle_usec = 300 * 1000;
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDWR);
        arena = smb_pool_arena(d->pool);
        write = pool_ask(d, SMB_OP_WRITE, NULL, d->file, 1, 0);
        write->request.slot = arena_take(arena);
        *pool_slot(d, write->request.slot) = 'n';
        while (arena->n_free > 0)
                taken[n++] = arena_take(arena);
        read = pool_submit(d, SMB_OP_READ, NULL, d->file, 4, 0);
        close = pool_submit(d, SMB_OP_CLOSE, NULL, d->file, 0, 0);
        submit(write);
        assert_int_equal(pool_wait(write), 0); /* it need not wait for what waits for a slot: its own may be the next one */
        assert_int_equal(read->n_done + close->n_done, 0);
        while (n > 0)
                smb_pool_give_slot(d->pool, taken[--n]);
        smb_pool_give_slot(d->pool, write->request.slot);
        assert_int_equal(pool_wait(read), 0);
        assert_memory_equal(pool_slot(d, read->request.slot), "next", 4);
        smb_pool_give_slot(d->pool, read->request.slot);
        assert_int_equal(pool_wait(close), 0);
        pool_assert_text(d, "next");
        loop_for(d->event, 1000000);
        assert_int_equal(fake_open_handles(d->server), 1); /* its worker was not taken for idle */
        assert_int_equal(pool_wait(pool_submit(d, SMB_OP_CLOSE, NULL, d->file, 0, 0)), 0);
        assert_int_equal(fake_open_handles(d->server), 0);
        LOOP_UNTIL(d->event, pool_n_workers(d) == 1); /* and now it is */
}

/* One of several descriptors is closed, which closes the server's file, and another one goes on. */
static void used_behind_a_close(void **state)
{
        struct driver *d = *state;
        struct ask *read, *close;

        fake_add(d->server, "f", "text");
        d->config.idle_usec = 300 * 1000;
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDWR);
        close = pool_submit(d, SMB_OP_CLOSE, NULL, d->file, 0, 0);
        read = pool_submit(d, SMB_OP_READ, NULL, d->file, 4, 0);
        assert_int_equal(pool_wait(close), 0);
        assert_int_equal(pool_wait(read), 0);
        smb_pool_give_slot(d->pool, read->request.slot);
        loop_for(d->event, 1000000);
        assert_int_equal(fake_open_handles(d->server), 1); /* its worker was not taken for idle */
}

/* The worker that comes after one that was killed knows of the data, too. */
static void unsent_data_of_a_killed_worker(void **state)
{
        static const char *const texts[] = { "one", "two" };
        struct driver *d = *state;
        struct ask *writes[N_ELEMENTS(texts)];
        uint64_t order = 0;

        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDWR);
        fake_break(d->server, FAKE_WRITE, "f", FAKE_EXIT, 0, 1);
        for (unsigned i = 0; i < N_ELEMENTS(writes); i++) {
                writes[i] = pool_ask(d, SMB_OP_WRITE, NULL, d->file, 3, 4 + 3 * i);
                writes[i]->request.slot = arena_take(smb_pool_arena(d->pool));
                writes[i]->request.unsent_bytes = 3;
                memcpy(pool_slot(d, writes[i]->request.slot), texts[i], 3);
                smb_file_note_unsent(d->pool, d->file, &writes[i]->request, 3);
                submit(writes[i]);
        }
        LOOP_UNTIL(d->event, fake_count(d->server, FAKE_WRITE, "f") == 1);
        fake_break(d->server, FAKE_WRITE, "f", FAKE_DELAY, 500, 1);
        LOOP_UNTIL(d->event, fake_count(d->server, FAKE_WRITE, "f") == 2); /* at the successor */
        for (unsigned i = 0; i < N_ELEMENTS(writes); i++) {
                const struct smb_unsent *unsent = &d->pool->links[d->file->worker].channel->unsent[writes[i]->request.slot];

                assert_int_equal(unsent->length, 3);
                assert_int_equal(unsent->fh, d->file->fh);
                assert_int_equal(unsent->offset, 4 + 3 * i);
                assert_true(unsent->order > order);
                order = unsent->order;
        }
        for (unsigned i = 0; i < N_ELEMENTS(writes); i++) {
                assert_int_equal(pool_wait(writes[i]), 0);
                smb_file_note_unsent(d->pool, d->file, &writes[i]->request, 0);
                smb_pool_give_slot(d->pool, writes[i]->request.slot);
        }
        assert_memory_equal(fake_find(d->server, "f")->data, "textonetwo", 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, pool_setup, pool_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(held_while_opened_again),
                TEST(held_while_opened_again_in_vain),
                TEST(held_while_the_server_is_away),
                TEST(closed_behind_what_waits_for_a_slot),
                TEST(opened_again_before_what_waits_for_a_slot),
                TEST(used_behind_a_close),
                TEST(unsent_data_of_a_killed_worker),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
