/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * wnetd: one user's network drives. Ties core and fuse together; see docs/architecture.md.
 *
 * Order at start: lock (one daemon per user) → socket → into the background → clean up after a daemon that was killed →
 * restore → serve. The lock is held until the process ends; so whoever waits for it finds a clean place.
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/conf.h"
#include "core/control-socket.h"
#include "core/control.h"
#include "core/daemon-lock.h"
#include "core/log.h"
#include "core/manager.h"
#include "core/mountinfo.h"
#include "core/paths.h"
#include "core/profile.h"
#include "core/watch.h"
#include "fuse/leftovers.h"
#include "fuse/orphans.h"
#include "fuse/parked-tag.h"
#include "fuse/redirector.h"
#include "fuse/spool.h"
#include "fuse/stale.h"

struct daemon {
        struct paths paths;
        struct conf conf;
        char *drives_dir, *worker_program, *secret_program, *login, *spool_dir;
        int lock_fd, workers_lock_fd, listen_fd;
        sd_event *event;
        struct redirector_settings redirector;
        char instance[LEFTOVERS_INSTANCE_BYTES];
        struct parked_key parked_key;
        struct manager manager;
        struct control *control;
};

#define LOG_MAX_BYTES (4 << 20)
#define LOG_LOOK_USEC (10 * 1000000ULL)

#define REPORTED 1 /* the reason has been logged already */

static int fail(const char *what, int r)
{
        if (r == REPORTED)
                return EXIT_FAILURE;
        log_error("%s: %s", what, strerror(-r));
        return EXIT_FAILURE;
}

/* What cannot be had, how ("opened"), and why. Returns REPORTED. */
static int cannot(const char *what, const char *path, const char *how, int r)
{
        log_error("%s %s cannot be %s: %s", what, path, how, strerror(-r));
        return REPORTED;
}

/* ---- one per user ---- */

/* 0 or REPORTED. *ret_running: a daemon is running, and the lock is not ours. */
static int take_lock(struct daemon *d, bool *ret_running)
{
        struct lock_holder holder;
        char text[DAEMON_LOCK_TEXT_BYTES];

        d->lock_fd = daemon_lock_take(&d->paths, true, &holder);
        *ret_running = d->lock_fd == -EEXIST;
        if (d->lock_fd >= 0)
                daemon_lock_tell(d->lock_fd, getpid(), d->paths.socket);
        if (d->lock_fd >= 0 || *ret_running)
                return 0;
        if (d->lock_fd == -EBUSY) {
                daemon_lock_explain(&holder, &d->paths, text);
                log_error("%s", text);
        } else
                log_error("the lock file %s cannot be used: %s; it must be a plain file, in a folder that you may write to",
                          d->paths.lock, strerror(-d->lock_fd));
        return REPORTED;
}

/* ---- start ---- */

static int on_wnet_drive(const char *what, const char *path)
{
        struct mountinfo table = { 0 };
        const struct mountinfo_entry *entry;
        int r = mountinfo_read(&table);

        if (r < 0)
                return r;
        entry = mountinfo_find_wnet_above(&table, path);
        if (entry)
                log_error("the %s, %s, lies on the network drive %s; choose another place", what, path, entry->mountpoint);
        r = entry ? REPORTED : 0;
        mountinfo_done(&table);
        return r;
}

static char *expand_home(const char *path)
{
        const char *home = getenv("HOME");
        char *expanded;

        if (strncmp(path, "~/", 2) != 0 || !home)
                return strdup(path);
        return asprintf(&expanded, "%s/%s", home, path + 2) < 0 ? NULL : expanded;
}

/* The programs that we start lie beside this one in a build directory, else in libexec. */
static char *find_program(const char *name)
{
        char self[4096], *path;
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        char *slash;

        self[n > 0 ? n : 0] = '\0';
        slash = strrchr(self, '/');
        if (slash) {
                *slash = '\0';
                if (asprintf(&path, "%s/%s", self, name) < 0)
                        return NULL;
                if (access(path, X_OK) == 0)
                        return path;
                free(path);
        }
        return asprintf(&path, "%s/%s", WNET_LIBEXECDIR, name) < 0 ? NULL : path;
}

