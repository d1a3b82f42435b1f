/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Calls libwnet as a program written for Windows would, and prints what came back: one JSON object a call.
 *
 *   libwnet-probe CALL ARGUMENT... [-- CALL ARGUMENT...]...
 *
 * A text is NULL, @stdin (the next line of standard input) or itself, where %XX is a byte of the narrow form and
 * %uXXXX a code unit of the wide one. A buffer is N (of N characters or bytes, its size passed), NULL (neither buffer nor size),
 * NULL:N (no buffer, size N) or N:NULL (no size). The same source is built narrow, wide (UNICODE), and, as far as the
 * syntax, against Windows' own headers.
 */

#ifdef _WIN32
#include <windows.h>
#include <winnetwk.h>
#else
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wnet/wnet.h>
#endif

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX 9
#define LINE_MAX_BYTES 70000
#define UNTOUCHED 0xa5

static char **arguments; /* of the call; always ARGUMENTS_MAX, "NULL" where not given */
static void *texts[ARGUMENTS_MAX]; /* of the call */
static int n_texts;
static HANDLE enumeration;
static int n_printed;

/* ---- texts ---- */

static unsigned hex(const char **p, int digits)
{
        char text[5] = "";

        memcpy(text, *p, (size_t) digits);
        *p += digits;
        return (unsigned) strtoul(text, NULL, 16);
}

/* Decodes a valid UTF-8 character. */
static unsigned long code_point(const char **p)
{
        unsigned char first = (unsigned char) *(*p)++;
        int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
        unsigned long c = more ? first & (0x3fu >> more) : first;

        for (; more > 0; more--)
                c = c << 6 | ((unsigned char) *(*p)++ & 0x3f);
        return c;
}

/* An argument as the form that is built takes it. It lives as long as the call. */
static LPTSTR text(int n)
{
        const char *p = arguments[n];
        static char line[LINE_MAX_BYTES];
        TCHAR *result, *out;

        if (strcmp(p, "NULL") == 0)
                return NULL;
        if (strcmp(p, "@stdin") == 0) {
                if (!fgets(line, sizeof line, stdin))
                        exit(3);
                line[strcspn(line, "\n")] = '\0';
                p = line;
        }
        result = out = calloc(2 * strlen(p) + 1, sizeof *result);
        if (!result || n_texts == ARGUMENTS_MAX)
                exit(3);
        texts[n_texts++] = result;
        while (*p) {
                if (*p == '%') {
                        p++;
                        if (*p == 'u')
                                p++;
                        *out++ = (TCHAR) hex(&p, p[-1] == 'u' ? 4 : 2);
                } else if (sizeof(TCHAR) == 1) {
                        *out++ = (TCHAR) *p++;
                } else {
                        unsigned long c = code_point(&p);

                        if (c > 0xffff) {
                                *out++ = (TCHAR) (0xd800 + ((c - 0x10000) >> 10));
                                c = 0xdc00 + ((c - 0x10000) & 0x3ff);
                        }
                        *out++ = (TCHAR) c;
                }
        }
        return result;
}

static DWORD number(int n)
{
        return (DWORD) strtoul(arguments[n], NULL, 0);
}

/* ---- output ---- */

static void key(const char *name)
{
        printf("%s\"%s\": ", n_printed++ ? ", " : "", name);
}

static void print_number(const char *name, unsigned long value)
{
        key(name);
        printf("%lu", value);
}

static void put_unit(unsigned long c)
{
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
                putchar((int) c);
        else
                printf("\\u%04lx", c);
}

/* JSON's own escapes are UTF-16; UTF-8 goes out as it is. */
static void print_text(const char *name, const TCHAR *value)
{
        key(name);
        if (!value) {
                fputs("null", stdout);
                return;
        }
        putchar('"');
        for (; *value; value++) {
                unsigned long c = sizeof(TCHAR) == 1 ? (unsigned char) *value : (unsigned long) *value;

                if (sizeof(TCHAR) == 1 && c >= 0x80)
                        putchar((int) c);
                else
                        put_unit(c);
        }
        putchar('"');
}

