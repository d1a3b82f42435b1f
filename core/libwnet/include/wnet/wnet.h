/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef WNET_WNET_H
#define WNET_WNET_H

/*
 * libwnet: Windows' WNet API for wnet's network drives.
 *
 * Names, types and numbers are Win32's own; DWORD has 32 bits. Every function with strings has two forms: the A form
 * takes and gives UTF-8 (char), the W form UTF-16 (WCHAR, which is char16_t). The name without A or W is a macro: the W
 * form where UNICODE is defined, the A form otherwise. Sizes in "characters" are bytes in the A form, and UTF-16 code
 * units in the W form.
 *
 * Every WNet function returns a Win32 error code, NO_ERROR (0) on success, and leaves the same value in the calling
 * thread's last error (GetLastError). Every function may be called from any thread, and after a fork(); each asks the
 * user's daemon, wnetd, and starts it when it is not running. No call waits for ever.
 */

#include <stdint.h>
#include <uchar.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef WINAPI
#define WINAPI
#endif

typedef uint32_t DWORD;
typedef int BOOL;
typedef DWORD *LPDWORD;
typedef void *LPVOID;
typedef void *HANDLE;
typedef HANDLE *LPHANDLE;
typedef struct HWND__ *HWND; /* there are no windows here: always NULL, or ignored */

/* With -fshort-wchar, L"" literals are UTF-16, as on Windows; else u"" literals are what the W functions take. */
#if defined(__cplusplus) && __SIZEOF_WCHAR_T__ == 2
typedef wchar_t WCHAR;
#else
typedef char16_t WCHAR;
#endif
typedef char CHAR;
typedef CHAR *LPSTR;
typedef const CHAR *LPCSTR;
typedef WCHAR *LPWSTR;
typedef const WCHAR *LPCWSTR;

#ifdef UNICODE
typedef WCHAR TCHAR;
#if __SIZEOF_WCHAR_T__ == 2
#define __TEXT(text) L##text
#else
#define __TEXT(text) u##text
#endif
#else
typedef CHAR TCHAR;
#define __TEXT(text) text
#endif
#define TEXT(text) __TEXT(text)
typedef TCHAR *LPTSTR;
typedef const TCHAR *LPCTSTR;

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

/* dwScope */
#define RESOURCE_CONNECTED 0x00000001
#define RESOURCE_GLOBALNET 0x00000002
#define RESOURCE_REMEMBERED 0x00000003
#define RESOURCE_RECENT 0x00000004
#define RESOURCE_CONTEXT 0x00000005

/* dwType */
#define RESOURCETYPE_ANY 0x00000000
#define RESOURCETYPE_DISK 0x00000001
#define RESOURCETYPE_PRINT 0x00000002
#define RESOURCETYPE_RESERVED 0x00000008
#define RESOURCETYPE_UNKNOWN 0xFFFFFFFF

/* dwUsage */
#define RESOURCEUSAGE_CONNECTABLE 0x00000001
#define RESOURCEUSAGE_CONTAINER 0x00000002
#define RESOURCEUSAGE_NOLOCALDEVICE 0x00000004
#define RESOURCEUSAGE_SIBLING 0x00000008
#define RESOURCEUSAGE_ATTACHED 0x00000010
#define RESOURCEUSAGE_ALL (RESOURCEUSAGE_CONNECTABLE | RESOURCEUSAGE_CONTAINER | RESOURCEUSAGE_ATTACHED)
#define RESOURCEUSAGE_RESERVED 0x80000000

/* dwDisplayType */
#define RESOURCEDISPLAYTYPE_GENERIC 0x00000000
#define RESOURCEDISPLAYTYPE_DOMAIN 0x00000001
#define RESOURCEDISPLAYTYPE_SERVER 0x00000002
#define RESOURCEDISPLAYTYPE_SHARE 0x00000003
#define RESOURCEDISPLAYTYPE_FILE 0x00000004
#define RESOURCEDISPLAYTYPE_GROUP 0x00000005
#define RESOURCEDISPLAYTYPE_NETWORK 0x00000006
#define RESOURCEDISPLAYTYPE_ROOT 0x00000007
#define RESOURCEDISPLAYTYPE_SHAREADMIN 0x00000008
#define RESOURCEDISPLAYTYPE_DIRECTORY 0x00000009
#define RESOURCEDISPLAYTYPE_TREE 0x0000000A

