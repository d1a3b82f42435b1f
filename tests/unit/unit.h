/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

/*
 * What several unit tests need: cmocka, a folder of their own, files in it, and a child process to act in.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))
#define NOBODY 65534 /* whom a test that root runs becomes where rights matter */

/* For code in a child process, where cmocka's assertions would go on with the parent's tests. */
#define CHECK(condition)                                                                                               \
        do {                                                                                                           \
                if (!(condition)) {                                                                                    \
                        fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                \
                        return 1;                                                                                      \
                }                                                                                                      \
        } while (0)

/* Setup: *state is the path of a new folder. */
static inline int make_folder(void **state)
{
        char *path = strdup("/tmp/wnet-unit-XXXXXX");

        if (!path || !mkdtemp(path))
                return -1;
        if (geteuid() == 0 && chown(path, NOBODY, NOBODY) < 0)
                return -1;
        *state = path;
        return 0;
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void) st;
        (void) type;
        (void) ftw;
        return remove(path);
}

/* Teardown. */
static inline int remove_folder(void **state)
{
        int r = nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);

        free(*state);
        return r;
}

/* "folder/name", in one of a few static buffers. */
static inline const char *in_folder(void **state, const char *name)
{
        static char paths[8][4096];
        static unsigned next;
        char *path = paths[next++ % 8];

        snprintf(path, sizeof paths[0], "%s/%s", (const char *) *state, name);
        return path;
}

static inline void write_file(const char *path, const void *bytes, size_t size_bytes)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, bytes, size_bytes), size_bytes);
        close(fd);
}

static inline void write_text(const char *path, const char *text)
{
        write_file(path, text, strlen(text));
}

struct bytes {
        char data[1 << 17];
        size_t size_bytes;
};

static inline void read_bytes(const char *path, struct bytes *ret_bytes)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n;

        assert_true(fd >= 0);
        n = read(fd, ret_bytes->data, sizeof ret_bytes->data);
        close(fd);
        assert_in_range(n, 0, sizeof ret_bytes->data - 1);
        ret_bytes->size_bytes = (size_t) n;
}

static inline void assert_file_is(const char *path, const struct bytes *expected)
{
        struct bytes now;

        read_bytes(path, &now);
        assert_int_equal(now.size_bytes, expected->size_bytes);
        assert_memory_equal(now.data, expected->data, now.size_bytes);
}

/* How many entries a folder has. */
static inline unsigned count_entries(const char *path)
{
        DIR *dir = opendir(path);
        unsigned n = 0;

        assert_non_null(dir);
        while (readdir(dir))
                n++;
        closedir(dir);
        return n - 2;
}

/* Runs act in a child, without root's rights if as_user. Returns its result, or 1000 + the signal that ended it. */
static inline int in_child(int (*act)(void **state), void **state, bool as_user)
{
        pid_t pid;
        int status;

        fflush(NULL);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                alarm(60);
                if (as_user && geteuid() == 0 &&
                    (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
                     setresuid(NOBODY, NOBODY, NOBODY) < 0))
                        _exit(99);
                _exit(act(state));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

#endif
