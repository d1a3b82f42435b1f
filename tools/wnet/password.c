/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Always true: what was read of a password is in a struct secret or has been erased, and a terminal whose echo was
 * turned off gets it back before this program ends, stops or goes on.
 */

#include "tools/wnet/password.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "core/cleanup.h"

#define N_SIGNALS (sizeof signals / sizeof signals[0])

/* The last two come from our own use of a terminal in the background, and must be able to interrupt it. The others come
 * from elsewhere: they are blocked but while we wait, or one might come just before, and be slept through. */
static const int signals[] = { SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU };

static volatile sig_atomic_t caught; /* the signal that came while the echo was off; 0: none */

static void on_signal(int signal)
{
        caught = signal;
}

/* The line that is being read. */
struct line {
        char bytes[SECRET_MAX_BYTES + 1];
        size_t n_bytes;
        bool too_long;
        bool has_nul;
        bool ended; /* with a newline */
};

static void line_done(struct line *line)
{
        explicit_bzero(line, sizeof *line);
}

/* Reads up to a newline or the end, byte by byte, so that nothing behind it is taken. wait_mask: the signals blocked
 * while waiting, NULL: no signal matters. 0 or a negative errno (-EINTR: one of our signals came). */
static int line_read(int fd, const sigset_t *wait_mask, struct line *line)
{
        struct pollfd p = { .fd = fd, .events = POLLIN };

        for (;;) {
                char c;
                ssize_t n = wait_mask ? ppoll(&p, 1, NULL, wait_mask) : 1;

                if (n > 0)
                        n = read(fd, &c, 1);
                if (n < 0 && errno == EINTR && !(wait_mask && caught))
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return 0;
                if (c == '\n') {
                        line->ended = true;
                        return 0;
                }
                line->has_nul |= c == '\0';
                if (line->n_bytes < SECRET_MAX_BYTES)
                        line->bytes[line->n_bytes++] = c;
                else
                        line->too_long = true;
        }
}

static int line_to_secret(const struct line *line, struct secret *ret_password, struct wn_error *err)
{
        int r;

        if (line->too_long)
                return error_set(err, ERROR_INVALID_PASSWORD, 0, "password", "the password is longer than %d bytes",
                                 SECRET_MAX_BYTES);
        if (line->has_nul)
                return error_set(err, ERROR_INVALID_PASSWORD, 0, "password",
                                 "there is a NUL character in the password");
        r = secret_set(ret_password, line->bytes);
        return r < 0 ? error_set(err, status_from_result(r), -r, "password", "%s", strerror(-r)) : 0;
}

static int open_terminal(void)
{
        return open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
}

bool password_can_ask(void)
{
        _cleanup_close_ int fd = open_terminal();

        return fd >= 0;
}

/* Shows the prompt and reads with the echo off. The caller has taken over the signals. 0 or a negative errno. */
static int read_silently(int fd, const char *prompt, const sigset_t *wait_mask, struct line *line)
{
        struct termios before, silent;
        int r;

        if (tcgetattr(fd, &before) < 0)
                return -errno;
        silent = before;
        silent.c_lflag &= ~(tcflag_t) ECHO;
        silent.c_lflag |= ECHONL | ICANON | ISIG;
        if (tcsetattr(fd, TCSAFLUSH, &silent) < 0)
                return -errno;
        r = dprintf(fd, "%s", prompt) < 0 ? -errno : line_read(fd, wait_mask, line);
        while (tcsetattr(fd, TCSAFLUSH, &before) < 0 && errno == EINTR && caught != SIGTTOU)
                ;
        if (r == -EINTR)
                (void) !write(fd, "\n", 1);
        return r;
}

int password_ask(const char *prompt, struct secret *ret_password, struct wn_error *err)
{
        _cleanup_(line_done) struct line line = { 0 };
        _cleanup_close_ int fd = open_terminal();
        struct sigaction ours = { .sa_handler = on_signal }, before[N_SIGNALS];
        sigset_t blocked, mask;
        int r, came;

        if (fd < 0)
                return -ENXIO;
        sigemptyset(&ours.sa_mask);
        sigemptyset(&blocked);
        for (size_t i = 0; i < N_SIGNALS; i++)
                if (signals[i] != SIGTTIN && signals[i] != SIGTTOU)
                        sigaddset(&blocked, signals[i]);
        do {
                line_done(&line);
                caught = 0;
                sigprocmask(SIG_BLOCK, &blocked, &mask);
                for (size_t i = 0; i < N_SIGNALS; i++)
                        sigaction(signals[i], &ours, &before[i]);
                r = read_silently(fd, prompt, &mask, &line);
                for (size_t i = 0; i < N_SIGNALS; i++)
                        sigaction(signals[i], &before[i], NULL);
                came = caught;
                sigprocmask(SIG_SETMASK, &mask, NULL); /* what is pending now has its usual effect */
                if (came)
                        raise(came); /* and so has what came; after a stop, the question is asked again */
        } while (came == SIGTSTP || came == SIGTTIN || came == SIGTTOU);
        if (r < 0 && came)
                return error_set(err, ERROR_CANCELLED, EINTR, "password",
                                 "the question for the password was interrupted");
        if (r < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, -r, "password",
                                 "cannot read the password from the terminal: %s", strerror(-r));
        if (line.n_bytes == 0 && !line.ended)
                return error_set(err, ERROR_CANCELLED, 0, "password", "no password was given");
        return line_to_secret(&line, ret_password, err);
}

int password_from_stdin(struct secret *ret_password, struct wn_error *err)
{
        _cleanup_(line_done) struct line line = { 0 };
        int r = line_read(STDIN_FILENO, NULL, &line);

        if (r < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, -r, "password",
                                 "cannot read the password from standard input: %s", strerror(-r));
        if (line.n_bytes == 0 && !line.ended)
                return error_set(err, ERROR_INVALID_PASSWORD, 0, "password", "there is no password on standard input");
        return line_to_secret(&line, ret_password, err);
}
