/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Connecting: for somebody who asked (add.c), or for a remembered device (manager_reconnect). One attempt per connection
 * at a time; c->attempt is set exactly while it lasts.
 *
 *   check the profile (only when it is to change) → look the password up (if it is saved) → connect and mount → save the
 *   password (if asked to) → write the row → done
 *
 * The row is written only after the connection has succeeded; when that fails, the mount goes again. Completions of the
 * redirector only note their result: the next step runs from the event loop.
 */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/attempt-internal.h"
#include "core/cleanup.h"
#include "core/clock.h"
#include "core/fault.h"
#include "core/log.h"
#include "core/password.h"
#include "core/session.h"

#define SHUTDOWN_USEC (50 * 1000ULL) /* how often to look whether everything is still being disconnected */

enum attempt_phase {
        ATTEMPT_CHECK_PROFILE,
        ATTEMPT_LOOK_UP,
        ATTEMPT_CONNECT,
        ATTEMPT_SAVE,
        ATTEMPT_WRITE_ROW,
        ATTEMPT_UNDO, /* this one and the next: it has failed */
        ATTEMPT_UNSAVE,
};

struct attempt {
        struct connection *connection;
        enum attempt_phase phase;
        bool persistent;
        enum attempt_password password;
        bool saved;     /* to be undone when it fails */
        bool cancelled; /* to be undone as soon as the mount is there */
        bool joined;    /* its credentials are another's, whose session it shares */
        bool session_came; /* with a password, to its server, since it began */
        bool given_up;  /* by whoever asked: that says nothing of what is remembered, which stays as it was */
        uint64_t profile_deadline_usec;
        int status; /* what the last step ended with */
        struct wn_error err;
        struct caller caller;
        struct kept_credentials kept;
        sd_event_source *step_source;
        add_done_fn done;
        void *userdata;
};

static int on_step(sd_event_source *source, uint64_t usec, void *userdata);

static void step_after(struct attempt *a, uint64_t usec)
{
        a->step_source = sd_event_source_disable_unref(a->step_source);
        (void) sd_event_add_time_relative(a->connection->manager->event, &a->step_source, CLOCK_MONOTONIC, usec, 1, on_step, a);
}

static void attempt_free(struct attempt *a)
{
        a->connection->attempt = NULL;
        password_cancel(a->connection);
        kept_credentials_done(&a->kept);
        sd_event_source_disable_unref(a->step_source);
        free(a);
}

/* Whether trying again later may help. */
static bool may_pass(int status)
{
        switch (status) {
        case ERROR_LOGON_FAILURE:
        case ERROR_INVALID_PASSWORD:
        case ERROR_ACCESS_DENIED:
        case ERROR_BAD_USERNAME:
        case ERROR_INVALID_PARAMETER:
        case ERROR_BAD_DEV_TYPE:
        case ERROR_CANCELLED:
                return false;
        default:
                return true;
        }
}

/* Whether it was refused and has no password of its own. One that was disconnected on purpose wants nothing. */
static bool wants_session(const struct attempt *a, int status)
{
        const struct connection *c = a->connection;

        return (status == ERROR_LOGON_FAILURE || status == ERROR_INVALID_PASSWORD) && a->password == PASSWORD_AT_HAND &&
               !connection_has_password(c) && (c->retry_wanted || c->wants_session);
}

