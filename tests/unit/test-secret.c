/* SPDX-License-Identifier: GPL-3.0-or-later */

/* core/secret.c: copies, limits, comparing. */

#include "unit.h"

#include "core/secret.h"

static void set_and_done(void **state)
{
        struct secret secret = { 0 };

        (void) state;
        assert_int_equal(secret_set(&secret, "first"), 0);
        assert_string_equal(secret.bytes, "first");
        assert_int_equal(secret.size_bytes, 5);
        assert_int_equal(secret_set(&secret, ""), 0);
        assert_non_null(secret.bytes);
        assert_int_equal(secret.size_bytes, 0);
        assert_int_equal(secret_set(&secret, NULL), 0);
        assert_null(secret.bytes);

        assert_int_equal(secret_set(&secret, "own text"), 0);
        assert_int_equal(secret_set(&secret, secret.bytes + 4), 0);
        assert_string_equal(secret.bytes, "text");
        secret_done(&secret);
        assert_null(secret.bytes);
        assert_int_equal(secret.size_bytes, 0);
        secret_done(&secret);
}

static void limits(void **state)
{
        char text[SECRET_MAX_BYTES + 2];
        struct secret secret = { 0 };

        (void) state;
        memset(text, 'p', sizeof text);
        text[SECRET_MAX_BYTES] = '\0';
        assert_int_equal(secret_set(&secret, text), 0);
        assert_int_equal(secret.size_bytes, SECRET_MAX_BYTES);
        text[SECRET_MAX_BYTES] = 'p';
        text[SECRET_MAX_BYTES + 1] = '\0';
        assert_int_equal(secret_set(&secret, text), -E2BIG);
        assert_int_equal(secret.size_bytes, SECRET_MAX_BYTES);
        secret_done(&secret);
}

static void copy_and_equal(void **state)
{
        struct secret a = { 0 }, b = { 0 };

        (void) state;
        assert_true(secret_equal(&a, &b));
        secret_set(&a, "");
        assert_false(secret_equal(&a, &b));
        assert_false(secret_equal(&b, &a));
        secret_set(&b, "x");
        assert_false(secret_equal(&a, &b));
        assert_int_equal(secret_copy(&a, &b), 0);
        assert_true(secret_equal(&a, &b));
        assert_ptr_not_equal(a.bytes, b.bytes);
        secret_set(&b, "y");
        assert_false(secret_equal(&a, &b));
        secret_set(&b, "xy");
        assert_false(secret_equal(&a, &b));
        secret_done(&a);
        assert_int_equal(secret_copy(&b, &a), 0);
        assert_null(b.bytes);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(set_and_done),
                cmocka_unit_test(limits),
                cmocka_unit_test(copy_and_equal),
        };

        return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