/* dwFlags of a connection; each function says which it knows. */
#define CONNECT_UPDATE_PROFILE 0x00000001
#define CONNECT_UPDATE_RECENT 0x00000002
#define CONNECT_TEMPORARY 0x00000004
#define CONNECT_INTERACTIVE 0x00000008
#define CONNECT_PROMPT 0x00000010
#define CONNECT_NEED_DRIVE 0x00000020
#define CONNECT_REFCOUNT 0x00000040
#define CONNECT_REDIRECT 0x00000080
#define CONNECT_LOCALDRIVE 0x00000100
#define CONNECT_CURRENT_MEDIA 0x00000200
#define CONNECT_DEFERRED 0x00000400
#define CONNECT_COMMANDLINE 0x00000800
#define CONNECT_CMD_SAVECRED 0x00001000
#define CONNECT_CRED_RESET 0x00002000
#define CONNECT_RESERVED 0xFF000000

/* dwInfoLevel */
#define UNIVERSAL_NAME_INFO_LEVEL 0x00000001
#define REMOTE_NAME_INFO_LEVEL 0x00000002

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

typedef struct _NETRESOURCEW {
        DWORD dwScope;
        DWORD dwType;
        DWORD dwDisplayType;
        DWORD dwUsage;
        LPWSTR lpLocalName;
        LPWSTR lpRemoteName;
        LPWSTR lpComment;
        LPWSTR lpProvider;
} NETRESOURCEW, *LPNETRESOURCEW;

typedef struct _UNIVERSAL_NAME_INFOA {
        LPSTR lpUniversalName;
} UNIVERSAL_NAME_INFOA, *LPUNIVERSAL_NAME_INFOA;

typedef struct _UNIVERSAL_NAME_INFOW {
        LPWSTR lpUniversalName;
} UNIVERSAL_NAME_INFOW, *LPUNIVERSAL_NAME_INFOW;

typedef struct _REMOTE_NAME_INFOA {
        LPSTR lpUniversalName;
        LPSTR lpConnectionName;
        LPSTR lpRemainingPath;
} REMOTE_NAME_INFOA, *LPREMOTE_NAME_INFOA;

typedef struct _REMOTE_NAME_INFOW {
        LPWSTR lpUniversalName;
        LPWSTR lpConnectionName;
        LPWSTR lpRemainingPath;
} REMOTE_NAME_INFOW, *LPREMOTE_NAME_INFOW;

/* For programs that mention it; no function here fills it. */
typedef struct _NETCONNECTINFOSTRUCT {
        DWORD cbStructure;
        DWORD dwFlags;
        DWORD dwSpeed;
        DWORD dwDelay;
        DWORD dwOptDataSize;
} NETCONNECTINFOSTRUCT, *LPNETCONNECTINFOSTRUCT;

/*
 * What a name can be:
 *   local device   "A:" to "Z:" (the colon is part of the name) or "LPT1" to "LPT9" (a colon may follow); case does
 *                  not matter
 *   remote name    \\server\share, //server/share or smb://server/share; a port follows the server
 *                  (\\server:4450\share), a folder the share (\\server\share\dir: a resource of its own); compared
 *                  without case
 * A name that is not valid UTF-8, or holds a surrogate without its partner, is a malformed name.
 *
 * ERROR_EXTENDED_ERROR (1208), from any function, is a failure inside wnet: the daemon cannot be started, does not
 * answer in time, or is of an incompatible version; or memory is short. WNetGetLastError() has the text.
 */

/* ---- connecting ---- */

