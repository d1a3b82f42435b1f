/* SPDX-License-Identifier: GPL-3.0-or-later */

/* fuse/smb/names.c: the URL of a share, names mapped and escaped on their way out, and mapped back. */

#include "unit.h"

#include "fuse/smb/names.h"

#define SHARE "smb://srv:445/share"

static const struct {
        const char *path, *wire;
} out[] = {
        { "", "" },
        { "a", "/a" },
        { "a/b/c", "/a/b/c" },
        { "AZaz09-_.~", "/AZaz09-_.~" },
        /* refused by servers */
        { "a\\b", "/a%EF%80%A6b" },
        { "a:b", "/a%EF%80%A2b" },
        { "a*b", "/a%EF%80%A1b" },
        { "a?b", "/a%EF%80%A5b" },
        { "a\"b", "/a%EF%80%A0b" },
        { "a<b", "/a%EF%80%A3b" },
        { "a>b", "/a%EF%80%A4b" },
        { "a|b", "/a%EF%80%A7b" },
        { "\x01", "/%EF%80%81" },
        { "\t", "/%EF%80%89" },
        { "\n", "/%EF%80%8A" },
        { "\x1f", "/%EF%80%9F" },
        { ":", "/%EF%80%A2" },
        /* a dot or blank at a component's end: the last character alone */
        { "a.", "/a%EF%80%A9" },
        { "a ", "/a%EF%80%A8" },
        { "a..", "/a.%EF%80%A9" },
        { "a  ", "/a%20%EF%80%A8" },
        { "a. .", "/a.%20%EF%80%A9" },
        { "...", "/..%EF%80%A9" },
        { ".a", "/.a" },
        { " a", "/%20a" },
        { "a.b c", "/a.b%20c" },
        { "d./e /f", "/d%EF%80%A9/e%EF%80%A8/f" },
        { ".d/.f", "/.d/.f" },
        /* escaped only */
        { "100%", "/100%25" },
        { "%41", "/%2541" },
        { "a#b", "/a%23b" },
        { "a b", "/a%20b" },
        { "a&b=c;d@e+f", "/a%26b%3Dc%3Bd%40e%2Bf" },
        { "\x7f", "/%7F" },
        { "gr\xc3\xbc\xc3\x9f", "/gr%C3%BC%C3%9F" },
        { "\xf0\x9f\x98\x80", "/%F0%9F%98%80" },
};

static void paths(void **state)
{
        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(out); i++) {
                char url[256] = SHARE;
                int r = names_append_path(url, sizeof url, strlen(SHARE), out[i].path);

                assert_int_equal(r, strlen(url));
                assert_memory_equal(url, SHARE, strlen(SHARE));
                assert_string_equal(url + strlen(SHARE), out[i].wire);
        }
}

static void shares(void **state)
{
        static const struct {
                const char *server;
                unsigned port;
                const char *share, *url;
        } cases[] = {
                { "srv", 445, "share", "smb://srv:445/share" },
                { "192.0.2.1", 4450, "IPC$", "smb://192.0.2.1:4450/IPC%24" },
                { "2001:db8::1", 445, "s", "smb://2001%3Adb8%3A%3A1:445/s" }, /* the last ':' alone is the port's */
                { "srv", 65535, "a b", "smb://srv:65535/a%20b" },
                { "srv", 445, "gr\xc3\xbc\xc3\x9f%", "smb://srv:445/gr%C3%BC%C3%9F%25" },
                { "u@h/x?y#z", 1, "s", "smb://u%40h%2Fx%3Fy%23z:1/s" },
        };
        char url[256];

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                int r = names_share_url(url, sizeof url, cases[i].server, cases[i].port, cases[i].share);

                assert_string_equal(url, cases[i].url);
                assert_int_equal(r, strlen(url));
        }
}

