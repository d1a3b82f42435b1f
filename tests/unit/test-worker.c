/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * fuse/smb/worker.c, fuse/smb/worker-ops.c: what each operation does and answers, through a real channel and in front of a fake
 * server.
 */

#include "worker-driver.h"

#include "fuse/smb/listing.h"

static const struct smb_attr *reply_attr(const struct driver *d)
{
        return &driver_reply(d)->attr;
}

static void connects(void **state)
{
        struct driver *d = *state;

        driver_connect(d);
        assert_int_equal(fake_count(d->server, FAKE_CONNECT, "*"), 1);
        assert_string_equal(d->server->setup.user, "me");
        assert_int_equal(d->server->setup.has_password, 0);
        assert_memory_equal(driver_reply(d)->text, "me\0", 4); /* user, and no domain */
}

static void connect_refused(void **state)
{
        struct driver *d = *state;

        d->server->connect_status = ERROR_LOGON_FAILURE;
        d->server->connect_cause = 0xc000006d;
        snprintf(d->server->connect_text, sizeof d->server->connect_text, "no such user");
        assert_int_equal(driver_ask(d, SMB_OP_CONNECT, ""), ECONNREFUSED);
        assert_int_equal(driver_reply(d)->status, ERROR_LOGON_FAILURE);
        assert_int_equal(driver_reply(d)->cause, 0xc000006d);
        assert_string_equal(driver_reply(d)->text, "no such user");
        assert_true(driver_reply(d)->lost);
        assert_int_equal(driver_wait(d), 0);
}

static void credentials_file(void **state)
{
        struct driver *d = *state;
        char path[80];

        snprintf(path, sizeof path, "%s.cred", d->server_path);
        snprintf(d->setup.credentials_file, sizeof d->setup.credentials_file, "%s", path);
        driver_restart(d, sizeof d->setup);
        assert_int_equal(driver_ask(d, SMB_OP_CONNECT, ""), ECONNREFUSED); /* there is none */
        assert_int_equal(driver_reply(d)->status, ERROR_INVALID_PARAMETER);
        assert_non_null(strstr(driver_reply(d)->text, path));
        assert_int_equal(fake_count(d->server, FAKE_CONNECT, "*"), 0);

        write_text(path, "username=alice\npassword=s3cret\ndomain=DOM\n");
        driver_restart(d, sizeof d->setup);
        driver_connect(d);
        assert_string_equal(d->server->setup.user, "alice");
        assert_string_equal(d->server->setup.domain, "DOM");
        assert_string_equal(d->server->setup.password, "s3cret");
        assert_int_equal(d->server->setup.has_password, 1);
        assert_memory_equal(driver_reply(d)->text, "alice\0DOM", 10);
        unlink(path);
}

static void stat_and_names(void **state)
{
        struct driver *d = *state;
        struct smb_message *m;

        fake_add(d->server, "f", "twelve bytes");
        driver_connect(d);
        assert_int_equal(driver_ask(d, SMB_OP_STAT, ""), 0);
        assert_int_equal(reply_attr(d)->dos, SMB_ATTR_DIRECTORY);
        assert_int_equal(driver_ask(d, SMB_OP_STAT, "f"), 0);
        assert_int_equal(reply_attr(d)->size_bytes, 12);
        assert_int_equal(reply_attr(d)->mtime.sec, 1700000000);
        assert_int_equal(driver_ask(d, SMB_OP_STAT, "g"), ENOENT);
        assert_int_equal(driver_reply(d)->lost, 0);
        assert_int_equal(driver_ask(d, SMB_OP_STAT, "f/x"), ENOTDIR);

        assert_int_equal(driver_ask(d, SMB_OP_MKDIR, "d"), 0);
        assert_int_equal(reply_attr(d)->dos, SMB_ATTR_DIRECTORY);
        assert_int_equal(reply_attr(d)->file_id, fake_find(d->server, "d")->file_id);
        assert_int_equal(driver_ask(d, SMB_OP_MKDIR, "d"), EEXIST);
        assert_int_equal(driver_ask(d, SMB_OP_MKDIR, "none/d"), ENOENT);

        driver_message(d, 0, SMB_OP_RENAME, "f", "d/g");
        assert_int_equal(driver_send(d), 0);
        assert_non_null(fake_find(d->server, "d/g"));
        assert_null(fake_find(d->server, "f"));
        assert_int_equal(driver_ask(d, SMB_OP_RMDIR, "d"), ENOTEMPTY);

        fake_add(d->server, "h", "other");
        m = driver_message(d, 0, SMB_OP_RENAME, "h", "d/g");
        m->flags = RENAME_NOREPLACE;
        assert_int_equal(driver_send(d), EEXIST);
        assert_non_null(fake_find(d->server, "h"));
        driver_message(d, 0, SMB_OP_RENAME, "h", "d/g");
        assert_int_equal(driver_send(d), 0);
        assert_int_equal(fake_find(d->server, "d/g")->size_bytes, 5);
        m = driver_message(d, 0, SMB_OP_RENAME, "d/g", "d/new");
        m->flags = RENAME_NOREPLACE;
        assert_int_equal(driver_send(d), 0);

        assert_int_equal(driver_ask(d, SMB_OP_UNLINK, "d/new"), 0);
        assert_int_equal(driver_ask(d, SMB_OP_UNLINK, "d/new"), ENOENT);
        assert_int_equal(driver_ask(d, SMB_OP_RMDIR, "d"), 0);
        assert_null(fake_find(d->server, "d"));

        assert_int_equal(driver_ask(d, SMB_OP_STATFS, ""), 0);
        assert_int_equal(driver_reply(d)->space.blocks_available, 500);
}

