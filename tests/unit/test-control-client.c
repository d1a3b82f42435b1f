/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The client's side of the control protocol against peers that answer well, answer badly, or do not answer: each peer
 * is a child process at the other end of a socket pair.
 */

#include "unit.h"

#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>

#include "core/cleanup.h"
#include "core/control-client.h"
#include "core/control-protocol.h"
#include "core/control-reply.h"
#include "core/daemon-lock.h"

#define PATIENT_USEC (60 * 1000000ULL)
#define SHORT_USEC 100000ULL

/* Answers a call; a member that it does not know stays unanswered. */
typedef int (*answer_fn)(sd_bus_message *call, const char *member);

struct peer {
        pid_t pid;
        int fd; /* the client's end; -1 once control_open_fd() has taken it */
};

static int on_message(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
        answer_fn *answer = userdata;
        int r;

        (void) ret_error;
        r = (*answer)(call, sd_bus_message_get_member(call));
        return r < 0 ? r : 1;
}

static void serve(int fd, answer_fn answer)
{
        sd_bus *bus = NULL;
        sd_id128_t id;
        int r;

        sd_id128_randomize(&id);
        if (sd_bus_new(&bus) < 0 || sd_bus_set_fd(bus, fd, fd) < 0 || sd_bus_set_server(bus, true, id) < 0 ||
            sd_bus_add_object(bus, NULL, CONTROL_PATH, on_message, &answer) < 0 || sd_bus_start(bus) < 0)
                _exit(1);
        do {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
        } while (r >= 0);
        _exit(0);
}

/* A peer that runs code of its own on the socket, until the client closes it. */
static struct peer peer_raw(void (*run)(int fd))
{
        struct peer peer;
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        peer.fd = fds[0];
        peer.pid = fork();
        assert_true(peer.pid >= 0);
        if (peer.pid == 0) {
                char byte;

                close(fds[0]);
                run(fds[1]);
                while (read(fds[1], &byte, 1) > 0)
                        ;
                _exit(0);
        }
        close(fds[1]);
        return peer;
}

static struct peer peer_bus(answer_fn answer)
{
        struct peer peer;
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        peer.fd = fds[0];
        peer.pid = fork();
        assert_true(peer.pid >= 0);
        if (peer.pid == 0) {
                close(fds[0]);
                serve(fds[1], answer);
        }
        close(fds[1]);
        return peer;
}

static void peer_done(struct peer *peer)
{
        if (peer->fd >= 0)
                close(peer->fd);
        assert_int_equal(waitpid(peer->pid, NULL, 0), peer->pid);
}

static int client_open(struct peer *peer, unsigned flags, uint64_t timeout_usec, struct control_client **ret_client,
                       struct wn_error *err)
{
        return control_open_fd(TAKE_FD(peer->fd), flags, timeout_usec, ret_client, err);
}

/* Runs test with a client that is connected to a peer which answers so. */
static void with_client(answer_fn answer, void (*test)(struct control_client *client))
{
        struct peer peer = peer_bus(answer);
        struct control_client *client = NULL;
        struct wn_error err = { 0 };

        assert_int_equal(client_open(&peer, 0, PATIENT_USEC, &client, &err), 0);
        test(client);
        control_close(client);
        peer_done(&peer);
}

static int answer_version(sd_bus_message *call, const char *member)
{
        return strcmp(member, "GetVersion") == 0
                       ? sd_bus_reply_method_return(call, CONTROL_VERSION_REPLY, "0.0.9", CONTROL_PROTOCOL)
                       : 0;
}

