/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "tools/wnet/use-parse.h"

#define WORDS_MAX 8

static int parse(const char *const words[WORDS_MAX], struct use_request *ret_request, int *ret_at)
{
        char *argv[WORDS_MAX + 2] = { (char *) "use" };
        int argc = 1;

        for (; words[argc - 1]; argc++)
                argv[argc] = (char *) words[argc - 1];
        return use_parse(argc, argv, ret_request, ret_at);
}

static const struct {
        const char *words[WORDS_MAX];
        struct use_request request;
} good[] = {
        { { NULL }, { .verb = USE_LIST } },
        { { "Z:" }, { .verb = USE_SHOW, .local = "Z:" } },
        { { "lpt1" }, { .verb = USE_SHOW, .local = "lpt1" } },
        { { "nonsense" }, { .verb = USE_SHOW, .local = "nonsense" } },
        { { "\\\\s\\x" }, { .verb = USE_OPEN, .remote = "\\\\s\\x" } },
        { { "//s/x" }, { .verb = USE_OPEN, .remote = "//s/x" } },
        { { "SMB://s/x" }, { .verb = USE_OPEN, .remote = "SMB://s/x" } },
        { { "\\s\\x" }, { .verb = USE_OPEN, .remote = "\\s\\x" } },
        { { "//s/x", "/persistent:no" }, { .verb = USE_CONNECT, .remote = "//s/x", .persistence = USE_DO_NOT_REMEMBER } },
        { { "//s/x", "word" }, { .verb = USE_CONNECT, .remote = "//s/x", .password = (char *) "word" } },
        { { "//s/x", "*" }, { .verb = USE_CONNECT, .remote = "//s/x", .password = (char *) "*" } },
        { { "Z:", "//s/x/dir" }, { .verb = USE_CONNECT, .local = "Z:", .remote = "//s/x/dir" } },
        { { "Z:", "nonsense" }, { .verb = USE_CONNECT, .local = "Z:", .remote = "nonsense" } },
        { { "Z:", "-delete" }, { .verb = USE_CONNECT, .local = "Z:", .remote = "-delete" } }, /* a name, if an odd one */
        { { "*", "//s/x", "*" }, { .verb = USE_CONNECT, .local = "*", .remote = "//s/x", .password = (char *) "*" } },
        { { "Z:", "//s/x", "" }, { .verb = USE_CONNECT, .local = "Z:", .remote = "//s/x", .password = (char *) "" } },
        { { "Z:", "//s/x", "-word" }, { .verb = USE_CONNECT, .local = "Z:", .remote = "//s/x", .password = (char *) "-word" } },
        { { "Z:", "//s/x", "//word" }, { .verb = USE_CONNECT, .local = "Z:", .remote = "//s/x", .password = (char *) "//word" } },
        { { "/USER:dom\\me", "Z:", "/SaveCred", "//s/x", "/PERSISTENT:YES" },
          { .verb = USE_CONNECT, .local = "Z:", .remote = "//s/x", .user = "dom\\me", .persistence = USE_REMEMBER, .save_password = true } },
        { { "Z:", "//s/x", "/u:a:b", "/p:n", "/y" },
          { .verb = USE_CONNECT, .local = "Z:", .remote = "//s/x", .user = "a:b", .persistence = USE_DO_NOT_REMEMBER, .yes = true } },
        { { "Z:", "//s/x", "/s" }, { .verb = USE_CONNECT, .local = "Z:", .remote = "//s/x", .save_password = true } },
        { { "Z:", "/delete" }, { .verb = USE_DELETE, .local = "Z:" } },
        { { "/D", "Z:", "/Y" }, { .verb = USE_DELETE, .local = "Z:", .yes = true } },
        { { "//s/x", "/DELETE", "/yes" }, { .verb = USE_DELETE, .remote = "//s/x", .yes = true } },
        { { "*", "/del" }, { .verb = USE_DELETE_ALL, .local = "*" } },
        { { "/persistent:Yes" }, { .verb = USE_SET_PERSISTENCE, .persistence = USE_REMEMBER } },
        { { "/persistent:nO" }, { .verb = USE_SET_PERSISTENCE, .persistence = USE_DO_NOT_REMEMBER } },
        { { "/?" }, { .verb = USE_HELP } },
        { { "/help" }, { .verb = USE_HELP } },
        { { "Z:", "--help" }, { .verb = USE_HELP, .local = "Z:" } },
};

