/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * UTF-16 from and to the callers of the W functions.
 */

#include "unit.h"

#include "core/libwnet/text.h"
#include "core/utf8.h"

static void check_both_ways(const char *text, const WCHAR *wide, size_t chars)
{
        WCHAR buffer[32];
        char *converted;

        assert_int_equal(text_from_wide(wide, &converted), 0);
        assert_string_equal(converted, text);
        free(converted);
        assert_int_equal(text_chars(text, true), chars + 1);
        assert_int_equal(text_chars(text, false), strlen(text) + 1);
        assert_ptr_equal(text_put(buffer, text, true), &buffer[chars + 1]);
        assert_memory_equal(buffer, wide, (chars + 1) * sizeof *buffer);
}

static void test_both_ways(void **state)
{
        (void) state;
        check_both_ways("", u"", 0);
        check_both_ways("\\\\server\\share", u"\\\\server\\share", 14);
        check_both_ways("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80", (const WCHAR[]) { 0x7f, 0x80, 0x7ff, 0x800, 0 }, 4);
        check_both_ways("\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf", (const WCHAR[]) { 0xd7ff, 0xe000, 0xffff, 0 }, 3);
        check_both_ways("\xf0\x90\x80\x80|\xf4\x8f\xbf\xbf", u"\U00010000|\U0010ffff", 5);
}

static void test_null(void **state)
{
        char *text = (char *) "untouched";

        (void) state;
        assert_int_equal(text_from_wide(NULL, &text), 0);
        assert_null(text);
        text_erase_free(&text);
}

static void test_lone_surrogates_are_not_valid(void **state)
{
        static const WCHAR wides[][4] = {
                { 0xd800, 0 }, { 0xdbff, 'x', 0 },      { 0xdc00, 0 },         { 'Z', 0xdfff, ':', 0 },
                { 0xdc00, 0xd800, 0 }, { 0xd800, 0xd800, 0xdc00, 0 },
        };

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(wides); i++) {
                char *text;

                assert_int_equal(text_from_wide(wides[i], &text), 0);
                assert_false(utf8_is_valid(text));
                free(text);
        }
}

static void test_cut(void **state)
{
        static const char text[] = "a\xc3\xa4\xf0\x9f\x98\x80z"; /* 1, 1, 2, 1 code units; 1, 2, 4, 1 bytes */
        static const size_t wide_chars[] = { 0, 0, 1, 2, 2, 4, 5, 5 };
        static const size_t narrow_chars[] = { 0, 0, 1, 1, 3, 3, 3, 3, 7, 8, 8 };

        (void) state;
        for (size_t size = 1; size < N_ELEMENTS(wide_chars); size++) {
                WCHAR *buffer = malloc(size * sizeof *buffer);

                text_put_cut(buffer, size, text, true);
                assert_int_equal(buffer[wide_chars[size]], 0);
                for (size_t i = 0; i < wide_chars[size]; i++)
                        assert_int_not_equal(buffer[i], 0);
                free(buffer);
        }
        for (size_t size = 1; size < N_ELEMENTS(narrow_chars); size++) {
                char *buffer = malloc(size);

                text_put_cut(buffer, size, text, false);
                assert_int_equal(strlen(buffer), narrow_chars[size]);
                assert_memory_equal(buffer, text, narrow_chars[size]);
                free(buffer);
        }
        text_put_cut(NULL, 0, text, true);
        text_put_cut(NULL, 0, text, false);
}

static void test_give(void **state)
{
        char buffer[1 + 4 * sizeof(WCHAR)]; /* the wide text begins at an odd address */
        DWORD chars = 2;

        (void) state;
        memset(buffer, 'x', sizeof buffer);
        assert_int_equal(text_give("it", "Z:", buffer, &chars, false, NULL), ERROR_MORE_DATA);
        assert_int_equal(chars, 3);
        assert_int_equal(buffer[0], 'x');
        assert_int_equal(text_give("it", "Z:", buffer, &chars, false, NULL), 0);
        assert_string_equal(buffer, "Z:");
        assert_int_equal(chars, 3);
        chars = 0;
        assert_int_equal(text_give("it", "\xf0\x9f\x98\x80", NULL, &chars, true, NULL), ERROR_MORE_DATA);
        assert_int_equal(chars, 3);
        assert_int_equal(text_give("it", "\xf0\x9f\x98\x80", buffer + 1, &chars, true, NULL), 0);
        assert_memory_equal(buffer + 1, u"\U0001f600", 3 * sizeof(WCHAR));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_both_ways),
                cmocka_unit_test(test_null),
                cmocka_unit_test(test_lone_surrogates_are_not_valid),
                cmocka_unit_test(test_cut),
                cmocka_unit_test(test_give),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
