/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOOLS_WNET_LOGON_H
#define TOOLS_WNET_LOGON_H

/*
 * As whom a command logs on to a server: --user, --password-stdin and --credentials, and the question for a password where one is
 * needed and somebody can answer.
 */

#include <getopt.h>
#include <stdbool.h>

#include "core/name.h"
#include "core/secret.h"
#include "core/status.h"

/* The command fills in the first four. */
struct logon {
        const char *user;        /* --user */
        const char *credentials; /* --credentials, as it was given */
        bool password_stdin;     /* --password-stdin */
        bool wanted;             /* a password is asked for in any case; without --user, that of the login name */
        char *credentials_path;  /* absolute */
        char *login;             /* user of a password that was asked for without --user */
        char *session_hint;      /* logon_session_hint(), where that account was refused */
        struct secret password;
};

/* The options that fill in the first three, for a command's table; its own have values from LOGON_OPTIONS_END on. */
enum { LOGON_OPTION_USER = 1, LOGON_OPTION_PASSWORD_STDIN, LOGON_OPTION_CREDENTIALS, LOGON_OPTIONS_END };
#define LOGON_OPTIONS                                                                                                   \
        { "user", required_argument, NULL, LOGON_OPTION_USER },                                                         \
        { "password-stdin", no_argument, NULL, LOGON_OPTION_PASSWORD_STDIN },                                           \
        { "credentials", required_argument, NULL, LOGON_OPTION_CREDENTIALS }

/* Takes one of them in; any other option is left alone. */
void logon_take_option(struct logon *logon, int option);

/* After the last one: 0, or command's exit code, when it has been said what does not go together. */
int logon_check_options(const struct logon *logon, const char *command);

void logon_done(struct logon *logon);

/* Collects what the first attempt is made with: reads the password, checks the credentials file, asks. server: as the question
 * names it. 0 or a status. */
int logon_prepare(struct logon *logon, const char *server, struct wn_error *err);

/* After an attempt that was refused with *err: asks for a password where the server wants to know who comes, nothing was given, and it
 * is not a session's account that has no access. 0: try again; a status, with err: that is the answer. */
int logon_ask_again(struct logon *logon, const struct remote_name *server, struct wn_error *err);

/* The user to name; NULL: none. */
const char *logon_user(const struct logon *logon);

/* Where there is a live connection to server (name and port), whose account others share: who has no access then, and what would
 * help. The caller frees; NULL: there is none. */
char *logon_session_hint(const struct remote_name *server);

/* How to give a password, where status may come from there being none, or why that is of no use; else NULL. */
const char *logon_hint(const struct logon *logon, int status);

#endif
