/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORE_PASSWORD_H
#define CORE_PASSWORD_H

/*
 * A remembered device's password in the Secret Service: c->saved_user tells that there is one, and whose it is. Which device, server
 * and user it is for are its attributes there, so that a password never goes to another server than it was saved for.
 *
 * Functions with a completion answer 0 when it will come, else a negative errno. It comes once, from the event loop and within seconds,
 * unless password_cancel() comes first; one at a time for a connection.
 */

#include "core/connection.h"

/* Makes c's credentials those of the saved user, without the password. 0 or a negative errno. */
int password_use_saved(struct connection *c);

/* Looks that password up. ERROR_LOGON_FAILURE: there is no password any more, so that trying again is of no use;
 * ERROR_EXTENDED_ERROR: the keyring is locked, there is no Secret Service, or it does not answer. */
int password_look_up(struct connection *c, struct completion done);

/* Saves c's password for c's user; one that is there already is replaced. ERROR_EXTENDED_ERROR: it could not be saved. */
int password_save(struct connection *c, struct completion done);

/* Removes what password_save() has saved. ERROR_EXTENDED_ERROR: it could not be removed; also logged. */
int password_unsave(struct connection *c, struct completion done);

/* Removes every password of c's device. As password_unsave(). */
int password_forget(struct connection *c, struct completion done);

/* Fills err with why password_forget() has not removed them, and how to do it by hand. ERROR_EXTENDED_ERROR. */
int password_say_left(const struct connection *c, const char *reason, struct wn_error *err);

/* Removes the password of c->saved_user, for nobody in particular. */
void password_drop(const struct connection *c);

/* Ends what is under way for c, if anything is; it may have been done or not. */
void password_cancel(struct connection *c);

#endif
