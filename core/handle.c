/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The handle table: a list, newest first, and its length.
 */

#include "core/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/clock.h"

#define MANY_SCAN_USEC (5 * 1000ULL) /* the search for those who have inherited descriptors, where not all of them are shown anyway */

void handle_table_init(struct handle_table *table)
{
        LIST_INIT(&table->list);
        table->n = 0;
}

void handle_note_opener(struct handle *handle, pid_t tid)
{
        handle->tid = handle->pid = tid;
        (void) holders_read_thread("/proc", tid, &handle->pid, handle->program);
        handle->session = getsid(handle->pid);
        handle->noted_usec = clock_boot_usec();
}

int handle_table_add(struct handle_table *table, struct handle *handle, const char *path, bool directory, int flags, pid_t tid)
{
        handle->path = strdup(path);
        if (!handle->path)
                return -ENOMEM;
        handle->directory = directory;
        handle->flags = flags;
        handle->job = false;
        handle->unsent_bytes = 0;
        handle->since_usec = clock_real_usec();
        if (handle->tid != tid)
                handle_note_opener(handle, tid);
        LIST_INSERT_HEAD(&table->list, handle, entry);
        table->n++;
        return 0;
}

void handle_table_remove(struct handle_table *table, struct handle *handle)
{
        LIST_REMOVE(handle, entry);
        table->n--;
        free(handle->path);
        handle->path = NULL;
}

const char *handle_mode(const struct handle *handle)
{
        switch (handle->flags & O_ACCMODE) {
        case O_RDONLY:
                return "r";
        case O_WRONLY:
                return "w";
        default:
                return "rw";
        }
}

static bool process_exists(pid_t pid)
{
        return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

const char *handle_program(const struct handle *handle, struct openers *openers)
{
        struct opener *opener = &openers->seen[(unsigned) handle->pid % (sizeof(openers->seen) / sizeof(openers->seen[0]))];

        if (handle->job)
                return handle->program;
        if (opener->pid != handle->pid) {
                *opener = (struct opener){ .pid = handle->pid, .exists = process_exists(handle->pid) };
                (void) holders_read_process("/proc", handle->pid, &opener->began_usec, opener->program);
        }
        if (!opener->exists || opener->began_usec > handle->noted_usec)
                return NULL;
        return opener->began_usec > 0 ? opener->program : handle->program;
}

/* program: the opener's; NULL: nobody is known. */
static int add_handle(struct holders *holders, const struct handle *handle, const char *program)
{
        _cleanup_free_ char *path = NULL;
        struct holder item = {
                .kind = handle->job ? HOLDER_JOB : HOLDER_OPEN, .pid = program ? handle->pid : 0, .uid = getuid(),
                .since_usec = handle->since_usec, .unsent_bytes = handle->unsent_bytes,
        };

        if (asprintf(&path, "/%s", handle->path) < 0)
                return -ENOMEM;
        item.path = path;
        snprintf(item.program, sizeof(item.program), "%s", program ? program : "");
        if (!handle->job)
                snprintf(item.mode, sizeof(item.mode), "%s", handle_mode(handle));
        return holders_add(holders, &item);
}

/* Whether pid is among the first n. */
static bool is_listed(const struct holders *holders, size_t n, pid_t pid)
{
        for (size_t i = 0; i < n; i++)
                if (holders->items[i].pid == pid)
                        return true;
        return false;
}

static bool has_path(const struct holders *holders, const struct handle *handle)
{
        for (size_t i = 0; i < holders->n_items; i++)
                if (strcmp(holders->items[i].path + 1, handle->path) == 0)
                        return true;
        return false;
}

/* Adds the processes with descriptors below mountpoint that are not listed yet; then those of the table's first handles whose
 * opener is gone (session: of the newest one) and that nobody was found for, with no process. */
static int add_inherited(struct holders *holders, const struct handle_table *table, const char *mountpoint, pid_t session,
                         struct openers *openers)
{
        struct holders found = { 0 };
        uint64_t limit_usec = table->n > HOLDERS_MAX ? MANY_SCAN_USEC : HOLDERS_SCAN_USEC;
        size_t n_openers = holders->n_items, shown = 0;
        int r = holders_scan(&found, "/proc", mountpoint, HOLDERS_FILES, session, limit_usec);
        const struct handle *handle;

        for (size_t i = 0; i < found.n_items && r == 0; i++)
                if (!is_listed(holders, n_openers, found.items[i].pid))
                        r = holders_add(holders, &found.items[i]);
        LIST_FOREACH(handle, &table->list, entry) {
                if (shown++ == HOLDERS_MAX || holders->n_items == HOLDERS_MAX || r < 0)
                        break;
                if (!handle_program(handle, openers) && !has_path(&found, handle))
                        r = add_handle(holders, handle, NULL);
        }
        holders_done(&found);
        return r;
}

int handle_table_holders(const struct handle_table *table, const char *mountpoint, struct holders *holders)
{
        const struct handle *handle, *gone = NULL;
        size_t before = holders->total, shown = 0;
        struct openers openers = { 0 };
        int r = 0;

        LIST_FOREACH(handle, &table->list, entry) {
                const char *program = handle_program(handle, &openers);

                if (shown++ == HOLDERS_MAX || r < 0)
                        break;
                if (program)
                        r = add_handle(holders, handle, program);
                else if (!gone)
                        gone = handle;
        }
        if (r == 0 && gone)
                r = add_inherited(holders, table, mountpoint, gone->session, &openers);
        if (holders->total < before + table->n)
                holders->total = before + table->n;
        return r;
}
