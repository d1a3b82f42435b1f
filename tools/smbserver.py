# SPDX-License-Identifier: GPL-3.0-or-later
"""A private smbd that runs unprivileged: its own directory, configuration and users, on a loopback port.

Used by tools/smb-server (and so by tools/try and tests/bench) and by the integration tests. Everything smbd reads or writes
lies below one directory; the machine's own Samba is neither read nor touched.

SMB users need a Unix account each, and an unprivileged smbd is always the one account it runs as: it looks the others up but
never becomes them. So the first SMB user stands for that account and further ones for system accounts that exist on
every machine; `username map` gives them their names.
"""

import errno
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

SMBD = shutil.which("smbd", path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", "")) or "/usr/sbin/smbd"
PDBEDIT = shutil.which("pdbedit") or "/usr/bin/pdbedit"
SMBCONTROL = shutil.which("smbcontrol") or "/usr/bin/smbcontrol"
STAND_INS = ("games", "news", "uucp", "backup", "bin")  # accounts behind the second SMB user and on

FIRST_PORT = 15000  # of those that are chosen here

CONFIG = """\
[global]
    server role = standalone server
    workgroup = WNET
    netbios name = WNETPRIVATE
    server string = private server of wnet
    disable netbios = yes
    interfaces = {address}
    bind interfaces only = yes
    smb ports = {port}
    server min protocol = SMB2_02

    passdb backend = tdbsam:{dir}/private/passdb.tdb
    username map = {dir}/users.map
    map to guest = never
    restrict anonymous = 2
    usershare max shares = 0

    private dir = {dir}/private
    lock directory = {dir}/lock
    state directory = {dir}/state
    cache directory = {dir}/cache
    pid directory = {dir}/pid
    ncalrpc dir = {dir}/rpc
    log file = {dir}/log/smbd.log
    max log size = 0
    log level = {log_level}

    load printers = no
    printing = bsd
    printcap name = /dev/null
    disable spoolss = yes

    store dos attributes = yes
    ea support = yes
{options}
"""


# what makes a share a printer, beside its path: a job is moved, whole, into the folder that the setting "printed" names
PRINTER = """\
    printable = yes
    printing = bsd
    print command = mv %s {printed}/
    lpq command = true
    lprm command = true
"""


class SmbServerError(Exception):
    pass


def reserve_port():
    """(a free port, a socket): while the socket is open nobody else is given the port here, whether a server listens at it or not. It is
    none of those that the kernel gives to whoever asks for any, if it leaves others."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        begin = int(f.read().split()[0])
    ports = range(FIRST_PORT, begin) or range(FIRST_PORT, 65536)
    for port in random.SystemRandom().sample(ports, len(ports)):
        reservation = socket.socket(socket.AF_UNIX)
        try:
            reservation.bind(f"\0wnet-test-port-{port}")
            with socket.socket() as s:
                s.bind(("", port))
            return port, reservation
        except OSError as e:
            reservation.close()
            if e.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    raise SmbServerError("no port is free")


def _stat(pid):
    """(parent, session, state) of a process, or None."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            fields = f.read().rpartition(")")[2].split()
        return int(fields[1]), int(fields[3]), fields[0]
    except (OSError, IndexError, ValueError):
        return None


def _members(session, config):
    """The server's live processes: those of its session, and Samba's helpers, which begin one of their own."""
    members = []
    mark = b"--configfile=" + os.fsencode(config)
    for entry in os.listdir("/proc"):
        stat = _stat(entry) if entry.isdigit() else None
        if not stat or stat[2] == "Z":
            continue
        if stat[1] == session:
            members.append(int(entry))
            continue
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as f:
                if mark in f.read().split(b"\0"):
                    members.append(int(entry))
        except OSError:
            pass
    return members


