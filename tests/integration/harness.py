# SPDX-License-Identifier: GPL-3.0-or-later
"""What the integration tests and the benchmark stand on: a user of wnet with a home directory of their own.

Every `Wnet` has its own HOME and XDG directories and therefore its own daemon. The calling process becomes the reaper of
orphans (a "child subreaper"), so that every daemon and worker that was started here is found as its descendant, however it
detached itself, and nothing that runs on the machine beside it is ever looked at.
"""

import contextlib
import ctypes
import errno
import glob
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools"))
import smbserver  # noqa: E402

BUILD = Path(os.environ.get("WNET_BUILD", TOP / "build")).resolve()
ALICE, PASSWORD = "alice", "Kew-gardens-88"
BOB, BOB_PASSWORD = "bob", "Lime_street-41"
LONG = 60  # seconds after which something hangs; never a measure of speed

PROGRAMS = ("wnetd", "wnet-smb", "wnet-secret", "wnet", "fusermount3")
SERVERS_HELPERS = ("cleanupd", "rpcd_", "samba-", "smbd-")  # what begins so is left to us when an smbd has ended
SEVERE = re.compile(r"\d{4}-\S+ (emergency|alert|critical|error|warning): ")
# All that the search for leaks says when its process is killed in the middle of it, as wnetd may kill a worker that is ending.
# Only this line alone, or nothing yet: whatever else stands in a report is one.
INTERRUPTED = re.compile(r"(==\d+==Unable to get registers from thread \d+\.\n)*")
FATAL = re.compile(r"runtime error:|ERROR: (Address|Leak|UndefinedBehavior)Sanitizer|Assertion .* failed|Bad talloc")


def become_reaper():
    pr_set_child_subreaper = 36
    if ctypes.CDLL(None, use_errno=True).prctl(pr_set_child_subreaper, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


# processes


def _stat(pid):
    """(name, state, parent) of a process or None."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            text = f.read().decode(errors="replace")
    except OSError:
        return None
    name = text[text.index("(") + 1 : text.rindex(")")]
    fields = text[text.rindex(")") + 2 :].split()
    return name, fields[0], int(fields[1])


def alive(pid):
    stat = _stat(pid)
    return stat is not None and stat[1] not in "ZX"


def descendants(of=None):
    """{pid: (name, parent)} of every live process below one; zombies that were left to us are buried."""
    of = of or os.getpid()
    table = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := _stat(entry)):
            table[int(entry)] = stat
    found, todo = {}, [of]
    while todo:
        parent = todo.pop()
        for pid, (name, state, its_parent) in table.items():
            if its_parent != parent:
                continue
            if state not in "ZX":
                found[pid] = (name, parent)
                todo.append(pid)
            elif parent == os.getpid() and ((name in PROGRAMS and name != "wnet") or name.startswith(SERVERS_HELPERS)):
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
    return found


def wait_until(condition, what, timeout=LONG, interval=0.05):
    """Waits for condition() to give something true and returns that."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"still not after {timeout} s: {what}")
        time.sleep(interval)


# mounts


def mounts():
    """[(mount point, type, source)] of the whole table, escapes decoded."""

    def decode(text):
        return re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), text.encode()).decode(errors="surrogateescape")

    result = []
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        left, _, right = line.partition(" - ")
        fstype, source = right.split(" ")[:2]
        result.append((decode(left.split(" ")[4]), fstype, decode(source)))
    return result


def mounts_below(folder):
    folder = str(folder)
    return [m for m in mounts() if m[0] == folder or m[0].startswith(folder + "/")]


# the user


class Result:
    """What a command gave."""

    def __init__(self, argv, code, out, err):
        self.argv, self.code, self.out, self.err = argv, code, out, err

    @property
    def json(self):
        try:
            return json.loads(self.out)
        except ValueError:
            raise AssertionError(f"not JSON: {self!r}") from None

    def __repr__(self):
        return f"{' '.join(map(str, self.argv))} → exit {self.code}\n--- out\n{self.out}--- err\n{self.err}---"


