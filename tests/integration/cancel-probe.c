/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Connects, uses the drive, lets go of it, and disconnects at once, again and again: without the moment that starting a
 * program takes, in which a close could still arrive.
 *
 *   cancel-probe DEVICE REMOTE FOLDER USE COUNT    user and password come as two lines of standard input
 *
 * Prints a line for each call that did not answer 0, then "COUNT done". The folder has the files small (1 MiB), big and the
 * folder d with 300 entries.
 */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wnet/wnet.h>

#define PIECE_BYTES (64 * 1024)
#define MEBIBYTE (1 << 20)
#define DESCRIPTORS 16

static char piece[PIECE_BYTES];

static void fail(const char *what)
{
        perror(what);
        exit(1);
}

static int open_file(const char *name, int flags)
{
        int fd = open(name, flags, 0600);

        if (fd < 0)
                fail(name);
        return fd;
}

static void read_bytes(int fd, size_t n)
{
        for (size_t done = 0; done < n;) {
                ssize_t r = read(fd, piece, sizeof piece);

                if (r <= 0)
                        fail("read");
                done += (size_t) r;
        }
}

/* ---- uses ---- */

static void use_nothing(void)
{
}

static void use_whole(void)
{
        int fd = open_file("small", O_RDONLY);

        read_bytes(fd, MEBIBYTE);
        close(fd);
}

/* They come with their open, and nobody is told of the close but by the RELEASE. */
static void use_tiny(void)
{
        char name[32];

        for (int i = 0; i < DESCRIPTORS; i++) {
                int fd;

                snprintf(name, sizeof name, "d/entry %d", i);
                fd = open_file(name, O_RDONLY);
                read_bytes(fd, 4096);
                close(fd);
        }
}

/* Closed while much is being read ahead. */
static void use_begin(void)
{
        int fd = open_file("big", O_RDONLY);

        read_bytes(fd, MEBIBYTE);
        close(fd);
}

static void use_map(void)
{
        int fd = open_file("small", O_RDONLY);
        volatile char *map = mmap(NULL, MEBIBYTE, PROT_READ, MAP_SHARED, fd, 0);

        close(fd);
        if (map == MAP_FAILED)
                fail("mmap");
        for (size_t i = 0; i < MEBIBYTE; i += 4096)
                (void) map[i];
        munmap((void *) map, MEBIBYTE);
}

static void use_folder(void)
{
        DIR *dir = opendir("d");
        int n = 0;

        if (!dir)
                fail("opendir");
        while (readdir(dir))
                n++;
        closedir(dir);
        if (n != 302)
                fail("readdir");
}

static void use_many(void)
{
        int fds[DESCRIPTORS];

        for (int i = 0; i < DESCRIPTORS; i++) {
                fds[i] = open_file(i % 2 ? "small" : "big", O_RDONLY);
                read_bytes(fds[i], 1);
        }
        for (int i = 0; i < DESCRIPTORS; i++)
                close(fds[i]);
}

static void use_copies(void)
{
        int fds[DESCRIPTORS] = { open_file("small", O_RDONLY) };

        for (int i = 1; i < DESCRIPTORS; i++)
                fds[i] = dup(fds[0]);
        read_bytes(fds[3], MEBIBYTE / 2);
        for (int i = 0; i < DESCRIPTORS; i++)
                close(fds[i]);
}

/* Opened here, held there too, and closed by that process's end. */
static void use_child(void)
{
        int fd = open_file("big", O_RDONLY);
        pid_t pid = fork();

        if (pid == 0) {
                read_bytes(fd, MEBIBYTE / 2);
                _exit(chdir("d") == 0 && open("../small", O_RDONLY) >= 0 ? 0 : 1);
        }
        close(fd);
        if (pid < 0 || waitpid(pid, NULL, 0) != pid)
                fail("fork");
}

static void use_write(void)
{
        int fd = open_file("written", O_WRONLY | O_CREAT | O_TRUNC);

        for (int i = 0; i < MEBIBYTE / PIECE_BYTES; i++)
                if (write(fd, piece, sizeof piece) != sizeof piece)
                        fail("write");
        close(fd);
}

static const struct {
        const char *name;
        void (*run)(void);
} uses[] = {
        { "nothing", use_nothing }, { "whole", use_whole },   { "tiny", use_tiny }, { "begin", use_begin },   { "map", use_map },     { "folder", use_folder },
        { "many", use_many },       { "copies", use_copies }, { "child", use_child }, { "write", use_write },
};

/* ---- calls ---- */

static void report(const char *call, int round, DWORD code)
{
        char text[500] = "", provider[50] = "";
        DWORD cause = 0;

        if (code == NO_ERROR)
                return;
        WNetGetLastErrorA(&cause, text, sizeof text, provider, sizeof provider);
        printf("round %d: %s answers %u: %s\n", round, call, (unsigned) code, text);
        fflush(stdout);
}

static char *line(char *buffer, size_t size)
{
        if (!fgets(buffer, (int) size, stdin))
                exit(2);
        buffer[strcspn(buffer, "\n")] = '\0';
        return buffer;
}

int main(int argc, char **argv)
{
        char user[100], password[100];
        NETRESOURCEA resource = { .dwType = RESOURCETYPE_DISK };
        void (*use)(void) = NULL;

        for (size_t i = 0; argc == 6 && i < sizeof uses / sizeof uses[0]; i++)
                if (strcmp(uses[i].name, argv[4]) == 0)
                        use = uses[i].run;
        if (!use)
                return 2;
        line(user, sizeof user);
        line(password, sizeof password);
        resource.lpLocalName = argv[1];
        resource.lpRemoteName = argv[2];
        for (int round = 0; round < atoi(argv[5]); round++) {
                DWORD code = WNetAddConnection2A(&resource, password, user, 0);

                report("add", round, code);
                if (code != NO_ERROR)
                        continue;
                if (chdir(argv[3]) < 0)
                        fail(argv[3]);
                use();
                if (chdir("/") < 0)
                        fail("/");
                report("cancel", round, WNetCancelConnection2A(argv[1], 0, FALSE));
                if (access(argv[3], F_OK) == 0)
                        printf("round %d: %s is still there\n", round, argv[3]);
        }
        printf("%s done\n", argv[5]);
        return 0;
}
