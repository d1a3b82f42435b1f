/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Stands in for wnet-smb: a worker whose server, or who itself, means no good. It shows a small tree, and misbehaves as
 * WNET_HOSTILE says: kinds of misbehaviour with commas between, or "all"; one reply in WNET_HOSTILE_RARITY is bad. What it chooses
 * comes from WNET_HOSTILE_SEED and from how many such processes there were, of which each leaves a byte in WNET_HOSTILE_COUNT.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include "fuse/smb/listing.h"
#include "fuse/smb/protocol.h"

#define DEPTH_MAX 3
#define N_ENTRIES 12
#define FILE_BYTES 5000u
#define ENDLESS_ENTRIES 3000 /* in one reply */

#define N(array) (sizeof(array) / sizeof((array)[0]))

enum kind { SIZES, IDS, TIMES, KINDS, NAMES, RECORDS, ENDLESS, ERRORS, LENGTHS, LATE, TWICE, STRAY, COUNTER, DEATH, N_KINDS };

static const char *const kind_names[N_KINDS] = {
        "sizes", "ids", "times", "kinds", "names", "records", "endless", "errors", "lengths", "late", "twice", "stray", "counter", "death",
};

static struct smb_channel *channel;
static unsigned char *arena;
static uint64_t random_state;
static unsigned rarity = 1;
static bool kinds[N_KINDS];
static unsigned n_listed; /* LIST_NEXTs since the last LIST */

static uint64_t any(void) /* splitmix64 */
{
        uint64_t z = random_state += 0x9e3779b97f4a7c15ULL;

        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
        return z ^ z >> 31;
}

/* Whether it is time for misbehaviour of this kind. */
static bool bad(enum kind kind)
{
        return kinds[kind] && any() % rarity == 0;
}

