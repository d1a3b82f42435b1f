/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tables on a terminal. Always true: n_rows * n_columns cells and n_rows notes, every cell escaped and not empty.
 */

#include <stdlib.h>
#include <string.h>

#include "tools/wnet/output.h"

#define COLUMN_GAP 2

void table_init(struct table *ret_table, const char *const *headings)
{
        *ret_table = (struct table) { .headings = headings };
        while (headings[ret_table->n_columns])
                ret_table->n_columns++;
}

void table_done(struct table *table)
{
        for (size_t i = 0; i < table->n_rows * table->n_columns; i++)
                free(table->cells[i]);
        for (size_t i = 0; i < table->n_rows; i++)
                free(table->notes[i]);
        free(table->cells);
        free(table->notes);
        *table = (struct table){ 0 };
}

static void grow(char ***array, size_t n)
{
        char **larger = reallocarray(*array, n, sizeof **array);

        if (!larger) {
                fputs("wnet: out of memory\n", stderr);
                exit(1);
        }
        *array = larger;
}

void table_add(struct table *table, const char *const *cells)
{
        size_t first = table->n_rows * table->n_columns;

        grow(&table->cells, first + table->n_columns);
        grow(&table->notes, table->n_rows + 1);
        for (size_t i = 0; i < table->n_columns; i++)
                table->cells[first + i] = output_escape(cells[i] && cells[i][0] ? cells[i] : "-");
        table->notes[table->n_rows] = NULL;
        table->n_rows++;
}

void table_note(struct table *table, const char *text)
{
        free(table->notes[table->n_rows - 1]);
        table->notes[table->n_rows - 1] = output_escape(text);
}

static void print_row(const struct table *table, const int *widths, const char *const *cells, FILE *f)
{
        for (size_t i = 0; i < table->n_columns; i++) {
                bool last = i + 1 == table->n_columns;

                fprintf(f, "%s%*s", cells[i], last ? 0 : widths[i] - output_width(cells[i]) + COLUMN_GAP, "");
        }
        fputc('\n', f);
}

void table_print(const struct table *table, FILE *f)
{
        _cleanup_free_ int *widths = calloc(table->n_columns, sizeof *widths);

        if (!widths)
                return;
        for (size_t i = 0; i < table->n_columns; i++) {
                widths[i] = output_width(table->headings[i]);
                for (size_t row = 0; row < table->n_rows; row++) {
                        int width = output_width(table->cells[row * table->n_columns + i]);

                        widths[i] = width > widths[i] ? width : widths[i];
                }
        }
        print_row(table, widths, table->headings, f);
        for (size_t row = 0; row < table->n_rows; row++) {
                print_row(table, widths, (const char *const *) &table->cells[row * table->n_columns], f);
                if (table->notes[row])
                        fprintf(f, "%*s%s\n", widths[0] + COLUMN_GAP, "", table->notes[row]);
        }
}
