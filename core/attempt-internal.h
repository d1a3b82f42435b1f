/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_ATTEMPT_INTERNAL_H
#define CORE_ATTEMPT_INTERNAL_H

/* What a request to connect (add.c) hands to its attempt (attempt.c). */

#include "core/manager.h"

/* Where its password comes from, and goes to. TO_RENEW: it was given for a user whose password is saved, for a device that is to
 * be remembered; where the keyring does not take it, the drive is connected all the same. */
enum attempt_password { PASSWORD_AT_HAND, PASSWORD_SAVED, PASSWORD_TO_SAVE, PASSWORD_TO_RENEW };

/* Refuses to connect c, which is connected, or about to be. ERROR_ALREADY_ASSIGNED. */
int attempt_refuse_second(const struct connection *c, struct wn_error *err);

/* Begins to connect c. caller NULL: nobody asked. 0: kept is the attempt's now; a negative errno, or
 * ERROR_SESSION_CREDENTIAL_CONFLICT with err filled: it is to be put back. */
int attempt_begin(struct connection *c, bool persistent, enum attempt_password password, struct kept_credentials *kept,
                  const struct caller *caller, add_done_fn done, void *userdata, struct wn_error *err);

#endif
