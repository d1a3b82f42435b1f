/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copies into fields of fixed size. */

#include "fuse/smb/setup.h"

#include <errno.h>
#include <stdio.h>

static int copy_text(char *ret_text, size_t size, const char *text)
{
        return snprintf(ret_text, size, "%s", text ? text : "") < (int) size ? 0 : -ENAMETOOLONG;
}

int setup_fill(struct smb_setup *ret_setup, const struct remote_name *remote, const struct credentials *credentials,
               const char *credentials_file, const char *login, uint64_t operation_usec)
{
        if (copy_text(ret_setup->server, sizeof(ret_setup->server), remote->server) < 0 ||
            copy_text(ret_setup->share, sizeof(ret_setup->share), remote->share) < 0 ||
            copy_text(ret_setup->path, sizeof(ret_setup->path), remote->path) < 0 ||
            copy_text(ret_setup->user, sizeof(ret_setup->user), credentials->user ? credentials->user : login) < 0 ||
            copy_text(ret_setup->domain, sizeof(ret_setup->domain), credentials->domain) < 0 ||
            copy_text(ret_setup->password, sizeof(ret_setup->password), credentials->password.bytes) < 0 ||
            copy_text(ret_setup->credentials_file, sizeof(ret_setup->credentials_file), credentials_file) < 0)
                return -ENAMETOOLONG;
        ret_setup->port = remote->port;
        ret_setup->has_password = credentials->password.bytes != NULL;
        ret_setup->timeout_msec = (uint32_t) (operation_usec / 1000);
        return 0;
}
