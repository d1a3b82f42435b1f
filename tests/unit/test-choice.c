/* SPDX-License-Identifier: GPL-3.0-or-later */

/* fuse/smb/choice.c, fuse/smb/idle.c, and the order in fuse/smb/link.c: who does what, what waits for what, and who ends. */

#include <sys/stat.h>

#include "pool-driver.h"

#include "fuse/smb/pool-internal.h"

#define IDLE_USEC (400 * 1000ULL)

/* Starts the pool, with both workers there: the names' is the one that serves the first look-up. */
static void start_both(struct driver *d, pid_t *ret_names)
{
        fake_add(d->server, "f", "text");
        fake_add(d->server, "d", NULL);
        fake_add(d->server, "d/sub", NULL);
        fake_add(d->server, "d/x", "x");
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDONLY);
        assert_int_equal(d->file->worker, 1);
        assert_int_equal(pool_do(d, SMB_OP_STAT, "f"), 0);
        *ret_names = fake_pid(d->server, FAKE_STAT, "f");
}

/* A request that its worker is at, which does not go on until let_go(). */
struct held {
        struct ask *ask;
        unsigned gate;
};

static struct held hold(struct driver *d, enum smb_op op, enum fake_op fake, const char *path)
{
        struct held held = { .gate = fake_hold(d->server, fake, path) };

        held.ask = pool_submit(d, op, path, NULL, 0, 0);
        LOOP_UNTIL(d->event, fake_is_held(d->server, held.gate));
        assert_int_equal(held.ask->n_done, 0);
        return held;
}

static int let_go(struct held held)
{
        fake_let_go(held.ask->driver->server, held.gate);
        return pool_wait(held.ask);
}

/* One that has to wait for what is held. */
static struct ask *begin(struct driver *d, enum smb_op op, const char *path)
{
        struct ask *ask = pool_submit(d, op, path, NULL, 0, 0);

        loop_for(d->event, 20000); /* it has its chance */
        assert_int_equal(ask->n_done, 0);
        return ask;
}

static void look_ups_pass(void **state)
{
        struct driver *d = *state;
        struct held held;
        pid_t names;

        start_both(d, &names);
        held = hold(d, SMB_OP_STAT, FAKE_STAT, "d");
        assert_int_equal(pool_do(d, SMB_OP_STAT, "d/x"), 0);
        assert_int_equal(held.ask->n_done, 0);
        assert_int_equal(fake_pid(d->server, FAKE_STAT, "d"), names);
        assert_int_not_equal(fake_pid(d->server, FAKE_STAT, "d/x"), names);
        assert_int_equal(let_go(held), 0);
        assert_int_equal(pool_do(d, SMB_OP_STAT, "d/x"), 0); /* where nobody waits they are the names worker's */
        assert_int_equal(fake_pid(d->server, FAKE_STAT, "d/x"), names);
}

/* A change is not done while any look-up is under way, wherever, and those that come later see it. */
static void changes_are_in_order(void **state)
{
        struct driver *d = *state;
        struct ask *first, *change, *behind;
        struct held elsewhere;
        pid_t names;

        start_both(d, &names);
        first = pool_submit(d, SMB_OP_STAT, "d", NULL, 0, 0);
        elsewhere = hold(d, SMB_OP_STAT, FAKE_STAT, "d/x");
        assert_int_equal(pool_wait(first), 0);
        change = begin(d, SMB_OP_UNLINK, "d/x");
        behind = begin(d, SMB_OP_STAT, "d/x");
        assert_int_equal(fake_count(d->server, FAKE_UNLINK, "*"), 0);
        assert_int_equal(elsewhere.ask->n_done, 0);
        assert_int_not_equal(fake_pid(d->server, FAKE_STAT, "d/x"), names);
        assert_int_equal(let_go(elsewhere), 0);
        assert_int_equal(change->n_done, 0);
        assert_int_equal(pool_wait(change), 0);
        assert_int_equal(pool_wait(behind), -ENOENT);
        assert_int_equal(fake_pid(d->server, FAKE_STAT, "d/x"), names);
}

