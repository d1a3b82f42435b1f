/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOOLS_WNET_OUTCOME_H
#define TOOLS_WNET_OUTCOME_H

/*
 * What `wnet cancel` and `wnet shutdown` say of their outcome.
 */

#include <stdbool.h>

#include "core/control-client.h"
#include "core/status.h"

/* Says everything there is to say, as text or as JSON.
 *   r           what control_cancel() or control_shutdown() returned, with err where that is a status
 *   outcome     where r is 0; otherwise it is zeroed
 *   done        line printed where it succeeded
 *   force_line  command that would force it, for the hint; NULL: it was forced already
 *   hint        what to do about an error that is no refusal; NULL: nothing
 * Returns the exit code. */
int outcome_print(int r, const struct wn_error *err, const struct control_outcome *outcome, bool json, const char *done,
                  const char *force_line, const char *hint);

#endif
