/* SPDX-License-Identifier: LGPL-3.0-or-later */

/*
 * Parses, compares and prints names. Always true of a parsed remote name: each part is valid UTF-8 without control
 * characters, no part is empty, "." or "..", and none contains a separator; so it can become a folder's name without
 * further thought.
 */

#include "core/name.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/cleanup.h"
#include "core/fold.h"
#include "core/status.h"
#include "core/utf8.h"

/* Longest text that can still be a name: every byte percent-escaped, and some room for the punctuation. */
#define REMOTE_TEXT_MAX_BYTES (3 * (REMOTE_SERVER_MAX_BYTES + REMOTE_SHARE_MAX_BYTES + REMOTE_PATH_MAX_BYTES) + 64)

#define SEPARATORS "\\/"
#define SHARE_REFUSED "\\/:*?\"<>|"
#define SERVER_PUNCTUATION "-._~!#$&'(){}^" /* what host and NetBIOS names are made of, besides letters and digits */

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* toupper() and strcasecmp() would follow the locale. */
static char upper(char c)
{
        return c >= 'a' && c <= 'z' ? (char) (c - 'a' + 'A') : c;
}

static bool is_ascii(const char *text)
{
        while (*text && (unsigned char) *text < 0x80)
                text++;
        return !*text;
}

/* The table of letters is got for each call that needs it, and kept by nobody: programs with threads are here, too. */
bool name_equal_nocase(const char *a, const char *b)
{
        locale_t fold = is_ascii(a) || is_ascii(b) ? (locale_t) 0 : fold_new();
        bool equal = fold_same(fold, a, b);

        if (fold)
                freelocale(fold);
        return equal;
}

int device_parse(const char *text, struct device_name *ret_device)
{
        size_t n = text ? strnlen(text, sizeof ret_device->text) : 0;

        if (n == 2 && is_letter(text[0]) && text[1] == ':') {
                device_from_letter((unsigned) (upper(text[0]) - 'A'), ret_device);
                return 0;
        }
        if ((n == 4 || (n == 5 && text[4] == ':')) && upper(text[0]) == 'L' && upper(text[1]) == 'P' &&
            upper(text[2]) == 'T' && text[3] >= '1' && text[3] <= '9') {
                *ret_device = (struct device_name) { .text = { 'L', 'P', 'T', text[3] }, .kind = DEVICE_PRINTER };
                return 0;
        }
        return ERROR_BAD_DEVICE;
}

bool device_is_port(const char *text)
{
        struct device_name device;

        return device_parse(text, &device) == 0 && device.kind == DEVICE_PRINTER;
}

void device_folder(const struct device_name *device, char ret_folder[8])
{
        size_t n = strcspn(device->text, ":");

        memcpy(ret_folder, device->text, n);
        ret_folder[n] = '\0';
}

void device_from_letter(unsigned letter, struct device_name *ret_device)
{
        assert(letter < DEVICE_LETTERS);
        *ret_device = (struct device_name) { .text = { (char) ('A' + letter), ':' }, .kind = DEVICE_DRIVE };
}

static int hex_digit(char c)
{
        if (is_digit(c))
                return c - '0';
        c = upper(c);
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Copies n bytes of text, percent escapes decoded in a URL, and checks what is left as every part is checked.
 * 0, ERROR_BAD_NET_NAME or -ENOMEM. */
static int copy_part(const char *text, size_t n, bool url, char **ret_part)
{
        _cleanup_free_ char *part = malloc(n + 1);
        size_t out = 0;

        if (!part)
                return -ENOMEM;

        for (size_t i = 0; i < n; i++) {
                if (url && text[i] == '?') /* a query: shares have none */
                        return ERROR_BAD_NET_NAME;
                if (!url || text[i] != '%') {
                        part[out++] = text[i];
                        continue;
                }
                if (n - i < 3 || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0)
                        return ERROR_BAD_NET_NAME;
                part[out++] = (char) (hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]));
                i += 2;
        }
        part[out] = '\0';

        if (out == 0 || !utf8_is_clean(part, out) || strpbrk(part, SEPARATORS) || strcmp(part, ".") == 0 ||
            strcmp(part, "..") == 0)
                return ERROR_BAD_NET_NAME;
        *ret_part = TAKE_PTR(part);
        return 0;
}