/* When the worker that does the look-up dies, the change goes on, and then the look-up. */
static void change_outlives_the_look_up(void **state)
{
        struct driver *d = *state;
        struct ask *elsewhere, *change;
        struct held first;
        pid_t names;

        start_both(d, &names);
        fake_break(d->server, FAKE_STAT, "d/x", FAKE_EXIT, 0, 1);
        first = hold(d, SMB_OP_STAT, FAKE_STAT, "d");
        elsewhere = pool_submit(d, SMB_OP_STAT, "d/x", NULL, 0, 0);
        change = pool_submit(d, SMB_OP_UNLINK, "d/x", NULL, 0, 0);
        LOOP_UNTIL(d->event, d->pool->links[1].state != LINK_UP);
        assert_int_equal(let_go(first), 0);
        assert_int_equal(pool_wait(change), 0);
        assert_int_equal(pool_wait(elsewhere), -ENOENT);
}

static void listings_hold_up_no_look_up(void **state)
{
        struct driver *d = *state;
        struct held list;
        pid_t names;

        start_both(d, &names);
        list = hold(d, SMB_OP_LIST, FAKE_LIST, "d");
        assert_int_equal(pool_do(d, SMB_OP_STAT, "f"), 0);
        assert_int_equal(pool_do(d, SMB_OP_MKDIR, "d/new"), 0);
        assert_int_equal(pool_do(d, SMB_OP_UNLINK, "d/x"), 0);
        assert_int_equal(list.ask->n_done, 0);
        assert_int_equal(let_go(list), 0);
        assert_int_not_equal(fake_pid(d->server, FAKE_LIST, "d"), names);
}

/* What is being listed is not removed or renamed meanwhile, nor is a folder above it, in whichever spelling. */
static void removals_wait_for_listings(void **state)
{
        static const struct {
                enum smb_op op;
                enum fake_op fake;
                const char *path, *path2;
                bool waits;
        } cases[] = {
                { SMB_OP_RMDIR, FAKE_RMDIR, "d/sub", NULL, true },      { SMB_OP_RENAME, FAKE_RENAME, "d", "e", true },
                { SMB_OP_RENAME, FAKE_RENAME, "f", "d/sub", true },     { SMB_OP_RMDIR, FAKE_RMDIR, "D/Sub", NULL, true },
                { SMB_OP_RMDIR, FAKE_RMDIR, "d/\xc3\xa4", NULL, true }, { SMB_OP_UNLINK, FAKE_UNLINK, "d/sub/x", NULL, false },
                { SMB_OP_RENAME, FAKE_RENAME, "d/su", "d/subs", false },
        };
        struct driver *d = *state;
        pid_t names;

        start_both(d, &names);
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct ask *change;
                struct held list;

                fake_break(d->server, cases[i].fake, "*", FAKE_FAIL, EACCES, 1);
                list = hold(d, SMB_OP_LIST, FAKE_LIST, "d/sub");
                change = pool_ask(d, cases[i].op, cases[i].path, NULL, 0, 0);
                change->request.path2 = cases[i].path2 ? strdup(cases[i].path2) : NULL;
                submit(change);
                if (cases[i].waits)
                        loop_for(d->event, 50000);
                else
                        (void) pool_wait(change);
                assert_int_equal(change->n_done, !cases[i].waits);
                assert_int_equal(pool_do(d, SMB_OP_STAT, "f"), 0); /* that waits for nothing */
                assert_int_equal(list.ask->n_done, 0);
                assert_int_equal(let_go(list), 0);
                assert_int_equal(pool_wait(change), -EACCES);
        }
}

/* The other way round: a folder that is being removed is listed when that has been done. */
static void listings_wait_for_removals(void **state)
{
        struct driver *d = *state;
        struct held change;
        struct ask *list;
        pid_t names;

        start_both(d, &names);
        change = hold(d, SMB_OP_RMDIR, FAKE_RMDIR, "d/sub");
        list = pool_submit(d, SMB_OP_LIST, "d/sub", NULL, 0, 0);
        assert_int_equal(pool_wait(pool_submit(d, SMB_OP_LIST, "d", NULL, 0, 0)), 0);
        assert_int_equal(change.ask->n_done, 0);
        assert_int_equal(fake_count(d->server, FAKE_LIST, "d/sub"), 0);
        assert_int_equal(let_go(change), 0);
        assert_int_equal(pool_wait(list), -ENOENT);
        assert_int_equal(fake_pid(d->server, FAKE_LIST, "d/sub"), names);
}

