# SPDX-License-Identifier: GPL-3.0-or-later
"""A user maps a share as a drive and works on it; what they do is compared with the server's own folder."""

import errno
import hashlib
import os
import random
import stat
import subprocess
import time

import pytest

from harness import PARK, error_name, error_of, smbserver, wait_until


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as f:
        while block := f.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


# mapping


def names(folder):
    """What is in a folder of the server, but for the hidden one where replaced files wait for a moment."""
    return sorted(set(os.listdir(folder)) - {PARK})


def test_a_mapped_share_is_a_folder_with_its_files(wnet, server):
    (server.data / "hello.txt").write_text("hello from the server\n")
    (server.data / "sub").mkdir()

    result = wnet.add("Z:", server.url())

    folder = wnet.folder("Z:")
    assert result.out == f"Z: is now connected to {server.unc()}, at {folder}\n"
    assert wnet.mount("Z:") == (str(folder), "fuse.wnet", server.url())
    assert sorted(os.listdir(folder)) == ["hello.txt", "sub"]
    assert (folder / "hello.txt").read_text() == "hello from the server\n"
    assert (folder / "sub").is_dir()

    entry = wnet.entry("Z:")
    assert entry["state"] == "ok"
    assert entry["remote"] == server.unc()
    assert entry["user"] == "alice"
    assert entry["folder"] == str(folder)
    assert entry["persistent"] is False and entry["read_only"] is False
    text = wnet.ok("list").out
    assert "Z:" in text and server.unc() in text
    assert server.unc() in wnet.ok("get", "Z:").out


@pytest.mark.parametrize("form", ["\\\\127.0.0.1:{port}\\data", "smb://127.0.0.1:{port}/data", "//127.0.0.1:{port}/DATA/"])
def test_every_way_to_write_the_share_means_the_same(wnet, server, form):
    (server.data / "x").write_text("1")
    wnet.add("z:", form.format(port=server.port))
    assert (wnet.folder("Z:") / "x").read_text() == "1"


def test_a_folder_below_a_share_can_be_a_drive(wnet, server):
    (server.data / "projects" / "2024").mkdir(parents=True)
    (server.data / "projects" / "2024" / "plan.txt").write_text("plan")
    wnet.add("P:", server.url() + "/projects")
    assert (wnet.folder("P:") / "2024" / "plan.txt").read_text() == "plan"
    (wnet.folder("P:") / "new").write_text("n")
    assert (server.data / "projects" / "new").read_text() == "n"


def test_star_takes_the_first_free_letter_from_the_end(wnet, server):
    assert wnet.add("*", server.url()).out.startswith("Z: is now connected")
    assert wnet.add("*", server.url("readonly")).out.startswith("Y: is now connected")
    assert {e["device"] for e in wnet.list()} == {"Y:", "Z:"}


def test_two_drives_on_one_share_see_the_same(wnet, server):
    wnet.add("Y:", server.url())
    wnet.add("Z:", server.url())
    (wnet.folder("Y:") / "one").write_text("1")
    wait_until(lambda: (wnet.folder("Z:") / "one").exists(), "what one drive wrote is on the other")
    assert (wnet.folder("Z:") / "one").read_text() == "1"


def test_a_password_with_unusual_characters(wnet, make_server):
    odd = ' %40:/\\?"#ä€ '
    server = smbserver.SmbServer(wnet.root / "smb", {"data": {"path": "data", "read only": "no"}}, {"alice": odd})
    server.start()
    try:
        wnet.secrets.add(odd)
        wnet.add("Z:", f"//127.0.0.1:{server.port}/data", password=odd)
        (wnet.folder() / "f").write_text("x")
        assert open(server.path("data", "f"), encoding="utf-8").read() == "x"
        wnet.ok("cancel", "Z:")
    finally:
        server.stop()


# reading and writing