class Wnet:
    def __init__(self, root, build=BUILD):
        self.root, self.build = Path(root), Path(build)
        self.home = self.root / "home"
        self.config = self.root / "config"
        self.state_home = self.root / "state"
        self.runtime = self.root / "run"
        for folder in (self.root, self.home, self.config, self.state_home, self.runtime):
            folder.mkdir(mode=0o700, exist_ok=True)
        self.drives = self.home / "Drives"
        self.profile = self.config / "wnet" / "profile.db"
        self.log = self.state_home / "wnet" / "wnetd.log"
        self.expected_log = []
        self.secrets = {PASSWORD, BOB_PASSWORD}
        self.children = []
        reports = self.root / "sanitizer"
        reports.mkdir(exist_ok=True)
        suppressions = Path(__file__).with_name("lsan.supp")
        self.env = {
            "PATH": f"{self.build}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(self.home),
            "USER": os.environ.get("USER", "user"),
            "LOGNAME": os.environ.get("LOGNAME", "user"),
            "LANG": "C.UTF-8",
            "XDG_CONFIG_HOME": str(self.config),
            "XDG_STATE_HOME": str(self.state_home),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "PYTHONDONTWRITEBYTECODE": "1",
            "ASAN_OPTIONS": f"log_path={reports}/asan:detect_leaks=1:detect_stack_use_after_return=1",
            "UBSAN_OPTIONS": f"log_path={reports}/ubsan:print_stacktrace=1",
            # a child of a fork has none of its parent's threads, and may go on
            "TSAN_OPTIONS": f"log_path={reports}/tsan:die_after_fork=0:report_thread_leaks=0",
            "LSAN_OPTIONS": f"suppressions={suppressions}:print_suppressions=0",
        }

    # running programs

    def popen(self, argv, **kwargs):
        """Starts a program as this user; it is killed at the end of the test if it still runs."""
        kwargs.setdefault("env", self.env)
        kwargs.setdefault("cwd", self.home)
        kwargs.setdefault("text", True)
        process = subprocess.Popen([str(a) for a in argv], **kwargs)
        self.children.append(process)
        return process

    def program(self, *argv, input=None, timeout=LONG, **kwargs):
        """Runs any program as this user, to its end."""
        process = self.popen(argv, stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
        try:
            out, err = process.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            # no second communicate(): whoever inherited the pipes may keep them open for ever
            raise AssertionError(f"still running after {timeout} s: {' '.join(map(str, argv))}") from None
        return Result(argv, process.returncode, out, err)

    def run(self, *args, **kwargs):
        """Runs the tool, whatever it answers."""
        result = self.program(self.build / "wnet", *args, **kwargs)
        for secret in self.secrets:
            assert secret not in result.out + result.err, f"the password is shown: {result!r}"
            assert not any(secret in str(a) for a in args), "a test must not pass a password as an argument"
        return result

    def ok(self, *args, **kwargs):
        result = self.run(*args, **kwargs)
        assert result.code == 0, repr(result)
        assert all(line.startswith("note: ") for line in result.err.splitlines()), repr(result)
        return result

    def fails(self, code, *args, **kwargs):
        """Runs the tool and expects one of the codes (a number or several), told in the one form that errors have."""
        codes = (code,) if isinstance(code, int) else code
        result = self.run(*args, **kwargs)
        assert result.code == 1, repr(result)
        match = re.match(r"wnet: (.+) \((ERROR_[A-Z_]+), (\d+)\)$", result.err, re.MULTILINE)
        assert match, f"no error in the usual form: {result!r}"
        assert int(match[3]) in codes, f"expected {codes}: {result!r}"
        result.text = match[1]
        return result

    def _add_args(self, device, remote, user, *options):
        return ["add", device, remote, *(["--user", user] if user else []), "--password-stdin", *options]

    def add(self, device, remote, *options, user=ALICE, password=PASSWORD):
        return self.ok(*self._add_args(device, remote, user, *options), input=password + "\n")

    def add_fails(self, code, device, remote, *options, user=ALICE, password=PASSWORD):
        return self.fails(code, *self._add_args(device, remote, user, *options), input=password + "\n")

    def credentials(self, name="credentials", user=ALICE, password=PASSWORD, mode=0o600):
        """Writes a credentials file and returns its path."""
        path = self.home / name
        path.write_text(f"username={user}\npassword={password}\n")
        path.chmod(mode)
        return path

    def configure(self, **settings):
        """Writes wnet.conf; before the daemon starts."""
        folder = self.config / "wnet"
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "wnet.conf").write_text("".join(f"{key} = {value}\n" for key, value in settings.items()))

    # what is to be seen

    def folder(self, device="Z:"):
        return self.drives / device.rstrip(":")

    def list(self):
        return self.ok("list", "--json").json

    def files(self, *names):
        return self.ok("files", "--json", *names).json

    def entry(self, device="Z:"):
        """The device's line of `wnet list --json`, or None."""
        found = [entry for entry in self.list() if entry["device"] == device]
        assert len(found) <= 1, found
        return found[0] if found else None

    def wait_state(self, device, state, timeout=LONG):
        seen = []

        def reached():
            entry = self.entry(device)
            seen[:] = [entry]
            return entry if (entry["state"] if entry else None) == state else None

        try:
            return wait_until(reached, "", timeout, interval=0.2)
        except AssertionError:
            raise AssertionError(f"{device} is not {state} after {timeout} s, but {seen[0]}") from None

    def mount(self, device="Z:"):
        """The device's line of the mount table, or None."""
        found = [m for m in mounts() if m[0] == str(self.folder(device))]
        assert len(found) <= 1, f"mounted more than once: {found}"
        return found[0] if found else None

    def rows(self):
        """{device: row} of the stored profile, read with SQLite and not through wnet."""
        if not self.profile.exists():
            return {}
        with contextlib.closing(sqlite3.connect(f"file:{self.profile}?mode=ro", uri=True)) as db:
            db.row_factory = sqlite3.Row
            for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                columns = [row[1] for row in db.execute(f'PRAGMA table_info("{table}")')]
                if "device" in columns:
                    return {row["device"]: dict(row) for row in db.execute(f'SELECT * FROM "{table}"')}
        return {}

    # the daemon

    def _ours(self, pid):
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            return False  # its memory is gone, and with it the right to look at that, though it may not be a zombie yet
        if environment == [b""]:
            return False  # the same, between open() and read()
        settings = [e for e in environment if e.startswith(b"XDG_RUNTIME_DIR=")]
        return not settings or settings[0] == b"XDG_RUNTIME_DIR=" + os.fsencode(self.runtime)

    def daemons(self):
        table = descendants()
        return sorted(pid for pid, (name, parent) in table.items()
                      if name == "wnetd" and table.get(parent, ("",))[0] != "wnetd" and self._ours(pid))

    def daemon(self):
        """The daemon's pid; it must run, and only once."""
        found = self.daemons()
        assert len(found) == 1, f"{len(found)} daemons run: {found}"
        return found[0]

    def workers(self):
        """The pids of the daemon's wnet-smb processes."""
        daemons = self.daemons()
        return sorted(pid for pid, (name, parent) in descendants().items() if name == "wnet-smb" and parent in daemons)

    def kill_workers(self):
        """Kills them all; returns how many. One may end, and its successor begin, meanwhile."""
        killed = 0
        for worker in self.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
                killed += 1
        return killed

    def end_daemon(self, number=signal.SIGKILL):
        """Ends the daemon by a signal and waits until it is gone, and its workers with it."""
        pid, workers = self.daemon(), self.workers()
        os.kill(pid, number)
        wait_until(lambda: not alive(pid), f"wnetd {pid} is gone after signal {number}")
        wait_until(lambda: not any(map(alive, workers)), f"the workers {workers} are gone after their daemon")

    def expect_log(self, pattern):
        """This test brings about what the daemon may warn of."""
        self.expected_log.append(re.compile(pattern, re.IGNORECASE))

    def log_text(self):
        try:
            return self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    # the end

    def end(self):
        """Ends everything of this user and returns what is wrong, as a list of texts."""
        wrong = []
        for child in self.children:
            if child.poll() is None:
                child.kill()
        if self.daemons():
            daemons = self.daemons()
            try:
                result = self.run("shutdown", "--force")
                if result.code:
                    wrong.append(f"cannot be shut down: {result!r}")
                else:
                    wait_until(lambda: not any(map(alive, daemons)), "wnetd is gone after its shutdown", timeout=30)
            except AssertionError as e:
                wrong.append(str(e))
        for child in self.children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                wrong.append(f"{child.args} cannot be killed")
            for stream in (child.stdin, child.stdout, child.stderr):
                if stream:
                    with contextlib.suppress(OSError, ValueError):
                        stream.close()
        for mountpoint, fstype, _source in mounts_below(self.root):
            wrong.append(f"left mounted: {mountpoint} ({fstype})")
            subprocess.run(["fusermount3", "-u", "-z", mountpoint], check=False)
        for report in sorted(glob.glob(f"{self.root}/sanitizer/*")):
            text = Path(report).read_text(errors="replace")
            if not INTERRUPTED.fullmatch(text):
                wrong.append(f"sanitizer report:\n{text}")
        for line in self.log_text().splitlines():
            if FATAL.search(line) or (SEVERE.match(line) and not any(p.search(line) for p in self.expected_log)):
                wrong.append(f"in the daemon's log: {line}")
        wrong += self._secrets_on_disk()
        return wrong

    def _secrets_on_disk(self):
        found = []
        for folder in (self.config, self.state_home, self.runtime):
            for path in folder.rglob("*"):
                if path.is_file() and not path.is_symlink():
                    try:
                        data = path.read_bytes()
                    except PermissionError:
                        continue  # a test took its own right to read it away
                    found += [f"the password is in {path}" for secret in self.secrets if secret.encode() in data]
        return found