static const char *last_component(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static unsigned depth(const char *path)
{
        unsigned n = *path ? 1 : 0;

        for (; *path; path++)
                n += *path == '/';
        return n;
}

static struct smb_time some_time(void)
{
        static const int64_t secs[] = { 0, -1, INT64_MIN, INT64_MAX, INT64_MAX / 1000000, INT64_MIN / 1000000, -11644473600, 4000000000 };
        static const uint32_t nsecs[] = { 0, 999999999, 1000000000, UINT32_MAX };

        return (struct smb_time){ .sec = secs[any() % N(secs)], .nsec = nsecs[any() % N(nsecs)] };
}

static void fill_attr(const char *name, struct smb_attr *attr)
{
        static const uint64_t sizes[] = { 0, 1, 1ULL << 32, 1ULL << 40, INT64_MAX - 1, INT64_MAX, 1ULL << 63, UINT64_MAX - 4095, UINT64_MAX };
        static const uint64_t ids[] = { 0, 1, 2, UINT64_MAX };
        bool directory = name[0] == 'd' || name[0] == '\0';

        *attr = (struct smb_attr){ .size_bytes = FILE_BYTES, .dos = directory ? SMB_ATTR_DIRECTORY : SMB_ATTR_ARCHIVE };
        attr->mtime.sec = attr->atime.sec = attr->ctime.sec = 1600000000;
        for (const char *p = name; *p; p++)
                attr->file_id = attr->file_id * 31 + (unsigned char) *p;
        if (bad(SIZES))
                attr->size_bytes = any() % 4 ? sizes[any() % N(sizes)] : any();
        if (bad(IDS))
                attr->file_id = ids[any() % N(ids)];
        if (bad(TIMES)) {
                attr->mtime = some_time();
                attr->atime = some_time();
                attr->ctime = some_time();
        }
        if (bad(KINDS))
                attr->dos = any() % 2 ? attr->dos ^ SMB_ATTR_DIRECTORY : (uint32_t) any();
}

/* ---- listings ---- */

static const char *some_name(size_t *ret_bytes)
{
        static const struct {
                const char *text;
                size_t bytes;
        } names[] = {
#define NAME(text) { text, sizeof(text) - 1 }
                NAME(""), NAME("."), NAME(".."), NAME("/"), NAME("../escaped"), NAME("/etc/passwd"), NAME("d0/f1"), NAME("nul\0within"),
                NAME("\xff\xfe"), NAME("\xed\xa0\x80"), NAME("\xc0\xaf"), NAME("new\nline"), NAME("esc\x1b[31m"), NAME("f1"), NAME("f1"),
                NAME("\xef\x80\xa9"), NAME("-rf"), NAME(".wnet-parked"), NAME("\xe2\x80\xae" "gpj.exe"), NAME("F1"),
        };
        static char long_name[1024];
        size_t i = any() % (N(names) + 3);
        static const size_t lengths[] = { 256, SMB_NAME_MAX_BYTES, SMB_NAME_MAX_BYTES + 1 };

        if (i < N(names)) {
                *ret_bytes = names[i].bytes;
                return names[i].text;
        }
        memset(long_name, 'n', sizeof(long_name));
        *ret_bytes = lengths[i - N(names)];
        return long_name;
}

/* As listing_put(), but whatever it is. */
static void put_entry(unsigned char *data, size_t size, size_t *used, const char *name, size_t name_bytes, const struct smb_attr *attr)
{
        size_t record_bytes = (sizeof(struct smb_entry) + name_bytes + 7) & ~(size_t) 7;
        struct smb_entry header = { .record_bytes = (uint32_t) record_bytes, .name_bytes = (uint32_t) name_bytes, .attr = *attr };

        if (record_bytes > size - *used)
                return;
        if (bad(RECORDS)) {
                static const uint32_t lengths[] = { 0, 1, 8, UINT32_MAX, UINT32_MAX - 7, SMB_SLOT_DATA_BYTES, SMB_SLOT_DATA_BYTES * 2 };

                *(any() % 2 ? &header.record_bytes : &header.name_bytes) = lengths[any() % N(lengths)];
        }
        memcpy(data + *used, &header, sizeof(header));
        memcpy(data + *used + sizeof(header), name, name_bytes);
        *used += record_bytes;
}

static uint32_t list(const char *path, unsigned char *data, size_t size)
{
        unsigned n = depth(path) > DEPTH_MAX ? 0 : N_ENTRIES;
        bool endless = kinds[ENDLESS] && depth(path) == 0; /* the root's only: the others end */
        size_t used = 0;

        if (n_listed++ > 0 && !endless)
                return 0;
        for (unsigned i = 0; i < (endless ? ENDLESS_ENTRIES : n); i++) {
                struct smb_attr attr;
                char name[32];
                size_t bytes = (size_t) snprintf(name, sizeof(name), "%c%u", i % 6 == 0 && n > 0 && depth(path) < DEPTH_MAX ? 'd' : 'f',
                                                 endless ? n_listed * ENDLESS_ENTRIES + i : i);

                fill_attr(name, &attr);
                if (bad(NAMES)) {
                        const char *other = some_name(&bytes);

                        put_entry(data, size, &used, other, bytes, &attr);
                } else
                        put_entry(data, size, &used, name, bytes, &attr);
        }
        return (uint32_t) used;
}

/* ---- requests ---- */

static char listed_path[SMB_PATH_MAX_BYTES]; /* of the last LIST: one at a time is enough */

static int perform(struct smb_message *m)
{
        unsigned char *data = m->slot < SMB_SLOTS ? arena + (size_t) m->slot * SMB_SLOT_BYTES + m->slot_offset : NULL;
        const char *name = last_component(m->text);

        switch (m->op) {
        case SMB_OP_CONNECT:
                memcpy(m->text, "alice\0", sizeof("alice\0"));
                return 0;
        case SMB_OP_STAT:
        case SMB_OP_SETATTR:
        case SMB_OP_MKDIR:
                fill_attr(name, &m->attr);
                return m->op != SMB_OP_STAT || name[0] == 'd' || name[0] == 'f' || name[0] == '\0' ? 0 : ENOENT;
        case SMB_OP_LIST:
                snprintf(listed_path, sizeof(listed_path), "%s", m->text);
                n_listed = 0;
                m->reply_fh = any();
                return 0;
        case SMB_OP_LIST_NEXT:
                m->reply_length = data ? list(listed_path, data, m->length) : 0;
                return 0;
        case SMB_OP_OPEN:
                fill_attr(name, &m->attr);
                m->reply_fh = any();
                m->created = (uint32_t) (any() % 2);
                return name[0] == 'f' || (m->flags & O_CREAT) ? 0 : ENOENT;
        case SMB_OP_READ:
                m->reply_length = m->offset >= FILE_BYTES ? 0 : m->length < FILE_BYTES - m->offset ? m->length : FILE_BYTES - (uint32_t) m->offset;
                if (data)
                        memset(data, 'x', m->reply_length);
                return 0;
        case SMB_OP_WRITE:
        case SMB_OP_COPY:
                m->reply_length = m->length;
                return 0;
        case SMB_OP_STATFS:
                m->space = (struct smb_space){ 4096, 1000, 500, 500 };
                if (bad(SIZES))
                        m->space = (struct smb_space){ any() % 2 ? 0 : any(), any(), any(), any() };
                return 0;
        default:
                return 0;
        }
}

/* What a server would not say, and what the kernel or libfuse would take for something else. */
static int some_error(void)
{
        static const int errors[] = { -1, -4095, INT32_MIN, INT32_MAX, 0, 512, 516, 999, 1000, 4095, 4096, ENOSYS, EINTR, EAGAIN, ENOTCONN,
                                      ESTALE, ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, EBUSY, EXDEV, ENOSPC, EROFS, ELOOP, EFBIG };

        return any() % 4 ? errors[any() % N(errors)] : (int) (any() % 140);
}

static void reply(uint32_t index)
{
        smb_ring_put(&channel->replies, index);
        (void) eventfd_write(SMB_FD_REPLIES, 1);
}

static void serve(uint32_t index)
{
        struct smb_message *m = &channel->messages[index];
        bool connects = m->op == SMB_OP_CONNECT;

        m->text[SMB_TEXT_BYTES - 1] = '\0';
        m->error = perform(m);
        if (connects) {
                reply(index);
                return;
        }
        if (bad(ERRORS))
                m->error = some_error();
        if (bad(LENGTHS)) {
                const uint32_t lengths[] = { 0, 1, m->length - 1, m->length + 1, UINT32_MAX, m->length / 2 };

                m->reply_length = lengths[any() % N(lengths)];
                m->lost = any() % 8 == 0;
        }
        if (bad(LATE))
                usleep(any() % 2 ? 50 * 1000 : 3000 * 1000);
        if (bad(STRAY))
                reply(any() % 2 ? (uint32_t) any() : (uint32_t) (any() % SMB_MESSAGES));
        if (bad(DEATH))
                any() % 2 ? _exit(1) : (void) raise(SIGKILL);
        reply(index);
        if (bad(TWICE))
                reply(index);
        if (bad(COUNTER)) {
                channel->replies.written += (uint32_t) any() % 40;
                (void) eventfd_write(SMB_FD_REPLIES, 1);
        }
}

static void configure(void)
{
        const char *wanted = getenv("WNET_HOSTILE"), *seed = getenv("WNET_HOSTILE_SEED"), *rare = getenv("WNET_HOSTILE_RARITY");
        const char *count = getenv("WNET_HOSTILE_COUNT");
        int fd = count ? open(count, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
        struct stat st = { 0 };

        if (fd >= 0 && write(fd, "x", 1) == 1)
                (void) fstat(fd, &st);
        random_state = (seed ? strtoull(seed, NULL, 10) : 0) * 1000003 + (uint64_t) st.st_size;
        rarity = rare ? (unsigned) atoi(rare) : 1;
        for (int i = 0; wanted && i < N_KINDS; i++)
                kinds[i] = strstr(wanted, kind_names[i]) || (strcmp(wanted, "all") == 0 && i != ENDLESS);
}

int main(void)
{
        static struct smb_setup setup;
        uint32_t read = 0;

        prctl(PR_SET_PDEATHSIG, SIGKILL); /* it outlives no test */
        channel = mmap(NULL, sizeof(*channel), PROT_READ | PROT_WRITE, MAP_SHARED, SMB_FD_CHANNEL, 0);
        arena = mmap(NULL, (size_t) SMB_SLOTS * SMB_SLOT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, SMB_FD_ARENA, 0);
        if (channel == MAP_FAILED || arena == MAP_FAILED || recv(SMB_FD_SETUP, &setup, sizeof(setup), 0) < 0)
                return EXIT_FAILURE;
        configure();
        for (;;) {
                struct pollfd fds[2] = { { .fd = SMB_FD_REQUESTS, .events = POLLIN }, { .fd = SMB_FD_SETUP, .events = POLLRDHUP } };
                eventfd_t count;
                uint32_t index;

                while (smb_ring_take(&channel->requests, &read, &index))
                        serve(index % SMB_MESSAGES);
                if (poll(fds, 2, -1) < 0 || fds[1].revents)
                        return EXIT_SUCCESS;
                (void) eventfd_read(SMB_FD_REQUESTS, &count);
        }
}
