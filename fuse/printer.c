/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The FUSE side of a printer port: a file that can only be written to, and whose openings have nothing in common. Every request
 * but an open() that comes while a disconnection is being decided is answered at once.
 *
 * Offsets count within a job: programs that seek while they write (PDF writers do) get what they mean.
 */

#include "fuse/printer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"

static struct print_job *job_of(const struct fuse_file_info *fi)
{
        return (struct print_job *) (uintptr_t) fi->fh;
}

static const char *port_of(const struct printer *printer)
{
        return printer->redirector->connection->name;
}

/* ---- jobs ---- */

/* Enters a job for file (taken, also on failure). */
static int job_new(struct printer *printer, struct spool_file *file, int flags, pid_t tid, struct print_job **ret_job)
{
        struct print_job *job = calloc(1, sizeof(*job));

        if (!job || handle_table_add(&printer->redirector->connection->handles, &job->handle, "", false, flags, tid) < 0) {
                free(job);
                spool_leave(file);
                return -ENOMEM;
        }
        job->printer = printer;
        job->file = *file;
        TAILQ_INSERT_TAIL(&printer->jobs, job, entry);
        *ret_job = job;
        return 0;
}

/* Lets go of what a job has beside its struct. */
static void job_clear(struct print_job *job, bool remove)
{
        struct printer *printer = job->printer;

        if (printer->sending == job)
                printer->sending = NULL;
        if (job->handle.path)
                handle_table_remove(&printer->redirector->connection->handles, &job->handle);
        if (remove)
                spool_remove(&printer->spool, &job->file);
        else
                spool_leave(&job->file);
}

void printer_job_free(struct print_job *job, bool remove)
{
        if (job->state != JOB_DROPPED)
                job_clear(job, remove);
        TAILQ_REMOVE(&job->printer->jobs, job, entry);
        free(job);
}

static void job_complete(struct print_job *job)
{
        struct printer *printer = job->printer;
        int r = spool_complete(&printer->spool, &job->file);

        if (r < 0)
                log_error("a print job on %s cannot be kept over the end of wnetd: %s", port_of(printer), strerror(-r));
        job->state = JOB_COMPLETE;
        job->handle.job = true;
        job->handle.unsent_bytes = job->size_bytes;
        TAILQ_REMOVE(&printer->jobs, job, entry); /* its place is that of its close */
        TAILQ_INSERT_TAIL(&printer->jobs, job, entry);
        printer_send(printer);
}

/* The last descriptor is closed. */
static void job_closed(struct print_job *job)
{
        if (job->state == JOB_OPEN && job->error == 0 && job->size_bytes > 0) {
                job_complete(job);
                return;
        }
        if (job->state == JOB_OPEN && job->error < 0)
                log_info("a print job on %s is dropped, as its program was told: %s", port_of(job->printer), strerror(-job->error));
        printer_job_free(job, true); /* an empty job is none */
}

/* ---- requests ---- */

static void port_getattr(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi)
{
        struct stat st = {
                .st_ino = ino,
                .st_mode = S_IFREG | 0200,
                .st_nlink = 1,
                .st_uid = getuid(),
                .st_gid = getgid(),
                .st_size = fi ? (off_t) job_of(fi)->size_bytes : 0,
                .st_blksize = 4096,
        };

        clock_gettime(CLOCK_REALTIME, &st.st_mtim);
        st.st_atim = st.st_ctim = st.st_mtim;
        fuse_reply_attr(fuse, &st, 0); /* the size is an opening's: nothing to remember */
}

/* Programs that copy set owner, mode and times as well: a port has none of its own. */
static void port_setattr(fuse_req_t fuse, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
        struct print_job *job = fi ? job_of(fi) : NULL;

        if (redirector_of(fuse)->phase == PHASE_REVOKING) {
                fuse_reply_err(fuse, EIO);
                return;
        }
        if (to_set & FUSE_SET_ATTR_SIZE) {
                if (!job && attr->st_size != 0) {
                        fuse_reply_err(fuse, EINVAL);
                        return;
                }
                if (job && ftruncate(job->file.fd, attr->st_size) < 0) {
                        fuse_reply_err(fuse, errno);
                        return;
                }
                if (job)
                        job->size_bytes = (uint64_t) attr->st_size;
        }
        port_getattr(fuse, ino, fi);
}