/* A daemon that does everything right; what it was asked for comes back in its answers. */
static int answer_well(sd_bus_message *call, const char *member)
{
        const char *name = NULL, *remote = NULL, *key = NULL, *value = NULL;
        uint64_t wait_usec;
        uint32_t flags;
        int force;

        if (strcmp(member, "Add") == 0) {
                int persistent = 0;

                if (!sd_bus_message_has_signature(call, CONTROL_ADD_ARGS) ||
                    sd_bus_message_read(call, "ssa{sv}", &name, &remote, 3, &key, "s", &value, &key, "s", &value, &key,
                                        "b", &persistent) < 0 ||
                    strcmp(value, "s3cret\xc3\xa4") != 0 || !persistent)
                        return sd_bus_reply_method_errorf(call, "org.wnet.Error.INVALID_PARAMETER", "bad arguments");
                return sd_bus_reply_method_return(call, CONTROL_ADD_REPLY, "Z:", "/home/user/Drives/Z");
        }
        if (strcmp(member, "Cancel") == 0) {
                if (sd_bus_message_read(call, CONTROL_CANCEL_ARGS, &name, &flags, &force, &wait_usec) < 0)
                        return -EINVAL;
                if (strcmp(name, "Y:") == 0)
                        return sd_bus_reply_method_errorf(call, "org.wnet.Error.NOT_CONNECTED", "Y: is not connected");
                if (force)
                        return sd_bus_reply_method_return(call, CONTROL_OUTCOME, "NO_ERROR", "", 0U, "", UINT64_C(0), 0, 1,
                                                          "Z:", "/lost", UINT64_C(4096));
                return sd_bus_reply_method_return(call, CONTROL_OUTCOME, "ERROR_OPEN_FILES", "3 files are open",
                                                  16U, "count", UINT64_C(3), 2, name, "open", 42U, 1000U, "editor", "/a", "rw",
                                                  UINT64_C(1), UINT64_C(2), name, "cwd", 43U, 1001U, "sh", "/", "",
                                                  UINT64_C(0), UINT64_C(0), 0);
        }
        if (strcmp(member, "Restore") == 0) {
                if (!sd_bus_message_has_signature(call, "s") || sd_bus_message_read(call, "s", &name) < 0)
                        return -EINVAL;
                if (strcmp(name, "Y:") == 0)
                        return sd_bus_reply_method_errorf(call, "org.wnet.Error.ALREADY_ASSIGNED", "Y: is there");
                return sd_bus_reply_method_return(call, CONTROL_ADD_REPLY, name, "/home/user/Drives/Z");
        }
        if (strcmp(member, "Shutdown") == 0)
                return sd_bus_reply_method_return(call, CONTROL_OUTCOME, "NO_ERROR", "", 0U, "", UINT64_C(0), 0, 0);
        if (strcmp(member, "List") == 0)
                return sd_bus_reply_method_return(call, CONTROL_LIST_REPLY, 1, "Z:", "\\\\server\\share",
                                                  "reconnecting", "no answer", "me", "/m", UINT64_C(10), UINT64_C(11),
                                                  true, false);
        if (strcmp(member, "Files") == 0)
                return sd_bus_reply_method_return(call, CONTROL_FILES_REPLY, 1, "Z:", "file", "/f", 42U, 1000U, "cat",
                                                  "r", UINT64_C(12), UINT64_C(13), UINT64_C(14));
        if (strcmp(member, "Get") == 0)
                return sd_bus_reply_method_return(call, CONTROL_GET_REPLY, "\\\\server\\share", "unavailable");
        return answer_version(call, member);
}

static void check_good_answers(struct control_client *client)
{
        _cleanup_(control_added_done) struct control_added added = { 0 }, restored = { 0 }, refused = { 0 };
        _cleanup_(control_list_done) struct control_list list = { 0 };
        _cleanup_(control_files_done) struct control_files files = { 0 };
        _cleanup_(control_device_done) struct control_device device = { 0 };
        _cleanup_(secret_done) struct secret password = { 0 };
        struct control_add_request request = { .local = "Z:", .remote = "\\\\server\\share", .user = "me",
                                               .password = &password, .persistent = true };

        assert_string_equal(control_release(client), "0.0.9");
        assert_int_equal(control_protocol(client), CONTROL_PROTOCOL);
        assert_int_equal(secret_set(&password, "s3cret\xc3\xa4"), 0);
        assert_int_equal(control_add(client, &request, &added, NULL), 0);
        assert_string_equal(added.device, "Z:");
        assert_string_equal(added.mountpoint, "/home/user/Drives/Z");

        assert_int_equal(control_restore(client, "Z:", &restored, NULL), 0);
        assert_string_equal(restored.device, "Z:");
        assert_string_equal(restored.mountpoint, "/home/user/Drives/Z");
        assert_int_equal(control_restore(client, "Y:", &refused, NULL), ERROR_ALREADY_ASSIGNED);
        assert_null(refused.reply);

        assert_int_equal(control_list(client, &list, NULL), 0);
        assert_int_equal(list.n_items, 1);
        assert_string_equal(list.items[0].reason, "no answer");
        assert_string_equal(list.items[0].mountpoint, "/m");
        assert_int_equal(list.items[0].since_usec, 10);
        assert_int_equal(list.items[0].next_retry_usec, 11);
        assert_true(list.items[0].persistent);
        assert_false(list.items[0].read_only);

        assert_int_equal(control_files(client, "", &files, NULL), 0);
        assert_int_equal(files.n_items, 1);
        assert_int_equal(files.items[0].pid, 42);
        assert_int_equal(files.items[0].uid, 1000);
        assert_int_equal(files.items[0].read_bytes, 13);
        assert_int_equal(files.items[0].written_bytes, 14);

        assert_int_equal(control_get(client, "Z:", &device, NULL), 0);
        assert_string_equal(device.remote, "\\\\server\\share");
        assert_false(control_state_connected(device.state));
}

