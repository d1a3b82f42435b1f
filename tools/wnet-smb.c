/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * wnet-smb: one SMB connection for wnetd, which starts it. Not for use by hand.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fuse/smb/backend-smbclient.h"
#include "fuse/smb/worker.h"

int main(int argc, char **argv)
{
        const struct rlimit no_core = { 0, 0 };

        if (argc == 2 && strcmp(argv[1], "--version") == 0) {
                puts("wnet-smb " WNET_VERSION);
                return EXIT_SUCCESS;
        }
        if (argc != 1 || fcntl(SMB_FD_SETUP, F_GETFD) < 0) {
                fputs("wnet-smb is started by wnetd; use wnet to work with network drives\n", stderr);
                return 2;
        }
        setrlimit(RLIMIT_CORE, &no_core); /* a core would hold the password */
        dup2(STDERR_FILENO, STDOUT_FILENO); /* the library prints */
        return worker_run(backend_smbclient());
}