/* A target that cannot be asked about is not taken for one that is not there. */
static void noreplace_needs_an_answer(void **state)
{
        struct driver *d = *state;
        struct smb_message *m;

        fake_add(d->server, "f", "");
        driver_connect(d);
        fake_break(d->server, FAKE_STAT, "g", FAKE_FAIL, EACCES, 1);
        m = driver_message(d, 0, SMB_OP_RENAME, "f", "g");
        m->flags = RENAME_NOREPLACE;
        assert_int_equal(driver_send(d), EACCES);
        assert_int_equal(fake_count(d->server, FAKE_RENAME, "*"), 0);
}

static void reads_and_writes(void **state)
{
        struct driver *d = *state;
        const uint32_t run = SMB_SLOTS - SMB_READ_MAX_BYTES / SMB_SLOT_DATA_BYTES;
        uint64_t fh;

        fake_add(d->server, "f", "0123456789");
        driver_connect(d);
        fh = driver_open(d, "f", O_RDWR);
        assert_int_equal(reply_attr(d)->size_bytes, 10);
        assert_int_equal(driver_reply(d)->created, 0);

        assert_int_equal(driver_transfer(d, SMB_OP_READ, fh, 3, 100, 4, 2), 0);
        assert_int_equal(driver_reply(d)->reply_length, 4);
        assert_memory_equal(driver_slot(d, 3) + 100, "2345", 4);
        assert_int_equal(driver_transfer(d, SMB_OP_READ, fh, 3, 0, SMB_SLOT_DATA_BYTES, 0), 0);
        assert_int_equal(driver_reply(d)->reply_length, 10);
        assert_int_equal(driver_transfer(d, SMB_OP_READ, fh, run, 0, SMB_READ_MAX_BYTES, 1), 0); /* a run of slots */
        assert_int_equal(driver_reply(d)->reply_length, 9);
        assert_memory_equal(driver_slot(d, run), "123456789", 9);
        assert_int_equal(driver_transfer(d, SMB_OP_READ, fh, 3, 0, 10, 10), 0);
        assert_int_equal(driver_reply(d)->reply_length, 0);

        memcpy(driver_slot(d, SMB_SLOTS - 1) + SMB_SLOT_BYTES - 3, "abc", 3); /* the arena's last bytes */
        assert_int_equal(driver_transfer(d, SMB_OP_WRITE, fh, SMB_SLOTS - 1, SMB_SLOT_BYTES - 3, 3, 9), 0);
        assert_int_equal(driver_reply(d)->reply_length, 3);
        assert_int_equal(fake_find(d->server, "f")->size_bytes, 12);
        assert_memory_equal(fake_find(d->server, "f")->data, "012345678abc", 12);
        assert_int_equal(driver_transfer(d, SMB_OP_WRITE, fh, 0, 0, 10, FAKE_DATA_BYTES - 4), 0);
        assert_int_equal(driver_reply(d)->reply_length, 4); /* the space ends */
        assert_int_equal(driver_transfer(d, SMB_OP_WRITE, fh, 0, 0, 10, FAKE_DATA_BYTES), ENOSPC);

        assert_int_equal(driver_transfer(d, SMB_OP_CLOSE, fh, SMB_NO_SLOT, 0, 0, 0), 0);
        assert_int_equal(fake_open_handles(d->server), 0);
}

