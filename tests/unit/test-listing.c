/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * fuse/smb/listing.c: entries put and taken, and buffers as a hostile worker fills them. Each buffer is as large as it
 * says, and no larger: the sanitizer sees a byte read outside.
 */

#include "unit.h"

#include "fuse/smb/listing.h"

#define MUTATIONS 100000

static const char *const names[] = {
        "a", "seven77", "eight888", "nine99999", "gr\xc3\xbc\xc3\x9f", "\xf0\x9f\x98\x80",
};

static struct smb_attr attr_of(size_t i)
{
        return (struct smb_attr) {
                .size_bytes = 1000 + i,
                .file_id = UINT64_MAX - i,
                .mtime = { .sec = -1, .nsec = 999999999 },
                .dos = SMB_ATTR_READONLY | (uint32_t) i << 8,
        };
}

/* A buffer of exactly the size of its entries. */
static unsigned char *make_listing(size_t *ret_size)
{
        unsigned char *room = calloc(1, 4096), *exact;
        size_t used = 0;

        assert_non_null(room);
        for (size_t i = 0; i < N_ELEMENTS(names); i++) {
                struct smb_attr attr = attr_of(i);

                assert_true(listing_put(room, 4096, &used, names[i], &attr));
        }
        exact = malloc(used);
        assert_non_null(exact);
        memcpy(exact, room, used);
        free(room);
        *ret_size = used;
        return exact;
}

static void round_trip(void **state)
{
        char name[SMB_NAME_MAX_BYTES + 1];
        struct smb_attr attr;
        size_t size, at = 0;
        unsigned char *buffer = make_listing(&size);

        (void) state;
        assert_int_equal(size % 8, 0);
        for (size_t i = 0; i < N_ELEMENTS(names); i++) {
                struct smb_attr expected = attr_of(i);

                assert_int_equal(listing_take(buffer, size, &at, name, &attr), 1);
                assert_string_equal(name, names[i]);
                assert_memory_equal(&attr, &expected, sizeof attr);
        }
        assert_int_equal(at, size);
        assert_int_equal(listing_take(buffer, size, &at, name, &attr), 0);
        assert_int_equal(at, size);
        free(buffer);
}

static void exact_fit(void **state)
{
        struct smb_attr attr = attr_of(0);
        size_t record = sizeof(struct smb_entry) + 8;

        (void) state;
        for (size_t size = 0; size <= 2 * record; size++) {
                unsigned char *buffer = malloc(size + 1);
                size_t used = 0, fitting = size / record;

                assert_non_null(buffer);
                buffer[size] = 0xa5;
                for (size_t i = 0; i < fitting; i++)
                        assert_true(listing_put(buffer, size, &used, "eight888", &attr));
                assert_int_equal(used, fitting * record);
                assert_false(listing_put(buffer, size, &used, "eight888", &attr));
                assert_int_equal(used, fitting * record);
                assert_int_equal(buffer[size], 0xa5);
                free(buffer);
        }
}

static void longest_name(void **state)
{
        char name[SMB_NAME_MAX_BYTES + 1], back[SMB_NAME_MAX_BYTES + 1];
        unsigned char buffer[2048];
        struct smb_attr attr = attr_of(0);
        size_t used = 0, at = 0;

        (void) state;
        memset(name, 'n', SMB_NAME_MAX_BYTES);
        name[SMB_NAME_MAX_BYTES] = '\0';
        assert_true(listing_put(buffer, sizeof buffer, &used, name, &attr));
        assert_int_equal(listing_take(buffer, used, &at, back, &attr), 1);
        assert_string_equal(back, name);
}

/* Takes the one record of such a header, with name bytes behind it, from a buffer of size bytes. */
static int take_one(uint32_t record_bytes, uint32_t name_bytes, const char *name, size_t size)
{
        struct smb_entry header = { .record_bytes = record_bytes, .name_bytes = name_bytes };
        unsigned char whole[2048] = { 0 }, *buffer = malloc(size ? size : 1);
        char ret_name[SMB_NAME_MAX_BYTES + 1];
        struct smb_attr attr;
        size_t at = 0;
        int r;

        assert_non_null(buffer);
        memcpy(whole, &header, sizeof header);
        memcpy(whole + sizeof header, name, name_bytes < 1024 ? name_bytes : 1024);
        memcpy(buffer, whole, size);
        r = listing_take(buffer, size, &at, ret_name, &attr);
        assert_int_equal(at, r == 1 ? record_bytes : 0); /* a bad record moves nothing */
        free(buffer);
        return r;
}

