/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Collecting of an outcome. A name or holder for which there is no memory is left out; the status never is.
 */

#include "core/outcome.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/manager.h"
#include "core/mountinfo.h"

void cancel_outcome_done(struct cancel_outcome *outcome)
{
        for (size_t i = 0; i < outcome->n_in_use; i++) {
                free(outcome->in_use[i].name);
                holders_done(&outcome->in_use[i].holders);
        }
        for (size_t i = 0; i < outcome->n_lost; i++) {
                free(outcome->lost[i].name);
                free(outcome->lost[i].path);
        }
        free(outcome->in_use);
        free(outcome->lost);
        free(outcome->note);
        *outcome = (struct cancel_outcome){ 0 };
}

static struct holders *holders_for(struct cancel_outcome *outcome, const struct connection *c)
{
        struct cancel_holders *grown = realloc(outcome->in_use, (outcome->n_in_use + 1) * sizeof(*grown));
        char *name = strdup(c->name);

        if (grown)
                outcome->in_use = grown;
        if (!grown || !name) {
                free(name);
                return NULL;
        }
        grown[outcome->n_in_use] = (struct cancel_holders){ .name = name };
        return &grown[outcome->n_in_use++].holders;
}

void cancel_outcome_add_open(struct cancel_outcome *outcome, const struct connection *c)
{
        struct holders *holders;

        if (c->handles.n == 0)
                return;
        if (outcome->status == NO_ERROR)
                outcome->status = error_set(&outcome->err, ERROR_OPEN_FILES, 0, "count",
                                            "%s cannot be disconnected: %s", c->name,
                                            connection_is_printer(c) ? "a print job is not finished" : "files on it are open");
        holders = holders_for(outcome, c);
        if (holders)
                (void) handle_table_holders(&c->handles, c->mountpoint, holders);
}

static void add_stacked_mount(struct holders *holders, const char *mountpoint)
{
        struct mountinfo table = { 0 };
        const struct mountinfo_entry *stacked;

        if (mountinfo_read(&table) == 0 && (stacked = mountinfo_find_stacked(&table, mountpoint))) {
                const char *inside = stacked->mountpoint + strlen(mountpoint);
                struct holder item = { .kind = HOLDER_MOUNT, .path = *inside ? (char *) inside : (char *) "/" };

                snprintf(item.program, sizeof(item.program), "%s", stacked->fstype);
                (void) holders_add(holders, &item);
        }
        mountinfo_done(&table);
}

bool cancel_is_inside(const struct connection *c)
{
        struct holders found = { 0 };
        bool any;

        (void) holders_scan(&found, "/proc", c->mountpoint, HOLDERS_PLACES, 0, HOLDERS_SCAN_USEC);
        add_stacked_mount(&found, c->mountpoint);
        any = found.total > 0;
        holders_done(&found);
        return any;
}

void cancel_outcome_add_busy(struct cancel_outcome *outcome, const struct connection *c)
{
        struct holders *holders = holders_for(outcome, c);
        const char *why = "it is in use";
        int cause = EBUSY;

        if (holders) {
                (void) holders_scan(holders, "/proc", c->mountpoint, HOLDERS_PLACES | HOLDERS_FILES, 0,
                                    HOLDERS_SCAN_USEC);
                add_stacked_mount(holders, c->mountpoint);
        }
        if (!holders || holders->total == 0) {
                cause = c->manager->ops->requests_waiting(c) ? EINPROGRESS : EBUSY;
                why = cause == EINPROGRESS ? "a program waits for an answer of its server" : "a process that you cannot see is using it";
        }
        outcome->status = error_set(&outcome->err, ERROR_DEVICE_IN_USE, cause, "unmount", "%s cannot be disconnected: %s", c->name,
                                    why);
}

void cancel_outcome_add_lost(struct cancel_outcome *outcome, const struct connection *c)
{
        const struct lost_file *files;
        struct cancel_lost *grown;
        size_t n;

        c->manager->ops->lost(c, &files, &n);
        grown = n > 0 ? realloc(outcome->lost, (outcome->n_lost + n) * sizeof(*grown)) : NULL;
        if (!grown)
                return;
        outcome->lost = grown;
        for (size_t i = 0; i < n; i++)
                grown[outcome->n_lost++] = (struct cancel_lost){
                        .name = strdup(c->name), .path = strdup(files[i].path), .bytes = files[i].bytes,
                };
}

void cancel_outcome_add_kept(struct cancel_outcome *outcome, const struct connection *c)
{
        _cleanup_free_ char *printer = remote_name_to_unc(&c->remote);
        const char *before = outcome->note ? outcome->note : "";
        const struct handle *handle;
        size_t n = 0;
        char *note;

        LIST_FOREACH(handle, &c->handles.list, entry)
                n += handle->job;
        if (n == 0 || !printer ||
            asprintf(&note, "%s%s%zu print job%s for %s; %s sent when a port is connected to it again", before, before[0] ? ". " : "", n,
                     n == 1 ? " waits" : "s wait", printer, n == 1 ? "it is" : "they are") < 0)
                return;
        free(outcome->note);
        outcome->note = note;
}
