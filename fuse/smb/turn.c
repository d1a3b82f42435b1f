/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * In which order a worker gets what waits for it, and how much of it at once: what it has been handed cannot be overtaken any more.
 */

#include "fuse/smb/link.h"
#include "fuse/smb/request.h"

#define DEPTH 4u                    /* handed over at once: enough to keep a worker busy, few enough to let urgent ones pass, */
#define BULK_AHEAD_BYTES (2u << 20) /* and so much of large transfers, or one that is larger, where the worker has several files */

/* What remembers when the like of request was last handed over. */
static uint64_t *turn_of(struct smb_link *link, const struct smb_request *request)
{
        return request->file ? &request->file->turn : &link->names_turn;
}

void turn_taken(struct smb_link *link, const struct smb_request *request)
{
        *turn_of(link, request) = pool_next_turn(link->pool);
}

/* Whether request may be handed over while there is no slot: before reads of its file that wait for one, but not if it closes that file.
 * An OPEN behind that CLOSE may, for what waits for it may have all the slots. */
static bool needs_no_slot(const struct smb_request *request)
{
        const struct smb_request *earlier = request;

        if (pool_needs_slot(request))
                return false;
        while (request->op == SMB_OP_CLOSE && (earlier = TAILQ_PREV(earlier, smb_request_list, queue)))
                if (earlier->file == request->file)
                        return false;
        return true;
}

/* Of those that have waited, a request of the file that was served longest ago, so that nobody's many requests keep out another one's
 * single one; whatever names no file counts as one of them. A file's requests stay in their order, but for what waits for a slot. */
static struct smb_request *longest_waiting(struct smb_link *link, bool without_slot)
{
        struct smb_request *request, *best = NULL;
        uint64_t best_turn = UINT64_MAX;

        TAILQ_FOREACH(request, &link->pending, queue) {
                uint64_t turn = *turn_of(link, request);

                if (choice_holds_back(link, request))
                        break;
                if (turn < best_turn && (!without_slot || needs_no_slot(request))) {
                        best = request;
                        best_turn = turn;
                }
        }
        return best;
}

/* Whether one more may be handed over: behind what takes long nothing is, for it might be done elsewhere. */
static bool has_room_for(const struct smb_link *link, const struct smb_request *next)
{
        const struct smb_request *request;
        uint64_t bulk_bytes = 0;

        TAILQ_FOREACH(request, &link->sent, queue) {
                if (request_is_long(request))
                        return false;
                bulk_bytes += request_is_bulk(request) ? request->length : 0;
        }
        return link->n_under_way < DEPTH &&
               (bulk_bytes == 0 || bulk_bytes + next->length <= BULK_AHEAD_BYTES || !request_is_bulk(next) || link->n_files <= 1);
}

struct smb_request *turn_next(struct smb_link *link)
{
        struct smb_request *request = longest_waiting(link, false);

        if (!request && link->n_under_way == 0 && choice_take_over(link))
                request = longest_waiting(link, false);
        if (!request || !has_room_for(link, request))
                return NULL;
        if (pool_take_slot(link->pool, request))
                return request;
        request = longest_waiting(link, true);
        return request && has_room_for(link, request) ? request : NULL;
}