/* The attempt has failed: the connection is what it was before, and whoever asked is told. */
static void attempt_failed(struct attempt *a, int status)
{
        struct connection *c = a->connection;
        add_done_fn done = a->done;
        void *userdata = a->userdata;
        _cleanup_free_ char *remote = remote_name_to_unc(&c->remote);
        struct wn_error err = { 0 };
        struct wn_error reason = a->err;
        bool others_tried = a->kept.others_tried && status != ERROR_CANCELLED;
        bool unchanged = a->given_up, session_came = a->session_came;

        if (status == ERROR_CANCELLED)
                err = reason;
        else if (!c->has_device)
                error_set(&err, status, reason.cause, reason.phase, "%s cannot be connected: %s", c->name, reason.text);
        else
                error_set(&err, status, reason.cause, reason.phase, "%s cannot be connected to %s: %s", c->name,
                          remote ? remote : "it", reason.text);
        if (a->caller.pid || c->retries == 0) /* not each of many retries */
                manager_record(c, "failed", reason.text, &a->caller);
        connection_put_back(c, &a->kept);
        if (!unchanged)
                c->wants_session = wants_session(a, status);
        attempt_free(a);
        if (c->remembered) {
                c->retry_wanted = c->retry_wanted && (may_pass(status) || others_tried || unchanged);
                connection_set_state(c, CONNECTION_UNAVAILABLE, reason.text);
                manager_plan_retry(c);
                if (c->wants_session && session_came)
                        manager_session_wanted(c);
        } else
                connection_set_state(c, CONNECTION_GONE, reason.text);
        manager_release_later(c);
        if (done)
                done(userdata, status, &err, NULL);
        cancel_wake(c->manager);
}

/* Keeps what c has, unless that was done before something of the request took its place. 0 or -ENOMEM. */
static int keep_credentials(const struct connection *c, struct kept_credentials *kept)
{
        int r;

        if (kept->replaced)
                return 0;
        r = credentials_copy(&c->credentials, &kept->credentials);
        if (r == 0 && c->credentials_file && !(kept->file = strdup(c->credentials_file))) {
                credentials_done(&kept->credentials);
                r = -ENOMEM;
        }
        kept->replaced = r == 0;
        return r;
}

/* kept is taken, or left as it is without memory. */
static void set_kept(struct connection *c, struct kept_credentials *kept)
{
        c->kept = malloc(sizeof(*c->kept));
        if (!c->kept)
                return;
        *c->kept = *kept;
        *kept = (struct kept_credentials){ 0 };
}

/* The row that is being written has this user, or this file. A password that came from a session goes with the connection, as it would with
 * wnetd. */
static void keep_without_password(struct connection *c)
{
        struct kept_credentials kept = { .any = true, .read_only = c->read_only };

        if (c->credentials_file || !c->credentials.password.bytes || keep_credentials(c, &kept) < 0)
                return;
        secret_done(&kept.credentials.password);
        set_kept(c, &kept);
        kept_credentials_done(&kept);
}

/* Connected for once as somebody else, with what a session lends, or for reading only, with what is not to be remembered: what is comes back
 * at its end. A password that was given for the same user is welcome, though. */
static void keep_remembered(struct attempt *a)
{
        struct connection *c = a->connection;
        struct kept_credentials *kept = &a->kept;
        _cleanup_free_ char *before = credentials_user_text(&kept->credentials), *now = credentials_user_text(&c->credentials);

        if (a->persistent)
                connection_drop_kept(c);
        if (a->persistent && a->joined)
                keep_without_password(c);
        if (a->persistent || !c->remembered || c->kept || !(kept->any || a->joined))
                return;
        if (!a->joined && kept->replaced && before && now && strcmp(before, now) == 0 && !kept->file && !c->credentials_file) {
                credentials_done(&kept->credentials);
                kept->replaced = false;
        }
        if (kept->replaced || kept->read_only != c->read_only)
                set_kept(c, kept);
}

static void attempt_succeeded(struct attempt *a)
{
        struct connection *c = a->connection;
        add_done_fn done = a->done;
        void *userdata = a->userdata;

        keep_remembered(a);
        manager_record(c, a->caller.pid ? "connected" : "restored", a->persistent ? "remembered" : "", &a->caller);
        c->remembered = c->remembered || a->persistent;
        c->retry_wanted = c->remembered;
        c->wants_session = false;
        c->retries = 0;
        attempt_free(a);
        connection_set_state(c, CONNECTION_OK, "");
        if (connection_has_password(c))
                manager_session_began(c);
        FAULT_POINT("add.answer");
        if (done)
                done(userdata, NO_ERROR, NULL, c);
}

