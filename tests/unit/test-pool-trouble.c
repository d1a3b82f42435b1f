/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * fuse/smb/pool.c, fuse/smb/file.c, fuse/smb/link.c: workers that die, hang, lose their server, or are taken over by a hostile
 * one; and files that are opened again.
 */

#include "pool-driver.h"

static void repeated(void **state)
{
        static const struct {
                enum fake_act act;
                int64_t value;
        } deaths[] = { { FAKE_EXIT, 0 }, { FAKE_EXIT, 3 }, { FAKE_ABORT, 0 }, { FAKE_FAIL, ECONNABORTED } };
        struct driver *d = *state;
        struct ask *stat, *behind;

        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        for (size_t i = 0; i < N_ELEMENTS(deaths); i++) {
                unsigned before = fake_count(d->server, FAKE_STAT, "f");

                fake_break(d->server, FAKE_STAT, "f", deaths[i].act, deaths[i].value, 1);
                stat = pool_submit(d, SMB_OP_STAT, "f", NULL, 0, 0);
                behind = pool_submit(d, SMB_OP_STAT, "g", NULL, 0, 0);
                assert_int_equal(pool_wait(stat), 0);
                assert_int_equal(stat->request.attr.size_bytes, 4);
                assert_int_equal(pool_wait(behind), -ENOENT);
                assert_int_equal(fake_count(d->server, FAKE_STAT, "f"), before + 2);
                assert_int_equal(d->n_down, i + 1);
                assert_int_equal(d->n_up, i + 1);

                fake_break(d->server, FAKE_STAT, "f", deaths[i].act, deaths[i].value, 3);
                assert_int_equal(pool_do(d, SMB_OP_STAT, "f"), 0);
                assert_int_equal(fake_count(d->server, FAKE_STAT, "f"), before + 6);

                fake_break(d->server, FAKE_STAT, "f", deaths[i].act, deaths[i].value, 4);
                assert_int_equal(pool_do(d, SMB_OP_STAT, "f"), -EIO); /* it must be the request */
                assert_int_equal(fake_count(d->server, FAKE_STAT, "f"), before + 10);
                assert_int_equal(pool_do(d, SMB_OP_STAT, "f"), 0);
                d->n_down = d->n_up = (unsigned) i + 1;
        }
}

/* Whoever kills workers meets one that is just connecting, too: it has a successor at once. */
static void killed_while_connecting(void **state)
{
        struct driver *d = *state;

        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        fake_break(d->server, FAKE_STAT, "f", FAKE_EXIT, 0, 1);
        fake_break(d->server, FAKE_CONNECT, "*", FAKE_EXIT, 0, 2);
        assert_int_equal(pool_do(d, SMB_OP_STAT, "f"), 0);
        assert_int_equal(d->n_down, 1);

        fake_break(d->server, FAKE_STAT, "f", FAKE_EXIT, 0, 1);
        fake_break(d->server, FAKE_CONNECT, "*", FAKE_EXIT, 0, -1);
        assert_int_equal(pool_do(d, SMB_OP_STAT, "f"), -EHOSTDOWN); /* no endless loop */
}

/* What may have happened already is not done twice. */
static void not_repeated(void **state)
{
        static const struct {
                enum smb_op op;
                enum fake_op fake;
                const char *path2;
        } cases[] = {
                { SMB_OP_MKDIR, FAKE_MKDIR, NULL }, { SMB_OP_UNLINK, FAKE_UNLINK, NULL },
                { SMB_OP_RMDIR, FAKE_RMDIR, NULL }, { SMB_OP_RENAME, FAKE_RENAME, "y" },
        };
        struct driver *d = *state;
        struct smb_file *file;
        struct ask *open;

        assert_int_equal(pool_start(d), NO_ERROR);
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct ask *ask = pool_ask(d, cases[i].op, "x", NULL, 0, 0);

                fake_break(d->server, cases[i].fake, "x", FAKE_EXIT, 0, 1);
                ask->request.path2 = cases[i].path2 ? strdup(cases[i].path2) : NULL;
                submit(ask);
                assert_int_equal(pool_wait(ask), -EIO);
                assert_int_equal(fake_count(d->server, cases[i].fake, "x"), 1);
        }
        file = smb_file_new(d->pool, "x", O_RDWR | O_CREAT, false);
        open = pool_ask(d, SMB_OP_OPEN, "x", file, 0, 0);
        open->request.flags = O_RDWR | O_CREAT;
        fake_break(d->server, FAKE_OPEN, "x", FAKE_EXIT, 0, 1);
        submit(open);
        assert_int_equal(pool_wait(open), -EIO);
        assert_int_equal(fake_count(d->server, FAKE_OPEN, "x"), 1);
        smb_file_unref(file);
        assert_int_equal(pool_do(d, SMB_OP_STAT, ""), 0);
}

