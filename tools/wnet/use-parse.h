/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOOLS_WNET_USE_PARSE_H
#define TOOLS_WNET_USE_PARSE_H

/*
 * The command line of `wnet use`, which is that of Windows' `net use`. Pure functions, no I/O.
 *
 * An option begins with one '/' (two begin a remote name), may be shortened as long as it is not empty, and case does not
 * matter: "/DELETE", "/d". Options may stand anywhere.
 */

#include <stdbool.h>

enum use_verb {
        USE_LIST,            /* wnet use */
        USE_SHOW,            /* X: */
        USE_OPEN,            /* \\server\share: shows it, or connects it where it is not connected */
        USE_CONNECT,         /* {X:|*} \\server\share …, \\server\share … */
        USE_DELETE,          /* {X:|\\server\share} /delete */
        USE_DELETE_ALL,      /* * /delete */
        USE_SET_PERSISTENCE, /* /persistent:{yes|no} */
        USE_HELP,            /* /?, /help, --help */
};

enum use_persistence { USE_AS_LAST_TIME, USE_REMEMBER, USE_DO_NOT_REMEMBER };

/* The texts are the command line's own. */
struct use_request {
        enum use_verb verb;
        const char *local;  /* as it was given, "*": any letter; NULL: none */
        const char *remote; /* as it was given; NULL: none */
        char *password;     /* NULL: none; "*": to be asked for */
        const char *user;   /* NULL: none */
        enum use_persistence persistence;
        bool save_password; /* /savecred */
        bool yes;           /* /y: every question is answered */
};

enum use_mistake {
        USE_MISTAKE_OPTION = 1, /* there is no such option */
        USE_MISTAKE_VALUE,      /* an option's value is missing, or none it can have */
        USE_MISTAKE_SYNTAX,     /* anything else */
};

/* argv[0] is the command's name. 0, or a mistake of enum use_mistake, in *ret_at: its index in argv (0: no particular one). */
int use_parse(int argc, char **argv, struct use_request *ret_request, int *ret_at);

#endif
