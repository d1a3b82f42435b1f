/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The worker's life: setup, connecting, the loop, and its end.
 *
 * What goes wrong with the server's connection ends the worker: libsmbclient's handles are dead then, and a new process is
 * cheaper than finding out which ones.
 */

#include "fuse/smb/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/credentials.h"
#include "core/log.h"
#include "fuse/smb/worker-internal.h"

static int connect_backend(struct worker *w, struct smb_message *m)
{
        struct wn_error err = { 0 };
        struct credentials credentials = { 0 };
        int r = 0;

        if (w->setup.credentials_file[0]) {
                r = credentials_read_file(w->setup.credentials_file, &credentials, &err);
                if (r == 0) {
                        snprintf(w->setup.user, sizeof(w->setup.user), "%s", credentials.user);
                        if (credentials.domain)
                                snprintf(w->setup.domain, sizeof(w->setup.domain), "%s", credentials.domain);
                        if (credentials.password.bytes) {
                                snprintf(w->setup.password, sizeof(w->setup.password), "%s", credentials.password.bytes);
                                w->setup.has_password = 1;
                        }
                }
                credentials_done(&credentials);
        }
        if (r == 0)
                r = w->backend->ops->connect(w->backend, &w->setup, &err);
        m->status = (uint32_t) status_from_result(r);
        m->cause = (uint32_t) err.cause;
        if (r == 0)
                snprintf(m->text, sizeof(m->text), "%s%c%s", w->setup.user, '\0', w->setup.domain);
        else
                snprintf(m->text, sizeof(m->text), "%s", err.text);
        w->may_check = w->setup.share[0] && !w->setup.print;
        explicit_bzero(&w->setup, sizeof(w->setup));
        return r == 0 ? 0 : -ECONNREFUSED;
}

bool worker_lost_connection(int error)
{
        switch (-error) {
        case ECONNABORTED:
        case ECONNREFUSED:
        case ECONNRESET:
        case EHOSTDOWN:
        case EHOSTUNREACH:
        case ENETDOWN:
        case ENETRESET:
        case ENETUNREACH:
        case ENOTCONN:
        case EPIPE:
        case ETIMEDOUT:
                return true;
        default:
                return false;
        }
}

/* A server may take the share or the session away and leave the connection up. The library says "invalid argument" to that, as to much
 * else. */
static bool share_lost(struct worker *w, int error)
{
        return w->may_check && (error == -EINVAL || error == -EIO) && w->backend->ops->check(w->backend) < 0;
}

void worker_reply(struct worker *w, uint32_t index, int r)
{
        struct smb_message *m = &w->channel->messages[index];

        if (share_lost(w, r))
                r = -ENOTCONN;
        m->lost = worker_lost_connection(r);
        m->error = -r;
        w->lost = w->lost || m->lost;
        smb_ring_put(&w->channel->replies, index);
        (void) eventfd_write(SMB_FD_REPLIES, 1);
}

static void serve_message(struct worker *w, uint32_t index)
{
        struct smb_message *m = &w->channel->messages[index];

        if (m->op == SMB_OP_WATCH)
                worker_watch(w, index);
        else
                worker_reply(w, index, m->op == SMB_OP_CONNECT ? connect_backend(w, m) : worker_perform(w, m));
}

/* The slot whose data come next behind those numbered after; SMB_NO_SLOT: there are no more. */
static uint32_t next_unsent(const struct worker *w, uint64_t after)
{
        const struct smb_unsent *unsent = w->channel->unsent;
        uint32_t next = SMB_NO_SLOT;

        for (uint32_t slot = 0; slot < SMB_SLOTS; slot++)
                if (unsent[slot].length > 0 && unsent[slot].order > after &&
                    (next == SMB_NO_SLOT || unsent[slot].order < unsent[next].order))
                        next = slot;
        return next;
}

/* The data of the table, the oldest first: of a file's overlapping pieces the last one counts. */
static void write_unsent(struct worker *w)
{
        static struct smb_message m; /* large */
        uint64_t after = 0;
        uint32_t left;

        while ((m.slot = next_unsent(w, after)) != SMB_NO_SLOT) {
                struct smb_unsent *unsent = &w->channel->unsent[m.slot];
                int r = 0;

                after = unsent->order;
                m.op = SMB_OP_WRITE;
                m.fh = unsent->fh;
                m.offset = unsent->offset;
                m.slot_offset = unsent->slot_offset;
                for (left = unsent->length; left > 0; left -= m.reply_length) { /* in pieces that a slow line carries, too */
                        m.length = left < SMB_SLOT_DATA_BYTES ? left : SMB_SLOT_DATA_BYTES;
                        r = worker_perform(w, &m);
                        if (r < 0 || m.reply_length == 0)
                                break;
                        m.offset += m.reply_length;
                        m.slot_offset += m.reply_length;
                        unsent->length = left - m.reply_length; /* for the next wnetd, which waits */
                }
                if (left > 0)
                        log_error("%u bytes could not be written after wnetd's end: %s", left, strerror(-r));
                if (worker_lost_connection(r))
                        return;
        }
}

