/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_CONTROL_PROTOCOL_H
#define CORE_CONTROL_PROTOCOL_H

/*
 * What wnet, libwnet and wnetd say to each other: D-Bus messages, peer to peer, on the socket runtime_dir/control. Only the
 * daemon's own user is let in. A failure is a D-Bus error whose name is status_dbus_error() and whose body is
 *        s text (one line for the person who asked), u cause (NTSTATUS or errno, 0: none), s phase (the step that failed, or "")
 *
 *  GetVersion()                              → s release, u protocol
 *  Add(s local, s remote, a{sv} options)     → s device, s mountpoint
 *        local: "Z:", "LPT1", "*" (first free letter from Z: down), or "" (deviceless)
 *        options: "user" s (may be DOMAIN\user), "password" s, "credentials" s (absolute path of a file), "persistent" b,
 *        "read-only" b, "save-password" b, "type" u (RESOURCETYPE_*); another key answers ERROR_INVALID_PARAMETER
 *        a client whose process ends gives up what is not connected yet; so with Restore
 *  Restore(s local)                          → s device, s mountpoint
 *        connects a remembered device again, with what is remembered, or waits for the daemon's own attempt at that; errors as
 *        Add's, ERROR_NOT_CONNECTED for a device that is neither connected nor remembered
 *  Cancel(s name, u flags, b force, t wait)  → CONTROL_OUTCOME
 *        wait: for so many µs (UINT64_MAX: without end) the disconnection is tried again as often as the last holder has let go;
 *        a client that goes away gives up
 *  Shutdown(b force)                         → CONTROL_OUTCOME
 *        s status (status_name()), s text, u cause, s phase, t holders' total, a(…) holders (at most HOLDERS_MAX), a(…) lost
 *        holder: s device or remote name, s kind (holder_kind_name()), u pid, u uid, s program, s path, s mode,
 *                t since (CLOCK_REALTIME µs, 0: not known), t unsent bytes
 *        lost:   s device or remote name, s path, t bytes: writes that were acknowledged and could not be sent (forced only)
 *  Forget(s local)                           → CONTROL_OUTCOME, without holders
 *        deletes what is remembered of a device; where it is connected, it stays so. ERROR_NOT_CONNECTED: nothing is remembered;
 *        ERROR_CANNOT_OPEN_PROFILE, ERROR_BAD_PROFILE
 *  List()                                    → a(…)
 *        s device ("" deviceless), s remote (UNC), s state ("connecting" "ok" "reconnecting" "cancelling" "unavailable"),
 *        s reason (why it is in this state, "" where there is nothing to say), s user (DOMAIN\user where there is a domain: the session's, else the
 *        one to connect as; "" where neither is known), s mountpoint, t since (CLOCK_REALTIME µs), t next retry (CLOCK_REALTIME µs, 0: none is planned), b persistent, b read-only
 *  CheckProfile()                            → nothing; ERROR_CANNOT_OPEN_PROFILE, ERROR_BAD_PROFILE: it could not be read since the
 *        daemon's start, nor just now, so List() has none that are only remembered
 *  Files(s name)                             → a(…); a device's, those of all connections to a remote name, or with "" of every one
 *        s device or remote name, s kind ("file" "directory" "job"), s path, u pid (0: its opener has ended), u uid, s program,
 *        s mode ("r" "w" "rw"), t since (CLOCK_REALTIME µs), t bytes read, t bytes written
 *  Get(s local)                              → s remote, s state
 *  Shares(s server, a{sv} options)           → a(…): s name, u type (RESOURCETYPE_DISK, RESOURCETYPE_PRINT, RESOURCETYPE_ANY:
 *        neither), s comment
 *        options: "user", "password", "credentials" as Add's; without them those of a live connection to the server
 *  History(s name, u most)                   → a(…), the latest first; a device's, or those of connections without one to a remote name;
 *        with "" of every one
 *        t when (CLOCK_REALTIME µs), s device or remote name, s remote, s event ("connected" "restored" "failed" "disconnected"
 *        "forgotten" "unreachable" "back" "unmounted"), s detail, s program that asked for it, u its pid (0: nobody asked)
 *        ERROR_EXTENDED_ERROR: no history is kept, or it cannot be read
 *  GetPersistence()                          → b: whether `wnet use` remembers what it connects, unless told otherwise
 *  SetPersistence(b)                         → nothing; ERROR_CANNOT_OPEN_PROFILE, ERROR_BAD_PROFILE
 *
 *  signal Changed(s device, s remote, s state, s reason): state as above, or "gone"
 */

#define CONTROL_PROTOCOL 3
#define CONTROL_PATH "/org/wnet/Manager1"
#define CONTROL_INTERFACE "org.wnet.Manager1"

#define CONTROL_VERSION_REPLY "su"
#define CONTROL_ADD_ARGS "ssa{sv}"
#define CONTROL_ADD_REPLY "ss"
#define CONTROL_ERROR "sus"
#define CONTROL_CANCEL_ARGS "subt"
#define CONTROL_HOLDER "ssuussstt"
#define CONTROL_LOST "sst"
#define CONTROL_OUTCOME "ssust" "a(" CONTROL_HOLDER ")" "a(" CONTROL_LOST ")"
#define CONTROL_SHUTDOWN_ARGS "b"
#define CONTROL_CONNECTION "ssssssttbb"
#define CONTROL_LIST_REPLY "a(" CONTROL_CONNECTION ")"
#define CONTROL_FILE "sssuussttt"
#define CONTROL_FILES_REPLY "a(" CONTROL_FILE ")"
#define CONTROL_GET_REPLY "ss"
#define CONTROL_SHARES_ARGS "sa{sv}"
#define CONTROL_SHARE "sus"
#define CONTROL_SHARES_REPLY "a(" CONTROL_SHARE ")"
#define CONTROL_HISTORY_ARGS "su"
#define CONTROL_EVENT "tsssssu"
#define CONTROL_HISTORY_REPLY "a(" CONTROL_EVENT ")"
#define CONTROL_CHANGED "ssss"

/* Longest a client waits for an answer: a forced cancel may send data for 30 s, a connection attempt takes up to 120 s. */
#define CONTROL_TIMEOUT_USEC (180 * 1000000ULL)

#endif
