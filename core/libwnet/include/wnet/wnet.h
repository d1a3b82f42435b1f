/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef WNET_WNET_H
#define WNET_WNET_H

/*
 * libwnet: Windows' WNet API for wnet's network drives.
 *
 * Names, types and numbers are Win32's own. Strings are UTF-8. Every WNet function returns a Win32 error code, NO_ERROR
 * (0) on success, and leaves the same value in the calling thread's last error (GetLastError). Every function may be
 * called from any thread, and after a fork(); each asks the user's daemon, wnetd, and starts it when it is not running.
 */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint32_t DWORD;
typedef int BOOL;
typedef DWORD *LPDWORD;
typedef char *LPSTR;
typedef const char *LPCSTR;

#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif

#define NO_ERROR 0
#define ERROR_ACCESS_DENIED 5
#define ERROR_INVALID_HANDLE 6
#define ERROR_BAD_NETPATH 53
#define ERROR_BAD_DEV_TYPE 66
#define ERROR_BAD_NET_NAME 67
#define ERROR_ALREADY_ASSIGNED 85
#define ERROR_INVALID_PASSWORD 86
#define ERROR_INVALID_PARAMETER 87
#define ERROR_INVALID_LEVEL 124
#define ERROR_BUSY 170
#define ERROR_MORE_DATA 234
#define ERROR_NO_MORE_ITEMS 259
#define ERROR_INVALID_ADDRESS 487
#define ERROR_BAD_DEVICE 1200
#define ERROR_CONNECTION_UNAVAIL 1201
#define ERROR_DEVICE_ALREADY_REMEMBERED 1202
#define ERROR_NO_NET_OR_BAD_PATH 1203
#define ERROR_BAD_PROVIDER 1204
#define ERROR_CANNOT_OPEN_PROFILE 1205
#define ERROR_BAD_PROFILE 1206
#define ERROR_EXTENDED_ERROR 1208
#define ERROR_SESSION_CREDENTIAL_CONFLICT 1219
#define ERROR_NO_NETWORK 1222
#define ERROR_CANCELLED 1223
#define ERROR_LOGON_FAILURE 1326
#define ERROR_BAD_USERNAME 2202
#define ERROR_NOT_CONNECTED 2250
#define ERROR_OPEN_FILES 2401
#define ERROR_DEVICE_IN_USE 2404

#define CONNECT_UPDATE_PROFILE 0x00000001

#define RESOURCETYPE_ANY 0x00000000
#define RESOURCETYPE_DISK 0x00000001
#define RESOURCETYPE_PRINT 0x00000002

typedef struct _NETRESOURCEA {
        DWORD dwScope;
        DWORD dwType;
        DWORD dwDisplayType;
        DWORD dwUsage;
        LPSTR lpLocalName;
        LPSTR lpRemoteName;
        LPSTR lpComment;
        LPSTR lpProvider;
} NETRESOURCEA, *LPNETRESOURCEA;

/*
 * What a name can be:
 *   local device   "A:" to "Z:" (the colon is part of the name) or "LPT1" to "LPT9" (a colon may follow); case does
 *                  not matter
 *   remote name    \\server\share, //server/share or smb://server/share; a port follows the server
 *                  (\\server:4450\share), a folder the share (\\server\share\dir: a resource of its own); compared
 *                  without case
 * NETRESOURCEA: dwType, lpLocalName, lpRemoteName and lpProvider count; the other members are ignored.
 *
 * ERROR_EXTENDED_ERROR (1208), from any function, is a failure inside wnet: the daemon cannot be started, does not
 * answer in time, or is of an incompatible version. WNetGetLastError() has the text.
 */

/*
 * Connects a local device to a remote resource, or, without a device, the resource alone (deviceless). Waits until the
 * server has answered.
 *
 *   lpNetResource  dwType: RESOURCETYPE_DISK, RESOURCETYPE_PRINT, or RESOURCETYPE_ANY for the device's own kind;
 *                  lpLocalName: the device, NULL or "": deviceless; lpRemoteName: the resource;
 *                  lpProvider: NULL, "" or "wnet"
 *   lpPassword     at most 1024 bytes; NULL: the one of a live connection to the same server, a Kerberos ticket, or
 *                  none; "": the empty password
 *   lpUserName     "user" or "DOMAIN\user"; NULL: that of a live connection to the same server, else the login name
 *   dwFlags        0, or CONNECT_UPDATE_PROFILE: once connected, the device is remembered and restored at the next
 *                  logon (not its password, and nothing for a deviceless connection)
 *
 * NO_ERROR                         connected; a device that was remembered for this resource stays remembered
 * ERROR_ACCESS_DENIED              the server does not let this user at the share
 * ERROR_BAD_NETPATH, ERROR_NO_NET_OR_BAD_PATH  there is no such server, or it does not answer
 * ERROR_BAD_DEV_TYPE               a printer on a drive, or a disk on a printer port
 * ERROR_BAD_NET_NAME               lpRemoteName is NULL, empty or malformed, or the server has no such share
 * ERROR_ALREADY_ASSIGNED           the device is connected already, be it to the same resource
 * ERROR_INVALID_PASSWORD, ERROR_LOGON_FAILURE  wrong password, unknown user; the former also for a password that is too
 *                                  long or not UTF-8
 * ERROR_INVALID_PARAMETER          unknown dwType or flags
 * ERROR_INVALID_ADDRESS            lpNetResource is NULL
 * ERROR_BAD_DEVICE                 lpLocalName is malformed
 * ERROR_DEVICE_ALREADY_REMEMBERED  the device is remembered for another resource
 * ERROR_BAD_PROVIDER               another provider was asked for
 * ERROR_CANNOT_OPEN_PROFILE, ERROR_BAD_PROFILE  with CONNECT_UPDATE_PROFILE: it could not be remembered, and is not
 *                                  connected
 * ERROR_SESSION_CREDENTIAL_CONFLICT  a live connection to the same server uses other credentials
 * ERROR_CANCELLED                  the device was cancelled while it was connecting
 * ERROR_BAD_USERNAME               lpUserName is malformed
 * After a failure nothing is connected and nothing is remembered that was not before.
 */
