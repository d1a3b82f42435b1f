/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_INTERNAL_H
#define FUSE_INTERNAL_H

/*
 * What the files of fuse/ share: one struct redirector per connection, one struct op per request that has to wait for
 * something, the open files and directories.
 *
 * Each FUSE request is answered exactly once: the op that carries it forgets it (op->fuse = NULL) in the same step.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include "core/connection.h"
#include "fuse/burst.h"
#include "fuse/catalog.h"
#include "fuse/helper.h"
#include "fuse/node.h"
#include "fuse/pace.h"
#include "fuse/redirector.h"
#include "fuse/smb/pool.h"

#define ATTR_TIMEOUT_SEC 1.0  /* how long the kernel may answer from what it knows */
#define ATTR_TIMEOUT_USEC ((uint64_t) (ATTR_TIMEOUT_SEC * 1000000))
#define ATTR_LATE_USEC 250000u /* so much later than the answer the kernel's second may begin */
#define MAX_TRANSFER_BYTES SMB_SLOT_DATA_BYTES
#define BEGINNING_BYTES (64u << 10) /* a file of so many comes with its open */
#define SENT_BACK_MAX 32u
#define LOOKUP_FAR_USEC 15000u /* a look-up at the server, one to three round trips, takes longer: the line is a long one */

struct redirector;
struct printer;
struct remote_watch;
struct invalidator;
struct open_file;
struct open_dir;
struct snapshot;
struct prefetch;

struct op {
        struct smb_request request; /* userdata is the op */
        TAILQ_ENTRY(op) entry;      /* in redirector->ops, from op_new() to op_free() */
        TAILQ_ENTRY(op) wait;       /* in one list of waiting ops at a time */
        struct redirector *redirector;
        fuse_req_t fuse;            /* NULL: answered, or nobody asked */
        uint64_t arrived_usec;      /* READ; OPEN and look-ups: when they began; 0: nothing that may be believed for longer */
        uint64_t seen_usec;         /* what is answered was so then; 0: is so now */
        bool opens;                 /* waits while the connection is frozen */
        bool writes_through;        /* WRITE: answered when the server has it, */
        bool dirty;                 /* and a page of a map, of which its program is not told */
        bool drops_privileges;      /* SETATTR: node_drop_privileges() */
        bool settles_below;         /* RENAME: counted in the redirector's n_renames_settling */
        bool called_for;            /* READ: a program's call waits for it, which nobody makes behind a close() */
        bool harmless;              /* changes nothing on the server: may be ended early */
        bool settles;               /* its end takes one from the node's unsettled */
        unsigned tries;             /* of a removal from the hidden folder */
        void (*start)(struct op *op); /* for an op that waits before it begins */
        struct node *node;          /* referred to */
        struct node *new_parent;    /* RENAME; referred to */
        struct node *asked, *new_asked; /* these two as the kernel calls them: maybe by another spelling; referred to */
        char *name, *new_name;
        struct open_file *file;
        struct open_dir *dir;
        struct snapshot *snapshot;  /* LIST …: that is being loaded */
        int flags;
        mode_t mode;
        uint64_t offset;
        uint32_t size;
        int error;                  /* of an open, while its reason is looked for, */
        bool looked;                /* which was done once */
        struct node *wait_node;     /* a mutation waits for this node's closes, */
        uint64_t wait_close;        /* or for all closes up to this number */
        bool after_all_closes;
        struct node *other;         /* LOOKUP: what may have this name by another spelling; UNLINK: what is being deleted; referred to. */
        bool spelt;                 /* That was found out */
        uint64_t wait_usec;         /* a change through another spelling waits until then */
};

TAILQ_HEAD(op_list, op);

/* A thread that was sent back to look a name up once more. */
struct sent_back {
        uint64_t ino; /* the spelling; 0: any */
        pid_t pid;
        uint64_t usec; /* when; 0: none */
};

/* One piece of a file's contents, read or being read. */
struct window {
        TAILQ_ENTRY(window) entry;  /* in the stream, by offset as they were asked for */
        TAILQ_ENTRY(window) recent; /* ready ones of all files, the one used last at the end */
        struct smb_request request;
        struct open_file *file;     /* NULL: dropped while under way */
        uint64_t offset;
        uint32_t length, served_bytes;
        bool ready;
        uint64_t ready_usec;
};