/* ---- steps ---- */

static void on_completed(void *userdata, int r, const struct wn_error *err)
{
        struct attempt *a = userdata;

        if (a->cancelled)
                a->cancelled = r == 0; /* there is a mount to be undone */
        else if (a->phase < ATTEMPT_UNDO) {
                a->status = r == 0 ? NO_ERROR : status_from_result(r);
                if (err)
                        a->err = *err;
        }
        step_after(a, 0);
}

/* Calls again while the profile is locked. Returns whether result is final. */
static bool profile_settled(struct attempt *a, int *result)
{
        if (manager_profile_again(a->connection->manager, *result, &a->profile_deadline_usec)) {
                step_after(a, PROFILE_RETRY_USEC);
                return false;
        }
        if (*result != 0) {
                int status = *result == -EBUSY ? ERROR_CANNOT_OPEN_PROFILE : status_from_result(*result);

                a->err.status = *result = status;
                if (!a->err.text[0])
                        error_set(&a->err, status, 0, "profile", "%s", status_message(status));
        }
        return true;
}

/* Has the keyring do something; its completion leads on. */
static void begin_keyring(struct attempt *a, enum attempt_phase phase, int (*act)(struct connection *c, struct completion done))
{
        int r;

        a->phase = phase;
        r = act(a->connection, (struct completion){ on_completed, a });
        if (r == 0)
                return;
        if (phase != ATTEMPT_UNSAVE)
                a->status = error_set(&a->err, ERROR_EXTENDED_ERROR, -r, "secret", "the keyring cannot be asked: %s", strerror(-r));
        step_after(a, 0);
}

static void begin_connect(struct attempt *a)
{
        struct connection *c = a->connection;
        int r;

        a->phase = ATTEMPT_CONNECT;
        r = c->manager->ops->start(c, (struct completion){ on_completed, a });
        if (r < 0) {
                error_set(&a->err, ERROR_EXTENDED_ERROR, -r, "connect", "%s", strerror(-r));
                a->status = ERROR_EXTENDED_ERROR;
                step_after(a, 0);
        }
}

static void begin_password(struct attempt *a)
{
        if (a->password == PASSWORD_SAVED)
                begin_keyring(a, ATTEMPT_LOOK_UP, password_look_up);
        else
                begin_connect(a);
}

/* What the profile remembers of the device must not be overwritten with another resource. */
static int check_row(struct attempt *a, const struct profile_rows *rows)
{
        const struct connection *c = a->connection;

        for (size_t i = 0; i < rows->n_items; i++) {
                _cleanup_(remote_name_done) struct remote_name remote = { 0 };

                if (strcmp(rows->items[i].device, c->device.text) == 0 && remote_name_parse(rows->items[i].remote, &remote) == 0 &&
                    !remote_name_equal(&remote, &c->remote))
                        return error_set(&a->err, ERROR_DEVICE_ALREADY_REMEMBERED, 0, "profile",
                                         "it is remembered for %s; forget that first: wnet cancel %s --forget",
                                         rows->items[i].remote, c->name);
        }
        return 0;
}

static void check_profile(struct attempt *a)
{
        struct profile_rows rows = { 0 };
        int r = profile_load(a->connection->manager->profile_path, &rows, &a->err);

        if (r == 0)
                r = check_row(a, &rows);
        profile_rows_done(&rows);
        if (!profile_settled(a, &r))
                return;
        FAULT_POINT("add.checked");
        if (r != 0)
                attempt_failed(a, r);
        else
                begin_password(a);
}

/* Takes the mount away again; the attempt fails with a->status when it is gone. */
static void undo(struct attempt *a)
{
        a->phase = ATTEMPT_UNDO;
        a->cancelled = false;
        a->step_source = sd_event_source_disable_unref(a->step_source);
        a->connection->manager->ops->revoke(a->connection, (struct completion){ on_completed, a });
}

