/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Decodes the daemon's replies. A result owns one reference to its message and the arrays; strings are the message's
 * own. A reply is never believed further than its signature, which sd-bus has verified the body against, and the limits
 * in the header.
 */

#include "core/control-reply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "core/cleanup.h"
#include "core/control-protocol.h"
#include "core/holders.h"
#include "core/status.h"

#define ITEM_STRINGS_MAX 6
#define STRINGS(...) ((const char *const[ITEM_STRINGS_MAX]) { __VA_ARGS__ })

/* What sd-bus answers while reading: an error, or a missing element, is the message's fault unless memory is short. */
static int read_result(int r)
{
        if (r > 0)
                return 0;
        return r == -ENOMEM ? r : -EBADMSG;
}

static int check_strings(const char *const strings[static ITEM_STRINGS_MAX])
{
        for (size_t i = 0; i < ITEM_STRINGS_MAX && strings[i]; i++)
                if (strnlen(strings[i], CONTROL_STRING_MAX_BYTES + 1) > CONTROL_STRING_MAX_BYTES)
                        return -E2BIG;
        return 0;
}

static int check_signature(sd_bus_message *reply, const char *signature)
{
        return read_result(sd_bus_message_has_signature(reply, signature));
}

/* Makes room for one more zeroed item. */
static int array_grow(void **items, size_t item_bytes, size_t n_items, size_t *capacity)
{
        if (n_items == *capacity) {
                size_t larger = *capacity ? *capacity * 2 : 16;
                void *p = reallocarray(*items, larger, item_bytes);

                if (!p)
                        return -ENOMEM;
                *items = p;
                *capacity = larger;
        }
        memset((char *) *items + n_items * item_bytes, 0, item_bytes);
        return 0;
}

/* Reads an array of structs, each by read_item(), which reads the struct's fields. */
static int array_decode(sd_bus_message *reply, const char *fields, size_t item_bytes, size_t max,
                        int (*read_item)(sd_bus_message *reply, void *item), void **ret_items, size_t *ret_n)
{
        _cleanup_free_ void *items = NULL;
        char array_type[32];
        size_t n_items = 0, capacity = 0;
        int r;

        snprintf(array_type, sizeof array_type, "(%s)", fields);
        r = read_result(sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, array_type));
        if (r < 0)
                return r;
        for (;;) {
                r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_STRUCT, fields);
                if (r == 0)
                        break;
                r = read_result(r);
                if (r < 0)
                        return r;
                if (n_items == max)
                        return -E2BIG;
                r = array_grow(&items, item_bytes, n_items, &capacity);
                if (r < 0)
                        return r;
                r = read_item(reply, (char *) items + n_items * item_bytes);
                if (r < 0)
                        return r;
                n_items++;
                r = read_result(sd_bus_message_exit_container(reply));
                if (r < 0)
                        return r;
        }
        r = read_result(sd_bus_message_exit_container(reply));
        if (r < 0)
                return r;
        *ret_items = TAKE_PTR(items);
        *ret_n = n_items;
        return 0;
}

static int read_holder(sd_bus_message *reply, void *item)
{
        struct control_holder *h = item;
        int r;

        r = read_result(sd_bus_message_read(reply, CONTROL_HOLDER, &h->device, &h->kind, &h->pid, &h->uid, &h->program,
                                            &h->path, &h->mode, &h->since_usec, &h->unsent_bytes));
        if (r < 0)
                return r;
        return check_strings(STRINGS(h->device, h->kind, h->program, h->path, h->mode));
}

static int read_lost(sd_bus_message *reply, void *item)
{
        struct control_lost *l = item;
        int r;

        r = read_result(sd_bus_message_read(reply, CONTROL_LOST, &l->device, &l->path, &l->size_bytes));
        if (r < 0)
                return r;
        return check_strings(STRINGS(l->device, l->path));
}

static int read_connection(sd_bus_message *reply, void *item)
{
        struct control_connection *c = item;
        int persistent, read_only, r;

        r = read_result(sd_bus_message_read(reply, CONTROL_CONNECTION, &c->device, &c->remote, &c->state, &c->reason,
                                            &c->user, &c->mountpoint, &c->since_usec, &c->next_retry_usec, &persistent,
                                            &read_only));
        if (r < 0)
                return r;
        c->persistent = persistent;
        c->read_only = read_only;
        return check_strings(STRINGS(c->device, c->remote, c->state, c->reason, c->user, c->mountpoint));
}

