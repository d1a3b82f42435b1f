/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_NAME_H
#define CORE_NAME_H

/*
 * Names of local devices and remote resources: parsing, comparing, printing. Pure functions; only the system's table of letters is read,
 * where names beyond ASCII are compared.
 */

#include <stdbool.h>
#include <stdint.h>

#define DEVICE_LETTERS 26
#define DEVICE_PRINTERS 9
#define REMOTE_PORT_DEFAULT 445
#define REMOTE_SERVER_MAX_BYTES 253 /* a DNS name's length */
#define REMOTE_SHARE_MAX_BYTES 240  /* 80 characters of up to 3 bytes */
#define REMOTE_PATH_MAX_BYTES 4095

enum device_kind { DEVICE_DRIVE, DEVICE_PRINTER };

struct device_name {
        char text[8]; /* canonical: "Z:" or "LPT1" */
        enum device_kind kind;
};

/* Accepts "z:", "Z:" and "lpt1", "LPT1:". A drive's colon is part of its name ("Z" alone is malformed).
 * Returns 0 or ERROR_BAD_DEVICE (also for NULL and ""). */
int device_parse(const char *text, struct device_name *ret_device);

/* Whether text is a printer port's name. */
bool device_is_port(const char *text);

/* The folder's name of a device: "Z" or "LPT1". */
void device_folder(const struct device_name *device, char ret_folder[8]);

/* Drive by number, 0 = "A:" … 25 = "Z:". */
void device_from_letter(unsigned letter, struct device_name *ret_device);

struct remote_name {
        char *server;  /* as given, case kept: host name, IPv4 or IPv6 address (without brackets) */
        uint16_t port; /* REMOTE_PORT_DEFAULT where none was given */
        char *share;   /* as given */
        char *path;    /* below the share, '/' between components, no '/' at either end; "" for the share itself */
};

/* Accepts \\server\share[\dir…], //server/share[/dir…] and smb://server/share[/dir…] (percent escapes decoded), with
 * :port behind the server ("[::1]:4450" for an IPv6 address); one trailing separator is ignored. Refuses empty parts, "."
 * and ".." components, control characters, invalid UTF-8, user names or passwords in a URL, ports outside 1–65535 and
 * anything longer than the limits above.
 * Returns 0, ERROR_BAD_NET_NAME, or -ENOMEM. The result is owned by the caller: remote_name_done(). */
int remote_name_parse(const char *text, struct remote_name *ret_remote);

/* Accepts a server alone: \\\\server, //server and smb://server, with :port behind it and one trailing separator; refuses what
 * remote_name_parse() refuses. The result's share and path are "".
 * Returns 0, ERROR_BAD_NET_NAME, or -ENOMEM. The result is owned by the caller: remote_name_done(). */
int remote_server_parse(const char *text, struct remote_name *ret_server);

/* Whether a share can have this name: valid UTF-8, not too long, without what remote_name_parse() refuses. */
bool remote_share_valid(const char *share);

/* Frees the parts; accepts a zeroed struct. */
void remote_name_done(struct remote_name *remote);

/* Deep copy. 0 or -ENOMEM. */
int remote_name_copy(const struct remote_name *remote, struct remote_name *ret_copy);

/* Whether two names differ in nothing but upper and lower case, as core/fold.h tells it: letter by letter, so ß is not ss. Both are valid
 * UTF-8. */
bool name_equal_nocase(const char *a, const char *b);

/* Same resource: server, share and path compared so, ports as numbers. */
bool remote_name_equal(const struct remote_name *a, const struct remote_name *b);

/* Same server name and port, as credentials are per server. */
bool remote_name_same_server(const struct remote_name *a, const struct remote_name *b);

/* "\\server\share", "\\server:4450\share\dir". NULL when out of memory; the caller frees. */
char *remote_name_to_unc(const struct remote_name *remote);

/* "//server/share", "//server:4450/share/dir": the mount's source. NULL when out of memory; the caller frees. */
char *remote_name_to_source(const struct remote_name *remote);

/* One folder's name pair for a deviceless connection, "server/share" ("server@4450/share"), a deeper path escaped into the
 * second name with '%2F' for '/' ('%25' for '%', '%3A' for ':', as in an IPv6 address), so that no mount lies inside another.
 * NULL when out of memory; the caller frees. */
char *remote_name_to_folder(const struct remote_name *remote);

#endif