/*
 * Connects a local device to a remote resource, or, without a device, the resource alone (deviceless). Waits until the
 * server has answered.
 *
 *   lpNetResource  dwType: RESOURCETYPE_DISK, RESOURCETYPE_PRINT, or RESOURCETYPE_ANY for the device's own kind;
 *                  lpLocalName: the device, NULL or "": deviceless; lpRemoteName: the resource;
 *                  lpProvider: NULL, "" or "wnet"; the other members are ignored
 *   lpPassword     at most 1024 bytes of UTF-8; NULL: the one that is known of a remembered device, or that of a live
 *                  connection to the same server, each if it is the same user's; else a Kerberos ticket, or none; "": the
 *                  empty password
 *   lpUserName     "user" or "DOMAIN\user"; NULL: the one that the device is remembered with; else, where lpPassword is
 *                  NULL too, that of a live connection to the same server; else the login name
 *   dwFlags        CONNECT_UPDATE_PROFILE: once connected, the device is remembered and restored at the next logon (not
 *                  its password, and nothing for a deviceless connection);
 *                  CONNECT_CMD_SAVECRED: the same, and lpPassword is kept in the user's Secret Service, from where it is
 *                  taken at the next logon;
 *                  CONNECT_TEMPORARY: it is not, as without any flag; excludes both;
 *                  CONNECT_INTERACTIVE: allows to ask the user, which never happens
 *
 * NO_ERROR                         connected; a device that was remembered for this resource stays remembered
 * ERROR_ACCESS_DENIED              the server does not let this user at the share
 * ERROR_BAD_NETPATH, ERROR_NO_NET_OR_BAD_PATH  there is no such server, or it does not answer
 * ERROR_BAD_DEV_TYPE               a printer on a drive, or a disk on a printer port
 * ERROR_BAD_NET_NAME               lpRemoteName is NULL, empty or malformed, or the server has no such share
 * ERROR_ALREADY_ASSIGNED           the device is connected already, be it to the same resource; without a device: the
 *                                  resource is; somebody is connecting it just now
 * ERROR_INVALID_PASSWORD, ERROR_LOGON_FAILURE  wrong password, unknown user; the former also for a password that is too
 *                                  long or malformed
 * ERROR_INVALID_PARAMETER          unknown dwType or flags; CONNECT_CMD_SAVECRED without a device or without a password
 * ERROR_INVALID_ADDRESS            lpNetResource is NULL
 * ERROR_BAD_DEVICE                 lpLocalName is malformed
 * ERROR_BUSY                       the device is just being forgotten
 * ERROR_DEVICE_ALREADY_REMEMBERED  the device is remembered for another resource
 * ERROR_BAD_PROVIDER               another provider was asked for
 * ERROR_CANNOT_OPEN_PROFILE, ERROR_BAD_PROFILE  with CONNECT_UPDATE_PROFILE: it could not be remembered, and is not
 *                                  connected
 * ERROR_SESSION_CREDENTIAL_CONFLICT  a live connection to the same server uses other credentials
 * ERROR_CANCELLED                  the device was cancelled while it was connecting
 * ERROR_BAD_USERNAME               lpUserName is malformed
 * ERROR_EXTENDED_ERROR             also: with CONNECT_CMD_SAVECRED, the password could not be saved
 * After a failure nothing is connected and nothing is remembered that was not before.
 */
DWORD WINAPI WNetAddConnection2A(LPNETRESOURCEA lpNetResource, LPCSTR lpPassword, LPCSTR lpUserName, DWORD dwFlags);
DWORD WINAPI WNetAddConnection2W(LPNETRESOURCEW lpNetResource, LPCWSTR lpPassword, LPCWSTR lpUserName, DWORD dwFlags);

/* The same as WNetAddConnection2(). hwndOwner, the window that would own a question, is ignored. */
DWORD WINAPI WNetAddConnection3A(HWND hwndOwner, LPNETRESOURCEA lpNetResource, LPCSTR lpPassword, LPCSTR lpUserName,
                                 DWORD dwFlags);
DWORD WINAPI WNetAddConnection3W(HWND hwndOwner, LPNETRESOURCEW lpNetResource, LPCWSTR lpPassword, LPCWSTR lpUserName,
                                 DWORD dwFlags);

