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
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"

void handle_table_init(struct handle_table *table)
{
        LIST_INIT(&table->list);
        table->n = 0;
}

int handle_table_add(struct handle_table *table, struct handle *handle, const char *path, bool directory, int flags, pid_t tid)
{
        struct timespec now;

        handle->path = strdup(path);
        if (!handle->path)
                return -ENOMEM;
        clock_gettime(CLOCK_REALTIME, &now);
        handle->directory = directory;
        handle->flags = flags;
        handle->since_usec = (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
        handle->pid = tid;
        (void) holders_read_thread("/proc", tid, &handle->pid, handle->program);
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

static int add_opener(struct holders *holders, const struct handle *handle)
{
        _cleanup_free_ char *path = NULL;
        struct holder item = {
                .kind = HOLDER_OPEN, .pid = handle->pid, .uid = getuid(), .since_usec = handle->since_usec,
        };

        if (asprintf(&path, "/%s", handle->path) < 0)
                return -ENOMEM;
        item.path = path;
        snprintf(item.program, sizeof(item.program), "%s", handle->program);
        snprintf(item.mode, sizeof(item.mode), "%s", handle_mode(handle));
        return holders_add(holders, &item);
}

static bool already_listed(const struct holders *holders, pid_t pid)
{
        for (size_t i = 0; i < holders->n_items; i++)
                if (holders->items[i].pid == pid)
                        return true;
        return false;
}

/* Adds the processes with descriptors below mountpoint that are not listed yet. */
static int add_inheritors(struct holders *holders, const char *mountpoint)
{
        struct holders found = { 0 };
        int r = holders_scan(&found, "/proc", mountpoint, 1);

        for (size_t i = 0; i < found.n_items && r == 0; i++)
                if ((found.items[i].kind == HOLDER_OPEN || found.items[i].kind == HOLDER_EXE) &&
                    !already_listed(holders, found.items[i].pid))
                        r = holders_add(holders, &found.items[i]);
        holders_done(&found);
        return r;
}

int handle_table_holders(const struct handle_table *table, const char *mountpoint, struct holders *holders)
{
        const struct handle *handle;
        size_t before = holders->total, shown = 0;
        bool gone = false;

        LIST_FOREACH(handle, &table->list, entry) {
                int r;

                if (shown++ == HOLDERS_MAX)
                        break;
                if (!process_exists(handle->pid)) {
                        gone = true;
                        continue;
                }
                r = add_opener(holders, handle);
                if (r < 0)
                        return r;
        }
        if (gone) {
                int r = add_inheritors(holders, mountpoint);

                if (r < 0)
                        return r;
        }
        if (holders->total < before + table->n)
                holders->total = before + table->n;
        return 0;
}
