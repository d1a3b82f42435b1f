/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Owns the child process, the shared memory and the descriptors of one worker. */

#include "worker-driver.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "fuse/smb/worker.h"

#define ARENA_BYTES ((size_t) SMB_SLOTS * SMB_SLOT_BYTES)
#define PATIENCE_MSEC 20000

static void *map_memfd(size_t size, int *ret_fd)
{
        void *memory;

        *ret_fd = memfd_create("test", MFD_CLOEXEC);
        assert_true(*ret_fd >= 0);
        assert_int_equal(ftruncate(*ret_fd, (off_t) size), 0);
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *ret_fd, 0);
        assert_ptr_not_equal(memory, MAP_FAILED);
        return memory;
}

static void run_child(const int from[5])
{
        int above[5];

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int i = 0; i < 5; i++)
                above[i] = fcntl(from[i], F_DUPFD, 64);
        close_range(3, 63, 0);
        for (int i = 0; i < 5; i++) {
                if (dup2(above[i], SMB_FD_CHANNEL + i) < 0)
                        _exit(97);
                close(above[i]);
        }
        _exit(worker_run(fake_backend()));
}

static void start(struct driver *d, size_t setup_bytes)
{
        int channel_fd, arena_fd, pair[2];

        d->channel = map_memfd(sizeof *d->channel, &channel_fd);
        d->arena = map_memfd(ARENA_BYTES, &arena_fd);
        d->request_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        d->reply_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        assert_true(d->request_fd >= 0 && d->reply_fd >= 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        d->setup_fd = pair[0];
        d->replies_read = 0;
        fflush(NULL);
        d->pid = fork();
        assert_true(d->pid >= 0);
        if (d->pid == 0)
                run_child((const int[]) { channel_fd, arena_fd, d->request_fd, d->reply_fd, pair[1] });
        close(channel_fd);
        close(arena_fd);
        close(pair[1]);
        if (setup_bytes > 0)
                assert_int_equal(send(d->setup_fd, &d->setup, setup_bytes, MSG_NOSIGNAL), setup_bytes);
        else {
                close(d->setup_fd);
                d->setup_fd = -1;
        }
}

/* Ends the worker, if it lives; returns its exit code. */
static int stop(struct driver *d)
{
        int code = 0;

        if (d->setup_fd >= 0)
                close(d->setup_fd);
        if (d->pid > 0)
                code = driver_wait(d);
        munmap(d->channel, sizeof *d->channel);
        munmap(d->arena, ARENA_BYTES);
        close(d->request_fd);
        close(d->reply_fd);
        return code;
}

void driver_restart(struct driver *d, size_t setup_bytes)
{
        assert_int_equal(stop(d), 0);
        start(d, setup_bytes);
}

int driver_setup(void **state)
{
        struct driver *d = calloc(1, sizeof *d);

        if (!d)
                return -1;
        d->server = fake_server_new(d->server_path);
        if (!d->server)
                return -1;
        snprintf(d->setup.share, sizeof d->setup.share, "%s", d->server_path);
        snprintf(d->setup.user, sizeof d->setup.user, "me");
        start(d, sizeof d->setup);
        *state = d;
        return 0;
}

int driver_teardown(void **state)
{
        struct driver *d = *state;
        int code = stop(d);

        fake_server_free(d->server, d->server_path);
        free(d);
        return code;
}

struct smb_message *driver_message(struct driver *d, uint32_t index, enum smb_op op, const char *path,
                                   const char *path2)
{
        struct smb_message *m = &d->channel->messages[index];

        memset(m, 0xa5, sizeof *m); /* the worker finds what another request has left there */
        m->op = op;
        m->flags = m->valid = m->slot_offset = m->length = m->dos_set = m->dos_clear = 0;
        m->slot = SMB_NO_SLOT;
        m->fh = m->offset = 0;
        m->error = 0;
        m->lost = 0;
        m->reply_length = 0;
        m->reply_fh = 0;
        m->path2 = path2 ? (uint32_t) strlen(path) + 1 : 0;
        snprintf(m->text, sizeof m->text, "%s", path);
        if (path2)
                snprintf(m->text + m->path2, sizeof m->text - m->path2, "%s", path2);
        return m;
}

void driver_put(struct driver *d, uint32_t index)
{
        smb_ring_put(&d->channel->requests, index);
}

void driver_wake(struct driver *d)
{
        assert_int_equal(eventfd_write(d->request_fd, 1), 0);
}

void driver_settle(const struct driver *d)
{
        char path[64], line[512];
        struct bytes stat;

        snprintf(path, sizeof path, "/proc/%d/stat", (int) d->pid);
        do {
                usleep(1000);
                read_bytes(path, &stat);
                snprintf(line, sizeof line, "%.*s", (int) stat.size_bytes, stat.data);
                assert_non_null(strrchr(line, ')'));
        } while (strncmp(strrchr(line, ')'), ") S", 3) != 0);
}

uint32_t driver_take(struct driver *d)
{
        uint32_t index;

        while (!smb_ring_take(&d->channel->replies, &d->replies_read, &index)) {
                struct pollfd fd = { .fd = d->reply_fd, .events = POLLIN };
                eventfd_t count;

                assert_int_equal(poll(&fd, 1, PATIENCE_MSEC), 1);
                (void) eventfd_read(d->reply_fd, &count);
        }
        return index;
}

int driver_send(struct driver *d)
{
        driver_put(d, 0);
        driver_wake(d);
        assert_int_equal(driver_take(d), 0);
        return driver_reply(d)->error;
}

int driver_ask(struct driver *d, enum smb_op op, const char *path)
{
        driver_message(d, 0, op, path, NULL);
        return driver_send(d);
}

const struct smb_message *driver_reply(const struct driver *d)
{
        return &d->channel->messages[0];
}

int driver_wait(struct driver *d)
{
        int status;

        for (int waited = 0; waitpid(d->pid, &status, WNOHANG) == 0; waited++) {
                if (waited == PATIENCE_MSEC)
                        kill(d->pid, SIGKILL);
                usleep(1000);
        }
        d->pid = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

void driver_connect(struct driver *d)
{
        assert_int_equal(driver_ask(d, SMB_OP_CONNECT, ""), 0);
        assert_int_equal(driver_reply(d)->status, NO_ERROR);
        assert_int_equal(driver_reply(d)->lost, 0);
}

uint64_t driver_open(struct driver *d, const char *path, int flags)
{
        struct smb_message *m = driver_message(d, 0, SMB_OP_OPEN, path, NULL);

        m->flags = (uint32_t) flags;
        m->valid = SMB_WANT_ATTR;
        assert_int_equal(driver_send(d), 0);
        assert_int_not_equal(m->reply_fh, 0);
        return m->reply_fh;
}

int driver_transfer(struct driver *d, enum smb_op op, uint64_t fh, uint32_t slot, uint32_t slot_offset, uint32_t length,
                    uint64_t offset)
{
        struct smb_message *m = driver_message(d, 0, op, "", NULL);

        m->fh = fh;
        m->slot = slot;
        m->slot_offset = slot_offset;
        m->length = length;
        m->offset = offset;
        return driver_send(d);
}

unsigned char *driver_slot(const struct driver *d, uint32_t slot)
{
        return d->arena + (size_t) slot * SMB_SLOT_BYTES;
}
