/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writes a valid profile, where the fuzzing of profiles begins.
 *
 *   seed-profile FILE
 */

#include <stdio.h>

#include "core/profile.h"

int main(int argc, char **argv)
{
        const struct profile_row rows[] = {
                { .device = (char *) "Z:", .remote = (char *) "\\\\srv:4450\\share\\dir", .type = RESOURCETYPE_DISK,
                  .user = (char *) "me", .domain = (char *) "DOM", .provider = (char *) "wnet",
                  .secret = PROFILE_SECRET_FILE, .credentials_file = (char *) "/home/me/credentials", .since_usec = 1 },
                { .device = (char *) "LPT1", .remote = (char *) "\\\\srv\\printer", .type = RESOURCETYPE_PRINT,
                  .provider = (char *) "wnet" },
        };
        struct profile_change *change;

        if (argc != 2)
                return 2;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
                if (profile_stage_put(argv[1], &rows[i], &change, NULL) != 0 || profile_commit(change, NULL) != 0)
                        return 1;
        return profile_stage_persistence(argv[1], false, &change, NULL) != 0 || profile_commit(change, NULL) != 0;
}
