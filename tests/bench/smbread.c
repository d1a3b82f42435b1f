/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The benchmark's reader: reads one file from its begin to its end in calls of 1 MiB and prints bytes and seconds.
 *
 *   smbread PATH                            a local file, and so one on a drive: read()
 *   smbread smb://server:port/share/file    libsmbclient alone: one context, its read function
 *
 * User and password come from the file that SMBREAD_CREDENTIALS names (username=…, password=…). Both ways count from before
 * the open to after the end of the file; the connection to the server is made before that, as a drive's is.
 */

#include <errno.h>
#include <fcntl.h>
#include <libsmbclient.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_BYTES (1 << 20)

static char user[512], password[512];

static void authenticate(const char *server, const char *share, char *workgroup, int workgroup_size, char *name,
                         int name_size, char *secret, int secret_size)
{
        (void) server;
        (void) share;
        (void) workgroup;
        (void) workgroup_size;
        snprintf(name, (size_t) name_size, "%s", user);
        snprintf(secret, (size_t) secret_size, "%s", password);
}

static int read_credentials(void)
{
        const char *path = getenv("SMBREAD_CREDENTIALS");
        char line[512];
        FILE *f = path ? fopen(path, "re") : NULL;

        if (!f)
                return -1;
        while (fgets(line, sizeof line, f)) {
                line[strcspn(line, "\n")] = '\0';
                if (strncmp(line, "username=", 9) == 0)
                        snprintf(user, sizeof user, "%s", line + 9);
                if (strncmp(line, "password=", 9) == 0)
                        snprintf(password, sizeof password, "%s", line + 9);
        }
        fclose(f);
        return 0;
}

static double now_seconds(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static int fail(const char *what, const char *path)
{
        fprintf(stderr, "smbread: cannot %s %s: %s\n", what, path, strerror(errno));
        return 1;
}

static int finish(long long total_bytes, double began_seconds)
{
        printf("%lld %.6f\n", total_bytes, now_seconds() - began_seconds);
        return 0;
}

static int read_local(const char *path, char *block)
{
        double began = now_seconds();
        long long total = 0;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n;

        if (fd < 0)
                return fail("open", path);
        while ((n = read(fd, block, BLOCK_BYTES)) > 0)
                total += n;
        if (n < 0)
                return fail("read", path);
        close(fd);
        return finish(total, began);
}

static int read_remote(const char *url, char *block)
{
        SMBCCTX *context = smbc_new_context();
        long long total = 0;
        struct stat st;
        double began;
        SMBCFILE *file;
        ssize_t n;

        if (read_credentials() < 0)
                return fail("read", "the file of SMBREAD_CREDENTIALS");
        if (!context)
                return fail("make", "a context");
        smbc_setDebug(context, 0);
        smbc_setOptionNoAutoAnonymousLogin(context, 1);
        smbc_setFunctionAuthData(context, authenticate);
        if (!smbc_init_context(context))
                return fail("prepare", "libsmbclient");
        if (smbc_getFunctionStat(context)(context, url, &st) < 0)
                return fail("find", url);

        began = now_seconds();
        file = smbc_getFunctionOpen(context)(context, url, O_RDONLY, 0);
        if (!file)
                return fail("open", url);
        while ((n = smbc_getFunctionRead(context)(context, file, block, BLOCK_BYTES)) > 0)
                total += n;
        if (n < 0)
                return fail("read", url);
        finish(total, began);
        smbc_getFunctionClose(context)(context, file);
        smbc_free_context(context, 1);
        return 0;
}

int main(int argc, char **argv)
{
        char *block;

        if (argc != 2) {
                fputs("usage: smbread PATH | smbread smb://server:port/share/file\n", stderr);
                return 2;
        }
        block = aligned_alloc(4096, BLOCK_BYTES);
        if (!block)
                return fail("allocate", "a block");
        return strncmp(argv[1], "smb://", 6) == 0 ? read_remote(argv[1], block) : read_local(argv[1], block);
}