static int open_with(struct driver *d, const char *path, int flags, uint32_t valid)
{
        struct smb_message *m = driver_message(d, 0, SMB_OP_OPEN, path, NULL);

        m->flags = (uint32_t) flags;
        m->valid = valid;
        return driver_send(d);
}

static int open_with_data(struct driver *d, const char *path, uint32_t slot, uint32_t length)
{
        struct smb_message *m = driver_message(d, 0, SMB_OP_OPEN, path, NULL);

        m->flags = O_RDONLY;
        m->valid = SMB_WANT_ATTR | SMB_WANT_DATA;
        m->slot = slot;
        m->length = length;
        return driver_send(d);
}

static int peek(struct driver *d, const char *path, uint32_t slot, uint32_t length)
{
        struct smb_message *m = driver_message(d, 0, SMB_OP_STAT, path, NULL);

        m->valid = SMB_WANT_DATA;
        m->slot = slot;
        m->length = length;
        return driver_send(d);
}

/* A look into a file leaves nothing open. */
static void looks_into_files(void **state)
{
        struct driver *d = *state;

        fake_add(d->server, "f", "0123456789");
        fake_add(d->server, "d", NULL);
        driver_connect(d);
        assert_int_equal(peek(d, "f", 2, 100), 0);
        assert_int_equal(driver_reply(d)->reply_length, 10);
        assert_int_equal(reply_attr(d)->size_bytes, 10);
        assert_int_equal(reply_attr(d)->file_id, fake_find(d->server, "f")->file_id);
        assert_memory_equal(driver_slot(d, 2), "0123456789", 10);
        assert_int_equal(peek(d, "f", 2, 4), 0);
        assert_int_equal(driver_reply(d)->reply_length, 4);
        assert_int_equal(peek(d, "f", SMB_SLOTS, 10), 0);
        assert_int_equal(driver_reply(d)->reply_length, 0);
        assert_int_not_equal(peek(d, "d", 2, 10), 0);
        assert_int_equal(peek(d, "none", 2, 10), ENOENT);
        fake_break(d->server, FAKE_FSTAT, "f", FAKE_FAIL, EACCES, 1);
        assert_int_equal(peek(d, "f", 2, 10), EACCES);
        fake_break(d->server, FAKE_CLOSE, "f", FAKE_FAIL, EIO, 1);
        assert_int_equal(peek(d, "f", 2, 10), EIO);
        assert_int_equal(fake_open_handles(d->server), 0);
        fake_break(d->server, FAKE_READ, "f", FAKE_FAIL, ETIMEDOUT, 1);
        assert_int_equal(peek(d, "f", 2, 10), ETIMEDOUT);
        assert_true(driver_reply(d)->lost);
}

static void opens_with_data(void **state)
{
        struct driver *d = *state;

        fake_add(d->server, "f", "0123456789");
        fake_add(d->server, "empty", "");
        driver_connect(d);
        assert_int_equal(open_with_data(d, "f", 2, 100), 0);
        assert_int_equal(driver_reply(d)->reply_length, 10);
        assert_memory_equal(driver_slot(d, 2), "0123456789", 10);
        assert_int_equal(fake_count(d->server, FAKE_READ, "f"), 1);
        assert_int_equal(open_with_data(d, "f", 2, 4), 0);
        assert_int_equal(driver_reply(d)->reply_length, 4);
        assert_int_equal(open_with_data(d, "empty", 2, 100), 0);
        assert_int_equal(driver_reply(d)->reply_length, 0);

        /* it opens in any case */
        assert_int_equal(open_with_data(d, "f", SMB_SLOTS, 10), 0);
        assert_int_equal(driver_reply(d)->reply_length, 0);
        assert_int_equal(open_with_data(d, "f", 2, UINT32_MAX), 0);
        assert_int_equal(driver_reply(d)->reply_length, 0);
        fake_break(d->server, FAKE_READ, "f", FAKE_FAIL, EACCES, 1);
        assert_int_equal(open_with_data(d, "f", 2, 10), 0);
        assert_int_equal(driver_reply(d)->reply_length, 0);
        assert_int_equal(fake_open_handles(d->server), 6);
        assert_int_equal(open_with_data(d, "none", 2, 10), ENOENT);
        fake_break(d->server, FAKE_READ, "f", FAKE_FAIL, ETIMEDOUT, 1);
        assert_int_equal(open_with_data(d, "f", 2, 10), ETIMEDOUT);
        assert_true(driver_reply(d)->lost);
}

