/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SHARES_H
#define FUSE_SHARES_H

/* Listing the shares of a server: core/redirector.h's shares() and shares_cancel(). */

#include "core/redirector.h"
#include "fuse/redirector.h"

#define SHARES_MAX 65536u /* of one server; further ones are left out, and the log says so */

int shares_start(const struct redirector_settings *settings, sd_event *event, const struct remote_name *server,
                 const struct credentials *credentials, const char *credentials_file, shares_done_fn done, void *userdata,
                 struct shares_job **ret_job);
void shares_cancel(struct shares_job *job);

#endif