def test_what_is_written_is_on_the_server(z, server):
    data = os.urandom(300_000)
    (z / "f.bin").write_bytes(data)
    assert (server.data / "f.bin").read_bytes() == data
    assert (z / "f.bin").stat().st_size == len(data)


def test_what_the_server_changes_is_seen(z, server):
    (z / "f").write_text("old")
    assert (z / "f").read_text() == "old"
    (server.data / "f").write_text("new and longer")
    wait_until(lambda: (z / "f").read_text() == "new and longer", "the drive shows the server's change")
    (server.data / "later").write_text("x")
    wait_until(lambda: "later" in os.listdir(z), "a file made on the server is listed")
    (server.data / "later").unlink()
    wait_until(lambda: "later" not in os.listdir(z), "a file deleted on the server is no longer listed")


def test_reads_at_any_offset(z, server):
    data = random.Random(1).randbytes(3_000_001)
    (server.data / "r").write_bytes(data)
    choose = random.Random(2)
    with open(z / "r", "rb", buffering=0) as f:
        for _ in range(200):
            offset, size = choose.randrange(len(data) + 1000), choose.choice((1, 511, 4096, 70_000, 1_500_000))
            got = os.pread(f.fileno(), size, offset)
            assert got == data[offset : offset + size]


def test_writes_at_any_offset(z, server):
    choose = random.Random(3)
    expected = bytearray()
    with open(z / "w", "wb", buffering=0) as f:
        for _ in range(200):
            offset, size = choose.randrange(500_000), choose.choice((1, 100, 4096, 70_001))
            data = choose.randbytes(size)
            if len(expected) < offset + size:
                expected.extend(bytes(offset + size - len(expected)))
            expected[offset : offset + size] = data
            assert os.pwrite(f.fileno(), data, offset) == size
            if choose.random() < 0.1:
                at = choose.randrange(len(expected))
                with open(z / "w", "rb", buffering=0) as other:
                    assert os.pread(other.fileno(), 5000, at) == expected[at : at + 5000]
    assert (server.data / "w").read_bytes() == expected
    assert (z / "w").read_bytes() == expected


def test_append(z, server):
    for line in ("one\n", "two\n", "three\n"):
        with open(z / "log", "a") as f:
            f.write(line)
    assert (server.data / "log").read_text() == "one\ntwo\nthree\n"
    with open(z / "log", "a") as a, open(z / "log", "a") as b:
        a.write("a\n")
        a.flush()
        b.write("b\n")
        b.flush()
    assert (server.data / "log").read_text() == "one\ntwo\nthree\na\nb\n"


def test_fsync_brings_it_to_the_server(z, server):
    with open(z / "f", "wb", buffering=0) as f:
        f.write(b"x" * 10_000)
        os.fsync(f.fileno())
        assert (server.data / "f").read_bytes() == b"x" * 10_000


def test_truncate(z, server):
    (z / "t").write_bytes(b"0123456789")
    os.truncate(z / "t", 4)
    assert (server.data / "t").read_bytes() == b"0123"
    os.truncate(z / "t", 8)
    assert (server.data / "t").read_bytes() == b"0123\0\0\0\0"
    with open(z / "t", "r+b", buffering=0) as f:
        f.write(b"ab")
        f.truncate(3)
        assert os.fstat(f.fileno()).st_size == 3
        assert f.seek(0) == 0 and f.read() == b"ab2"
    assert (server.data / "t").read_bytes() == b"ab2"
    with open(z / "t", "wb"):
        pass
    assert (server.data / "t").read_bytes() == b""


