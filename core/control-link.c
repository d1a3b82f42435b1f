/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Owns the connection to the daemon: a socket whose peer has our uid, with sd-bus on it. Every wait runs against a
 * deadline of ours, because sd-bus's own (authentication, calls) are longer, and some of its versions give up at a
 * signal. This code runs in other people's programs too: it changes nothing of the process's.
 */

#include "core/control-link.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "core/cleanup.h"
#include "core/control-protocol.h"
#include "core/control-socket.h"
#include "core/control-start.h"
#include "core/daemon-lock.h"
#include "core/paths.h"

#define CONNECT_PAUSE_USEC 20000
#define CONNECT_RETRY_USEC (5 * 1000000ULL)     /* after a daemon has said that it is ready */
#define CONNECT_LAST_RETRY_USEC (1 * 1000000ULL) /* after ours failed: another client's may be on its way */
#define OPEN_ATTEMPTS 2                          /* a daemon may be going just when we come */

struct control_client {
        sd_bus *bus;
        uint64_t timeout_usec;
        struct control_version version;
};

static uint64_t now_usec(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

/* Lets sd-bus work until the reply is there, or, where reply is NULL, until the connection is ready for calls. */
static int process_until(sd_bus *bus, uint64_t deadline_usec, sd_bus_message *const *reply)
{
        for (;;) {
                uint64_t now;
                int r = reply ? *reply != NULL : sd_bus_is_ready(bus);

                if (r != 0)
                        return r < 0 ? r : 0;
                now = now_usec();
                if (now >= deadline_usec)
                        return -ETIMEDOUT;
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, deadline_usec - now);
                if (r < 0 && r != -EINTR)
                        return r;
        }
}

static int keep_reply(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        sd_bus_message **ret_reply = userdata;

        (void) ret_error;
        *ret_reply = sd_bus_message_ref(reply);
        return 1;
}

/* Whether a result of sd-bus says that the daemon is gone. */
static bool is_disconnect(int r)
{
        return r == -ECONNRESET || r == -EPIPE || r == -ENOTCONN || r == -ESHUTDOWN;
}

int control_no_answer(struct wn_error *err, int r, const char *call, uint64_t timeout_usec)
{
        if (r == -ETIMEDOUT)
                return error_set(err, ERROR_EXTENDED_ERROR, ETIMEDOUT, "call", "wnetd did not answer %s within %.3g s",
                                 call, (double) timeout_usec / 1e6);
        if (is_disconnect(r))
                return error_set(err, ERROR_EXTENDED_ERROR, -r, "call",
                                 "wnetd closed the connection before it answered %s", call);
        if (r == -EBADMSG || r == -E2BIG)
                return error_set(err, ERROR_EXTENDED_ERROR, -r, "decode", "wnetd's answer to %s cannot be understood%s",
                                 call, r == -E2BIG ? ": it is too long" : "");
        return error_set(err, ERROR_EXTENDED_ERROR, -r, "call", "asking wnetd failed (%s): %s", call, strerror(-r));
}

/* Turns a D-Bus error into a status: the daemon's own, or sd-bus's about the connection. */
static int error_from_reply(struct wn_error *err, sd_bus_message *reply, const char *call)
{
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        const char *text, *phase;
        uint32_t cause;
        int status, r;

        assert(e);
        if (status_from_dbus_error(e->name, &status) == 0) {
                r = control_error_decode(reply, &text, &cause, &phase);
                if (r < 0)
                        return control_no_answer(err, r, call, 0);
                return error_set(err, status, (int) cause, phase, "%s", text[0] ? text : status_message(status));
        }
        if (strcmp(e->name, SD_BUS_ERROR_NO_REPLY) == 0 || strcmp(e->name, SD_BUS_ERROR_DISCONNECTED) == 0)
                return control_no_answer(err, -ECONNRESET, call, 0);
        return error_set(err, ERROR_EXTENDED_ERROR, 0, "call", "wnetd refused %s: %s (%s)", call,
                         e->message ? e->message : "no reason given", e->name);
}

