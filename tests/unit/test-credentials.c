/* SPDX-License-Identifier: GPL-3.0-or-later */

/* core/credentials.c: user names, the file's text, and which files are refused. */

#include "unit.h"

#include "core/credentials.h"

static void split_user(void **state)
{
        static const struct {
                const char *text, *user, *domain;
        } good[] = {
                { "me", "me", NULL },           { "DOM\\me", "me", "DOM" },       { "DOM/me", "me", "DOM" },
                { "\\me", "me", NULL },         { "me@dom.example", "me@dom.example", NULL }, { "a b", "a b", NULL },
                { ".\\me", "me", "." },
        };
        static const char *const bad[] = { NULL,      "",     "DOM\\", "DOM/",  "\\",
                                           "a\\b\\c", "a\nb", "a\x7f", "a\xff", "a/b\\c" };
        char *user = NULL, *domain = NULL, longest[258];

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(good); i++) {
                struct credentials both;
                char *text;

                assert_int_equal(credentials_split_user(good[i].text, &user, &domain), 0);
                both = (struct credentials) { .user = user, .domain = domain };
                text = credentials_user_text(&both);
                assert_string_equal(text, domain && good[i].text[strlen(domain)] == '/' ? "DOM\\me" : domain ? good[i].text : user);
                free(text);
                assert_string_equal(user, good[i].user);
                if (good[i].domain)
                        assert_string_equal(domain, good[i].domain);
                else
                        assert_null(domain);
                free(user);
                free(domain);
        }
        for (size_t i = 0; i < N_ELEMENTS(bad); i++)
                assert_int_equal(credentials_split_user(bad[i], &user, &domain), ERROR_BAD_USERNAME);

        memset(longest, 'u', sizeof longest);
        longest[257] = '\0';
        assert_int_equal(credentials_split_user(longest, &user, &domain), ERROR_BAD_USERNAME);
        longest[256] = '\0';
        assert_int_equal(credentials_split_user(longest, &user, &domain), 0);
        free(user);
}

static void assert_text(const char *text, const char *expected)
{
        if (expected)
                assert_string_equal(text, expected);
        else
                assert_null(text);
}

static void parse_good(void **state)
{
        static const struct {
                const char *text, *user, *domain, *password;
        } cases[] = {
                { "username=me\n", "me", NULL, NULL },
                { "username=me\npassword=\n", "me", NULL, "" },
                { "username=me\npassword=geheim\ndomain=DOM", "me", "DOM", "geheim" },
                { " user = me", " me", NULL, NULL },
                { "user=me\npass= with blanks and = and #\t\n", "me", NULL, " with blanks and = and #\t" },
                { "USER=me\nDom=D\n", "me", "D", NULL },
                { "# comment\n\n  \nusername=me\r\npassword=x\r\n", "me", NULL, "x" },
                { "username=DOM\\me\n", "me", "DOM", NULL },
                { "username=DOM/me\ndomain=OTHER\n", "me", "OTHER", NULL },
                { "domain=OTHER\nusername=DOM/me\n", "me", "OTHER", NULL },
                { "username=me\ndomain=\n", "me", NULL, NULL },
                { "username=a\nusername=b\npassword=1\npassword=2\n", "b", NULL, "2" },
                { "username=me\npassword=\xff\xfe\n", "me", NULL, "\xff\xfe" },
        };

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct credentials credentials, copy;
                struct wn_error err = { 0 };

                assert_int_equal(credentials_parse(cases[i].text, strlen(cases[i].text), &credentials, &err), 0);
                assert_int_equal(err.status, 0);
                assert_string_equal(credentials.user, cases[i].user);
                assert_text(credentials.domain, cases[i].domain);
                assert_text(credentials.password.bytes, cases[i].password);

                assert_int_equal(credentials_copy(&credentials, &copy), 0);
                assert_true(secret_equal(&credentials.password, &copy.password));
                credentials_done(&credentials);
                assert_string_equal(copy.user, cases[i].user);
                assert_text(copy.domain, cases[i].domain);
                credentials_done(&copy);
                credentials_done(&copy);
        }
}

static void parse_bad(void **state)
{
        static const struct {
                const char *text;
                int status;
                const char *told;
        } cases[] = {
                { "", ERROR_BAD_USERNAME, "no user name" },
                { "# nothing\n", ERROR_BAD_USERNAME, "no user name" },
                { "password=geheim\n", ERROR_BAD_USERNAME, "no user name" },
                { "password=geheim\nusername=\n", ERROR_BAD_USERNAME, "line 2" },
                { "password=geheim\n\nusername=a\\b\\c\n", ERROR_BAD_USERNAME, "line 3" },
                { "username=a\x01", ERROR_BAD_USERNAME, "line 1" },
                { "username=me\ndomain=D\\E\n", ERROR_BAD_USERNAME, "line 2" },
                { "username=me\ngeheim\n", ERROR_INVALID_PARAMETER, "line 2" },
                { "username=me\npasswort=geheim\n", ERROR_INVALID_PARAMETER, "line 2" },
                { "username=me\ngeheim=\n", ERROR_INVALID_PARAMETER, "line 2" },
                { "username=me\n=geheim\n", ERROR_INVALID_PARAMETER, "line 2" },
                { "username=me\npassword2=geheim\n", ERROR_INVALID_PARAMETER, "line 2" },
                { "username=me\nuser name=geheim\n", ERROR_INVALID_PARAMETER, "line 2" },
        };
        char text[SECRET_MAX_BYTES + 64] = "user=me\npass=";
        struct credentials credentials = { 0 };
        struct wn_error err;

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                err = (struct wn_error) { 0 };
                assert_int_equal(credentials_parse(cases[i].text, strlen(cases[i].text), &credentials, &err),
                                 cases[i].status);
                assert_int_equal(err.status, cases[i].status);
                assert_non_null(strstr(err.text, cases[i].told));
                assert_null(strstr(err.text, "geheim"));
                assert_null(credentials.user);
        }
        assert_int_equal(credentials_parse("user=a\0b\n", 9, &credentials, &err), ERROR_INVALID_PARAMETER);
        assert_int_equal(credentials_parse("user=a\npass=a\0b\n", 16, &credentials, NULL), ERROR_INVALID_PARAMETER);

        memset(text + strlen(text), 'p', SECRET_MAX_BYTES + 1);
        assert_int_equal(credentials_parse(text, strlen(text), &credentials, &err), ERROR_INVALID_PARAMETER);
        text[strlen(text) - 1] = '\0';
        assert_int_equal(credentials_parse(text, strlen(text), &credentials, &err), 0);
        assert_int_equal(credentials.password.size_bytes, SECRET_MAX_BYTES);
        credentials_done(&credentials);
}

