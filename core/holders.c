/* SPDX-License-Identifier: LGPL-3.0-or-later */

/*
 * Searches /proc for those who keep a mount busy. Always true: of /proc/PID only links are read and the few files that
 * the kernel answers from its own memory (comm, stat, status, fdinfo); no link is followed, so a mount that hangs holds
 * nothing up.
 */

#include "core/holders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/utf8.h"

#define DELETED " (deleted)"
#define FEW_FDS 256     /* so many of each process are looked at before any that has more */
#define CLOCK_STRIDE 16 /* links between two looks at the clock */

static void cleanup_closedir(DIR **dir)
{
        if (*dir)
                closedir(*dir);
}

const char *holder_kind_name(enum holder_kind kind)
{
        switch (kind) {
        case HOLDER_OPEN:
                return "open";
        case HOLDER_CWD:
                return "cwd";
        case HOLDER_ROOT:
                return "root";
        case HOLDER_EXE:
                return "exe";
        case HOLDER_MOUNT:
                return "mount";
        case HOLDER_JOB:
                return "job";
        }
        return "open";
}

void holders_done(struct holders *holders)
{
        for (size_t i = 0; i < holders->n_items; i++)
                free(holders->items[i].path);
        free(holders->items);
        *holders = (struct holders) { 0 };
}

int holders_add(struct holders *holders, const struct holder *item)
{
        _cleanup_free_ char *path = NULL;

        holders->total++;
        if (holders->n_items >= HOLDERS_MAX)
                return 0;
        if (!holders->items) {
                holders->items = calloc(HOLDERS_MAX, sizeof *holders->items);
                if (!holders->items)
                        return -ENOMEM;
        }
        path = strdup(item->path ? item->path : "/");
        if (!path)
                return -ENOMEM;
        holders->items[holders->n_items] = *item;
        holders->items[holders->n_items++].path = TAKE_PTR(path);
        return 0;
}

/* Reads a small file below a directory of /proc, NUL-terminated. Returns bytes read or a negative errno. */
static ssize_t read_small(int dir_fd, const char *name, char *buffer, size_t size_bytes)
{
        _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
        ssize_t n;

        if (fd < 0)
                return -errno;
        do
                n = read(fd, buffer, size_bytes - 1);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        buffer[n] = '\0';
        return n;
}

/* A process chooses its name itself: what is no text in it is made so. "" where it cannot be read. */
static void read_program(int process_fd, char ret_program[64])
{
        size_t n;

        if (read_small(process_fd, "comm", ret_program, 64) < 0)
                ret_program[0] = '\0';
        n = strlen(ret_program);
        if (n > 0 && ret_program[n - 1] == '\n')
                ret_program[n - 1] = '\0';
        utf8_make_printable(ret_program);
}

/* The number behind "key:" at a line's begin; -1 where there is none. */
static long find_number(const char *text, const char *key, int base)
{
        size_t key_bytes = strlen(key);

        for (const char *line = text; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, key, key_bytes) == 0 && line[key_bytes] == ':') {
                        const char *digits = line + key_bytes + 1;

                        digits += strspn(digits, " \t");
                        return *digits >= '0' && *digits <= '9' ? strtol(digits, NULL, base) : -1;
                }
        }
        return -1;
}

static void read_mode(int process_fd, const char *fd_name, char ret_mode[4])
{
        char name[64], text[512];
        long flags = -1;

        snprintf(name, sizeof name, "fdinfo/%s", fd_name);
        if (read_small(process_fd, name, text, sizeof text) > 0)
                flags = find_number(text, "flags", 8);
        ret_mode[0] = '\0';
        if (flags < 0 || (flags & O_PATH))
                return;
        strcpy(ret_mode, (flags & O_ACCMODE) == O_RDONLY ? "r" : (flags & O_ACCMODE) == O_WRONLY ? "w" : "rw");
}

/* Reads a link below a directory of /proc; false where it cannot be read. */
static bool read_link(int dir_fd, const char *name, char ret_target[PATH_MAX + 1])
{
        ssize_t n = readlinkat(dir_fd, name, ret_target, PATH_MAX);

        if (n <= 0)
                return false;
        ret_target[n] = '\0';
        return true;
}

/* The path inside the drive ("" for its root), or NULL when target is not on it. Cuts " (deleted)" off target. */
static char *inside(const char *mountpoint, char *target)
{
        size_t mountpoint_bytes = strlen(mountpoint), n = strlen(target);

        if (n > strlen(DELETED) && strcmp(target + n - strlen(DELETED), DELETED) == 0 &&
            strcmp(target, mountpoint) != 0)
                target[n - strlen(DELETED)] = '\0';
        if (strncmp(target, mountpoint, mountpoint_bytes) != 0)
                return NULL;
        return target[mountpoint_bytes] == '\0' || target[mountpoint_bytes] == '/' ? target + mountpoint_bytes : NULL;
}

