/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_LOOP_H
#define TESTS_LOOP_H

/* A test that drives the event loop itself, until something has come about. */

#include "unit.h"

#include <signal.h>
#include <systemd/sd-event.h>
#include <time.h>

#define LOOP_PATIENCE_USEC (30 * 1000000ULL)

static inline uint64_t loop_now(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

static inline sd_event *loop_new(void)
{
        sd_event *event = NULL;
        sigset_t signals;

        sigemptyset(&signals);
        sigaddset(&signals, SIGCHLD);
        assert_int_equal(sigprocmask(SIG_BLOCK, &signals, NULL), 0);
        assert_true(sd_event_new(&event) >= 0);
        return event;
}

/* Whether every process that was started has ended and been waited for. */
static inline bool loop_no_children(void)
{
        return waitid(P_ALL, 0, &(siginfo_t) { 0 }, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

/* Runs the loop until condition holds; fails when it does not come to that. */
#define LOOP_UNTIL(event, condition)                                                                                   \
        do {                                                                                                           \
                uint64_t begin_ = loop_now();                                                                          \
                while (!(condition)) {                                                                                 \
                        assert_true(sd_event_run(event, 20000) >= 0);                                                  \
                        if (loop_now() - begin_ > LOOP_PATIENCE_USEC)                                                  \
                                fail_msg("never: %s", #condition);                                                     \
                }                                                                                                      \
        } while (0)

/* Runs the loop for some time: what is not to happen has its chance. */
static inline void loop_for(sd_event *event, uint64_t usec)
{
        for (uint64_t end = loop_now() + usec; loop_now() < end;)
                assert_true(sd_event_run(event, end - loop_now() + 1) >= 0);
}

#endif
