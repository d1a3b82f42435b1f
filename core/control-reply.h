/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_CONTROL_REPLY_H
#define CORE_CONTROL_REPLY_H

/*
 * The daemon's replies (core/control-protocol.h), decoded and checked. Every struct here keeps the message that it came
 * from: its strings point into it, are valid UTF-8 and never NULL, and live until the struct's _done(). They may hold
 * control characters (a path does): whoever prints them to a terminal escapes them.
 *
 * The decoders do no I/O. They answer 0, -EBADMSG (not what the protocol says), -E2BIG (beyond a limit below) or
 * -ENOMEM, and write their result only with 0.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Entries of one list. Of open files a drive's twelve workers have 10,000 each, and there are many drives; so it is rather D-Bus that
 * sets the bound: 64 MiB an array, half a million files with usual paths. */
#define CONTROL_ITEMS_MAX 1048576
#define CONTROL_STRING_MAX_BYTES 16384 /* one name, path or text */

struct sd_bus_message;

struct control_version {
        struct sd_bus_message *reply;
        const char *release;
        uint32_t protocol;
};

struct control_added {
        struct sd_bus_message *reply;
        const char *device; /* "" deviceless */
        const char *mountpoint;
};

struct control_device {
        struct sd_bus_message *reply;
        const char *remote;
        const char *state;
};

struct control_holder {
        const char *device; /* or remote name */
        const char *kind;   /* holder_kind_name() */
        uint32_t pid;       /* 0: not a process, or not known */
        uint32_t uid;
        const char *program;
        const char *path;
        const char *mode;
        uint64_t since_usec; /* CLOCK_REALTIME; 0: not known */
        uint64_t unsent_bytes;
};

struct control_lost {
        const char *device; /* or remote name */
        const char *path;
        uint64_t size_bytes;
};

struct control_outcome {
        struct sd_bus_message *reply;
        int status; /* NO_ERROR: done; ERROR_EXTENDED_ERROR also for a name that is not in our table */
        const char *text;
        uint32_t cause;     /* NTSTATUS or errno; 0: none */
        const char *phase;  /* the step that failed; "" */
        uint64_t holders_total; /* at least n_holders */
        struct control_holder *holders;
        size_t n_holders;
        struct control_lost *lost;
        size_t n_lost;
};

struct control_connection {
        const char *device; /* "" deviceless */
        const char *remote;
        const char *state;
        const char *reason; /* "" where there is nothing to say */
        const char *user;
        const char *mountpoint;
        uint64_t since_usec;      /* CLOCK_REALTIME; 0: not known */
        uint64_t next_retry_usec; /* CLOCK_REALTIME; 0: none is planned */
        bool persistent;
        bool read_only;
};

struct control_list {
        struct sd_bus_message *reply;
        struct control_connection *items;
        size_t n_items;
};

struct control_file {
        const char *device; /* or remote name */
        const char *kind;
        const char *path;
        uint32_t pid;
        uint32_t uid;
        const char *program;
        const char *mode;
        uint64_t since_usec; /* CLOCK_REALTIME; 0: not known */
        uint64_t read_bytes;
        uint64_t written_bytes;
};

struct control_files {
        struct sd_bus_message *reply;
        struct control_file *items;
        size_t n_items;
};

struct control_share {
        const char *name;
        uint32_t type; /* RESOURCETYPE_DISK, RESOURCETYPE_PRINT; RESOURCETYPE_ANY: neither */
        const char *comment;
};

struct control_shares {
        struct sd_bus_message *reply;
        struct control_share *items;
        size_t n_items;
};

struct control_event {
        uint64_t when_usec; /* CLOCK_REALTIME */
        const char *device; /* or remote name */
        const char *remote;
        const char *event;
        const char *detail;
        const char *program;
        uint32_t pid; /* 0: nobody asked for it */
};

struct control_history {
        struct sd_bus_message *reply;
        struct control_event *items;
        size_t n_items;
};

int control_version_decode(struct sd_bus_message *reply, struct control_version *ret_version);
int control_added_decode(struct sd_bus_message *reply, struct control_added *ret_added);
int control_device_decode(struct sd_bus_message *reply, struct control_device *ret_device);
int control_outcome_decode(struct sd_bus_message *reply, struct control_outcome *ret_outcome);
int control_list_decode(struct sd_bus_message *reply, struct control_list *ret_list);
int control_files_decode(struct sd_bus_message *reply, struct control_files *ret_files);
int control_shares_decode(struct sd_bus_message *reply, struct control_shares *ret_shares);
int control_history_decode(struct sd_bus_message *reply, struct control_history *ret_history);

/* What a D-Bus error of ours says besides its name. 0 or as above; an error without a body is one without text. */
int control_error_decode(struct sd_bus_message *reply, const char **ret_text, uint32_t *ret_cause, const char **ret_phase);

/* Only the status of an outcome of another protocol version, whatever follows it: text "", nothing held or lost. */
int control_outcome_decode_foreign(struct sd_bus_message *reply, struct control_outcome *ret_outcome);

/* Each accepts a zeroed struct. */
void control_version_done(struct control_version *version);
void control_added_done(struct control_added *added);
void control_device_done(struct control_device *device);
void control_outcome_done(struct control_outcome *outcome);
void control_list_done(struct control_list *list);
void control_files_done(struct control_files *files);
void control_shares_done(struct control_shares *shares);
void control_history_done(struct control_history *history);

/* Whether a connection in this state can be used, now or as soon as its server answers again: "ok", "reconnecting" and
 * "cancelling" can; "unavailable", "connecting" and unknown states cannot. */
bool control_state_connected(const char *state);

#endif
