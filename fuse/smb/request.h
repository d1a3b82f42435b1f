/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SMB_REQUEST_H
#define FUSE_SMB_REQUEST_H

/* What a request is like, and what it ends with where no worker can say. */

#include <stdbool.h>

struct smb_request;

/* Whether the worker puts its answer into a slot, which is taken for it when it is dispatched. */
bool request_fills_slot(const struct smb_request *request);

/* Whether it reads a whole directory; and whether that is all it does. */
bool request_lists(const struct smb_request *request);
bool request_only_lists(const struct smb_request *request);

/* Whether it may take a server long; whether it is a large transfer, which others of the like are going to follow. */
bool request_is_long(const struct smb_request *request);
bool request_is_bulk(const struct smb_request *request);

/* Whether it looks at one name and no more; changes names or what belongs to them; takes names away. */
bool request_looks_up(const struct smb_request *request);
bool request_peeks(const struct smb_request *request); /* looks into a file, opening it */
bool request_changes_names(const struct smb_request *request);
bool request_removes_names(const struct smb_request *request);

/* Whether it may be done once more when it is not known whether it was done. */
bool request_is_repeatable(const struct smb_request *request);

/* The error when the server is away: descriptors say that their data is out of reach, names that the host is. */
int request_unreachable_error(const struct smb_request *request);

/* Of a CLOSE whose process is gone: the server has closed the file with the connection. Of a print job that is not enough: nobody
 * knows whether it has arrived. */
int request_lost_close_error(const struct smb_request *request);

#endif
