/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_FAULT_H
#define CORE_FAULT_H

/*
 * Where a test lets the daemon die. In the product a fault point is nothing at all; in tests/integration/wnetd-fault the
 * process kills itself at the one that its environment names, and so does the worker wnet-smb-fault.
 */

#ifdef WNET_FAULT_POINTS
/* SIGKILL to this process when WNET_FAULT is "name", or "name#N" and this is the N-th time that it comes by; where WNET_FAULT_MARK is a
 * file, only the process that makes it. */
void fault_point(const char *name);
#define FAULT_POINT(name) fault_point(name)
#else
#define FAULT_POINT(name) ((void) 0)
#endif

#endif
