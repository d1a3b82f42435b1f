/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "core/libwnet/snapshot.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/libwnet/call.h"

void enumeration_free(struct enumeration *e)
{
        if (!e)
                return;
        for (size_t i = 0; i < e->n_entries; i++) {
                free(e->entries[i].local);
                free(e->entries[i].remote);
                free(e->entries[i].comment);
        }
        free(e->entries);
        free(e);
}

/* With room for n entries. NULL: out of memory. */
static struct enumeration *enumeration_new(DWORD scope, size_t n)
{
        _cleanup_(enumeration_freep) struct enumeration *e = calloc(1, sizeof *e);

        if (!e)
                return NULL;
        e->scope = scope;
        e->entries = calloc(n + 1, sizeof *e->entries);
        return e->entries ? TAKE_PTR(e) : NULL;
}

static bool is_wanted_type(DWORD type, DWORD wanted)
{
        return wanted == RESOURCETYPE_ANY || (wanted & type) != 0;
}

int snapshot_empty(DWORD scope, struct enumeration **ret_e)
{
        *ret_e = enumeration_new(scope, 0);
        return *ret_e ? 0 : -ENOMEM;
}

/* ---- connections ---- */

static int take_connections(const struct control_list *list, DWORD scope, DWORD wanted, struct enumeration **ret_e)
{
        _cleanup_(enumeration_freep) struct enumeration *e = enumeration_new(scope, list->n_items);

        if (!e)
                return -ENOMEM;
        for (size_t i = 0; i < list->n_items; i++) {
                const struct control_connection *c = &list->items[i];
                struct enum_entry *entry = &e->entries[e->n_entries];
                struct device_name device;

                entry->type = device_parse(c->device, &device) == 0 && device.kind == DEVICE_PRINTER ? RESOURCETYPE_PRINT
                                                                                                     : RESOURCETYPE_DISK;
                if (!is_wanted_type(entry->type, wanted) ||
                    !(scope == RESOURCE_REMEMBERED ? c->persistent : control_state_connected(c->state)))
                        continue;
                e->n_entries++;
                entry->local = c->device[0] ? strdup(c->device) : NULL;
                entry->remote = strdup(c->remote);
                if (!entry->remote || (c->device[0] && !entry->local))
                        return -ENOMEM;
        }
        *ret_e = TAKE_PTR(e);
        return 0;
}

int snapshot_connections(DWORD scope, DWORD type, struct enumeration **ret_e, struct wn_error *err)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_list_done) struct control_list list = { 0 };
        int r;

        r = call_open(&client, err);
        if (r == 0 && scope == RESOURCE_REMEMBERED)
                r = control_check_profile(client, err);
        if (r == 0)
                r = control_list(client, &list, err);
        return r == 0 ? take_connections(&list, scope, type, ret_e) : r;
}

/* ---- shares ---- */

static bool is_hidden(const char *name)
{
        size_t n = strlen(name);

        return n > 0 && name[n - 1] == '$';
}

static int take_shares(const struct control_shares *shares, const struct remote_name *server, DWORD wanted,
                       struct enumeration **ret_e)
{
        _cleanup_(enumeration_freep) struct enumeration *e = enumeration_new(RESOURCE_GLOBALNET, shares->n_items);

        if (!e)
                return -ENOMEM;
        for (size_t i = 0; i < shares->n_items; i++) {
                const struct control_share *share = &shares->items[i];
                struct enum_entry *entry = &e->entries[e->n_entries];
                struct remote_name name = *server;

                if (share->type == RESOURCETYPE_ANY || !is_wanted_type(share->type, wanted) || is_hidden(share->name))
                        continue;
                e->n_entries++;
                name.share = (char *) share->name;
                entry->type = share->type;
                entry->remote = remote_name_to_unc(&name);
                entry->comment = strdup(share->comment);
                if (!entry->remote || !entry->comment)
                        return -ENOMEM;
        }
        *ret_e = TAKE_PTR(e);
        return 0;
}

int snapshot_shares(const struct remote_name *server, DWORD type, struct enumeration **ret_e, struct wn_error *err)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_shares_done) struct control_shares shares = { 0 };
        _cleanup_free_ char *name = remote_name_to_unc(server);
        struct control_shares_request request = { .server = name };
        int r;

        if (!name)
                return -ENOMEM;
        r = call_open(&client, err);
        if (r == 0)
                r = control_shares(client, &request, &shares, err);
        return r == 0 ? take_shares(&shares, server, type, ret_e) : r;
}
