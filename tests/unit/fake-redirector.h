/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_FAKE_REDIRECTOR_H
#define TESTS_FAKE_REDIRECTOR_H

/*
 * A redirector that mounts nothing: it does what a test has planned for a connection's name, writes down what it was
 * asked, and fails the test where core breaks the interface's rules (core/redirector.h).
 */

#include <limits.h>

#include "loop.h"

#include "core/manager.h"

/* What happens to the connections of one name. */
struct fake_plan {
        char name[64];
        int refuse_start;       /* start() itself returns this */
        int start_result;       /* with start_text; */
        const char *start_text;
        uint64_t start_usec;    /* after so long; */
        bool start_stops;       /* or never, */
        bool mounting;          /* and then it says that it is mounting */
        const char *user;       /* whom the server knows; NULL: the credentials', or "login" */
        const char *domain;
        int unmount_result;     /* -EBUSY: so often, */
        unsigned n_unmount_fails; /* then 0 */
        int remount_result;
        uint64_t step_usec;     /* each of the other steps takes so long */
        bool opens_waiting, requests_waiting;
        bool open_comes;        /* while it is being unmounted: then opens_waiting */
        const struct lost_file *lost;
        size_t n_lost;

        bool mounted;
        bool frozen;
        bool folder;            /* as it was last asked for */
        unsigned n_starts;
};

/* Everything that was asked, as "start Z:\nfreeze Z:\n"; cut short at a few KiB. */
const char *fake_log(void);
void fake_forget_log(void);

struct fake_plan *fake_plan(const char *name);

/* Forgets all plans. */
const struct redirector_ops *fake_redirector(sd_event *event);

/* Ends a step that stops (start_stops): with result, and start_text. */
void fake_go_on(struct connection *c, int result);

/* How many redirectors have not been freed. */
unsigned fake_n_redirectors(void);

#endif