/* Whether user's password is the one that the row says is in the Secret Service. */
static bool is_saved(const struct connection *c, const char *user)
{
        return c->saved_user && !c->credentials_file && strcmp(c->saved_user, user) == 0;
}

/* The row has been written. user: whose password it says is in the Secret Service; NULL: there is none. */
static void set_saved_user(struct connection *c, char *user /* takes */)
{
        if (c->saved_user && (!user || strcmp(c->saved_user, user) != 0))
                password_drop(c);
        free(c->saved_user);
        c->saved_user = user;
}

static void begin_save(struct attempt *a)
{
        _cleanup_free_ char *user = credentials_user_text(&a->connection->credentials);

        a->saved = user && !is_saved(a->connection, user);
        begin_keyring(a, ATTEMPT_SAVE, password_save);
}

static void write_row(struct attempt *a)
{
        struct connection *c = a->connection;
        _cleanup_free_ char *remote = remote_name_to_unc(&c->remote), *user = credentials_user_text(&c->credentials);
        bool saved = user && (a->password == PASSWORD_TO_SAVE || is_saved(c, user));
        struct profile_row row = {
                .device = c->device.text,
                .remote = remote,
                .type = connection_is_printer(c) ? RESOURCETYPE_PRINT : RESOURCETYPE_DISK,
                .user = c->credentials.user,
                .domain = c->credentials.domain,
                .provider = (char *) "wnet",
                .read_only = c->read_only,
                .secret = saved ? PROFILE_SECRET_SERVICE : c->credentials_file ? PROFILE_SECRET_FILE : PROFILE_SECRET_NONE,
                .credentials_file = c->credentials_file,
                .since_usec = clock_real_usec(),
        };
        struct profile_change *change = NULL;
        int r;

        r = remote && user ? profile_stage_put(c->manager->profile_path, &row, &change, &a->err) : -ENOMEM;
        FAULT_POINT("add.staged");
        if (r == 0)
                r = profile_commit(change, &a->err);
        if (!profile_settled(a, &r))
                return;
        FAULT_POINT("add.committed");
        if (r == 0) {
                set_saved_user(c, saved ? TAKE_PTR(user) : NULL);
                attempt_succeeded(a);
                return;
        }
        a->status = r;
        undo(a);
}

static void begin_row(struct attempt *a)
{
        a->phase = ATTEMPT_WRITE_ROW;
        a->profile_deadline_usec = manager_profile_deadline(a->connection->manager);
        write_row(a);
}

static int on_step(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct attempt *a = userdata;

        (void) source;
        (void) usec;
        if (a->connection->mount_lost && a->phase < ATTEMPT_UNDO) {
                if (a->status != ERROR_CANCELLED)
                        a->status = error_set(&a->err, ERROR_EXTENDED_ERROR, 0, "mount", "%s was unmounted by another program",
                                              a->connection->name);
                a->phase = ATTEMPT_UNDO;
        }
        if (a->connection->manager->shutting_down && a->status == NO_ERROR) { /* it will be ended last, or goes on then */
                step_after(a, SHUTDOWN_USEC);
                return 0;
        }
        switch (a->phase) {
        case ATTEMPT_CHECK_PROFILE:
                check_profile(a);
                break;
        case ATTEMPT_LOOK_UP:
                if (a->status != NO_ERROR)
                        attempt_failed(a, a->status);
                else
                        begin_connect(a);
                break;
        case ATTEMPT_CONNECT:
                FAULT_POINT("add.mounted");
                if (a->cancelled)
                        undo(a);
                else if (a->status != NO_ERROR)
                        attempt_failed(a, a->status);
                else if ((a->status = session_check(a->connection, &a->err)) != 0) /* now its user is known */
                        undo(a);
                else if (a->password == PASSWORD_TO_SAVE || a->password == PASSWORD_TO_RENEW)
                        begin_save(a);
                else if (a->persistent)
                        begin_row(a);
                else
                        attempt_succeeded(a);
                break;
        case ATTEMPT_SAVE:
                if (a->status != NO_ERROR && a->password == PASSWORD_TO_RENEW) {
                        log_warning("%s: the keyring keeps the password from before: %s", a->connection->name, a->err.text);
                        a->status = NO_ERROR;
                        a->err = (struct wn_error){ 0 };
                }
                if (a->status == NO_ERROR) {
                        begin_row(a);
                        break;
                }
                a->saved = false;
                undo(a);
                break;
        case ATTEMPT_WRITE_ROW:
                write_row(a);
                break;
        case ATTEMPT_UNDO:
                if (a->saved)
                        begin_keyring(a, ATTEMPT_UNSAVE, password_unsave);
                else
                        attempt_failed(a, a->status);
                break;
        case ATTEMPT_UNSAVE:
                attempt_failed(a, a->status);
                break;
        }
        return 0;
}