static void creates(void **state)
{
        struct driver *d = *state;

        driver_connect(d);
        assert_int_equal(open_with(d, "new", O_WRONLY | O_CREAT, SMB_WANT_ATTR), 0);
        assert_int_equal(driver_reply(d)->created, 1);
        assert_int_equal(reply_attr(d)->file_id, fake_find(d->server, "new")->file_id);
        assert_int_equal(open_with(d, "new", O_WRONLY | O_CREAT, SMB_WANT_ATTR), 0);
        assert_int_equal(driver_reply(d)->created, 0);
        assert_int_equal(open_with(d, "new", O_WRONLY | O_CREAT | O_EXCL, SMB_WANT_ATTR), EEXIST);
        assert_int_equal(open_with(d, "no/new", O_WRONLY | O_CREAT, SMB_WANT_ATTR), ENOENT);
        assert_int_equal(open_with(d, "none", O_RDONLY, SMB_WANT_ATTR), ENOENT);
        assert_int_equal(fake_open_handles(d->server), 2);

        fake_find(d->server, "new")->size_bytes = 5;
        assert_int_equal(open_with(d, "new", O_RDWR | O_CREAT | O_TRUNC, SMB_WANT_ATTR), 0);
        assert_int_equal(reply_attr(d)->size_bytes, 0);

        /* May be written, not read: opened as asked. */
        fake_break(d->server, FAKE_OPEN, "wo", FAKE_FAIL, EACCES, 1);
        assert_int_equal(open_with(d, "wo", O_WRONLY | O_CREAT, SMB_WANT_ATTR), 0);
        assert_int_equal(driver_reply(d)->created, 1);
        assert_int_equal(fake_count(d->server, FAKE_OPEN, "wo"), 2);

        assert_int_equal(open_with(d, "ro", O_WRONLY | O_CREAT, SMB_WANT_ATTR | SMB_SET_CREATE_READONLY), 0);
        assert_int_equal(fake_find(d->server, "ro")->dos, SMB_ATTR_READONLY);
        assert_int_equal(reply_attr(d)->dos, SMB_ATTR_READONLY);
        assert_int_equal(open_with(d, "new", O_RDWR | O_CREAT, SMB_WANT_ATTR | SMB_SET_CREATE_READONLY), 0);
        assert_int_equal(fake_find(d->server, "new")->dos, 0); /* a mode belongs to a new file only */

        /* What was opened is closed again when its attributes cannot be told. */
        assert_int_equal(fake_open_handles(d->server), 6);
        fake_break(d->server, FAKE_FSTAT, "new", FAKE_FAIL, EIO, 1);
        assert_int_equal(open_with(d, "new", O_RDWR, SMB_WANT_ATTR), EIO);
        assert_int_equal(fake_open_handles(d->server), 6);
}

static int set_attr(struct driver *d, const char *path, uint32_t valid, uint64_t fh, uint64_t value)
{
        struct smb_message *m = driver_message(d, 0, SMB_OP_SETATTR, path, NULL);

        m->valid = valid;
        m->fh = fh;
        m->offset = value;
        *(value ? &m->dos_set : &m->dos_clear) = SMB_ATTR_READONLY;
        m->atime = (struct smb_time) { .sec = 11, .nsec = 12 };
        m->mtime = (struct smb_time) { .sec = 21, .nsec = 22 };
        return driver_send(d);
}

