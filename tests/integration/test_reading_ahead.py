# SPDX-License-Identifier: GPL-3.0-or-later
"""How much is asked of a server for what a program reads: on a long line, in order, in pieces, anyhow, slowly."""

import contextlib
import os
import struct
import time

import pytest
from harness import make_server, opened, wait_until
from smbrequests import Requests

KIB, MIB = 1 << 10, 1 << 20
PAGE = 4096


def reads(line):
    return line.of("READ")


def pages(number):
    return b"".join(struct.pack("<Q", page) + b"." * (PAGE - 8) for page in range(number))


def make_file(server, megabytes):
    data = pages(megabytes * MIB // PAGE)
    (server.data / "f").write_bytes(data)
    return data


def way(wnet, server, delay):
    proxy = Requests(server.port, delay=delay)
    wnet.add("Z:", proxy.share())
    with open(wnet.folder() / "started", "w", encoding="utf-8"):
        pass  # the worker for files is there
    proxy.transfers.clear()
    return proxy


def test_in_order_on_a_long_line(wnet, server):
    data = make_file(server, 48)
    proxy = way(wnet, server, 0.025)
    with opened(wnet.folder() / "f", "rb") as f:
        assert b"".join(iter(lambda: f.read(MIB), b"")) == data
    asked = reads(proxy)
    assert asked[0][1] <= 128 * KIB, "the first bytes come early"
    assert sum(length for _, length in asked) < 1.3 * len(data), "hardly a byte is asked for twice"  # what lay there too long is
    assert 4 * MIB <= max(length for _, length in asked) <= 8 * MIB and len(asked) <= 30, asked


def test_in_order_near_by(wnet, server):
    data = make_file(server, 24)
    proxy = way(wnet, server, 0)
    with opened(wnet.folder() / "f", "rb") as f:
        assert b"".join(iter(lambda: f.read(MIB), b"")) == data
    assert sum(length for _, length in reads(proxy)) == len(data)


def test_a_slow_reader_on_a_long_line(wnet, server):
    """What has lain there for more than a second is read again: so not too much may lie there."""
    make_file(server, 48)
    proxy = way(wnet, server, 0.005)
    with opened(wnet.folder() / "f", "rb") as f:
        for _ in range(16):
            assert len(f.read(128 * KIB)) == 128 * KIB
            time.sleep(0.3)
    asked = reads(proxy)
    assert sum(length for _, length in asked) <= 24 * MIB and asked[-1][1] <= 512 * KIB, asked


def test_anyhow(wnet, server):
    make_file(server, 48)
    proxy = way(wnet, server, 0)
    with opened(wnet.folder() / "f", "rb") as f:
        for number in range(100):
            page = 5 + number * number * 7919 % 12000
            assert os.pread(f.fileno(), 8, page * PAGE) == struct.pack("<Q", page)
    assert sum(length for _, length in reads(proxy)) <= 100 * 2 * PAGE


@pytest.mark.parametrize("call", [64 * KIB, 4 * KIB])
def test_pieces_at_equal_distances(wnet, server, call):
    make_file(server, 48)
    proxy = way(wnet, server, 0)
    size, distance, count = 64 * KIB, MIB + 12 * KIB, 40
    with opened(wnet.folder() / "f", "rb") as f:
        for number in range(count):
            for at in range(number * distance, number * distance + size, call):
                data = os.pread(f.fileno(), call, at)
                assert len(data) == call and data.startswith(struct.pack("<Q", at // PAGE))
            if number == 20:
                wait_until(lambda: any(offset == 22 * distance for offset, _ in reads(proxy)), "the next but one is read ahead")
    asked = reads(proxy)
    assert sum(length for _, length in asked) <= 4 * count * size + 4 * MIB, asked  # the kernel reads ahead a little, too
    begins = [offset for offset, length in asked if offset % distance == 0]
    assert len(begins) == len(set(begins)), "none is read twice"


def test_back_to_the_begin(wnet, server):
    """Who seeks back and reads on in order is read ahead for as before."""
    make_file(server, 48)
    proxy = way(wnet, server, 0.01)
    with opened(wnet.folder() / "f", "rb") as f:
        for begin in (30 * MIB, 4 * MIB):
            f.seek(begin)
            for _ in range(6 * 8):
                f.read(128 * KIB)
    assert any(offset < 12 * MIB and length >= MIB for offset, length in reads(proxy)), reads(proxy)


def test_a_change_from_here_while_much_is_read_ahead(wnet, server):
    make_file(server, 48)
    way(wnet, server, 0.025)
    path = wnet.folder() / "f"
    with opened(path, "rb") as f:
        for _ in range(14):
            f.read(MIB)
        with opened(path, "r+b") as g:
            g.seek(20 * MIB)
            g.write(b"new" * 1000)
            g.truncate(30 * MIB)
        rest = f.read()
        assert len(rest) == 16 * MIB and rest[6 * MIB:6 * MIB + 3000] == b"new" * 1000


@pytest.fixture
def old_server(tmp_path):
    """It takes READs of 1 MiB at most, so that a long one is several."""
    server = make_server(tmp_path / "old", options={"smb2 max read": "1048576"})
    yield server
    server.stop()


def test_a_file_that_is_cut_elsewhere_while_much_is_read_ahead(wnet, old_server):
    """libsmbclient ends the connection when the answer to the first of several READs is shorter than it was asked for, while it
    waits for the rest. No program notices."""
    wnet.expect_log(r"worker")
    data = make_file(old_server, 64)
    proxy = way(wnet, old_server, 0.025)
    with opened(wnet.folder() / "f", "rb") as f:
        begin = b""
        while not any(length == MIB and offset > 16 * MIB for offset, length in reads(proxy)):
            begin += f.read(MIB)
        os.truncate(old_server.data / "f", 33 * MIB + 1000)
        while piece := f.read(MIB):
            begin += piece
        assert len(begin) >= 33 * MIB and begin[:33 * MIB] == data[:33 * MIB]
        time.sleep(1.2)  # the size is believed for a second
        assert os.fstat(f.fileno()).st_size == 33 * MIB + 1000
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        assert os.pread(f.fileno(), 2000, 33 * MIB) == data[33 * MIB:33 * MIB + 1000]
    assert wnet.log_text().count("worker for files ended") <= 1, "a long READ is not repeated"


def test_many_files_in_order_on_a_long_line(wnet, server):
    """They share the slots, which are not enough for long windows for all."""
    data = make_file(server, 8)
    way(wnet, server, 0.01)
    names = [f"f{number}" for number in range(10)]
    for name in names:
        os.link(server.data / "f", server.data / name)
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(opened(wnet.folder() / name, "rb")) for name in names]
        for at in range(0, len(data), MIB):
            for f in files:
                assert f.read(MIB) == data[at:at + MIB]
