# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes just behind a close(), on a network where each round trip takes 20 ms: our own handle is not in its way, and another
machine sees what was written."""

import os

import pytest
from harness import opened
from proxy import Proxy


@pytest.fixture
def z(wnet, server):
    wnet.add("Z:", Proxy(server.port, delay=0.01).share())
    return wnet.folder()


def times(long):
    return 100 if long else 5


def write(path, data):
    with opened(path, "wb") as f:
        f.write(data)


def read(path):
    with opened(path, "rb") as f:
        return f.read()


def test_unlink_rename_and_rmdir(z, server, long):
    for i in range(times(long)):
        (z / "d").mkdir()
        write(z / "d" / "f", b"%d" % i)
        os.unlink(z / "d" / "f")
        os.rmdir(z / "d")
        (z / "e").mkdir()
        write(z / "e" / "f", b"%d" % i)
        assert read(z / "e" / "f") == b"%d" % i
        os.rename(z / "e" / "f", z / "e" / "g")
        write(z / "e" / "f", b"other")
        os.rename(z / "e" / "f", z / "e" / "g")
        assert read(z / "e" / "g") == b"other"
        os.rename(z / "e", z / "moved")
        assert read(z / "moved" / "g") == b"other"
        os.unlink(z / "moved" / "g")
        os.rmdir(z / "moved")
    assert [name for name in os.listdir(server.data) if not name.startswith(".wnet")] == []


def test_another_machine_reads_it_at_once(z, server, long):
    for i in range(times(long)):
        for size in (1, 4096, 300_000):
            data = b"%07d" % i * (size // 7 + 1)
            write(z / "f", data)
            assert (server.data / "f").read_bytes() == data
        with opened(z / "f", "r+b") as f:
            f.write(b"changed")
            f.truncate(20)
        assert (server.data / "f").read_bytes() == b"changed" + data[7:20]


def test_a_listing_that_was_just_closed_is_in_nobodys_way(z, long):
    for _ in range(times(long)):
        (z / "d").mkdir()
        assert os.listdir(z / "d") == []
        os.rmdir(z / "d")
        (z / "d").mkdir()
        os.listdir(z / "d")
        os.rename(z / "d", z / "e")
        os.listdir(z / "e")
        os.rmdir(z / "e")