def test_exclusive_creation(z, server):
    os.close(os.open(z / "lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    assert (server.data / "lock").exists()
    assert error_of(lambda: os.open(z / "lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY)) == errno.EEXIST


def make_big(path):
    choose = random.Random(4)
    with open(path, "wb") as f:
        for _ in range(64):
            f.write(choose.randbytes(1 << 20))


def test_a_big_file_from_the_server(z, server):
    make_big(server.data / "big")
    assert sha256(z / "big") == sha256(server.data / "big")


def test_a_big_file_to_the_server(z, server, wnet):
    make_big(wnet.home / "big")
    with open(wnet.home / "big", "rb") as source, open(z / "big", "wb") as target:
        while block := source.read(1 << 20):
            target.write(block)
    assert sha256(server.data / "big") == sha256(wnet.home / "big")
    assert sha256(z / "big") == sha256(server.data / "big")


# names and folders


def test_rename(z, server):
    (z / "a").write_text("a")
    os.rename(z / "a", z / "b")
    assert not (server.data / "a").exists() and (server.data / "b").read_text() == "a"
    assert not (z / "a").exists() and (z / "b").read_text() == "a"

    (z / "c").write_text("c")
    os.rename(z / "b", z / "c")  # over an existing file
    assert names(server.data) == ["c"]
    assert (z / "c").read_text() == "a"

    (z / "dir").mkdir()
    os.rename(z / "c", z / "dir" / "d")  # into a folder
    assert (server.data / "dir" / "d").read_text() == "a"
    os.rename(z / "dir", z / "moved")  # a whole folder
    assert (z / "moved" / "d").read_text() == "a" and not (z / "dir").exists()

    assert error_of(lambda: os.rename(z / "gone", z / "x")) == errno.ENOENT
    (z / "file").write_text("f")
    assert error_of(lambda: os.rename(z / "moved", z / "file")) == errno.ENOTDIR
    assert error_of(lambda: os.rename(z / "file", z / "moved")) in (errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST)
    assert (server.data / "file").read_text() == "f"


def test_saving_as_editors_do(z, server):
    """Write beside, then rename over the original."""
    (z / "doc").write_text("first version")
    (z / ".doc.tmp").write_text("second version")
    os.replace(z / ".doc.tmp", z / "doc")
    assert (z / "doc").read_text() == "second version"
    assert (server.data / "doc").read_text() == "second version"
    assert names(server.data) == ["doc"]


def test_deleting(z, server):
    (z / "f").write_text("x")
    os.unlink(z / "f")
    assert not (server.data / "f").exists() and not (z / "f").exists()
    assert error_of(lambda: os.unlink(z / "f")) == errno.ENOENT
    (z / "d").mkdir()
    assert error_of(lambda: os.unlink(z / "d")) == errno.EISDIR
    assert (server.data / "d").is_dir()


def test_folders(z, server):
    (z / "d").mkdir()
    assert (server.data / "d").is_dir()
    assert error_of(lambda: os.mkdir(z / "d")) == errno.EEXIST
    assert error_of(lambda: os.mkdir(z / "no" / "d")) == errno.ENOENT
    (z / "d" / "f").write_text("x")
    assert error_of(lambda: os.rmdir(z / "d")) == errno.ENOTEMPTY
    assert error_of(lambda: os.rmdir(z / "d" / "f")) == errno.ENOTDIR
    (z / "d" / "f").unlink()
    os.rmdir(z / "d")
    assert not (server.data / "d").exists()
    deep = z
    for level in range(20):
        deep = deep / f"level {level}"
        deep.mkdir()
    (deep / "f").write_text("deep")
    assert sum(len(files) for _path, _folders, files in os.walk(server.data)) == 1


def test_a_missing_file_is_missing(z):
    assert error_of(lambda: open(z / "nothing", encoding="utf-8")) == errno.ENOENT
    assert error_of(lambda: os.stat(z / "no" / "thing")) == errno.ENOENT
    assert error_of(lambda: os.listdir(z / "nothing")) == errno.ENOENT


@pytest.mark.parametrize("name", ["Grüße 日本 🙂.txt", "100%41 #1 & [x] 'y'.txt", 'what? a:b * "q" <t> p|q.txt', "trailing dot.", " space ",
                                  "back\\slash", "n" * 200])
def test_unusual_names(z, name):
    (z / name).write_text("here")
    (z / "folder").mkdir()
    assert name in os.listdir(z)
    assert (z / name).read_text() == "here"
    os.rename(z / name, z / "folder" / name)
    assert os.listdir(z / "folder") == [name]


def test_names_made_on_the_server_are_shown_as_they_are(z, server):
    names = {"Grüße.txt", "100% #1.txt", "a b  c", "[x]", "é"}
    for name in names:
        (server.data / name).write_text(name)
    assert set(os.listdir(z)) == names
    for name in names:
        assert (z / name).read_text() == name


def test_a_listing_of_2000_entries_is_complete(z, server):
    names = {f"file with a longer name {number:05}.txt" for number in range(2000)}
    for name in names:
        (server.data / name).write_text(name[-9:])
    with os.scandir(z) as entries:
        listed = {entry.name: entry.stat().st_size for entry in entries}
    assert set(listed) == names
    assert set(listed.values()) == {9}


def test_a_listing_while_the_folder_changes(z, server):
    for number in range(500):
        (z / f"keep {number}").write_text("")
        (z / f"drop {number}").write_text("")
    seen = []
    with os.scandir(z) as entries:
        for entry in entries:
            seen.append(entry.name)
            if entry.name.startswith("drop"):
                os.unlink(entry.path)
    assert len(seen) == len(set(seen))
    assert {name for name in seen if name.startswith("keep")} == {f"keep {number}" for number in range(500)}
    assert sorted(os.listdir(server.data)) == sorted(f"keep {number}" for number in range(500))


# attributes


def test_files_belong_to_the_user_and_show_0755_less_umask(wnet, server):
    (server.data / "f").write_text("x")
    (server.data / "d").mkdir()
    wnet.program("sh", "-c", 'umask 027 && exec wnetd --background')
    wnet.add("Z:", server.url())
    for name in ("f", "d", "."):
        st = os.stat(wnet.folder() / name)
        assert (st.st_uid, st.st_gid) == (os.getuid(), os.getgid())
        assert stat.S_IMODE(st.st_mode) == 0o750, f"{name}: {stat.filemode(st.st_mode)}"


def test_read_only_is_an_attribute_of_the_server(z, wnet, server):
    (z / "f").write_text("x")
    os.chmod(z / "f", 0o555)
    assert not os.stat(z / "f").st_mode & 0o222
    shown = subprocess.run(["smbclient", "//127.0.0.1/data", "-p", str(server.port), "-A",
                            wnet.credentials(), "-c", "allinfo f"], capture_output=True, text=True, timeout=60, check=True).stdout
    attributes = [line for line in shown.splitlines() if line.startswith("attributes:")]
    assert "R" in attributes[0].split()[1], shown
    assert error_name(error_of(lambda: open(z / "f", "a", encoding="utf-8"))) == "EACCES"
    os.chmod(z / "f", 0o644)
    with open(z / "f", "a", encoding="utf-8") as f:
        f.write("y")
    assert (server.data / "f").read_text() == "xy"


def test_a_read_only_file_can_be_deleted_and_replaced(z, server):
    """As the file's mode does not matter for that on Unix."""
    for name in ("f", "g"):
        (z / name).write_text("x")
        os.chmod(z / name, 0o444)
    os.unlink(z / "f")
    (z / "new").write_text("new")
    os.rename(z / "new", z / "g")
    assert names(server.data) == ["g"]
    assert (server.data / "g").read_text() == "new"


def test_chmod_is_accepted_and_remembered(z):
    (z / "f").write_text("x")
    os.chmod(z / "f", 0o640)
    assert stat.S_IMODE(os.stat(z / "f").st_mode) == 0o640
    os.chmod(z / "f", 0o755)
    assert stat.S_IMODE(os.stat(z / "f").st_mode) == 0o755


def test_times(z, server):
    (z / "f").write_text("x")
    moment = 1_600_000_000_123_456_000  # SMB counts in 100 ns, libsmbclient hands on microseconds
    os.utime(z / "f", ns=(moment + 10**9, moment))
    assert os.stat(z / "f").st_mtime_ns == moment
    assert os.stat(server.data / "f").st_mtime_ns == moment
    os.utime(z / "f")
    assert abs(os.stat(server.data / "f").st_mtime - time.time()) < 600
    (z / "d").mkdir()
    os.utime(z / "d", ns=(moment, moment))
    assert os.stat(server.data / "d").st_mtime_ns == moment


def test_times_set_while_it_is_written_stay(z, server):
    moment = 1_500_000_000 * 10**9
    with open(z / "f", "wb", buffering=0) as f:
        f.write(b"x" * 5000)
        os.utime(f.fileno(), ns=(moment, moment))
    assert os.stat(z / "f").st_mtime_ns == moment
    assert os.stat(server.data / "f").st_mtime_ns == moment


def test_free_space(z, server, wnet):
    ours, theirs = os.statvfs(z), os.statvfs(server.data)
    total, expected = ours.f_frsize * ours.f_blocks, theirs.f_frsize * theirs.f_blocks
    assert abs(total - expected) <= expected // 50
    free, expected_free = ours.f_frsize * ours.f_bavail, theirs.f_frsize * theirs.f_bavail
    assert abs(free - expected_free) <= expected // 10
    assert ours.f_namemax >= 200
    result = wnet.program("df", "-h", z)
    assert result.code == 0 and server.url() in result.out and str(z) in result.out


# rights


def changes(folder):
    """Everything that must not succeed on something read-only."""
    return {
        "create": lambda: os.close(os.open(folder / "new", os.O_CREAT | os.O_WRONLY)),
        "open to write": lambda: os.close(os.open(folder / "f", os.O_WRONLY)),
        "truncate": lambda: os.truncate(folder / "f", 0),
        "mkdir": lambda: os.mkdir(folder / "newdir"),
        "rmdir": lambda: os.rmdir(folder / "d"),
        "unlink": lambda: os.unlink(folder / "f"),
        "rename": lambda: os.rename(folder / "f", folder / "g"),
        "rename over": lambda: os.rename(folder / "f", folder / "h"),
        "chmod": lambda: os.chmod(folder / "f", 0o444),
        "utime": lambda: os.utime(folder / "f", (1, 1)),
    }


def test_a_read_only_mapping(wnet, server):
    for name in ("f", "h"):
        (server.data / name).write_text("x")
    (server.data / "d").mkdir()
    wnet.add("Z:", server.url(), "--read-only")
    assert wnet.entry()["read_only"] is True
    z = wnet.folder()
    assert (z / "f").read_text() == "x"
    for what, change in changes(z).items():
        assert error_name(error_of(change)) == "EROFS", what
    assert sorted(os.listdir(server.data)) == ["d", "f", "h"]
    assert (server.data / "f").read_text() == "x"


def test_a_share_that_is_read_only_on_the_server(wnet, server):
    """The server's word is "access denied", as it would be of a single folder: EACCES. Nothing of ours is left there, and no log complains."""
    for name in ("f", "h"):
        (server.readonly / name).write_text("x")
    (server.readonly / "d").mkdir()
    wnet.add("Z:", server.url("readonly"))
    z = wnet.folder()
    assert (z / "f").read_text() == "x"
    for what, change in changes(z).items():
        assert error_name(error_of(change)) == "EACCES", what
    with open(z / "f", "rb") as f:  # what is open goes another way
        for what, change in changes(z).items():
            assert error_name(error_of(change)) == "EACCES", what
        assert f.read() == b"x"
    assert sorted(os.listdir(server.readonly)) == ["d", "f", "h"] == sorted(os.listdir(z))
    assert (server.readonly / "f").read_text() == "x"