/* ---- buffers ---- */

struct buffer {
        void *bytes; /* NULL: none */
        size_t size_bytes;
        DWORD size; /* as passed and as it came back */
        LPDWORD size_pointer;
};

/* unit_bytes: what the size counts. */
static struct buffer buffer(int n, size_t unit_bytes)
{
        struct buffer b = { 0 };
        const char *colon = strchr(arguments[n], ':');

        b.size = (DWORD) strtoul(colon && strncmp(arguments[n], "NULL", 4) == 0 ? colon + 1 : arguments[n], NULL, 0);
        if (strncmp(arguments[n], "NULL", 4) != 0) {
                b.size_bytes = b.size * unit_bytes;
                b.bytes = malloc(b.size_bytes ? b.size_bytes : 1);
                if (!b.bytes)
                        exit(3);
                memset(b.bytes, UNTOUCHED, b.size_bytes);
        }
        return b;
}

/* After the copy of the struct is where it stays. */
static void point(struct buffer *b, int n)
{
        b->size_pointer = strcmp(arguments[n], "NULL") == 0 || strstr(arguments[n], ":NULL") ? NULL : &b->size;
}

static void print_buffer(const struct buffer *b)
{
        unsigned long touched = 0;

        for (size_t i = 0; b->bytes && i < b->size_bytes; i++)
                touched |= ((unsigned char *) b->bytes)[i] != UNTOUCHED;
        print_number("touched", touched);
        if (b->size_pointer)
                print_number("size", b->size);
        free(b->bytes);
}

/* ---- calls ---- */

static LPNETRESOURCE resource(void)
{
        static NETRESOURCE r;

        if (strcmp(arguments[0], "NULL") == 0)
                return NULL;
        memset(&r, 0xff, sizeof r); /* what does not count is not looked at */
        r.dwType = number(0);
        r.lpLocalName = text(1);
        r.lpRemoteName = text(2);
        r.lpProvider = text(3);
        return &r;
}

static DWORD call_add(void)
{
        LPTSTR remote = text(0), password = text(1), local = text(2);

        return WNetAddConnection(remote, password, local);
}

static DWORD call_add2(void)
{
        LPTSTR password = text(4), user = text(5);

        return WNetAddConnection2(resource(), password, user, number(6));
}

static DWORD call_add3(void)
{
        LPTSTR password = text(4), user = text(5);

        return WNetAddConnection3(NULL, resource(), password, user, number(6));
}

static DWORD call_use(void)
{
        LPTSTR password = text(4), user = text(5);
        struct buffer b = buffer(7, sizeof(TCHAR));
        DWORD result = 77, code;
        LPDWORD result_pointer = strcmp(arguments[8], "no-result") == 0 ? NULL : &result;

        point(&b, 7);
        code = WNetUseConnection(NULL, resource(), password, user, number(6), b.bytes, b.size_pointer, result_pointer);
        print_number("result", result);
        if (code == NO_ERROR)
                print_text("name", b.bytes);
        print_buffer(&b);
        return code;
}

static DWORD call_cancel(void)
{
        return WNetCancelConnection(text(0), (BOOL) number(1));
}

static DWORD call_cancel2(void)
{
        return WNetCancelConnection2(text(0), number(1), (BOOL) number(2));
}

static DWORD call_restore(void)
{
        return WNetRestoreConnection(NULL, text(0));
}

static DWORD call_get(void)
{
        struct buffer b = buffer(1, sizeof(TCHAR));
        DWORD code;

        point(&b, 1);
        code = WNetGetConnection(text(0), b.bytes, b.size_pointer);
        if (code == NO_ERROR || code == ERROR_CONNECTION_UNAVAIL)
                print_text("name", b.bytes);
        print_buffer(&b);
        return code;
}

static DWORD call_user(void)
{
        struct buffer b = buffer(1, sizeof(TCHAR));
        DWORD code;

        point(&b, 1);
        code = WNetGetUser(text(0), b.bytes, b.size_pointer);
        if (code == NO_ERROR)
                print_text("name", b.bytes);
        print_buffer(&b);
        return code;
}

