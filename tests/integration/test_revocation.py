# SPDX-License-Identifier: GPL-3.0-or-later
"""After an answer 0 the drive is gone, and what was forced stays dead: descriptors, maps, working directories, whatever the server does
and whatever is connected to the letter later."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import BOB, BOB_PASSWORD, LONG, alive, descendants, error_name, error_of, mounts_below, wait_until
from proxy import Proxy

READERS = 20

# A program that holds all there is to hold, and tries it again whenever it gets a line. It tells what still answers.
HOLD = """
import mmap, os, signal, sys
os.chdir(sys.argv[1])
f = os.open("data", os.O_RDWR)
d = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
path = os.open("data", os.O_PATH)
os.pread(f, 100_000, 0)
os.listdir(d)
m = mmap.mmap(f, 0, prot=mmap.PROT_READ)
m[0], m[50_000]

def touch(offset):
    "Whether a page of the map still answers, tried by a child because it dies of it."
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGBUS, signal.SIG_DFL)
        m[offset]
        os._exit(0)
    return os.waitpid(pid, 0)[1] != signal.SIGBUS

tries = {
    "pread, what was read before": lambda: os.pread(f, 10, 0),
    "pread, what was not": lambda: os.pread(f, 10, 2_000_000),
    "pwrite": lambda: os.pwrite(f, b"x", 0),
    "fstat": lambda: os.fstat(f),
    "ftruncate": lambda: os.ftruncate(f, 5),
    "fsync": lambda: os.fsync(f),
    "fstat of the folder": lambda: os.fstat(d),
    "listdir": lambda: os.listdir(d),
    "open below the folder": lambda: os.open("data", os.O_RDONLY, dir_fd=d),
    "open in the working directory": lambda: os.open("data", os.O_RDONLY),
    "new in the working directory": lambda: os.open("new", os.O_WRONLY | os.O_CREAT),
    "stat in the working directory": lambda: os.stat("data"),
    "stat of the working directory": lambda: os.stat("."),
    "list the working directory": lambda: os.listdir("."),
    "open through /proc": lambda: os.open(f"/proc/self/fd/{path}", os.O_RDONLY),
}
print("ready", flush=True)
for line in sys.stdin:
    alive = []
    for name, call in tries.items():
        try:
            call()
            alive.append(name)
        except OSError:
            pass
    alive += [f"map at {offset}" for offset in (0, 50_000, 2_000_000) if touch(offset)]
    print(alive, flush=True)
"""


def hold(wnet, folder):
    process = wnet.popen([sys.executable, "-c", HOLD, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    return process


def still_answers(process):
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def in_state_d():
    """Our processes that wait in a way that no signal ends."""
    found = []
    for pid in descendants():
        try:
            if Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0] == "D":
                found.append(pid)
        except OSError:
            pass
    return found


# never early


@pytest.mark.parametrize("options", [[], ["--force"]], ids=["unforced", "forced"])
def test_at_the_answer_the_mount_is_gone_and_soon_its_session(wnet, server, options):
    """The mount table is looked at by the very process that got the answer. A worker's polite goodbye is not waited for."""
    idle = len(server.processes())
    wnet.add("Z:", server.url())
    (wnet.folder() / "f").write_text("x")
    assert (wnet.folder() / "f").read_text() == "x"
    workers = wnet.workers()
    assert workers and len(server.processes()) > idle
    result = wnet.program("sh", "-c", '"$0" cancel Z: "$@" && cat /proc/self/mountinfo', wnet.build / "wnet", *options)
    begin = time.monotonic()
    assert result.code == 0 and str(wnet.drives) not in result.out.partition("\n")[2], repr(result)
    wait_until(lambda: not any(map(alive, workers)), "the workers are gone", interval=0.005)
    workers_seconds = time.monotonic() - begin
    wait_until(lambda: len(server.processes()) <= idle, "the session is gone", interval=0.005)
    print(f"{options}: workers gone after {workers_seconds * 1000:.0f} ms, the server's session after "
          f"{(time.monotonic() - begin) * 1000:.0f} ms", file=sys.stderr)


def test_with_the_last_connection_its_credentials_are_gone(wnet, server):
    wnet.add("Y:", server.url())
    wnet.add("Z:", server.url())
    wnet.ok("cancel", "Y:")
    wnet.add_fails(1219, "Y:", server.url(), user=BOB, password=BOB_PASSWORD)
    wnet.ok("cancel", "Z:")
    wnet.add("Y:", server.url(), user=BOB, password=BOB_PASSWORD)


# forced