TAILQ_HEAD(window_list, window);

/* How a file is being read. */
struct stream {
        struct window_list windows;
        unsigned n_windows, n_under_way; /* of these, being read */
        struct pace pace;
        struct op_list waiting;
};

struct open_file {
        struct handle handle;       /* in the connection's table */
        TAILQ_ENTRY(open_file) entry;
        LIST_ENTRY(open_file) of_node;
        struct redirector *redirector;
        struct node *node;          /* referred to */
        struct smb_file *smb;
        struct smb_attr attr;       /* as the open has found it, */
        uint64_t attr_usec;         /* which began then; 0: nothing is known */
        struct stream stream;
        bool flushed;               /* some descriptor of it was closed, and nothing has shown since that another one is open: RELEASE may be
                                       on its way; */
        bool closes_silently;       /* that is not told */
        bool closing;               /* once the server has everything that was written */
        struct burst burst;         /* how much of it is sent at a time */
        int write_error;            /* of data that were acknowledged: a write or fsync() is to tell of it; 0: none */
        int others_error;           /* of what was written through other open files of it: fsync() is to tell of it; 0: none */
        bool told_at_close;         /* of write_error, though perhaps to another process that had the descriptor, too */
        uint64_t failed_bytes;      /* and how many these were */
        bool written;               /* since the server's file was last closed; counted in the node's unsettled */
        unsigned reads_waiting;     /* READs that are not answered yet */
        TAILQ_ENTRY(open_file) reading; /* in redirector->reading while there are some */
};

/* A directory as the server listed it at one moment, and which of its names were changed from here since. */
struct snapshot {
        struct catalog catalog;
        LIST_ENTRY(snapshot) of_node; /* in the node's folder, the newest first */
        TAILQ_ENTRY(snapshot) entry;
        struct redirector *redirector;
        struct node *node;          /* referred to */
        LIST_HEAD(, open_dir) dirs; /* that show it */
        struct op_list waiting;     /* look-ups, for the rest of it */
        uint64_t asked_usec;        /* when it was asked for, */
        uint64_t listed_usec;       /* and when the server had read it */
        bool loading, listed, complete, abandoned;
        bool kept;                  /* for whoever asks next */
        bool names_changed;         /* since it was asked for, from here, or as the server has told */
        int error;
        unsigned hits;              /* look-ups that it has answered */
        unsigned pins;              /* must not be freed just now */
        unsigned list_worker;       /* the listing at the worker */
        uint32_t list_generation;
        uint64_t list_fh;
};

struct open_dir {
        struct handle handle;
        TAILQ_ENTRY(open_dir) entry;
        LIST_ENTRY(open_dir) of_snapshot;
        struct redirector *redirector;
        struct node *node;          /* referred to */
        char *path;
        struct snapshot *snapshot;  /* that it shows; */
        bool used;                  /* not only from its beginning */
        bool spelt;                 /* it was opened by another spelling than the node's */
        struct op *opening;         /* the OPENDIR, until it is answered */
        struct op_list waiting;     /* READDIRs */
};

enum redirector_step { STEP_NONE, STEP_START, STEP_FREEZE, STEP_UNMOUNT, STEP_REMOUNT, STEP_REVOKE };

enum redirector_phase {
        PHASE_CONNECTING, /* the first worker connects, then the mount is made */
        PHASE_SERVING,
        PHASE_UNMOUNTED,  /* by unmount(), may come back by remount() */
        PHASE_REVOKING,   /* forced: what had begun to change the server is finished, everything else ends with EIO */
};

struct redirector {
        struct connection *connection;
        const struct redirector_settings *settings;
        sd_event *event;
        enum redirector_phase phase;
        char *source, *options;     /* of the mount */

