/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * fuse/smb/worker.c, fuse/smb/worker-ops.c: requests that make no sense are answered with an error and touch nothing; how a
 * worker ends, and what it still does then.
 */

#include "worker-driver.h"

#include <sys/socket.h>

#define EXIT_TROUBLE 1

static void wrong_handles(void **state)
{
        static const enum smb_op ops[] = {
                SMB_OP_CLOSE, SMB_OP_READ, SMB_OP_WRITE, SMB_OP_LIST_NEXT, SMB_OP_LIST_CLOSE,
        };
        struct driver *d = *state;
        uint64_t file, list, wrong[6];

        fake_add(d->server, "f", "text");
        driver_connect(d);
        file = driver_open(d, "f", O_RDWR);
        assert_int_equal(driver_ask(d, SMB_OP_LIST, ""), 0);
        list = driver_reply(d)->reply_fh;
        wrong[0] = 0;
        wrong[1] = UINT64_MAX;
        wrong[2] = file & UINT32_MAX;    /* without its counter */
        wrong[3] = file + (1ULL << 32);  /* of a later one */
        wrong[4] = file + 1000;
        wrong[5] = file & ~(uint64_t) UINT32_MAX;
        for (size_t op = 0; op < N_ELEMENTS(ops); op++)
                for (size_t i = 0; i < N_ELEMENTS(wrong); i++)
                        assert_int_equal(driver_transfer(d, ops[op], wrong[i], 0, 0, 4, 0), EBADF);

        /* A file is no listing, a listing no file. */
        assert_int_equal(driver_transfer(d, SMB_OP_LIST_NEXT, file, 0, 0, 1000, 0), EBADF);
        assert_int_equal(driver_transfer(d, SMB_OP_LIST_CLOSE, file, 0, 0, 0, 0), EBADF);
        assert_int_equal(driver_transfer(d, SMB_OP_READ, list, 0, 0, 4, 0), EBADF);
        assert_int_equal(driver_transfer(d, SMB_OP_WRITE, list, 0, 0, 4, 0), EBADF);
        assert_int_equal(driver_transfer(d, SMB_OP_CLOSE, list, 0, 0, 0, 0), EBADF);

        assert_int_equal(driver_transfer(d, SMB_OP_READ, file, 0, 0, 4, 0), 0); /* both are unharmed */
        assert_int_equal(driver_transfer(d, SMB_OP_LIST_CLOSE, list, 0, 0, 0, 0), 0);
        assert_int_equal(fake_count(d->server, FAKE_WRITE, "*"), 0);
}

static void stale_handles(void **state)
{
        struct driver *d = *state;
        uint64_t first, second, list;
        struct smb_message *m;

        fake_add(d->server, "f", "first");
        fake_add(d->server, "g", "second");
        driver_connect(d);
        first = driver_open(d, "f", O_RDWR);
        assert_int_equal(driver_transfer(d, SMB_OP_CLOSE, first, 0, 0, 0, 0), 0);
        assert_int_equal(driver_transfer(d, SMB_OP_CLOSE, first, 0, 0, 0, 0), EBADF);
        assert_int_equal(driver_transfer(d, SMB_OP_READ, first, 0, 0, 5, 0), EBADF);
        second = driver_open(d, "g", O_RDWR);
        assert_int_not_equal(second, first);
        assert_int_equal((uint32_t) second, (uint32_t) first); /* the same place, so the counter must tell */
        assert_int_equal(driver_transfer(d, SMB_OP_WRITE, first, 0, 0, 5, 0), EBADF);
        assert_int_equal(driver_transfer(d, SMB_OP_CLOSE, first, 0, 0, 0, 0), EBADF);
        m = driver_message(d, 0, SMB_OP_SETATTR, "g", NULL);
        m->valid = SMB_SET_SIZE;
        m->fh = first;
        assert_int_equal(driver_send(d), EBADF);
        assert_int_equal(fake_find(d->server, "g")->size_bytes, 6);
        assert_int_equal(driver_transfer(d, SMB_OP_CLOSE, second, 0, 0, 0, 0), 0);
        assert_int_equal(driver_ask(d, SMB_OP_LIST, ""), 0);
        list = driver_reply(d)->reply_fh;
        assert_int_equal(driver_transfer(d, SMB_OP_READ, second, 0, 0, 5, 0), EBADF);
        assert_int_equal(driver_transfer(d, SMB_OP_LIST_CLOSE, list, 0, 0, 0, 0), 0);
}