/* Nobody asks anything, and the worker for names comes back all the same. */
static void idle_worker_killed(void **state)
{
        struct driver *d = *state;

        assert_int_equal(pool_start(d), NO_ERROR);
        assert_int_equal(pool_do(d, SMB_OP_STAT, ""), 0);
        assert_int_equal(kill(fake_pid(d->server, FAKE_STAT, ""), SIGKILL), 0);
        LOOP_UNTIL(d->event, d->n_down == 1);
        LOOP_UNTIL(d->event, d->n_up == 1);
        assert_int_equal(d->n_connected, 1);
        assert_int_equal(pool_do(d, SMB_OP_STAT, ""), 0);
}

/* What is opened once ends with its connection: opened again it would be another job. There is no worker for files, either. */
static void print_job(void **state)
{
        static const struct {
                enum fake_op fake;
                int write_error;
        } cases[] = { { FAKE_WRITE, -EIO }, { FAKE_CLOSE, 0 } };
        struct driver *d = *state;

        d->config.n_file_workers = 0;
        fake_add(d->server, "job", "");
        assert_int_equal(pool_start(d), NO_ERROR);
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct smb_file *file = pool_open(d, "job", O_WRONLY);
                unsigned n_opens = fake_count(d->server, FAKE_OPEN, "job"), n_up = d->n_up;

                file->once = true;
                fake_break(d->server, cases[i].fake, "job", FAKE_EXIT, 0, 1);
                assert_int_equal(pool_write(d, file, 'x'), cases[i].write_error);
                assert_int_equal(pool_write(d, file, 'y'), cases[i].write_error);
                assert_int_equal(pool_wait(pool_submit(d, SMB_OP_CLOSE, NULL, file, 0, 0)), -EIO); /* nobody knows what came of it */
                LOOP_UNTIL(d->event, d->n_up > n_up);
                assert_int_equal(fake_count(d->server, FAKE_OPEN, "job"), n_opens);
        }
}

static void server_stays_away(void **state)
{
        struct driver *d = *state;

        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDWR);
        d->server->connect_status = ERROR_BAD_NETPATH;
        snprintf(d->server->connect_text, sizeof(d->server->connect_text), "the share is gone");
        fake_break(d->server, FAKE_READ, "f", FAKE_FAIL, ECONNABORTED, 1);
        fake_break(d->server, FAKE_STAT, "f", FAKE_FAIL, ECONNABORTED, 1);
        assert_int_equal(pool_do(d, SMB_OP_STAT, "f"), -EHOSTDOWN); /* a name: the host is away */
        assert_string_equal(d->reason, "the share is gone"); /* what the last attempt came to */
        assert_int_equal(pool_wait(pool_submit(d, SMB_OP_READ, NULL, d->file, 4, 0)), -EIO);
        assert_int_equal(d->n_down, 1);
        assert_int_equal(d->n_up, 0);

        d->server->connect_status = 0; /* it is back: noticed without anybody's asking */
        LOOP_UNTIL(d->event, d->n_up == 1);
        loop_for(d->event, 1100000); /* so long the files' worker is not started again */
        pool_assert_text(d, "text");
}