        struct smb_pool *pool;
        uint64_t others_since_usec; /* CLOCK_MONOTONIC: since when workers of a killed wnetd (orphans.h) have sent nothing, */
        uint64_t others_seen_usec, others_bytes; /* when they were last looked at, and what they had to send then */
        bool server_away;           /* as health() has last told */
        struct printer *printer;    /* of a port; NULL: a drive */
        struct remote_watch *watch; /* NULL: the server is not asked to tell of changes */
        struct invalidator *invalidator; /* of the session, made when it is needed; */
        uint64_t n_invalidated;     /* and what its predecessors were given */
        struct fuse_session *session;
        int device_fd;              /* the session's own */
        bool expires_names;         /* the kernel can be told to ask for a name anew (since Linux 6.2) */
        bool clears_pages;          /* and clears a page that it is given the first part of: what is behind the end of a file that is mapped (6.11) */
        uint64_t init_unique;       /* the kernel's INIT, if it offers to leave privileges to us; 0: it does not, or is answered */
        unsigned device_minor;
        sd_event_source *device_source;
        bool gave_up;               /* revoking: the server takes no more data */
        uint32_t receive_slot;      /* for the next request; SMB_NO_SLOT: spare_buffer */
        void *spare_buffer;
        struct op *stalled_write;   /* sits in spare_buffer until a slot is free */

        struct node_table nodes;
        TAILQ_HEAD(, open_file) files;
        TAILQ_HEAD(, open_file) reading; /* those that a READ waits for: few, where many are open */
        TAILQ_HEAD(, open_dir) dirs;
        TAILQ_HEAD(, snapshot) snapshots;
        sd_event_source *snapshot_source; /* lets go of those that are too old */
        uint64_t lookup_usec;       /* what one at the server takes; 0: not known */
        TAILQ_HEAD(, prefetch) prefetches; /* files that were looked into before they are opened */
        sd_event_source *prefetch_source; /* lets go of them */
        struct op_list ops;
        struct op_list spare_ops;   /* memory for the next ones */
        unsigned n_spare_ops;
        struct op_list parked;      /* opens that arrived while frozen */
        struct op_list close_waiters;
        struct op_list removal_waiters; /* OPENs of what is being deleted */
        struct op_list spelling_waiters; /* until the kernel has forgotten what it was told by another spelling */
        sd_event_source *spelling_source;
        struct sent_back sent_back[SENT_BACK_MAX]; /* the next one goes to next_sent_back */
        unsigned next_sent_back;
        struct absent *absent;      /* names that the kernel may take for free */
        struct window_list recent_windows;
        TAILQ_HEAD(, behind) behinds; /* files with data that the server does not have yet */
        sd_event_source *behind_source; /* sends them soon */
        struct lost_file *lost;     /* revoked: those that it did not take */
        size_t n_lost;
        bool frozen;
        bool opens_fail;            /* while frozen: what would wait ends with an error at once */
        unsigned n_renames_settling; /* that wait until the server has what was written below: nothing gets ahead of it meanwhile */
        struct change *change;      /* a name is being changed that is open, or replaces another one; */
        struct op_list change_waiters; /* what has to do with names waits until it has ended */
        TAILQ_HEAD(, change) unsettled; /* changes that have failed, and may have been done all the same; */
        size_t n_repairs;           /* so many of them, from the first on, are to be seen to */
        bool park_forbidden;        /* the folder for what is open and deleted cannot be made; */
        bool park_made;             /* it exists, with */
        uint64_t n_parked;          /* so many things in it that stay, or are on their way out */
        bool tidying;               /* it is being removed; */
        bool park_left;             /* it could not be, for the server was away */
        TAILQ_HEAD(, unremoved) unremoved; /* of those on their way out, what could not be removed, and is tried again */
        sd_event_source *tidy_source;
        uint64_t parked_before;     /* what is beside with such a number was put there by an earlier connection */
        bool clock_known;
        int64_t clock_offset_usec;  /* how far the server's clock is ahead of ours, as new files show */
        uint64_t closes_begun;      /* counters of closes sent to the server, */
        struct op_list closes;      /* and those under way, in order */

        struct helper *helper;      /* fusermount3 at work */
        int mount_point_fd;
        sd_event_source *step_source; /* the timer of freeze, unmount or revoke: one of them at a time */
        enum redirector_step step;  /* the call that is under way, */
        struct completion done;     /* and whom its end is told */
        uint64_t step_deadline_usec, progress_usec;
        size_t progress_count;
        uint64_t n_writes_taken;    /* by the server; */
        uint64_t write_usec;        /* what a whole slot takes there, as the last one of a fair size shows */
        struct notify_job *notify_job;
};

