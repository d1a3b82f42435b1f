/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Threads that open, write, read and close on two drives of one share while others connect and disconnect them, forced and not,
 * one by one and both by the share's name. Tells afterwards who did what, from when to when, and what came of it;
 * test_linearizable.py judges.
 *
 *   race-probe REMOTE FOLDER SECONDS SEED    user and password come as two lines of standard input
 *
 * FOLDER is that of the drives, which are Y: and Z:. Prints a line for each call: KIND NAME THREAD BEGIN END CODE HANDLE VALUE.
 * NAME is Y:, Z:, or * for the share. Times are CLOCK_MONOTONIC nanoseconds. CODE is 0, an errno, or what the WNet function
 * answered. HANDLE numbers the opens. VALUE is the number that was written or read; each opener writes ever greater ones to
 * the file of its own, 0 to 3.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wnet/wnet.h>

#define EVENTS_MAX 2000000

struct event {
        const char *kind, *name;
        int thread, code, handle;
        uint64_t begin, end, value;
};

struct thread {
        pthread_t id;
        int number;
        unsigned seed;
        const char *name;
        void (*round)(struct thread *);
        uint64_t value; /* an opener's: written last */
};

static char *remote, *folder;
static char user[100], password[100];
static uint64_t end_nsec;
static struct event events[EVENTS_MAX];
static atomic_int n_events, n_handles;

static uint64_t now_nsec(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

static void pause_upto(struct thread *t, unsigned usec)
{
        usleep((unsigned) rand_r(&t->seed) % usec);
}

static void record(const struct thread *t, const char *kind, uint64_t begin, int code, int handle, uint64_t value)
{
        uint64_t end = now_nsec();
        int n = atomic_fetch_add(&n_events, 1);

        if (n >= EVENTS_MAX)
                exit(3);
        events[n] = (struct event){ kind, t->name, t->number, code, handle, begin, end, value };
}

/* ---- those who use it ---- */

static bool write_value(struct thread *t, int fd, int handle)
{
        uint64_t begin = now_nsec(), value = ++t->value;
        bool good = pwrite(fd, &value, sizeof value, 0) == sizeof value;

        record(t, "write", begin, good ? 0 : errno, handle, value);
        return good;
}

static bool read_value(struct thread *t, int fd, int handle)
{
        uint64_t begin = now_nsec(), value = 0;
        bool good = pread(fd, &value, sizeof value, 0) == sizeof value;

        record(t, "read", begin, good ? 0 : errno, handle, value);
        return good;
}

static void use_it(struct thread *t)
{
        char path[4096];
        int handle = atomic_fetch_add(&n_handles, 1), fd, error = 0;
        uint64_t begin;
        bool good = true;

        snprintf(path, sizeof path, "%s/%c/%d", folder, *t->name, t->number);
        begin = now_nsec();
        fd = open(path, O_RDWR | O_CLOEXEC);
        record(t, "open", begin, fd < 0 ? errno : 0, handle, 0);
        if (fd < 0) {
                pause_upto(t, 8000);
                return;
        }
        for (int i = rand_r(&t->seed) % 6; good && i > 0; i--) {
                good = rand_r(&t->seed) % 2 ? write_value(t, fd, handle) : read_value(t, fd, handle);
                if (rand_r(&t->seed) % 3 == 0)
                        pause_upto(t, 20000);
        }
        for (int i = 0; !good && i < 3; i++) { /* once revoked it stays so, whatever is connected meanwhile */
                pause_upto(t, 40000);
                (void) (i % 2 ? write_value(t, fd, handle) : read_value(t, fd, handle));
        }
        begin = now_nsec();
        if (close(fd) < 0)
                error = errno;
        record(t, "close", begin, error, handle, 0);
        pause_upto(t, 100000);
}

/* ---- those who connect and disconnect it ---- */

static void add_it(struct thread *t)
{
        NETRESOURCEA resource = { .dwType = RESOURCETYPE_DISK, .lpLocalName = (char *) t->name, .lpRemoteName = remote };
        uint64_t begin = now_nsec();

        record(t, "add", begin, (int) WNetAddConnection2A(&resource, password, user, 0), -1, 0);
        pause_upto(t, 20000);
}

/* Mostly spares an attempt to connect: it would never come to its end. */
static bool spare(struct thread *t)
{
        char path[4096];

        snprintf(path, sizeof path, "%s/%c/0", folder, *t->name == '*' ? 'Z' : *t->name);
        return rand_r(&t->seed) % 64 != 0 && access(path, F_OK) < 0;
}

static char *name_to_cancel(const struct thread *t)
{
        return *t->name == '*' ? remote : (char *) t->name;
}

static void cancel_it(struct thread *t)
{
        uint64_t begin;

        pause_upto(t, 150000);
        if (spare(t))
                return;
        begin = now_nsec();
        record(t, "cancel", begin, (int) WNetCancelConnection2A(name_to_cancel(t), 0, FALSE), -1, 0);
}

static void force_it(struct thread *t)
{
        uint64_t begin;

        pause_upto(t, 1500000);
        if (spare(t))
                return;
        begin = now_nsec();
        record(t, "force", begin, (int) WNetCancelConnection2A(name_to_cancel(t), 0, TRUE), -1, 0);
}

/* ---- all of them ---- */

static void *run(void *userdata)
{
        struct thread *t = userdata;

        while (now_nsec() < end_nsec)
                t->round(t);
        return NULL;
}

static void line(char *buffer, int size)
{
        if (!fgets(buffer, size, stdin))
                exit(2);
        buffer[strcspn(buffer, "\n")] = '\0';
}

int main(int argc, char **argv)
{
        static struct thread threads[] = {
                { .round = use_it, .name = "Y:" },    { .round = use_it, .name = "Y:" },    { .round = use_it, .name = "Z:" },
                { .round = use_it, .name = "Z:" },    { .round = add_it, .name = "Y:" },    { .round = add_it, .name = "Z:" },
                { .round = add_it, .name = "Z:" },    { .round = cancel_it, .name = "Y:" }, { .round = cancel_it, .name = "Z:" },
                { .round = cancel_it, .name = "*" },  { .round = force_it, .name = "Z:" },  { .round = force_it, .name = "*" },
        };
        const int n_threads = sizeof threads / sizeof threads[0];

        if (argc != 5)
                return 2;
        line(user, sizeof user);
        line(password, sizeof password);
        remote = argv[1];
        folder = argv[2];
        end_nsec = now_nsec() + strtoull(argv[3], NULL, 10) * 1000000000;
        for (int i = 0; i < n_threads; i++) {
                threads[i].number = i;
                threads[i].seed = (unsigned) (atoi(argv[4]) + i);
                if (pthread_create(&threads[i].id, NULL, run, &threads[i]) != 0)
                        return 3;
        }
        for (int i = 0; i < n_threads; i++)
                pthread_join(threads[i].id, NULL);
        for (int i = 0; i < n_events; i++)
                printf("%s %s %d %" PRIu64 " %" PRIu64 " %d %d %" PRIu64 "\n", events[i].kind, events[i].name, events[i].thread,
                       events[i].begin, events[i].end, events[i].code, events[i].handle, events[i].value);
        return 0;
}
