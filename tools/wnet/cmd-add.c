/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `wnet add`: asks for a password where one is needed, and only where somebody can answer.
 */

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "core/credentials.h"
#include "core/name.h"
#include "tools/wnet/commands.h"
#include "tools/wnet/output.h"
#include "tools/wnet/password.h"

enum { OPTION_USER = 1, OPTION_PASSWORD_STDIN, OPTION_CREDENTIALS, OPTION_PERSISTENT, OPTION_READ_ONLY };

/* The command line and what was made of it. */
struct add {
        const char *local;
        const char *user;        /* --user */
        const char *credentials; /* --credentials, as it was given */
        bool password_stdin;
        bool persistent;
        bool read_only;
        struct remote_name remote;
        char *unc;
        char *credentials_path; /* absolute */
        char *login;            /* user of a password that was asked for without --user */
        struct secret password;
};

static void add_done(struct add *add)
{
        remote_name_done(&add->remote);
        free(add->unc);
        free(add->credentials_path);
        free(add->login);
        secret_done(&add->password);
}

static bool is_credentials_error(int status)
{
        return status == ERROR_LOGON_FAILURE || status == ERROR_INVALID_PASSWORD || status == ERROR_ACCESS_DENIED;
}

static const char *hint_for(const struct add *add, int status)
{
        switch (status) {
        case ERROR_INVALID_PASSWORD:
        case ERROR_LOGON_FAILURE:
        case ERROR_ACCESS_DENIED:
                if (!add->password.bytes && !add->password_stdin && !add->credentials)
                        return "--password-stdin or --credentials FILE give a password";
                return NULL;
        case ERROR_BAD_DEVICE:
                return "devices are A: to Z: (with the colon) and LPT1 to LPT9; * is the first free letter";
        case ERROR_ALREADY_ASSIGNED:
                return "wnet list shows the connections; * takes the first free letter";
        case ERROR_DEVICE_ALREADY_REMEMBERED:
                return "wnet cancel with --forget frees the letter; * takes the first free one";
        case ERROR_CANNOT_OPEN_PROFILE:
        case ERROR_BAD_PROFILE:
                return "without --persistent it can be connected all the same";
        default:
                return NULL;
        }
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
static int check_credentials(struct add *add, struct wn_error *err)
{
        _cleanup_(credentials_done) struct credentials credentials = { 0 };
        int r;

        r = absolute_path(add->credentials, &add->credentials_path);
        if (r < 0)
                return error_set(err, r == -EACCES ? ERROR_ACCESS_DENIED : ERROR_INVALID_PARAMETER, -r, "credentials",
                                 "cannot read the credentials file %s: %s", add->credentials, strerror(-r));
        r = credentials_read_file(add->credentials_path, &credentials, err);
        return r < 0 ? error_set(err, status_from_result(r), -r, "credentials",
                                 "cannot read the credentials file %s: %s", add->credentials, strerror(-r))
                     : r;
}

/* Asks for the password of user. 0, -ENXIO (nobody can be asked) or a status. */
static int ask_password(struct add *add, const char *user, struct wn_error *err)
{
        _cleanup_free_ char *prompt = NULL, *escaped = NULL;

        if (asprintf(&prompt, "Password for %s on //%s: ", user, add->remote.server) < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, ENOMEM, "password", "%s", strerror(ENOMEM));
        escaped = output_escape(prompt);
        return password_ask(escaped, &add->password, err);
}

/* Checks names and collects what the first attempt is made with. 0 or a status. */
static int prepare(struct add *add, const char *remote, struct wn_error *err)
{
        struct device_name device;
        int r;

        if (add->local[0] != '\0' && strcmp(add->local, "*") != 0 && device_parse(add->local, &device) != 0)
                return error_set(err, ERROR_BAD_DEVICE, 0, "check", "%s is not a device's name", add->local);
        r = remote_name_parse(remote, &add->remote);
        if (r > 0)
                return error_set(err, r, 0, "check", "%s is not a remote name such as //server/share", remote);
        add->unc = r == 0 ? remote_name_to_unc(&add->remote) : NULL;
        if (!add->unc)
                return error_set(err, ERROR_EXTENDED_ERROR, ENOMEM, "check", "%s", strerror(ENOMEM));
        if (add->password_stdin)
                return password_from_stdin(&add->password, err);
        if (add->credentials)
                return check_credentials(add, err);
        if (add->user) {
                r = ask_password(add, add->user, err);
                return r == -ENXIO ? 0 : r;
        }
        return 0;
}

static int try(const struct add *add, struct control_added *ret_added, struct wn_error *err)
{
        _cleanup_(control_closep) struct control_client *client = command_open(err);

        if (!client)
                return err->status;
        return control_add(client,
                           &(struct control_add_request) {
                                   .local = add->local,
                                   .remote = add->unc,
                                   .user = add->user ? add->user : add->login,
                                   .password = &add->password,
                                   .credentials = add->credentials_path,
                                   .persistent = add->persistent,
                                   .read_only = add->read_only,
                           },
                           ret_added, err);
}

/* Tries; where the server wants to know who comes and nothing was given, asks and tries once more. */
static int connect_device(struct add *add, struct control_added *ret_added, struct wn_error *err)
{
        const struct passwd *entry;
        struct wn_error refusal;
        int r;

        r = try(add, ret_added, err);
        if (!is_credentials_error(r) || add->user || add->password.bytes || add->credentials || !password_can_ask())
                return r;
        refusal = *err;
        entry = getpwuid(geteuid());
        add->login = entry ? strdup(entry->pw_name) : NULL;
        if (!add->login)
                return r;
        r = ask_password(add, add->login, err);
        if (r < 0) {
                *err = refusal;
                return refusal.status;
        }
        return r > 0 ? r : try(add, ret_added, err);
}

static int add_run(struct add *add, const char *remote)
{
        _cleanup_(control_added_done) struct control_added added = { 0 };
        struct wn_error err = { 0 };
        int r;

        r = prepare(add, remote, &err);
        if (r == 0)
                r = connect_device(add, &added, &err);
        if (r != 0)
                return output_error(&err, hint_for(add, r));
        if (added.device[0] != '\0')
                output_line(stdout, "%s is now connected to %s, at %s", added.device, add->unc, added.mountpoint);
        else
                output_line(stdout, "%s is now connected, at %s", add->unc, added.mountpoint);
        if (add->persistent && add->password.bytes)
                output_line(stderr,
                            "note: the password is not stored, so %s will need one at the next logon; "
                            "--credentials FILE avoids that",
                            added.device);
        return 0;
}

static int run(int argc, char **argv)
{
        static const struct option options[] = {
                { "user", required_argument, NULL, OPTION_USER },
                { "password-stdin", no_argument, NULL, OPTION_PASSWORD_STDIN },
                { "credentials", required_argument, NULL, OPTION_CREDENTIALS },
                { "persistent", no_argument, NULL, OPTION_PERSISTENT },
                { "read-only", no_argument, NULL, OPTION_READ_ONLY },
                { 0 },
        };
        _cleanup_(add_done) struct add add = { 0 };
        int c, code;

        while ((c = command_next_option(&command_add, argc, argv, options, &code)) > 0) {
                if (c == OPTION_USER)
                        add.user = optarg;
                else if (c == OPTION_CREDENTIALS)
                        add.credentials = optarg;
                add.password_stdin |= c == OPTION_PASSWORD_STDIN;
                add.persistent |= c == OPTION_PERSISTENT;
                add.read_only |= c == OPTION_READ_ONLY;
        }
        if (c == COMMAND_EXIT)
                return code;
        code = command_check_arguments(&command_add, argc, argv, 1, 2);
        if (code != 0)
                return code;
        if (add.password_stdin && add.credentials)
                return output_usage("add", "--password-stdin and --credentials exclude each other");
        if (argc - optind == 1) {
                if (add.persistent)
                        return output_usage("add", "only a device can be remembered; * takes the first free letter");
                add.local = "";
                return add_run(&add, argv[optind]);
        }
        add.local = argv[optind];
        if (add.local[0] == '\0')
                return output_usage("add", "the device's name is empty; * takes the first free letter");
        return add_run(&add, argv[optind + 1]);
}

const struct command command_add = {
        .name = "add",
        .synopsis =
                "[Z:] //server/share [--user NAME] [--password-stdin] [--credentials FILE] [--persistent] [--read-only]",
        .summary = "Connect a drive letter or a printer port to a share",
        .help = "  Z:                  The device: A: to Z:, LPT1 to LPT9, or * for the first free letter from Z:;\n"
                "                      without one, the share appears below UNC in the folder of the drives\n"
                "  //server/share      The share; also \\\\server\\share, smb://server/share, //server:port/share,\n"
                "                      and a folder below it: //server/share/folder\n"
                "  --user NAME         User name, or DOMAIN\\name\n"
                "  --password-stdin    Read the password from the first line of standard input\n"
                "  --credentials FILE  Read user name, password and domain from FILE, as mount.cifs does\n"
                "  --persistent        Connect again at each logon\n"
                "  --read-only         Allow no changes\n\n"
                "Where a password is needed and none is given, it is asked for on the terminal.\n",
        .run = run,
};
