/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuse/smb/backend-kind.h"

#include <errno.h>
#include <stddef.h>
#include <strings.h>
#include <sys/stat.h>

#include "fuse/smb/backend-shares.h"

static enum share_kind kind_in_list(SMBCCTX *context, const char *server_url, const char *share)
{
        struct share_list *list;
        struct smb_share entry;
        enum share_kind kind = SHARE_UNKNOWN;

        if (share_list_open(context, server_url, &list) != 0)
                return SHARE_UNKNOWN;
        while (share_list_next(list, &entry) == 1)
                if (strcasecmp(entry.name, share) == 0)
                        kind = entry.kind == SMB_SHARE_PRINTER ? SHARE_PRINTER
                               : entry.kind == SMB_SHARE_DISK  ? SHARE_DISK
                                                               : SHARE_UNKNOWN;
        share_list_close(list);
        return kind;
}

/* A disk share has a root that is a directory. A printer has none: Samba lets it be opened (as a job, of which nothing becomes
 * while it is empty) and denies it its attributes, and finds nothing to list; Windows says that it is not supported. */
static enum share_kind kind_by_root(SMBCCTX *context, const char *share_url)
{
        struct stat st;
        SMBCFILE *root;
        int stat_error;

        errno = 0;
        if (smbc_getFunctionStat(context)(context, share_url, &st) == 0)
                return S_ISDIR(st.st_mode) ? SHARE_DISK : SHARE_UNKNOWN;
        stat_error = errno;
        if (stat_error == ENOSYS || stat_error == EOPNOTSUPP)
                return SHARE_PRINTER;
        errno = 0;
        root = smbc_getFunctionOpendir(context)(context, share_url);
        if (root) {
                (void) smbc_getFunctionClosedir(context)(context, root);
                return SHARE_DISK;
        }
        return stat_error == EACCES && errno == ENOENT ? SHARE_PRINTER : SHARE_UNKNOWN;
}

enum share_kind share_kind(SMBCCTX *context, const char *server_url, const char *share_url, const char *share)
{
        enum share_kind kind = kind_in_list(context, server_url, share);

        return kind != SHARE_UNKNOWN ? kind : kind_by_root(context, share_url);
}
