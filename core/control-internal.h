/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_CONTROL_INTERNAL_H
#define CORE_CONTROL_INTERNAL_H

/*
 * What control.c (sockets, clients) and control-calls.c (methods) share.
 */

#include <sys/queue.h>
#include <sys/stat.h>
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
        const struct paths *paths;
        int listen_fd;
        sd_event_source *listen_source;
        struct stat place;               /* of the socket's name, as it was made */
        sd_event_source *look_source;    /* whether it is still there */
        bool lost;                       /* it is not, and could not be made anew */
        TAILQ_HEAD(, client) clients;
        unsigned n_clients;
        LIST_HEAD(, shares_call) asking; /* servers whose shares somebody wants to see */
        void (*ended)(void *userdata);
        void *userdata;
};

#define NOT_A_DEVICE "%.40s is not a local device; use a drive letter with its colon (Z:) or a printer port (LPT1)"

/* The methods; userdata of each is the struct client. */
extern const sd_bus_vtable control_vtable[];

/* ---- control-calls.c ---- */

/* Answers with an error; err may be NULL. 0 or more, or a negative errno. */
int control_reply_error(sd_bus_message *call, const struct wn_error *err, int status);

/* Reads the options of Add (add), or the credentials of Shares. 0 or a status with err filled; request's credentials are the
 * caller's to free in any case. */
int control_read_options(sd_bus_message *call, bool add, struct add_request *request, struct wn_error *err);

/* ---- control-queries.c ---- */

int control_on_list(sd_bus_message *call, void *userdata, sd_bus_error *error);
int control_on_check_profile(sd_bus_message *call, void *userdata, sd_bus_error *error);
int control_on_files(sd_bus_message *call, void *userdata, sd_bus_error *error);
int control_on_get(sd_bus_message *call, void *userdata, sd_bus_error *error);
int control_on_shares(sd_bus_message *call, void *userdata, sd_bus_error *error);
int control_on_history(sd_bus_message *call, void *userdata, sd_bus_error *error);
int control_on_get_persistence(sd_bus_message *call, void *userdata, sd_bus_error *error);

/* Ends what is being asked of servers; nobody is answered. */
void control_end_shares(struct control *control);

#endif