def leftovers():
    """Programs of ours that still run when every user has ended; they are killed."""
    wrong = []
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        left = {pid: name for pid, (name, _parent) in descendants().items() if name in PROGRAMS}
        if not left:
            return []
        time.sleep(0.1)
    for pid, name in left.items():
        wrong.append(f"left running: {name} ({pid})")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return wrong


def rescue(root):
    """Sets free whatever is blocked on a drive below root: a test that hangs must end."""
    for pid, (name, _parent) in descendants().items():
        if name in PROGRAMS:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    for mountpoint, _fstype, _source in mounts_below(root):
        subprocess.run(["fusermount3", "-u", "-z", mountpoint], check=False)


# servers


def make_server(directory, more_shares=None, **kwargs):
    """A private smbd with the shares that the tests use: data, readonly, and denied, which is only bob's; and more_shares."""
    shares = {
        "data": {"path": "data", "read only": "no"},
        "readonly": {"path": "readonly", "read only": "yes"},
        "denied": {"path": "denied", "read only": "no", "valid users": BOB},
        **(more_shares or {}),
    }
    server = smbserver.SmbServer(directory, shares, {ALICE: PASSWORD, BOB: BOB_PASSWORD}, **kwargs)
    server.prepare(os.environ.get("WNET_TEST_TMP") and Path(os.environ["WNET_TEST_TMP"], "accounts"))
    server.data = Path(server.share_path("data"))
    server.readonly = Path(server.share_path("readonly"))
    server.denied = Path(server.share_path("denied"))
    server.url = lambda share="data": f"//127.0.0.1:{server.port}/{share}"
    server.unc = lambda share="data": f"\\\\127.0.0.1:{server.port}\\{share}"
    server.start()
    return server


