/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What somebody asks to be connected: the checks of names, device and credentials that need no server, and what of the request
 * becomes the connection's. The attempt itself is attempt.c's.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/attempt-internal.h"
#include "core/cleanup.h"

/* ---- what is asked for ---- */

/* The first free letter from Z: down that is neither connected nor remembered. */
static int choose_device(struct manager *m, struct device_name *ret_device, struct wn_error *err)
{
        for (unsigned letter = DEVICE_LETTERS; letter-- > 0;) {
                device_from_letter(letter, ret_device);
                if (!manager_find_device(m, ret_device))
                        return 0;
        }
        return error_set(err, ERROR_ALREADY_ASSIGNED, 0, "resolve", "every drive letter is in use; disconnect one first");
}

static int resolve_device(struct manager *m, const struct add_request *request, struct device_name *ret_device,
                          struct wn_error *err)
{
        bool print;

        if (strcmp(request->local, "*") == 0 && request->type == RESOURCETYPE_PRINT)
                return error_set(err, ERROR_BAD_DEV_TYPE, 0, "resolve", "a printer does not go on a drive letter");
        if (strcmp(request->local, "*") == 0)
                return choose_device(m, ret_device, err);
        if (device_parse(request->local, ret_device) != 0)
                return error_set(err, ERROR_BAD_DEVICE, 0, "resolve",
                                 "%.40s is not a local device; use a drive letter with its colon, such as Z:", request->local);
        print = ret_device->kind == DEVICE_PRINTER;
        if (request->type == (print ? RESOURCETYPE_DISK : RESOURCETYPE_PRINT))
                return error_set(err, ERROR_BAD_DEV_TYPE, 0, "resolve", print ? "%s is a printer port, not a drive letter"
                                                                              : "%s is a drive letter, not a printer port",
                                 ret_device->text);
        if (print && request->read_only)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "resolve", "%s is a printer port: it cannot be read-only",
                                 ret_device->text);
        return 0;
}

static bool is_port(const struct device_name *device)
{
        return device && device->kind == DEVICE_PRINTER;
}

static int resolve_remote(const struct add_request *request, const struct device_name *device, struct remote_name *ret_remote,
                          struct wn_error *err)
{
        int r = remote_name_parse(request->remote, ret_remote);

        if (r == 0 && is_port(device) && ret_remote->path[0])
                return error_set(err, ERROR_BAD_NET_NAME, 0, "resolve", "%.80s is a folder; a printer is //server/printer",
                                 request->remote);
        return r == 0 ? 0 : error_set(err, ERROR_BAD_NET_NAME, 0, "resolve",
                                      "%.80s is not a share's name; write //server/share", request->remote);
}

static int check_request(const struct add_request *request, struct wn_error *err)
{
        if (request->type > RESOURCETYPE_PRINT)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "resolve", "there is no resource type %u", request->type);
        if (request->credentials_file && request->credentials_file[0] != '/')
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "resolve", "the path of the credentials file is not absolute");
        if (request->credentials_file && strlen(request->credentials_file) >= 4096)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "resolve", "the path of the credentials file is too long");
        if (request->save_password && request->local[0] == '\0')
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "resolve",
                                 "a connection without a device is not remembered, so no password can be saved for it");
        if (request->save_password && request->credentials_file)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "resolve",
                                 "a password is not saved that comes from a credentials file: it is there already");
        if (request->save_password && !request->credentials.password.bytes)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "resolve", "there is no password to be saved: none was given");
        return 0;
}

static bool has_credentials(const struct add_request *request)
{
        return request->credentials.user || request->credentials.password.bytes || request->credentials_file;
}

/* c is connected as the request says; what it had before comes back when that fails. A password alone is the remembered
 * user's. */
static int apply_request(struct connection *c, const struct add_request *request, struct kept_credentials *ret_kept)
{
        struct credentials copy = { 0 };
        char *file = NULL;
        int r = 0;

        *ret_kept = (struct kept_credentials){
                .any = true, .read_only = c->read_only, .others_tried = has_credentials(request),
        };
        if (has_credentials(request)) {
                if (request->credentials_file && !(file = strdup(request->credentials_file)))
                        return -ENOMEM;
                r = credentials_copy(&request->credentials, &copy);
                if (r == 0 && !copy.user && !file && c->credentials.user &&
                    (!(copy.user = strdup(c->credentials.user)) ||
                     (c->credentials.domain && !(copy.domain = strdup(c->credentials.domain)))))
                        r = -ENOMEM;
                if (r < 0) {
                        credentials_done(&copy);
                        free(file);
                        return r;
                }
                ret_kept->replaced = true;
                ret_kept->credentials = c->credentials;
                ret_kept->file = c->credentials_file;
                c->credentials = copy;
                c->credentials_file = file;
        }
        c->read_only = c->read_only || request->read_only;
        return 0;
}

