/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The SMB side of a worker: with backend-shares.c the one place that calls libsmbclient and sees its errno. Owns the context; every function answers with Linux's errno (clear_errno before, last_errno after each call: the library sometimes
 * fails without setting one, or sets a number that does not exist).
 *
 * libsmbclient shows DOS attributes as mode bits and takes them back the same way in chmod; our own configuration turns on
 * all four, so that a change of one keeps the others.
 */

#include "fuse/smb/backend-smbclient.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libsmbclient.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/log.h"
#include "fuse/smb/backend-kind.h"
#include "fuse/smb/backend-shares.h"
#include "fuse/smb/listing.h"
#include "fuse/smb/names.h"

#define URL_MAX_BYTES 32768u /* a path of SMB_PATH_MAX_BYTES, each byte escaped, and some */
#define ERRNO_MAX 133        /* EHWPOISON: Linux's highest */

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
static const char configuration_usual[] = CONFIGURATION "client signing = if_required\nclient ipc signing = if_required\n";

struct smb_open_file {
        SMBCFILE *handle;
};

struct smb_open_list {
        SMBCFILE *handle;
        char name[SMB_NAME_MAX_BYTES + 1];
        unsigned long skipped;
};

struct smbclient {
        struct smb_backend backend;
        SMBCCTX *context;
        struct smb_setup credentials;
        SMBCFILE *root; /* for statfs, opened at the first one */
        struct share_list *shares; /* only where the connection is to a server alone, until the list's end */
        bool shares_at_end;
        uint32_t last_ntstatus;
        bool login_failed; /* the session, not the share, was refused */
        bool tree_connected; /* the share was not refused: what failed, failed inside it */
        size_t share_url_length; /* up to the connection's root */
        char url[URL_MAX_BYTES];
        char url2[URL_MAX_BYTES];
};

static struct smbclient *smbclient_of(struct smb_backend *b)
{
        return (struct smbclient *) b;
}

static int last_errno(void)
{
        int e = errno;

        return e > 0 && e <= ERRNO_MAX ? -e : -EIO;
}

/* Puts the URL of path into buffer (one of the two). */
static int make_url(struct smbclient *s, char *buffer, const char *path)
{
        int r;

        if (buffer != s->url)
                memcpy(buffer, s->url, s->share_url_length);
        buffer[s->share_url_length] = '\0';
        r = names_append_path(buffer, URL_MAX_BYTES, s->share_url_length, path);
        errno = 0;
        return r < 0 ? r : 0;
}

static struct smb_time smb_time_from(struct timespec t)
{
        return (struct smb_time){ .sec = t.tv_sec, .nsec = (uint32_t) t.tv_nsec };
}

static void attr_from_stat(const struct stat *st, struct smb_attr *ret_attr)
{
        *ret_attr = (struct smb_attr){
                .size_bytes = (uint64_t) st->st_size,
                .file_id = st->st_ino,
                .mtime = smb_time_from(st->st_mtim),
                .atime = smb_time_from(st->st_atim),
                .ctime = smb_time_from(st->st_ctim),
        };
        if (S_ISDIR(st->st_mode))
                ret_attr->dos |= SMB_ATTR_DIRECTORY;
        else if (st->st_mode & S_IXUSR)
                ret_attr->dos |= SMB_ATTR_ARCHIVE;
        if (!S_ISDIR(st->st_mode) && (st->st_mode & S_IXGRP))
                ret_attr->dos |= SMB_ATTR_SYSTEM;
        if (!S_ISDIR(st->st_mode) && (st->st_mode & S_IXOTH))
                ret_attr->dos |= SMB_ATTR_HIDDEN;
        if (!(st->st_mode & S_IWUSR))
                ret_attr->dos |= SMB_ATTR_READONLY;
}

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
        return smbc_setConfiguration(s->context, path) < 0 ? last_errno() : 0;
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
        smbc_setTimeout(s->context, (int) setup->timeout_msec);
        smbc_setUser(s->context, s->credentials.user);
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
        case 0xc0000070: /* INVALID_WORKSTATION */
        case 0xc0000071: /* PASSWORD_EXPIRED */
        case 0xc0000072: /* ACCOUNT_DISABLED */
        case 0xc0000193: /* ACCOUNT_EXPIRED */
        case 0xc0000224: /* PASSWORD_MUST_CHANGE */
        case 0xc0000234: /* ACCOUNT_LOCKED_OUT */
        case 0xc00002f2: /* WRONG_CREDENTIAL_HANDLE: NTLM without a password */
        case 0xc000005e: /* NO_LOGON_SERVERS */
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

