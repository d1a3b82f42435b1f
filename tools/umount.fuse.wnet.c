/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * umount.fuse.wnet: what umount(8) runs, as the user who called it, to unmount a drive. The eject button of a file manager is
 * that, for GIO calls umount and shows what it says on standard error. So both are a cancel, with its refusals.
 *
 * What cannot be one, umount does itself: another user's drive (root may), one that no daemon serves, a lazy unmount.
 */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/control-client.h"
#include "core/control-protocol.h"
#include "core/mountinfo.h"
#include "core/name.h"
#include "tools/wnet/outcome.h"
#include "tools/wnet/output.h"

#define EXIT_UNMOUNT_FAILED 32 /* as umount(8) has it */
#define HOLDERS_SHOWN 5        /* a dialogue is no place for a table */

/* As umount passes them on: whether a cancel can do what they ask for. */
static bool parse_options(int argc, char **argv, bool *ret_force)
{
        bool ours = true;
        int c;

        *ret_force = false;
        while ((c = getopt(argc, argv, "nlfvrt:N:")) != -1) {
                *ret_force |= c == 'f';
                ours = ours && !strchr("lrN?", c);
        }
        return ours && optind == argc - 1;
}

static int umount_itself(int argc, char **argv)
{
        char **args = calloc((size_t) argc + 2, sizeof(*args));

        if (args) {
                args[0] = (char *) "umount";
                args[1] = (char *) "-i"; /* not by way of this program */
                memcpy(args + 2, argv + 1, ((size_t) argc - 1) * sizeof(*args));
                execvp(args[0], args);
        }
        fprintf(stderr, "umount.fuse.wnet: umount cannot be started: %s\n", strerror(errno));
        free(args);
        return EXIT_UNMOUNT_FAILED;
}

static bool is_drive_of_ours(const char *path)
{
        struct mountinfo table = { 0 };
        const struct mountinfo_entry *entry;
        bool ours;

        if (mountinfo_read(&table) < 0)
                return false;
        entry = mountinfo_find(&table, path);
        ours = entry && strcmp(entry->fstype, MOUNTINFO_FSTYPE) == 0 && entry->user_id == (long) getuid();
        mountinfo_done(&table);
        return ours;
}

/* How many connections name would mean in a cancel, which compares as remote_name_equal() does. What cannot be compared counts. */
static size_t count_same(const struct control_list *list, const char *name)
{
        _cleanup_(remote_name_done) struct remote_name remote = { 0 };
        bool parsed = remote_name_parse(name, &remote) == 0;
        size_t n = 0;

        for (size_t i = 0; i < list->n_items; i++) {
                _cleanup_(remote_name_done) struct remote_name its = { 0 };

                if (strcmp(list->items[i].state, "unavailable") == 0) /* there is nothing to be disconnected */
                        continue;
                n += !parsed || remote_name_parse(list->items[i].remote, &its) != 0 || remote_name_equal(&its, &remote);
        }
        return n;
}

/* The name that stands for the connection at path alone, or NULL. */
static const char *name_at(const struct control_list *list, const char *path)
{
        const struct control_connection *found = NULL;

        for (size_t i = 0; i < list->n_items; i++)
                if (strcmp(list->items[i].mountpoint, path) == 0 && control_state_connected(list->items[i].state))
                        found = &list->items[i];
        if (!found || found->device[0] != '\0')
                return found ? found->device : NULL;
        return count_same(list, found->remote) == 1 ? found->remote : NULL;
}

static int say_refused(const struct control_outcome *outcome)
{
        size_t n = outcome->n_holders < HOLDERS_SHOWN ? outcome->n_holders : HOLDERS_SHOWN;

        output_line(stderr, "%s", outcome->text[0] ? outcome->text : status_message(outcome->status));
        for (size_t i = 0; i < n; i++) {
                const struct control_holder *h = &outcome->holders[i];

                if (h->pid != 0)
                        output_line(stderr, "%s%s: %s (process %" PRIu32 ")", h->device, h->path, h->program, h->pid);
                else
                        output_line(stderr, "%s%s: %s", h->device, h->path, h->program[0] ? h->program : h->kind);
        }
        if (outcome->holders_total > n)
                fprintf(stderr, "and %" PRIu64 " more\n", outcome->holders_total - n);
        return EXIT_UNMOUNT_FAILED;
}

int main(int argc, char **argv)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_list_done) struct control_list list = { 0 };
        _cleanup_(control_outcome_done) struct control_outcome outcome = { 0 };
        const char *path, *name;
        struct wn_error err = { 0 };
        bool force;

        (void) signal(SIGPIPE, SIG_IGN); /* whoever reads the messages may go; the drive is disconnected all the same */
        if (argc < 2) {
                fputs("umount.fuse.wnet is called by umount(8); see its manual page\n", stderr);
                return 2;
        }
        if (!parse_options(argc, argv, &force) || !is_drive_of_ours(argv[optind]))
                return umount_itself(argc, argv);
        path = argv[optind];
        (void) close_range(STDERR_FILENO + 1, ~0U, 0); /* what was inherited must not keep the drive busy, */
        if (control_open(0, CONTROL_TIMEOUT_USEC, &client, &err) != 0 || control_list(client, &list, &err) != 0)
                return umount_itself(argc, argv);
        name = name_at(&list, path);
        if (!name || chdir("/") < 0) /* nor where this process was started */
                return umount_itself(argc, argv);
        if (control_cancel(client, name, 0, force, 0, &outcome, &err) != 0) {
                output_line(stderr, "%s", err.text[0] ? err.text : status_message(err.status));
                return EXIT_UNMOUNT_FAILED;
        }
        outcome_print_lost(&outcome);
        return outcome.status == NO_ERROR ? 0 : say_refused(&outcome);
}
