/* SPDX-License-Identifier: GPL-3.0-or-later */

/* fuse/smb/worker.c: what each operation does and answers, through a real channel and in front of a fake server. */

#include "worker-driver.h"

static void connects(void **state)
{
        struct driver *d = *state;

        driver_connect(d);
        assert_int_equal(fake_count(d->server, FAKE_CONNECT, "*"), 1);
        assert_string_equal(d->server->setup.user, "me");
        assert_int_equal(d->server->setup.has_password, 0);
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

/* Another worker, with another setup. */
static void restart(struct driver *d)
{
        shutdown(d->setup_fd, SHUT_RDWR);
        assert_int_equal(driver_wait(d), 0);
        munmap(d->channel, sizeof *d->channel);
        munmap(d->arena, (size_t) SMB_SLOTS * SMB_SLOT_BYTES);
        close(d->request_fd);
        close(d->reply_fd);
        close(d->setup_fd);
        driver_start(d, sizeof d->setup);
}

static void credentials_file(void **state)
{
        struct driver *d = *state;
        char path[80];

        snprintf(path, sizeof path, "%s.cred", d->server_path);
        snprintf(d->setup.credentials_file, sizeof d->setup.credentials_file, "%s", path);
        restart(d);
        assert_int_equal(driver_ask(d, SMB_OP_CONNECT, ""), ECONNREFUSED); /* there is none */
        assert_int_equal(driver_reply(d)->status, ERROR_INVALID_PARAMETER);
        assert_non_null(strstr(driver_reply(d)->text, path));
        assert_int_equal(fake_count(d->server, FAKE_CONNECT, "*"), 0);
        assert_int_equal(driver_wait(d), 0);
        d->pid = -1;

        write_text(path, "username=alice\npassword=s3cret\ndomain=DOM\n");
        d->pid = 0;
        munmap(d->channel, sizeof *d->channel);
        munmap(d->arena, (size_t) SMB_SLOTS * SMB_SLOT_BYTES);
        close(d->request_fd);
        close(d->reply_fd);
        close(d->setup_fd);
        driver_start(d, sizeof d->setup);
        driver_connect(d);
        assert_string_equal(d->server->setup.user, "alice");
        assert_string_equal(d->server->setup.domain, "DOM");
        assert_string_equal(d->server->setup.password, "s3cret");
        assert_int_equal(d->server->setup.has_password, 1);
        unlink(path);
}
