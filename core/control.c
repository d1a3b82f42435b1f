/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns the listening socket and one sd_bus per client. What a client asks for is in control-calls.c.
 */

#include "core/control-internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/control-protocol.h"
#include "core/holders.h"
#include "core/log.h"

#define CLIENTS_MAX 128
#define QUEUE_MAX 256 /* answers that a client has not read yet */

/* ---- clients ---- */

/* Whether the process has come to its end; one that is just ending has given its memory back before its sockets are closed. A client that
 * has only stopped waiting, or was dropped, lives. */
static bool has_ended(const struct caller *caller)
{
        char path[64], program[1];

        if (caller->pid == 0)
                return true;
        snprintf(path, sizeof(path), "/proc/%d/exe", (int) caller->pid);
        return readlink(path, program, sizeof(program)) < 0 && (errno == ENOENT || kill(caller->pid, 0) < 0);
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

int control_new(sd_event *event, int listen_fd, struct manager *manager, void (*ended)(void *userdata), void *userdata,
                struct control **ret_control)
{
        struct control *control = calloc(1, sizeof(*control));
        int r;

        if (!control) {
                close(listen_fd);
                return -ENOMEM;
        }
        *control = (struct control){
                .event = event, .manager = manager, .listen_fd = listen_fd, .ended = ended, .userdata = userdata,
        };
        TAILQ_INIT(&control->clients);
        LIST_INIT(&control->asking);
        r = sd_event_add_io(event, &control->listen_source, listen_fd, EPOLLIN, on_connect, control);
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
        sd_event_source_disable_unref(control->listen_source);
        close(control->listen_fd);
        free(control);
}
