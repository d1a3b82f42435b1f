/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns the plans and the log of the test that runs. Each redirector does one step at a time; its completion comes from
 * a timer of the event loop, never from within the call.
 */

#include "fake-redirector.h"

#define PLANS_MAX 64

enum step { STEP_NONE, STEP_START, STEP_FREEZE, STEP_UNMOUNT, STEP_REMOUNT, STEP_REVOKE };

struct redirector {
        struct connection *connection;
        struct fake_plan *plan;
        enum step step;
        int result;
        struct completion done;
        sd_event_source *timer;
};

static sd_event *the_event;
static struct fake_plan plans[PLANS_MAX];
static char the_log[16384];
static unsigned n_redirectors;

const char *fake_log(void)
{
        return the_log;
}

void fake_forget_log(void)
{
        the_log[0] = '\0';
}

static void note(const char *what, const struct connection *c)
{
        size_t length = strlen(the_log);

        snprintf(the_log + length, sizeof the_log - length, "%s %s\n", what, c->name);
}

struct fake_plan *fake_plan(const char *name)
{
        for (unsigned i = 0; i < PLANS_MAX; i++) {
                if (!plans[i].name[0])
                        snprintf(plans[i].name, sizeof plans[i].name, "%s", name);
                if (strcmp(plans[i].name, name) == 0)
                        return &plans[i];
        }
        fail_msg("too many names");
        return NULL;
}

unsigned fake_n_redirectors(void)
{
        return n_redirectors;
}

/* ---- steps ---- */

static void authenticate(const struct redirector *r)
{
        const struct credentials *credentials = &r->connection->credentials;
        const struct fake_plan *plan = r->plan;

        if (plan->user)
                connection_authenticated(r->connection, plan->user, plan->domain ? plan->domain : "");
        else
                connection_authenticated(r->connection, credentials->user ? credentials->user : "login",
                                         credentials->domain ? credentials->domain : "");
}

static void complete(struct redirector *r)
{
        struct completion done = r->done;
        enum step step = r->step;
        struct wn_error err = { 0 };

        r->timer = sd_event_source_disable_unref(r->timer);
        r->step = STEP_NONE;
        if (r->result == 0 && step == STEP_START)
                authenticate(r);
        if (r->result == 0)
                r->plan->mounted = step == STEP_START || step == STEP_REMOUNT || step == STEP_FREEZE;
        if (step == STEP_REVOKE || step == STEP_REMOUNT)
                r->plan->frozen = false;
        if (r->result != 0 && step == STEP_START)
                error_set(&err, r->result, 0, "connect", "%s", r->plan->start_text ? r->plan->start_text : "planned");
        else if (r->result != 0)
                error_set(&err, ERROR_EXTENDED_ERROR, -r->result, "step", "planned");
        done.fn(done.userdata, r->result, r->result ? &err : NULL);
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void) source;
        (void) usec;
        complete(userdata);
        return 0;
}

static void set_timer(struct redirector *r, uint64_t usec)
{
        int n = sd_event_add_time_relative(the_event, &r->timer, CLOCK_MONOTONIC, usec, 1, on_time, r);

        assert_true(n >= 0);
}

/* usec UINT64_MAX: until fake_go_on(). */
static void begin(struct connection *c, const char *what, enum step step, uint64_t usec, int result,
                  struct completion done)
{
        struct redirector *r = c->redirector;

        note(what, c);
        assert_non_null(r);
        assert_int_equal(r->step, STEP_NONE); /* one at a time */
        assert_non_null(done.fn);
        r->step = step;
        r->result = result;
        r->done = done;
        if (usec != UINT64_MAX)
                set_timer(r, usec);
}

void fake_go_on(struct connection *c, int result)
{
        assert_int_equal(c->redirector->step, STEP_START);
        c->redirector->result = result;
        set_timer(c->redirector, 0);
}

/* ---- the interface ---- */

