# SPDX-License-Identifier: GPL-3.0-or-later
"""The stored profile cannot be opened, or is no profile. Who wants it changed is told so before anything happens; whoever does not
goes on as if nothing were wrong, for it is not even read."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from harness import LONG, Result, mounts_below, wait_until

LOCK = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute(sys.argv[2])
db.execute("SELECT * FROM sqlite_master").fetchall()
print("ready", flush=True)
sys.stdin.readline()
"""


# what may be wrong: each changes something and returns how to put it right


def replaced(make):
    def wrong(wnet):
        kept = wnet.profile.rename(wnet.profile.with_name("kept"))
        make(wnet.profile)
        return lambda: (subprocess.run(["rm", "-rf", wnet.profile], check=True), kept.rename(wnet.profile))

    return wrong


def rights(mode, of_folder=False):
    def wrong(wnet):
        path = wnet.profile.parent if of_folder else wnet.profile
        before = path.stat().st_mode & 0o777
        path.chmod(mode)
        return lambda: path.chmod(before)

    return wrong


def newer(wnet):
    def set_version(number):
        subprocess.run(["sqlite3", wnet.profile, f"PRAGMA user_version = {number}"], check=True)

    version = int(subprocess.run(["sqlite3", wnet.profile, "PRAGMA user_version"], check=True, capture_output=True).stdout)
    set_version(version + 1)
    return lambda: set_version(version)