/* ---- op.c ---- */

/* A new op for a request of the kernel (NULL: for none). When it returns NULL, fuse is answered: with ENOMEM, or with EIO
 * because the connection is being revoked. */
struct op *op_new(struct redirector *r, fuse_req_t fuse);

/* The same for dirty mapped pages, which invalidation sends: also while the connection is being revoked, until the server
 * takes no more. */
struct op *op_new_dirty(struct redirector *r, fuse_req_t fuse);

/* Gives back what op refers to, its slot too. The request must have been answered. */
void op_free(struct op *op);

/* Gives up the memory that is kept for further ones. */
void op_free_spare(struct redirector *r);

/* Whether a name can be one on an SMB server: valid UTF-8, not too long. Otherwise fuse is answered. */
bool op_name_allowed(fuse_req_t fuse, const char *name);

/* Answers with error (a negative errno). */
void op_reply_error(struct op *op, int error);

/* The same, and frees. */
void op_fail(struct op *op, int error);

/* What to say of a node: that its name is gone means that the kernel's idea of it is out of date, and it looks it up anew:
 * at the server, whatever has been listed. */
int op_stale_error(const struct op *op, int error);

/* Answers; both return whether the kernel took it (it does not when the request was interrupted). */
bool op_reply_none(struct op *op);
bool op_reply_attr(struct op *op, struct node *node, const struct smb_attr *attr);

/* Sends op->request off; done gets &op->request with userdata op. */
void op_submit(struct op *op, enum smb_op what, smb_done_fn done);

/* How long the kernel may believe what op is answered; and if that is of node, its name, and its attributes: never longer than that. */
double op_timeout_sec(const struct op *op);
double op_name_timeout_sec(const struct op *op, const struct node *node);
double op_attr_timeout_sec(const struct op *op, const struct node *node);

/* Begins an open, or lets it wait while the connection is frozen. */
void op_start_or_park(struct op *op);

/* Marks an op that changes nothing: it may end early, with EINTR when its caller is interrupted. */
void op_harmless(struct op *op);

/* Begins op: start() is called now, or when nothing it has to wait for is under way any more. */
void op_begin(struct op *op, void (*start)(struct op *op));

/* To be asked first in each start(): whether op may go on. If so, its request has the paths of node and name, and of new_parent and
 * new_name where there are such. Otherwise it waits and start() is called again, or it has been answered. */
bool op_ready(struct op *op);

/* What op is about to do ends with the close of a file of op->node (which may be NULL) at the server; and that it has ended. Those
 * who wait for it go on with ops_check_close_waiters(). */
void op_closes(struct op *op);
void op_closed(struct op *op);

/* Submits once no close that could be in the way is under way: of node (a file), or, with NULL, any that has begun. */
void op_after_closes(struct op *op, struct node *node);
void ops_check_close_waiters(struct redirector *r);

/* What programs see of a node, and the node's memory of it. */
mode_t node_mode(const struct redirector *r, const struct node *node); /* its permission bits, as last seen */
void fill_stat(struct redirector *r, struct node *node, const struct smb_attr *attr, struct stat *ret_stat);
void node_changed(struct redirector *r, struct node *node); /* from here, just now */
bool node_is_unchanged(const struct node *node, uint64_t since_usec); /* from here; nor is it about to be */

/* A new file was made at t, in the server's time. */
void note_server_time(struct redirector *r, struct smb_time t);
/* What the server's clock shows, as far as is known: to the microsecond, as times are sent. */
struct smb_time server_time(const struct redirector *r);
/* The data of op, a WRITE or COPY, were taken for node: answers, and frees op. */
void file_reply_written(struct op *op, struct node *node);
struct op *op_of(struct smb_request *request);
struct redirector *redirector_of(fuse_req_t fuse);

/* ---- operations ---- */

extern const struct fuse_lowlevel_ops redirector_fuse_ops;

