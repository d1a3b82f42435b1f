/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns a worker's process, its channel and its descriptors. A request is under way exactly while link->under_way[] names it
 * at its message's index. Replies are checked before anything of them is used: an index that is not under way, or a length
 * beyond what was asked, is a broken worker, and is killed.
 */

#include "fuse/smb/link.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/child.h"
#include "core/cleanup.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/utf8.h"
#include "fuse/smb/listing.h"
#include "fuse/smb/request.h"

#define LISTING_DEADLINE_FACTOR 6 /* a listing of a million names is one call of libsmbclient, */
#define LISTING_LOOKS 4            /* so whether it goes on is looked at this often in the time that other requests have */

extern char **environ;

void link_init(struct smb_link *link, struct smb_pool *pool, unsigned index)
{
        *link = (struct smb_link){
                .pool = pool, .index = index, .request_fd = -1, .reply_fd = -1, .setup_fd = -1,
        };
        TAILQ_INIT(&link->sent);
        TAILQ_INIT(&link->pending);
}

static void link_close(struct smb_link *link)
{
        if (link->child_source) { /* stays, without us, until the process is reaped */
                (void) sd_event_source_set_userdata(link->child_source, NULL);
                (void) sd_event_source_set_floating(link->child_source, true);
                link->child_source = sd_event_source_unref(link->child_source);
        }
        link->reply_source = sd_event_source_disable_unref(link->reply_source);
        link->setup_source = sd_event_source_disable_unref(link->setup_source);
        link->deadline_source = sd_event_source_disable_unref(link->deadline_source);
        if (link->channel)
                munmap(link->channel, sizeof(*link->channel));
        link->channel = NULL;
        if (link->request_fd >= 0)
                close(link->request_fd);
        if (link->reply_fd >= 0)
                close(link->reply_fd);
        if (link->setup_fd >= 0)
                close(link->setup_fd);
        link->request_fd = link->reply_fd = link->setup_fd = -1;
        memset(link->under_way, 0, sizeof(link->under_way));
        link->n_under_way = 0;
}

void link_kill(struct smb_link *link)
{
        if (link->pid > 0)
                kill(link->pid, SIGKILL); /* not reaped yet: the id is still its own */
        link->pid = 0;
        link->state = LINK_DOWN;
        link_close(link);
}

/* Kills the process; what it had been asked is dealt with when it is gone, which its socket's end says. */
static void link_died(struct smb_link *link, const struct wn_error *err, bool timed_out)
{
        link->death = *err;
        link->death_was_up = link->state == LINK_UP;
        link->death_unexplained = false;
        link->death_timed_out = timed_out;
        link->state = LINK_DYING;
        (void) sd_event_source_set_enabled(link->reply_source, SD_EVENT_OFF);
        (void) sd_event_source_set_enabled(link->deadline_source, SD_EVENT_OFF);
        if (link->pid > 0)
                kill(link->pid, SIGKILL);
}

/* ---- time ---- */

/* Sets the deadline. A timer that goes off earlier is left alone, and looks again then: setting it costs a system call, and with
 * small requests the deadline changes with each. */
static void set_deadline(struct smb_link *link, uint64_t usec)
{
        link->deadline_usec = usec;
        if (usec >= link->timer_usec)
                return;
        link->timer_usec = usec;
        (void) sd_event_source_set_time(link->deadline_source, usec);
        (void) sd_event_source_set_enabled(link->deadline_source, SD_EVENT_ONESHOT);
}

/* The deadline of the oldest request under way begins. */
static void arm_deadline(struct smb_link *link)
{
        const struct smb_pool_config *config = pool_config(link->pool);
        const struct smb_request *oldest = TAILQ_FIRST(&link->sent);
        uint64_t now = clock_now_usec(config->event), usec = config->operation_usec;

        if (link->state == LINK_STARTING)
                usec = config->connect_usec;
        else if (!oldest) {
                link->deadline_usec = UINT64_MAX;
                return;
        } else if (request_lists(oldest)) {
                link->listing_end_usec = now + usec * LISTING_DEADLINE_FACTOR;
                link->listing_ran_usec = now;
                link->listing_cpu_usec = clock_process_usec(link->pid);
                usec /= LISTING_LOOKS;
        }
        set_deadline(link, now + usec);
}