bool attempt_may_fail(const struct connection *c)
{
        return c->attempt && (c->attempt->phase < ATTEMPT_SAVE || c->attempt->phase >= ATTEMPT_UNDO);
}

/* Ends it. Returns as attempt_cancel() does. */
static bool cancel(struct attempt *a, bool given_up)
{
        struct connection *c = a->connection;

        if (a->phase >= ATTEMPT_UNDO || a->cancelled)
                return false;
        error_set(&a->err, ERROR_CANCELLED, 0, "connect", "the connection of %s was %s", c->name, given_up ? "given up" : "cancelled");
        a->status = ERROR_CANCELLED;
        a->given_up = given_up;
        if (a->phase == ATTEMPT_SAVE || a->phase == ATTEMPT_WRITE_ROW) { /* it is mounted already */
                password_cancel(c);
                undo(a);
                return false;
        }
        if (a->phase == ATTEMPT_CONNECT && c->manager->ops->mounting(c)) { /* fusermount3 is at work: its end is near */
                a->cancelled = true;
                return false;
        }
        c->manager->ops->free(c);
        attempt_failed(a, ERROR_CANCELLED);
        return true;
}

bool attempt_cancel(struct connection *c)
{
        c->attempt->given_up = false; /* now it is meant */
        return cancel(c->attempt, false);
}

void attempt_abandon(struct manager *m, const void *owner, bool give_up)
{
        struct connection *c;

        TAILQ_FOREACH(c, &m->connections, entry) {
                if (!c->attempt || c->attempt->caller.owner != owner)
                        continue;
                c->attempt->caller.owner = NULL;
                if (give_up)
                        (void) cancel(c->attempt, true);
        }
}

void attempt_session_began(struct connection *c)
{
        c->attempt->session_came = true;
}

void attempt_end(struct connection *c)
{
        struct attempt *a = c->attempt;

        c->manager->ops->free(c);
        error_set(&a->err, ERROR_CANCELLED, 0, "connect", "wnetd has ended");
        attempt_failed(a, ERROR_CANCELLED);
}

/* ---- begin ---- */

int attempt_refuse_second(const struct connection *c, struct wn_error *err)
{
        _cleanup_free_ char *remote = remote_name_to_unc(&c->remote);

        if (c->attempt)
                return error_set(err, ERROR_ALREADY_ASSIGNED, 0, "resolve", "%s is already being connected to %s; to end that: wnet cancel %s",
                                 c->name, remote ? remote : "it", c->name);
        return error_set(err, ERROR_ALREADY_ASSIGNED, 0, "resolve", "%s is already connected to %s", c->name, remote ? remote : "it");
}

