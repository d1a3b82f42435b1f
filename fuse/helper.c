/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns one child process until it has been reaped. done() is called once, when the child has ended and its output has been
 * taken; an abandoned helper stays, without its caller, until then. A helper belongs to its child's event source.
 */

#include "fuse/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "fuse/child.h"

#define COMM_FD 3 /* the child's end of the socket, */
#define COMM_FD_VARIABLE "_FUSE_COMMFD=3" /* and how fusermount3 learns of it */
#define ENVIRONMENT_MAX 4096
#define DETACH_TIMEOUT_USEC (5 * 1000000ULL)

extern char **environ;

struct helper {
        pid_t pid;
        int comm_fd, text_fd;
        helper_done_fn done;
        void *userdata;
        char *unmount; /* abandoned: what to detach when it was mounted after all */
        sd_event_source *deadline_source;
};

/* Called when the child's source goes: after the child has been reaped, or with the event loop. */
static void helper_free(void *userdata)
{
        struct helper *helper = userdata;

        sd_event_source_disable_unref(helper->deadline_source);
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

static void take_text(int fd, char *ret_text, size_t size)
{
        ssize_t n = read(fd, ret_text, size - 1);

        ret_text[n > 0 ? n : 0] = '\0';
        ret_text[strcspn(ret_text, "\n")] = '\0';
}

static int on_child(sd_event_source *source, const siginfo_t *si, void *userdata)
{
        struct helper *helper = userdata;
        char text[512];
        int fd = -1;

        if (helper->comm_fd >= 0)
                fd = take_fd(helper->comm_fd);
        take_text(helper->text_fd, text, sizeof(text));
        if (helper->done)
                helper->done(helper->userdata, si->si_code == CLD_EXITED ? si->si_status : -1, text, fd);
        else if (fd >= 0) {
                close(fd);
                helper_detach(sd_event_source_get_event(source), helper->unmount);
        }
        sd_event_source_disable_unref(source); /* the event loop's reference; frees the helper */
        return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct helper *helper = userdata;

        (void) source;
        (void) usec;
        kill(helper->pid, SIGKILL);
        return 0;
}

static int start(struct helper *helper, char *const argv[], int comm_fd, int text_fd)
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
        return child_spawn(argv, environment, fds, comm_fd >= 0 ? 3 : 2, &helper->pid);
}

int helper_run(sd_event *event, char *const argv[], bool want_fd, uint64_t timeout_usec, helper_done_fn done, void *userdata,
               struct helper **ret_helper)
{
        _cleanup_close_ int child_comm = -1, child_text = -1;
        struct helper *helper = calloc(1, sizeof(*helper));
        sd_event_source *child = NULL;
        int pair[2], r;

        if (!helper)
                return -ENOMEM;
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
        r = start(helper, argv, child_comm, child_text);
        if (r < 0)
                goto fail;
        r = sd_event_add_time_relative(event, &helper->deadline_source, CLOCK_MONOTONIC, timeout_usec, 0, on_deadline, helper);
        if (r >= 0)
                r = sd_event_add_child(event, &child, helper->pid, WEXITED, on_child, helper);
        if (r < 0) {
                kill(helper->pid, SIGKILL);
                goto fail;
        }
        child_source_keep(child);
        (void) sd_event_source_set_destroy_callback(child, helper_free);
        (void) sd_event_source_set_floating(child, true); /* the helper lives as long as its child */
        sd_event_source_unref(child);
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
