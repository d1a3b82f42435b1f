/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The benchmark's load: one workload, done once, on a local folder (and so through a drive, or another mounter) or through
 * libsmbclient alone, with one context. What it reads is compared with what was written: a wrong answer is not a fast one.
 *
 *   load read WHERE FILE SEED BYTES CALL_BYTES      the whole file in order, in calls of so many bytes
 *   load write WHERE FILE SEED BYTES CALL_BYTES     a new file; fsync() behind it where there is one, and close
 *   load random WHERE FILE SEED BYTES COUNT         so many pages of a file of BYTES
 *   load list WHERE FOLDER COUNT                    a listing with the size of each
 *   load stat WHERE FOLDER FIRST COUNT              the attributes of so many names, one by one
 *   load tree WHERE FOLDER COUNT BYTES              opens, reads and closes each file
 *   load churn WHERE FOLDER COUNT BYTES SERVER      creates, writes and closes each file, looks into the server's own folder
 *                                                   SERVER, whether all is there, and deletes each
 *   load copy WHERE FROM TO BYTES                   a copy that the server makes
 *   load make WHERE FILE SEED BYTES                 no measurement: writes a file that `read` and `verify` know
 *   load verify WHERE FILE SEED BYTES               no measurement: compares every byte
 *   load fill WHERE FOLDER COUNT BYTES              no measurement: the files of list, stat and tree
 *
 * WHERE is a folder, or smb://server:port/share with user and password in the file that LOAD_CREDENTIALS names (username=…,
 * password=…). One line of JSON tells the seconds, the process's own CPU seconds, and the median and the worst of the single
 * steps where there are such. The connection to the server is made before the clock starts, as a drive's is.
 *
 * A file's page p begins with a number made of its seed and p; what follows is the same in each page. `read` looks at every
 * page's number, which costs next to nothing; the other workloads, and `verify`, look at every byte.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libsmbclient.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <dirent.h>

#define PAGE_BYTES 4096u
#define CALL_MAX_BYTES (16u << 20)
#define MAKE_CALL_BYTES (1u << 20)
#define PATH_BYTES 4096

static SMBCCTX *context; /* NULL: WHERE is a folder */
static const char *where;
static char user[512], password[512];
static unsigned char *block, page[PAGE_BYTES];

/* What is measured. */
static double began_seconds, began_cpu_seconds;
static double *step_seconds;
static unsigned long n_steps;

_Noreturn static void fail(const char *what, const char *path)
{
        fprintf(stderr, "load: cannot %s %s: %s\n", what, path, strerror(errno));
        exit(EXIT_FAILURE);
}

_Noreturn static void wrong(const char *what, const char *path)
{
        fprintf(stderr, "load: WRONG: %s: %s\n", path, what);
        exit(EXIT_FAILURE);
}

/* ---- the clock ---- */

