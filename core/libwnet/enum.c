/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * WNetOpenEnum, WNetEnumResource and WNetCloseEnum: a snapshot of the daemon's list, taken when it is opened.
 */

#include "core/libwnet/enum.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/libwnet/call.h"
#include "core/libwnet/text.h"
#include "core/name.h"

struct entry {
        char *local; /* NULL: deviceless */
        char *remote;
        DWORD type;
};

struct enumeration {
        DWORD scope;
        struct entry *entries;
        size_t n_entries;
        size_t next;
};

void enumeration_free(struct enumeration *e)
{
        if (!e)
                return;
        for (size_t i = 0; i < e->n_entries; i++) {
                free(e->entries[i].local);
                free(e->entries[i].remote);
        }
        free(e->entries);
        free(e);
}
/* ---- snapshot ---- */

static bool is_wanted(const struct control_connection *c, DWORD scope, DWORD wanted_type, DWORD *ret_type)
{
        struct device_name device;

        *ret_type = device_parse(c->device, &device) == 0 && device.kind == DEVICE_PRINTER ? RESOURCETYPE_PRINT
                                                                                           : RESOURCETYPE_DISK;
        if (wanted_type != RESOURCETYPE_ANY && !(wanted_type & *ret_type))
                return false;
        return scope == RESOURCE_REMEMBERED ? c->persistent : control_state_connected(c->state);
}

static int take_snapshot(const struct control_list *list, DWORD scope, DWORD type, struct enumeration **ret_e)
{
        _cleanup_(enumeration_freep) struct enumeration *e = calloc(1, sizeof *e);

        if (!e)
                return -ENOMEM;
        e->scope = scope;
        e->entries = calloc(list->n_items + 1, sizeof *e->entries);
        if (!e->entries)
                return -ENOMEM;
        for (size_t i = 0; i < list->n_items; i++) {
                const struct control_connection *c = &list->items[i];
                struct entry *entry = &e->entries[e->n_entries];

                if (!is_wanted(c, scope, type, &entry->type))
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

static int open_enum(DWORD scope, DWORD type, const void *resource, HANDLE *ret_handle, struct wn_error *err)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_list_done) struct control_list list = { 0 };
        _cleanup_(enumeration_freep) struct enumeration *e = NULL;
        int r;

        if (!ret_handle)
                return error_set(err, ERROR_INVALID_ADDRESS, 0, "check", "lphEnum is NULL");
        if (scope != RESOURCE_CONNECTED && scope != RESOURCE_REMEMBERED)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "check", "unknown scope: %u", scope);
        if (type & ~(DWORD) (RESOURCETYPE_DISK | RESOURCETYPE_PRINT))
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "check", "unknown resource type: 0x%x", type);
        if (resource)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "check", "lpNetResource has to be NULL");
        r = call_open(&client, err);
        if (r == 0)
                r = control_list(client, &list, err);
        if (r == 0)
                r = take_snapshot(&list, scope, type, &e);
        if (r != 0)
                return r;
        r = enum_handle_new(e, ret_handle);
        if (r < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, -r, "handle", "too many enumerations are open");
        TAKE_PTR(e);
        return 0;
}

/* ---- entries ---- */

/* Both forms of NETRESOURCE are laid out alike, so one is filled in for either. */
_Static_assert(sizeof(NETRESOURCEA) == sizeof(NETRESOURCEW) &&
                       offsetof(NETRESOURCEA, lpProvider) == offsetof(NETRESOURCEW, lpProvider),
               "NETRESOURCEA and NETRESOURCEW are laid out alike");

static size_t strings_bytes(const struct entry *entry, bool wide)
{
        size_t chars = text_chars(entry->remote, wide) + text_chars("", wide) + text_chars(PROVIDER, wide);

        return (chars + (entry->local ? text_chars(entry->local, wide) : 0)) * text_char_bytes(wide);
}

/* Puts text at *end, which moves behind it. */
static void *put_string(char **end, const char *text, bool wide)
{
        void *begin = *end;

        *end = text_put(begin, text, wide);
        return begin;
}

static void put_entry(const struct entry *entry, DWORD scope, void *resource, char *strings, bool wide)
{
        NETRESOURCEA filled = {
                .dwScope = scope,
                .dwType = entry->type,
                .dwDisplayType = RESOURCEDISPLAYTYPE_SHARE,
                .dwUsage = RESOURCEUSAGE_CONNECTABLE,
                .lpLocalName = entry->local ? put_string(&strings, entry->local, wide) : NULL,
        };

        filled.lpRemoteName = put_string(&strings, entry->remote, wide);
        filled.lpComment = put_string(&strings, "", wide);
        filled.lpProvider = put_string(&strings, PROVIDER, wide);
        memcpy(resource, &filled, sizeof filled);
}

