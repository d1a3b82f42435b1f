/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "tools/wnet/commands.h"
#include "tools/wnet/output.h"

static void print_json(const struct control_list *list)
{
        _cleanup_json_ struct json_object *json = json_object_new_array();

        for (size_t i = 0; i < list->n_items; i++) {
                const struct control_connection *c = &list->items[i];
                struct json_object *item = json_object_new_object();

                output_json_text(item, "device", c->device);
                output_json_text(item, "remote", c->remote);
                output_json_text(item, "state", c->state);
                output_json_text(item, "reason", c->reason);
                output_json_text(item, "user", c->user);
                output_json_text(item, "folder", c->mountpoint);
                output_json_add(item, "since", output_json_time(c->since_usec));
                output_json_add(item, "next_retry", output_json_time(c->next_retry_usec));
                output_json_add(item, "persistent", json_object_new_boolean(c->persistent));
                output_json_add(item, "read_only", json_object_new_boolean(c->read_only));
                json_object_array_add(json, item);
        }
        output_json(json);
}

static void print_table(const struct control_list *list)
{
        static const char *const headings[] = { "DEVICE", "REMOTE", "STATE", "USER", "FOLDER", NULL };
        _cleanup_(table_done) struct table table = { 0 };

        if (list->n_items == 0) {
                puts("There are no connections.");
                return;
        }
        table_init(&table, headings);
        for (size_t i = 0; i < list->n_items; i++) {
                const struct control_connection *c = &list->items[i];

                table_add(&table, (const char *const[]) { c->device, c->remote, c->state, c->user, c->mountpoint });
                if (c->reason[0] != '\0')
                        table_note(&table, c->reason);
        }
        table_print(&table, stdout);
}

static int run(int argc, char **argv)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_list_done) struct control_list list = { 0 };
        struct wn_error err = { 0 };
        bool json;
        int code;

        if (command_parse_json(&command_list, argc, argv, &json, &code) == COMMAND_EXIT)
                return code;
        code = command_check_arguments(&command_list, argc, argv, 0, 0);
        if (code != 0)
                return code;
        client = command_open(&err);
        if (!client || control_list(client, &list, &err) != 0)
                return output_error(&err, NULL);
        if (json)
                print_json(&list);
        else
                print_table(&list);
        if (control_check_profile(client, &err) != 0)
                output_line(stderr, "note: what is remembered is not known: %s", err.text);
        return 0;
}

const struct command command_list = {
        .name = "list",
        .synopsis = "[--json]",
        .summary = "List all connections, and the remembered drives that are not connected",
        .help = "  --json  Print an array of objects: device, remote, state, reason, user, folder, since, next_retry,\n"
                "          persistent, read_only\n",
        .run = run,
};