static DWORD call_universal(void)
{
        struct buffer b = buffer(2, 1);
        LPREMOTE_NAME_INFO info = b.bytes;
        DWORD code;

        point(&b, 2);
        code = WNetGetUniversalName(text(0), number(1), b.bytes, b.size_pointer);
        if (code == NO_ERROR) {
                print_text("name", info->lpUniversalName);
                if (number(1) == REMOTE_NAME_INFO_LEVEL) {
                        print_text("connection", info->lpConnectionName);
                        print_text("rest", info->lpRemainingPath);
                }
        }
        print_buffer(&b);
        return code;
}

/* open SCOPE TYPE [no-handle | REMOTE [the resource's USAGE [USAGE [PROVIDER]]]] */
static DWORD call_open(void)
{
        NETRESOURCE given;
        int no_handle = strcmp(arguments[2], "no-handle") == 0;

        memset(&given, 0xff, sizeof given); /* what does not count is not looked at */
        given.lpRemoteName = text(2);
        given.dwUsage = number(3);
        given.lpProvider = text(5);
        return WNetOpenEnum(number(0), number(1), number(4), no_handle || strcmp(arguments[2], "NULL") == 0 ? NULL : &given,
                            no_handle ? NULL : &enumeration);
}

/* next COUNT BUFFER; the count may be NULL */
static DWORD call_next(void)
{
        struct buffer b = buffer(1, 1);
        const NETRESOURCE *entries = b.bytes;
        DWORD count = number(0), code;

        point(&b, 1);
        code = WNetEnumResource(enumeration, strcmp(arguments[0], "NULL") == 0 ? NULL : &count, b.bytes,
                                b.size_pointer);
        print_number("count", count);
        key("entries");
        putchar('[');
        for (DWORD i = 0; code == NO_ERROR && i < count; i++) {
                fputs(i ? ", {" : "{", stdout);
                n_printed = 0;
                print_number("scope", entries[i].dwScope);
                print_number("type", entries[i].dwType);
                print_number("display", entries[i].dwDisplayType);
                print_number("usage", entries[i].dwUsage);
                print_text("local", entries[i].lpLocalName);
                print_text("remote", entries[i].lpRemoteName);
                print_text("comment", entries[i].lpComment);
                print_text("provider", entries[i].lpProvider);
                putchar('}');
        }
        putchar(']');
        n_printed = 1;
        print_buffer(&b);
        return code;
}

static DWORD call_close(void)
{
        return WNetCloseEnum(enumeration);
}

/* handle N: what next and close use from here on */
static DWORD call_handle(void)
{
        enumeration = (HANDLE) (uintptr_t) strtoull(arguments[0], NULL, 0);
        SetLastError(NO_ERROR);
        return NO_ERROR;
}

/* error TEXT-BUFFER NAME-BUFFER [no-code] */
static DWORD call_error(void)
{
        struct buffer line = buffer(0, sizeof(TCHAR)), name = buffer(1, sizeof(TCHAR));
        DWORD error = 77, code;

        code = WNetGetLastError(strcmp(arguments[2], "no-code") == 0 ? NULL : &error, line.bytes, line.size, name.bytes,
                                name.size);
        print_number("error", error);
        if (code == NO_ERROR && line.size > 0 && name.size > 0) {
                print_text("text", line.bytes);
                print_text("provider", name.bytes);
        }
        free(line.bytes);
        print_buffer(&name);
        return code;
}

/* wait: until a line comes */
static DWORD call_wait(void)
{
        if (getchar() == EOF)
                exit(3);
        SetLastError(NO_ERROR);
        return NO_ERROR;
}

#ifndef _WIN32
#define THREADS 8
#define ROUNDS 25