def test_what_was_revoked_stays_dead_when_the_letter_is_connected_again(wnet, server):
    (server.data / "data").write_bytes(os.urandom(3_000_000))
    wnet.add("Z:", server.url())
    holder = hold(wnet, wnet.folder())
    assert still_answers(holder) != "[]"
    wnet.ok("cancel", "Z:", "--force")
    assert still_answers(holder) == "[]"
    wnet.add("Z:", server.url())
    assert (wnet.folder() / "data").stat().st_size == 5  # the holder's own doing, before
    assert still_answers(holder) == "[]"
    wnet.ok("cancel", "Z:")  # nor does what is dead keep the new one in use
    assert still_answers(holder) == "[]"


def test_at_another_letter_nothing_is_revoked(wnet, server):
    (server.data / "data").write_bytes(b"x" * 3_000_000)
    wnet.add("Y:", server.url())
    wnet.add("Z:", server.url())
    with open(wnet.folder("Y:") / "data", "rb") as f:
        wnet.ok("cancel", "Z:", "--force")
        assert f.read() == b"x" * 3_000_000


READ = """
import os, sys
f = os.open(sys.argv[1], os.O_RDONLY)
print("ready", flush=True)
sys.stdin.readline()
os.pread(f, 100_000, int(sys.argv[2]))
"""

WRITE = """
import os, sys
f = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(f, b"acknowledged")
os.fsync(f)
print("ready", flush=True)
sys.stdin.readline()
os.write(f, b"x" * 1_000_000)
print("written", flush=True)
os.fsync(f)
"""


