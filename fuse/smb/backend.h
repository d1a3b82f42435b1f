/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SMB_BACKEND_H
#define FUSE_SMB_BACKEND_H

/*
 * What a worker does its work with: libsmbclient, or the unit tests' fake. One backend serves one share of one server, from
 * one thread. Paths are relative to the connection's root, '/' between components, "" for the root, in the names that a
 * Linux user sees. Functions return 0 or a negative errno in Linux's numbers, unless they say otherwise.
 */

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "fuse/smb/protocol.h"

struct smb_backend;

/* Who is told of changes. */
struct smb_watcher {
        void (*changed)(struct smb_watcher *watcher, char action, const char *path); /* SMB_CHANGE_*; path is the caller's */
        /* Those that came together have been told; beat: none has, but a while has passed. Returns whether to go on. */
        bool (*told)(struct smb_watcher *watcher, bool beat, bool alive);
};

struct smb_open_file; /* the backend's own */
struct smb_open_list;

struct smb_backend_ops {
        /* Connects to setup's share; to the server alone where share is "": then share_next() is all that may be called. 0, or a
         * status of core/status.h with *err filled; err->cause is the NTSTATUS. */
        int (*connect)(struct smb_backend *b, const struct smb_setup *setup, struct wn_error *err);

        int (*stat)(struct smb_backend *b, const char *path, struct smb_attr *ret_attr);
        int (*open)(struct smb_backend *b, const char *path, int flags, struct smb_open_file **ret_file);
        int (*close)(struct smb_backend *b, struct smb_open_file *file); /* file is gone in any case */
        int (*fstat)(struct smb_backend *b, struct smb_open_file *file, struct smb_attr *ret_attr);
        /* Return the bytes transferred (fewer than asked only at the end of the file, or of the space) or a negative errno. */
        int64_t (*read)(struct smb_backend *b, struct smb_open_file *file, void *data, size_t size, uint64_t offset);
        int64_t (*write)(struct smb_backend *b, struct smb_open_file *file, const void *data, size_t size, uint64_t offset);
        /* Copies on the server. Returns as write does; an error says nothing about what reading and writing would give. */
        int64_t (*copy)(struct smb_backend *b, struct smb_open_file *from, uint64_t from_offset, struct smb_open_file *to,
                        uint64_t to_offset, size_t size);
        int (*truncate)(struct smb_backend *b, struct smb_open_file *file, uint64_t size);

        /* Reads a whole directory; next hands out its entries: 1 with *ret_name (the list's, until the next call) and *ret_attr,
         * 0 at the end. The file_id is told where want_id is set, and may be 0 otherwise: it can take long. */
        int (*list)(struct smb_backend *b, const char *path, struct smb_open_list **ret_list);
        int (*list_next)(struct smb_backend *b, struct smb_open_list *list, bool want_id, const char **ret_name,
                         struct smb_attr *ret_attr);
        void (*list_close)(struct smb_backend *b, struct smb_open_list *list);

        int (*unlink)(struct smb_backend *b, const char *path); /* a file only */
        int (*mkdir)(struct smb_backend *b, const char *path);
        int (*rmdir)(struct smb_backend *b, const char *path);
        int (*rename)(struct smb_backend *b, const char *from, const char *to); /* over an existing file */
        int (*set_dos)(struct smb_backend *b, const char *path, uint32_t dos);  /* SMB_ATTR_SETTABLE */
        int (*directory_dos)(struct smb_backend *b, const char *path, uint32_t *ret_dos); /* all of them; lists the directory */
        int (*birth)(struct smb_backend *b, const char *path, struct smb_time *ret_birth);
        int (*set_times)(struct smb_backend *b, const char *path, const struct smb_time *atime, const struct smb_time *mtime);
        int (*statfs)(struct smb_backend *b, struct smb_space *ret_space);

        /* Asked after an error without a better word, of a share of files: 0, or -ENOTCONN when the server has taken the share or the
         * session away and left the connection up. */
        int (*check)(struct smb_backend *b);

        /* Tells of changes below the root until told() says that it is enough: 0. -EOVERFLOW: some are lost, and the caller may begin
         * anew; or another negative errno. */
        int (*watch)(struct smb_backend *b, struct smb_watcher *watcher);

        /* The server's next share: 1, 0 at the end, or a negative errno. */
        int (*share_next)(struct smb_backend *b, struct smb_share *ret_share);
};

struct smb_backend {
        const struct smb_backend_ops *ops;
};

#endif
