/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_CLEANUP_H
#define CORE_CLEANUP_H

/*
 * Cleanup attributes: `_cleanup_(foo_freep) struct foo *f = NULL;` lets go of f at the end of its block.
 * DEFINE_CLEANUP(type, fn) makes fn##p() for a pointer type's destructor that accepts NULL.
 */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))

#define DEFINE_CLEANUP(type, fn)                                                                                        \
        static inline void fn##p(type *p) { fn(*p); }                                                                  \
        struct fn##_cleanup_needs_a_semicolon

static inline void cleanup_free(void *p) { free(*(void **) p); }
static inline void cleanup_close(int *fd)
{
        if (*fd >= 0)
                close(*fd);
}
static inline void cleanup_fclose(FILE **f)
{
        if (*f)
                fclose(*f);
}

#define _cleanup_free_ _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)
#define _cleanup_fclose_ _cleanup_(cleanup_fclose)

/* Gives a pointer or descriptor away: the variable no longer owns it. */
#define TAKE_PTR(p)                                                                                                     \
        __extension__({                                                                                                              \
                __typeof__(p) taken_ = (p);                                                                             \
                (p) = NULL;                                                                                             \
                taken_;                                                                                                 \
        })
#define TAKE_FD(fd)                                                                                                     \
        __extension__({                                                                                                              \
                int taken_ = (fd);                                                                                      \
                (fd) = -1;                                                                                              \
                taken_;                                                                                                 \
        })

#endif
