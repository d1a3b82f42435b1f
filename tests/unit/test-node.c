/* SPDX-License-Identifier: GPL-3.0-or-later */

/* fuse/node.c: how long a node lives, what it is called, and which number it has. */

#include "unit.h"

#include "core/fold.h"
#include "fuse/node.h"
#include "fuse/smb/protocol.h"

static int setup(void **state)
{
        struct node_table *table = malloc(sizeof *table);

        if (!table || node_table_init(table) < 0)
                return -1;
        *state = table;
        return 0;
}

static int teardown(void **state)
{
        node_table_done(*state);
        free(*state);
        return 0;
}

/* A child that the kernel knows. */
static struct node *lookup(struct node_table *t, struct node *parent, const char *name)
{
        struct node *node = node_child_or_new(t, parent, name);

        assert_non_null(node);
        node_looked_up(node);
        return node;
}

static void assert_path(const struct node *node, const char *name, const char *expected)
{
        char *path = NULL;

        assert_int_equal(node_path(node, name, &path), 0);
        assert_string_equal(path, expected);
        free(path);
}

static void assert_stale(const struct node *node)
{
        char *path = (char *) 1;

        assert_int_equal(node_path(node, NULL, &path), -ESTALE);
        assert_int_equal(node_path(node, "x", &path), -ESTALE);
        assert_ptr_equal(path, (char *) 1);
}

static void root(void **state)
{
        struct node_table *t = *state;

        assert_int_equal(t->root->ino, NODE_ROOT);
        assert_true(t->root->directory);
        assert_ptr_equal(node_find(t, NODE_ROOT), t->root);
        assert_path(t->root, NULL, "");
        assert_path(t->root, "a", "a");
        node_forget(t, NODE_ROOT, 1000000); /* the kernel's at unmounting */
        assert_ptr_equal(node_find(t, NODE_ROOT), t->root);
        assert_int_equal(t->n, 1);
}

static void counts(void **state)
{
        struct node_table *t = *state;
        struct node *a = lookup(t, t->root, "a");
        uint64_t ino = a->ino;

        assert_ptr_equal(node_child_or_new(t, t->root, "a"), a);
        assert_ptr_equal(node_child(t, t->root, "a"), a);
        assert_null(node_child(t, t->root, "b"));
        assert_ptr_equal(node_find(t, ino), a);
        node_looked_up(a);
        node_looked_up(a);
        node_forget(t, ino, 2);
        assert_ptr_equal(node_child(t, t->root, "a"), a);
        assert_int_equal(t->n, 2);
        node_forget(t, ino, 1);
        assert_null(node_child(t, t->root, "a"));
        assert_int_equal(t->n, 1);
        node_forget(t, ino, 1);     /* of a node that is gone */
        node_forget(t, 123456, 1);  /* of one that never was */

        a = lookup(t, t->root, "a");
        node_ref(a);
        node_forget(t, a->ino, UINT64_MAX); /* more than there were */
        assert_ptr_equal(node_child(t, t->root, "a"), a);
        node_unref(t, a);
        assert_null(node_child(t, t->root, "a"));
        node_unref(t, NULL);
        assert_int_equal(t->n, 1);
}

static void child_keeps_parents(void **state)
{
        struct node_table *t = *state;
        struct node *a = lookup(t, t->root, "a"), *b = lookup(t, a, "b"), *c = lookup(t, b, "c");

        node_forget(t, a->ino, 1);
        node_forget(t, b->ino, 1);
        assert_int_equal(t->n, 4);
        assert_path(c, NULL, "a/b/c");
        assert_path(c, "d", "a/b/c/d");
        node_forget(t, c->ino, 1);
        assert_int_equal(t->n, 1);
        assert_null(node_child(t, t->root, "a"));
}

