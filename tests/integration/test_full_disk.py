# SPDX-License-Identifier: GPL-3.0-or-later
"""A server whose disk is full: the program that writes is told, nothing that was there is lost, and when there is room it goes on.

The disk is a file system of 8 MiB of the test's own; run-file starts this file with mounts of its own.
"""

import contextlib
import ctypes
import mmap
import os
import sqlite3

import pytest
from harness import error_name, error_of, opened, tree

MB = 1 << 20
SIZE = 8 * MB
libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def disk(root):
    path = root / "disk"
    path.mkdir()
    if libc.mount(b"none", os.fsencode(path), b"tmpfs", 0, f"size={SIZE},nr_inodes=200".encode()):
        raise OSError(ctypes.get_errno(), "cannot mount; tests/integration/run-file starts this test so that it can")
    yield path
    libc.umount2(os.fsencode(path), 2)  # MNT_DETACH


@pytest.fixture
def z(disk, wnet, make_server):
    server = make_server(more_shares={"disk": {"path": disk, "read only": "no"}})
    wnet.add("Z:", server.url("disk"))
    return wnet.folder()


def fill(disk, leave=0):
    """Leaves so many bytes free, by a file that is made on the server."""
    with open(disk / "filler", "ab", buffering=0) as f:
        with contextlib.suppress(OSError):
            while True:
                f.write(bytes(64 * 1024))
        if leave:
            f.truncate(f.tell() - leave)


def write_all(f, data, size):
    """Writes so many bytes at once, and has each of it synced: (bytes that were synced, errno's name)."""
    done = 0
    try:
        while done < len(data):
            n = f.write(data[done:done + size])
            os.fsync(f.fileno())
            done += n
    except OSError as e:
        return done, error_name(e.errno)
    return done, None


def test_what_was_synced_is_there(z, disk):
    data = os.urandom(12 * MB)
    with open(z / "f", "wb", buffering=0) as f:
        done, error = write_all(f, data, MB)
        assert error == "ENOSPC" and 4 * MB < done <= SIZE
        assert (disk / "f").read_bytes()[:done] == data[:done]
        f.seek(done)
        assert write_all(f, b"x" * MB, MB) == (0, "ENOSPC")  # and it is said again
        # room comes: the same descriptor goes on
        os.ftruncate(f.fileno(), done - 3 * MB)
        f.seek(0, os.SEEK_END)
        assert write_all(f, data[done - 3 * MB:done - MB], MB) == (2 * MB, None)
    assert (disk / "f").read_bytes() == data[:done - MB] == (z / "f").read_bytes()
    os.unlink(z / "f")
    (z / "f").write_bytes(data[:6 * MB])
    assert (disk / "f").read_bytes() == data[:6 * MB]


@pytest.mark.parametrize("size", (500, 4096, 200_000))
def test_writes_of_a_size(z, disk, size):
    fill(disk, leave=64 * 1024)
    with open(z / "f", "wb", buffering=0) as f:
        done, error = write_all(f, b"x" * MB, size)
    assert error == "ENOSPC"
    # of a write that fails, libsmbclient does not tell how much the server has taken
    assert done <= (disk / "f").stat().st_size == (z / "f").stat().st_size <= 64 * 1024


