/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What libwnet answers without asking anybody: NULL pointers, bad flags, malformed names, buffers. Built in both forms.
 * No call here may start a daemon, which is seen from the folder where its socket would be.
 */

#include "unit.h"

#include <pthread.h>
#include <wnet/wnet.h>

#ifdef UNICODE
#define ILL_FORMED_DEVICE ((const TCHAR[]) { 0xd800, ':', 0 })
#define ILL_FORMED_REMOTE ((const TCHAR[]) { '/', '/', 's', '/', 0xdc00, 0 })
#else
#define ILL_FORMED_DEVICE "\xff:"
#define ILL_FORMED_REMOTE "//s/\xc3"
#endif

#define LONG_CHARS 65536

/* Every call sets the last error to what it returns. */
static DWORD same(DWORD code)
{
        assert_int_equal(GetLastError(), code);
        SetLastError(4711);
        return code;
}

static TCHAR *long_text(void)
{
        static TCHAR text[LONG_CHARS + 1];

        for (size_t i = 0; i < LONG_CHARS; i++)
                text[i] = i < 2 ? '\\' : 'a';
        return text;
}

static NETRESOURCE resource(LPCTSTR local, LPCTSTR remote)
{
        return (NETRESOURCE) {
                .dwType = RESOURCETYPE_DISK,
                .lpLocalName = (LPTSTR) local,
                .lpRemoteName = (LPTSTR) remote,
        };
}

static const TCHAR *const bad_devices[] = { TEXT("Z"), TEXT("ZZ:"), TEXT("1:"), TEXT("LPT0"), TEXT("LPT10"), TEXT("*"),
                                            TEXT("Z:\\"), TEXT("/tmp"), TEXT("\u00e4:"), TEXT("Z:\n"), NULL };
static const TCHAR *const bad_remotes[] = { TEXT(""), TEXT("\\\\"), TEXT("\\\\server"), TEXT("server\\share"),
                                            TEXT("\\\\server\\..\\x"), TEXT("//s/a\tb"), TEXT("//s:0/x"), NULL };

static void test_add_bad_arguments(void **state)
{
        NETRESOURCE r = resource(TEXT("Z:"), TEXT("//server/share"));

        (void) state;
        assert_int_equal(same(WNetAddConnection2(NULL, NULL, NULL, 0)), ERROR_INVALID_ADDRESS);
        assert_int_equal(same(WNetAddConnection3(NULL, NULL, NULL, NULL, 0)), ERROR_INVALID_ADDRESS);
        for (int bit = 0; bit < 32; bit++) {
                DWORD flag = (DWORD) 1 << bit;

                if (flag == CONNECT_UPDATE_PROFILE || flag == CONNECT_TEMPORARY || flag == CONNECT_INTERACTIVE)
                        continue;
                assert_int_equal(same(WNetAddConnection2(&r, NULL, NULL, flag)), ERROR_INVALID_PARAMETER);
                if (flag != CONNECT_REDIRECT)
                        assert_int_equal(same(WNetUseConnection(NULL, &r, NULL, NULL, flag, NULL, NULL, NULL)),
                                         ERROR_INVALID_PARAMETER);
        }
        assert_int_equal(same(WNetAddConnection2(&r, NULL, NULL, CONNECT_TEMPORARY | CONNECT_UPDATE_PROFILE)),
                         ERROR_INVALID_PARAMETER);
        assert_int_equal(same(WNetAddConnection2(&r, TEXT("x"), NULL, CONNECT_TEMPORARY | CONNECT_CMD_SAVECRED)),
                         ERROR_INVALID_PARAMETER);
        for (DWORD type = 3; type != 1; type = type == 3 ? 8 : type == 8 ? 0xffffffff : 1) {
                r.dwType = type;
                assert_int_equal(same(WNetAddConnection3(NULL, &r, NULL, NULL, 0)), ERROR_INVALID_PARAMETER);
        }
}