/* The older call: WNetAddConnection2() with RESOURCETYPE_ANY, the default user and CONNECT_UPDATE_PROFILE. */
DWORD WINAPI WNetAddConnectionA(LPCSTR lpRemoteName, LPCSTR lpPassword, LPCSTR lpLocalName);
DWORD WINAPI WNetAddConnectionW(LPCWSTR lpRemoteName, LPCWSTR lpPassword, LPCWSTR lpLocalName);

/*
 * Connects as WNetAddConnection2() does, can choose the device, and tells by which name the resource is reached.
 *
 *   hwndOwner      ignored
 *   lpNetResource, lpPassword, lpUserID  as in WNetAddConnection2()
 *   dwFlags        as in WNetAddConnection2(), and CONNECT_REDIRECT: where lpLocalName is NULL or "", the first free
 *                  drive letter is taken, from Z: down, without those that are remembered; dwType has to be
 *                  RESOURCETYPE_DISK then
 *   lpAccessName   receives the device's name, or, for a deviceless connection, the remote name; NULL: not wanted
 *   lpBufferSize   in: the size of lpAccessName in characters; changed by ERROR_MORE_DATA alone, to the size that is
 *                  needed, its NUL counted. May be NULL where lpAccessName is
 *   lpResult       receives CONNECT_LOCALDRIVE where a device is connected, 0 where none is; changed by success alone;
 *                  NULL: not wanted
 *
 * The codes of WNetAddConnection2(), and:
 * ERROR_BAD_DEV_TYPE       also: CONNECT_REDIRECT without a device, and dwType is not RESOURCETYPE_DISK
 * ERROR_INVALID_PARAMETER  also: there is an lpAccessName, and lpBufferSize is NULL or points to 0
 * ERROR_MORE_DATA          lpAccessName is too small; nothing has been connected
 */
DWORD WINAPI WNetUseConnectionA(HWND hwndOwner, LPNETRESOURCEA lpNetResource, LPCSTR lpPassword, LPCSTR lpUserID,
                                DWORD dwFlags, LPSTR lpAccessName, LPDWORD lpBufferSize, LPDWORD lpResult);
DWORD WINAPI WNetUseConnectionW(HWND hwndOwner, LPNETRESOURCEW lpNetResource, LPCWSTR lpPassword, LPCWSTR lpUserID,
                                DWORD dwFlags, LPWSTR lpAccessName, LPDWORD lpBufferSize, LPDWORD lpResult);

/*
 * Connects a remembered device that is not connected now, with what is remembered of it; or all of them at once.
 *
 *   hwndParent  ignored
 *   lpDevice    the device; NULL: every remembered one that is not connected
 *
 * NO_ERROR                connected; or, without a device, everything that had to be connected is
 * ERROR_ALREADY_ASSIGNED  the device is connected already, or somebody else has asked for just that
 * ERROR_BAD_DEVICE        lpDevice is malformed
 * ERROR_CANNOT_OPEN_PROFILE, ERROR_BAD_PROFILE  what is remembered could not be read since the daemon started, nor now
 * ERROR_NOT_CONNECTED     the device is not remembered
 * The codes of WNetAddConnection2() where connecting fails; without a device, that of the first one that failed, after
 * all have been tried. Nothing is forgotten.
 */
DWORD WINAPI WNetRestoreConnectionA(HWND hwndParent, LPCSTR lpDevice);
DWORD WINAPI WNetRestoreConnectionW(HWND hwndParent, LPCWSTR lpDevice);

/* ---- disconnecting ---- */

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
DWORD WINAPI WNetCancelConnection2A(LPCSTR lpName, DWORD dwFlags, BOOL fForce);
DWORD WINAPI WNetCancelConnection2W(LPCWSTR lpName, DWORD dwFlags, BOOL fForce);

/* The older call: WNetCancelConnection2() with CONNECT_UPDATE_PROFILE. */
DWORD WINAPI WNetCancelConnectionA(LPCSTR lpName, BOOL fForce);
DWORD WINAPI WNetCancelConnectionW(LPCWSTR lpName, BOOL fForce);

/* ---- asking ---- */

