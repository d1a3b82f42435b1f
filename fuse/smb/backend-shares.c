/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A list is libsmbclient's handle of a server opened like a directory. What the server sends is checked here: a name that
 * cannot be a share's is left out, a comment is made printable and cut.
 */

#include "fuse/smb/backend-shares.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/name.h"
#include "core/utf8.h"

struct share_list {
        SMBCCTX *context;
        SMBCFILE *handle;
        unsigned long skipped;
};

_Static_assert(SMB_SHARE_MAX_BYTES == REMOTE_SHARE_MAX_BYTES, "a share's name fits into the protocol");

int share_list_open(SMBCCTX *context, const char *url, struct share_list **ret_list)
{
        struct share_list *list = calloc(1, sizeof(*list));

        if (!list)
                return ENOMEM;
        list->context = context;
        errno = 0;
        list->handle = smbc_getFunctionOpendir(context)(context, url);
        if (!list->handle) {
                int error = errno > 0 ? errno : EIO;

                free(list);
                return error;
        }
        *ret_list = list;
        return 0;
}

static enum smb_share_kind kind_of(unsigned type)
{
        switch (type) {
        case SMBC_FILE_SHARE:
                return SMB_SHARE_DISK;
        case SMBC_PRINTER_SHARE:
                return SMB_SHARE_PRINTER;
        default:
                return SMB_SHARE_OTHER;
        }
}

/* A comment of at most SMB_COMMENT_MAX_BYTES, on one line. */
static void copy_comment(const char *comment, char ret_comment[SMB_COMMENT_MAX_BYTES + 1])
{
        size_t n = strnlen(comment, SMB_COMMENT_MAX_BYTES);

        memcpy(ret_comment, comment, n);
        if (comment[n] != '\0')
                n = utf8_cut_bytes(ret_comment, n);
        ret_comment[n] = '\0';
        utf8_make_printable(ret_comment);
}

int share_list_next(struct share_list *list, struct smb_share *ret_share)
{
        const struct smbc_dirent *entry;

        while ((entry = smbc_getFunctionReaddir(list->context)(list->context, list->handle))) {
                if (!remote_share_valid(entry->name)) {
                        list->skipped++;
                        continue;
                }
                memset(ret_share, 0, sizeof(*ret_share));
                ret_share->kind = kind_of(entry->smbc_type);
                strcpy(ret_share->name, entry->name);
                copy_comment(entry->comment ? entry->comment : "", ret_share->comment);
                return 1;
        }
        return 0;
}

void share_list_close(struct share_list *list)
{
        if (!list)
                return;
        if (list->skipped > 0)
                log_info("%lu shares of the server have names that cannot be used here and were left out", list->skipped);
        (void) smbc_getFunctionClosedir(list->context)(list->context, list->handle);
        free(list);
}