static const struct {
        const char *words[WORDS_MAX];
        int mistake;
        int at;
} bad[] = {
        { { "/nonsense" }, USE_MISTAKE_OPTION, 1 },
        { { "Z:", "/deleted" }, USE_MISTAKE_OPTION, 2 },
        { { "Z:", "/" }, USE_MISTAKE_OPTION, 2 },
        { { "Z:", "/:yes" }, USE_MISTAKE_OPTION, 2 },
        { { "Z:", "/delete:yes" }, USE_MISTAKE_VALUE, 2 },
        { { "/persistent" }, USE_MISTAKE_VALUE, 1 },
        { { "/persistent:" }, USE_MISTAKE_VALUE, 1 },
        { { "/persistent:maybe" }, USE_MISTAKE_VALUE, 1 },
        { { "Z:", "//s/x", "/user" }, USE_MISTAKE_VALUE, 3 },
        { { "Z:", "//s/x", "/user:" }, USE_MISTAKE_VALUE, 3 },
        { { "Z:", "//s/x", "word", "more" }, USE_MISTAKE_SYNTAX, 4 },
        { { "//s/x", "word", "more" }, USE_MISTAKE_SYNTAX, 0 },
        { { "Z:", "/delete", "/delete" }, USE_MISTAKE_SYNTAX, 3 },
        { { "Z:", "//s/x", "/savecred", "/persistent:no" }, USE_MISTAKE_SYNTAX, 0 },
        { { "/delete" }, USE_MISTAKE_SYNTAX, 0 },
        { { "/delete", "/y" }, USE_MISTAKE_SYNTAX, 0 },
        { { "Z:", "//s/x", "/delete" }, USE_MISTAKE_SYNTAX, 0 },
        { { "Z:", "/delete", "/persistent:yes" }, USE_MISTAKE_SYNTAX, 0 },
        { { "Z:", "/delete", "/user:me" }, USE_MISTAKE_SYNTAX, 0 },
        { { "Z:", "/persistent:yes" }, USE_MISTAKE_SYNTAX, 0 },
        { { "Z:", "/user:me" }, USE_MISTAKE_SYNTAX, 0 },
        { { "*" }, USE_MISTAKE_SYNTAX, 0 },
        { { "/user:me" }, USE_MISTAKE_SYNTAX, 0 },
        { { "/savecred" }, USE_MISTAKE_SYNTAX, 0 },
};

static void assert_text(const char *a, const char *b)
{
        assert_int_equal(!a, !b);
        if (a)
                assert_string_equal(a, b);
}

static void test_good(void **state)
{
        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(good); i++) {
                struct use_request r;
                int at;

                assert_int_equal(parse(good[i].words, &r, &at), 0);
                assert_int_equal(r.verb, good[i].request.verb);
                assert_int_equal(r.persistence, good[i].request.persistence);
                assert_int_equal(r.save_password, good[i].request.save_password);
                assert_int_equal(r.yes, good[i].request.yes);
                assert_text(r.local, good[i].request.local);
                assert_text(r.remote, good[i].request.remote);
                assert_text(r.password, good[i].request.password);
                assert_text(r.user, good[i].request.user);
        }
}

static void test_bad(void **state)
{
        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
                struct use_request r = { .local = "untouched" };
                int at = -1;

                assert_int_equal(parse(bad[i].words, &r, &at), bad[i].mistake);
                assert_int_equal(at, bad[i].at);
                assert_string_equal(r.local, "untouched");
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),
                cmocka_unit_test(test_bad),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
