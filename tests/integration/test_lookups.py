# SPDX-License-Identifier: GPL-3.0-or-later
"""Look-ups of many names of one folder: what they cost at the server, and that nobody is told what is no longer so."""

import contextlib
import os
import threading
import time

import pytest
from harness import error_name, error_of, opened, wait_until
from proxy import Proxy
from smbrequests import Requests

COUNT = 500
BELIEVED = 1.0 # seconds for which an answer may be repeated
SLACK = 1.5    # of a machine that has more to do


@pytest.fixture
def line(wnet, server):
    """The server's line; the drive Z: is behind it, and its folder d has COUNT files."""
    (server.data / "d").mkdir()
    for number in range(COUNT):
        (server.data / "d" / f"f{number}").write_bytes(b"x" * (number + 1))
    line = Requests(server.port)
    wnet.add("Z:", line.share())
    os.stat(wnet.folder())
    return line


@pytest.fixture
def d(wnet, line):
    return wnet.folder() / "d"


@contextlib.contextmanager
def hammering(folder):
    """Meanwhile all its names are looked at, over and over."""
    stop = threading.Event()

    def look():
        number = 0
        while not stop.is_set():
            number = (number + 1) % COUNT
            for kind in ("f", "absent "):
                with contextlib.suppress(FileNotFoundError):
                    os.stat(folder / f"{kind}{number}")

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(0.5)
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def more_of(took):
    """How many more requests there may be: when what was listed is too old while it is listed again, some names are asked for one by one."""
    return COUNT if took > BELIEVED - 0.2 else 0


def test_what_many_cost(line, d):
    """Attributes of all files cost a listing and a few look-ups, not three requests each."""
    with line.counted() as seen:
        began = time.monotonic()
        assert [os.stat(d / f"f{n}").st_size for n in range(COUNT)] == list(range(1, COUNT + 1))
        took = time.monotonic() - began
    assert "QUERY_DIRECTORY" in seen
    # on a slow machine some more go to the server, until it has listed the folder, and it is listed again
    assert len(seen) < 60 + 100 * took + more_of(took), seen
    assert len(seen) < COUNT or took > BELIEVED


def test_what_absent_names_cost(line, d):
    with line.counted() as seen:
        began = time.monotonic()
        for number in range(COUNT):
            assert error_name(error_of(lambda number=number: os.stat(d / f"absent {number}"))) == "ENOENT"
        took = time.monotonic() - began
    assert len(seen) < 60 + 100 * took + more_of(took), seen


def test_one_folder_opened_often_is_listed_once_a_second(line, d):
    with line.counted() as seen:
        began = time.monotonic()
        for _ in range(50):
            assert len(os.listdir(d)) == COUNT
        took = time.monotonic() - began
    assert seen.count("QUERY_DIRECTORY") <= 4 * (1 + took / BELIEVED), seen


def test_numbers_are_the_servers(line, wnet, d, server):
    """Whether a name was looked up or listed, its number is the server's, by which another spelling is known as the same file."""
    with os.scandir(d) as entries:
        listed = {entry.name: os.stat(entry.path).st_ino for entry in entries}
    time.sleep(BELIEVED + 0.1)
    assert {name: os.stat(d / name).st_ino for name in listed} == listed
    assert listed["f7"] == os.stat(server.data / "d" / "f7").st_ino == os.stat(d / "F7").st_ino


def seconds_until(condition):
    began = time.monotonic()
    wait_until(condition, "it is seen", timeout=10, interval=0.01)
    return time.monotonic() - began


def test_what_another_machine_changes_is_seen_within_a_second(line, d, server):
    there = server.data / "d"
    with hammering(d):
        for number in range(3):
            (there / f"f{number}").write_bytes(b"y" * 9000)
            assert seconds_until(lambda number=number: os.stat(d / f"f{number}").st_size == 9000) < BELIEVED + SLACK
            os.unlink(there / f"f{number + 10}")
            assert seconds_until(lambda number=number: not (d / f"f{number + 10}").exists()) < BELIEVED + SLACK
            (there / f"absent {number}").write_bytes(b"z")
            assert seconds_until((d / f"absent {number}").exists) < BELIEVED + SLACK


