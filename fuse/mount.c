/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Folders, options and the mount table. Never touches a path that something of ours is mounted on: what has to be done to a
 * covered folder is done through a descriptor that was opened before.
 */

#include "fuse/mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/log.h"
#include "core/mountinfo.h"

static int make_folders(const char *path)
{
        _cleanup_free_ char *copy = strdup(path);

        if (!copy)
                return -ENOMEM;
        for (char *p = copy + 1;; p++) {
                if (*p != '/' && *p != '\0')
                        continue;
                char kept = *p;

                *p = '\0';
                if (mkdir(copy, kept == '\0' ? MOUNT_FOLDER_CLOSED : 0700) < 0 && errno != EEXIST)
                        return -errno;
                *p = kept;
                if (kept == '\0')
                        return 0;
        }
}

/* Opens the folder itself, never what may be mounted on it: that might not answer, or wait for us. -EXDEV: something is. */
static int open_folder(const char *path)
{
        struct open_how how = {
                .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
        };
        const char *name = strrchr(path, '/') + 1;
        _cleanup_free_ char *parent = strndup(path, (size_t) (name - path));
        _cleanup_close_ int parent_fd = parent ? open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
        int fd;

        if (parent_fd < 0)
                return parent ? -errno : -ENOMEM;
        fd = (int) syscall(SYS_openat2, parent_fd, name, &how, sizeof(how));
        return fd < 0 ? -errno : fd;
}

static bool is_empty(int fd)
{
        int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = copy < 0 ? NULL : fdopendir(copy);
        const struct dirent *entry;
        bool empty = true;

        if (!dir) {
                if (copy >= 0)
                        close(copy);
                return false;
        }
        while (empty && (entry = readdir(dir)))
                empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        closedir(dir);
        return empty;
}

int mount_folder_prepare(const char *path, int *ret_fd, struct wn_error *err)
{
        struct mountinfo table = { 0 };
        _cleanup_close_ int fd = -1;
        struct stat st;
        bool taken;
        int r = mountinfo_read(&table);

        if (r < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, -r, "mount", "the mount table cannot be read: %s", strerror(-r));
        taken = mountinfo_find(&table, path) != NULL;
        mountinfo_done(&table);
        if (taken)
                return error_set(err, ERROR_ALREADY_ASSIGNED, EBUSY, "mount",
                                 "something else is mounted on %s; unmount it first", path);
        r = make_folders(path);
        if (r < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, -r, "mount", "the folder %s cannot be made: %s", path, strerror(-r));
        fd = open_folder(path);
        if (fd < 0 || fstat(fd, &st) < 0) {
                r = fd < 0 ? -fd : errno;
                return error_set(err, ERROR_EXTENDED_ERROR, r, "mount", "%s is in the way of the drive: %s", path,
                                 r == ENOTDIR || r == ELOOP ? "it is not a folder; move it away" : strerror(r));
        }
        if (st.st_uid != geteuid())
                return error_set(err, ERROR_EXTENDED_ERROR, EPERM, "mount",
                                 "the folder %s belongs to somebody else; move it away", path);
        if (!is_empty(fd))
                return error_set(err, ERROR_EXTENDED_ERROR, ENOTEMPTY, "mount",
                                 "the folder %s is not empty; move its contents away", path);
        if (fchmod(fd, MOUNT_FOLDER_OPEN) < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, errno, "mount", "the folder %s cannot be prepared: %s", path,
                                 strerror(errno));
        *ret_fd = TAKE_FD(fd);
        return 0;
}

void mount_folder_protect(int fd)
{
        if (fd < 0)
                return;
        (void) fchmod(fd, MOUNT_FOLDER_CLOSED);
        close(fd);
}

void mount_folder_keep(const char *path)
{
        _cleanup_close_ int fd = -1;

        if (make_folders(path) < 0)
                return;
        fd = open_folder(path);
        if (fd >= 0 && is_empty(fd))
                (void) fchmod(fd, MOUNT_FOLDER_CLOSED);
}

void mount_folder_remove(const char *path, bool with_parent)
{
        _cleanup_free_ char *parent = NULL;

        if (rmdir(path) < 0 || !with_parent)
                return;
        parent = strdup(path);
        if (!parent)
                return;
        *strrchr(parent, '/') = '\0';
        (void) rmdir(parent);
}

char *mount_options(const char *source, bool read_only, unsigned max_read_bytes)
{
        _cleanup_free_ char *escaped = malloc(2 * strlen(source) + 1);
        char *options, *to = escaped;

        if (!escaped)
                return NULL;
        for (const char *p = source; *p; p++) {
                if (*p == ',' || *p == '\\')
                        *to++ = '\\';
                *to++ = *p;
        }
        *to = '\0';
        if (asprintf(&options, "fsname=%s,subtype=wnet,nosuid,nodev,default_permissions,max_read=%u,%s", escaped,
                     max_read_bytes, read_only ? "ro" : "rw") < 0)
                return NULL;
        return options;
}

unsigned mount_device_minor(const char *path)
{
        struct mountinfo table = { 0 };
        const struct mountinfo_entry *entry;
        unsigned minor = 0;

        if (mountinfo_read(&table) < 0)
                return 0;
        entry = mountinfo_find(&table, path);
        if (entry)
                minor = entry->minor;
        mountinfo_done(&table);
        return minor;
}

bool mount_is_mounted(const char *path)
{
        struct mountinfo table = { 0 };
        const struct mountinfo_entry *entry;
        bool mounted;

        if (mountinfo_read(&table) < 0)
                return true; /* not proven gone */
        entry = mountinfo_find(&table, path);
        mounted = entry && strcmp(entry->fstype, MOUNTINFO_FSTYPE) == 0;
        mountinfo_done(&table);
        return mounted;
}

bool mount_abort(unsigned minor)
{
        char path[64];
        _cleanup_close_ int fd = -1;

        snprintf(path, sizeof(path), "/sys/fs/fuse/connections/%u/abort", minor);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        return fd >= 0 && write(fd, "1", 1) == 1;
}
