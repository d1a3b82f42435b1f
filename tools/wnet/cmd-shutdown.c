/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/control-protocol.h"
#include "tools/wnet/commands.h"
#include "tools/wnet/outcome.h"
#include "tools/wnet/output.h"

enum { OPTION_FORCE = 1, OPTION_JSON };

static int run(int argc, char **argv)
{
        static const struct option options[] = {
                { "force", no_argument, NULL, OPTION_FORCE },
                { "json", no_argument, NULL, OPTION_JSON },
                { 0 },
        };
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_outcome_done) struct control_outcome outcome = { .text = "", .phase = "" };
        const char *done = "All drives have been disconnected, and wnetd has ended.";
        struct outcome_help help = { 0 };
        struct wn_error err = { 0 };
        bool force = false, json = false;
        int c, code, r;

        while ((c = command_next_option(&command_shutdown, argc, argv, options, &code)) > 0) {
                force |= c == OPTION_FORCE;
                json |= c == OPTION_JSON;
        }
        if (c == COMMAND_EXIT)
                return code;
        code = command_check_arguments(&command_shutdown, argc, argv, 0, 0);
        if (code != 0)
                return code;
        command_let_go();
        r = control_open(CONTROL_ANY_PROTOCOL, CONTROL_TIMEOUT_USEC, &client, &err);
        if (r == 0)
                r = control_shutdown(client, force, &outcome, &err);
        else if (r < 0) {
                r = 0;
                done = "wnetd is not running.";
        }
        if (!force)
                help = (struct outcome_help) { .force_line = "wnet shutdown --force", .keeps_jobs = true };
        return outcome_print(r, &err, &outcome, json, done, &help);
}

const struct command command_shutdown = {
        .name = "shutdown",
        .synopsis = "[--force] [--json]",
        .summary = "Disconnect all drives and end the daemon",
        .help = "  --force  Disconnect even while files are open; they cannot be used any more\n"
                "  --json   Print an object: status, code, text, cause, phase, holders_total, holders, lost\n\n"
                "Remembered drives stay remembered: the next command that starts the daemon connects them again.\n",
        .run = run,
};
