/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns one child process until it has been reaped. done() is called once, when the child has ended and its output has been
 * taken; an abandoned helper stays, without its caller, until then. A helper belongs to the watch over its child.
 */

#include "fuse/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/child.h"
#include "core/cleanup.h"

#define COMM_FD 3 /* the child's end of the socket, */
#define COMM_FD_VARIABLE "_FUSE_COMMFD=3" /* and how fusermount3 learns of it */
#define ENVIRONMENT_MAX 4096
#define DETACH_TIMEOUT_USEC (5 * 1000000ULL)

extern char **environ;

struct helper {
        sd_event *event;
        int comm_fd, text_fd;
        helper_done_fn done;
        void *userdata;
        char *unmount; /* abandoned: what to detach when it was mounted after all */
};

static void helper_free(void *userdata)
{
        struct helper *helper = userdata;

        if (helper->comm_fd >= 0)
                close(helper->comm_fd);
        if (helper->text_fd >= 0)
                close(helper->text_fd);
        free(helper->unmount);
        free(helper);
}

static int take_fd(int socket_fd)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control;
        char byte;
        struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control),
        };
        struct cmsghdr *cmsg;
        int fd;

        if (recvmsg(socket_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
                return -1;
        cmsg = CMSG_FIRSTHDR(&message);
        if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS || cmsg->cmsg_len != CMSG_LEN(sizeof(int)))
                return -1;
        memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
        return fd;
}

static void on_ended(void *userdata, int exit_code)
{
        struct helper *helper = userdata;
        char text[512];
        int fd = -1;

        if (helper->comm_fd >= 0)
                fd = take_fd(helper->comm_fd);
        child_take_line(helper->text_fd, text, sizeof(text));
        if (helper->done)
                helper->done(helper->userdata, exit_code, text, fd);
        else if (fd >= 0) {
                close(fd);
                helper_detach(helper->event, helper->unmount);
        }
}

static int start(char *const argv[], int comm_fd, int text_fd, pid_t *ret_pid)
{
        const struct child_fd fds[] = { { text_fd, STDOUT_FILENO }, { text_fd, STDERR_FILENO }, { comm_fd, COMM_FD } };
        char *environment[ENVIRONMENT_MAX + 2];
        size_t n = 0;

        while (environ && environ[n] && n < ENVIRONMENT_MAX) {
                environment[n] = environ[n];
                n++;
        }
        if (comm_fd >= 0)
                environment[n++] = (char *) COMM_FD_VARIABLE;
        environment[n] = NULL;
        return child_spawn(argv, environment, fds, comm_fd >= 0 ? 3 : 2, ret_pid);
}

int helper_run(sd_event *event, char *const argv[], bool want_fd, uint64_t timeout_usec, helper_done_fn done, void *userdata,
               struct helper **ret_helper)
{
        _cleanup_close_ int child_comm = -1, child_text = -1;
        struct helper *helper = calloc(1, sizeof(*helper));
        int pair[2], r;
        pid_t pid;

        if (!helper)
                return -ENOMEM;
        helper->event = event;
        helper->comm_fd = helper->text_fd = -1;
        helper->done = done;
        helper->userdata = userdata;
        r = pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
        if (r < 0)
                goto fail;
        helper->text_fd = pair[0];
        child_text = pair[1];
        if (want_fd) {
                r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ? -errno : 0;
                if (r < 0)
                        goto fail;
                helper->comm_fd = pair[0];
                child_comm = pair[1];
        }
        r = start(argv, child_comm, child_text, &pid);
        if (r == 0)
                r = child_watch(event, pid, timeout_usec, on_ended, helper_free, helper);
        if (r < 0)
                goto fail;
        *ret_helper = helper;
        return 0;

fail:
        helper_free(helper);
        return r;
}

void helper_abandon(struct helper *helper, const char *mountpoint)
{
        if (!helper)
                return;
        helper->done = NULL;
        helper->unmount = strdup(mountpoint);
}

void helper_detach(sd_event *event, const char *mountpoint)
{
        char *argv[] = { (char *) "fusermount3", (char *) "-u", (char *) "-z", (char *) "--", (char *) mountpoint, NULL };
        struct helper *helper;

        if (mountpoint)
                (void) helper_run(event, argv, false, DETACH_TIMEOUT_USEC, NULL, NULL, &helper);
}