/*
 * Tells which remote resource a local device is connected to, or remembered for.
 *
 *   lpLocalName   the device
 *   lpRemoteName  receives the remote name, \\server\share; may be NULL when *lpnLength is 0
 *   lpnLength     in: the buffer's size in characters; changed by ERROR_MORE_DATA alone, to the size that is needed,
 *                 its NUL counted
 *
 * NO_ERROR                  connected, the buffer is filled
 * ERROR_CONNECTION_UNAVAIL  not connected now, but remembered or still connecting; the buffer is filled all the same
 * ERROR_MORE_DATA           the buffer is too small and has not been touched
 * ERROR_INVALID_ADDRESS     lpLocalName or lpnLength is NULL, or lpRemoteName is NULL with a length that is not 0
 * ERROR_BAD_DEVICE          lpLocalName is malformed
 * ERROR_NOT_CONNECTED       the device is neither connected nor remembered
 * ERROR_CANNOT_OPEN_PROFILE, ERROR_BAD_PROFILE  the device is not connected; what is remembered could not be read since the daemon
 *                           started, nor now
 */
DWORD WINAPI WNetGetConnectionA(LPCSTR lpLocalName, LPSTR lpRemoteName, LPDWORD lpnLength);
DWORD WINAPI WNetGetConnectionW(LPCWSTR lpLocalName, LPWSTR lpRemoteName, LPDWORD lpnLength);

/*
 * Tells as which user a connection was made.
 *
 *   lpName      a local device or a remote name that is connected; NULL: tells the login name of the caller
 *   lpUserName  receives the user's name, DOMAIN\user where a domain was given to connect; the login name where neither a user
 *               nor a credentials file was; may be NULL when *lpnLength is 0
 *   lpnLength   in: the buffer's size in characters; changed by ERROR_MORE_DATA alone, to the size that is needed, its
 *               NUL counted
 *
 * NO_ERROR               told
 * ERROR_MORE_DATA        the buffer is too small and has not been touched
 * ERROR_INVALID_ADDRESS  lpnLength is NULL, or lpUserName is NULL with a length that is not 0
 * ERROR_NOT_CONNECTED    the name is not connected now (be it remembered), empty or malformed
 */
DWORD WINAPI WNetGetUserA(LPCSTR lpName, LPSTR lpUserName, LPDWORD lpnLength);
DWORD WINAPI WNetGetUserW(LPCWSTR lpName, LPWSTR lpUserName, LPDWORD lpnLength);

/*
 * Tells by which name every machine can reach what a path on a drive stands for.
 *
 *   lpLocalPath   a drive, alone or with a path: Z:, Z:\dir\file, Z:/dir/file; whether there is such a file is not
 *                 looked at
 *   dwInfoLevel   UNIVERSAL_NAME_INFO_LEVEL: the buffer receives a UNIVERSAL_NAME_INFO, whose lpUniversalName is
 *                 \\server\share\dir\file; REMOTE_NAME_INFO_LEVEL: a REMOTE_NAME_INFO, with lpConnectionName
 *                 \\server\share and lpRemainingPath \dir\file ("" for a drive alone) besides; the strings follow the
 *                 structure in the buffer
 *   lpBuffer      aligned for a pointer
 *   lpBufferSize  in: the buffer's size in bytes; changed by ERROR_MORE_DATA alone, to the size that is needed
 *
 * NO_ERROR                  told
 * ERROR_MORE_DATA           the buffer is too small and has not been touched
 * ERROR_INVALID_PARAMETER   *lpBufferSize is 0
 * ERROR_INVALID_LEVEL       unknown dwInfoLevel; this is checked first
 * ERROR_INVALID_ADDRESS     a pointer is NULL
 * ERROR_BAD_DEVICE          lpLocalPath does not begin with a drive's name, or is malformed
 * ERROR_CONNECTION_UNAVAIL  the drive is remembered, or still connecting, and not connected now
 * ERROR_NOT_CONNECTED       the drive is neither connected nor remembered
 * ERROR_CANNOT_OPEN_PROFILE, ERROR_BAD_PROFILE  the drive is not connected; what is remembered could not be read since the daemon
 *                           started, nor now
 */