/* Not NUL-terminated, at an exact allocation: a read beyond the end is seen by the sanitizer. */
static void parse_unterminated(void **state)
{
        static const char text[] = "username=me\npassword=secret";
        size_t size_bytes = sizeof text - 1;

        (void) state;
        for (size_t n = 0; n <= size_bytes; n++) {
                struct credentials credentials = { 0 };
                char *copy = malloc(n ? n : 1);
                int r;

                memcpy(copy, text, n);
                r = credentials_parse(copy, n, &credentials, NULL);
                assert_int_equal(r == 0, n == 10 || n == 11 || n == 12 || n >= 21);
                credentials_done(&credentials);
                free(copy);
        }
}

/* As an unprivileged user, so that rights count. */
static int read_files(void **state)
{
        char big[CREDENTIALS_FILE_MAX_BYTES + 1];
        struct credentials credentials = { 0 };
        struct wn_error err = { 0 };
        const char *path = in_folder(state, "file");
        int fd;

        memset(big, '#', sizeof big);
        CHECK(credentials_read_file(path, &credentials, &err) == ERROR_INVALID_PARAMETER);
        CHECK(err.cause == ENOENT && strstr(err.text, path));

        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        CHECK(write(fd, "user=me\npass=x\n", 15) == 15);
        CHECK(credentials_read_file(path, &credentials, &err) == 0);
        CHECK(strcmp(credentials.user, "me") == 0 && strcmp(credentials.password.bytes, "x") == 0);
        credentials_done(&credentials);

        for (unsigned bit = 1; bit < 0100; bit <<= 1) {
                CHECK(fchmod(fd, 0600 | bit) == 0);
                CHECK(credentials_read_file(path, &credentials, &err) == ERROR_ACCESS_DENIED);
                CHECK(strstr(err.text, "chmod 600"));
        }
        CHECK(fchmod(fd, 0000) == 0);
        CHECK(credentials_read_file(path, &credentials, &err) == ERROR_ACCESS_DENIED);
        CHECK(fchmod(fd, 0400) == 0);
        CHECK(credentials_read_file(path, &credentials, &err) == 0);
        credentials_done(&credentials);

        CHECK(symlink("file", in_folder(state, "link")) == 0);
        CHECK(credentials_read_file(in_folder(state, "link"), &credentials, &err) == ERROR_INVALID_PARAMETER);
        CHECK(credentials_read_file(*state, &credentials, &err) == ERROR_INVALID_PARAMETER);
        CHECK(mkfifo(in_folder(state, "fifo"), 0600) == 0);
        CHECK(credentials_read_file(in_folder(state, "fifo"), &credentials, &err) == ERROR_INVALID_PARAMETER);
        CHECK(credentials_read_file("/dev/null", &credentials, &err) == ERROR_INVALID_PARAMETER);

        CHECK(pwrite(fd, big, sizeof big, 15) == sizeof big);
        CHECK(credentials_read_file(path, &credentials, &err) == ERROR_INVALID_PARAMETER);
        CHECK(ftruncate(fd, CREDENTIALS_FILE_MAX_BYTES) == 0);
        CHECK(credentials_read_file(path, &credentials, &err) == 0);
        credentials_done(&credentials);
        close(fd);
        return 0;
}

static void files(void **state)
{
        assert_int_equal(in_child(read_files, state, true), 0);
}

static int read_foreign(void **state)
{
        struct credentials credentials = { 0 };
        struct wn_error err = { 0 };

        CHECK(credentials_read_file(in_folder(state, "foreign"), &credentials, &err) == ERROR_ACCESS_DENIED);
        CHECK(strstr(err.text, "another user"));
        CHECK(!credentials.user);
        return 0;
}

/* Root can read anybody's file, and must refuse it all the same. */
static void foreign_owner(void **state)
{
        const char *path = in_folder(state, "foreign");

        if (geteuid() != 0) {
                print_message("only root can make another user's file\n");
                skip();
        }
        write_text(path, "user=me\n");
        assert_int_equal(chown(path, NOBODY, NOBODY), 0);
        assert_int_equal(in_child(read_foreign, state, false), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(split_user),
                cmocka_unit_test(parse_good),
                cmocka_unit_test(parse_bad),
                cmocka_unit_test(parse_unterminated),
                cmocka_unit_test_setup_teardown(files, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(foreign_owner, make_folder, remove_folder),
        };

        return cmocka_run_group_tests_name("credentials", tests, NULL, NULL);
}