static double seconds_of(clockid_t clock)
{
        struct timespec t;

        clock_gettime(clock, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static void clock_start(void)
{
        began_cpu_seconds = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
        began_seconds = seconds_of(CLOCK_MONOTONIC);
}

/* To be called around each step where the single steps matter. */
static void step(double began)
{
        step_seconds[n_steps++] = seconds_of(CLOCK_MONOTONIC) - began;
}

static int by_size(const void *a, const void *b)
{
        double x = *(const double *) a, y = *(const double *) b;

        return (x > y) - (x < y);
}

static void clock_stop(void)
{
        double seconds = seconds_of(CLOCK_MONOTONIC) - began_seconds;
        double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - began_cpu_seconds;

        printf("{\"seconds\": %.6f, \"cpu\": %.6f", seconds, cpu);
        if (n_steps > 0) {
                qsort(step_seconds, n_steps, sizeof(*step_seconds), by_size);
                printf(", \"median\": %.9f, \"worst\": %.9f", step_seconds[n_steps / 2], step_seconds[n_steps - 1]);
        }
        puts("}");
        fflush(stdout);
}

/* ---- contents ---- */

static uint64_t stamp(uint64_t seed, uint64_t number)
{
        return (seed + 1) * UINT64_C(0x9E3779B97F4A7C15) ^ number * UINT64_C(0xD1B54A32D192ED03);
}

static void make_page(void)
{
        uint64_t x = 88172645463325252u;

        for (unsigned i = 0; i < PAGE_BYTES; i++) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                page[i] = (unsigned char) x;
        }
}

/* Fills block with bytes of the file from offset on, which begins a page. */
static void fill(uint64_t seed, uint64_t offset, size_t bytes)
{
        for (size_t at = 0; at < bytes; at += PAGE_BYTES) {
                size_t part = bytes - at < PAGE_BYTES ? bytes - at : PAGE_BYTES;
                uint64_t number = stamp(seed, (offset + at) / PAGE_BYTES);

                memcpy(block + at, page, part);
                memcpy(block + at, &number, part < sizeof(number) ? part : sizeof(number));
        }
}

/* Writing a file in order: all that differs from one block to the next. */
static void restamp(uint64_t seed, uint64_t offset, size_t bytes)
{
        for (size_t at = 0; at < bytes; at += PAGE_BYTES) {
                uint64_t number = stamp(seed, (offset + at) / PAGE_BYTES);

                memcpy(block + at, &number, bytes - at < sizeof(number) ? bytes - at : sizeof(number));
        }
}

static void check(const char *path, uint64_t seed, uint64_t offset, size_t bytes, bool all)
{
        for (size_t at = (PAGE_BYTES - offset % PAGE_BYTES) % PAGE_BYTES; at < bytes; at += PAGE_BYTES) {
                size_t part = bytes - at < PAGE_BYTES ? bytes - at : PAGE_BYTES;
                size_t head = part < sizeof(uint64_t) ? part : sizeof(uint64_t);
                uint64_t number = stamp(seed, (offset + at) / PAGE_BYTES);

                if (memcmp(block + at, &number, head) != 0)
                        wrong("a page that is not the one that was written there", path);
                if (all && memcmp(block + at + head, page + head, part - head) != 0)
                        wrong("bytes that were not written there", path);
        }
}

/* ---- files, on either side ---- */

struct file {
        int fd;
        SMBCFILE *smb;
        const char *path;
};

/* The path of a name below WHERE; one at a time. */
static const char *path_of(const char *name)
{
        static char path[PATH_BYTES];

        if ((size_t) snprintf(path, sizeof(path), "%s/%s", where, name) >= sizeof(path)) {
                errno = ENAMETOOLONG;
                fail("use", name);
        }
        return path;
}

static const char *path_of_nth(const char *folder, unsigned long n)
{
        static char name[PATH_BYTES / 2];

        snprintf(name, sizeof(name), "%s/some file with a name %07lu.txt", folder, n);
        return path_of(name);
}

static struct file file_open(const char *path, int flags)
{
        struct file file = { .fd = -1, .path = path };

        if (context)
                file.smb = smbc_getFunctionOpen(context)(context, path, flags, 0644);
        else
                file.fd = open(path, flags | O_CLOEXEC, 0644);
        if (!file.smb && file.fd < 0)
                fail("open", path);
        return file;
}

static size_t file_read(struct file file, size_t bytes)
{
        ssize_t n = context ? smbc_getFunctionRead(context)(context, file.smb, block, bytes) : read(file.fd, block, bytes);

        if (n < 0)
                fail("read", file.path);
        return (size_t) n;
}

static void file_write(struct file file, size_t bytes)
{
        for (size_t done = 0; done < bytes;) {
                ssize_t n = context ? smbc_getFunctionWrite(context)(context, file.smb, block + done, bytes - done)
                                    : write(file.fd, block + done, bytes - done);

                if (n <= 0)
                        fail("write to", file.path);
                done += (size_t) n;
        }
}

static void file_seek(struct file file, uint64_t offset)
{
        if ((context ? smbc_getFunctionLseek(context)(context, file.smb, (off_t) offset, SEEK_SET)
                     : lseek(file.fd, (off_t) offset, SEEK_SET)) < 0)
                fail("seek in", file.path);
}

static void file_sync(struct file file)
{
        if (!context && fsync(file.fd) < 0)
                fail("sync", file.path);
}

static void file_close(struct file file)
{
        if ((context ? smbc_getFunctionClose(context)(context, file.smb) : close(file.fd)) < 0)
                fail("close", file.path);
}

static void file_unlink(const char *path)
{
        if ((context ? smbc_getFunctionUnlink(context)(context, path) : unlink(path)) < 0)
                fail("delete", path);
}

static uint64_t file_size(const char *path)
{
        struct stat st;

        if ((context ? smbc_getFunctionStat(context)(context, path, &st) : stat(path, &st)) < 0)
                fail("stat", path);
        return (uint64_t) st.st_size;
}

/* ---- workloads ---- */

/* Reads a file to its end, of which `bytes` are expected. */
static void read_all(const char *path, uint64_t seed, uint64_t bytes, size_t call_bytes, bool all)
{
        struct file file = file_open(path, O_RDONLY);
        uint64_t at = 0;
        size_t n;

        while ((n = file_read(file, call_bytes)) > 0) {
                check(path, seed, at, n, all);
                at += n;
        }
        if (at != bytes)
                wrong("not of the length that was written", path);
        file_close(file);
}

static void write_all(const char *path, uint64_t seed, uint64_t bytes, size_t call_bytes, bool sync)
{
        struct file file = file_open(path, O_WRONLY | O_CREAT | O_TRUNC);

        fill(seed, 0, call_bytes);
        for (uint64_t at = 0; at < bytes; at += call_bytes) {
                size_t part = bytes - at < call_bytes ? (size_t) (bytes - at) : call_bytes;

                restamp(seed, at, part);
                file_write(file, part);
        }
        if (sync)
                file_sync(file);
        file_close(file);
}

static void do_random(const char *path, uint64_t seed, uint64_t bytes, unsigned long count)
{
        struct file file;
        uint64_t x = seed + 1;

        clock_start();
        file = file_open(path, O_RDONLY);
        for (unsigned long i = 0; i < count; i++) {
                uint64_t offset;

                x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
                offset = (x >> 20) % (bytes / PAGE_BYTES) * PAGE_BYTES;
                file_seek(file, offset);
                if (file_read(file, PAGE_BYTES) != PAGE_BYTES)
                        wrong("a page is missing", path);
                check(path, seed, offset, PAGE_BYTES, true);
        }
        file_close(file);
        clock_stop();
}

static unsigned long list_remote(const char *path)
{
        const struct libsmb_file_info *info;
        SMBCFILE *folder = smbc_getFunctionOpendir(context)(context, path);
        unsigned long count = 0;

        if (!folder)
                fail("list", path);
        while ((info = smbc_getFunctionReaddirPlus(context)(context, folder)))
                if (strcmp(info->name, ".") != 0 && strcmp(info->name, "..") != 0) {
                        count++;
                        if (info->size == 0)
                                wrong("a size that is not the file's", info->name);
                }
        smbc_getFunctionClosedir(context)(context, folder);
        return count;
}

static unsigned long list_local(const char *path)
{
        DIR *folder = opendir(path);
        struct dirent *entry;
        unsigned long count = 0;
        struct stat st;

        if (!folder)
                fail("list", path);
        while ((entry = readdir(folder)))
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
                        count++;
                        if (fstatat(dirfd(folder), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_size == 0)
                                wrong("a size that is not the file's", entry->d_name);
                }
        closedir(folder);
        return count;
}

static void do_list(const char *path, unsigned long count)
{
        clock_start();
        if ((context ? list_remote(path) : list_local(path)) != count)
                wrong("another number of entries", path);
        clock_stop();
}

static void do_stat(const char *folder, unsigned long first, unsigned long count)
{
        clock_start();
        for (unsigned long i = first; i < first + count; i++) {
                double began = seconds_of(CLOCK_MONOTONIC);
                const char *path = path_of_nth(folder, i);

                if (file_size(path) == 0)
                        wrong("a size that is not the file's", path);
                step(began);
        }
        clock_stop();
}

static void do_tree(const char *folder, unsigned long count, size_t bytes)
{
        clock_start();
        for (unsigned long i = 0; i < count; i++)
                read_all(path_of_nth(folder, i), i, bytes, bytes, true);
        clock_stop();
}

/* What has been closed is to be on the server, whose own folder this is; the clock stands still meanwhile. */
static void check_on_server(const char *server_folder, unsigned long count, size_t bytes)
{
        double began = seconds_of(CLOCK_MONOTONIC), began_cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
        const char *where_before = where;
        SMBCCTX *context_before = context;

        context = NULL;
        where = server_folder;
        for (unsigned long i = 0; i < count; i++)
                read_all(path_of_nth(".", i), i, bytes, bytes, true);
        where = where_before;
        context = context_before;
        began_seconds += seconds_of(CLOCK_MONOTONIC) - began;
        began_cpu_seconds += seconds_of(CLOCK_PROCESS_CPUTIME_ID) - began_cpu;
}

static void do_churn(const char *folder, unsigned long count, size_t bytes, const char *server_folder)
{
        clock_start();
        for (unsigned long i = 0; i < count; i++) {
                const char *path = path_of_nth(folder, i);
                struct file file = file_open(path, O_WRONLY | O_CREAT | O_EXCL);

                fill(i, 0, bytes);
                file_write(file, bytes);
                file_close(file);
        }
        check_on_server(server_folder, count, bytes);
        for (unsigned long i = 0; i < count; i++)
                file_unlink(path_of_nth(folder, i));
        clock_stop();
}

static int go_on(off_t n, void *priv)
{
        (void) n;
        (void) priv;
        return 1;
}

static void copy_remote(const char *from, const char *to, uint64_t bytes)
{
        struct file source = file_open(from, O_RDONLY), target = file_open(to, O_WRONLY | O_CREAT | O_TRUNC);

        if (smbc_getFunctionSplice(context)(context, source.smb, target.smb, (off_t) bytes, go_on, NULL) != (off_t) bytes)
                fail("copy", from);
        file_close(source);
        file_close(target);
}

static void copy_local(const char *from, const char *to, uint64_t bytes)
{
        struct file source = file_open(from, O_RDONLY), target = file_open(to, O_WRONLY | O_CREAT | O_TRUNC);

        for (uint64_t done = 0; done < bytes;) {
                ssize_t n = copy_file_range(source.fd, NULL, target.fd, NULL, bytes - done, 0);

                if (n <= 0)
                        fail("copy", from);
                done += (uint64_t) n;
        }
        file_close(source);
        file_close(target);
}

static void do_copy(const char *from_name, const char *to_name, uint64_t bytes)
{
        char *from = strdup(path_of(from_name)), *to = strdup(path_of(to_name));

        if (!from || !to)
                fail("copy", from_name);
        clock_start();
        (context ? copy_remote : copy_local)(from, to, bytes);
        clock_stop();
        free(from);
        free(to);
}

static void do_fill(const char *folder, unsigned long count, size_t bytes)
{
        for (unsigned long i = 0; i < count; i++)
                write_all(path_of_nth(folder, i), i, bytes, bytes, false);
}

/* ---- libsmbclient ---- */

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

static void read_credentials(void)
{
        const char *path = getenv("LOAD_CREDENTIALS");
        char line[512];
        FILE *f = path ? fopen(path, "re") : NULL;

        if (!f)
                fail("read", "the file of LOAD_CREDENTIALS");
        while (fgets(line, sizeof(line), f)) {
                line[strcspn(line, "\n")] = '\0';
                if (strncmp(line, "username=", 9) == 0)
                        snprintf(user, sizeof(user), "%s", line + 9);
                if (strncmp(line, "password=", 9) == 0)
                        snprintf(password, sizeof(password), "%s", line + 9);
        }
        fclose(f);
}

static void connect_remote(void)
{
        struct stat st;

        read_credentials();
        context = smbc_new_context();
        if (!context)
                fail("make", "a context");
        smbc_setDebug(context, 0);
        smbc_setOptionNoAutoAnonymousLogin(context, 1);
        smbc_setFunctionAuthData(context, authenticate);
        if (!smbc_init_context(context))
                fail("prepare", "libsmbclient");
        if (smbc_getFunctionStat(context)(context, where, &st) < 0)
                fail("reach", where);
}

/* ---- the command line ---- */

static uint64_t number(const char *text)
{
        char *end;
        uint64_t n;

        errno = 0;
        n = strtoull(text, &end, 10);
        if (errno != 0 || *end != '\0' || end == text) {
                errno = EINVAL;
                fail("use as a number", text);
        }
        return n;
}

/* A number of bytes that fits into block. */
static size_t call_number(const char *text)
{
        uint64_t n = number(text);

        if (n == 0 || n > CALL_MAX_BYTES) {
                errno = ERANGE;
                fail("use as the size of a call", text);
        }
        return (size_t) n;
}

/* Those behind the name: arguments 0 and 1 are WHERE and what the workload works on. */
static void work_read(char **a)
{
        clock_start();
        read_all(path_of(a[1]), number(a[2]), number(a[3]), call_number(a[4]), false);
        clock_stop();
}

static void work_write(char **a)
{
        clock_start();
        write_all(path_of(a[1]), number(a[2]), number(a[3]), call_number(a[4]), true);
        clock_stop();
}

static void work_random(char **a)
{
        do_random(path_of(a[1]), number(a[2]), number(a[3]), number(a[4]));
}

static void work_list(char **a)
{
        do_list(path_of(a[1]), number(a[2]));
}

static void work_stat(char **a)
{
        uint64_t count = number(a[3]);

        step_seconds = calloc(count + 1, sizeof(*step_seconds));
        if (!step_seconds)
                fail("remember", "the steps");
        do_stat(a[1], number(a[2]), count);
}

static void work_tree(char **a)
{
        do_tree(a[1], number(a[2]), call_number(a[3]));
}

static void work_churn(char **a)
{
        do_churn(a[1], number(a[2]), call_number(a[3]), a[4]);
}

static void work_copy(char **a)
{
        do_copy(a[1], a[2], number(a[3]));
}

static void work_make(char **a)
{
        write_all(path_of(a[1]), number(a[2]), number(a[3]), MAKE_CALL_BYTES, true);
}

static void work_verify(char **a)
{
        read_all(path_of(a[1]), number(a[2]), number(a[3]), MAKE_CALL_BYTES, true);
}

static void work_fill(char **a)
{
        do_fill(a[1], number(a[2]), call_number(a[3]));
}

static const struct workload {
        const char *name;
        int n_arguments;
        void (*work)(char **arguments);
} workloads[] = {
        { "read", 5, work_read }, { "write", 5, work_write }, { "random", 5, work_random }, { "list", 3, work_list },
        { "stat", 4, work_stat }, { "tree", 4, work_tree },   { "churn", 5, work_churn },   { "copy", 4, work_copy },
        { "make", 4, work_make }, { "verify", 4, work_verify }, { "fill", 4, work_fill },
};

int main(int argc, char **argv)
{
        for (size_t i = 0; argc > 2 && i < sizeof(workloads) / sizeof(workloads[0]); i++) {
                if (strcmp(argv[1], workloads[i].name) != 0 || argc != 2 + workloads[i].n_arguments)
                        continue;
                where = argv[2];
                block = aligned_alloc(PAGE_BYTES, CALL_MAX_BYTES);
                if (!block)
                        fail("allocate", "a block");
                make_page();
                if (strncmp(where, "smb://", 6) == 0)
                        connect_remote();
                workloads[i].work(argv + 2);
                return EXIT_SUCCESS;
        }
        fputs("usage: load WORKLOAD WHERE …: see the begin of load.c\n", stderr);
        return 2;
}
