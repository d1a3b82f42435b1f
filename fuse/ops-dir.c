/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Open directories. A listing is read whole from the server, in one go, when the directory is opened, and handed to the kernel
 * with attributes entry by entry; an offset is an entry's number, so that telldir and seekdir work and no entry comes twice,
 * whatever others create and delete meanwhile. Rewinding reads anew.
 *
 * Offsets: 1 is behind ".", 2 behind "..", n + 3 behind entry n.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "fuse/internal.h"
#include "fuse/smb/listing.h"

#define DOTS 2u
#define LISTING_LIFE_USEC 1000000u /* how long its attributes are given out */
#define LISTING_MAX_BYTES (256u << 20) /* of names and attributes, two million of them: more is a broken server */

static struct open_dir *dir_of(const struct fuse_file_info *fi)
{
        return (struct open_dir *) (uintptr_t) fi->fh;
}

static void continue_loading(struct open_dir *dir);
static void serve_readers(struct open_dir *dir);

void dir_free(struct open_dir *dir)
{
        struct redirector *r = dir->redirector;
        struct op *op;

        while ((op = TAILQ_FIRST(&dir->waiting))) {
                TAILQ_REMOVE(&dir->waiting, op, wait);
                op_fail(op, -EIO);
        }
        if (dir->handle.path)
                handle_table_remove(&r->connection->handles, &dir->handle);
        TAILQ_REMOVE(&r->dirs, dir, entry);
        node_unref(&r->nodes, dir->node);
        free(dir->path);
        free(dir->entries);
        free(dir->names);
        free(dir);
}

/* Ends dir, when nothing that is under way names it any more. */
void dir_close(struct open_dir *dir)
{
        struct redirector *r = dir->redirector;

        dir->released = true;
        if (dir->handle.path)
                handle_table_remove(&r->connection->handles, &dir->handle);
        if (!dir->loading)
                dir_free(dir);
}

/* ---- loading ---- */

static int add_entry(struct open_dir *dir, const char *name, const struct smb_attr *attr)
{
        size_t length = strlen(name) + 1;

        if (dir->names_bytes + dir->n_entries * sizeof(*dir->entries) > LISTING_MAX_BYTES)
                return -EFBIG;
        if (dir->n_entries == dir->entries_room) {
                size_t room = dir->entries_room ? dir->entries_room * 2 : 64;
                struct dir_entry *entries = realloc(dir->entries, room * sizeof(*entries));

                if (!entries)
                        return -ENOMEM;
                dir->entries = entries;
                dir->entries_room = room;
        }
        if (dir->names_bytes + length > dir->names_room) {
                size_t room = dir->names_room ? dir->names_room * 2 : 4096;
                char *names = realloc(dir->names, room);

                if (!names)
                        return -ENOMEM;
                dir->names = names;
                dir->names_room = room;
        }
        memcpy(dir->names + dir->names_bytes, name, length);
        dir->entries[dir->n_entries++] = (struct dir_entry){ .attr = *attr, .name = dir->names_bytes };
        dir->names_bytes += length;
        return 0;
}

static int add_entries(struct open_dir *dir, const void *data, size_t size)
{
        char name[SMB_NAME_MAX_BYTES + 1];
        struct smb_attr attr;
        size_t at = 0;
        int r;

        while ((r = listing_take(data, size, &at, name, &attr)) == 1) {
                if (!dir->node->parent && strcmp(name, PARK_FOLDER) == 0)
                        continue;
                r = add_entry(dir, name, &attr);
                if (r < 0)
                        return r;
        }
        if (r == -EBADMSG) {
                log_warning("a listing that makes no sense was refused: %s", dir->path);
                return -EIO;
        }
        return r;
}

static void loading_ended(struct open_dir *dir, int error)
{
        dir->loading = false;
        dir->complete = true;
        dir->error = error;
        if (dir->released)
                dir_free(dir);
        else
                serve_readers(dir);
}

static void loaded(struct smb_request *request)
{
        struct op *op = op_of(request);
        struct open_dir *dir = op->dir;
        int error = request->error;
        bool more = error == 0 && request->reply_length > 0;

        if (more && !dir->released)
                error = add_entries(dir, arena_memory(smb_pool_arena(op->redirector->pool), request->slot),
                                    request->reply_length);
        op_free(op);
        if (!more || error < 0)
                loading_ended(dir, error);
        else {
                if (!dir->released)
                        serve_readers(dir);
                continue_loading(dir);
        }
}

