/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Prints outcomes; decides nothing.
 */

#include "tools/wnet/outcome.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/name.h"
#include "tools/wnet/output.h"

/* As print jobs have; what is written to a drive is sent before it is acknowledged. */
static bool any_unsent(const struct control_outcome *outcome)
{
        bool any = false;

        for (size_t i = 0; i < outcome->n_holders; i++)
                any = any || outcome->holders[i].unsent_bytes > 0;
        return any;
}

static void print_holders(const struct control_outcome *outcome)
{
        const char *const headings[] = { "PID", "PROGRAM", "USER", "FILE", "MODE", "SINCE", any_unsent(outcome) ? "UNSENT" : NULL,
                                         NULL };
        _cleanup_(table_done) struct table table = { 0 };

        if (outcome->n_holders == 0)
                return;
        table_init(&table, headings);
        for (size_t i = 0; i < outcome->n_holders; i++) {
                const struct control_holder *h = &outcome->holders[i];
                char pid[16] = "", since[OUTPUT_TIME_MAX], user[OUTPUT_USER_MAX] = "", unsent[32];
                _cleanup_free_ char *file = NULL;

                if (h->pid != 0) {
                        snprintf(pid, sizeof pid, "%" PRIu32, h->pid);
                        output_user(h->uid, user);
                }
                if (asprintf(&file, "%s%s", h->device, device_is_port(h->device) ? "" : h->path) < 0)
                        return;
                snprintf(unsent, sizeof unsent, "%" PRIu64 " bytes", h->unsent_bytes);
                table_add(&table, (const char *const[]) { pid, h->program, user, file, h->mode[0] ? h->mode : h->kind,
                                                          output_time(h->since_usec, since), unsent });
        }
        table_print(&table, stderr);
        if (outcome->holders_total > outcome->n_holders)
                fprintf(stderr, "and %" PRIu64 " more\n", outcome->holders_total - outcome->n_holders);
}

#define HOLDERS_EXPLAINED 3 /* what to do about each; the table has them all */

/* What to do about those who use it without an open file. */
static void print_busy_hints(const struct control_outcome *outcome)
{
        if (outcome->n_holders == 0 && outcome->cause != EINPROGRESS)
                fputs("hint: it belongs to another user: only the administrator can tell which process it is\n", stderr);
        for (size_t i = 0; i < outcome->n_holders && i < HOLDERS_EXPLAINED; i++) {
                const struct control_holder *h = &outcome->holders[i];

                if (strcmp(h->kind, "mount") == 0)
                        output_line(stderr, "hint: another file system (%s) is mounted on %s%s: unmount it", h->program, h->device,
                                    h->path);
                else
                        output_line(stderr, "hint: %s (process %" PRIu32 ") has its %s in %s%s: %s", h->program, h->pid,
                                    strcmp(h->kind, "cwd") == 0    ? "working directory"
                                    : strcmp(h->kind, "root") == 0 ? "root directory"
                                                                   : "program file",
                                    h->device, h->path,
                                    strcmp(h->kind, "cwd") == 0 ? "leave that directory, or end it" : "end it");
        }
}

/* What to do about open files and print jobs. */
static void print_open_hints(const struct control_outcome *outcome)
{
        bool jobs = false, files = outcome->n_holders == 0;

        for (size_t i = 0; i < outcome->n_holders; i++)
                if (strcmp(outcome->holders[i].kind, "job") == 0)
                        jobs = true;
                else
                        files = true;
        if (files)
                fputs("hint: close the files\n", stderr);
        if (jobs)
                fputs("hint: print jobs are on their way to the server; the port is free when they have arrived\n", stderr);
}

/* What it costs to force it. */
static void print_force_hint(const struct control_outcome *outcome, const struct outcome_help *help)
{
        bool jobs = false, files = outcome->n_holders == 0;

        for (size_t i = 0; i < outcome->n_holders; i++)
                if (device_is_port(outcome->holders[i].device))
                        jobs = true;
                else
                        files = true;
        output_line(stderr, "hint: %s  does not wait: %s%s%s", help->force_line,
                    files ? "open files give errors, and what the server does not take in time is lost" : "", files && jobs ? "; " : "",
                    !jobs              ? ""
                    : help->keeps_jobs ? "print jobs that are still written to are dropped, the others are kept if the server does not take "
                                         "them"
                                       : "print jobs are dropped; what the server has of them already, it may print");
}

static void print_hints(const struct control_outcome *outcome, const struct outcome_help *help)
{
        if (outcome->status == ERROR_DEVICE_IN_USE)
                print_busy_hints(outcome);
        else
                print_open_hints(outcome);
        if (help->wait_line)
                output_line(stderr, "hint: %s  waits for that, then disconnects", help->wait_line);
        if (help->force_line)
                print_force_hint(outcome, help);
}

bool outcome_in_use(const struct control_outcome *outcome)
{
        return outcome->status == ERROR_OPEN_FILES || outcome->status == ERROR_DEVICE_IN_USE;
}

void outcome_print_waiting(const struct control_outcome *outcome, bool json)
{
        output_line(stderr, "%s", outcome->text[0] ? outcome->text : status_message(outcome->status));
        if (!json)
                print_holders(outcome);
        fputs("waiting for them to let go; Ctrl-C gives up\n", stderr);
}

void outcome_print_lost(const struct control_outcome *outcome)
{
        for (size_t i = 0; i < outcome->n_lost; i++) {
                const struct control_lost *lost = &outcome->lost[i];

                if (device_is_port(lost->device))
                        output_line(stderr, "lost: a print job on %s (its %" PRIu64 " bytes will not be printed)", lost->device,
                                    lost->size_bytes);
                else
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

static void print_json(const struct wn_error *error, const char *done, const struct control_outcome *outcome)
{
        _cleanup_json_ struct json_object *json = json_object_new_object();
        struct json_object *holders = json_object_new_array(), *lost = json_object_new_array();

        output_json_text(json, "status", status_name(error->status));
        output_json_add(json, "code", json_object_new_int(error->status));
        output_json_text(json, "text", error->status ? error->text : outcome->text[0] ? outcome->text : done);
        output_json_add(json, "cause", output_json_number((uint32_t) error->cause));
        output_json_text(json, "phase", error->phase);
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
                  const struct outcome_help *help)
{
        struct wn_error error = { 0 };
        bool in_use = r == 0 && outcome_in_use(outcome);

        if (r != 0)
                error = *err;
        else if (outcome->status != NO_ERROR)
                error_set(&error, outcome->status, (int) outcome->cause, outcome->phase, "%s",
                          outcome->text[0] ? outcome->text : status_message(outcome->status));
        if (json)
                print_json(&error, done, outcome);
        outcome_print_lost(outcome);
        if (error.status == NO_ERROR) {
                if (!json)
                        output_line(stdout, "%s", done);
                if (outcome->text[0])
                        output_line(stderr, "note: %s", outcome->text);
                return 0;
        }
        output_error(&error, in_use ? NULL : help->hint);
        if (in_use && !json)
                print_holders(outcome);
        if (in_use)
                print_hints(outcome, help);
        return status_exit_code(error.status);
}
