/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "core/control-socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/cleanup.h"

#define BACKLOG 64

static int new_socket(const char *path, struct sockaddr_un *ret_address)
{
        int fd;

        if (strlen(path) >= sizeof(ret_address->sun_path))
                return -ENAMETOOLONG;
        *ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        strcpy(ret_address->sun_path, path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        return fd < 0 ? -errno : fd;
}

int control_socket_connect(const char *path)
{
        struct sockaddr_un address;
        _cleanup_close_ int fd = new_socket(path, &address);

        if (fd >= 0 && connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

bool control_socket_answers(const char *path)
{
        _cleanup_close_ int fd = control_socket_connect(path);

        return fd >= 0 || fd == -EAGAIN;
}

int control_socket_listen(const char *path)
{
        struct sockaddr_un address;
        _cleanup_close_ int fd = new_socket(path, &address);

        if (fd >= 0 && ((unlink(path) < 0 && errno != ENOENT) ||
                        bind(fd, (const struct sockaddr *) &address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0))
                return -errno;
        return TAKE_FD(fd);
}
