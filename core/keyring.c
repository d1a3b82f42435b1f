/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns a call from the start of its program until that has been reaped. A password is shorter than a pipe, so both directions need no
 * waiting: it is written before the program starts, and read after it has ended.
 */

#include "core/keyring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/child.h"
#include "core/cleanup.h"
#include "core/utf8.h"

#define CALL_TIMEOUT_USEC (5 * 1000000ULL)

static_assert(SECRET_MAX_BYTES < PIPE_BUF, "a password is written at once");

extern char **environ;

struct keyring_call {
        pid_t pid;
        enum keyring_action action;
        int password_fd, text_fd; /* the program's standard output and standard error */
        keyring_done_fn done;     /* NULL: cancelled */
        void *userdata;
};

static void call_free(void *userdata)
{
        struct keyring_call *call = userdata;

        if (call->password_fd >= 0)
                close(call->password_fd);
        if (call->text_fd >= 0)
                close(call->text_fd);
        free(call);
}

static enum keyring_result result_of(int exit_code)
{
        return exit_code < 0 || exit_code > KEYRING_NO_SERVICE ? KEYRING_FAILED : (enum keyring_result) exit_code;
}

/* What the program has written: a password, if it is one that a server can be given. */
static int take_password(int fd, struct secret *ret_password)
{
        char bytes[SECRET_MAX_BYTES + 2];
        ssize_t n = read(fd, bytes, sizeof(bytes) - 1);
        int r = -EBADMSG;

        bytes[n > 0 ? n : 0] = '\0';
        if (n >= 0 && strlen(bytes) == (size_t) n)
                r = secret_set(ret_password, bytes);
        explicit_bzero(bytes, sizeof(bytes));
        return r;
}

static void on_ended(void *userdata, int exit_code)
{
        _cleanup_(secret_done) struct secret password = { 0 };
        struct keyring_call *call = userdata;
        enum keyring_result result = result_of(exit_code);
        char text[256] = "";

        if (!call->done)
                return;
        child_take_line(call->text_fd, text, sizeof(text));
        utf8_make_printable(text);
        if (result != KEYRING_DONE && !text[0])
                snprintf(text, sizeof(text), "%s", exit_code < 0 ? "the Secret Service does not answer" : "wnet-secret failed");
        if (result == KEYRING_DONE && call->action == KEYRING_LOOKUP && take_password(call->password_fd, &password) < 0) {
                result = KEYRING_FAILED;
                snprintf(text, sizeof(text), "what the keyring has for it is not a password");
        }
        call->done(call->userdata, result, &password, result == KEYRING_DONE ? "" : text);
}

/* A pipe that holds bytes and ends behind them. The descriptor to read from, or a negative errno. */
static int pipe_holding(const struct secret *secret)
{
        _cleanup_close_ int from = -1, to = -1;
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        from = ends[0];
        to = ends[1];
        if (secret && write(to, secret->bytes, secret->size_bytes) != (ssize_t) secret->size_bytes)
                return -EIO;
        return TAKE_FD(from);
}

/* ours does not block; theirs is for the program. */
static int pipe_from_child(int *ret_ours, int *ret_theirs)
{
        int ends[2];

        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        *ret_ours = ends[0];
        *ret_theirs = ends[1];
        return 0;
}

static int start(const struct keyring *keyring, struct keyring_call *call, const struct keyring_key *key, const struct secret *password)
{
        static const char *const actions[] = {
                [KEYRING_STORE] = "store", [KEYRING_LOOKUP] = "lookup", [KEYRING_CLEAR] = "clear",
        };
        char *argv[] = {
                (char *) keyring->program, (char *) actions[call->action], (char *) key->device,
                (char *) key->server, (char *) key->user, NULL,
        };
        _cleanup_close_ int in = pipe_holding(password), out = -1, err = -1;
        struct child_fd fds[3];
        int r = in < 0 ? in : pipe_from_child(&call->password_fd, &out);

        if (r == 0)
                r = pipe_from_child(&call->text_fd, &err);
        if (r < 0)
                return r;
        fds[0] = (struct child_fd){ in, STDIN_FILENO };
        fds[1] = (struct child_fd){ out, STDOUT_FILENO };
        fds[2] = (struct child_fd){ err, STDERR_FILENO };
        return child_spawn(argv, environ, fds, 3, &call->pid);
}

int keyring_run(const struct keyring *keyring, enum keyring_action action, const struct keyring_key *key, const struct secret *password,
                keyring_done_fn done, void *userdata, struct keyring_call **ret_call)
{
        struct keyring_call *call = calloc(1, sizeof(*call));
        int r;

        assert((action == KEYRING_STORE) == (password != NULL));
        if (!call)
                return -ENOMEM;
        *call = (struct keyring_call){ .action = action, .password_fd = -1, .text_fd = -1, .done = done, .userdata = userdata };
        r = start(keyring, call, key, password);
        if (r == 0)
                r = child_watch(keyring->event, call->pid, CALL_TIMEOUT_USEC, on_ended, call_free, call);
        if (r < 0) {
                call_free(call);
                return r;
        }
        if (ret_call)
                *ret_call = call;
        return 0;
}

void keyring_cancel(struct keyring_call *call)
{
        if (!call)
                return;
        call->done = NULL;
        kill(call->pid, SIGKILL);
}

char *keyring_server(const struct remote_name *remote)
{
        bool address = strchr(remote->server, ':') != NULL;
        char *text;

        return asprintf(&text, "%s%s%s:%u", address ? "[" : "", remote->server, address ? "]" : "", remote->port) < 0 ? NULL : text;
}
