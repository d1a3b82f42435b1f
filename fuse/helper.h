/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_HELPER_H
#define FUSE_HELPER_H

/*
 * Programs that run beside the event loop (fusermount3): started with posix_spawn, a clean signal mask, a deadline after which
 * they are killed.
 */

#include <stdbool.h>
#include <systemd/sd-event.h>

struct helper;

/* exit_code: the program's; -1: killed, by its deadline or otherwise. text: what it wrote to standard error, one line, "" where
 * nothing. fd: the descriptor it sent (want_fd), else -1; the callee takes it. The helper is freed after the call. */
typedef void (*helper_done_fn)(void *userdata, int exit_code, const char *text, int fd);

/* Runs argv[0] (looked for in PATH). want_fd: hands it a socket as _FUSE_COMMFD and takes one descriptor from there.
 * 0 or a negative errno; done() is called later, unless helper_cancel() comes first. */
int helper_run(sd_event *event, char *const argv[], bool want_fd, uint64_t timeout_usec, helper_done_fn done, void *userdata,
               struct helper **ret_helper);

/* Lets a program end without its caller: done() is not called; when it mounts something after all, that is unmounted from
 * mountpoint again. Accepts NULL. */
void helper_abandon(struct helper *helper, const char *mountpoint);

/* Detaches what is mounted on mountpoint (fusermount3 -u -z), without telling anybody. */
void helper_detach(sd_event *event, const char *mountpoint);

#endif