/* The saved password is meant where none is given, for the same user or for none. One that is given for that user is to replace
 * it where the device is remembered anew, and not for once. */
static enum attempt_password password_for(const struct connection *c, const struct add_request *request)
{
        _cleanup_free_ char *user = credentials_user_text(&request->credentials);

        if (request->save_password)
                return PASSWORD_TO_SAVE;
        if (!c->saved_user || request->credentials_file ||
            (request->credentials.user && !(user && strcmp(user, c->saved_user) == 0)))
                return PASSWORD_AT_HAND;
        if (!request->credentials.password.bytes)
                return PASSWORD_SAVED;
        return request->persistent ? PASSWORD_TO_RENEW : PASSWORD_AT_HAND;
}

/* Whether a device that has a connection, live or remembered, may be connected to remote. */
static int check_device(const struct connection *c, const struct remote_name *remote, struct wn_error *err)
{
        _cleanup_free_ char *resource = remote_name_to_unc(&c->remote);

        if (connection_is_live(c))
                return attempt_refuse_second(c, err);
        if (c->cancel)
                return error_set(err, ERROR_BUSY, 0, "resolve", "%s is just being forgotten; try again", c->name);
        if (!remote_name_equal(&c->remote, remote))
                return error_set(err, ERROR_DEVICE_ALREADY_REMEMBERED, 0, "resolve",
                                 "%s is remembered for %s; forget it first: wnet cancel %s --forget", c->name, resource, c->name);
        return 0;
}

/* The deviceless connection to a resource: there is one at most. */
static struct connection *find_deviceless(struct manager *m, const struct remote_name *remote)
{
        struct connection *c;

        TAILQ_FOREACH(c, &m->connections, entry)
                if (!c->has_device && c->state != CONNECTION_GONE && remote_name_equal(&c->remote, remote))
                        return c;
        return NULL;
}

int manager_add(struct manager *m, const struct add_request *request, add_done_fn done, void *userdata, struct wn_error *err)
{
        _cleanup_(remote_name_done) struct remote_name remote = { 0 };
        struct device_name device;
        bool deviceless = request->local[0] == '\0';
        struct kept_credentials kept = { 0 };
        struct connection *c;
        int r;

        manager_release(m);
        if (m->shutting_down)
                return error_set(err, ERROR_EXTENDED_ERROR, ESHUTDOWN, "resolve", "wnetd is shutting down; try again");
        if (!deviceless) /* without the profile, what is not to be remembered is connected all the same */
                (void) manager_restore_again(m, NULL);
        r = check_request(request, err);
        if (r == 0 && deviceless && request->type == RESOURCETYPE_PRINT)
                r = error_set(err, ERROR_BAD_DEV_TYPE, 0, "resolve", "a printer needs a port: LPT1 to LPT9");
        else if (r == 0 && !deviceless)
                r = resolve_device(m, request, &device, err);
        if (r == 0)
                r = resolve_remote(request, deviceless ? NULL : &device, &remote, err);
        if (r != 0)
                return r;
        if (deviceless && find_deviceless(m, &remote))
                return error_set(err, ERROR_ALREADY_ASSIGNED, 0, "resolve", "%.80s is already connected", request->remote);
        c = deviceless ? NULL : manager_find_device(m, &device);
        r = c ? check_device(c, &remote, err) : 0;
        if (r != 0)
                return r;
        if (!c && !(c = connection_new(m, deviceless ? NULL : &device, &remote)))
                r = -ENOMEM;
        if (r == 0)
                r = apply_request(c, request, &kept);
        if (r == 0)
                r = attempt_begin(c, (request->persistent || request->save_password) && !deviceless, password_for(c, request),
                                  &kept, &request->caller, done, userdata, err);
        if (r != 0 && c) {
                connection_put_back(c, &kept);
                if (!c->remembered) {
                        connection_set_state(c, CONNECTION_GONE, "");
                        manager_release_later(c);
                }
        }
        return r < 0 ? error_set(err, ERROR_EXTENDED_ERROR, -r, "resolve", "wnetd is out of memory") : r;
}
