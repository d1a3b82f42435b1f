/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * fuse/smb/listing.c with any bytes as what a worker wrote: nothing crashes, it comes to an end, and every name that is taken
 * can be one of a folder's.
 */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "fuse/smb/listing.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ uint8_t *slot = malloc(size ? size : 1); /* aligned, as a data slot is, and of that size to the byte */
        char name[SMB_NAME_MAX_BYTES + 1];
        struct smb_attr attr;
        size_t at = 0, before = 0;
        int r;

        if (!slot)
                return 0;
        memcpy(slot, data, size);
        while ((r = listing_take(slot, size, &at, name, &attr)) > 0) {
                CHECK(at > before && at <= size);
                before = at;
                CHECK(listing_name_valid(name, strlen(name)));
                CHECK(name[0] && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/'));
        }
        CHECK(r == 0 || r == -EBADMSG);
        return 0;
}
