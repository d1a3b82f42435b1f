/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The backend of the fake server: each function logs itself, lets a fault strike, then works on the tree. Owns its
 * mapping of the server until the process ends.
 */

#include "fake-backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct smb_open_file {
        struct fake_handle *handle;
};

struct smb_open_list {
        unsigned next;
        char path[FAKE_PATH_BYTES];
};

static struct fake_server *server; /* one per process */

/* What a call begins with: a fault may be its result already. */
#define ENTER(op, path)                                                                                                \
        do {                                                                                                           \
                int64_t result_;                                                                                       \
                if (!fake_enter(server, op, path, &result_))                                                           \
                        return (int) result_;                                                                          \
        } while (0)

/* ---- the tree ---- */

/* Whether path's folder is there: 0, -ENOENT, -ENOTDIR. */
static int check_parent(const char *path)
{
        const char *slash = strrchr(path, '/');
        char parent[FAKE_PATH_BYTES] = "";
        const struct fake_node *node;

        if (strlen(path) >= FAKE_PATH_BYTES)
                return -ENAMETOOLONG;
        if (slash)
                memcpy(parent, path, (size_t) (slash - path));
        node = fake_find(server, parent);
        if (!node)
                return -ENOENT;
        return node->directory ? 0 : -ENOTDIR;
}

static int look_up(const char *path, struct fake_node **ret_node)
{
        int r = check_parent(path);

        *ret_node = r == 0 ? fake_find(server, path) : NULL;
        return r == 0 && !*ret_node ? -ENOENT : r;
}

static bool is_child(const char *path, const char *parent)
{
        size_t length = strlen(parent);

        if (length == 0)
                return *path && !strchr(path, '/');
        return strncmp(path, parent, length) == 0 && path[length] == '/' && !strchr(path + length + 1, '/');
}

static bool is_empty(const char *path)
{
        for (unsigned i = 0; i < FAKE_NODES; i++)
                if (server->nodes[i].used && is_child(server->nodes[i].path, path))
                        return false;
        return true;
}

static void attr_of(const struct fake_node *node, struct smb_attr *ret_attr)
{
        *ret_attr = (struct smb_attr) {
                .size_bytes = node->size_bytes, .file_id = node->file_id, .mtime = node->mtime, .atime = node->atime,
                .ctime = node->mtime, .dos = node->dos,
        };
        if (node->directory) { /* libsmbclient, too, does not tell more */
                ret_attr->dos = (node->dos & SMB_ATTR_READONLY) | SMB_ATTR_DIRECTORY;
                ret_attr->dos_partial = 1;
        }
}

