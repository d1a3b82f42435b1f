/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The program that the pool starts in its tests: a worker in front of the fake server. */

#include <signal.h>
#include <sys/prctl.h>

#include "fake-backend.h"
#include "fuse/smb/worker.h"

int main(void)
{
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a hanging one outlives no test */
        return worker_run(fake_backend());
}