static void same_number_again(void **state)
{
        struct node_table *t = *state;
        struct node *a = lookup(t, t->root, "a"), *b = lookup(t, a, "b"), *c = lookup(t, t->root, "b");
        uint64_t ino_a = a->ino, ino_b = b->ino, ino_c = c->ino;

        assert_true(ino_a > NODE_ROOT && ino_b > NODE_ROOT);
        assert_int_not_equal(ino_b, ino_c); /* a/b and b */
        node_forget(t, ino_c, 1);
        node_forget(t, ino_b, 1);
        node_forget(t, ino_a, 1);
        a = lookup(t, t->root, "a");
        assert_int_equal(a->ino, ino_a);
        b = lookup(t, a, "b");
        assert_int_equal(b->ino, ino_b);
        c = lookup(t, t->root, "b");
        assert_int_equal(c->ino, ino_c);
}

static void unlinked(void **state)
{
        struct node_table *t = *state;
        struct node *dir = lookup(t, t->root, "d"), *old = lookup(t, dir, "f"), *new, *below;
        uint64_t ino = old->ino;

        node_unlink(t, old);
        node_unlink(t, old); /* once more: nothing */
        assert_stale(old);
        assert_null(node_child(t, dir, "f"));
        assert_ptr_equal(node_find(t, ino), old);

        new = lookup(t, dir, "f"); /* made anew while the old one is still open */
        assert_ptr_not_equal(new, old);
        assert_int_not_equal(new->ino, ino);
        assert_ptr_equal(node_find(t, ino), old);
        assert_path(new, NULL, "d/f");
        node_forget(t, ino, 1);
        assert_ptr_equal(node_child(t, dir, "f"), new);

        below = lookup(t, new, "x");
        node_unlink(t, dir);
        assert_stale(below); /* whose parent's name is gone */
        assert_stale(dir);
        node_unlink(t, t->root);
        assert_path(t->root, NULL, "");
        assert_true(t->root->linked);
}

static void renamed(void **state)
{
        struct node_table *t = *state;
        struct node *d = lookup(t, t->root, "d"), *e = lookup(t, t->root, "e"), *f = lookup(t, d, "f"),
                    *below = lookup(t, f, "x");
        uint64_t ino = f->ino;

        assert_int_equal(node_rename(t, f, e, "g"), 0);
        assert_int_equal(f->ino, ino);
        assert_path(f, NULL, "e/g");
        assert_path(below, NULL, "e/g/x");
        assert_null(node_child(t, d, "f"));
        assert_ptr_equal(node_child(t, e, "g"), f);
        assert_ptr_equal(node_child(t, f, "x"), below);

        assert_int_equal(node_rename(t, f, e, "g"), 0); /* to itself */
        assert_path(f, NULL, "e/g");
        assert_true(f->linked);

        assert_int_not_equal(lookup(t, d, "f")->ino, ino); /* the old name's number still lives */
        node_forget(t, d->ino, 1);
        assert_int_equal(t->n, 6);
        node_forget(t, node_child(t, d, "f")->ino, 1); /* d goes with its last child: the moved one holds e */
        assert_int_equal(t->n, 4);
        node_forget(t, e->ino, 1);
        node_forget(t, below->ino, 1);
        node_forget(t, ino, 1);
        assert_int_equal(t->n, 1);
}

static void renamed_over(void **state)
{
        struct node_table *t = *state;
        struct node *a = lookup(t, t->root, "a"), *b = lookup(t, t->root, "b");
        uint64_t ino_b = b->ino;

        assert_int_equal(node_rename(t, a, t->root, "b"), 0);
        assert_ptr_equal(node_child(t, t->root, "b"), a);
        assert_null(node_child(t, t->root, "a"));
        assert_stale(b);
        assert_ptr_equal(node_find(t, ino_b), b); /* as long as the kernel knows it */
        node_forget(t, ino_b, 1);
        assert_ptr_equal(node_child(t, t->root, "b"), a);
        assert_int_equal(t->n, 2);
}

static void long_paths(void **state)
{
        struct node_table *t = *state;
        struct node *node = t->root;
        char name[256], *path = (char *) 1;

        memset(name, 'n', 255);
        name[255] = '\0';
        for (unsigned i = 0; i < 15; i++)
                node = lookup(t, node, name); /* 15 × 255 + 14 = 3839 */
        assert_int_equal(node_path(node, NULL, &path), 0);
        assert_int_equal(strlen(path), 3839);
        free(path);
        path = (char *) 1;
        assert_int_equal(node_path(node, name, &path), 0); /* 4095: the longest */
        assert_int_equal(strlen(path), SMB_PATH_MAX_BYTES - 1);
        free(path);
        node = lookup(t, node, name);
        path = (char *) 1;
        assert_int_equal(node_path(node, "x", &path), -ENAMETOOLONG);
        assert_ptr_equal(path, (char *) 1);
}