static int call_within(struct control_client *client, sd_bus_message *message, uint64_t timeout_usec,
                       sd_bus_message **ret_reply, struct wn_error *err)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        const char *call;
        int r;

        r = sd_bus_call_async(client->bus, &slot, message, keep_reply, &reply, UINT64_MAX);
        if (r >= 0)
                r = process_until(client->bus, now_usec() + timeout_usec, &reply);
        call = sd_bus_message_get_member(message); /* sealing the message has moved it */
        if (r < 0)
                return control_no_answer(err, r, call, timeout_usec);
        if (sd_bus_message_is_method_error(reply, NULL))
                return error_from_reply(err, reply, call);
        *ret_reply = TAKE_PTR(reply);
        return 0;
}

int control_call(struct control_client *client, sd_bus_message *message, sd_bus_message **ret_reply,
                 struct wn_error *err)
{
        return control_call_waiting(client, message, 0, ret_reply, err);
}

int control_call_waiting(struct control_client *client, sd_bus_message *message, uint64_t wait_usec,
                         sd_bus_message **ret_reply, struct wn_error *err)
{
        uint64_t timeout_usec = client->timeout_usec;

        timeout_usec = wait_usec > UINT64_MAX / 2 - timeout_usec ? UINT64_MAX / 2 : timeout_usec + wait_usec;
        return call_within(client, message, timeout_usec, ret_reply, err);
}

int control_new_call(struct control_client *client, const char *member, sd_bus_message **ret_message,
                     struct wn_error *err)
{
        int r = sd_bus_message_new_method_call(client->bus, ret_message, NULL, CONTROL_PATH, CONTROL_INTERFACE, member);

        return r < 0 ? control_no_answer(err, r, member, 0) : 0;
}

int control_call_simple(struct control_client *client, const char *member, sd_bus_message **ret_reply,
                        struct wn_error *err, const char *types, ...)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        va_list arguments;
        int r;

        r = control_new_call(client, member, &message, err);
        if (r != 0)
                return r;
        va_start(arguments, types);
        r = types ? sd_bus_message_appendv(message, types, arguments) : 0;
        va_end(arguments);
        if (r < 0)
                return control_no_answer(err, r, member, 0);
        return control_call(client, message, ret_reply, err);
}

static int check_peer(int fd, struct wn_error *err)
{
        struct ucred peer;
        socklen_t size = sizeof peer;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, errno, "connect", "cannot tell whose daemon this is: %s",
                                 strerror(errno));
        if (peer.uid != geteuid())
                return error_set(err, ERROR_EXTENDED_ERROR, EPERM, "connect",
                                 "wnetd's socket belongs to another user (uid %u): its daemon is not asked", peer.uid);
        return 0;
}

/* Asks the daemon's version and checks it. */
static int check_version(struct control_client *client, unsigned flags, uint64_t timeout_usec, struct wn_error *err)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        int r;

        r = control_new_call(client, "GetVersion", &message, err);
        if (r != 0)
                return r;
        r = call_within(client, message, timeout_usec, &reply, err);
        if (r != 0)
                return r;
        r = control_version_decode(reply, &client->version);
        if (r < 0)
                return control_no_answer(err, r, "GetVersion", 0);
        if (client->version.protocol != CONTROL_PROTOCOL && !(flags & CONTROL_ANY_PROTOCOL))
                return error_set(err, ERROR_EXTENDED_ERROR, EPROTO, "version",
                                 "wnetd %s is running, whose protocol (%u) is not the one of wnet %s (%d); "
                                 "end it with: wnet shutdown, then try again",
                                 client->version.release, client->version.protocol, WNET_VERSION, CONTROL_PROTOCOL);
        return 0;
}

int control_open_fd(int fd, unsigned flags, uint64_t timeout_usec, struct control_client **ret_client,
                    struct wn_error *err)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_close_ int owned = fd;
        uint64_t hello_usec = timeout_usec < CONTROL_HELLO_TIMEOUT_USEC ? timeout_usec : CONTROL_HELLO_TIMEOUT_USEC;
        int r;

        r = check_peer(fd, err);
        if (r != 0)
                return r;
        client = calloc(1, sizeof *client);
        if (!client)
                return control_no_answer(err, -ENOMEM, "connect", 0);
        client->timeout_usec = timeout_usec;
        r = sd_bus_new(&client->bus);
        if (r >= 0)
                r = sd_bus_set_fd(client->bus, fd, fd);
        if (r >= 0) {
                TAKE_FD(owned);
                r = sd_bus_start(client->bus);
        }
        if (r >= 0)
                r = process_until(client->bus, now_usec() + hello_usec, NULL);
        if (r < 0)
                return control_no_answer(err, r, "hello", hello_usec);
        r = check_version(client, flags, hello_usec, err);
        if (r != 0)
                return r;
        *ret_client = TAKE_PTR(client);
        return 0;
}

