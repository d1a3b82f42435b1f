# SPDX-License-Identifier: GPL-3.0-or-later
"""A small file's contents come with its open, and are given to the kernel at once. Nobody may notice."""

import mmap
import os
import tempfile
import time

import pytest
from harness import opened

SIZES = (0, 1, 4095, 4096, 4097, 10_000, 65_535, 65_536, 65_537, 131_072)


def contents(size, version=0):
    return (b"%d " % (version % 10) * size)[:size]


@pytest.mark.parametrize("size", SIZES)
def test_all_of_it_each_time(z, server, size):
    """Whole and in pieces, mapped, and behind its end."""
    (server.data / "f").write_bytes(contents(size))
    for _ in range(3):
        with opened(z / "f", "rb") as f:
            assert f.read() == contents(size) and f.read(1) == b""
            assert os.fstat(f.fileno()).st_size == size
            f.seek(max(size - 10, 0))
            assert f.read(100) == contents(size)[-10:]
            if size:
                with mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m:
                    assert m[:] == contents(size)


@pytest.mark.parametrize("first", (10, 4096, 10_000, 70_000))
@pytest.mark.parametrize("then", (0, 10, 4096, 9_999, 10_000, 10_001, 70_000))
def test_what_was_changed_on_the_server(z, server, first, then):
    """Opened at once behind the change, with whatever the kernel still has of it; also where the time of change does not tell."""
    path = server.data / "f"
    path.write_bytes(contents(first))
    os.utime(path, (1e9, 1e9))
    for version in range(1, 4):
        assert (z / "f").read_bytes() == path.read_bytes()
        path.write_bytes(contents(then if version % 2 else first, version))
        os.utime(path, (1e9, 1e9))
        with opened(z / "f", "rb") as f:
            assert f.read() == path.read_bytes()
            assert os.fstat(f.fileno()).st_size == len(path.read_bytes())


def test_what_is_sent_without_a_look(z, server):
    """Behind an open that nobody has asked for the size, as a web server has it from before."""
    path = server.data / "f"
    for then in (5000, 100, 12_000):
        path.write_bytes(contents(10_000))
        assert (z / "f").read_bytes() == contents(10_000)
        path.write_bytes(contents(then, 1))
        sent = b""
        with opened(z / "f", "rb") as f, tempfile.TemporaryFile() as out:
            while os.sendfile(out.fileno(), f.fileno(), len(sent), 10_000):
                sent = b"x" * os.fstat(out.fileno()).st_size
            out.seek(0)
            sent = out.read()
        assert sent == contents(then, 1)


def test_two_readers(z, server):
    """The first one has read what was there; the second one finds what there is."""
    path = server.data / "f"
    path.write_bytes(contents(5000))
    with opened(z / "f", "rb") as first:
        assert first.read(10) == contents(10)
        path.write_bytes(contents(5000, 1))
        with opened(z / "f", "rb") as second:
            assert second.read() == contents(5000, 1)
        time.sleep(1.3)
        first.seek(0)
        assert first.read() == contents(5000, 1)


def test_a_reader_and_a_writer(z, server):
    (server.data / "f").write_bytes(contents(5000))
    with opened(z / "f", "rb") as reader:
        assert reader.read(10) == contents(10)
        with opened(z / "f", "r+b") as writer:
            for version in range(1, 5):
                os.pwrite(writer.fileno(), contents(5000, version), 0)
                assert os.pread(reader.fileno(), 6000, 0) == contents(5000, version)
                with opened(z / "f", "rb") as another:
                    assert another.read() == contents(5000, version)
            os.truncate(writer.fileno(), 100)
            assert os.pread(reader.fileno(), 6000, 0) == contents(100, version)
    assert (z / "f").read_bytes() == (server.data / "f").read_bytes() == contents(100, 4)


def test_others_changes_are_seen_while_it_is_open(z, server):
    """Also by a program that has opened it, and reads it for the first time later."""
    path = server.data / "f"
    path.write_bytes(contents(5000))
    with opened(z / "f", "rb") as f:
        path.write_bytes(contents(6000, 1))
        time.sleep(1.3)
        assert f.read() == contents(6000, 1)
        path.write_bytes(contents(100, 2))
        time.sleep(1.3)
        f.seek(0)
        assert f.read() == contents(100, 2)


def test_who_has_it_open(wnet, z, server):
    (server.data / "f").write_bytes(contents(5000))
    with opened(z / "f", "rb") as f:
        f.read()
        (holder,) = wnet.files()
        assert (holder["path"], holder["mode"], holder["pid"]) == ("/f", "r", os.getpid())
        assert "Z:/f" in wnet.fails(2401, "cancel", "Z:").err
    wnet.ok("cancel", "Z:")