static void many_handles(void **state)
{
        struct driver *d = *state;
        uint64_t fhs[FAKE_HANDLES];

        fake_add(d->server, "f", "text");
        driver_connect(d);
        for (unsigned round = 0; round < 3; round++) {
                for (unsigned i = 0; i < FAKE_HANDLES; i++) {
                        fhs[i] = driver_open(d, "f", O_RDONLY);
                        for (unsigned j = 0; j < i; j++)
                                assert_int_not_equal(fhs[i], fhs[j]);
                }
                driver_message(d, 0, SMB_OP_OPEN, "f", NULL);
                assert_int_equal(driver_send(d), EMFILE); /* the server's limit */
                for (unsigned i = round; i < FAKE_HANDLES + round; i++)
                        assert_int_equal(driver_transfer(d, SMB_OP_CLOSE, fhs[i % FAKE_HANDLES], 0, 0, 0, 0), 0);
        }
        assert_int_equal(fake_open_handles(d->server), 0);
}

static void wrong_transfers(void **state)
{
        static const struct {
                uint32_t slot, slot_offset, length;
                bool in_a_run; /* READ and WRITE may have several slots */
        } cases[] = {
                { SMB_SLOTS, 0, 4, false },
                { SMB_NO_SLOT, 0, 4, false },
                { 0x80000000, 0, 4, false },
                { 0, UINT32_MAX, 4, false },
                { 0, UINT32_MAX - 3, 8, false },
                { SMB_SLOTS - 1, SMB_SLOT_BYTES + 1, 0, false },
                { SMB_SLOTS - 1, SMB_SLOT_BYTES, 1, false },
                { SMB_SLOTS - 1, 1, SMB_SLOT_BYTES, false },
                { SMB_SLOTS - 1, 0, SMB_SLOT_BYTES + 1, false },
                { SMB_SLOTS - 1, 0, UINT32_MAX, false },
                { SMB_SLOTS - 2, SMB_SLOT_BYTES, SMB_SLOT_BYTES + 1, false },
                { 0, SMB_SLOT_BYTES, 1, true },
                { 0, 1, SMB_SLOT_BYTES, true },
        };
        struct driver *d = *state;
        uint64_t file, list;

        fake_add(d->server, "f", "text");
        driver_connect(d);
        file = driver_open(d, "f", O_RDWR);
        assert_int_equal(driver_ask(d, SMB_OP_LIST, ""), 0);
        list = driver_reply(d)->reply_fh;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                uint32_t slot = cases[i].slot, slot_offset = cases[i].slot_offset, length = cases[i].length;

                if (!cases[i].in_a_run) {
                        assert_int_equal(driver_transfer(d, SMB_OP_READ, file, slot, slot_offset, length, 0), EINVAL);
                        assert_int_equal(driver_transfer(d, SMB_OP_WRITE, file, slot, slot_offset, length, 0), EINVAL);
                }
                assert_int_equal(driver_transfer(d, SMB_OP_LIST_NEXT, list, slot, slot_offset, length, 0), EINVAL);
        }
        assert_int_equal(fake_count(d->server, FAKE_READ, "*"), 0);
        assert_int_equal(fake_count(d->server, FAKE_WRITE, "*"), 0);
        /* A run of slots ends with the arena, and is so long at most. */
        assert_int_equal(driver_transfer(d, SMB_OP_READ, file, SMB_SLOTS - SMB_READ_MAX_BYTES / SMB_SLOT_DATA_BYTES + 1, 0, SMB_READ_MAX_BYTES, 0), EINVAL);
        assert_int_equal(driver_transfer(d, SMB_OP_READ, file, 0, 0, SMB_READ_MAX_BYTES + 1, 0), EINVAL);
        assert_int_equal(driver_transfer(d, SMB_OP_WRITE, file, SMB_SLOTS - SMB_WRITE_MAX_BYTES / SMB_SLOT_DATA_BYTES + 1, 0, SMB_WRITE_MAX_BYTES, 0), EINVAL);
        assert_int_equal(driver_transfer(d, SMB_OP_WRITE, file, 0, 0, SMB_WRITE_MAX_BYTES + 1, 0), EINVAL);
        assert_int_equal(fake_count(d->server, FAKE_READ, "*"), 0);
        assert_int_equal(fake_count(d->server, FAKE_WRITE, "*"), 0);
        assert_int_equal(driver_transfer(d, SMB_OP_WRITE, file, 1, 80, SMB_WRITE_MAX_BYTES, 0), 0);
        assert_int_equal(driver_reply(d)->reply_length, FAKE_DATA_BYTES); /* the server was asked */
        assert_int_equal(fake_count(d->server, FAKE_WRITE, "f"), 1);
        assert_int_equal(driver_transfer(d, SMB_OP_READ, file, 0, 0, 4, UINT64_MAX), 0); /* behind every end */
        assert_int_equal(driver_reply(d)->reply_length, 0);
}

