/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOOLS_WNET_COMMANDS_H
#define TOOLS_WNET_COMMANDS_H

/*
 * The tool's commands, one file each. A command gets its own part of the command line (argv[0] is its name), prints
 * everything there is to say, and returns the exit code: 0 done, 1 failed, 2 a wrong command line.
 */

#include <getopt.h>

#include "core/control-client.h"
#include "core/status.h"

struct command {
        const char *name;
        const char *synopsis; /* behind the name */
        const char *summary;  /* one line */
        const char *help;     /* the rest of `wnet help NAME`, whole lines */
        int (*run)(int argc, char **argv);
};

extern const struct command command_add;
extern const struct command command_cancel;
extern const struct command command_files;
extern const struct command command_forget;
extern const struct command command_get;
extern const struct command command_history;
extern const struct command command_list;
extern const struct command command_restore;
extern const struct command command_shares;
extern const struct command command_shutdown;
extern const struct command command_use;

/* `wnet help NAME`, to standard output. */
void command_print_help(const struct command *command);

/* What command_next_option() answers besides an option's own value. */
#define COMMAND_OPTIONS_END (-1)
#define COMMAND_EXIT (-2) /* everything is said: leave with *ret_code */

/* getopt_long() for a command without short options: answers --help, and complains about unknown options itself.
 * options has no entry for --help, and its values are 1 to 31. */
int command_next_option(const struct command *command, int argc, char **argv, const struct option *options,
                        int *ret_code);

/* The options of a command that knows --json only. Returns COMMAND_OPTIONS_END or COMMAND_EXIT. */
int command_parse_json(const struct command *command, int argc, char **argv, bool *ret_json, int *ret_code);

/* Checks that between min and max arguments are left behind the options. 0, or exit code 2 after a complaint. */
int command_check_arguments(const struct command *command, int argc, char **argv, int min, int max);

/* Connects to the daemon, started where it does not run. NULL, with err filled, where that failed. */
struct control_client *command_open(struct wn_error *err);

/* A device's or remote name as the daemon writes it: "z:" is "Z:", "//server/share" is "\\\\server\\share"; any other text is
 * copied. The caller frees; never NULL. */
char *command_name(const char *name);

/* What may be wrong with text, which is no remote name: a shell has eaten its backslashes; or it names the user, for which the hint is
 * user_hint. NULL: neither, as for every remote name. */
const char *command_remote_hint(const char *text, const char *user_hint);

/* A tool that was started inside a drive, or with descriptors of its files, must not itself be what keeps it busy: goes to the root
 * directory, and closes all descriptors but the standard streams. To be called before any is opened. */
void command_let_go(void);

#endif