static void test_add_bad_names(void **state)
{
        NETRESOURCE r;

        (void) state;
        for (size_t i = 0; bad_devices[i]; i++) {
                r = resource(bad_devices[i], TEXT("//server/share"));
                assert_int_equal(same(WNetAddConnection2(&r, NULL, NULL, 0)), ERROR_BAD_DEVICE);
                assert_int_equal(same(WNetAddConnection(r.lpRemoteName, NULL, r.lpLocalName)), ERROR_BAD_DEVICE);
        }
        for (size_t i = 0; bad_remotes[i]; i++) {
                r = resource(TEXT("Z:"), bad_remotes[i]);
                assert_int_equal(same(WNetAddConnection2(&r, NULL, NULL, 0)), ERROR_BAD_NET_NAME);
                assert_int_equal(same(WNetAddConnection(r.lpRemoteName, NULL, NULL)), ERROR_BAD_NET_NAME);
        }
        r = resource(ILL_FORMED_DEVICE, TEXT("//server/share"));
        assert_int_equal(same(WNetAddConnection3(NULL, &r, NULL, NULL, 0)), ERROR_BAD_DEVICE);
        r = resource(long_text(), TEXT("//server/share"));
        assert_int_equal(same(WNetAddConnection2(&r, NULL, NULL, 0)), ERROR_BAD_DEVICE);
        r = resource(TEXT("Z:"), ILL_FORMED_REMOTE);
        assert_int_equal(same(WNetAddConnection2(&r, NULL, NULL, 0)), ERROR_BAD_NET_NAME);
        r = resource(TEXT("Z:"), long_text());
        assert_int_equal(same(WNetAddConnection2(&r, NULL, NULL, 0)), ERROR_BAD_NET_NAME);
        r = resource(TEXT("Z:"), NULL);
        assert_int_equal(same(WNetAddConnection2(&r, NULL, NULL, 0)), ERROR_BAD_NET_NAME);
        assert_int_equal(same(WNetAddConnection(NULL, NULL, NULL)), ERROR_BAD_NET_NAME);
        r = resource(TEXT("Z:"), TEXT("//server/share"));
        r.lpProvider = (LPTSTR) TEXT("Microsoft Windows Network");
        assert_int_equal(same(WNetAddConnection2(&r, NULL, NULL, 0)), ERROR_BAD_PROVIDER);
        r.lpProvider = (LPTSTR) TEXT("WNet");
        assert_int_equal(same(WNetAddConnection2(&r, long_text(), NULL, 0)), ERROR_INVALID_PASSWORD);
}

static DWORD use(LPCTSTR local, LPCTSTR remote, DWORD type, DWORD flags, LPTSTR name, LPDWORD size)
{
        NETRESOURCE r = resource(local, remote);
        DWORD result = 77, code;

        r.dwType = type;
        code = same(WNetUseConnection(NULL, &r, NULL, NULL, flags, name, size, &result));
        assert_int_equal(result, 77); /* nothing has been connected */
        return code;
}