static void test_good_answers(void **state)
{
        (void) state;
        with_client(answer_well, check_good_answers);
}

static void check_outcomes(struct control_client *client)
{
        _cleanup_(control_outcome_done) struct control_outcome refused = { 0 }, forced = { 0 }, ended = { 0 }, none = { 0 };
        struct wn_error err = { 0 };

        assert_int_equal(control_cancel(client, "z:", 0, false, 0, &refused, &err), 0);
        assert_int_equal(refused.status, ERROR_OPEN_FILES);
        assert_string_equal(refused.text, "3 files are open");
        assert_int_equal(refused.holders_total, 3);
        assert_int_equal(refused.n_holders, 2);
        assert_string_equal(refused.holders[0].program, "editor");
        assert_int_equal(refused.holders[0].unsent_bytes, 2);
        assert_string_equal(refused.holders[1].kind, "cwd");
        assert_int_equal(refused.n_lost, 0);

        assert_int_equal(control_cancel(client, "//server/share", CONNECT_UPDATE_PROFILE, true, 0, &forced, &err), 0);
        assert_int_equal(forced.status, NO_ERROR);
        assert_int_equal(forced.n_lost, 1);
        assert_string_equal(forced.lost[0].path, "/lost");
        assert_int_equal(forced.lost[0].size_bytes, 4096);

        assert_int_equal(control_cancel(client, "Y:", 0, false, 0, &none, &err), ERROR_NOT_CONNECTED);
        assert_int_equal(err.status, ERROR_NOT_CONNECTED);
        assert_string_equal(err.text, "Y: is not connected");
        assert_null(none.reply);

        assert_int_equal(control_shutdown(client, false, &ended, &err), 0);
        assert_int_equal(ended.status, NO_ERROR);
}

static void test_outcomes(void **state)
{
        (void) state;
        with_client(answer_well, check_outcomes);
}

/* Calls everything, and expects that each call fails inside wnet, leaving its result alone. */
static void check_all_fail(struct control_client *client)
{
        struct control_added added = { 0 };
        struct control_outcome outcome = { 0 };
        struct control_list list = { 0 };
        struct control_files files = { 0 };
        struct control_device device = { 0 };
        struct control_add_request request = { .local = "*", .remote = "//server/share" };
        struct wn_error err = { 0 };

        assert_int_equal(control_add(client, &request, &added, &err), ERROR_EXTENDED_ERROR);
        assert_int_equal(err.status, ERROR_EXTENDED_ERROR);
        assert_true(err.text[0] != '\0');
        assert_int_equal(control_restore(client, "Z:", &added, NULL), ERROR_EXTENDED_ERROR);
        assert_int_equal(control_cancel(client, "Z:", 0, false, 0, &outcome, NULL), ERROR_EXTENDED_ERROR);
        assert_int_equal(control_shutdown(client, true, &outcome, NULL), ERROR_EXTENDED_ERROR);
        assert_int_equal(control_list(client, &list, NULL), ERROR_EXTENDED_ERROR);
        assert_int_equal(control_files(client, "", &files, NULL), ERROR_EXTENDED_ERROR);
        assert_int_equal(control_get(client, "Z:", &device, NULL), ERROR_EXTENDED_ERROR);
        assert_null(added.reply);
        assert_null(outcome.reply);
        assert_null(list.reply);
        assert_null(files.reply);
        assert_null(device.reply);
}

static int answer_unknown_error(sd_bus_message *call, const char *member)
{
        if (strcmp(member, "GetVersion") == 0)
                return answer_version(call, member);
        return sd_bus_reply_method_errorf(call, "org.example.Surprise", "line one\nline two");
}

static int answer_empty(sd_bus_message *call, const char *member)
{
        if (strcmp(member, "GetVersion") == 0)
                return answer_version(call, member);
        return sd_bus_reply_method_return(call, "");
}