/* A worker for files learns that the share is gone; the drive says so, though nobody asks for a name. */
static void only_files_are_used(void **state)
{
        struct driver *d = *state;

        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDWR);
        assert_int_equal(kill(fake_pid(d->server, FAKE_OPEN, "f"), SIGKILL), 0); /* which says nothing of the server */
        pool_assert_text(d, "text");
        assert_int_equal(fake_count(d->server, FAKE_STAT, ""), 0);

        fake_break(d->server, FAKE_READ, "f", FAKE_FAIL, ECONNABORTED, 1);
        pool_assert_text(d, "text");
        LOOP_UNTIL(d->event, fake_count(d->server, FAKE_STAT, "") == 1);
        assert_int_equal(d->n_down, 0); /* the others still have their connections */

        d->server->connect_status = ERROR_BAD_NET_NAME;
        snprintf(d->server->connect_text, sizeof(d->server->connect_text), "no such share");
        fake_break(d->server, FAKE_READ, "f", FAKE_FAIL, ECONNABORTED, 1);
        fake_break(d->server, FAKE_STAT, "", FAKE_FAIL, ECONNABORTED, 1);
        assert_int_equal(pool_wait(pool_submit(d, SMB_OP_READ, NULL, d->file, 4, 0)), -EIO);
        LOOP_UNTIL(d->event, strcmp(d->reason, "no such share") == 0);
        assert_int_equal(d->n_down, 1);
        assert_int_equal(d->n_up, 0);
}

static void file_opened_again(void **state)
{
        struct driver *d = *state;

        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDWR | O_CREAT | O_TRUNC);
        memcpy(fake_find(d->server, "f")->data, "text", 4);
        fake_find(d->server, "f")->size_bytes = 4;
        fake_break(d->server, FAKE_READ, "f", FAKE_ABORT, 0, 1);
        pool_assert_text(d, "text"); /* neither made nor cut anew */
        fake_break(d->server, FAKE_WRITE, "f", FAKE_EXIT, 1, 1);
        assert_int_equal(pool_write(d, d->file, 'n'), 0);
        pool_assert_text(d, "next");

        assert_int_equal(kill(fake_pid(d->server, FAKE_READ, "f"), SIGKILL), 0);
        loop_for(d->event, 50000);
        pool_assert_text(d, "next");
        assert_int_equal(fake_open_handles(d->server), 1);
        fake_break(d->server, FAKE_CLOSE, "f", FAKE_EXIT, 1, 1); /* which closes it, too */
        assert_int_equal(pool_wait(pool_submit(d, SMB_OP_CLOSE, NULL, d->file, 0, 0)), 0);
        assert_int_equal(fake_open_handles(d->server), 0);
        assert_int_equal(d->n_down, 0); /* the worker for names lives */
}

static void file_replaced(void **state)
{
        struct driver *d = *state;

        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDWR);
        fake_break(d->server, FAKE_READ, "f", FAKE_EXIT, 1, 1);
        fake_find(d->server, "f")->file_id = 99; /* another file of that name */
        assert_int_equal(pool_wait(pool_submit(d, SMB_OP_READ, NULL, d->file, 4, 0)), -EIO);
        assert_int_equal(pool_wait(pool_submit(d, SMB_OP_READ, NULL, d->file, 4, 0)), -EIO);
        assert_int_equal(fake_count(d->server, FAKE_READ, "f"), 1);
        assert_int_equal(smb_pool_arena(d->pool)->n_free, SMB_SLOTS);
        assert_int_equal(pool_wait(pool_submit(d, SMB_OP_CLOSE, NULL, d->file, 0, 0)), 0);
}

static void file_deleted(void **state)
{
        struct driver *d = *state;

        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDWR | O_CREAT);
        fake_break(d->server, FAKE_READ, "f", FAKE_EXIT, 1, 1);
        fake_find(d->server, "f")->used = false;
        assert_int_equal(pool_wait(pool_submit(d, SMB_OP_READ, NULL, d->file, 4, 0)), -EIO);
        assert_null(fake_find(d->server, "f"));
        assert_int_equal(pool_wait(pool_submit(d, SMB_OP_CLOSE, NULL, d->file, 0, 0)), 0);
}