static void test_use_buffers(void **state)
{
        static const TCHAR remote[] = TEXT("\\\\server\\share");
        TCHAR name[32] = TEXT("?");
        DWORD size = 0;

        (void) state;
        assert_int_equal(use(TEXT("Z:"), remote, RESOURCETYPE_DISK, 0, name, &size), ERROR_INVALID_PARAMETER);
        assert_int_equal(use(TEXT("Z:"), remote, RESOURCETYPE_DISK, 0, name, NULL), ERROR_INVALID_PARAMETER);
        for (DWORD too_small = 1; too_small < 3; too_small++) {
                size = too_small;
                assert_int_equal(use(TEXT("z:"), remote, RESOURCETYPE_DISK, 0, name, &size), ERROR_MORE_DATA);
                assert_int_equal(size, 3);
                size = too_small;
                assert_int_equal(use(NULL, remote, RESOURCETYPE_DISK, CONNECT_REDIRECT, name, &size), ERROR_MORE_DATA);
                assert_int_equal(size, 3);
        }
        size = 4;
        assert_int_equal(use(TEXT("lpt1:"), remote, RESOURCETYPE_PRINT, 0, name, &size), ERROR_MORE_DATA);
        assert_int_equal(size, 5);
        size = 14;
        assert_int_equal(use(TEXT(""), TEXT("smb://server/share/"), RESOURCETYPE_DISK, 0, name, &size),
                         ERROR_MORE_DATA);
        assert_int_equal(size, 15);
        size = 2;
        assert_int_equal(use(NULL, TEXT("//server/\u00e4"), RESOURCETYPE_DISK, 0, name, &size), ERROR_MORE_DATA);
        assert_int_equal(size, sizeof(TCHAR) == 1 ? 12 : 11);
        assert_int_equal(name[0], '?');
}

static void test_use_order_of_checks(void **state)
{
        TCHAR name[2];
        DWORD size = 1;

        (void) state;
        assert_int_equal(same(WNetUseConnection(NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL)), ERROR_INVALID_ADDRESS);
        assert_int_equal(use(TEXT("Z"), TEXT("//s/s"), RESOURCETYPE_DISK, 0, name, &size), ERROR_BAD_DEVICE);
        assert_int_equal(use(TEXT("Z:"), TEXT("s"), RESOURCETYPE_DISK, 0, name, &size), ERROR_BAD_NET_NAME);
        assert_int_equal(use(NULL, TEXT("//s/s"), RESOURCETYPE_ANY, CONNECT_REDIRECT, name, &size), ERROR_BAD_DEV_TYPE);
        assert_int_equal(use(NULL, TEXT("//s/s"), RESOURCETYPE_ANY, CONNECT_REDIRECT, NULL, NULL), ERROR_BAD_DEV_TYPE);
        assert_int_equal(use(TEXT("Z:"), TEXT("//s/s"), 3, CONNECT_REDIRECT, NULL, NULL), ERROR_INVALID_PARAMETER);
        assert_int_equal(size, 1);
}

static void test_cancel(void **state)
{
        static const BOOL forces[] = { FALSE, TRUE, -1, 4711 };
        static const DWORD flags[] = { 0, CONNECT_UPDATE_PROFILE };

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(forces); i++)
                for (size_t j = 0; j < N_ELEMENTS(flags); j++) {
                        for (size_t k = 0; bad_devices[k]; k++)
                                assert_int_equal(same(WNetCancelConnection2(bad_devices[k], flags[j], forces[i])),
                                                 ERROR_NOT_CONNECTED);
                        for (size_t k = 0; bad_remotes[k]; k++)
                                assert_int_equal(same(WNetCancelConnection2(bad_remotes[k], flags[j], forces[i])),
                                                 ERROR_NOT_CONNECTED);
                        assert_int_equal(same(WNetCancelConnection2(NULL, flags[j], forces[i])), ERROR_NOT_CONNECTED);
                        assert_int_equal(same(WNetCancelConnection2(long_text(), flags[j], forces[i])),
                                         ERROR_NOT_CONNECTED);
                        assert_int_equal(same(WNetCancelConnection2(ILL_FORMED_DEVICE, flags[j], forces[i])),
                                         ERROR_NOT_CONNECTED);
                        assert_int_equal(same(WNetCancelConnection2(ILL_FORMED_REMOTE, flags[j], forces[i])),
                                         ERROR_NOT_CONNECTED);
                }
        for (int bit = 1; bit < 32; bit++) {
                assert_int_equal(same(WNetCancelConnection2(TEXT("Z:"), (DWORD) 1 << bit, FALSE)),
                                 ERROR_INVALID_PARAMETER);
                assert_int_equal(same(WNetCancelConnection2(NULL, (DWORD) 1 << bit, TRUE)), ERROR_INVALID_PARAMETER);
        }
        assert_int_equal(same(WNetCancelConnection(NULL, FALSE)), ERROR_NOT_CONNECTED);
        assert_int_equal(same(WNetCancelConnection(TEXT("nonsense"), TRUE)), ERROR_NOT_CONNECTED);
}

