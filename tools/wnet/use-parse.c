/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/wnet/use-parse.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define POSITIONALS_MAX 3

enum option { OPTION_DELETE, OPTION_PERSISTENT, OPTION_SAVECRED, OPTION_USER, OPTION_YES, OPTION_HELP, OPTION_QUESTION };

static const struct {
        const char *name;
        bool has_value;
} options[] = {
        [OPTION_DELETE] = { "delete", false },     [OPTION_PERSISTENT] = { "persistent", true },
        [OPTION_SAVECRED] = { "savecred", false }, [OPTION_USER] = { "user", true },
        [OPTION_YES] = { "yes", false },           [OPTION_HELP] = { "help", false },
        [OPTION_QUESTION] = { "?", false },
};

#define N_OPTIONS ((int) (sizeof options / sizeof options[0]))

/* What stands on the command line. */
struct words {
        char *positionals[POSITIONALS_MAX];
        int n_positionals;
        bool given[N_OPTIONS];
};

/* The option that text (behind its '/') is, or begins; *ret_value is what follows its ':', NULL: nothing does. -1: none. */
static int find_option(const char *text, const char **ret_value)
{
        size_t n = strcspn(text, ":");

        *ret_value = text[n] == ':' ? text + n + 1 : NULL;
        for (int i = 0; n > 0 && i < N_OPTIONS; i++)
                if (n <= strlen(options[i].name) && strncasecmp(text, options[i].name, n) == 0)
                        return i;
        return -1;
}

static int take_value(int option, const char *value, struct use_request *request)
{
        if (!options[option].has_value)
                return value ? USE_MISTAKE_VALUE : 0;
        if (!value || value[0] == '\0')
                return USE_MISTAKE_VALUE;
        if (option == OPTION_USER)
                request->user = value;
        else if (strcasecmp(value, "yes") == 0 || strcasecmp(value, "y") == 0)
                request->persistence = USE_REMEMBER;
        else if (strcasecmp(value, "no") == 0 || strcasecmp(value, "n") == 0)
                request->persistence = USE_DO_NOT_REMEMBER;
        else
                return USE_MISTAKE_VALUE;
        return 0;
}

/* Sorts the words into options and others. */
static int sort_words(int argc, char **argv, struct words *words, struct use_request *request, int *ret_at)
{
        for (int i = 1; i < argc; i++) {
                bool is_option = (argv[i][0] == '/' && argv[i][1] != '/') || strcmp(argv[i], "--help") == 0;
                const char *value = NULL;
                int option, r;

                *ret_at = i;
                if (!is_option && words->n_positionals == POSITIONALS_MAX)
                        return USE_MISTAKE_SYNTAX;
                if (!is_option) {
                        words->positionals[words->n_positionals++] = argv[i];
                        continue;
                }
                option = argv[i][0] == '-' ? OPTION_HELP : find_option(argv[i] + 1, &value);
                if (option < 0)
                        return USE_MISTAKE_OPTION;
                if (words->given[option])
                        return USE_MISTAKE_SYNTAX;
                words->given[option] = true;
                r = take_value(option, value, request);
                if (r != 0)
                        return r;
        }
        *ret_at = 0;
        return 0;
}

/* A remote name, well formed or not: what is no device. */
static bool is_remote(const char *text)
{
        return text[0] == '\\' || text[0] == '/' || strncasecmp(text, "smb:", 4) == 0;
}

static int sort_positionals(const struct words *words, struct use_request *request)
{
        int n = 0;

        if (n < words->n_positionals && !is_remote(words->positionals[n]))
                request->local = words->positionals[n++];
        if (n < words->n_positionals)
                request->remote = words->positionals[n++];
        if (n < words->n_positionals)
                request->password = words->positionals[n++];
        return n == words->n_positionals ? 0 : USE_MISTAKE_SYNTAX;
}

/* Which form of the command it is, and whether nothing stands there that the form does not have. */
static int find_verb(const struct words *words, struct use_request *request)
{
        bool connecting = request->user || request->save_password || request->password;

        if (words->given[OPTION_HELP] || words->given[OPTION_QUESTION]) {
                request->verb = USE_HELP;
                return 0;
        }
        if (words->given[OPTION_DELETE]) {
                if (words->n_positionals != 1 || connecting || request->persistence != USE_AS_LAST_TIME)
                        return USE_MISTAKE_SYNTAX;
                request->verb = request->local && strcmp(request->local, "*") == 0 ? USE_DELETE_ALL : USE_DELETE;
                return 0;
        }
        if (request->remote) {
                if (request->save_password && request->persistence == USE_DO_NOT_REMEMBER)
                        return USE_MISTAKE_SYNTAX;
                connecting = connecting || request->local || request->persistence != USE_AS_LAST_TIME;
                request->verb = connecting ? USE_CONNECT : USE_OPEN;
                return 0;
        }
        if (connecting || (request->local && (request->persistence != USE_AS_LAST_TIME || strcmp(request->local, "*") == 0)))
                return USE_MISTAKE_SYNTAX;
        request->verb = request->local                               ? USE_SHOW
                        : request->persistence == USE_AS_LAST_TIME ? USE_LIST
                                                                     : USE_SET_PERSISTENCE;
        return 0;
}

int use_parse(int argc, char **argv, struct use_request *ret_request, int *ret_at)
{
        struct use_request request = { 0 };
        struct words words = { 0 };
        int r = sort_words(argc, argv, &words, &request, ret_at);

        if (r != 0)
                return r;
        request.save_password = words.given[OPTION_SAVECRED];
        request.yes = words.given[OPTION_YES];
        r = sort_positionals(&words, &request);
        if (r == 0)
                r = find_verb(&words, &request);
        if (r == 0)
                *ret_request = request;
        return r;
}
