/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How a worker connects: libsmbclient's configuration and credentials, and which status a failure is. The library's errno does not
 * tell; while it connects, the NTSTATUS is read from its debug messages.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "fuse/smb/backend-internal.h"
#include "fuse/smb/backend-kind.h"
#include "fuse/smb/backend-shares.h"
#include "fuse/smb/names.h"

/* What libsmbclient would otherwise take from the system's smb.conf, and how connections are signed. */
#define CONFIGURATION                                                                                                   \
        "[global]\n"                                                                                                    \
        "client min protocol = SMB2_02\n"                                                                               \
        "client max protocol = SMB3_11\n"                                                                               \
        "client smb encrypt = if_required\n"                                                                            \
        "map archive = yes\n"                                                                                           \
        "map system = yes\n"                                                                                            \
        "map hidden = yes\n"                                                                                            \
        "name resolve order = host\n"                                                                                   \
        "log level = 0\n"

static const char configuration_signed[] = CONFIGURATION "client signing = required\nclient ipc signing = required\n";
#define CONFIGURATION_USUAL CONFIGURATION "client signing = if_required\nclient ipc signing = if_required\n"
static const char configuration_usual[] = CONFIGURATION_USUAL;

/* Each time the library looks for its connection, which is with every path, it makes credentials, and searches its table of parameters for
 * whether this one came from a command line; unless it is empty. That takes as long as all else that it does then. The session has been set
 * up, and who follows a DFS referral gets the domain from authenticate(). (The other one that it searches for, netbios name, is needed
 * for that.) */
static const char configuration_connected[] = CONFIGURATION_USUAL "workgroup =\n";

static void authenticate(SMBCCTX *context, const char *server, const char *share, char *workgroup, int workgroup_size,
                         char *user, int user_size, char *password, int password_size)
{
        const struct smbclient *s = smbc_getOptionUserData(context);

        (void) server;
        (void) share;
        if (s->credentials.domain[0])
                snprintf(workgroup, (size_t) workgroup_size, "%s", s->credentials.domain);
        snprintf(user, (size_t) user_size, "%s", s->credentials.user);
        snprintf(password, (size_t) password_size, "%s", s->credentials.password);
}

/* While connecting, the library's debug output is the only place that tells the NTSTATUS behind its errno. */
static void note_ntstatus(void *userdata, int level, const char *message)
{
        struct smbclient *s = userdata;
        const char *code = strstr(message, "32 bit codes: code=");
        unsigned value;

        (void) level;
        if (code && sscanf(code, "32 bit codes: code=%x", &value) == 1)
                s->last_ntstatus = value;
        if (strstr(message, "SPNEGO login failed"))
                s->login_failed = true;
        if (strstr(message, "session setup ok"))
                s->session_set_up = true;
        if (strstr(message, "tconx ok"))
                s->tree_connected = true;
}

/* Lays our configuration over what the library has loaded, through a memfd. */
static int set_configuration(struct smbclient *s, const char *text)
{
        _cleanup_close_ int fd = memfd_create("smb.conf", MFD_CLOEXEC);
        size_t size = strlen(text);
        char path[64];

        if (fd < 0)
                return -errno;
        if (write(fd, text, size) != (ssize_t) size)
                return -EIO;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        errno = 0;
        return smbc_setConfiguration(s->context, path) < 0 ? smbclient_errno() : 0;
}

static int make_context(struct smbclient *s, const struct smb_setup *setup)
{
        if (setenv("HOME", "/nonexistent", 1) < 0) /* no smb.conf of the user's */
                return -errno;
        s->context = smbc_new_context();
        if (!s->context)
                return -ENOMEM;
        smbc_setOptionUserData(s->context, s);
        smbc_setFunctionAuthDataWithContext(s->context, authenticate);
        smbc_setOptionNoAutoAnonymousLogin(s->context, 1);
        smbc_setOptionDebugToStderr(s->context, 1);
        smbc_setOptionFullTimeNames(s->context, 1); /* without it there is no create_time */
        smbc_setTimeout(s->context, (int) setup->timeout_msec);
        /* Nobody: a name under which a connection is found makes the library forget the password that it follows DFS referrals with. So
         * it asks authenticate() each time. */
        smbc_setUser(s->context, "");
        if (!setup->has_password) {
                smbc_setOptionUseKerberos(s->context, 1);
                smbc_setOptionFallbackAfterKerberos(s->context, 1);
                smbc_setOptionUseCCache(s->context, 1);
        }
        smbc_setLogCallback(s->context, s, note_ntstatus);
        if (!smbc_init_context(s->context))
                return -ENOMEM;
        return set_configuration(s, setup->has_password ? configuration_signed : configuration_usual);
}

