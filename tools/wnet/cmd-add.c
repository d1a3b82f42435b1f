/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `wnet add`: asks for a password where one is needed, and only where somebody can answer.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/name.h"
#include "tools/wnet/commands.h"
#include "tools/wnet/logon.h"
#include "tools/wnet/output.h"

enum { OPTION_PERSISTENT = LOGON_OPTIONS_END, OPTION_SAVE_PASSWORD, OPTION_READ_ONLY };

/* The command line and what was made of it. */
struct add {
        const char *local;
        struct logon logon;
        bool persistent;
        bool save_password;
        bool read_only;
        struct remote_name remote;
        char *unc;
};

static void add_done(struct add *add)
{
        logon_done(&add->logon);
        remote_name_done(&add->remote);
        free(add->unc);
}

static const char *hint_for(const struct add *add, const char *remote, const struct wn_error *err)
{
        switch (err->status) {
        case ERROR_EXTENDED_ERROR:
                return add->save_password && strcmp(err->phase, "secret") == 0 ? "without --save-password it can be connected all the same"
                                                                               : NULL;
        case ERROR_BAD_NET_NAME:
                return command_remote_hint(remote, "the user is given with --user");
        case ERROR_INVALID_PARAMETER:
                return add->save_password && !add->logon.password.bytes ? "--password-stdin gives a password" : NULL;
        case ERROR_BAD_DEVICE:
                return "devices are A: to Z: (with the colon) and LPT1 to LPT9; * is the first free letter";
        case ERROR_ALREADY_ASSIGNED:
                return "wnet list shows the connections; * takes the first free letter";
        case ERROR_DEVICE_ALREADY_REMEMBERED:
                return "wnet forget frees the letter; * takes the first free one";
        case ERROR_CANNOT_OPEN_PROFILE:
        case ERROR_BAD_PROFILE:
                return "without --persistent it can be connected all the same";
        default:
                return logon_hint(&add->logon, err->status);
        }
}

/* Checks names. 0 or a status. */
static int check_names(struct add *add, const char *remote, struct wn_error *err)
{
        struct device_name device;
        int r;

        if (add->local[0] != '\0' && strcmp(add->local, "*") != 0 && device_parse(add->local, &device) != 0)
                return error_set(err, ERROR_BAD_DEVICE, 0, "check", "%s is not a device's name", add->local);
        r = remote_name_parse(remote, &add->remote);
        if (r > 0)
                return error_set(err, r, 0, "check", "%s is not a remote name such as //server/share", remote);
        add->unc = r == 0 ? remote_name_to_unc(&add->remote) : NULL;
        if (!add->unc)
                return error_set(err, ERROR_EXTENDED_ERROR, ENOMEM, "check", "%s", strerror(ENOMEM));
        return 0;
}

static int try(const struct add *add, struct control_added *ret_added, struct wn_error *err)
{
        _cleanup_(control_closep) struct control_client *client = command_open(err);

        if (!client)
                return err->status;
        return control_add(client,
                           &(struct control_add_request) {
                                   .local = add->local,
                                   .remote = add->unc,
                                   .user = logon_user(&add->logon),
                                   .password = &add->logon.password,
                                   .credentials = add->logon.credentials_path,
                                   .persistent = add->persistent,
                                   .save_password = add->save_password,
                                   .read_only = add->read_only,
                           },
                           ret_added, err);
}

static int add_run(struct add *add, const char *remote)
{
        _cleanup_(control_added_done) struct control_added added = { 0 };
        struct wn_error err = { 0 };
        int r;

        r = check_names(add, remote, &err);
        if (r == 0)
                r = logon_prepare(&add->logon, add->remote.server, &err);
        if (r == 0) {
                r = try(add, &added, &err);
                if (r != 0 && (r = logon_ask_again(&add->logon, &add->remote, &err)) == 0)
                        r = try(add, &added, &err);
        }
        if (r != 0)
                return output_error(&err, hint_for(add, remote, &err));
        if (added.device[0] != '\0')
                output_line(stdout, "%s is now connected to %s, at %s", added.device, add->unc, added.mountpoint);
        else
                output_line(stdout, "%s is now connected, at %s", add->unc, added.mountpoint);
        if (add->persistent && add->logon.password.bytes && !add->save_password)
                output_line(stderr,
                            "note: unless its password is stored already, %s will need one at the next logon; "
                            "--save-password or --credentials FILE avoids that",
                            added.device);
        return 0;
}

static int run(int argc, char **argv)
{
        static const struct option options[] = {
                LOGON_OPTIONS,
                { "persistent", no_argument, NULL, OPTION_PERSISTENT },
                { "save-password", no_argument, NULL, OPTION_SAVE_PASSWORD },
                { "read-only", no_argument, NULL, OPTION_READ_ONLY },
                { 0 },
        };
        _cleanup_(add_done) struct add add = { 0 };
        struct device_name device;
        int c, code;

        while ((c = command_next_option(&command_add, argc, argv, options, &code)) > 0) {
                logon_take_option(&add.logon, c);
                add.persistent |= c == OPTION_PERSISTENT;
                add.save_password |= c == OPTION_SAVE_PASSWORD;
                add.read_only |= c == OPTION_READ_ONLY;
        }
        if (c == COMMAND_EXIT)
                return code;
        code = command_check_arguments(&command_add, argc, argv, 1, 2);
        if (code == 0)
                code = logon_check_options(&add.logon, "add");
        if (code != 0)
                return code;
        if (add.save_password && add.logon.credentials)
                return output_usage("add", "--save-password and --credentials exclude each other");
        add.logon.wanted = add.save_password;
        if (argc - optind == 1) {
                if (strcmp(argv[optind], "*") == 0 || device_parse(argv[optind], &device) == 0)
                        return output_usage("add", "something is missing: wnet add %s", command_add.synopsis);
                if (add.persistent || add.save_password)
                        return output_usage("add", "only a device can be remembered; * takes the first free letter");
                add.local = "";
                return add_run(&add, argv[optind]);
        }
        add.local = argv[optind];
        if (add.local[0] == '\0')
                return output_usage("add", "the device's name is empty; * takes the first free letter");
        return add_run(&add, argv[optind + 1]);
}

const struct command command_add = {
        .name = "add",
        .synopsis =
                "[Z:] //server/share [--user NAME] [--password-stdin] [--credentials FILE] [--persistent] [--save-password] [--read-only]",
        .summary = "Connect a drive letter or a printer port to a share",
        .help = "  Z:                  The device: A: to Z:, LPT1 to LPT9, or * for the first free letter from Z:;\n"
                "                      without one, the share appears below UNC in the folder of the drives\n"
                "  //server/share      The share; also \\\\server\\share, smb://server/share, //server:port/share,\n"
                "                      and a folder below it: //server/share/folder; for a port, a printer: //server/printer\n"
                "  --user NAME         User name, or DOMAIN\\name\n"
                "  --password-stdin    Read the password from the first line of standard input\n"
                "  --credentials FILE  Read user name, password and domain from FILE, as mount.cifs does\n"
                "  --persistent        Connect again at each logon\n"
                "  --save-password     Keep the password in the keyring (Secret Service); implies --persistent\n"
                "  --read-only         Allow no changes\n\n"
                "Where a password is needed and none is given, it is asked for on the terminal.\n",
        .run = run,
};
