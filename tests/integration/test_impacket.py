# SPDX-License-Identifier: GPL-3.0-or-later
"""Impacket's SMB server, for basic use: it speaks SMB2.02, numbers no files, and does not tell its size."""

import os
import random
import socket
import subprocess
from pathlib import Path

import pytest
from harness import ALICE, PASSWORD, error_name, error_of, mounts_below, opened, smbserver, tree, wait_until

PROGRAM = Path(__file__).with_name("impacketserver.py")


def answers(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def impacket(root, request):
    """Its folder and the name of its share."""
    folder = root / "impacket"
    port, reservation = smbserver.reserve_port()
    folder.mkdir()
    with open(root / "impacket.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(["/usr/bin/python3", PROGRAM, str(port), folder, *getattr(request, "param", (ALICE, PASSWORD))],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=root)
    wait_until(lambda: answers(port) or process.poll() is not None, "the server answers")
    assert process.poll() is None, (root / "impacket.log").read_text()
    yield folder, f"//127.0.0.1:{port}/data"
    process.kill()
    process.wait()
    reservation.close()
    print((root / "impacket.log").read_text(errors="replace")[-6000:])


@pytest.fixture
def drive(impacket, wnet):
    """The folder of a drive, and the server's."""
    wnet.add("Z:", impacket[1])
    return wnet.folder(), impacket[0]


def test_reading(drive):
    z, folder = drive
    data = random.Random(1).randbytes(5_000_001)
    (folder / "sub").mkdir()
    (folder / "sub" / "big").write_bytes(data)
    (folder / "empty").touch()
    (folder / "f").write_text("content")
    assert sorted(os.listdir(z)) == ["empty", "f", "sub"] and os.listdir(z / "sub") == ["big"]
    assert (z / "f").read_text() == "content" and (z / "empty").read_bytes() == b""
    assert (z / "sub" / "big").read_bytes() == data
    assert (z / "sub").is_dir() and not (z / "f").is_dir()
    assert (z / "sub" / "big").stat().st_size == len(data)
    assert abs((z / "f").stat().st_mtime - (folder / "f").stat().st_mtime) < 2
    assert error_name(error_of(lambda: open(z / "absent", "rb"))) == "ENOENT"
    with open(z / "sub" / "big", "rb") as f:
        for offset in (4_999_000, 17, 1_048_575, 3_000_000):
            assert os.pread(f.fileno(), 1000, offset) == data[offset:offset + 1000]


def test_writing(drive):
    z, folder = drive
    data = random.Random(2).randbytes(3_000_001)
    (z / "f").write_bytes(data)
    assert (folder / "f").read_bytes() == data == (z / "f").read_bytes()
    with open(z / "f", "ab") as f:
        f.write(b"more")
    with open(z / "f", "r+b") as f:
        os.pwrite(f.fileno(), b"changed", 1000)
    assert (folder / "f").read_bytes() == data[:1000] + b"changed" + data[1007:] + b"more"
    (z / "f").write_bytes(b"shorter")
    assert (folder / "f").read_bytes() == b"shorter"
    with open(z / "new", "xb"):
        pass
    assert error_name(error_of(lambda: open(z / "new", "xb"))) == "EEXIST"


def test_names(drive):
    z, folder = drive
    (z / "d").mkdir()
    (z / "d" / "f").write_text("f")
    assert error_name(error_of(lambda: os.mkdir(z / "d"))) == "EEXIST"
    os.rename(z / "d" / "f", z / "d" / "g")
    assert os.listdir(folder / "d") == ["g"] == os.listdir(z / "d")
    os.unlink(z / "d" / "g")
    assert os.listdir(folder / "d") == []
    os.rmdir(z / "d")
    assert os.listdir(folder) == [] == os.listdir(z)


def test_programs(drive, wnet):
    z, folder = drive
    source = wnet.home / "many"
    source.mkdir()
    for number in range(50):
        (source / f"file {number}").write_bytes(b"%d" % number * 1000)
    assert wnet.program("cp", "-r", source, z).code == 0
    assert tree(folder / "many") == tree(source) == tree(z / "many")
    assert wnet.program("diff", "-r", source, z / "many").code == 0
    assert wnet.program("rm", "-r", z / "many").code == 0
    assert os.listdir(folder) == []
    # it does not tell how large it is
    assert error_name(error_of(lambda: os.statvfs(z))) == "EIO"


def test_what_is_open(drive, wnet):
    z, folder = drive
    (z / "f").write_bytes(b"content")
    with opened(z / "f", "rb") as f:
        wnet.fails(2401, "cancel", "Z:")
        assert f.read() == b"content"
    wnet.ok("cancel", "Z:")
    assert wnet.list() == [] and mounts_below(wnet.drives) == []
    assert (folder / "f").read_bytes() == b"content"


def test_deleting_and_renaming_what_is_open(drive):
    z, folder = drive
    (z / "f").write_bytes(b"content")
    (z / "g").write_bytes(b"other")
    with opened(z / "f", "rb") as f, opened(z / "g", "rb") as g:
        os.unlink(z / "f")
        os.rename(z / "g", z / "h")
        assert f.read() == b"content" and g.read() == b"other"
        assert os.listdir(z) == ["h"]
    assert (folder / "h").read_bytes() == b"other"


def test_a_forced_end(drive, wnet):
    z, _folder = drive
    with opened(z / "f", "x+b") as f:
        f.write(b"content")
        wnet.ok("cancel", "Z:", "--force")
    assert wnet.list() == [] and mounts_below(wnet.drives) == []


def test_a_wrong_password(impacket, wnet):
    wnet.add_fails(1326, "Z:", impacket[1], password="wrong")
    wnet.add("Z:", impacket[1])


@pytest.mark.parametrize("impacket", [()], indirect=True)
def test_a_server_that_takes_everybody_for_a_guest(impacket, wnet):
    wnet.add_fails(1326, "Z:", impacket[1])
    wnet.fails(1326, "add", "Z:", impacket[1])
    assert wnet.list() == []
