/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The server's open files, and what keeps a request from its worker: a file whose process is gone is opened again first
 * (reopening), and one that must not be open for a while is closed until then (a hold). Requests wait in file->waiting
 * meanwhile.
 */

#include "fuse/smb/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/log.h"
#include "fuse/smb/pool-internal.h"

/* A file that is closed for a while. */
struct smb_hold {
        enum { HOLD_WAITING, HOLD_CLOSING, HOLD_CLOSED } state; /* WAITING: for the requests under way */
        struct smb_request close;
        void (*held)(void *userdata);
        void *userdata;
};

static void file_count(struct smb_pool *pool, struct smb_file *file)
{
        if (!file->counted)
                pool->links[file->worker].n_files++;
        file->counted = true;
}

void file_uncount(struct smb_pool *pool, struct smb_file *file)
{
        if (file->counted)
                pool->links[file->worker].n_files--;
        file->counted = false;
}

struct smb_file *smb_file_new(struct smb_pool *pool, const char *path, int flags, bool small)
{
        struct smb_file *file = calloc(1, sizeof(*file));

        if (!file)
                return NULL;
        file->path = strdup(path);
        if (!file->path) {
                free(file);
                return NULL;
        }
        file->flags = flags;
        file->refs = 1;
        TAILQ_INIT(&file->waiting);
        file->worker = choice_for_file(pool, small);
        file_count(pool, file);
        return file;
}

void smb_file_unref(struct smb_file *file)
{
        if (!file || --file->refs > 0)
                return;
        assert(TAILQ_EMPTY(&file->waiting) && !file->reopening && !file->hold);
        free(file->path);
        free(file);
}

/* ---- reopening ---- */

static void reopened(struct smb_request *open)
{
        struct smb_pool *pool = open->userdata;
        struct smb_file *file = open->file;
        struct smb_request_list waiting = TAILQ_HEAD_INITIALIZER(waiting);
        struct smb_request *request;
        int error = open->error;

        file->reopening = false;
        TAILQ_CONCAT(&waiting, &file->waiting, queue); /* some may wait again */
        if (error == 0 && file->file_id != 0 && open->attr.file_id != 0 && file->file_id != open->attr.file_id) {
                log_warning("a file was replaced on the server while it was out of reach: %s", file->path);
                file->dead = true;
        }
        if (error == 0)
                file_count(pool, file); /* a CLOSE that was under way when this began has ended since */
        while ((request = TAILQ_FIRST(&waiting))) {
                TAILQ_REMOVE(&waiting, request, queue);
                if (error < 0 || (file->dead && request->op != SMB_OP_CLOSE)) {
                        pool_finish(pool, request, request->op == SMB_OP_CLOSE ? 0 : -EIO);
                        continue;
                }
                if (request->unsent_bytes > 0) /* of which this process knows nothing yet */
                        smb_file_note_unsent(pool, file, request, request->unsent_bytes);
                pool_route(pool, request);
        }
        free(open);
}

static void end_waiting(struct smb_pool *pool, struct smb_file *file, int error)
{
        struct smb_request *request;

        while ((request = TAILQ_FIRST(&file->waiting))) {
                TAILQ_REMOVE(&file->waiting, request, queue);
                pool_finish(pool, request, error);
        }
}

void file_reopen(struct smb_pool *pool, struct smb_file *file)
{
        struct smb_request *open = calloc(1, sizeof(*open));

        if (!open) {
                end_waiting(pool, file, -ENOMEM);
                return;
        }
        *open = (struct smb_request){
                .op = SMB_OP_OPEN, .path = file->path, .flags = (uint32_t) (file->flags & ~(O_CREAT | O_EXCL | O_TRUNC)),
                .valid = SMB_WANT_ATTR | SMB_OPEN_AGAIN, .file = file, .slot = SMB_NO_SLOT, .done = reopened, .userdata = pool,
                .internal = true,
        };
        file->reopening = true;
        file->refs++;
        file_count(pool, file);
        pool_route(pool, open);
}

void file_reopening_cancelled(struct smb_pool *pool, struct smb_request *open)
{
        struct smb_file *file = open->file;

        end_waiting(pool, file, -ECANCELED);
        file->reopening = false;
        smb_file_unref(file);
        free(open);
}

/* ---- holding ---- */