/* Nobody listens. A full queue (EAGAIN) is a daemon that is there and busy. */
static bool is_absent(int r)
{
        return r == -ENOENT || r == -ECONNREFUSED;
}

static int connect_within(const char *path, uint64_t timeout_usec)
{
        uint64_t deadline_usec = now_usec() + timeout_usec;

        for (;;) {
                int r = control_socket_connect(path);

                if ((!is_absent(r) && r != -EAGAIN) || now_usec() >= deadline_usec)
                        return r;
                usleep(CONNECT_PAUSE_USEC);
        }
}

/* No daemon answers. 0: now one does; -ESRCH: none runs; a status: one runs all the same. */
static int look_for_daemon(const struct paths *paths, struct wn_error *err)
{
        char text[DAEMON_LOCK_TEXT_BYTES];
        struct lock_holder holder;
        int fd = daemon_lock_take(paths, false, &holder);

        if (fd >= 0)
                close(fd);
        if (fd >= 0 || fd == -ENOENT)
                return -ESRCH;
        if (fd == -EEXIST)
                return 0;
        if (fd != -EBUSY)
                return error_set(err, ERROR_EXTENDED_ERROR, -fd, "connect", "cannot tell whether wnetd runs: its lock %s cannot be opened: %s",
                                 paths->lock, strerror(-fd));
        daemon_lock_explain(&holder, paths, text);
        return error_set(err, ERROR_EXTENDED_ERROR, EBUSY, "connect", "%s", text);
}

/* Connects, starting the daemon where that is allowed. 0, a status, or -ESRCH. */
static int connect_daemon(const struct paths *paths, unsigned flags, int *ret_fd, struct wn_error *err)
{
        struct wn_error why = { 0 };
        const char *path = paths->socket;
        int fd, r;

        fd = control_socket_connect(path);
        if (fd == -EAGAIN)
                fd = connect_within(path, CONNECT_RETRY_USEC);
        if (is_absent(fd)) {
                r = flags & CONTROL_START ? control_start_daemon(&why) : look_for_daemon(paths, &why);
                if (r < 0)
                        return r;
                if (r == 0 || flags & CONTROL_START)
                        fd = connect_within(path, r == 0 ? CONNECT_RETRY_USEC : CONNECT_LAST_RETRY_USEC);
                if (is_absent(fd) && r != 0) {
                        *err = why;
                        return r;
                }
        }
        if (fd < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, -fd, "connect", "cannot reach wnetd at %s: %s", path,
                                 strerror(-fd));
        *ret_fd = fd;
        return 0;
}

int control_open(unsigned flags, uint64_t timeout_usec, struct control_client **ret_client, struct wn_error *err)
{
        _cleanup_(paths_done) struct paths paths = { 0 };
        struct wn_error local_error = { 0 };
        int status = 0, r;

        r = paths_init(&paths);
        if (r < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, -r, "connect", "cannot tell where wnetd's socket is: %s",
                                 strerror(-r));
        for (int i = 0; i < OPEN_ATTEMPTS; i++) {
                int fd = -1;

                status = connect_daemon(&paths, flags, &fd, &local_error);
                if (status < 0)
                        return status;
                if (status > 0)
                        break;
                status = control_open_fd(fd, flags, timeout_usec, ret_client, &local_error);
                if (status == 0)
                        return 0;
                if (!is_disconnect(-local_error.cause))
                        break;
                usleep(CONNECT_PAUSE_USEC);
        }
        if (err)
                *err = local_error;
        return status;
}

void control_close(struct control_client *client)
{
        if (!client)
                return;
        control_version_done(&client->version);
        sd_bus_close_unref(client->bus);
        free(client);
}

void control_closep(struct control_client **client)
{
        control_close(*client);
}

const char *control_release(const struct control_client *client)
{
        return client->version.release;
}

uint32_t control_protocol(const struct control_client *client)
{
        return client->version.protocol;
}
