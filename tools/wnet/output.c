/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Always true: what arrived from elsewhere has passed output_escape(), or output_json()'s own, before it is written.
 */

#include "tools/wnet/output.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pwd.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "core/utf8.h"

#define USEC_PER_SEC 1000000

static _Noreturn void die_of_memory(void)
{
        fputs("wnet: out of memory\n", stderr);
        exit(1);
}

static void *not_null(void *p)
{
        if (!p)
                die_of_memory();
        return p;
}

/* The number of a valid character of n bytes. */
static uint32_t code_point(const unsigned char *p, size_t n)
{
        uint32_t c = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));

        for (size_t i = 1; i < n; i++)
                c = c << 6 | (p[i] & 0x3f);
        return c;
}

/* Characters that do something to a terminal, or to the order in which others are shown. */
static bool is_unsafe(uint32_t c)
{
        return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || c == 0x200e || c == 0x200f ||
               (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static char *escape(const char *text, bool json)
{
        size_t left_bytes = strlen(text), size_bytes;
        char *escaped = NULL;
        FILE *f = not_null(open_memstream(&escaped, &size_bytes));

        while (left_bytes > 0) {
                size_t n = utf8_char_bytes(text, left_bytes);
                uint32_t c = n > 0 ? code_point((const unsigned char *) text, n) : 0;

                if (n == 0) {
                        n = 1;
                        if (json)
                                fputs("\\ufffd", f);
                        else
                                fprintf(f, "\\x%02x", (unsigned char) *text);
                } else if (json && c == '\n')
                        fputc('\n', f); /* between the members; inside a string, json-c has escaped it */
                else if (is_unsafe(c))
                        fprintf(f, json || c > 0xff ? "\\u%04x" : "\\x%02x", c);
                else
                        fwrite(text, 1, n, f);
                text += n;
                left_bytes -= n;
        }
        if (fclose(f) != 0) /* only now is escaped what it stays */
                die_of_memory();
        return not_null(escaped);
}

char *output_escape(const char *text)
{
        return escape(text, false);
}

int output_width(const char *escaped)
{
        size_t left_bytes = strlen(escaped);
        int width = 0;

        while (left_bytes > 0) {
                size_t n = utf8_char_bytes(escaped, left_bytes);
                int columns = n > 0 ? wcwidth((wchar_t) code_point((const unsigned char *) escaped, n)) : 1;

                width += columns < 0 ? 1 : columns; /* one that the locale does not know */
                n += n == 0;
                escaped += n;
                left_bytes -= n;
        }
        return width;
}

static __attribute__((format(printf, 1, 0))) char *format_text(const char *format, va_list arguments)
{
        char *text;

        if (vasprintf(&text, format, arguments) < 0)
                die_of_memory();
        return text;
}

static void print_escaped(FILE *f, const char *prefix, const char *text)
{
        _cleanup_free_ char *escaped = output_escape(text);

        fprintf(f, "%s%s\n", prefix, escaped);
}

void output_line(FILE *f, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list arguments;

        va_start(arguments, format);
        text = format_text(format, arguments);
        va_end(arguments);
        print_escaped(f, "", text);
}

int output_error(const struct wn_error *err, const char *hint)
{
        fflush(stdout); /* what was printed before is read before */
        output_line(stderr, "wnet: %s (%s, %d)", err->text[0] ? err->text : status_message(err->status),
                    status_name(err->status), err->status);
        if (hint)
                print_escaped(stderr, "hint: ", hint);
        return status_exit_code(err->status);
}

int output_usage(const char *command, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list arguments;

        va_start(arguments, format);
        text = format_text(format, arguments);
        va_end(arguments);
        print_escaped(stderr, "wnet: ", text);
        if (command)
                fprintf(stderr, "hint: wnet help %s\n", command);
        else
                fputs("hint: wnet --help\n", stderr);
        return 2;
}

const char *output_size(uint64_t size_bytes, char buffer[static OUTPUT_SIZE_MAX])
{
        static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
        double size = (double) size_bytes / 1024;
        size_t unit = 0;

        if (size_bytes < 1024) {
                snprintf(buffer, OUTPUT_SIZE_MAX, "%d B", (int) size_bytes);
                return buffer;
        }
        for (; size >= 1023.5 && unit < sizeof units / sizeof units[0] - 1; unit++)
                size /= 1024;
        snprintf(buffer, OUTPUT_SIZE_MAX, size < 9.95 ? "%.1f %s" : "%.0f %s", size, units[unit]);
        return buffer;
}

const char *output_time(uint64_t time_usec, char buffer[static OUTPUT_TIME_MAX])
{
        time_t seconds = (time_t) (time_usec / USEC_PER_SEC);
        struct tm tm;

        if (time_usec == 0 || !localtime_r(&seconds, &tm) ||
            strftime(buffer, OUTPUT_TIME_MAX, "%Y-%m-%d %H:%M:%S", &tm) == 0)
                buffer[0] = '\0';
        return buffer;
}

const char *output_user(uint32_t uid, char buffer[static OUTPUT_USER_MAX])
{
        const struct passwd *entry = getpwuid(uid);

        if (entry)
                snprintf(buffer, OUTPUT_USER_MAX, "%s", entry->pw_name);
        else
                snprintf(buffer, OUTPUT_USER_MAX, "%" PRIu32, uid);
        return buffer;
}

struct json_object *output_json_time(uint64_t time_usec)
{
        time_t seconds = (time_t) (time_usec / USEC_PER_SEC);
        char buffer[OUTPUT_TIME_MAX];
        struct tm tm;

        if (time_usec == 0 || !gmtime_r(&seconds, &tm) ||
            strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
                return NULL;
        return not_null(json_object_new_string(buffer));
}

struct json_object *output_json_number(uint64_t number)
{
        return number ? not_null(json_object_new_uint64(number)) : NULL;
}

void output_json_add(struct json_object *object, const char *key, struct json_object *value)
{
        if (json_object_object_add(object, key, value) < 0)
                die_of_memory();
}

void output_json_text(struct json_object *object, const char *key, const char *text)
{
        output_json_add(object, key, not_null(json_object_new_string(text)));
}

void output_json(struct json_object *json)
{
        _cleanup_free_ char *escaped = NULL;

        escaped = escape(not_null((void *) json_object_to_json_string_ext(
                                 json, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                               JSON_C_TO_STRING_NOSLASHESCAPE)),
                         true);
        printf("%s\n", escaped);
}

/* Nobody reads any more, which is no failure of ours: `wnet list | head -1`. */
static bool reader_is_gone(void)
{
        struct pollfd p = { .fd = STDOUT_FILENO };

        return poll(&p, 1, 0) == 1 && p.revents & POLLERR;
}

int output_finish(int code)
{
        bool failed = ferror(stdout) != 0;

        errno = 0;
        if (fflush(stdout) != 0)
                failed = true;
        if (!failed || errno == EPIPE || reader_is_gone())
                return code;
        fprintf(stderr, "wnet: cannot write to standard output: %s\n", errno ? strerror(errno) : "a write failed");
        return code != 0 ? code : 1;
}
