/* SPDX-License-Identifier: LGPL-3.0-or-later */

/*
 * Reads user names and credentials files. Always true: a password is only ever in a struct secret, or in a buffer of
 * this file that is erased before its function returns; no message contains any of a credentials file's text.
 */

#include "core/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/cleanup.h"
#include "core/utf8.h"

#define USER_MAX_BYTES 256
#define BLANKS " \t"

struct erased_buffer {
        char bytes[CREDENTIALS_FILE_MAX_BYTES + 1];
};

static void erased_buffer_done(struct erased_buffer *buffer)
{
        explicit_bzero(buffer, sizeof *buffer);
}

void credentials_done(struct credentials *credentials)
{
        free(credentials->user);
        free(credentials->domain);
        secret_done(&credentials->password);
        *credentials = (struct credentials) { 0 };
}

int credentials_copy(const struct credentials *from, struct credentials *ret_copy)
{
        _cleanup_(credentials_done) struct credentials copy = { 0 };
        int r;

        if (from->user && !(copy.user = strdup(from->user)))
                return -ENOMEM;
        if (from->domain && !(copy.domain = strdup(from->domain)))
                return -ENOMEM;
        r = secret_copy(&copy.password, &from->password);
        if (r < 0)
                return r;

        *ret_copy = copy;
        copy = (struct credentials) { 0 };
        return 0;
}

int credentials_split_user(const char *text, char **ret_user, char **ret_domain)
{
        _cleanup_free_ char *domain = NULL, *user = NULL;
        size_t size_bytes = text ? strnlen(text, USER_MAX_BYTES + 1) : 0, domain_bytes;
        const char *name = text;

        if (size_bytes == 0 || size_bytes > USER_MAX_BYTES || !utf8_is_clean(text, size_bytes))
                return ERROR_BAD_USERNAME;

        domain_bytes = strcspn(text, "\\/");
        if (text[domain_bytes])
                name = text + domain_bytes + 1;
        if (!name[0] || strpbrk(name, "\\/"))
                return ERROR_BAD_USERNAME;

        if (name != text && domain_bytes > 0 && !(domain = strndup(text, domain_bytes)))
                return -ENOMEM;
        user = strdup(name);
        if (!user)
                return -ENOMEM;
        *ret_user = TAKE_PTR(user);
        *ret_domain = TAKE_PTR(domain);
        return 0;
}

char *credentials_user_text(const struct credentials *credentials)
{
        const char *user = credentials->user ? credentials->user : "";
        char *text;

        if (!credentials->domain)
                return strdup(user);
        return asprintf(&text, "%s\\%s", credentials->domain, user) < 0 ? NULL : text;
}

enum key { KEY_UNKNOWN, KEY_USER, KEY_PASSWORD, KEY_DOMAIN };

static enum key find_key(const char *text, size_t size_bytes)
{
        static const struct {
                const char *name;
                enum key key;
        } keys[] = {
                { "username", KEY_USER }, { "user", KEY_USER },     { "password", KEY_PASSWORD },
                { "pass", KEY_PASSWORD }, { "domain", KEY_DOMAIN }, { "dom", KEY_DOMAIN },
        };

        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
                if (strlen(keys[i].name) == size_bytes && strncasecmp(keys[i].name, text, size_bytes) == 0)
                        return keys[i].key;
        return KEY_UNKNOWN;
}

struct parser {
        struct credentials found;
        char *domain; /* of a "domain=" line: it wins over the one in the user name */
        unsigned line;
        struct wn_error *err;
};

static void parser_done(struct parser *parser)
{
        credentials_done(&parser->found);
        free(parser->domain);
}

static int set_user(struct parser *parser, const char *value)
{
        char *user = NULL, *domain = NULL;
        int r = credentials_split_user(value, &user, &domain);

        if (r == ERROR_BAD_USERNAME)
                return error_set(parser->err, r, 0, "credentials",
                                 "the user name in line %u of the credentials file is not valid",
                                 parser->line);
        if (r != 0)
                return r;
        free(parser->found.user);
        free(parser->found.domain);
        parser->found.user = user;
        parser->found.domain = domain;
        return 0;
}

static int set_domain(struct parser *parser, const char *value)
{
        size_t size_bytes = strlen(value);
        char *domain = NULL;

        if (size_bytes > USER_MAX_BYTES || !utf8_is_clean(value, size_bytes) || strpbrk(value, "\\/"))
                return error_set(parser->err, ERROR_BAD_USERNAME, 0, "credentials", "the domain in line %u of the "
                                 "credentials file is not valid", parser->line);
        if (size_bytes > 0 && !(domain = strdup(value)))
                return -ENOMEM;
        free(parser->domain);
        parser->domain = domain;
        return 0;
}