class SmbServer:
    """shares: {name: {"path": …, "read only": "no", …}} in smb.conf's own words; a relative path is below the server's
    directory and is made. {"path": …, "printed": folder} is a printer whose jobs end in that folder. users: {name: password}. account: the Unix account to run as; only root may name another."""

    def __init__(self, directory, shares, users, port=None, account=None, options=None, log_level=1, address="127.0.0.1"):
        self.dir = os.path.abspath(directory)
        self.shares = shares
        self.users = users
        self.address, self.port = address, port
        self.options = options or {}
        self.log_level = log_level
        self.account = pwd.getpwnam(account) if account else pwd.getpwuid(os.geteuid())
        self.reservation = None  # of the port, as long as this object lives
        self.session = None  # pid of smbd's first process, which leads a session of its own
        self.process = None

    # what it consists of

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def share_path(self, share):
        return os.path.join(self.dir, self.shares[share]["path"])

    def _run_as(self):
        """Arguments of subprocess that make a child the server's account."""
        if self.account.pw_uid == os.geteuid():
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}

    def _own(self, path):
        if self.account.pw_uid != os.geteuid():
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def _environment(self):
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": self.dir, "LC_ALL": "C.UTF-8"}

    def prepare(self, accounts=None):
        """Makes directories, configuration and users. Their database is copied from the folder accounts, which is made where there is none: each
        user costs two processes otherwise. It serves whoever has the same users."""
        if len(os.fsencode(self.dir)) > 80:
            raise SmbServerError(f"{self.dir}: too long a path, smbd could not make its sockets below it")
        os.makedirs(self.dir, mode=0o700, exist_ok=True)
        self._own(self.dir)
        # lock/msg.lock and private/msg.sock must be of the owner alone, and smbd checks it
        for name in ("private", "lock", "state", "cache", "pid", "rpc", "log"):
            os.makedirs(self.path(name), mode=0o755 if name in ("lock", "state", "cache", "rpc") else 0o700, exist_ok=True)
            self._own(self.path(name))
        for settings in self.shares.values():
            for folder in (self.path(settings[key]) for key in ("path", "printed") if key in settings):
                if not os.path.isdir(folder):
                    os.makedirs(folder, mode=0o755)
                    self._own(folder)
        own = self.account.pw_name
        stand_ins = [name for name in STAND_INS if name != own]
        self._accounts = dict(zip(self.users, [own] + stand_ins))
        if len(self._accounts) < len(self.users):
            raise SmbServerError(f"at most {1 + len(stand_ins)} users")
        with open(self.path("users.map"), "w", encoding="utf-8") as f:
            for user, account in self._accounts.items():
                f.write(f"!{account} = {user}\n")
        if self.port is None:
            self.port, self.reservation = reserve_port()
        self.write_config()
        if accounts and os.path.isdir(accounts):
            shutil.copytree(accounts, self.path("private"), dirs_exist_ok=True)
            return
        for user, password in self.users.items():
            self._set_password(self._accounts[user], password)
        if accounts:
            os.makedirs(accounts, mode=0o700)
            for name in os.listdir(self.path("private")):
                if name.endswith(".tdb"):
                    shutil.copy2(self.path("private", name), accounts)

    def write_config(self):
        options = "".join(f"    {key} = {value}\n" for key, value in self.options.items())
        text = CONFIG.format(dir=self.dir, address=self.address, port=self.port, log_level=self.log_level, options=options)
        for name, settings in self.shares.items():
            text += f"\n[{name}]\n"
            for key, value in settings.items():
                if key == "printed":
                    text += PRINTER.format(printed=self.path(value))
                    continue
                if key == "path":
                    value = self.share_path(name)
                elif key == "valid users":
                    value = " ".join(self._accounts[user] for user in value.split())
                text += f"    {key} = {value}\n"
        with open(self.path("smb.conf"), "w", encoding="utf-8") as f:
            f.write(text)

    def set_password(self, user, password):
        """Changes it, while the server runs."""
        self._set_password(self._accounts[user], password)

    def set_flags(self, user, flags):
        """Sets those of an account, as "D" for a disabled one, while the server runs."""
        self._pdbedit(self._accounts[user], "-r", "-c", f"[{flags}]")

    def _set_password(self, account, password):
        self._pdbedit(account, "-a", "-t", answers=f"{password}\n{password}\n")

    def _pdbedit(self, account, *options, answers=""):
        result = subprocess.run(
            [PDBEDIT, "-s", self.path("smb.conf"), *options, "-u", account],
            input=answers, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=self._environment(), timeout=60, check=False, **self._run_as())
        if result.returncode:
            raise SmbServerError(f"pdbedit {' '.join(options)} fails for {account}: {result.stdout.strip()}")

    # its life

    def start(self):
        """Starts smbd (prepared or not) and returns when it serves connections."""
        if not os.path.exists(self.path("smb.conf")):
            self.prepare()
        with open(self.path("log", "output"), "ab") as output:
            self._own(self.path("log", "output"))
            self.process = subprocess.Popen(
                [SMBD, "--foreground", "--no-process-group", "--configfile=" + self.path("smb.conf")],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", env=self._environment(),
                start_new_session=True, **self._run_as())
        self.session = self.process.pid
        deadline = time.monotonic() + 60
        while not (self._answers() and self._is_whole()):
            code = self.process.poll()
            if code is not None:
                self._kill_session()
                raise SmbServerError(f"smbd ended with {code}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise SmbServerError(f"smbd does not answer on port {self.port}:\n{self.log_tail()}")
            time.sleep(0.02)

    def _answers(self):
        try:
            socket.create_connection((self.address, self.port), timeout=5).close()
            return True
        except OSError:
            return False

    def _is_whole(self):
        """Whether the process is there that the others tell of changes. smbd accepts connections before that, and then refuses the
        share for want of memory."""
        with open(self.path("lock", "names.tdb"), "rb") as f: # made anew before the port is
            return b"notify-daemon" in f.read()

    def processes(self):
        return _members(self.session, self.path("smb.conf")) if self.session else []

    def _signal(self, number):
        for pid in self.processes():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def _kill_session(self):
        deadline = time.monotonic() + 10
        while self.processes() and time.monotonic() < deadline:
            self._signal(signal.SIGKILL)
            if self.process:
                self.process.poll()
            time.sleep(0.01)
        if self.process:
            self.process.wait()
        self.session = self.process = None

    def kill(self):
        """As when its machine loses power: every process gone at once."""
        self._kill_session()

    def stop(self):
        """As when its machine is shut down."""
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + 5
        while self.processes() and time.monotonic() < deadline:
            if self.process:
                self.process.poll()
            time.sleep(0.02)
        self._kill_session()

    def freeze(self):
        """It hangs: connections stay open and nothing is answered."""
        # twice, for a child born in between
        self._signal(signal.SIGSTOP)
        self._signal(signal.SIGSTOP)

    def thaw(self):
        self._signal(signal.SIGCONT)

    def control(self, *message):
        """Sends a message of smbcontrol's to every process of the server, as ("reload-config",) or ("close-share", name)."""
        result = subprocess.run([SMBCONTROL, "--configfile=" + self.path("smb.conf"), "smbd", *message], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self._environment(), timeout=60,
                                check=False, **self._run_as())
        if result.returncode:
            raise SmbServerError(f"smbcontrol {' '.join(message)}: {result.stdout.strip()}")

    def log_tail(self, lines=30):
        text = ""
        for name in ("output", "smbd.log"):
            try:
                with open(self.path("log", name), encoding="utf-8", errors="replace") as f:
                    text += "".join(f.readlines()[-lines:])
            except OSError:
                pass
        return text

    # for a later process that shall stop what this one started

    def save(self):
        with open(self.path("server.json"), "w", encoding="utf-8") as f:
            json.dump({"session": self.session, "started": _start_time(self.session), "port": self.port}, f)


def _start_time(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return int(f.read().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def saved(directory):
    """The saved server of a directory as {session, started, port}, or None when it no longer runs."""
    try:
        with open(os.path.join(directory, "server.json"), encoding="utf-8") as f:
            state = json.load(f)
        session, started, port = state["session"], state["started"], state["port"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # the number may have become another process's
    if not session or started is None or _start_time(session) != started:
        return None
    return {"session": session, "started": started, "port": port}


def stop_saved(directory):
    """Stops a server another process started and saved. Returns whether one ran."""
    state = saved(directory)
    if not state:
        return False
    server = SmbServer(directory, {}, {})
    server.session = state["session"]
    server.stop()
    return True


if __name__ == "__main__":
    sys.exit("use tools/smb-server")
