/* SPDX-License-Identifier: GPL-3.0-or-later */

/* fuse/parked-tag.c: the user's key, and what is made with it. */

#include "unit.h"

#include "fuse/parked-tag.h"

static void test_made_once(void **state)
{
        struct parked_key first, second;
        const char *path = in_folder(state, "parked.key");
        struct stat st;

        umask(0);
        assert_int_equal(parked_key_load(path, &first), 0);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(st.st_size, PARKED_KEY_BYTES);
        assert_int_equal(parked_key_load(path, &second), 0);
        assert_memory_equal(&first, &second, sizeof(first));
}

/* As a machine may leave it that lost its power. */
static void test_half_a_key(void **state)
{
        const char *path = in_folder(state, "parked.key");
        struct parked_key key, again;

        write_text(path, "half");
        assert_int_equal(parked_key_load(path, &key), 0);
        assert_int_equal(parked_key_load(path, &again), 0);
        assert_memory_equal(&key, &again, sizeof(key));
        assert_int_equal(count_entries(*state), 1);
}

/* There is a key all the same, for as long as the process lives. */
static void test_it_cannot_be_kept(void **state)
{
        const char *path = in_folder(state, "parked.key");
        struct parked_key key = { 0 }, none = { 0 };

        assert_int_equal(parked_key_load(in_folder(state, "no/parked.key"), &key), -ENOENT);
        assert_memory_not_equal(&key, &none, sizeof(key));

        assert_int_equal(mkdir(path, 0700), 0);
        assert_int_equal(parked_key_load(path, &key), -EPERM);
        assert_int_equal(rmdir(path), 0);

        assert_int_equal(symlink("/etc/hostname", path), 0); /* nobody's file is taken for it */
        key = none;
        assert_int_equal(parked_key_load(path, &key), -ELOOP);
        assert_memory_not_equal(&key, &none, sizeof(key));
}

static void test_what_it_depends_on(void **state)
{
        static const struct parked_key key = { "0123456789abcdef0123456789abcde" };
        static const struct {
                const char *source, *base, *original;
                uint64_t file_id;
        } others[] = { { "t", "b", "d/f", 7 }, { "s", "c", "d/f", 7 }, { "s", "b", "d/g", 7 }, { "s", "b", "d/f", 8 }, { "sb", "", "d/f", 7 },
                       { "s", "bd", "/f", 7 }, { "s", "b", "d/", 0xf7 } };
        struct parked_key other = key;
        char tag[PARKED_TAG_CHARS + 1], different[PARKED_TAG_CHARS + 1];

        (void) state;
        assert_int_equal(parked_tag(&key, "s", "b", "d/f", 7, tag), 0);
        assert_int_equal(strspn(tag, "0123456789abcdef"), PARKED_TAG_CHARS);
        assert_int_equal(strlen(tag), PARKED_TAG_CHARS);
        assert_int_equal(parked_tag(&key, "s", "b", "d/f", 7, different), 0);
        assert_string_equal(tag, different);
        assert_int_equal(parked_tag(&key, "S", "b", "d/f", 7, different), 0); /* as somebody else spells it */
        assert_string_equal(tag, different);
        for (size_t i = 0; i < N_ELEMENTS(others); i++) {
                assert_int_equal(parked_tag(&key, others[i].source, others[i].base, others[i].original, others[i].file_id, different), 0);
                assert_string_not_equal(tag, different);
        }
        other.bytes[PARKED_KEY_BYTES - 1] ^= 1;
        assert_int_equal(parked_tag(&other, "s", "b", "d/f", 7, different), 0);
        assert_string_not_equal(tag, different);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_made_once, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(test_half_a_key, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(test_it_cannot_be_kept, make_folder, remove_folder),
                cmocka_unit_test(test_what_it_depends_on),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
