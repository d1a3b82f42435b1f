/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Prints outcomes; decides nothing.
 */

#include "tools/wnet/outcome.h"

#include <inttypes.h>
#include <stdio.h>

#include "tools/wnet/output.h"

static void print_holders(const struct control_outcome *outcome)
{
        static const char *const headings[] = { "PID", "PROGRAM", "USER", "FILE", "MODE", "SINCE", NULL };
        _cleanup_(table_done) struct table table = { 0 };

        if (outcome->n_holders == 0)
                return;
        table_init(&table, headings);
        for (size_t i = 0; i < outcome->n_holders; i++) {
                const struct control_holder *h = &outcome->holders[i];
                char pid[16] = "", since[OUTPUT_TIME_MAX], user[OUTPUT_USER_MAX] = "";
                _cleanup_free_ char *file = NULL;

                if (h->pid != 0) {
                        snprintf(pid, sizeof pid, "%" PRIu32, h->pid);
                        output_user(h->uid, user);
                }
                if (asprintf(&file, "%s%s", h->device, h->path) < 0)
                        return;
                table_add(&table, (const char *const[]) { pid, h->program, user, file, h->mode[0] ? h->mode : h->kind,
                                                          output_time(h->since_usec, since) });
        }
        table_print(&table, stderr);
        if (outcome->holders_total > outcome->n_holders)
                fprintf(stderr, "and %" PRIu64 " more\n", outcome->holders_total - outcome->n_holders);
}

static void print_lost(const struct control_outcome *outcome)
{
        for (size_t i = 0; i < outcome->n_lost; i++) {
                const struct control_lost *lost = &outcome->lost[i];

                output_line(stderr, "lost: %s%s (%" PRIu64 " bytes could not be sent)", lost->device, lost->path,
                            lost->size_bytes);
        }
}

static struct json_object *holder_to_json(const struct control_holder *h)
{
        struct json_object *json = json_object_new_object();
        char user[OUTPUT_USER_MAX];

        output_json_text(json, "device", h->device);
        output_json_text(json, "kind", h->kind);
        output_json_add(json, "pid", output_json_number(h->pid));
        output_json_add(json, "user", h->pid ? json_object_new_string(output_user(h->uid, user)) : NULL);
        output_json_text(json, "program", h->program);
        output_json_text(json, "path", h->path);
        output_json_text(json, "mode", h->mode);
        output_json_add(json, "since", output_json_time(h->since_usec));
        output_json_add(json, "unsent_bytes", json_object_new_uint64(h->unsent_bytes));
        return json;
}

static void print_json(int status, const char *text, const struct control_outcome *outcome)
{
        _cleanup_json_ struct json_object *json = json_object_new_object();
        struct json_object *holders = json_object_new_array(), *lost = json_object_new_array();

        output_json_text(json, "status", status_name(status));
        output_json_add(json, "code", json_object_new_int(status));
        output_json_text(json, "text", text);
        output_json_add(json, "holders_total", json_object_new_uint64(outcome->holders_total));
        for (size_t i = 0; i < outcome->n_holders; i++)
                json_object_array_add(holders, holder_to_json(&outcome->holders[i]));
        output_json_add(json, "holders", holders);
        for (size_t i = 0; i < outcome->n_lost; i++) {
                struct json_object *item = json_object_new_object();

                output_json_text(item, "device", outcome->lost[i].device);
                output_json_text(item, "path", outcome->lost[i].path);
                output_json_add(item, "bytes", json_object_new_uint64(outcome->lost[i].size_bytes));
                json_object_array_add(lost, item);
        }
        output_json_add(json, "lost", lost);
        output_json(json);
}

int outcome_print(int r, const struct wn_error *err, const struct control_outcome *outcome, bool json, const char *done,
                  const char *force_line, const char *hint)
{
        struct wn_error error = { 0 };
        bool in_use;

        if (r != 0)
                error = *err;
        else if (outcome->status != NO_ERROR)
                error_set(&error, outcome->status, 0, NULL, "%s",
                          outcome->text[0] ? outcome->text : status_message(outcome->status));
        if (json)
                print_json(error.status, error.status ? error.text : outcome->text[0] ? outcome->text : done, outcome);
        print_lost(outcome);
        if (error.status == NO_ERROR) {
                if (!json)
                        output_line(stdout, "%s", done);
                return 0;
        }
        in_use = error.status == ERROR_OPEN_FILES || error.status == ERROR_DEVICE_IN_USE;
        output_error(&error, in_use ? NULL : hint);
        if (in_use) {
                if (!json)
                        print_holders(outcome);
                if (force_line)
                        output_line(stderr, "hint: close them, or run: %s", force_line);
        }
        return status_exit_code(error.status);
}
