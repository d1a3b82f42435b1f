/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a worker hands out piece by piece: the listing of a directory, and a server's list of shares.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fuse/smb/listing.h"
#include "fuse/smb/worker-internal.h"

#define LIST_IDS 1000u /* entries of a listing whose file_id is told: it takes longer than all the rest of them */

int worker_list(struct worker *w, struct smb_message *m)
{
        struct open_handle *h;
        uint64_t fh;
        int r = worker_handle_new(w, &h, &fh);

        if (r < 0)
                return r;
        r = w->backend->ops->list(w->backend, m->text, &h->list);
        if (r < 0) {
                worker_handle_free(w, h, fh);
                return r;
        }
        h->n_listed = 0;
        m->reply_fh = fh;
        return 0;
}

static void list_end(struct worker *w, struct open_handle *h, uint64_t fh)
{
        w->backend->ops->list_close(w->backend, h->list);
        worker_handle_free(w, h, fh);
}

int worker_list_next(struct worker *w, struct smb_message *m)
{
        struct open_handle *h = worker_handle_find(w, m->fh);
        unsigned char *data = worker_transfer_memory(w, m);
        size_t used = 0;
        const char *name;
        struct smb_attr attr;

        if (!h || !h->list)
                return -EBADF;
        if (!data || m->length > SMB_SLOT_DATA_BYTES || m->slot_offset != 0)
                return -EINVAL;
        if (h->has_pending) {
                if (!listing_put(data, m->length, &used, h->pending_name, &h->pending_attr))
                        return -EINVAL;
                h->has_pending = false;
        }
        while (w->backend->ops->list_next(w->backend, h->list, h->n_listed < LIST_IDS, &name, &attr) == 1) {
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

int worker_list_close(struct worker *w, struct smb_message *m)
{
        struct open_handle *h = worker_handle_find(w, m->fh);

        if (!h || !h->list)
                return -EBADF;
        list_end(w, h, m->fh);
        return 0;
}

/* Its offset has to be where the last one ended: another process's list is not ours. */
int worker_shares(struct worker *w, struct smb_message *m)
{
        unsigned char *data = worker_transfer_memory(w, m);
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
