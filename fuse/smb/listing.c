/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packing and checking of directory entries. Pure functions over a buffer that the other process may be writing to: every
 * field is copied out once, then checked.
 */

#include "fuse/smb/listing.h"

#include <errno.h>
#include <string.h>

#include "core/utf8.h"

/* What the protocol can say: the year 1601, and 2^63 units of 100 ns later. */
#define TIME_MIN_SEC INT64_C(-11644473600)
#define TIME_MAX_SEC INT64_C(910692730085)

bool listing_put(void *buffer, size_t size, size_t *used, const char *name, const struct smb_attr *attr)
{
        size_t name_bytes = strlen(name);
        size_t record_bytes = (sizeof(struct smb_entry) + name_bytes + 7) & ~(size_t) 7;
        struct smb_entry *entry = (struct smb_entry *) ((char *) buffer + *used);

        if (record_bytes > size - *used)
                return false;
        entry->record_bytes = (uint32_t) record_bytes;
        entry->name_bytes = (uint32_t) name_bytes;
        entry->attr = *attr;
        memcpy(entry->name, name, name_bytes);
        *used += record_bytes;
        return true;
}

static void limit_time(struct smb_time *time)
{
        if (time->sec < TIME_MIN_SEC || time->sec > TIME_MAX_SEC || time->nsec >= 1000000000u)
                *time = (struct smb_time){ 0 };
}

void listing_limit_attr(struct smb_attr *attr)
{
        limit_time(&attr->mtime);
        limit_time(&attr->atime);
        limit_time(&attr->ctime);
        if (attr->size_bytes > INT64_MAX)
                attr->size_bytes = 0;
}

int listing_take(const void *buffer, size_t size, size_t *at, char ret_name[SMB_NAME_MAX_BYTES + 1], struct smb_attr *ret_attr)
{
        struct smb_entry header;

        if (*at == size)
                return 0;
        if (size - *at < sizeof(header))
                return -EBADMSG;
        memcpy(&header, (const char *) buffer + *at, sizeof(header));
        if (header.name_bytes > SMB_NAME_MAX_BYTES || header.record_bytes % 8 != 0 ||
            header.record_bytes > size - *at || header.record_bytes < sizeof(header) + header.name_bytes)
                return -EBADMSG;
        memcpy(ret_name, (const char *) buffer + *at + sizeof(header), header.name_bytes);
        ret_name[header.name_bytes] = '\0';
        if (!listing_name_valid(ret_name, header.name_bytes))
                return -EBADMSG;
        *ret_attr = header.attr;
        listing_limit_attr(ret_attr);
        *at += header.record_bytes;
        return 1;
}

bool listing_name_valid(const char *name, size_t name_bytes)
{
        if (name_bytes == 0 || name_bytes > SMB_NAME_MAX_BYTES)
                return false;
        if (memchr(name, '\0', name_bytes) || memchr(name, '/', name_bytes))
                return false;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return false;
        for (size_t at = 0; at < name_bytes;) {
                size_t n = utf8_char_bytes(name + at, name_bytes - at);

                if (n == 0)
                        return false;
                at += n;
        }
        return true;
}
