/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a worker does with files: opening them, and what is done to them while they are open.
 */

#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "fuse/smb/worker-internal.h"

#define OPEN_TRIES 5

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
                q = attr.dos & SMB_ATTR_READONLY ? worker_set_found_dos(w, path, attr.dos & ~SMB_ATTR_READONLY) : 0;
                if (q < 0)
                        return q;
                r = ops->open(w->backend, path, flags, ret_file); /* fails when another worker has just put the attribute back */
                q = attr.dos & SMB_ATTR_READONLY ? worker_set_found_dos(w, path, attr.dos) : 0;
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
        void *data = worker_transfer_memory(w, m);
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

int worker_open(struct worker *w, struct smb_message *m)
{
        const struct smb_backend_ops *ops = w->backend->ops;
        struct open_handle *h;
        uint64_t fh;
        int flags, r;

        r = worker_handle_new(w, &h, &fh);
        if (r < 0)
                return r;
        r = open_or_create(w, m, &flags, &h->file);
        if (r < 0) {
                worker_handle_free(w, h, fh);
                return r;
        }
        if (m->valid & SMB_WANT_ATTR) {
                r = (flags & O_ACCMODE) == O_WRONLY ? ops->stat(w->backend, m->text, &m->attr)
                                                     : ops->fstat(w->backend, h->file, &m->attr);
                if (r == 0 && m->created && (m->valid & SMB_SET_CREATE_READONLY)) {
                        r = worker_set_found_dos(w, m->text, m->attr.dos | SMB_ATTR_READONLY);
                        m->attr.dos |= SMB_ATTR_READONLY;
                }
                if (r == 0 && (m->valid & SMB_WANT_DATA))
                        r = read_beginning(w, h->file, m);
                if (r < 0) {
                        (void) ops->close(w->backend, h->file);
                        worker_handle_free(w, h, fh);
                        return r;
                }
        }
        m->reply_fh = fh;
        return 0;
}

int worker_peek(struct worker *w, struct smb_message *m)
{
        const struct smb_backend_ops *ops = w->backend->ops;
        struct smb_open_file *file;
        int r = ops->open(w->backend, m->text, O_RDONLY, &file), q;

        if (r < 0)
                return r;
        r = ops->fstat(w->backend, file, &m->attr);
        if (r == 0)
                r = read_beginning(w, file, m);
        q = ops->close(w->backend, file);
        return r < 0 ? r : q;
}

/* ---- open files ---- */

int worker_close(struct worker *w, struct smb_message *m)
{
        struct open_handle *h = worker_handle_find(w, m->fh);
        int r;

        if (!h || !h->file)
                return -EBADF;
        r = w->backend->ops->close(w->backend, h->file);
        worker_handle_free(w, h, m->fh);
        return r;
}

static uint64_t now_usec(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

int worker_read(struct worker *w, struct smb_message *m)
{
        struct smb_open_file *file = worker_file_find(w, m->fh);
        void *data = worker_run_memory(w, m, SMB_READ_MAX_BYTES);
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

int worker_write(struct worker *w, struct smb_message *m)
{
        struct smb_open_file *file = worker_file_find(w, m->fh);
        const void *data = worker_run_memory(w, m, SMB_WRITE_MAX_BYTES);
        uint64_t began_usec;
        int64_t n;

        if (!file)
                return -EBADF;
        if (!data)
                return -EINVAL;
        began_usec = now_usec();
        n = w->backend->ops->write(w->backend, file, data, m->length, m->offset);
        if (n < 0)
                return (int) n;
        m->took_usec = (uint32_t) (now_usec() - began_usec);
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

int worker_copy(struct worker *w, struct smb_message *m)
{
        const struct smb_backend_ops *ops = w->backend->ops;
        struct smb_open_file *to = worker_file_find(w, m->fh), *from;
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
