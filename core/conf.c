/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Reads wnet.conf. Always true of a struct conf: every value is within its limits.
 */

#include "core/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "core/cleanup.h"
#include "core/utf8.h"

#define USEC_PER_SEC UINT64_C(1000000)
#define TIMEOUT_MIN_USEC (USEC_PER_SEC / 10)
#define CONNECT_MAX_USEC (120 * USEC_PER_SEC)
#define OPERATION_MAX_USEC (600 * USEC_PER_SEC)
#define BLANKS " \t\r"

void conf_init(struct conf *ret_conf)
{
        *ret_conf = (struct conf) { .connect_usec = 10 * USEC_PER_SEC, .operation_usec = 20 * USEC_PER_SEC };
}

void conf_done(struct conf *conf)
{
        free(conf->drives);
        *conf = (struct conf) { 0 };
}

/* Seconds as "20" or "0.5", at most six digits on either side. Not strtod(): it follows the locale. */
static bool parse_seconds(const char *text, uint64_t *ret_usec)
{
        uint64_t usec = 0, unit = USEC_PER_SEC;
        size_t whole = strspn(text, "0123456789"), fraction = 0;

        if (text[whole] == '.') {
                fraction = strspn(text + whole + 1, "0123456789");
                if (fraction < 1 || fraction > 6 || text[whole + 1 + fraction])
                        return false;
        } else if (text[whole])
                return false;
        if (whole < 1 || whole > 6)
                return false;

        for (size_t i = 0; i < whole; i++)
                usec = usec * 10 + (uint64_t) (text[i] - '0') * USEC_PER_SEC;
        for (size_t i = 0; i < fraction; i++) {
                unit /= 10;
                usec += (uint64_t) (text[whole + 1 + i] - '0') * unit;
        }
        *ret_usec = usec;
        return true;
}

static int set_timeout(uint64_t *usec, uint64_t max_usec, const char *key, const char *value, unsigned line,
                       struct wn_error *err)
{
        uint64_t parsed;

        if (!parse_seconds(value, &parsed) || parsed < TIMEOUT_MIN_USEC || parsed > max_usec)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "conf",
                                 "%s in line %u is \"%.60s\"; it is a number of seconds from 0.1 to %u",
                                 key, line, value, (unsigned) (max_usec / USEC_PER_SEC));
        *usec = parsed;
        return 0;
}

static int set_drives(char **drives, const char *value, unsigned line, struct wn_error *err)
{
        char *copy;

        if ((value[0] != '/' && strncmp(value, "~/", 2) != 0) || !utf8_is_clean(value, strlen(value)))
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "conf",
                                 "drives in line %u is \"%.200s\"; it is a folder's absolute path, or one that begins "
                                 "with ~/",
                                 line, value);
        copy = strdup(value);
        if (!copy)
                return -ENOMEM;
        free(*drives);
        *drives = copy;
        return 0;
}

static int set_switch(bool *on, const char *key, const char *value, unsigned line, struct wn_error *err)
{
        if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "conf", "%s in line %u is \"%.60s\"; it is yes or no", key, line,
                                 value);
        *on = strcmp(value, "yes") == 0;
        return 0;
}

/* text without blanks at either end; writes into it. */
static char *trim(char *text)
{
        size_t n;

        text += strspn(text, BLANKS);
        n = strlen(text);
        while (n > 0 && strchr(BLANKS, text[n - 1]))
                n--;
        text[n] = '\0';
        return text;
}

static int parse_line(struct conf *conf, char *text, unsigned line, struct wn_error *err)
{
        char *key = trim(text), *value;

        if (key[0] == '\0' || key[0] == '#')
                return 0;
        value = strchr(key, '=');
        if (!value)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "conf",
                                 "line %u (\"%.60s\") has no '='; each line is key = value",
                                 line, key);
        *value++ = '\0';
        key = trim(key);
        value = trim(value);

        if (strcmp(key, "drives") == 0)
                return set_drives(&conf->drives, value, line, err);
        if (strcmp(key, "connect_timeout") == 0)
                return set_timeout(&conf->connect_usec, CONNECT_MAX_USEC, key, value, line, err);
        if (strcmp(key, "operation_timeout") == 0)
                return set_timeout(&conf->operation_usec, OPERATION_MAX_USEC, key, value, line, err);
        if (strcmp(key, "change_notification") == 0)
                return set_switch(&conf->change_notification, key, value, line, err);
        return error_set(err, ERROR_INVALID_PARAMETER, 0, "conf", "key \"%.60s\" in line %u is not known; drives, "
                         "connect_timeout, operation_timeout and change_notification are", key, line);
}

int conf_parse(struct conf *conf, const char *text, struct wn_error *err)
{
        _cleanup_(conf_done) struct conf parsed = *conf;
        _cleanup_free_ char *copy = NULL;
        char *next;
        unsigned line = 0;
        int r;

        parsed.drives = NULL; /* conf's own until all is well */
        copy = strdup(text);
        if (!copy)
                return -ENOMEM;

        next = copy;
        while (next) {
                char *current = strsep(&next, "\n");

                r = parse_line(&parsed, current, ++line, err);
                if (r != 0)
                        return r;
        }

        if (!parsed.drives)
                parsed.drives = TAKE_PTR(conf->drives);
        conf_done(conf);
        *conf = parsed;
        parsed = (struct conf) { 0 };
        return 0;
}

/* Up to CONF_MAX_BYTES + 1 bytes of fd, NUL-terminated. Returns 0 or a negative errno. */
static int read_text(int fd, char **ret_text, size_t *ret_size_bytes)
{
        _cleanup_free_ char *text = malloc(CONF_MAX_BYTES + 2);
        size_t used = 0;

        if (!text)
                return -ENOMEM;
        while (used <= CONF_MAX_BYTES) {
                ssize_t n = read(fd, text + used, CONF_MAX_BYTES + 1 - used);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                used += (size_t) n;
        }
        text[used] = '\0';
        *ret_text = TAKE_PTR(text);
        *ret_size_bytes = used;
        return 0;
}

/* 0, -ENOENT (err is not set) or another negative errno. */
static int read_file(const char *path, char **ret_text, struct wn_error *err)
{
        _cleanup_free_ char *text = NULL;
        _cleanup_close_ int fd = -1;
        size_t size_bytes = 0;
        struct stat st;
        int r = 0;

        fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
                return -ENOENT;
        if (fd < 0 || fstat(fd, &st) < 0)
                r = -errno;
        else if (!S_ISREG(st.st_mode))
                r = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
        else
                r = read_text(fd, &text, &size_bytes);
        if (r == 0 && size_bytes > CONF_MAX_BYTES)
                r = -EFBIG;
        if (r == 0 && strlen(text) != size_bytes)
                r = -EINVAL;
        if (r < 0) {
                error_set(err, status_from_result(r), -r, "conf", "the settings file %s cannot be read: %s", path,
                          r == -EINVAL ? "it is not a text file" : strerror(-r));
                return r;
        }
        *ret_text = TAKE_PTR(text);
        return 0;
}

int conf_load(struct conf *conf, const char *path, struct wn_error *err)
{
        _cleanup_free_ char *text = NULL;
        struct wn_error why = { 0 };
        int r;

        r = read_file(path, &text, err);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;
        r = conf_parse(conf, text, &why);
        if (r > 0)
                error_set(err, r, 0, "conf", "settings file %s: %s", path, why.text);
        return r;
}
