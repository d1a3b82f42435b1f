/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One request at a time: list the folder, then each entry's turn, then the folder itself.
 */

#include "fuse/leftovers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <systemd/sd-id128.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/log.h"
#include "fuse/internal.h"
#include "fuse/parked-name.h"
#include "fuse/parked-tag.h"
#include "fuse/smb/listing.h"

#define ENTRIES_MAX 10000u
#define CLEAN_MAX_USEC (3 * 1000000ULL) /* what is left then stays for the next connection */
#define MACHINE_CHARS 8

struct leftovers {
        struct redirector *redirector;
        struct smb_request request;
        void (*done)(struct redirector *r);
        uint64_t deadline_usec;
        char own[PARK_PREFIX_BYTES]; /* what an earlier connection of this drive has parked */
        struct {
                char **names;
                size_t n, at;
        } files, folders; /* folders: what tells long paths (parked-name.h) */
        bool incomplete;  /* there may be more of them */
        char *parked, *original; /* of the entry whose turn it is */
};

void leftovers_instance(char ret_instance[LEFTOVERS_INSTANCE_BYTES])
{
        sd_id128_t machine = SD_ID128_NULL;
        char host[256] = "";
        struct timespec now;
        uint32_t hash = 2166136261u; /* FNV-1a */

        if (sd_id128_get_machine(&machine) < 0)
                (void) gethostname(host, sizeof(host) - 1);
        for (size_t i = 0; i < sizeof(machine.bytes); i++)
                hash = (hash ^ machine.bytes[i]) * 16777619u;
        for (const char *p = host; *p; p++)
                hash = (hash ^ (unsigned char) *p) * 16777619u;
        hash = (hash ^ (uint32_t) geteuid()) * 16777619u;
        clock_gettime(CLOCK_REALTIME, &now);
        snprintf(ret_instance, LEFTOVERS_INSTANCE_BYTES, "%08x.%llx", hash,
                 (unsigned long long) now.tv_sec * 1000000ULL + (unsigned long long) now.tv_nsec / 1000);
}

bool leftovers_is_ours(const char *instance, const char *name)
{
        return strncasecmp(name, instance, MACHINE_CHARS + 1) == 0; /* in any spelling: most servers fold it */
}

bool leftovers_is_left(const struct redirector *r, const char *name)
{
        const char *instance = r->settings->instance;

        return leftovers_is_ours(instance, name) && strncasecmp(name, instance, strlen(instance)) != 0;
}

static void free_all(struct leftovers *l)
{
        for (size_t i = 0; i < l->files.n; i++)
                free(l->files.names[i]);
        for (size_t i = 0; i < l->folders.n; i++)
                free(l->folders.names[i]);
        free(l->files.names);
        free(l->folders.names);
        free(l->parked);
        free(l->original);
        free(l);
}

static void end(struct leftovers *l)
{
        struct redirector *r = l->redirector;
        void (*done)(struct redirector *r) = l->done;

        free_all(l);
        done(r);
}

/* Whether the pool is being freed, and nothing goes on. l is gone then. */
static bool ended_with_pool(struct leftovers *l)
{
        if (l->request.error != -ECANCELED)
                return false;
        free_all(l);
        return true;
}

static void submit(struct leftovers *l, enum smb_op what, char *path, char *path2, smb_done_fn done)
{
        l->request = (struct smb_request){
                .op = what, .path = path, .path2 = path2, .slot = SMB_NO_SLOT, .done = done, .userdata = l,
                .worker = l->request.worker, .generation = l->request.generation, .fh = l->request.fh,
        };
        if (what == SMB_OP_LIST_NEXT)
                l->request.length = SMB_SLOT_DATA_BYTES;
        smb_pool_submit(l->redirector->pool, &l->request);
}

/* ---- each entry ---- */

static void next_entry(struct leftovers *l);

/* The file stays where it is, and so do the folders that tell its path. */
static void keep(struct leftovers *l)
{
        const char *file = l->files.names[l->files.at - 1];
        size_t kept = 0;

        for (size_t i = 0; i < l->folders.n; i++)
                if (parked_is_piece(l->folders.names[i], file))
                        free(l->folders.names[i]);
                else
                        l->folders.names[kept++] = l->folders.names[i];
        l->folders.n = kept;
        next_entry(l);
}

static void handled(struct smb_request *request)
{
        struct leftovers *l = request->userdata;

        if (!ended_with_pool(l))
                next_entry(l);
}

static void given_back(struct smb_request *request)
{
        struct leftovers *l = request->userdata;

        if (ended_with_pool(l))
                return;
        if (request->error == 0) {
                log_info("%s was just being replaced when wnetd ended; its old contents are back", l->original);
                next_entry(l);
        } else {
                log_info("%s has lost its name, and cannot have it back: %s", l->parked, strerror(-request->error));
                keep(l);
        }
}

static void original_seen(struct smb_request *request)
{
        struct leftovers *l = request->userdata;

        if (ended_with_pool(l))
                return;
        if (request->error == -ENOENT)
                submit(l, SMB_OP_RENAME, l->parked, l->original, given_back);
        else if (request->error == 0) /* the new contents are in place */
                submit(l, SMB_OP_UNLINK, l->parked, NULL, handled);
        else
                keep(l);
}