/* After wnetd's death: what it had handed over for writing is still written, and what it had taken over; nobody waits for the rest. */
static void finish_writes(struct worker *w)
{
        uint32_t index;

        while (!w->lost && smb_ring_take(&w->channel->requests, &w->requests_read, &index)) {
                if (index >= SMB_MESSAGES)
                        return;
                if (w->channel->messages[index].op == SMB_OP_WRITE || w->channel->messages[index].op == SMB_OP_CLOSE)
                        serve_message(w, index);
        }
        if (!w->lost)
                write_unsent(w);
}

/* Of the descriptor of requests each write counts, so it is never read. */
static int watch_wnetd(void)
{
        struct epoll_event requests = { .events = EPOLLIN | EPOLLET, .data.fd = SMB_FD_REQUESTS };
        struct epoll_event setup = { .events = EPOLLRDHUP, .data.fd = SMB_FD_SETUP };
        int fd = epoll_create1(EPOLL_CLOEXEC);

        if (fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, SMB_FD_REQUESTS, &requests) < 0 ||
            epoll_ctl(fd, EPOLL_CTL_ADD, SMB_FD_SETUP, &setup) < 0) {
                log_error("requests cannot be waited for: %s", strerror(errno));
                return -1;
        }
        return fd;
}

static int serve(struct worker *w)
{
        int epoll_fd = watch_wnetd();

        if (epoll_fd < 0)
                return EXIT_FAILURE;
        while (!w->lost) {
                struct epoll_event events[2];
                uint32_t index;
                int n;

                while (!w->lost && smb_ring_take(&w->channel->requests, &w->requests_read, &index)) {
                        if (index >= SMB_MESSAGES)
                                return EXIT_FAILURE;
                        serve_message(w, index);
                }
                if (w->lost)
                        break;
                n = epoll_wait(epoll_fd, events, 2, -1);
                if (n < 0 && errno != EINTR)
                        return EXIT_FAILURE;
                for (int i = 0; i < n; i++)
                        if (events[i].data.fd == SMB_FD_SETUP) {
                                finish_writes(w);
                                return EXIT_SUCCESS;
                        }
        }
        return EXIT_SUCCESS;
}

static int receive_setup(struct worker *w)
{
        ssize_t n = recv(SMB_FD_SETUP, &w->setup, sizeof(w->setup), 0);

        if (n != (ssize_t) sizeof(w->setup))
                return -EPROTO;
        w->setup.server[sizeof(w->setup.server) - 1] = '\0';
        w->setup.share[sizeof(w->setup.share) - 1] = '\0';
        w->setup.path[sizeof(w->setup.path) - 1] = '\0';
        w->setup.user[sizeof(w->setup.user) - 1] = '\0';
        w->setup.domain[sizeof(w->setup.domain) - 1] = '\0';
        w->setup.password[sizeof(w->setup.password) - 1] = '\0';
        w->setup.credentials_file[sizeof(w->setup.credentials_file) - 1] = '\0';
        return 0;
}

int worker_run(struct smb_backend *backend)
{
        static struct worker worker; /* one per process; too large for the stack */
        struct worker *w = &worker;
        int r;

        w->backend = backend;
        w->channel = mmap(NULL, sizeof(struct smb_channel), PROT_READ | PROT_WRITE, MAP_SHARED, SMB_FD_CHANNEL, 0);
        w->arena = mmap(NULL, (size_t) SMB_SLOTS * SMB_SLOT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, SMB_FD_ARENA, 0);
        if (w->channel == MAP_FAILED || w->arena == MAP_FAILED) {
                log_error("the shared memory cannot be mapped: %s", strerror(errno));
                return EXIT_FAILURE;
        }
        r = receive_setup(w);
        if (r < 0) {
                log_error("no connection data came from wnetd: %s", strerror(-r));
                return EXIT_FAILURE;
        }
        return serve(w);
}