static int make_private(const char *path)
{
        int r = paths_make_private_dir(path);

        if (r == 0)
                return 0;
        if (r == -EPERM)
                log_error("the folder %s belongs to somebody else, or others may write into it", path);
        else
                log_error("the folder %s cannot be made: %s", path, strerror(-r));
        return REPORTED;
}

/* The mount table shows paths without symbolic links; so must ours be, to be found there. */
static int resolve_drives_dir(struct daemon *d)
{
        char *resolved;
        int r = paths_make_dir(d->drives_dir);

        if (r < 0) {
                log_error("the folder of the drives, %s, cannot be made: %s", d->drives_dir, strerror(-r));
                return REPORTED;
        }
        resolved = realpath(d->drives_dir, NULL);
        if (!resolved) {
                log_error("the folder of the drives, %s, cannot be used: %s", d->drives_dir, strerror(errno));
                return REPORTED;
        }
        free(d->drives_dir);
        d->drives_dir = resolved;
        return on_wnet_drive("folder of the drives", d->drives_dir);
}

static int prepare(struct daemon *d)
{
        struct wn_error err = { 0 };
        const struct passwd *user;
        int r = paths_init(&d->paths);

        if (r == -ENOENT || r == -ENAMETOOLONG) {
                log_error("wnetd cannot start: %s", r == -ENOENT ? "your home directory is not known; set HOME" :
                          "its socket's path would be too long; set XDG_RUNTIME_DIR to a shorter one");
                return REPORTED;
        }
        if (r < 0)
                return r;
        user = getpwuid(geteuid());
        d->login = strdup(user ? user->pw_name : "");
        d->worker_program = find_program("wnet-smb");
        d->secret_program = find_program("wnet-secret");
        if (!d->login || !d->worker_program || !d->secret_program || asprintf(&d->spool_dir, "%s/spool", d->paths.state_dir) < 0)
                return -ENOMEM;
        r = on_wnet_drive("folder of the profile", d->paths.config_dir);
        if (r == 0)
                r = make_private(d->paths.config_dir);
        if (r == 0)
                r = make_private(d->paths.state_dir);
        if (r == 0)
                r = make_private(d->paths.runtime_dir);
        if (r != 0)
                return r;
        conf_init(&d->conf);
        r = conf_load(&d->conf, d->paths.conf, &err);
        if (err.text[0]) {
                log_error("%s; correct it, or move it away", err.text);
                return REPORTED;
        }
        if (r < 0)
                return r;
        d->drives_dir = expand_home(d->conf.drives && !getenv("WNET_DRIVES") ? d->conf.drives : d->paths.drives_dir);
        if (!d->drives_dir)
                return -ENOMEM;
        r = on_wnet_drive("folder of the drives", d->drives_dir);
        return r != 0 ? r : resolve_drives_dir(d);
}

