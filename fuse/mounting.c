/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The steps that mount and unmount a connection, each by one run of fusermount3:
 *
 *   mount:   fusermount3 mounts and hands back /dev/fuse → INIT is answered (device.c) → the step is done
 *   unmount: fusermount3 -u → the device says ENODEV → the step is done
 *
 * and what happens when somebody else unmounts it.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/fault.h"
#include "core/log.h"
#include "fuse/internal.h"
#include "fuse/mount.h"

#define HELPER_TIMEOUT_USEC (10 * 1000000ULL)
#define DEVICE_GONE_USEC (200 * 1000ULL) /* from a successful unmount to the device's end */

/* ---- mounting ---- */

static enum mount_kind mount_kind(const struct connection *c)
{
        return connection_is_printer(c) ? MOUNT_FILE : MOUNT_FOLDER;
}

void mounting_protect(struct redirector *r)
{
        mount_point_protect(r->mount_point_fd, mount_kind(r->connection));
        r->mount_point_fd = -1;
}

static void mount_failed(struct redirector *r, int error, const char *text)
{
        struct wn_error err;

        mounting_protect(r);
        error_set(&err, ERROR_EXTENDED_ERROR, error, "mount", "%s cannot be mounted on %s: %s", r->connection->name,
                  r->connection->mountpoint, *text ? text : "fusermount3 failed");
        redirector_complete(r, err.status, &err);
}

static void on_mounted(void *userdata, int exit_code, const char *text, int fd)
{
        struct redirector *r = userdata;
        int error;

        r->helper = NULL;
        FAULT_POINT("mount.helper");
        if (exit_code != 0 || fd < 0) {
                if (fd >= 0)
                        close(fd);
                mount_failed(r, EIO, text);
                return;
        }
        error = device_open(r, fd);
        if (error < 0) {
                helper_detach(r->event, r->connection->mountpoint);
                mount_failed(r, -error, strerror(-error));
                return;
        }
        r->device_minor = mount_device_minor(r->connection->mountpoint);
        mounting_protect(r);
}

void mounting_mount(struct redirector *r)
{
        char *argv[] = { (char *) "fusermount3", (char *) "-o", r->options, (char *) "--", r->connection->mountpoint, NULL };
        struct wn_error err;
        int error;

        redirector_forget_session(r);
        FAULT_POINT("mount.connected");
        error = mount_point_prepare(r->connection->mountpoint, mount_kind(r->connection), &r->mount_point_fd, &err);
        FAULT_POINT("mount.folder");
        if (error != 0) {
                redirector_complete(r, error, &err);
                return;
        }
        error = helper_run(r->event, argv, true, HELPER_TIMEOUT_USEC, on_mounted, r, &r->helper);
        if (error < 0)
                mount_failed(r, -error, error == -ENOENT ? "fusermount3 is not installed (package fuse3)" : strerror(-error));
}

/* ---- unmounting ---- */

static void unmount_done(struct redirector *r)
{
        device_close(r);
        r->phase = PHASE_UNMOUNTED;
        redirector_complete(r, 0, NULL);
}

/* The mount is gone, the device is not: another mount namespace has a copy of it. No file is open there either (what is but a working
 * directory, nobody has told us of), so closing the device ends that one too. */
static int on_device_stays(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct redirector *r = userdata;

        (void) source;
        (void) usec;
        log_info("%s was also mounted in another mount namespace, and is ended there", r->connection->mountpoint);
        unmount_done(r);
        return 0;
}

/* The mount was taken away by somebody else, or the connection to the kernel was aborted. */
static void lost_device(struct redirector *r)
{
        device_close(r);
        if (mount_is_mounted(r->connection->mountpoint)) /* aborted: what is left answers nobody */
                helper_detach(r->event, r->connection->mountpoint);
        r->phase = PHASE_UNMOUNTED;
        connection_unmounted(r->connection);
}

void mounting_device_gone(struct redirector *r)
{
        struct wn_error err;

        switch (r->step) {
        case STEP_REVOKE: /* goes on by itself */
                (void) sd_event_source_set_enabled(r->device_source, SD_EVENT_OFF);
                break;
        case STEP_UNMOUNT:
                if (r->helper) /* fusermount3 is about to report success */
                        (void) sd_event_source_set_enabled(r->device_source, SD_EVENT_OFF);
                else
                        unmount_done(r);
                break;
        case STEP_START:
        case STEP_REMOUNT:
                device_close(r);
                error_set(&err, ERROR_EXTENDED_ERROR, ENODEV, "mount", "it was unmounted by another program");
                redirector_complete(r, err.status, &err);
                break;
        case STEP_FREEZE:
                lost_device(r);
                redirector_complete(r, 0, NULL);
                break;
        case STEP_NONE:
                lost_device(r);
                break;
        }
}

static void on_unmounted(void *userdata, int exit_code, const char *text, int fd)
{
        struct redirector *r = userdata;
        struct wn_error err;
        bool gone = device_is_gone(r), mounted, busy;

        (void) fd;
        r->helper = NULL;
        mounted = exit_code != 0 && mount_is_mounted(r->connection->mountpoint);
        if (exit_code != 0 && (!gone || mounted)) {
                /* its exit code is the same for whatever failed; detached by somebody else, the drive is in use as well */
                busy = !mounted || strstr(text, strerror(EBUSY));
                error_set(&err, busy ? ERROR_DEVICE_IN_USE : ERROR_EXTENDED_ERROR, busy ? EBUSY : 0, "unmount",
                          "%s cannot be unmounted: %s", r->connection->mountpoint, *text ? text : "fusermount3 failed");
                redirector_complete(r, busy ? -EBUSY : ERROR_EXTENDED_ERROR, &err);
                return;
        }
        if (gone)
                unmount_done(r);
        else
                (void) redirector_step_after(r, DEVICE_GONE_USEC, on_device_stays);
}

void mounting_unmount(struct redirector *r)
{
        char *argv[] = { (char *) "fusermount3", (char *) "-u", (char *) "--", r->connection->mountpoint, NULL };
        struct wn_error err;
        int error = helper_run(r->event, argv, false, HELPER_TIMEOUT_USEC, on_unmounted, r, &r->helper);

        if (error < 0) {
                error_set(&err, ERROR_EXTENDED_ERROR, -error, "unmount", "fusermount3 cannot be run: %s", strerror(-error));
                redirector_complete(r, error, &err);
        }
}

void mounting_folder(const struct connection *c, bool wanted)
{
        if (wanted)
                mount_point_keep(c->mountpoint, mount_kind(c));
        else
                mount_point_remove(c->mountpoint, mount_kind(c), !c->has_device);
}
