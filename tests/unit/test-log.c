/* SPDX-License-Identifier: GPL-3.0-or-later */

/* core/log.c: what one message becomes on standard error. */

#include "unit.h"

#include <sys/socket.h>

#include "core/log.h"

/* Standard error is one end of a socket that keeps each write() apart. */
struct capture {
        int saved, socket;
};

static struct capture begin(void)
{
        struct capture capture;
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
        capture.saved = dup(STDERR_FILENO);
        dup2(pair[0], STDERR_FILENO);
        close(pair[0]);
        capture.socket = pair[1];
        return capture;
}

static void end(struct capture capture)
{
        dup2(capture.saved, STDERR_FILENO);
        close(capture.saved);
        close(capture.socket);
}

/* The next write's text; "" where there was none. */
static void next(const struct capture *capture, char *ret_text, size_t size_bytes)
{
        ssize_t n = recv(capture->socket, ret_text, size_bytes - 1, 0);

        ret_text[n > 0 ? n : 0] = '\0';
}

/* The text behind "YYYY-MM-DDTHH:MM:SS.mmm+ZZZZ "; NULL when it does not begin so. */
static const char *behind_time(const char *text)
{
        static const char pattern[] = "0000-00-00T00:00:00.000+0000 ";

        for (size_t i = 0; pattern[i]; i++) {
                bool fits = pattern[i] == '0'   ? text[i] >= '0' && text[i] <= '9'
                            : pattern[i] == '+' ? text[i] == '+' || text[i] == '-'
                                                : text[i] == pattern[i];

                if (!fits)
                        return NULL;
        }
        return text + strlen(pattern);
}

static void lines(void **state)
{
        struct capture capture;
        char texts[5][256];

        (void) state;
        unsetenv("JOURNAL_STREAM");
        capture = begin();
        log_error("failed: %s", "x");
        log_warning("two\nlines\r\x1b[0m and \xff\n\n");
        log_info("\xc3\xa4");
        log_debug("not shown");
        errno = ENOENT;
        log_message(LOG_NOTICE, "%s", strerror(ENOENT));
        assert_int_equal(errno, ENOENT);
        for (size_t i = 0; i < 5; i++)
                next(&capture, texts[i], sizeof texts[i]);
        end(capture);

        assert_string_equal(behind_time(texts[0]), "error: failed: x\n");
        assert_string_equal(behind_time(texts[1]), "warning: two?lines??[0m and ?\n");
        assert_string_equal(behind_time(texts[2]), "info: \xc3\xa4\n");
        assert_string_equal(behind_time(texts[3]), "notice: No such file or directory\n");
        assert_string_equal(texts[4], "");
}

static void levels(void **state)
{
        struct capture capture;
        char texts[3][256];

        (void) state;
        capture = begin();
        log_set_max_level(LOG_DEBUG);
        log_debug("shown");
        log_set_max_level(LOG_ERR);
        log_warning("not shown");
        log_error("shown");
        log_set_max_level(LOG_INFO);
        for (size_t i = 0; i < 3; i++)
                next(&capture, texts[i], sizeof texts[i]);
        end(capture);

        assert_string_equal(behind_time(texts[0]), "debug: shown\n");
        assert_string_equal(behind_time(texts[1]), "error: shown\n");
        assert_string_equal(texts[2], "");
}

static void journal(void **state)
{
        struct capture capture = begin();
        char stream[64], with[256], other[256];
        struct stat st;

        (void) state;
        fstat(STDERR_FILENO, &st);
        snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long) st.st_dev, (unsigned long long) st.st_ino);
        setenv("JOURNAL_STREAM", stream, 1);
        log_warning("x");
        next(&capture, with, sizeof with);

        /* Inherited from a service, but standard error is another file. */
        setenv("JOURNAL_STREAM", "1:2", 1);
        log_warning("x");
        next(&capture, other, sizeof other);
        unsetenv("JOURNAL_STREAM");
        end(capture);

        assert_string_equal(with, "<4>x\n");
        assert_string_equal(behind_time(other), "warning: x\n");
}

static void too_long(void **state)
{
        struct capture capture;
        char longest[5000], text[8192];
        const char *message;

        (void) state;
        for (size_t i = 0; i + 2 < sizeof longest; i += 2)
                memcpy(longest + i, "\xc3\xa4", 3);
        capture = begin();
        log_error("%s", longest);
        next(&capture, text, sizeof text);
        end(capture);

        message = behind_time(text);
        assert_non_null(message);
        message += strlen("error: ");
        assert_int_equal(strlen(message), 2046 + 1);
        assert_memory_equal(message, longest, 2046);
        assert_string_equal(message + 2046, "\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lines),
                cmocka_unit_test(levels),
                cmocka_unit_test(journal),
                cmocka_unit_test(too_long),
        };

        return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