static void wrong_messages(void **state)
{
        struct driver *d = *state;
        struct smb_message *m;

        fake_add(d->server, "f", "");
        driver_connect(d);
        assert_int_equal(driver_ask(d, (enum smb_op) 0, ""), ENOSYS);
        assert_int_equal(driver_ask(d, SMB_OP_MAX, ""), ENOSYS);
        assert_int_equal(driver_ask(d, (enum smb_op) -1, ""), ENOSYS);

        m = driver_message(d, 0, SMB_OP_STAT, "", NULL);
        memset(m->text, 'x', sizeof m->text); /* without an end */
        assert_int_equal(driver_send(d), ENAMETOOLONG);
        m = driver_message(d, 0, SMB_OP_RENAME, "f", NULL);
        assert_int_equal(driver_send(d), EINVAL); /* there is no second path, */
        m->path2 = SMB_TEXT_BYTES;
        assert_int_equal(driver_send(d), EINVAL); /* or it lies outside */
        m->path2 = UINT32_MAX;
        assert_int_equal(driver_send(d), EINVAL);
        m->path2 = SMB_TEXT_BYTES - 1;            /* the last byte: an empty one */
        assert_int_equal(driver_send(d), EISDIR);
        assert_non_null(fake_find(d->server, "f"));
        assert_int_equal(driver_ask(d, SMB_OP_STAT, "f"), 0);
}

static void wrong_index(void **state)
{
        struct driver *d = *state;

        driver_connect(d);
        driver_put(d, SMB_MESSAGES);
        driver_wake(d);
        assert_int_equal(driver_wait(d), EXIT_TROUBLE);
}

static void wrong_counter(void **state)
{
        struct driver *d = *state;

        driver_connect(d);
        atomic_fetch_add(&d->channel->requests.written, SMB_MESSAGES + 1); /* more than there are places */
        driver_wake(d);
        shutdown(d->setup_fd, SHUT_RDWR);
        assert_int_equal(driver_wait(d), 0);
        assert_int_equal(fake_count(d->server, FAKE_STAT, "*"), 0);
}

static void wrong_setup(void **state)
{
        struct driver *d = *state;

        driver_restart(d, 0); /* wnetd died at once */
        assert_int_equal(driver_wait(d), EXIT_TROUBLE);
        driver_restart(d, sizeof d->setup - 1);
        assert_int_equal(driver_wait(d), EXIT_TROUBLE);
        memset(d->setup.server, 'x', sizeof d->setup - offsetof(struct smb_setup, server)); /* texts without ends */
        memset(d->setup.credentials_file, 0, sizeof d->setup.credentials_file);
        driver_restart(d, sizeof d->setup);
        assert_int_equal(driver_ask(d, SMB_OP_CONNECT, ""), ECONNREFUSED);
        assert_int_equal(driver_reply(d)->status, ERROR_BAD_NET_NAME);
}

static void in_order(void **state)
{
        struct driver *d = *state;
        char path[16];

        driver_connect(d);
        for (unsigned i = 1; i < SMB_MESSAGES; i++) {
                snprintf(path, sizeof path, "f%u", i);
                driver_message(d, i, SMB_OP_STAT, path, NULL);
                driver_put(d, i);
        }
        driver_wake(d);
        for (unsigned i = 1; i < SMB_MESSAGES; i++) {
                snprintf(path, sizeof path, "f%u", i);
                assert_int_equal(driver_take(d), i);
                assert_int_equal(d->channel->messages[i].error, ENOENT);
                assert_string_equal(d->server->calls[i].path, path);
        }
}

