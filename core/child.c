/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * posix_spawn with its attributes. The descriptors are first lifted above every number that a child may want, so that no
 * dup2() overwrites one that is still to come. A watch belongs to its child's event source. Both its sources
 * belong to the event loop, and keep it no longer than others do.
 */

#include "core/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIFTED_MIN 16

struct watch {
        pid_t pid;
        child_ended_fn ended;
        child_free_fn free_userdata;
        void *userdata;
        sd_event_source *deadline_source; /* NULL as soon as the loop has let go of it */
};

static int add_fds(posix_spawn_file_actions_t *actions, const struct child_fd *fds, size_t n_fds, int *lifted)
{
        for (size_t i = 0; i < n_fds; i++) {
                int r;

                assert(fds[i].to < LIFTED_MIN);
                lifted[i] = fcntl(fds[i].from, F_DUPFD_CLOEXEC, LIFTED_MIN);
                if (lifted[i] < 0)
                        return -errno;
                r = posix_spawn_file_actions_adddup2(actions, lifted[i], fds[i].to);
                if (r != 0)
                        return -r;
        }
        return 0;
}

int child_spawn(char *const argv[], char *const environment[], const struct child_fd *fds, size_t n_fds, pid_t *ret_pid)
{
        int lifted[CHILD_FDS_MAX] = { -1, -1, -1, -1, -1, -1, -1, -1 };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none, all;
        int r;

        assert(n_fds <= CHILD_FDS_MAX);
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        r = add_fds(&actions, fds, n_fds, lifted);
        if (r == 0)
                r = -posix_spawnp(ret_pid, argv[0], &actions, &attributes, argv, environment);
        for (size_t i = 0; i < CHILD_FDS_MAX; i++)
                if (lifted[i] >= 0)
                        close(lifted[i]);
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
        return r;
}

void child_source_keep(sd_event_source *source)
{
        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF); /* without this step the epoll set would not be changed */
        (void) sd_event_source_set_enabled(source, SD_EVENT_ON);
}

/* Called when the child's source goes: after the child has been reaped, or with the event loop. */
static void watch_free(void *userdata)
{
        struct watch *watch = userdata;

        sd_event_source_disable_unref(watch->deadline_source);
        watch->free_userdata(watch->userdata);
        free(watch);
}

static int on_child(sd_event_source *source, const siginfo_t *si, void *userdata)
{
        struct watch *watch = userdata;

        watch->ended(watch->userdata, si->si_code == CLD_EXITED ? si->si_status : -1);
        sd_event_source_disable_unref(source); /* the event loop's reference; frees the watch */
        return 0;
}

static void deadline_gone(void *userdata)
{
        struct watch *watch = userdata;

        watch->deadline_source = NULL;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        const struct watch *watch = userdata;

        (void) source;
        (void) usec;
        kill(watch->pid, SIGKILL);
        return 0;
}

static void give_to_loop(sd_event_source *source, sd_event_destroy_t destroyed)
{
        (void) sd_event_source_set_destroy_callback(source, destroyed);
        (void) sd_event_source_set_floating(source, true);
        sd_event_source_unref(source);
}

int child_watch(sd_event *event, pid_t pid, uint64_t timeout_usec, child_ended_fn ended, child_free_fn free_userdata, void *userdata)
{
        struct watch *watch = calloc(1, sizeof(*watch));
        sd_event_source *child = NULL;
        int r = watch ? 0 : -ENOMEM;

        if (r == 0)
                r = sd_event_add_time_relative(event, &watch->deadline_source, CLOCK_MONOTONIC, timeout_usec, 0, on_deadline, watch);
        if (r >= 0)
                r = sd_event_add_child(event, &child, pid, WEXITED, on_child, watch);
        if (r < 0) {
                kill(pid, SIGKILL);
                if (watch)
                        sd_event_source_disable_unref(watch->deadline_source);
                free(watch);
                return r;
        }
        watch->pid = pid;
        watch->ended = ended;
        watch->free_userdata = free_userdata;
        watch->userdata = userdata;
        child_source_keep(child);
        give_to_loop(watch->deadline_source, deadline_gone);
        give_to_loop(child, watch_free);
        return 0;
}

void child_take_line(int fd, char *ret_text, size_t size)
{
        ssize_t n = read(fd, ret_text, size - 1);

        ret_text[n > 0 ? n : 0] = '\0';
        ret_text[strcspn(ret_text, "\n")] = '\0';
}
