/* SPDX-License-Identifier: GPL-3.0-or-later */

/* core/profile-change.c, core/profile-create.c: locks of others and of our own, crashes at every moment, and too little space. */

#include "profile-driver.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

static int expect_locked(void **state)
{
        return answers(in_folder(state, "profile.db"), -EBUSY, -EBUSY, -EBUSY);
}

static int expect_readable(void **state)
{
        return answers(in_folder(state, "profile.db"), 0, -EBUSY, -EBUSY);
}

static void locked(void **state)
{
        const char *path = make_profile(state);
        sqlite3 *db = NULL;

        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT * FROM device", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(in_child(expect_readable, state, false), 0);
        assert_int_equal(sqlite3_exec(db, "COMMIT; BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(in_child(expect_locked, state, false), 0);
        sqlite3_close(db);
        assert_int_equal(count_rows(path), 2);
}

/* A load or a second change in the process that staged one is refused, and leaves the lock where it is. */
static void staged_is_locked(void **state)
{
        const char *path = make_profile(state);
        struct profile_change *change = NULL;
        struct bytes before, now;

        read_bytes(path, &before);
        assert_int_equal(profile_stage_delete(path, "Z:", &change, NULL), 0);
        assert_int_equal(answers(path, -EBUSY, -EBUSY, -EBUSY), 0);
        assert_int_equal(in_child(expect_locked, state, false), 0);
        assert_int_equal(answers(path, -EBUSY, -EBUSY, -EBUSY), 0);
        assert_int_equal(in_child(expect_locked, state, false), 0);
        assert_int_equal(profile_commit(change, NULL), 0);
        assert_int_equal(count_rows(path), 1);

        read_bytes(path, &now);
        assert_true(memcmp(now.data, before.data, now.size_bytes) != 0);
}

static int stage_and_die(void **state)
{
        struct profile_change *change = NULL;

        CHECK(profile_stage_delete(in_folder(state, "profile.db"), "Z:", &change, NULL) == 0);
        CHECK(change);
        kill(getpid(), SIGKILL);
        return 1;
}

static int load_read_only(void **state)
{
        const char *path = in_folder(state, "profile.db");
        int r;

        CHECK(chmod(path, 0400) == 0 && chmod(*state, 0500) == 0);
        r = answers(path, CANNOT, CANNOT, CANNOT);
        CHECK(chmod(*state, 0700) == 0 && chmod(path, 0600) == 0);
        return r;
}

/* Killed between staging and commit: the row's pages are in the file already, the journal takes them back. */
static void crash(void **state)
{
        const char *path = make_profile(state), *journal = in_folder(state, "profile.db-journal");
        struct bytes before, after;

        read_bytes(path, &before);
        assert_int_equal(in_child(stage_and_die, state, true), 1000 + SIGKILL);
        assert_int_equal(access(journal, F_OK), 0);
        read_bytes(path, &after);
        assert_true(memcmp(after.data, before.data, before.size_bytes) != 0);

        /* Who may only read cannot take them back, and must not believe the file. */
        assert_int_equal(in_child(load_read_only, state, true), 0);

        assert_int_equal(count_rows(path), 2);
        assert_file_is(path, &before);
        assert_int_equal(access(journal, F_OK), -1);
}

static int create_and_die(void **state)
{
        struct profile_change *change = NULL;
        struct profile_row row = row_z();

        CHECK(profile_stage_put(in_folder(state, "profile.db"), &row, &change, NULL) == 0);
        kill(getpid(), SIGKILL);
        return 1;
}

static void crash_of_created(void **state)
{
        const char *path = in_folder(state, "profile.db");
        struct profile_row row = row_lpt();

        assert_int_equal(in_child(create_and_die, state, false), 1000 + SIGKILL);
        assert_int_equal(count_rows(path), 0);
        assert_int_equal(count_entries(*state), 1);
        assert_int_equal(put(path, &row), 0);
        assert_int_equal(count_rows(path), 1);
}

/* Somebody removes the profile but not its journal: that is not rolled back into the next profile. */
static void orphaned_journal(void **state)
{
        const char *path = make_profile(state);
        struct profile_row row = row_lpt();

        assert_int_equal(in_child(stage_and_die, state, false), 1000 + SIGKILL);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(access(in_folder(state, "profile.db-journal"), F_OK), 0);
        assert_int_equal(put(path, &row), 0);
        assert_int_equal(count_rows(path), 1);
        assert_int_equal(count_entries(*state), 1);
}

/* With whatever space there is: staging answers ERROR_CANNOT_OPEN_PROFILE and nothing has changed, or the commit
 * succeeds. */
static int change_in_little_space(const char *path, bool *ret_done)
{
        struct profile_change *change = NULL;
        struct profile_row row = row_z();
        struct wn_error err = { 0 };
        int before = count_rows(path), r;
        char user[240] = "";

        memset(user, 'u', sizeof user - 1);
        row.user = row.domain = user;
        row.device = (char *) "Q:";
        r = profile_stage_put(path, &row, &change, &err);
        *ret_done = r == 0;
        if (r != 0) {
                CHECK(r == ERROR_CANNOT_OPEN_PROFILE);
                CHECK(strstr(err.text, path));
                CHECK(count_rows(path) == before);
                return 0;
        }
        CHECK(profile_commit(change, &err) == 0);
        CHECK(count_rows(path) == before + 1);
        CHECK(profile_stage_delete(path, "Q:", &change, NULL) == 0 && profile_commit(change, NULL) == 0);
        return 0;
}

static int limit_file_size(void **state)
{
        const char *existing = in_folder(state, "profile.db"), *fresh = in_folder(state, "fresh.db");
        unsigned refused[2] = { 0 }, done[2] = { 0 };

        signal(SIGXFSZ, SIG_IGN);
        for (rlim_t bytes = 0; bytes < 32768; bytes += 256) {
                for (int i = 0; i < 2; i++) {
                        struct rlimit limit = { .rlim_cur = bytes, .rlim_max = RLIM_INFINITY };
                        bool ok = false;
                        int r;

                        unlink(fresh);
                        CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
                        r = change_in_little_space(i ? fresh : existing, &ok);
                        limit.rlim_cur = RLIM_INFINITY;
                        CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
                        CHECK(r == 0);
                        ok ? done[i]++ : refused[i]++;
                        CHECK(ok || access(fresh, F_OK) < 0);
                }
        }
        CHECK(refused[0] > 0 && refused[1] > 0 && done[0] > 0 && done[1] > 0);
        unlink(fresh);
        CHECK(count_rows(existing) == 2);
        CHECK(count_entries(*state) == 1);
        return 0;
}

static void file_size_limit(void **state)
{
        make_profile(state);
        assert_int_equal(in_child(limit_file_size, state, true), 0);
}

/* Fills what is left of the file system, then gives back `pages` pages of 4 KiB. */
static int fill(const char *path, unsigned pages)
{
        static const char page[4096];
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        off_t size = 0;

        if (fd < 0)
                return -1;
        while (write(fd, page, sizeof page) == sizeof page)
                size += sizeof page;
        if (ftruncate(fd, size > pages * 4096 ? size - pages * 4096 : 0) < 0)
                size = 0;
        close(fd);
        return size > 0 ? 0 : -1;
}

static int write_proc(const char *path, const char *text)
{
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        ssize_t n = fd >= 0 ? write(fd, text, strlen(text)) : -1;

        if (fd >= 0)
                close(fd);
        return n < 0 ? -1 : 0;
}

/* A mount namespace of our own; without root's rights in a user namespace, where we stay who we are. */
static int enter_namespace(void)
{
        unsigned uid = geteuid(), gid = getegid();
        char text[64];

        if (uid == 0)
                return unshare(CLONE_NEWNS);
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || write_proc("/proc/self/setgroups", "deny") < 0)
                return -1;
        snprintf(text, sizeof text, "%u %u 1", uid, uid);
        if (write_proc("/proc/self/uid_map", text) < 0)
                return -1;
        snprintf(text, sizeof text, "%u %u 1", gid, gid);
        return write_proc("/proc/self/gid_map", text);
}

#define CANNOT_MOUNT 77

static int fill_disk(void **state)
{
        const char *path = in_folder(state, "profile.db"), *filler = in_folder(state, "filler");
        unsigned refused = 0, done = 0;
        struct profile_row row = row_z();

        if (enter_namespace() < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", *state, "tmpfs", 0, "size=256k") < 0)
                return CANNOT_MOUNT;
        CHECK(put(path, &row) == 0);
        for (unsigned pages = 0; pages < 16; pages++) {
                bool ok = false;

                CHECK(fill(filler, pages) == 0);
                CHECK(change_in_little_space(path, &ok) == 0);
                ok ? done++ : refused++;
                CHECK(unlink(filler) == 0);
        }
        CHECK(refused > 0 && done > 0);
        CHECK(count_rows(path) == 1);
        CHECK(count_entries(*state) == 1);
        return 0;
}

static void full_disk(void **state)
{
        int r = in_child(fill_disk, state, false);

        if (r == CANNOT_MOUNT) {
                print_message("no file system can be mounted here, not even in a namespace of its own\n");
                skip();
        }
        assert_int_equal(r, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                IN_FOLDER(locked),              IN_FOLDER(staged_is_locked),    IN_FOLDER(crash),
                IN_FOLDER(crash_of_created),    IN_FOLDER(orphaned_journal),    IN_FOLDER(file_size_limit),
                IN_FOLDER(full_disk),
        };

        return cmocka_run_group_tests_name("profile-trouble", tests, NULL, NULL);
}
