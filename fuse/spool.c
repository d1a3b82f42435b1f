/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The files of print jobs. Names are numbers of fixed width, so that they sort by age as text.
 */

#include "fuse/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/paths.h"

#define INCOMPLETE ".part"
#define COMPLETE ".job"
#define TRIES 1000 /* names that are taken: several jobs in one microsecond */

/* The name that the last folder of path has already, where it differs in nothing but case: beyond ASCII no spelling is the one. */
static void take_spelling(char *path)
{
        char *name = strrchr(path, '/') + 1;
        const struct dirent *entry;
        DIR *dir;

        name[-1] = '\0';
        dir = opendir(path);
        name[-1] = '/';
        while (dir && (entry = readdir(dir)))
                if (strlen(entry->d_name) == strlen(name) && name_equal_nocase(entry->d_name, name)) {
                        strcpy(name, entry->d_name);
                        break;
                }
        if (dir)
                closedir(dir);
}

/* Resources are compared without case, so their folders have none. */
static char *folder_path(const char *dir, const struct remote_name *printer)
{
        _cleanup_free_ char *name = remote_name_to_folder(printer);
        char *path;

        if (!name)
                return NULL;
        for (char *p = name; *p; p++)
                if (*p >= 'A' && *p <= 'Z')
                        *p = (char) (*p - 'A' + 'a');
        if (asprintf(&path, "%s/%s", dir, name) < 0)
                return NULL;
        take_spelling(path);
        return path;
}

int spool_open(const char *dir, const struct remote_name *printer, struct spool *ret_spool)
{
        _cleanup_free_ char *path = folder_path(dir, printer);
        int r = path ? paths_make_private_dir(path) : -ENOMEM;
        int fd;

        if (r < 0)
                return r;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        ret_spool->fd = fd;
        return 0;
}

void spool_close(struct spool *spool)
{
        if (spool->fd >= 0)
                close(spool->fd);
        spool->fd = -1;
}

/* Finds a name that is not taken: for a new file, or (from) for one that is renamed. 0 or a negative errno. */
static int number(const struct spool *spool, const char *suffix, const char *from, struct spool_file *file)
{
        uint64_t usec = clock_real_usec();

        for (unsigned i = 0; i < TRIES; i++) {
                char name[SPOOL_NAME_BYTES];
                int r;

                snprintf(name, sizeof(name), "%020llu%s", (unsigned long long) (usec + i), suffix);
                if (from)
                        r = renameat2(spool->fd, from, spool->fd, name, RENAME_NOREPLACE);
                else
                        r = file->fd = openat(spool->fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
                if (r >= 0) {
                        strcpy(file->name, name);
                        return 0;
                }
                if (errno != EEXIST)
                        return -errno;
        }
        return -EEXIST;
}

int spool_create(const struct spool *spool, struct spool_file *ret_file)
{
        struct spool_file file = { .fd = -1 };
        int r = number(spool, INCOMPLETE, NULL, &file);

        if (r < 0)
                return r;
        (void) flock(file.fd, LOCK_EX | LOCK_NB); /* it is new: nobody else has it */
        *ret_file = file;
        return 0;
}

int spool_complete(const struct spool *spool, struct spool_file *file)
{
        char from[SPOOL_NAME_BYTES];

        strcpy(from, file->name);
        return number(spool, COMPLETE, from, file);
}

static bool has_suffix(const char *name, const char *suffix)
{
        size_t n = strlen(name), suffix_bytes = strlen(suffix);

        return n > suffix_bytes && n < SPOOL_NAME_BYTES && strcmp(name + n - suffix_bytes, suffix) == 0;
}

/* The first complete job's name behind after. */
static int next_name(const struct spool *spool, const char *after, char ret_name[SPOOL_NAME_BYTES])
{
        int copy = openat(spool->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = copy < 0 ? NULL : fdopendir(copy);
        const struct dirent *entry;
        bool found = false;

        if (!dir) {
                int r = -errno;

                if (copy >= 0)
                        close(copy);
                return r;
        }
        while ((entry = readdir(dir))) {
                if (!has_suffix(entry->d_name, COMPLETE) || strcmp(entry->d_name, after) <= 0 ||
                    (found && strcmp(entry->d_name, ret_name) >= 0))
                        continue;
                strcpy(ret_name, entry->d_name);
                found = true;
        }
        closedir(dir);
        return found ? 0 : -ENOENT;
}

int spool_take(const struct spool *spool, const char *after, struct spool_file *ret_file)
{
        struct spool_file file = { .fd = -1 };
        int r;

        snprintf(file.name, sizeof(file.name), "%s", after);
        for (;;) {
                char previous[SPOOL_NAME_BYTES];

                strcpy(previous, file.name);
                r = next_name(spool, previous, file.name);
                if (r < 0)
                        return r;
                file.fd = openat(spool->fd, file.name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
                if (file.fd < 0)
                        continue; /* another port's, and just sent; or nothing that we have made */
                if (flock(file.fd, LOCK_EX | LOCK_NB) == 0)
                        break;
                spool_leave(&file);
        }
        *ret_file = file;
        return 0;
}

void spool_remove(const struct spool *spool, struct spool_file *file)
{
        (void) unlinkat(spool->fd, file->name, 0);
        spool_leave(file);
}

void spool_leave(struct spool_file *file)
{
        if (file->fd >= 0)
                close(file->fd);
        file->fd = -1;
}

/* ---- at start ---- */

static void clean_folder(const char *path, unsigned depth, unsigned *n_removed)
{
        DIR *dir = opendir(path);
        const struct dirent *entry;

        while (dir && (entry = readdir(dir))) {
                _cleanup_free_ char *inside = NULL;

                if (entry->d_name[0] == '.' || asprintf(&inside, "%s/%s", path, entry->d_name) < 0)
                        continue;
                if (depth > 0) {
                        clean_folder(inside, depth - 1, n_removed);
                        (void) rmdir(inside);
                } else if (has_suffix(entry->d_name, INCOMPLETE) && unlink(inside) == 0)
                        (*n_removed)++;
        }
        if (dir)
                closedir(dir);
}

void spool_clean(const char *dir)
{
        unsigned n_removed = 0;

        clean_folder(dir, 2, &n_removed);
        if (n_removed > 0)
                log_info("%u print jobs that were still being written when wnetd was killed are dropped", n_removed);
}
