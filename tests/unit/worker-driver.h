/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_WORKER_DRIVER_H
#define TESTS_WORKER_DRIVER_H

/*
 * wnetd's side of a worker's channel, for tests: the worker runs in a child process in front of a fake server, and the
 * test writes its messages by hand.
 */

#include "unit.h"

#include "fake-backend.h"

struct driver {
        struct fake_server *server;
        char server_path[64];
        struct smb_setup setup;
        pid_t pid; /* 0: has been waited for */
        struct smb_channel *channel;
        unsigned char *arena;
        int request_fd, reply_fd, setup_fd;
        uint32_t replies_read;
};

/* cmocka's setup: a worker that has not been asked anything; *state is the driver. Teardown: ends it, and expects that
 * it ends well if it lives. */
int driver_setup(void **state);
int driver_teardown(void **state);

/* In a test: another worker, to which setup_bytes of the setup are sent (0: the socket is closed at once). */
void driver_restart(struct driver *d, size_t setup_bytes);

/* An empty message to be filled, with path and second path (may be NULL). */
struct smb_message *driver_message(struct driver *d, uint32_t index, enum smb_op op, const char *path,
                                   const char *path2);

void driver_put(struct driver *d, uint32_t index);
void driver_wake(struct driver *d);

/* Waits until the worker sleeps: it has nothing to do. */
void driver_settle(const struct driver *d);

/* Waits for the next reply and returns its index. */
uint32_t driver_take(struct driver *d);

/* Sends message 0 and waits for its reply: its error. */
int driver_send(struct driver *d);

/* driver_message(), driver_send(). */
int driver_ask(struct driver *d, enum smb_op op, const char *path);

/* Message 0, where a reply is. */
const struct smb_message *driver_reply(const struct driver *d);

/* Waits for the worker's end: exit code, or 1000 + the signal. */
int driver_wait(struct driver *d);

/* What tests do again and again. Each asserts that it goes well. */
void driver_connect(struct driver *d);
uint64_t driver_open(struct driver *d, const char *path, int flags);
int driver_transfer(struct driver *d, enum smb_op op, uint64_t fh, uint32_t slot, uint32_t slot_offset, uint32_t length,
                    uint64_t offset);
unsigned char *driver_slot(const struct driver *d, uint32_t slot);

#endif