struct scan {
        struct holders *holders;
        const char *mountpoint;
        int process_fd; /* of /proc/PID */
        pid_t pid;
        uint64_t deadline_usec; /* CLOCK_THREAD_CPUTIME_ID */
        bool known;             /* what follows is read: at the process's first link on the drive */
        uid_t uid;
        char program[sizeof(((struct holder *) NULL)->program)];
};

static uint64_t cpu_usec(void)
{
        struct timespec now;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

static void read_process(struct scan *scan)
{
        struct stat st;

        scan->uid = fstat(scan->process_fd, &st) == 0 ? st.st_uid : 0;
        read_program(scan->process_fd, scan->program);
        scan->known = true;
}

/* Adds the process for one of its links, if that lies on the drive. fd_name: a descriptor's, NULL for another link. */
static int scan_link(struct scan *scan, int dir_fd, const char *link, enum holder_kind kind, const char *fd_name)
{
        struct holder holder = { .kind = kind, .pid = scan->pid };
        char target[PATH_MAX + 1], *path;

        if (!read_link(dir_fd, link, target))
                return 0;
        path = inside(scan->mountpoint, target);
        if (!path)
                return 0;
        utf8_make_printable(path);
        holder.path = path[0] ? path : NULL; /* holders_add() copies it, "/" for NULL */
        if (!scan->known)
                read_process(scan);
        holder.uid = scan->uid;
        memcpy(holder.program, scan->program, sizeof(holder.program));
        if (fd_name)
                read_mode(scan->process_fd, fd_name, holder.mode);
        return holders_add(scan->holders, &holder);
}

/* Whether the search for files is over. */
static bool files_end(struct scan *scan)
{
        return scan->holders->n_items >= HOLDERS_MAX || cpu_usec() > scan->deadline_usec;
}

/* Looks at the entries first … first + n - 1 of the process's descriptors. 1: there are more, 0: these were all. */
static int scan_fds(struct scan *scan, unsigned long first, unsigned long n)
{
        _cleanup_(cleanup_closedir) DIR *dir = NULL;
        int fd = openat(scan->process_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent *entry;

        if (fd < 0)
                return 0;
        dir = fdopendir(fd);
        if (!dir) {
                close(fd);
                return 0;
        }
        for (unsigned long i = 0; (entry = readdir(dir)); i++) {
                int r;

                if (i >= first && i - first >= n)
                        return 1;
                if (i % CLOCK_STRIDE == 0 && files_end(scan))
                        return 0;
                if (entry->d_name[0] == '.' || i < first)
                        continue;
                r = scan_link(scan, dirfd(dir), entry->d_name, HOLDER_OPEN, entry->d_name);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int scan_files(struct scan *scan)
{
        int r = scan_link(scan, scan->process_fd, "exe", HOLDER_EXE, NULL);

        return r < 0 ? r : scan_fds(scan, 0, FEW_FDS);
}

static int scan_further_files(struct scan *scan)
{
        return scan_fds(scan, FEW_FDS, ULONG_MAX);
}

/* 1: it is to be looked at again, for its files. */
static int scan_places(struct scan *scan)
{
        int r = scan_link(scan, scan->process_fd, "cwd", HOLDER_CWD, NULL);

        if (r == 0)
                r = scan_link(scan, scan->process_fd, "root", HOLDER_ROOT, NULL);
        return r < 0 ? r : 1;
}

/* The number that a folder of /proc is named by; 0 for every other name. */
static pid_t parse_pid(const char *name)
{
        long pid = 0;

        if (!name[0] || strlen(name) > 9 || name[strspn(name, "0123456789")])
                return 0;
        pid = strtol(name, NULL, 10);
        return (pid_t) pid;
}

static int compare_pids(const void *a, const void *b)
{
        pid_t first = *(const pid_t *) a, second = *(const pid_t *) b;

        return (first < second) - (first > second);
}

/* The processes in dir, the youngest (by its number) first; ours is left out. 0 or -ENOMEM. */
static int read_pids(DIR *dir, pid_t **ret_pids, size_t *ret_n)
{
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0, room = 0;
        struct dirent *entry;

        while ((entry = readdir(dir))) {
                pid_t pid = parse_pid(entry->d_name);

                if (pid <= 0 || pid == getpid())
                        continue;
                if (n == room) {
                        pid_t *grown;

                        room = room ? 2 * room : 256;
                        grown = reallocarray(pids, room, sizeof(*pids));
                        if (!grown)
                                return -ENOMEM;
                        pids = grown;
                }
                pids[n++] = pid;
        }
        if (n > 0)
                qsort(pids, n, sizeof(*pids), compare_pids);
        *ret_pids = TAKE_PTR(pids);
        *ret_n = n;
        return 0;
}

/* Moves the processes of session to the begin: these and the others stay in order only roughly. */
static void session_first(pid_t *pids, size_t n, pid_t session)
{
        size_t n_first = 0;

        for (size_t i = 0; i < n; i++)
                if (getsid(pids[i]) == session) {
                        pid_t pid = pids[i];

                        pids[i] = pids[n_first];
                        pids[n_first++] = pid;
                }
}

/* Looks at one thing of all processes that are not done with; look() answers 0 for one that is then. */
static int scan_all(struct scan *scan, int proc_fd, pid_t *pids, size_t n, int (*look)(struct scan *scan))
{
        for (size_t i = 0; i < n && cpu_usec() <= scan->deadline_usec; i++) {
                _cleanup_close_ int process_fd = -1;
                char name[16];
                int r;

                if (pids[i] == 0)
                        continue;
                snprintf(name, sizeof name, "%d", (int) pids[i]);
                process_fd = openat(proc_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (process_fd < 0)
                        continue;
                scan->process_fd = process_fd;
                scan->pid = pids[i];
                scan->known = false;
                r = look(scan);
                if (r < 0)
                        return r;
                if (r == 0)
                        pids[i] = 0;
        }
        return 0;
}

int holders_scan(struct holders *holders, const char *proc, const char *mountpoint, unsigned what, pid_t session,
                 uint64_t limit_usec)
{
        _cleanup_(cleanup_closedir) DIR *dir = opendir(proc);
        struct scan scan = { .holders = holders, .mountpoint = mountpoint };
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;
        int r;

        if (!dir)
                return 0;
        r = read_pids(dir, &pids, &n);
        scan.deadline_usec = cpu_usec() + limit_usec;
        if (session > 0)
                session_first(pids, n, session);
        if (r == 0 && (what & HOLDERS_PLACES))
                r = scan_all(&scan, dirfd(dir), pids, n, scan_places);
        if (r == 0 && (what & HOLDERS_FILES) && !files_end(&scan))
                r = scan_all(&scan, dirfd(dir), pids, n, scan_files);
        if (r == 0 && (what & HOLDERS_FILES) && !files_end(&scan))
                r = scan_all(&scan, dirfd(dir), pids, n, scan_further_files);
        return r;
}

static int open_process(const char *proc, pid_t pid)
{
        char path[PATH_MAX];

        if (snprintf(path, sizeof path, "%s/%d", proc, (int) pid) >= (int) sizeof path)
                return -1;
        return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int holders_read_thread(const char *proc, pid_t tid, pid_t *ret_pid, char ret_program[64])
{
        _cleanup_close_ int thread_fd = -1, process_fd = -1;
        char text[4096];
        long tgid;

        ret_program[0] = '\0';
        if (tid <= 0)
                return -ESRCH;
        thread_fd = open_process(proc, tid);
        if (thread_fd < 0 || read_small(thread_fd, "status", text, sizeof text) <= 0)
                return -ESRCH;
        tgid = find_number(text, "Tgid", 10);
        if (tgid <= 0 || tgid > INT_MAX)
                return -ESRCH;

        /* The program's name, not the thread's: pools name theirs after themselves. */
        process_fd = open_process(proc, (pid_t) tgid);
        read_program(process_fd >= 0 ? process_fd : thread_fd, ret_program);
        *ret_pid = (pid_t) tgid;
        return 0;
}

#define STAT_BEGAN 22 /* the field of /proc/PID/stat, in ticks; that behind the name in brackets is the third */

int holders_read_process(const char *proc, pid_t pid, uint64_t *ret_began_usec, char ret_program[64])
{
        _cleanup_close_ int process_fd = open_process(proc, pid);
        const char *field;
        char text[1024];

        if (process_fd < 0 || read_small(process_fd, "stat", text, sizeof text) <= 0)
                return -ESRCH;
        field = strrchr(text, ')');
        for (int i = 2; field && i < STAT_BEGAN; i++)
                field = strchr(field + 1, ' ');
        if (!field)
                return -ESRCH;
        *ret_began_usec = strtoull(field + 1, NULL, 10) * (1000000 / (uint64_t) sysconf(_SC_CLK_TCK));
        read_program(process_fd, ret_program);
        return 0;
}
