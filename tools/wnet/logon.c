/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/wnet/logon.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/credentials.h"
#include "tools/wnet/commands.h"
#include "tools/wnet/output.h"
#include "tools/wnet/password.h"

void logon_done(struct logon *logon)
{
        free(logon->credentials_path);
        free(logon->login);
        free(logon->session_hint);
        secret_done(&logon->password);
}

void logon_take_option(struct logon *logon, int option)
{
        if (option == LOGON_OPTION_USER)
                logon->user = optarg;
        else if (option == LOGON_OPTION_CREDENTIALS)
                logon->credentials = optarg;
        else if (option == LOGON_OPTION_PASSWORD_STDIN)
                logon->password_stdin = true;
}

int logon_check_options(const struct logon *logon, const char *command)
{
        if (logon->credentials && (logon->user || logon->password_stdin))
                return output_usage(command, "--%s and --credentials exclude each other",
                                    logon->user ? "user" : "password-stdin");
        return 0;
}

static bool is_credentials_error(int status)
{
        return status == ERROR_LOGON_FAILURE || status == ERROR_INVALID_PASSWORD || status == ERROR_ACCESS_DENIED;
}

/* Makes path absolute; a symbolic link at its end stays one (and is refused later). 0 or a negative errno. */
static int absolute_path(const char *path, char **ret_absolute)
{
        const char *slash = strrchr(path, '/');
        const char *base = slash ? slash + 1 : path;
        _cleanup_free_ char *folder = NULL, *real = NULL;

        folder = slash ? strndup(path, slash == path ? 1 : (size_t) (slash - path)) : strdup(".");
        if (!folder)
                return -ENOMEM;
        real = realpath(folder, NULL);
        if (!real)
                return -errno;
        return asprintf(ret_absolute, "%s/%s", strcmp(real, "/") == 0 ? "" : real, base) < 0 ? -ENOMEM : 0;
}

/* Refuses a credentials file at once that the daemon would refuse too. */
static int check_credentials(struct logon *logon, struct wn_error *err)
{
        _cleanup_(credentials_done) struct credentials credentials = { 0 };
        int r;

        r = absolute_path(logon->credentials, &logon->credentials_path);
        if (r < 0)
                return error_set(err, r == -EACCES ? ERROR_ACCESS_DENIED : ERROR_INVALID_PARAMETER, -r, "credentials",
                                 "cannot read the credentials file %s: %s", logon->credentials, strerror(-r));
        r = credentials_read_file(logon->credentials_path, &credentials, err);
        return r < 0 ? error_set(err, status_from_result(r), -r, "credentials",
                                 "cannot read the credentials file %s: %s", logon->credentials, strerror(-r))
                     : r;
}

/* Asks for the password of user (NULL: that is for the daemon to know). 0, -ENXIO (nobody can be asked) or a status. */
static int ask_password(struct logon *logon, const char *user, const char *server, struct wn_error *err)
{
        _cleanup_free_ char *prompt = NULL, *escaped = NULL;

        if (asprintf(&prompt, "Password for %s%s//%s: ", user ? user : "", user ? " on " : "", server) < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, ENOMEM, "password", "%s", strerror(ENOMEM));
        escaped = output_escape(prompt);
        return password_ask(escaped, &logon->password, err);
}

/* --password-stdin; what is typed on a terminal must not be seen. */
static int read_password(struct logon *logon, const char *server, struct wn_error *err)
{
        int r = isatty(STDIN_FILENO) ? ask_password(logon, logon->user, server, err) : -ENXIO;

        return r == -ENXIO ? password_from_stdin(&logon->password, err) : r;
}

/* NULL: there is none, or no memory. */
static char *login_name(void)
{
        const struct passwd *entry = getpwuid(geteuid());

        return entry ? strdup(entry->pw_name) : NULL;
}

int logon_prepare(struct logon *logon, const char *server, struct wn_error *err)
{
        int r = 0;

        if (logon->password_stdin)
                return read_password(logon, server, err);
        if (logon->credentials)
                return check_credentials(logon, err);
        if (logon->wanted && !logon->user)
                logon->login = login_name();
        if (logon_user(logon))
                r = ask_password(logon, logon_user(logon), server, err);
        return r == -ENXIO ? 0 : r;
}

char *logon_session_hint(const struct remote_name *server)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_list_done) struct control_list list = { 0 };
        struct wn_error err = { 0 };
        char *hint;

        client = command_open(&err);
        if (!client || control_list(client, &list, &err) != 0)
                return NULL;
        for (size_t i = 0; i < list.n_items; i++) {
                const struct control_connection *c = &list.items[i];
                _cleanup_(remote_name_done) struct remote_name remote = { 0 };
                _cleanup_free_ char *source = NULL;
                const char *name = c->device;

                if (!control_state_connected(c->state) || c->user[0] == '\0' || remote_name_parse(c->remote, &remote) != 0 ||
                    !remote_name_same_server(&remote, server))
                        continue;
                if (name[0] == '\0')
                        name = source = remote_name_to_source(&remote);
                return name && asprintf(&hint, "%s, as on %s, has no access; a server knows one account at a time: wnet cancel %s first",
                                        c->user, name, name) >= 0 ? hint : NULL;
        }
        return NULL;
}

int logon_ask_again(struct logon *logon, const struct remote_name *server, struct wn_error *err)
{
        struct wn_error refusal = *err;
        int r;

        if (!is_credentials_error(err->status) || logon_user(logon) || logon->password.bytes || logon->credentials)
                return err->status;
        if (err->status == ERROR_ACCESS_DENIED && strcmp(err->phase, "connect") == 0) /* by the server */
                logon->session_hint = logon_session_hint(server);
        if (logon->session_hint || !password_can_ask())
                return err->status;
        logon->login = login_name();
        if (!logon->login)
                return err->status;
        r = ask_password(logon, logon->login, server->server, err);
        if (r >= 0)
                return r;
        *err = refusal;
        return refusal.status;
}

const char *logon_user(const struct logon *logon)
{
        return logon->user ? logon->user : logon->login;
}

const char *logon_hint(const struct logon *logon, int status)
{
        if (logon->session_hint)
                return logon->session_hint;
        return is_credentials_error(status) && !logon->password.bytes && !logon->password_stdin && !logon->credentials
                       ? "--password-stdin or --credentials FILE give a password"
                       : NULL;
}