/* Calls that fail, each with its own code, and one that succeeds. Returns NULL, or where an answer was another one's. */
static void *ask(void *userdata)
{
        static const TCHAR connected[] = { 'Z', ':', 0 }, other[] = { 'Y', ':', 0 }, malformed[] = { 'Z', 0 };
        DWORD wanted[] = { NO_ERROR, ERROR_NOT_CONNECTED, ERROR_BAD_DEVICE, ERROR_NOT_CONNECTED };

        for (int i = 0; i < ROUNDS; i++) {
                TCHAR name[300], text_of[600], provider[8];
                DWORD size = 300, error, codes[4];

                codes[0] = WNetGetConnection(connected, name, &size);
                codes[1] = WNetGetConnection(other, name, &size);
                codes[2] = WNetRestoreConnection(NULL, malformed);
                codes[3] = WNetCancelConnection2(other, 0, TRUE);
                if (memcmp(codes, wanted, sizeof codes) != 0 || GetLastError() != wanted[3] ||
                    WNetGetLastError(&error, text_of, 600, provider, 8) != NO_ERROR || error != wanted[3])
                        return userdata;
        }
        return NULL;
}

static unsigned long ask_in_children(void)
{
        unsigned long wrong = 0;

        fflush(stdout); /* lest each child prints it, too: under ThreadSanitizer, _exit() does */
        for (int i = 0; i < THREADS; i++) {
                pid_t pid = fork();
                int status = 1;

                if (pid == 0)
                        _exit(ask(&enumeration) ? 1 : 0);
                wrong += pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
        }
        return wrong;
}

/* AddressSanitizer's allocator does not survive a fork beside other threads: there, the children come first. */
#ifdef __SANITIZE_ADDRESS__
#define FORK_BESIDE_THREADS 0
#else
#define FORK_BESIDE_THREADS 1
#endif

/* threads: what Z: is connected to is asked for in many threads, and in children that are forked meanwhile */
static DWORD call_threads(void)
{
        pthread_t threads[THREADS];
        unsigned long wrong = FORK_BESIDE_THREADS ? 0 : ask_in_children();

        for (int i = 0; i < THREADS; i++)
                if (pthread_create(&threads[i], NULL, ask, &enumeration) != 0)
                        exit(3);
        if (FORK_BESIDE_THREADS)
                wrong += ask_in_children();
        for (int i = 0; i < THREADS; i++) {
                void *result;

                pthread_join(threads[i], &result);
                wrong += result != NULL;
        }
        print_number("wrong", wrong);
        SetLastError(NO_ERROR);
        return NO_ERROR;
}

/* What the threads of a stress share: none of them changes it. */
struct stress {
        LPTSTR remote, password, user;
        int may_break; /* the daemon is killed meanwhile: any call may fail, and what was connected be gone */
        unsigned rounds;
};

struct stresser {
        const struct stress *stress;
        TCHAR device[3]; /* nobody else's */
        unsigned long wrong, broken;
};

/* Whether code is one that the call may answer, and the thread has errors to tell of it: the code, or what is behind it. */
static void expect(struct stresser *s, DWORD code, DWORD wanted)
{
        TCHAR text_of[600], provider[8];
        DWORD last = GetLastError(), error;

        s->wrong += last != code;
        if (code != NO_ERROR)
                s->wrong += WNetGetLastError(&error, text_of, 600, provider, 8) != NO_ERROR || error == NO_ERROR || !text_of[0];
        if (code == wanted)
                return;
        if (s->stress->may_break)
                s->broken++;
        else
                s->wrong++;
}

/* Whether device is in the list of what is connected, once. */
static void expect_listed(struct stresser *s)
{
        NETRESOURCE entries[64];
        HANDLE list;
        DWORD count, size, code, found = 0;

        code = WNetOpenEnum(RESOURCE_CONNECTED, RESOURCETYPE_ANY, 0, NULL, &list);
        expect(s, code, NO_ERROR);
        if (code != NO_ERROR)
                return;
        for (;;) {
                count = (DWORD) -1;
                size = sizeof entries;
                code = WNetEnumResource(list, &count, entries, &size);
                if (code != NO_ERROR)
                        break;
                for (DWORD i = 0; i < count; i++)
                        found += entries[i].lpLocalName && entries[i].lpLocalName[0] == s->device[0];
        }
        s->wrong += code != ERROR_NO_MORE_ITEMS || WNetCloseEnum(list) != NO_ERROR ||
                    WNetCloseEnum(list) != ERROR_INVALID_HANDLE || (found != 1 && !s->stress->may_break);
}

