/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The benchmark's network: a TCP proxy in front of a server on this machine, which adds a round-trip time and limits the
 * bandwidth, and counts what clients ask.
 *
 *   proxy PORT RTT_USEC BYTES_PER_SECOND     the last: in each direction, of all connections together; 0: no limit
 *
 * It prints the port on which it listens on 127.0.0.1, then, for each line of its standard input, how many SMB requests have
 * passed (a compound counts as one: it costs one round trip). It ends with its standard input.
 *
 * One thread. Each direction of a connection is a lane: a ring of bytes, and a queue of marks that say up to which byte the other
 * end may have them when. As on a long line, many bytes are on their way at once. The bytes are copied, not spliced: they have to
 * wait somewhere, and pipes that are large enough are not for every user.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RING_BYTES (64u << 20)    /* on its way in a lane at most; only what is used costs memory */
#define TRANSFER_BYTES (1u << 20) /* a read at most, */
#define LIMITED_BYTES (64u << 10) /* and where the bandwidth is limited, for an even flow */
#define MARKS 4096u
#define EVENTS 64
#define NSEC_PER_SEC UINT64_C(1000000000)
#define FRAME_HEADER_BYTES 4u

struct end {
        int fd;
        bool readable, writable;
};

struct mark {
        uint64_t due_nsec, upto; /* counted in bytes since the ring was last empty */
};

struct lane {
        struct end *from, *to;
        unsigned char *ring;
        uint64_t received, sent;
        struct mark marks[MARKS];
        uint64_t marks_written, marks_read;
        bool ended, shut;
        uint64_t *line_free_nsec; /* when the line has sent all that it was given */
        bool counts;              /* the lane of requests */
        unsigned char header[FRAME_HEADER_BYTES];
        uint32_t header_bytes, frame_left;
};

struct connection {
        TAILQ_ENTRY(connection) entry;
        struct end client, server;
        struct lane there, back;
};

static TAILQ_HEAD(, connection) connections = TAILQ_HEAD_INITIALIZER(connections);
static uint16_t target_port;
static uint64_t delay_nsec, bytes_per_second;
static uint64_t free_there_nsec, free_back_nsec, n_requests;
static struct end commands, listener;
static int epoll_fd;

_Noreturn static void fail(const char *what)
{
        fprintf(stderr, "proxy: cannot %s: %s\n", what, strerror(errno));
        exit(EXIT_FAILURE);
}

static uint64_t now_nsec(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * NSEC_PER_SEC + (uint64_t) t.tv_nsec;
}

/* ---- counting ---- */

static void count_requests(struct lane *lane, const unsigned char *data, size_t bytes)
{
        while (bytes > 0) {
                size_t part = lane->frame_left < bytes ? lane->frame_left : bytes;

                lane->frame_left -= (uint32_t) part;
                data += part;
                bytes -= part;
                while (bytes > 0 && lane->frame_left == 0) {
                        lane->header[lane->header_bytes++] = *data++;
                        bytes--;
                        if (lane->header_bytes < FRAME_HEADER_BYTES)
                                continue;
                        lane->header_bytes = 0;
                        lane->frame_left = (uint32_t) lane->header[1] << 16 | (uint32_t) lane->header[2] << 8 | lane->header[3];
                        n_requests += lane->header[0] == 0;
                }
        }
}

/* ---- lanes ---- */

static uint64_t due_of(struct lane *lane, size_t bytes)
{
        uint64_t now = now_nsec();

        if (bytes_per_second == 0)
                return now + delay_nsec;
        if (*lane->line_free_nsec < now)
                *lane->line_free_nsec = now;
        *lane->line_free_nsec += bytes * NSEC_PER_SEC / bytes_per_second;
        return *lane->line_free_nsec + delay_nsec;
}

/* Takes in what has come. Returns whether something has. */
static bool take_in(struct lane *lane)
{
        uint64_t at = lane->received % RING_BYTES, room = RING_BYTES - (lane->received - lane->sent);
        uint64_t most = bytes_per_second ? LIMITED_BYTES : TRANSFER_BYTES;
        struct mark *mark = &lane->marks[lane->marks_written % MARKS];
        ssize_t n;

        if (!lane->from->readable || lane->ended || room == 0 || lane->marks_written - lane->marks_read == MARKS)
                return false;
        if (most > room)
                most = room;
        if (most > RING_BYTES - at)
                most = RING_BYTES - at;
        n = recv(lane->from->fd, lane->ring + at, most, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
                lane->from->readable = false;
                return false;
        }
        if (n <= 0) {
                lane->ended = true;
                return true;
        }
        if (lane->counts)
                count_requests(lane, lane->ring + at, (size_t) n);
        lane->received += (uint64_t) n;
        *mark = (struct mark){ .due_nsec = due_of(lane, (size_t) n), .upto = lane->received };
        lane->marks_written++;
        return true;
}

/* Hands out what is due. Returns whether something has gone. */
static bool hand_out(struct lane *lane)
{
        const struct mark *mark = &lane->marks[lane->marks_read % MARKS];
        uint64_t at = lane->sent % RING_BYTES, most;
        ssize_t n;

        if (lane->sent == lane->received && lane->ended && !lane->shut) {
                (void) shutdown(lane->to->fd, SHUT_WR);
                lane->shut = true;
                return true;
        }
        if (lane->sent == lane->received || !lane->to->writable || lane->shut || mark->due_nsec > now_nsec())
                return false;
        most = mark->upto - lane->sent;
        if (most > RING_BYTES - at)
                most = RING_BYTES - at;
        n = send(lane->to->fd, lane->ring + at, most, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
                lane->to->writable = false;
                return false;
        }
        if (n < 0) {
                lane->ended = lane->shut = true;
                (void) shutdown(lane->from->fd, SHUT_RDWR);
                return true;
        }
        lane->sent += (uint64_t) n;
        if (lane->sent == mark->upto)
                lane->marks_read++;
        if (lane->sent == lane->received) /* from the ring's begin again, whose memory is in the processor's cache */
                lane->sent = lane->received = 0;
        return true;
}