static int open_log(const struct daemon *d)
{
        int fd = open(d->paths.log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        return fd < 0 ? -errno : fd;
}

/* A drive whose server is away says so each time that it is tried. What was logged before, up to as much again, stays beside. */
static int limit_log(sd_event_source *source, uint64_t usec, void *userdata)
{
        const struct daemon *d = userdata;
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *before = NULL;
        struct stat st;

        (void) usec;
        if (fstat(STDERR_FILENO, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > LOG_MAX_BYTES &&
            asprintf(&before, "%s.1", d->paths.log) >= 0 && rename(d->paths.log, before) == 0 && (fd = open_log(d)) >= 0) {
                (void) dup2(fd, STDOUT_FILENO);
                (void) dup2(fd, STDERR_FILENO);
        }
        if (sd_event_source_set_time_relative(source, LOG_LOOK_USEC) < 0)
                return 0;
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Away from whoever started us: nothing of theirs is held, nothing of theirs ends us. */
static int into_background(const struct daemon *d)
{
        _cleanup_close_ int log_fd = open_log(d), null_fd = -1;
        pid_t pid;

        if (log_fd < 0)
                return cannot("the log", d->paths.log, "opened", log_fd);
        null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null_fd < 0)
                return cannot("the file", "/dev/null", "opened", -errno);
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid > 0) {
                daemon_lock_tell(d->lock_fd, pid, d->paths.socket);
                _exit(EXIT_SUCCESS); /* the socket is there: whoever waits for us can connect */
        }
        if (setsid() < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(log_fd, STDOUT_FILENO) < 0 ||
            dup2(log_fd, STDERR_FILENO) < 0)
                return -errno;
        return 0;
}

/* What is opened next takes the place of a standard descriptor that is closed, and is replaced where these are set up. */
static bool have_standard_descriptors(void)
{
        int fd;

        do
                fd = open("/dev/null", O_RDWR);
        while (fd >= 0 && fd <= STDERR_FILENO);
        if (fd >= 0)
                close(fd);
        return fd >= 0;
}

static void set_limits(void)
{
        const struct rlimit no_core = { 0, 0 }; /* it would hold passwords */
        struct rlimit files;

        setrlimit(RLIMIT_CORE, &no_core);
        if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
                files.rlim_cur = files.rlim_max;
                setrlimit(RLIMIT_NOFILE, &files);
        }
}

/* ---- end ---- */

static void ended(void *userdata)
{
        struct daemon *d = userdata;

        daemon_lock_tell(d->lock_fd, 0, NULL);
        (void) unlink(d->paths.socket); /* a client that comes now starts the next daemon, which waits for our lock */
        (void) sd_event_exit(d->event, 0);
}

static void everything_revoked(void *userdata, const struct cancel_outcome *outcome)
{
        (void) outcome;
        ended(userdata);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
        const struct caller nobody = { 0 };
        struct daemon *d = userdata;

        (void) source;
        log_info("signal %u: disconnecting everything", si->ssi_signo);
        (void) sd_notify(0, "STOPPING=1");
        if (manager_shutdown(&d->manager, true, &nobody, everything_revoked, d) < 0)
                ended(d);
        return 0;
}

/* ---- run ---- */

static void load_parked_key(struct daemon *d)
{
        int r = parked_key_load(d->paths.parked_key, &d->parked_key);

        if (r < 0)
                log_warning("the key %s cannot be kept: %s; files that are just being replaced if wnetd is killed will not get their names back by "
                            "themselves", d->paths.parked_key, strerror(-r));
}

static int set_up_loop(struct daemon *d, mode_t mask)
{
        sigset_t signals;
        int r;

        sigemptyset(&signals);
        sigaddset(&signals, SIGCHLD);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
                return -errno;
        signal(SIGPIPE, SIG_IGN);
        signal(SIGHUP, SIG_IGN);
        signal(SIGXFSZ, SIG_IGN); /* a print job may be larger than a file may be here: an error for its writer alone */
        r = sd_event_new(&d->event);
        if (r >= 0)
                r = sd_event_add_signal(d->event, NULL, SIGTERM, on_signal, d);
        if (r >= 0)
                r = sd_event_add_signal(d->event, NULL, SIGINT, on_signal, d);
        if (r < 0)
                return r;
        leftovers_instance(d->instance);
        load_parked_key(d);
        d->redirector = (struct redirector_settings){
                .event = d->event,
                .worker_program = d->worker_program,
                .lock_fd = d->workers_lock_fd,
                .spool_dir = d->spool_dir,
                .connect_usec = d->conf.connect_usec,
                .operation_usec = d->conf.operation_usec,
                .change_notification = d->conf.change_notification,
                .login = d->login,
                .umask = mask,
                .instance = d->instance,
                .parked_key = &d->parked_key,
        };
        r = manager_init(&d->manager, d->event, redirector_ops(&d->redirector), d->drives_dir, d->paths.profile);
        if (r == 0)
                r = watch_new(&d->manager, &d->manager.watch);
        if (r == 0)
                d->manager.history = history_open(d->paths.history);
        if (r == 0)
                r = control_new(d->event, TAKE_FD(d->listen_fd), &d->paths, &d->manager, ended, d, &d->control);
        if (r == 0) {
                d->manager.login = d->login;
                d->manager.secret_program = d->secret_program;
                d->manager.changed = control_changed;
                d->manager.userdata = d->control;
        }
        return r;
}

