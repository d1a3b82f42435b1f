/* SPDX-License-Identifier: GPL-3.0-or-later */

/* core/mountinfo.c: the table's text, and what lies on, above or under a path. */

#include "unit.h"

#include "core/mountinfo.h"

#define WNET(id, path) #id " 1 0:" #id " / " path " rw,nosuid - fuse.wnet //srv/share rw,user_id=1000,group_id=1000\n"
#define TMPFS(id, path) #id " 1 0:" #id " / " path " rw - tmpfs tmpfs rw,size=1k\n"

static void parse(void **state)
{
        static const char text[] =
                "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
                "48 22 0:51 / /home/me/Drives/Z rw,nosuid,nodev,relatime shared:9 master:2 - fuse.wnet //srv/share "
                "rw,user_id=1000,group_id=1000\n"
                "49 22 0:52 / /mnt/a\\040b\\011\\012\\134\\043 rw - tmpfs a\\040b rw\n"
                "50 22 0:53 / /mnt/no-source rw - tmpfs  rw\n"
                "51 22 0:54 /x /mnt/kept\\99\\4 rw - fuse.other x rw,xuser_id=1,user_id=x,user_id=0\n"
                "garbage\n"
                "\n"
                "52 22 0:55 / relative rw - tmpfs tmpfs rw\n"
                "53 22 x:55 / /mnt/x rw - tmpfs tmpfs rw\n"
                "54 22 0: / /mnt/x rw - tmpfs tmpfs rw\n"
                "55 22 0:99999999999 / /mnt/x rw - tmpfs tmpfs rw\n"
                "56 22 0:55 / /mnt/x rw shared:1\n"
                "57 22 0:55 / /mnt/x rw - tmpfs\n"
                "58 22 0:4294967295 / /last rw - tmpfs tmpfs rw";
        struct mountinfo table;

        (void) state;
        assert_int_equal(mountinfo_parse(text, &table), 0);
        assert_int_equal(table.n_entries, 6);
        assert_string_equal(table.entries[0].mountpoint, "/");
        assert_int_equal(table.entries[0].major, 8);
        assert_int_equal(table.entries[0].minor, 1);
        assert_int_equal(table.entries[0].user_id, -1);
        assert_string_equal(table.entries[1].mountpoint, "/home/me/Drives/Z");
        assert_string_equal(table.entries[1].fstype, MOUNTINFO_FSTYPE);
        assert_string_equal(table.entries[1].source, "//srv/share");
        assert_int_equal(table.entries[1].minor, 51);
        assert_int_equal(table.entries[1].user_id, 1000);
        assert_string_equal(table.entries[2].mountpoint, "/mnt/a b\t\n\\#");
        assert_string_equal(table.entries[2].source, "a b");
        assert_string_equal(table.entries[3].source, "");
        assert_string_equal(table.entries[3].fstype, "tmpfs");
        assert_string_equal(table.entries[4].mountpoint, "/mnt/kept\\99\\4");
        assert_int_equal(table.entries[4].user_id, 0);
        assert_string_equal(table.entries[5].mountpoint, "/last");
        assert_int_equal(table.entries[5].minor, 4294967295u);
        mountinfo_done(&table);
        mountinfo_done(&table);

        assert_int_equal(mountinfo_parse("", &table), 0);
        assert_int_equal(table.n_entries, 0);
        assert_null(mountinfo_find(&table, "/"));
        mountinfo_done(&table);
}

/* Every beginning of a table is a table, or at least no crash. */
static void cut_off(void **state)
{
        static const char text[] = WNET(1, "/a\\040b") TMPFS(2, "/c\\134");

        (void) state;
        for (size_t n = 0; n < sizeof text; n++) {
                char *copy = strndup(text, n);
                struct mountinfo table;

                assert_int_equal(mountinfo_parse(copy, &table), 0);
                assert_in_range(table.n_entries, 0, 2);
                mountinfo_done(&table);
                free(copy);
        }
}

static void find(void **state)
{
        static const char text[] =
                TMPFS(1, "/d/Z") WNET(2, "/d/Z") TMPFS(3, "/d/Zebra") TMPFS(4, "/d/Z") WNET(5, "/d/Y");
        struct mountinfo table;

        (void) state;
        assert_int_equal(mountinfo_parse(text, &table), 0);
        assert_int_equal(mountinfo_find(&table, "/d/Z")->minor, 4);
        assert_int_equal(mountinfo_find(&table, "/d/Y")->minor, 5);
        assert_null(mountinfo_find(&table, "/d"));
        assert_null(mountinfo_find(&table, "/d/Z/"));
        mountinfo_done(&table);
}

static void stacked(void **state)
{
        static const struct {
                const char *text;
                unsigned minor; /* 0: none */
        } cases[] = {
                { "", 0 },
                { WNET(1, "/d/Z"), 0 },
                { WNET(1, "/d/Z") TMPFS(2, "/d/Zebra") TMPFS(3, "/d"), 0 },
                { WNET(1, "/d/Z") TMPFS(2, "/d/Z/sub"), 2 },
                { WNET(1, "/d/Z") TMPFS(2, "/d/Z"), 2 },
                { WNET(1, "/d/Z") WNET(2, "/d/Z"), 2 },
                { TMPFS(1, "/d/Z") WNET(2, "/d/Z"), 0 },
                { TMPFS(1, "/d/Z") WNET(2, "/d/Z") TMPFS(3, "/d/Z"), 3 },
                { TMPFS(1, "/d/Z") TMPFS(2, "/d/Z"), 2 },
                { WNET(1, "/d/Z") TMPFS(2, "/d/Z\\040x"), 0 },
                { TMPFS(1, "/d/Z/sub"), 1 },
        };

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                const struct mountinfo_entry *entry;
                struct mountinfo table;

                assert_int_equal(mountinfo_parse(cases[i].text, &table), 0);
                entry = mountinfo_find_stacked(&table, "/d/Z");
                assert_int_equal(entry ? entry->minor : 0, cases[i].minor);
                mountinfo_done(&table);
        }
}

static void wnet_above(void **state)
{
        static const char text[] = TMPFS(1, "/") WNET(2, "/d/Z") TMPFS(3, "/d/Z/t") WNET(4, "/d/Y");
        static const struct {
                const char *path;
                unsigned minor;
        } cases[] = {
                { "/d/Z", 2 }, { "/d/Z/a/b", 2 }, { "/d/Zebra", 0 }, { "/d", 0 },
                { "/", 0 },    { "/d/Y/x", 4 },   { "/d/z", 0 },
        };
        struct mountinfo table;

        (void) state;
        assert_int_equal(mountinfo_parse(text, &table), 0);
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                const struct mountinfo_entry *entry = mountinfo_find_wnet_above(&table, cases[i].path);

                assert_int_equal(entry ? entry->minor : 0, cases[i].minor);
        }
        mountinfo_done(&table);
}

static void own_table(void **state)
{
        struct mountinfo table;

        (void) state;
        assert_int_equal(mountinfo_read(&table), 0);
        assert_non_null(mountinfo_find(&table, "/"));
        assert_non_null(mountinfo_find(&table, "/proc"));
        assert_string_equal(mountinfo_find(&table, "/proc")->fstype, "proc");
        mountinfo_done(&table);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(parse),   cmocka_unit_test(cut_off),    cmocka_unit_test(find),
                cmocka_unit_test(stacked), cmocka_unit_test(wnet_above), cmocka_unit_test(own_table),
        };

        return cmocka_run_group_tests_name("mountinfo", tests, NULL, NULL);
}