static void start_open(struct op *op)
{
        struct printer *printer = op->redirector->printer;
        struct fuse_file_info info = { .direct_io = 1 };
        struct spool_file file;
        struct print_job *job = NULL;
        fuse_req_t fuse = op->fuse;
        int r = fuse ? spool_create(&printer->spool, &file) : -EINTR;

        if (r == 0)
                r = job_new(printer, &file, op->flags, fuse_req_ctx(fuse)->pid, &job);
        if (r < 0) {
                op_fail(op, r);
                return;
        }
        op->fuse = NULL;
        fuse_req_interrupt_func(fuse, NULL, NULL);
        info.fh = (uint64_t) (uintptr_t) job;
        if (fuse_reply_open(fuse, &info) != 0)
                printer_job_free(job, true);
        op_free(op);
}

static void port_open(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi)
{
        struct op *op;

        (void) ino;
        if ((fi->flags & O_ACCMODE) != O_WRONLY) { /* a printer has nothing to read */
                fuse_reply_err(fuse, EACCES);
                return;
        }
        op = op_new(redirector_of(fuse), fuse);
        if (!op)
                return;
        op->flags = fi->flags;
        op->start = start_open;
        op_harmless(op);
        op_start_or_park(op);
}

/* Writes all of it, or as much as there is room for. Bytes, or a negative errno. */
static ssize_t write_all(int fd, const char *data, size_t size, off_t offset)
{
        size_t done = 0;

        while (done < size) {
                ssize_t n = pwrite(fd, data + done, size - done, offset + (off_t) done);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return done > 0 ? (ssize_t) done : n < 0 ? -errno : -ENOSPC;
                done += (size_t) n;
        }
        return (ssize_t) done;
}

static void port_write(fuse_req_t fuse, fuse_ino_t ino, const char *data, size_t size, off_t offset, struct fuse_file_info *fi)
{
        struct print_job *job = job_of(fi);
        ssize_t n;

        (void) ino;
        if (redirector_of(fuse)->phase == PHASE_REVOKING || job->state != JOB_OPEN) {
                fuse_reply_err(fuse, EIO);
                return;
        }
        if (fi->flags & O_APPEND) /* the kernel's idea of the end is that of another opening */
                offset = (off_t) job->size_bytes;
        n = write_all(job->file.fd, data, size, offset);
        if (n < 0) {
                job->error = (int) n;
                fuse_reply_err(fuse, (int) -n);
                return;
        }
        job->error = 0; /* a program that goes on where it was refused has its job whole */
        if (job->size_bytes < (uint64_t) offset + (uint64_t) n)
                job->size_bytes = (uint64_t) offset + (uint64_t) n;
        job->handle.written_bytes += (uint64_t) n;
        job->handle.unsent_bytes = job->size_bytes;
        fuse_reply_write(fuse, (size_t) n);
}

/* A close() of one of perhaps several descriptors: nothing ends here, but the program hears that its job will not be printed. Its name
 * is read once more: a shell opens the port and becomes the program that prints, and has ended when the job is on its way. */
static void port_flush(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi)
{
        struct print_job *job = job_of(fi);

        (void) ino;
        if (job->state == JOB_OPEN && fuse_req_ctx(fuse)->pid == job->handle.tid)
                handle_note_opener(&job->handle, job->handle.tid);
        fuse_reply_err(fuse, job->state != JOB_OPEN ? EIO : -job->error);
}

/* As on a pipe or a terminal: there is nothing that could be synchronized, and no harm in asking for it. */
static void port_fsync(fuse_req_t fuse, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
        (void) datasync;
        port_flush(fuse, ino, fi);
}

static void port_release(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi)
{
        (void) ino;
        job_closed(job_of(fi));
        fuse_reply_err(fuse, 0);
}

const struct fuse_lowlevel_ops printer_fuse_ops = {
        .init = device_initialize,
        .getattr = port_getattr,
        .setattr = port_setattr,
        .open = port_open,
        .write = port_write,
        .flush = port_flush,
        .fsync = port_fsync,
        .release = port_release,
};

/* ---- life ---- */