static int read_file(sd_bus_message *reply, void *item)
{
        struct control_file *f = item;
        int r;

        r = read_result(sd_bus_message_read(reply, CONTROL_FILE, &f->device, &f->kind, &f->path, &f->pid, &f->uid,
                                            &f->program, &f->mode, &f->since_usec, &f->read_bytes, &f->written_bytes));
        if (r < 0)
                return r;
        return check_strings(STRINGS(f->device, f->kind, f->path, f->program, f->mode));
}

static int read_share(sd_bus_message *reply, void *item)
{
        struct control_share *s = item;
        int r;

        r = read_result(sd_bus_message_read(reply, CONTROL_SHARE, &s->name, &s->type, &s->comment));
        if (r < 0)
                return r;
        return check_strings(STRINGS(s->name, s->comment));
}

static int read_event(sd_bus_message *reply, void *item)
{
        struct control_event *e = item;
        int r;

        r = read_result(sd_bus_message_read(reply, CONTROL_EVENT, &e->when_usec, &e->device, &e->remote, &e->event,
                                            &e->detail, &e->program, &e->pid));
        if (r < 0)
                return r;
        return check_strings(STRINGS(e->device, e->remote, e->event, e->detail, e->program));
}

/* Reads a reply of exactly two strings. */
static int two_strings(sd_bus_message *reply, const char **ret_first, const char **ret_second)
{
        const char *first, *second;
        int r;

        r = check_signature(reply, "ss");
        if (r < 0)
                return r;
        r = read_result(sd_bus_message_read(reply, "ss", &first, &second));
        if (r < 0)
                return r;
        r = check_strings(STRINGS(first, second));
        if (r < 0)
                return r;
        *ret_first = first;
        *ret_second = second;
        return 0;
}

int control_version_decode(sd_bus_message *reply, struct control_version *ret_version)
{
        struct control_version version = { 0 };
        int r;

        r = check_signature(reply, CONTROL_VERSION_REPLY);
        if (r < 0)
                return r;
        r = read_result(sd_bus_message_read(reply, CONTROL_VERSION_REPLY, &version.release, &version.protocol));
        if (r < 0)
                return r;
        r = check_strings(STRINGS(version.release));
        if (r < 0)
                return r;
        version.reply = sd_bus_message_ref(reply);
        *ret_version = version;
        return 0;
}

int control_added_decode(sd_bus_message *reply, struct control_added *ret_added)
{
        int r = two_strings(reply, &ret_added->device, &ret_added->mountpoint);

        if (r == 0)
                ret_added->reply = sd_bus_message_ref(reply);
        return r;
}

int control_device_decode(sd_bus_message *reply, struct control_device *ret_device)
{
        int r = two_strings(reply, &ret_device->remote, &ret_device->state);

        if (r == 0)
                ret_device->reply = sd_bus_message_ref(reply);
        return r;
}

static int outcome_status(const char *name)
{
        int status;

        if (status_from_name(name, &status) < 0)
                return ERROR_EXTENDED_ERROR;
        return status;
}

int control_outcome_decode(sd_bus_message *reply, struct control_outcome *ret_outcome)
{
        _cleanup_(control_outcome_done) struct control_outcome outcome = { 0 };
        const char *status;
        void *items;
        int r;

        r = check_signature(reply, CONTROL_OUTCOME);
        if (r < 0)
                return r;
        r = read_result(sd_bus_message_read(reply, "ssust", &status, &outcome.text, &outcome.cause, &outcome.phase,
                                            &outcome.holders_total));
        if (r < 0)
                return r;
        r = check_strings(STRINGS(status, outcome.text, outcome.phase));
        if (r < 0)
                return r;
        outcome.status = outcome_status(status);
        r = array_decode(reply, CONTROL_HOLDER, sizeof *outcome.holders, HOLDERS_MAX, read_holder, &items,
                         &outcome.n_holders);
        if (r < 0)
                return r;
        outcome.holders = items;
        if (outcome.holders_total < outcome.n_holders)
                outcome.holders_total = outcome.n_holders;
        r = array_decode(reply, CONTROL_LOST, sizeof *outcome.lost, CONTROL_ITEMS_MAX, read_lost, &items,
                         &outcome.n_lost);
        if (r < 0)
                return r;
        outcome.lost = items;
        outcome.reply = sd_bus_message_ref(reply);
        *ret_outcome = outcome;
        outcome = (struct control_outcome) { 0 };
        return 0;
}

int control_outcome_decode_foreign(sd_bus_message *reply, struct control_outcome *ret_outcome)
{
        const char *status;
        int r;

        r = sd_bus_message_rewind(reply, true);
        if (r < 0)
                return read_result(r);
        r = read_result(sd_bus_message_read(reply, "s", &status));
        if (r < 0)
                return r;
        *ret_outcome = (struct control_outcome) { .status = outcome_status(status), .text = "", .phase = "" };
        return 0;
}

