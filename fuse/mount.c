/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Mount points, options and the mount table. Never touches a path that something of ours is mounted on: what has to be done to a
 * covered one is done through a descriptor that was opened before.
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

/* mode: of the last one. */
static int make_folders(const char *path, mode_t mode)
{
        _cleanup_free_ char *copy = strdup(path);

        if (!copy)
                return -ENOMEM;
        for (char *p = copy + 1;; p++) {
                if (*p != '/' && *p != '\0')
                        continue;
                char kept = *p;

                *p = '\0';
                if (mkdir(copy, kept == '\0' ? mode : 0700) < 0 && errno != EEXIST)
                        return -errno;
                *p = kept;
                if (kept == '\0')
                        return 0;
        }
}

static char *parent_of(const char *path)
{
        return strndup(path, (size_t) (strrchr(path, '/') - path));
}

static int make_point(const char *path, enum mount_kind kind)
{
        _cleanup_free_ char *parent = NULL;
        _cleanup_close_ int fd = -1;
        int r;

        if (kind == MOUNT_FOLDER)
                return make_folders(path, mount_point_mode(kind, false));
        parent = parent_of(path);
        r = parent ? make_folders(parent, 0700) : -ENOMEM;
        if (r < 0)
                return r;
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mount_point_mode(kind, false));
        return fd < 0 && errno != EEXIST ? -errno : 0;
}

/* Opens the mount point itself, never what may be mounted on it: that might not answer, or wait for us. -EXDEV: something is. */
static int open_point(const char *path, enum mount_kind kind)
{
        struct open_how how = {
                .flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | (kind == MOUNT_FOLDER ? O_DIRECTORY : O_NONBLOCK | O_NOCTTY),
                .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
        };
        _cleanup_free_ char *parent = parent_of(path);
        _cleanup_close_ int parent_fd = parent ? open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
        int fd;

        if (parent_fd < 0)
                return parent ? -errno : -ENOMEM;
        fd = (int) syscall(SYS_openat2, parent_fd, strrchr(path, '/') + 1, &how, sizeof(how));
        return fd < 0 ? -errno : fd;
}

static bool is_empty_folder(int fd)
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

static bool is_empty(int fd, enum mount_kind kind)
{
        struct stat st;

        if (kind == MOUNT_FOLDER)
                return is_empty_folder(fd);
        return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
}

static int check_point(int fd, const char *path, enum mount_kind kind, struct wn_error *err)
{
        const char *what = kind == MOUNT_FOLDER ? "folder" : "file";
        struct stat st;

        if (fstat(fd, &st) < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, errno, "mount", "%s cannot be looked at: %s", path, strerror(errno));
        if (kind == MOUNT_FILE && !S_ISREG(st.st_mode))
                return error_set(err, ERROR_EXTENDED_ERROR, EEXIST, "mount",
                                 "%s is in the way of the printer port: it is not a file; move it away", path);
        if (st.st_uid != geteuid())
                return error_set(err, ERROR_EXTENDED_ERROR, EPERM, "mount", "the %s %s belongs to somebody else; move it away",
                                 what, path);
        if (!is_empty(fd, kind))
                return error_set(err, ERROR_EXTENDED_ERROR, kind == MOUNT_FOLDER ? ENOTEMPTY : EEXIST, "mount",
                                 "the %s %s is not empty; move %s away", what, path,
                                 kind == MOUNT_FOLDER ? "its contents" : "it");
        return 0;
}

int mount_point_prepare(const char *path, enum mount_kind kind, int *ret_fd, struct wn_error *err)
{
        const char *what = kind == MOUNT_FOLDER ? "folder" : "file";
        struct mountinfo table = { 0 };
        _cleanup_close_ int fd = -1;
        bool taken;
        int r = mountinfo_read(&table);

        if (r < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, -r, "mount", "the mount table cannot be read: %s", strerror(-r));
        taken = mountinfo_find(&table, path) != NULL;
        mountinfo_done(&table);
        if (taken)
                return error_set(err, ERROR_ALREADY_ASSIGNED, EBUSY, "mount",
                                 "something else is mounted on %s; unmount it first", path);
        r = make_point(path, kind);
        if (r < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, -r, "mount", "the %s %s cannot be made: %s", what, path,
                                 strerror(-r));
        fd = open_point(path, kind);
        if (fd < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, -fd, "mount", "%s is in the way of the %s: %s", path,
                                 kind == MOUNT_FOLDER ? "drive" : "printer port",
                                 fd != -ENOTDIR && fd != -ELOOP ? strerror(-fd)
                                 : kind == MOUNT_FOLDER         ? "it is not a folder; move it away"
                                                                : "it is not a file; move it away");
        r = check_point(fd, path, kind, err);
        if (r != 0)
                return r;
        if (fchmod(fd, mount_point_mode(kind, true)) < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, errno, "mount", "the %s %s cannot be prepared: %s", what, path,
                                 strerror(errno));
        *ret_fd = TAKE_FD(fd);
        return 0;
}

void mount_point_protect(int fd, enum mount_kind kind)
{
        if (fd < 0)
                return;
        (void) fchmod(fd, mount_point_mode(kind, false));
        close(fd);
}

void mount_point_keep(const char *path, enum mount_kind kind)
{
        _cleanup_close_ int fd = -1;

        if (make_point(path, kind) < 0)
                return;
        fd = open_point(path, kind);
        if (fd >= 0 && is_empty(fd, kind))
                (void) fchmod(fd, mount_point_mode(kind, false));
}

static bool remove_file(const char *path)
{
        _cleanup_close_ int fd = open_point(path, MOUNT_FILE);

        return fd >= 0 && is_empty(fd, MOUNT_FILE) && unlink(path) == 0;
}

void mount_point_remove(const char *path, enum mount_kind kind, bool with_parents)
{
        _cleanup_free_ char *server = NULL, *unc = NULL;

        if (kind == MOUNT_FILE ? !remove_file(path) : rmdir(path) < 0)
                return;
        server = with_parents ? parent_of(path) : NULL;
        unc = server && rmdir(server) == 0 ? parent_of(server) : NULL;
        if (unc)
                (void) rmdir(unc);
}

/* Whether a table of identifiers of our user namespace (lines of: first here, first outside, how many) has the 0. */
static bool maps_zero(const char *path)
{
        _cleanup_fclose_ FILE *f = fopen(path, "re");
        unsigned first = 1;

        while (f && first != 0 && fscanf(f, "%u %*u %*u", &first) == 1)
                ;
        return first == 0;
}

/* Until the kernel has asked for the root's attributes, which it does not have to for its own sake, it takes it for root's, and in a user
 * namespace without root nobody may change what is root's. */
static bool kernel_takes_root(void)
{
        return maps_zero("/proc/self/uid_map") && maps_zero("/proc/self/gid_map");
}

char *mount_options(const char *source, bool read_only, bool kernel_permits, unsigned max_read_bytes)
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
        if (asprintf(&options, "fsname=%s,subtype=wnet,nosuid,nodev,%smax_read=%u,%s", escaped,
                     kernel_permits || !kernel_takes_root() ? "default_permissions," : "", max_read_bytes, read_only ? "ro" : "rw") < 0)
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