static void test_get_connection(void **state)
{
        TCHAR name[8];
        DWORD size = 8;

        (void) state;
        assert_int_equal(same(WNetGetConnection(NULL, name, &size)), ERROR_INVALID_ADDRESS);
        assert_int_equal(same(WNetGetConnection(TEXT("Z:"), name, NULL)), ERROR_INVALID_ADDRESS);
        assert_int_equal(same(WNetGetConnection(TEXT("Z:"), NULL, &size)), ERROR_INVALID_ADDRESS);
        for (size_t i = 0; bad_devices[i]; i++)
                assert_int_equal(same(WNetGetConnection(bad_devices[i], name, &size)), ERROR_BAD_DEVICE);
        assert_int_equal(same(WNetGetConnection(ILL_FORMED_DEVICE, name, &size)), ERROR_BAD_DEVICE);
        assert_int_equal(same(WNetGetConnection(TEXT(""), name, &size)), ERROR_BAD_DEVICE);
        assert_int_equal(size, 8);
}

static void test_get_user(void **state)
{
        TCHAR name[256];
        DWORD size = 256;

        (void) state;
        assert_int_equal(same(WNetGetUser(NULL, name, NULL)), ERROR_INVALID_ADDRESS);
        assert_int_equal(same(WNetGetUser(NULL, NULL, &size)), ERROR_INVALID_ADDRESS);
        assert_int_equal(same(WNetGetUser(TEXT("nonsense"), name, &size)), ERROR_NOT_CONNECTED);
        assert_int_equal(same(WNetGetUser(TEXT(""), name, &size)), ERROR_NOT_CONNECTED);
        assert_int_equal(same(WNetGetUser(ILL_FORMED_REMOTE, name, &size)), ERROR_NOT_CONNECTED);
        size = 0;
        assert_int_equal(same(WNetGetUser(NULL, NULL, &size)), ERROR_MORE_DATA);
        assert_in_range(size, 2, 256);
        assert_int_equal(same(WNetGetUser(NULL, name, &size)), NO_ERROR);
        assert_int_equal(name[size - 1], 0);
}

static void test_universal_name(void **state)
{
        const TCHAR *const bad_paths[] = { TEXT(""), TEXT("Z"), TEXT("Zx\\f"), TEXT("Z:f"), TEXT("/home/user"),
                                           TEXT("\\\\server\\share"), TEXT("LPT1"), ILL_FORMED_DEVICE };
        void *buffer[8];
        DWORD size = sizeof buffer;

        (void) state;
        for (DWORD level = 0; level != 5; level = level == 0 ? 3 : level == 3 ? 0xffffffff : 5)
                assert_int_equal(same(WNetGetUniversalName(TEXT("Z:"), level, buffer, &size)), ERROR_INVALID_LEVEL);
        for (DWORD level = UNIVERSAL_NAME_INFO_LEVEL; level <= REMOTE_NAME_INFO_LEVEL; level++) {
                assert_int_equal(same(WNetGetUniversalName(NULL, level, buffer, &size)), ERROR_INVALID_ADDRESS);
                assert_int_equal(same(WNetGetUniversalName(TEXT("Z:"), level, NULL, &size)), ERROR_INVALID_ADDRESS);
                assert_int_equal(same(WNetGetUniversalName(TEXT("Z:"), level, buffer, NULL)), ERROR_INVALID_ADDRESS);
                size = 0;
                assert_int_equal(same(WNetGetUniversalName(TEXT("Z:"), level, buffer, &size)), ERROR_INVALID_PARAMETER);
                size = sizeof buffer;
                for (size_t i = 0; i < N_ELEMENTS(bad_paths); i++)
                        assert_int_equal(same(WNetGetUniversalName(bad_paths[i], level, buffer, &size)),
                                         ERROR_BAD_DEVICE);
        }
        assert_int_equal(size, sizeof buffer);
}

