# SPDX-License-Identifier: GPL-3.0-or-later
"""Extended attributes: the DOS attributes and the time of birth, and nothing else."""

import ctypes
import errno
import os
import re
import stat
import subprocess
import tarfile

import pytest

from harness import ALICE, PASSWORD, error_of, sh, wait_until

DOS, BIRTH = "user.DOSATTRIB", "user.birthtime"
READONLY, HIDDEN, SYSTEM, DIRECTORY, ARCHIVE = 0x1, 0x2, 0x4, 0x10, 0x20


def dos(path):
    return int(os.getxattr(path, DOS), 16)


def on_server(server, name):
    """What another client says of a file's attributes."""
    out = subprocess.run(["smbclient", "//127.0.0.1/data", "-p", str(server.port), "-U", f"{ALICE}%{PASSWORD}", "-c", f"allinfo {name}"],
                         capture_output=True, text=True, check=True).stdout
    return int(re.search(r"^attributes:.*\((\w+)\)$", out, re.MULTILINE)[1], 16)


@pytest.fixture
def f(z):
    (z / "f").write_text("contents")
    return z / "f"


def test_attributes_are_set_and_shown(f, server):
    for value, expected in ((b"0x2", HIDDEN), (b"0x26", HIDDEN | SYSTEM | ARCHIVE), (b"H", HIDDEN), (b"sA", SYSTEM | ARCHIVE),
                            (b"0x0", 0), (b"RHSA", READONLY | HIDDEN | SYSTEM | ARCHIVE), (b"", 0), (b"0X4\0", SYSTEM)):
        os.chmod(f, 0o644)  # what is read-only cannot be written to: as a local file
        os.setxattr(f, DOS, value)
        assert dos(f) == expected, value
        assert on_server(server, "f") & 0x27 == expected, value
    assert f.read_text() == "contents"


def test_a_directorys_attributes(z, server):
    (z / "d").mkdir()
    assert dos(z / "d") == DIRECTORY
    os.setxattr(z / "d", DOS, b"HS")
    assert dos(z / "d") == DIRECTORY | HIDDEN | SYSTEM
    assert on_server(server, "d") & 0x27 == HIDDEN | SYSTEM
    assert os.listxattr(z / "d") == [DOS]
    os.removexattr(z / "d", DOS)
    assert dos(z / "d") == DIRECTORY and os.listxattr(z / "d") == []


def test_times_and_modes_leave_the_other_attributes(z):
    (z / "d").mkdir()
    (z / "f").write_text("x")
    for path in (z / "d", z / "f"):
        os.setxattr(path, DOS, b"HS")
        kept = dos(path)
        os.utime(path, ns=(1_000_000_000_123456000, 1_100_000_000_654321000))
        assert dos(path) == kept
        assert (path.stat().st_atime_ns, path.stat().st_mtime_ns) == (1_000_000_000_123456000, 1_100_000_000_654321000)
        os.chmod(path, 0o700)
        assert dos(path) == kept
        os.setxattr(path, DOS, b"H")
        assert path.stat().st_mtime_ns == 1_100_000_000_654321000


def test_read_only_is_the_owners_write_bit(f):
    os.setxattr(f, DOS, b"R")
    assert stat.S_IMODE(f.stat().st_mode) & 0o222 == 0
    os.chmod(f, 0o644)
    assert dos(f) & READONLY == 0
    os.chmod(f, 0o444)
    assert dos(f) & READONLY


def test_what_is_hidden_is_listed(z, f, wnet):
    os.setxattr(f, DOS, b"HS")
    assert os.listdir(z) == ["f"]
    assert sh(wnet, "ls; find . -type f; cat *", z) == "f\n./f\ncontents"


def test_what_is_hidden_is_written_to(z, f):
    """A server refuses to empty a hidden file in opening it."""
    os.setxattr(f, DOS, b"HS")
    f.write_text("new")
    assert f.read_text() == "new" and dos(f) & (HIDDEN | SYSTEM) == HIDDEN | SYSTEM
    os.close(os.open(f, os.O_RDONLY | os.O_TRUNC))
    assert f.read_text() == ""
    with open(f, "a", encoding="utf-8") as file:
        file.write("more")
    os.truncate(f, 2)
    os.rename(f, z / "g")
    assert (z / "g").read_text() == "mo" and dos(z / "g") & (HIDDEN | SYSTEM) == HIDDEN | SYSTEM
    f.write_text("other")
    os.rename(f, z / "g")
    assert (z / "g").read_text() == "other"
    os.setxattr(z / "g", DOS, b"HS")
    os.unlink(z / "g")
    assert os.listdir(z) == []


