/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * core/profile.c with any bytes as its file: nothing crashes, a refused file is left as it is, a change that is taken back
 * leaves no trace, a deleted row is gone, and what is read makes sense.
 *
 * The file lies in a folder of this process, in TMPDIR; tests/fuzz/run makes that one in memory, and removes it.
 */

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/name.h"
#include "core/profile.h"
#include "fuzz.h"

static char folder[256], path[280];

static void make_folder(void)
{
        const char *parent = getenv("TMPDIR");

        snprintf(folder, sizeof folder, "%s/profile-XXXXXX", parent ? parent : "/tmp");
        CHECK(mkdtemp(folder));
        snprintf(path, sizeof path, "%s/profile.db", folder);
}

static void write_file(const uint8_t *data, size_t size)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        CHECK(fd >= 0 && write(fd, data, size) == (ssize_t) size);
        close(fd);
}

static bool file_is(const uint8_t *data, size_t size)
{
        _cleanup_free_ uint8_t *now = malloc(size + 1);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n;

        CHECK(now && fd >= 0);
        n = read(fd, now, size + 1);
        close(fd);
        return n == (ssize_t) size && memcmp(now, data, size) == 0;
}

static bool is_answer(int r)
{
        return r == 0 || r == ERROR_BAD_PROFILE || r == ERROR_CANNOT_OPEN_PROFILE;
}

static void check_rows(const struct profile_rows *rows)
{
        CHECK(rows->n_items <= PROFILE_ROWS_MAX);
        for (size_t i = 0; i < rows->n_items; i++) {
                _cleanup_(remote_name_done) struct remote_name remote = { 0 };
                const struct profile_row *row = &rows->items[i];
                struct device_name device;

                CHECK(device_parse(row->device, &device) == 0 && strcmp(device.text, row->device) == 0);
                CHECK(remote_name_parse(row->remote, &remote) == 0);
                CHECK(i == 0 || strcmp(rows->items[i - 1].device, row->device) < 0);
                CHECK((row->secret == PROFILE_SECRET_FILE) == (row->credentials_file != NULL));
        }
}

/* Whether a row of device is there; *ret_answer: that of the load. */
static bool load(const char *device, int *ret_answer)
{
        _cleanup_(profile_rows_done) struct profile_rows rows = { 0 };
        struct wn_error err = { 0 };

        *ret_answer = profile_load(path, &rows, &err);
        CHECK(is_answer(*ret_answer));
        if (*ret_answer != 0) {
                CHECK(rows.n_items == 0 && err.text[0]);
                return false;
        }
        check_rows(&rows);
        for (size_t i = 0; i < rows.n_items; i++)
                if (strcmp(rows.items[i].device, device) == 0)
                        return true;
        return false;
}

/* A change is staged and taken back. */
static void take_back(int r, struct profile_change *change, const uint8_t *data, size_t size)
{
        CHECK(is_answer(r));
        CHECK(r == 0 || !change);
        profile_rollback(change);
        CHECK(file_is(data, size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct profile_row row = { .device = (char *) "Y:", .remote = (char *) "\\\\server\\share", .type = RESOURCETYPE_DISK,
                                   .provider = (char *) "wnet" };
        struct profile_change *change = NULL;
        bool has_row, persistent;
        int loaded, r;

        if (!folder[0])
                make_folder();
        write_file(data, size);
        has_row = load("Z:", &loaded);
        CHECK(is_answer(profile_load_persistence(path, &persistent, NULL)));
        CHECK(file_is(data, size));

        r = profile_stage_delete(path, "Z:", &change, NULL);
        CHECK(loaded != ERROR_BAD_PROFILE || r != 0 || !change);
        take_back(r, change, data, size);
        change = NULL;
        take_back(profile_stage_put(path, &row, &change, NULL), change, data, size);
        change = NULL;
        take_back(profile_stage_persistence(path, false, &change, NULL), change, data, size);

        change = NULL;
        if (has_row && profile_stage_delete(path, "Z:", &change, NULL) == 0) {
                CHECK(change);
                if (profile_commit(change, NULL) == 0)
                        CHECK(!load("Z:", &r) && r == 0);
        }
        return 0;
}
