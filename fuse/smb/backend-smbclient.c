/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The SMB side of a worker once it is connected: names and open files, in libsmbclient's calls. Every function answers with
 * Linux's errno: it is cleared before each call and smbclient_errno() asked behind it, for the library sometimes fails without
 * setting one, or sets a number that does not exist.
 *
 * libsmbclient shows DOS attributes as mode bits and takes them back the same way in chmod; our own configuration turns on
 * all four, so that a change of one keeps the others.
 */

#include "fuse/smb/backend-smbclient.h"

#include <errno.h>
#include <fcntl.h>
#include <libsmbclient.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "core/log.h"
#include "fuse/smb/backend-internal.h"
#include "fuse/smb/backend-shares.h"
#include "fuse/smb/listing.h"
#include "fuse/smb/names.h"

struct smb_open_file {
        SMBCFILE *handle;
};

struct smb_open_list {
        SMBCFILE *handle;
        char name[SMB_NAME_MAX_BYTES + 1];
        unsigned long skipped;
};

int smbclient_errno(void)
{
        int e = errno;

        if (e == EINPROGRESS) /* left over from connecting to a DFS link's target, in vain */
                return -EIO;
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
        if (S_ISDIR(st->st_mode)) {
                ret_attr->dos |= SMB_ATTR_DIRECTORY;
                ret_attr->dos_partial = 1;
        }
        else if (st->st_mode & S_IXUSR)
                ret_attr->dos |= SMB_ATTR_ARCHIVE;
        if (!S_ISDIR(st->st_mode) && (st->st_mode & S_IXGRP))
                ret_attr->dos |= SMB_ATTR_SYSTEM;
        if (!S_ISDIR(st->st_mode) && (st->st_mode & S_IXOTH))
                ret_attr->dos |= SMB_ATTR_HIDDEN;
        if (!(st->st_mode & S_IWUSR))
                ret_attr->dos |= SMB_ATTR_READONLY;
}

static int smbclient_stat(struct smb_backend *b, const char *path, struct smb_attr *ret_attr)
{
        struct smbclient *s = smbclient_of(b);
        struct stat st;
        int r = make_url(s, s->url, path);

        if (r < 0)
                return r;
        if (smbc_getFunctionStat(s->context)(s->context, s->url, &st) < 0)
                return smbclient_errno();
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
                r = smbclient_errno();
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
        r = smbc_getFunctionClose(s->context)(s->context, file->handle) < 0 ? smbclient_errno() : 0;
        free(file);
        return r;
}

static int smbclient_fstat(struct smb_backend *b, struct smb_open_file *file, struct smb_attr *ret_attr)
{
        struct smbclient *s = smbclient_of(b);
        struct stat st;

        errno = 0;
        if (smbc_getFunctionFstat(s->context)(s->context, file->handle, &st) < 0)
                return smbclient_errno();
        attr_from_stat(&st, ret_attr);
        return 0;
}

/* The library goes on by itself until the file's end, which it takes a request of its own to find. */
static int64_t smbclient_read(struct smb_backend *b, struct smb_open_file *file, void *data, size_t size, uint64_t offset)
{
        struct smbclient *s = smbclient_of(b);
        ssize_t n;

        errno = 0;
        if (smbc_getFunctionLseek(s->context)(s->context, file->handle, (off_t) offset, SEEK_SET) < 0)
                return smbclient_errno();
        n = smbc_getFunctionRead(s->context)(s->context, file->handle, data, size);
        return n < 0 ? smbclient_errno() : n;
}

