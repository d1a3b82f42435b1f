/* SPDX-License-Identifier: GPL-3.0-or-later */

/* core/name.c: which names are names, and how they are printed again. */

#include "unit.h"

#include "core/name.h"
#include "core/status.h"

static void devices(void **state)
{
        static const struct {
                const char *text, *canonical, *folder;
        } good[] = {
                { "z:", "Z:", "Z" },          { "A:", "A:", "A" },          { "lpt1", "LPT1", "LPT1" },
                { "LPT9:", "LPT9", "LPT9" }, { "LpT3:", "LPT3", "LPT3" },
        };
        static const char *const bad[] = {
                NULL, "", "Z", ":", "zz:", "Z::", "Z:\\", "1:", "@:", "[:", "`:", "{:", "\xc3\x84:", " Z:", "Z: ",
                "Z:\n",
                "lpt", "lpt:", "lpt0", "lpt10", "lpt1::", "lpt1x", "com1", "LPTa", "*",
        };
        struct device_name device;

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(good); i++) {
                char folder[8];

                assert_int_equal(device_parse(good[i].text, &device), 0);
                assert_string_equal(device.text, good[i].canonical);
                assert_int_equal(device.kind, good[i].canonical[0] == 'L' ? DEVICE_PRINTER : DEVICE_DRIVE);
                device_folder(&device, folder);
                assert_string_equal(folder, good[i].folder);
        }
        for (size_t i = 0; i < N_ELEMENTS(bad); i++)
                assert_int_equal(device_parse(bad[i], &device), ERROR_BAD_DEVICE);
        device_from_letter(0, &device);
        assert_string_equal(device.text, "A:");
        device_from_letter(25, &device);
        assert_string_equal(device.text, "Z:");
        assert_int_equal(device.kind, DEVICE_DRIVE);
}

static void good_remotes(void **state)
{
        static const struct {
                const char *text, *server;
                unsigned port;
                const char *share, *path, *unc, *source, *folder;
        } cases[] = {
                { "\\\\server\\share", "server", 445, "share", "", "\\\\server\\share", "//server/share",
                  "server/share" },
                { "//Server/Share/", "Server", 445, "Share", "", "\\\\Server\\Share", "//Server/Share",
                  "Server/Share" },
                { "\\/srv/sh\\a/b\\", "srv", 445, "sh", "a/b", "\\\\srv\\sh\\a\\b", "//srv/sh/a/b", "srv/sh%2Fa%2Fb" },
                { "//srv:4450/sh/d", "srv", 4450, "sh", "d", "\\\\srv:4450\\sh\\d", "//srv:4450/sh/d",
                  "srv@4450/sh%2Fd" },
                { "//srv:445/sh", "srv", 445, "sh", "", "\\\\srv\\sh", "//srv/sh", "srv/sh" },
                { "//srv:00445/sh", "srv", 445, "sh", "", "\\\\srv\\sh", "//srv/sh", "srv/sh" },
                { "//1.2.3.4:65535/c$", "1.2.3.4", 65535, "c$", "", "\\\\1.2.3.4:65535\\c$", "//1.2.3.4:65535/c$",
                  "1.2.3.4@65535/c$" },
                { "\\\\[::1]\\share", "::1", 445, "share", "", "\\\\[::1]\\share", "//[::1]/share", "%3A%3A1/share" },
                { "//[fe80::1]:1/s", "fe80::1", 1, "s", "", "\\\\[fe80::1]:1\\s", "//[fe80::1]:1/s",
                  "fe80%3A%3A1@1/s" },
                { "smb://[::1]:4450/share/dir%20x", "::1", 4450, "share", "dir x", "\\\\[::1]:4450\\share\\dir x",
                  "//[::1]:4450/share/dir x", "%3A%3A1@4450/share%2Fdir x" },
                { "SMB://srv/a%25b/", "srv", 445, "a%b", "", "\\\\srv\\a%b", "//srv/a%b", "srv/a%25b" },
                { "//srv/a%25b", "srv", 445, "a%25b", "", "\\\\srv\\a%25b", "//srv/a%25b", "srv/a%2525b" },
                { "smb://s%72v/x%C3%A4", "srv", 445, "x\xc3\xa4", "", "\\\\srv\\x\xc3\xa4", "//srv/x\xc3\xa4",
                  "srv/x\xc3\xa4" },
                { "//b\xc3\xbc" "cher.example/my share/.hidden/a..b", "b\xc3\xbc" "cher.example", 445, "my share",
                  ".hidden/a..b",
                  "\\\\b\xc3\xbc" "cher.example\\my share\\.hidden\\a..b",
                  "//b\xc3\xbc" "cher.example/my share/.hidden/a..b",
                  "b\xc3\xbc" "cher.example/my share%2F.hidden%2Fa..b" },
                { "//srv./s/a:b", "srv.", 445, "s", "a:b", "\\\\srv.\\s\\a:b", "//srv./s/a:b", "srv./s%2Fa%3Ab" },
        };

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct remote_name remote, copy, again;
                char *text;

                assert_int_equal(remote_name_parse(cases[i].text, &remote), 0);
                assert_string_equal(remote.server, cases[i].server);
                assert_int_equal(remote.port, cases[i].port);
                assert_string_equal(remote.share, cases[i].share);
                assert_string_equal(remote.path, cases[i].path);
                text = remote_name_to_source(&remote);
                assert_string_equal(text, cases[i].source);
                free(text);
                text = remote_name_to_folder(&remote);
                assert_string_equal(text, cases[i].folder);
                free(text);

                /* What is printed is read back as the same. */
                text = remote_name_to_unc(&remote);
                assert_string_equal(text, cases[i].unc);
                assert_int_equal(remote_name_parse(text, &again), 0);
                assert_true(remote_name_equal(&remote, &again));
                free(text);

                assert_int_equal(remote_name_copy(&remote, &copy), 0);
                remote_name_done(&remote);
                assert_true(remote_name_equal(&copy, &again));
                remote_name_done(&copy);
                remote_name_done(&again);
                remote_name_done(&again);
        }
}