static int answer_other_types(sd_bus_message *call, const char *member)
{
        if (strcmp(member, "GetVersion") == 0)
                return answer_version(call, member);
        return sd_bus_reply_method_return(call, "ssu", "Z:", "more than was asked for", 1U);
}

static int answer_other_structs(sd_bus_message *call, const char *member)
{
        if (strcmp(member, "GetVersion") == 0)
                return answer_version(call, member);
        return sd_bus_reply_method_return(call, "a(ss)", 1, "Z:", "\\\\server\\share");
}

static int answer_too_long(sd_bus_message *call, const char *member)
{
        static char text[CONTROL_STRING_MAX_BYTES + 2];

        memset(text, 'x', sizeof text - 1);
        if (strcmp(member, "Add") == 0 || strcmp(member, "Restore") == 0)
                return sd_bus_reply_method_return(call, CONTROL_ADD_REPLY, "Z:", text);
        if (strcmp(member, "Cancel") == 0 || strcmp(member, "Shutdown") == 0)
                return sd_bus_reply_method_return(call, CONTROL_OUTCOME, "NO_ERROR", "", 0U, "", UINT64_C(0), 0, 1, "Z:", text,
                                                  UINT64_C(1));
        if (strcmp(member, "List") == 0)
                return sd_bus_reply_method_return(call, CONTROL_LIST_REPLY, 1, "Z:", "r", "ok", "", "u", text,
                                                  UINT64_C(0), UINT64_C(0), false, false);
        if (strcmp(member, "Files") == 0)
                return sd_bus_reply_method_return(call, CONTROL_FILES_REPLY, 1, "Z:", "file", text, 1U, 1U, "p", "r",
                                                  UINT64_C(0), UINT64_C(0), UINT64_C(0));
        if (strcmp(member, "Get") == 0)
                return sd_bus_reply_method_return(call, CONTROL_GET_REPLY, text, "ok");
        return answer_version(call, member);
}

/* Twelve workers with as many open files as a server lets each have (16,400). */
#define MANY_FILES 200000

