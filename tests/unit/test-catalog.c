/* SPDX-License-Identifier: GPL-3.0-or-later */

/* fuse/catalog.c: what is found by name, and what is in doubt. */

#include "unit.h"

#include "fuse/catalog.h"

#define MANY 5000u

static int setup(void **state)
{
        *state = calloc(1, sizeof(struct catalog));
        return *state ? 0 : -1;
}

static int teardown(void **state)
{
        catalog_done(*state);
        free(*state);
        return 0;
}

static void add(struct catalog *c, const char *name, uint64_t id)
{
        assert_int_equal(catalog_add(c, name, &(struct smb_attr){ .file_id = id }), 0);
}

/* The number of what is there; 0: it is not; UINT64_MAX: the server has to be asked. */
static uint64_t find(struct catalog *c, const char *name)
{
        const struct catalog_entry *entry;

        switch (catalog_find(c, name, &entry)) {
        case CATALOG_PRESENT:
                assert_string_equal(catalog_name(c, entry), name);
                return entry->attr.file_id;
        case CATALOG_ABSENT:
                return 0;
        default:
                return UINT64_MAX;
        }
}

static void by_name(void **state)
{
        struct catalog *c = *state;
        char name[32];

        assert_int_equal(find(c, "f"), 0);
        for (unsigned i = 1; i <= MANY; i++) {
                snprintf(name, sizeof name, "Name %u", i);
                add(c, name, i);
                if (i % 1000 == 1) /* while it grows */
                        assert_int_equal(find(c, name), i);
        }
        for (unsigned i = 1; i <= MANY; i++) {
                snprintf(name, sizeof name, "Name %u", i);
                assert_int_equal(find(c, name), i);
                assert_string_equal(catalog_name(c, &c->entries[i - 1]), name);
                snprintf(name, sizeof name, "nAME %u", i);
                assert_int_equal(find(c, name), UINT64_MAX);
        }
        assert_int_equal(find(c, "Name 0"), 0);
        assert_int_equal(find(c, "Name"), 0);
}

/* What a server might know under another name is not said to be absent. */
static void absence(void **state)
{
        static const char *const plain[] = { "b", "Makefile", "a b-c_d.e", ".git", "x+y=z,@#()[]{}!$&';", "console", "com11", "comma" };
        static const char *const odd[] = { "PROGRA~1", "con", "CON.txt", "Com1", "lpt9.log", "nul", "aux.c", "PRN", "\xc3\xa9" };
        static const char *const mapped[] = { "a:b", "a*", "end.", "end ", "a\\b", "tab\t", "what?" };
        struct catalog *c = *state;

        char long_name[300];

        memset(long_name, 'x', sizeof long_name);
        long_name[256] = '\0';
        assert_int_equal(find(c, long_name), UINT64_MAX);
        add(c, "a", 1);
        for (unsigned i = 0; i < N_ELEMENTS(plain); i++)
                assert_int_equal(find(c, plain[i]), 0);
        for (unsigned i = 0; i < N_ELEMENTS(odd); i++)
                assert_int_equal(find(c, odd[i]), UINT64_MAX);
        for (unsigned i = 0; i < N_ELEMENTS(odd); i++)
                add(c, odd[i], i + 2);
        for (unsigned i = 0; i < N_ELEMENTS(odd); i++)
                assert_int_equal(find(c, odd[i]), i + 2);
        for (unsigned i = 0; i < N_ELEMENTS(mapped); i++) {
                assert_int_equal(find(c, mapped[i]), UINT64_MAX);
                add(c, mapped[i], 100); /* it may be called otherwise on the server, and not be found */
                assert_int_equal(find(c, mapped[i]), UINT64_MAX);
        }
}

/* U+212A is a K to some servers, and so is "k". */
static void folding_beyond_ascii(void **state)
{
        struct catalog *c = *state;

        assert_int_equal(find(c, "k"), 0);
        add(c, "\xe2\x84\xaa", 1);
        assert_int_equal(find(c, "k"), UINT64_MAX);
        assert_int_equal(find(c, "kk"), 0);
        assert_int_equal(find(c, "\xe2\x84\xaa"), 1);
}

static void doubts(void **state)
{
        struct catalog *c = *state;

        catalog_doubt(c, "Before"); /* it is listed */
        add(c, "Before", 1);
        add(c, "f", 2);
        add(c, "\xc3\x89t\xc3\xa9", 3);
        assert_int_equal(find(c, "Before"), UINT64_MAX);
        assert_int_equal(find(c, "f"), 2);
        catalog_doubt(c, "new");
        assert_true(catalog_doubts(c, "NEW"));
        assert_int_equal(find(c, "new"), UINT64_MAX);
        assert_int_equal(find(c, "New"), UINT64_MAX);
        assert_int_equal(find(c, "newer"), 0);
        assert_int_equal(find(c, "\xc3\x89t\xc3\xa9"), 3);
        catalog_doubt(c, "F");
        assert_int_equal(find(c, "f"), UINT64_MAX);
        /* How a server folds these, nobody knows. */
        catalog_doubt(c, "\xc3\xa9t\xc3\xa9");
        assert_int_equal(find(c, "\xc3\x89t\xc3\xa9"), UINT64_MAX);
        assert_int_equal(find(c, "newer"), UINT64_MAX);
}

static void many_doubts(void **state)
{
        struct catalog *c = *state;
        char name[32];

        add(c, "f", 1);
        for (unsigned i = 0; i < MANY; i++) {
                snprintf(name, sizeof name, "%u", i);
                catalog_doubt(c, name);
                catalog_doubt(c, name);
        }
        assert_int_equal(c->n_doubts, MANY);
        for (unsigned i = 0; i < MANY; i++) {
                snprintf(name, sizeof name, "%u", i);
                assert_true(catalog_doubts(c, name));
        }
        assert_int_equal(find(c, "f"), 1);
        for (unsigned i = MANY; !c->all_doubted; i++) {
                assert_in_range(i, MANY, 100000);
                snprintf(name, sizeof name, "%u", i);
                catalog_doubt(c, name);
        }
        assert_int_equal(find(c, "f"), UINT64_MAX);
        assert_true(catalog_doubts(c, "0"));
}

static void in_order(void **state)
{
        static const char *const names[] = { "b", "B", "a", "\xc3\xa9", "a b", "0", "c" };
        static const char *const sorted[] = { "0", "B", "a", "a b", "b", "c", "\xc3\xa9" };
        struct catalog *c = *state;
        char name[32];
        const uint32_t *order;

        assert_null(catalog_sorted(c));
        add(c, "z", 1);
        assert_int_equal(catalog_sorted(c)[0], 0);
        for (unsigned i = 0; i < N_ELEMENTS(names); i++) /* what comes later counts, too */
                add(c, names[i], i + 2);
        order = catalog_sorted(c);
        assert_ptr_equal(catalog_sorted(c), order);
        for (unsigned i = 0; i < N_ELEMENTS(sorted); i++) {
                assert_string_equal(catalog_name(c, &c->entries[order[i + (i == 6)]]), sorted[i]); /* z is in front of the last one */
                assert_int_equal(catalog_position(c, &c->entries[order[i]]), i);
        }
        for (unsigned i = 0; c->n < 20000; i++) {
                snprintf(name, sizeof name, "%u", i);
                add(c, name, i);
        }
        assert_null(catalog_sorted(c)); /* so many would hold others up */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(by_name), TEST(absence), TEST(folding_beyond_ascii), TEST(doubts), TEST(many_doubts), TEST(in_order),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
