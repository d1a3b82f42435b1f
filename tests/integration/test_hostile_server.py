# SPDX-License-Identifier: GPL-3.0-or-later
"""Ordinary programs on a drive whose worker sends absurd names, sizes, listings, times, lengths and errors, late, twice or never:
no crash, no hang, no escape from the mount. hostile-worker.c stands in for wnet-smb; --seed=N repeats what it chose."""

import os
import random
import shutil
import sys

import pytest
from harness import BUILD, LONG, alive

KINDS = ["sizes", "ids", "times", "kinds", "names", "records", "errors", "lengths", "late", "twice", "stray", "counter", "death"]
BOUND = 15  # seconds that a program may go on; busy with what it was sent, not stuck

USE = r"""
import contextlib, mmap, os, random, sys
top, seed = sys.argv[1], int(sys.argv[2])
chance = random.Random(seed)
names = ["f0", "f1", "f2", "d0", "d0/f1", "d0/d6", "d0/d6/f3", "new", "fnew", "dnew", "d0/dnew"]
some = lambda: os.path.join(top, chance.choice(names))
def mapped():
    with open(some(), "r+b") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY) as view:
        len(view)
def held():
    with open(some(), "a+b", buffering=0) as f, open(some(), "rb", buffering=0) as g:
        f.write(b"y" * chance.choice([1, 5000, 300000]))
        chance.choice([os.unlink, lambda path: os.rename(path, some())])(f.name)
        f.seek(chance.choice([0, 2**40, 2**62]))
        f.read(100000)
        os.ftruncate(f.fileno(), chance.choice([0, 10, 2**40]))
        os.copy_file_range(g.fileno(), f.fileno(), 5000)
        os.fstat(f.fileno()), os.fstat(g.fileno())
calls = [lambda: os.stat(some()), lambda: os.listdir(some()), lambda: [e.stat() for e in os.scandir(some())], mapped, held, held,
         lambda: os.rename(some(), some()), lambda: os.unlink(some()), lambda: os.mkdir(some()), lambda: os.rmdir(some()),
         lambda: os.utime(some(), (1, 1)), lambda: os.chmod(some(), 0o444), lambda: os.truncate(some(), 3), lambda: os.statvfs(top),
         lambda: open(some(), "rb").read(1 << 20)]
for _ in range(int(sys.argv[3])):
    with contextlib.suppress(OSError, ValueError, MemoryError, OverflowError):
        chance.choice(calls)()
"""


@pytest.fixture
def seed(request):
    given = request.config.getoption("--seed")
    chosen = random.randrange(10**6) if given is None else given
    print(f"seed {chosen}")
    return chosen


@pytest.fixture
def hostile(wnet, seed):
    """hostile(kinds, rarity) connects Z: to such a server."""
    folder = wnet.root / "hostile"
    folder.mkdir()
    for program in ("wnet", "wnetd", "wnet-secret"):
        shutil.copy2(BUILD / program, folder / program)
    shutil.copy2(BUILD / "tests" / "integration" / "hostile-worker", folder / "wnet-smb")

    def connect(kinds, rarity, timeout=1):
        wnet.build = folder
        wnet.configure(operation_timeout=timeout, connect_timeout=10)
        wnet.env.update(WNET_HOSTILE=kinds, WNET_HOSTILE_RARITY=str(rarity), WNET_HOSTILE_SEED=str(seed),
                        WNET_HOSTILE_COUNT=str(wnet.root / "count"))
        wnet.expect_log("a worker sent|a listing that makes no sense|a file was replaced|worker .* was ended|cannot be|could not")
        wnet.add("Z:", "//server/share")
        return wnet.folder()

    return connect


def bounded(wnet, *argv, cwd=None):
    """A program ends by itself, or when it is told to: it is not stuck in the drive."""
    return wnet.program("timeout", "-k", "5", BOUND, *argv, cwd=cwd or wnet.home, timeout=2 * LONG,
                        env={**wnet.env, "GIT_CONFIG_NOSYSTEM": "1", "ASAN_OPTIONS": ""}, errors="surrogateescape")


def work(wnet, z, seed, calls):
    """What people and programs do on a drive."""
    outside = sorted(os.listdir(wnet.home))
    listed = bounded(wnet, "ls", "-lR", z)
    found = bounded(wnet, "find", z, "-maxdepth", "4", "-print0")
    bounded(wnet, "cat", z / "f1", z / "d0" / "f2")
    bounded(wnet, "cp", "-r", z / "d0", wnet.home / "copied")
    bounded(wnet, "cp", BUILD / "wnet", z / "fnew")
    bounded(wnet, "git", "-C", z / "d0", "status")
    bounded(wnet, "df", z)
    used = bounded(wnet, sys.executable, "-c", USE, z, seed, calls)
    assert used.code in (0, 124), repr(used)  # not killed by SIGBUS or the like
    bounded(wnet, "mv", z / "f1", z / "f2")
    bounded(wnet, "rm", "-r", z / "d0")
    bounded(wnet, "sh", "-c", "cd \"$0\" && echo text > f3 && cat f3 && sed -i s/x/y/ f4", z)
    for path in found.out.split("\0"):
        assert path == "" or path.startswith(f"{z}"), path
        assert ".." not in path.split("/") and "." not in path.split("/") and "passwd" not in path
    assert "passwd" not in listed.out
    shutil.rmtree(wnet.home / "copied", ignore_errors=True)
    assert sorted(os.listdir(wnet.home)) == outside


def ends_well(wnet, pid):
    assert wnet.daemon() == pid and alive(pid)
    assert wnet.entry()["device"] == "Z:"
    wnet.ok("cancel", "Z:", "--force")
    assert wnet.list() == []


@pytest.mark.parametrize("kind", KINDS)
def test_one_kind_of_misbehaviour(wnet, hostile, seed, kind, long):
    z = hostile(kind, 12 if kind in ("late", "twice", "stray", "counter", "death") else 3)
    pid = wnet.daemon()
    work(wnet, z, seed, 2000 if long else 60)
    ends_well(wnet, pid)


def test_all_of_it(wnet, hostile, seed, long):
    z = hostile("all", 40)
    pid = wnet.daemon()
    for n in range(20 if long else 1):
        work(wnet, z, seed + n, 2000 if long else 100)
    ends_well(wnet, pid)


def test_a_listing_without_end(wnet, hostile):
    """It ends with an error, and takes no more memory than is allowed to it."""
    z = hostile("endless", 1, timeout=60)
    pid = wnet.daemon()
    listed = wnet.program("ls", "-f", z, timeout=3 * LONG, errors="surrogateescape", env={**wnet.env, "ASAN_OPTIONS": ""})
    assert listed.code != 0 and "File too large" in listed.err, (listed.code, listed.err[-300:])
    assert wnet.program("cat", z / "f1").out == "x" * 5000
    ends_well(wnet, pid)


def test_an_unsupported_open_does_not_become_the_rule(wnet, hostile):
    """The kernel takes ENOSYS for "never ask again"."""
    z = hostile("errors", 2)
    for _ in range(60):
        bounded(wnet, "sh", "-c", "for i in 0 1 2 3 4 5 6 7; do cat \"$0/f$i\" > /dev/null; echo x > \"$0/f$i\"; ls \"$0/d$i\"; done", z)
    ends_well(wnet, wnet.daemon())