/* line is NUL-terminated and has no line end. */
static int parse_line(struct parser *parser, const char *line)
{
        const char *value;
        size_t key_bytes;
        int r;

        line += strspn(line, BLANKS);
        if (line[0] == '\0' || line[0] == '#')
                return 0;

        value = strchr(line, '=');
        if (!value)
                return error_set(parser->err, ERROR_INVALID_PARAMETER, 0, "credentials",
                                 "line %u of the credentials file has no '='; each line is username=, password= or "
                                 "domain= and a value",
                                 parser->line);
        key_bytes = (size_t) (value++ - line);
        while (key_bytes > 0 && strchr(BLANKS, line[key_bytes - 1]))
                key_bytes--;

        switch (find_key(line, key_bytes)) {
        case KEY_USER:
                return set_user(parser, value);
        case KEY_DOMAIN:
                return set_domain(parser, value);
        case KEY_PASSWORD:
                r = secret_set(&parser->found.password, value);
                if (r == -E2BIG)
                        return error_set(parser->err, ERROR_INVALID_PARAMETER, 0, "credentials",
                                         "the password in line %u of the credentials file is longer than %d bytes",
                                         parser->line, SECRET_MAX_BYTES);
                return r;
        default: /* the key is not quoted: it may be a password in the wrong place */
                return error_set(parser->err, ERROR_INVALID_PARAMETER, 0, "credentials",
                                 "line %u of the credentials file has an unknown key; username, password and domain "
                                 "are known",
                                 parser->line);
        }
}

static int parse_lines(struct parser *parser, const char *text, size_t size_bytes)
{
        _cleanup_(erased_buffer_done) struct erased_buffer line;
        const char *end = text + size_bytes;
        int r;

        while (text < end) {
                const char *newline = memchr(text, '\n', (size_t) (end - text));
                size_t n = (size_t) ((newline ? newline : end) - text);

                parser->line++;
                if (n >= sizeof line.bytes || memchr(text, '\0', n))
                        return error_set(parser->err, ERROR_INVALID_PARAMETER, 0, "credentials", "line %u of the "
                                         "credentials file is too long or not text", parser->line);
                memcpy(line.bytes, text, n);
                if (newline && n > 0 && line.bytes[n - 1] == '\r')
                        n--;
                line.bytes[n] = '\0';
                r = parse_line(parser, line.bytes);
                if (r != 0)
                        return r;
                text = newline ? newline + 1 : end;
        }
        return 0;
}

int credentials_parse(const char *text, size_t size_bytes, struct credentials *ret_credentials, struct wn_error *err)
{
        _cleanup_(parser_done) struct parser parser = { .err = err };
        int r = parse_lines(&parser, text, size_bytes);

        if (r != 0)
                return r;
        if (!parser.found.user)
                return error_set(err, ERROR_BAD_USERNAME, 0, "credentials",
                                 "the credentials file has no user name; add a line username=NAME");
        if (parser.domain) {
                free(parser.found.domain);
                parser.found.domain = TAKE_PTR(parser.domain);
        }
        *ret_credentials = parser.found;
        parser.found = (struct credentials) { 0 };
        return 0;
}

static int open_file(const char *path, struct wn_error *err)
{
        int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), r;

        if (fd >= 0)
                return fd;
        r = errno;
        if (r == ELOOP)
                error_set(err, ERROR_INVALID_PARAMETER, r, "credentials",
                          "the credentials file %s is a symbolic link; name the file itself",
                          path);
        else if (r == EACCES || r == EPERM)
                error_set(err, ERROR_ACCESS_DENIED, r, "credentials", "the credentials file %s cannot be read: %s",
                          path, strerror(r));
        else
                error_set(err, ERROR_INVALID_PARAMETER, r, "credentials",
                          "the credentials file %s cannot be opened: %s", path, strerror(r));
        return -r;
}

static int check_file(int fd, const char *path, struct wn_error *err)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return error_set(err, ERROR_ACCESS_DENIED, errno, "credentials", "the credentials file %s cannot be "
                                 "examined: %s", path, strerror(errno));
        if (!S_ISREG(st.st_mode))
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "credentials",
                                 "the credentials file %s is not a regular file",
                                 path);
        if (st.st_uid != geteuid() && st.st_uid != 0)
                return error_set(err, ERROR_ACCESS_DENIED, 0, "credentials",
                                 "the credentials file %s belongs to another user (uid %u); use a file of your own",
                                 path, (unsigned) st.st_uid);
        if (st.st_mode & 077)
                return error_set(err, ERROR_ACCESS_DENIED, 0, "credentials",
                                 "other users have access to the credentials file %s; run: chmod 600 %s",
                                 path, path);
        if (st.st_size > CREDENTIALS_FILE_MAX_BYTES)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "credentials",
                                 "the credentials file %s is longer than %d bytes",
                                 path, CREDENTIALS_FILE_MAX_BYTES);
        return 0;
}

int credentials_read_file(const char *path, struct credentials *ret_credentials, struct wn_error *err)
{
        _cleanup_(erased_buffer_done) struct erased_buffer buffer;
        _cleanup_close_ int fd = -1;
        size_t used = 0;
        int r;

        fd = open_file(path, err);
        if (fd < 0)
                return fd == -EACCES || fd == -EPERM ? ERROR_ACCESS_DENIED : ERROR_INVALID_PARAMETER;
        r = check_file(fd, path, err);
        if (r != 0)
                return r;

        for (;;) {
                ssize_t n = read(fd, buffer.bytes + used, sizeof buffer.bytes - used);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_set(err, ERROR_ACCESS_DENIED, errno, "credentials",
                                         "the credentials file %s cannot be read: %s",
                                         path, strerror(errno));
                if (n == 0)
                        break;
                used += (size_t) n;
                if (used > CREDENTIALS_FILE_MAX_BYTES) /* it grew since it was checked */
                        return error_set(err, ERROR_INVALID_PARAMETER, 0, "credentials",
                                         "the credentials file %s is longer than %d bytes",
                                         path, CREDENTIALS_FILE_MAX_BYTES);
        }
        return credentials_parse(buffer.bytes, used, ret_credentials, err);
}