static void bad_remotes(void **state)
{
        static const char *const cases[] = {
                NULL, "", "\\", "\\\\", "/", "//", "///", "server", "server\\share", "\\server\\share", "C:\\dir",
                "/home/me",
                "smb:", "smb:/srv/share", "smb://", "smb:///share", "http://srv/share", "cifs://srv/share", "smb://srv",
                "\\\\server", "\\\\server\\", "\\\\server\\\\", "\\\\server\\\\share", "\\\\\\server\\share",
                "//server/share//",
                "//server/share//dir", "//server/share/dir//", "//server/share/./x", "//server/share/..",
                "//server/share/../x",
                "//server/.", "//server/..", "//./share", "//../share", "//.../share", "//.srv/share", "//a..b/share",
                "//-srv/share", "\\\\?\\UNC\\srv\\share", "\\\\.\\pipe\\x",
                "//ser ver/share", "//ser*ver/share", "//ser?ver/share", "//ser\"ver/share", "//ser<ver/share",
                "//ser>ver/share", "//ser|ver/share", "//user@srv/share", "//user:pw@srv/share", "//s%72v/share",
                "//srv,x/share", "//srv;x/share", "//[srv]/share",
                "//srv/sh:are", "//srv/sh*are", "//srv/sh?are", "//srv/sh\"are", "//srv/sh<are", "//srv/sh>are",
                "//srv/sh|are",
                "//srv/sh\nare", "//srv/sh\x7f", "//srv/share/d\x01", "//s\trv/share", "//srv/\xc2\x85", "//srv/sh\xff",
                "//srv/share/\xc3", "//s\xed\xa0\x80/share", "//srv/\xc0\xaf",
                "//srv:/share", "//srv:0/share", "//srv:65536/share", "//srv:99999/share", "//srv:100000/share",
                "//srv:4294967741/share", "//srv:-1/share", "//srv:+1/share", "//srv:44a/share", "//srv: 445/share",
                "//srv:445:445/share", "//:445/share",
                "//::1/share", "//[]/share", "//[::1/share", "//::1]/share", "//[::1]445/share", "//[::1]:/share",
                "//[::1]:0/share", "//[1.2.3.4]/share", "//[:::1]/share", "//[fe80::1%eth0]/share",
                "//[::1]x:445/share",
                "smb://user@srv/share", "smb://user:pw@srv/share", "smb://DOM;user@srv/share", "smb://us%40srv/share",
                "smb://srv/%", "smb://srv/a%2", "smb://srv/a%zz", "smb://srv/a%00b", "smb://srv/%2e%2e",
                "smb://srv/a%2Fb",
                "smb://srv/a%5Cb", "smb://srv/share/%2E", "smb://srv/share/a%2fb", "smb://srv/a%0Ab", "smb://srv/%ff",
                "smb://srv/share?x=1", "smb://srv/share/dir?x", "smb://srv%3A445/share", "smb://%2e%2e/share",
                "smb://srv/%3A",
        };

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct remote_name remote = { .port = 4711 };

                if (remote_name_parse(cases[i], &remote) != ERROR_BAD_NET_NAME)
                        fail_msg("\"%s\" was not refused", cases[i]);
                assert_int_equal(remote.port, 4711);
        }
}

