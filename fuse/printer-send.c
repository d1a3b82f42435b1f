/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Complete jobs on their way to the server: OPEN, WRITEs of up to a slot, CLOSE, one request at a time. Only an answered CLOSE
 * says that the server has the job. Whatever fails before, the job begins anew later: a server may print a part of it then, as
 * Samba does when a connection breaks, but never is one left out in silence.
 */

#include "fuse/printer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"

#define RETRY_MIN_USEC (1 * 1000000ULL) /* doubled with each failure */
#define RETRY_MAX_USEC (60 * 1000000ULL)

static void submit(struct printer *printer, enum smb_op what, smb_done_fn done)
{
        struct smb_request *request = &printer->request;

        request->op = what;
        request->done = done;
        request->userdata = printer;
        printer->request_under_way = true;
        smb_pool_submit(printer->redirector->pool, request);
}

/* Takes the request back after its callback; its slot is free again. */
static struct printer *ended(struct smb_request *request)
{
        struct printer *printer = request->userdata;

        printer->request_under_way = false;
        smb_pool_give_slot(printer->redirector->pool, request->slot);
        request->slot = SMB_NO_SLOT;
        return printer;
}

static void let_go(struct printer *printer)
{
        free(printer->request.path);
        smb_file_unref(printer->request.file);
        printer->request = (struct smb_request){ .slot = SMB_NO_SLOT };
        printer->sending = NULL;
}

/* ---- failing ---- */

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct printer *printer = userdata;

        (void) source;
        (void) usec;
        printer->retry_source = sd_event_source_disable_unref(printer->retry_source);
        printer_send(printer);
        return 0;
}

static void failed(struct printer *printer, int error)
{
        struct print_job *job = printer->sending;
        uint64_t distance = printer->failures < 6 ? RETRY_MIN_USEC << printer->failures : RETRY_MAX_USEC;

        let_go(printer);
        if (error == -ECANCELED) /* the pool is going */
                return;
        if (job && !job->complained)
                log_info("a print job of %llu bytes on %s cannot be sent, and is tried again: %s", (unsigned long long) job->size_bytes,
                         printer->redirector->connection->name, strerror(-error));
        if (job) {
                job->complained = true;
                job->handle.unsent_bytes = job->size_bytes;
        }
        printer->failures++;
        (void) sd_event_add_time_relative(printer->redirector->event, &printer->retry_source, CLOCK_MONOTONIC, distance, 0, on_retry,
                                          printer);
}

/* ---- sending ---- */

static void closed(struct smb_request *request)
{
        struct printer *printer = ended(request);
        struct print_job *job = printer->sending;
        int error = printer->send_error ? printer->send_error : request->error;

        if (error < 0) {
                failed(printer, error);
                return;
        }
        let_go(printer);
        printer->failures = 0;
        if (job) {
                log_info("a print job of %llu bytes on %s was sent", (unsigned long long) job->size_bytes,
                         printer->redirector->connection->name);
                printer_job_free(job, true);
        }
        printer_send(printer);
}

static void close_job(struct printer *printer, int error)
{
        printer->send_error = error;
        printer->request.length = 0;
        submit(printer, SMB_OP_CLOSE, closed);
}

/* Reads the next piece into a slot. Bytes, 0 at the end, or a negative errno. */
static ssize_t read_piece(struct printer *printer)
{
        struct print_job *job = printer->sending;
        struct arena *arena = smb_pool_arena(printer->redirector->pool);
        uint64_t left = job->size_bytes - printer->sent_bytes;
        ssize_t n;

        if (left == 0)
                return 0;
        printer->request.slot = arena_take(arena);
        if (printer->request.slot == SMB_NO_SLOT)
                return -ENOBUFS;
        do
                n = pread(job->file.fd, arena_memory(arena, printer->request.slot),
                          left < MAX_TRANSFER_BYTES ? (size_t) left : MAX_TRANSFER_BYTES, (off_t) printer->sent_bytes);
        while (n < 0 && errno == EINTR);
        if (n > 0)
                return n;
        return n < 0 ? -errno : -EIO; /* somebody has cut the file */
}

static void send_piece(struct printer *printer);

static void wrote(struct smb_request *request)
{
        struct printer *printer = ended(request);
        struct print_job *job = printer->sending;

        if (!job) { /* dropped: what it has come to ends with the connection */
                let_go(printer);
                return;
        }
        if (request->error < 0 || request->reply_length == 0) {
                int error = request->error < 0 ? request->error : -EIO;

                if (error == -ECANCELED)
                        failed(printer, error);
                else
                        close_job(printer, error);
                return;
        }
        printer->sent_bytes += request->reply_length;
        job->handle.unsent_bytes = job->size_bytes - printer->sent_bytes;
        send_piece(printer);
}

static void send_piece(struct printer *printer)
{
        ssize_t n = read_piece(printer);

        if (n <= 0) {
                ended(&printer->request);
                close_job(printer, (int) n);
                return;
        }
        printer->request.offset = printer->sent_bytes;
        printer->request.length = (uint32_t) n;
        submit(printer, SMB_OP_WRITE, wrote);
}

static void opened(struct smb_request *request)
{
        struct printer *printer = ended(request);

        if (request->error < 0)
                failed(printer, request->error);
        else if (!printer->sending)
                let_go(printer);
        else
                send_piece(printer);
}

static struct print_job *next_job(const struct printer *printer)
{
        struct print_job *job;

        TAILQ_FOREACH(job, &printer->jobs, entry)
                if (job->state == JOB_COMPLETE)
                        return job;
        return NULL;
}

void printer_send(struct printer *printer)
{
        struct redirector *r = printer->redirector;
        struct smb_request *request = &printer->request;
        struct print_job *job = next_job(printer);

        if (!job || printer->stopped || printer->sending || printer->request_under_way || printer->retry_source)
                return;
        /* Its name becomes the document's in the server's queue. */
        if (asprintf(&request->path, "%s %.20s", job->handle.program[0] ? job->handle.program : "wnet", job->file.name) < 0)
                request->path = NULL;
        for (char *p = request->path; p && *p; p++)
                if (*p == '/')
                        *p = '-';
        request->file = request->path ? smb_file_new(r->pool, request->path, O_WRONLY, false) : NULL;
        if (!request->file) {
                failed(printer, -ENOMEM);
                return;
        }
        request->file->once = true;
        request->flags = O_WRONLY | O_CREAT;
        printer->sending = job;
        printer->sent_bytes = 0;
        printer->send_error = 0;
        submit(printer, SMB_OP_OPEN, opened);
}

void printer_send_now(struct printer *printer)
{
        printer->failures = 0;
        printer->retry_source = sd_event_source_disable_unref(printer->retry_source);
        printer_send(printer);
}
