/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Open directories. Each shows a snapshot (snapshot.c), which is handed to the kernel with attributes entry by entry; an offset is
 * an entry's number, so that telldir and seekdir work and no entry comes twice, whatever others create and delete meanwhile.
 * Rewinding reads anew.
 *
 * Offsets: 1 is behind ".", 2 behind "..", n + 3 behind entry n.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuse/internal.h"
#include "fuse/remote-watch.h"
#include "fuse/snapshot.h"
#include "fuse/spelling.h"

#define DOTS 2u

static struct open_dir *dir_of(const struct fuse_file_info *fi)
{
        return (struct open_dir *) (uintptr_t) fi->fh;
}

static void serve_readers(struct open_dir *dir);

void dir_free(struct open_dir *dir)
{
        struct redirector *r = dir->redirector;
        struct op *op;

        if (dir->opening)
                op_fail(dir->opening, -EIO);
        while ((op = TAILQ_FIRST(&dir->waiting))) {
                TAILQ_REMOVE(&dir->waiting, op, wait);
                op_fail(op, -EIO);
        }
        if (dir->handle.path)
                handle_table_remove(&r->connection->handles, &dir->handle);
        TAILQ_REMOVE(&r->dirs, dir, entry);
        if (dir->snapshot)
                snapshot_leave(dir);
        node_unref(&r->nodes, dir->node);
        free(dir->path);
        free(dir);
}

/* ---- opening ---- */

/* The server has read the directory, or will not. */
static void opened(struct open_dir *dir)
{
        struct op *op = dir->opening;
        struct redirector *r = dir->redirector;
        struct fuse_file_info info = { .fh = (uint64_t) (uintptr_t) dir };
        fuse_req_t fuse = op->fuse;
        int error = dir->snapshot->error;

        dir->opening = NULL;
        if (error == 0 && fuse)
                error = handle_table_add(&r->connection->handles, &dir->handle, dir->path, true, O_RDONLY, fuse_req_ctx(fuse)->pid);
        if (error < 0 || !fuse) {
                dir_free(dir);
                op_fail(op, error);
                return;
        }
        op->fuse = NULL;
        fuse_req_interrupt_func(fuse, NULL, NULL);
        if (fuse_reply_open(fuse, &info) != 0)
                dir_free(dir);
        op_free(op);
}

void dir_progress(struct open_dir *dir)
{
        if (!dir->opening)
                serve_readers(dir);
        else if (dir->snapshot->listed)
                opened(dir);
}

static struct open_dir *dir_new(struct op *op)
{
        struct redirector *r = op->redirector;
        struct open_dir *dir = calloc(1, sizeof(*dir));
        struct snapshot *s;

        if (dir)
                dir->path = strdup(op->request.path);
        s = dir && dir->path ? snapshot_for_opening(r, op->node) : NULL;
        if (!s) {
                if (dir)
                        free(dir->path);
                free(dir);
                return NULL;
        }
        dir->redirector = r;
        dir->node = node_ref(op->node);
        dir->spelt = op->asked != op->node;
        dir->opening = op;
        TAILQ_INIT(&dir->waiting);
        TAILQ_INSERT_TAIL(&r->dirs, dir, entry);
        snapshot_use(s, dir);
        return dir;
}

static void start_opendir(struct op *op)
{
        struct open_dir *dir;

        if (!op_ready(op))
                return;
        dir = dir_new(op);
        if (dir)
                dir_progress(dir);
        else
                op_fail(op, -ENOMEM);
}

void dir_open(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi)
{
        struct redirector *r = redirector_of(fuse);
        struct node *node = node_find(&r->nodes, ino);
        struct op *op = permission_to_open(fuse, node, fi->flags) ? op_new(r, fuse) : NULL;

        if (!op)
                return;
        op->node = node_ref(node);
        op->asked = node_ref(node_known(&r->nodes, ino));
        op->opens = true;
        op_harmless(op);
        op_begin(op, start_opendir);
}

void dir_release(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi)
{
        (void) ino;
        dir_free(dir_of(fi));
        fuse_reply_err(fuse, 0);
}

/* ---- reading ---- */

/* "." and "..": the kernel takes only their type and number. */
static size_t put_dots(struct op *op, char *buffer, size_t room, uint64_t number)
{
        struct node *node = op->dir->node;
        struct fuse_entry_param entry = { .attr.st_mode = S_IFDIR };

        entry.attr.st_ino = node_shown_ino(number == 0 || !node->parent ? node : node->parent);
        return fuse_add_direntry_plus(op->fuse, buffer, room, number == 0 ? "." : "..", &entry, (off_t) number + 1);
}

/* Appends entry number n to the answer, with its attributes if life_usec is left to them. Returns its size, or one larger than room
 * when it does not fit. */