def test_a_file_made_by_mknod(z, server):
    """As tar makes one whose attributes it has to set before it writes."""
    os.mknod(z / "f", stat.S_IFREG | 0o640)
    assert (server.data / "f").read_bytes() == b"" and stat.S_IMODE((z / "f").stat().st_mode) == 0o640
    assert error_of(lambda: os.mknod(z / "f", stat.S_IFREG | 0o640)) == errno.EEXIST
    os.rename(z / "f", z / "g")
    os.unlink(z / "g")
    os.mknod(z / "f", stat.S_IFREG | 0o444)
    assert stat.S_IMODE((z / "f").stat().st_mode) == 0o444


def test_a_dot_in_front_of_a_name_hides_only_that_name(z, server):
    """Samba calls such files hidden; times and modes that are set meanwhile must not make that stay."""
    for change in (lambda p: os.utime(p, (1, 1)), lambda p: os.chmod(p, 0o444), lambda p: None):
        (z / ".new").write_text("x")
        change(z / ".new")
        assert dos(z / ".new") & HIDDEN and os.listxattr(z / ".new") == []
        os.rename(z / ".new", z / "f")
        assert dos(z / "f") & HIDDEN == 0 and on_server(server, "f") & HIDDEN == 0


def test_size_queries_and_flags(f):
    os.setxattr(f, DOS, b"H")
    libc = ctypes.CDLL(None, use_errno=True)

    def raw(call, *args):
        buffer = ctypes.create_string_buffer(100)
        args, size = args[:-1], args[-1]
        n = call(os.fsencode(f), *args, buffer, size)
        return n if n < 0 else (n, buffer.raw[: min(n, size)])

    assert raw(libc.getxattr, DOS.encode(), 0)[0] == 3 and raw(libc.getxattr, DOS.encode(), 100) == (3, b"0x2")
    assert raw(libc.listxattr, 0)[0] == len(DOS) + 1 and raw(libc.listxattr, 100) == (len(DOS) + 1, DOS.encode() + b"\0")
    assert raw(libc.getxattr, DOS.encode(), 2) == -1 and raw(libc.listxattr, 4) == -1
    os.setxattr(f, DOS, b"S", os.XATTR_REPLACE)
    assert dos(f) == SYSTEM
    assert error_of(lambda: os.setxattr(f, DOS, b"H", os.XATTR_CREATE)) == errno.EEXIST
    assert dos(f) == SYSTEM


@pytest.mark.parametrize("value", [b"0x", b"0xg", b"2", b"X", b"H ", b"0x2 ", b"0x2\0\0", b"H\0S", b"\xff", b"0x" + b"0" * 100, b"R" * 70000])
def test_a_value_that_makes_no_sense(f, value):
    before = dos(f)
    assert error_of(lambda: os.setxattr(f, DOS, value)) in (errno.EINVAL, errno.E2BIG)
    assert dos(f) == before


def test_what_there_is_not(z, f):
    (z / "d").mkdir()
    for path in (f, z / "d"):
        assert error_of(lambda: os.getxattr(path, "user.other")) == errno.ENODATA  # noqa: B023
        assert error_of(lambda: os.removexattr(path, "user.other")) == errno.ENODATA  # noqa: B023
        assert error_of(lambda: os.setxattr(path, "user.other", b"x")) == errno.ENOTSUP  # noqa: B023
        assert error_of(lambda: os.setxattr(path, "user.other", b"x", os.XATTR_REPLACE)) == errno.ENODATA  # noqa: B023
        assert error_of(lambda: os.getxattr(path, "security.capability")) in (errno.ENOTSUP, errno.ENODATA)  # noqa: B023
        assert error_of(lambda: os.getxattr(path, "system.posix_acl_access")) == errno.ENOTSUP  # noqa: B023
        assert os.listxattr(path) == []
    assert error_of(lambda: os.getxattr(z / "absent", DOS)) == errno.ENOENT


