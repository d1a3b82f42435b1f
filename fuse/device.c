/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The FUSE session: receiving requests without ever waiting, into memory where a write's data can stay.
 *
 * The next request is received into a data slot; when it turns out to be a write, the slot goes with it to the worker and the
 * next one is taken. When no slot is free, requests come into a spare buffer, so that everything that needs no slot (FORGET,
 * RELEASE, look-ups …) always gets through; a write that comes there waits in it, and only then the device is left alone.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/log.h"
#include "fuse/internal.h"
#include "fuse/invalidate.h"
#include "fuse/mount.h"
#include "fuse/notify.h"
#include "fuse/printer.h"

#define MINOR_CLEARS_PAGES 41u /* of the protocol: Linux 6.12, the first one that cannot be without it */
#define RELEASE_STEP_USEC 1000
#define RELEASE_TRIES 2000 /* two seconds: so long may the other drives have to wait, in a case that should not occur */
#define REQUESTS_AT_ONCE 64      /* before other connections get their turn */
#define MAX_BACKGROUND 512       /* RELEASE waits behind so many others at most: let it never wait */
#define INIT_BYTES (offsetof(struct fuse_init_in, flags) + sizeof(uint32_t)) /* what matters here of INIT, and of its answer */
#define RECEIVE_BYTES (MAX_TRANSFER_BYTES + 4096u) /* libfuse's buffer size for MAX_TRANSFER_BYTES */

static_assert(offsetof(struct fuse_init_in, flags) == offsetof(struct fuse_init_out, flags), "both have it in the same place");
static_assert(RECEIVE_BYTES <= SMB_SLOT_BYTES, "a request with its header fits into a slot");

void device_initialize(void *userdata, struct fuse_conn_info *info)
{
        struct redirector *r = userdata;

        info->max_write = MAX_TRANSFER_BYTES;
        info->max_read = MAX_TRANSFER_BYTES;
        info->max_readahead = MAX_TRANSFER_BYTES;
        info->max_background = MAX_BACKGROUND;
        info->congestion_threshold = MAX_BACKGROUND / 4 * 3;
        info->want &= ~(unsigned) (FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
                                   FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_WRITEBACK_CACHE);
        info->want |= info->capable & (FUSE_CAP_READDIRPLUS | FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_ASYNC_READ |
                                       FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_PARALLEL_DIROPS);
#ifdef FUSE_CAP_EXPIRE_ONLY
        r->expires_names = info->capable & FUSE_CAP_EXPIRE_ONLY;
#endif
        r->clears_pages = info->proto_minor >= MINOR_CLEARS_PAGES;
        redirector_initialized(r);
}

const struct fuse_lowlevel_ops redirector_fuse_ops = {
        .init = device_initialize,
        .lookup = name_lookup,
        .forget = name_forget,
        .forget_multi = name_forget_multi,
        .getattr = name_getattr,
        .setattr = name_setattr,
        .mkdir = name_mkdir,
        .unlink = name_unlink,
        .rmdir = name_rmdir,
        .rename = name_rename,
        .link = name_link,
        .symlink = name_symlink,
        .mknod = name_mknod,
        .statfs = name_statfs,
        .access = permission_access,
        .setxattr = xattr_set,
        .getxattr = xattr_get,
        .listxattr = xattr_list,
        .removexattr = xattr_remove,
        .open = file_open,
        .create = file_create,
        .read = file_read,
        .write = file_write,
        .flush = file_flush,
        .fsync = file_fsync,
        .copy_file_range = file_copy,
        .release = file_release,
        .opendir = dir_open,
        .readdirplus = dir_readdirplus,
        .releasedir = dir_release,
};

static void fuse_log_message(enum fuse_log_level level, const char *format, va_list args)
{
        char text[512];

        vsnprintf(text, sizeof(text), format, args);
        text[strcspn(text, "\n")] = '\0';
        log_message(level <= FUSE_LOG_ERR ? LOG_ERR : (int) level, "libfuse: %s", text);
}

/* ---- the device ---- */

/* The kernel asks a file system with extended attributes for security.capability before each write, unless that file system drops
 * privileges by itself (node_drop_privileges()). libfuse 3.14 cannot say so: it is added to its answer to INIT. */
static ssize_t device_read(int fd, void *memory, size_t size, void *userdata)
{
        struct redirector *r = userdata;
        ssize_t n = read(fd, memory, size);
        const struct fuse_in_header *header = memory;
        const struct fuse_init_in *init = (const void *) (header + 1);

        if (n >= (ssize_t) (sizeof(*header) + INIT_BYTES) && header->opcode == FUSE_INIT && (init->flags & FUSE_HANDLE_KILLPRIV_V2))
                r->init_unique = header->unique;
        return n;
}

static ssize_t device_writev(int fd, struct iovec *iov, int count, void *userdata)
{
        struct redirector *r = userdata;
        const struct fuse_out_header *header = iov[0].iov_base;

        if (r->init_unique != 0 && header->unique == r->init_unique) {
                r->init_unique = 0;
                if (header->error == 0 && count > 1 && iov[1].iov_len >= INIT_BYTES)
                        ((struct fuse_init_out *) iov[1].iov_base)->flags |= FUSE_HANDLE_KILLPRIV_V2;
        }
        return writev(fd, iov, count);
}

