/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_SMB_PROTOCOL_H
#define FUSE_SMB_PROTOCOL_H

/*
 * What wnetd and a worker (wnet-smb) share.
 *
 * A worker is started with these descriptors:
 *   3  the channel: a memfd with one struct smb_channel
 *   4  the arena: a memfd of data slots, shared by all workers of a connection
 *   5  eventfd, written by wnetd: there are requests
 *   6  eventfd, written by the worker: there are replies
 *   7  the setup socket: one struct smb_setup comes in; its end of file says that wnetd is gone
 *
 * A request is a message that wnetd fills and whose index it puts into the request ring; the worker overwrites the reply's
 * fields and puts the index into the reply ring. When wnetd is gone, a worker writes what had been handed over, and what stands
 * in the table of unsent data. Each ring has one writer and one reader, and as many places as there are messages, so it cannot
 * overflow. The eventfds are waited for edge by edge and never read. Neither side trusts the other: wnetd keeps its own copy of
 * what it asked, takes each field of a reply once, and checks it; the worker checks lengths and slots before it uses them.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SMB_FD_CHANNEL 3
#define SMB_FD_ARENA 4
#define SMB_FD_REQUESTS 5
#define SMB_FD_REPLIES 6
#define SMB_FD_SETUP 7
#define SMB_FD_LOCK 8 /* of a worker that may write; see fuse/orphans.h */

#define SMB_MESSAGES 16u                 /* under way at one worker */
#define SMB_SLOTS 64u                    /* data slots of one connection; only what is used costs memory */
#define SMB_SLOT_DATA_BYTES (1u << 20)   /* one transfer at most, */
#define SMB_READ_MAX_BYTES (16u << 20)   /* but READ, which may fill a run of slots, */
#define SMB_WRITE_MAX_BYTES (8u << 20)   /* and WRITE: as much as one request of the protocol carries to servers of today */
#define SMB_SLOT_BYTES (SMB_SLOT_DATA_BYTES + 8192u) /* with room for a FUSE request's header in front */
#define SMB_NO_SLOT UINT32_MAX

#define SMB_PATH_MAX_BYTES 4096u         /* with its NUL, below the share, as the user sees it */
#define SMB_TEXT_BYTES (2 * SMB_PATH_MAX_BYTES)
#define SMB_NAME_MAX_BYTES 765u          /* 255 UTF-16 units of up to three bytes */
#define SMB_SHARE_MAX_BYTES 240u         /* 80 characters of up to three bytes */
#define SMB_COMMENT_MAX_BYTES 767u       /* of a share: what is longer is cut */
#define SMB_USER_MAX_BYTES 256u          /* a user's name, and a domain's; a NUL follows */

enum smb_op {
        SMB_OP_CONNECT = 1, /* → status, text: what the server said; on success, as whom: user and domain, each with its NUL */
        SMB_OP_STAT,        /* path, valid (SMB_WANT_*) → attr, birth; with SMB_WANT_DATA, length, slot, of a file: → length bytes of its
                               beginning, as far as they could be read; it is opened for that, and closed again */
        SMB_OP_LIST,        /* path → fh of the listing */
        SMB_OP_LIST_NEXT,   /* fh, slot → length bytes of entries, the file_id of the first ones only; 0: end, and fh is closed */
        SMB_OP_LIST_CLOSE,  /* fh */
        SMB_OP_OPEN,        /* path, flags (O_*), valid SMB_WANT_ATTR → fh, attr, created; with SMB_WANT_DATA, length, slot → length
                               bytes of the file's beginning, as far as they could be read */
        SMB_OP_CLOSE,       /* fh */
        SMB_OP_READ,        /* fh, offset, length, slot (of more than one, the first: they lie side by side) → length, took_usec */
        SMB_OP_WRITE,       /* fh, offset, length, slot (the first), slot_offset → length, took_usec */
        SMB_OP_SETATTR,     /* path, valid (SMB_SET_*, SMB_WANT_DOS), fh (0: none) for the size → attr */
        SMB_OP_UNLINK,      /* path */
        SMB_OP_MKDIR,       /* path, flags (SMB_MKDIR_HIDDEN) → attr */
        SMB_OP_RMDIR,       /* path */
        SMB_OP_RENAME,      /* path, second path, flags (RENAME_NOREPLACE) */
        SMB_OP_COPY,        /* path, offset2: from there; fh, offset: to there, length → length, fewer only at the source's end */
        SMB_OP_STATFS,      /* → space */
        SMB_OP_SHARES,      /* offset (how many came before), slot → length bytes of struct smb_share; 0: these were all.
                               Only of a worker that is connected to a server alone */
        SMB_OP_SPELT,       /* path, second path: names in one folder that differ in case; flags (SMB_SPELT_FOLDS) → error: 0: they are
                               one file's only name; ENOTUNIQ: they are two names, be it of one file; ENOENT: they are two files' */
        SMB_OP_WATCH,       /* → status (SMB_WATCH_*), text, length: what has changed below the root, each change as its action
                               (SMB_CHANGE_*), the path below the root, and a NUL. Answered within a second. The first one makes
                               the worker one that does nothing else; two or more are kept waiting, so that none has to be waited for */
        SMB_OP_MAX
};