/* A handle of the process that is gone is never used with its successor, where it may be another file's. */
static void not_another_file(void **state)
{
        struct driver *d = *state;
        struct smb_file *f, *g;

        fake_add(d->server, "f", "text");
        fake_add(d->server, "g", "other");
        assert_int_equal(pool_start(d), NO_ERROR);
        f = pool_open(d, "f", O_RDWR); /* once more, so that its handle's counter is 2 */
        assert_int_equal(pool_wait(pool_submit(d, SMB_OP_CLOSE, NULL, f, 0, 0)), 0);
        f = pool_open(d, "f", O_RDWR);
        g = pool_open(d, "g", O_RDWR);
        fake_break(d->server, FAKE_WRITE, "f", FAKE_EXIT, 1, 1);
        fake_break(d->server, FAKE_OPEN, "f", FAKE_FAIL, EBUSY, 1);
        assert_int_equal(pool_write(d, f, '1'), -EIO);
        assert_int_equal(pool_write(d, g, '2'), 0);
        assert_true(f->fh != g->fh || f->generation != g->generation);
        assert_int_equal(pool_write(d, f, '3'), 0); /* it can be opened by now */
        assert_memory_equal(fake_find(d->server, "g")->data, "2ther", 5);
        assert_memory_equal(fake_find(d->server, "f")->data, "3ext", 4);
}

/* Closed while it was being opened again: nothing stays open at the server. */
static void closed_while_opened_again(void **state)
{
        struct driver *d = *state;
        struct ask *read, *close;

        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDONLY);
        pool_assert_text(d, "text");
        assert_int_equal(kill(fake_pid(d->server, FAKE_READ, "f"), SIGKILL), 0);
        loop_for(d->event, 50000);
        fake_break(d->server, FAKE_OPEN, "f", FAKE_DELAY, 100, 1);
        read = pool_submit(d, SMB_OP_READ, NULL, d->file, 4, 0);
        close = pool_submit(d, SMB_OP_CLOSE, NULL, d->file, 0, 0);
        assert_int_equal(pool_wait(close), 0);
        (void) pool_wait(read);
        loop_for(d->event, 300000);
        assert_int_equal(fake_count(d->server, FAKE_OPEN, "f"), 2);
        assert_int_equal(fake_open_handles(d->server), 0);
}

static void end_while_opening_again(void **state)
{
        struct driver *d = *state;
        struct ask *reads[3];

        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDONLY);
        fake_break(d->server, FAKE_READ, "f", FAKE_EXIT, 0, 1);
        fake_break(d->server, FAKE_OPEN, "f", FAKE_HANG, 0, 1);
        for (unsigned i = 0; i < N_ELEMENTS(reads); i++)
                reads[i] = pool_submit(d, SMB_OP_READ, NULL, d->file, 4, 0);
        LOOP_UNTIL(d->event, fake_count(d->server, FAKE_OPEN, "f") == 2);
        pool_stop(d);
        for (unsigned i = 0; i < N_ELEMENTS(reads); i++)
                assert_int_equal(reads[i]->request.error, -ECANCELED);
}

static void hanging_worker(void **state)
{
        struct driver *d = *state;
        struct ask *read;
        pid_t pid;

        fake_add(d->server, "f", "text");
        d->config.operation_usec = POOL_SHORT_USEC;
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDONLY);
        fake_break(d->server, FAKE_READ, "f", FAKE_HANG, 0, 1);
        read = pool_submit(d, SMB_OP_READ, NULL, d->file, 4, 0);
        assert_int_equal(pool_do(d, SMB_OP_STAT, "f"), 0); /* names are served meanwhile */
        assert_int_equal(read->n_done, 0);
        assert_int_equal(pool_wait(read), -EIO);
        pid = fake_pid(d->server, FAKE_READ, "f");
        LOOP_UNTIL(d->event, kill(pid, 0) < 0); /* killed and reaped */
        pool_assert_text(d, "text");
        assert_int_equal(d->n_down, 0);
}

