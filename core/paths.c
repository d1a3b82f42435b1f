/* SPDX-License-Identifier: LGPL-3.0-or-later */

/*
 * Works out where things are. Always true of the paths: absolute, no slash at the end, no two slashes in a row, so that
 * they compare as text with the mount table's.
 */

#include "core/paths.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "core/cleanup.h"

/* base and name joined, superfluous slashes removed; name NULL: base alone. NULL when out of memory. */
static char *join(const char *base, const char *name)
{
        char *path, *out;

        if (asprintf(&path, "%s/%s", base, name ? name : "") < 0)
                return NULL;
        out = path;
        for (const char *in = path; *in; in++)
                if (*in != '/' || (in[1] != '/' && in[1] != '\0'))
                        *out++ = *in;
        if (out == path)
                *out++ = '/';
        *out = '\0';
        return path;
}

/* An environment variable that names a directory; NULL where it is unset, empty or relative. */
static const char *absolute_env(const char *variable)
{
        const char *value = getenv(variable);

        return value && value[0] == '/' ? value : NULL;
}

/* 0, -ENOMEM or -ENOENT. */
static int find_home(char **ret_home)
{
        const char *home = absolute_env("HOME");
        struct passwd entry, *found = NULL;
        char buffer[16384];

        if (!home) {
                if (getpwuid_r(getuid(), &entry, buffer, sizeof buffer, &found) != 0 || !found ||
                    found->pw_dir[0] != '/')
                        return -ENOENT;
                home = found->pw_dir;
        }
        *ret_home = join(home, NULL);
        return *ret_home ? 0 : -ENOMEM;
}

/* $variable/wnet, or home/fallback/wnet. */
static char *xdg_dir(const char *variable, const char *home, const char *fallback)
{
        _cleanup_free_ char *below_home = join(home, fallback);
        const char *base = absolute_env(variable);

        if (!below_home)
                return NULL;
        return join(base ? base : below_home, "wnet");
}

static char *find_runtime_dir(void)
{
        const char *base = absolute_env("XDG_RUNTIME_DIR");
        char *dir;

        if (base)
                return join(base, "wnet");
        return asprintf(&dir, "/tmp/wnet-%u", (unsigned) getuid()) < 0 ? NULL : dir;
}

int paths_init(struct paths *ret_paths)
{
        _cleanup_(paths_done) struct paths paths = { 0 };
        _cleanup_free_ char *home = NULL;
        const char *drives = absolute_env("WNET_DRIVES");
        int r;

        r = find_home(&home);
        if (r < 0)
                return r;

        paths.config_dir = xdg_dir("XDG_CONFIG_HOME", home, ".config");
        paths.state_dir = xdg_dir("XDG_STATE_HOME", home, ".local/state");
        paths.runtime_dir = find_runtime_dir();
        paths.drives_dir = drives ? join(drives, NULL) : join(home, "Drives");
        if (!paths.config_dir || !paths.state_dir || !paths.runtime_dir || !paths.drives_dir)
                return -ENOMEM;

        paths.profile = join(paths.config_dir, "profile.db");
        paths.lock = join(paths.config_dir, "wnetd.lock");
        paths.workers_lock = join(paths.config_dir, "workers.lock");
        paths.conf = join(paths.config_dir, "wnet.conf");
        paths.history = join(paths.state_dir, "history.db");
        paths.log = join(paths.state_dir, "wnetd.log");
        paths.parked_key = join(paths.state_dir, "parked.key");
        paths.socket = join(paths.runtime_dir, "control");
        if (!paths.profile || !paths.lock || !paths.workers_lock || !paths.conf || !paths.history || !paths.log || !paths.parked_key ||
            !paths.socket)
                return -ENOMEM;
        if (strlen(paths.socket) >= sizeof ((struct sockaddr_un *) NULL)->sun_path)
                return -ENAMETOOLONG;

        *ret_paths = paths;
        paths = (struct paths) { 0 };
        return 0;
}

void paths_done(struct paths *paths)
{
        free(paths->config_dir);
        free(paths->state_dir);
        free(paths->runtime_dir);
        free(paths->drives_dir);
        free(paths->profile);
        free(paths->lock);
        free(paths->workers_lock);
        free(paths->conf);
        free(paths->history);
        free(paths->log);
        free(paths->parked_key);
        free(paths->socket);
        *paths = (struct paths) { 0 };
}

/* Makes path and, where they are missing, the directories above it. path is changed meanwhile. 0 or an errno. */
static int make_dirs(char *path)
{
        for (char *p = path + 1;; p++) {
                char saved = *p;
                struct stat st;
                int r;

                if (saved != '/' && saved != '\0')
                        continue;
                *p = '\0';
                /* An existing directory may answer another errno than EEXIST, on a read-only file system say. */
                r = mkdir(path, 0700) < 0 ? -errno : 0;
                if (r < 0 && stat(path, &st) == 0)
                        r = S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
                *p = saved;
                if (r < 0 || saved == '\0')
                        return r;
        }
}

int paths_make_dir(const char *path)
{
        _cleanup_free_ char *copy = join(path, NULL);

        return copy ? make_dirs(copy) : -ENOMEM;
}

int paths_make_private_dir(const char *path)
{
        _cleanup_free_ char *clean = NULL;
        struct stat st;
        int r;

        if (path[0] != '/')
                return -EINVAL;
        clean = join(path, NULL); /* with a slash at its end, lstat() would follow a symbolic link */
        if (!clean)
                return -ENOMEM;

        r = lstat(clean, &st) < 0 ? -errno : 0;
        if (r == -ENOENT) {
                r = make_dirs(clean);
                if (r < 0)
                        return r;
                r = lstat(clean, &st) < 0 ? -errno : 0;
        }
        if (r < 0)
                return r;
        if (!S_ISDIR(st.st_mode))
                return -ENOTDIR;
        if (st.st_uid != geteuid() || (st.st_mode & 022))
                return -EPERM;
        return 0;
}
