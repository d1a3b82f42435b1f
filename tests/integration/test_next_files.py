# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reads a folder's small files one behind the other, on a long line: the next ones are looked into before they are opened. Whatever is
done to them meanwhile, here or elsewhere, an open shows them as they are."""

import contextlib
import os
import random
import signal
import time

import pytest
from harness import opened, wait_until
from smbrequests import Requests

COUNT = 36
SIZE = 3000
ONE_WAY = 0.010
LONG_AGO = 1_000_000_000
DAY = 86_400


def name_of(number):
    return f"f{(number * 37) % COUNT:03}"  # not in the order in which they are made


def contents(number, version=0):
    return (b"%03d.%03d " % (number, version) * SIZE)[:SIZE]


@pytest.fixture
def folder(server):
    """The server's."""
    folder = server.data / "d"
    folder.mkdir()
    for number in range(COUNT):
        path = folder / name_of(number)
        path.write_bytes(contents(number))
        os.utime(path, (LONG_AGO, LONG_AGO + number))
    return folder


@pytest.fixture
def line(wnet, server, folder):
    line = Requests(server.port, delay=ONE_WAY)
    wnet.add("Z:", line.share())
    return line


@pytest.fixture
def d(wnet, line):
    return wnet.folder() / "d"


def spared(line):
    """How many opens have not had to ask for contents: a look asks for them, and so does an open that nobody has looked for."""
    commands = [command for _number, command in line.seen]
    return commands.count("CREATE") - commands.count("READ")


def more_of(took):
    """How many more files may be opened by a slow walk: folders are listed again, and what was looked up is too old after a second."""
    return 5 * max(0, took - 3)


def walk(d, in_order, before=lambda name: None):
    """Reads all that is listed, one behind the other: {name: contents}."""
    found = {}
    for name in in_order(os.listdir(d)):
        before(name)
        found[name] = (d / name).read_bytes()
    return found


def listed(names):
    return names