void name_lookup(fuse_req_t fuse, fuse_ino_t parent, const char *name);
void name_forget(fuse_req_t fuse, fuse_ino_t ino, uint64_t n);
void name_forget_multi(fuse_req_t fuse, size_t count, struct fuse_forget_data *forgets);
void name_getattr(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi);
void name_setattr(fuse_req_t fuse, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi);
void name_mkdir(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode);
void name_unlink(fuse_req_t fuse, fuse_ino_t parent, const char *name);
void name_rmdir(fuse_req_t fuse, fuse_ino_t parent, const char *name);
void name_rename(fuse_req_t fuse, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name,
                 unsigned flags);
void name_link(fuse_req_t fuse, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name);
void name_symlink(fuse_req_t fuse, const char *target, fuse_ino_t parent, const char *name);
void name_mknod(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode, dev_t device);
/* Answers with the child op->name, which the server has just shown; frees. */
void name_reply_entry(struct op *op, const struct smb_attr *attr);
void name_look_up(struct op *op); /* once more */
void name_statfs(fuse_req_t fuse, fuse_ino_t ino);

void xattr_get(fuse_req_t fuse, fuse_ino_t ino, const char *name, size_t size);
void xattr_list(fuse_req_t fuse, fuse_ino_t ino, size_t size);
void xattr_set(fuse_req_t fuse, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags);
void xattr_remove(fuse_req_t fuse, fuse_ino_t ino, const char *name);

static inline struct open_file *file_of(const struct fuse_file_info *fi)
{
        return (struct open_file *) (uintptr_t) fi->fh;
}

