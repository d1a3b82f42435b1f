/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef FUSE_NODE_H
#define FUSE_NODE_H

/*
 * The files and directories that the kernel knows of a mount. A node is kept as long as the kernel may name it (lookups, ended
 * by FORGET) or something here refers to it (refs: children, open files, requests under way).
 *
 * The node's number is what the kernel calls it: made from the path at first sight, and changed when another living node has it
 * already. Programs see the server's number of the file as st_ino: it is the same for every name of a file, and the next time.
 *
 * To a server that folds case, names that differ in case alone are one, to the kernel they are not. So of one thing there is one
 * node, which has the spelling that was seen first, and its other spellings are entries of their own in the table: a number, a name
 * and what they mean (of). Whatever is done is done to the node: only what answers the kernel meets spellings (spelling.h).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "core/fold.h"
#include "fuse/smb/protocol.h"

#define NODE_ROOT 1u

struct open_file;
struct behind;
struct folder;

enum node_folds { FOLDS_UNKNOWN, FOLDS_NO, FOLDS_YES };

struct node {
        struct node *of;      /* this is only another spelling of that one, which may be one itself; referred to. NULL: a node */
        LIST_HEAD(, node) spellings; /* of this one */
        LIST_ENTRY(node) of_spellings;
        uint64_t spelt_usec;  /* when it was last looked up by another spelling; 0: not */
        uint64_t cached_usec; /* until when the kernel may answer from what it was told of it, */
        uint64_t forget_number; /* unless it has been made to forget that: the number of that order (invalidate.h); 0: none */
        bool forget_name;     /* its name as well as its attributes */
        uint32_t answers, forget_answers; /* how often the kernel was told something to keep, and how often before that order */
        uint64_t told_usec;   /* when the server has told of a change elsewhere; 0: not */
        enum node_folds folds; /* a directory: whether names that differ in case are one to the server */
        uint64_t ino;
        uint64_t file_id;     /* the server's; 0: not known */
        uint64_t shown_ino;   /* what programs have been told; 0: nothing yet */
        struct node *parent;  /* NULL: the root */
        char *name;
        bool linked;          /* false: deleted, or replaced; its name means nothing any more */
        char *parked;         /* then: where it lives while it is open (change.h); NULL: nowhere */
        uint64_t lookups;     /* the kernel's */
        uint64_t refs;        /* ours */
        bool mode_known;      /* set by chmod or at creation; outlives the node under the same path */
        mode_t mode;          /* permission bits; the server's read-only attribute still decides about writing */
        bool directory;
        uint64_t size_bytes;  /* last seen, */
        struct smb_time mtime; /* as the server has it, */
        uint32_t dos;         /* and its DOS attributes, */
        bool dos_known;       /* all of them, */
        uint64_t seen_usec;   /* and when that was */
        struct folder *folder; /* a directory: what is known of its listings (snapshot.c); NULL: nothing */
        uint64_t changed_usec; /* when it was last changed from here; 0: not */
        uint32_t attr_changes; /* counts what was done from here that its attributes may show */
        bool mtime_pinned;    /* set explicitly while it is open for writing: the server's close would overwrite it */
        struct smb_time pinned_mtime;
        size_t unsettled;     /* open files that were written to: the server's modification time is not what it will be */
        struct smb_time written_mtime; /* so this is shown meanwhile, when it was last written to from here, in the server's time, */
        bool mtime_shown;     /* and has to stay: somebody has seen it */
        unsigned closing;     /* files of it whose close is still on its way to the server */
        unsigned removals;    /* deletions of it that are: it is not opened meanwhile */
        struct behind *behind; /* what was written and the server does not have yet; NULL: nothing */
        LIST_HEAD(, open_file) files;
        size_t writers;       /* those that are open for writing */
        struct node *next_by_ino, *next_by_name;
};

/* The mode of what the kernel has forgotten, for when it asks again. */
struct node_mode {
        uint64_t path_hash; /* 0: there is none here */
        mode_t mode;
};

struct node_table {
        locale_t fold;
        struct node **by_ino, **by_name; /* all spellings of a name are in one bucket */
        size_t n_buckets; /* a power of two */
        size_t n;
        struct node *root;
        struct node_mode *modes; /* each path has one place, which it may lose to another */
};

/* 0 or -ENOMEM. */
int node_table_init(struct node_table *table);
void node_table_done(struct node_table *table); /* frees every node, whoever refers to it */

/* The node the kernel means. Asserts that there is one: the kernel never names a forgotten node. */
struct node *node_find(struct node_table *table, uint64_t ino);

/* The same as the kernel calls it: the node, or a spelling of it. */
struct node *node_known(struct node_table *table, uint64_t ino);

/* What a spelling means in the end: itself, when it is a node. */
struct node *node_meant(struct node *node);

/* The server says that it has this file_id, or that nobody knows it any more (0). */
void node_identify(struct node *node, uint64_t file_id);

/* What programs see as st_ino: the server's number if that was known when they asked for the first time; it stays then, for as long as the
 * node is no other file. */
uint64_t node_shown_ino(struct node *node);

/* The linked child that is known by that name, or NULL. Takes no reference. */
struct node *node_child(struct node_table *table, struct node *parent, const char *name);

/* The same, made when it is not known. NULL: out of memory. The caller refers to it at once, by ref or lookup. */
struct node *node_child_or_new(struct node_table *table, struct node *parent, const char *name);

/* What is known by exactly that name, a node or a spelling, or NULL. */
struct node *node_named(struct node_table *table, const struct node *parent, const char *name);

/* A linked child whose name differs from name in case alone, as far as is known here; that with the server's number file_id, if there is
 * one. NULL: none. */
struct node *node_other_case(struct node_table *table, const struct node *parent, const char *name, uint64_t file_id);

/* The linked nodes (not their other spellings) in parent whose names are name, or differ from it in case alone, as far as is known here:
 * the first (after NULL), or the one behind after, which is one of them; NULL: there are no more. */
struct node *node_next_alike(struct node_table *table, const struct node *parent, const char *name, const struct node *after);

/* What the kernel calls node where it is called name in directory, which is node's parent or a spelling of that: the node, or a
 * spelling of it, made when it is not known. NULL: out of memory. The caller refers to it at once. */
struct node *node_spelling(struct node_table *table, struct node *directory, const char *name, struct node *node);

struct node *node_ref(struct node *node);
void node_unref(struct node_table *table, struct node *node); /* accepts NULL */

void node_looked_up(struct node *node);
void node_forget(struct node_table *table, uint64_t ino, uint64_t n);

/* As on a local disk, a file that is written to, truncated or given to somebody loses its set-user-ID bit, and its set-group-ID bit
 * where the group may execute it: the kernel leaves that to us. */
void node_drop_privileges(struct node *node);

/* The kernel has forgotten everything: nodes that nothing refers to go. */
void node_forget_all(struct node_table *table);

/* Its name is no longer its own, by any spelling: deleted, or about to be replaced. Of a spelling: that alone. */
void node_unlink(struct node_table *table, struct node *node);

/* Moves a node to another name, taking the place of what had it. 0 or -ENOMEM (then nothing has changed but the target's
 * link). */
int node_rename(struct node_table *table, struct node *node, struct node *parent, const char *name);

/* Path below the root, '/' between components; name (may be NULL) is a child's to append. "" is the root.
 * 0, -ENOMEM, -ENAMETOOLONG, or -ESTALE when the node is no longer linked, nor parked. The caller frees. */
int node_path(const struct node *node, const char *name, char **ret_path);

#endif
