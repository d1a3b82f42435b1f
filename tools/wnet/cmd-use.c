/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `wnet use`: Windows' `net use`, its syntax (use-parse.c), texts (use-text.h) and exit codes.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/name.h"
#include "tools/wnet/commands.h"
#include "tools/wnet/output.h"
#include "tools/wnet/use-text.h"
#include "tools/wnet/use.h"

#define EXIT_FAILED 2
#define NETWORK "wnet"
#define REMOTE_WIDTH 25

/* ---- asking ---- */

static void print_row(const char *status, const char *local, const char *remote)
{
        _cleanup_free_ char *escaped = output_escape(remote);
        int width = output_width(escaped);

        if (width <= REMOTE_WIDTH)
                output_line(stdout, "%-12s %-9s %s%*s %s", status, local, remote, REMOTE_WIDTH - width, "", NETWORK);
        else { /* a long name pushes the network to a line of its own */
                output_line(stdout, "%-12s %-9s %s", status, local, remote);
                printf("%49s%s\n", "", NETWORK);
        }
}

static int list(void)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_list_done) struct control_list connections = { 0 };
        struct wn_error err = { 0 };
        bool remember = false; /* as long as the profile cannot be used, it is true */

        client = command_open(&err);
        if (!client || control_list(client, &connections, &err) != 0)
                return use_print_error(&err);
        if (control_get_persistence(client, &remember, &err) != 0)
                output_line(stderr, "note: %s", err.text);
        puts(remember ? USE_TEXT_REMEMBERED "\n" : USE_TEXT_NOT_REMEMBERED "\n");
        if (connections.n_items == 0) {
                puts(USE_TEXT_NO_ENTRIES "\n");
                return 0;
        }
        puts("\nStatus       Local     Remote                    Network\n\n"
             "-------------------------------------------------------------------------------");
        for (size_t i = 0; i < connections.n_items; i++) {
                const struct control_connection *c = &connections.items[i];

                print_row(use_status_word(c->state), c->device, c->remote);
        }
        return use_print_done();
}

/* Whether c is what the command line names: a device, or, where that is NULL, a connection without one. */
static bool is_named(const struct control_connection *c, const struct device_name *device, const struct remote_name *remote)
{
        _cleanup_(remote_name_done) struct remote_name its = { 0 };

        if (device)
                return strcmp(c->device, device->text) == 0;
        return c->device[0] == '\0' && remote_name_parse(c->remote, &its) == 0 && remote_name_equal(&its, remote);
}

static int print_connection(struct control_client *client, const struct control_connection *c, const struct control_list *list)
{
        _cleanup_(control_files_done) struct control_files files = { 0 };
        struct wn_error err = { 0 };
        const char *name = c->device[0] ? c->device : c->remote;
        size_t n = 0, n_open = 0;

        if (control_files(client, name, &files, &err) != 0 && err.status != ERROR_NOT_CONNECTED)
                return use_print_error(&err);
        for (size_t i = 0; i < files.n_items; i++) /* a remote name has those of the letters, too */
                n_open += strcmp(files.items[i].device, name) == 0;
        for (size_t i = 0; i < list->n_items; i++)
                n += control_state_connected(list->items[i].state) && name_equal_nocase(list->items[i].remote, c->remote);
        output_line(stdout, "Local name        %s", c->device);
        output_line(stdout, "Remote name       %s", c->remote);
        printf("Resource type     %s\n", device_is_port(c->device) ? "Print" : "Disk");
        printf("Status            %s\n", use_status_word(c->state));
        printf("# Opens           %zu\n", n_open);
        printf("# Connections     %zu\n", n);
        return use_print_done();
}

/* Shows the connection that is named. Exit code, or -1: there is none. */
static int show(const struct device_name *device, const struct remote_name *remote)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_list_done) struct control_list list = { 0 };
        struct wn_error err = { 0 };

        client = command_open(&err);
        if (!client || control_list(client, &list, &err) != 0)
                return use_print_error(&err);
        for (size_t i = 0; i < list.n_items; i++)
                if (is_named(&list.items[i], device, remote))
                        return print_connection(client, &list.items[i], &list);
        return -1;
}

static int show_device(const char *name)
{
        struct wn_error err = { .status = ERROR_NOT_CONNECTED };
        struct device_name device;
        int code;

        if (device_parse(name, &device) != 0)
                err.status = ERROR_BAD_DEVICE;
        else if ((code = show(&device, NULL)) >= 0)
                return code;
        return use_print_error(&err);
}

static int open_resource(struct use_request *request)
{
        _cleanup_(remote_name_done) struct remote_name remote = { 0 };
        int code = -1;

        if (remote_name_parse(request->remote, &remote) == 0)
                code = show(NULL, &remote);
        return code >= 0 ? code : use_connect(request);
}

static int set_persistence(bool persistent)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        struct wn_error err = { 0 };

        client = command_open(&err);
        if (!client || control_set_persistence(client, persistent, &err) != 0)
                return use_print_error(&err);
        return use_print_done();
}

/* ---- the command line ---- */

static int complain(int mistake, const char *at)
{
        _cleanup_free_ char *option = strndup(at, strcspn(at, ":"));

        if (option && mistake == USE_MISTAKE_OPTION)
                use_paragraph(stderr, USE_TEXT_UNKNOWN_OPTION, option);
        else if (option && mistake == USE_MISTAKE_VALUE)
                use_paragraph(stderr, USE_TEXT_BAD_VALUE, option);
        fputs(USE_TEXT_SYNTAX_IS "\n\n" USE_TEXT_SYNTAX "\n", stderr);
        return EXIT_FAILED;
}

static int run(int argc, char **argv)
{
        struct use_request request;
        int at, mistake = use_parse(argc, argv, &request, &at);

        if (mistake != 0)
                return complain(mistake, argv[at]);
        switch (request.verb) {
        case USE_LIST:
                return list();
        case USE_SHOW:
                return show_device(request.local);
        case USE_OPEN:
                return open_resource(&request);
        case USE_CONNECT:
                return use_connect(&request);
        case USE_DELETE:
                return use_delete(&request);
        case USE_DELETE_ALL:
                return use_delete_all(&request);
        case USE_SET_PERSISTENCE:
                return set_persistence(request.persistence == USE_REMEMBER);
        case USE_HELP:
                break;
        }
        command_print_help(&command_use);
        return 0;
}

const struct command command_use = {
        .name = "use",
        .synopsis = "[{X:|*|\\\\server\\share} …] [/OPTION …]",
        .summary = "All of this in the words of Windows' net use",
        .help = USE_TEXT_SYNTAX
        "\n"
        "With nothing else, the connections are listed; with a device or a share, one is shown. A share that is not\n"
        "connected is connected without a device.\n\n"
        "  *            As the device: the first free letter from Z: down; all connections (/DELETE).\n"
        "               As the password: it is asked for\n"
        "  password     Others can see it in the list of processes, if only for a moment: better *\n"
        "  /SAVECRED    Save the password in the keyring, and remember the device\n"
        "  /PERSISTENT  Whether to connect the device again at each logon; unless given, as the last time it was\n"
        "  /DELETE      Disconnect, and forget the device. Asks before it forces open files closed; where nobody can\n"
        "               answer, that is N\n"
        "  /Y           Y is the answer to every question\n\n"
        "In a shell, a name with backslashes has to be quoted ('\\\\server\\share'); //server/share means the same.\n"
        "Exit code: 0 done, 2 failed.\n",
        .run = run,
};
