/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOOLS_WNET_OUTCOME_H
#define TOOLS_WNET_OUTCOME_H

/*
 * What `wnet cancel` and `wnet shutdown` say of their outcome.
 */

#include <stdbool.h>

#include "core/control-client.h"
#include "core/status.h"

/* What is offered where a disconnection is refused because something is in use; NULL: nothing. */
struct outcome_help {
        const char *wait_line;  /* command that waits until nothing is in use */
        const char *force_line; /* command that forces it */
        bool keeps_jobs;        /* which print jobs that are whole outlive */
        const char *hint;       /* what to do about an error that is no such refusal */
};

/* Whether it was refused because something is in use. */
bool outcome_in_use(const struct control_outcome *outcome);

/* Says on standard error who is waited for: a table (not with json, where standard error is for the person alone), a line. */
void outcome_print_waiting(const struct control_outcome *outcome, bool json);

/* Says on standard error what was lost when it was forced. Accepts a zeroed outcome. */
void outcome_print_lost(const struct control_outcome *outcome);

/* Says everything there is to say, as text or as JSON.
 *   r        what control_cancel() or control_shutdown() returned, with err where that is a status
 *   outcome  where r is 0; otherwise it is zeroed
 *   done     line printed where it succeeded
 * Returns the exit code. */
int outcome_print(int r, const struct wn_error *err, const struct control_outcome *outcome, bool json, const char *done,
                  const struct outcome_help *help);

#endif
