/* SPDX-License-Identifier: GPL-3.0-or-later */

/* core/utf8.c: what is a character, where a text may be cut, what may be printed. */

#include "unit.h"

#include "core/utf8.h"

static void characters(void **state)
{
        static const struct {
                const char *text;
                size_t bytes;
        } cases[] = {
                { "a", 1 },          { "", 0 },           { "\xc3\xa4", 2 },         { "\xe2\x82\xac", 3 },
                { "\xf0\x9f\x98\x80", 4 }, { "\x80", 0 },  { "\xc3", 0 },             { "\xc3" "a", 0 },
                { "\xc0\xaf", 0 },   { "\xc1\xbf", 0 },   { "\xe0\x9f\xbf", 0 },     { "\xe0\xa0\x80", 3 },
                { "\xed\x9f\xbf", 3 }, { "\xed\xa0\x80", 0 }, { "\xf0\x8f\xbf\xbf", 0 }, { "\xf0\x90\x80\x80", 4 },
                { "\xf4\x8f\xbf\xbf", 4 }, { "\xf4\x90\x80\x80", 0 }, { "\xf5\x80\x80\x80", 0 }, { "\xff", 0 },
                { "\xe2\x82", 0 },   { "\xf0\x9f\x98", 0 },
        };

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++)
                assert_int_equal(utf8_char_bytes(cases[i].text, strlen(cases[i].text)), cases[i].bytes);
        assert_int_equal(utf8_char_bytes("\xe2\x82\xac", 2), 0);
}

static void valid(void **state)
{
        (void) state;
        assert_true(utf8_is_valid(""));
        assert_true(utf8_is_valid("Z:\xf0\x9f\x98\x80"));
        assert_false(utf8_is_valid("Z:\xff"));
        assert_false(utf8_is_valid("\xc3"));
}

static void clean(void **state)
{
        static const char *const good[] = { "", "plain", "gr\xc3\xbc\xc3\x9f", "a b", "\xc2\xa0" };
        static const char *const bad[] = { "a\nb", "\x01", "\x7f", "\xc2\x80", "\xc2\x9f", "a\xff", "\xc3", "\t" };

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(good); i++)
                assert_true(utf8_is_clean(good[i], strlen(good[i])));
        for (size_t i = 0; i < N_ELEMENTS(bad); i++)
                assert_false(utf8_is_clean(bad[i], strlen(bad[i])));
        assert_false(utf8_is_clean("a\0b", 3));
}

static void cut(void **state)
{
        (void) state;
        assert_int_equal(utf8_cut_bytes("", 0), 0);
        assert_int_equal(utf8_cut_bytes("abc", 3), 3);
        assert_int_equal(utf8_cut_bytes("ab\xc3\xa4", 4), 4);
        assert_int_equal(utf8_cut_bytes("ab\xc3", 3), 2);
        assert_int_equal(utf8_cut_bytes("a\xe2\x82\xac", 4), 4);
        assert_int_equal(utf8_cut_bytes("a\xe2\x82", 3), 1);
        assert_int_equal(utf8_cut_bytes("a\xf0\x9f\x98", 4), 1);
        assert_int_equal(utf8_cut_bytes("\xf0", 1), 0);
        assert_int_equal(utf8_cut_bytes("\x80\x80\x80\x80", 4), 4);
}

static void printable(void **state)
{
        static const struct {
                const char *in, *out;
        } cases[] = {
                { "", "" },
                { "as is \xe2\x82\xac", "as is \xe2\x82\xac" },
                { "a\nb\tc", "a?b?c" },
                { "\xff\xc3", "??" },
                { "\xc2\x85x", "?x" },
                { "\x1b[31m", "?[31m" },
        };

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                char *text = strdup(cases[i].in);

                utf8_make_printable(text);
                assert_string_equal(text, cases[i].out);
                free(text);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(characters),
                cmocka_unit_test(valid),
                cmocka_unit_test(clean),
                cmocka_unit_test(cut),
                cmocka_unit_test(printable),
        };

        return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
