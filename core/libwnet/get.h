/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_LIBWNET_GET_H
#define CORE_LIBWNET_GET_H

#include "core/libwnet/call.h"
#include "core/name.h"

/* Asks what a device is connected to. 0 also where it is not connected now: see ret_device->state. The caller frees:
 * control_device_done(). */
int get_device(const struct device_name *name, struct control_device *ret_device, struct wn_error *err);

/* ERROR_CONNECTION_UNAVAIL, with its text, for a device that is not connected now; 0 for one that is. */
int get_check_connected(const struct device_name *name, const struct control_device *device, struct wn_error *err);

#endif