static void servers(void **state)
{
        static const struct {
                const char *text, *server;
                unsigned port;
        } cases[] = {
                { "//srv", "srv", 445 }, { "\\\\srv", "srv", 445 }, { "\\\\Srv\\", "Srv", 445 }, { "//srv/", "srv", 445 },
                { "smb://srv", "srv", 445 }, { "SMB://s%72v:4450/", "srv", 4450 }, { "//1.2.3.4:65535", "1.2.3.4", 65535 },
                { "//[::1]", "::1", 445 }, { "\\\\[fe80::1]:1\\", "fe80::1", 1 },
        };
        static const char *const bad[] = {
                NULL, "", "srv", "/srv", "\\srv", "//", "///", "smb://", "smb:///", "//srv//", "//srv/share", "\\\\srv\\share\\",
                "//srv/ ", "//srv:", "//srv:0", "//srv:65536/", "//srv:1:2", "//.", "//..", "//-srv", "//sr v", "//u@srv", "//u:p@srv/",
                "smb://u:p@srv", "//[::1", "//[]", "//[srv]", "//s\nrv", "//s\xff", "smb://srv%2Fshare", "smb://%", "http://srv",
        };

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct remote_name server;

                assert_int_equal(remote_server_parse(cases[i].text, &server), 0);
                assert_string_equal(server.server, cases[i].server);
                assert_int_equal(server.port, cases[i].port);
                assert_string_equal(server.share, "");
                assert_string_equal(server.path, "");
                remote_name_done(&server);
        }
        for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
                struct remote_name server = { .port = 4711 };

                if (remote_server_parse(bad[i], &server) != ERROR_BAD_NET_NAME)
                        fail_msg("\"%s\" was not refused", bad[i]);
                assert_int_equal(server.port, 4711);
        }
}

static void share_names(void **state)
{
        static const char *const bad[] = { "", ".", "..", "a/b", "a\\b", "a:b", "a*", "a?", "\"", "<", ">", "|", "a\n", "\x7f", "\xff" };
        char name[REMOTE_SHARE_MAX_BYTES + 2] = "";

        (void) state;
        assert_true(remote_share_valid("IPC$"));
        assert_true(remote_share_valid("Fotos \xc3\xa4"));
        for (size_t i = 0; i < N_ELEMENTS(bad); i++)
                assert_false(remote_share_valid(bad[i]));
        memset(name, 'x', REMOTE_SHARE_MAX_BYTES + 1);
        assert_false(remote_share_valid(name));
        name[REMOTE_SHARE_MAX_BYTES] = '\0';
        assert_true(remote_share_valid(name));
}

/* "//", server_chars × 's', "/", share_chars × 'h', and, where path_chars is not 0, "/" and path_chars × 'p'. */
static int parse_sized(size_t server_chars, size_t share_chars, size_t path_chars)
{
        char *text = calloc(1, server_chars + share_chars + path_chars + 8), *p = text;
        struct remote_name remote = { 0 };
        int r;

        memcpy(p, "//", 2);
        memset(p += 2, 's', server_chars);
        *(p += server_chars) = '/';
        memset(++p, 'h', share_chars);
        p += share_chars;
        if (path_chars > 0) {
                *p = '/';
                memset(p + 1, 'p', path_chars);
        }
        r = remote_name_parse(text, &remote);
        remote_name_done(&remote);
        free(text);
        return r;
}

