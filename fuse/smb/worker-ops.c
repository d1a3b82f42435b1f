/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a worker does for each request, and the checks on what wnetd asks. Owns the table of open files and listings: a handle on the
 * wire is slot number + 1 in its low half and a counter in its high half, so that a stale one never meets another file.
 *
 * Each do_…() returns 0 or a negative errno.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/fault.h"
#include "fuse/smb/listing.h"
#include "fuse/smb/worker-internal.h"

#define OPEN_TRIES 5
#define LIST_IDS 1000u /* entries of a listing whose file_id is told unasked: it takes longer than all the rest of them */
#define WORKER_HANDLES_MAX 12000u /* libsmbclient's and smbd's own limits lie above */

struct open_handle {
        struct smb_open_file *file;
        struct smb_open_list *list;
        uint64_t n_listed;
        uint32_t counter;
        uint32_t next_free;
        /* An entry that did not fit into the last slot. */
        bool has_pending;
        char pending_name[SMB_NAME_MAX_BYTES + 1];
        struct smb_attr pending_attr;
};

/* ---- handles ---- */

static int handle_new(struct worker *w, struct open_handle **ret_handle, uint64_t *ret_fh)
{
        struct open_handle *h;
        uint32_t i = w->first_free;

        if (i == w->n_handles) {
                struct open_handle **grown;

                if (i >= WORKER_HANDLES_MAX)
                        return -EMFILE;
                grown = realloc(w->handles, (i + 1) * sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                w->handles = grown;
                w->handles[i] = calloc(1, sizeof(**grown));
                if (!w->handles[i])
                        return -ENOMEM;
                w->handles[i]->next_free = ++w->n_handles;
        }
        h = w->handles[i];
        w->first_free = h->next_free;
        h->counter++;
        h->has_pending = false;
        *ret_handle = h;
        *ret_fh = (uint64_t) h->counter << 32 | (i + 1);
        return 0;
}

static void handle_free(struct worker *w, struct open_handle *h, uint64_t fh)
{
        h->file = NULL;
        h->list = NULL;
        h->next_free = w->first_free;
        w->first_free = (uint32_t) fh - 1;
}

static struct open_handle *handle_find(struct worker *w, uint64_t fh)
{
        uint32_t i = (uint32_t) fh;

        if (i == 0 || i > w->n_handles || w->handles[i - 1]->counter != (uint32_t) (fh >> 32))
                return NULL;
        return w->handles[i - 1]->file || w->handles[i - 1]->list ? w->handles[i - 1] : NULL;
}

static struct smb_open_file *file_find(struct worker *w, uint64_t fh)
{
        struct open_handle *h = handle_find(w, fh);

        return h ? h->file : NULL;
}

/* ---- checks ---- */

/* The transfer's memory, or NULL when the request leaves its slot. */
static void *transfer_memory(struct worker *w, const struct smb_message *m)
{
        if (m->slot >= SMB_SLOTS || m->slot_offset > SMB_SLOT_BYTES || m->length > SMB_SLOT_BYTES - m->slot_offset)
                return NULL;
        return w->arena + (size_t) m->slot * SMB_SLOT_BYTES + m->slot_offset;
}

/* The same for what a READ may fill: a slot's part, or a run of slots from its begin on. */
static void *read_memory(struct worker *w, const struct smb_message *m)
{
        if (m->length <= SMB_SLOT_DATA_BYTES)
                return transfer_memory(w, m);
        if (m->slot >= SMB_SLOTS || m->slot_offset != 0 || m->length > SMB_READ_MAX_BYTES ||
            m->length > (size_t) (SMB_SLOTS - m->slot) * SMB_SLOT_BYTES)
                return NULL;
        return w->arena + (size_t) m->slot * SMB_SLOT_BYTES;
}

/* ---- attributes ---- */

static bool is_dot_name(const char *path)
{
        const char *slash = strrchr(path, '/');

        return (slash ? slash[1] : path[0]) == '.';
}

/* Sets attributes of which some are as they were found. Samba calls each file hidden whose name begins with a dot: written back, that
 * would stay with it when it is renamed, as many programs do with what they have written. So it is written back only where a server
 * does not say it anyway. */
static int set_found_dos(struct worker *w, const char *path, uint32_t dos)
{
        const struct smb_backend_ops *ops = w->backend->ops;
        uint32_t doubtful = is_dot_name(path) && !(dos & SMB_ATTR_DIRECTORY) ? dos & SMB_ATTR_HIDDEN : 0;
        struct smb_attr attr;
        int r = ops->set_dos(w->backend, path, dos & ~doubtful);

        if (r < 0 || !doubtful)
                return r;
        r = ops->stat(w->backend, path, &attr);
        return r < 0 || (attr.dos & SMB_ATTR_HIDDEN) ? r : ops->set_dos(w->backend, path, dos);
}

/* ---- opening ---- */

/* Creates a file, readable as well where that is allowed: only then can its attributes be asked for through the handle. */
static int create(struct worker *w, const char *path, int *flags, struct smb_open_file **ret_file)
{
        const struct smb_backend_ops *ops = w->backend->ops;
        int readable = (*flags & ~O_ACCMODE) | O_RDWR;
        int r = ops->open(w->backend, path, readable | O_EXCL, ret_file);

        if (r == -EACCES && (*flags & O_ACCMODE) == O_WRONLY)
                return ops->open(w->backend, path, *flags | O_EXCL, ret_file);
        *flags = readable;
        return r;
}

/* Opens a file for writing that was open so already. A program may go on writing to what has become read-only, or was created
 * so; a server only lets those go on that it has let in. */
static int open_again(struct worker *w, const char *path, int flags, struct smb_open_file **ret_file)
{
        const struct smb_backend_ops *ops = w->backend->ops;
        struct smb_attr attr;
        int r = ops->open(w->backend, path, flags, ret_file), q;

        for (int tries = 0; tries < OPEN_TRIES && r == -EACCES && (flags & O_ACCMODE) != O_RDONLY; tries++) {
                if (ops->stat(w->backend, path, &attr) < 0)
                        break;
                q = attr.dos & SMB_ATTR_READONLY ? set_found_dos(w, path, attr.dos & ~SMB_ATTR_READONLY) : 0;
                if (q < 0)
                        return q;
                r = ops->open(w->backend, path, flags, ret_file); /* fails when another worker has just put the attribute back */
                q = attr.dos & SMB_ATTR_READONLY ? set_found_dos(w, path, attr.dos) : 0;
                if (r == 0 && q < 0) {
                        (void) ops->close(w->backend, *ret_file);
                        return q;
                }
        }
        return r;
}

/* Opens what is there. Servers do not let go of the contents of a hidden or system file in opening it, unless whoever opens it names
 * these attributes, which libsmbclient does not: such a file is emptied when it is open. */
static int open_existing(struct worker *w, const char *path, int flags, struct smb_open_file **ret_file)
{
        const struct smb_backend_ops *ops = w->backend->ops;
        int r = ops->open(w->backend, path, flags, ret_file);

        if (r != -EACCES || !(flags & O_TRUNC))
                return r;
        flags &= ~O_TRUNC;
        r = ops->open(w->backend, path, (flags & O_ACCMODE) == O_RDONLY ? flags | O_RDWR : flags, ret_file);
        if (r < 0)
                return r;
        r = ops->truncate(w->backend, *ret_file, 0);
        if (r < 0)
                (void) ops->close(w->backend, *ret_file);
        return r;
}

/* Opens, and finds out whether it created: a mode belongs to a new file only. *ret_flags: how it is open now. */
static int open_or_create(struct worker *w, struct smb_message *m, int *ret_flags, struct smb_open_file **ret_file)
{
        int flags = (int) m->flags & ~O_APPEND;
        int r = -ENOENT;

        *ret_flags = flags;
        m->created = (flags & O_CREAT) != 0;
        if (m->valid & SMB_OPEN_AGAIN)
                return open_again(w, m->text, flags, ret_file);
        if (!m->created)
                return open_existing(w, m->text, flags, ret_file);
        for (int tries = 0; tries < OPEN_TRIES; tries++) { /* again when somebody deletes it between the two */
                m->created = 1;
                *ret_flags = flags;
                r = create(w, m->text, ret_flags, ret_file);
                if (r != -EEXIST || (flags & O_EXCL))
                        return r;
                m->created = 0;
                *ret_flags = flags & ~O_CREAT;
                r = open_existing(w, m->text, *ret_flags, ret_file);
                if (r != -ENOENT)
                        return r;
        }
        return r;
}

/* The beginning of a file that has just been opened, for whoever is about to read it: up to its end as it is now, so that none has to
 * be looked for. What goes wrong, other than the connection, shows when it is read. */
static int read_beginning(struct worker *w, struct smb_open_file *file, struct smb_message *m)
{
        void *data = transfer_memory(w, m);
        uint64_t length = m->length < m->attr.size_bytes ? m->length : m->attr.size_bytes;
        int64_t n;

        if (!data || length == 0 || length > SMB_SLOT_DATA_BYTES)
                return 0;
        n = w->backend->ops->read(w->backend, file, data, length, 0);
        if (n < 0)
                return worker_lost_connection((int) n) ? (int) n : 0;
        m->reply_length = (uint32_t) n;
        return 0;
}

static int do_open(struct worker *w, struct smb_message *m)
{
        const struct smb_backend_ops *ops = w->backend->ops;
        struct open_handle *h;
        uint64_t fh;
        int flags, r;

        r = handle_new(w, &h, &fh);
        if (r < 0)
                return r;
        r = open_or_create(w, m, &flags, &h->file);
        if (r < 0) {
                handle_free(w, h, fh);
                return r;
        }
        if (m->valid & SMB_WANT_ATTR) {
                r = (flags & O_ACCMODE) == O_WRONLY ? ops->stat(w->backend, m->text, &m->attr)
                                                     : ops->fstat(w->backend, h->file, &m->attr);
                if (r == 0 && m->created && (m->valid & SMB_SET_CREATE_READONLY)) {
                        r = set_found_dos(w, m->text, m->attr.dos | SMB_ATTR_READONLY);
                        m->attr.dos |= SMB_ATTR_READONLY;
                }
                if (r == 0 && (m->valid & SMB_WANT_DATA))
                        r = read_beginning(w, h->file, m);
                if (r < 0) {
                        (void) ops->close(w->backend, h->file);
                        handle_free(w, h, fh);
                        return r;
                }
        }
        m->reply_fh = fh;
        return 0;
}

/* ---- open files ---- */

static int do_close(struct worker *w, struct smb_message *m)
{
        struct open_handle *h = handle_find(w, m->fh);
        int r;

        if (!h || !h->file)
                return -EBADF;
        r = w->backend->ops->close(w->backend, h->file);
        handle_free(w, h, m->fh);
        return r;
}

static uint64_t now_usec(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

static int do_read(struct worker *w, struct smb_message *m)
{
        struct smb_open_file *file = file_find(w, m->fh);
        void *data = read_memory(w, m);
        uint64_t began_usec;
        int64_t n;

        if (!file)
                return -EBADF;
        if (!data)
                return -EINVAL;
        began_usec = now_usec();
        n = w->backend->ops->read(w->backend, file, data, m->length, m->offset);
        if (n < 0)
                return (int) n;
        m->took_usec = (uint32_t) (now_usec() - began_usec);
        m->reply_length = (uint32_t) n;
        return 0;
}

static int do_write(struct worker *w, struct smb_message *m)
{
        struct smb_open_file *file = file_find(w, m->fh);
        const void *data = transfer_memory(w, m);
        int64_t n;

        if (!file)
                return -EBADF;
        if (!data)
                return -EINVAL;
        n = w->backend->ops->write(w->backend, file, data, m->length, m->offset);
        if (n < 0)
                return (int) n;
        m->reply_length = (uint32_t) n;
        return 0;
}

/* Never further than the source's end: the server would refuse all of it. */
static int64_t copy_from(struct worker *w, struct smb_message *m, struct smb_open_file *from, struct smb_open_file *to)
{
        const struct smb_backend_ops *ops = w->backend->ops;
        struct smb_attr attr;
        uint64_t length = m->length;
        int r = ops->fstat(w->backend, from, &attr);

        if (r < 0)
                return r;
        if (m->offset2 >= attr.size_bytes)
                return 0;
        if (length > attr.size_bytes - m->offset2)
                length = attr.size_bytes - m->offset2;
        return ops->copy(w->backend, from, m->offset2, to, m->offset, length);
}

static int do_copy(struct worker *w, struct smb_message *m)
{
        const struct smb_backend_ops *ops = w->backend->ops;
        struct smb_open_file *to = file_find(w, m->fh), *from;
        int64_t n;
        int r;

        if (!to)
                return -EBADF;
        r = ops->open(w->backend, m->text, O_RDONLY, &from);
        if (r < 0)
                return r;
        n = copy_from(w, m, from, to);
        (void) ops->close(w->backend, from);
        if (n < 0)
                return (int) n;
        m->reply_length = (uint32_t) n;
        return 0;
}

/* ---- listings ---- */

static int do_list(struct worker *w, struct smb_message *m)
{
        struct open_handle *h;
        uint64_t fh;
        int r = handle_new(w, &h, &fh);

        if (r < 0)
                return r;
        r = w->backend->ops->list(w->backend, m->text, &h->list);
        if (r < 0) {
                handle_free(w, h, fh);
                return r;
        }
        h->n_listed = 0;
        m->reply_fh = fh;
        return 0;
}

static void list_end(struct worker *w, struct open_handle *h, uint64_t fh)
{
        w->backend->ops->list_close(w->backend, h->list);
        handle_free(w, h, fh);
}

static int do_list_next(struct worker *w, struct smb_message *m)
{
        struct open_handle *h = handle_find(w, m->fh);
        unsigned char *data = transfer_memory(w, m);
        size_t used = 0;
        const char *name;
        struct smb_attr attr;
        bool want_id;

        if (!h || !h->list)
                return -EBADF;
        if (!data || m->length > SMB_SLOT_DATA_BYTES || m->slot_offset != 0)
                return -EINVAL;
        if (h->has_pending) {
                if (!listing_put(data, m->length, &used, h->pending_name, &h->pending_attr))
                        return -EINVAL;
                h->has_pending = false;
        }
        while (want_id = (m->valid & SMB_WANT_IDS) || h->n_listed < LIST_IDS,
               w->backend->ops->list_next(w->backend, h->list, want_id, &name, &attr) == 1) {
                h->n_listed++;
                if (listing_put(data, m->length, &used, name, &attr))
                        continue;
                snprintf(h->pending_name, sizeof(h->pending_name), "%s", name);
                h->pending_attr = attr;
                h->has_pending = true;
                break;
        }
        m->reply_length = (uint32_t) used;
        if (used == 0 && h->has_pending)
                return -EINVAL; /* 0 would say that this was all */
        if (used == 0)
                list_end(w, h, m->fh);
        return 0;
}

static int do_list_close(struct worker *w, struct smb_message *m)
{
        struct open_handle *h = handle_find(w, m->fh);

        if (!h || !h->list)
                return -EBADF;
        list_end(w, h, m->fh);
        return 0;
}

/* Its offset has to be where the last one ended: another process's list is not ours. */
static int do_shares(struct worker *w, struct smb_message *m)
{
        unsigned char *data = transfer_memory(w, m);
        struct smb_share share;
        uint32_t used = 0;
        int r = 1;

        if (!data || m->length > SMB_SLOT_DATA_BYTES || m->length < sizeof(share) || m->offset != w->n_shares)
                return -EINVAL;
        while (m->length - used >= sizeof(share) && (r = w->backend->ops->share_next(w->backend, &share)) == 1) {
                memcpy(data + used, &share, sizeof(share));
                used += sizeof(share);
                w->n_shares++;
        }
        m->reply_length = used;
        return r < 0 ? r : 0;
}

/* ---- names ---- */

static int set_size(struct worker *w, const struct smb_message *m)
{
        const struct smb_backend_ops *ops = w->backend->ops;
        struct smb_open_file *file = m->fh ? file_find(w, m->fh) : NULL;
        int r, q;

        if (m->fh)
                return file ? ops->truncate(w->backend, file, m->offset) : -EBADF;
        r = ops->open(w->backend, m->text, O_WRONLY, &file);
        if (r < 0)
                return r;
        r = ops->truncate(w->backend, file, m->offset);
        q = ops->close(w->backend, file);
        return r < 0 ? r : q;
}

/* Attributes, and of a directory all of them where they are wanted. */
static int stat_dos(struct worker *w, struct smb_message *m)
{
        const struct smb_backend_ops *ops = w->backend->ops;
        int r = ops->stat(w->backend, m->text, &m->attr);

        if (r < 0 || !m->attr.dos_partial || !(m->valid & SMB_WANT_DOS))
                return r;
        m->attr.dos_partial = 0;
        return ops->directory_dos(w->backend, m->text, &m->attr.dos);
}

static int do_stat(struct worker *w, struct smb_message *m)
{
        int r = stat_dos(w, m);

        if (r == 0 && (m->valid & SMB_WANT_BIRTH))
                r = w->backend->ops->birth(w->backend, m->text, &m->birth);
        return r;
}

/* Sets the times of what has the attributes m->attr, and these again: libsmbclient's utimes() clears them. */
static int set_times(struct worker *w, struct smb_message *m)
{
        const struct smb_backend_ops *ops = w->backend->ops;
        int r = ops->set_times(w->backend, m->text, m->valid & SMB_SET_ATIME ? &m->atime : &m->attr.atime,
                               m->valid & SMB_SET_MTIME ? &m->mtime : &m->attr.mtime);

        return r < 0 || !(m->attr.dos & SMB_ATTR_SETTABLE) ? r : set_found_dos(w, m->text, m->attr.dos);
}

static int do_setattr(struct worker *w, struct smb_message *m)
{
        const struct smb_backend_ops *ops = w->backend->ops;
        int r = 0;

        if (m->valid & SMB_SET_SIZE)
                r = set_size(w, m);
        if (r == 0 && (m->valid & (SMB_SET_DOS | SMB_SET_ATIME | SMB_SET_MTIME)))
                r = stat_dos(w, m);
        if (r == 0 && (m->valid & SMB_SET_DOS)) {
                uint32_t dos = (m->attr.dos & ~m->dos_clear) | (m->dos_set & SMB_ATTR_SETTABLE);

                if (m->dos_set & SMB_ATTR_HIDDEN)
                        r = ops->set_dos(w->backend, m->text, dos);
                else if (dos != m->attr.dos)
                        r = set_found_dos(w, m->text, dos);
                m->attr.dos = dos;
        }
        if (r == 0 && (m->valid & (SMB_SET_ATIME | SMB_SET_MTIME)))
                r = set_times(w, m);
        return r < 0 ? r : ops->stat(w->backend, m->text, &m->attr);
}

static int do_rename(struct worker *w, struct smb_message *m, const char *to)
{
        struct smb_attr attr;
        int r;

        if (!to)
                return -EINVAL;
        if (m->flags & RENAME_NOREPLACE) {
                r = w->backend->ops->stat(w->backend, to, &attr);

                if (r == 0)
                        return -EEXIST;
                if (r != -ENOENT)
                        return r;
        }
        FAULT_POINT("worker.rename");
        r = w->backend->ops->rename(w->backend, m->text, to);
        FAULT_POINT("worker.renamed");
        return r;
}

/* How many of two names the listing of their folder has, or a negative errno. */
static int count_listed(struct worker *w, const char *path, const char *path2)
{
        const struct smb_backend_ops *ops = w->backend->ops;
        const char *slash = strrchr(path, '/'), *slash2 = strrchr(path2, '/'), *name;
        char *folder = strndup(path, slash ? (size_t) (slash - path) : 0);
        struct smb_open_list *list;
        struct smb_attr attr;
        int r, n = 0;

        r = folder ? ops->list(w->backend, folder, &list) : -ENOMEM;
        free(folder);
        if (r < 0)
                return r;
        while ((r = ops->list_next(w->backend, list, false, &name, &attr)) == 1)
                n += strcmp(name, slash ? slash + 1 : path) == 0 || strcmp(name, slash2 ? slash2 + 1 : path2) == 0;
        ops->list_close(w->backend, list);
        return r < 0 ? r : n;
}

static int do_spelt(struct worker *w, struct smb_message *m, const char *other)
{
        const struct smb_backend_ops *ops = w->backend->ops;
        struct smb_attr attr;
        int r = other ? ops->stat(w->backend, m->text, &attr) : -EINVAL;

        if (r == 0)
                r = ops->stat(w->backend, other, &m->attr);
        if (r < 0)
                return r;
        if (attr.file_id == 0 || attr.file_id != m->attr.file_id)
                return -ENOENT;
        if (m->flags & SMB_SPELT_FOLDS)
                return 0;
        r = count_listed(w, m->text, other);
        return r < 0 ? r : r == 2 ? -ENOTUNIQ : 0;
}

static int do_rmdir(struct worker *w, struct smb_message *m)
{
        int r = w->backend->ops->rmdir(w->backend, m->text);

        FAULT_POINT("worker.folder-removed");
        return r;
}

static int do_unlink(struct worker *w, struct smb_message *m)
{
        int r = w->backend->ops->unlink(w->backend, m->text);

        FAULT_POINT("worker.unlinked");
        return r;
}

static int do_mkdir(struct worker *w, struct smb_message *m)
{
        const struct smb_backend_ops *ops = w->backend->ops;
        int r = ops->mkdir(w->backend, m->text);

        if (r == 0)
                r = ops->stat(w->backend, m->text, &m->attr);
        if (r == 0 && (m->flags & SMB_MKDIR_HIDDEN))
                (void) ops->set_dos(w->backend, m->text, m->attr.dos | SMB_ATTR_HIDDEN); /* for other machines' eyes only */
        return r;
}

int worker_perform(struct worker *w, struct smb_message *m)
{
        const struct smb_backend_ops *ops = w->backend->ops;
        const char *second = NULL;

        m->text[SMB_TEXT_BYTES - 1] = '\0';
        if (m->path2 > 0 && m->path2 < SMB_TEXT_BYTES)
                second = m->text + m->path2;
        switch (m->op) {
        case SMB_OP_STAT: return do_stat(w, m);
        case SMB_OP_LIST: return do_list(w, m);
        case SMB_OP_LIST_NEXT: return do_list_next(w, m);
        case SMB_OP_LIST_CLOSE: return do_list_close(w, m);
        case SMB_OP_OPEN: return do_open(w, m);
        case SMB_OP_CLOSE: return do_close(w, m);
        case SMB_OP_READ: return do_read(w, m);
        case SMB_OP_WRITE: return do_write(w, m);
        case SMB_OP_SETATTR: return do_setattr(w, m);
        case SMB_OP_UNLINK: return do_unlink(w, m);
        case SMB_OP_MKDIR: return do_mkdir(w, m);
        case SMB_OP_RMDIR: return do_rmdir(w, m);
        case SMB_OP_RENAME: return do_rename(w, m, second);
        case SMB_OP_COPY: return do_copy(w, m);
        case SMB_OP_STATFS: return ops->statfs(w->backend, &m->space);
        case SMB_OP_SHARES: return do_shares(w, m);
        case SMB_OP_SPELT: return do_spelt(w, m, second);
        default: return -ENOSYS;
        }
}