/* Whether a listing is under way and its worker has run lately: what hangs does not, and what a server sends is work. */
static bool listing_goes_on(struct smb_link *link)
{
        const struct smb_pool_config *config = pool_config(link->pool);
        const struct smb_request *oldest = TAILQ_FIRST(&link->sent);
        uint64_t now = clock_now_usec(config->event), cpu;

        if (link->state != LINK_UP || !oldest || !request_lists(oldest) || now >= link->listing_end_usec)
                return false;
        cpu = clock_process_usec(link->pid);
        if (cpu != link->listing_cpu_usec) {
                link->listing_cpu_usec = cpu;
                link->listing_ran_usec = now;
        }
        if (now - link->listing_ran_usec >= config->operation_usec)
                return false;
        set_deadline(link, now + config->operation_usec / LISTING_LOOKS);
        return true;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct smb_link *link = userdata;
        struct wn_error err;

        (void) source;
        link->timer_usec = UINT64_MAX;
        if (usec < link->deadline_usec) {
                set_deadline(link, link->deadline_usec);
                return 0;
        }
        if (listing_goes_on(link))
                return 0;
        error_set(&err, ERROR_BAD_NETPATH, ETIMEDOUT, "connect", "the server does not answer");
        link_died(link, &err, true);
        return 0;
}

/* ---- replies ---- */

static int broken_worker(struct smb_link *link, const char *what)
{
        struct wn_error err;

        log_warning("a worker sent %s and was ended", what);
        error_set(&err, ERROR_EXTENDED_ERROR, EPROTO, "worker", "the worker sent %s", what);
        link_died(link, &err, false);
        return -EPROTO;
}

/* A user's or domain's name at text, with its NUL at most SMB_USER_MAX_BYTES behind: its bytes with that NUL; 0: it makes no sense. */
static size_t checked_name_bytes(const char *text)
{
        size_t n = strnlen(text, SMB_USER_MAX_BYTES + 1);

        return n <= SMB_USER_MAX_BYTES && utf8_is_clean(text, n) ? n + 1 : 0;
}

/* The server has accepted us: as whom, the reply says. */
static int take_session(struct smb_link *link, const struct smb_message *m)
{
        char text[2 * (SMB_USER_MAX_BYTES + 1)];
        size_t n;

        memcpy(text, m->text, sizeof(text));
        n = checked_name_bytes(text);
        if (n == 0 || checked_name_bytes(text + n) == 0)
                return broken_worker(link, "a user's name that makes no sense");
        link->state = LINK_UP;
        link->failures = 0;
        arm_deadline(link);
        pool_link_connected(link, text, text + n);
        return 0;
}

/* The message that carries CONNECT: always the first. */
static int take_connect_reply(struct smb_link *link, const struct smb_message *m)
{
        struct wn_error err;
        char text[sizeof(err.text)];
        int status = (int) m->status;

        if (m->error == 0)
                return take_session(link, m);
        memcpy(text, m->text, sizeof(text));
        text[sizeof(text) - 1] = '\0';
        if (!text[0])
                snprintf(text, sizeof(text), "the server cannot be reached");
        error_set(&err, status > 0 ? status : ERROR_EXTENDED_ERROR, (int) m->cause, "connect", "%s", text);
        link_died(link, &err, false);
        return -ECONNREFUSED;
}

/* An error as programs may see it. Some would mean something else to the kernel (what it does not know leaves the program waiting for
 * ever, and to what has failed with ENOSYS once it takes nobody any more), or here (ECANCELED). */
static int checked_error(int32_t error)
{
        switch (error) {
        case ENOSYS: return EOPNOTSUPP;
        case ECANCELED: return EIO;
        default: return error > EHWPOISON ? EIO : error; /* the last one that there is */
        }
}

/* Copies what a reply says into its request. False when it makes no sense. */
static bool copy_reply(struct smb_request *request, const struct smb_message *m)
{
        int32_t error = *(const volatile int32_t *) &m->error;

        if (error < 0 || error > 4095)
                return false;
        request->error = -checked_error(error);
        request->reply_length = *(const volatile uint32_t *) &m->reply_length;
        request->took_usec = m->took_usec;
        request->created = m->created != 0;
        request->attr = m->attr;
        listing_limit_attr(&request->attr);
        request->birth = m->birth;
        request->space = m->space;
        if (request->op == SMB_OP_LIST)
                request->fh = m->reply_fh;
        if (request->op == SMB_OP_OPEN && error == 0)
                request->file->fh = m->reply_fh;
        if (request->reply_length > request->length && error == 0)
                return false;
        if (request->op == SMB_OP_WATCH && error == 0) {
                request->status = m->status;
                memcpy(request->text, m->text, request->reply_length);
        }
        return true;
}