/* Each buffer is as large as it says, and no larger: the sanitizer sees a byte too many. */
static void too_small(void **state)
{
        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(out); i++) {
                size_t at = strlen(SHARE), needed = at + strlen(out[i].wire) + 1;

                for (size_t size = at + 1; size <= needed; size++) {
                        char *url = malloc(size);
                        int r;

                        assert_non_null(url);
                        memcpy(url, SHARE, at + 1);
                        r = names_append_path(url, size, at, out[i].path);
                        assert_int_equal(r, size < needed ? -ENAMETOOLONG : (int) needed - 1);
                        if (size < needed)
                                assert_string_equal(url, SHARE); /* cut back */
                        free(url);
                }
        }
        for (size_t size = 1; size <= strlen(SHARE) + 1; size++) {
                char *url = malloc(size);

                assert_non_null(url);
                assert_int_equal(names_share_url(url, size, "srv", 445, "share"),
                                 size <= strlen(SHARE) ? -ENAMETOOLONG : (int) strlen(SHARE));
                free(url);
        }
}

static void from_server(void **state)
{
        static const struct {
                const char *wire, *name;
        } cases[] = {
                { "", "" },
                { "plain", "plain" },
                { "a\xef\x80\xa6" "b", "a\\b" },
                { "\xef\x80\xa0\xef\x80\xa1\xef\x80\xa2\xef\x80\xa3\xef\x80\xa4", "\"*:<>" },
                { "\xef\x80\xa5\xef\x80\xa7\xef\x80\xa8\xef\x80\xa9", "?| ." },
                { "\xef\x80\x81\xef\x80\x9f", "\x01\x1f" },
                { "\xef\x80\xa9" "a", ".a" }, /* wherever it stands */
                /* of the same range, and nobody's mapping */
                { "\xef\x80\x80", "\xef\x80\x80" },
                { "\xef\x80\xaa", "\xef\x80\xaa" },
                { "\xef\x80\xaf", "\xef\x80\xaf" },
                { "\xef\x80\xbf", "\xef\x80\xbf" },
                { "\xef\x81\xa2", "\xef\x81\xa2" },
                /* cut off */
                { "a\xef", "a\xef" },
                { "a\xef\x80", "a\xef\x80" },
                { "\xef\x80" "x", "\xef\x80" "x" },
                { "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80" },
        };

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                size_t needed = strlen(cases[i].name) + 1;
                char *wire = strdup(cases[i].wire); /* its end is the end of the memory */

                assert_non_null(wire);
                for (size_t size = 1; size <= needed; size++) {
                        char *name = malloc(size);

                        assert_non_null(name);
                        assert_int_equal(names_from_server(wire, name, size), size == needed);
                        if (size == needed)
                                assert_string_equal(name, cases[i].name);
                        free(name);
                }
                free(wire);
        }
}

/* What a server gets to see: the escapes taken back. */
static void unescape(const char *url, char *ret_name)
{
        for (; *url; url++) {
                unsigned byte = (unsigned char) *url;

                if (*url == '%') {
                        assert_int_equal(sscanf(url + 1, "%2X", &byte), 1);
                        url += 2;
                }
                *ret_name++ = (char) byte;
        }
        *ret_name = '\0';
}

static void assert_survives(const char *name)
{
        char url[256] = "", wire[256], back[256];
        size_t length;

        assert_true(names_append_path(url, sizeof url, 0, name) > 0);
        assert_int_equal(strspn(url, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~%/"),
                         strlen(url));
        unescape(url + 1, wire);
        length = strlen(wire);
        assert_int_equal(strcspn(wire, "\\:*?\"<>|"), length);
        for (size_t i = 0; i < length; i++)
                assert_true((unsigned char) wire[i] >= 0x20);
        assert_true(wire[length - 1] != '.' && wire[length - 1] != ' ');
        assert_true(names_from_server(wire, back, sizeof back));
        assert_string_equal(back, name);
}

static void round_trip(void **state)
{
        (void) state;
        for (unsigned byte = 1; byte < 256; byte++) {
                const char c = (char) byte;
                const char alone[] = { c, '\0' }, first[] = { c, 'x', '\0' }, last[] = { 'x', c, '\0' },
                           twice[] = { 'x', c, c, '\0' };

                if (c == '/')
                        continue;
                assert_survives(alone);
                assert_survives(first);
                assert_survives(last);
                assert_survives(twice);
        }
        assert_survives("Who? \"Me\" <a|b>: 100% \\o *. .");
        assert_survives("gr\xc3\xbc\xc3\x9f: 50% \xf0\x9f\x98\x80?.");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(paths),
                cmocka_unit_test(shares),
                cmocka_unit_test(too_small),
                cmocka_unit_test(from_server),
                cmocka_unit_test(round_trip),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
