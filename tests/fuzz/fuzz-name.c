/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * core/name.c with any text: nothing crashes, and what is accepted can be printed, read again, and become a folder.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/name.h"
#include "core/status.h"
#include "core/utf8.h"
#include "fuzz.h"

static void check_device(const char *text)
{
        struct device_name device, again;
        char folder[8], with_case[8];

        if (device_parse(text, &device) != 0)
                return;
        CHECK(device_parse(device.text, &again) == 0 && strcmp(again.text, device.text) == 0 && again.kind == device.kind);
        CHECK(strlen(text) <= strlen(device.text) + 1);
        strcpy(with_case, device.text);
        with_case[0] = (char) (with_case[0] | 0x20);
        CHECK(device_parse(with_case, &again) == 0 && strcmp(again.text, device.text) == 0);
        device_folder(&device, folder);
        CHECK(folder[0] && !strpbrk(folder, ":/.\\"));
}

/* text is one that was printed of remote. */
static void check_parses_to(const char *text, const struct remote_name *remote)
{
        _cleanup_(remote_name_done) struct remote_name again = { 0 };

        CHECK(text && utf8_is_clean(text, strlen(text)));
        CHECK(remote_name_parse(text, &again) == 0);
        CHECK(remote_name_equal(remote, &again) && remote_name_same_server(remote, &again));
        CHECK(strcmp(again.server, remote->server) == 0 && strcmp(again.share, remote->share) == 0 &&
              strcmp(again.path, remote->path) == 0 && again.port == remote->port);
}

static bool is_folder_name(const char *name, size_t n)
{
        return n > 0 && !(n == 1 && name[0] == '.') && !(n == 2 && memcmp(name, "..", 2) == 0) && !memchr(name, ':', n);
}

static void check_remote(const char *text)
{
        _cleanup_(remote_name_done) struct remote_name remote = { 0 }, copy = { 0 };
        _cleanup_free_ char *unc = NULL, *source = NULL, *folder = NULL;
        const char *slash;
        int r = remote_name_parse(text, &remote);

        CHECK(r == 0 || r == ERROR_BAD_NET_NAME);
        if (r != 0)
                return;
        CHECK(remote.port != 0 && remote.server[0] && strlen(remote.server) <= REMOTE_SERVER_MAX_BYTES);
        CHECK(remote_share_valid(remote.share) && strlen(remote.path) <= REMOTE_PATH_MAX_BYTES);
        unc = remote_name_to_unc(&remote);
        check_parses_to(unc, &remote);
        CHECK(strncmp(unc, "\\\\", 2) == 0 && !strchr(unc, '/'));
        source = remote_name_to_source(&remote);
        check_parses_to(source, &remote);
        CHECK(strncmp(source, "//", 2) == 0 && !strchr(source, '\\'));
        CHECK(remote_name_copy(&remote, &copy) == 0 && remote_name_equal(&remote, &copy));

        folder = remote_name_to_folder(&remote);
        slash = strchr(folder, '/');
        CHECK(slash && !strchr(slash + 1, '/'));
        CHECK(is_folder_name(folder, (size_t) (slash - folder)) && is_folder_name(slash + 1, strlen(slash + 1)));
}

static void check_server(const char *text)
{
        _cleanup_(remote_name_done) struct remote_name server = { 0 }, remote = { 0 };
        int r = remote_server_parse(text, &server);

        CHECK(r == 0 || r == ERROR_BAD_NET_NAME);
        if (r != 0)
                return;
        CHECK(server.server[0] && server.port != 0 && server.share[0] == '\0' && server.path[0] == '\0');
        CHECK(remote_name_parse(text, &remote) == ERROR_BAD_NET_NAME); /* a server alone is no resource */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = fuzz_text(data, size);

        if (!text)
                return 0;
        check_device(text);
        check_remote(text);
        check_server(text);
        return 0;
}
