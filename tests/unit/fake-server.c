/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fake server's memory, as tests prepare and inspect it, and the faults that strike a worker. */

#include "fake-backend.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

struct fake_server *fake_server_new(char ret_path[64])
{
        struct fake_server *s;
        int fd;

        snprintf(ret_path, 64, "/tmp/wnet-unit-server-XXXXXX");
        fd = mkostemp(ret_path, O_CLOEXEC);
        if (fd < 0)
                return NULL;
        if (ftruncate(fd, sizeof *s) < 0) {
                close(fd);
                return NULL;
        }
        s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        if (s == MAP_FAILED)
                return NULL;
        s->nodes[0].used = s->nodes[0].directory = true;
        s->nodes[0].file_id = 1;
        s->next_file_id = 2;
        return s;
}

void fake_server_free(struct fake_server *s, const char *path)
{
        if (s->left_behind > 0)
                (void) kill(s->left_behind, SIGKILL);
        munmap(s, sizeof *s);
        (void) unlink(path);
}

struct fake_node *fake_add(struct fake_server *s, const char *path, const char *text)
{
        struct fake_node *node = s->nodes;

        while (node < s->nodes + FAKE_NODES && node->used)
                node++;
        if (node == s->nodes + FAKE_NODES)
                return NULL;
        *node = (struct fake_node) {
                .used = true, .directory = !text, .file_id = atomic_fetch_add(&s->next_file_id, 1),
                .mtime = { .sec = 1700000000 }, .atime = { .sec = 1700000001 }, .size_bytes = text ? strlen(text) : 0,
        };
        snprintf(node->path, sizeof node->path, "%s", path);
        if (text)
                memcpy(node->data, text, node->size_bytes);
        return node;
}

void fake_change(struct fake_server *s, char action, const char *path)
{
        unsigned n = s->n_changes;

        s->changes[n].action = action;
        snprintf(s->changes[n].path, sizeof s->changes[n].path, "%s", path);
        s->n_changes = n + 1;
}

void fake_add_share(struct fake_server *s, enum smb_share_kind kind, const char *name, const char *comment)
{
        struct smb_share *share = &s->shares[s->n_shares++];

        share->kind = kind;
        snprintf(share->name, sizeof share->name, "%s", name);
        snprintf(share->comment, sizeof share->comment, "%s", comment);
}

struct fake_node *fake_find(struct fake_server *s, const char *path)
{
        for (unsigned i = 0; i < FAKE_NODES; i++)
                if (s->nodes[i].used && strcmp(s->nodes[i].path, path) == 0)
                        return &s->nodes[i];
        return NULL;
}

void fake_break(struct fake_server *s, enum fake_op op, const char *path, enum fake_act act, int64_t value, int times)
{
        struct fake_fault *fault = s->faults;

        while (atomic_load(&fault->left) != 0)
                fault++;
        fault->op = op;
        snprintf(fault->path, sizeof fault->path, "%s", path);
        fault->act = act;
        fault->value = value;
        atomic_store(&fault->left, times);
}

void fake_mend(struct fake_server *s)
{
        for (unsigned i = 0; i < FAKE_FAULTS; i++)
                atomic_store(&s->faults[i].left, 0);
}

unsigned fake_hold(struct fake_server *s, enum fake_op op, const char *path)
{
        unsigned gate = s->n_gates++;

        if (gate >= FAKE_GATES)
                abort();
        fake_break(s, op, path, FAKE_HOLD, gate, 1);
        return gate;
}

bool fake_is_held(struct fake_server *s, unsigned gate)
{
        return atomic_load(&s->gates[gate].reached);
}

void fake_let_go(struct fake_server *s, unsigned gate)
{
        atomic_store(&s->gates[gate].open, true);
}

static bool matches(const struct fake_call *call, enum fake_op op, const char *path)
{
        return call->op == op && (strcmp(path, "*") == 0 || strcmp(call->path, path) == 0);
}

unsigned fake_count(struct fake_server *s, enum fake_op op, const char *path)
{
        unsigned n = 0;

        for (unsigned i = 0; i < atomic_load(&s->n_calls) && i < FAKE_CALLS; i++)
                n += matches(&s->calls[i], op, path);
        return n;
}