static int append_many_files(sd_bus_message *reply)
{
        int r = sd_bus_message_open_container(reply, 'a', "(" CONTROL_FILE ")");

        for (unsigned i = 0; i < MANY_FILES && r >= 0; i++)
                r = sd_bus_message_append(reply, "(" CONTROL_FILE ")", "Z:", "file", "/some folder/and a file of it", i, 1000U, "program", "r",
                                          UINT64_C(1), UINT64_C(2), UINT64_C(3));
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int answer_many_files(sd_bus_message *call, const char *member)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        if (strcmp(member, "Files") != 0)
                return answer_version(call, member);
        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = append_many_files(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static void check_many_files(struct control_client *client)
{
        _cleanup_(control_files_done) struct control_files files = { 0 };
        struct wn_error err = { 0 };

        assert_int_equal(control_files(client, "Z:", &files, &err), 0);
        assert_int_equal(files.n_items, MANY_FILES);
        assert_int_equal(files.items[MANY_FILES - 1].pid, MANY_FILES - 1);
}

static void test_many_files(void **state)
{
        (void) state;
        with_client(answer_many_files, check_many_files);
}

static int answer_and_die(sd_bus_message *call, const char *member)
{
        if (strcmp(member, "GetVersion") != 0)
                _exit(0);
        return answer_version(call, member);
}

static void test_hostile_answers(void **state)
{
        (void) state;
        with_client(answer_unknown_error, check_all_fail);
        with_client(answer_empty, check_all_fail);
        with_client(answer_other_types, check_all_fail);
        with_client(answer_other_structs, check_all_fail);
        with_client(answer_too_long, check_all_fail);
}

static void test_peer_closes_during_call(void **state)
{
        (void) state;
        with_client(answer_and_die, check_all_fail);
}

static void test_silence_during_call(void **state)
{
        struct peer peer = peer_bus(answer_version);
        _cleanup_(control_closep) struct control_client *client = NULL;
        struct control_list list = { 0 };
        struct wn_error err = { 0 };

        (void) state;
        /* The greeting is answered, which a busy machine must not make fail: it is tried for as long as that takes. */
        while (client_open(&peer, 0, SHORT_USEC, &client, &err) != 0) {
                peer_done(&peer);
                peer = peer_bus(answer_version);
        }
        assert_int_equal(control_list(client, &list, &err), ERROR_EXTENDED_ERROR);
        assert_int_equal(err.cause, ETIMEDOUT);
        control_close(TAKE_PTR(client));
        peer_done(&peer);
}

/* Each of these peers goes wrong before there is a client. */
static void run_silent(int fd)
{
        (void) fd;
}

static void run_closing(int fd)
{
        shutdown(fd, SHUT_RDWR);
}

static void run_garbage(int fd)
{
        static const char garbage[] = "HTTP/1.1 400 Bad Request\r\n\r\n";

        (void) !write(fd, garbage, sizeof garbage - 1);
}

static void test_no_greeting(void **state)
{
        void (*const runs[])(int fd) = { run_silent, run_closing, run_garbage };

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(runs); i++) {
                struct peer peer = peer_raw(runs[i]);
                struct control_client *client = NULL;
                struct wn_error err = { 0 };

                assert_int_equal(client_open(&peer, 0, i == 0 ? SHORT_USEC : PATIENT_USEC, &client, &err),
                                 ERROR_EXTENDED_ERROR);
                assert_null(client);
                assert_true(err.text[0] != '\0');
                peer_done(&peer);
        }
}

static int answer_bad_version(sd_bus_message *call, const char *member)
{
        (void) member;
        return sd_bus_reply_method_return(call, "us", CONTROL_PROTOCOL, "0.0.9");
}

static void test_bad_version(void **state)
{
        struct peer peer = peer_bus(answer_bad_version);
        struct control_client *client = NULL;
        struct wn_error err = { 0 };

        (void) state;
        assert_int_equal(client_open(&peer, CONTROL_ANY_PROTOCOL, PATIENT_USEC, &client, &err), ERROR_EXTENDED_ERROR);
        assert_null(client);
        peer_done(&peer);
}

static int answer_newer(sd_bus_message *call, const char *member)
{
        if (strcmp(member, "GetVersion") == 0)
                return sd_bus_reply_method_return(call, CONTROL_VERSION_REPLY, "9.0", CONTROL_PROTOCOL + 1);
        return sd_bus_reply_method_return(call, "sas", "ERROR_OPEN_FILES", 1, "something newer");
}

static void test_other_protocol(void **state)
{
        _cleanup_(control_closep) struct control_client *client = NULL;
        _cleanup_(control_outcome_done) struct control_outcome outcome = { 0 };
        struct peer peer = peer_bus(answer_newer);
        struct wn_error err = { 0 };

        (void) state;
        assert_int_equal(client_open(&peer, 0, PATIENT_USEC, &client, &err), ERROR_EXTENDED_ERROR);
        assert_non_null(strstr(err.text, "9.0"));
        assert_non_null(strstr(err.text, "wnet shutdown"));
        peer_done(&peer);

        peer = peer_bus(answer_newer);
        assert_int_equal(client_open(&peer, CONTROL_ANY_PROTOCOL, PATIENT_USEC, &client, &err), 0);
        assert_int_equal(control_shutdown(client, false, &outcome, &err), 0);
        assert_int_equal(outcome.status, ERROR_OPEN_FILES);
        control_close(TAKE_PTR(client));
        peer_done(&peer);
}

static int answer_unknown_status(sd_bus_message *call, const char *member)
{
        if (strcmp(member, "GetVersion") == 0)
                return answer_version(call, member);
        return sd_bus_reply_method_return(call, CONTROL_OUTCOME, "ERROR_FROM_THE_FUTURE", "text", 0U, "", UINT64_C(0), 0, 0);
}

static void check_unknown_status(struct control_client *client)
{
        _cleanup_(control_outcome_done) struct control_outcome outcome = { 0 };

        assert_int_equal(control_cancel(client, "Z:", 0, false, 0, &outcome, NULL), 0);
        assert_int_equal(outcome.status, ERROR_EXTENDED_ERROR);
        assert_string_equal(outcome.text, "text");
}

static void test_unknown_status(void **state)
{
        (void) state;
        with_client(answer_unknown_status, check_unknown_status);
}

static void check_bad_arguments(struct control_client *client)
{
        _cleanup_(secret_done) struct secret password = { 0 };
        struct control_add_request request = { .local = "Z:", .remote = "//server/share" };
        struct control_added added = { 0 };
        struct control_device device = { 0 };
        struct control_files files = { 0 };

        request.local = "\xff:";
        assert_int_equal(control_add(client, &request, &added, NULL), ERROR_BAD_DEVICE);
        request.local = "Z:";
        request.remote = "//server/\xc3";
        assert_int_equal(control_add(client, &request, &added, NULL), ERROR_BAD_NET_NAME);
        request.remote = "//server/share";
        request.user = "\xed\xa0\x80";
        assert_int_equal(control_add(client, &request, &added, NULL), ERROR_BAD_USERNAME);
        request.user = NULL;
        request.credentials = "/\xff";
        assert_int_equal(control_add(client, &request, &added, NULL), ERROR_INVALID_PARAMETER);
        request.credentials = NULL;
        assert_int_equal(secret_set(&password, "\x80"), 0);
        request.password = &password;
        assert_int_equal(control_add(client, &request, &added, NULL), ERROR_INVALID_PASSWORD);
        assert_int_equal(control_restore(client, "\xff:", &added, NULL), ERROR_BAD_DEVICE);
        assert_int_equal(control_get(client, "\xff:", &device, NULL), ERROR_BAD_DEVICE);
        assert_int_equal(control_files(client, "\xff:", &files, NULL), ERROR_NOT_CONNECTED);
        check_good_answers(client); /* the connection has not suffered */
}

static void test_bad_arguments(void **state)
{
        (void) state;
        with_client(answer_well, check_bad_arguments);
}

static void test_check_cancel(void **state)
{
        static const char *const malformed[] = { NULL, "",           "Z",        "Z:\\", "1:",
                                                 "*",  "/home/user", "//server", "\\\\", "\xff:" };
        static const char *const good[] = { "z:", "Z:", "lpt1", "LPT1:", "//server/share", "\\\\server\\share\\",
                                            "smb://server/share" };

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(malformed); i++) {
                assert_int_equal(control_check_cancel(malformed[i], 0, NULL), ERROR_NOT_CONNECTED);
                assert_int_equal(control_check_cancel(malformed[i], CONNECT_UPDATE_PROFILE, NULL), ERROR_NOT_CONNECTED);
                assert_int_equal(control_check_cancel(malformed[i], 2, NULL), ERROR_INVALID_PARAMETER);
        }
        for (size_t i = 0; i < N_ELEMENTS(good); i++) {
                assert_int_equal(control_check_cancel(good[i], CONNECT_UPDATE_PROFILE, NULL), 0);
                assert_int_equal(control_check_cancel(good[i], 0x80000001, NULL), ERROR_INVALID_PARAMETER);
        }
}