/* Each request has all of its time, whatever those before it have left of theirs. */
static void hanging_after_an_answer(void **state)
{
        struct driver *d = *state;
        struct ask *read;
        uint64_t began;

        fake_add(d->server, "f", "text");
        d->config.operation_usec = POOL_SHORT_USEC;
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDONLY);
        pool_assert_text(d, "text");
        loop_for(d->event, POOL_SHORT_USEC / 2);
        fake_break(d->server, FAKE_READ, "f", FAKE_HANG, 0, 1);
        began = loop_now();
        assert_true(sd_event_run(d->event, 0) >= 0); /* the loop knows what time it is */
        read = pool_submit(d, SMB_OP_READ, NULL, d->file, 4, 0);
        assert_int_equal(pool_wait(read), -EIO);
        assert_true(loop_now() - began >= POOL_SHORT_USEC);
}

/* What waited behind the request that hangs is not to blame. */
static void behind_a_hanging_request(void **state)
{
        struct driver *d = *state;
        struct ask *hanging, *behind, *mkdir;

        fake_add(d->server, "f", "text");
        d->config.operation_usec = POOL_SHORT_USEC;
        assert_int_equal(pool_start(d), NO_ERROR);
        fake_break(d->server, FAKE_STAT, "hang", FAKE_HANG, 0, -1);
        hanging = pool_submit(d, SMB_OP_STAT, "hang", NULL, 0, 0);
        behind = pool_submit(d, SMB_OP_STAT, "f", NULL, 0, 0);
        mkdir = pool_submit(d, SMB_OP_MKDIR, "d", NULL, 0, 0);
        for (unsigned i = 0; i < 10; i++)
                (void) pool_submit(d, SMB_OP_STAT, "f", NULL, 0, 0);
        assert_int_equal(pool_wait(behind), 0);
        assert_int_equal(hanging->n_done, 1);
        assert_int_equal(hanging->request.error, -EIO);
        assert_int_equal(fake_count(d->server, FAKE_STAT, "hang"), 1);
        assert_int_equal(pool_wait(mkdir), fake_find(d->server, "d") ? 0 : -EIO); /* done, or not: as it says */
        LOOP_UNTIL(d->event, d->n_done == 13);
        assert_int_equal(d->n_down, 1);
        assert_int_equal(d->n_up, 1);
}

/* It may take long; but only if its worker does something meanwhile. */
static void hanging_listing(void **state)
{
        struct driver *d = *state;
        struct ask *list;
        uint64_t began;

        d->config.operation_usec = POOL_SHORT_USEC;
        assert_int_equal(pool_start(d), NO_ERROR);
        fake_break(d->server, FAKE_LIST, "", FAKE_WORK, 3 * POOL_SHORT_USEC / 1000, 1);
        list = pool_submit(d, SMB_OP_LIST, "", NULL, 0, 0);
        assert_int_equal(pool_wait(list), 0);
        fake_break(d->server, FAKE_LIST, "", FAKE_HANG, 0, 1);
        began = loop_now();
        list = pool_submit(d, SMB_OP_LIST, "", NULL, 0, 0);
        assert_int_equal(pool_wait(list), -EIO);
        assert_true(loop_now() - began >= POOL_SHORT_USEC && loop_now() - began < 5 * POOL_SHORT_USEC);
}

/* Who asks for the same name right after is told at once; a second later it is tried again. */
static void asked_again_after_a_hang(void **state)
{
        struct driver *d = *state;

        d->config.operation_usec = POOL_SHORT_USEC;
        assert_int_equal(pool_start(d), NO_ERROR);
        fake_add(d->server, "hang", "text");
        fake_break(d->server, FAKE_STAT, "hang", FAKE_HANG, 0, 1);
        assert_int_equal(pool_do(d, SMB_OP_STAT, "hang"), -EIO);
        assert_int_equal(pool_do(d, SMB_OP_STAT, "hang"), -EIO);
        assert_int_equal(fake_count(d->server, FAKE_STAT, "hang"), 1);
        assert_int_equal(pool_do(d, SMB_OP_STAT, "other"), -ENOENT);
        loop_for(d->event, 1100 * 1000);
        assert_int_equal(pool_do(d, SMB_OP_STAT, "hang"), 0);
        assert_int_equal(fake_count(d->server, FAKE_STAT, "hang"), 2);
}

