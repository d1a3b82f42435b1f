/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `wnet use … /delete`. Always true: nothing is forced without a Y, be it /y or the answer to a question.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/wnet/commands.h"
#include "tools/wnet/outcome.h"
#include "tools/wnet/output.h"
#include "tools/wnet/use-text.h"
#include "tools/wnet/use.h"

#define EXIT_REFUSED 2

/* Asks until the answer is one. Where nobody can answer, it is N. */
static bool answered_yes(const char *question)
{
        _cleanup_free_ char *line = NULL;
        size_t size_bytes = 0;

        if (!isatty(STDIN_FILENO)) {
                puts(question);
                return false;
        }
        for (;;) {
                fputs(question, stdout);
                fflush(stdout);
                if (getline(&line, &size_bytes, stdin) < 0) {
                        putchar('\n');
                        return false;
                }
                line[strcspn(line, "\n")] = '\0';
                if (strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0)
                        return true;
                if (line[0] == '\0' || strcasecmp(line, "n") == 0 || strcasecmp(line, "no") == 0)
                        return false;
        }
}

static int cancel(const char *name, bool force, struct control_outcome *ret_outcome, struct wn_error *err)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        int r = control_check_cancel(name, CONNECT_UPDATE_PROFILE, err);

        if (r != 0)
                return r;
        client = command_open(err);
        if (!client)
                return err->status;
        r = control_cancel(client, name, CONNECT_UPDATE_PROFILE, force, 0, ret_outcome, err);
        if (r == 0 && ret_outcome->status != NO_ERROR)
                error_set(err, ret_outcome->status, (int) ret_outcome->cause, ret_outcome->phase, "%s", ret_outcome->text);
        else if (r == 0 && ret_outcome->text[0] != '\0')
                output_line(stderr, "note: %s", ret_outcome->text);
        return r != 0 ? r : ret_outcome->status;
}

/* Disconnects one, and forgets it. NO_ERROR; -1: it was answered N; or the status that err tells of. */
static int disconnect(const char *name, bool yes, struct wn_error *err)
{
        _cleanup_(control_outcome_done) struct control_outcome outcome = { 0 }, forced = { 0 };
        int r = cancel(name, false, &outcome, err);

        if (r != ERROR_OPEN_FILES && r != ERROR_DEVICE_IN_USE)
                return r;
        if (!yes) {
                use_paragraph(stdout, r == ERROR_OPEN_FILES ? USE_TEXT_OPEN_FILES : USE_TEXT_IN_USE, name);
                if (!answered_yes(USE_TEXT_ASK_FORCE))
                        return -1;
                putchar('\n');
        }
        r = cancel(name, true, &forced, err);
        outcome_print_lost(&forced);
        return r == ERROR_NOT_CONNECTED ? NO_ERROR : r; /* it has gone while the question was thought about */
}

int use_delete(const struct use_request *request)
{
        _cleanup_free_ char *name = command_name(request->local ? request->local : request->remote);
        struct wn_error err = { 0 };
        int r;

        command_let_go();
        r = disconnect(name, request->yes, &err);
        if (r < 0)
                return EXIT_REFUSED;
        if (r > 0)
                return use_print_error_with(&err, r == ERROR_NOT_CONNECTED && request->remote ? use_remote_hint(request->remote) : NULL);
        use_paragraph(stdout, USE_TEXT_DELETED, name);
        return 0;
}

static void print_connections(const struct control_list *list)
{
        puts(USE_TEXT_CONNECTIONS "\n");
        for (size_t i = 0; i < list->n_items; i++)
                output_line(stdout, "    %-15s %s", list->items[i].device, list->items[i].remote);
        puts(USE_TEXT_ALL_GO "\n");
}

int use_delete_all(const struct use_request *request)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_list_done) struct control_list list = { 0 };
        struct wn_error err = { 0 };
        int code = 0;

        command_let_go();
        client = command_open(&err);
        if (!client || control_list(client, &list, &err) != 0)
                return use_print_error(&err);
        if (list.n_items == 0) {
                puts(USE_TEXT_NO_ENTRIES "\n");
                return 0;
        }
        print_connections(&list);
        if (!request->yes && !answered_yes(USE_TEXT_ASK_ALL))
                return EXIT_REFUSED;
        for (int deviceless = 0; deviceless <= 1; deviceless++) /* those last: a remote name means all connections to it */
                for (size_t i = 0; i < list.n_items; i++) {
                        const struct control_connection *c = &list.items[i];
                        int r;

                        if ((c->device[0] == '\0') != deviceless)
                                continue;
                        r = disconnect(deviceless ? c->remote : c->device, request->yes, &err);
                        if (r < 0)
                                code = EXIT_REFUSED;
                        else if (r != NO_ERROR && r != ERROR_NOT_CONNECTED) /* gone meanwhile is gone */
                                code = use_print_error(&err);
                }
        return code != 0 ? code : use_print_done();
}