static void attributes(void **state)
{
        struct driver *d = *state;
        struct fake_node *f = fake_add(d->server, "f", "0123456789");
        uint64_t fh;

        driver_connect(d);
        fh = driver_open(d, "f", O_WRONLY);
        assert_int_equal(set_attr(d, "f", SMB_SET_SIZE, fh, 4), 0);
        assert_int_equal(reply_attr(d)->size_bytes, 4);
        assert_int_equal(set_attr(d, "f", SMB_SET_SIZE, 0, 6), 0);
        assert_memory_equal(f->data, "0123\0\0", 6);
        assert_int_equal(fake_open_handles(d->server), 1);
        assert_int_equal(set_attr(d, "f", SMB_SET_SIZE, 0, FAKE_DATA_BYTES + 1), ENOSPC);
        assert_int_equal(fake_open_handles(d->server), 1);

        f->dos = SMB_ATTR_HIDDEN;
        assert_int_equal(set_attr(d, "f", SMB_SET_DOS, 0, 1), 0);
        assert_int_equal(f->dos, SMB_ATTR_HIDDEN | SMB_ATTR_READONLY);
        assert_int_equal(reply_attr(d)->dos, SMB_ATTR_HIDDEN | SMB_ATTR_READONLY);
        assert_int_equal(set_attr(d, "f", SMB_SET_DOS, 0, 1), 0); /* it is already */
        assert_int_equal(fake_count(d->server, FAKE_SET_DOS, "f"), 1);
        assert_int_equal(set_attr(d, "f", SMB_SET_DOS, 0, 0), 0);
        assert_int_equal(f->dos, SMB_ATTR_HIDDEN);

        assert_int_equal(set_attr(d, "f", SMB_SET_MTIME, 0, 0), 0);
        assert_int_equal(f->mtime.sec, 21);
        assert_int_equal(f->mtime.nsec, 22);
        assert_int_equal(f->atime.sec, 1700000001); /* as it was */
        assert_int_equal(set_attr(d, "f", SMB_SET_ATIME | SMB_SET_MTIME, 0, 0), 0);
        assert_int_equal(f->atime.sec, 11);
        assert_int_equal(set_attr(d, "f", 0, 0, 0), 0);
        assert_int_equal(set_attr(d, "none", SMB_SET_MTIME, 0, 0), ENOENT);
}

static int stat_wanting(struct driver *d, const char *path, uint32_t valid)
{
        driver_message(d, 0, SMB_OP_STAT, path, NULL)->valid = valid;
        return driver_send(d);
}

static void attributes_of_a_directory(void **state)
{
        struct driver *d = *state;
        struct fake_node *dir = fake_add(d->server, "dir", NULL);

        driver_connect(d);
        dir->dos = SMB_ATTR_HIDDEN | SMB_ATTR_READONLY;
        assert_int_equal(stat_wanting(d, "dir", 0), 0);
        assert_int_equal(reply_attr(d)->dos, SMB_ATTR_DIRECTORY | SMB_ATTR_READONLY);
        assert_true(reply_attr(d)->dos_partial);
        assert_int_equal(fake_count(d->server, FAKE_LIST, "dir"), 0);
        assert_int_equal(stat_wanting(d, "dir", SMB_WANT_DOS), 0);
        assert_int_equal(reply_attr(d)->dos, SMB_ATTR_DIRECTORY | SMB_ATTR_READONLY | SMB_ATTR_HIDDEN);
        assert_false(reply_attr(d)->dos_partial);

        /* neither other attributes nor times take any away */
        assert_int_equal(set_attr(d, "dir", SMB_SET_DOS | SMB_WANT_DOS, 0, 0), 0);
        assert_int_equal(dir->dos, SMB_ATTR_HIDDEN);
        assert_int_equal(set_attr(d, "dir", SMB_SET_MTIME | SMB_WANT_DOS, 0, 0), 0);
        assert_int_equal(dir->dos, SMB_ATTR_HIDDEN);
        assert_int_equal(dir->mtime.sec, 21);

        fake_break(d->server, FAKE_LIST, "dir", FAKE_FAIL, EACCES, 1);
        assert_int_equal(set_attr(d, "dir", SMB_SET_MTIME | SMB_WANT_DOS, 0, 0), EACCES);
}

static void birth_time(void **state)
{
        struct driver *d = *state;

        fake_add(d->server, "f", "x")->birth.sec = 1234567890;
        driver_connect(d);
        assert_int_equal(stat_wanting(d, "f", SMB_WANT_BIRTH), 0);
        assert_int_equal(driver_reply(d)->birth.sec, 1234567890);
        assert_int_equal(reply_attr(d)->size_bytes, 1);
        assert_int_equal(stat_wanting(d, "none", SMB_WANT_BIRTH), ENOENT);
}

