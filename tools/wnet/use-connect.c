/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `wnet use`, connecting: as Windows does, it tries with what it was given, and asks when the server wants more.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/name.h"
#include "tools/wnet/commands.h"
#include "tools/wnet/logon.h"
#include "tools/wnet/output.h"
#include "tools/wnet/password.h"
#include "tools/wnet/use-text.h"
#include "tools/wnet/use.h"

struct connect {
        struct use_request *request;
        struct remote_name remote;
        char *unc;
        char *user; /* that was asked for; else NULL */
        struct secret password;
        char *hint; /* to what failed; NULL: none */
        bool persistent;
};

static void connect_done(struct connect *connect)
{
        remote_name_done(&connect->remote);
        free(connect->unc);
        free(connect->user);
        free(connect->hint);
        secret_done(&connect->password);
}

/* printf() into a text that a terminal can be given. The caller frees. */
static __attribute__((format(printf, 1, 2))) char *escaped(const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list arguments;
        int n;

        va_start(arguments, format);
        n = vasprintf(&text, format, arguments);
        va_end(arguments);
        return output_escape(n < 0 ? "" : text);
}

/* ---- questions ---- */

static int ask_password(struct connect *connect, const char *prompt, struct wn_error *err)
{
        int r = password_ask(prompt, &connect->password, err);

        return r == -ENXIO ? error_set(err, ERROR_INVALID_PARAMETER, ENXIO, "password", "there is no terminal to ask for the password on")
                           : r;
}

/* On the terminal, as the password is. */
static int ask_user(struct connect *connect, const char *prompt, struct wn_error *err)
{
        _cleanup_fclose_ FILE *terminal = fopen("/dev/tty", "r+e");
        size_t size_bytes = 0;

        if (!terminal)
                return error_set(err, ERROR_EXTENDED_ERROR, errno, "password", "cannot open the terminal: %s", strerror(errno));
        fputs(prompt, terminal);
        fflush(terminal);
        if (getline(&connect->user, &size_bytes, terminal) < 0)
                return error_set(err, ERROR_CANCELLED, 0, "password", "no user name was given");
        connect->user[strcspn(connect->user, "\n")] = '\0';
        return 0;
}

/* Asks for what was not given: a user and a password, or the password alone. preface: what is shown before. 0 or a status. */
static int ask_logon(struct connect *connect, const char *preface, struct wn_error *err)
{
        _cleanup_free_ char *question = NULL, *prompt = NULL;
        const char *server = connect->remote.server;
        int r;

        question = connect->request->user ? escaped(USE_TEXT_ASK_PASSWORD_OF, connect->request->user, server)
                                          : escaped(USE_TEXT_ASK_USER, server);
        if (asprintf(&prompt, "%s%s", preface, question) < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, ENOMEM, "password", "%s", strerror(ENOMEM));
        if (connect->request->user)
                return ask_password(connect, prompt, err);
        r = ask_user(connect, prompt, err);
        if (r != 0)
                return r;
        free(question);
        question = escaped(USE_TEXT_ASK_SERVERS_PASSWORD, server);
        return ask_password(connect, question, err);
}

/* The server wants to know who comes. 0: try again; or a status. */
static int ask_again(struct connect *connect, struct wn_error *err)
{
        _cleanup_free_ char *refused = escaped(USE_TEXT_BAD_PASSWORD, connect->unc), *preface = NULL;

        if (asprintf(&preface, "%s\n\n", refused) < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, ENOMEM, "password", "%s", strerror(ENOMEM));
        return ask_logon(connect, preface, err);
}

/* ---- connecting ---- */

/* Takes the password from the command line, where others can read it. */
static int take_password(struct connect *connect, struct wn_error *err)
{
        _cleanup_free_ char *prompt = NULL;
        char *given = connect->request->password;
        int r;

        if (!given) /* what is to be saved has to be known first */
                return connect->request->save_password && password_can_ask() ? ask_logon(connect, "", err) : 0;
        if (strcmp(given, "*") == 0) {
                prompt = escaped(USE_TEXT_ASK_PASSWORD, connect->unc);
                return ask_password(connect, prompt, err);
        }
        r = secret_set(&connect->password, given);
        explicit_bzero(given, strlen(given));
        if (r == -E2BIG)
                return error_set(err, ERROR_INVALID_PASSWORD, 0, "password", "the password is longer than %d bytes", SECRET_MAX_BYTES);
        return r < 0 ? error_set(err, ERROR_EXTENDED_ERROR, -r, "password", "%s", strerror(-r)) : 0;
}

