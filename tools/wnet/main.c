/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * wnet, the control tool: finds the command and runs it.
 */

#include <inttypes.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/control-protocol.h"
#include "core/name.h"
#include "tools/wnet/commands.h"
#include "tools/wnet/output.h"

#define VERSION_TIMEOUT_USEC (2 * 1000000ULL)
#define OPTION_HELP 1000
#define OPTION_VALUE_MAX 31 /* of a command; what is above is a character, from '-x' */

/* As the help lists them: NULL between groups. */
static const struct command *const commands[] = {
        &command_add,  &command_cancel,  &command_restore, &command_forget, NULL,
        &command_list, &command_get,     &command_files,   &command_history, NULL,
        &command_shares, NULL,
        &command_use, NULL,
        &command_shutdown,
};

#define N_COMMANDS (sizeof commands / sizeof commands[0])

static const struct command *find_command(const char *name)
{
        for (size_t i = 0; i < N_COMMANDS; i++)
                if (commands[i] && strcmp(commands[i]->name, name) == 0)
                        return commands[i];
        return NULL;
}

void command_print_help(const struct command *command)
{
        printf("Usage: wnet %s%s%s\n%s.\n\n%s", command->name, command->synopsis[0] ? " " : "", command->synopsis,
               command->summary, command->help);
}

int command_next_option(const struct command *command, int argc, char **argv, const struct option *options,
                        int *ret_code)
{
        struct option all[16] = { 0 };
        size_t n = 0;
        int c;

        for (; options[n].name && n < sizeof all / sizeof all[0] - 2; n++)
                all[n] = options[n];
        all[n] = (struct option) { "help", no_argument, NULL, OPTION_HELP };
        opterr = 0;
        c = getopt_long(argc, argv, ":", all, NULL);
        switch (c) {
        case -1:
                return COMMAND_OPTIONS_END;
        case OPTION_HELP:
                command_print_help(command);
                *ret_code = 0;
                return COMMAND_EXIT;
        case ':':
                *ret_code = output_usage(command->name, "the option %s needs a value", argv[optind - 1]);
                return COMMAND_EXIT;
        case '?':
                if (optopt > OPTION_VALUE_MAX && optopt < OPTION_HELP)
                        *ret_code = output_usage(command->name, "unknown option: -%c", optopt);
                else
                        *ret_code = output_usage(command->name, "unknown option: %s", argv[optind - 1]);
                return COMMAND_EXIT;
        default:
                return c;
        }
}

int command_parse_json(const struct command *command, int argc, char **argv, bool *ret_json, int *ret_code)
{
        static const struct option options[] = { { "json", no_argument, NULL, 1 }, { 0 } };
        int c;

        *ret_json = false;
        while ((c = command_next_option(command, argc, argv, options, ret_code)) > 0)
                *ret_json = true;
        return c;
}

int command_check_arguments(const struct command *command, int argc, char **argv, int min, int max)
{
        int n = argc - optind;

        if (n < min)
                return output_usage(command->name, "something is missing: wnet %s %s", command->name,
                                    command->synopsis);
        if (n > max)
                return output_usage(command->name, "unexpected argument: %s", argv[optind + max]);
        return 0;
}

struct control_client *command_open(struct wn_error *err)
{
        struct control_client *client = NULL;

        if (control_open(CONTROL_START, CONTROL_TIMEOUT_USEC, &client, err) != 0)
                return NULL;
        return client;
}

char *command_name(const char *name)
{
        _cleanup_(remote_name_done) struct remote_name remote = { 0 };
        struct device_name device;
        char *text = NULL;

        if (device_parse(name, &device) == 0)
                text = strdup(device.text);
        else if (remote_name_parse(name, &remote) == 0)
                text = remote_name_to_unc(&remote);
        else
                text = strdup(name);
        if (!text) {
                fputs("wnet: out of memory\n", stderr);
                exit(1);
        }
        return text;
}

const char *command_remote_hint(const char *text, const char *user_hint)
{
        const char *begin = strncasecmp(text, "smb:", 4) == 0 ? text + 4 : text, *server = begin + strspn(begin, "/\\");

        if (server - begin < 2)
                return "a shell takes backslashes away: put the name in quotation marks, or write //server/share";
        return memchr(server, '@', strcspn(server, "/\\")) ? user_hint : NULL;
}

void command_let_go(void)
{
        if (chdir("/") < 0 || close_range(STDERR_FILENO + 1, ~0U, 0) < 0)
                return; /* then this process is one of the holders that will be named */
}

static int print_version(void)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        struct wn_error err = { 0 };
        int r;

        puts("wnet " WNET_VERSION);
        r = control_open(CONTROL_ANY_PROTOCOL, VERSION_TIMEOUT_USEC, &client, &err);
        if (r == 0)
                output_line(stdout, "wnetd %s (running, protocol %" PRIu32 ")", control_release(client),
                            control_protocol(client));
        else if (r < 0)
                puts("wnetd is not running");
        else
                return output_error(&err, NULL);
        return 0;
}

static int print_help(void)
{
        puts("Usage: wnet COMMAND …\nConnects drive letters to shares on the network, and disconnects them.\n");
        for (size_t i = 0; i < N_COMMANDS; i++)
                if (commands[i])
                        printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
                else
                        putchar('\n');
        printf("  %-10s %s\n", "help", "Explain a command: wnet help COMMAND");
        puts("\n  --version  Print the version, and that of the daemon if it is running\n"
             "  --help     Print this\n\n"
             "Exit code: 0 done, 1 failed, 2 wrong command line. See also: man wnet");
        return 0;
}

static int help(int argc, char **argv)
{
        const struct command *command;

        if (argc < 2 || strcmp(argv[1], "--help") == 0)
                return print_help();
        if (argc > 2)
                return output_usage(NULL, "unexpected argument: %s", argv[2]);
        command = find_command(argv[1]);
        if (!command)
                return output_usage(NULL, "unknown command: %s", argv[1]);
        command_print_help(command);
        return 0;
}

static int dispatch(int argc, char **argv)
{
        const struct command *command;

        if (argc < 2)
                return output_usage(NULL, "a command is missing");
        if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "--help") == 0) {
                if (argc > 2)
                        return output_usage(NULL, "unexpected argument: %s", argv[2]);
                return strcmp(argv[1], "--help") == 0 ? print_help() : print_version();
        }
        if (strcmp(argv[1], "help") == 0)
                return help(argc - 1, argv + 1);
        if (argv[1][0] == '-')
                return output_usage(NULL, "unknown option: %s", argv[1]);
        command = find_command(argv[1]);
        if (!command)
                return output_usage(NULL, "unknown command: %s", argv[1]);
        return command->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
        setlocale(LC_CTYPE, "");
        signal(SIGPIPE, SIG_IGN); /* output_finish() tells it from a failure */
        return output_finish(dispatch(argc, argv));
}