static void many(void **state)
{
        enum { N = 10000 };
        struct node_table *t = *state;
        struct node *dir = lookup(t, t->root, "dir"), *gone;
        uint64_t *inos = calloc(N, sizeof *inos);
        char name[16];

        assert_non_null(inos);
        inos[0] = lookup(t, t->root, "f0")->ino;
        gone = lookup(t, dir, "f1");
        inos[1] = gone->ino;
        node_unlink(t, gone); /* before the table grows */
        for (unsigned i = 2; i < N; i++) {
                snprintf(name, sizeof name, "f%u", i);
                inos[i] = lookup(t, i % 2 ? dir : t->root, name)->ino;
        }
        assert_int_equal(t->n, N + 2);
        assert_true(t->n_buckets >= N / 2);
        for (unsigned i = 0; i < N; i++) {
                struct node *node = node_find(t, inos[i]);

                snprintf(name, sizeof name, "f%u", i);
                assert_string_equal(node->name, name);
                if (i == 1)
                        assert_null(node_child(t, dir, name));
                else
                        assert_ptr_equal(node_child(t, i % 2 ? dir : t->root, name), node);
        }
        for (unsigned i = 0; i < N; i += 3)
                node_forget(t, inos[i], 1);
        assert_int_equal(t->n, N + 2 - (N + 2) / 3);
        free(inos); /* the others go with the table */
}

static void mode_outlives_its_node(void **state)
{
        struct node_table *t = *state;
        struct node *dir = lookup(t, t->root, "dir"), *f = lookup(t, dir, "f"), *g;

        f->mode_known = true;
        f->mode = 0640;
        node_forget(t, f->ino, 1);
        assert_false(lookup(t, t->root, "f")->mode_known); /* another path */
        f = lookup(t, dir, "f");
        assert_true(f->mode_known);
        assert_int_equal(f->mode, 0640);

        /* it goes with its file to another name, and is nothing to what gets the old one */
        node_forget(t, f->ino, 1);
        f = lookup(t, dir, "f");
        assert_int_equal(node_rename(t, f, t->root, "moved"), 0);
        assert_true(f->mode_known);
        assert_false(lookup(t, dir, "f")->mode_known);
        node_forget(t, f->ino, 1);
        assert_int_equal(lookup(t, t->root, "moved")->mode, 0640);

        /* nor to what comes after what was deleted, or replaced it */
        f = lookup(t, t->root, "moved");
        node_unlink(t, f);
        node_forget(t, f->ino, 2);
        assert_false(lookup(t, t->root, "moved")->mode_known);
        f = lookup(t, dir, "old");
        f->mode_known = true;
        f->mode = 0600;
        node_forget(t, f->ino, 1);
        g = lookup(t, dir, "g");
        assert_int_equal(node_rename(t, g, dir, "old"), 0);
        node_forget(t, g->ino, 1);
        assert_false(lookup(t, dir, "old")->mode_known);
}

/* Of the bits that give rights, a change takes what a local disk takes: set-group-ID only where the group may execute. */
static void privileges(void **state)
{
        static const struct {
                bool directory;
                mode_t before, after;
        } cases[] = {
                { false, 06755, 00755 }, { false, 02745, 02745 }, { false, 04644, 00644 }, { false, 01755, 01755 }, { true, 06755, 06755 },
        };
        struct node_table *t = *state;
        struct node *node = lookup(t, t->root, "f");

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                node->directory = cases[i].directory;
                node->mode = cases[i].before;
                node_drop_privileges(node);
                assert_int_equal(node->mode, cases[i].after);
        }
        node_forget(t, node->ino, 1);
}

static struct node *spell(struct node_table *t, struct node *directory, const char *name, struct node *node)
{
        struct node *spelling = node_spelling(t, directory, name, node);

        assert_non_null(spelling);
        node_looked_up(spelling);
        return spelling;
}

