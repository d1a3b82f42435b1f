/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A connection's life and state. Every change of state goes through connection_set_state().
 */

#include "core/connection.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/manager.h"
#include "core/utf8.h"
#include "core/watch.h"

const char *connection_state_name(enum connection_state state)
{
        static const char *const names[] = {
                [CONNECTION_CONNECTING] = "connecting", [CONNECTION_OK] = "ok",
                [CONNECTION_RECONNECTING] = "reconnecting", [CONNECTION_CANCELLING] = "cancelling",
                [CONNECTION_UNAVAILABLE] = "unavailable", [CONNECTION_GONE] = "gone",
        };

        return names[state];
}

static char *make_mountpoint(const struct manager *m, const struct connection *c)
{
        char folder[8], *path = NULL;

        if (c->has_device) {
                device_folder(&c->device, folder);
                return asprintf(&path, "%s/%s", m->drives_dir, folder) < 0 ? NULL : path;
        }
        char *name = remote_name_to_folder(&c->remote);

        if (name && asprintf(&path, "%s/UNC/%s", m->drives_dir, name) < 0)
                path = NULL;
        free(name);
        return path;
}

struct connection *connection_new(struct manager *manager, const struct device_name *device, struct remote_name *remote)
{
        struct connection *c = calloc(1, sizeof(*c));

        if (!c)
                return NULL;
        c->manager = manager;
        c->state = CONNECTION_UNAVAILABLE;
        if (device) {
                c->has_device = true;
                c->device = *device;
        }
        c->remote = *remote;
        c->name = device ? strdup(device->text) : remote_name_to_unc(remote);
        c->mountpoint = make_mountpoint(manager, c);
        if (!c->name || !c->mountpoint) {
                free(c->name);
                free(c->mountpoint);
                free(c);
                return NULL;
        }
        *remote = (struct remote_name){ 0 };
        handle_table_init(&c->handles);
        TAILQ_INSERT_TAIL(&manager->connections, c, entry);
        return c;
}

static void forget_session(struct connection *c)
{
        free(c->session_user);
        free(c->session_domain);
        c->session_user = c->session_domain = NULL;
}

void kept_credentials_done(struct kept_credentials *kept)
{
        credentials_done(&kept->credentials);
        free(kept->file);
        *kept = (struct kept_credentials){ 0 };
}

void connection_put_back(struct connection *c, struct kept_credentials *kept)
{
        if (kept->any)
                c->read_only = kept->read_only;
        if (kept->replaced) {
                credentials_done(&c->credentials);
                free(c->credentials_file);
                c->credentials = kept->credentials;
                c->credentials_file = kept->file;
        }
        *kept = (struct kept_credentials){ 0 };
}

void connection_drop_kept(struct connection *c)
{
        if (c->kept)
                kept_credentials_done(c->kept);
        free(c->kept);
        c->kept = NULL;
}

/* What it was connected with for once is over. */
static void put_back_remembered(struct connection *c)
{
        if (!c->kept)
                return;
        connection_put_back(c, c->kept);
        connection_drop_kept(c);
}

void connection_free(struct connection *c)
{
        assert(!c->redirector && !c->cancel && !c->attempt && !c->password_call);
        TAILQ_REMOVE(&c->manager->connections, c, entry);
        remote_name_done(&c->remote);
        credentials_done(&c->credentials);
        free(c->credentials_file);
        free(c->saved_user);
        connection_drop_kept(c);
        forget_session(c);
        free(c->name);
        free(c->mountpoint);
        watch_end(c->manager->watch, c);
        free(c);
}

void connection_set_state(struct connection *c, enum connection_state state, const char *reason)
{
        if (state == CONNECTION_UNAVAILABLE)
                put_back_remembered(c);
        if (state == CONNECTION_UNAVAILABLE || state == CONNECTION_CONNECTING)
                forget_session(c);
        if (c->state == state && strcmp(c->reason, reason) == 0)
                return;
        c->state = state;
        c->since_usec = clock_real_usec();
        if (reason != c->reason)
                snprintf(c->reason, sizeof(c->reason), "%s", reason);
        c->reason[utf8_cut_bytes(c->reason, strlen(c->reason))] = '\0'; /* no half character at its end */
        if (state != CONNECTION_UNAVAILABLE)
                c->next_retry_usec = 0;
        log_info("%s is %s%s%s", c->name, connection_state_name(state), *reason ? ": " : "", reason);
        if (c->manager->changed)
                c->manager->changed(c->manager->userdata, c, connection_state_name(state));
}

bool connection_is_printer(const struct connection *c)
{
        return c->has_device && c->device.kind == DEVICE_PRINTER;
}

bool connection_has_password(const struct connection *c)
{
        return c->credentials.password.bytes || c->credentials_file;
}

bool connection_is_live(const struct connection *c)
{
        return c->state != CONNECTION_UNAVAILABLE && c->state != CONNECTION_GONE;
}

void connection_authenticated(struct connection *c, const char *user, const char *domain)
{
        forget_session(c);
        c->session_user = strdup(user);
        c->session_domain = *domain ? strdup(domain) : NULL;
}

void connection_health(struct connection *c, bool up, const char *reason)
{
        enum connection_state state = up ? CONNECTION_OK : CONNECTION_RECONNECTING;

        if (c->state == CONNECTION_CANCELLING) {
                c->state_before_cancel = state;
                snprintf(c->reason, sizeof(c->reason), "%s", reason);
        } else if (c->state == CONNECTION_OK || c->state == CONNECTION_RECONNECTING) {
                if (c->state != state)
                        manager_record(c, up ? "back" : "unreachable", reason, NULL);
                connection_set_state(c, state, reason);
        }
}

void connection_unmounted(struct connection *c)
{
        c->retry_wanted = false;
        if (c->cancel || c->attempt) {
                c->mount_lost = true;
                return;
        }
        manager_record(c, "unmounted", "by another program", NULL);
        if (c->remembered)
                connection_set_state(c, CONNECTION_UNAVAILABLE, "unmounted by another program");
        else
                connection_set_state(c, CONNECTION_GONE, "unmounted by another program");
        manager_release_later(c);
}
