/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * posix_spawn with its attributes. The descriptors are first lifted above every number that a child may want, so that no
 * dup2() overwrites one that is still to come.
 */

#include "fuse/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#define LIFTED_MIN 16

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
