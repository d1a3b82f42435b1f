/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "core/name.h"
#include "tools/wnet/commands.h"
#include "tools/wnet/outcome.h"
#include "tools/wnet/output.h"

enum { OPTION_FORCE = 1, OPTION_FORGET, OPTION_JSON };

/* The name as the daemon writes it: "z:" is "Z:", "//server/share" is "\\server\share". */
static char *canonical_name(const char *name)
{
        _cleanup_(remote_name_done) struct remote_name remote = { 0 };
        struct device_name device;
        char *unc = NULL;

        if (device_parse(name, &device) == 0)
                return strdup(device.text);
        if (remote_name_parse(name, &remote) == 0)
                unc = remote_name_to_unc(&remote);
        return unc ? unc : strdup(name);
}

static const char *hint_for(const char *name, int status)
{
        bool letter = ((name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z')) && name[1] == '\0';

        switch (status) {
        case ERROR_NOT_CONNECTED:
                return letter ? "the colon is part of a drive's name, as in Z:" : "wnet list shows the connections";
        case ERROR_CANNOT_OPEN_PROFILE:
        case ERROR_BAD_PROFILE:
                return "without --forget it can be disconnected all the same, and will be back at the next logon";
        default:
                return NULL;
        }
}

static int cancel(const char *name, uint32_t flags, bool force, bool json)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_outcome_done) struct control_outcome outcome = { 0 };
        _cleanup_free_ char *canonical = canonical_name(name), *done = NULL, *force_line = NULL;
        struct wn_error err = { 0 };
        const char *quote;
        int r;

        if (!canonical || asprintf(&done, "%s has been disconnected.", canonical) < 0)
                return 1;
        quote = strpbrk(name, " \\'\"$&;|<>()*?#`!") && !strchr(name, '\'') ? "'" : "";
        if (!force && asprintf(&force_line, "wnet cancel %s%s%s --force%s", quote, name, quote,
                               flags & CONNECT_UPDATE_PROFILE ? " --forget" : "") < 0)
                return 1;
        command_leave_folder();
        r = control_check_cancel(name, flags, &err);
        if (r == 0) {
                client = command_open(&err);
                r = client ? control_cancel(client, name, flags, force, 0, &outcome, &err) : err.status;
        }
        return outcome_print(r, &err, &outcome, json, done, force_line, hint_for(name, r != 0 ? r : outcome.status));
}

static int run(int argc, char **argv)
{
        static const struct option options[] = {
                { "force", no_argument, NULL, OPTION_FORCE },
                { "forget", no_argument, NULL, OPTION_FORGET },
                { "json", no_argument, NULL, OPTION_JSON },
                { 0 },
        };
        bool force = false, json = false;
        uint32_t flags = 0;
        int c, code;

        while ((c = command_next_option(&command_cancel, argc, argv, options, &code)) > 0) {
                force |= c == OPTION_FORCE;
                json |= c == OPTION_JSON;
                if (c == OPTION_FORGET)
                        flags |= CONNECT_UPDATE_PROFILE;
        }
        if (c == COMMAND_EXIT)
                return code;
        code = command_check_arguments(&command_cancel, argc, argv, 1, 1);
        if (code != 0)
                return code;
        return cancel(argv[optind], flags, force, json);
}

const struct command command_cancel = {
        .name = "cancel",
        .synopsis = "NAME [--force] [--forget] [--json]",
        .summary = "Disconnect a drive, or every connection to a share",
        .help = "  NAME      A device (Z:, LPT1), or a remote name (//server/share): all connections to it\n"
                "  --force   Disconnect even while files are open; they cannot be used any more\n"
                "  --forget  Do not connect the drive again at the next logon\n"
                "  --json    Print an object: status, code, text, holders_total, holders, lost\n",
        .run = run,
};