static const struct fuse_custom_io device_io = { .read = device_read, .writev = device_writev };

/* Where the next request goes. NULL: nowhere, the device has to wait. */
static void *receive_memory(struct redirector *r)
{
        if (r->receive_slot == SMB_NO_SLOT)
                r->receive_slot = arena_take(smb_pool_arena(r->pool));
        if (r->receive_slot == SMB_NO_SLOT && stream_reclaim_slot(r))
                r->receive_slot = arena_take(smb_pool_arena(r->pool));
        if (r->receive_slot != SMB_NO_SLOT)
                return arena_memory(smb_pool_arena(r->pool), r->receive_slot);
        return r->stalled_write ? NULL : r->spare_buffer;
}

bool device_is_gone(struct redirector *r)
{
        return !r->session || fuse_session_exited(r->session) || !device_serve(r);
}

bool device_serve(struct redirector *r)
{
        if (!r->session)
                return true;
        file_write_unstall(r);
        for (int i = 0; i < REQUESTS_AT_ONCE; i++) {
                struct fuse_buf buffer = { .mem = receive_memory(r) };
                int n;

                if (!buffer.mem) {
                        (void) sd_event_source_set_enabled(r->device_source, SD_EVENT_OFF);
                        return true;
                }
                n = fuse_session_receive_buf(r->session, &buffer);
                if (n == -EAGAIN || n == -EINTR)
                        return true;
                if (n <= 0)
                        return false;
                fuse_session_process_buf(r->session, &buffer);
                if (r->device_fd < 0)
                        return true;
        }
        return true;
}

void device_resume(struct redirector *r)
{
        if (!r->device_source)
                return;
        if (r->stalled_write) /* there may be nothing to be read until that is answered; written can always be */
                (void) sd_event_source_set_io_events(r->device_source, EPOLLIN | EPOLLOUT);
        (void) sd_event_source_set_enabled(r->device_source, SD_EVENT_ON);
}

static int on_device(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct redirector *r = userdata;

        (void) fd;
        if (revents & EPOLLOUT)
                (void) sd_event_source_set_io_events(source, EPOLLIN);
        if (!device_serve(r))
                mounting_device_gone(r);
        return 0;
}

int device_open(struct redirector *r, int fd)
{
        char max_read[32];
        char *argv[] = { (char *) "wnetd", (char *) "-o", max_read, NULL };
        struct fuse_args args = FUSE_ARGS_INIT(3, argv);
        int error;

        fuse_set_log_func(fuse_log_message);
        snprintf(max_read, sizeof(max_read), "max_read=%u", MAX_TRANSFER_BYTES); /* the mount's option has to be repeated */
        if (!r->spare_buffer)
                r->spare_buffer = malloc(SMB_SLOT_BYTES);
        r->session = fuse_session_new(&args, r->printer ? &printer_fuse_ops : &redirector_fuse_ops, sizeof(redirector_fuse_ops), r);
        fuse_opt_free_args(&args);
        if (!r->session || !r->spare_buffer || fuse_session_custom_io(r->session, &device_io, fd) != 0) {
                close(fd);
                error = -EIO;
                goto fail;
        }
        r->device_fd = fd;
        error = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ? -errno : 0;
        if (error == 0)
                error = sd_event_add_io(r->event, &r->device_source, fd, EPOLLIN, on_device, r);
        if (error >= 0)
                return 0;
fail:
        device_close(r);
        return error;
}

/* Ends what the thread of inv or of job waits for in the kernel, if anything: with the connection; or, where that cannot be aborted
 * (fusectl is not mounted in many a container), with the requests of programs that hold it up, and that nobody has read yet. */
static void release_thread(struct redirector *r, struct invalidator *inv, struct notify_job *job)
{
        for (unsigned i = 0; i < RELEASE_TRIES && (inv ? invalidator_busy(inv) : notify_busy(job)); i++) {
                if (i == 0)
                        (void) mount_abort(r->device_minor);
                else
                        usleep(RELEASE_STEP_USEC);
                if (!device_serve(r))
                        break;
                revoke_answer(r, true);
        }
}

static void end_invalidator(struct redirector *r)
{
        struct invalidator *inv = TAKE_PTR(r->invalidator);

        if (!inv)
                return;
        r->n_invalidated = invalidator_added(inv);
        invalidator_stop(inv);
        release_thread(r, inv, NULL);
        invalidator_free(inv);
}

static void end_notification(struct redirector *r)
{
        struct notify_job *job = TAKE_PTR(r->notify_job);

        if (!job)
                return;
        notify_stop(job);
        if (r->session)
                release_thread(r, NULL, job);
        notify_free(job);
}

void device_close(struct redirector *r)
{
        end_notification(r);
        if (r->session)
                end_invalidator(r);
        r->device_source = sd_event_source_disable_unref(r->device_source);
        if (r->session) {
                revoke_answer(r, true); /* a request must not outlive its session */
                fuse_session_exit(r->session);
                fuse_session_destroy(r->session); /* closes the descriptor */
        }
        r->session = NULL;
        r->device_fd = -1;
}
