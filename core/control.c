/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns the listening socket and one sd_bus per client. What a client asks for is in control-calls.c.
 */

#include "core/control-internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/control-protocol.h"
#include "core/control-socket.h"
#include "core/holders.h"
#include "core/log.h"

#define CLIENTS_MAX 128
#define QUEUE_MAX 256 /* answers that a client has not read yet */
#define LOOK_USEC (3 * 1000000ULL) /* how often to look whether the socket is still there: logind removes it at logout, where wnetd may stay */
#define LOOK_LATE_USEC (1 * 1000000ULL)

/* ---- clients ---- */

/* Whether the process has come to its end; one that is just ending has given its memory back before its sockets are closed. A client that
 * has only stopped waiting, or was dropped, lives. */
static bool has_ended(const struct caller *caller)
{
        char path[64], program[1];

        if (caller->pid == 0)
                return true;
        snprintf(path, sizeof(path), "/proc/%d/exe", (int) caller->pid);
        return readlink(path, program, sizeof(program)) < 0 && (errno == ENOENT || errno == ESRCH);
}

static void client_free(struct client *client)
{
        TAILQ_REMOVE(&client->control->clients, client, entry);
        client->control->n_clients--;
        manager_abandon(client->control->manager, client, has_ended(&client->caller));
        sd_bus_close_unref(client->bus);
        free(client);
}

static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
        struct client *client = userdata;
        uint64_t n_queued;

        (void) error;
        if (sd_bus_message_is_signal(message, "org.freedesktop.DBus.Local", "Disconnected")) {
                client_free(client);
                return 1;
        }
        if (sd_bus_get_n_queued_write(client->bus, &n_queued) >= 0 && n_queued > QUEUE_MAX) {
                log_info("a client that reads no answers was dropped");
                client_free(client);
                return 1;
        }
        return 0;
}

static int start_bus(struct client *client, int fd)
{
        sd_id128_t id;
        int r = sd_bus_new(&client->bus);

        if (r < 0) {
                close(fd);
                return r;
        }
        r = sd_bus_set_fd(client->bus, fd, fd); /* the bus's now, whatever follows */
        if (r < 0) {
                close(fd);
                return r;
        }
        r = sd_id128_randomize(&id);
        if (r >= 0)
                r = sd_bus_set_server(client->bus, 1, id);
        if (r >= 0) /* at the daemon's end it would wait for each client: to read its answers, or even to greet */
                r = sd_bus_set_close_on_exit(client->bus, 0);
        if (r >= 0)
                r = sd_bus_start(client->bus);
        if (r >= 0)
                r = sd_bus_add_object_vtable(client->bus, NULL, CONTROL_PATH, CONTROL_INTERFACE, control_vtable, client);
        if (r >= 0)
                r = sd_bus_add_filter(client->bus, NULL, on_message, client);
        if (r >= 0)
                r = sd_bus_attach_event(client->bus, client->control->event, SD_EVENT_PRIORITY_NORMAL);
        return r;
}

static bool same_user(int fd, struct caller *ret_caller)
{
        struct ucred peer;
        socklen_t size = sizeof(peer);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != geteuid())
                return false;
        ret_caller->pid = peer.pid;
        (void) holders_read_thread("/proc", peer.pid, &ret_caller->pid, ret_caller->program);
        return true;
}

static int on_connect(sd_event_source *source, int listen_fd, uint32_t revents, void *userdata)
{
        struct control *control = userdata;
        struct caller caller = { 0 };
        struct client *client;
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), r;

        (void) source;
        (void) revents;
        if (fd < 0)
                return 0;
        if (!same_user(fd, &caller) || control->n_clients >= CLIENTS_MAX || !(client = calloc(1, sizeof(*client)))) {
                close(fd);
                return 0;
        }
        client->control = control;
        client->caller = caller;
        client->caller.owner = client;
        TAILQ_INSERT_TAIL(&control->clients, client, entry);
        control->n_clients++;
        r = start_bus(client, fd);
        if (r < 0) {
                log_info("a client could not be served: %s", strerror(-r));
                client_free(client);
        }
        return 0;
}

void control_changed(void *userdata, struct connection *c, const char *state_name)
{
        struct control *control = userdata;
        _cleanup_free_ char *remote = remote_name_to_unc(&c->remote);
        struct client *client;

        TAILQ_FOREACH(client, &control->clients, entry)
                if (remote && sd_bus_is_ready(client->bus) > 0)
                        (void) sd_bus_emit_signal(client->bus, CONTROL_PATH, CONTROL_INTERFACE, "Changed", CONTROL_CHANGED,
                                                  c->has_device ? c->name : "", remote, state_name, c->reason);
}

/* ---- the socket ---- */

/* Serves fd, in the place of what has been served. Takes it in any case. */
static int serve(struct control *control, int fd)
{
        sd_event_source *source;
        int r = sd_event_add_io(control->event, &source, fd, EPOLLIN, on_connect, control);

        if (r < 0) {
                close(fd);
                return r;
        }
        sd_event_source_disable_unref(control->listen_source);
        if (control->listen_fd >= 0)
                close(control->listen_fd);
        control->listen_source = source;
        control->listen_fd = fd;
        if (lstat(control->paths->socket, &control->place) < 0)
                control->place = (struct stat){ 0 };
        return 0;
}

/* Whether the name is still our socket's, or another daemon of this user listens there now, which is left in peace. */
static bool is_in_place(const struct control *control)
{
        struct stat st;

        if (lstat(control->paths->socket, &st) < 0 || st.st_uid != geteuid())
                return false;
        return (st.st_dev == control->place.st_dev && st.st_ino == control->place.st_ino) || control_socket_answers(control->paths->socket);
}

static void listen_again(struct control *control)
{
        int r = paths_make_private_dir(control->paths->runtime_dir);

        if (r == 0)
                r = control_socket_listen(control->paths->socket);
        if (r >= 0)
                r = serve(control, r);
        if (r == 0)
                log_info("the control socket %s had been removed, and is there again", control->paths->socket);
        else if (!control->lost)
                log_warning("the control socket %s has been removed, and cannot be made again: %s; it is tried from time to time",
                            control->paths->socket, strerror(-r));
        control->lost = r < 0;
}

static int on_look(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct control *control = userdata;

        (void) usec;
        if (!is_in_place(control))
                listen_again(control);
        (void) sd_event_source_set_time_relative(source, LOOK_USEC);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int control_new(sd_event *event, int listen_fd, const struct paths *paths, struct manager *manager, void (*ended)(void *userdata),
                void *userdata, struct control **ret_control)
{
        struct control *control = calloc(1, sizeof(*control));
        int r;

        if (!control) {
                close(listen_fd);
                return -ENOMEM;
        }
        *control = (struct control){
                .event = event, .paths = paths, .manager = manager, .listen_fd = -1, .ended = ended, .userdata = userdata,
        };
        TAILQ_INIT(&control->clients);
        LIST_INIT(&control->asking);
        r = serve(control, listen_fd);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &control->look_source, CLOCK_MONOTONIC, LOOK_USEC, LOOK_LATE_USEC, on_look, control);
        if (r < 0) {
                control_free(control);
                return r;
        }
        *ret_control = control;
        return 0;
}

void control_free(struct control *control)
{
        struct client *client;

        if (!control)
                return;
        control_end_shares(control);
        while ((client = TAILQ_FIRST(&control->clients)))
                client_free(client);
        sd_event_source_disable_unref(control->look_source);
        sd_event_source_disable_unref(control->listen_source);
        if (control->listen_fd >= 0)
                close(control->listen_fd);
        free(control);
}
