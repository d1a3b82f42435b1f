/* SPDX-License-Identifier: GPL-3.0-or-later */

/* core/status.c: the table's numbers and names, and what error_set() makes of a text. */

#include "unit.h"

#include "core/status.h"

/* Written down a second time, from the API's documentation and not from the table. */
static const struct {
        int number;
        const char *name;
} expected[] = {
        { 0, "NO_ERROR" },
        { 5, "ERROR_ACCESS_DENIED" },
        { 6, "ERROR_INVALID_HANDLE" },
        { 53, "ERROR_BAD_NETPATH" },
        { 66, "ERROR_BAD_DEV_TYPE" },
        { 67, "ERROR_BAD_NET_NAME" },
        { 85, "ERROR_ALREADY_ASSIGNED" },
        { 86, "ERROR_INVALID_PASSWORD" },
        { 87, "ERROR_INVALID_PARAMETER" },
        { 124, "ERROR_INVALID_LEVEL" },
        { 170, "ERROR_BUSY" },
        { 234, "ERROR_MORE_DATA" },
        { 259, "ERROR_NO_MORE_ITEMS" },
        { 487, "ERROR_INVALID_ADDRESS" },
        { 1200, "ERROR_BAD_DEVICE" },
        { 1201, "ERROR_CONNECTION_UNAVAIL" },
        { 1202, "ERROR_DEVICE_ALREADY_REMEMBERED" },
        { 1203, "ERROR_NO_NET_OR_BAD_PATH" },
        { 1204, "ERROR_BAD_PROVIDER" },
        { 1205, "ERROR_CANNOT_OPEN_PROFILE" },
        { 1206, "ERROR_BAD_PROFILE" },
        { 1208, "ERROR_EXTENDED_ERROR" },
        { 1219, "ERROR_SESSION_CREDENTIAL_CONFLICT" },
        { 1222, "ERROR_NO_NETWORK" },
        { 1223, "ERROR_CANCELLED" },
        { 1326, "ERROR_LOGON_FAILURE" },
        { 2202, "ERROR_BAD_USERNAME" },
        { 2250, "ERROR_NOT_CONNECTED" },
        { 2401, "ERROR_OPEN_FILES" },
        { 2404, "ERROR_DEVICE_IN_USE" },
};

static void every_code(void **state)
{
        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(expected); i++) {
                const char *message = status_message(expected[i].number);
                int status = -1;

                assert_string_equal(status_name(expected[i].number), expected[i].name);
                assert_int_equal(status_from_name(expected[i].name, &status), 0);
                assert_int_equal(status, expected[i].number);
                assert_int_equal(status_exit_code(expected[i].number), expected[i].number != 0);
                assert_in_range(message[0], 'a', 'z');
                assert_true(message[strlen(message) - 1] != '.');
        }
}

static void dbus_errors(void **state)
{
        (void) state;
        for (size_t i = 1; i < N_ELEMENTS(expected); i++) {
                char name[128];
                int status = -1;

                snprintf(name, sizeof name, "org.wnet.Error.%s", expected[i].name + strlen("ERROR_"));
                assert_string_equal(status_dbus_error(expected[i].number), name);
                assert_int_equal(status_from_dbus_error(name, &status), 0);
                assert_int_equal(status, expected[i].number);
        }
}

static void unknown(void **state)
{
        static const char *const names[] = { "", "OPEN_FILES", "error_open_files", "ERROR_OPEN_FILES ",
                                             "org.wnet.Error." };
        int status = 4711;

        (void) state;
        assert_string_equal(status_name(4711), "ERROR_EXTENDED_ERROR");
        assert_string_equal(status_name(-1), "ERROR_EXTENDED_ERROR");
        assert_string_equal(status_message(4711), status_message(ERROR_EXTENDED_ERROR));
        assert_string_equal(status_dbus_error(4711), "org.wnet.Error.EXTENDED_ERROR");
        assert_int_equal(status_exit_code(4711), 1);
        for (size_t i = 0; i < N_ELEMENTS(names); i++) {
                assert_int_equal(status_from_name(names[i], &status), -ENOENT);
                assert_int_equal(status_from_dbus_error(names[i], &status), -ENOENT);
        }
        assert_int_equal(status_from_name(NULL, &status), -ENOENT);
        assert_int_equal(status_from_dbus_error(NULL, &status), -ENOENT);
        assert_int_equal(status_from_dbus_error("org.freedesktop.DBus.Error.NoReply", &status), -ENOENT);
        assert_int_equal(status, 4711);
}

static void results(void **state)
{
        (void) state;
        assert_int_equal(status_from_result(0), 0);
        assert_int_equal(status_from_result(ERROR_OPEN_FILES), ERROR_OPEN_FILES);
        assert_int_equal(status_from_result(-EACCES), ERROR_ACCESS_DENIED);
        assert_int_equal(status_from_result(-ECANCELED), ERROR_CANCELLED);
        assert_int_equal(status_from_result(-ENOMEM), ERROR_EXTENDED_ERROR);
        assert_int_equal(status_from_result(-ENOTCONN), ERROR_EXTENDED_ERROR);
}

static void errors(void **state)
{
        struct wn_error err = { 0 };
        char longest[2 * sizeof err.text];

        (void) state;
        assert_int_equal(error_set(NULL, ERROR_BUSY, 0, "x", "%s", "y"), ERROR_BUSY);
        assert_int_equal(error_set(&err, ERROR_BAD_PROFILE, EIO, "stage", "a %d\nb\xff \xc3\xa4", 5),
                         ERROR_BAD_PROFILE);
        assert_int_equal(err.status, ERROR_BAD_PROFILE);
        assert_int_equal(err.cause, EIO);
        assert_string_equal(err.phase, "stage");
        assert_string_equal(err.text, "a 5?b? \xc3\xa4");

        /* The old text may be an argument. */
        error_set(&err, ERROR_BUSY, 0, "a phase whose name is too long", "<%s>", err.text);
        assert_string_equal(err.text, "<a 5?b? \xc3\xa4>");
        assert_int_equal(strlen(err.phase), sizeof err.phase - 1);

        /* 511 bytes are left for the text: 255 characters of two bytes, and half of one. */
        memset(longest, 0, sizeof longest);
        for (size_t i = 0; i + 2 < sizeof longest; i += 2)
                memcpy(longest + i, "\xc3\xa4", 2);
        error_set(&err, ERROR_BUSY, 0, "x", "%s", longest);
        assert_int_equal(strlen(err.text), 510);
        assert_memory_equal(err.text, longest, 510);

        errno = EXDEV;
        error_set(&err, ERROR_BUSY, 0, "x", "y");
        assert_int_equal(errno, EXDEV);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_code), cmocka_unit_test(dbus_errors), cmocka_unit_test(unknown),
                cmocka_unit_test(results),    cmocka_unit_test(errors),
        };

        return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