DWORD WNetAddConnection2A(LPNETRESOURCEA lpNetResource, LPCSTR lpPassword, LPCSTR lpUserName, DWORD dwFlags);

/* The older call: WNetAddConnection2A() with RESOURCETYPE_ANY, the default user and CONNECT_UPDATE_PROFILE. */
DWORD WNetAddConnectionA(LPCSTR lpRemoteName, LPCSTR lpPassword, LPCSTR lpLocalName);

/*
 * Breaks a connection.
 *
 *   lpName   a local device: only its redirection is broken; or a remote name: all connections to that resource are,
 *            every device's and every deviceless one
 *   dwFlags  0: what is remembered stays, and is restored at the next logon; CONNECT_UPDATE_PROFILE: the device is
 *            forgotten too (ignored for a remote name, and for a device that is not remembered)
 *   fForce   FALSE: refused while something uses the connection; TRUE (any non-zero value): open handles are revoked
 *            and the connection is broken in bounded time, whether or not the server answers
 *
 * NO_ERROR                 broken: the mount is gone when the call returns. Also: the device was not connected, but
 *                          remembered, and CONNECT_UPDATE_PROFILE has made it forgotten
 * ERROR_INVALID_PARAMETER  unknown flags; this is checked first
 * ERROR_NOT_CONNECTED      the name is neither connected nor (with CONNECT_UPDATE_PROFILE) a remembered device; also a
 *                          NULL, empty or malformed name
 * ERROR_OPEN_FILES         fForce is FALSE, and files, directories, memory maps or print jobs are open
 * ERROR_DEVICE_IN_USE      fForce is FALSE, and a process uses it without an open file: its working directory is there,
 *                          or another file system is mounted on it
 * ERROR_CANNOT_OPEN_PROFILE, ERROR_BAD_PROFILE  with CONNECT_UPDATE_PROFILE on a remembered device: it could not be
 *                          forgotten
 * After a failure everything is as before: the connections, their handles, and what is remembered.
 */
DWORD WNetCancelConnection2A(LPCSTR lpName, DWORD dwFlags, BOOL fForce);

/* The older call: WNetCancelConnection2A() with CONNECT_UPDATE_PROFILE. */
DWORD WNetCancelConnectionA(LPCSTR lpName, BOOL fForce);

/*
 * Tells which remote resource a local device is connected to, or remembered for.
 *
 *   lpLocalName   the device
 *   lpRemoteName  receives the remote name, \\server\share; may be NULL when *lpnLength is 0
 *   lpnLength     in: the buffer's size in characters (char); changed by ERROR_MORE_DATA alone, to the size that is
 *                 needed, its NUL counted
 *
 * NO_ERROR                  connected, the buffer is filled
 * ERROR_CONNECTION_UNAVAIL  not connected now, but remembered or still connecting; the buffer is filled all the same
 * ERROR_MORE_DATA           the buffer is too small and has not been touched
 * ERROR_INVALID_ADDRESS     lpLocalName or lpnLength is NULL, or lpRemoteName is NULL with a length that is not 0
 * ERROR_BAD_DEVICE          lpLocalName is malformed
 * ERROR_NOT_CONNECTED       the device is neither connected nor remembered
 */
DWORD WNetGetConnectionA(LPCSTR lpLocalName, LPSTR lpRemoteName, LPDWORD lpnLength);

/*
 * Tells about the calling thread's most recent failure of a function above: any code, ERROR_EXTENDED_ERROR above all. A
 * later success does not erase it, and neither does this function.
 *
 *   lpError         receives its code, NO_ERROR when none has failed yet
 *   lpErrorBuf      receives what failed, on what and why: one line of UTF-8, with the phase that failed in parentheses
 *                   at its end where it is known; cut to fit at a character's border, and terminated
 *   nErrorBufSize   its size in bytes; 0: it is left alone
 *   lpNameBuf       receives the provider's name, "wnet"; cut and terminated likewise
 *   nNameBufSize    its size in bytes; 0: it is left alone
 *
 * NO_ERROR               told
 * ERROR_INVALID_ADDRESS  one of the three pointers is NULL
 */
DWORD WNetGetLastErrorA(LPDWORD lpError, LPSTR lpErrorBuf, DWORD nErrorBufSize, LPSTR lpNameBuf, DWORD nNameBufSize);

/* The calling thread's last error: what its latest call of a WNet function returned, or SetLastError() has set. */
DWORD GetLastError(void);
void SetLastError(DWORD dwErrCode);

#define NETRESOURCE NETRESOURCEA
#define LPNETRESOURCE LPNETRESOURCEA
#define WNetAddConnection2 WNetAddConnection2A
#define WNetAddConnection WNetAddConnectionA
#define WNetCancelConnection2 WNetCancelConnection2A
#define WNetCancelConnection WNetCancelConnectionA
#define WNetGetConnection WNetGetConnectionA
#define WNetGetLastError WNetGetLastErrorA

#ifdef __cplusplus
}
#endif

#endif
