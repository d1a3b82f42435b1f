/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Runs inside other people's programs too (libwnet): nothing here changes their signal handlers, environment, working
 * directory or descriptors, and a child that somebody else reaps (SIGCHLD ignored, a handler that waits for everything)
 * is no failure: whether a daemon answers, the caller finds out by connecting.
 */

#include "core/control-start.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"

#define DAEMON_NAME "wnetd"
#define LIBRARY_BUILD_FOLDER "/core/libwnet"
#define KILLED_TIMEOUT_MSEC 1000
#define LINE_BYTES 1024

extern char **environ;

/* The file that this code is linked into, symbolic links resolved: the library, or the program itself. */
static char *own_file(void)
{
        struct link_map *map = NULL;
        Dl_info info;

        if (dladdr1((void *) (uintptr_t) own_file, &info, (void **) &map, RTLD_DL_LINKMAP) != 0 && map && map->l_name[0] != '\0')
                return realpath(map->l_name, NULL);
        return realpath("/proc/self/exe", NULL);
}

static bool join_executable(char path[static PATH_MAX], const char *folder)
{
        int n = snprintf(path, PATH_MAX, "%s/" DAEMON_NAME, folder);

        return n > 0 && n < PATH_MAX && access(path, X_OK) == 0;
}

static int find_daemon(char ret_path[static PATH_MAX])
{
        _cleanup_free_ char *file = own_file();
        char *slash = file ? strrchr(file, '/') : NULL;

        if (slash) {
                size_t suffix = strlen(LIBRARY_BUILD_FOLDER), n;

                *slash = '\0';
                if (join_executable(ret_path, file))
                        return 0;
                n = strlen(file);
                if (n > suffix && strcmp(file + n - suffix, LIBRARY_BUILD_FOLDER) == 0) {
                        file[n - suffix] = '\0';
                        if (join_executable(ret_path, file))
                                return 0;
                }
        }
        return join_executable(ret_path, WNET_BINDIR) ? 0 : -ENOENT;
}

/* Standard error goes to messages, a memory file: unlike a pipe it cannot fill up, nor break when we leave. */
static int spawn_daemon(const char *path, int messages, pid_t *ret_pid)
{
        char *const argv[] = { (char *) DAEMON_NAME, (char *) "--background", NULL };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none, all;
        int r;

        sigemptyset(&none);
        sigfillset(&all);
        r = posix_spawn_file_actions_init(&actions);
        if (r != 0)
                return -r;
        r = posix_spawnattr_init(&attributes);
        if (r != 0) {
                posix_spawn_file_actions_destroy(&actions);
                return -r;
        }
        r = posix_spawnattr_setsigmask(&attributes, &none);
        if (r == 0)
                r = posix_spawnattr_setsigdefault(&attributes, &all);
        if (r == 0)
                r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, messages, STDERR_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (r == 0)
                r = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        if (r == 0)
                r = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
        if (r == 0)
                r = posix_spawn(ret_pid, path, &actions, &attributes, argv, environ);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
        return -r;
}

/* poll() for one descriptor to the end of its time-out, whatever signals arrive. 1: readable, 0: time is up. */
static int wait_readable(int fd, int timeout_msec)
{
        struct pollfd p = { .fd = fd, .events = POLLIN };
        struct timespec now;
        int64_t deadline_msec, left_msec = timeout_msec;

        clock_gettime(CLOCK_MONOTONIC, &now);
        deadline_msec = (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000 + timeout_msec;
        for (;;) {
                int r = poll(&p, 1, left_msec > 0 ? (int) left_msec : 0);

                if (r >= 0)
                        return r;
                if (errno != EINTR)
                        return -errno;
                clock_gettime(CLOCK_MONOTONIC, &now);
                left_msec = deadline_msec - ((int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000);
        }
}

/* Waits for the child's end. 0: it ended with exit code 0, or somebody else reaped it; positive: its exit code;
 * -ETIMEDOUT: it took too long and was killed; -EPROTO: a signal killed it. */
static int wait_daemon(pid_t pid)
{
        _cleanup_close_ int pidfd = pidfd_open(pid, 0);
        siginfo_t info = { 0 };
        bool late;
        int r;

        if (pidfd < 0)
                return errno == ESRCH ? 0 : -errno;
        r = wait_readable(pidfd, (int) (CONTROL_START_TIMEOUT_USEC / 1000));
        if (r < 0)
                return r;
        late = r == 0;
        if (late) {
                /* Not ours any more, then it is gone, and the number may be somebody else's. */
                if (waitid(P_PIDFD, (id_t) pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
                        return -ETIMEDOUT;
                pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
                wait_readable(pidfd, KILLED_TIMEOUT_MSEC);
        }
        if (waitid(P_PIDFD, (id_t) pidfd, &info, WEXITED | WNOHANG) < 0 && !late)
                return errno == ECHILD ? 0 : -errno;
        if (late)
                return -ETIMEDOUT;
        return info.si_code == CLD_EXITED ? info.si_status : -EPROTO;
}

/* Without the date and the level that core/log.c puts before a message, and the dynamic linker does not. */
static const char *skip_prefix(const char *line)
{
        int n = 0;

        (void) sscanf(line, "%*4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3d%*5[-+0-9] %*[a-z]: %n", &n);
        return line + n;
}

/* The last message that wnetd wrote; "" where it wrote none. */
static const char *last_line(int messages, char buffer[static LINE_BYTES])
{
        ssize_t n;
        off_t end = lseek(messages, 0, SEEK_END);
        char *line;

        n = pread(messages, buffer, LINE_BYTES - 1, end > LINE_BYTES - 1 ? end - (LINE_BYTES - 1) : 0);
        buffer[n > 0 ? n : 0] = '\0';
        n = (ssize_t) strlen(buffer);
        while (n > 0 && strchr("\r\n .", buffer[n - 1]))
                buffer[--n] = '\0';
        line = strrchr(buffer, '\n');
        return skip_prefix(line ? line + 1 : buffer);
}

int control_start_daemon(struct wn_error *err)
{
        _cleanup_close_ int messages = -1;
        char path[PATH_MAX], buffer[LINE_BYTES];
        const char *line;
        pid_t pid;
        int r;

        if (find_daemon(path) < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, ENOENT, "start",
                                 "the daemon " DAEMON_NAME " was found neither beside this program nor in %s; "
                                 "is wnet installed completely?", WNET_BINDIR);
        messages = memfd_create("wnetd-messages", MFD_CLOEXEC);
        if (messages < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, errno, "start", "cannot start %s: %s", path,
                                 strerror(errno));
        r = spawn_daemon(path, messages, &pid);
        if (r < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, -r, "start", "cannot start %s: %s", path, strerror(-r));
        r = wait_daemon(pid);
        if (r == 0)
                return 0;
        line = last_line(messages, buffer);
        if (r == -ETIMEDOUT)
                return error_set(err, ERROR_EXTENDED_ERROR, ETIMEDOUT, "start", "%s was not ready within %llu s", path,
                                 CONTROL_START_TIMEOUT_USEC / 1000000);
        if (r < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, -r, "start", "%s ended unexpectedly%s%s", path,
                                 line[0] ? ": " : "", line);
        if (line[0] == '\0')
                return error_set(err, ERROR_EXTENDED_ERROR, 0, "start", "%s ended with exit code %d and said nothing",
                                 path, r);
        return error_set(err, ERROR_EXTENDED_ERROR, 0, "start", "cannot start the daemon: %s", line);
}