/* The next part of the text at *cursor, which moves behind the separator that ends it. */
static int next_part(const char **cursor, bool url, char **ret_part)
{
        size_t n = strcspn(*cursor, SEPARATORS);
        int r = copy_part(*cursor, n, url, ret_part);

        if (r != 0)
                return r;
        *cursor += n;
        if (**cursor)
                (*cursor)++;
        return 0;
}

/* text is what stands between the server and the next separator: "" or ":" and a number. */
static int parse_port(const char *text, size_t n, uint16_t *ret_port)
{
        unsigned port = 0;

        if (n == 0) {
                *ret_port = REMOTE_PORT_DEFAULT;
                return 0;
        }
        if (text[0] != ':' || n < 2 || n > 6)
                return ERROR_BAD_NET_NAME;
        for (size_t i = 1; i < n; i++) {
                if (!is_digit(text[i]))
                        return ERROR_BAD_NET_NAME;
                port = port * 10 + (unsigned) (text[i] - '0');
        }
        if (port < 1 || port > UINT16_MAX)
                return ERROR_BAD_NET_NAME;
        *ret_port = (uint16_t) port;
        return 0;
}

static bool is_host(const char *text)
{
        if (strlen(text) > REMOTE_SERVER_MAX_BYTES || text[0] == '-' || text[0] == '.' || strstr(text, ".."))
                return false;
        for (const char *p = text; *p; p++)
                if ((unsigned char) *p < 0x80 && !is_letter(*p) && !is_digit(*p) && !strchr(SERVER_PUNCTUATION, *p))
                        return false;
        return true;
}

/* "server", "server:port", "[IPv6]", "[IPv6]:port" up to the next separator, which *cursor moves behind. */
static int parse_server(const char **cursor, bool url, struct remote_name *remote)
{
        const char *text = *cursor;
        size_t n = strcspn(text, SEPARATORS), host_bytes;
        struct in6_addr address;
        int r;

        if (text[0] == '[') {
                const char *end = memchr(text, ']', n);

                if (!end)
                        return ERROR_BAD_NET_NAME;
                host_bytes = (size_t) (end - text) + 1;
                r = copy_part(text + 1, host_bytes - 2, false, &remote->server);
                if (r != 0)
                        return r;
                if (inet_pton(AF_INET6, remote->server, &address) != 1)
                        return ERROR_BAD_NET_NAME;
        } else {
                const char *end = memchr(text, ':', n);

                host_bytes = end ? (size_t) (end - text) : n;
                r = copy_part(text, host_bytes, url, &remote->server);
                if (r != 0)
                        return r;
                if (!is_host(remote->server))
                        return ERROR_BAD_NET_NAME;
        }
        r = parse_port(text + host_bytes, n - host_bytes, &remote->port);
        if (r != 0)
                return r;
        *cursor += n;
        if (**cursor)
                (*cursor)++;
        return 0;
}

static int parse_path(const char *cursor, bool url, struct remote_name *remote)
{
        size_t used = 0;

        /* Decoding only ever shortens, and each part's separator is in the text too. */
        remote->path = malloc(strlen(cursor) + 2);
        if (!remote->path)
                return -ENOMEM;
        remote->path[0] = '\0';

        while (*cursor) {
                _cleanup_free_ char *part = NULL;
                size_t n;
                int r;

                r = next_part(&cursor, url, &part);
                if (r != 0)
                        return r;
                if (used > 0)
                        remote->path[used++] = '/';
                n = strlen(part);
                memcpy(remote->path + used, part, n + 1);
                used += n;
        }
        return used > REMOTE_PATH_MAX_BYTES ? ERROR_BAD_NET_NAME : 0;
}

/* What a remote name begins with, up to the separator behind the server, which *ret_cursor is set behind. */
static int parse_begin(const char *text, const char **ret_cursor, bool *ret_url, struct remote_name *remote)
{
        if (!text || strnlen(text, REMOTE_TEXT_MAX_BYTES + 1) > REMOTE_TEXT_MAX_BYTES)
                return ERROR_BAD_NET_NAME;

        *ret_url = strncasecmp(text, "smb://", 6) == 0;
        if (*ret_url)
                *ret_cursor = text + 6;
        else if (text[0] && strchr(SEPARATORS, text[0]) && text[1] && strchr(SEPARATORS, text[1]))
                *ret_cursor = text + 2;
        else
                return ERROR_BAD_NET_NAME;
        return parse_server(ret_cursor, *ret_url, remote);
}