static int64_t smbclient_write(struct smb_backend *b, struct smb_open_file *file, const void *data, size_t size,
                               uint64_t offset)
{
        struct smbclient *s = smbclient_of(b);
        size_t done = 0;

        errno = 0;
        if (smbc_getFunctionLseek(s->context)(s->context, file->handle, (off_t) offset, SEEK_SET) < 0)
                return smbclient_errno();
        while (done < size) {
                ssize_t n;

                errno = 0;
                n = smbc_getFunctionWrite(s->context)(s->context, file->handle, (const char *) data + done, size - done);
                if (n < 0 && done == 0)
                        return smbclient_errno();
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
                return smbclient_errno();
        n = smbc_getFunctionSplice(s->context)(s->context, from->handle, to->handle, (off_t) size, go_on, NULL);
        return n < 0 ? smbclient_errno() : n;
}

static int smbclient_truncate(struct smb_backend *b, struct smb_open_file *file, uint64_t size)
{
        struct smbclient *s = smbclient_of(b);

        errno = 0;
        return smbc_getFunctionFtruncate(s->context)(s->context, file->handle, (off_t) size) < 0 ? smbclient_errno() : 0;
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
                r = smbclient_errno();
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

/* The next entry, with the server's number of the file where it is wanted: the library takes it out of struct stat's making, which
 * costs ten times the rest of an entry. */
static const struct libsmb_file_info *next_entry(struct smbclient *s, struct smb_open_list *list, bool want_id, uint64_t *ret_id)
{
        const struct libsmb_file_info *info = NULL;
        struct stat st = { 0 };

        if (want_id)
                info = smbc_getFunctionReaddirPlus2(s->context)(s->context, list->handle, &st);
        if (!info)
                info = smbc_getFunctionReaddirPlus(s->context)(s->context, list->handle);
        *ret_id = st.st_ino;
        return info;
}

static int smbclient_list_next(struct smb_backend *b, struct smb_open_list *list, bool want_id, const char **ret_name,
                               struct smb_attr *ret_attr)
{
        struct smbclient *s = smbclient_of(b);
        const struct libsmb_file_info *info;
        uint64_t id;

        while ((info = next_entry(s, list, want_id, &id))) {
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
                        .file_id = id,
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
        return smbc_getFunctionChmod(s->context)(s->context, s->url, mode_from_dos(dos)) < 0 ? smbclient_errno() : 0;
}

/* What smbc_stat() shows as mode bits it shows of files only: a directory tells its own attributes as "." of its listing. */
static int smbclient_directory_dos(struct smb_backend *b, const char *path, uint32_t *ret_dos)
{
        struct smbclient *s = smbclient_of(b);
        const struct libsmb_file_info *info;
        struct smb_open_list *list;
        int r = smbclient_list(b, path, &list);

        if (r < 0)
                return r;
        do
                info = smbc_getFunctionReaddirPlus(s->context)(s->context, list->handle);
        while (info && strcmp(info->name, ".") != 0);
        if (info)
                *ret_dos = info->attrs;
        smbclient_list_close(b, list);
        return info ? 0 : -EIO;
}

/* To the second: the library has no other call for it. */
static int smbclient_birth(struct smb_backend *b, const char *path, struct smb_time *ret_birth)
{
        struct smbclient *s = smbclient_of(b);
        char text[32] = "", *end;
        int r = make_url(s, s->url, path);

        if (r < 0)
                return r;
        if (smbc_getFunctionGetxattr(s->context)(s->context, s->url, "system.dos_attr.create_time", text, sizeof(text)) < 0)
                return smbclient_errno();
        *ret_birth = (struct smb_time){ .sec = strtoll(text, &end, 10) };
        return end == text ? -EIO : 0;
}

static int unlink_once(struct smb_backend *b, const char *path)
{
        struct smbclient *s = smbclient_of(b);
        int r = make_url(s, s->url, path);

        if (r < 0)
                return r;
        return smbc_getFunctionUnlink(s->context)(s->context, s->url) < 0 ? smbclient_errno() : 0;
}

/* 0: path is a file. It takes two requests where a stat takes three, and cannot be asked of every file. */
static int is_file(struct smb_backend *b, const char *path)
{
        struct smb_open_file *file;
        int r = smbclient_open(b, path, O_RDONLY, &file);

        return r < 0 ? r : smbclient_close(b, file);
}

/* Whether a server's answer, in contrast to that of a broken connection, leaves something to be tried. */
static bool is_refusal(int error)
{
        return error == -EACCES || error == -EPERM || error == -EBUSY || error == -EINVAL || error == -ENOENT;
}

/* smbc_unlink() would delete an empty directory as well, and refuses a read-only file with EINVAL. */
static int smbclient_unlink(struct smb_backend *b, const char *path)
{
        struct smb_attr attr;
        int r = is_file(b, path);

        if (r == 0)
                r = unlink_once(b, path);
        if (!is_refusal(r))
                return r;
        r = smbclient_stat(b, path, &attr);
        if (r < 0)
                return r;
        if (attr.dos & SMB_ATTR_DIRECTORY)
                return -EISDIR;
        if (attr.dos & SMB_ATTR_READONLY) {
                r = smbclient_set_dos(b, path, attr.dos & ~SMB_ATTR_READONLY);
                if (r < 0)
                        return r;
        }
        r = unlink_once(b, path);
        if (r < 0 && (attr.dos & SMB_ATTR_READONLY))
                (void) smbclient_set_dos(b, path, attr.dos); /* put back; the first error is the one that counts */
        return r;
}

static int smbclient_mkdir(struct smb_backend *b, const char *path)
{
        struct smbclient *s = smbclient_of(b);
        int r = make_url(s, s->url, path);

        if (r < 0)
                return r;
        return smbc_getFunctionMkdir(s->context)(s->context, s->url, 0777) < 0 ? smbclient_errno() : 0;
}

static int smbclient_rmdir(struct smb_backend *b, const char *path)
{
        struct smbclient *s = smbclient_of(b);
        int r = make_url(s, s->url, path);

        if (r < 0)
                return r;
        return smbc_getFunctionRmdir(s->context)(s->context, s->url) < 0 ? smbclient_errno() : 0;
}

static int rename_once(struct smb_backend *b, const char *from, const char *to)
{
        struct smbclient *s = smbclient_of(b);
        int r = make_url(s, s->url, from);

        if (r == 0)
                r = make_url(s, s->url2, to);
        if (r < 0)
                return r;
        return smbc_getFunctionRename(s->context)(s->context, s->url, s->context, s->url2) < 0 ? smbclient_errno() : 0;
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

/* The library's only call that does not follow DFS referrals: behind one it finds no such file. */
static int smbclient_set_times(struct smb_backend *b, const char *path, const struct smb_time *atime,
                               const struct smb_time *mtime)
{
        struct smbclient *s = smbclient_of(b);
        struct smb_attr attr;
        struct timeval times[2] = {
                { .tv_sec = atime->sec, .tv_usec = atime->nsec / 1000 },
                { .tv_sec = mtime->sec, .tv_usec = mtime->nsec / 1000 },
        };
        int r = make_url(s, s->url, path);

        if (r < 0)
                return r;
        r = smbc_getFunctionUtimes(s->context)(s->context, s->url, times) < 0 ? smbclient_errno() : 0;
        return r == -ENOENT && smbclient_stat(b, path, &attr) == 0 ? -EOPNOTSUPP : r;
}

int smbclient_open_root(struct smbclient *s)
{
        int r;

        if (s->root)
                return 0;
        r = make_url(s, s->url, "");
        if (r < 0)
                return r;
        s->root = smbc_getFunctionOpendir(s->context)(s->context, s->url);
        return s->root ? 0 : smbclient_errno();
}

static int smbclient_statfs(struct smb_backend *b, struct smb_space *ret_space)
{
        struct smbclient *s = smbclient_of(b);
        struct statvfs vfs;
        int r = smbclient_open_root(s);

        if (r < 0)
                return r;
        errno = 0;
        if (smbc_getFunctionFstatVFS(s->context)(s->context, s->root, &vfs) < 0)
                return smbclient_errno();
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
        .directory_dos = smbclient_directory_dos,
        .birth = smbclient_birth,
        .set_times = smbclient_set_times,
        .statfs = smbclient_statfs,
        .check = smbclient_check,
        .watch = smbclient_watch,
        .share_next = smbclient_share_next,
};

struct smb_backend *backend_smbclient(void)
{
        static struct smbclient s = { .backend.ops = &smbclient_ops };

        return &s.backend;
}