def test_what_is_read_late_of_a_slow_listing_is_no_older_than_a_second(wnet, server):
    line = Proxy(server.port, delay=0.07)
    wnet.add("Z:", line.share())
    for number in range(30): # round trips of a listing are not always the same
        there = server.data / f"d{number}"
        there.mkdir()
        files = [there / name for name in "abc"]
        for path in files:
            path.write_bytes(b"x")
        os.stat(wnet.folder() / there.name)
        begin = time.monotonic()
        d = os.open(wnet.folder() / there.name, os.O_DIRECTORY)
        took = time.monotonic() - begin
        for path in files:
            path.write_bytes(b"new")
        changed = time.monotonic()
        time.sleep(BELIEVED / 2)
        os.fstat(d) # Python does so too, and should not have to wait for it
        time.sleep(max(0, changed + BELIEVED + 0.02 - time.monotonic()))
        with os.scandir(d) as entries:
            sizes = [entry.stat().st_size for entry in entries]
        os.close(d)
        if 0.53 < took < 0.59: # not quite too long to be listed anew within a second
            assert sizes == [3, 3, 3]
            return
        line.delay *= 0.56 / took
    raise AssertionError("no listing took as long as it should")


def test_what_was_changed_from_here_is_never_hidden(line, d, server):
    """Each kind of change, made while a listing answers look-ups: at once it is seen as it is."""
    with hammering(d):
        for n in range(20, 80):
            (d / f"f{n}").write_bytes(b"y" * (1000 + n))
            assert os.stat(d / f"f{n}").st_size == 1000 + n
            assert os.stat(d / f"F{n}").st_size == 1000 + n  # which nobody has looked up before
            os.truncate(d / f"f{n}", n)
            assert os.stat(d / f"f{n}").st_size == n
            os.utime(d / f"f{n}", (1e9 + n, 1e9 + n))
            assert os.stat(d / f"f{n}").st_mtime == 1e9 + n
            os.chmod(d / f"f{n}", 0o444)
            assert os.stat(d / f"f{n}").st_mode & 0o777 == 0o444
            os.rename(d / f"f{n}", d / f"renamed {n}")
            assert not (d / f"f{n}").exists() and os.stat(d / f"renamed {n}").st_size == n
            os.rename(d / f"f{n + 100}", d / f"renamed {n}")
            assert not (d / f"f{n + 100}").exists() and os.stat(d / f"renamed {n}").st_size == n + 101
            os.unlink(d / f"renamed {n}")
            assert not (d / f"renamed {n}").exists() and not (d / f"RENAMED {n}").exists()
            os.mkdir(d / f"absent {n}")
            assert (d / f"absent {n}").is_dir() and (d / f"ABSENT {n}").is_dir()
            (d / f"absent {n}" / "in").touch()
            assert os.listdir(d / f"absent {n}") == ["in"]
            os.unlink(d / f"absent {n}" / "in")
            os.rmdir(d / f"absent {n}")
            assert not (d / f"absent {n}").exists()
            (d / f"absent {n}").touch()
            assert (d / f"absent {n}").is_file() and f"absent {n}" in os.listdir(d)


def test_what_is_being_written_is_never_hidden(line, d):
    """While it is open and behind its close, a file has the size and the time that its writer has seen."""
    with hammering(d):
        for n in range(30):
            with opened(d / f"f{n}", "wb") as f:
                for part in range(1, 4):
                    f.write(b"x" * 1000)
                    assert os.stat(d / f"f{n}").st_size == 1000 * part
                seen = os.fstat(f.fileno()).st_mtime_ns
            for _ in range(5):
                after = os.stat(d / f"f{n}")
                assert (after.st_size, after.st_mtime_ns) == (3000, seen)
                time.sleep(0.01)


def test_what_is_opened_shows_what_was_closed_elsewhere(line, d, server):
    """However often its name was looked up just before; and nobody sees it shrink back afterwards."""
    with hammering(d):
        for n in range(30):
            os.stat(d / f"f{n}")
            (server.data / "d" / f"f{n}").write_bytes(b"closed" * 2000)
            with opened(d / f"f{n}", "rb") as f:
                assert f.read() == b"closed" * 2000
            assert os.stat(d / f"f{n}").st_size == 12_000


def test_what_another_machine_has_deleted(line, d, server):
    """Whatever a listing says of it: opening it for reading is ENOENT, for writing makes it anew."""
    with hammering(d):
        for n in range(30):
            os.stat(d / f"f{n}")
            os.unlink(server.data / "d" / f"f{n}")
            if n % 2:
                (d / f"f{n}").write_text("anew")
                assert (server.data / "d" / f"f{n}").read_text() == "anew"
            else:
                assert error_name(error_of(lambda n=n: (d / f"f{n}").read_bytes())) == "ENOENT"