/* One reply. Negative when the link is down afterwards. */
static int take_reply(struct smb_link *link, uint32_t index)
{
        const struct smb_message *m;
        struct smb_request *request;
        bool lost;

        if (index >= SMB_MESSAGES)
                return broken_worker(link, "a reply to no request");
        m = &link->channel->messages[index];
        if (link->state == LINK_STARTING)
                return index == 0 ? take_connect_reply(link, m) : broken_worker(link, "a reply before it was connected");
        request = link->under_way[index];
        if (!request)
                return broken_worker(link, "a reply to no request");
        if (!copy_reply(request, m))
                return broken_worker(link, "a reply that makes no sense");
        lost = m->lost != 0;
        if (lost) { /* the request stays in link->sent: the pool may repeat it */
                struct wn_error err;

                error_set(&err, ERROR_BAD_NETPATH, -request->error, "connection", "the connection to the server was lost: %s",
                          strerror(-request->error));
                link_died(link, &err, request->error == -ETIMEDOUT);
                return -ENOTCONN;
        }
        if (request->op == SMB_OP_LIST)
                request->worker = link->index, request->generation = link->generation;
        if (request->op == SMB_OP_OPEN && request->error == 0)
                request->file->generation = link->generation;
        link->under_way[index] = NULL;
        link->n_under_way--;
        TAILQ_REMOVE(&link->sent, request, queue);
        arm_deadline(link);
        pool_request_done(link, request);
        return 0;
}