int control_list_decode(sd_bus_message *reply, struct control_list *ret_list)
{
        void *items;
        size_t n_items;
        int r;

        r = check_signature(reply, CONTROL_LIST_REPLY);
        if (r < 0)
                return r;
        r = array_decode(reply, CONTROL_CONNECTION, sizeof *ret_list->items, CONTROL_ITEMS_MAX, read_connection, &items,
                         &n_items);
        if (r < 0)
                return r;
        *ret_list = (struct control_list) { .reply = sd_bus_message_ref(reply), .items = items, .n_items = n_items };
        return 0;
}

int control_files_decode(sd_bus_message *reply, struct control_files *ret_files)
{
        void *items;
        size_t n_items;
        int r;

        r = check_signature(reply, CONTROL_FILES_REPLY);
        if (r < 0)
                return r;
        r = array_decode(reply, CONTROL_FILE, sizeof *ret_files->items, CONTROL_ITEMS_MAX, read_file, &items, &n_items);
        if (r < 0)
                return r;
        *ret_files = (struct control_files) { .reply = sd_bus_message_ref(reply), .items = items, .n_items = n_items };
        return 0;
}

int control_shares_decode(sd_bus_message *reply, struct control_shares *ret_shares)
{
        void *items;
        size_t n_items;
        int r;

        r = check_signature(reply, CONTROL_SHARES_REPLY);
        if (r < 0)
                return r;
        r = array_decode(reply, CONTROL_SHARE, sizeof *ret_shares->items, CONTROL_ITEMS_MAX, read_share, &items, &n_items);
        if (r < 0)
                return r;
        *ret_shares = (struct control_shares) { .reply = sd_bus_message_ref(reply), .items = items, .n_items = n_items };
        return 0;
}

int control_history_decode(sd_bus_message *reply, struct control_history *ret_history)
{
        void *items;
        size_t n_items;
        int r;

        r = check_signature(reply, CONTROL_HISTORY_REPLY);
        if (r < 0)
                return r;
        r = array_decode(reply, CONTROL_EVENT, sizeof *ret_history->items, CONTROL_ITEMS_MAX, read_event, &items, &n_items);
        if (r < 0)
                return r;
        *ret_history = (struct control_history) { .reply = sd_bus_message_ref(reply), .items = items, .n_items = n_items };
        return 0;
}

int control_error_decode(sd_bus_message *reply, const char **ret_text, uint32_t *ret_cause, const char **ret_phase)
{
        const char *text = "", *phase = "";
        uint32_t cause = 0;
        int r = 0;

        if (check_signature(reply, CONTROL_ERROR) == 0)
                r = read_result(sd_bus_message_read(reply, CONTROL_ERROR, &text, &cause, &phase));
        else if (sd_bus_message_get_error(reply)->message)
                text = sd_bus_message_get_error(reply)->message;
        if (r == 0)
                r = check_strings(STRINGS(text, phase));
        if (r < 0)
                return r;
        *ret_text = text;
        *ret_cause = cause;
        *ret_phase = phase;
        return 0;
}

void control_version_done(struct control_version *version)
{
        sd_bus_message_unref(version->reply);
        *version = (struct control_version) { 0 };
}

void control_added_done(struct control_added *added)
{
        sd_bus_message_unref(added->reply);
        *added = (struct control_added) { 0 };
}

void control_device_done(struct control_device *device)
{
        sd_bus_message_unref(device->reply);
        *device = (struct control_device) { 0 };
}

void control_outcome_done(struct control_outcome *outcome)
{
        free(outcome->holders);
        free(outcome->lost);
        sd_bus_message_unref(outcome->reply);
        *outcome = (struct control_outcome) { 0 };
}

void control_list_done(struct control_list *list)
{
        free(list->items);
        sd_bus_message_unref(list->reply);
        *list = (struct control_list) { 0 };
}

void control_files_done(struct control_files *files)
{
        free(files->items);
        sd_bus_message_unref(files->reply);
        *files = (struct control_files) { 0 };
}

void control_shares_done(struct control_shares *shares)
{
        free(shares->items);
        sd_bus_message_unref(shares->reply);
        *shares = (struct control_shares) { 0 };
}

void control_history_done(struct control_history *history)
{
        free(history->items);
        sd_bus_message_unref(history->reply);
        *history = (struct control_history) { 0 };
}

bool control_state_connected(const char *state)
{
        return strcmp(state, "ok") == 0 || strcmp(state, "reconnecting") == 0 || strcmp(state, "cancelling") == 0;
}
