/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What makes wnetd-fault of wnetd, and wnet-smb-fault of wnet-smb; see core/fault.h. */

#include "core/fault.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

void fault_point(const char *name)
{
        const char *wanted = getenv("WNET_FAULT");
        size_t length = strlen(name);
        static int passed; /* how often the one that is wanted was passed */

        const char *mark = getenv("WNET_FAULT_MARK"); /* made by the one that dies */

        if (!wanted || strncmp(wanted, name, length) != 0 || (wanted[length] != '\0' && wanted[length] != '#'))
                return;
        if (++passed < (wanted[length] == '#' ? atoi(wanted + length + 1) : 1))
                return;
        if (!mark || open(mark, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600) >= 0)
                raise(SIGKILL);
}
