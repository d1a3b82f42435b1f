# SPDX-License-Identifier: GPL-3.0-or-later
"""What opening, reading, creating and deleting costs at the server: each request is a round trip on a long line."""

import os
import time

import pytest
from harness import opened, wait_until
from smbrequests import Requests

SIZES = (1, 8000, 16384, 60_000)
LARGE = 100_000 # does not come with its open


@pytest.fixture
def line(wnet, server):
    """The server's line. The drive Z: behind it has its workers, and files of some sizes."""
    for size in (*SIZES, LARGE):
        (server.data / f"{size}").write_bytes(b"x" * size)
    line = Requests(server.port)
    wnet.add("Z:", line.share())
    with opened(wnet.folder() / f"{LARGE}", "rb"):
        pass
    settle(line)
    return line


def settle(line):
    """Waits until nothing has passed for a while: what nobody waits for, too."""
    passed = []

    def still():
        passed.append(len(line.seen))
        return len(passed) > 4 and passed[-5] == passed[-1]

    wait_until(still, "nothing passes any more")


def asked(line, work):
    """The commands that work() has led to, sorted."""
    settle(line)
    before = len(line.seen)
    work()
    settle(line)
    return sorted(command for _number, command in line.seen[before:])


def tries(line, work):
    """asked(), three times: on a busy machine, what was looked up before may be too old by then, and nobody waits for a CLOSE, which may fall
    into the next one."""
    return [asked(line, work) for _ in range(3)]


@pytest.mark.parametrize("size", SIZES)
def test_a_small_file_is_read(line, wnet, size):
    path = wnet.folder() / f"{size}"

    def read():
        with opened(path, "rb") as f:
            assert os.fstat(f.fileno()).st_size == size
            assert f.read(100_000) == b"x" * size
            assert os.fstat(f.fileno()).st_size == size  # the kernel asks: reading may have changed the time of access

    os.stat(path)
    assert ["CLOSE", "CREATE", "QUERY_INFO", "READ"] in tries(line, read)


def listed(path):
    """Lists the folder of path anew, attributes and all."""
    time.sleep(1.1)
    with os.scandir(path.parent) as entries:
        return {entry.name: entry.stat() for entry in entries}[path.name]


@pytest.mark.parametrize("contents", (b"", b"y" * 7000, b"y" * 8000, b"y" * 8001, b"y" * 9000, b"y" * 100_000))
def test_a_small_file_that_was_changed_since_it_was_listed(line, wnet, server, contents):
    path = wnet.folder() / "8000"
    listed(path)
    (server.data / "8000").write_bytes(contents)
    with opened(path, "rb") as f:
        size = os.fstat(f.fileno()).st_size
        assert f.read(200_000) == contents and size == len(contents)
    time.sleep(1.1)
    assert os.stat(path).st_mtime_ns // 1000 == os.stat(server.data / "8000").st_mtime_ns // 1000


def test_a_small_file_that_was_replaced_since_it_was_listed(line, wnet, server):
    path = wnet.folder() / "8000"
    listed(path)
    (server.data / "other").write_bytes(b"y" * 8000)
    (server.data / "other").rename(server.data / "8000")
    with opened(path, "rb") as f:
        assert f.read(10_000) == b"y" * 8000
    time.sleep(1.1)
    assert os.stat(path).st_ino == os.stat(server.data / "8000").st_ino
    assert path.read_bytes() == b"y" * 8000


def test_the_end_of_a_file_is_looked_for_once(line, wnet, server):
    (server.data / "f").write_bytes(b"x" * 100_001)
    path = wnet.folder() / "f"
    os.stat(path)
    found = []
    for _ in range(3):
        with opened(path, "rb") as f:
            found.append(asked(line, lambda f=f: os.pread(f.fileno(), 8192, 98_304)))
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    assert ["READ", "READ"] in found


def test_what_is_opened_only(line, wnet, server):
    (server.data / "empty").write_bytes(b"")
    path = wnet.folder() / "empty"
    os.stat(path)
    assert ["CLOSE", "CREATE", "QUERY_INFO"] in tries(line, lambda: open(path, "rb").close())


def test_an_open_for_writing_brings_no_data(line, wnet):
    path = wnet.folder() / "8000"
    os.stat(path)
    assert ["CLOSE", "CREATE", "QUERY_INFO"] in tries(line, lambda: open(path, "r+b", buffering=0).close())


def test_what_came_with_an_open_is_not_believed_for_ever(line, wnet, server):
    path = wnet.folder() / "8000"
    os.stat(path)
    began = time.monotonic()
    with opened(path, "rb") as f:
        took = []

        def look():
            os.fstat(f.fileno())
            took.append(time.monotonic() - began)

        assert asked(line, look) == [] or took[0] > 1
        (server.data / "8000").write_bytes(b"y" * 8001)
        time.sleep(1.1)
        assert os.fstat(f.fileno()).st_size == 8001
        assert f.read(10_000) == b"y" * 8001


