/* SPDX-License-Identifier: LGPL-3.0-or-later */

/*
 * Writes the log. Always true: a message is one line and one write(), so that lines of several processes do not mix,
 * and nothing in it can begin a second line.
 */

#include "core/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/utf8.h"

#define LOG_TEXT_MAX_BYTES 2048

static _Atomic int max_level = LOG_INFO;

void log_set_max_level(int level)
{
        max_level = level;
}

/* Whether standard error is the stream that JOURNAL_STREAM names: programs below a service inherit the variable, also
 * when their output goes elsewhere. */
static bool stderr_is_journal(void)
{
        const char *text = getenv("JOURNAL_STREAM");
        char own[64];
        struct stat st;

        if (!text || fstat(STDERR_FILENO, &st) < 0)
                return false;
        snprintf(own, sizeof own, "%llu:%llu", (unsigned long long) st.st_dev, (unsigned long long) st.st_ino);
        return strcmp(own, text) == 0;
}

static const char *level_name(int level)
{
        static const char *const names[] = { "emergency", "alert", "critical", "error",
                                             "warning",   "notice", "info",    "debug" };

        return names[level >= LOG_EMERG && level <= LOG_DEBUG ? level : LOG_DEBUG];
}

/* Returns the bytes written to line. */
static size_t put_prefix(char *line, size_t size_bytes, int level)
{
        struct timespec now;
        struct tm tm;
        char date[32], zone[8];

        if (stderr_is_journal())
                return (size_t) snprintf(line, size_bytes, "<%d>", level & LOG_PRIMASK);

        clock_gettime(CLOCK_REALTIME, &now);
        if (!localtime_r(&now.tv_sec, &tm))
                memset(&tm, 0, sizeof tm);
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
        strftime(zone, sizeof zone, "%z", &tm);
        return (size_t) snprintf(line, size_bytes, "%s.%03ld%s %s: ", date, now.tv_nsec / 1000000, zone,
                                 level_name(level));
}

void log_message(int level, const char *format, ...)
{
        char line[LOG_TEXT_MAX_BYTES + 128];
        int saved_errno = errno;
        size_t prefix_bytes, text_bytes;
        va_list args;
        char *text;
        int n;

        if (level > max_level)
                return;

        prefix_bytes = put_prefix(line, sizeof line - LOG_TEXT_MAX_BYTES, level);
        text = line + prefix_bytes;

        errno = saved_errno; /* for %m */
        va_start(args, format);
        n = vsnprintf(text, LOG_TEXT_MAX_BYTES, format, args);
        va_end(args);
        if (n < 0)
                text[0] = '\0';
        else if (n >= LOG_TEXT_MAX_BYTES)
                text[utf8_cut_bytes(text, LOG_TEXT_MAX_BYTES - 1)] = '\0';

        text_bytes = strlen(text);
        while (text_bytes > 0 && text[text_bytes - 1] == '\n')
                text[--text_bytes] = '\0';
        utf8_make_printable(text);

        text_bytes = strlen(text);
        text[text_bytes] = '\n';
        while (write(STDERR_FILENO, line, prefix_bytes + text_bytes + 1) < 0 && errno == EINTR)
                ;
        errno = saved_errno;
}