PARK = ".wnet-parked"  # the hidden folder for what is deleted and open


def parked(server):
    try:
        return sorted(os.listdir(server.data / PARK))
    except FileNotFoundError:
        return []  # it goes with the last of them


def beside(server, folder):
    """What lies in a folder because nothing could be put into the hidden one."""
    return sorted(p.name for p in (server.data / folder).iterdir() if p.name.startswith(PARK))


def nothing_parked(server):
    wait_until(lambda: not parked(server), "nothing is parked any more", timeout=10)


# programs on a drive


def sh(wnet, script, cwd):
    """Runs a shell script on the drive; nothing may fail, nothing may be complained about."""
    result = wnet.program("sh", "-euc", script, cwd=cwd, timeout=3600)  # the test has a limit of its own
    assert result.code == 0 and result.err == "", repr(result)
    return result.out


def tree(folder, without=None):
    """{path below folder: contents}; without names in the folder itself that begin so."""
    result = {}
    for path, folders, files in os.walk(folder):
        if without and path == os.fspath(folder):
            folders[:], files[:] = ([name for name in names if not name.startswith(without)] for names in (folders, files))
        for name in folders:
            result[os.path.relpath(os.path.join(path, name), folder)] = None
        for name in files:
            with open(os.path.join(path, name), "rb") as f:
                result[os.path.relpath(os.path.join(path, name), folder)] = f.read()
    return result


@contextlib.contextmanager
def opened(path, mode):
    """An unbuffered file that may be revoked while it is open: an error at its close() is no failure then."""
    f = open(path, mode, buffering=0)
    try:
        yield f
    finally:
        error_of(f.close)


def error_of(call):
    """The errno that call() fails with, or None when it succeeds."""
    try:
        call()
    except OSError as e:
        return e.errno
    return None


def error_name(number):
    return errno.errorcode.get(number, str(number)) if number else "no error"
