/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a worker does for each request, and the checks on what wnetd asks. Owns the table of open files and listings: a handle on the
 * wire is slot number + 1 in its low half and a counter in its high half, so that a stale one never meets another file.
 *
 * Each do_…(), and those in worker-files.c and worker-lists.c, returns 0 or a negative errno.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/fault.h"
#include "fuse/smb/worker-internal.h"

#define WORKER_HANDLES_MAX 12000u /* libsmbclient's and smbd's own limits lie above */

/* ---- handles ---- */

int worker_handle_new(struct worker *w, struct open_handle **ret_handle, uint64_t *ret_fh)
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

void worker_handle_free(struct worker *w, struct open_handle *h, uint64_t fh)
{
        h->file = NULL;
        h->list = NULL;
        h->next_free = w->first_free;
        w->first_free = (uint32_t) fh - 1;
}

struct open_handle *worker_handle_find(struct worker *w, uint64_t fh)
{
        uint32_t i = (uint32_t) fh;

        if (i == 0 || i > w->n_handles || w->handles[i - 1]->counter != (uint32_t) (fh >> 32))
                return NULL;
        return w->handles[i - 1]->file || w->handles[i - 1]->list ? w->handles[i - 1] : NULL;
}

struct smb_open_file *worker_file_find(struct worker *w, uint64_t fh)
{
        struct open_handle *h = worker_handle_find(w, fh);

        return h ? h->file : NULL;
}

/* ---- checks ---- */

void *worker_transfer_memory(struct worker *w, const struct smb_message *m)
{
        if (m->slot >= SMB_SLOTS || m->slot_offset > SMB_SLOT_BYTES || m->length > SMB_SLOT_BYTES - m->slot_offset)
                return NULL;
        return w->arena + (size_t) m->slot * SMB_SLOT_BYTES + m->slot_offset;
}

void *worker_run_memory(struct worker *w, const struct smb_message *m, uint32_t max_bytes)
{
        const uint64_t arena_bytes = (uint64_t) SMB_SLOTS * SMB_SLOT_BYTES;
        uint64_t begin = (uint64_t) m->slot * SMB_SLOT_BYTES + m->slot_offset;

        return m->slot < SMB_SLOTS && m->length <= max_bytes && begin + m->length <= arena_bytes ? w->arena + begin : NULL;
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
int worker_set_found_dos(struct worker *w, const char *path, uint32_t dos)
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

/* ---- names ---- */

static int set_size(struct worker *w, const struct smb_message *m)
{
        const struct smb_backend_ops *ops = w->backend->ops;
        struct smb_open_file *file = m->fh ? worker_file_find(w, m->fh) : NULL;
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
        int r = m->valid & SMB_WANT_DATA ? worker_peek(w, m) : stat_dos(w, m);

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

        return r < 0 || !(m->attr.dos & SMB_ATTR_SETTABLE) ? r : worker_set_found_dos(w, m->text, m->attr.dos);
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
                        r = worker_set_found_dos(w, m->text, dos);
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

        FAULT_POINT("worker.folder-made");
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
        case SMB_OP_LIST: return worker_list(w, m);
        case SMB_OP_LIST_NEXT: return worker_list_next(w, m);
        case SMB_OP_LIST_CLOSE: return worker_list_close(w, m);
        case SMB_OP_OPEN: return worker_open(w, m);
        case SMB_OP_CLOSE: return worker_close(w, m);
        case SMB_OP_READ: return worker_read(w, m);
        case SMB_OP_WRITE: return worker_write(w, m);
        case SMB_OP_SETATTR: return do_setattr(w, m);
        case SMB_OP_UNLINK: return do_unlink(w, m);
        case SMB_OP_MKDIR: return do_mkdir(w, m);
        case SMB_OP_RMDIR: return do_rmdir(w, m);
        case SMB_OP_RENAME: return do_rename(w, m, second);
        case SMB_OP_COPY: return worker_copy(w, m);
        case SMB_OP_STATFS: return ops->statfs(w->backend, &m->space);
        case SMB_OP_SHARES: return worker_shares(w, m);
        case SMB_OP_SPELT: return do_spelt(w, m, second);
        default: return -ENOSYS;
        }
}
