# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways to the server's files that are compared. Each is connected anew for each measurement, so that nothing is in the
client's caches; `where` is what load.c takes: a folder, or a URL."""

import contextlib
import shutil
import subprocess
from pathlib import Path

import harness
from setting import READY, READY_TEXT, Failed

NANOSECONDS = 1e9


def cpu_seconds(pids):
    """Of all threads of these processes."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text(encoding="ascii").split()[0])
    return total / NANOSECONDS


class Way:
    key = title = ""
    is_mount = True

    def __init__(self, setting):
        self.setting, self.user = setting, setting.user
        self.where = None

    def problem(self):
        """Why it cannot be measured on this machine, or None."""
        return None

    @contextlib.contextmanager
    def connected(self, port):
        self.connect(port)
        try:
            yield self
        finally:
            self.disconnect()

    def connect(self, port):
        raise NotImplementedError

    def disconnect(self):
        raise NotImplementedError

    def end(self):
        """The last of it."""

    def pids(self):
        """The processes that do the work."""
        raise NotImplementedError


class Alone(Way):
    key, title, is_mount = "alone", "libsmbclient alone", False

    def connect(self, port):
        self.where = f"smb://127.0.0.1:{port}/data"

    def disconnect(self):
        pass


class Drive(Way):
    key, title = "drive", "drive"
    device = "Z:"

    def connect(self, port):
        result = self.user.run("add", self.device, f"//127.0.0.1:{port}/data", "--credentials", self.setting.credentials)
        if result.code:
            raise Failed(f"does not start: {result.err.strip()}")
        self.where = self.user.folder(self.device)
        assert (self.where / READY).read_text(encoding="utf-8") == READY_TEXT

    def disconnect(self):
        if self.user.run("cancel", self.device).code:  # what was stopped because of its time may still be there
            self.user.ok("cancel", self.device, "--force")

    def pids(self):
        return [self.user.daemon(), *self.user.workers()]


class Mounter(Way):
    """Another mounter: `start` makes what serves a folder; the mount's end is its end."""

    program = package = ""

    def __init__(self, setting):
        super().__init__(setting)
        self.mount = self.user.root / self.key
        self.process = None

    def problem(self):
        return None if shutil.which(self.program) else "not installed"

    def command(self, port):
        """What mounts in the foreground."""
        raise NotImplementedError

    def folder(self, port):
        """The share's, below the mount."""
        raise NotImplementedError

    def connect(self, port):
        self.mount.mkdir(exist_ok=True)
        self.process = self.user.popen(self.command(port), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT)
        try:
            harness.wait_until(lambda: self.process.poll() is not None or harness.mounts_below(self.mount), "", timeout=20)
            alive = self.process.poll() is None and (self.folder(port) / READY).read_text(encoding="utf-8") == READY_TEXT
        except (AssertionError, OSError) as e:
            self.disconnect()
            raise Failed(f"does not start: {str(e) or 'no mount after 20 s'}") from None
        if not alive:
            lines = self.process.stdout.read().strip().splitlines() if self.process.poll() is not None else []
            self.disconnect()
            raise Failed(f"does not start: {lines[-1] if lines else 'the share is not there'}")
        self.where = self.folder(port)

    def disconnect(self):
        for lazily in ([], ["-z"]):
            for mountpoint, _type, _source in harness.mounts_below(self.mount):
                subprocess.run(["fusermount3", "-u", *lazily, mountpoint], check=False, stderr=subprocess.DEVNULL)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def pids(self):
        return [self.process.pid, *harness.descendants(self.process.pid)]


class Smbnetfs(Mounter):
    key = title = program = package = "smbnetfs"

    def command(self, port):
        home = self.user.home / ".smb"
        home.mkdir(exist_ok=True)
        (home / "smbnetfs.auth").write_text(f'auth "127.0.0.1" "{harness.ALICE}" "{harness.PASSWORD}"\n', encoding="utf-8")
        (home / "smbnetfs.auth").chmod(0o600)
        (home / "smbnetfs.conf").write_text('include "smbnetfs.auth"\n', encoding="utf-8")
        (home / "smbnetfs.conf").chmod(0o600)
        (home / "smb.conf").write_text("[global]\nclient min protocol = SMB2_02\n", encoding="utf-8")
        return [self.program, "-f", self.mount]

    def folder(self, port):
        return self.mount / f"127.0.0.1:{port}" / "data"


class Rclone(Mounter):
    key = title = program = package = "rclone"

    def command(self, port):
        obscure = [self.program, "obscure", "-"]
        secret = subprocess.run(obscure, input=harness.PASSWORD, check=True, capture_output=True, text=True).stdout.strip()
        config = self.user.home / "rclone.conf"
        config.write_text(f"[s]\ntype = smb\nhost = 127.0.0.1\nport = {port}\nuser = {harness.ALICE}\npass = {secret}\n",
                          encoding="utf-8")
        # without a cache of files, whose upload would only begin after close()
        return [self.program, "--config", config, "mount", "s:data", self.mount, "--vfs-cache-mode", "off"]

    def folder(self, port):
        return self.mount


class Gvfs(Way):
    """Needs a session bus, which starts gvfsd and its helpers: one of its own, for the whole run."""

    key = title = "gvfs"

    def __init__(self, setting):
        super().__init__(setting)
        self.mount = self.user.runtime / "gvfs"
        self.bus, self.url = None, None

    def problem(self):
        missing = [program for program in ("gio", "dbus-daemon") if not shutil.which(program)]
        missing += [path for path in ("/usr/share/gvfs/mounts/smb.mount", "/usr/libexec/gvfsd-fuse") if not Path(path).exists()]
        return f"not installed ({missing[0]})" if missing else None

    def start_bus(self):
        self.bus = self.user.popen(["dbus-daemon", "--session", "--nofork", "--print-address"], stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        self.user.env["DBUS_SESSION_BUS_ADDRESS"] = self.bus.stdout.readline().strip()

    def connect(self, port):
        if not self.bus:
            self.start_bus()
        self.url = f"smb://{harness.ALICE}@127.0.0.1:{port}/data"
        try:
            result = self.user.program("gio", "mount", self.url, input=f"WNET\n{harness.PASSWORD}\n", timeout=30)
            if result.code:
                raise Failed(f"does not start: {(result.err or result.out).strip().splitlines()[-1]}")
            self.where = harness.wait_until(lambda: next(self.mount.glob("smb-share:*"), None), "the share in its folder",
                                            timeout=20)
            assert (self.where / READY).read_text(encoding="utf-8") == READY_TEXT, "the share is not there"
        except (AssertionError, OSError) as e:
            self.disconnect()
            raise Failed(f"does not start: {e}") from None

    def disconnect(self):
        self.user.program("gio", "mount", "--unmount", "--force", self.url)

    def end(self):
        if self.bus:
            self.bus.kill()
            self.bus.wait()
        for mountpoint, _type, _source in harness.mounts_below(self.mount):
            subprocess.run(["fusermount3", "-u", "-z", mountpoint], check=False)

    def pids(self):
        return [pid for pid, (name, _parent) in harness.descendants().items() if name in ("gvfsd-smb", "gvfsd-fuse")]


WAYS = (Alone, Drive, Smbnetfs, Rclone, Gvfs)