/* Takes the rest of a listing in pieces of length bytes, counts each name, and returns how many pieces there were. */
static unsigned take_listing(struct driver *d, uint64_t fh, uint32_t length, unsigned ret_seen[FAKE_NODES])
{
        for (unsigned pieces = 0;; pieces++) {
                size_t at = 0, size;
                char name[SMB_NAME_MAX_BYTES + 1];
                struct smb_attr attr;
                unsigned number;

                assert_int_equal(driver_transfer(d, SMB_OP_LIST_NEXT, fh, 1, 0, length, 0), 0);
                size = driver_reply(d)->reply_length;
                assert_true(size <= length);
                if (size == 0)
                        return pieces;
                while (listing_take(driver_slot(d, 1), size, &at, name, &attr) == 1) {
                        assert_int_equal(sscanf(name, "entry%u", &number), 1);
                        assert_int_equal(attr.size_bytes, number % 10);
                        assert_int_not_equal(attr.file_id, 0);
                        ret_seen[number]++;
                }
                assert_int_equal(at, size);
        }
}

static void lists(void **state)
{
        static const uint32_t lengths[] = { SMB_SLOT_DATA_BYTES, 1000, sizeof(struct smb_entry) + 16 };
        struct driver *d = *state;
        char path[32];

        fake_add(d->server, "dir", NULL);
        fake_add(d->server, "empty", NULL);
        for (unsigned i = 0; i < 40; i++) {
                snprintf(path, sizeof path, "dir/entry%u", i);
                fake_add(d->server, path, "123456789" + 9 - i % 10);
        }
        driver_connect(d);
        for (unsigned i = 0; i < N_ELEMENTS(lengths); i++) {
                unsigned seen[FAKE_NODES] = { 0 }, pieces;
                uint64_t fh;

                assert_int_equal(driver_ask(d, SMB_OP_LIST, "dir"), 0);
                fh = driver_reply(d)->reply_fh;
                pieces = take_listing(d, fh, lengths[i], seen);
                assert_true(i == 0 ? pieces == 1 : i == 1 ? pieces > 3 && pieces < 20 : pieces == 40);
                for (unsigned n = 0; n < FAKE_NODES; n++)
                        assert_int_equal(seen[n], n < 40);
                /* The end has closed it. */
                assert_int_equal(driver_transfer(d, SMB_OP_LIST_NEXT, fh, 1, 0, 1000, 0), EBADF);
                assert_int_equal(driver_transfer(d, SMB_OP_LIST_CLOSE, fh, SMB_NO_SLOT, 0, 0, 0), EBADF);
        }
        assert_int_equal(driver_ask(d, SMB_OP_LIST, "empty"), 0);
        assert_int_equal(driver_transfer(d, SMB_OP_LIST_NEXT, driver_reply(d)->reply_fh, 1, 0, 1000, 0), 0);
        assert_int_equal(driver_reply(d)->reply_length, 0);
        assert_int_equal(driver_ask(d, SMB_OP_LIST, "dir"), 0);
        assert_int_equal(driver_transfer(d, SMB_OP_LIST_CLOSE, driver_reply(d)->reply_fh, SMB_NO_SLOT, 0, 0, 0), 0);
        assert_int_equal(driver_ask(d, SMB_OP_LIST, "dir/entry1"), ENOTDIR);
        assert_int_equal(driver_ask(d, SMB_OP_LIST, "none"), ENOENT);
}

/* Room for no entry at all is no end of the listing. */
static void list_without_room(void **state)
{
        struct driver *d = *state;
        unsigned seen[FAKE_NODES] = { 0 };
        uint64_t fh;

        fake_add(d->server, "entry0", "");
        driver_connect(d);
        assert_int_equal(driver_ask(d, SMB_OP_LIST, ""), 0);
        fh = driver_reply(d)->reply_fh;
        assert_int_equal(driver_transfer(d, SMB_OP_LIST_NEXT, fh, 1, 0, 8, 0), EINVAL);
        assert_int_equal(take_listing(d, fh, 1000, seen), 1);
        assert_int_equal(seen[0], 1);
}

static int ask_shares(struct driver *d, uint32_t length, uint64_t offset)
{
        return driver_transfer(d, SMB_OP_SHARES, 0, 1, 0, length, offset);
}

