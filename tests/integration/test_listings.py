# SPDX-License-Identifier: GPL-3.0-or-later
"""Large directories, directories that change while they are read, deep trees."""

import contextlib
import ctypes
import os
import stat
import threading
import time

from harness import LONG, error_name, error_of

libc = ctypes.CDLL(None, use_errno=True)
libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
libc.telldir.restype = ctypes.c_long
libc.telldir.argtypes = libc.rewinddir.argtypes = libc.closedir.argtypes = libc.readdir.argtypes = [ctypes.c_void_p]
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
NAME_OFFSET = 19  # of d_name in struct dirent


class Dir:
    """A directory as C programs read it."""

    def __init__(self, path):
        self.dir = libc.opendir(os.fsencode(path))
        assert self.dir

    def next(self):
        entry = libc.readdir(self.dir)
        return ctypes.string_at(entry + NAME_OFFSET).decode() if entry else None

    def rest(self):
        return list(iter(self.next, None))

    def tell(self):
        return libc.telldir(self.dir)

    def seek(self, offset):
        libc.seekdir(self.dir, offset)

    def rewind(self):
        libc.rewinddir(self.dir)

    def close(self):
        libc.closedir(self.dir)


def make(folder, names):
    folder.mkdir()
    fd = os.open(folder, os.O_RDONLY)
    for name in names:
        os.mknod(name, stat.S_IFREG | 0o644, dir_fd=fd)
    os.close(fd)


def test_a_hundred_thousand_entries_while_others_change_them(z, server):
    """What stays is listed once, whatever comes and goes meanwhile, here and on the server; nothing is listed twice."""
    stay = {f"stays {n}" for n in range(100_000)}
    make(server.data / "big", [*stay, *(f"goes {n}" for n in range(500))])
    stop, wrong = threading.Event(), []

    def change(folder, kind):
        try:
            for n in range(10**9):
                if stop.is_set():
                    return
                (folder / f"{kind} {n}").touch()
                if n < 250:
                    os.unlink(folder / f"goes {n if kind == 'here' else 499 - n}")
                if n % 3 == 0:
                    os.unlink(folder / f"{kind} {n}")
        except OSError as e:
            wrong.append(e)

    threads = [threading.Thread(target=change, args=(z / "big", "here")), threading.Thread(target=change, args=(server.data / "big", "there"))]
    for thread in threads:
        thread.start()
    try:
        with os.scandir(z / "big") as entries:
            listed = [(entry.name, entry.is_file()) for entry in entries]
        assert len(listed) == len(set(listed)) and all(is_file for _name, is_file in listed)
        assert stay <= {name for name, _is_file in listed} and len(dict(listed)) == len(listed)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not wrong, wrong


def test_what_is_listed_stays_what_it_is(z, server, wnet):
    """Programs know by its number whether what they open is what they have looked at: of a directory that is so large that the server is not
    asked for all numbers, too."""
    count = 1_300
    make(server.data / "d", map(str, range(count)))
    (server.data / "d" / "deep").mkdir()
    for n in range(count):
        (server.data / "d" / "deep" / f"{n}").mkdir()
        (server.data / "d" / "deep" / f"{n}" / "f").write_bytes(b"%d" % n)
    with os.scandir(z / "d") as entries:
        listed = {entry.name: entry.stat().st_ino for entry in entries}
    assert len(set(listed.values())) == len(listed) == count + 1
    for name in list(listed)[::100]:
        fd = os.open(z / "d" / name, os.O_RDONLY)
        assert os.fstat(fd).st_ino == listed[name]
        os.close(fd)
    time.sleep(1.1)
    assert {name: os.stat(z / "d" / name).st_ino for name in listed} == listed
    for command in (["cp", "-r", z / "d", wnet.home / "copy"], ["diff", "-r", z / "d", wnet.home / "copy"], ["rm", "-r", z / "d"]):
        result = wnet.program(*command, timeout=LONG * 4)
        assert result.code == 0 and result.err == "", repr(result)
    assert not (server.data / "d").exists()


def test_telldir_and_seekdir(z, server):
    make(server.data / "d", [f"f{n}" for n in range(3000)])
    with contextlib.closing(Dir(z / "d")) as d:
        names, places = [], []
        while True:
            places.append(d.tell())
            name = d.next()
            if name is None:
                break
            names.append(name)
        assert sorted(names) == sorted([".", "..", *(f"f{n}" for n in range(3000))])
        for at in (1500, 0, 2999, 1, 3001, 700):
            d.seek(places[at])
            assert d.next() == names[at]
        # changes behind and before a place leave its rest what it was
        d.seek(places[1000])
        for n in range(0, 3000, 7):
            os.unlink(z / "d" / f"f{n}")
        (z / "d" / "new").touch()
        os.unlink(server.data / "d" / "f1")
        rest = d.rest()
        gone = {f"f{n}" for n in range(0, 3000, 7)} | {"f1"}
        assert [name for name in rest if name not in gone and name != "new"] == [name for name in names[1000:] if name not in gone]
        assert len(rest) == len(set(rest))
        d.seek(places[2000])
        assert d.next() == names[2000] or names[2000] in gone


def test_rewinddir_sees_what_is_new(z, server):
    (z / "d").mkdir()
    with contextlib.closing(Dir(z / "d")) as d:
        assert sorted(d.rest()) == [".", ".."]
        for n, folder in enumerate((z, server.data, z)):
            (folder / "d" / f"f{n}").touch()
            d.rewind()
            assert sorted(d.rest()) == [".", "..", *(f"f{m}" for m in range(n + 1))]
        os.unlink(server.data / "d" / "f1")
        d.rewind()
        assert sorted(d.rest()) == [".", "..", "f0", "f2"]


def test_deep_trees_and_long_paths(z):
    """As deep as the paths of the server go, and of the protocol between wnetd and its workers; beyond, an errno at once."""
    name = "x" * 100
    fds = [os.open(z, os.O_RDONLY)]
    try:
        while len(fds) < 60 and not (error := error_of(lambda: os.mkdir(name, dir_fd=fds[-1]))):
            fds.append(os.open(name, os.O_RDONLY, dir_fd=fds[-1]))
        assert error_name(error) == "ENAMETOOLONG" and len(fds) > 35
        fd = os.open("f", os.O_CREAT | os.O_RDWR, dir_fd=fds[35])
        os.write(fd, b"deep")
        os.rename("f", "g", src_dir_fd=fds[35], dst_dir_fd=fds[35])
        assert os.pread(fd, 10, 0) == b"deep" and sorted(os.listdir(fds[35])) == ["g", name]
        os.close(fd)
    finally:
        for fd in fds:
            os.close(fd)
    assert error_name(error_of(lambda: os.mkdir(z / ("n" * 256)))) == "ENAMETOOLONG"
