/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_REDIRECTOR_H
#define FUSE_REDIRECTOR_H

/*
 * The redirector: shows connections as FUSE mounts and serves them from an SMB worker pool each. This is what core calls
 * through core/redirector.h.
 */

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "core/redirector.h"

struct redirector_settings {
        sd_event *event;
        const char *worker_program; /* path of wnet-smb */
        int lock_fd;                /* orphans_open()'s */
        const char *spool_dir;      /* of print jobs */
        uint64_t connect_usec, operation_usec;
        bool change_notification;   /* drives' servers are asked to tell of changes */
        const char *login;          /* the user name where a connection has none */
        mode_t umask;               /* of the files shown */
        const char *instance;       /* this daemon, in the names of what it parks: leftovers_instance() */
        const struct parked_key *parked_key; /* the user's, for those that tell a path */
};

/* The implementation of core's interface. settings live as long as any connection. */
const struct redirector_ops *redirector_ops(const struct redirector_settings *settings);

#endif