def expected(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def walk_until_looked_ahead(line, d, in_order):
    """Walks, which shows the right contents each time, until many of the opens were spared a request. The workers for that come with the
    first walk."""
    for _ in range(5):
        before = spared(line)
        found = walk(d, in_order)
        if spared(line) - before > COUNT // 2:
            return found
    raise AssertionError("no file was looked into before it was opened")


@pytest.mark.parametrize("in_order", (listed, sorted), ids=("as listed", "by name"))
def test_contents(line, d, folder, in_order):
    assert walk_until_looked_ahead(line, d, in_order) == expected(folder)


def test_a_walk_without_an_order(line, d, folder):
    """Little is looked into where nobody can know what is next, though there are workers that could."""
    walk_until_looked_ahead(line, d, listed)
    names = os.listdir(d)
    random.Random(1).shuffle(names)
    before, began = spared(line), time.monotonic()
    for name in names:
        assert (d / name).read_bytes() == (folder / name).read_bytes()
    took = time.monotonic() - began
    assert spared(line) - before < COUNT // 2 + more_of(took)  # listings, look-ups, and files that happen to be neighbours


def test_what_was_changed_just_now(line, d, folder):
    """It may be changed again within the same tick of a clock, so that a look would be of no use: there is none."""
    walk_until_looked_ahead(line, d, listed)
    for path in folder.iterdir():
        os.utime(path, (time.time() + DAY,) * 2)  # however long the walk takes, that is not long ago
    time.sleep(1.1)  # for so long may the older times be believed
    before, began = len(line.seen), time.monotonic()
    assert walk(d, listed) == expected(folder)
    took = time.monotonic() - began
    commands = [command for _number, command in line.seen[before:]]
    assert commands.count("READ") == COUNT  # with the open
    assert COUNT <= commands.count("CREATE") < COUNT * 3 // 2 + more_of(took)


def in_place(path, data):
    with open(path, "r+b") as f:
        f.write(data)


def replaced(path, data):
    new = path.with_name("new")
    new.write_bytes(data)
    new.rename(path)


def replaced_with_the_same_times(path, data):
    before = os.stat(path)
    new = path.with_name("new")
    new.write_bytes(data)
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.rename(path)


def shortened(path, data):
    path.write_bytes(data[:-100])


def lengthened(path, data):
    path.write_bytes(data * 30)


CHANGES = (in_place, replaced, replaced_with_the_same_times, shortened, lengthened)


def test_every_other_file_is_changed_on_the_server_just_before_it_is_opened(line, d, folder):
    """While it is looked into, for the one in front of it was opened. Each in its way, and another time in another one."""
    versions = {}

    def before(name):
        place = names.index(name)
        versions[name] = versions.get(name, 0) + 1
        if place % 2:
            CHANGES[(place // 2 + versions[name]) % len(CHANGES)](folder / name, contents(int(name[1:]), versions[name]))

    walk_until_looked_ahead(line, d, listed)
    names = os.listdir(d)
    reads = []
    while len(reads) < 2 or (max(reads) <= COUNT * 5 // 4 and len(reads) < 5):  # on a slow machine a look may come too late
        first = len(line.seen)
        assert walk(d, listed, before) == expected(folder)
        reads.append([command for _number, command in line.seen[first:]].count("READ"))
    assert max(reads) > COUNT * 5 // 4  # some were looked into, and that did not count


def test_one_of_the_next_files_is_gone_or_new(line, d, folder):
    """By the server's own programs, while it is being looked into."""
    walk_until_looked_ahead(line, d, listed)
    names = os.listdir(d)
    for here, there in zip(names[:-1:2], names[1::2]):
        assert (d / here).read_bytes() == (folder / here).read_bytes()
        (folder / there).unlink()
        with pytest.raises(FileNotFoundError):
            (d / there).read_bytes()
        (folder / there).write_bytes(b"new " + there.encode())
    time.sleep(1.2)  # for so long a name may be absent
    assert walk(d, listed) == expected(folder)


def test_what_is_done_from_here_to_the_next_files(wnet, line, d, folder):
    walk_until_looked_ahead(line, d, listed)
    names = os.listdir(d)
    other = wnet.folder() / "other"
    other.mkdir()
    for number in range(0, COUNT - 10, 10):
        here, deleted, renamed, written, target = names[number:number + 5]
        assert (d / here).read_bytes() == (folder / here).read_bytes()
        os.unlink(d / deleted)
        os.rename(d / renamed, other / renamed)
        with opened(d / written, "r+b") as f:
            f.write(b"written from here")
            shown = os.fstat(f.fileno()).st_mtime_ns
        assert (folder / written).read_bytes()[:17] == b"written from here"  # at the server, as soon as it is closed
        assert os.stat(folder / written).st_mtime_ns // 1000 == shown // 1000
        assert (d / written).read_bytes()[:17] == b"written from here"
        with opened(d / "source", "wb") as f:
            f.write(b"replaces " + target.encode())
        os.replace(d / "source", d / target)
        assert (d / target).read_bytes() == b"replaces " + target.encode()
        assert not (folder / deleted).exists() and (folder.parent / "other" / renamed).exists()
    os.rename(d, wnet.folder() / "renamed")
    assert walk(wnet.folder() / "renamed", listed) == expected(folder.parent / "renamed")


def test_nothing_stays_open(wnet, line, d, folder, server):
    """Another connection may do what it likes with what was looked into."""
    wnet.add("Y:", server.url())
    began = len(line.seen)
    names = os.listdir(d)
    for name in names[:COUNT // 2]:
        assert (d / name).read_bytes() == (folder / name).read_bytes()
    seen = []

    def closed():
        seen.append(len(line.seen))
        commands = [command for _number, command in line.seen[began:]]
        return len(seen) > 5 and seen[-1] == seen[-5] and commands.count("CLOSE") >= commands.count("CREATE")

    wait_until(closed, "all that was opened is closed, and nothing passes any more")
    for name in names:
        os.unlink(wnet.folder("Y:") / "d" / name)
    os.rmdir(wnet.folder("Y:") / "d")
    assert not folder.exists()


def test_workers_die_meanwhile(wnet, line, d, folder):
    walk_until_looked_ahead(line, d, listed)
    for number, name in enumerate(os.listdir(d)):
        if number % 10 == 5:
            for pid in wnet.workers()[1:]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        assert (d / name).read_bytes() == (folder / name).read_bytes()
    wnet.expect_log("ended by signal 9|worker process ended")


def test_a_disconnection_meanwhile(wnet, line, d, folder):
    """What was looked into is nobody's open file."""
    for _ in range(3):
        for name in os.listdir(d)[:10]:
            assert (d / name).read_bytes() == (folder / name).read_bytes()
        wnet.ok("cancel", "Z:")
        wnet.add("Z:", line.share())