int attempt_begin(struct connection *c, bool persistent, enum attempt_password password, struct kept_credentials *kept,
                  const struct caller *caller, add_done_fn done, void *userdata, struct wn_error *err)
{
        struct attempt *a;
        bool joined = false;
        int r;

        assert(!c->attempt);
        r = keep_credentials(c, kept);
        if (r == 0)
                r = password == PASSWORD_SAVED ? password_use_saved(c) : session_join(c, &joined);
        if (r == 0)
                r = session_check(c, err);
        if (r != 0)
                return r;
        a = calloc(1, sizeof(*a));
        if (!a)
                return -ENOMEM;
        a->connection = c;
        a->persistent = persistent;
        a->password = password;
        a->joined = joined;
        a->kept = *kept;
        if (caller)
                a->caller = *caller;
        a->done = done;
        a->userdata = userdata;
        a->phase = ATTEMPT_CHECK_PROFILE;
        a->profile_deadline_usec = manager_profile_deadline(c->manager);
        c->attempt = a;
        c->mount_lost = false;
        connection_set_state(c, CONNECTION_CONNECTING, "");
        if (persistent)
                step_after(a, 0);
        else
                begin_password(a);
        return 0;
}

/* With what is remembered. */
static int begin_again(struct connection *c, const struct caller *caller, add_done_fn done, void *userdata, struct wn_error *err)
{
        struct kept_credentials kept = { 0 };
        int r = attempt_begin(c, false, c->saved_user ? PASSWORD_SAVED : PASSWORD_AT_HAND, &kept, caller, done, userdata, err);

        if (r != 0)
                connection_put_back(c, &kept);
        return r;
}

/* An attempt of the daemon's own that is under way becomes the caller's, who has asked for just that. */
static bool adopt(struct connection *c, const struct caller *caller, add_done_fn done, void *userdata)
{
        struct attempt *a = c->attempt;

        if (!a || a->done || a->cancelled || a->persistent || a->phase >= ATTEMPT_UNDO)
                return false;
        if (caller)
                a->caller = *caller;
        a->done = done;
        a->userdata = userdata;
        return true;
}

void manager_reconnect(struct connection *c)
{
        struct wn_error err = { 0 };
        int r = begin_again(c, NULL, NULL, NULL, &err);

        if (r < 0)
                log_error("%s cannot be connected: out of memory", c->name);
        if (r > 0) {
                connection_set_state(c, CONNECTION_UNAVAILABLE, err.text);
                manager_plan_retry(c);
        }
}

int manager_restore_device(struct manager *m, const char *local, const struct caller *caller, add_done_fn done, void *userdata,
                           struct wn_error *err)
{
        struct wn_error unread;
        struct device_name device;
        struct connection *c;
        int r;

        manager_release(m);
        if (device_parse(local, &device) != 0)
                return error_set(err, ERROR_BAD_DEVICE, 0, "resolve",
                                 "%.40s is not a local device; use a drive letter with its colon, such as Z:", local);
        if (m->shutting_down) /* as manager_add() has it: the shutdown may be refused yet */
                return error_set(err, ERROR_EXTENDED_ERROR, ESHUTDOWN, "resolve", "wnetd is shutting down; try again");
        r = manager_restore_again(m, &unread);
        c = manager_find_device(m, &device);
        if (!c && r != 0)
                return error_set(err, unread.status, unread.cause, unread.phase, "%s", unread.text);
        if (!c)
                return error_set(err, ERROR_NOT_CONNECTED, 0, "resolve", "%s is not remembered", device.text);
        if (adopt(c, caller, done, userdata))
                return 0;
        if (connection_is_live(c))
                return attempt_refuse_second(c, err);
        if (c->cancel)
                return error_set(err, ERROR_BUSY, 0, "resolve", "%s is just being forgotten; try again", c->name);
        r = begin_again(c, caller, done, userdata, err);
        return r < 0 ? error_set(err, ERROR_EXTENDED_ERROR, -r, "resolve", "wnetd is out of memory") : r;
}