/* Whether the file whose turn it is, number file_id, was parked under its name by one of us. Where a server numbers nothing, nobody knows. */
static bool is_tagged(const struct leftovers *l, uint64_t file_id)
{
        const char *name = l->files.names[l->files.at - 1];
        size_t length = strcspn(name, "=+");
        _cleanup_free_ char *base = strndup(name, length);
        char *found = base ? strrchr(base, '-') : NULL, tag[PARKED_TAG_CHARS + 1];

        if (!found || file_id == 0)
                return false;
        *found++ = '\0';
        return parked_tag(l->redirector->settings->parked_key, l->redirector->source, base, l->original, file_id, tag) == 0 &&
               strcmp(found, tag) == 0;
}

static void parked_seen(struct smb_request *request)
{
        struct leftovers *l = request->userdata;

        if (ended_with_pool(l))
                return;
        if (request->error == 0 && is_tagged(l, request->attr.file_id)) {
                submit(l, SMB_OP_STAT, l->original, NULL, original_seen);
                return;
        }
        if (request->error == 0)
                log_info("whether %s is ours cannot be told, and it is left alone", l->parked);
        keep(l);
}

static void finished(struct smb_request *request)
{
        struct leftovers *l = request->userdata;

        if (!ended_with_pool(l))
                end(l);
}

static void next_folder(struct leftovers *l)
{
        const char *name = l->folders.names[l->folders.at++];

        if (asprintf(&l->parked, PARK_FOLDER "/%s", name) < 0) {
                l->parked = NULL;
                end(l);
        } else
                submit(l, SMB_OP_RMDIR, l->parked, NULL, handled);
}

/* Whether path is one that we could have parked: anybody who may write here can make up names. */
static bool is_path(const char *path)
{
        for (const char *p = path, *end; *p; p = *end ? end + 1 : end) {
                end = strchrnul(p, '/');
                if (!listing_name_valid(p, (size_t) (end - p)))
                        return false;
        }
        return *path != '\0' && path[strlen(path) - 1] != '/';
}

static void next_file(struct leftovers *l)
{
        const char *name = l->files.names[l->files.at++];

        if (parked_original(name, l->folders.names, l->folders.n, &l->original) < 0 ||
            asprintf(&l->parked, PARK_FOLDER "/%s", name) < 0) {
                l->parked = NULL;
                end(l);
        } else if (!l->original && l->incomplete && strchr(name, '+'))
                keep(l); /* it may be that not all that tells its path has been listed */
        else if (l->original && !is_path(l->original))
                keep(l);
        else if (l->original)
                submit(l, SMB_OP_STAT, l->parked, NULL, parked_seen);
        else
                submit(l, SMB_OP_UNLINK, l->parked, NULL, handled);
}

static void next_entry(struct leftovers *l)
{
        free(TAKE_PTR(l->parked));
        free(TAKE_PTR(l->original));
        if (redirector_now(l->redirector) > l->deadline_usec ||
            (l->files.at == l->files.n && (l->folders.at == l->folders.n || l->incomplete)))
                submit(l, SMB_OP_RMDIR, (char *) PARK_FOLDER, NULL, finished);
        else if (l->files.at < l->files.n)
                next_file(l);
        else
                next_folder(l);
}

/* ---- the list ---- */

/* Ours, but not of another drive of this daemon that shows the same share. */
static bool is_leftover(const struct leftovers *l, const char *name)
{
        return leftovers_is_left(l->redirector, name) ||
               (l->redirector->connection->has_device && strncasecmp(name, l->own, strlen(l->own)) == 0);
}

/* Copies name to the end of the list. */
static bool add_name(char ***names, size_t *n, const char *name)
{
        char **grown = realloc(*names, (*n + 1) * sizeof(*grown));

        if (!grown)
                return false;
        *names = grown;
        if (!(grown[*n] = strdup(name)))
                return false;
        (*n)++;
        return true;
}

static void collect(struct leftovers *l, const void *data, size_t size)
{
        char name[SMB_NAME_MAX_BYTES + 1];
        struct smb_attr attr;
        size_t at = 0;

        while (!l->incomplete && listing_take(data, size, &at, name, &attr) == 1) {
                if (!is_leftover(l, name))
                        continue;
                l->incomplete = l->files.n + l->folders.n == ENTRIES_MAX ||
                                !(attr.dos & SMB_ATTR_DIRECTORY ? add_name(&l->folders.names, &l->folders.n, name)
                                                                : add_name(&l->files.names, &l->files.n, name));
        }
}

static void got_entries(struct smb_request *request)
{
        struct leftovers *l = request->userdata;
        struct smb_pool *pool = l->redirector->pool;

        if (ended_with_pool(l))
                return;
        if (request->error == 0) {
                collect(l, arena_memory(smb_pool_arena(pool), request->slot), request->reply_length);
                smb_pool_give_slot(pool, request->slot);
        }
        l->incomplete = l->incomplete || request->error < 0;
        if (request->error == 0 && request->reply_length > 0)
                submit(l, SMB_OP_LIST_NEXT, NULL, NULL, got_entries);
        else
                next_entry(l);
}

static void listed(struct smb_request *request)
{
        struct leftovers *l = request->userdata;

        if (ended_with_pool(l))
                return;
        if (request->error < 0) /* there is no such folder */
                end(l);
        else
                submit(l, SMB_OP_LIST_NEXT, NULL, NULL, got_entries);
}

void leftovers_clean(struct redirector *r, void (*done)(struct redirector *r))
{
        struct leftovers *l = calloc(1, sizeof(*l));

        if (!l) {
                done(r);
                return;
        }
        l->redirector = r;
        l->done = done;
        l->deadline_usec = redirector_now(r) + CLEAN_MAX_USEC;
        park_prefix(r, l->own);
        submit(l, SMB_OP_LIST, (char *) PARK_FOLDER, NULL, listed);
}