/* ---- connections ---- */

static void watch(struct end *end, uint32_t events)
{
        struct epoll_event event = { .events = events, .data.ptr = end };

        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, end->fd, &event) < 0)
                fail("watch a descriptor");
}

static void lane_init(struct lane *lane, struct end *from, struct end *to, uint64_t *line_free_nsec)
{
        lane->from = from;
        lane->to = to;
        lane->line_free_nsec = line_free_nsec;
        lane->ring = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (lane->ring == MAP_FAILED)
                fail("map a ring");
}

static struct sockaddr_in loopback(uint16_t port)
{
        return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static void end_init(struct end *end, int fd)
{
        static const int one = 1;

        end->fd = fd;
        end->writable = true;
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        watch(end, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

static void accept_connection(void)
{
        struct sockaddr_in address = loopback(target_port);
        struct connection *c;
        int client = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC), server;

        if (client < 0)
                return;
        server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (server < 0 || connect(server, (struct sockaddr *) &address, sizeof(address)) < 0) {
                close(client);
                if (server >= 0)
                        close(server);
                return;
        }
        c = calloc(1, sizeof(*c));
        if (!c)
                fail("remember a connection");
        end_init(&c->client, client);
        end_init(&c->server, server);
        lane_init(&c->there, &c->client, &c->server, &free_there_nsec);
        lane_init(&c->back, &c->server, &c->client, &free_back_nsec);
        c->there.counts = true;
        TAILQ_INSERT_TAIL(&connections, c, entry);
}

static void connection_free(struct connection *c)
{
        TAILQ_REMOVE(&connections, c, entry);
        close(c->client.fd);
        close(c->server.fd);
        munmap(c->there.ring, RING_BYTES);
        munmap(c->back.ring, RING_BYTES);
        free(c);
}

/* Moves what can be moved, and returns when something will be due; UINT64_MAX: nothing is on its way. */
static uint64_t move_all(void)
{
        uint64_t due = UINT64_MAX;
        struct connection *c, *next;
        bool moved;

        do {
                moved = false;
                for (c = TAILQ_FIRST(&connections); c; c = next) {
                        next = TAILQ_NEXT(c, entry);
                        moved |= take_in(&c->there) | take_in(&c->back) | hand_out(&c->there) | hand_out(&c->back);
                        if (c->there.shut && c->back.shut)
                                connection_free(c);
                }
        } while (moved);
        TAILQ_FOREACH(c, &connections, entry) {
                const struct lane *lanes[] = { &c->there, &c->back };

                for (unsigned i = 0; i < 2; i++) {
                        const struct mark *mark = &lanes[i]->marks[lanes[i]->marks_read % MARKS];

                        if (lanes[i]->sent < lanes[i]->received && lanes[i]->to->writable && mark->due_nsec < due)
                                due = mark->due_nsec;
                }
        }
        return due;
}

/* ---- the loop ---- */

static void answer_command(void)
{
        char line[64];
        ssize_t n = read(STDIN_FILENO, line, sizeof(line));

        if (n <= 0)
                exit(EXIT_SUCCESS);
        for (ssize_t i = 0; i < n; i++)
                if (line[i] == '\n')
                        printf("%" PRIu64 "\n", n_requests);
        fflush(stdout);
}

static void handle(const struct epoll_event *event)
{
        struct end *end = event->data.ptr;

        if (end == &commands)
                answer_command();
        else if (end == &listener)
                accept_connection();
        else {
                end->readable |= (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
                end->writable |= (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
        }
}

static void listen_here(void)
{
        struct sockaddr_in address = loopback(0);
        socklen_t length = sizeof(address);

        listener.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (listener.fd < 0 || bind(listener.fd, (struct sockaddr *) &address, length) < 0 || listen(listener.fd, 128) < 0 ||
            getsockname(listener.fd, (struct sockaddr *) &address, &length) < 0)
                fail("listen");
        printf("%u\n", ntohs(address.sin_port));
        fflush(stdout);
}

int main(int argc, char **argv)
{
        uint64_t due;

        if (argc != 4) {
                fputs("usage: proxy PORT RTT_USEC BYTES_PER_SECOND\n", stderr);
                return 2;
        }
        target_port = (uint16_t) strtoul(argv[1], NULL, 10);
        delay_nsec = strtoull(argv[2], NULL, 10) * 1000 / 2;
        bytes_per_second = strtoull(argv[3], NULL, 10);
        epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (epoll_fd < 0)
                fail("make an epoll descriptor");
        listen_here();
        watch(&listener, EPOLLIN);
        commands.fd = STDIN_FILENO;
        watch(&commands, EPOLLIN);
        while ((due = move_all())) {
                struct epoll_event events[EVENTS];
                uint64_t now = now_nsec(), wait = due <= now ? 0 : due - now;
                struct timespec timeout = { .tv_sec = (time_t) (wait / NSEC_PER_SEC), .tv_nsec = (long) (wait % NSEC_PER_SEC) };
                int n = epoll_pwait2(epoll_fd, events, EVENTS, due == UINT64_MAX ? NULL : &timeout, NULL);

                if (n < 0 && errno != EINTR)
                        fail("wait");
                for (int i = 0; i < n; i++)
                        handle(&events[i]);
        }
        return EXIT_SUCCESS;
}
