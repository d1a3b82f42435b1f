/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The files that a person writes, wnet.conf and a credentials file, with any text: nothing crashes, what is accepted is
 * within its limits, and what is refused is told and changes nothing.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/conf.h"
#include "core/credentials.h"
#include "core/utf8.h"
#include "fuzz.h"

static void check_conf(const char *text)
{
        struct conf conf, defaults;
        struct wn_error err = { 0 };
        int r;

        conf_init(&conf);
        conf_init(&defaults);
        r = conf_parse(&conf, text, &err);
        CHECK(r == 0 || r == ERROR_INVALID_PARAMETER);
        if (r == 0) {
                CHECK(conf.connect_usec >= 100000 && conf.connect_usec <= 120 * 1000000ULL);
                CHECK(conf.operation_usec >= 100000 && conf.operation_usec <= 600 * 1000000ULL);
        } else {
                CHECK(err.text[0] && utf8_is_clean(err.text, strlen(err.text)));
                CHECK(conf.connect_usec == defaults.connect_usec && conf.operation_usec == defaults.operation_usec);
        }
        conf_done(&conf);
        conf_done(&defaults);
}

static void check_credentials(const uint8_t *data, size_t size)
{
        struct credentials credentials = { 0 };
        struct wn_error err = { 0 };
        int r = credentials_parse((const char *) data, size, &credentials, &err);

        CHECK(r == 0 || r == ERROR_BAD_USERNAME || r == ERROR_INVALID_PARAMETER || r == ERROR_INVALID_PASSWORD);
        CHECK((r == 0) == (credentials.user != NULL));
        if (r == 0)
                CHECK(credentials.user[0] && utf8_is_clean(credentials.user, strlen(credentials.user)));
        else
                CHECK(err.text[0] && utf8_is_clean(err.text, strlen(err.text)));
        credentials_done(&credentials);
}

static void check_user(const char *text)
{
        _cleanup_free_ char *user = NULL, *domain = NULL;
        int r = credentials_split_user(text, &user, &domain);

        CHECK(r == 0 || r == ERROR_BAD_USERNAME);
        CHECK((r == 0) == (user != NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = fuzz_text(data, size);

        if (!text)
                return 0;
        check_conf(text);
        check_credentials(data, size);
        check_user(text);
        return 0;
}
