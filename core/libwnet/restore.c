/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * WNetRestoreConnection.
 */

#include "core/cleanup.h"
#include "core/control-restore.h"
#include "core/libwnet/call.h"
#include "core/libwnet/text.h"
#include "core/name.h"

static int restore_device(const char *device, struct wn_error *err)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_added_done) struct control_added added = { 0 };
        struct device_name name;
        int r;

        if (device_parse(device, &name) != 0)
                return error_set(err, ERROR_BAD_DEVICE, 0, "check", "%s is not a device's name (such as Z: or LPT1)",
                                 device[0] ? device : "an empty text");
        r = call_open(&client, err);
        return r != 0 ? r : control_restore(client, name.text, &added, err);
}

static int restore_all(struct wn_error *err)
{
        _cleanup_(control_restored_list_done) struct control_restored_list list = { 0 };
        int r = control_restore_all(&list, err);

        if (r != 0)
                return r;
        for (size_t i = 0; i < list.n_items; i++)
                if (list.items[i].err.status != NO_ERROR) {
                        *err = list.items[i].err;
                        return err->status;
                }
        return 0;
}

static int restore(const char *device, struct wn_error *err)
{
        return device ? restore_device(device, err) : restore_all(err);
}

EXPORT DWORD WNetRestoreConnectionA(HWND hwndParent, LPCSTR lpDevice)
{
        struct wn_error err = { 0 };

        (void) hwndParent;
        return call_done(restore(lpDevice, &err), &err);
}

EXPORT DWORD WNetRestoreConnectionW(HWND hwndParent, LPCWSTR lpDevice)
{
        _cleanup_free_ char *device = NULL;
        struct wn_error err = { 0 };
        int r = text_from_wide(lpDevice, &device);

        (void) hwndParent;
        if (r == 0)
                r = restore(device, &err);
        return call_done(r, &err);
}
