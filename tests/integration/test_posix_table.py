# SPDX-License-Identifier: GPL-3.0-or-later
"""What calls answer when something is not as it should be: on the drive the same as on a local directory.

Each case is done on both, beginning with the same few files and directories, and their errno is compared. DIFFERENT names
those that differ, and what the drive answers; the protocol through libsmbclient has no way.
"""

import ctypes
import errno
import os
import shutil
import stat

import pytest
from harness import error_name, error_of

libc = ctypes.CDLL(None, use_errno=True)
LONG_NAME = "n" * 256
LONG_PATH = "/".join(["p" * 250] * 20)
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
MAY_BE = {errno.ENOTEMPTY: errno.EEXIST}  # POSIX allows either


def make(top):
    """What every case begins with."""
    for name in ("f", "g", "ro"):
        (top / name).write_text(name)
    (top / "ro").chmod(0o444)
    (top / "empty").mkdir()
    (top / "full").mkdir()
    (top / "full" / "x").write_text("x")


def raw(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")


def opening(name, flags, mode=0o644):
    return lambda t: os.close(os.open(t / name, flags, mode))


def open_deleted(t):
    """A descriptor of a file that has been deleted."""
    fd = os.open(t / "f", os.O_RDWR)
    os.unlink(t / "f")
    return fd


def with_fd(name, flags, call):
    def case(t):
        fd = os.open(t / name, flags)
        try:
            call(t, fd)
        finally:
            os.close(fd)

    return case


def in_deleted_directory(call):
    def case(t):
        fd = os.open(t / "empty", os.O_RDONLY)
        os.rmdir(t / "empty")
        try:
            call(fd)
        finally:
            os.close(fd)

    return case


def renameat2(t, old, new, flags):
    raw(libc.renameat2(-100, os.fsencode(t / old), -100, os.fsencode(t / new), flags))


def utimensat(t, name, atime_nsec, mtime_nsec):
    times = (ctypes.c_long * 4)(1_000_000_000, atime_nsec, 1_000_000_000, mtime_nsec)
    raw(libc.utimensat(-100, os.fsencode(t / name), times, 0))


UTIME_NOW, UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2

CASES = {
    # open
    "open absent": opening("absent", os.O_RDONLY),
    "open absent in absent": opening("absent/x", os.O_RDONLY),
    "open below a file": opening("f/x", os.O_RDONLY),
    "open a file with /": lambda t: os.close(os.open(f"{t}/f/", os.O_RDONLY)),
    "open a directory": opening("empty", os.O_RDONLY),
    "open a directory to write": opening("empty", os.O_WRONLY),
    "open a directory to read and write": opening("empty", os.O_RDWR),
    "open a directory O_CREAT": opening("empty", os.O_RDONLY | os.O_CREAT),
    "open a directory O_TRUNC": opening("empty", os.O_WRONLY | os.O_TRUNC),
    "open a file O_DIRECTORY": opening("f", os.O_RDONLY | os.O_DIRECTORY),
    "open absent O_DIRECTORY": opening("absent", os.O_RDONLY | os.O_DIRECTORY),
    "open O_EXCL there": opening("f", os.O_RDWR | os.O_CREAT | os.O_EXCL),
    "open O_EXCL a directory": opening("empty", os.O_RDWR | os.O_CREAT | os.O_EXCL),
    "open O_EXCL new": opening("new", os.O_RDWR | os.O_CREAT | os.O_EXCL),
    "open O_CREAT in absent": opening("absent/x", os.O_RDWR | os.O_CREAT),
    "open O_CREAT below a file": opening("f/x", os.O_RDWR | os.O_CREAT),
    "open O_CREAT with /": lambda t: os.close(os.open(f"{t}/new/", os.O_RDWR | os.O_CREAT)),
    "open O_CREAT read-only, to write": opening("new", os.O_RDWR | os.O_CREAT, 0o444),
    "open O_CREAT mode 0": opening("new", os.O_RDWR | os.O_CREAT, 0),
    "open read-only to read": opening("ro", os.O_RDONLY),
    "open read-only to write": opening("ro", os.O_WRONLY),
    "open read-only to append": opening("ro", os.O_WRONLY | os.O_APPEND),
    "open read-only O_TRUNC": opening("ro", os.O_RDONLY | os.O_TRUNC),
    "open O_NOFOLLOW": opening("f", os.O_RDONLY | os.O_NOFOLLOW),
    "open O_PATH": opening("f", os.O_PATH),
    "open long name": opening(LONG_NAME, os.O_RDWR | os.O_CREAT),
    "open long path": opening(LONG_PATH, os.O_RDONLY),
    "open ..": opening("full/../f", os.O_RDONLY),
    "open absent/..": opening("absent/../f", os.O_RDONLY),
    "open O_TMPFILE": opening(".", os.O_RDWR | os.O_TMPFILE),
    # descriptors
    "read what is open to write": with_fd("f", os.O_WRONLY, lambda t, fd: os.read(fd, 1)),
    "write what is open to read": with_fd("f", os.O_RDONLY, lambda t, fd: os.write(fd, b"x")),
    "ftruncate what is open to read": with_fd("f", os.O_RDONLY, lambda t, fd: os.ftruncate(fd, 0)),
    "ftruncate to -1": with_fd("f", os.O_RDWR, lambda t, fd: raw(libc.ftruncate(fd, ctypes.c_long(-1)))),
    "read a directory": with_fd("empty", os.O_RDONLY, lambda t, fd: os.read(fd, 1)),
    "pread before the beginning": with_fd("f", os.O_RDONLY, lambda t, fd: raw(libc.pread(fd, b"", ctypes.c_size_t(1), ctypes.c_long(-1)))),
    "seek before the beginning": with_fd("f", os.O_RDONLY, lambda t, fd: os.lseek(fd, -1, os.SEEK_SET)),
    "fsync a file": with_fd("f", os.O_RDWR, lambda t, fd: os.fsync(fd)),
    "fsync a directory": with_fd("empty", os.O_RDONLY, lambda t, fd: os.fsync(fd)),
    "fchmod": with_fd("f", os.O_RDWR, lambda t, fd: os.fchmod(fd, 0o444)),
    "futimens of what is open to read": with_fd("f", os.O_RDONLY, lambda t, fd: os.utime(fd, (1, 1))),
    "list a file": lambda t: os.listdir(t / "f"),
    "list absent": lambda t: os.listdir(t / "absent"),
    "SEEK_DATA behind the end": with_fd("f", os.O_RDONLY, lambda t, fd: os.lseek(fd, 100, os.SEEK_DATA)),
    "SEEK_HOLE": with_fd("f", os.O_RDONLY, lambda t, fd: os.lseek(fd, 0, os.SEEK_HOLE)),
    "write and fstat what is deleted": lambda t: [(os.write(fd, b"x"), os.fstat(fd), os.close(fd)) for fd in [open_deleted(t)]],
    "utime, fchmod what is deleted": lambda t: [(os.utime(fd, (1, 1)), os.fchmod(fd, 0o600), os.close(fd)) for fd in [open_deleted(t)]],
    # a directory that was removed while it is open
    "list a removed directory": in_deleted_directory(os.listdir),
    "create in a removed directory": in_deleted_directory(lambda fd: os.close(os.open("x", os.O_CREAT | os.O_RDWR, dir_fd=fd))),
    "mkdir in a removed directory": in_deleted_directory(lambda fd: os.mkdir("x", dir_fd=fd)),
    "stat in a removed directory": in_deleted_directory(lambda fd: os.stat("x", dir_fd=fd)),
    "fstat a removed directory": in_deleted_directory(os.fstat),
    # stat, access
    "stat absent": lambda t: os.stat(t / "absent"),
    "stat below a file": lambda t: os.stat(t / "f" / "x"),
    "stat a file with /": lambda t: os.stat(f"{t}/f/"),
    "stat a file with /.": lambda t: os.stat(f"{t}/f/."),
    "stat long name": lambda t: os.stat(t / LONG_NAME),
    "access absent": lambda t: raw(libc.access(os.fsencode(t / "absent"), os.F_OK)),
    "access below a file": lambda t: raw(libc.access(os.fsencode(t / "f/x"), os.F_OK)),
    "access W_OK": lambda t: raw(libc.access(os.fsencode(t / "f"), os.W_OK)),
    "access W_OK read-only": lambda t: raw(libc.access(os.fsencode(t / "ro"), os.W_OK)),
    "access W_OK directory": lambda t: raw(libc.access(os.fsencode(t / "empty"), os.W_OK | os.X_OK)),
    "access with a wrong mode": lambda t: raw(libc.access(os.fsencode(t / "f"), 0o100)),
    "readlink a file": lambda t: os.readlink(t / "f"),
    # mkdir, rmdir
    "mkdir": lambda t: os.mkdir(t / "new"),
    "mkdir with /": lambda t: os.mkdir(f"{t}/new/"),
    "mkdir there": lambda t: os.mkdir(t / "empty"),
    "mkdir a file": lambda t: os.mkdir(t / "f"),
    "mkdir in absent": lambda t: os.mkdir(t / "absent" / "new"),
    "mkdir below a file": lambda t: os.mkdir(t / "f" / "new"),
    "mkdir .": lambda t: os.mkdir(f"{t}/."),
    "mkdir long name": lambda t: os.mkdir(t / LONG_NAME),
    "mkdir without write": lambda t: os.mkdir(t / "new", 0o555),
    "rmdir": lambda t: os.rmdir(t / "empty"),
    "rmdir absent": lambda t: os.rmdir(t / "absent"),
    "rmdir full": lambda t: os.rmdir(t / "full"),
    "rmdir a file": lambda t: os.rmdir(t / "f"),
    "rmdir .": lambda t: os.rmdir(f"{t}/empty/."),
    "rmdir ..": lambda t: os.rmdir(f"{t}/full/.."),
    "rmdir below a file": lambda t: os.rmdir(t / "f" / "x"),
    # unlink
    "unlink": lambda t: os.unlink(t / "f"),
    "unlink absent": lambda t: os.unlink(t / "absent"),
    "unlink a directory": lambda t: os.unlink(t / "empty"),
    "unlink a full directory": lambda t: os.unlink(t / "full"),
    "unlink below a file": lambda t: os.unlink(t / "f" / "x"),
    "unlink a file with /": lambda t: os.unlink(f"{t}/f/"),
    "unlink a directory with /": lambda t: os.unlink(f"{t}/empty/"),
    "unlink read-only": lambda t: os.unlink(t / "ro"),
    "unlink long name": lambda t: os.unlink(t / LONG_NAME),
    "unlink .": lambda t: os.unlink(f"{t}/."),
    # rename
    "rename": lambda t: os.rename(t / "f", t / "new"),
    "rename over": lambda t: os.rename(t / "f", t / "g"),
    "rename over read-only": lambda t: os.rename(t / "f", t / "ro"),
    "rename read-only": lambda t: os.rename(t / "ro", t / "f"),
    "rename to itself": lambda t: os.rename(t / "f", t / "f"),
    "rename absent": lambda t: os.rename(t / "absent", t / "new"),
    "rename absent over": lambda t: os.rename(t / "absent", t / "f"),
    "rename into absent": lambda t: os.rename(t / "f", t / "absent" / "f"),
    "rename below a file": lambda t: os.rename(t / "f", t / "g" / "f"),
    "rename from below a file": lambda t: os.rename(t / "f" / "x", t / "new"),
    "rename a file over a directory": lambda t: os.rename(t / "f", t / "empty"),
    "rename a directory over a file": lambda t: os.rename(t / "empty", t / "f"),
    "rename a directory over an empty one": lambda t: os.rename(t / "full", t / "empty"),
    "rename a directory over a full one": lambda t: os.rename(t / "empty", t / "full"),
    "rename a directory into itself": lambda t: os.rename(t / "full", t / "full" / "x"),
    "rename a directory into itself, new": lambda t: os.rename(t / "full", t / "full" / "new"),
    "rename over its own parent": lambda t: os.rename(t / "full" / "x", t / "full"),
    "rename a directory with /": lambda t: os.rename(f"{t}/empty/", f"{t}/new/"),
    "rename a file with /": lambda t: os.rename(f"{t}/f/", f"{t}/new"),
    "rename a file to one with /": lambda t: os.rename(f"{t}/f", f"{t}/new/"),
    "rename .": lambda t: os.rename(f"{t}/empty/.", f"{t}/new"),
    "rename to ..": lambda t: os.rename(f"{t}/f", f"{t}/full/.."),
    "rename to a long name": lambda t: os.rename(t / "f", t / LONG_NAME),
    "rename no-replace": lambda t: renameat2(t, "f", "new", RENAME_NOREPLACE),
    "rename no-replace there": lambda t: renameat2(t, "f", "g", RENAME_NOREPLACE),
    "rename no-replace a directory there": lambda t: renameat2(t, "full", "empty", RENAME_NOREPLACE),
    "rename exchange": lambda t: renameat2(t, "f", "g", RENAME_EXCHANGE),
    "rename exchange absent": lambda t: renameat2(t, "f", "new", RENAME_EXCHANGE),
    "rename with wrong flags": lambda t: renameat2(t, "f", "g", 0x40),
    # truncate
    "truncate": lambda t: os.truncate(t / "f", 0),
    "truncate longer": lambda t: os.truncate(t / "f", 10_000),
    "truncate absent": lambda t: os.truncate(t / "absent", 0),
    "truncate a directory": lambda t: os.truncate(t / "empty", 0),
    "truncate below a file": lambda t: os.truncate(t / "f" / "x", 0),
    "truncate read-only": lambda t: os.truncate(t / "ro", 0),
    "truncate to -1": lambda t: raw(libc.truncate(os.fsencode(t / "f"), ctypes.c_long(-1))),
    # times
    "utimensat": lambda t: utimensat(t, "f", 0, 0),
    "utimensat a directory": lambda t: utimensat(t, "empty", 0, 0),
    "utimensat read-only": lambda t: utimensat(t, "ro", 0, 0),
    "utimensat now and omit": lambda t: utimensat(t, "f", UTIME_NOW, UTIME_OMIT),
    "utimensat omit both": lambda t: utimensat(t, "f", UTIME_OMIT, UTIME_OMIT),
    "utimensat omit both, absent": lambda t: utimensat(t, "absent", UTIME_OMIT, UTIME_NOW),
    "utimensat absent": lambda t: utimensat(t, "absent", 0, 0),
    "utimensat below a file": lambda t: utimensat(t, "f/x", 0, 0),
    "utimensat with wrong nanoseconds": lambda t: utimensat(t, "f", 0, 1_000_000_000),
    # chmod, chown
    "chmod": lambda t: os.chmod(t / "f", 0o600),
    "chmod 0": lambda t: os.chmod(t / "f", 0),
    "chmod absent": lambda t: os.chmod(t / "absent", 0o600),
    "chmod below a file": lambda t: os.chmod(t / "f" / "x", 0o600),
    "chmod a directory": lambda t: os.chmod(t / "empty", 0o700),
    "chmod set-user-id": lambda t: os.chmod(t / "f", 0o4755),
    "chown to oneself": lambda t: os.chown(t / "f", os.getuid(), os.getgid()),
    "chown to -1": lambda t: os.chown(t / "f", -1, -1),
    "chown to root": lambda t: os.chown(t / "f", 0, 0),
    "chown to another user": lambda t: os.chown(t / "f", os.getuid() + 1, -1),
    "chgrp to another group": lambda t: os.chown(t / "f", -1, 0),
    "chown absent": lambda t: os.chown(t / "absent", os.getuid(), -1),
    # links and special files
    "symlink": lambda t: os.symlink("f", t / "new"),
    "symlink there": lambda t: os.symlink("f", t / "g"),
    "symlink in absent": lambda t: os.symlink("f", t / "absent" / "new"),
    "link": lambda t: os.link(t / "f", t / "new"),
    "link there": lambda t: os.link(t / "f", t / "g"),
    "link absent": lambda t: os.link(t / "absent", t / "new"),
    "link a directory": lambda t: os.link(t / "empty", t / "new"),
    "mkfifo": lambda t: os.mkfifo(t / "new"),
    "mkfifo there": lambda t: os.mkfifo(t / "f"),
    "mknod a file": lambda t: os.mknod(t / "new", stat.S_IFREG | 0o644),
    "mknod a file there": lambda t: os.mknod(t / "f", stat.S_IFREG | 0o644),
    "mknod a device": lambda t: os.mknod(t / "new", stat.S_IFCHR | 0o644, os.makedev(1, 3)),
    "mknod a socket": lambda t: os.mknod(t / "new", stat.S_IFSOCK | 0o644),
    # extended attributes
    "getxattr absent": lambda t: os.getxattr(t / "f", "user.absent"),
    "removexattr absent": lambda t: os.removexattr(t / "f", "user.absent"),
}

# What differs: the protocol through libsmbclient has none of these.
DIFFERENT = {
    "symlink": "EPERM",
    "link": "EPERM",
    "mkfifo": "EPERM",
    "mknod a socket": "EPERM",
    "open O_TMPFILE": "ENOTSUP",
    "rename exchange": "EINVAL",
}


@pytest.mark.parametrize("first", ["open", "rename", "others"])
def test_errors_are_those_of_a_local_directory(first, z, root):
    wrong = []
    for name, case in CASES.items():
        if (name.split()[0] if name.split()[0] in ("open", "rename") else "others") != first:
            continue
        answers = []
        for top in (z, root):
            folder = top / "case"
            folder.mkdir()
            make(folder)
            answers.append(error_of(lambda: case(folder)))  # noqa: B023
            shutil.rmtree(folder)
        drive, local = (error_name(MAY_BE.get(answer, answer)) for answer in answers)
        if drive != DIFFERENT.get(name, local):
            wrong.append(f"{name}: {drive} instead of {DIFFERENT.get(name, local)}")
        elif name in DIFFERENT and drive == local:
            wrong.append(f"{name}: no longer differs")
    assert not wrong, "\n".join(wrong)
