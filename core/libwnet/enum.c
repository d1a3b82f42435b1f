/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * WNetOpenEnum, WNetEnumResource and WNetCloseEnum.
 */

#include "core/libwnet/enum.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "core/cleanup.h"
#include "core/libwnet/call.h"
#include "core/libwnet/snapshot.h"
#include "core/libwnet/text.h"
#include "core/name.h"

/* The lpNetResource of a call, as far as it counts, in UTF-8. */
struct container {
        DWORD usage;
        const char *remote;   /* NULL or "": none */
        const char *provider; /* likewise */
};

/* ---- opening ---- */

static int check_open(DWORD scope, DWORD type, DWORD usage, bool with_container, const HANDLE *ret_handle, struct wn_error *err)
{
        if (!ret_handle)
                return error_set(err, ERROR_INVALID_ADDRESS, 0, "check", "lphEnum is NULL");
        if (scope != RESOURCE_CONNECTED && scope != RESOURCE_REMEMBERED && scope != RESOURCE_GLOBALNET)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "check", "unknown scope: %u", scope);
        if (type & ~(DWORD) (RESOURCETYPE_DISK | RESOURCETYPE_PRINT))
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "check", "unknown resource type: 0x%x", type);
        if (scope == RESOURCE_GLOBALNET && usage & ~(DWORD) RESOURCEUSAGE_ALL)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "check", "unknown usage: 0x%x", usage);
        if (scope != RESOURCE_GLOBALNET && with_container)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "check", "lpNetResource has to be NULL");
        return 0;
}

/* What is below container; without one, that is nothing: the network is not searched for servers. */
static int snapshot_network(DWORD type, DWORD usage, const struct container *container, struct enumeration **ret_e,
                            struct wn_error *err)
{
        _cleanup_(remote_name_done) struct remote_name server = { 0 };
        int r;

        if (container && container->provider && container->provider[0] && strcasecmp(container->provider, PROVIDER) != 0)
                return error_set(err, ERROR_BAD_PROVIDER, 0, "check", "there is no network provider %s, only " PROVIDER,
                                 container->provider);
        if (!container || !container->remote || container->remote[0] == '\0')
                return snapshot_empty(RESOURCE_GLOBALNET, ret_e);
        r = remote_server_parse(container->remote, &server);
        if (r > 0)
                return error_set(err, r, 0, "check", "%s is not a server's name (such as \\\\server)", container->remote);
        if (r < 0)
                return r;
        if (!(container->usage & RESOURCEUSAGE_CONTAINER))
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "check", "%s is not given as a container", container->remote);
        if (usage & RESOURCEUSAGE_CONTAINER && !(usage & RESOURCEUSAGE_CONNECTABLE)) /* no share is one */
                return snapshot_empty(RESOURCE_GLOBALNET, ret_e);
        return snapshot_shares(&server, type, ret_e, err);
}

/* container NULL: there is no lpNetResource. The arguments have passed check_open(). */
static int open_enum(DWORD scope, DWORD type, DWORD usage, const struct container *container, HANDLE *ret_handle,
                     struct wn_error *err)
{
        _cleanup_(enumeration_freep) struct enumeration *e = NULL;
        int r;

        if (scope == RESOURCE_GLOBALNET)
                r = snapshot_network(type, usage, container, &e, err);
        else
                r = snapshot_connections(scope, type, &e, err);
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

static const char *comment_of(const struct enum_entry *entry)
{
        return entry->comment ? entry->comment : "";
}

static size_t strings_bytes(const struct enum_entry *entry, bool wide)
{
        size_t chars = text_chars(entry->remote, wide) + text_chars(comment_of(entry), wide) + text_chars(PROVIDER, wide);

        return (chars + (entry->local ? text_chars(entry->local, wide) : 0)) * text_char_bytes(wide);
}

/* Puts text at *end, which moves behind it. */
static void *put_string(char **end, const char *text, bool wide)
{
        void *begin = *end;

        *end = text_put(begin, text, wide);
        return begin;
}

static void put_entry(const struct enum_entry *entry, DWORD scope, void *resource, char *strings, bool wide)
{
        NETRESOURCEA filled = {
                .dwScope = scope,
                .dwType = entry->type,
                .dwDisplayType = RESOURCEDISPLAYTYPE_SHARE,
                .dwUsage = RESOURCEUSAGE_CONNECTABLE,
                .lpLocalName = entry->local ? put_string(&strings, entry->local, wide) : NULL,
        };

        filled.lpRemoteName = put_string(&strings, entry->remote, wide);
        filled.lpComment = put_string(&strings, comment_of(entry), wide);
        filled.lpProvider = put_string(&strings, PROVIDER, wide);
        memcpy(resource, &filled, sizeof filled);
}

/* Structures from the buffer's begin, strings from its end. Returns how many entries were put. */
static DWORD fill(struct enumeration *e, DWORD wanted, char *buffer, size_t size_bytes, bool wide)
{
        size_t structs_end = 0, strings_begin = size_bytes - size_bytes % sizeof(WCHAR);
        DWORD n = 0;

        while (n < wanted && e->next < e->n_entries) {
                const struct enum_entry *entry = &e->entries[e->next];
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
        struct container container = { 0 };
        struct wn_error err = { 0 };
        int r = check_open(dwScope, dwType, dwUsage, lpNetResource != NULL, lphEnum, &err);

        if (r == 0 && lpNetResource)
                container = (struct container) { lpNetResource->dwUsage, lpNetResource->lpRemoteName, lpNetResource->lpProvider };
        if (r == 0)
                r = open_enum(dwScope, dwType, dwUsage, lpNetResource ? &container : NULL, lphEnum, &err);
        return call_done(r, &err);
}

EXPORT DWORD WNetOpenEnumW(DWORD dwScope, DWORD dwType, DWORD dwUsage, LPNETRESOURCEW lpNetResource, LPHANDLE lphEnum)
{
        _cleanup_free_ char *remote = NULL, *provider = NULL;
        struct container container = { 0 };
        struct wn_error err = { 0 };
        int r = check_open(dwScope, dwType, dwUsage, lpNetResource != NULL, lphEnum, &err);

        if (r == 0 && lpNetResource) {
                r = text_from_wide(lpNetResource->lpRemoteName, &remote);
                if (r == 0)
                        r = text_from_wide(lpNetResource->lpProvider, &provider);
                container = (struct container) { lpNetResource->dwUsage, remote, provider };
        }
        if (r == 0)
                r = open_enum(dwScope, dwType, dwUsage, lpNetResource ? &container : NULL, lphEnum, &err);
        return call_done(r, &err);
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
