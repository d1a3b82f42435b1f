/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SMB_LINK_H
#define FUSE_SMB_LINK_H

/*
 * One worker process from wnetd's side: started, fed with requests, timed, killed. What becomes of the requests of a dead one
 * is the pool's decision.
 */

#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "fuse/smb/pool.h"

/* DYING: killed, and not known to be gone yet: until then it may still write into the slots that it was given. */
enum smb_link_state { LINK_DOWN, LINK_STARTING, LINK_UP, LINK_DYING };

TAILQ_HEAD(smb_request_list, smb_request);

struct smb_link {
        struct smb_pool *pool;
        unsigned index;
        enum smb_link_state state;
        uint32_t generation; /* counts the processes */
        pid_t pid;           /* 0: reaped, or none */
        int request_fd, reply_fd, setup_fd;
        struct smb_channel *channel;
        uint32_t replies_read;
        struct smb_request *under_way[SMB_MESSAGES];
        unsigned n_under_way;
        unsigned n_requests;             /* under way and pending */
        unsigned n_closes, n_bulk;       /* of them */
        uint64_t used_usec;              /* CLOCK_MONOTONIC: when it last had something to do */
        uint64_t names_turn;             /* as smb_file.turn, of what names no file */
        unsigned n_files;                /* assigned to it: open, or being opened; the pool counts them */
        struct smb_request_list sent;    /* under way, in order; CONNECT is not a request */
        struct smb_request_list pending; /* not handed over yet */
        sd_event_source *child_source, *reply_source, *setup_source, *deadline_source;
        uint64_t deadline_usec;     /* CLOCK_MONOTONIC: of the oldest request under way, or of CONNECT; UINT64_MAX: none, */
        uint64_t timer_usec;        /* and when deadline_source goes off, which may be earlier; UINT64_MAX: not at all */
        uint64_t listing_end_usec;  /* CLOCK_MONOTONIC: of the listing that is the oldest request, at the latest; */
        uint64_t listing_cpu_usec, listing_ran_usec; /* what its worker had used then, which is when it was last seen to have run */
        uint64_t next_attempt_usec; /* CLOCK_MONOTONIC: not to be started again before */
        unsigned failures;          /* in a row */
        bool ended_idle;            /* its last process was not needed any more */
        struct wn_error death;      /* DYING: why, */
        bool death_was_up, death_timed_out; /* and how: it had been connected; by its deadline; */
        bool death_unexplained;     /* the process was just gone, which says nothing of the server */
};

void link_init(struct smb_link *link, struct smb_pool *pool, unsigned index);

/* Starts the process and asks it to connect. 0 or a negative errno. */
int link_start(struct smb_link *link);

/* Kills the process, if there is one; what it had been asked stays in link->sent. */
void link_kill(struct smb_link *link);

/* Hands over as many pending requests as may be under way. */
void link_dispatch(struct smb_link *link);

/* ---- turn.c ---- */

/* The pending request that link's worker gets next, with the slot it needs. NULL: it gets none now. */
struct smb_request *turn_next(struct smb_link *link);

/* It was handed over. */
void turn_taken(struct smb_link *link, const struct smb_request *request);

/* Called by the link, implemented by the pool. */
void pool_link_connected(struct smb_link *link, const char *user, const char *domain); /* as whom; domain may be "" */
void pool_link_died(struct smb_link *link, const struct wn_error *err);
void pool_request_done(struct smb_link *link, struct smb_request *request);
void pool_request_refused(struct smb_link *link, struct smb_request *request, int error); /* its done() comes later */
bool pool_needs_slot(const struct smb_request *request);
bool pool_take_slot(struct smb_pool *pool, struct smb_request *request);
uint64_t pool_next_turn(struct smb_pool *pool);

/* And by choice.c: whether request has to wait, with all that is behind it, for what other workers do; whether link, which has
 * nothing to do, got something that waits at another one: a look-up, a listing, a file to be opened. */
bool choice_holds_back(const struct smb_link *link, const struct smb_request *request);
bool choice_take_over(struct smb_link *link);
const struct smb_pool_config *pool_config(const struct smb_pool *pool);
int pool_arena_fd(const struct smb_pool *pool);

#endif