DWORD WINAPI WNetGetUniversalNameA(LPCSTR lpLocalPath, DWORD dwInfoLevel, LPVOID lpBuffer, LPDWORD lpBufferSize);
DWORD WINAPI WNetGetUniversalNameW(LPCWSTR lpLocalPath, DWORD dwInfoLevel, LPVOID lpBuffer, LPDWORD lpBufferSize);

/*
 * Begins a list. It is a snapshot: what changes later does not change it.
 *
 *   dwScope        RESOURCE_CONNECTED: what is connected now, deviceless connections too; RESOURCE_REMEMBERED: the
 *                  remembered devices, connected or not; RESOURCE_GLOBALNET: a server's shares, without those whose names
 *                  end in $. The network is not searched for servers: without lpNetResource, that list is empty
 *   dwType         RESOURCETYPE_ANY, or RESOURCETYPE_DISK and RESOURCETYPE_PRINT, one or both
 *   dwUsage        of RESOURCE_GLOBALNET: 0, or RESOURCEUSAGE_* that an entry has to have (CONNECTABLE; no share is a
 *                  CONTAINER; ATTACHED changes nothing); else ignored
 *   lpNetResource  of RESOURCE_GLOBALNET: the server, with lpRemoteName \\server, or NULL or "" for none; dwUsage with
 *                  RESOURCEUSAGE_CONTAINER; and lpProvider, "wnet" or NULL or "". Else NULL
 *   lphEnum        receives a handle for WNetEnumResource(), to be closed by WNetCloseEnum(); changed by success alone
 *
 * A server is asked with the credentials of a live connection to it; where there is none, with a Kerberos ticket or as a guest.
 *
 * NO_ERROR                 begun; the list may be empty
 * ERROR_INVALID_PARAMETER  unknown dwScope, dwType or dwUsage; lpNetResource is not NULL, or not a container
 * ERROR_INVALID_ADDRESS    lphEnum is NULL
 * ERROR_BAD_NET_NAME       lpRemoteName is not a server's name
 * ERROR_BAD_PROVIDER       another provider was asked for
 * ERROR_BAD_NETPATH, ERROR_NO_NET_OR_BAD_PATH  the server cannot be reached
 * ERROR_ACCESS_DENIED, ERROR_LOGON_FAILURE, ERROR_INVALID_PASSWORD  the server refuses to tell
 * ERROR_CANNOT_OPEN_PROFILE, ERROR_BAD_PROFILE  of RESOURCE_REMEMBERED: that could not be read since the daemon started, nor now
 * ERROR_EXTENDED_ERROR     also: 65535 handles are open
 */
DWORD WINAPI WNetOpenEnumA(DWORD dwScope, DWORD dwType, DWORD dwUsage, LPNETRESOURCEA lpNetResource, LPHANDLE lphEnum);
DWORD WINAPI WNetOpenEnumW(DWORD dwScope, DWORD dwType, DWORD dwUsage, LPNETRESOURCEW lpNetResource, LPHANDLE lphEnum);

/*
 * Gives the next entries of a list. A handle can be used from several threads, and by either form, whichever opened it.
 *
 *   hEnum         the handle
 *   lpcCount      in: how many entries are wanted at most, 0xFFFFFFFF: as many as fit; out: how many were given;
 *                 changed by success alone
 *   lpBuffer      receives an array of NETRESOURCE, and behind it the strings that it points to; aligned for a pointer;
 *                 may be NULL when *lpBufferSize is 0
 *                 dwScope, dwType (DISK or PRINT), lpRemoteName (\\server\share) and lpProvider ("wnet") are set in each,
 *                 dwDisplayType is RESOURCEDISPLAYTYPE_SHARE, dwUsage RESOURCEUSAGE_CONNECTABLE, lpLocalName NULL for a
 *                 deviceless connection and for a server's share, lpComment a server's share's, else ""
 *   lpBufferSize  in: the buffer's size in bytes; changed by ERROR_MORE_DATA alone, to the size that the next entry
 *                 needs
 *
 * NO_ERROR                 at least one entry was given
 * ERROR_NO_MORE_ITEMS      there are no further ones
 * ERROR_MORE_DATA          not even the next entry fits; it stays the next one
 * ERROR_INVALID_HANDLE     hEnum was not opened, or is closed; this is checked first
 * ERROR_INVALID_ADDRESS    lpcCount or lpBufferSize is NULL, or lpBuffer is NULL with a size that is not 0
 * ERROR_INVALID_PARAMETER  *lpcCount is 0
 */
