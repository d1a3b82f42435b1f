/* SPDX-License-Identifier: GPL-3.0-or-later */

/* core/paths.c: the environment's influence, and which directories count as private. */

#include "unit.h"

#include <pwd.h>

#include "core/paths.h"

static int clear_environment(void **state)
{
        (void) state;
        unsetenv("XDG_CONFIG_HOME");
        unsetenv("XDG_STATE_HOME");
        unsetenv("XDG_RUNTIME_DIR");
        unsetenv("WNET_DRIVES");
        setenv("HOME", "/home/me", 1);
        return 0;
}

static void defaults(void **state)
{
        struct paths paths;
        char runtime[64];

        (void) state;
        snprintf(runtime, sizeof runtime, "/tmp/wnet-%u", (unsigned) getuid());
        assert_int_equal(paths_init(&paths), 0);
        assert_string_equal(paths.config_dir, "/home/me/.config/wnet");
        assert_string_equal(paths.state_dir, "/home/me/.local/state/wnet");
        assert_string_equal(paths.runtime_dir, runtime);
        assert_string_equal(paths.drives_dir, "/home/me/Drives");
        assert_string_equal(paths.profile, "/home/me/.config/wnet/profile.db");
        assert_string_equal(paths.lock, "/home/me/.config/wnet/wnetd.lock");
        assert_string_equal(paths.conf, "/home/me/.config/wnet/wnet.conf");
        assert_string_equal(paths.log, "/home/me/.local/state/wnet/wnetd.log");
        assert_string_equal(paths.parked_key, "/home/me/.local/state/wnet/parked.key");
        strcat(runtime, "/control");
        assert_string_equal(paths.socket, runtime);
        paths_done(&paths);
        paths_done(&paths);
}

static void environment(void **state)
{
        struct paths paths;

        (void) state;
        setenv("HOME", "/home//me/", 1);
        setenv("XDG_CONFIG_HOME", "/c//x/", 1);
        setenv("XDG_STATE_HOME", "/s", 1);
        setenv("XDG_RUNTIME_DIR", "/run/user/1/", 1);
        setenv("WNET_DRIVES", "/mnt/drives//", 1);
        assert_int_equal(paths_init(&paths), 0);
        assert_string_equal(paths.profile, "/c/x/wnet/profile.db");
        assert_string_equal(paths.log, "/s/wnet/wnetd.log");
        assert_string_equal(paths.socket, "/run/user/1/wnet/control");
        assert_string_equal(paths.drives_dir, "/mnt/drives");
        paths_done(&paths);

        /* Relative and empty ones do not count. */
        setenv("XDG_CONFIG_HOME", "c", 1);
        setenv("XDG_STATE_HOME", "", 1);
        setenv("WNET_DRIVES", "drives", 1);
        assert_int_equal(paths_init(&paths), 0);
        assert_string_equal(paths.profile, "/home/me/.config/wnet/profile.db");
        assert_string_equal(paths.log, "/home/me/.local/state/wnet/wnetd.log");
        assert_string_equal(paths.drives_dir, "/home/me/Drives");
        paths_done(&paths);
}

static void home_from_passwd(void **state)
{
        struct passwd *entry = getpwuid(getuid());
        struct paths paths = { 0 };
        char expected[4096];

        (void) state;
        unsetenv("HOME");
        if (!entry || entry->pw_dir[0] != '/') {
                assert_int_equal(paths_init(&paths), -ENOENT);
                return;
        }
        snprintf(expected, sizeof expected, "%s/Drives", strcmp(entry->pw_dir, "/") == 0 ? "" : entry->pw_dir);
        assert_int_equal(paths_init(&paths), 0);
        assert_string_equal(paths.drives_dir, expected);
        paths_done(&paths);
}

static void long_socket(void **state)
{
        struct paths paths = { 0 };
        char dir[128];

        (void) state;
        /* 107 bytes are the most that fits: "/wnet/control" is 13 of them. */
        memset(dir, 'd', sizeof dir);
        dir[0] = '/';
        dir[94] = '\0';
        setenv("XDG_RUNTIME_DIR", dir, 1);
        assert_int_equal(paths_init(&paths), 0);
        assert_int_equal(strlen(paths.socket), 107);
        paths_done(&paths);
        dir[94] = 'd';
        dir[95] = '\0';
        setenv("XDG_RUNTIME_DIR", dir, 1);
        assert_int_equal(paths_init(&paths), -ENAMETOOLONG);
        assert_null(paths.socket);
}