static void limits(void **state)
{
        char escaped[6 + 3 + 3 * REMOTE_SHARE_MAX_BYTES + 16] = "smb://s/";
        struct remote_name remote;

        (void) state;
        assert_int_equal(parse_sized(REMOTE_SERVER_MAX_BYTES, REMOTE_SHARE_MAX_BYTES, REMOTE_PATH_MAX_BYTES), 0);
        assert_int_equal(parse_sized(REMOTE_SERVER_MAX_BYTES + 1, 1, 0), ERROR_BAD_NET_NAME);
        assert_int_equal(parse_sized(1, REMOTE_SHARE_MAX_BYTES + 1, 0), ERROR_BAD_NET_NAME);
        assert_int_equal(parse_sized(1, 1, REMOTE_PATH_MAX_BYTES + 1), ERROR_BAD_NET_NAME);
        assert_int_equal(parse_sized(65536, 1, 0), ERROR_BAD_NET_NAME);
        assert_int_equal(parse_sized(1, 65536, 0), ERROR_BAD_NET_NAME);
        assert_int_equal(parse_sized(1, 1, 65536), ERROR_BAD_NET_NAME);
        assert_int_equal(parse_sized(0, 65536, 1), ERROR_BAD_NET_NAME);

        /* Limits count decoded bytes. */
        for (size_t i = 0; i < REMOTE_SHARE_MAX_BYTES; i++)
                strcat(escaped, "%41");
        assert_int_equal(remote_name_parse(escaped, &remote), 0);
        assert_int_equal(strlen(remote.share), REMOTE_SHARE_MAX_BYTES);
        remote_name_done(&remote);
}

/* Names of 64 KiB made of one byte: separators, controls, what is no UTF-8. */
static void long_garbage(void **state)
{
        char *text = malloc(65537);
        struct remote_name remote;
        struct device_name device;

        (void) state;
        for (unsigned byte = 1; byte < 256; byte++) {
                memset(text, (int) byte, 65536);
                text[65536] = '\0';
                assert_int_equal(remote_name_parse(text, &remote), ERROR_BAD_NET_NAME);
                assert_int_equal(device_parse(text, &device), ERROR_BAD_DEVICE);
                memcpy(text, "//s/h/", 6);
                text[4000] = '\0';
                if (byte < 0x20 || byte >= 0x7f || byte == '/' || byte == '\\')
                        assert_int_equal(remote_name_parse(text, &remote), ERROR_BAD_NET_NAME);
        }
        free(text);
}

static void comparing(void **state)
{
        static const struct {
                const char *a, *b;
                bool equal, same_server;
        } cases[] = {
                { "\\\\SRV\\Share", "smb://srv/sHARE/", true, true },
                { "//srv/share", "//srv:445/share", true, true },
                { "//srv/share", "//srv:446/share", false, false },
                { "//srv/share", "//srv/share/dir", false, true },
                { "//srv/share/Dir", "//srv/share/dIR", true, true },
                { "//srv/share", "//srv/share2", false, true },
                { "//srv/share", "//srv2/share", false, false },
                { "//srv/gr\u00f6\u00dfe/\u00fc", "//SRV/GR\u00d6\u00dfE/\u00dc", true, true },
                { "//f\u00fcr/\u00e9", "//F\u00dcR/\u00c9", true, true },
                { "//srv/\u03c3\u03c2", "//srv/\u03a3\u03a3", true, true },
                { "//srv/\u0434", "//srv/\u0414", true, true },
                { "//srv/\u00e4", "//srv/a", false, true },
                { "//srv/\u00e4", "//srv/\u00d6", false, true },
                { "//srv/stra\u00dfe", "//srv/strasse", false, true },
                { "//srv/\u00e4\u017f", "//srv/\u00e4s", false, true }, /* letters of ASCII are nobody else's */
                { "//srv/\u0131", "//srv/i", false, true },
                { "//srv/\u0131z", "//srv/\u0130z", false, true },
                { "//srv/\u0130z", "//srv/\u0130Z", true, true },
                { "//srv/a{", "//srv/a[", false, true },
        };

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct remote_name a, b;

                assert_int_equal(remote_name_parse(cases[i].a, &a), 0);
                assert_int_equal(remote_name_parse(cases[i].b, &b), 0);
                assert_int_equal(remote_name_equal(&a, &b), cases[i].equal);
                assert_int_equal(remote_name_equal(&b, &a), cases[i].equal);
                assert_int_equal(remote_name_same_server(&a, &b), cases[i].same_server);
                remote_name_done(&a);
                remote_name_done(&b);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(devices), cmocka_unit_test(good_remotes), cmocka_unit_test(bad_remotes),
                cmocka_unit_test(limits),  cmocka_unit_test(long_garbage), cmocka_unit_test(comparing),
                cmocka_unit_test(servers), cmocka_unit_test(share_names),
        };

        return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
