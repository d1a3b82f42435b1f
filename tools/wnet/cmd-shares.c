/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/name.h"
#include "tools/wnet/commands.h"
#include "tools/wnet/logon.h"
#include "tools/wnet/output.h"

enum { OPTION_ALL = LOGON_OPTIONS_END, OPTION_JSON };

/* The command line. */
struct shares {
        const char *server;
        struct logon logon;
        bool all;
        bool json;
};

static void shares_done(struct shares *shares)
{
        logon_done(&shares->logon);
}

static const char *type_name(uint32_t type)
{
        return type == RESOURCETYPE_DISK ? "disk" : type == RESOURCETYPE_PRINT ? "printer" : "other";
}

/* Administrative shares, IPC$ among them, are for programs. */
static bool is_hidden(const struct control_share *share)
{
        size_t n = strlen(share->name);

        return n > 0 && share->name[n - 1] == '$';
}

static void print_json(const struct control_shares *list, bool all)
{
        _cleanup_json_ struct json_object *json = json_object_new_array();

        for (size_t i = 0; i < list->n_items; i++) {
                const struct control_share *share = &list->items[i];
                struct json_object *item;

                if (!all && is_hidden(share))
                        continue;
                item = json_object_new_object();
                output_json_text(item, "name", share->name);
                output_json_text(item, "type", type_name(share->type));
                output_json_text(item, "comment", share->comment);
                json_object_array_add(json, item);
        }
        output_json(json);
}

static void print_table(const struct control_shares *list, bool all)
{
        static const char *const headings[] = { "NAME", "TYPE", "COMMENT", NULL };
        _cleanup_(table_done) struct table table = { 0 };

        table_init(&table, headings);
        for (size_t i = 0; i < list->n_items; i++) {
                const struct control_share *share = &list->items[i];

                if (all || !is_hidden(share))
                        table_add(&table, (const char *const[]) { share->name, type_name(share->type), share->comment });
        }
        if (table.n_rows == 0)
                puts("There are no shares.");
        else
                table_print(&table, stdout);
}

static int try(const struct shares *shares, struct control_shares *ret_list, struct wn_error *err)
{
        _cleanup_(control_closep) struct control_client *client = command_open(err);

        if (!client)
                return err->status;
        return control_shares(client,
                              &(struct control_shares_request) {
                                      .server = shares->server,
                                      .user = logon_user(&shares->logon),
                                      .password = &shares->logon.password,
                                      .credentials = shares->logon.credentials_path,
                              },
                              ret_list, err);
}

static int shares_run(struct shares *shares)
{
        _cleanup_(remote_name_done) struct remote_name server = { 0 };
        _cleanup_(control_shares_done) struct control_shares list = { 0 };
        struct wn_error err = { 0 };
        int r = remote_server_parse(shares->server, &server);

        if (r > 0) {
                error_set(&err, r, 0, "check", "%s is not a server's name", shares->server);
                return output_error(&err, "a server is written //server, or //server:port");
        }
        if (r < 0)
                error_set(&err, r = ERROR_EXTENDED_ERROR, ENOMEM, "check", "%s", strerror(ENOMEM));
        else
                r = logon_prepare(&shares->logon, server.server, &err);
        if (r == 0) {
                r = try(shares, &list, &err);
                if (r != 0 && (r = logon_ask_again(&shares->logon, &server, &err)) == 0)
                        r = try(shares, &list, &err);
        }
        if (r != 0)
                return output_error(&err, logon_hint(&shares->logon, r));
        if (shares->json)
                print_json(&list, shares->all);
        else
                print_table(&list, shares->all);
        return 0;
}

static int run(int argc, char **argv)
{
        static const struct option options[] = {
                LOGON_OPTIONS,
                { "all", no_argument, NULL, OPTION_ALL },
                { "json", no_argument, NULL, OPTION_JSON },
                { 0 },
        };
        _cleanup_(shares_done) struct shares shares = { 0 };
        int c, code;

        while ((c = command_next_option(&command_shares, argc, argv, options, &code)) > 0) {
                logon_take_option(&shares.logon, c);
                shares.all |= c == OPTION_ALL;
                shares.json |= c == OPTION_JSON;
        }
        if (c == COMMAND_EXIT)
                return code;
        code = command_check_arguments(&command_shares, argc, argv, 1, 1);
        if (code == 0)
                code = logon_check_options(&shares.logon, "shares");
        if (code != 0)
                return code;
        shares.server = argv[optind];
        return shares_run(&shares);
}

const struct command command_shares = {
        .name = "shares",
        .synopsis = "//server [--user NAME] [--password-stdin] [--credentials FILE] [--all] [--json]",
        .summary = "List the shares of a server",
        .help = "  //server            The server; also \\\\server, smb://server, //server:port\n"
                "  --user NAME         User name, or DOMAIN\\name\n"
                "  --password-stdin    Read the password from the first line of standard input\n"
                "  --credentials FILE  Read user name, password and domain from FILE, as mount.cifs does\n"
                "  --all               Also those whose names end in $, which are for administration\n"
                "  --json              Print an array of objects: name, type (disk, printer, other), comment\n\n"
                "With none of the first three options, what a connection to the server uses is used again, if there is one.\n"
                "Where a password is needed and none is given, it is asked for on the terminal.\n",
        .run = run,
};