@pytest.mark.parametrize("how", ["frozen", "unreachable"])
def test_forced_while_many_are_blocked(wnet, server, how):
    wnet.expect_log(".")
    with open(server.data / "big", "wb") as f:
        f.truncate(200 << 20)
    proxy = Proxy(server.port)
    wnet.add("Z:", proxy.share() if how == "unreachable" else server.url())
    z = wnet.folder()
    blocked = [wnet.popen([sys.executable, "-c", READ, z / "big", str(number * 10_000_000)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for number in range(READERS)]
    blocked.append(wnet.popen([sys.executable, "-c", WRITE, z / "written"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL))
    for process in blocked:
        assert process.stdout.readline() == "ready\n"
    if how == "frozen":
        server.freeze()
    else:
        proxy.hold = proxy.hold_back = True
    for process in blocked:
        process.stdin.write("\n")
        process.stdin.flush()
    assert blocked[-1].stdout.readline() == "written\n"
    wait_until(lambda: any(f["path"] == "/written" and f["written_bytes"] == 1_000_012 for f in wnet.files()), "all of it is written here")
    time.sleep(0.5)  # for the others
    begin = time.monotonic()
    result = wnet.run("cancel", "Z:", "--force")
    seconds = time.monotonic() - begin
    assert (result.code, result.err) == (0, "lost: Z:/written (1000000 bytes could not be sent)\n"), result
    assert mounts_below(wnet.drives) == [] and wnet.list() == []
    for process in blocked:
        assert process.wait(LONG) == 1, "its call has not failed"
    back = time.monotonic() - begin
    wait_until(lambda: not in_state_d(), "nobody waits in a way that no signal ends", timeout=10)
    print(f"{how}: back after {seconds:.2f} s, the last of {len(blocked)} programs after {back:.2f} s", file=sys.stderr)
    assert seconds < 15, "as long as an operation of the server's may take is too long"
    assert (server.data / "written").read_bytes()[:12] == b"acknowledged"  # by fsync()
    server.thaw()
    proxy.hold = proxy.hold_back = False


# a remote name


def deviceless(wnet, server, share="data"):
    return wnet.drives / "UNC" / f"127.0.0.1@{server.port}" / share


@pytest.mark.parametrize("busy", ["a letter", "the one without a device", "a working directory"])
@pytest.mark.parametrize("options", [[], ["--forget"]], ids=["keep", "forget"])
def test_all_or_nothing(wnet, server, busy, options):
    """Letters and a connection without one, to the same share; and beside them what is none of it."""
    for device in ("X:", "Y:"):
        wnet.ok("add", device, server.url(), "--credentials", wnet.credentials(), "--persistent")
    wnet.add("Z:", server.url())
    wnet.ok("add", server.url())
    wnet.add("W:", server.url("readonly"))
    places = [wnet.folder("X:"), wnet.folder("Y:"), wnet.folder("Z:"), deviceless(wnet, server)]
    table = sorted(mounts_below(wnet.drives))
    assert len(table) == 5
    rows = wnet.rows()

    (server.data / "f").write_text("x")
    if busy == "a working directory":
        holder = wnet.popen(["sleep", "1000"], cwd=places[2])
    else:
        held = open(places[1 if busy == "a letter" else 3] / "f", "r+b", buffering=0)
    wnet.fails(2404 if busy == "a working directory" else 2401, "cancel", server.url(), *options)
    assert sorted(mounts_below(wnet.drives)) == table and wnet.rows() == rows
    assert {entry["state"] for entry in wnet.list()} == {"ok"}
    for place in places:
        (place / "f").write_text(str(place))
        assert (server.data / "f").read_text() == str(place)
    if busy == "a working directory":
        holder.kill()
        holder.wait()
    else:
        held.write(b"still")
        held.close()

    wnet.ok("cancel", server.unc().lower(), *options)
    assert [m[0] for m in mounts_below(wnet.drives)] == [str(wnet.folder("W:"))]
    assert wnet.rows() == rows
    assert {entry["device"]: entry["state"] for entry in wnet.list()} == {"W:": "ok", "X:": "unavailable", "Y:": "unavailable"}
    assert not places[3].exists()


def test_all_forced(wnet, server):
    for device in ("Y:", "Z:"):
        wnet.add(device, server.url())
    wnet.ok("add", server.url())
    (server.data / "f").write_text("x")
    files = [open(place / "f", "rb", buffering=0) for place in (wnet.folder("Y:"), wnet.folder("Z:"), deviceless(wnet, server))]
    wnet.ok("cancel", server.url(), "--force")
    assert mounts_below(wnet.drives) == [] and wnet.list() == []
    for f in files:
        assert error_name(error_of(f.read)) in ("EIO", "ENOTCONN", "ECONNABORTED")
        error_of(f.close)


DIRTY = """
import mmap, os, sys
f = os.open(sys.argv[1], os.O_RDWR)
m = mmap.mmap(f, 1_000_000)
assert m[:] == b"a" * 1_000_000
print("ready", flush=True)
sys.stdin.readline()
m[:] = b"b" * 1_000_000
print("dirty", flush=True)
sys.stdin.readline()
"""


def test_dirty_pages_that_are_lost_are_named(wnet, server):
    wnet.expect_log(r".")
    wnet.add("Z:", server.url())
    (wnet.folder() / "f").write_bytes(b"a" * 1_000_000)
    program = wnet.popen([sys.executable, "-c", DIRTY, wnet.folder() / "f"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert program.stdout.readline() == "ready\n"
    server.freeze()
    program.stdin.write("\n")
    program.stdin.flush()
    assert program.stdout.readline() == "dirty\n"
    result = wnet.run("cancel", "Z:", "--force")
    server.thaw()
    assert result.code == 0 and re.fullmatch(r"lost: Z:/f \((\d+) bytes could not be sent\)\n", result.err), result
    assert 1_000_000 <= int(re.search(r"\((\d+)", result.err)[1]) < 1_100_000 # whole pages


LOAD = """
import os, sys
folder, number = sys.argv[1], 0
while True:
    number += 1
    for step in (lambda: open(f"{folder}/n", "w").close(), lambda: os.stat(f"{folder}/N"), lambda: os.rename(f"{folder}/n", f"{folder}/f"),
                 lambda: os.mkdir(f"{folder}/d{number}"), lambda: os.stat(f"{folder}/D{number}"), lambda: os.stat(f"{folder}/F")):
        try:
            step()
        except FileNotFoundError:
            os.stat(folder)  # gone with its drive, though no call has failed for that
"""


def test_forced_under_load(wnet, server):
    """Programs that make, replace and look up names, by several spellings, when the server hangs: it ends, and wnetd goes on."""
    wnet.expect_log(r".")
    wnet.add("Y:", server.url())
    daemon = wnet.daemon()
    for attempt in range(6):
        wnet.add("Z:", server.url())
        folders = [wnet.folder() / f"{attempt}-{i}" for i in range(4)]
        for folder in folders:
            folder.mkdir()
        programs = [wnet.popen([sys.executable, "-c", LOAD, folder], stderr=subprocess.DEVNULL) for folder in folders for _ in range(2)]
        time.sleep(0.6 + attempt * 0.013)
        server.freeze()
        time.sleep(0.2)
        wnet.ok("cancel", "Z:", "--force", timeout=30)
        for program in programs:
            program.wait(timeout=10)
        server.thaw()
        time.sleep(0.5)
        assert alive(daemon)
    time.sleep(2.2)  # what was to be done later about a drive that is gone is not done
    assert alive(daemon)
    assert (wnet.folder("Y:") / "5-0").is_dir()
