# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of a file behind its close(), and of one that another machine has just changed."""

import errno
import os
import shutil
import time

import pytest
from harness import error_of, opened, wait_until


@pytest.mark.parametrize("new", (True, False))
def test_a_modification_time_stays(z, server, new):
    """What fstat() says behind a write() is not changed by the close(): git, make and editors compare."""
    if not new:
        (server.data / "f").write_text("long ago")
        os.utime(server.data / "f", (1e9, 1e9))
    before = time.time_ns()
    with opened(z / "f", "wb" if new else "r+b") as f:
        for i in range(3):
            f.write(b"%d" % i)
            shown = os.fstat(f.fileno()).st_mtime_ns
            assert abs(shown - before) < 60e9
            time.sleep(0.05)
            os.close(os.dup(f.fileno()))
            assert os.stat(z / "f").st_mtime_ns == shown
    assert os.stat(z / "f").st_mtime_ns == shown == os.stat(server.data / "f").st_mtime_ns
    time.sleep(1.3)  # what the kernel remembers ends after a second
    assert os.stat(z / "f").st_mtime_ns == shown
    with opened(z / "f", "r+b") as f:
        f.write(b"again")
        time.sleep(0.05)
    closed = os.stat(z / "f").st_mtime_ns  # nobody has looked before
    assert closed > shown and closed // 100 == os.stat(server.data / "f").st_mtime_ns // 100  # as times are sent


def test_a_time_that_was_set_stays(z, server):
    with opened(z / "f", "wb") as f:
        f.write(b"content")
        os.fstat(f.fileno())
        os.utime(f.fileno(), ns=(10**18, 10**18 + 1000))
        assert os.fstat(f.fileno()).st_mtime_ns == 10**18 + 1000
    assert os.stat(z / "f").st_mtime_ns == os.stat(server.data / "f").st_mtime_ns == 10**18 + 1000


def test_a_written_file_that_is_renamed_or_deleted_before_its_close(z, server):
    with opened(z / "f", "wb") as f, opened(z / "g", "wb") as g:
        for file in (f, g):
            file.write(b"content")
        shown = os.fstat(f.fileno()).st_mtime_ns, os.fstat(g.fileno()).st_mtime_ns
        os.rename(z / "f", z / "renamed")
        os.unlink(z / "g")
        time.sleep(0.05)
        assert shown == (os.fstat(f.fileno()).st_mtime_ns, os.fstat(g.fileno()).st_mtime_ns)
    assert os.stat(z / "renamed").st_mtime_ns == os.stat(server.data / "renamed").st_mtime_ns == shown[0]


@pytest.mark.parametrize("how", ("w", "a", "r"))
def test_a_file_that_another_machine_has_just_deleted(z, server, how):
    """Whatever the kernel still remembers of it, an open for writing makes it anew."""
    (z / "f").write_text("mine")
    assert (z / "f").stat().st_size == 4
    os.unlink(server.data / "f")
    if how == "r":
        assert error_of(lambda: open(z / "f", encoding="utf-8")) == errno.ENOENT
    else:
        with open(z / "f", how, encoding="utf-8") as f:
            f.write("anew")
        assert (server.data / "f").read_text() == "anew"


@pytest.mark.parametrize("new", (b"x" * 9, b"y" * 5000, b"z", b"w" * 300_000, b"same"))
def test_a_file_that_another_machine_has_just_written(z, server, new):
    """What is opened anew has the size, the contents and the time that it has on the server, whatever the kernel still remembers."""
    (server.data / "f").write_bytes(b"1234")
    os.utime(server.data / "f", (1e9, 1e9))
    with opened(z / "f", "rb") as f:
        assert f.read() == b"1234"
    assert os.stat(z / "f").st_size == 4
    (server.data / "f").write_bytes(new)
    with opened(z / "f", "rb") as f:
        assert f.read(1_000_000) == new
    (server.data / "f").write_bytes(new + b"more")
    with opened(z / "f", "rb") as f:
        shown = os.fstat(f.fileno())
        assert (shown.st_size, shown.st_mtime_ns // 100) == (len(new) + 4, os.stat(server.data / "f").st_mtime_ns // 100)
        assert f.seek(0, os.SEEK_END) == len(new) + 4


def test_a_listing_does_not_show_what_was_just_seen_to_be_gone(z, server):
    """Though it is young enough: a look-up has gone to the server since, for something was done to the name from here."""
    os.mkdir(z / "d")
    time.sleep(0.5)
    for number in range(4):  # so many look-ups have the folder listed
        assert not os.path.exists(z / f"none{number}")
    time.sleep(0.2)
    (z / "d" / "f").write_bytes(b"x")
    shutil.rmtree(server.data / "d")
    time.sleep(0.4)  # the kernel does not know the name any more, and asks
    wait_until(lambda: not os.path.exists(z / "d"), "it is seen to be gone", timeout=5)
    assert os.listdir(z) == []
