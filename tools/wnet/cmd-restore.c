/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/control-restore.h"
#include "core/name.h"
#include "tools/wnet/commands.h"
#include "tools/wnet/output.h"

static const char *hint_for(int status)
{
        switch (status) {
        case ERROR_BAD_DEVICE:
                return "devices are A: to Z: (with the colon) and LPT1 to LPT9";
        case ERROR_NOT_CONNECTED:
        case ERROR_ALREADY_ASSIGNED:
                return "wnet list shows the connections";
        case ERROR_LOGON_FAILURE:
        case ERROR_INVALID_PASSWORD:
        case ERROR_ACCESS_DENIED:
                return "wnet add connects it with a password; --credentials FILE makes that last";
        default:
                return NULL;
        }
}

static int restore_device(const char *device)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_added_done) struct control_added added = { 0 };
        struct device_name name;
        struct wn_error err = { 0 };

        if (device_parse(device, &name) != 0) {
                error_set(&err, ERROR_BAD_DEVICE, 0, "check", "%s is not a device's name", device);
                return output_error(&err, hint_for(ERROR_BAD_DEVICE));
        }
        client = command_open(&err);
        if (!client || control_restore(client, name.text, &added, &err) != 0)
                return output_error(&err, hint_for(err.status));
        output_line(stdout, "%s is connected again, at %s", added.device, added.mountpoint);
        return 0;
}

static int restore_all(void)
{
        _cleanup_(control_restored_list_done) struct control_restored_list list = { 0 };
        struct wn_error err = { 0 };
        int code = 0;

        if (control_restore_all(&list, &err) != 0)
                return output_error(&err, NULL);
        if (list.n_items == 0)
                puts("There is nothing to restore.");
        for (size_t i = 0; i < list.n_items; i++) {
                const struct control_restored *item = &list.items[i];

                if (item->err.status != NO_ERROR)
                        code = output_error(&item->err, hint_for(item->err.status));
                else
                        output_line(stdout, "%s is connected again to %s, at %s", item->device, item->remote,
                                    item->mountpoint);
        }
        return code;
}

static int run(int argc, char **argv)
{
        static const struct option options[] = { { 0 } };
        int c, code;

        c = command_next_option(&command_restore, argc, argv, options, &code);
        if (c == COMMAND_EXIT)
                return code;
        code = command_check_arguments(&command_restore, argc, argv, 0, 1);
        if (code != 0)
                return code;
        return optind < argc ? restore_device(argv[optind]) : restore_all();
}

const struct command command_restore = {
        .name = "restore",
        .synopsis = "[Z:]",
        .summary = "Connect a remembered drive again, or all of them",
        .help = "  Z:  The device; without it, every remembered device that is not connected\n\n"
                "A drive that was cancelled without --forget is not connected again before the next logon, unless it is\n"
                "restored. Exit code 1 when a drive could not be connected; it stays remembered.\n",
        .run = run,
};
