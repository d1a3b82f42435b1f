/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_CREDENTIALS_H
#define CORE_CREDENTIALS_H

/*
 * User, domain and password of a connection, and the file they can be kept in.
 */

#include "core/secret.h"
#include "core/status.h"

#define CREDENTIALS_FILE_MAX_BYTES 8192

struct credentials {
        char *user;             /* NULL: the caller's login name */
        char *domain;           /* NULL: none given */
        struct secret password; /* bytes NULL: none given */
};

void credentials_done(struct credentials *credentials);

/* Deep copy. 0 or -ENOMEM. */
int credentials_copy(const struct credentials *from, struct credentials *ret_copy);

/* Splits "DOMAIN\user", "DOMAIN/user" or "user" into both parts (user@domain stays a user, as Windows has it).
 * 0, ERROR_BAD_USERNAME (empty user, control characters, longer than 256 bytes) or -ENOMEM. */
int credentials_split_user(const char *text, char **ret_user, char **ret_domain);

/* The inverse: "DOMAIN\user", "user"; "" where no user is given. NULL when out of memory; the caller frees. */
char *credentials_user_text(const struct credentials *credentials);

/* Parses a mount.cifs credentials file's text: lines "username=", "password=", "domain=" (also "user=", "pass=", "dom="),
 * blanks around the key ignored, everything after '=' is the value, to the end of the line; lines that begin with '#' and
 * empty ones are skipped. No I/O.
 * 0, ERROR_BAD_USERNAME (no user name in it, or a malformed one), ERROR_INVALID_PARAMETER (an unknown key, a line without
 * '=') or -ENOMEM; err tells the line. The password never appears in err. */
int credentials_parse(const char *text, size_t size_bytes, struct credentials *ret_credentials, struct wn_error *err);

/* Reads a credentials file: opened O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC, a regular file, owned by the caller or root, mode
 * without any group or other bits, at most CREDENTIALS_FILE_MAX_BYTES. May block on a slow file system: only the worker
 * and the control tool call it. 0, ERROR_ACCESS_DENIED (wrong owner or mode, unreadable), ERROR_INVALID_PARAMETER (missing,
 * not a regular file, too long) or a result of credentials_parse(). */
int credentials_read_file(const char *path, struct credentials *ret_credentials, struct wn_error *err);

#endif