static void lost_connections(void **state)
{
        static const int lost[] = { ECONNABORTED, ECONNRESET, ECONNREFUSED, ENOTCONN, EPIPE, ETIMEDOUT, EHOSTUNREACH,
                                    EHOSTDOWN, ENETUNREACH };
        static const int harmless[] = { ENOENT, EACCES, EIO, EBUSY, EINVAL, ENOSPC };
        struct driver *d = *state;

        driver_connect(d);
        for (size_t i = 0; i < N_ELEMENTS(harmless); i++) {
                fake_break(d->server, FAKE_STAT, "*", FAKE_FAIL, harmless[i], 1);
                assert_int_equal(driver_ask(d, SMB_OP_STAT, ""), harmless[i]);
                assert_int_equal(driver_reply(d)->lost, 0);
        }
        for (size_t i = 0; i < N_ELEMENTS(lost); i++) {
                fake_break(d->server, FAKE_STAT, "*", FAKE_FAIL, lost[i], 1);
                driver_message(d, 0, SMB_OP_STAT, "", NULL);
                driver_message(d, 1, SMB_OP_MKDIR, "d", NULL);
                driver_put(d, 0);
                driver_put(d, 1);
                driver_wake(d);
                assert_int_equal(driver_take(d), 0);
                assert_int_equal(driver_reply(d)->error, lost[i]);
                assert_int_equal(driver_reply(d)->lost, 1);
                assert_int_equal(driver_wait(d), 0);
                assert_null(fake_find(d->server, "d")); /* what stood behind it is not begun */
                driver_restart(d, sizeof d->setup);
                driver_connect(d);
        }
}

/* The server has closed the share and left the connection up: asking tells that "invalid argument" means this. */
static void share_lost(void **state)
{
        struct driver *d = *state;

        driver_connect(d);
        fake_break(d->server, FAKE_MKDIR, "d", FAKE_FAIL, EINVAL, -1);
        assert_int_equal(driver_ask(d, SMB_OP_MKDIR, "d"), EINVAL);
        assert_int_equal(driver_reply(d)->lost, 0);
        fake_break(d->server, FAKE_CHECK, "", FAKE_FAIL, ENOTCONN, -1);
        assert_int_equal(driver_ask(d, SMB_OP_MKDIR, "d"), ENOTCONN);
        assert_int_equal(driver_reply(d)->lost, 1);
        assert_int_equal(driver_wait(d), 0);
}

/* wnetd dies while writes are on their way: these are done, and nothing else is begun. */
static void last_writes(void **state)
{
        struct driver *d = *state;
        struct smb_message *m;
        uint64_t fh;

        fake_add(d->server, "f", "0000");
        driver_connect(d);
        fh = driver_open(d, "f", O_RDWR);
        for (uint32_t i = 1; i <= 3; i++) {
                m = driver_message(d, i, SMB_OP_WRITE, "", NULL);
                m->fh = fh;
                m->slot = i;
                m->length = 1;
                m->offset = i;
                *driver_slot(d, i) = (unsigned char) ('0' + i);
        }
        driver_message(d, 4, SMB_OP_MKDIR, "d", NULL);
        driver_message(d, 5, SMB_OP_UNLINK, "f", NULL);
        driver_message(d, 6, SMB_OP_CLOSE, "", NULL)->fh = fh;
        driver_settle(d);
        driver_put(d, 4); /* without a wake: the worker notices them with the end */
        for (uint32_t i = 1; i <= 3; i++)
                driver_put(d, i);
        driver_put(d, 5);
        driver_put(d, 6);
        shutdown(d->setup_fd, SHUT_RDWR);
        assert_int_equal(driver_wait(d), 0);
        assert_memory_equal(fake_find(d->server, "f")->data, "0123", 4);
        assert_null(fake_find(d->server, "d"));
        assert_int_equal(fake_count(d->server, FAKE_UNLINK, "*"), 0);
        assert_int_equal(fake_count(d->server, FAKE_CLOSE, "f"), 1);
}

