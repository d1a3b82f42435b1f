/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

/* What every target has: libFuzzer calls LLVMFuzzerTestOneInput() with each input, and an abort is a finding. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                          \
        do {                                                                                      \
                if (!(condition)) {                                                               \
                        fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
                        abort();                                                                  \
                }                                                                                 \
        } while (0)

/* The input as a text; the caller frees. NULL: no memory. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
        char *text = malloc(size + 1);

        if (text) {
                memcpy(text, data, size);
                text[size] = '\0';
        }
        return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
