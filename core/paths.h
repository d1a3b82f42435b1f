/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef CORE_PATHS_H
#define CORE_PATHS_H

/*
 * Where a user's files of wnet are: XDG directories, the drives folder, the control socket.
 */

struct paths {
        char *config_dir;    /* $XDG_CONFIG_HOME/wnet, ~/.config/wnet */
        char *state_dir;     /* $XDG_STATE_HOME/wnet, ~/.local/state/wnet */
        char *runtime_dir;   /* $XDG_RUNTIME_DIR/wnet, /tmp/wnet-UID where unset */
        char *drives_dir;    /* WNET_DRIVES, else ~/Drives; wnet.conf's "drives" replaces it in the daemon */
        char *profile;       /* config_dir/profile.db */
        char *lock;          /* config_dir/wnetd.lock */
        char *workers_lock;  /* config_dir/workers.lock */
        char *conf;          /* config_dir/wnet.conf */
        char *history;       /* state_dir/history.db */
        char *log;           /* state_dir/wnetd.log */
        char *parked_key;    /* state_dir/parked.key */
        char *socket;        /* runtime_dir/control */
};

/* Works out every path; creates nothing. Relative XDG values are ignored, as their specification says; HOME unset: the
 * passwd entry's. 0, -ENOMEM, -ENOENT (no home directory can be found) or -ENAMETOOLONG (the socket's path does not fit
 * into sockaddr_un). */
int paths_init(struct paths *ret_paths);
void paths_done(struct paths *paths);

/* Makes a directory and its parents, where they are missing (0700). 0 or a negative errno. */
int paths_make_dir(const char *path);

/* Makes a directory of ours and its parents (0700 for what it makes), or checks that it is one: a directory, not a symbolic
 * link, owned by the caller, nobody else may write. 0 or a negative errno (-EPERM: somebody else's or open to others). */
int paths_make_private_dir(const char *path);

#endif