static int fake_connect(struct smb_backend *b, const struct smb_setup *setup, struct wn_error *err)
{
        const char *path = setup->share[0] ? setup->share : setup->server;
        int fd = open(path, O_RDWR | O_CLOEXEC);

        (void) b;
        if (fd < 0)
                return error_set(err, ERROR_BAD_NET_NAME, 0, "connect", "there is no %s", path);
        server = mmap(NULL, sizeof *server, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        if (server == MAP_FAILED)
                return -ENOMEM;
        server->setup = *setup;
        ENTER(FAKE_CONNECT, setup->path);
        if (server->connect_status != 0)
                return error_set(err, server->connect_status, (int) server->connect_cause, "connect", "%s",
                                 server->connect_text);
        return 0;
}

static int fake_stat(struct smb_backend *b, const char *path, struct smb_attr *ret_attr)
{
        struct fake_node *node;
        int r;

        (void) b;
        ENTER(FAKE_STAT, path);
        r = look_up(path, &node);
        if (r == 0)
                attr_of(node, ret_attr);
        return r;
}

static struct fake_handle *new_handle(const struct fake_node *node, int flags)
{
        for (unsigned i = 0; i < FAKE_HANDLES; i++) {
                struct fake_handle *handle = &server->handles[i];
                pid_t nobody = 0;

                if (!atomic_compare_exchange_strong(&handle->pid, &nobody, getpid()))
                        continue;
                handle->node = (unsigned) (node - server->nodes);
                handle->file_id = node->file_id;
                handle->flags = flags;
                return handle;
        }
        return NULL;
}

static int fake_open(struct smb_backend *b, const char *path, int flags, struct smb_open_file **ret_file)
{
        struct fake_node *node;
        struct smb_open_file *file;
        int r;

        (void) b;
        ENTER(FAKE_OPEN, path);
        r = look_up(path, &node);
        if (r == -ENOENT && (flags & O_CREAT) && check_parent(path) == 0) {
                node = fake_add(server, path, "");
                if (!node)
                        return -ENOSPC;
        } else if (r < 0)
                return r;
        else if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
                return -EEXIST;
        else if (node->directory)
                return -EISDIR;
        else if ((node->dos & SMB_ATTR_READONLY) && (flags & O_ACCMODE) != O_RDONLY)
                return -EACCES;
        if (flags & O_TRUNC)
                node->size_bytes = 0;
        file = malloc(sizeof *file);
        if (!file)
                return -ENOMEM;
        file->handle = new_handle(node, flags);
        if (!file->handle) {
                free(file);
                return -EMFILE;
        }
        *ret_file = file;
        return 0;
}

static struct fake_node *node_of(const struct smb_open_file *file)
{
        return &server->nodes[file->handle->node];
}

static int fake_close(struct smb_backend *b, struct smb_open_file *file)
{
        struct fake_node *node = node_of(file);

        (void) b;
        atomic_store(&file->handle->pid, 0);
        free(file);
        ENTER(FAKE_CLOSE, node->path);
        return 0;
}

static int fake_fstat(struct smb_backend *b, struct smb_open_file *file, struct smb_attr *ret_attr)
{
        (void) b;
        ENTER(FAKE_FSTAT, node_of(file)->path);
        if ((file->handle->flags & O_ACCMODE) == O_WRONLY)
                return -EACCES;
        attr_of(node_of(file), ret_attr);
        return 0;
}

static int64_t fake_read(struct smb_backend *b, struct smb_open_file *file, void *data, size_t size, uint64_t offset)
{
        const struct fake_node *node = node_of(file);
        int64_t result;

        (void) b;
        if (!fake_enter(server, FAKE_READ, node->path, &result))
                return result;
        if ((file->handle->flags & O_ACCMODE) == O_WRONLY)
                return -EACCES;
        if (offset >= node->size_bytes)
                return 0;
        if (size > node->size_bytes - offset)
                size = node->size_bytes - offset;
        memcpy(data, node->data + offset, size);
        return (int64_t) size;
}

static int64_t fake_write(struct smb_backend *b, struct smb_open_file *file, const void *data, size_t size,
                          uint64_t offset)
{
        struct fake_node *node = node_of(file);
        int64_t result;

        (void) b;
        if (!fake_enter(server, FAKE_WRITE, node->path, &result))
                return result;
        if ((file->handle->flags & O_ACCMODE) == O_RDONLY)
                return -EACCES;
        if (offset >= FAKE_DATA_BYTES)
                return -ENOSPC;
        if (size > FAKE_DATA_BYTES - offset)
                size = FAKE_DATA_BYTES - offset;
        memcpy(node->data + offset, data, size);
        if (offset + size > node->size_bytes)
                node->size_bytes = offset + size;
        return (int64_t) size;
}

static int64_t fake_copy(struct smb_backend *b, struct smb_open_file *from, uint64_t from_offset, struct smb_open_file *to,
                         uint64_t to_offset, size_t size)
{
        char data[4096];
        int64_t n = fake_read(b, from, data, size < sizeof(data) ? size : sizeof(data), from_offset);

        return n <= 0 ? n : fake_write(b, to, data, (size_t) n, to_offset);
}

static int fake_truncate(struct smb_backend *b, struct smb_open_file *file, uint64_t size)
{
        struct fake_node *node = node_of(file);

        (void) b;
        ENTER(FAKE_TRUNCATE, node->path);
        if (size > FAKE_DATA_BYTES)
                return -ENOSPC;
        if (size > node->size_bytes)
                memset(node->data + node->size_bytes, 0, size - node->size_bytes);
        node->size_bytes = size;
        return 0;
}

static int fake_list(struct smb_backend *b, const char *path, struct smb_open_list **ret_list)
{
        struct fake_node *node;
        int r;

        (void) b;
        ENTER(FAKE_LIST, path);
        r = look_up(path, &node);
        if (r < 0)
                return r;
        if (!node->directory)
                return -ENOTDIR;
        *ret_list = calloc(1, sizeof **ret_list);
        if (!*ret_list)
                return -ENOMEM;
        snprintf((*ret_list)->path, sizeof (*ret_list)->path, "%s", path);
        return 0;
}

static int fake_list_next(struct smb_backend *b, struct smb_open_list *list, bool want_id, const char **ret_name,
                          struct smb_attr *ret_attr)
{
        (void) b;
        while (list->next < FAKE_NODES) {
                struct fake_node *node = &server->nodes[list->next++];

                if (!node->used || !is_child(node->path, list->path))
                        continue;
                *ret_name = list->path[0] ? node->path + strlen(list->path) + 1 : node->path;
                attr_of(node, ret_attr);
                if (!want_id)
                        ret_attr->file_id = 0;
                return 1;
        }
        return 0;
}

static void fake_list_close(struct smb_backend *b, struct smb_open_list *list)
{
        (void) b;
        free(list);
}

static int fake_unlink(struct smb_backend *b, const char *path)
{
        struct fake_node *node;
        int r;

        (void) b;
        ENTER(FAKE_UNLINK, path);
        r = look_up(path, &node);
        if (r == 0 && node->directory)
                r = -EISDIR;
        if (r == 0)
                node->used = false;
        return r;
}

static int fake_mkdir(struct smb_backend *b, const char *path)
{
        int r;

        (void) b;
        ENTER(FAKE_MKDIR, path);
        r = check_parent(path);
        if (r == 0 && fake_find(server, path))
                r = -EEXIST;
        if (r == 0 && !fake_add(server, path, NULL))
                r = -ENOSPC;
        return r;
}

static int fake_rmdir(struct smb_backend *b, const char *path)
{
        struct fake_node *node;
        int r;

        (void) b;
        ENTER(FAKE_RMDIR, path);
        r = look_up(path, &node);
        if (r == 0 && !node->directory)
                r = -ENOTDIR;
        if (r == 0 && !is_empty(path))
                r = -ENOTEMPTY;
        if (r == 0)
                node->used = false;
        return r;
}

static int fake_rename(struct smb_backend *b, const char *from, const char *to)
{
        struct fake_node *node, *target;
        int r;

        (void) b;
        ENTER(FAKE_RENAME, from);
        r = look_up(from, &node);
        if (r < 0)
                return r;
        r = look_up(to, &target);
        if (r < 0 && r != -ENOENT)
                return r;
        if (r == 0 && target->directory)
                return -EISDIR;
        if (r == 0 && target != node)
                target->used = false;
        snprintf(node->path, sizeof node->path, "%s", to);
        return 0;
}

static int fake_set_dos(struct smb_backend *b, const char *path, uint32_t dos)
{
        struct fake_node *node;
        int r;

        (void) b;
        ENTER(FAKE_SET_DOS, path);
        r = look_up(path, &node);
        if (r == 0)
                node->dos = dos & ~SMB_ATTR_DIRECTORY;
        return r;
}

static int fake_set_times(struct smb_backend *b, const char *path, const struct smb_time *atime,
                          const struct smb_time *mtime)
{
        struct fake_node *node;
        int r;

        (void) b;
        ENTER(FAKE_SET_TIMES, path);
        r = look_up(path, &node);
        if (r == 0) {
                node->atime = *atime;
                node->mtime = *mtime;
                node->dos = 0; /* as libsmbclient does */
        }
        return r;
}

static int fake_directory_dos(struct smb_backend *b, const char *path, uint32_t *ret_dos)
{
        struct fake_node *node;
        int r;

        (void) b;
        ENTER(FAKE_LIST, path);
        r = look_up(path, &node);
        if (r == 0)
                *ret_dos = node->dos | SMB_ATTR_DIRECTORY;
        return r;
}

static int fake_birth(struct smb_backend *b, const char *path, struct smb_time *ret_birth)
{
        struct fake_node *node;
        int r;

        (void) b;
        ENTER(FAKE_BIRTH, path);
        r = look_up(path, &node);
        if (r == 0)
                *ret_birth = node->birth;
        return r;
}

static int fake_statfs(struct smb_backend *b, struct smb_space *ret_space)
{
        (void) b;
        ENTER(FAKE_STATFS, "");
        *ret_space = (struct smb_space) {
                .block_bytes = 4096, .blocks = 1000, .blocks_free = 600, .blocks_available = 500,
        };
        return 0;
}

static int fake_check(struct smb_backend *b)
{
        (void) b;
        ENTER(FAKE_CHECK, "");
        return 0;
}

static int fake_share_next(struct smb_backend *b, struct smb_share *ret_share)
{
        static unsigned next; /* of the one connection of this process */

        (void) b;
        ENTER(FAKE_SHARE_NEXT, "");
        if (next == server->n_shares)
                return 0;
        *ret_share = server->shares[next++ % FAKE_SHARES];
        return 1;
}

/* A beat takes 20 ms. */
static int fake_watch(struct smb_backend *b, struct smb_watcher *watcher)
{
        static unsigned n_told; /* goes on behind a loss */
        bool goes_on = true;

        (void) b;
        ENTER(FAKE_WATCH, "");
        for (unsigned step = 1; goes_on; step++) {
                unsigned n = server->n_changes;
                bool any = n_told < n;

                usleep(2000);
                if (server->n_overflows > 0) {
                        server->n_overflows--;
                        return -EOVERFLOW;
                }
                for (; n_told < n; n_told++)
                        watcher->changed(watcher, server->changes[n_told].action, server->changes[n_told].path);
                if (any || step % 10 == 0)
                        goes_on = watcher->told(watcher, !any, !any);
                server->n_told = n_told;
        }
        return 0;
}

struct smb_backend *fake_backend(void)
{
        static const struct smb_backend_ops ops = {
                .connect = fake_connect, .stat = fake_stat, .open = fake_open, .close = fake_close, .fstat = fake_fstat,
                .read = fake_read, .write = fake_write, .copy = fake_copy, .truncate = fake_truncate, .list = fake_list,
                .list_next = fake_list_next, .list_close = fake_list_close, .unlink = fake_unlink, .mkdir = fake_mkdir,
                .rmdir = fake_rmdir, .rename = fake_rename, .set_dos = fake_set_dos, .set_times = fake_set_times,
                .directory_dos = fake_directory_dos, .birth = fake_birth,
                .statfs = fake_statfs, .check = fake_check, .share_next = fake_share_next,
                .watch = fake_watch,
        };
        static struct smb_backend backend = { .ops = &ops };

        return &backend;
}