def without_listings(commands):
    """On a busy machine the folder may be listed for the look-ups' sake, which has costs of its own. Part of a listing is left as it is."""
    rest = list(commands)
    while all(rest.count(command) >= count for command, count in (("CREATE", 1), ("QUERY_DIRECTORY", 2), ("CLOSE", 1))):
        for command in ("CREATE", "QUERY_DIRECTORY", "QUERY_DIRECTORY", "CLOSE"):
            rest.remove(command)
    return rest


ASKED_FOR_THE_NAME = ["CLOSE", "CREATE", "CREATE", "QUERY_INFO", "WRITE"]  # whether it is free


def test_a_file_is_made_and_deleted(line, wnet, server):
    """One of several times is as it should be: another thing may fall into the time, or the end of the one before."""
    path = wnet.folder() / "new"

    def write():
        with open(path, "xb", buffering=0) as f:
            f.write(b"x" * 4096)

    made, unlinked = [], []
    for _ in range(3):
        made.append(without_listings(asked(line, write)))
        assert (server.data / "new").read_bytes() == b"x" * 4096
        os.stat(path)
        unlinked.append(without_listings(asked(line, lambda: os.unlink(path))))
        assert not (server.data / "new").exists()
    assert ["CLOSE", "CREATE", "QUERY_INFO", "WRITE"] in made or ASKED_FOR_THE_NAME in made, made
    assert ["CLOSE", "CLOSE", "CREATE", "CREATE"] in unlinked, unlinked


@pytest.mark.parametrize("mode", (0o600, 0o400, 0o000))
def test_what_is_no_file_is_not_unlinked(line, wnet, server, mode):
    """Whether a name is a file is asked at the server, by whatever it allows."""
    (server.data / "d").mkdir()
    (server.data / "f").write_bytes(b"x")
    (server.data / "f").chmod(mode)
    with pytest.raises(IsADirectoryError):
        os.unlink(wnet.folder() / "d")
    os.stat(wnet.folder() / "f")
    (server.data / "f").rename(server.data / "g")
    (server.data / "f").mkdir()  # where the kernel still remembers a file
    with pytest.raises(IsADirectoryError):
        os.unlink(wnet.folder() / "f")
    time.sleep(1.1)  # until it is seen here
    os.unlink(wnet.folder() / "g")
    assert sorted(os.listdir(server.data)) == sorted(["d", "f", *map(str, (*SIZES, LARGE))])


def test_nobody_asks_for_the_folder(line, wnet):
    """What is made and deleted in a folder costs no look at the folder, nor at those above it."""
    folder = wnet.folder() / "d" / "e"
    folder.mkdir(parents=True)

    def make(name):
        with opened(folder / name, "xb"):
            pass

    made, unlinked = [], []
    for name in ("a", "b", "c"):
        os.stat(folder)  # the names on the way are known
        made.append(asked(line, lambda: make(name)))
        os.stat(folder / name)
        unlinked.append(asked(line, lambda: os.unlink(folder / name)))
    assert ["CLOSE", "CREATE", "QUERY_INFO"] in made or ["CLOSE", "CREATE", "CREATE", "QUERY_INFO"] in made, made
    assert ["CLOSE", "CLOSE", "CREATE", "CREATE"] in unlinked, unlinked


def test_a_folder_shows_what_was_done_in_it(line, wnet, server):
    folder = wnet.folder() / "d"
    folder.mkdir()
    changes = [lambda: (folder / "other").mkdir(), lambda: os.unlink(folder / "b"), lambda: os.utime(folder, (1e9, 1e9)),
               lambda: os.rename(folder / "a", folder / "new"), lambda: os.rename(folder / "new", wnet.folder() / "new"),
               lambda: os.rmdir(folder / "other"), lambda: (folder / "c").touch()]
    for change in changes:
        for name in "ab":
            (folder / name).touch()
            assert os.stat(folder).st_mtime_ns // 1000 == os.stat(server.data / "d").st_mtime_ns // 1000
            (folder / name).unlink()
            (folder / name).touch()
        change()
        assert os.stat(folder).st_mtime_ns // 1000 == os.stat(server.data / "d").st_mtime_ns // 1000


PROOF = ["NEGOTIATE", "SESSION_SETUP", "SESSION_SETUP", "TREE_CONNECT", "TREE_DISCONNECT"]


def test_connecting(server, wnet):
    """A session in which both prove that they know the password comes before the one that stays, and asks for nothing."""
    line = Requests(server.port)
    wnet.add("Z:", line.share())
    assert [command for number, command in line.seen if number == 0] == PROOF