static int prepare(struct connect *connect, struct wn_error *err)
{
        struct use_request *request = connect->request;
        struct device_name device;
        int r = remote_name_parse(request->remote, &connect->remote);

        if (r < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, -r, "check", "%s", strerror(-r));
        if (r == 0 && request->local && strcmp(request->local, "*") != 0 && device_parse(request->local, &device) != 0)
                r = ERROR_BAD_DEVICE;
        if (r > 0) {
                if (request->password)
                        explicit_bzero(request->password, strlen(request->password));
                return error_set(err, r, 0, "check", "%s", status_message(r));
        }
        connect->unc = command_name(request->remote);
        return take_password(connect, err);
}

/* Only a device is remembered: as it was asked for, or as the last time. */
static int choose_persistence(struct connect *connect, struct control_client *client, struct wn_error *err)
{
        if (!connect->request->local)
                return 0;
        if (connect->request->persistence == USE_AS_LAST_TIME) {
                int r = control_get_persistence(client, &connect->persistent, err);
                struct wn_error refusal = *err;

                if (r == ERROR_CANNOT_OPEN_PROFILE || r == ERROR_BAD_PROFILE)
                        error_set(err, r, refusal.cause, refusal.phase, "%.400s; /persistent:no connects without remembering",
                                  refusal.text);
                return r;
        }
        connect->persistent = connect->request->persistence == USE_REMEMBER;
        return 0;
}

static int try(const struct connect *connect, struct control_client *client, struct control_added *ret_added, struct wn_error *err)
{
        const struct use_request *request = connect->request;

        return control_add(client,
                           &(struct control_add_request) {
                                   .local = request->local ? request->local : "",
                                   .remote = connect->unc,
                                   .user = connect->user ? connect->user : request->user,
                                   .password = &connect->password,
                                   .persistent = connect->persistent,
                                   .save_password = request->save_password,
                           },
                           ret_added, err);
}

static int connect_resource(struct connect *connect, struct control_added *ret_added, struct wn_error *err)
{
        _cleanup_(control_closep) struct control_client *client = command_open(err);
        int r;

        if (!client)
                return err->status;
        r = choose_persistence(connect, client, err);
        if (r == 0)
                r = try(connect, client, ret_added, err);
        if (r == ERROR_ACCESS_DENIED && strcmp(err->phase, "connect") == 0 && !connect->request->user && !connect->password.bytes)
                connect->hint = logon_session_hint(&connect->remote);
        if ((r == ERROR_LOGON_FAILURE || r == ERROR_INVALID_PASSWORD || r == ERROR_ACCESS_DENIED) && !connect->password.bytes &&
            !connect->hint && password_can_ask()) {
                r = ask_again(connect, err);
                if (r == 0)
                        r = try(connect, client, ret_added, err);
        }
        return r;
}

/* What was asked for becomes the default. That it could not does not undo the connection. */
static void keep_default(enum use_persistence persistence)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        struct wn_error err = { 0 };

        if (persistence == USE_AS_LAST_TIME)
                return;
        client = command_open(&err);
        if (!client || control_set_persistence(client, persistence == USE_REMEMBER, &err) != 0)
                output_line(stderr, "note: /persistent could not be made the default: %s", err.text);
}

int use_connect(struct use_request *request)
{
        _cleanup_(connect_done) struct connect connect = { .request = request };
        _cleanup_(control_added_done) struct control_added added = { 0 };
        struct wn_error err = { 0 };
        int r = prepare(&connect, &err);

        if (r == 0)
                r = connect_resource(&connect, &added, &err);
        if (r == ERROR_EXTENDED_ERROR && request->save_password && strcmp(err.phase, "secret") == 0) {
                struct wn_error refusal = err;

                error_set(&err, r, refusal.cause, refusal.phase, "%.400s; without /savecred it can be connected all the same", refusal.text);
        }
        if (r != 0)
                return use_print_error_with(&err, r == ERROR_BAD_NET_NAME ? use_remote_hint(request->remote) : connect.hint);
        keep_default(request->persistence);
        if (connect.persistent && connect.password.bytes && !request->save_password)
                output_line(stderr, "note: unless its password is stored already, %s will need one at the next logon; /savecred stores it",
                            added.device);
        if (request->local && strcmp(request->local, "*") == 0)
                use_paragraph(stdout, USE_TEXT_CONNECTED_DRIVE, added.device, connect.unc);
        return use_print_done();
}
