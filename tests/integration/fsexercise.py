#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the same random operations on a drive and on a local directory, and compares every result.

    fsexercise.py DRIVE MODEL [--seed N] [--ops N] [--name NAME] [--lossy] [--shared FOLDER]

Both folders are empty at the beginning and hold the same at the end. What is compared: each read, size, errno, listing, type,
number of links, the owner's write bit, and times that were set. A failure prints the seed, the number of the operation and
the last ones before it: the same seed does the same again. Exit status: 0 the same, 1 a difference.

--lossy: workers are killed meanwhile. An operation may then fail with EIO or the like, and what it was to change is unknown;
everything else must still be right. After such a failure all files are closed, the rest is compared, and the model takes over
what the drive has.
"""

import argparse
import collections
import errno
import mmap
import os
import random
import shutil
import stat
import sys
import time
from pathlib import Path

LOSSES = {errno.EIO, errno.EHOSTDOWN, errno.ESTALE, errno.EHOSTUNREACH}
SAME_ERRORS = [{errno.ENOTEMPTY, errno.EEXIST}]  # POSIX allows either for a directory that is not empty
FILES = [f"f{i}" for i in range(7)]
DIRS = ["d0", "d1", "d2", "d0/e0", "d0/e1", "d1/e0"]
OPEN_MAX, MAPS_MAX = 12, 3
LONG_AGO, LAST_SET = 946684800, 1262304000  # times that are set lie between 2000 and 2010: nothing else is so old
RECOVERY = 60  # seconds until a drive whose worker was killed has to answer


class Difference(Exception):
    pass


class Loss(Exception):
    """The drive could not; paths: what may have been changed by halves."""

    def __init__(self, paths):
        super().__init__(paths)
        self.paths = paths


class Open:
    """A file that is open on both sides."""

    def __init__(self, path, drive, model, flags):
        self.path, self.fds, self.flags = path, (drive, model), flags

    def close(self):
        for fd in self.fds:
            os.close(fd)


def outcome(call):
    try:
        return call()
    except OSError as e:
        return OSError(e.errno, os.strerror(e.errno))


def shown(value):
    if isinstance(value, OSError):
        return errno.errorcode.get(value.errno, str(value.errno))
    if isinstance(value, bytes) and len(value) > 40:
        return f"{len(value)} bytes {value[:16].hex()}…"
    return repr(value)


def same(a, b):
    if isinstance(a, OSError) and isinstance(b, OSError):
        return a.errno == b.errno or any({a.errno, b.errno} <= group for group in SAME_ERRORS)
    return type(a) is type(b) and a == b


def first_difference(a, b):
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return f"{len(a)} and {len(b)} bytes, different from {at} on: {a[at:at + 8].hex()} instead of {b[at:at + 8].hex()}"


class Exercise:
    def __init__(self, drive, model, seed, lossy=False, shared=None, name="p"):
        self.roots = (drive, model)
        self.random = random.Random(seed)
        self.seed, self.lossy, self.shared, self.name = seed, lossy, shared, name
        self.open, self.maps = [], []
        self.mine = set()  # names in the shared folder
        self.log = collections.deque(maxlen=60)
        self.n = 0
        self.lost = 0
        self.counts = collections.Counter()

    # both sides

    def both(self, what, call, paths=(), convert=None, partial=()):
        """call(side) on both sides, side 0 is the drive. Returns the result, which is the same. partial: what it may also
        answer on the drive when something fails in its middle."""
        drive = outcome(lambda: call(0))
        if self.lossy and (isinstance(drive, OSError) and drive.errno in LOSSES or drive in partial):
            self.log.append(f"{self.n}: {what} → lost: {shown(drive)}")
            raise Loss(paths)
        model = outcome(lambda: call(1))
        self.log.append(f"{self.n}: {what} → {shown(convert(model) if convert and not isinstance(model, OSError) else model)}")
        if convert and not isinstance(drive, OSError) and not isinstance(model, OSError):
            kept, drive, model = (drive, model), convert(drive), convert(model)
        else:
            kept = model
        if not same(drive, model):
            if isinstance(drive, bytes) and isinstance(model, bytes):
                raise Difference(f"{what}: {first_difference(drive, model)}")
            raise Difference(f"{what}: {shown(drive)} instead of {shown(model)}")
        return kept

    def path(self, side, name):
        return f"{self.roots[side]}/{name}"

    # choices

    def some_dir(self):
        return self.random.choice(["", "", *DIRS])

    def some_file(self):
        return os.path.join(self.some_dir(), self.random.choice(FILES))

    def some_name(self):
        return self.random.choice(DIRS) if self.random.random() < 0.25 else self.some_file()

    def some_open(self):
        return self.random.choice(self.open) if self.open else None

    def some_offset(self):
        return self.random.choice([0, self.random.randrange(5000), self.random.randrange(200_000), self.random.randrange(1, 60) * 4096])

    def some_length(self):
        return self.random.choice([1, self.random.randrange(100), self.random.randrange(20_000), 4096, 65536,
                                   self.random.randrange(300_000)])

    def some_data(self):
        length = self.some_length()
        return (self.random.randbytes(251) * (length // 251 + 1))[:length]

    # operations on descriptors

    def do_open(self):
        if len(self.open) >= OPEN_MAX:
            self.do_close()
        name = self.some_file()
        flags = self.random.choice([os.O_RDONLY, os.O_RDWR, os.O_RDWR, os.O_WRONLY])
        for flag, chance in ((os.O_CREAT, 0.7), (os.O_EXCL, 0.1), (os.O_TRUNC, 0.1), (os.O_APPEND, 0.25)):
            if self.random.random() < chance and not (flag == os.O_EXCL and not flags & os.O_CREAT):
                flags |= flag
        if flags & os.O_TRUNC and flags & os.O_ACCMODE == os.O_RDONLY:
            flags &= ~os.O_TRUNC
        mode = self.random.choice([0o644, 0o644, 0o755, 0o444])
        result = self.both(f"open {name} {flags:#o} mode {mode:o}", lambda side: os.open(self.path(side, name), flags, mode),
                           {name}, lambda fd: "open")
        if isinstance(result, OSError):
            return
        opened = Open(name, *result, flags)
        if stat.S_ISDIR(os.fstat(result[1]).st_mode):  # a directory may have been renamed so
            opened.close()
        else:
            self.open.append(opened)

    def do_close(self):
        f = self.some_open()
        if f:
            self.open.remove(f)
            self.both(f"close {f.path}", lambda side: os.close(f.fds[side]), {f.path})

    def do_read(self):
        f, length = self.some_open(), self.some_length()
        if f:
            self.both(f"read {f.path} {length}", lambda side: os.read(f.fds[side], length))

    def do_pread(self):
        f, length, offset = self.some_open(), self.some_length(), self.some_offset()
        if f:
            self.both(f"pread {f.path} {length} at {offset}", lambda side: os.pread(f.fds[side], length, offset))

    def do_write(self):
        f, data = self.some_open(), self.some_data()
        if f:
            self.both(f"write {f.path} {len(data)}{' append' if f.flags & os.O_APPEND else ''}",
                      lambda side: os.write(f.fds[side], data), {f.path}, partial=range(len(data)))

    def do_pwrite(self):
        f, data, offset = self.some_open(), self.some_data(), self.some_offset()
        if f:
            self.both(f"pwrite {f.path} {len(data)} at {offset}", lambda side: os.pwrite(f.fds[side], data, offset), {f.path},
                      partial=range(len(data)))

    def do_seek(self):
        f, offset = self.some_open(), self.some_offset()
        whence = self.random.choice([os.SEEK_SET, os.SEEK_CUR, os.SEEK_END])
        if f:
            self.both(f"seek {f.path} {offset} {whence}", lambda side: os.lseek(f.fds[side], offset, whence))

    def do_ftruncate(self):
        f, size = self.some_open(), self.some_offset()
        if f:
            self.both(f"ftruncate {f.path} {size}", lambda side: os.ftruncate(f.fds[side], size), {f.path})

    def do_fsync(self):
        f = self.some_open()
        if f:
            self.both(f"fsync {f.path}", lambda side: os.fsync(f.fds[side]), {f.path})

    def do_fstat(self):
        f = self.some_open()
        if f:
            self.compare_stat(f"fstat {f.path}", lambda side: os.fstat(f.fds[side]))

    def do_whole(self):
        """Everything that a descriptor can read."""
        f = self.some_open()
        if f and f.flags & os.O_ACCMODE != os.O_WRONLY:
            size = os.fstat(f.fds[1]).st_size
            self.both(f"pread {f.path} whole", lambda side: os.pread(f.fds[side], size + 1, 0))

    # maps

    def do_map(self):
        f = self.some_open()
        if self.lossy or not f or f.flags & os.O_ACCMODE != os.O_RDWR or len(self.maps) >= MAPS_MAX:
            return
        size = os.fstat(f.fds[1]).st_size
        if size == 0:
            return
        self.log.append(f"{self.n}: map {f.path} {size}")
        fds = tuple(os.dup(fd) for fd in f.fds)
        self.maps.append((f.path, fds, tuple(mmap.mmap(fd, size) for fd in fds)))

    def piece(self, fds, view):
        """A piece of a map that lies within the file on both sides: behind its end is SIGBUS."""
        size = min(len(view), *(os.fstat(fd).st_size for fd in fds))
        if size == 0:
            return 0, 0
        begin = self.random.randrange(size)
        return begin, min(size, begin + self.random.choice([1, 100, 4096, 50_000]))

    def do_map_read(self):
        if self.maps:
            name, fds, views = self.random.choice(self.maps)
            begin, end = self.piece(fds, views[0])
            self.both(f"map of {name} read {begin}-{end}", lambda side: views[side][begin:end])

    def do_map_write(self):
        if self.maps:
            name, fds, views = self.random.choice(self.maps)
            begin, end = self.piece(fds, views[0])
            data = self.random.randbytes(end - begin)
            for view in views:
                view[begin:end] = data
            self.log.append(f"{self.n}: map of {name} write {begin}-{end}")
            if self.random.random() < 0.5:
                self.both(f"msync {name}", lambda side: views[side].flush())

    def do_unmap(self):
        if self.maps:
            name, fds, views = self.maps.pop(self.random.randrange(len(self.maps)))
            self.log.append(f"{self.n}: unmap {name}")
            for fd, view in zip(fds, views):
                view.close()
                os.close(fd)

    def do_private_map(self):
        f = self.some_open()
        if self.lossy or not f or f.flags & os.O_ACCMODE == os.O_WRONLY or os.fstat(f.fds[1]).st_size == 0:
            return
        size = os.fstat(f.fds[1]).st_size
        at = self.random.randrange(size)

        def private(side):
            with mmap.mmap(f.fds[side], size, access=mmap.ACCESS_COPY) as view:
                view[at] = view[at] ^ 1
                return view[:]

        self.both(f"private map of {f.path}", private)

    # operations on names

    def do_stat(self):
        name = self.some_name()
        self.compare_stat(f"stat {name}", lambda side: os.stat(self.path(side, name)))

    def compare_stat(self, what, call):
        def visible(st):
            if stat.S_ISDIR(st.st_mode):
                return "directory"
            return f"file {st.st_size} links {st.st_nlink} {'rw' if st.st_mode & 0o200 else 'ro'}"

        result = self.both(what, call, convert=visible)
        if isinstance(result, OSError) or stat.S_ISDIR(result[1].st_mode):
            return
        drive, model = (st.st_mtime_ns for st in result)
        if LONG_AGO <= model // 10**9 < LAST_SET and drive != model:
            raise Difference(f"{what}: modified {drive} instead of {model}")

    def do_list(self):
        name = self.some_dir()
        self.both(f"list {name or '.'}", lambda side: sorted(os.listdir(self.path(side, name))))

    def do_scan(self):
        name = self.some_dir()

        def scan(side):
            with os.scandir(self.path(side, name)) as entries:
                return sorted((e.name, e.is_dir()) for e in entries)

        self.both(f"scan {name or '.'}", scan)

    def do_read_file(self):
        name = self.some_file()

        def read(side):
            with open(self.path(side, name), "rb", buffering=0) as f:
                return f.read()

        self.both(f"read all of {name}", read)

    def do_unlink(self):
        name = self.some_name() if self.random.random() < 0.1 else self.some_file()
        self.both(f"unlink {name}", lambda side: os.unlink(self.path(side, name)), {name})

    def do_unlink_open(self):
        f = self.some_open()
        if f:
            self.both(f"unlink open {f.path}", lambda side: os.unlink(self.path(side, f.path)), {f.path})

    def do_mkdir(self):
        name = self.random.choice(DIRS)
        self.both(f"mkdir {name}", lambda side: os.mkdir(self.path(side, name)), {name})

    def do_rmdir(self):
        name = self.some_name()
        self.both(f"rmdir {name}", lambda side: os.rmdir(self.path(side, name)), {name})

    def do_rename(self):
        kind = self.random.random()
        if kind < 0.6:
            old, new = self.some_file(), self.some_file()
        elif kind < 0.8:
            old, new = self.random.choice(DIRS), self.random.choice(DIRS)
        else:
            old, new = self.some_name(), self.some_name()
        self.rename(old, new)

    def do_rename_open(self):
        f = self.some_open()
        if f:
            self.rename(f.path, self.some_file())

    def do_save(self):
        """As editors do it: a new file takes the place of the old one."""
        name, data = self.some_file(), self.some_data()
        new = os.path.join(os.path.dirname(name), "f.new")

        def save(side):
            with open(self.path(side, new), "wb", buffering=0) as f:
                f.write(data)
            os.rename(self.path(side, new), self.path(side, name))

        self.both(f"save {name} {len(data)}", save, {name, new})

    def rename(self, old, new):
        result = self.both(f"rename {old} to {new}", lambda side: os.rename(self.path(side, old), self.path(side, new)), {old, new})
        if result is None:
            for f in self.open:
                if f.path == old or f.path.startswith(old + "/"):
                    f.path = new + f.path[len(old):]

    def do_truncate(self):
        name, size = self.some_file(), self.some_offset()
        self.both(f"truncate {name} {size}", lambda side: os.truncate(self.path(side, name), size), {name})

    def do_chmod(self):
        name, mode = self.some_file(), self.random.choice([0o644, 0o644, 0o755, 0o444])
        if os.path.isdir(self.path(1, name)):
            return
        self.both(f"chmod {name} {mode:o}", lambda side: os.chmod(self.path(side, name), mode), {name})

    def do_access(self):
        name, mode = self.some_name(), self.random.choice([os.F_OK, os.R_OK, os.W_OK])
        if not os.path.isdir(self.path(1, name)):
            self.both(f"access {name} {mode}", lambda side: os.access(self.path(side, name), mode))

    def do_utime(self):
        if self.maps:  # when the time of a map's store becomes the file's is up to the system
            return
        name = self.some_file()
        # libsmbclient carries microseconds
        times = tuple(self.random.randrange(LONG_AGO, LAST_SET) * 10**9 + self.random.randrange(10**6) * 1000 for _ in range(2))
        self.both(f"utime {name} {times[1]}", lambda side: os.utime(self.path(side, name), ns=times), {name})

    # a folder that several processes work in

    def do_shared(self):
        if not self.shared or self.lossy:
            return
        name = f"{self.name}-{self.random.randrange(10)}"
        path = f"{self.shared}/{name}"
        if name not in self.mine:
            with open(path, "x"):
                self.mine.add(name)
        elif self.random.random() < 0.5:
            os.unlink(path)
            self.mine.remove(name)
        else:
            other = f"{self.name}-{self.random.randrange(10)}"
            os.rename(path, f"{self.shared}/{other}")
            self.mine = self.mine - {name} | {other}
        listed = os.listdir(self.shared)
        if len(set(listed)) != len(listed):
            raise Difference(f"the shared folder lists names twice: {sorted(listed)}")
        if {n for n in listed if n.startswith(self.name + "-")} != self.mine:
            raise Difference(f"the shared folder lists {sorted(listed)} instead of {sorted(self.mine)}")

    # the whole

    WEIGHTS = {
        "open": 14, "close": 6, "read": 6, "pread": 8, "write": 8, "pwrite": 8, "seek": 3, "ftruncate": 3, "fsync": 1, "fstat": 4,
        "whole": 3, "map": 2, "map_read": 3, "map_write": 3, "unmap": 2, "private_map": 1, "stat": 6, "list": 3, "scan": 1,
        "read_file": 5, "unlink": 4, "unlink_open": 2, "mkdir": 3, "rmdir": 2, "rename": 6, "rename_open": 3, "save": 2,
        "truncate": 2, "chmod": 2, "access": 1, "utime": 2, "shared": 2,
    }

    def close_all(self):
        while self.maps:
            self.do_unmap()
        for f in self.open:
            for fd in f.fds:
                result = outcome(lambda: os.close(fd))  # noqa: B023
                if isinstance(result, OSError) and not self.lossy:
                    raise Difference(f"close {f.path}: {result}")
        self.open.clear()

    def recover(self, paths):
        """After a failure that is allowed: what the failed call had nothing to do with is right; go on from what is there."""
        self.lost += 1
        self.close_all()
        deadline = time.monotonic() + RECOVERY
        while True:
            drive = outcome(lambda: contents(self.roots[0]))
            if not isinstance(drive, OSError):
                break
            if time.monotonic() > deadline:
                raise Difference(f"the drive does not recover: {drive}")
            time.sleep(0.05)
        model = contents(self.roots[1])

        def beyond(tree):
            return {name: data for name, data in tree.items()
                    if not any(name == p or name.startswith(p + "/") or p.startswith(name + "/") for p in paths)}

        compare_contents(beyond(drive), beyond(model), "after a loss")
        shutil.rmtree(self.roots[1])
        os.mkdir(self.roots[1])
        for name, data in sorted(drive.items()):
            target = Path(self.roots[1], name)
            if data is None:
                target.mkdir()
            else:
                target.write_bytes(data)
                if not os.stat(self.path(0, name)).st_mode & 0o200:
                    target.chmod(0o444)

    def run(self, ops):
        names, weights = list(self.WEIGHTS), list(self.WEIGHTS.values())
        try:
            for self.n in range(ops):
                name = self.random.choices(names, weights)[0]
                self.counts[name] += 1
                try:
                    getattr(self, "do_" + name)()
                except Loss as loss:
                    self.recover(loss.paths)
            self.close_all()
            compare_contents(contents(self.roots[0]), contents(self.roots[1]), "at the end")
        except Exception as e:
            print(*self.log, sep="\n")
            print(f"{self.name}: seed {self.seed}, operation {self.n}: {type(e).__name__}: {e}", flush=True)
            if not isinstance(e, (Difference, OSError)):
                raise
            return False
        print(f"{self.name}: {ops} operations, seed {self.seed}" + (f", {self.lost} failed" if self.lossy else ""), flush=True)
        return True


def contents(root, without=()):
    """{name: bytes, or None of a directory} of everything below a folder, without these names in the folder itself."""
    found = {}
    todo = [""]
    while todo:
        folder = todo.pop()
        with os.scandir(os.path.join(root, folder)) as entries:
            for entry in entries:
                name = os.path.join(folder, entry.name)
                if name in without:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    found[name] = None
                    todo.append(name)
                else:
                    found[name] = Path(entry.path).read_bytes()
    return found


def compare_contents(one, other, when):
    if set(one) != set(other):
        raise Difference(f"{when}: too many: {sorted(set(one) - set(other))}, missing: {sorted(set(other) - set(one))}")
    for name, data in one.items():
        if (data is None) != (other[name] is None):
            raise Difference(f"{when}: {name} is of another type")
        if data != other[name]:
            raise Difference(f"{when}: {name}: {first_difference(data, other[name])}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("drive")
    parser.add_argument("model")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ops", type=int, default=3000)
    parser.add_argument("--name", default="p")
    parser.add_argument("--shared")
    parser.add_argument("--lossy", action="store_true")
    args = parser.parse_args()
    os.umask(0o022)
    exercise = Exercise(args.drive, args.model, args.seed, args.lossy, args.shared, args.name)
    sys.exit(0 if exercise.run(args.ops) else 1)


if __name__ == "__main__":
    main()
