/* SPDX-License-Identifier: GPL-3.0-or-later */

/* fuse/parked-name.c: what the next connection reads is what this one has parked. */

#include "unit.h"


#include "fuse/parked-name.h"

#define BASE "0badcafe.61e8f00dcafe5-Z-1f"

struct parked {
        char *name, *pieces[PARKED_PIECES_MAX], *original;
        size_t n;
};

static struct parked park_open(const char *original, bool stays)
{
        struct parked p = { 0 };

        p.name = parked_name(BASE, original, stays, p.pieces, &p.n);
        assert_non_null(p.name);
        assert_true(strlen(p.name) <= 255);
        for (size_t i = 0; i < p.n; i++) {
                assert_true(strlen(p.pieces[i]) <= 255);
                assert_null(strpbrk(p.pieces[i], "/\\:*?\"<>|\n"));
                assert_null(strchr(" .", p.pieces[i][strlen(p.pieces[i]) - 1]));
                assert_true(parked_is_piece(p.pieces[i], p.name));
        }
        assert_null(strpbrk(p.name, "/\\:*?\"<>|\n"));
        assert_int_equal(parked_original(p.name, p.pieces, p.n, &p.original), 0);
        return p;
}

static struct parked park(const char *original)
{
        return park_open(original, false);
}

static void done(struct parked *p)
{
        for (size_t i = 0; i < p->n; i++)
                free(p->pieces[i]);
        free(p->name);
        free(p->original);
}

static void assert_comes_back(const char *original, bool fits)
{
        struct parked p = park(original);

        assert_string_equal(p.original, original);
        assert_int_equal(p.n == 0, fits);
        done(&p);
}

/* What stays when it has been replaced is not taken for what is being replaced: as soon as the folder is gone. */
static void test_open(void **state)
{
        struct parked p = park_open("f", true);
        char *original;

        (void) state;
        assert_string_equal(p.original, "f");
        assert_int_equal(p.n, 1);
        assert_int_equal(parked_original(p.name, NULL, 0, &original), 0);
        assert_null(original);
        done(&p);
}

static void test_deleted(void **state)
{
        struct parked p = park(NULL);

        (void) state;
        assert_string_equal(p.name, BASE);
        assert_null(p.original);
        done(&p);
}

static void test_short_paths(void **state)
{
        (void) state;
        assert_comes_back("f", true);
        assert_comes_back("d/e/f", true);
        assert_comes_back("100%/a%2Fb/ends with a dot./ends with a space ", true);
        assert_comes_back("new\nline/back\\slash/c:o*l?o\"n<s>|", true);
        assert_comes_back("=/+3/a.0=b", true);
        assert_comes_back("d\xc3\xa9j\xc3\xa0 vu/\xf0\x9f\x98\x80", true);
}

/* Every length, so that each kind of character is somewhere at the end of a text. */
static void test_long_paths(void **state)
{
        static const char *const fill[] = { "x", "/", " .", ":", "\xc3\xa9", "\xe2\x82\xac.", "a\xf0\x9f\x98\x80 " };
        char path[4096];

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(fill); i++)
                for (size_t length = 150; length + 8 < sizeof(path); length += length < 800 ? 1 : 97) {
                        size_t n = 0;

                        while (n < length) {
                                strcpy(path + n, fill[i]);
                                n += strlen(fill[i]);
                        }
                        strcpy(path + n, "e");
                        if (n > 180)
                                assert_comes_back(path, false);
                }
}

/* What has lost one of its folders is not a path cut short. */
static void test_missing_folders(void **state)
{
        char path[1001], *original;
        struct parked p;

        (void) state;
        memset(path, 'x', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        p = park(path);
        assert_true(p.n > 2);
        assert_int_equal(parked_original(p.name, p.pieces, p.n - 1, &original), 0);
        assert_null(original);
        assert_int_equal(parked_original(p.name, p.pieces + 1, p.n - 1, &original), 0);
        assert_null(original);
        done(&p);
}

static void test_strange_names(void **state)
{
        static const char *const names[] = { "", "+", "+0", "+999999999999", "x+1x", "x+-1", "x", "x.0=y" };
        char *pieces[] = { (char *) "x.0=", (char *) "x.1=y" }, *original;

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(names); i++) {
                assert_int_equal(parked_original(names[i], pieces, 2, &original), 0);
                free(original);
        }
        assert_int_equal(parked_original("x=100%/%zz%4", NULL, 0, &original), 0);
        assert_string_equal(original, "100%/%zz%4");
        free(original);
        assert_false(parked_is_piece("x.0=y", "xy+1"));
        assert_false(parked_is_piece("xy.0=y", "x+1"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_open),
                cmocka_unit_test(test_deleted),         cmocka_unit_test(test_short_paths),
                cmocka_unit_test(test_long_paths),      cmocka_unit_test(test_missing_folders),
                cmocka_unit_test(test_strange_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