static void list_closed(struct smb_request *request)
{
        struct op *op = op_of(request);

        loading_ended(op->dir, 0);
        op_free(op);
}

static void continue_loading(struct open_dir *dir)
{
        struct op *op = op_new(dir->redirector, NULL);

        if (!op) {
                loading_ended(dir, -ENOMEM);
                return;
        }
        op->dir = dir;
        op->request.worker = dir->list_worker;
        op->request.generation = dir->list_generation;
        op->request.fh = dir->list_fh;
        op->request.length = SMB_SLOT_DATA_BYTES;
        op_submit(op, dir->released ? SMB_OP_LIST_CLOSE : SMB_OP_LIST_NEXT, dir->released ? list_closed : loaded);
}

static void forget_entries(struct open_dir *dir)
{
        dir->n_entries = dir->names_bytes = 0;
        dir->complete = false;
        dir->used = false;
        dir->error = 0;
}

/* The server has read the directory; op is the OPENDIR that asked, or has no request when the directory was rewound. */
static void listed(struct smb_request *request)
{
        struct op *op = op_of(request);
        struct open_dir *dir = op->dir;
        fuse_req_t fuse = op->fuse;
        struct fuse_file_info info = { .fh = (uint64_t) (uintptr_t) dir };
        int error = request->error;
        bool opening = op->opens;

        dir->listed_usec = redirector_now(op->redirector);
        dir->list_worker = request->worker;
        dir->list_generation = request->generation;
        dir->list_fh = request->fh;
        if (!opening) {
                op_free(op);
                if (error < 0)
                        loading_ended(dir, error);
                else
                        continue_loading(dir);
                return;
        }
        if (error == 0 && fuse)
                error = handle_table_add(&op->redirector->connection->handles, &dir->handle, dir->path, true, O_RDONLY,
                                         fuse_req_ctx(fuse)->pid);
        if (error < 0) {
                dir->loading = false;
                dir_free(dir);
                op_fail(op, error);
                return;
        }
        op->fuse = NULL;
        if (fuse)
                fuse_req_interrupt_func(fuse, NULL, NULL);
        if (!fuse || fuse_reply_open(fuse, &info) != 0)
                dir_close(dir);
        op_free(op);
        continue_loading(dir);
}

static void start_opendir(struct op *op)
{
        struct redirector *r = op->redirector;
        struct open_dir *dir;

        if (!op_ready(op))
                return;
        dir = calloc(1, sizeof(*dir));
        if (dir)
                dir->path = strdup(op->request.path);
        if (!dir || !dir->path) {
                free(dir);
                op_fail(op, -ENOMEM);
                return;
        }
        dir->redirector = r;
        dir->node = node_ref(op->node);
        dir->loading = true;
        dir->asked_usec = redirector_now(r);
        TAILQ_INIT(&dir->waiting);
        TAILQ_INSERT_TAIL(&r->dirs, dir, entry);
        op->dir = dir;
        op_submit(op, SMB_OP_LIST, listed);
}

void dir_open(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi)
{
        struct redirector *r = redirector_of(fuse);
        struct op *op = op_new(r, fuse);

        (void) fi;
        if (!op)
                return;
        op->node = node_ref(node_find(&r->nodes, ino));
        op->opens = true;
        op_harmless(op);
        op_begin(op, start_opendir);
}

void dir_release(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi)
{
        (void) ino;
        dir_close(dir_of(fi));
        fuse_reply_err(fuse, 0);
}

/* ---- reading ---- */