/* Which status a failed connection attempt is; the NTSTATUS where it is known, else errno. */
static int connect_status(uint32_t ntstatus, int error)
{
        switch (ntstatus) {
        case 0xc000006d: /* LOGON_FAILURE */
        case 0xc0000064: /* NO_SUCH_USER */
        case 0xc000006a: /* WRONG_PASSWORD */
        case 0xc000006e: /* ACCOUNT_RESTRICTION */
        case 0xc000006f: /* INVALID_LOGON_HOURS */
        case 0xc0000070: /* INVALID_WORKSTATION */
        case 0xc0000071: /* PASSWORD_EXPIRED */
        case 0xc0000072: /* ACCOUNT_DISABLED */
        case 0xc000015b: /* LOGON_TYPE_NOT_GRANTED */
        case 0xc0000193: /* ACCOUNT_EXPIRED */
        case 0xc0000224: /* PASSWORD_MUST_CHANGE */
        case 0xc0000234: /* ACCOUNT_LOCKED_OUT */
        case 0xc00002f2: /* WRONG_CREDENTIAL_HANDLE: NTLM without a password */
        case 0xc000005e: /* NO_LOGON_SERVERS: the library itself, looking for Kerberos' */
                return ERROR_LOGON_FAILURE;
        case 0xc0000022: /* ACCESS_DENIED */
                return ERROR_ACCESS_DENIED;
        case 0xc00000cc: /* BAD_NETWORK_NAME */
        case 0xc0000034: /* OBJECT_NAME_NOT_FOUND */
        case 0xc000003a: /* OBJECT_PATH_NOT_FOUND */
                return ERROR_BAD_NET_NAME;
        default:
                break;
        }
        switch (error) {
        case EACCES:
        case EPERM:
                return ERROR_ACCESS_DENIED;
        case ENOENT:
        case ENOTDIR:
        case ENODEV:
                return ERROR_BAD_NET_NAME;
        default:
                return ERROR_BAD_NETPATH;
        }
}

/* Why the server lets nobody in under this name, though the password may be right; NULL: it may not be. */
static const char *account_trouble(uint32_t ntstatus)
{
        switch (ntstatus) {
        case 0xc000006e: return "the server's rules for this account do not permit it (ACCOUNT_RESTRICTION)";
        case 0xc000006f: return "the account may not log on at this time";
        case 0xc0000070: return "the account may not log on from this machine";
        case 0xc0000071: return "the password has expired; change it first";
        case 0xc0000072: return "the account is disabled";
        case 0xc000015b: return "the account may not log on over the network";
        case 0xc0000193: return "the account has expired";
        case 0xc0000224: return "the password must be changed before the first logon";
        case 0xc0000234: return "the account is locked, as after too many wrong passwords";
        default: return NULL;
        }
}

static const char *connect_reason(int status, uint32_t ntstatus, const struct smb_setup *setup)
{
        switch (status) {
        case ERROR_LOGON_FAILURE:
                if (account_trouble(ntstatus))
                        return account_trouble(ntstatus);
                return setup->has_password ? "the user name or the password is wrong" : "it needs a password";
        case ERROR_ACCESS_DENIED:
                return setup->share[0] ? "this user may not use the share" : "this user may not list the shares";
        case ERROR_BAD_NET_NAME:
                return setup->path[0] ? "the server has no such share or folder" : "the server has no such share";
        default:
                return NULL;
        }
}

/* Of what is tried now, note_ntstatus() is to tell. */
static void start_noting(struct smbclient *s)
{
        s->last_ntstatus = 0;
        s->login_failed = s->session_set_up = s->tree_connected = false;
        smbc_setDebug(s->context, 10);
        errno = 0;
}

/* Asks for the root's attributes, which connects. 0, or the errno. */
static int try_root(struct smbclient *s)
{
        struct stat st;
        int r;

        start_noting(s);
        r = smbc_getFunctionStat(s->context)(s->context, s->url, &st);
        if (r < 0)
                r = errno ? errno : EIO;
        smbc_setDebug(s->context, 0);
        return r != 0 ? r : S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
}

static void ignore_job(struct print_job_info *job)
{
        (void) job;
}

/* Connects to a share, and to nothing in it. To list print jobs, the library connects to the share, and then refuses by itself what only
 * SMB1 has. 0, or the errno. */
static int try_tree(struct smbclient *s, const char *url)
{
        int error;

        start_noting(s);
        (void) smbc_getFunctionListPrintJobs(s->context)(s->context, url, ignore_job);
        error = s->tree_connected ? 0 : errno ? errno : EIO;
        smbc_setDebug(s->context, 0);
        return error;
}

/* Whatever is opened in a printer is a print job. */
static int try_share(struct smbclient *s, const struct smb_setup *setup)
{
        return setup->print ? try_tree(s, s->url) : try_root(s);
}

/* Logs on to a session that has to be signed: at the share that every server has, for which fewer requests are needed than for any other;
 * or at the wanted one, where that is refused. 0, or the errno. */