/* smb_message.status of WATCH */
#define SMB_WATCH_LOST 0x1u  /* there were changes before this answer that nobody can name */
#define SMB_WATCH_BEAT 0x2u  /* a while has passed, */
#define SMB_WATCH_ALIVE 0x4u /* and as far as can be told, the server is there and tells */

/* Actions, as the protocol numbers them. */
#define SMB_CHANGE_ADDED '1'
#define SMB_CHANGE_REMOVED '2'
#define SMB_CHANGE_MODIFIED '3' /* attributes, size or contents; the two of a rename, and any other, change names */

/* smb_message.valid */
#define SMB_SET_SIZE 0x1u
#define SMB_SET_DOS 0x2u /* dos_set and dos_clear say which of the four that can be set */
#define SMB_SET_ATIME 0x4u
#define SMB_SET_MTIME 0x8u
#define SMB_WANT_ATTR 0x10u
#define SMB_SET_CREATE_READONLY 0x20u /* OPEN with O_CREAT: a file that it makes is to be read-only */
#define SMB_WANT_DOS 0x80u /* STAT, SETATTR of a directory: all its attributes, for which it has to be listed */
#define SMB_WANT_BIRTH 0x100u /* STAT: when it was made, too */
#define SMB_WANT_DATA 0x200u /* STAT; OPEN, with SMB_WANT_ATTR: what is in it, too */
#define SMB_OPEN_AGAIN 0x40u /* OPEN: whoever has it open may write, though it has become read-only */

/* smb_message.flags of MKDIR */
#define SMB_MKDIR_HIDDEN 0x1u

/* smb_message.flags of SPELT */
#define SMB_SPELT_FOLDS 0x1u /* the folder is known to fold case: its listing is not needed */

/* DOS attributes, as the protocol numbers them. */
#define SMB_ATTR_READONLY 0x01u
#define SMB_ATTR_HIDDEN 0x02u
#define SMB_ATTR_SYSTEM 0x04u
#define SMB_ATTR_DIRECTORY 0x10u
#define SMB_ATTR_ARCHIVE 0x20u
#define SMB_ATTR_SETTABLE (SMB_ATTR_READONLY | SMB_ATTR_HIDDEN | SMB_ATTR_SYSTEM | SMB_ATTR_ARCHIVE)

struct smb_time {
        int64_t sec;
        uint32_t nsec;
        uint32_t pad;
};

struct smb_attr {
        uint64_t size_bytes;
        uint64_t file_id; /* the server's number of the file; 0: not told */
        struct smb_time mtime, atime, ctime;
        uint32_t dos; /* SMB_ATTR_* */
        uint32_t dos_partial; /* of a directory: nothing is known of hidden, system and archive */
};

struct smb_space {
        uint64_t block_bytes, blocks, blocks_free, blocks_available;
};

enum smb_share_kind { SMB_SHARE_DISK = 1, SMB_SHARE_PRINTER, SMB_SHARE_OTHER };

