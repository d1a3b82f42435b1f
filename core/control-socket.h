/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_CONTROL_SOCKET_H
#define CORE_CONTROL_SOCKET_H

/*
 * Both ends of the control socket, as far as the file system goes. Descriptors do not block.
 */

#include <stdbool.h>

/* A descriptor or a negative errno: -ENOENT or -ECONNREFUSED where nobody listens, -EAGAIN where too many wait. */
int control_socket_connect(const char *path);

/* Whether somebody listens there. */
bool control_socket_answers(const char *path);

/* Listens at path, in the place of what is there. A descriptor or a negative errno. */
int control_socket_listen(const char *path);

#endif