/* Each way of lying ends the worker; its successor answers. */
static void hostile_workers(void **state)
{
        static const struct {
                enum fake_act act;
                int64_t value;
                bool times_out;
        } cases[] = {
                { FAKE_BAD_INDEX, SMB_MESSAGES, false },  { FAKE_BAD_INDEX, UINT32_MAX, false },
                { FAKE_BAD_INDEX, 7, false },             /* a message that nothing was asked with */
                { FAKE_RETURN, 5, false },                /* as errno: negative, */
                { FAKE_RETURN, -4096, false },            /* too large */
                { FAKE_BAD_COUNTER, SMB_MESSAGES + 1, true }, { FAKE_BAD_COUNTER, UINT32_MAX, true },
        };
        struct driver *d = *state;

        d->config.operation_usec = POOL_SHORT_USEC;
        assert_int_equal(pool_start(d), NO_ERROR);
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                pid_t pid;

                fake_break(d->server, FAKE_STAT, "", cases[i].act, cases[i].value, 1);
                assert_int_equal(pool_do(d, SMB_OP_STAT, ""), cases[i].times_out ? -EIO : 0);
                assert_int_equal(d->n_down, i + 1);
                assert_int_equal(pool_do(d, SMB_OP_STAT, ""), 0);
                assert_int_equal(d->n_up, i + 1);
                pid = fake_pid(d->server, FAKE_STAT, "");
                LOOP_UNTIL(d->event, waitid(P_ALL, 0, &(siginfo_t) { 0 }, WEXITED | WNOHANG | WNOWAIT) == 0);
                assert_int_equal(kill(pid, 0), 0);
        }
}

/* One that nobody can wake is noticed when it is to be woken, not when its time has passed. */
static void hostile_wake_ups(void **state)
{
        struct driver *d = *state;

        assert_int_equal(pool_start(d), NO_ERROR);
        fake_break(d->server, FAKE_STAT, "", FAKE_FULL_WAKE_UPS, 0, 1);
        assert_int_equal(pool_do(d, SMB_OP_STAT, ""), 0);
        assert_int_equal(d->n_down, 0);
        assert_int_equal(pool_do(d, SMB_OP_STAT, ""), 0); /* by its successor */
        assert_int_equal(d->n_down, 1);
        assert_int_equal(d->n_up, 1);
}

static void hostile_lengths(void **state)
{
        static const int64_t lengths[] = { 5, SMB_SLOT_BYTES + 1, UINT32_MAX };
        struct driver *d = *state;

        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDWR);
        for (size_t i = 0; i < N_ELEMENTS(lengths); i++) {
                struct ask *read;

                fake_break(d->server, FAKE_READ, "f", FAKE_RETURN, lengths[i], 1);
                read = pool_submit(d, SMB_OP_READ, NULL, d->file, 4, 0);
                assert_int_equal(pool_wait(read), 0); /* the successor's answer */
                assert_int_equal(read->request.reply_length, 4);
                smb_pool_give_slot(d->pool, read->request.slot);
        }
        assert_int_equal(fake_count(d->server, FAKE_READ, "f"), 6);
}

/* A READ into a run of slots: its answer is checked as any, and whoever asked is told when its worker dies of it, for a shorter one
 * may be possible. */
