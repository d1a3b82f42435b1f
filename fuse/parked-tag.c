/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The first half of an HMAC-SHA256 of what it is about. */

#include "fuse/parked-tag.h"

#include <errno.h>
#include <fcntl.h>
#include <gcrypt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"

/* Half a key is none. */
static int read_key(const char *path, struct parked_key *ret_key)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        struct stat st;
        ssize_t n;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
                return -EPERM;
        n = read(fd, ret_key->bytes, sizeof(ret_key->bytes));
        if (n < 0)
                return -errno;
        return n == sizeof(ret_key->bytes) && st.st_size == n ? 0 : -ENOENT;
}

/* Writes the key to a file of its own, which then gets its name: it is there as a whole, or not at all. */
static int write_key(const char *path, const struct parked_key *key)
{
        _cleanup_free_ char *temporary = NULL;
        _cleanup_close_ int fd = -1;
        int r = 0;

        if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
                temporary = NULL;
                return -ENOMEM;
        }
        fd = mkostemp(temporary, O_CLOEXEC); /* 0600 */
        if (fd < 0)
                return -errno;
        errno = ENOSPC;
        if (write(fd, key->bytes, sizeof(key->bytes)) != sizeof(key->bytes) || fsync(fd) < 0 || rename(temporary, path) < 0)
                r = -errno;
        if (r < 0)
                (void) unlink(temporary);
        return r;
}

int parked_key_load(const char *path, struct parked_key *ret_key)
{
        int r = read_key(path, ret_key);

        if (r == 0)
                return 0;
        if (getrandom(ret_key->bytes, sizeof(ret_key->bytes), 0) != sizeof(ret_key->bytes))
                return -EIO;
        return r == -ENOENT ? write_key(path, ret_key) : r;
}

int parked_tag(const struct parked_key *key, const char *source, const char *base, const char *original, uint64_t file_id,
               char ret_tag[PARKED_TAG_CHARS + 1])
{
        char number[17];
        const unsigned char *digest;
        gcry_md_hd_t md;

        ret_tag[0] = '\0';
        if (!gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) {
                if (!gcry_check_version(GCRYPT_VERSION))
                        return -ENOSYS;
                gcry_control(GCRYCTL_DISABLE_SECMEM, 0); /* it would lock memory; the key is in a file anyway */
                gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
        }
        if (gcry_md_open(&md, GCRY_MD_SHA256, GCRY_MD_FLAG_HMAC))
                return -ENOMEM;
        if (gcry_md_setkey(md, key->bytes, sizeof(key->bytes))) {
                gcry_md_close(md);
                return -EINVAL;
        }
        snprintf(number, sizeof(number), "%llx", (unsigned long long) file_id);
        for (const char *p = source; *p; p++)
                gcry_md_putc(md, *p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p); /* servers and shares fold */
        gcry_md_putc(md, '\0'); /* so that nothing runs into what is next */
        gcry_md_write(md, base, strlen(base) + 1);
        gcry_md_write(md, original, strlen(original) + 1);
        gcry_md_write(md, number, strlen(number));
        digest = gcry_md_read(md, GCRY_MD_SHA256);
        for (size_t i = 0; digest && i < PARKED_TAG_CHARS / 2; i++)
                snprintf(ret_tag + 2 * i, 3, "%02x", digest[i]);
        gcry_md_close(md);
        return digest ? 0 : -EINVAL;
}
