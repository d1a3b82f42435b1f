/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/name.h"
#include "tools/wnet/commands.h"
#include "tools/wnet/output.h"

static void print_device(const char *name, const struct control_device *device, bool json)
{
        _cleanup_json_ struct json_object *object = NULL;

        if (!json) {
                output_line(stdout, "%s", device->remote);
                return;
        }
        object = json_object_new_object();
        output_json_text(object, "device", name);
        output_json_text(object, "remote", device->remote);
        output_json_text(object, "state", device->state);
        output_json(object);
}

static int run(int argc, char **argv)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_device_done) struct control_device device = { 0 };
        struct device_name name;
        struct wn_error err = { 0 };
        bool json;
        int code;

        if (command_parse_json(&command_get, argc, argv, &json, &code) == COMMAND_EXIT)
                return code;
        code = command_check_arguments(&command_get, argc, argv, 1, 1);
        if (code != 0)
                return code;
        if (device_parse(argv[optind], &name) != 0) {
                error_set(&err, ERROR_BAD_DEVICE, 0, "check", "%s is not a device's name", argv[optind]);
                return output_error(&err, "devices are A: to Z: (with the colon) and LPT1 to LPT9");
        }
        client = command_open(&err);
        if (!client || control_get(client, name.text, &device, &err) != 0)
                return output_error(&err, err.status == ERROR_NOT_CONNECTED ? "wnet list shows the connections" : NULL);
        print_device(name.text, &device, json);
        if (control_state_connected(device.state))
                return 0;
        error_set(&err, ERROR_CONNECTION_UNAVAIL, 0, NULL, "%s is not connected to %s now", name.text, device.remote);
        return output_error(&err, "wnet list shows why");
}

const struct command command_get = {
        .name = "get",
        .synopsis = "Z: [--json]",
        .summary = "Print the remote name that a device is connected to",
        .help = "  Z:      The device\n"
                "  --json  Print an object: device, remote, state\n\n"
                "A remembered device that is not connected now has its remote name printed, and exit code 1.\n",
        .run = run,
};
