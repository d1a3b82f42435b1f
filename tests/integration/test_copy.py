# SPDX-License-Identifier: GPL-3.0-or-later
"""Copying within a drive is done by the server."""

import os
import random

from harness import opened


def data(size, seed=1):
    return random.Random(seed).randbytes(size)


def test_cp_copies_without_reading(z, wnet, server):
    content = data(30 << 20)
    (server.data / "a").write_bytes(content)
    with opened(z / "b", "x+b") as target, opened(z / "a", "rb") as source:
        copied = 0
        while n := os.copy_file_range(source.fileno(), target.fileno(), len(content)):
            copied += n
        assert copied == len(content)
        # the server has done it: no data came here, none went back
        files = {f["path"]: f for f in wnet.ok("files", "--json").json}
        assert files["/a"]["read_bytes"] in (0, None), files
        assert files["/b"]["written_bytes"] == len(content)
    assert (server.data / "b").read_bytes() == content
    result = wnet.program("cp", z / "a", z / "c")
    assert result.code == 0, repr(result)
    assert (server.data / "c").read_bytes() == content == (z / "c").read_bytes()


def test_parts_and_ends(z, server):
    content = data(3_000_001)
    (server.data / "a").write_bytes(content)
    with opened(z / "a", "rb") as a, opened(z / "b", "x+b") as b:
        assert os.copy_file_range(a.fileno(), b.fileno(), 1000, 5, 10) == 1000
        assert os.pread(b.fileno(), 2000, 0) == bytes(10) + content[5:1005]
        assert os.copy_file_range(a.fileno(), b.fileno(), 10_000, 2_999_999, 0) == 2  # to its end
        assert os.copy_file_range(a.fileno(), b.fileno(), 10, 3_000_001, 0) == 0      # behind it
        assert os.pread(b.fileno(), 10, 0) == content[2_999_999:] + bytes(8)
        os.pwrite(b.fileno(), b"mine", 0)
        assert os.copy_file_range(a.fileno(), b.fileno(), 4, 100, 2) == 4
        assert os.pread(b.fileno(), 6, 0) == b"mi" + content[100:104]
    assert (server.data / "b").read_bytes()[:6] == b"mi" + content[100:104]


def test_what_was_just_written_is_copied(z, server):
    with opened(z / "a", "x+b") as a, opened(z / "b", "x+b") as b:
        for i in range(20):
            os.pwrite(a.fileno(), b"%05d" % i, 0)
            assert os.copy_file_range(a.fileno(), b.fileno(), 5, 0, 5 * i) == 5
            assert os.pread(b.fileno(), 5, 5 * i) == b"%05d" % i
    assert (server.data / "b").read_bytes() == b"".join(b"%05d" % i for i in range(20))


def test_from_a_deleted_file(z, server):
    (z / "a").write_bytes(b"deleted and copied")
    with opened(z / "a", "rb") as a, opened(z / "b", "x+b") as b:
        os.unlink(z / "a")
        assert os.copy_file_range(a.fileno(), b.fileno(), 100) == 18
    assert (server.data / "b").read_bytes() == b"deleted and copied"


def test_between_drives_it_is_read_and_written(z, wnet, server):
    (server.readonly / "a").write_bytes(data(2 << 20))
    wnet.ok("add", "Y:", server.url("readonly"))
    result = wnet.program("cp", wnet.folder("Y:") / "a", z / "a")
    assert result.code == 0, repr(result)
    assert (server.data / "a").read_bytes() == data(2 << 20)