bool remote_share_valid(const char *share)
{
        size_t n = strnlen(share, REMOTE_SHARE_MAX_BYTES + 1);

        return n > 0 && n <= REMOTE_SHARE_MAX_BYTES && utf8_is_clean(share, n) && !strpbrk(share, SHARE_REFUSED) &&
               strcmp(share, ".") != 0 && strcmp(share, "..") != 0;
}

int remote_server_parse(const char *text, struct remote_name *ret_server)
{
        _cleanup_(remote_name_done) struct remote_name server = { 0 };
        const char *cursor;
        bool url;
        int r = parse_begin(text, &cursor, &url, &server);

        if (r != 0)
                return r;
        if (*cursor)
                return ERROR_BAD_NET_NAME;
        server.share = strdup("");
        server.path = strdup("");
        if (!server.share || !server.path)
                return -ENOMEM;

        *ret_server = server;
        server = (struct remote_name) { 0 };
        return 0;
}

int remote_name_parse(const char *text, struct remote_name *ret_remote)
{
        _cleanup_(remote_name_done) struct remote_name remote = { 0 };
        const char *cursor;
        bool url;
        int r = parse_begin(text, &cursor, &url, &remote);

        if (r != 0)
                return r;
        r = next_part(&cursor, url, &remote.share);
        if (r != 0)
                return r;
        if (!remote_share_valid(remote.share))
                return ERROR_BAD_NET_NAME;
        r = parse_path(cursor, url, &remote);
        if (r != 0)
                return r;

        *ret_remote = remote;
        remote = (struct remote_name) { 0 };
        return 0;
}

void remote_name_done(struct remote_name *remote)
{
        free(remote->server);
        free(remote->share);
        free(remote->path);
        *remote = (struct remote_name) { 0 };
}

int remote_name_copy(const struct remote_name *remote, struct remote_name *ret_copy)
{
        struct remote_name copy = {
                .server = strdup(remote->server),
                .port = remote->port,
                .share = strdup(remote->share),
                .path = strdup(remote->path),
        };

        if (!copy.server || !copy.share || !copy.path) {
                remote_name_done(&copy);
                return -ENOMEM;
        }
        *ret_copy = copy;
        return 0;
}

bool remote_name_equal(const struct remote_name *a, const struct remote_name *b)
{
        return remote_name_same_server(a, b) && name_equal_nocase(a->share, b->share) && name_equal_nocase(a->path, b->path);
}

bool remote_name_same_server(const struct remote_name *a, const struct remote_name *b)
{
        return a->port == b->port && name_equal_nocase(a->server, b->server);
}

char *remote_name_to_source(const struct remote_name *remote)
{
        bool ipv6 = strchr(remote->server, ':');
        char port[8] = "", *text;

        if (remote->port != REMOTE_PORT_DEFAULT)
                snprintf(port, sizeof port, ":%u", remote->port);
        if (asprintf(&text, "//%s%s%s%s/%s%s%s", ipv6 ? "[" : "", remote->server, ipv6 ? "]" : "", port, remote->share,
                     remote->path[0] ? "/" : "", remote->path) < 0)
                return NULL;
        return text;
}

char *remote_name_to_unc(const struct remote_name *remote)
{
        char *text = remote_name_to_source(remote);

        for (char *p = text; p && *p; p++)
                if (*p == '/')
                        *p = '\\';
        return text;
}

/* Appends text with '%', '/' and ':' escaped: a colon in a path breaks PATH, make and rsync. Returns the new end. */
static char *escape_folder(char *out, const char *text)
{
        for (; *text; text++) {
                if (strchr("%/:", *text))
                        out += sprintf(out, "%%%02X", (unsigned) *text);
                else
                        *out++ = *text;
        }
        *out = '\0';
        return out;
}

char *remote_name_to_folder(const struct remote_name *remote)
{
        char *folder = malloc(3 * (strlen(remote->server) + strlen(remote->share) + strlen(remote->path)) + 16);
        char *out = folder;

        if (!folder)
                return NULL;
        out = escape_folder(out, remote->server); /* an IPv6 address has colons */
        if (remote->port != REMOTE_PORT_DEFAULT)
                out += sprintf(out, "@%u", remote->port);
        *out++ = '/';
        out = escape_folder(out, remote->share);
        if (remote->path[0]) {
                out = escape_folder(out, "/");
                escape_folder(out, remote->path);
        }
        return folder;
}
