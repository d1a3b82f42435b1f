/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/name.h"
#include "tools/wnet/commands.h"
#include "tools/wnet/output.h"

#define LINES_USUAL 30
#define LINES_MAX 10000 /* as many as are kept */

enum { OPTION_LINES = 1, OPTION_JSON };

static void print_json(const struct control_history *history)
{
        _cleanup_json_ struct json_object *json = json_object_new_array();

        for (size_t i = 0; i < history->n_items; i++) {
                const struct control_event *e = &history->items[i];
                struct json_object *item = json_object_new_object();

                output_json_add(item, "when", output_json_time(e->when_usec));
                output_json_text(item, "device", e->device);
                output_json_text(item, "remote", e->remote);
                output_json_text(item, "event", e->event);
                output_json_text(item, "detail", e->detail);
                output_json_text(item, "program", e->program);
                output_json_add(item, "pid", output_json_number(e->pid));
                json_object_array_add(json, item);
        }
        output_json(json);
}

/* name: what it was asked for; NULL: everything. */
static void print_table(const struct control_history *history, const char *name)
{
        static const char *const headings[] = { "WHEN", "DEVICE", "EVENT", "BY", "REMOTE", "DETAIL", NULL };
        _cleanup_(table_done) struct table table = { 0 };

        if (history->n_items == 0) {
                if (name)
                        output_line(stdout, "Nothing has happened to %s yet.", name);
                else
                        puts("Nothing has happened yet.");
                return;
        }
        table_init(&table, headings);
        for (size_t i = 0; i < history->n_items; i++) {
                const struct control_event *e = &history->items[i];
                _cleanup_free_ char *program = NULL;
                char when[OUTPUT_TIME_MAX];

                if (e->pid != 0 && asprintf(&program, "%s (%" PRIu32 ")", e->program, e->pid) < 0)
                        return;
                table_add(&table, (const char *const[]) { output_time(e->when_usec, when), e->device, e->event,
                                                          program ? program : e->program, e->remote, e->detail });
        }
        table_print(&table, stdout);
}

/* A name under which something may have happened: as the daemon writes it; NULL: it cannot be one. */
static char *parse_name(const char *text)
{
        _cleanup_(remote_name_done) struct remote_name remote = { 0 };
        struct device_name device;

        return device_parse(text, &device) == 0 || remote_name_parse(text, &remote) == 0 ? command_name(text) : NULL;
}

static int history_run(const char *text, uint32_t n_max, bool json)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_history_done) struct control_history history = { 0 };
        _cleanup_free_ char *name = text ? parse_name(text) : NULL;
        struct wn_error err = { 0 };

        if (text && !name) {
                error_set(&err, ERROR_BAD_DEVICE, 0, "check", "%s is neither a device's name nor a remote one", text);
                return output_error(&err, "devices are A: to Z: (with the colon) and LPT1 to LPT9");
        }
        client = command_open(&err);
        if (!client || control_history(client, name, n_max, &history, &err) != 0)
                return output_error(&err, NULL);
        if (json)
                print_json(&history);
        else
                print_table(&history, name);
        return 0;
}

static int run(int argc, char **argv)
{
        static const struct option options[] = {
                { "lines", required_argument, NULL, OPTION_LINES },
                { "json", no_argument, NULL, OPTION_JSON },
                { 0 },
        };
        unsigned long n_max = LINES_USUAL;
        bool json = false;
        char *end;
        int c, code;

        while ((c = command_next_option(&command_history, argc, argv, options, &code)) > 0) {
                json |= c == OPTION_JSON;
                if (c != OPTION_LINES)
                        continue;
                n_max = strtoul(optarg, &end, 10);
                if (optarg[0] < '0' || optarg[0] > '9' || *end != '\0' || n_max < 1 || n_max > LINES_MAX)
                        return output_usage("history", "not a number from 1 to %d: %s", LINES_MAX, optarg);
        }
        if (c == COMMAND_EXIT)
                return code;
        code = command_check_arguments(&command_history, argc, argv, 0, 1);
        if (code != 0)
                return code;
        return history_run(optind < argc ? argv[optind] : NULL, (uint32_t) n_max, json);
}

const struct command command_history = {
        .name = "history",
        .synopsis = "[Z:] [--lines=N] [--json]",
        .summary = "Show what happened to a drive, when, and by which program",
        .help = "  Z:         A device, or the remote name of a connection without one; all where it is left out\n"
                "  --lines=N  As many of the latest events (30 unless given; at most 10000)\n"
                "  --json     Print an array of objects: when, device, remote, event, detail, program, pid\n\n"
                "The latest comes first.\n",
        .run = run,
};