def test_time_of_birth(z, f, server):
    (z / "d").mkdir()
    for path in (f, z / "d"):
        (line,) = os.popen(f"stat -c %W '{server.data / path.name}'").read().split()
        assert os.getxattr(path, BIRTH) == line.encode()
        assert error_of(lambda: os.setxattr(path, BIRTH, b"1")) == errno.EPERM  # noqa: B023
        assert error_of(lambda: os.removexattr(path, BIRTH)) == errno.EPERM  # noqa: B023
    assert os.listxattr(f) == []


def test_a_read_only_share(wnet, server):
    (server.readonly / "r").write_text("x")
    wnet.add("Z:", server.url("readonly"))
    path = wnet.folder("Z:") / "r"
    before = dos(path)
    assert error_of(lambda: os.setxattr(path, DOS, b"H")) == errno.EACCES
    assert dos(path) == before


def test_another_machines_change_is_seen(f, server, make_wnet):
    other = make_wnet("other")
    other.add("Z:", server.url())
    assert dos(f) & HIDDEN == 0
    os.setxattr(other.folder("Z:") / "f", DOS, b"H")
    wait_until(lambda: dos(f) == HIDDEN and os.listxattr(f) == [DOS], "the attribute is seen")


def test_copies_take_hidden_and_system_along(z, wnet, server):
    (z / "from").mkdir()
    for name, value in (("plain", b"A"), ("hidden", b"HA"), ("both", b"RHS")):
        (z / "from" / name).write_text(name)
        os.setxattr(z / "from" / name, DOS, value)
    (z / "from" / "d").mkdir()
    os.setxattr(z / "from" / "d", DOS, b"H")
    (server.data / "second").mkdir()
    wnet.add("Y:", server.url() + "/second")
    y = wnet.folder("Y:")
    sh(wnet, f"""
cp -a from '{wnet.home}/cp'; cp -a '{wnet.home}/cp' '{y}/cp'
rsync -aX from/ '{wnet.home}/rsync/'; rsync -aX --inplace '{wnet.home}/rsync/' '{y}/rsync/'
cp -a from again; mv again '{wnet.home}/mv'; mv '{wnet.home}/mv' '{y}/mv'
chmod u+w from/both # tar would make the new one read-only before it has written to it
tar --xattrs -cf '{wnet.home}/t.tar' from; mkdir '{y}/tar'; tar --xattrs --xattrs-include='*' -xf '{wnet.home}/t.tar' -C '{y}/tar'
chmod u-w from/both '{y}/tar/from/both'
""", z)
    for copy in ("cp", "rsync", "tar/from", "mv"):
        folder = y / copy
        assert sorted(os.listdir(folder)) == ["both", "d", "hidden", "plain"]
        assert dos(folder / "hidden") & ~ARCHIVE == HIDDEN, copy
        assert dos(folder / "both") & ~ARCHIVE == READONLY | HIDDEN | SYSTEM, copy
        assert dos(folder / "plain") & ~ARCHIVE == 0, copy
        assert dos(folder / "d") == DIRECTORY | HIDDEN, copy
        assert (folder / "both").read_text() == "both"
    assert sh(wnet, f"rsync -aXi from/ '{y}/rsync/'", z) == ""
    with tarfile.open(wnet.home / "t.tar") as t:
        assert {m.name for m in t.getmembers()} == {"from", "from/plain", "from/hidden", "from/both", "from/d"}


def test_foreign_attributes_are_no_reason_to_fail(z, wnet):
    local = wnet.home / "local"
    local.write_text("x")
    os.setxattr(local, "user.mine", b"1")
    sh(wnet, f"cp -a '{local}' cp; mv '{local}' mv; cat cp mv", z)


def test_what_the_kernel_asks_for_by_itself_costs_no_round_trip(f, server):
    """The server does not answer while this is asked: neither does it have to."""
    with open(f, "rb") as file:
        server.freeze()
        for name in ("security.capability", "security.selinux", "system.posix_acl_access", "trusted.x", "user.other"):
            assert error_of(lambda: os.getxattr(file.fileno(), name)) in (errno.ENOTSUP, errno.ENODATA)  # noqa: B023
        server.thaw()