/* The same with a server that is gone as well: the worker does not try for ever. */
static void last_writes_fail(void **state)
{
        struct driver *d = *state;
        uint64_t fh;

        fake_add(d->server, "f", "");
        driver_connect(d);
        fh = driver_open(d, "f", O_RDWR);
        fake_break(d->server, FAKE_WRITE, "f", FAKE_FAIL, ECONNABORTED, -1);
        driver_settle(d);
        for (uint32_t i = 1; i <= 3; i++) {
                struct smb_message *m = driver_message(d, i, SMB_OP_WRITE, "", NULL);

                m->fh = fh;
                m->slot = i;
                m->length = 1;
                driver_put(d, i);
        }
        shutdown(d->setup_fd, SHUT_RDWR);
        assert_int_equal(driver_wait(d), 0);
        assert_int_equal(fake_count(d->server, FAKE_WRITE, "f"), 1);
}

static void note_unsent(struct driver *d, uint32_t slot, uint64_t fh, const char *text, uint64_t offset, uint64_t order)
{
        struct smb_unsent *unsent = &d->channel->unsent[slot];

        memcpy(driver_slot(d, slot) + 80, text, strlen(text));
        unsent->slot_offset = 80;
        unsent->fh = fh;
        unsent->offset = offset;
        unsent->order = order;
        unsent->length = (uint32_t) strlen(text);
}

/* wnetd has taken over data that it had not handed over yet: they come behind those that it had, in their order. */
static void unsent_data(void **state)
{
        struct driver *d = *state;
        struct smb_message *m;
        uint64_t fh;

        fake_add(d->server, "f", "0000000000");
        driver_connect(d);
        fh = driver_open(d, "f", O_RDWR);
        m = driver_message(d, 1, SMB_OP_WRITE, "", NULL);
        m->fh = fh;
        m->slot = 1;
        m->length = 4;
        memcpy(driver_slot(d, 1), "....", 4);
        driver_settle(d);
        note_unsent(d, 2, fh, "CCC", 2, 30);
        note_unsent(d, 9, fh, "AAA", 0, 10);
        note_unsent(d, 5, fh, "BBB", 1, 20);
        note_unsent(d, 6, fh + 1000, "xxx", 0, 25); /* no such file: the others are written all the same */
        note_unsent(d, SMB_SLOTS - 1, fh, "yyy", 0, 26);
        d->channel->unsent[SMB_SLOTS - 1].slot_offset = SMB_SLOT_BYTES - 1;
        note_unsent(d, 8, fh, "never", 5, 40);
        d->channel->unsent[8].length = 0; /* taken back */
        driver_put(d, 1);
        shutdown(d->setup_fd, SHUT_RDWR);
        assert_int_equal(driver_wait(d), 0);
        assert_memory_equal(fake_find(d->server, "f")->data, "ABCCC00000", 10);
        assert_int_equal(fake_find(d->server, "f")->size_bytes, 10);
}

/* The server is gone as well: it is not asked for each piece. */
static void unsent_data_fail(void **state)
{
        struct driver *d = *state;
        uint64_t fh;

        fake_add(d->server, "f", "");
        driver_connect(d);
        fh = driver_open(d, "f", O_RDWR);
        fake_break(d->server, FAKE_WRITE, "f", FAKE_FAIL, ETIMEDOUT, -1);
        driver_settle(d);
        for (uint32_t slot = 0; slot < SMB_SLOTS; slot++)
                note_unsent(d, slot, fh, "x", slot, slot + 1);
        shutdown(d->setup_fd, SHUT_RDWR);
        assert_int_equal(driver_wait(d), 0);
        assert_int_equal(fake_count(d->server, FAKE_WRITE, "f"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, driver_setup, driver_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(wrong_handles),
                TEST(stale_handles),
                TEST(many_handles),
                TEST(wrong_transfers),
                TEST(wrong_messages),
                TEST(wrong_index),
                TEST(wrong_counter),
                TEST(wrong_setup),
                TEST(in_order),
                TEST(lost_connections),
                TEST(share_lost),
                TEST(last_writes),
                TEST(last_writes_fail),
                TEST(unsent_data),
                TEST(unsent_data_fail),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