/* Structures from the buffer's begin, strings from its end. Returns how many entries were put. */
static DWORD fill(struct enumeration *e, DWORD wanted, char *buffer, size_t size_bytes, bool wide)
{
        size_t structs_end = 0, strings_begin = size_bytes - size_bytes % sizeof(WCHAR);
        DWORD n = 0;

        while (n < wanted && e->next < e->n_entries) {
                const struct entry *entry = &e->entries[e->next];
                size_t bytes = strings_bytes(entry, wide);

                bytes += bytes % sizeof(WCHAR);
                if (strings_begin - structs_end < sizeof(NETRESOURCEA) + bytes)
                        break;
                strings_begin -= bytes;
                put_entry(entry, e->scope, buffer + structs_end, buffer + strings_begin, wide);
                structs_end += sizeof(NETRESOURCEA);
                e->next++;
                n++;
        }
        return n;
}

static int next_entries(struct enumeration *e, DWORD *count, void *buffer, DWORD *size_bytes, bool wide,
                        struct wn_error *err)
{
        size_t needed_bytes;
        DWORD n;

        if (e->next == e->n_entries)
                return error_set(err, ERROR_NO_MORE_ITEMS, 0, NULL, "there are no more entries");
        n = fill(e, *count, buffer, *size_bytes, wide);
        if (n == 0) {
                needed_bytes = sizeof(NETRESOURCEA) + strings_bytes(&e->entries[e->next], wide);
                needed_bytes += needed_bytes % sizeof(WCHAR);
                *size_bytes = (DWORD) needed_bytes;
                return error_set(err, ERROR_MORE_DATA, 0, NULL, "the next entry needs %zu bytes", needed_bytes);
        }
        *count = n;
        return 0;
}

static int check_buffer(const DWORD *count, const void *buffer, const DWORD *size_bytes, struct wn_error *err)
{
        if (!count || !size_bytes || (!buffer && *size_bytes != 0))
                return error_set(err, ERROR_INVALID_ADDRESS, 0, "check", "%s is NULL",
                                 !count ? "lpcCount" : !size_bytes ? "lpBufferSize" : "lpBuffer");
        if (*count == 0)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "check", "no entries are wanted: *lpcCount is 0");
        return 0;
}

static int bad_handle(struct wn_error *err)
{
        return error_set(err, ERROR_INVALID_HANDLE, 0, "check", "this is not an open enumeration");
}

static DWORD enum_resource(HANDLE handle, DWORD *count, void *buffer, DWORD *size_bytes, bool wide)
{
        struct enumeration *e = enum_handle_lock(handle);
        struct wn_error err = { 0 };
        int r;

        if (!e)
                return call_done(bad_handle(&err), &err);
        r = check_buffer(count, buffer, size_bytes, &err);
        if (r == 0)
                r = next_entries(e, count, buffer, size_bytes, wide, &err);
        enum_handle_unlock();
        return call_done(r, &err);
}

EXPORT DWORD WNetOpenEnumA(DWORD dwScope, DWORD dwType, DWORD dwUsage, LPNETRESOURCEA lpNetResource, LPHANDLE lphEnum)
{
        struct wn_error err = { 0 };

        (void) dwUsage;
        return call_done(open_enum(dwScope, dwType, lpNetResource, lphEnum, &err), &err);
}

EXPORT DWORD WNetOpenEnumW(DWORD dwScope, DWORD dwType, DWORD dwUsage, LPNETRESOURCEW lpNetResource, LPHANDLE lphEnum)
{
        struct wn_error err = { 0 };

        (void) dwUsage;
        return call_done(open_enum(dwScope, dwType, lpNetResource, lphEnum, &err), &err);
}

EXPORT DWORD WNetEnumResourceA(HANDLE hEnum, LPDWORD lpcCount, LPVOID lpBuffer, LPDWORD lpBufferSize)
{
        return enum_resource(hEnum, lpcCount, lpBuffer, lpBufferSize, false);
}

EXPORT DWORD WNetEnumResourceW(HANDLE hEnum, LPDWORD lpcCount, LPVOID lpBuffer, LPDWORD lpBufferSize)
{
        return enum_resource(hEnum, lpcCount, lpBuffer, lpBufferSize, true);
}

EXPORT DWORD WNetCloseEnum(HANDLE hEnum)
{
        _cleanup_(enumeration_freep) struct enumeration *e = enum_handle_take(hEnum);
        struct wn_error err = { 0 };

        return call_done(e ? 0 : bad_handle(&err), &err);
}
