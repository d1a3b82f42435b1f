/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

/* The clocks, in microseconds. */

#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>
#include <time.h>

/* CLOCK_MONOTONIC, as of the event loop's present turn: what timers are set by. */
static inline uint64_t clock_now_usec(sd_event *event)
{
        uint64_t now = 0;

        (void) sd_event_now(event, CLOCK_MONOTONIC, &now);
        return now;
}

/* CLOCK_REALTIME, for people and for the profile. */
static inline uint64_t clock_real_usec(void)
{
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

/* CLOCK_BOOTTIME, by which the kernel tells when a process began. */
static inline uint64_t clock_boot_usec(void)
{
        struct timespec now;

        clock_gettime(CLOCK_BOOTTIME, &now);
        return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

/* CPU time that a process has used; 0 of one that is gone. */
static inline uint64_t clock_process_usec(pid_t pid)
{
        struct timespec used;
        clockid_t id;

        if (clock_getcpuclockid(pid, &id) != 0 || clock_gettime(id, &used) < 0)
                return 0;
        return (uint64_t) used.tv_sec * 1000000 + (uint64_t) used.tv_nsec / 1000;
}

#endif
