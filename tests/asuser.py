# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs tests as an ordinary user, whoever starts them.

Root gets the user wnet-test (made once, without a password); anybody else stays who they are. Where that user cannot read the
sources or the build (a clone below /root), it gets a copy. When the `with` block ends, what the tests left running or mounted
is removed.
"""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ACCOUNT = "wnet-test"
TOP = Path(__file__).resolve().parent.parent
PASSED_ON = ("PATH", "LANG", "TERM", "WNET_TEST_KEEP", "WNET_EXERCISE_OPS")


def account(name=ACCOUNT):
    """The account of that name; root makes it where there is none."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        pass
    print(f"making the user {name}, as whom tests run", file=sys.stderr)
    # several may try at once
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", name], check=False, stderr=subprocess.DEVNULL)
    for _ in range(50):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            time.sleep(0.1)
    raise SystemExit(f"cannot make the user {name}")


class User:
    def __init__(self, build):
        self.top, self.build = TOP, Path(build)
        self.account = account() if os.geteuid() == 0 else None
        self.child = None

    def __enter__(self):
        pr_set_child_subreaper = 36
        ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)
        # a time-out of meson's must not leave mounts behind
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(124))
        self.tmp = Path(tempfile.mkdtemp(prefix="wnet-test-", dir="/tmp"))
        if self.account:
            os.chown(self.tmp, self.account.pw_uid, self.account.pw_gid)
            if not self._readable():
                self._copy()
        return self

    def install_umount_helper(self):
        """Lets umount(8) find the build's helper in what is started from now on: root can, in a mount namespace of its own."""
        unshare_mounts, below_and_private = 0x20000, 0x44000
        libc = ctypes.CDLL(None)
        if not self.account or libc.unshare(unshare_mounts) or libc.mount(None, b"/", None, below_and_private, None):
            return
        folder = self.tmp / "sbin"
        folder.mkdir()
        shutil.copy2(self.build / "umount.fuse.wnet", folder)
        subprocess.run(["mount", "-t", "overlay", "-o", f"lowerdir={folder}:/sbin", "overlay", "/sbin"], check=False)

    def _as(self):
        if not self.account:
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}

    def _readable(self):
        script = 'test -r "$1/tests/integration/conftest.py" && test -r "$1/tools/smbserver.py" && test -x "$2/wnet"'
        return subprocess.run(["sh", "-c", script, "sh", self.top, self.build], check=False, **self._as()).returncode == 0

    def _copy(self):
        top, build = self.tmp / "tree", self.tmp / "tree" / "build"
        shutil.copytree(self.top, top, ignore=shutil.ignore_patterns("build*", ".git", "__pycache__"))
        build.mkdir()
        for name in ("wnet", "wnetd", "wnet-smb", "wnet-secret", "umount.fuse.wnet", "tests/integration/libwnet-probe",
                     "tests/integration/libwnet-probe-wide", "tests/integration/cancel-probe", "tests/integration/race-probe",
                     "tests/integration/wnetd-fault", "tests/integration/wnet-smb-fault", "tests/integration/hostile-worker", "tests/bench/load", "tests/bench/proxy"):
            if (self.build / name).exists():
                (build / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self.build / name, build / name)
        # at the same place below the programs, where they look for it
        for library in self.build.rglob("*.so*"):
            if library.is_file():
                target = build / library.relative_to(self.build)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(library, target)
        subprocess.run(["chmod", "-R", "a+rX", top], check=True)
        self.top, self.build = top, build

    def run(self, argv, environment, **kwargs):
        """Runs a command as that user and returns its exit status."""
        account = self.account or pwd.getpwuid(os.geteuid())
        env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        env.update(HOME=account.pw_dir if self.account else os.environ.get("HOME", account.pw_dir), USER=account.pw_name,
                   LOGNAME=account.pw_name, PYTHONDONTWRITEBYTECODE="1", **environment)
        self.child = subprocess.Popen([str(a) for a in argv], env=env, cwd=self.tmp, umask=0o022, **self._as(), **kwargs)
        return self.child.wait()

    def __exit__(self, *_exception):
        for pid in _descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        left = [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
                if line.split(" ")[4].startswith(f"{self.tmp}/")]
        for mountpoint in left:
            print(f"left mounted: {mountpoint}", file=sys.stderr)
            subprocess.run(["fusermount3", "-u", "-z", mountpoint], check=False, **self._as())
        # never delete through a mount: that would be the server's files
        if not os.environ.get("WNET_TEST_KEEP") and f" {self.tmp}/" not in Path("/proc/self/mountinfo").read_text(encoding="utf-8"):
            subprocess.run(["chmod", "-R", "u+rwX", self.tmp], check=False, stderr=subprocess.DEVNULL, **self._as())
            shutil.rmtree(self.tmp, ignore_errors=True)


def _descendants():
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                text = Path(f"/proc/{entry}/stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            parents[int(entry)] = int(text.rpartition(")")[2].split()[1])
    found, todo = [], [os.getpid()]
    while todo:
        parent = todo.pop()
        children = [pid for pid, its_parent in parents.items() if its_parent == parent]
        found += children
        todo += children
    return found
