/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * fuse/smb/worker-watch.c: that every change is told, once and in order, or its loss; in front of a fake server.
 */

#include "worker-driver.h"

#include <unistd.h>

#define PATIENCE_MSEC 30000

static void watch(struct driver *d, uint32_t index)
{
        (void) driver_message(d, index, SMB_OP_WATCH, "", NULL);
        driver_put(d, index);
        driver_wake(d);
}

/* The next answer, which has to be well; asks again. */
static struct smb_message answer(struct driver *d)
{
        uint32_t index = driver_take(d);
        struct smb_message m = d->channel->messages[index];

        assert_int_equal(m.error, 0);
        watch(d, index);
        return m;
}

/* The next answer that is more than a beat. */
static struct smb_message news(struct driver *d)
{
        struct smb_message m;

        do
                m = answer(d);
        while (m.reply_length == 0 && !(m.status & SMB_WATCH_LOST));
        return m;
}

static void begin(struct driver *d)
{
        driver_connect(d);
        watch(d, 0);
        watch(d, 1);
}

static void beats(void **state)
{
        struct driver *d = *state;

        begin(d);
        for (unsigned i = 0; i < 5; i++) {
                struct smb_message m = answer(d);

                assert_int_equal(m.status, SMB_WATCH_BEAT | SMB_WATCH_ALIVE);
                assert_int_equal(m.reply_length, 0);
        }
}

static void changes(void **state)
{
        struct driver *d = *state;
        struct smb_message m;

        begin(d);
        fake_change(d->server, SMB_CHANGE_MODIFIED, "a/b c");
        m = news(d);
        assert_int_equal(m.status & SMB_WATCH_LOST, 0);
        assert_int_equal(m.reply_length, 7);
        assert_memory_equal(m.text, "3a/b c", 7);
        fake_change(d->server, SMB_CHANGE_ADDED, "x");
        m = news(d);
        assert_int_equal(m.reply_length, 3);
        assert_memory_equal(m.text, "1x", 3);
}

/* Until what has come is kept. */
static void wait_until_kept(struct driver *d)
{
        for (unsigned n = 0; d->server->n_told < d->server->n_changes; n++) {
                assert_true(n < PATIENCE_MSEC);
                usleep(1000);
        }
}

/* Takes the answers to both requests, and asks nothing. */
static void leave_alone(struct driver *d)
{
        driver_connect(d);
        watch(d, 0);
        watch(d, 1);
        (void) driver_take(d);
        (void) driver_take(d);
}

static void kept_while_nobody_asks(void **state)
{
        struct driver *d = *state;
        struct smb_message m;

        leave_alone(d);
        fake_change(d->server, SMB_CHANGE_ADDED, "a");
        wait_until_kept(d);
        fake_change(d->server, SMB_CHANGE_REMOVED, "b");
        wait_until_kept(d);
        watch(d, 0);
        m = news(d);
        assert_int_equal(m.reply_length, 6);
        assert_memory_equal(m.text, "1a\0" "2b", 6);
}

static void in_pieces(void **state)
{
        struct driver *d = *state;
        unsigned told = 0;

        leave_alone(d);
        for (unsigned i = 0; i < 1000; i++) {
                char path[64];

                snprintf(path, sizeof path, "folder/with/some/more/folders/%04u", i);
                fake_change(d->server, SMB_CHANGE_ADDED, path);
        }
        wait_until_kept(d);
        watch(d, 0);
        while (told < 1000) {
                struct smb_message m = news(d);

                assert_int_equal(m.status & SMB_WATCH_LOST, 0);
                for (size_t at = 0; at < m.reply_length; at += strlen(m.text + at) + 1)
                        assert_int_equal(atoi(strrchr(m.text + at, '/') + 1), told++);
        }
        assert_int_equal(told, 1000);
}

static void too_many(void **state)
{
        struct driver *d = *state;
        struct smb_message m;
        char path[200];

        leave_alone(d);
        memset(path, 'x', sizeof path);
        path[sizeof path - 1] = '\0';
        for (unsigned i = 0; i < 400; i++)
                fake_change(d->server, SMB_CHANGE_ADDED, path);
        wait_until_kept(d);
        watch(d, 0);
        m = news(d);
        assert_true(m.status & SMB_WATCH_LOST);
}

static void overflow(void **state)
{
        struct driver *d = *state;
        struct smb_message m;

        begin(d);
        (void) answer(d);
        d->server->n_overflows = 2;
        m = news(d);
        assert_true(m.status & SMB_WATCH_LOST);
        assert_false(m.status & SMB_WATCH_ALIVE);
        m = news(d);
        assert_true(m.status & SMB_WATCH_LOST);
        fake_change(d->server, SMB_CHANGE_ADDED, "a");
        m = news(d);
        assert_int_equal(m.status & SMB_WATCH_LOST, 0);
        assert_memory_equal(m.text, "1a", 3);
}

static void refused(void **state)
{
        struct driver *d = *state;

        driver_connect(d);
        fake_break(d->server, FAKE_WATCH, "*", FAKE_FAIL, EACCES, 1);
        watch(d, 0);
        assert_int_equal(driver_take(d), 0);
        assert_int_equal(driver_reply(d)->error, EACCES);
        assert_false(driver_reply(d)->lost);
        watch(d, 0); /* perhaps now */
        (void) answer(d);
}

static void connection_lost(void **state)
{
        struct driver *d = *state;

        driver_connect(d);
        fake_break(d->server, FAKE_WATCH, "*", FAKE_FAIL, ECONNABORTED, 1);
        watch(d, 0);
        assert_int_equal(driver_take(d), 0);
        assert_true(driver_reply(d)->lost);
        assert_int_equal(driver_wait(d), 0);
}

static void does_nothing_else(void **state)
{
        struct driver *d = *state;

        begin(d);
        (void) driver_message(d, 2, SMB_OP_STAT, "", NULL);
        driver_put(d, 2);
        for (uint32_t index; (index = driver_take(d)) != 2;)
                watch(d, index);
        assert_int_equal(d->channel->messages[2].error, EBUSY);
        (void) answer(d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, driver_setup, driver_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(beats),    TEST(changes),  TEST(kept_while_nobody_asks), TEST(in_pieces), TEST(too_many),
                TEST(overflow), TEST(refused),  TEST(connection_lost),        TEST(does_nothing_else),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