static void daemon_done(struct daemon *d)
{
        if (d->manager.event)
                manager_done(&d->manager);
        control_free(d->control);
        if (d->event) {
                (void) sd_event_run(d->event, 0); /* reaps the workers that have ended */
                sd_event_unref(d->event);
        }
        paths_done(&d->paths);
        conf_done(&d->conf);
        free(d->drives_dir);
        free(d->worker_program);
        free(d->secret_program);
        free(d->login);
        free(d->spool_dir);
        if (d->listen_fd >= 0)
                close(d->listen_fd);
        if (d->workers_lock_fd >= 0)
                close(d->workers_lock_fd);
        if (d->lock_fd >= 0)
                close(d->lock_fd);
}

static int run(struct daemon *d, bool background)
{
        mode_t mask = umask(077);
        bool running = false;
        int r = prepare(d);

        if (r == 0)
                r = take_lock(d, &running);
        if (r != 0)
                return fail("wnetd cannot start", r);
        if (running) {
                if (!background)
                        fputs("wnetd is already running for this user\n", stderr);
                return background ? EXIT_SUCCESS : EXIT_FAILURE;
        }
        d->workers_lock_fd = orphans_open(d->paths.workers_lock);
        if (d->workers_lock_fd < 0)
                r = cannot("the workers' lock file", d->paths.workers_lock, "opened", d->workers_lock_fd);
        if (r == 0 && (d->listen_fd = control_socket_listen(d->paths.socket)) < 0)
                r = cannot("the control socket", d->paths.socket, "made", d->listen_fd);
        if (r == 0 && background)
                r = into_background(d);
        if (r != 0)
                return fail("wnetd cannot go into the background", r);
        if (chdir("/") < 0)
                return fail("the root directory cannot be entered", -errno);
        set_limits();
        r = set_up_loop(d, mask);
        if (r >= 0 && background) /* else it is somebody else's */
                r = sd_event_add_time(d->event, NULL, CLOCK_MONOTONIC, 0, LOG_LOOK_USEC, limit_log, d);
        if (r < 0)
                return fail("wnetd cannot start", r);
        log_info("wnetd " WNET_VERSION " serves %s", d->drives_dir);
        stale_clean(d->drives_dir);
        spool_clean(d->spool_dir);
        profile_clean(d->paths.profile);
        manager_restore(&d->manager);
        (void) sd_notify(0, "READY=1");
        r = sd_event_loop(d->event);
        log_info("wnetd ends");
        return r < 0 ? fail("the event loop failed", r) : EXIT_SUCCESS;
}

static int usage(FILE *to)
{
        fputs("Usage: wnetd [--background]\n"
              "Serves the network drives of the user who runs it. wnet starts it when it is needed.\n\n"
              "  --background  go into the background once the control socket is there\n"
              "  --help        show this text\n"
              "  --version     show the version\n",
              to);
        return to == stdout ? EXIT_SUCCESS : 2;
}

int main(int argc, char **argv)
{
        static const struct option options[] = {
                { "background", no_argument, NULL, 'b' },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'v' },
                { 0 },
        };
        static struct daemon d = { .lock_fd = -1, .workers_lock_fd = -1, .listen_fd = -1 };
        bool background = false;
        int option, r;

        while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
                if (option == 'h')
                        return usage(stdout);
                if (option == 'v') {
                        puts("wnetd " WNET_VERSION);
                        return EXIT_SUCCESS;
                }
                if (option != 'b')
                        return usage(stderr);
                background = true;
        }
        if (optind < argc)
                return usage(stderr);
        close_range(3, ~0U, 0); /* whatever we were started with */
        if (!have_standard_descriptors())
                return EXIT_FAILURE;
        r = run(&d, background);
        daemon_done(&d);
        return r;
}
