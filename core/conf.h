/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_CONF_H
#define CORE_CONF_H

/*
 * wnet.conf: optional settings, one "key = value" a line.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

#define CONF_MAX_BYTES 65536

struct conf {
        char *drives;             /* folder of the drives; NULL: the default. "~/" at its begin is the home directory */
        uint64_t connect_usec;    /* longest connection attempt: connect_timeout, seconds, 0.1–120, default 10 */
        uint64_t operation_usec;  /* longest SMB operation: operation_timeout, seconds, 0.1–600, default 20 */
        bool change_notification; /* whether servers are asked to tell of changes: yes or no, default no */
};

void conf_init(struct conf *ret_conf); /* the defaults */
void conf_done(struct conf *conf);

/* Parses the file's text over the defaults; '#' begins a comment line, values are trimmed, fractions of a second ("0.5") are
 * allowed. No I/O. 0, -ENOMEM or ERROR_INVALID_PARAMETER with key and line in err; conf is then unchanged. */
int conf_parse(struct conf *conf, const char *text, struct wn_error *err);

/* Reads path; a missing file leaves the defaults. 0, a negative errno, or a result of conf_parse(). */
int conf_load(struct conf *conf, const char *path, struct wn_error *err);

#endif