@pytest.mark.parametrize("size", (500, 4096, 200_000, MB))
def test_a_program_that_does_not_sync_is_told_at_close_at_the_latest(z, disk, size):
    fill(disk, leave=64 * 1024)
    fd = os.open(z / "f", os.O_CREAT | os.O_WRONLY)
    errors = []
    for _ in range(MB // size):
        errors.append(error_of(lambda: os.write(fd, b"x" * size)))
        if errors[-1]:
            break
    errors.append(error_of(lambda: os.close(fd)))
    assert {error_name(e) for e in errors if e} == {"ENOSPC"}
    assert (disk / "f").stat().st_size == (z / "f").stat().st_size


def test_no_room_for_a_map(z, disk):
    """What is written to a map is told by msync() at the latest."""
    with opened(z / "f", "x+b") as f:
        os.ftruncate(f.fileno(), 4 * MB)  # takes no room yet
        fill(disk, leave=MB)
        with mmap.mmap(f.fileno(), 0) as m:
            m[:] = b"m" * (4 * MB)
            assert error_name(error_of(m.flush)) == "ENOSPC"
    os.unlink(disk / "filler")
    with opened(z / "f", "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
        m[:] = b"n" * (4 * MB)
        m.flush()
    assert (disk / "f").read_bytes() == b"n" * (4 * MB)


def test_no_room_for_names(z, disk):
    made = 0
    with contextlib.suppress(OSError):
        while True:
            (disk / f"e{made}").touch()
            made += 1
    assert made < 200
    assert error_name(error_of(lambda: open(z / "f", "xb"))) == "ENOSPC"
    assert error_name(error_of(lambda: os.mkdir(z / "d"))) == "ENOSPC"
    # the hidden folder for what is deleted while open has no room either; that is said, and the file stays
    with opened(z / "e0", "r+b") as f:
        assert error_name(error_of(lambda: os.unlink(z / "e0"))) == "ENOSPC"
        f.write(b"still mine")
    assert (disk / "e0").read_bytes() == b"still mine"
    for number in range(1, 20):
        os.unlink(z / f"e{number}")
    (z / "f").write_text("f")
    os.mkdir(z / "d")
    assert sorted(set(os.listdir(z)) - {f"e{n}" for n in range(made)}) == ["d", "f"]


def test_copy_on_the_server(z, disk):
    (z / "a").write_bytes(b"a" * (5 * MB))
    with opened(z / "a", "rb") as a, opened(z / "b", "x+b") as b:
        done, error = 0, None
        while error is None and done < 5 * MB:
            try:
                done += os.copy_file_range(a.fileno(), b.fileno(), 5 * MB - done)
            except OSError as e:
                error = error_name(e.errno)
        assert error == "ENOSPC"
        assert (disk / "b").read_bytes()[:done] == b"a" * done
    assert (z / "a").read_bytes() == b"a" * (5 * MB)


def test_the_size_of_the_disk(z, disk, wnet):
    def shown():
        for value, expected in zip(space(z), space(disk)):
            assert value == expected
        return space(z)[1]

    def space(folder):
        s = os.statvfs(folder)
        return s.f_blocks * s.f_frsize, s.f_bavail * s.f_frsize, s.f_bfree * s.f_frsize

    assert space(z)[0] == SIZE
    before = shown()
    (z / "f").write_bytes(b"x" * (3 * MB))
    assert shown() == before - 3 * MB
    result = wnet.program("df", "--output=size,used,avail,pcent", "--block-size=1", z)
    assert result.code == 0 and result.out.splitlines()[1].split() == [str(SIZE), str(3 * MB), str(SIZE - 3 * MB), "38%"], repr(result)
    fill(disk)
    assert shown() == 0
    result = wnet.program("df", "--output=itotal,iused,iavail", z)  # SMB does not tell how many files there may be
    assert result.code == 0 and result.out.splitlines()[1].split() == ["0", "0", "0"], repr(result)


# programs


@pytest.fixture
def full(z, disk):
    """A drive with a file of 100,000 bytes, and room for less than that."""
    (z / "f").write_bytes(b"old " * 25_000)
    fill(disk, leave=40_960)
    return z


def fails_for_room(result):
    assert result.code != 0, repr(result)
    assert "no space left" in (result.out + result.err).lower(), repr(result)


def old_is_kept(z, disk):
    assert (z / "f").read_bytes() == b"old " * 25_000 == (disk / "f").read_bytes()


def test_cp(full, disk, wnet):
    fails_for_room(wnet.program("cp", "f", "copy", cwd=full))
    (wnet.home / "big").write_bytes(b"b" * 100_000)
    fails_for_room(wnet.program("cp", wnet.home / "big", full / "big"))
    old_is_kept(full, disk)
    os.unlink(disk / "filler")
    assert wnet.program("cp", "f", "copy", cwd=full).code == 0
    assert (disk / "copy").read_bytes() == b"old " * 25_000


def test_dd(full, disk, wnet):
    fails_for_room(wnet.program("dd", "if=/dev/zero", "of=new", "bs=10k", "count=20", "conv=fsync", cwd=full))
    old_is_kept(full, disk)


def test_tar(full, disk, wnet):
    many = wnet.home / "many"
    many.mkdir()
    for number in range(20):
        (many / f"{number}").write_bytes(b"%d" % number * 5000)
    assert wnet.program("tar", "-cf", wnet.home / "many.tar", "many", cwd=wnet.home).code == 0
    fails_for_room(wnet.program("tar", "-xf", wnet.home / "many.tar", cwd=full))
    fails_for_room(wnet.program("tar", "-cf", full / "many.tar", "many", cwd=wnet.home))
    old_is_kept(full, disk)
    os.unlink(disk / "filler")
    assert wnet.program("tar", "-xf", wnet.home / "many.tar", cwd=full).code == 0
    assert tree(disk / "many") == tree(many)


def test_sed_saves_by_rename(full, disk, wnet):
    result = wnet.program("sed", "-i", "s/old/new/g", "f", cwd=full)
    fails_for_room(result)
    old_is_kept(full, disk)
    os.unlink(disk / "filler")
    assert wnet.program("sed", "-i", "s/old/new/g", "f", cwd=full).code == 0
    assert (disk / "f").read_bytes() == b"new " * 25_000


def test_vim(full, disk, wnet):
    """It keeps the old text in its copy until the new one is written whole."""
    (wnet.home / "vimrc").write_text("set noswapfile writebackup backupcopy=no backupskip=\n")
    result = wnet.program("vim.tiny", "-u", wnet.home / "vimrc", "-N", "-e", "-s", "-c", "%s/old/longer and new/g", "-c", "w", "-c", "q!",
                          "f", cwd=full)
    assert result.code != 0, repr(result)
    kept = [p for p in disk.iterdir() if p.name != "filler" and p.read_bytes() in (b"old " * 25_000, b"old " * 25_000 + b"\n")]
    assert kept, os.listdir(disk)


@pytest.mark.parametrize("mode", ("delete", "truncate", "wal"))
def test_sqlite(z, disk, mode):
    with contextlib.closing(sqlite3.connect(z / "db", isolation_level=None)) as db:
        assert db.execute(f"PRAGMA journal_mode = {mode}").fetchone() == (mode,)
        db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, data BLOB)")
        fill(disk, leave=2 * MB)
        done = 0
        with pytest.raises(sqlite3.OperationalError, match="full|disk I/O error"):
            while done < 1000:
                db.execute("INSERT INTO t VALUES (?, ?)", (done, b"d" * 20_000))
                done += 1
        assert 0 < done < 1000
        assert db.execute("SELECT count(*) FROM t").fetchone() == (done,)
        os.unlink(disk / "filler")
        db.execute("INSERT INTO t VALUES (?, ?)", (done, b"d" * 20_000))
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with contextlib.closing(sqlite3.connect(disk / "db")) as db:
        assert db.execute("SELECT count(*), sum(n), sum(length(data)) FROM t").fetchone() == (
            done + 1, done * (done + 1) // 2, 20_000 * (done + 1))
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
