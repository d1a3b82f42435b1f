/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/wnet/use-text.h"

#include <stdbool.h>
#include <stdarg.h>
#include <string.h>

#include "tools/wnet/commands.h"
#include "tools/wnet/output.h"

#define EXIT_FAILED 2

/* Codes of the LAN Manager's own, which are told in another form. */
#define NERR_FIRST 2100
#define NERR_LAST 2999

/* Windows' own messages. */
static const struct {
        int status;
        bool with_detail; /* the message alone does not help: our own text follows */
        const char *message;
} messages[] = {
        { ERROR_ACCESS_DENIED, false, "Access is denied." },
        { ERROR_BAD_NETPATH, false, "The network path was not found." },
        { ERROR_BAD_DEV_TYPE, false, "The network resource type is not correct." },
        { ERROR_BAD_NET_NAME, false, "The network name cannot be found." },
        { ERROR_ALREADY_ASSIGNED, false, "The local device name is already in use." },
        { ERROR_INVALID_PASSWORD, false, "The specified network password is not correct." },
        { ERROR_INVALID_PARAMETER, true, "The parameter is incorrect." },
        { ERROR_BUSY, false, "The requested resource is in use." },
        { ERROR_BAD_DEVICE, false, "The specified device name is invalid." },
        { ERROR_CONNECTION_UNAVAIL, false, "The device is not currently connected but it is a remembered connection." },
        { ERROR_DEVICE_ALREADY_REMEMBERED, false,
          "The local device name has a remembered connection to another network resource." },
        { ERROR_NO_NET_OR_BAD_PATH, false,
          "The network path was either typed incorrectly, does not exist, or the network provider is not currently available." },
        { ERROR_CANNOT_OPEN_PROFILE, true, "Unable to open the network connection profile." },
        { ERROR_BAD_PROFILE, true, "The network connection profile is corrupted." },
        { ERROR_EXTENDED_ERROR, true, "An extended error has occurred." },
        { ERROR_SESSION_CREDENTIAL_CONFLICT, true,
          "Multiple connections to a server or shared resource by the same user, using more than one user name, are not allowed." },
        { ERROR_NO_NETWORK, false, "The network is not present or not started." },
        { ERROR_CANCELLED, false, "The operation was canceled by the user." },
        { ERROR_LOGON_FAILURE, false, "The user name or password is incorrect." },
        { ERROR_BAD_USERNAME, false, "The specified username is invalid." },
        { ERROR_NOT_CONNECTED, false, "The network connection could not be found." },
        { ERROR_OPEN_FILES, false, "This network connection has files open or requests pending." },
        { ERROR_DEVICE_IN_USE, false, "The device is in use by an active process and cannot be disconnected." },
};

static const struct {
        const char *state, *word;
} status_words[] = {
        { "ok", "OK" },
        { "cancelling", "Paused" }, /* opens wait until it is decided */
        { "reconnecting", "Reconnecting" },
        { "connecting", "Connecting" },
        { "unavailable", "Unavailable" },
};

const char *use_status_word(const char *state)
{
        for (size_t i = 0; i < sizeof status_words / sizeof status_words[0]; i++)
                if (strcmp(status_words[i].state, state) == 0)
                        return status_words[i].word;
        return "Network error";
}

void use_paragraph(FILE *f, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list arguments;
        int n;

        va_start(arguments, format);
        n = vasprintf(&text, format, arguments);
        va_end(arguments);
        output_line(f, "%s", n < 0 ? "" : text);
        fputc('\n', f);
}

int use_print_error(const struct wn_error *err)
{
        return use_print_error_with(err, NULL);
}

int use_print_error_with(const struct wn_error *err, const char *detail)
{
        const char *message = status_message(err->status), *text = err->text;

        for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
                if (messages[i].status == err->status) {
                        message = messages[i].message;
                        text = messages[i].with_detail ? err->text : "";
                }
        if (!detail)
                detail = text;
        fflush(stdout); /* what was printed before is read before */
        if (err->status >= NERR_FIRST && err->status <= NERR_LAST)
                output_line(stderr, "%s", message);
        else
                fprintf(stderr, "System error %d has occurred.\n\n%s\n", err->status, message);
        if (detail[0] != '\0')
                output_line(stderr, "(%s)", detail);
        if (err->status >= NERR_FIRST && err->status <= NERR_LAST)
                fprintf(stderr, "\nMore help is available by typing NET HELPMSG %d.\n", err->status);
        fputc('\n', stderr);
        return EXIT_FAILED;
}

const char *use_remote_hint(const char *text)
{
        return command_remote_hint(text, "the user is given with /user");
}

int use_print_done(void)
{
        puts(USE_TEXT_DONE "\n");
        return 0;
}