static unsigned mode_of(const char *path)
{
        struct stat st;

        assert_int_equal(lstat(path, &st), 0);
        return st.st_mode & 07777;
}

static void dirs(void **state)
{
        mode_t old = umask(0);

        assert_int_equal(paths_make_dir(in_folder(state, "a/b//c/")), 0);
        umask(old);
        assert_int_equal(mode_of(in_folder(state, "a")), 0700);
        assert_int_equal(mode_of(in_folder(state, "a/b/c")), 0700);
        assert_int_equal(chmod(in_folder(state, "a/b"), 0777), 0); /* others' business */
        assert_int_equal(paths_make_dir(in_folder(state, "a/b/d")), 0);
        assert_int_equal(symlink("b", in_folder(state, "a/link")), 0);
        assert_int_equal(paths_make_dir(in_folder(state, "a/link")), 0);
        write_text(in_folder(state, "file"), "");
        assert_int_equal(paths_make_dir(in_folder(state, "file")), -ENOTDIR);
        assert_int_equal(paths_make_dir(in_folder(state, "file/below")), -ENOTDIR);
        assert_int_equal(paths_make_dir("/"), 0);
}

static void private_dirs(void **state)
{
        mode_t old = umask(0);
        const char *path = in_folder(state, "a/b/c");

        assert_int_equal(paths_make_private_dir(path), 0);
        umask(old);
        assert_int_equal(mode_of(path), 0700);
        assert_int_equal(mode_of(in_folder(state, "a")), 0700);
        assert_int_equal(paths_make_private_dir(path), 0);
        assert_int_equal(paths_make_private_dir(in_folder(state, "a//x/y/")), 0);
        assert_int_equal(mode_of(in_folder(state, "a/x/y")), 0700);

        /* Readable by others is theirs to choose, writable is not. */
        assert_int_equal(chmod(path, 0755), 0);
        assert_int_equal(paths_make_private_dir(path), 0);
        assert_int_equal(chmod(path, 0770), 0);
        assert_int_equal(paths_make_private_dir(path), -EPERM);
        assert_int_equal(chmod(path, 0702), 0);
        assert_int_equal(paths_make_private_dir(path), -EPERM);
        assert_int_equal(mode_of(path), 0702);

        assert_int_equal(symlink("b", in_folder(state, "a/link")), 0);
        assert_int_equal(paths_make_private_dir(in_folder(state, "a/link")), -ENOTDIR);
        assert_int_equal(paths_make_private_dir(in_folder(state, "a/link/")), -ENOTDIR);
        assert_int_equal(paths_make_private_dir(in_folder(state, "a/link/below")), 0);
        assert_int_equal(mode_of(in_folder(state, "a/b/below")), 0700);
        assert_int_equal(symlink("nothing", in_folder(state, "a/dangling")), 0);
        assert_int_equal(paths_make_private_dir(in_folder(state, "a/dangling")), -ENOTDIR);
        write_text(in_folder(state, "file"), "");
        assert_int_equal(paths_make_private_dir(in_folder(state, "file")), -ENOTDIR);
        assert_int_equal(paths_make_private_dir(in_folder(state, "file/below")), -ENOTDIR);
        assert_int_equal(paths_make_private_dir("relative"), -EINVAL);
        assert_int_equal(paths_make_private_dir(""), -EINVAL);
}

static int others_dirs(void **state)
{
        CHECK(paths_make_private_dir("/tmp") == -EPERM);
        CHECK(paths_make_private_dir("/") == -EPERM);
        CHECK(paths_make_private_dir("/etc/wnet-unit-test") == -EACCES);
        CHECK(paths_make_private_dir(in_folder(state, "mine")) == 0);
        return 0;
}

static void somebody_elses(void **state)
{
        assert_int_equal(in_child(others_dirs, state, true), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(defaults, clear_environment),
                cmocka_unit_test_setup(environment, clear_environment),
                cmocka_unit_test_setup(home_from_passwd, clear_environment),
                cmocka_unit_test_setup(long_socket, clear_environment),
                cmocka_unit_test_setup_teardown(dirs, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(private_dirs, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(somebody_elses, make_folder, remove_folder),
        };

        return cmocka_run_group_tests_name("paths", tests, NULL, NULL);
}