void file_open(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi);
void file_create(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi);
void file_make(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode); /* mknod of a regular file */
void file_read(fuse_req_t fuse, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void file_write(fuse_req_t fuse, fuse_ino_t ino, const char *data, size_t size, off_t offset, struct fuse_file_info *fi);
void file_flush(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi);
void file_fsync(fuse_req_t fuse, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void file_release(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi);
void file_free(struct open_file *file);
void file_close(struct open_file *file); /* at the server too */

/* What an open of node that is not longer ago than the kernel may remember has found, and nothing from here has changed since; or NULL.
 * ret_seen_usec: when that was. */
const struct smb_attr *file_known_attr(const struct redirector *r, const struct node *node, uint64_t *ret_seen_usec);

void file_write_unstall(struct redirector *r);
void file_write_through(struct op *op); /* op has its slot */
void file_copy(fuse_req_t fuse, fuse_ino_t from, off_t from_offset, struct fuse_file_info *from_info, fuse_ino_t to,
               off_t to_offset, struct fuse_file_info *to_info, size_t size, int flags);

void dir_open(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi);
void dir_readdirplus(fuse_req_t fuse, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void dir_release(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi);
void dir_free(struct open_dir *dir);
void dir_progress(struct open_dir *dir); /* its snapshot has more, or is complete */

/* ---- permission.c ---- */

/* Whether node's mode allows what mask (R_OK, W_OK, X_OK) says. */
bool permission_is(const struct node *node, int mask);

/* The same; if not, fuse is answered. */
bool permission_given(fuse_req_t fuse, const struct node *node, int mask);

/* The same of opening it with the kernel's flags; whether it may be written to, the server says. */
bool permission_to_open(fuse_req_t fuse, const struct node *node, int flags);

void permission_access(fuse_req_t fuse, fuse_ino_t ino, int mask);

/* ---- change.c: deleting and renaming what is open, and replacing ---- */

/* Deletes op->node's file op->name, which is open. op_ready(op) has said yes. */
void change_unlink(struct op *op);

/* Renames op->name to op->new_name, which may exist; now, or when the server has what was written below it: then op->start comes again. */
void change_rename(struct op *op);

/* The server is back: sees to the changes that have ended while it was away, and may have been done all the same. */
void change_repair(struct redirector *r);

/* Forgets these: the connection ends. */
void change_forget(struct redirector *r);

/* What is at from, or below it, is at to now: so it is for the changes that are not settled yet. */
void change_follow(struct redirector *r, const char *from, const char *to);

/* Whether path is base, or lies below it; what comes behind base then, else NULL. */
const char *path_behind(const char *path, const char *base);

/* Replaces *path, where it is from or lies below it, by what it is when that is called to. Without memory it stays. */
void path_follow(char **path, const char *from, const char *to);

/* ---- park.c ---- */

/* The hidden folder of the connection's root where deleted files live while they are open, and replaced ones until the new one is
 * in place. */
#define PARK_FOLDER ".wnet-parked"

/* What the names of all that this connection parks begin with: the daemon and the drive. */
#define PARK_PREFIX_BYTES 40
#define PARK_BASE_BYTES 64 /* and with their number, and the tag of one that tells a path */
void park_prefix(const struct redirector *r, char ret_prefix[PARK_PREFIX_BYTES]);

/* Nothing is parked yet. */
void park_init(struct redirector *r);

/* Chooses paths for what is to be parked: original is what a replaced file, the server's file_id, is called; NULL: it is deleted. stays: it is
 * open. ret_pieces: the folders that have to be there before, as many as PARKED_PIECES_MAX. All are the caller's, also after an error: 0 or a
 * negative errno. */
int park_plan(struct redirector *r, const char *original, uint64_t file_id, bool stays, char **ret_path, char **ret_pieces, size_t *ret_n_pieces);

/* The same for the file path, where nothing can be put into that folder: a name beside it, which tells no path. The caller frees; NULL: no
 * memory. */
char *park_plan_beside(struct redirector *r, const char *path);

/* Whether a file of this name is one that this user has put beside, on this machine. */
bool park_is_beside(const struct redirector *r, const char *name);

/* The same, or that folder in the root: nobody sees it here, and nobody uses it. */
bool park_hides(const struct redirector *r, const struct node *folder, const char *name);

/* Such a name was found in folder: removes the file if it is what a killed daemon, or an earlier connection of the drive, has left. */
void park_found(struct redirector *r, const struct node *folder, const char *name);

/* A directory, or a file, has got another path, and so has what is parked below it. */
void park_renamed(struct redirector *r, const char *from, const char *to);

/* What is at path (taken) in the folder belongs to node (NULL: nobody), which has lost its name: it goes when nobody has it open. */
void park_keep(struct redirector *r, struct node *node, char *path);

/* A file of node has been closed: if it was the last one of a deleted file, that goes now. */
void park_closed(struct redirector *r, struct node *node);

/* Removes path (taken) from it: SMB_OP_UNLINK, SMB_OP_RMDIR. Nobody waits for it. */
void park_remove(struct redirector *r, enum smb_op what, char *path);

/* Removes the folder soon, if nothing is in it; before that, what could not be removed from it. */
void park_tidy_soon(struct redirector *r);

/* The server is back: now it may be. */
void park_try_again(struct redirector *r);

/* What could not be removed is the next connection's. */
void park_forget(struct redirector *r);

/* Whether nothing of all this is left on the server, or a file is still open. Otherwise it is being seen to: ask again. */
bool park_settled(struct redirector *r);

/* ---- stream.c ---- */

void stream_init(struct stream *stream);

/* Whether op opens a file to read it, through the kernel's pages, and no more; and whether it is a small one: its OPEN can bring all of it. */
bool stream_only_reads(const struct op *op);
bool stream_is_small(const struct op *op);

/* An OPEN that is about to be sent: of a small file it brings the contents with it. */
void stream_want_beginning(struct op *op);

/* And has brought them, maybe: takes its slot. read_usec: when they were read. */
void stream_take_beginning(struct open_file *file, struct smb_request *open, uint64_t read_usec);

/* All of a small file has come with its open, which is about to be answered: gives it to the kernel, in the place of what that had of the
 * file. So it is neither asked for it, nor told of the close. False: it was not.
 *
 * That the kernel is given it from here cannot hang: a page that has to be waited for is one that a READ or WRITE of the file is
 * under way for, and nobody has it open yet: RELEASE comes behind both. */
bool stream_hand_over(struct open_file *file);

/* Answers a READ (op->file, offset, size), now or when the data are there. */
void stream_read(struct op *op);

/* Forgets what was read ahead of any opening of node: it has been changed. */
void stream_invalidate(struct node *node);

/* Forgets everything of one file; READs that wait for it are answered with EIO. */
void stream_done(struct open_file *file);

/* Lets go of the window that was used longest ago. */
bool stream_reclaim_slot(struct redirector *r);

/* ---- write-behind.c ---- */

/* Of a new open file. */
void behind_init(struct open_file *file);

/* Answers a WRITE whose data follow what its file's writer wrote before: they are copied. False: nothing was done. */
bool behind_append(struct op *op, const char *data);

/* Answers a WRITE whose data lie in its slot: at once where the server may come later, else when it has them. */
void behind_write(struct op *op);

/* Whether the server has everything that was written to node. If not, it is being sent, and op->start is called when it
 * is there. */
bool behind_settled(struct op *op, struct node *node);

/* Whether file may be closed. If not, file_close() comes again when the server has everything. */
bool behind_may_close(struct open_file *file);

/* So many bytes that were acknowledged did not get to the server; 0: nobody knows how many. */
void behind_failed(struct open_file *file, int error, uint64_t bytes);

/* An error of acknowledged data, 0: none. The caller tells it to the writer: it is not told again. */
int behind_take_error(struct open_file *file);

/* The same for who closes a descriptor. That may be a program that the writer has started: it is told to the writer all the same. */
int behind_close_error(struct open_file *file);

/* For fsync(): also of what was written through other open files of the same node; they tell it themselves, too. */
int behind_take_any_error(struct open_file *file);

/* Node has a new open file. */
void behind_share_error(struct open_file *file);

void behind_send_all(struct redirector *r);

/* Whether a large piece of that is on its way, of which nothing is heard until all of it is there. */
bool behind_sends_long(const struct redirector *r);

uint64_t behind_unsent_bytes(const struct redirector *r);

/* The server takes no more: enters what it does not have into r->lost. */
void behind_give_up(struct redirector *r);

/* Says that so many bytes of file are lost: in the log, and to whoever has forced the disconnection. */
void behind_add_lost(struct redirector *r, const struct open_file *file, uint64_t bytes);

/* Before the pool's end. */
void behind_done(struct redirector *r);

/* ---- device.c: the kernel's side ---- */

/* Whether the kernel has let go of the session, or there is none. */
bool device_is_gone(struct redirector *r);

/* Makes the session on the mount's descriptor (taken) and serves it. 0 or a negative errno. */
int device_open(struct redirector *r, int fd);

/* FUSE's init, of a drive and of a port. */
void device_initialize(void *userdata, struct fuse_conn_info *info);

/* Serves what can be read without waiting. Returns false when the kernel has let go of the mount. */
bool device_serve(struct redirector *r);
void device_close(struct redirector *r);

/* After a slot has become free, or what waits for one has been answered: reading goes on, and a write that was received already. */
void device_resume(struct redirector *r);

/* ---- redirector.c ---- */

/* The steps that core asks for end here: once. */
void redirector_complete(struct redirector *r, int result, const struct wn_error *err);

/* Ends the opens that wait for a thaw with an error. */
void redirector_fail_parked(struct redirector *r, int error);

/* The kernel has answered INIT: the mount is there. */
void redirector_initialized(struct redirector *r);

/* What the kernel knew and held is over with its session. */
void redirector_forget_session(struct redirector *r);

uint64_t redirector_now(const struct redirector *r);

/* (Re)starts the timer of the step that is under way. */
int redirector_step_after(struct redirector *r, uint64_t usec, sd_event_time_handler_t handler);

/* ---- mounting.c: mounting and unmounting ---- */

/* redirector_ops.folder */
void mounting_folder(const struct connection *c, bool wanted);

/* The steps. What is mounted on is there then, and redirector_complete() is called. */
void mounting_mount(struct redirector *r);
void mounting_unmount(struct redirector *r);

/* Nobody writes to the mount point any more by mistake, be the step over or not. */
void mounting_protect(struct redirector *r);

/* The kernel has let go of the mount, as we wanted or not. */
void mounting_device_gone(struct redirector *r);

/* ---- freeze.c, revoke.c ---- */

void freeze_begin(struct redirector *r);
void freeze_end(struct redirector *r); /* thaw */
void revoke_begin(struct redirector *r);

/* Answers every harmless request (all: every request) with EIO. */
void revoke_answer(struct redirector *r, bool all);

/* The server has taken a WRITE: how long that took says how long to wait for others. */
void revoke_note_write(struct redirector *r, const struct smb_request *request);

#endif