int printer_new(struct redirector *r, const char *spool_dir, struct printer **ret_printer)
{
        struct printer *printer = calloc(1, sizeof(*printer));
        int error;

        if (!printer)
                return -ENOMEM;
        printer->redirector = r;
        printer->request.slot = SMB_NO_SLOT;
        TAILQ_INIT(&printer->jobs);
        error = spool_open(spool_dir, &r->connection->remote, &printer->spool);
        if (error < 0) {
                log_error("the spool folder below %s cannot be used: %s", spool_dir, strerror(-error));
                free(printer);
                return error;
        }
        *ret_printer = printer;
        return 0;
}

static void drop_open_jobs(struct printer *printer)
{
        struct print_job *job, *next;

        for (job = TAILQ_FIRST(&printer->jobs); job; job = next) {
                next = TAILQ_NEXT(job, entry);
                if (job->state == JOB_OPEN && job->size_bytes > 0)
                        log_warning("a print job of %llu bytes on %s is dropped: its mount is gone before it was closed",
                                    (unsigned long long) job->size_bytes, port_of(printer));
                if (job->state != JOB_COMPLETE)
                        printer_job_free(job, true);
        }
}

void printer_forget_session(struct printer *printer)
{
        drop_open_jobs(printer);
}

void printer_free(struct printer *printer)
{
        struct print_job *job;

        if (!printer)
                return;
        assert(!printer->request_under_way);
        drop_open_jobs(printer);
        while ((job = TAILQ_FIRST(&printer->jobs))) {
                log_info("a print job of %llu bytes is kept until a port is connected to its printer again",
                         (unsigned long long) job->size_bytes);
                printer_job_free(job, false);
        }
        spool_close(&printer->spool);
        sd_event_source_disable_unref(printer->retry_source);
        for (size_t i = 0; i < printer->n_lost; i++)
                free(printer->lost[i].path);
        free(printer->lost);
        free(printer);
}

static void load(struct printer *printer)
{
        struct spool_file file = { .fd = -1 };
        char after[SPOOL_NAME_BYTES] = "";

        while (spool_take(&printer->spool, after, &file) == 0) {
                struct print_job *job;
                struct stat st;

                strcpy(after, file.name);
                if (fstat(file.fd, &st) < 0 || job_new(printer, &file, O_WRONLY, 0, &job) < 0)
                        continue;
                job->state = JOB_COMPLETE;
                job->handle.job = true;
                job->size_bytes = job->handle.unsent_bytes = job->handle.written_bytes = (uint64_t) st.st_size;
                log_info("a print job of %llu bytes on %s was left from earlier and is sent now", (unsigned long long) st.st_size,
                         port_of(printer));
        }
}

void printer_serve(struct printer *printer)
{
        if (!printer->loaded)
                load(printer);
        printer->loaded = true;
        printer_send(printer);
}

/* ---- force ---- */

static void note_lost(struct print_job *job)
{
        struct printer *printer = job->printer;
        struct lost_file *grown = realloc(printer->lost, (printer->n_lost + 1) * sizeof(*grown));
        char *path = strdup("/");

        log_info("a print job of %llu bytes on %s is dropped: the port was disconnected by force",
                 (unsigned long long) job->size_bytes, port_of(printer));
        if (grown)
                printer->lost = grown;
        if (grown && path)
                grown[printer->n_lost++] = (struct lost_file){ .path = path, .bytes = job->size_bytes };
        else
                free(path);
}

void printer_revoke(struct printer *printer, bool keep, bool send)
{
        struct print_job *job, *next;

        printer->stopped = !send;
        for (job = TAILQ_FIRST(&printer->jobs); job; job = next) {
                next = TAILQ_NEXT(job, entry);
                if (job->state == JOB_DROPPED || (keep && job->state == JOB_COMPLETE))
                        continue;
                if (job->size_bytes > 0)
                        note_lost(job);
                if (job->state == JOB_COMPLETE) {
                        printer_job_free(job, true);
                        continue;
                }
                job_clear(job, true);
                job->state = JOB_DROPPED; /* the kernel still names it */
        }
        if (send)
                printer_send_now(printer);
}

uint64_t printer_unsent_bytes(const struct printer *printer)
{
        const struct print_job *job;
        uint64_t n = 0;

        if (printer->stopped)
                return 0;
        TAILQ_FOREACH(job, &printer->jobs, entry)
                if (job->state == JOB_COMPLETE)
                        n += job->handle.unsent_bytes + 1; /* its close counts too */
        return n;
}