static void test_not_running(void **state)
{
        struct control_client *client = NULL;
        struct wn_error err = { 0 };
        char text[32];
        int fd;

        assert_int_equal(setenv("XDG_RUNTIME_DIR", *state, true), 0);
        assert_int_equal(setenv("XDG_CONFIG_HOME", *state, true), 0);
        assert_int_equal(control_open(0, PATIENT_USEC, &client, &err), -ESRCH);
        assert_int_equal(control_open(CONTROL_ANY_PROTOCOL, PATIENT_USEC, &client, NULL), -ESRCH);

        /* One runs that does not answer here. */
        assert_int_equal(mkdir(in_folder(state, "wnet"), 0700), 0);
        fd = open(in_folder(state, "wnet/wnetd.lock"), O_RDWR | O_CREAT, 0600);
        assert_int_equal(flock(fd, LOCK_EX), 0);
        assert_int_equal(prctl(PR_SET_NAME, "wnetd"), 0); /* what is looked for */
        daemon_lock_tell(fd, getpid(), "/elsewhere/control");
        assert_int_equal(control_open(0, PATIENT_USEC, &client, &err), ERROR_EXTENDED_ERROR);
        snprintf(text, sizeof text, "wnetd (process %d) runs", (int) getpid());
        assert_non_null(strstr(err.text, text));
        close(fd);
        assert_int_equal(control_open(0, PATIENT_USEC, &client, &err), -ESRCH);
        assert_null(client);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good_answers),
                cmocka_unit_test(test_outcomes),
                cmocka_unit_test(test_hostile_answers),
                cmocka_unit_test(test_many_files),
                cmocka_unit_test(test_peer_closes_during_call),
                cmocka_unit_test(test_silence_during_call),
                cmocka_unit_test(test_no_greeting),
                cmocka_unit_test(test_bad_version),
                cmocka_unit_test(test_other_protocol),
                cmocka_unit_test(test_unknown_status),
                cmocka_unit_test(test_bad_arguments),
                cmocka_unit_test(test_check_cancel),
                cmocka_unit_test_setup_teardown(test_not_running, make_folder, remove_folder),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
