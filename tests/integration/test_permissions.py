# SPDX-License-Identifier: GPL-3.0-or-later
"""What a mode forbids on a drive: the same as on a local disk, which does each thing beside it."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from harness import error_name, error_of

# what is done in a folder of that mode
IN_FOLDER = {
    "list it": os.listdir,
    "look at a file": lambda d: os.stat(d / "f"),
    "look for a file": lambda d: os.stat(d / "none"),
    "read a file": lambda d: (d / "f").read_bytes(),
    "write a file": lambda d: (d / "f").write_bytes(b"y"),
    "read a file deeper down": lambda d: (d / "sub" / "g").read_bytes(),
    "make a file": lambda d: (d / "new").touch(exist_ok=False),
    "make a folder": lambda d: (d / "newdir").mkdir(),
    "make a file as mknod does": lambda d: os.mknod(d / "node"),
    "delete a file": lambda d: (d / "old").unlink(),
    "delete a folder": lambda d: (d / "olddir").rmdir(),
    "rename inside": lambda d: os.rename(d / "a", d / "b"),
    "rename out of it": lambda d: os.rename(d / "out", d.parent / "outside"),
    "rename into it": lambda d: os.rename(d.parent / "in", d / "inside"),
    "go there": lambda d: (os.chdir(d), os.chdir("/")),
    **{f"access {mask}": (lambda d, mask=mask: os.access(d, mask)) for mask in range(8)},
    **{f"access a file {mask}": (lambda d, mask=mask: os.access(d / "f", mask)) for mask in range(8)},
}

# what is done with a file of that mode
WITH_FILE = {
    "run": lambda f: subprocess.run([f], check=True),
    "read": lambda f: f.read_bytes(),
    "write": lambda f: os.close(os.open(f, os.O_WRONLY)),
    "both": lambda f: os.close(os.open(f, os.O_RDWR)),
    "empty for reading": lambda f: os.close(os.open(f, os.O_RDONLY | os.O_TRUNC)),
    "empty": lambda f: os.close(os.open(f, os.O_WRONLY | os.O_TRUNC)),
    "cut": lambda f: os.truncate(f, 3),
    "set its time": lambda f: os.utime(f, (1, 1)),
    "set its time to now": os.utime,
    **{f"access {mask}": (lambda f, mask=mask: os.access(f, mask)) for mask in range(8)},
}


def make_folder(d):
    d.mkdir()
    (d / "sub").mkdir()
    (d / "olddir").mkdir()
    for name in ("f", "old", "a", "out", "sub/g", "../in"):
        (d / name).write_text("x")


def outcome(work, path):
    found = []
    error = error_of(lambda: found.append(work(path)))
    return error_name(error), [value for value in found if isinstance(value, (bool, bytes))]


def both(kinds, name, here, there):
    """What each thing comes to on the drive and on the local disk."""
    return {what: (outcome(work, here / name), outcome(work, there / name)) for what, work in kinds.items()}


@pytest.fixture
def sides(z, root):
    local = Path(root) / "local"
    local.mkdir()
    return z, local


@pytest.mark.parametrize("mode", range(8))
def test_a_folder(sides, mode):
    for side in sides:
        make_folder(side / "d")
        (side / "d").chmod(mode << 6)
    time.sleep(1.1)  # names that the kernel was told of are known for a second
    results = both(IN_FOLDER, "d", *sides)
    for side in sides:
        assert (side / "d").stat().st_mode & 0o777 == mode << 6
        (side / "d").chmod(0o700)
    assert {what: here for what, (here, _) in results.items()} == {what: there for what, (_, there) in results.items()}
    assert sorted(os.listdir(sides[0] / "d")) == sorted(os.listdir(sides[1] / "d"))


@pytest.mark.parametrize("mode", range(8))
def test_a_file(sides, mode):
    for side in sides:
        (side / "f").write_text("#!/bin/true\n")
        (side / "f").chmod(mode << 6)
    results = both(WITH_FILE, "f", *sides)
    assert {what: here for what, (here, _) in results.items()} == {what: there for what, (_, there) in results.items()}


def test_a_file_that_was_made_read_only_elsewhere(z, wnet, server):
    """What the kernel was told a while ago does not count."""
    wnet.add("Y:", server.url())
    there = wnet.folder("Y:") / "f"
    there.write_text("x")
    assert os.access(z / "f", os.W_OK)
    there.chmod(0o444)
    time.sleep(1.1)
    assert not os.access(z / "f", os.W_OK) and os.access(z / "f", os.R_OK)
    assert error_name(error_of(lambda: open(z / "f", "r+b"))) == "EACCES"
    there.chmod(0o644)
    with open(z / "f", "r+b"):  # at once: the server decides
        pass
    time.sleep(1.1)
    assert os.access(z / "f", os.W_OK)