static int try_signed(struct smbclient *s, const struct smb_setup *setup)
{
        int error;

        if (names_share_url(s->url2, sizeof(s->url2), setup->server, setup->port, "IPC$") < 0)
                return ENAMETOOLONG;
        error = try_tree(s, s->url2);
        return error != 0 && s->session_set_up ? try_share(s, setup) : error;
}

/* Connects; with a password in two steps. A server may answer a wrong password with a guest's session and not say so. Only one that
 * knows the password can sign; so the first session has to be signed, and gives way to a usual one when it was accepted. */
static int connect_share(struct smbclient *s, const struct smb_setup *setup)
{
        int error = setup->has_password ? try_signed(s, setup) : 0;

        if (error == 0 && setup->has_password &&
            (smbc_getFunctionPurgeCachedServers(s->context)(s->context) != 0 || set_configuration(s, configuration_usual) < 0))
                error = EIO;
        if (error == 0)
                error = try_share(s, setup);
        if (error == 0)
                (void) set_configuration(s, configuration_connected);
        return error;
}

/* After connecting: whether the share is of the other kind than is wanted. */
static bool wrong_kind(struct smbclient *s, const struct smb_setup *setup, int error)
{
        enum share_kind kind;

        if (setup->print ? error != 0 : error == 0 || !s->tree_connected)
                return false; /* it failed for another reason; or it has a root, as only disk shares have */
        if (names_share_url(s->url2, sizeof(s->url2), setup->server, setup->port, "") < 0)
                return false;
        kind = share_kind(s->context, s->url2, s->url, setup->share);
        return kind == (setup->print ? SHARE_DISK : SHARE_PRINTER);
}

/* Asks for the server's shares, which connects; signed all the time where there is a password. 0, or the errno. */
static int connect_server(struct smbclient *s)
{
        int error;

        start_noting(s);
        error = share_list_open(s->context, s->url, &s->shares);
        smbc_setDebug(s->context, 0);
        return error;
}

int smbclient_connect(struct smb_backend *b, const struct smb_setup *setup, struct wn_error *err)
{
        struct smbclient *s = smbclient_of(b);
        const char *reason;
        int r, error;

        s->credentials = *setup;
        r = make_context(s, setup);
        if (r < 0)
                return error_set(err, ERROR_EXTENDED_ERROR, -r, "connect", "libsmbclient cannot be set up: %s", strerror(-r));
        r = names_share_url(s->url, sizeof(s->url), setup->server, setup->port, setup->share);
        if (r >= 0)
                r = names_append_path(s->url, sizeof(s->url), (size_t) r, setup->path);
        if (r < 0)
                return error_set(err, ERROR_BAD_NET_NAME, -r, "connect", "the name is too long");
        s->share_url_length = (size_t) r;
        error = setup->share[0] ? connect_share(s, setup) : connect_server(s);
        if (setup->share[0] && wrong_kind(s, setup, error))
                return error_set(err, ERROR_BAD_DEV_TYPE, 0, "connect", "%s",
                                 setup->print ? "it is no printer but a share of files; use a drive letter"
                                              : "it is a printer; use a printer port, as LPT1");
        if (error == 0)
                return 0;
        if (setup->has_password && s->last_ntstatus == 0xc000005e) /* NO_LOGON_SERVERS: it may find one later */
                return error_set(err, ERROR_BAD_NETPATH, (int) s->last_ntstatus, "connect", "the server cannot reach its domain's logon servers");
        r = s->login_failed ? ERROR_LOGON_FAILURE : connect_status(s->last_ntstatus, error);
        if (r == ERROR_BAD_NET_NAME && !setup->share[0])
                r = ERROR_BAD_NETPATH; /* it has no list of shares: it is no server for us */
        reason = connect_reason(r, s->last_ntstatus, setup);
        if (reason)
                return error_set(err, r, (int) s->last_ntstatus, "connect", "%s", reason);
        if (error == EINVAL) /* what the library says of a name that does not resolve */
                return error_set(err, r, EHOSTUNREACH, "connect", "no server of this name can be found");
        if (error == ECONNREFUSED && !setup->share[0]) /* and this of a name that is asked for its shares */
                return error_set(err, r, error, "connect", "no server of this name can be found, or it refuses connections");
        return error_set(err, r, error, "connect", "the server cannot be reached: %s",
                         error > 0 && error <= ERRNO_MAX ? strerror(error) : "no answer");
}

int smbclient_check(struct smb_backend *b)
{
        struct smbclient *s = smbclient_of(b);

        s->url[s->share_url_length] = '\0';
        if (try_root(s) == 0)
                return 0;
        switch (s->last_ntstatus) {
        case 0xc00000c9: /* NETWORK_NAME_DELETED */
        case 0xc0000203: /* USER_SESSION_DELETED */
        case 0xc000035c: /* NETWORK_SESSION_EXPIRED */
                return -ENOTCONN;
        default:
                return 0;
        }
}
