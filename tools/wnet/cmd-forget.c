/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/name.h"
#include "tools/wnet/commands.h"
#include "tools/wnet/output.h"

static const char *hint_for(int status)
{
        switch (status) {
        case ERROR_BAD_DEVICE:
                return "devices are A: to Z: (with the colon) and LPT1 to LPT9";
        case ERROR_NOT_CONNECTED:
                return "wnet list --json tells which drives are persistent";
        default:
                return NULL;
        }
}

static int run(int argc, char **argv)
{
        static const struct option options[] = { { 0 } };
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_device_done) struct control_device device = { 0 };
        _cleanup_(control_outcome_done) struct control_outcome outcome = { 0 };
        struct device_name name;
        struct wn_error err = { 0 };
        int c, code;

        c = command_next_option(&command_forget, argc, argv, options, &code);
        if (c == COMMAND_EXIT)
                return code;
        code = command_check_arguments(&command_forget, argc, argv, 1, 1);
        if (code != 0)
                return code;
        if (device_parse(argv[optind], &name) != 0) {
                error_set(&err, ERROR_BAD_DEVICE, 0, "check", "%s is not a device's name", argv[optind]);
                return output_error(&err, hint_for(ERROR_BAD_DEVICE));
        }
        client = command_open(&err);
        if (!client || control_forget(client, name.text, &outcome, &err) != 0)
                return output_error(&err, hint_for(err.status));
        if (outcome.status != NO_ERROR) {
                error_set(&err, outcome.status, (int) outcome.cause, outcome.phase, "%s", outcome.text);
                return output_error(&err, hint_for(err.status));
        }
        if (control_get(client, name.text, &device, &err) == 0 && control_state_connected(device.state))
                output_line(stdout, "%s is forgotten. It stays connected to %s until it is disconnected: wnet cancel %s", name.text,
                            device.remote, name.text);
        else
                output_line(stdout, "%s is forgotten.", name.text);
        if (outcome.text[0]) /* the password could not be removed, and how to do that */
                output_line(stderr, "note: %s", outcome.text);
        return 0;
}

const struct command command_forget = {
        .name = "forget",
        .synopsis = "Z:",
        .summary = "Do not connect a remembered drive again at the next logon",
        .help = "  Z:  The device\n\n"
                "What is remembered of it goes, and a saved password with it. A drive that is connected stays so until it\n"
                "is disconnected; wnet cancel Z: --forget does both.\n",
        .run = run,
};