/* One listing after the other, each begun before the last one has ended, do not keep a removal from being done. */
static void a_removal_is_done_in_the_end(void **state)
{
        struct driver *d = *state;
        struct held first, second, third;
        struct ask *change;
        pid_t names;

        start_both(d, &names);
        first = hold(d, SMB_OP_LIST, FAKE_LIST, "d/sub");
        change = begin(d, SMB_OP_RMDIR, "d/sub");
        second = hold(d, SMB_OP_LIST, FAKE_LIST, "d/sub");
        third.gate = fake_hold(d->server, FAKE_LIST, "d/sub");
        third.ask = begin(d, SMB_OP_LIST, "d/sub");
        assert_int_equal(fake_pid(d->server, FAKE_LIST, "d/sub"), names);
        assert_int_equal(let_go(first), 0);
        assert_int_equal(let_go(second), 0);
        assert_int_equal(change->n_done, 0);
        assert_int_equal(let_go(third), 0);
        assert_int_equal(fake_pid(d->server, FAKE_LIST, "d/sub"), names);
        assert_int_equal(pool_wait(change), 0);
}

/* The pool ends with a change that waits at no worker. */
static void end_with_a_change_that_waits(void **state)
{
        struct driver *d = *state;
        struct held list;
        struct ask *change;
        pid_t names;

        start_both(d, &names);
        list = hold(d, SMB_OP_LIST, FAKE_LIST, "d");
        change = begin(d, SMB_OP_RMDIR, "d");
        pool_stop(d);
        assert_int_equal(list.ask->request.error, -ECANCELED);
        assert_int_equal(change->request.error, -ECANCELED);
        assert_int_equal(fake_count(d->server, FAKE_RMDIR, "*"), 0);
}

/* Many look-ups get more workers, which end again; the last one later. */
static void more_under_load(void **state)
{
        struct driver *d = *state;
        struct ask *asks[12];
        unsigned more = 4; /* rounds, when there are as many as there may be */
        char path[16];

        d->config.n_file_workers = 5;
        d->config.idle_usec = 4 * IDLE_USEC; /* the times at which they end are apart */
        assert_int_equal(pool_start(d), NO_ERROR);
        fake_break(d->server, FAKE_STAT, "*", FAKE_DELAY, 30, -1);
        for (unsigned i = 0; i < N_ELEMENTS(asks); i++) {
                snprintf(path, sizeof path, "f%u", i);
                asks[i] = pool_submit(d, SMB_OP_STAT, path, NULL, 0, 0);
        }
        for (unsigned rounds = 0; rounds < 60 && more > 0; rounds++) {
                more -= fake_count(d->server, FAKE_CONNECT, "*") >= 1 + POOL_BUSY_WORKERS;
                for (unsigned i = 0; i < N_ELEMENTS(asks); i++) {
                        assert_int_equal(pool_wait(asks[i]), -ENOENT);
                        snprintf(path, sizeof path, "g%u", i);
                        asks[i] = pool_submit(d, SMB_OP_STAT, path, NULL, 0, 0);
                }
        }
        for (unsigned i = 0; i < N_ELEMENTS(asks); i++)
                assert_int_equal(pool_wait(asks[i]), -ENOENT);
        assert_int_equal(fake_count(d->server, FAKE_CONNECT, "*"), 1 + POOL_BUSY_WORKERS);
        LOOP_UNTIL(d->event, pool_n_workers(d) == 2);
        LOOP_UNTIL(d->event, pool_n_workers(d) == 1);
        loop_for(d->event, IDLE_USEC);
        assert_int_equal(pool_n_workers(d), 1);
        assert_int_equal(d->n_down, 0);
}

/* A worker with an open file stays; one without ends, and the next file is opened at once by the worker for names, those behind it by
 * a new one. */