def locked(statement):
    def wrong(wnet):
        holder = wnet.popen([sys.executable, "-c", LOCK, wnet.profile, statement], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert holder.stdout.readline() == "ready\n"
        return lambda: holder.communicate("\n")

    return wrong


def sql(statements):
    def make(path):
        subprocess.run(["sqlite3", path, statements], check=True)

    return make


# name: (what is wrong, the code of whoever wants a change)
TROUBLE = {
    "no rights": (rights(0), 1205),
    "read-only": (rights(0o400), 1205),
    "a folder that cannot be written to": (rights(0o500, of_folder=True), 1205),
    "a folder that cannot be searched": (rights(0o600, of_folder=True), 1205),
    "a directory": (replaced(lambda path: path.mkdir()), 1205),
    "a fifo": (replaced(os.mkfifo), 1205),
    "a link to itself": (replaced(lambda path: path.symlink_to(path)), 1205),
    "locked by a writer": (locked("BEGIN EXCLUSIVE"), 1205),
    "locked by a reader": (locked("BEGIN"), 1205),
    "garbage": (replaced(lambda path: path.write_bytes(b"not a database " * 100)), 1206),
    "zero bytes": (replaced(lambda path: path.write_bytes(b"")), 1206),
    "another program's": (replaced(sql("CREATE TABLE device (x)")), 1206),
    "another schema": (replaced(sql("PRAGMA application_id = 0x574e6574; PRAGMA user_version = 1; CREATE TABLE device (x)")), 1206),
    "a newer version": (newer, 1206),
}


def contents(wnet):
    """What the file and its folder hold, or None where that cannot be seen."""
    try:
        names = sorted(name for name in os.listdir(wnet.profile.parent) if name.startswith("profile.db"))
        st = wnet.profile.lstat() # but for when it was read
        return names, (st.st_mode, st.st_ino, st.st_size, st.st_mtime_ns), wnet.profile.is_file() and wnet.profile.read_bytes()
    except PermissionError:
        return None


def assert_works(wnet, server, device="Z:"):
    assert wnet.mount(device) and wnet.entry(device)["state"] == "ok"
    (wnet.folder(device) / "probe").write_text(device)
    assert (server.data / "probe").read_text() == device


def persistent(wnet, server, device):
    return ["add", device, server.url(), "--credentials", wnet.credentials(), "--persistent"]


@pytest.mark.parametrize("name", [name for name in TROUBLE if name != "locked by a reader"])  # see below
def test_trouble_with_the_profile(wnet, server, name):
    go_wrong, code = TROUBLE[name]
    wnet.expect_log("profile")
    wnet.ok(*persistent(wnet, server, "Z:"))
    wnet.add("Y:", server.url())
    row = wnet.rows()["Z:"]
    put_right = go_wrong(wnet)
    try:
        before = contents(wnet)
        # to forget what is connected and remembered, forced or not
        with open(wnet.folder("Z:") / "held", "wb", buffering=0) as held:
            for options in ([], ["--force"]):
                result = wnet.fails(code, "cancel", "Z:", "--forget", *options)
                assert str(wnet.profile) in result.text
                assert wnet.entry("Z:")["persistent"] is True
                held.write(b"x")
        assert_works(wnet, server)
        assert (server.data / "held").read_bytes() == b"xx"
        # to remember one more
        wnet.fails(code, *persistent(wnet, server, "X:"))
        assert wnet.entry("X:") is None and wnet.mount("X:") is None and not wnet.folder("X:").exists()

        # what does not want it changed
        wnet.add("X:", server.url())
        wnet.ok("cancel", "X:", "--forget")
        wnet.ok("cancel", "Z:")
        assert wnet.entry("Z:")["state"] == "unavailable"
        wnet.ok("restore", "Z:")
        assert_works(wnet, server)
        wnet.ok("cancel", server.url(), "--forget")
        assert mounts_below(wnet.drives) == []

        # to forget what is not connected
        wnet.fails(code, "cancel", "Z:", "--forget")
        assert wnet.entry("Z:")["state"] == "unavailable" and wnet.entry("Z:")["persistent"] is True
        assert contents(wnet) == before, "it is not what it was"
    finally:
        put_right()
    assert wnet.rows() == {"Z:": row}
    wnet.ok("restore", "Z:")
    wnet.ok("cancel", "Z:", "--forget")
    assert wnet.rows() == {} and wnet.list() == []


@pytest.mark.parametrize(("name", "then"), [("garbage", "restore"), ("garbage", "restore Z:"), ("garbage", "forget"), ("garbage", "add"),
                                            ("no rights", "restore"), ("a directory", "add"), ("locked by a writer", "list")])
def test_trouble_when_the_daemon_starts(wnet, server, name, then):
    """Nobody can tell what is remembered, and so it is said; when the profile was put right, whatever is asked first has it read."""
    go_wrong, code = TROUBLE[name]
    wnet.expect_log("profile")
    for device in ("Y:", "Z:"):
        wnet.ok(*persistent(wnet, server, device))
    wnet.ok("shutdown")
    put_right = go_wrong(wnet)
    try:
        result = wnet.ok("list")
        assert result.out == "There are no connections.\n"
        assert result.err.startswith("note: what is remembered is not known: ") and str(wnet.profile) in result.err
        for command in (["restore"], ["restore", "Z:"], ["forget", "Z:"], ["cancel", "Z:", "--forget"], persistent(wnet, server, "X:")):
            assert str(wnet.profile) in wnet.fails(code, *command).text
        wnet.fails(2250, "cancel", "Z:")
        wnet.add("X:", server.url())
        wnet.ok("cancel", "X:")
        assert wnet.list() == []
        if then != "list":  # a new daemon does not try again by itself yet
            wnet.ok("shutdown")
            wnet.ok("list")
    finally:
        put_right()
    if then == "restore":
        assert wnet.ok("restore").out.splitlines() == [f"{device} is connected again to {server.unc()}, at {wnet.folder(device)}"
                                                       for device in ("Y:", "Z:")]
    elif then == "restore Z:":
        wnet.ok("restore", "Z:")
    elif then == "forget":
        wnet.ok("forget", "Z:")
        assert set(wnet.rows()) == {"Y:"} and wnet.entry("Z:") is None
    elif then == "add":
        wnet.add_fails(1202, "Z:", server.url("readonly"))
        wnet.add("Z:", server.url())
    for device in {"Y:", "Z:"} & set(wnet.rows()):
        wnet.wait_state(device, "ok")
        assert_works(wnet, server, device)


def test_put_right_while_nobody_asks(wnet, server):
    wnet.expect_log("profile")
    wnet.ok(*persistent(wnet, server, "Z:"))
    wnet.ok("shutdown")
    put_right = TROUBLE["garbage"][0](wnet)
    wnet.ok("list")
    put_right()
    wait_until(lambda: wnet.folder("Z:").is_mount(), "it is connected by itself", interval=0.2)


@pytest.mark.parametrize("name", ["locked by a writer", "locked by a reader"])
@pytest.mark.parametrize("call", ["cancel", "add"])
def test_a_lock_is_waited_for_while_drives_are_served(wnet, server, name, call):
    wnet.ok(*persistent(wnet, server, "Z:"))
    wnet.add("Y:", server.url())
    (server.data / "f").write_bytes(b"x" * 1_000_000)
    put_right = TROUBLE[name][0](wnet)
    stop, gaps = threading.Event(), []

    def read():
        fd = os.open(wnet.folder("Y:") / "f", os.O_RDONLY)
        while not stop.is_set():
            begin = time.monotonic()
            os.stat(wnet.folder("Y:") / "f")
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            assert len(os.pread(fd, 1_000_000, 0)) == 1_000_000
            gaps.append(time.monotonic() - begin)
        os.close(fd)

    reader = threading.Thread(target=read)
    reader.start()
    begin = time.monotonic()
    try:
        wnet.fails(1205, *(["cancel", "Z:", "--forget"] if call == "cancel" else persistent(wnet, server, "X:")))
        seconds = time.monotonic() - begin
    finally:
        stop.set()
        reader.join(LONG)
        put_right()
    print(f"{call}, {name}: refused after {seconds:.2f} s, {len(gaps)} reads meanwhile, the slowest took {max(gaps) * 1000:.0f} ms",
          file=sys.stderr)
    assert seconds < 20
    assert len(gaps) > 5 and max(gaps) < 4, "the drive was not served while the profile was waited for"
    assert_works(wnet, server)
    assert wnet.entry("X:") is None and wnet.mount("X:") is None


@pytest.mark.parametrize("name", ["locked by a writer", "locked by a reader"])
def test_a_lock_that_is_let_go_of_in_time_is_none(wnet, server, name):
    wnet.ok(*persistent(wnet, server, "Z:"))
    put_right = TROUBLE[name][0](wnet)
    later = threading.Timer(1.5, put_right)
    later.start()
    adding = wnet.popen([wnet.build / "wnet", *persistent(wnet, server, "X:")])
    wnet.ok("cancel", "Z:", "--forget")
    later.join()
    assert adding.wait(LONG) == 0
    assert set(wnet.rows()) == {"X:"} and wnet.mount("Z:") is None
    assert_works(wnet, server, "X:")


def test_a_missing_profile_is_not_made_by_forgetting(wnet, server):
    """Somebody removed it: there is no row any more, so there is nothing to forget, and nothing is recreated."""
    wnet.ok(*persistent(wnet, server, "Z:"))
    wnet.profile.unlink()
    wnet.ok("cancel", "Z:", "--forget")
    assert not wnet.profile.exists() and wnet.list() == [] and mounts_below(wnet.drives) == []


# a full disk


RUNNER = """
import json, subprocess, sys
print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    result = subprocess.run(json.loads(line), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    print(json.dumps([result.returncode, result.stdout, result.stderr]), flush=True)
"""


class Namespace:
    """Runs the user's programs in a mount namespace of their own, where the folder of the profile is a small file system."""

    def __init__(self, wnet, kilobytes):
        folder = wnet.profile.parent
        folder.mkdir(mode=0o700)
        self.wnet = wnet
        mount = f"mount -t tmpfs -o size={kilobytes}k,mode=0700 tmpfs {folder} && exec \"$@\""
        self.runner = wnet.popen(["unshare", "--user", "--map-current-user", "--keep-caps", "--mount", "sh", "-c", mount, "sh",
                                  sys.executable, "-c", RUNNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if not self.runner.stdout.readline():
            pytest.skip(f"no file system can be mounted in a namespace here: {self.runner.stderr.read().strip()}")

    def run(self, *argv):
        self.runner.stdin.write(json.dumps([str(a) for a in argv]) + "\n")
        self.runner.stdin.flush()
        return Result(argv, *json.loads(self.runner.stdout.readline()))

    def ok(self, *argv):
        result = self.run(*argv)
        assert result.code == 0, repr(result)
        return result.out

    def tool(self, *args):
        return self.run(self.wnet.build / "wnet", *args)

    def fill(self, leave):
        """Fills the file system but for some bytes."""
        filler = self.wnet.profile.with_name("filler")
        self.run("sh", "-c", f"head -c 10000000 /dev/zero > {filler}; truncate -s -{leave} {filler}")


def test_the_disk_is_full(wnet, server):
    wnet.expect_log("profile|disk|full|SQL")
    inside = Namespace(wnet, 256)
    result = inside.tool(*persistent(wnet, server, "Z:"))
    if result.code and "mount" in result.err:
        pytest.skip(f"drives cannot be mounted in a namespace here: {result.err}")
    assert result.code == 0, repr(result)
    rows = ["sqlite3", "-readonly", wnet.profile, "SELECT device FROM device"]
    before = inside.ok("sha256sum", wnet.profile)
    codes = set()
    for pages in (0, 1, 2, 3):
        inside.fill(pages * 4096)
        for command in (["cancel", "Z:", "--forget"], persistent(wnet, server, "X:")):
            result = inside.tool(*command)
            if result.code:
                assert "(ERROR_CANNOT_OPEN_PROFILE, 1205)" in result.err, repr(result)
                assert inside.ok("sha256sum", wnet.profile) == before
                assert inside.ok(*rows) == "Z:\n"
                assert inside.ok("cat", "/proc/self/mountinfo").count(f" {wnet.drives}/") == 1
                codes.add(1205)
                inside.ok("sh", "-c", f"echo works > {wnet.folder()}/probe")
                assert (server.data / "probe").read_text() == "works\n"
            elif command[0] == "cancel":
                inside.ok(wnet.build / "wnet", *persistent(wnet, server, "Z:"))
                before = inside.ok("sha256sum", wnet.profile)
            else:
                inside.ok(wnet.build / "wnet", "cancel", "X:", "--forget")
                before = inside.ok("sha256sum", wnet.profile)
        inside.ok("rm", wnet.profile.with_name("filler"))
    assert codes == {1205}, "it was never full"
    # what does not want it changed
    inside.fill(0)
    inside.ok(wnet.build / "wnet", "cancel", "Z:")
    inside.ok(wnet.build / "wnet", "add", "X:", server.url(), "--credentials", wnet.credentials())
    inside.ok(wnet.build / "wnet", "cancel", "X:", "--forget")
    assert inside.ok(*rows) == "Z:\n"
    inside.ok("rm", wnet.profile.with_name("filler"))
    inside.ok(wnet.build / "wnet", "cancel", "Z:", "--forget")
    assert inside.ok(*rows) == ""
    inside.ok(wnet.build / "wnet", "shutdown")
