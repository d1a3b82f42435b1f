/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Handles of enumerations: any value may come, a closed one too; many threads, and a fork in between.
 */

#include "unit.h"

#include <pthread.h>

#include "core/libwnet/enum.h"

#define LIMIT 65535
#define THREADS 4

struct enumeration {
        int number;
};

void enumeration_free(struct enumeration *e)
{
        free(e);
}

static HANDLE new_handle(int number)
{
        struct enumeration *e = malloc(sizeof *e);
        HANDLE handle = NULL;

        if (!e)
                abort();
        e->number = number;
        if (enum_handle_new(e, &handle) != 0)
                enumeration_free(e);
        return handle;
}

static int number_of(HANDLE handle)
{
        struct enumeration *e = enum_handle_lock(handle);
        int number = e ? e->number : -1;

        if (e)
                enum_handle_unlock();
        return number;
}

static int close_handle(HANDLE handle)
{
        struct enumeration *e = enum_handle_take(handle);
        int number = e ? e->number : -1;

        enumeration_free(e);
        return number;
}

static void test_garbage(void **state)
{
        HANDLE handle = new_handle(1);
        int here;

        (void) state;
        for (uintptr_t n = 0; n < 0x40000; n++)
                if ((HANDLE) n != handle)
                        assert_int_equal(number_of((HANDLE) n), -1);
        for (int bit = 0; bit < (int) (8 * sizeof handle); bit++)
                assert_int_equal(number_of((HANDLE) ((uintptr_t) handle ^ (uintptr_t) 1 << bit)), -1);
        assert_int_equal(number_of(&here), -1);
        assert_int_equal(close_handle((HANDLE) UINTPTR_MAX), -1);
        assert_int_equal(close_handle(handle), 1);
}

static void test_closed(void **state)
{
        HANDLE first = new_handle(1), second;

        (void) state;
        assert_non_null(first);
        assert_int_equal(number_of(first), 1);
        assert_int_equal(close_handle(first), 1);
        assert_int_equal(number_of(first), -1);
        assert_int_equal(close_handle(first), -1);
        second = new_handle(2);
        assert_ptr_not_equal(first, second);
        assert_int_equal(number_of(first), -1);
        assert_int_equal(number_of(second), 2);
        assert_int_equal(close_handle(second), 2);
}

static void test_limit(void **state)
{
        HANDLE *handles = calloc(LIMIT, sizeof *handles);

        (void) state;
        assert_non_null(handles);
        for (int i = 0; i < 100; i++)
                handles[i] = new_handle(i);
        for (int i = 0; i < 100; i++)
                assert_int_equal(close_handle(handles[i]), i);
        for (int i = 0; i < LIMIT; i++) {
                handles[i] = new_handle(i);
                if (!handles[i])
                        fail_msg("only %d handles", i);
        }
        assert_null(new_handle(LIMIT));
        for (int i = LIMIT - 1; i >= 0; i--)
                assert_int_equal(close_handle(handles[i]), i);
        free(handles);
}

static void *use_handles(void *userdata)
{
        for (int i = 0; i < 10000; i++) {
                HANDLE handle = new_handle(i);

                if (number_of(handle) != i || close_handle(handle) != i || close_handle(handle) != -1)
                        return userdata;
        }
        return NULL;
}

static void use_handles_in_children(void)
{
        int failed = 0;

        for (int i = 0; i < 20; i++) {
                pid_t pid = fork();
                int status;

                assert_true(pid >= 0);
                if (pid == 0) {
                        alarm(60);
                        _exit(use_handles(&failed) ? 1 : 0);
                }
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_int_equal(status, 0);
        }
}

/* AddressSanitizer's allocator does not survive a fork beside other threads: there, the children come first. */
#ifdef __SANITIZE_ADDRESS__
#define FORK_BESIDE_THREADS 0
#else
#define FORK_BESIDE_THREADS 1
#endif

static void test_threads_and_forks(void **state)
{
        pthread_t threads[THREADS];
        int failed = 0;

        (void) state;
        if (!FORK_BESIDE_THREADS)
                use_handles_in_children();
        for (int i = 0; i < THREADS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, use_handles, &failed), 0);
        if (FORK_BESIDE_THREADS)
                use_handles_in_children();
        for (int i = 0; i < THREADS; i++) {
                void *result;

                assert_int_equal(pthread_join(threads[i], &result), 0);
                assert_null(result);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_garbage),
                cmocka_unit_test(test_closed),
                cmocka_unit_test(test_limit),
                cmocka_unit_test(test_threads_and_forks),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