static void spellings_of_a_file(void **state)
{
        struct node_table *t = *state;
        struct node *f = lookup(t, t->root, "Readme"), *g = lookup(t, t->root, "other"), *up, *low;

        assert_ptr_equal(spell(t, t->root, "Readme", f), f);
        up = spell(t, t->root, "README", f);
        low = spell(t, t->root, "readme", f);
        assert_ptr_equal(node_spelling(t, t->root, "README", f), up);
        assert_true(up != f && low != f && up != low && up->ino != f->ino && low->ino != f->ino && up->ino != low->ino);
        assert_ptr_equal(node_find(t, up->ino), f);
        assert_ptr_equal(node_known(t, up->ino), up);
        assert_ptr_equal(node_child(t, t->root, "README"), f);
        assert_ptr_equal(node_named(t, t->root, "README"), up);
        assert_ptr_equal(node_child_or_new(t, t->root, "readme"), f);

        /* the kernel forgets the node's own name first */
        node_forget(t, f->ino, 2);
        assert_ptr_equal(node_find(t, up->ino), f);
        assert_path(f, NULL, "Readme");
        node_forget(t, low->ino, 1);
        assert_null(node_named(t, t->root, "readme"));

        /* a new name is the only one */
        assert_int_equal(node_rename(t, f, t->root, "README"), 0);
        assert_ptr_equal(node_named(t, t->root, "README"), f);
        assert_null(node_named(t, t->root, "Readme"));
        assert_ptr_equal(node_find(t, up->ino), f);
        low = spell(t, t->root, "readme", f);

        /* what replaces it by another spelling replaces it */
        assert_int_equal(node_rename(t, g, t->root, "readme"), 0);
        assert_false(f->linked);
        assert_false(low->linked);
        assert_null(node_named(t, t->root, "README"));
        assert_ptr_equal(node_named(t, t->root, "readme"), g);
        node_forget(t, low->ino, 1);
        node_forget(t, up->ino, 1);
        assert_int_equal(t->n, 2);
}

static void spellings_of_a_folder(void **state)
{
        struct node_table *t = *state;
        struct node *dir = lookup(t, t->root, "Dir"), *sub = lookup(t, dir, "Sub"), *f = lookup(t, dir, "f"), *up, *below, *above;

        dir->directory = sub->directory = true;
        up = spell(t, t->root, "DIR", dir);
        assert_ptr_equal(spell(t, up, "f", f), f);
        below = spell(t, up, "Sub", sub);
        assert_true(below != sub);
        assert_ptr_equal(node_find(t, below->ino), sub);
        above = spell(t, up, "SUB", sub);
        assert_ptr_equal(node_find(t, above->ino), sub);
        assert_ptr_equal(node_child(t, dir, "SUB"), sub); /* though the kernel knows it below another spelling only */
        assert_true(spell(t, dir, "SUB", sub) != above);
        node_unlink(t, sub);
        assert_null(node_named(t, up, "SUB"));
        assert_null(node_named(t, up, "Sub"));
        assert_null(node_named(t, dir, "SUB"));
        assert_path(f, NULL, "Dir/f");
        node_forget_all(t);
        assert_int_equal(t->n, 1);
}

static void names_that_differ_in_case(void **state)
{
        static const char *const same[][2] = { { "a", "A" }, { "\u00c4rger", "\u00e4RGER" }, { "\u03a3\u03b1\u03c2", "\u03c3\u0391\u03a3" },
                                               { "1z", "1Z" } };
        static const char *const different[][2] = { { "a", "b" }, { "a", "Aa" }, { "\u00e4", "a" }, { "\u4e2d", "\u4e2e" }, { "[", "{" } };
        struct node_table *t = *state;

        for (unsigned i = 0; i < N_ELEMENTS(same); i++) {
                struct node *node = lookup(t, t->root, same[i][0]);

                assert_ptr_equal(node_other_case(t, t->root, same[i][1], 0), node);
                assert_null(node_other_case(t, t->root, same[i][0], 0));
                assert_null(node_other_case(t, node, same[i][1], 0));
                (void) spell(t, t->root, same[i][1], node);
                assert_null(node_other_case(t, t->root, same[i][0], 0)); /* no node of its own */
                node_unlink(t, node);
                assert_null(node_other_case(t, t->root, same[i][1], 0));
        }
        for (unsigned i = 0; i < N_ELEMENTS(different); i++) {
                struct node *node = lookup(t, t->root, different[i][0]);

                assert_null(node_other_case(t, t->root, different[i][1], 0));
                node_unlink(t, node);
        }
        lookup(t, t->root, "x")->file_id = 1;
        lookup(t, t->root, "X")->file_id = 2;
        lookup(t, t->root, "xy")->file_id = 1;
        lookup(t, t->root, "xY")->file_id = 2;
        assert_int_equal(node_other_case(t, t->root, "XY", 1)->file_id, 1);
        assert_int_equal(node_other_case(t, t->root, "XY", 2)->file_id, 2);
        assert_int_equal(node_other_case(t, t->root, "X", 2)->file_id, 1);
}