static void idle_workers_end(void **state)
{
        struct driver *d = *state;
        struct smb_file *first, *second;
        pid_t names;

        d->config.idle_usec = IDLE_USEC;
        start_both(d, &names);
        loop_for(d->event, 2 * IDLE_USEC);
        assert_int_equal(pool_n_workers(d), 2);
        pool_assert_text(d, "text");
        assert_int_equal(fake_count(d->server, FAKE_OPEN, "f"), 1);
        assert_int_equal(pool_wait(pool_submit(d, SMB_OP_CLOSE, NULL, d->file, 0, 0)), 0);
        LOOP_UNTIL(d->event, pool_n_workers(d) == 1);

        first = pool_open(d, "f", O_RDWR);
        assert_int_equal(fake_pid(d->server, FAKE_OPEN, "f"), names);
        LOOP_UNTIL(d->event, fake_count(d->server, FAKE_CONNECT, "*") == 3);
        LOOP_UNTIL(d->event, d->pool->links[1].state == LINK_UP);
        assert_int_equal(pool_n_workers(d), 2);
        second = pool_open(d, "f", O_RDONLY);
        assert_int_not_equal(fake_pid(d->server, FAKE_OPEN, "f"), names);
        assert_int_equal(pool_write(d, first, 'n'), 0);
        assert_int_equal(fake_pid(d->server, FAKE_WRITE, "f"), names);
        pool_assert_text(d, "next");
        assert_int_equal(pool_wait(pool_submit(d, SMB_OP_CLOSE, NULL, second, 0, 0)), 0);
        LOOP_UNTIL(d->event, pool_n_workers(d) == 1);
        assert_int_equal(pool_write(d, first, 't'), 0);
        assert_int_equal(fake_count(d->server, FAKE_OPEN, "f"), 3);
        assert_int_equal(d->n_down, 0);
}

/* A listing that the worker for names had to do itself: look-ups behind it have a new worker do them. */
static void look_up_behind_a_listing(void **state)
{
        struct driver *d = *state;
        struct held list;
        pid_t names;

        d->config.idle_usec = IDLE_USEC;
        start_both(d, &names);
        assert_int_equal(pool_wait(pool_submit(d, SMB_OP_CLOSE, NULL, d->file, 0, 0)), 0);
        LOOP_UNTIL(d->event, pool_n_workers(d) == 1);
        list = hold(d, SMB_OP_LIST, FAKE_LIST, "d");
        assert_int_equal(pool_do(d, SMB_OP_STAT, "d/x"), 0);
        assert_int_equal(list.ask->n_done, 0);
        assert_int_equal(fake_pid(d->server, FAKE_LIST, "d"), names);
        assert_int_equal(let_go(list), 0);
}

/* The memory of slots that nobody holds is the system's again; that of others stays. */
static void slots_are_given_back(void **state)
{
        struct driver *d = *state;
        struct arena *arena;
        uint32_t kept, slots[8];
        pid_t names;
        struct stat before, after;

        d->config.idle_usec = IDLE_USEC;
        start_both(d, &names);
        arena = smb_pool_arena(d->pool);
        kept = arena_take(arena);
        memset(arena_memory(arena, kept), 'k', SMB_SLOT_BYTES);
        for (size_t i = 0; i < N_ELEMENTS(slots); i++) {
                slots[i] = arena_take(arena);
                memset(arena_memory(arena, slots[i]), 'x', SMB_SLOT_BYTES);
        }
        for (size_t i = 0; i < N_ELEMENTS(slots); i++)
                smb_pool_give_slot(d->pool, slots[i]);
        assert_int_equal(fstat(arena->fd, &before), 0);
        assert_true(before.st_blocks * 512 >= 9 * (int) SMB_SLOT_BYTES);
        assert_int_equal(pool_do(d, SMB_OP_STAT, "f"), 0);
        loop_for(d->event, 2 * IDLE_USEC);
        assert_int_equal(fstat(arena->fd, &after), 0);
        assert_int_equal(after.st_blocks * 512, SMB_SLOT_BYTES);
        assert_int_equal(*(char *) arena_memory(arena, kept), 'k');
        pool_assert_text(d, "text");
        smb_pool_give_slot(d->pool, kept);
}