static void shares(void **state)
{
        struct driver *d = *state;
        struct smb_share share;

        fake_add_share(d->server, SMB_SHARE_DISK, "data", "all of it");
        fake_add_share(d->server, SMB_SHARE_PRINTER, "laser", "");
        fake_add_share(d->server, SMB_SHARE_OTHER, "IPC$", "");
        driver_connect(d);
        assert_int_equal(ask_shares(d, 2 * sizeof share + 1, 0), 0); /* two fit */
        assert_int_equal(driver_reply(d)->reply_length, 2 * sizeof share);
        memcpy(&share, driver_slot(d, 1) + sizeof share, sizeof share);
        assert_int_equal(share.kind, SMB_SHARE_PRINTER);
        assert_string_equal(share.name, "laser");
        assert_int_equal(ask_shares(d, SMB_SLOT_DATA_BYTES, 0), EINVAL); /* would begin anew */
        assert_int_equal(ask_shares(d, SMB_SLOT_DATA_BYTES, 2), 0);
        assert_int_equal(driver_reply(d)->reply_length, sizeof share);
        memcpy(&share, driver_slot(d, 1), sizeof share);
        assert_string_equal(share.name, "IPC$");
        assert_int_equal(ask_shares(d, SMB_SLOT_DATA_BYTES, 3), 0);
        assert_int_equal(driver_reply(d)->reply_length, 0);

        assert_int_equal(ask_shares(d, sizeof share - 1, 3), EINVAL); /* room for none would say that this was all */
        assert_int_equal(ask_shares(d, SMB_SLOT_DATA_BYTES + 1, 3), EINVAL);
        assert_int_equal(driver_transfer(d, SMB_OP_SHARES, 0, SMB_SLOTS, 0, SMB_SLOT_DATA_BYTES, 3), EINVAL);
        assert_int_equal(driver_transfer(d, SMB_OP_SHARES, 0, 1, SMB_SLOT_BYTES, SMB_SLOT_DATA_BYTES, 3), EINVAL);
        fake_break(d->server, FAKE_SHARE_NEXT, "*", FAKE_FAIL, EIO, 1);
        assert_int_equal(ask_shares(d, SMB_SLOT_DATA_BYTES, 3), EIO);
}

static int ask_spelt(struct driver *d, const char *path, const char *path2, uint32_t flags)
{
        driver_message(d, 0, SMB_OP_SPELT, path, path2)->flags = flags;
        return driver_send(d);
}

/* One file by two names is one by two spellings, unless its folder has both. */
static void spellings(void **state)
{
        struct driver *d = *state;
        struct fake_node *link;

        fake_add(d->server, "dir", NULL);
        fake_add(d->server, "dir/name", "");
        fake_add(d->server, "dir/other", "");
        link = fake_add(d->server, "dir/NAME", "");
        link->file_id = fake_find(d->server, "dir/name")->file_id;
        driver_connect(d);
        assert_int_equal(ask_spelt(d, "dir/name", "dir/other", 0), ENOENT);
        assert_int_equal(ask_spelt(d, "dir/name", "dir/other", SMB_SPELT_FOLDS), ENOENT);
        assert_int_equal(ask_spelt(d, "dir/name", "dir/none", 0), ENOENT);
        assert_int_equal(ask_spelt(d, "dir/none", "dir/name", 0), ENOENT);
        assert_int_equal(ask_spelt(d, "dir/name", "dir/NAME", 0), ENOTUNIQ);
        assert_int_equal(ask_spelt(d, "dir/name", "dir/NAME", SMB_SPELT_FOLDS), 0);
        assert_int_equal(ask_spelt(d, "dir/name", "dir/name", 0), 0);
        assert_int_equal(driver_reply(d)->attr.file_id, link->file_id);
        link->file_id = fake_find(d->server, "dir/name")->file_id = 0; /* a server that does not number its files */
        assert_int_equal(ask_spelt(d, "dir/name", "dir/NAME", SMB_SPELT_FOLDS), ENOENT);
        assert_int_equal(ask_spelt(d, "dir/name", NULL, 0), EINVAL);
        fake_break(d->server, FAKE_LIST, "*", FAKE_FAIL, EIO, 1);
        fake_add(d->server, "f", "");
        assert_int_equal(ask_spelt(d, "f", "f", 0), EIO);
        assert_int_equal(ask_spelt(d, "f", "f", 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, driver_setup, driver_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(connects),
                TEST(connect_refused),
                TEST(credentials_file),
                TEST(stat_and_names),
                TEST(opens_with_data),
                TEST(looks_into_files),
                TEST(noreplace_needs_an_answer),
                TEST(reads_and_writes),
                TEST(creates),
                TEST(attributes), TEST(attributes_of_a_directory), TEST(birth_time),
                TEST(lists),
                TEST(list_without_room),
                TEST(shares),
                TEST(spellings),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