/* Takes what is in the reply ring. Negative when the link is down afterwards. */
static int take_replies(struct smb_link *link)
{
        uint32_t generation = link->generation, index;

        while (link->state != LINK_DOWN && link->state != LINK_DYING && link->generation == generation &&
               smb_ring_take(&link->channel->replies, &link->replies_read, &index)) {
                int r = take_reply(link, index);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int on_replies(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct smb_link *link = userdata;

        (void) source;
        (void) fd;
        (void) revents;
        if (take_replies(link) == 0)
                link_dispatch(link);
        return 0;
}

/* The process is gone, or has closed its socket (and, ending, its memory before): what is left in the ring counts, nothing more is
 * handed over to it. */
static void worker_gone(struct smb_link *link)
{
        struct wn_error err;

        if (link->state != LINK_DYING && take_replies(link) == 0) {
                error_set(&err, ERROR_EXTENDED_ERROR, EPIPE, "worker", "the worker process ended");
                link_died(link, &err, false);
                link->death_unexplained = true;
        }
        if (link->state != LINK_DYING)
                return;
        err = link->death;
        link_kill(link);
        pool_link_died(link, &err);
}

static int on_setup_closed(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        (void) source;
        (void) fd;
        (void) revents;
        worker_gone(userdata);
        return 0;
}

static int on_child(sd_event_source *source, const siginfo_t *si, void *userdata)
{
        struct smb_link *link = userdata; /* NULL: it has another process by now, or is gone */

        if (si->si_code == CLD_EXITED && si->si_status != 0)
                log_info("worker %d ended with exit code %d", (int) si->si_pid, si->si_status);
        else if (si->si_code != CLD_EXITED && si->si_status != SIGKILL)
                log_warning("worker %d was ended by signal %d", (int) si->si_pid, si->si_status);
        if (link) {
                link->pid = 0;
                link->child_source = NULL;
        }
        sd_event_source_disable_unref(source); /* the link's reference, or the event loop's when it was floating */
        if (link)
                worker_gone(link);
        return 0;
}

/* ---- requests ---- */

static int fill_message(struct smb_message *m, const struct smb_request *request)
{
        size_t length = request->path ? strlen(request->path) + 1 : 1;
        size_t length2 = request->path2 ? strlen(request->path2) + 1 : 0;

        if (length > SMB_PATH_MAX_BYTES || length2 > SMB_PATH_MAX_BYTES)
                return -ENAMETOOLONG;
        m->op = request->op;
        m->flags = request->flags;
        m->valid = request->valid;
        m->slot = request->slot;
        m->slot_offset = request->slot_offset;
        m->length = request->length;
        m->fh = request->file && request->op != SMB_OP_CLOSE ? request->file->fh : request->fh;
        m->offset = request->offset;
        m->offset2 = request->offset2;
        m->atime = request->atime;
        m->mtime = request->mtime;
        m->dos_set = request->dos_set;
        m->dos_clear = request->dos_clear;
        m->path2 = length2 ? (uint32_t) length : 0;
        m->error = 0;
        m->lost = 0;
        m->reply_length = 0;
        m->reply_fh = 0;
        memcpy(m->text, request->path ? request->path : "", length);
        if (length2)
                memcpy(m->text + length, request->path2, length2);
        return 0;
}

static uint32_t free_message(const struct smb_link *link)
{
        uint32_t i = 0;

        while (link->under_way[i])
                i++;
        assert(i < SMB_MESSAGES);
        return i;
}

void link_dispatch(struct smb_link *link)
{
        struct smb_request *request;
        bool wake = false;

        if (link->state != LINK_UP)
                return;
        while ((request = turn_next(link))) {
                uint32_t index;

                TAILQ_REMOVE(&link->pending, request, queue);
                index = free_message(link);
                if (fill_message(&link->channel->messages[index], request) < 0) {
                        pool_request_refused(link, request, -ENAMETOOLONG);
                        continue;
                }
                turn_taken(link, request);
                link->under_way[index] = request;
                link->n_under_way++;
                TAILQ_INSERT_TAIL(&link->sent, request, queue);
                smb_ring_put(&link->channel->requests, index);
                wake = true;
                if (link->n_under_way == 1)
                        arm_deadline(link);
        }
        if (wake && eventfd_write(link->request_fd, 1) < 0)
                (void) broken_worker(link, "so many wake-ups that none gets through");
}

/* ---- start ---- */

/* Runs the worker with the descriptors of protocol.h. */
static int spawn_worker(struct smb_link *link, int channel_fd, int setup_fd)
{
        const struct smb_pool_config *config = pool_config(link->pool);
        char *argv[] = { (char *) config->worker_program, NULL };
        const struct child_fd fds[] = {
                { channel_fd, SMB_FD_CHANNEL },        { pool_arena_fd(link->pool), SMB_FD_ARENA },
                { link->request_fd, SMB_FD_REQUESTS }, { link->reply_fd, SMB_FD_REPLIES },
                { setup_fd, SMB_FD_SETUP },            { config->lock_fd, SMB_FD_LOCK },
        };
        size_t n_fds = sizeof(fds) / sizeof(fds[0]);
        int r = child_spawn(argv, environ, fds, config->lock_fd < 0 ? n_fds - 1 : n_fds, &link->pid);

        if (r < 0)
                link->pid = 0;
        return r;
}

static int watch_worker(struct smb_link *link)
{
        sd_event *event = pool_config(link->pool)->event;
        int r = sd_event_add_child(event, &link->child_source, link->pid, WEXITED, on_child, link);

        if (r < 0)
                return r;
        child_source_keep(link->child_source);
        r = sd_event_add_io(event, &link->reply_source, link->reply_fd, EPOLLIN | EPOLLET, on_replies, link); /* never read */
        if (r >= 0)
                r = sd_event_add_io(event, &link->setup_source, link->setup_fd, EPOLLRDHUP, on_setup_closed, link);
        if (r >= 0)
                r = sd_event_source_set_priority(link->setup_source, SD_EVENT_PRIORITY_NORMAL + 1);
        if (r >= 0)
                r = sd_event_add_time(event, &link->deadline_source, CLOCK_MONOTONIC, UINT64_MAX, 0, on_deadline, link);
        return r < 0 ? r : 0;
}

int link_start(struct smb_link *link)
{
        const struct smb_pool_config *config = pool_config(link->pool);
        _cleanup_close_ int channel_fd = -1, worker_setup_fd = -1;
        void *channel = NULL;
        int pair[2], r;

        assert(link->state == LINK_DOWN);
        link->generation++;
        link->replies_read = 0;
        link->deadline_usec = link->timer_usec = UINT64_MAX;
        r = shared_memory_new("wnet-channel", sizeof(*link->channel), &channel_fd, &channel);
        if (r < 0)
                goto fail;
        link->channel = channel;
        link->request_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        link->reply_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (link->request_fd < 0 || link->reply_fd < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
                r = -errno;
                goto fail;
        }
        link->setup_fd = pair[0];
        worker_setup_fd = pair[1];
        r = spawn_worker(link, channel_fd, worker_setup_fd);
        if (r < 0)
                goto fail;
        r = watch_worker(link);
        if (r < 0)
                goto fail;
        if (send(link->setup_fd, &config->setup, sizeof(config->setup), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
                r = -errno;
                goto fail;
        }
        link->state = LINK_STARTING;
        link->channel->messages[0].op = SMB_OP_CONNECT;
        smb_ring_put(&link->channel->requests, 0);
        (void) eventfd_write(link->request_fd, 1);
        arm_deadline(link);
        return 0;

fail:
        log_error("a worker cannot be started (%s): %s", config->worker_program, strerror(-r));
        link_kill(link);
        return r;
}