/* One file with much to do does not keep out another one at the same worker. */
static void files_take_turns(void **state)
{
        struct driver *d = *state;
        struct smb_file *busy, *other;
        struct ask *bulk[20], *single;
        unsigned before = 0;
        pid_t names;

        start_both(d, &names);
        busy = d->file;
        fake_add(d->server, "g", "other");
        other = pool_open(d, "g", O_RDONLY);
        assert_int_equal(other->worker, busy->worker);
        fake_break(d->server, FAKE_READ, "f", FAKE_DELAY, 10, -1);
        for (unsigned i = 0; i < N_ELEMENTS(bulk); i++)
                bulk[i] = pool_submit(d, SMB_OP_READ, NULL, busy, SMB_SLOT_DATA_BYTES, 0);
        single = pool_submit(d, SMB_OP_READ, NULL, other, 4, 0);
        assert_int_equal(pool_wait(single), 0);
        for (unsigned i = 0; i < N_ELEMENTS(bulk); i++)
                before += bulk[i]->n_done > 0;
        assert_in_range(before, 1, 3); /* those that were handed over, and one more at most */
        for (unsigned i = 0; i < N_ELEMENTS(bulk); i++) {
                assert_int_equal(pool_wait(bulk[i]), 0);
                assert_true(i == 0 || bulk[i - 1]->n_done > 0); /* a file's own are in order */
                smb_pool_give_slot(d->pool, bulk[i]->request.slot);
        }
        smb_pool_give_slot(d->pool, single->request.slot);
}

/* A file is opened where it waits the least: a new worker that comes up takes it from one that lists. */
static void an_open_passes_a_listing(void **state)
{
        struct driver *d = *state;
        struct held list;
        pid_t names;

        d->config.n_file_workers = 2;
        start_both(d, &names);
        list = hold(d, SMB_OP_LIST, FAKE_LIST, "d");
        assert_int_equal(pool_open(d, "d/x", O_RDONLY)->worker, 2);
        assert_int_equal(list.ask->n_done, 0);
        assert_int_equal(pool_do(d, SMB_OP_STAT, "f"), 0);
        assert_int_equal(let_go(list), 0);
        assert_int_equal(pool_open(d, "f", O_RDONLY)->worker, 1);
}

/* Who reads an open file has to wait where it is open: a listing goes elsewhere, where it can. */
static void a_listing_passes_open_files(void **state)
{
        struct driver *d = *state;
        struct held list;
        pid_t names, with_file;

        d->config.n_file_workers = 2;
        start_both(d, &names);
        with_file = fake_pid(d->server, FAKE_OPEN, "f");
        list = hold(d, SMB_OP_LIST, FAKE_LIST, "d");
        assert_int_equal(pool_open(d, "d/x", O_RDONLY)->worker, 2);
        assert_int_equal(pool_wait(pool_submit(d, SMB_OP_CLOSE, NULL, d->file, 0, 0)), 0);
        d->file = d->files[0];
        assert_int_equal(let_go(list), 0);
        list = hold(d, SMB_OP_LIST, FAKE_LIST, "d/sub");
        pool_assert_text(d, "text");
        assert_int_equal(list.ask->n_done, 0);
        assert_int_equal(let_go(list), 0);
        assert_int_not_equal(fake_pid(d->server, FAKE_LIST, "d/sub"), with_file);
        assert_int_not_equal(fake_pid(d->server, FAKE_LIST, "d/sub"), names);
}

/* Behind something short it waits, rather than for a new worker's start; it does not share a worker with a large transfer. */
static void an_open_waits_for_what_is_short(void **state)
{
        struct driver *d = *state;
        struct smb_file *first;
        struct ask *reading;
        unsigned start;
        pid_t names;

        d->config.n_file_workers = 2;
        start_both(d, &names);
        first = d->file;
        start = fake_hold(d->server, FAKE_CONNECT, "*");
        fake_break(d->server, FAKE_READ, "f", FAKE_DELAY, 20, 2);
        reading = pool_submit(d, SMB_OP_READ, NULL, first, 4, 0);
        assert_int_equal(pool_open(d, "d/x", O_RDONLY)->worker, 1);
        fake_let_go(d->server, start);
        assert_int_equal(pool_wait(reading), 0);
        smb_pool_give_slot(d->pool, reading->request.slot);
        reading = pool_submit(d, SMB_OP_READ, NULL, first, SMB_SLOT_DATA_BYTES, 0);
        assert_int_not_equal(pool_open(d, "d/x", O_RDONLY)->worker, 1);
        assert_int_equal(pool_wait(reading), 0);
        smb_pool_give_slot(d->pool, reading->request.slot);
}

