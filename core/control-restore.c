/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * One thread a device, because a call waits for its answer. The threads live as long as control_restore_all() runs, and
 * take no signals: those are the program's.
 */

#include "core/control-restore.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/control-link.h"
#include "core/control-protocol.h"
#include "core/name.h"

#define DEVICES_MAX (DEVICE_LETTERS + DEVICE_PRINTERS)

/* The device was connected between the list and this: that is as good. Gives its mount point. */
static bool is_connected(struct control_client *client, const struct control_restored *item, char **ret_mountpoint)
{
        _cleanup_(control_list_done) struct control_list list = { 0 };
        struct wn_error err;

        if (control_list(client, &list, &err) != 0)
                return false;
        for (size_t i = 0; i < list.n_items; i++)
                if (strcmp(list.items[i].device, item->device) == 0 && strcmp(list.items[i].state, "ok") == 0)
                        return (*ret_mountpoint = strdup(list.items[i].mountpoint)) != NULL;
        return false;
}

static void *restore_one(void *userdata)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_added_done) struct control_added added = { 0 };
        struct control_restored *item = userdata;
        int r;

        if (control_open(CONTROL_START, CONTROL_TIMEOUT_USEC, &client, &item->err) != 0)
                return NULL;
        r = control_restore(client, item->device, &added, &item->err);
        if (r == 0 && !(item->mountpoint = strdup(added.mountpoint)))
                control_no_answer(&item->err, -ENOMEM, "Restore", 0);
        if (r == ERROR_ALREADY_ASSIGNED && is_connected(client, item, &item->mountpoint))
                item->err = (struct wn_error){ 0 };
        return NULL;
}

/* Runs restore_one() for each item; one that gets no thread has its turn in this one. */
static void restore_items(struct control_restored_list *list)
{
        pthread_t threads[DEVICES_MAX];
        bool started[DEVICES_MAX] = { 0 };
        sigset_t all, before;

        assert(list->n_items <= DEVICES_MAX);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        for (size_t i = 0; i < list->n_items; i++)
                started[i] = pthread_create(&threads[i], NULL, restore_one, &list->items[i]) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        for (size_t i = 0; i < list->n_items; i++)
                if (!started[i])
                        restore_one(&list->items[i]);
        for (size_t i = 0; i < list->n_items; i++)
                if (started[i])
                        pthread_join(threads[i], NULL);
}

static bool same_server(const char *a, const char *b)
{
        _cleanup_(remote_name_done) struct remote_name first = { 0 }, second = { 0 };

        return remote_name_parse(a, &first) == 0 && remote_name_parse(b, &second) == 0 && remote_name_same_server(&first, &second);
}

/* What has no password takes that of a session with its server, which another one may have begun meanwhile. */
static void restore_refused(struct control_restored_list *list)
{
        for (size_t i = 0; i < list->n_items; i++) {
                struct control_restored *item = &list->items[i];
                bool session = false;

                if (item->err.status != ERROR_LOGON_FAILURE && item->err.status != ERROR_INVALID_PASSWORD)
                        continue;
                for (size_t j = 0; j < list->n_items; j++)
                        session = session || (list->items[j].err.status == NO_ERROR && same_server(list->items[j].remote, item->remote));
                if (session) {
                        item->err = (struct wn_error){ 0 };
                        restore_one(item);
                }
        }
}

/* Whether the daemon says that this one is remembered and not connected yet. */
static bool is_to_be_restored(const struct control_connection *c, struct device_name *ret_device)
{
        return c->persistent && (strcmp(c->state, "unavailable") == 0 || strcmp(c->state, "connecting") == 0) &&
               device_parse(c->device, ret_device) == 0;
}

static int collect(const struct control_list *list, struct control_restored_list *ret_list)
{
        _cleanup_(control_restored_list_done) struct control_restored_list found = {
                .items = calloc(DEVICES_MAX, sizeof *found.items),
        };
        struct device_name device;

        if (!found.items)
                return -ENOMEM;
        for (size_t i = 0; i < list->n_items; i++) {
                struct control_restored *item;

                if (!is_to_be_restored(&list->items[i], &device))
                        continue;
                if (found.n_items == DEVICES_MAX) /* no device is there twice */
                        return -EBADMSG;
                item = &found.items[found.n_items++];
                memcpy(item->device, device.text, sizeof item->device);
                item->remote = strdup(list->items[i].remote);
                if (!item->remote)
                        return -ENOMEM;
        }
        *ret_list = found;
        found = (struct control_restored_list) { 0 };
        return 0;
}

int control_restore_all(struct control_restored_list *ret_list, struct wn_error *err)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_list_done) struct control_list list = { 0 };
        int r;

        r = control_open(CONTROL_START, CONTROL_TIMEOUT_USEC, &client, err);
        if (r == 0)
                r = control_check_profile(client, err);
        if (r == 0)
                r = control_list(client, &list, err);
        if (r != 0)
                return r;
        r = collect(&list, ret_list);
        if (r < 0)
                return control_no_answer(err, r, "List", 0);
        restore_items(ret_list);
        restore_refused(ret_list);
        return 0;
}

void control_restored_list_done(struct control_restored_list *list)
{
        for (size_t i = 0; i < list->n_items; i++) {
                free(list->items[i].remote);
                free(list->items[i].mountpoint);
        }
        free(list->items);
        *list = (struct control_restored_list) { 0 };
}