static void bad_records(void **state)
{
        static const uint32_t h = sizeof(struct smb_entry);
        static const char text[1024] = "abcdefgh";
        char long_name[1024];

        (void) state;
        assert_int_equal(take_one(h + 8, 8, text, h + 8), 1);
        assert_int_equal(take_one(h + 16, 8, text, h + 16), 1); /* more padding than needed: harmless */

        assert_int_equal(take_one(0, 8, text, h + 8), -EBADMSG);
        assert_int_equal(take_one(8, 8, text, h + 8), -EBADMSG);
        assert_int_equal(take_one(h, 8, text, h + 8), -EBADMSG);      /* the name is longer than the record */
        assert_int_equal(take_one(h + 1, 1, text, h + 8), -EBADMSG);  /* unaligned */
        assert_int_equal(take_one(h + 7, 1, text, h + 8), -EBADMSG);
        assert_int_equal(take_one(h + 16, 8, text, h + 8), -EBADMSG); /* beyond the end */
        assert_int_equal(take_one(UINT32_MAX, 8, text, h + 8), -EBADMSG);
        assert_int_equal(take_one(UINT32_MAX - 7, 8, text, h + 8), -EBADMSG);
        assert_int_equal(take_one(h + 8, 9, text, h + 16), -EBADMSG);
        assert_int_equal(take_one(h + 8, UINT32_MAX, text, h + 8), -EBADMSG);
        assert_int_equal(take_one(h + 8, UINT32_MAX - h + 1, text, h + 8), -EBADMSG);
        for (size_t size = 1; size < h + 8; size++) /* cut off */
                assert_int_equal(take_one(h + 8, 8, text, size), -EBADMSG);
        assert_int_equal(take_one(h + 8, 8, text, 0), 0);

        memset(long_name, 'n', sizeof long_name);
        assert_int_equal(take_one(h + 768, SMB_NAME_MAX_BYTES, long_name, h + 768), 1);
        assert_int_equal(take_one(h + 768, SMB_NAME_MAX_BYTES + 1, long_name, h + 768), -EBADMSG);
}

static void bad_names(void **state)
{
        static const uint32_t record = sizeof(struct smb_entry) + 8;
        static const struct {
                const char *name;
                uint32_t bytes;
                bool good;
        } cases[] = {
                { "a", 1, true },        { "...", 3, true },          { "..a", 3, true },       { ".a", 2, true },
                { " ", 1, true },        { "a\\b", 3, true },         { "\n", 1, true },        { "\xc3\xa4", 2, true },
                { "", 0, false },        { ".", 1, false },           { "..", 2, false },       { "/", 1, false },
                { "a/b", 3, false },     { "../x", 4, false },        { "a\0b", 3, false },     { "\0", 1, false },
                { ".\0a", 3, false },    { "\xff", 1, false },        { "a\xc3", 2, false },
                { "\xc0\xaf", 2, false },
                { "\xed\xa0\x80", 3, false }, { "\x80" "a", 2, false }, { "\xf4\x90\x80\x80", 4, false },
        };

        (void) state;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                char name[8] = { 0 };

                memcpy(name, cases[i].name, cases[i].bytes);
                assert_int_equal(listing_name_valid(name, cases[i].bytes), cases[i].good);
                assert_int_equal(take_one(record, cases[i].bytes, name, record), cases[i].good ? 1 : -EBADMSG);
        }
}

static uint32_t next_random(uint64_t *seed)
{
        *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
        return (uint32_t) (*seed >> 33);
}

/* Changes a few bytes, those of the headers more often, and sometimes the size. */
static size_t mutate(unsigned char *buffer, size_t size, uint64_t *seed)
{
        static const uint32_t values[] = { 0, 1, 7, 8, 64, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff };

        for (uint32_t n = next_random(seed) % 4; n > 0; n--)
                buffer[next_random(seed) % size] = (unsigned char) next_random(seed);
        if (next_random(seed) % 2) {
                size_t at = next_random(seed) % (size / 8) * 8 + next_random(seed) % 2 * 4;

                memcpy(buffer + at, &values[next_random(seed) % N_ELEMENTS(values)], 4);
        }
        return next_random(seed) % 4 ? size : next_random(seed) % (size + 1);
}

static void mutations(void **state)
{
        size_t size, n_bad = 0, n_good = 0;
        unsigned char *valid = make_listing(&size), *scratch = malloc(size);
        uint64_t seed = 20240229;

        (void) state;
        assert_non_null(scratch);
        for (unsigned i = 0; i < MUTATIONS; i++) {
                char name[SMB_NAME_MAX_BYTES + 1];
                struct smb_attr attr;
                unsigned char *buffer;
                size_t at = 0, before = 0, cut;
                int r;

                memcpy(scratch, valid, size);
                cut = mutate(scratch, size, &seed);
                buffer = malloc(cut ? cut : 1);
                assert_non_null(buffer);
                memcpy(buffer, scratch, cut);
                while ((r = listing_take(buffer, cut, &at, name, &attr)) == 1) {
                        assert_true(at > before && at <= cut);
                        assert_true(listing_name_valid(name, strlen(name)));
                        before = at;
                }
                assert_true(r == 0 ? at == cut : r == -EBADMSG && at == before);
                n_bad += r < 0;
                n_good += r == 0;
                free(buffer);
        }
        assert_true(n_bad > MUTATIONS / 10 && n_good > MUTATIONS / 10); /* both ways were gone */
        free(scratch);
        free(valid);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(round_trip),
                cmocka_unit_test(exact_fit),
                cmocka_unit_test(longest_name),
                cmocka_unit_test(bad_records),
                cmocka_unit_test(bad_names),
                cmocka_unit_test(mutations),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