static int fake_start(struct connection *c, struct completion done)
{
        struct fake_plan *plan = fake_plan(c->name);
        struct redirector *r;

        assert_null(c->redirector);
        assert_false(plan->mounted);
        plan->n_starts++;
        if (plan->refuse_start) {
                note("start", c);
                return plan->refuse_start;
        }
        r = calloc(1, sizeof *r);
        assert_non_null(r);
        n_redirectors++;
        r->connection = c;
        r->plan = plan;
        c->redirector = r;
        begin(c, "start", STEP_START, plan->start_stops ? UINT64_MAX : plan->start_usec, plan->start_result, done);
        return 0;
}

static bool fake_mounting(const struct connection *c)
{
        return c->redirector->plan->mounting || c->redirector->plan->mounted;
}

static void fake_freeze(struct connection *c, struct completion done)
{
        begin(c, "freeze", STEP_FREEZE, c->redirector->plan->step_usec, 0, done);
        assert_true(c->redirector->plan->mounted || c->mount_lost);
        c->redirector->plan->frozen = true;
}

static void fake_thaw(struct connection *c)
{
        note("thaw", c);
        c->redirector->plan->frozen = false;
        c->redirector->plan->opens_waiting = false;
}

static bool fake_opens_waiting(const struct connection *c)
{
        return c->redirector->plan->opens_waiting;
}

static void fake_fail_opens(struct connection *c)
{
        if (c->redirector->plan->opens_waiting)
                note("fail opens", c);
        c->redirector->plan->opens_waiting = false;
}

static bool fake_requests_waiting(const struct connection *c)
{
        return c->redirector->plan->requests_waiting;
}

static void fake_unmount(struct connection *c, struct completion done)
{
        struct fake_plan *plan = c->redirector->plan;
        int result = plan->n_unmount_fails > 0 ? plan->unmount_result : 0;

        assert_true(plan->frozen);
        assert_int_equal(c->handles.n, 0); /* never under an open file */
        if (plan->n_unmount_fails > 0)
                plan->n_unmount_fails--;
        plan->opens_waiting = plan->opens_waiting || plan->open_comes;
        plan->open_comes = false;
        begin(c, "unmount", STEP_UNMOUNT, plan->step_usec, result, done);
}

static void fake_remount(struct connection *c, struct completion done)
{
        assert_false(c->redirector->plan->mounted);
        begin(c, "remount", STEP_REMOUNT, c->redirector->plan->step_usec, c->redirector->plan->remount_result, done);
}

static void fake_revoke(struct connection *c, struct completion done)
{
        begin(c, "revoke", STEP_REVOKE, c->redirector->plan->step_usec, 0, done);
}

static void fake_lost(const struct connection *c, const struct lost_file **ret_files, size_t *ret_n)
{
        *ret_files = c->redirector->plan->lost;
        *ret_n = c->redirector->plan->n_lost;
}

static void fake_folder(const struct connection *c, bool wanted)
{
        assert_null(c->redirector); /* it has no mount any more */
        fake_plan(c->name)->folder = wanted;
}

static void fake_free(struct connection *c)
{
        struct redirector *r = c->redirector;

        if (!r)
                return;
        note("free", c);
        r->plan->mounted = r->plan->frozen = false;
        sd_event_source_disable_unref(r->timer);
        free(r);
        c->redirector = NULL;
        n_redirectors--;
}

const struct redirector_ops *fake_redirector(sd_event *event)
{
        static const struct redirector_ops ops = {
                .start = fake_start,
                .mounting = fake_mounting,
                .freeze = fake_freeze,
                .thaw = fake_thaw,
                .opens_waiting = fake_opens_waiting,
                .fail_opens = fake_fail_opens,
                .requests_waiting = fake_requests_waiting,
                .unmount = fake_unmount,
                .remount = fake_remount,
                .revoke = fake_revoke,
                .lost = fake_lost,
                .folder = fake_folder,
                .free = fake_free,
        };

        the_event = event;
        memset(plans, 0, sizeof plans);
        fake_forget_log();
        return &ops;
}
