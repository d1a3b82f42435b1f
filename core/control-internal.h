/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_CONTROL_INTERNAL_H
#define CORE_CONTROL_INTERNAL_H

/*
 * What control.c (sockets, clients) and control-calls.c (methods) share.
 */

#include <sys/queue.h>
#include <systemd/sd-bus.h>

#include "core/control.h"

struct client {
        TAILQ_ENTRY(client) entry;
        struct control *control;
        sd_bus *bus;
        struct caller caller;
};

struct control {
        sd_event *event;
        struct manager *manager;
        int listen_fd;
        sd_event_source *listen_source;
        TAILQ_HEAD(, client) clients;
        unsigned n_clients;
        void (*ended)(void *userdata);
        void *userdata;
};

/* The methods; userdata of each is the struct client. */
extern const sd_bus_vtable control_vtable[];

#endif