static void long_reads(void **state)
{
        struct driver *d = *state;
        struct ask *read;

        fake_add(d->server, "f", "text");
        assert_int_equal(pool_start(d), NO_ERROR);
        pool_open(d, "f", O_RDWR);
        for (unsigned i = 0; i < 3; i++) {
                uint32_t n_free = smb_pool_arena(d->pool)->n_free;

                if (i == 1)
                        fake_break(d->server, FAKE_READ, "f", FAKE_EXIT, 3, 1);
                else if (i == 2)
                        fake_break(d->server, FAKE_READ, "f", FAKE_RETURN, SMB_READ_MAX_BYTES + 1, 1);
                read = pool_ask(d, SMB_OP_READ, NULL, d->file, SMB_READ_MAX_BYTES, 1);
                read->request.slot = arena_take_run(smb_pool_arena(d->pool), SMB_READ_MAX_BYTES);
                submit(read);
                assert_int_equal(pool_wait(read), i == 0 ? 0 : -EIO);
                if (i == 0) {
                        assert_int_equal(read->request.reply_length, 3);
                        assert_memory_equal(pool_slot(d, read->request.slot), "ext", 3);
                        smb_pool_give_slot(d->pool, read->request.slot);
                }
                assert_int_equal(smb_pool_arena(d->pool)->n_free, n_free);
        }
        assert_int_equal(fake_count(d->server, FAKE_READ, "f"), 3);
        pool_assert_text(d, "text");
}

static void hostile_while_connecting(void **state)
{
        struct driver *d = *state;

        fake_break(d->server, FAKE_CONNECT, "*", FAKE_BAD_INDEX, 1, 1);
        assert_int_equal(pool_start(d), ERROR_EXTENDED_ERROR);
}

/* Whom a worker says that the server knows. */
static void hostile_user(void **state)
{
        static const char *const names[] = { "a\tb", "\xff", "\xed\xa0\x80" };
        struct driver *d = *state;

        for (size_t i = 0; i < N_ELEMENTS(names); i++) {
                for (unsigned in_domain = 0; in_domain < 2; in_domain++) {
                        snprintf(d->config.setup.user, sizeof d->config.setup.user, "%s", in_domain ? "me" : names[i]);
                        snprintf(d->config.setup.domain, sizeof d->config.setup.domain, "%s", in_domain ? names[i] : "");
                        assert_int_equal(pool_start(d), ERROR_EXTENDED_ERROR);
                        assert_string_equal(d->session, "");
                        pool_stop(d);
                        d->n_connected = 0;
                }
        }
}

/* The channel's memory is made to vanish under the daemon. */
static void hostile_cut(void **state)
{
        struct driver *d = *state;

        d->config.operation_usec = POOL_SHORT_USEC;
        assert_int_equal(pool_start(d), NO_ERROR);
        fake_break(d->server, FAKE_STAT, "", FAKE_CUT_CHANNEL, 0, 1);
        assert_int_equal(pool_do(d, SMB_OP_STAT, ""), -EIO);
        assert_int_equal(pool_do(d, SMB_OP_STAT, ""), 0);
}

/* What counts is that the worker has ended, not who else has its socket. */
static void somebody_left_behind(void **state)
{
        struct driver *d = *state;

        d->config.operation_usec = POOL_SHORT_USEC;
        assert_int_equal(pool_start(d), NO_ERROR);
        fake_break(d->server, FAKE_STAT, "", FAKE_LEAVE, 0, 1);
        (void) pool_do(d, SMB_OP_STAT, "");
        assert_int_equal(pool_do(d, SMB_OP_STAT, ""), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, pool_setup, pool_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(repeated),
                TEST(killed_while_connecting),
                TEST(not_repeated),
                TEST(idle_worker_killed),
                TEST(print_job),
                TEST(server_stays_away),
                TEST(only_files_are_used),
                TEST(file_opened_again),
                TEST(file_replaced),
                TEST(file_deleted),
                TEST(not_another_file),
                TEST(closed_while_opened_again),
                TEST(end_while_opening_again),
                TEST(hanging_worker),
                TEST(hanging_after_an_answer),
                TEST(behind_a_hanging_request),
                TEST(asked_again_after_a_hang),
                TEST(hanging_listing),
                TEST(hostile_workers),
                TEST(hostile_wake_ups),
                TEST(hostile_lengths),
                TEST(long_reads),
                TEST(hostile_while_connecting),
                TEST(hostile_user),
                TEST(hostile_cut),
                TEST(somebody_left_behind),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