/* Appends one entry to the answer. Returns its size, or 0 when it does not fit. */
static size_t put_entry(struct op *op, char *buffer, size_t room, uint64_t number, struct node **ret_node)
{
        struct open_dir *dir = op->dir;
        struct redirector *r = dir->redirector;
        struct fuse_entry_param entry = { .attr_timeout = ATTR_TIMEOUT_SEC, .entry_timeout = ATTR_TIMEOUT_SEC };
        const struct smb_attr *attr;
        const struct node *known;
        const char *name;
        size_t size;

        *ret_node = NULL;
        if (number < DOTS) { /* the kernel takes only the type and number of these two */
                const struct node *node = number == 0 || !dir->node->parent ? dir->node : dir->node->parent;

                entry.attr.st_ino = node_shown_ino(node);
                entry.attr.st_mode = S_IFDIR;
                return fuse_add_direntry_plus(op->fuse, buffer, room, number == 0 ? "." : "..", &entry, (off_t) number + 1);
        }
        name = dir->names + dir->entries[number - DOTS].name;
        attr = &dir->entries[number - DOTS].attr;
        known = node_child(&r->nodes, dir->node, name);
        if (redirector_now(r) - dir->listed_usec > LISTING_LIFE_USEC || dir->node->names_changed_usec >= dir->asked_usec ||
            (known && (known->behind || known->changed_usec >= dir->asked_usec))) {
                /* by name only: the kernel looks it up when asked */
                entry.attr.st_ino = attr->file_id != 0 ? attr->file_id : UINT64_MAX;
                entry.attr.st_mode = attr->dos & SMB_ATTR_DIRECTORY ? S_IFDIR : S_IFREG;
                return fuse_add_direntry_plus(op->fuse, buffer, room, name, &entry, (off_t) number + 1);
        }
        if (fuse_add_direntry_plus(op->fuse, NULL, 0, name, NULL, 0) > room)
                return room + 1;
        *ret_node = node_child_or_new(&r->nodes, dir->node, name);
        if (!*ret_node)
                return room + 1;
        node_looked_up(*ret_node);
        fill_stat(r, *ret_node, attr, &entry.attr);
        entry.ino = (*ret_node)->ino;
        size = fuse_add_direntry_plus(op->fuse, buffer, room, name, &entry, (off_t) number + 1);
        return size;
}

static void reply_entries(struct op *op)
{
        struct open_dir *dir = op->dir;
        struct redirector *r = dir->redirector;
        char buffer[65536];
        uint64_t looked_up[sizeof(buffer) / 128];
        size_t used = 0, room = op->size < sizeof(buffer) ? op->size : sizeof(buffer), n = 0;
        fuse_req_t fuse = op->fuse;

        for (uint64_t number = op->offset; number < dir->n_entries + DOTS; number++) {
                struct node *node;
                size_t size = put_entry(op, buffer + used, room - used, number, &node);

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
        struct open_dir *dir = op->dir;
        bool there = op->offset < dir->n_entries + DOTS && (dir->n_entries > 0 || dir->complete);

        if (!op->fuse)
                op_free(op);
        else if (there || (dir->complete && dir->error == 0))
                reply_entries(op);
        else if (dir->complete)
                op_fail(op, dir->error);
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

static void start_reload(struct op *op)
{
        struct redirector *r = op->redirector;
        struct open_dir *dir = op->dir;
        int error;

        if (r->change) { /* it may be its name */
                TAILQ_INSERT_TAIL(&r->change_waiters, op, wait);
                return;
        }
        error = node_path(dir->node, NULL, &op->request.path);
        if (error < 0) {
                op_free(op);
                loading_ended(dir, error == -ESTALE ? 0 : error); /* it was deleted: nothing is in it */
                return;
        }
        op_submit(op, SMB_OP_LIST, listed);
}

/* Reads the directory anew. */
static void reload(struct open_dir *dir)
{
        struct op *op = op_new(dir->redirector, NULL);

        forget_entries(dir);
        dir->loading = true;
        dir->asked_usec = redirector_now(dir->redirector);
        if (!op) {
                loading_ended(dir, -ENOMEM);
                return;
        }
        op->dir = dir;
        op_begin(op, start_reload);
}

/* Whether a listing that nobody has read yet, which was asked for when the directory was opened, is not what one would see now. */
static bool is_outdated(const struct open_dir *dir)
{
        return redirector_now(dir->redirector) - dir->listed_usec > LISTING_LIFE_USEC ||
               dir->node->names_changed_usec >= dir->asked_usec || dir->node->names_made_usec >= dir->asked_usec;
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
        if (offset == 0 && !dir->loading && (dir->used || is_outdated(dir)))
                reload(dir);
        dir->used = dir->used || offset > 0;
        op_harmless(op);
        if (!serve_reader(op))
                TAILQ_INSERT_TAIL(&dir->waiting, op, wait);
}
