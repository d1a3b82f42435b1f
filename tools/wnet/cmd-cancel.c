/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `wnet cancel`. While it waits, the end of this process (Ctrl-C) is what makes the daemon give up.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/wnet/commands.h"
#include "tools/wnet/outcome.h"
#include "tools/wnet/output.h"

#define DISCONNECTED "has been disconnected"
#define USEC_PER_SEC 1000000ULL
#define WAIT_MAX_SECONDS 1000000000ULL /* some 30 years */

enum { OPTION_FORCE = 1, OPTION_FORGET, OPTION_JSON, OPTION_WAIT };

/* The command line. */
struct cancel {
        const char *name;
        uint32_t flags;
        bool force;
        bool json;
        bool wait;
        uint64_t wait_usec;
        const char *done; /* what a success has come to, behind the name; set by disconnect() */
};

static const char *hint_for(const char *name, int status)
{
        bool letter = ((name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z')) && name[1] == '\0';

        switch (status) {
        case ERROR_NOT_CONNECTED:
                if (name[0] == '\\' && name[1] != '\\')
                        return command_remote_hint(name, NULL);
                return letter ? "the colon is part of a drive's name, as in Z:" : "wnet list shows the connections";
        case ERROR_CANNOT_OPEN_PROFILE:
        case ERROR_BAD_PROFILE:
                return "without --forget it can be disconnected all the same, and will be back at the next logon";
        default:
                return NULL;
        }
}

/* What --forget will come to. That a remote name's drives stay remembered is no news. */
static const char *say_forgotten(struct control_client *client, const char *name)
{
        _cleanup_(control_list_done) struct control_list list = { 0 };
        struct wn_error err = { 0 };
        const char *done = DISCONNECTED;

        if (control_list(client, &list, &err) != 0)
                return done;
        for (size_t i = 0; i < list.n_items; i++)
                if (list.items[i].persistent && strcmp(list.items[i].device, name) == 0)
                        done = control_state_connected(list.items[i].state) ? "has been disconnected, and is forgotten" : "is forgotten";
        return done;
}

/* At once, and where that is refused and was asked for, as soon as nothing is in use any more. */
static int disconnect(struct cancel *cancel, const char *canonical, struct control_outcome *ret_outcome, struct wn_error *err)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        int r;

        r = control_check_cancel(cancel->name, cancel->flags, err);
        if (r != 0)
                return r;
        client = command_open(err);
        if (!client)
                return err->status;
        if (cancel->flags & CONNECT_UPDATE_PROFILE)
                cancel->done = say_forgotten(client, canonical);
        r = control_cancel(client, cancel->name, cancel->flags, cancel->force, 0, ret_outcome, err);
        if (r != 0 || cancel->wait_usec == 0 || !outcome_in_use(ret_outcome))
                return r;
        outcome_print_waiting(ret_outcome, cancel->json);
        control_outcome_done(ret_outcome);
        *ret_outcome = (struct control_outcome) { 0 };
        return control_cancel(client, cancel->name, cancel->flags, false, cancel->wait_usec, ret_outcome, err);
}

static int cancel_run(struct cancel *cancel)
{
        _cleanup_(control_outcome_done) struct control_outcome outcome = { 0 };
        _cleanup_free_ char *canonical = command_name(cancel->name), *done = NULL, *wait_line = NULL, *force_line = NULL;
        const char *forget = cancel->flags & CONNECT_UPDATE_PROFILE ? " --forget" : "";
        const char *quote = strpbrk(cancel->name, " \\'\"$&;|<>()*?#`!") && !strchr(cancel->name, '\'') ? "'" : "";
        struct wn_error err = { 0 };
        struct outcome_help help = { 0 };
        int r;

        if (asprintf(&wait_line, "wnet cancel %s%s%s --wait%s", quote, cancel->name, quote, forget) < 0 ||
            asprintf(&force_line, "wnet cancel %s%s%s --force%s", quote, cancel->name, quote, forget) < 0)
                return 1;
        command_let_go();
        r = disconnect(cancel, canonical, &outcome, &err);
        if (asprintf(&done, "%s %s.", canonical, cancel->done) < 0)
                return 1;
        help.wait_line = cancel->wait || cancel->force ? NULL : wait_line;
        help.force_line = cancel->force ? NULL : force_line;
        help.hint = hint_for(cancel->name, r != 0 ? r : outcome.status);
        return outcome_print(r, &err, &outcome, cancel->json, done, &help);
}

/* text NULL: without end. 0 or -1. */
static int parse_wait(const char *text, uint64_t *ret_usec)
{
        unsigned long long seconds;
        char *end;

        if (!text) {
                *ret_usec = UINT64_MAX;
                return 0;
        }
        if (text[0] < '0' || text[0] > '9')
                return -1;
        seconds = strtoull(text, &end, 10);
        if (*end != '\0' || seconds > WAIT_MAX_SECONDS)
                return -1;
        *ret_usec = seconds * USEC_PER_SEC;
        return 0;
}

static int run(int argc, char **argv)
{
        static const struct option options[] = {
                { "force", no_argument, NULL, OPTION_FORCE },
                { "forget", no_argument, NULL, OPTION_FORGET },
                { "json", no_argument, NULL, OPTION_JSON },
                { "wait", optional_argument, NULL, OPTION_WAIT },
                { 0 },
        };
        struct cancel cancel = { .done = DISCONNECTED };
        int c, code;

        while ((c = command_next_option(&command_cancel, argc, argv, options, &code)) > 0) {
                cancel.force |= c == OPTION_FORCE;
                cancel.json |= c == OPTION_JSON;
                cancel.wait |= c == OPTION_WAIT;
                if (c == OPTION_FORGET)
                        cancel.flags |= CONNECT_UPDATE_PROFILE;
                if (c == OPTION_WAIT && parse_wait(optarg, &cancel.wait_usec) < 0)
                        return output_usage("cancel", "not a number of seconds: %s", optarg);
        }
        if (c == COMMAND_EXIT)
                return code;
        code = command_check_arguments(&command_cancel, argc, argv, 1, 1);
        if (code != 0)
                return code;
        if (cancel.force && cancel.wait)
                return output_usage("cancel", "--force and --wait exclude each other");
        cancel.name = argv[optind];
        return cancel_run(&cancel);
}

const struct command command_cancel = {
        .name = "cancel",
        .synopsis = "NAME [--wait[=SECONDS] | --force] [--forget] [--json]",
        .summary = "Disconnect a drive, or every connection to a share",
        .help = "  NAME              A device (Z:, LPT1), or a remote name (//server/share): all connections to it\n"
                "  --wait[=SECONDS]  While something is in use: wait until that has ended, then disconnect; Ctrl-C gives up\n"
                "  --force           Disconnect even while files are open; they cannot be used any more\n"
                "  --forget          Do not connect the drive again at the next logon\n"
                "  --json            Print an object: status, code, text, cause, phase, holders_total, holders, lost\n",
        .run = run,
};