DWORD WINAPI WNetEnumResourceA(HANDLE hEnum, LPDWORD lpcCount, LPVOID lpBuffer, LPDWORD lpBufferSize);
DWORD WINAPI WNetEnumResourceW(HANDLE hEnum, LPDWORD lpcCount, LPVOID lpBuffer, LPDWORD lpBufferSize);

/* Closes a handle of WNetOpenEnum(). NO_ERROR, or ERROR_INVALID_HANDLE where it was not opened, or is closed. */
DWORD WINAPI WNetCloseEnum(HANDLE hEnum);

/* ---- errors ---- */

/*
 * Tells about the calling thread's most recent failure of a function above: any code, ERROR_EXTENDED_ERROR above all. A
 * later success does not erase it, and neither does this function.
 *
 *   lpError         receives its cause as a number: the NTSTATUS that the server answered (0xC0000000 and above) or an errno
 *                   of this machine; the code that was returned where neither is known; NO_ERROR when none has failed yet
 *   lpErrorBuf      receives what failed, on what and why: one line, with the phase that failed in parentheses at its
 *                   end where it is known; cut to fit at a character's border, and terminated
 *   nErrorBufSize   its size in characters; 0: it is left alone
 *   lpNameBuf       receives the provider's name, "wnet"; cut and terminated likewise
 *   nNameBufSize    its size in characters; 0: it is left alone
 *
 * NO_ERROR               told
 * ERROR_INVALID_ADDRESS  one of the three pointers is NULL
 */
DWORD WINAPI WNetGetLastErrorA(LPDWORD lpError, LPSTR lpErrorBuf, DWORD nErrorBufSize, LPSTR lpNameBuf,
                               DWORD nNameBufSize);
DWORD WINAPI WNetGetLastErrorW(LPDWORD lpError, LPWSTR lpErrorBuf, DWORD nErrorBufSize, LPWSTR lpNameBuf,
                               DWORD nNameBufSize);

/* The calling thread's last error: what its latest call of a WNet function returned, or SetLastError() has set. */
DWORD WINAPI GetLastError(void);
void WINAPI SetLastError(DWORD dwErrCode);

#ifdef UNICODE
#define WNET_AW(name) name##W
#else
#define WNET_AW(name) name##A
#endif

#define NETRESOURCE WNET_AW(NETRESOURCE)
#define LPNETRESOURCE WNET_AW(LPNETRESOURCE)
#define UNIVERSAL_NAME_INFO WNET_AW(UNIVERSAL_NAME_INFO)
#define LPUNIVERSAL_NAME_INFO WNET_AW(LPUNIVERSAL_NAME_INFO)
#define REMOTE_NAME_INFO WNET_AW(REMOTE_NAME_INFO)
#define LPREMOTE_NAME_INFO WNET_AW(LPREMOTE_NAME_INFO)
#define WNetAddConnection WNET_AW(WNetAddConnection)
#define WNetAddConnection2 WNET_AW(WNetAddConnection2)
#define WNetAddConnection3 WNET_AW(WNetAddConnection3)
#define WNetUseConnection WNET_AW(WNetUseConnection)
#define WNetRestoreConnection WNET_AW(WNetRestoreConnection)
#define WNetCancelConnection WNET_AW(WNetCancelConnection)
#define WNetCancelConnection2 WNET_AW(WNetCancelConnection2)
#define WNetGetConnection WNET_AW(WNetGetConnection)
#define WNetGetUser WNET_AW(WNetGetUser)
#define WNetGetUniversalName WNET_AW(WNetGetUniversalName)
#define WNetOpenEnum WNET_AW(WNetOpenEnum)
#define WNetEnumResource WNET_AW(WNetEnumResource)
#define WNetGetLastError WNET_AW(WNetGetLastError)

#ifdef __cplusplus
}
#endif

#endif