static void test_restore(void **state)
{
        (void) state;
        for (size_t i = 0; bad_devices[i]; i++)
                assert_int_equal(same(WNetRestoreConnection(NULL, bad_devices[i])), ERROR_BAD_DEVICE);
        assert_int_equal(same(WNetRestoreConnection(NULL, TEXT(""))), ERROR_BAD_DEVICE);
        assert_int_equal(same(WNetRestoreConnection(NULL, ILL_FORMED_DEVICE)), ERROR_BAD_DEVICE);
}

static void test_enumeration(void **state)
{
        static const DWORD scopes[] = { 0, RESOURCE_RECENT, RESOURCE_CONTEXT, 6, 0xffffffff };
        static const DWORD types[] = { 4, RESOURCETYPE_RESERVED, RESOURCETYPE_DISK | 4, RESOURCETYPE_UNKNOWN };
        NETRESOURCE r = resource(NULL, TEXT("\\\\server"));
        HANDLE untouched = &r, handle = untouched;
        DWORD count = 1, size = sizeof r;
        NETRESOURCE buffer;

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(scopes); i++)
                assert_int_equal(same(WNetOpenEnum(scopes[i], 0, 0, NULL, &handle)), ERROR_INVALID_PARAMETER);
        for (size_t i = 0; i < N_ELEMENTS(types); i++)
                assert_int_equal(same(WNetOpenEnum(RESOURCE_CONNECTED, types[i], 0, NULL, &handle)),
                                 ERROR_INVALID_PARAMETER);
        assert_int_equal(same(WNetOpenEnum(RESOURCE_REMEMBERED, 0, 0, &r, &handle)), ERROR_INVALID_PARAMETER);
        assert_int_equal(same(WNetOpenEnum(RESOURCE_CONNECTED, 0, 0, NULL, NULL)), ERROR_INVALID_ADDRESS);
        assert_int_equal(same(WNetOpenEnum(RESOURCE_GLOBALNET, 0, RESOURCEUSAGE_NOLOCALDEVICE, NULL, &handle)),
                         ERROR_INVALID_PARAMETER);
        r.dwUsage = RESOURCEUSAGE_CONNECTABLE;
        assert_int_equal(same(WNetOpenEnum(RESOURCE_GLOBALNET, 0, 0, &r, &handle)), ERROR_INVALID_PARAMETER);
        r.dwUsage = RESOURCEUSAGE_CONTAINER;
        r.lpRemoteName = (LPTSTR) TEXT("\\\\server\\share");
        assert_int_equal(same(WNetOpenEnum(RESOURCE_GLOBALNET, 0, 0, &r, &handle)), ERROR_BAD_NET_NAME);
        assert_ptr_equal(handle, untouched);

        assert_int_equal(same(WNetEnumResource(handle, &count, &buffer, &size)), ERROR_INVALID_HANDLE);
        assert_int_equal(same(WNetEnumResource(NULL, NULL, NULL, NULL)), ERROR_INVALID_HANDLE);
        assert_int_equal(same(WNetCloseEnum(handle)), ERROR_INVALID_HANDLE);
        assert_int_equal(same(WNetCloseEnum(NULL)), ERROR_INVALID_HANDLE);
        assert_int_equal(same(WNetCloseEnum((HANDLE) UINTPTR_MAX)), ERROR_INVALID_HANDLE);
}

static bool equal(const TCHAR *a, const char *b)
{
        while (*b && *a == (TCHAR) *b) {
                a++;
                b++;
        }
        return *a == (TCHAR) *b;
}