/* A share that a server offers; both texts with their NULs. */
struct smb_share {
        uint32_t kind; /* enum smb_share_kind */
        char name[SMB_SHARE_MAX_BYTES + 1];
        char comment[SMB_COMMENT_MAX_BYTES + 1];
};

struct smb_message {
        /* request */
        uint32_t op;
        uint32_t flags;
        uint32_t valid;
        uint32_t slot;
        uint32_t slot_offset;
        uint32_t length;
        uint64_t fh;
        uint64_t offset; /* also the new size of SETATTR */
        uint64_t offset2;
        struct smb_time atime, mtime;
        uint32_t dos_set, dos_clear;
        uint32_t path2; /* where the second path begins in text; 0: there is none */
        /* reply */
        int32_t error;       /* errno, 0: done */
        uint32_t lost;       /* the connection to the server is gone: this worker is of no more use */
        uint32_t status;     /* CONNECT: a status of core/status.h; WATCH: SMB_WATCH_* */
        uint32_t cause;      /* CONNECT: the NTSTATUS behind it, 0 where it is not known */
        uint64_t reply_fh;
        uint32_t reply_length;
        uint32_t took_usec;  /* READ, WRITE: at the server, without the waiting for its turn here */
        uint32_t created;    /* OPEN with O_CREAT: the file did not exist before */
        struct smb_attr attr;
        struct smb_time birth;
        struct smb_space space;
        char text[SMB_TEXT_BYTES]; /* request: one or two paths with their NULs; reply of CONNECT, WATCH: see there */
};

struct smb_ring {
        _Atomic uint32_t written; /* counts up for ever; the writer's */
        _Atomic uint32_t read;    /* counts up for ever; the reader's */
        uint32_t index[SMB_MESSAGES];
};

/* What lies in a slot, or from it on in a run of slots, and is to be written to one of the worker's files should wnetd be gone before
 * the server has it. */
struct smb_unsent {
        _Atomic uint32_t length; /* 0: nothing */
        uint32_t slot_offset;
        uint64_t fh;
        uint64_t offset;
        uint64_t order; /* what was noted later is written later */
};

struct smb_channel {
        struct smb_ring requests;
        struct smb_ring replies;
        struct smb_unsent unsent[SMB_SLOTS]; /* by slot; wnetd's */
        struct smb_message messages[SMB_MESSAGES];
};

/* Whom to connect to, and as whom. Sent once; both sides erase it after use. Strings are NUL-terminated. */
struct smb_setup {
        char server[256];
        char share[256]; /* "": the server alone, for its list of shares */
        char path[SMB_PATH_MAX_BYTES]; /* below the share; every request's path is below this one */
        char user[SMB_USER_MAX_BYTES + 1];
        char domain[SMB_USER_MAX_BYTES + 1];
        char password[1025];
        char credentials_file[4096]; /* "": none; else user, domain and password come from it */
        uint16_t port;
        uint8_t has_password;
        uint8_t print; /* the share is to be a printer's; else one of files */
        uint32_t timeout_msec;
};

/* Puts index into ring. Only the ring's one writer calls it. */
static inline void smb_ring_put(struct smb_ring *ring, uint32_t index)
{
        uint32_t at = atomic_load_explicit(&ring->written, memory_order_relaxed);

        ring->index[at % SMB_MESSAGES] = index;
        atomic_store_explicit(&ring->written, at + 1, memory_order_release);
}

/* Takes the next index out of ring: false when it is empty, or when the other side's counter makes no sense. Only the ring's
 * one reader calls it, with a counter of its own that the other side cannot change. */
static inline bool smb_ring_take(struct smb_ring *ring, uint32_t *own_read, uint32_t *ret_index)
{
        uint32_t written = atomic_load_explicit(&ring->written, memory_order_acquire);

        if (written == *own_read || written - *own_read > SMB_MESSAGES)
                return false;
        *ret_index = *(volatile uint32_t *) &ring->index[*own_read % SMB_MESSAGES];
        (*own_read)++;
        atomic_store_explicit(&ring->read, *own_read, memory_order_release);
        return true;
}

#endif