static void alike(void **state)
{
        struct node_table *t = *state;
        struct node *lower = lookup(t, t->root, "name"), *upper = lookup(t, t->root, "NAME"), *first, *second;

        (void) lookup(t, t->root, "other");
        (void) lookup(t, lower, "name");
        (void) spell(t, t->root, "Name", lower); /* is no node */
        first = node_next_alike(t, t->root, "nAME", NULL);
        second = node_next_alike(t, t->root, "nAME", first);
        assert_true((first == lower && second == upper) || (first == upper && second == lower));
        assert_null(node_next_alike(t, t->root, "nAME", second));
        node_unlink(t, upper);
        assert_ptr_equal(node_next_alike(t, t->root, "nAME", NULL), lower);
        assert_null(node_next_alike(t, t->root, "nAME", lower));
        assert_null(node_next_alike(t, t->root, "names", NULL));
}

static int compare(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

/* Of short names in neighbouring directories, as a program makes them one behind the other; a hash is not compared any further. */
static void hashes(void **state)
{
        enum { DIRECTORIES = 64, LETTERS = 26 };
        const struct node_table *t = *state;
        uint64_t seen[DIRECTORIES * LETTERS * (LETTERS + 1)];
        size_t n = 0;

        for (uint64_t ino = 0x7d65107b49cb3c0; ino < 0x7d65107b49cb3c0 + DIRECTORIES; ino++)
                for (char first = 'a'; first <= 'z'; first++)
                        for (char second = 'a' - 1; second <= 'z'; second++) {
                                const char lower[] = { first, second < 'a' ? '\0' : second, '\0' };
                                const char upper[] = { (char) (first - 'a' + 'A'), lower[1], '\0' };

                                seen[n++] = fold_hash(t->fold, ino, lower);
                                assert_true(fold_hash(t->fold, ino, upper) == seen[n - 1]);
                        }
        qsort(seen, n, sizeof(*seen), compare);
        for (size_t i = 1; i < n; i++)
                assert_true(seen[i - 1] != seen[i]);
}

/* The server's number, if it was known when somebody asked, or ours: it stays as long as it is the same file. */
static void shown_numbers(void **state)
{
        struct node_table *t = *state;
        struct node *a = lookup(t, t->root, "a"), *b = lookup(t, t->root, "b");

        node_identify(a, 7);
        assert_true(node_shown_ino(a) == 7);
        node_identify(a, 7);
        assert_true(node_shown_ino(a) == 7);
        node_identify(a, 8);
        assert_true(node_shown_ino(a) == 8);
        assert_true(node_shown_ino(b) == b->ino);
        node_identify(b, 9);
        assert_true(node_shown_ino(b) == b->ino);
        node_identify(b, 10);
        assert_true(node_shown_ino(b) == 10);
        node_identify(b, 0);
        assert_true(node_shown_ino(b) == b->ino);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(root),      TEST(counts),  TEST(child_keeps_parents), TEST(same_number_again),
                TEST(unlinked),  TEST(renamed), TEST(renamed_over),        TEST(long_paths),
                TEST(many),      TEST(mode_outlives_its_node), TEST(privileges),
                TEST(spellings_of_a_file), TEST(spellings_of_a_folder), TEST(names_that_differ_in_case),
                TEST(alike),     TEST(hashes),  TEST(shown_numbers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
