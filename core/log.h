/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_LOG_H
#define CORE_LOG_H

/*
 * Messages of the daemon and its workers: one line each on standard error, which is the journal or the log file. Never a
 * password. Levels are syslog's; a line begins with "<N>" where standard error is the stream that JOURNAL_STREAM names (as
 * under systemd), else with time and level.
 */

#include <syslog.h>

/* Messages less important than this are dropped; LOG_INFO at first. */
void log_set_max_level(int level);

void log_message(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_message(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_DEBUG, __VA_ARGS__)

#endif
