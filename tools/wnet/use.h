/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOOLS_WNET_USE_H
#define TOOLS_WNET_USE_H

/*
 * The parts of `wnet use` that change something. Each says what there is to say and returns the exit code: 0 or 2.
 */

#include "tools/wnet/use-parse.h"

/* USE_CONNECT, and USE_OPEN where it is not connected. Erases request->password, which all can see in the list of processes. */
int use_connect(struct use_request *request);

/* USE_DELETE. */
int use_delete(const struct use_request *request);

/* USE_DELETE_ALL. */
int use_delete_all(const struct use_request *request);

#endif