pid_t fake_pid(struct fake_server *s, enum fake_op op, const char *path)
{
        pid_t pid = 0;

        for (unsigned i = 0; i < atomic_load(&s->n_calls) && i < FAKE_CALLS; i++)
                if (matches(&s->calls[i], op, path))
                        pid = s->calls[i].pid;
        return pid;
}

unsigned fake_open_handles(struct fake_server *s)
{
        unsigned n = 0;

        for (unsigned i = 0; i < FAKE_HANDLES; i++) {
                pid_t pid = atomic_load(&s->handles[i].pid);

                n += pid > 0 && kill(pid, 0) == 0;
        }
        return n;
}

/* ---- what workers do at each call ---- */

static void fill_wake_ups(void)
{
        eventfd_t count = 0;

        (void) eventfd_read(SMB_FD_REQUESTS, &count);
        if (eventfd_write(SMB_FD_REQUESTS, UINT64_MAX - 1) < 0)
                _exit(98);
}

static void misbehave(enum fake_act act, int64_t value)
{
        struct smb_channel *channel;
        uint64_t one = 1;

        channel = mmap(NULL, sizeof *channel, PROT_READ | PROT_WRITE, MAP_SHARED, SMB_FD_CHANNEL, 0);
        if (channel == MAP_FAILED)
                _exit(98);
        if (act == FAKE_BAD_INDEX)
                smb_ring_put(&channel->replies, (uint32_t) value);
        else if (act == FAKE_BAD_COUNTER)
                atomic_fetch_add(&channel->replies.written, (uint32_t) value);
        else if (act == FAKE_FULL_WAKE_UPS)
                fill_wake_ups();
        else
                (void) !ftruncate(SMB_FD_CHANNEL, value);
        (void) !write(SMB_FD_REPLIES, &one, sizeof one);
        if (act == FAKE_CUT_CHANNEL)
                for (;;)
                        pause();
        munmap(channel, sizeof *channel);
}

static void leave_somebody(struct fake_server *s)
{
        pid_t pid = fork();

        if (pid == 0) {
                alarm(60);
                for (;;)
                        pause();
        }
        atomic_store(&s->left_behind, pid);
}

static void wait_at(struct fake_server *s, int64_t gate)
{
        atomic_store(&s->gates[gate].reached, true);
        while (!atomic_load(&s->gates[gate].open))
                usleep(1000);
}

/* What it does is taken before it counts as having struck: then the test may put another one in its place. */
static bool strikes(struct fake_fault *fault, enum fake_op op, const char *path, enum fake_act *ret_act, int64_t *ret_value)
{
        if (atomic_load(&fault->left) == 0 || (fault->op != FAKE_ANY && fault->op != op) ||
            (strcmp(fault->path, "*") != 0 && strcmp(fault->path, path) != 0))
                return false;
        *ret_act = fault->act;
        *ret_value = fault->value;
        if (atomic_load(&fault->left) > 0)
                atomic_fetch_sub(&fault->left, 1);
        return true;
}

bool fake_enter(struct fake_server *s, enum fake_op op, const char *path, int64_t *ret_result)
{
        struct fake_call *call = &s->calls[atomic_fetch_add(&s->n_calls, 1) % FAKE_CALLS];

        call->op = op;
        call->pid = getpid();
        snprintf(call->path, sizeof call->path, "%s", path);
        for (unsigned i = 0; i < FAKE_FAULTS; i++) {
                enum fake_act act;
                int64_t value;

                if (!strikes(&s->faults[i], op, path, &act, &value))
                        continue;
                switch (act) {
                case FAKE_FAIL:
                        *ret_result = -value;
                        return false;
                case FAKE_RETURN:
                        *ret_result = value;
                        return false;
                case FAKE_DELAY:
                        usleep((useconds_t) value * 1000);
                        break;
                case FAKE_WORK:
                        for (int n = 0; n < 100; n++)
                                usleep((useconds_t) value * 10);
                        break;
                case FAKE_EXIT:
                        _exit((int) value);
                case FAKE_ABORT:
                        abort();
                case FAKE_HOLD: /* nothing strikes it that came when it was held already */
                        wait_at(s, value);
                        return true;
                case FAKE_HANG:
                        for (;;)
                                pause();
                case FAKE_LEAVE:
                        leave_somebody(s);
                        _exit(0);
                default:
                        misbehave(act, value);
                }
        }
        return true;
}
