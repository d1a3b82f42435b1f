/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>

#include "core/name.h"
#include "tools/wnet/commands.h"
#include "tools/wnet/output.h"

static void print_json(const struct control_files *files)
{
        _cleanup_json_ struct json_object *json = json_object_new_array();

        for (size_t i = 0; i < files->n_items; i++) {
                const struct control_file *f = &files->items[i];
                struct json_object *item = json_object_new_object();

                output_json_text(item, "device", f->device);
                output_json_text(item, "kind", f->kind);
                output_json_text(item, "path", f->path);
                output_json_add(item, "pid", output_json_number(f->pid));
                output_json_add(item, "uid", json_object_new_int64(f->uid));
                output_json_text(item, "program", f->program);
                output_json_text(item, "mode", f->mode);
                output_json_add(item, "since", output_json_time(f->since_usec));
                output_json_add(item, "read_bytes", json_object_new_uint64(f->read_bytes));
                output_json_add(item, "written_bytes", json_object_new_uint64(f->written_bytes));
                json_object_array_add(json, item);
        }
        output_json(json);
}

static void print_table(const struct control_files *files)
{
        static const char *const headings[] = { "DEVICE", "PID",  "PROGRAM", "USER",    "MODE",
                                                "SINCE",  "READ", "WRITTEN", "FILE", NULL };
        _cleanup_(table_done) struct table table = { 0 };

        if (files->n_items == 0) {
                puts("There are no open files.");
                return;
        }
        table_init(&table, headings);
        for (size_t i = 0; i < files->n_items; i++) {
                const struct control_file *f = &files->items[i];
                char pid[16] = "", user[OUTPUT_USER_MAX], since[OUTPUT_TIME_MAX];
                char bytes_read[OUTPUT_SIZE_MAX], written[OUTPUT_SIZE_MAX];

                if (f->pid != 0)
                        snprintf(pid, sizeof pid, "%" PRIu32, f->pid);
                table_add(&table, (const char *const[]) {
                                          f->device, pid, f->program, output_user(f->uid, user), f->mode,
                                          output_time(f->since_usec, since), output_size(f->read_bytes, bytes_read),
                                          output_size(f->written_bytes, written),
                                          device_is_port(f->device) ? "" : f->path });
        }
        table_print(&table, stdout);
}

static int run(int argc, char **argv)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_files_done) struct control_files files = { 0 };
        struct wn_error err = { 0 };
        bool json;
        int code;

        if (command_parse_json(&command_files, argc, argv, &json, &code) == COMMAND_EXIT)
                return code;
        code = command_check_arguments(&command_files, argc, argv, 0, 1);
        if (code != 0)
                return code;
        client = command_open(&err);
        if (!client || control_files(client, optind < argc ? argv[optind] : "", &files, &err) != 0)
                return output_error(&err, err.status == ERROR_NOT_CONNECTED ? "wnet list shows the connections" : NULL);
        if (json)
                print_json(&files);
        else
                print_table(&files);
        return 0;
}

const struct command command_files = {
        .name = "files",
        .synopsis = "[Z:] [--json]",
        .summary = "List the open files of a connection, or of all",
        .help = "  Z:      A device, or a remote name: all connections to it; every one where it is left out\n"
                "  --json  Print an array of objects: device, kind, path, pid, uid, program, mode, since, read_bytes,\n"
                "          written_bytes\n",
        .run = run,
};
