/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Being told of changes by the server. The library's one call for that lasts as long as its callback wants, and nothing is lost
 * meanwhile: the server collects what happens between two of its requests. Without changes nothing passes on the line, so that a line
 * that is dead would not be noticed. Therefore the kernel is made to ask for a sign of life every few seconds.
 */

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "fuse/smb/backend-internal.h"
#include "fuse/smb/names.h"

#define BEAT_MSEC 900          /* the library takes 1000 and more for something else */
#define KEEPALIVE_IDLE_SEC 3   /* without a sign of life, it is asked for, */
#define KEEPALIVE_STEP_SEC 2   /* again after that, */
#define KEEPALIVE_COUNT 3      /* and so often before the line is given up; */
#define SILENT_MSEC 6000u      /* after so long without one the server is not believed to tell */
#define DESCRIPTORS 64         /* the library's sockets are among the first */
#define FILTER                                                                                                                    \
        (SMBC_NOTIFY_CHANGE_FILE_NAME | SMBC_NOTIFY_CHANGE_DIR_NAME | SMBC_NOTIFY_CHANGE_ATTRIBUTES | SMBC_NOTIFY_CHANGE_SIZE |    \
         SMBC_NOTIFY_CHANGE_LAST_WRITE | SMBC_NOTIFY_CHANGE_CREATION)

struct watching {
        struct smb_watcher *watcher;
        bool waits;    /* at the last beat, something was not acknowledged */
        bool too_much;
};

/* The library's connection to the server, or -1. */
static int find_line(void)
{
        for (int fd = SMB_FD_SETUP + 1; fd < DESCRIPTORS; fd++) {
                struct sockaddr_storage peer;
                socklen_t length = sizeof(peer);

                if (getpeername(fd, (struct sockaddr *) &peer, &length) == 0 &&
                    (peer.ss_family == AF_INET || peer.ss_family == AF_INET6))
                        return fd;
        }
        return -1;
}

static void ask_for_signs_of_life(int fd)
{
        const int on = 1, idle = KEEPALIVE_IDLE_SEC, step = KEEPALIVE_STEP_SEC, count = KEEPALIVE_COUNT;

        (void) setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        (void) setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
        (void) setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &step, sizeof(step));
        (void) setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

/* Whether the server's machine has shown lately that it is there, and has what was sent to it. */
static bool is_alive(struct watching *watching)
{
        struct tcp_info info = { 0 };
        socklen_t length = sizeof(info);
        bool waited = watching->waits;
        int fd = find_line(), left = 0;

        if (fd < 0 || ioctl(fd, SIOCOUTQ, &left) < 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
                return false;
        watching->waits = left > 0; /* it may have been sent just now */
        return !(waited && watching->waits) && info.tcpi_last_ack_recv < SILENT_MSEC;
}

/* As a Linux user sees it. False: nobody can see it. */
static bool path_from_server(const char *name, char *ret_path, size_t size)
{
        char component[SMB_NAME_MAX_BYTES + 1];
        size_t used = 0;

        while (true) {
                size_t length = strcspn(name, "\\");
                size_t room = size - used;

                if (length == 0 || length >= sizeof(component))
                        return false;
                memcpy(component, name, length);
                component[length] = '\0';
                if (!names_from_server(component, ret_path + used, room) || strchr(ret_path + used, '/'))
                        return false;
                used += strlen(ret_path + used);
                if (name[length] == '\0')
                        return true;
                if (used + 1 >= size)
                        return false;
                ret_path[used++] = '/';
                name += length + 1;
        }
}

static void tell(struct watching *watching, const struct smbc_notify_callback_action *action)
{
        char path[SMB_PATH_MAX_BYTES], number = (char) ('0' + (action->action < 10 ? action->action : 9));

        if (path_from_server(action->filename, path, sizeof(path)))
                watching->watcher->changed(watching->watcher, number, path);
}

/* Called by the library: without actions when a beat has passed. Returns 0 to go on. */
static int on_notify(const struct smbc_notify_callback_action *actions, size_t n, void *userdata)
{
        struct watching *watching = userdata;

        if (!actions)
                return !watching->watcher->told(watching->watcher, true, is_alive(watching));
        watching->too_much = n == 0;
        for (size_t i = 0; i < n; i++)
                tell(watching, &actions[i]);
        return watching->too_much || !watching->watcher->told(watching->watcher, false, false);
}

int smbclient_watch(struct smb_backend *b, struct smb_watcher *watcher)
{
        struct smbclient *s = smbclient_of(b);
        struct watching watching = { .watcher = watcher };
        int r = smbclient_open_root(s);

        if (r < 0)
                return r;
        ask_for_signs_of_life(find_line());
        errno = 0;
        r = smbc_getFunctionNotify(s->context)(s->context, s->root, 1, FILTER, BEAT_MSEC, on_notify, &watching);
        if (r < 0 && errno != 0)
                return smbclient_errno();
        return r < 0 || watching.too_much ? -EOVERFLOW : 0; /* without an errno, too: "enumerate the folder" is no error */
}