static void hold_closed(struct smb_request *close)
{
        struct smb_file *file = close->file;
        struct smb_hold *hold = file->hold;

        file->generation = 0;
        hold->state = HOLD_CLOSED;
        hold->held(hold->userdata);
}

static void close_held(struct smb_pool *pool, struct smb_file *file)
{
        struct smb_hold *hold = file->hold;

        hold->state = HOLD_CLOSING;
        hold->close = (struct smb_request){
                .op = SMB_OP_CLOSE, .file = file, .slot = SMB_NO_SLOT, .done = hold_closed,
        };
        file->refs++;
        pool_route(pool, &hold->close);
}

bool file_defers(const struct smb_file *file, const struct smb_request *request)
{
        if (request->internal) /* the reopening, for which the others wait */
                return false;
        return (file->hold && request != &file->hold->close) || (file->reopening && request->op == SMB_OP_CLOSE);
}

void file_left_worker(struct smb_pool *pool, struct smb_request *request)
{
        struct smb_file *file = request->file;

        if (!file)
                return;
        assert(file->under_way > 0);
        file->under_way--;
        if (file->hold && file->hold->state == HOLD_WAITING && file->under_way == 0)
                close_held(pool, file);
}

int smb_file_hold(struct smb_pool *pool, struct smb_file *file, void (*held)(void *userdata), void *userdata)
{
        assert(!file->hold);
        file->hold = calloc(1, sizeof(*file->hold));
        if (!file->hold)
                return -ENOMEM;
        file->hold->held = held;
        file->hold->userdata = userdata;
        if (file->under_way == 0)
                close_held(pool, file);
        return 0;
}

/* What has waited while its file was held (a SETATTR, an OPEN that is repeated) names it as the file is called now. A COPY names
 * another file, which may have been renamed as well. */
static int follow(struct smb_request *request, const struct smb_file *file)
{
        char *path;

        if (request->op == SMB_OP_COPY)
                return -EAGAIN;
        if (request->internal) { /* the reopening, which has borrowed it */
                request->path = file->path;
                return 0;
        }
        if (!request->path)
                return 0;
        path = strdup(file->path);
        if (!path)
                return -ENOMEM;
        free(request->path);
        request->path = path;
        return 0;
}

void smb_file_release(struct smb_pool *pool, struct smb_file *file, const char *path)
{
        struct smb_request_list waiting = TAILQ_HEAD_INITIALIZER(waiting);
        struct smb_request *request;
        char *copy = path ? strdup(path) : NULL;
        int r;

        assert(file->hold && file->hold->state == HOLD_CLOSED);
        free(TAKE_PTR(file->hold));
        if (path && !copy)
                file->dead = true; /* better no file than another one */
        if (copy) {
                free(file->path);
                file->path = copy;
        }
        TAILQ_CONCAT(&waiting, &file->waiting, queue);
        while ((request = TAILQ_FIRST(&waiting))) {
                TAILQ_REMOVE(&waiting, request, queue);
                r = copy ? follow(request, file) : 0;
                if (r < 0)
                        pool_finish(pool, request, r);
                else
                        pool_route(pool, request);
        }
}

/* ---- unsent data ---- */

bool smb_file_is_open(const struct smb_pool *pool, const struct smb_file *file)
{
        const struct smb_link *link = &pool->links[file->worker];

        return link->state == LINK_UP && link->generation == file->generation && !file->hold && !file->dead;
}

void smb_file_note_unsent(struct smb_pool *pool, const struct smb_file *file, const struct smb_request *write, uint32_t length)
{
        struct smb_link *link = &pool->links[file->worker];
        struct smb_unsent *unsent;

        if (!link->channel)
                return;
        unsent = &link->channel->unsent[write->slot];
        if (length == 0 || !smb_file_is_open(pool, file)) {
                atomic_store_explicit(&unsent->length, 0, memory_order_release);
                return;
        }
        if (atomic_load_explicit(&unsent->length, memory_order_relaxed) == 0 || unsent->fh != file->fh) {
                atomic_store_explicit(&unsent->length, 0, memory_order_release);
                unsent->slot_offset = write->slot_offset;
                unsent->fh = file->fh;
                unsent->offset = write->offset;
                unsent->order = ++pool->unsent_count;
        }
        atomic_store_explicit(&unsent->length, length, memory_order_release);
}