static size_t put_entry(struct op *op, char *buffer, size_t room, size_t n, uint64_t life_usec, struct node **ret_node)
{
        const struct snapshot *s = op->dir->snapshot;
        const struct catalog_entry *found = &s->catalog.entries[n];
        const char *name = catalog_name(&s->catalog, found);
        struct redirector *r = s->redirector;
        struct fuse_entry_param entry = { 0 };
        off_t offset = (off_t) (n + DOTS + 1);
        struct node *node;
        double usual;

        node = node_child(&r->nodes, op->dir->node, name);
        if (life_usec == 0 || !snapshot_believes(s, found, node) || op->dir->spelt || spelling_possible(r, op->dir->node, name) ||
            !permission_is(op->dir->node, X_OK)) { /* by name only: the kernel looks it up when asked */
                entry.attr.st_ino = found->attr.file_id != 0 ? found->attr.file_id : UINT64_MAX;
                entry.attr.st_mode = found->attr.dos & SMB_ATTR_DIRECTORY ? S_IFDIR : S_IFREG;
                return fuse_add_direntry_plus(op->fuse, buffer, room, name, &entry, offset);
        }
        if (fuse_add_direntry_plus(op->fuse, NULL, 0, name, NULL, 0) > room)
                return room + 1;
        if (!node)
                node = node_child_or_new(&r->nodes, op->dir->node, name);
        if (!node)
                return room + 1;
        node_looked_up(node);
        fill_stat(r, node, &found->attr, &entry.attr);
        node->seen_usec = s->asked_usec;
        entry.ino = node->ino;
        usual = (double) life_usec / 1e6;
        entry.entry_timeout = spelling_timeout(r, node, remote_watch_name_timeout(r, node, s->asked_usec, usual));
        entry.attr_timeout = entry.entry_timeout > 0 ? remote_watch_attr_timeout(r, node, s->asked_usec, usual) : 0;
        *ret_node = node;
        return fuse_add_direntry_plus(op->fuse, buffer, room, name, &entry, offset);
}

static void reply_entries(struct op *op)
{
        const struct snapshot *s = op->dir->snapshot;
        struct redirector *r = op->redirector;
        char buffer[65536];
        uint64_t looked_up[sizeof(buffer) / 128], life_usec = snapshot_life_usec(s);
        size_t used = 0, room = op->size < sizeof(buffer) ? op->size : sizeof(buffer), n = 0;
        fuse_req_t fuse = op->fuse;

        for (uint64_t number = op->offset; number < s->catalog.n + DOTS; number++) {
                struct node *node = NULL;
                size_t size = number < DOTS ? put_dots(op, buffer + used, room - used, number)
                                            : put_entry(op, buffer + used, room - used, number - DOTS, life_usec, &node);

                if (size > room - used)
                        break;
                used += size;
                if (node)
                        looked_up[n++] = node->ino;
        }
        op->fuse = NULL;
        fuse_req_interrupt_func(fuse, NULL, NULL);
        if (fuse_reply_buf(fuse, buffer, used) != 0)
                while (n > 0)
                        node_forget(&r->nodes, looked_up[--n], 1);
        op_free(op);
}

/* Answers a READDIR when what it wants is there. Returns false when it has to wait. */
static bool serve_reader(struct op *op)
{
        const struct snapshot *s = op->dir->snapshot;
        bool there = op->offset < s->catalog.n + DOTS && (s->catalog.n > 0 || s->complete);

        if (!op->fuse)
                op_free(op);
        else if (there || (s->complete && s->error == 0))
                reply_entries(op);
        else if (s->complete)
                op_fail(op, s->error);
        else
                return false;
        return true;
}

static void serve_readers(struct open_dir *dir)
{
        struct op_list waiting = TAILQ_HEAD_INITIALIZER(waiting);
        struct op *op;

        TAILQ_CONCAT(&waiting, &dir->waiting, wait);
        while ((op = TAILQ_FIRST(&waiting))) {
                TAILQ_REMOVE(&waiting, op, wait);
                if (!serve_reader(op))
                        TAILQ_INSERT_TAIL(&dir->waiting, op, wait);
        }
}

/* Reads the directory anew. */
static bool reload(struct open_dir *dir)
{
        struct snapshot *s = snapshot_load(dir->redirector, dir->node);

        if (!s)
                return false;
        snapshot_leave(dir);
        snapshot_use(s, dir);
        dir->used = false;
        return true;
}

/* Whether a listing that nobody has read yet here, and that was asked for before, is not what one would see now. */
static bool is_outdated(const struct snapshot *s)
{
        return snapshot_life_usec(s) == 0 || s->names_changed;
}

void dir_readdirplus(fuse_req_t fuse, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
        struct open_dir *dir = dir_of(fi);
        struct op *op = op_new(dir->redirector, fuse);

        (void) ino;
        if (!op)
                return;
        op->dir = dir;
        op->offset = (uint64_t) offset;
        op->size = size > UINT32_MAX ? UINT32_MAX : (uint32_t) size;
        if (offset == 0 && !dir->snapshot->loading && (dir->used || is_outdated(dir->snapshot)) && !reload(dir)) {
                op_fail(op, -ENOMEM);
                return;
        }
        dir->used = dir->used || offset > 0;
        op_harmless(op);
        if (!serve_reader(op))
                TAILQ_INSERT_TAIL(&dir->waiting, op, wait);
}
