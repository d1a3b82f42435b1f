/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOOLS_WNET_USE_TEXT_H
#define TOOLS_WNET_USE_TEXT_H

/*
 * What `wnet use` says: the texts of Windows' `net use`, all of them here.
 */

#include <stdio.h>

#include "core/status.h"

#define USE_TEXT_DONE "The command completed successfully."
#define USE_TEXT_DELETED "%s was deleted successfully."
#define USE_TEXT_CONNECTED_DRIVE "Drive %s is now connected to %s."
#define USE_TEXT_REMEMBERED "New connections will be remembered."
#define USE_TEXT_NOT_REMEMBERED "New connections will not be remembered."
#define USE_TEXT_NO_ENTRIES "There are no entries in the list."

#define USE_TEXT_OPEN_FILES "There are open files and/or incomplete directory searches pending on the connection to %s."
#define USE_TEXT_IN_USE "The connection to %s is in use by an active process."
#define USE_TEXT_ASK_FORCE "Is it OK to continue disconnecting and force them closed? (Y/N) [N]: "
#define USE_TEXT_CONNECTIONS "You have these remote connections:"
#define USE_TEXT_ALL_GO "Continuing will cancel the connections."
#define USE_TEXT_ASK_ALL "Do you want to continue this operation? (Y/N) [N]: "

#define USE_TEXT_ASK_PASSWORD "Type the password for %s: "
#define USE_TEXT_BAD_PASSWORD "The password is invalid for %s."
#define USE_TEXT_ASK_PASSWORD_OF "Enter the password for '%s' to connect to '%s': "
#define USE_TEXT_ASK_USER "Enter the user name for '%s': "
#define USE_TEXT_ASK_SERVERS_PASSWORD "Enter the password for %s: "

#define USE_TEXT_UNKNOWN_OPTION "The option %s is unknown."
#define USE_TEXT_BAD_VALUE "You entered an invalid value for the %s option."
#define USE_TEXT_SYNTAX_IS "The syntax of this command is:"
#define USE_TEXT_SYNTAX                                                                                                \
        "wnet use\n"                                                                                                   \
        "[devicename | *] [\\\\computername\\sharename[\\volume] [password | *]]\n"                                    \
        "        [/USER:[domainname\\]username]\n"                                                                     \
        "        [/SAVECRED]\n"                                                                                        \
        "        [/PERSISTENT:{YES | NO}]\n\n"                                                                         \
        "wnet use {devicename | \\\\computername\\sharename[\\volume] | *} /DELETE [/Y]\n\n"                           \
        "wnet use /PERSISTENT:{YES | NO}\n"

/* A state of core/control-protocol.h in the words of the column Status. */
const char *use_status_word(const char *state);

/* output_line(), and an empty line behind it. */
void use_paragraph(FILE *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says on standard error what failed. Returns exit code 2. */
int use_print_error(const struct wn_error *err);

/* The same, with detail (NULL: none of the caller's) in brackets below the message. */
int use_print_error_with(const struct wn_error *err, const char *detail);

/* command_remote_hint() in these words: NULL also for what is a remote name. */
const char *use_remote_hint(const char *text);

/* USE_TEXT_DONE. Returns exit code 0. */
int use_print_done(void);

#endif
