# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs take for granted of a local disk: locks, maps, big and sparse files, programs that run, names that only one can make."""

import errno
import fcntl
import mmap
import os
import shutil
import subprocess
import sys
import threading

import pytest

from harness import LONG, error_name, error_of, opened

GIB = 1 << 30


def test_two_machines_make_the_same_name(wnet, server, z):
    """Each name has one maker, though two drives try, each by a connection of its own."""
    wnet.add("Y:", server.url())
    folders = [z, wnet.folder("Y:")] * 2
    won = [[] for _ in folders]

    def make(folder, mine):
        for i in range(60):
            if error_of(lambda: os.close(os.open(folder / f"lock{i}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))) is None:  # noqa: B023
                mine.append(i)

    threads = [threading.Thread(target=make, args=pair) for pair in zip(folders, won)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert sorted(sum(won, [])) == list(range(60)), won


@pytest.mark.parametrize("call, other, expected", [("unlink", "mkdir", "EISDIR"), ("rmdir", "file", "ENOTDIR")])
def test_another_machine_has_put_something_else_there(z, server, call, other, expected):
    """unlink() never removes a directory, rmdir() never a file: whatever the kernel still believes of the name."""
    if call == "unlink":
        (z / "x").write_text("a file")
        os.unlink(server.data / "x")
        (server.data / "x").mkdir()
    else:
        (z / "x").mkdir()
        os.rmdir(server.data / "x")
        (server.data / "x").write_text("a file")
    assert error_name(error_of(lambda: getattr(os, call)(z / "x"))) == expected
    assert (server.data / "x").exists()


def test_a_sparse_file_of_five_gigabytes(z, server):
    with opened(z / "f", "w+b") as f:
        assert os.pwrite(f.fileno(), b"begin", 0) == 5
        assert os.pwrite(f.fileno(), b"end", 5 * GIB) == 3
        assert os.pwrite(f.fileno(), b"middle", 4 * GIB - 3) == 6
        assert os.fstat(f.fileno()).st_size == 5 * GIB + 3
        for at in (100, GIB, 4 * GIB + 100, 5 * GIB - 4096):
            assert os.pread(f.fileno(), 4096, at) == bytes(4096)
        assert os.pread(f.fileno(), 10, 4 * GIB - 5) == b"\0\0middle\0\0" and os.pread(f.fileno(), 10, 5 * GIB) == b"end"
        os.ftruncate(f.fileno(), 4 * GIB + 1)
        assert os.pread(f.fileno(), 10, 4 * GIB - 3) == b"midd"
        os.ftruncate(f.fileno(), 6 * GIB)
        assert os.pread(f.fileno(), 10, 4 * GIB - 3) == b"midd" + bytes(6)
    with open(server.data / "f", "rb") as f:
        assert os.fstat(f.fileno()).st_size == 6 * GIB
        assert os.pread(f.fileno(), 10, 4 * GIB - 3) == b"midd" + bytes(6)
    os.unlink(z / "f")


@pytest.mark.parametrize("offset", [1 << 40, (1 << 44) - (1 << 17), 1 << 50, (1 << 62) - 1, (1 << 63) - 4097])
def test_offsets_as_far_as_the_servers_disk_goes(z, server, offset):
    """The server's disk is the limit: what it takes, a drive takes; where it does not, the program is told. (Samba's own limit is
    64 KiB below 16 TiB.)"""

    def far(folder):
        with open(folder / "far", "w+b", buffering=0) as f:
            os.pwrite(f.fileno(), b"far", offset)
            os.fsync(f.fileno())
            assert os.pread(f.fileno(), 10, offset) == b"far" and os.fstat(f.fileno()).st_size == offset + 3

    local, remote = error_of(lambda: far(server.data)), error_of(lambda: far(z))
    assert (local is None) == (remote is None), f"{error_name(local)} there, {error_name(remote)} on the drive"
    assert remote in (None, errno.EFBIG, errno.EINVAL, errno.ENOSPC), error_name(remote)


TRY_LOCK = """
import fcntl, os, sys
f = os.open(sys.argv[1], os.O_RDWR)
try:
    getattr(fcntl, sys.argv[2])(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(1)
"""


@pytest.mark.parametrize("how", ["flock", "lockf"])
def test_locks_between_programs(z, wnet, how):
    def others():
        return wnet.program(sys.executable, "-c", TRY_LOCK, z / "f", how).code

    with opened(z / "f", "wb") as f:
        assert others() == 0
        getattr(fcntl, how)(f, fcntl.LOCK_EX)
        assert others() == 1
        getattr(fcntl, how)(f, fcntl.LOCK_UN)
        assert others() == 0
        getattr(fcntl, how)(f, fcntl.LOCK_EX)
    assert others() == 0, "a close lets go of it"


def test_maps_are_shared(z, server, wnet):
    size = 3 * mmap.PAGESIZE
    (z / "f").write_bytes(bytes(size))
    other = wnet.popen([sys.executable, "-c", """
import mmap, os, sys
f = os.open(sys.argv[1], os.O_RDWR)
with mmap.mmap(f, 0) as m:
    print("ready", flush=True)
    for line in sys.stdin:
        at = int(line)
        m[at : at + 5] = m[at : at + 5].upper()
        m.flush()
        print("done", flush=True)
""", z / "f"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout.readline() == "ready\n"
    with opened(z / "f", "r+b") as f, mmap.mmap(f.fileno(), size) as shared, mmap.mmap(f.fileno(), size, mmap.MAP_PRIVATE) as private:
        for at in (0, mmap.PAGESIZE - 2, size - 5):
            shared[at : at + 5] = b"hello"
            other.stdin.write(f"{at}\n")
            other.stdin.flush()
            assert other.stdout.readline() == "done\n"
            assert shared[at : at + 5] == b"HELLO" == os.pread(f.fileno(), 5, at)
            assert (server.data / "f").read_bytes()[at : at + 5] == b"HELLO"
        private[0:5] = b"mine!"
        assert shared[0:5] == b"HELLO"
    assert (server.data / "f").read_bytes()[:5] == b"HELLO" and (server.data / "f").stat().st_size == size


def test_programs_run_from_a_drive(z, wnet):
    shutil.copy("/bin/echo", z / "program")
    (z / "script").write_text("#!/bin/sh\necho script \"$@\"\n")
    (z / "script").chmod(0o755)
    for name, out in (("program", "a b\n"), ("script", "script a b\n")):
        result = wnet.program(z / name, "a", "b")
        assert (result.code, result.out) == (0, out), result
    with opened(z / "program", "rb"):
        assert wnet.program(z / "program", "x").out == "x\n"
    (z / "script").chmod(0o644)
    assert wnet.program("sh", "-c", "./script", cwd=z).code == 126


def map_and_change(path):
    with opened(path, "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
        os.chmod(path, 0o6755)
        m[:3] = b"new"


CHANGES = {
    "write": lambda path: path.write_bytes(b"new"),
    "append": lambda path: subprocess.run(f"echo x >> '{path}'", shell=True, check=True),
    "truncate": lambda path: os.truncate(path, 1),
    "truncate to its size": lambda path: os.truncate(path, 3),
    "O_TRUNC": lambda path: os.close(os.open(path, os.O_WRONLY | os.O_TRUNC)),
    "chown": lambda path: os.chown(path, os.getuid(), os.getgid()),
    "copy": lambda path: shutil.copyfile(path.parent / "other", path),
    "map": map_and_change,
    "look": os.stat,
    "times": os.utime,
    "rename": lambda path: os.replace(path.rename(path.parent / "away"), path),
}


@pytest.mark.parametrize("mode", (0o6755, 0o2745, 0o4644), ids=oct)
def test_who_changes_a_file_takes_its_set_id_bits(z, wnet, mode):
    """As on a local disk, whatever the kernel keeps for itself: a program that somebody has written to is nobody else's."""
    local = wnet.home / "local"
    local.mkdir()
    wrong = []
    for name, change in CHANGES.items():
        modes = []
        for folder in (local, z):
            (folder / "other").write_bytes(b"old")
            (folder / "f").write_bytes(b"old")
            (folder / "f").chmod(mode)
            assert os.stat(folder / "f").st_mode & 0o7777 == mode
            change(folder / "f")
            modes.append(oct(os.stat(folder / "f").st_mode & 0o7777))
        if modes[0] != modes[1]:
            wrong.append(f"{name}: {modes[0]} on a local disk, {modes[1]} on the drive")
    assert not wrong, "\n".join(wrong)