static const char *connect_reason(int status, const struct smb_setup *setup)
{
        switch (status) {
        case ERROR_LOGON_FAILURE:
                return setup->has_password ? "the user name or the password is wrong" : "it needs a password";
        case ERROR_ACCESS_DENIED:
                return setup->share[0] ? "this user may not use the share" : "this user may not list the shares";
        case ERROR_BAD_NET_NAME:
                return setup->path[0] ? "the server has no such share or folder" : "the server has no such share";
        default:
                return NULL;
        }
}

/* Asks for the root's attributes, which connects. 0, or the errno. */
static int try_root(struct smbclient *s)
{
        struct stat st;
        int r;

        smbc_setDebug(s->context, 10); /* for note_ntstatus() */
        errno = 0;
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

/* Connects to a printer, and to nothing in it: whatever is opened there is a print job. To list jobs, the library connects to the
 * share, and then refuses by itself what only SMB1 has. 0, or the errno. */
static int try_printer(struct smbclient *s)
{
        int error;

        s->tree_connected = false;
        smbc_setDebug(s->context, 10); /* for note_ntstatus() */
        errno = 0;
        (void) smbc_getFunctionListPrintJobs(s->context)(s->context, s->url, ignore_job);
        error = s->tree_connected ? 0 : errno ? errno : EIO;
        smbc_setDebug(s->context, 0);
        return error;
}

/* Connects; with a password in two steps. A server may answer a wrong password with a guest's session and not say so. Only one that
 * knows the password can sign; so the first session has to be signed, and gives way to a usual one when it was accepted. */
static int connect_share(struct smbclient *s, const struct smb_setup *setup)
{
        int (*try_share)(struct smbclient *client) = setup->print ? try_printer : try_root;
        int error = try_share(s);

        if (error != 0 || !setup->has_password)
                return error;
        if (smbc_getFunctionPurgeCachedServers(s->context)(s->context) != 0 || set_configuration(s, configuration_usual) < 0)
                return EIO;
        return try_share(s);
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

        smbc_setDebug(s->context, 10); /* for note_ntstatus() */
        error = share_list_open(s->context, s->url, &s->shares);
        smbc_setDebug(s->context, 0);
        return error;
}

static int smbclient_connect(struct smb_backend *b, const struct smb_setup *setup, struct wn_error *err)
{
        struct smbclient *s = smbclient_of(b);
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
        r = s->login_failed ? ERROR_LOGON_FAILURE : connect_status(s->last_ntstatus, error);
        if (r == ERROR_BAD_NET_NAME && !setup->share[0])
                r = ERROR_BAD_NETPATH; /* it has no list of shares: it is no server for us */
        if (connect_reason(r, setup))
                return error_set(err, r, (int) s->last_ntstatus, "connect", "%s", connect_reason(r, setup));
        if (error == EINVAL) /* what the library says of a name that does not resolve */
                return error_set(err, r, EHOSTUNREACH, "connect", "no server of this name can be found");
        if (error == ECONNREFUSED && !setup->share[0]) /* and this of a name that is asked for its shares */
                return error_set(err, r, error, "connect", "no server of this name can be found, or it refuses connections");
        return error_set(err, r, error, "connect", "the server cannot be reached: %s",
                         error > 0 && error <= ERRNO_MAX ? strerror(error) : "no answer");
}

static int smbclient_stat(struct smb_backend *b, const char *path, struct smb_attr *ret_attr)
{
        struct smbclient *s = smbclient_of(b);
        struct stat st;
        int r = make_url(s, s->url, path);

        if (r < 0)
                return r;
        if (smbc_getFunctionStat(s->context)(s->context, s->url, &st) < 0)
                return last_errno();
        attr_from_stat(&st, ret_attr);
        return 0;
}

static int smbclient_open(struct smb_backend *b, const char *path, int flags, struct smb_open_file **ret_file)
{
        struct smbclient *s = smbclient_of(b);
        struct smb_open_file *file;
        int r = make_url(s, s->url, path);

        if (r < 0)
                return r;
        file = malloc(sizeof(*file));
        if (!file)
                return -ENOMEM;
        errno = 0;
        file->handle = smbc_getFunctionOpen(s->context)(s->context, s->url, flags, 0666);
        if (!file->handle) {
                r = last_errno();
                free(file);
                return r;
        }
        *ret_file = file;
        return 0;
}

static int smbclient_close(struct smb_backend *b, struct smb_open_file *file)
{
        struct smbclient *s = smbclient_of(b);
        int r;

        errno = 0;
        r = smbc_getFunctionClose(s->context)(s->context, file->handle) < 0 ? last_errno() : 0;
        free(file);
        return r;
}

static int smbclient_fstat(struct smb_backend *b, struct smb_open_file *file, struct smb_attr *ret_attr)
{
        struct smbclient *s = smbclient_of(b);
        struct stat st;

        errno = 0;
        if (smbc_getFunctionFstat(s->context)(s->context, file->handle, &st) < 0)
                return last_errno();
        attr_from_stat(&st, ret_attr);
        return 0;
}

static int64_t smbclient_read(struct smb_backend *b, struct smb_open_file *file, void *data, size_t size, uint64_t offset)
{
        struct smbclient *s = smbclient_of(b);
        size_t done = 0;

        errno = 0;
        if (smbc_getFunctionLseek(s->context)(s->context, file->handle, (off_t) offset, SEEK_SET) < 0)
                return last_errno();
        while (done < size) {
                ssize_t n;

                errno = 0;
                n = smbc_getFunctionRead(s->context)(s->context, file->handle, (char *) data + done, size - done);
                if (n < 0)
                        return last_errno();
                if (n == 0)
                        break;
                done += (size_t) n;
        }
        return (int64_t) done;
}

static int64_t smbclient_write(struct smb_backend *b, struct smb_open_file *file, const void *data, size_t size,
                               uint64_t offset)
{
        struct smbclient *s = smbclient_of(b);
        size_t done = 0;

        errno = 0;
        if (smbc_getFunctionLseek(s->context)(s->context, file->handle, (off_t) offset, SEEK_SET) < 0)
                return last_errno();
        while (done < size) {
                ssize_t n;

                errno = 0;
                n = smbc_getFunctionWrite(s->context)(s->context, file->handle, (const char *) data + done, size - done);
                if (n < 0 && done == 0)
                        return last_errno();
                if (n <= 0)
                        break;
                done += (size_t) n;
        }
        return done == 0 && size > 0 ? -EIO : (int64_t) done;
}

static int go_on(off_t n, void *priv)
{
        (void) n;
        (void) priv;
        return 1;
}

static int64_t smbclient_copy(struct smb_backend *b, struct smb_open_file *from, uint64_t from_offset, struct smb_open_file *to,
                              uint64_t to_offset, size_t size)
{
        struct smbclient *s = smbclient_of(b);
        off_t n;

        errno = 0;
        if (smbc_getFunctionLseek(s->context)(s->context, from->handle, (off_t) from_offset, SEEK_SET) < 0 ||
            smbc_getFunctionLseek(s->context)(s->context, to->handle, (off_t) to_offset, SEEK_SET) < 0)
                return last_errno();
        n = smbc_getFunctionSplice(s->context)(s->context, from->handle, to->handle, (off_t) size, go_on, NULL);
        return n < 0 ? last_errno() : n;
}

static int smbclient_truncate(struct smb_backend *b, struct smb_open_file *file, uint64_t size)
{
        struct smbclient *s = smbclient_of(b);

        errno = 0;
        return smbc_getFunctionFtruncate(s->context)(s->context, file->handle, (off_t) size) < 0 ? last_errno() : 0;
}

static int smbclient_list(struct smb_backend *b, const char *path, struct smb_open_list **ret_list)
{
        struct smbclient *s = smbclient_of(b);
        struct smb_open_list *list;
        int r = make_url(s, s->url, path);

        if (r < 0)
                return r;
        list = calloc(1, sizeof(*list));
        if (!list)
                return -ENOMEM;
        errno = 0;
        list->handle = smbc_getFunctionOpendir(s->context)(s->context, s->url);
        if (!list->handle) {
                r = last_errno();
                free(list);
                if (r == -EINVAL) { /* the library's word for an answer that it does not understand */
                        log_info("the server sent a listing that libsmbclient refuses: %s", path);
                        r = -EIO;
                }
                return r;
        }
        *ret_list = list;
        return 0;
}

static int smbclient_list_next(struct smb_backend *b, struct smb_open_list *list, const char **ret_name,
                               struct smb_attr *ret_attr)
{
        struct smbclient *s = smbclient_of(b);
        const struct libsmb_file_info *info;

        while ((info = smbc_getFunctionReaddirPlus(s->context)(s->context, list->handle))) {
                if (strcmp(info->name, ".") == 0 || strcmp(info->name, "..") == 0)
                        continue;
                if (!names_from_server(info->name, list->name, sizeof(list->name)) ||
                    !listing_name_valid(list->name, strlen(list->name))) {
                        list->skipped++;
                        continue;
                }
                *ret_name = list->name;
                *ret_attr = (struct smb_attr){
                        .size_bytes = info->size,
                        .mtime = smb_time_from(info->mtime_ts),
                        .atime = smb_time_from(info->atime_ts),
                        .ctime = smb_time_from(info->ctime_ts),
                        .dos = info->attrs,
                };
                return 1;
        }
        return 0;
}

static void smbclient_list_close(struct smb_backend *b, struct smb_open_list *list)
{
        struct smbclient *s = smbclient_of(b);

        if (list->skipped > 0)
                log_info("%lu names of the server cannot be names here and were left out of a listing", list->skipped);
        smbc_getFunctionClosedir(s->context)(s->context, list->handle);
        free(list);
}

/* The four attributes as the mode that smbc_chmod() makes them from. */
static mode_t mode_from_dos(uint32_t dos)
{
        return (mode_t) ((dos & SMB_ATTR_READONLY ? 0 : S_IWUSR) | (dos & SMB_ATTR_ARCHIVE ? S_IXUSR : 0) |
                         (dos & SMB_ATTR_SYSTEM ? S_IXGRP : 0) | (dos & SMB_ATTR_HIDDEN ? S_IXOTH : 0));
}

static int smbclient_set_dos(struct smb_backend *b, const char *path, uint32_t dos)
{
        struct smbclient *s = smbclient_of(b);
        int r = make_url(s, s->url, path);

        if (r < 0)
                return r;
        return smbc_getFunctionChmod(s->context)(s->context, s->url, mode_from_dos(dos)) < 0 ? last_errno() : 0;
}

/* smbc_unlink() would delete an empty directory as well, and refuses a read-only file with EINVAL. */
static int smbclient_unlink(struct smb_backend *b, const char *path)
{
        struct smbclient *s = smbclient_of(b);
        struct smb_attr attr;
        int r = smbclient_stat(b, path, &attr);

        if (r < 0)
                return r;
        if (attr.dos & SMB_ATTR_DIRECTORY)
                return -EISDIR;
        if (attr.dos & SMB_ATTR_READONLY) {
                r = smbclient_set_dos(b, path, attr.dos & ~SMB_ATTR_READONLY);
                if (r < 0)
                        return r;
        }
        r = make_url(s, s->url, path);
        if (r < 0)
                return r;
        if (smbc_getFunctionUnlink(s->context)(s->context, s->url) == 0)
                return 0;
        r = last_errno();
        if (attr.dos & SMB_ATTR_READONLY)
                (void) smbclient_set_dos(b, path, attr.dos); /* put back; the first error is the one that counts */
        return r;
}

static int smbclient_mkdir(struct smb_backend *b, const char *path)
{
        struct smbclient *s = smbclient_of(b);
        int r = make_url(s, s->url, path);

        if (r < 0)
                return r;
        return smbc_getFunctionMkdir(s->context)(s->context, s->url, 0777) < 0 ? last_errno() : 0;
}

static int smbclient_rmdir(struct smb_backend *b, const char *path)
{
        struct smbclient *s = smbclient_of(b);
        int r = make_url(s, s->url, path);

        if (r < 0)
                return r;
        return smbc_getFunctionRmdir(s->context)(s->context, s->url) < 0 ? last_errno() : 0;
}

static int rename_once(struct smb_backend *b, const char *from, const char *to)
{
        struct smbclient *s = smbclient_of(b);
        int r = make_url(s, s->url, from);

        if (r == 0)
                r = make_url(s, s->url2, to);
        if (r < 0)
                return r;
        return smbc_getFunctionRename(s->context)(s->context, s->url, s->context, s->url2) < 0 ? last_errno() : 0;
}

/* A read-only file is in the way of a rename (EEXIST), though its mode does not matter for that on Unix. */
static int smbclient_rename(struct smb_backend *b, const char *from, const char *to)
{
        struct smb_attr attr;
        int r = rename_once(b, from, to), q;

        if (r != -EEXIST || smbclient_stat(b, to, &attr) < 0 || (attr.dos & SMB_ATTR_DIRECTORY) ||
            !(attr.dos & SMB_ATTR_READONLY))
                return r;
        q = smbclient_set_dos(b, to, attr.dos & ~SMB_ATTR_READONLY);
        if (q < 0)
                return q;
        r = rename_once(b, from, to);
        if (r < 0)
                (void) smbclient_set_dos(b, to, attr.dos);
        return r;
}

static int smbclient_set_times(struct smb_backend *b, const char *path, const struct smb_time *atime,
                               const struct smb_time *mtime)
{
        struct smbclient *s = smbclient_of(b);
        struct timeval times[2] = {
                { .tv_sec = atime->sec, .tv_usec = atime->nsec / 1000 },
                { .tv_sec = mtime->sec, .tv_usec = mtime->nsec / 1000 },
        };
        int r = make_url(s, s->url, path);

        if (r < 0)
                return r;
        return smbc_getFunctionUtimes(s->context)(s->context, s->url, times) < 0 ? last_errno() : 0;
}

static int smbclient_statfs(struct smb_backend *b, struct smb_space *ret_space)
{
        struct smbclient *s = smbclient_of(b);
        struct statvfs vfs;

        if (!s->root) {
                int r = make_url(s, s->url, "");

                if (r < 0)
                        return r;
                s->root = smbc_getFunctionOpendir(s->context)(s->context, s->url);
                if (!s->root)
                        return last_errno();
        }
        errno = 0;
        if (smbc_getFunctionFstatVFS(s->context)(s->context, s->root, &vfs) < 0)
                return last_errno();
        /* The library puts bytes per sector and sectors per unit into these two. */
        *ret_space = (struct smb_space){
                .block_bytes = (uint64_t) vfs.f_bsize * (vfs.f_frsize ? vfs.f_frsize : 1),
                .blocks = vfs.f_blocks,
                .blocks_free = vfs.f_bfree,
                .blocks_available = vfs.f_bavail,
        };
        return 0;
}

static int smbclient_share_next(struct smb_backend *b, struct smb_share *ret_share)
{
        struct smbclient *s = smbclient_of(b);

        if (!s->shares)
                return s->shares_at_end ? 0 : -EINVAL;
        if (share_list_next(s->shares, ret_share) == 1)
                return 1;
        share_list_close(s->shares);
        s->shares = NULL;
        s->shares_at_end = true;
        return 0;
}

static const struct smb_backend_ops smbclient_ops = {
        .connect = smbclient_connect,
        .stat = smbclient_stat,
        .open = smbclient_open,
        .close = smbclient_close,
        .fstat = smbclient_fstat,
        .read = smbclient_read,
        .write = smbclient_write,
        .copy = smbclient_copy,
        .truncate = smbclient_truncate,
        .list = smbclient_list,
        .list_next = smbclient_list_next,
        .list_close = smbclient_list_close,
        .unlink = smbclient_unlink,
        .mkdir = smbclient_mkdir,
        .rmdir = smbclient_rmdir,
        .rename = smbclient_rename,
        .set_dos = smbclient_set_dos,
        .set_times = smbclient_set_times,
        .statfs = smbclient_statfs,
        .share_next = smbclient_share_next,
};

struct smb_backend *backend_smbclient(void)
{
        static struct smbclient s = { .backend.ops = &smbclient_ops };

        return &s.backend;
}