static void test_last_error(void **state)
{
        TCHAR text[600], whole[600], name[16], cut[8];
        DWORD code;

        (void) state;
        assert_int_equal(same(WNetCancelConnection2(TEXT("Z:"), 0x40, FALSE)), ERROR_INVALID_PARAMETER);
        assert_int_equal(same(WNetGetLastError(&code, whole, 600, name, 16)), NO_ERROR);
        assert_int_equal(code, ERROR_INVALID_PARAMETER);
        assert_true(equal(name, "wnet"));
        assert_true(equal(whole, "unknown flags: 0x40 (check)"));

        assert_int_equal(same(WNetGetLastError(NULL, text, 600, name, 16)), ERROR_INVALID_ADDRESS);
        assert_int_equal(same(WNetGetLastError(&code, NULL, 600, name, 16)), ERROR_INVALID_ADDRESS);
        assert_int_equal(same(WNetGetLastError(&code, text, 600, NULL, 16)), ERROR_INVALID_ADDRESS);
        assert_int_equal(same(WNetGetLastError(&code, cut, 8, name, 3)), NO_ERROR); /* it is still the same failure */
        assert_int_equal(code, ERROR_INVALID_PARAMETER);
        assert_true(equal(cut, "unknown"));
        assert_true(equal(name, "wn"));
        cut[0] = name[0] = '?';
        assert_int_equal(same(WNetGetLastError(&code, cut, 0, name, 1)), NO_ERROR);
        assert_int_equal(cut[0], '?');
        assert_int_equal(name[0], 0);

        SetLastError(12345);
        assert_int_equal(GetLastError(), 12345);
}

static void *fail_differently(void *userdata)
{
        DWORD *first = userdata, code;
        TCHAR text[600], name[8];

        *first = GetLastError();
        WNetGetLastError(&code, text, 600, name, 8);
        if (code != NO_ERROR || text[0] != 0)
                *first = 1;
        for (int i = 0; i < 1000; i++)
                if (WNetCancelConnection(TEXT("nonsense"), FALSE) != GetLastError())
                        *first = 2;
        return NULL;
}

static void test_errors_are_per_thread(void **state)
{
        pthread_t thread;
        DWORD first = 77, code;
        TCHAR text[600], name[8];

        (void) state;
        assert_int_equal(WNetRestoreConnection(NULL, TEXT("nonsense")), ERROR_BAD_DEVICE);
        assert_int_equal(pthread_create(&thread, NULL, fail_differently, &first), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(first, NO_ERROR);
        assert_int_equal(GetLastError(), ERROR_BAD_DEVICE);
        assert_int_equal(WNetGetLastError(&code, text, 600, name, 8), NO_ERROR);
        assert_int_equal(code, ERROR_BAD_DEVICE);
}

static int use_folder(void **state)
{
        if (make_folder(state) != 0)
                return -1;
        for (const char *const *name = (const char *const[]) { "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME",
                                                               "HOME", NULL };
             *name; name++)
                if (setenv(*name, *state, true) < 0)
                        return -1;
        return 0;
}

/* Fails when a daemon has been here. */
static int check_folder(void **state)
{
        return remove(*state) == 0 ? (free(*state), 0) : -1;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_add_bad_arguments),
                cmocka_unit_test(test_add_bad_names),
                cmocka_unit_test(test_use_buffers),
                cmocka_unit_test(test_use_order_of_checks),
                cmocka_unit_test(test_cancel),
                cmocka_unit_test(test_get_connection),
                cmocka_unit_test(test_get_user),
                cmocka_unit_test(test_universal_name),
                cmocka_unit_test(test_restore),
                cmocka_unit_test(test_enumeration),
                cmocka_unit_test(test_last_error),
                cmocka_unit_test(test_errors_are_per_thread),
        };

        return cmocka_run_group_tests(tests, use_folder, check_folder);
}