static struct ask *look_into(struct driver *d, const char *path)
{
        struct ask *ask = pool_ask(d, SMB_OP_STAT, path, NULL, SMB_SLOT_DATA_BYTES, 0);

        ask->request.valid = SMB_WANT_DATA;
        ask->request.slot = arena_take(smb_pool_arena(d->pool));
        submit(ask);
        return ask;
}

static void ends(struct driver *d, struct ask *ask)
{
        assert_int_equal(pool_wait(ask), 0);
        smb_pool_give_slot(d->pool, ask->request.slot);
}

/* What nobody waits for yet is looked into by workers that nobody misses: there will be some, and never is one of them the last that is
 * free. No name is changed meanwhile. */
static void a_look_into_a_file(void **state)
{
        struct driver *d = *state;
        struct ask *first, *change;
        unsigned look;
        pid_t names, other;

        d->config.n_file_workers = 5;
        start_both(d, &names);
        other = fake_pid(d->server, FAKE_OPEN, "f");
        assert_false(smb_pool_has_spare(d->pool));
        LOOP_UNTIL(d->event, smb_pool_has_spare(d->pool));
        look = fake_hold(d->server, FAKE_FSTAT, "d/x");
        first = look_into(d, "d/x");
        LOOP_UNTIL(d->event, fake_is_held(d->server, look));
        assert_int_not_equal(fake_pid(d->server, FAKE_FSTAT, "d/x"), names);
        assert_int_not_equal(fake_pid(d->server, FAKE_FSTAT, "d/x"), other);
        pool_assert_text(d, "text"); /* others go on */
        change = begin(d, SMB_OP_UNLINK, "d/x");
        assert_false(smb_pool_has_spare(d->pool));
        fake_let_go(d->server, look);
        ends(d, first);
        assert_int_equal(first->request.reply_length, 1);
        assert_int_equal(pool_wait(change), 0);
        assert_null(fake_find(d->server, "d/x"));
}

/* A small file does not wait where the worker for names could open it. */
static void a_small_file(void **state)
{
        struct driver *d = *state;
        struct ask *reading, *ask;
        unsigned read;
        pid_t names;

        d->config.n_file_workers = 1;
        start_both(d, &names);
        read = fake_hold(d->server, FAKE_READ, "f");
        reading = pool_submit(d, SMB_OP_READ, NULL, d->file, 4, 0);
        d->file = d->files[d->n_files++] = smb_file_new(d->pool, "d/x", O_RDONLY, true);
        ask = pool_submit(d, SMB_OP_OPEN, "d/x", d->file, 0, 0);
        assert_int_equal(pool_wait(ask), 0);
        assert_int_equal(reading->n_done, 0);
        assert_int_equal(fake_pid(d->server, FAKE_OPEN, "d/x"), names);
        assert_int_equal(pool_wait(pool_submit(d, SMB_OP_CLOSE, NULL, d->file, 0, 0)), 0);
        fake_let_go(d->server, read);
        ends(d, reading);
        d->files[d->n_files++] = smb_file_new(d->pool, "none", O_RDONLY, true);
        assert_int_equal(d->files[d->n_files - 1]->worker, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, pool_setup, pool_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(look_ups_pass),
                TEST(changes_are_in_order),
                TEST(change_outlives_the_look_up),
                TEST(listings_hold_up_no_look_up),
                TEST(removals_wait_for_listings),
                TEST(listings_wait_for_removals),
                TEST(a_removal_is_done_in_the_end),
                TEST(end_with_a_change_that_waits),
                TEST(more_under_load),
                TEST(idle_workers_end),
                TEST(look_up_behind_a_listing),
                TEST(slots_are_given_back),
                TEST(files_take_turns),
                TEST(an_open_passes_a_listing),
                TEST(a_listing_passes_open_files),
                TEST(an_open_waits_for_what_is_short),
                TEST(a_look_into_a_file),
                TEST(a_small_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