static void *stress(void *userdata)
{
        struct stresser *s = userdata;
        const struct stress *shared = s->stress;

        for (unsigned i = 0; i < shared->rounds; i++) {
                NETRESOURCE r = { .dwType = RESOURCETYPE_DISK, .lpLocalName = s->device, .lpRemoteName = shared->remote };
                TCHAR name[600];
                DWORD size = 600;

                expect(s, WNetAddConnection2(&r, shared->password, shared->user, 0), NO_ERROR);
                expect(s, WNetGetConnection(s->device, name, &size), NO_ERROR);
                expect_listed(s);
                expect(s, WNetCancelConnection2(s->device, 0, FALSE), NO_ERROR);
                expect(s, WNetGetConnection(s->device, name, &size), ERROR_NOT_CONNECTED);
                expect(s, WNetCancelConnection2(s->device, 0, TRUE), ERROR_NOT_CONNECTED);
        }
        return NULL;
}

/* stress REMOTE PASSWORD USER ROUNDS [breaks]: threads that connect, ask and disconnect, each a device of its own */
static DWORD call_stress(void)
{
        struct stress shared = { text(0), text(1), text(2), strcmp(arguments[4], "breaks") == 0, number(3) };
        struct stresser stressers[THREADS];
        pthread_t threads[THREADS];
        unsigned long wrong = 0, broken = 0;

        for (int i = 0; i < THREADS; i++) {
                stressers[i] = (struct stresser) { &shared, { (TCHAR) ('A' + i), ':', 0 }, 0, 0 };
                if (pthread_create(&threads[i], NULL, stress, &stressers[i]) != 0)
                        exit(3);
        }
        for (int i = 0; i < THREADS; i++) {
                pthread_join(threads[i], NULL);
                wrong += stressers[i].wrong;
                broken += stressers[i].broken;
        }
        print_number("wrong", wrong);
        print_number("broken", broken);
        SetLastError(NO_ERROR);
        return NO_ERROR;
}
#endif

static const struct {
        const char *name;
        DWORD (*call)(void);
} calls[] = {
        { "add", call_add },         { "add2", call_add2 },       { "add3", call_add3 },
        { "use", call_use },         { "cancel", call_cancel },   { "cancel2", call_cancel2 },
        { "restore", call_restore }, { "get", call_get },         { "user", call_user },
        { "open", call_open },       { "next", call_next },       { "close", call_close },
        { "handle", call_handle },   { "error", call_error },     { "wait", call_wait },
        { "universal", call_universal },
#ifndef _WIN32
        { "threads", call_threads }, { "stress", call_stress },
#endif
};

static int run(const char *name)
{
        DWORD code;

        for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
                if (strcmp(calls[i].name, name) != 0)
                        continue;
                SetLastError(4711);
                putchar('{');
                n_printed = 0;
                code = calls[i].call();
                print_number("code", code);
                print_number("last", GetLastError());
                puts("}");
                fflush(stdout);
                while (n_texts > 0)
                        free(texts[--n_texts]);
                return 0;
        }
        fprintf(stderr, "there is no call %s\n", name);
        return 2;
}

int main(int argc, char **argv)
{
        for (int i = 1, r; i < argc; i++) {
                char *given[ARGUMENTS_MAX];
                const char *name = argv[i];
                int n = 0;

                for (int j = 0; j < ARGUMENTS_MAX; j++)
                        given[j] = (char *) "NULL";
                while (++i < argc && strcmp(argv[i], "--") != 0)
                        if (n < ARGUMENTS_MAX)
                                given[n++] = argv[i];
                arguments = given;
                r = run(name);
                if (r != 0)
                        return r;
        }
        return 0;
}
