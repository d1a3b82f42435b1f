# SPDX-License-Identifier: GPL-3.0-or-later
"""Upper and lower case on a server to which they are one: what is open by one spelling is the same file by every other, at once."""

import contextlib
import errno
import fcntl
import mmap
import os
import subprocess

import pytest
from harness import PARK, error_of, nothing_parked, opened, parked, tree


def on_server(server):
    """But for the hidden folder, whose files may be gone while it is read."""
    found = {}
    for name in os.listdir(server.data):
        path = server.data / name
        if path.is_dir() and name != PARK:
            found |= {name: None} | {f"{name}/{below}": contents for below, contents in tree(path).items()}
        elif name != PARK:
            found[name] = path.read_bytes()
    return found


def folded(found):
    """Where Samba may remember a spelling that it has seen just before, and take it for the one that is meant."""
    return {path.casefold(): contents for path, contents in found.items()}


def absent(*paths):
    for path in paths:
        assert error_of(lambda: os.stat(path)) == errno.ENOENT, path  # noqa: B023
        assert error_of(lambda: os.close(os.open(path, os.O_RDONLY))) == errno.ENOENT, path  # noqa: B023


@pytest.fixture(params=["own", "other", "both"])
def spelt(request, z, server):
    """A file, and descriptors of it: opened by its own spelling, by another one, by both."""
    (server.data / "Readme").write_bytes(b"content")
    with contextlib.ExitStack() as stack:
        names = {"own": ["Readme"], "other": ["README"], "both": ["Readme", "readme"]}[request.param]
        yield [stack.enter_context(opened(z / name, "r+b")) for name in names]


# ---- names ----


@pytest.mark.parametrize("name", ["Readme", "README", "rEADME"])
def test_deleting_what_is_open(name, spelt, z, server):
    os.stat(z / "Readme"), os.stat(z / "README")
    os.unlink(z / name)
    absent(z / "Readme", z / "README", z / "readme")
    assert os.listdir(z) == [] and on_server(server) == {} and len(parked(server)) == 1
    for file in spelt:
        assert os.fstat(file.fileno()).st_nlink == 0
        assert file.read() == b"content"
    spelt[0].write(b"!")
    assert os.pread(spelt[-1].fileno(), 100, 0) == b"content!"
    (z / "README").write_text("another")
    assert (z / "Readme").read_text() == "another" and os.pread(spelt[-1].fileno(), 100, 0) == b"content!"
    for file in spelt:
        file.close()
    nothing_parked(server)
    assert folded(on_server(server)) == {"readme": b"another"}


@pytest.mark.parametrize("name", ["Readme", "README", "rEADME"])
def test_renaming_what_is_open(name, spelt, z, server):
    (z / "d").mkdir()
    os.rename(z / name, z / "d" / "new")
    absent(z / "Readme", z / "README", z / "readme")
    assert spelt[0].read() == b"content" and os.fstat(spelt[0].fileno()).st_nlink == 1
    spelt[-1].seek(0, os.SEEK_END)
    spelt[-1].write(b"!")
    os.fsync(spelt[-1].fileno())
    assert on_server(server) == {"d": None, "d/new": b"content!"} == tree(z)
    assert (z / "d" / "NEW").read_bytes() == b"content!"


@pytest.mark.parametrize("name", ["Readme", "README", "rEADME"])
def test_replacing_what_is_open(name, spelt, z, server):
    (z / "other").write_bytes(b"replaced")
    os.stat(z / "Readme")
    os.rename(z / "other", z / name)
    for spelling in ("Readme", "README", "rEADME"):
        assert (z / spelling).read_bytes() == b"replaced" and os.stat(z / spelling).st_size == 8
    for file in spelt:
        assert file.read() == b"content" and os.fstat(file.fileno()).st_nlink == 0
    assert list(on_server(server).values()) == [b"replaced"]
    for file in spelt:
        file.close()
    nothing_parked(server)


@pytest.mark.parametrize("names", [("Readme", "README"), ("README", "Readme"), ("readme", "README"), ("README", "rEADME")])
def test_changing_the_case_of_what_is_open(names, spelt, z, server):
    os.rename(z / names[0], z / names[1])
    assert os.listdir(z) == [names[1]] and on_server(server) == {names[1]: b"content"}
    for file in spelt:
        assert file.read() == b"content" and os.fstat(file.fileno()).st_nlink == 1
    spelt[0].write(b"!")
    for spelling in ("Readme", "README", "rEADME"):
        assert (z / spelling).read_bytes() == b"content!"
    assert parked(server) == []


@pytest.mark.parametrize("names", [("f", "F"), ("Übung", "üBUNG"), ("ΣΑΣ", "σας"), ("1a", "1A"), ("приВЕТ", "ПРИвет")])
def test_names_of_all_kinds(names, z, server):
    (z / names[0]).write_bytes(b"content")
    with opened(z / names[0], "rb") as file:
        if error_of(lambda: os.stat(z / names[1])) == errno.ENOENT:
            pytest.skip("to this server these are two")
        os.unlink(z / names[1])
        absent(*(z / name for name in names))
        assert file.read() == b"content" and os.fstat(file.fileno()).st_nlink == 0
    nothing_parked(server)


def test_what_was_listed_and_is_opened_by_another_spelling(z, server):
    for i in range(20):
        (server.data / f"Data{i}").write_bytes(b"%d" % i)
    assert len(os.listdir(z)) == len(list(os.scandir(z))) == 20
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(opened(z / f"DATA{i}", "rb")) for i in range(20)]
        for i in range(20):
            os.unlink(z / f"Data{i}")
        assert [file.read() for file in files] == [b"%d" % i for i in range(20)]
    assert os.listdir(z) == []
    nothing_parked(server)


def test_a_folder_by_another_spelling(z, server):
    (z / "Dir" / "Sub").mkdir(parents=True)
    for name in ("f", "g", "h", "Sub/deep"):
        (z / "Dir" / name).write_bytes(name.encode())
    with contextlib.ExitStack() as stack:
        f, g, h, deep = (stack.enter_context(opened(z / "Dir" / name, "r+b")) for name in ("f", "g", "h", "Sub/deep"))
        os.unlink(z / "DIR" / "f")
        absent(z / "Dir" / "f", z / "DIR" / "f", z / "dir" / "F")
        assert f.read() == b"f" and os.fstat(f.fileno()).st_nlink == 0
        os.rename(z / "DIR" / "G", z / "dir" / "other")
        absent(z / "Dir" / "g", z / "DIR" / "G")
        assert g.read() == b"g" and (z / "Dir" / "other").read_bytes() == b"g"
        os.rename(z / "dIR" / "other", z / "DIR" / "H")
        assert h.read() == b"h" and os.fstat(h.fileno()).st_nlink == 0 and (z / "Dir" / "h").read_bytes() == b"g"
        assert sorted(os.listdir(z / "DIR")) == sorted(os.listdir(z / "Dir")) 
        assert [name.casefold() for name in sorted(os.listdir(z / "DIR"), key=str.casefold)] == ["h", "sub"]
        os.rename(z / "DIR" / "SUB", z / "dir" / "below")
        absent(z / "Dir" / "Sub" / "deep", z / "DIR" / "SUB")
        deep.write(b"DE")
        assert (z / "Dir" / "below" / "deep").read_bytes() == b"DEb/deep"[:8]
        os.rename(z / "DIR", z / "moved")
        absent(z / "Dir", z / "DIR", z / "dir" / "below")
        deep.write(b"B")
        assert (z / "moved" / "below" / "DEEP").read_bytes() == b"DEB/deep"
        assert g.seek(0) == 0 and g.read() == b"g"
    assert tree(z) == on_server(server)
    assert folded(tree(z)) == {"moved": None, "moved/h": b"g", "moved/below": None, "moved/below/deep": b"DEB/deep"}
    nothing_parked(server)


def test_the_case_of_a_folder_in_which_something_is_open(z, server):
    (z / "Dir").mkdir()
    (z / "Dir" / "f").write_bytes(b"f")
    with opened(z / "Dir" / "f", "r+b") as one, opened(z / "DIR" / "F", "r+b") as two:
        os.rename(z / "Dir", z / "DIR")
        assert os.listdir(z) == ["DIR"] and on_server(server) == {"DIR": None, "DIR/f": b"f"}
        assert one.read() == b"f" and two.read() == b"f"
        one.write(b"1")
        two.write(b"2")
        assert (z / "dir" / "f").read_bytes() == b"f2"
        os.rename(z / "DIR" / "f", z / "DIR" / "F")
        assert os.listdir(z / "DIR") == ["F"] and os.pread(one.fileno(), 9, 0) == b"f2"


def test_working_in_a_folder_by_another_spelling(z, server):
    (z / "Dir" / "Sub").mkdir(parents=True)
    fd = os.open(z / "DIR", os.O_RDONLY)
    (z / "Dir" / "f").write_bytes(b"f")
    assert sorted(os.listdir(fd)) == ["Sub", "f"]
    with os.fdopen(os.open("f", os.O_RDONLY, dir_fd=fd), "rb") as file:
        os.rename(z / "Dir", z / "moved")
        assert file.read() == b"f" and sorted(os.listdir(fd)) == ["Sub", "f"]
        os.mkdir("new", dir_fd=fd)
        os.rename("f", "NEW/f", src_dir_fd=fd, dst_dir_fd=fd)
        os.rmdir("SUB", dir_fd=fd)
    os.close(fd)
    assert on_server(server) == {"moved": None, "moved/new": None, "moved/new/f": b"f"} == tree(z)


# ---- contents ----


def test_what_is_written_by_one_spelling_is_seen_by_the_others(z, server):
    (z / "Data").write_bytes(b"x" * 10000)
    with opened(z / "Data", "r+b") as one, opened(z / "DATA", "r+b") as two:
        assert one.read() == two.read()
        for i in range(50):
            one.seek(i * 100)
            one.write(b"%02d" % i)
            assert os.pread(two.fileno(), 2, i * 100) == b"%02d" % i
            two.seek(0, os.SEEK_END)
            two.write(b"ab")
            assert os.fstat(one.fileno()).st_size == os.stat(z / "Data").st_size == os.stat(z / "data").st_size == 10002 + 2 * i
            assert os.pread(one.fileno(), 2, 10000 + 2 * i) == b"ab"
        assert os.fstat(one.fileno()).st_mtime_ns == os.fstat(two.fileno()).st_mtime_ns == os.stat(z / "dATA").st_mtime_ns
        two.truncate(5)
        assert os.fstat(one.fileno()).st_size == 5 and one.seek(0) == 0 and one.read() == b"00xxx"
        os.truncate(z / "dATa", 3)
        assert two.seek(0) == 0 and two.read() == b"00x" and os.stat(z / "Data").st_size == 3
        os.utime(z / "datA", ns=(0, 10**18))
        os.chmod(z / "DATA", 0o640)
        assert os.fstat(one.fileno()).st_mtime_ns == os.stat(z / "DATA").st_mtime_ns == 10**18
        assert os.stat(z / "Data").st_mode & 0o777 == os.fstat(two.fileno()).st_mode & 0o777 == 0o640
    assert (server.data / "Data").read_bytes() == b"00x"


def test_appending_by_two_spellings(z, server):
    (z / "Log").write_bytes(b"")
    with opened(z / "Log", "ab") as one, opened(z / "LOG", "ab") as two:
        for i in range(100):
            one.write(b"one %d\n" % i)
            two.write(b"two %d\n" % i)
    lines = (server.data / "Log").read_text().splitlines()
    assert lines == [f"{who} {i}" for i in range(100) for who in ("one", "two")]


def test_appending_by_two_programs_at_once(z, server):
    (z / "Log").write_bytes(b"")
    script = 'i=0; while [ $i -lt 200 ]; do echo "$1 $i"; i=$((i + 1)); done >> "$2"'
    names = {"a": "Log", "b": "LOG", "c": "log"}
    programs = [subprocess.Popen(["/bin/sh", "-c", script, "sh", who, str(z / name)]) for who, name in names.items()]
    assert [program.wait(60) for program in programs] == [0] * 3
    lines = (server.data / "Log").read_text().splitlines()
    assert sorted(lines) == sorted(f"{who} {i}" for who in names for i in range(200))
    assert [[line for line in lines if line[0] == who] for who in names] == [[f"{who} {i}" for i in range(200)] for who in names]


def test_maps_and_locks_by_two_spellings(z):
    (z / "Data").write_bytes(b"x" * 8192)
    with opened(z / "Data", "r+b") as one, opened(z / "DATA", "r+b") as two:
        with mmap.mmap(one.fileno(), 8192) as first, mmap.mmap(two.fileno(), 8192) as second:
            first[5000] = ord("a")
            assert second[5000] == ord("a")
            second[1] = ord("b")
            second.flush()
            assert first[1] == ord("b") and os.pread(one.fileno(), 2, 0) == b"xb"
        fcntl.flock(one, fcntl.LOCK_EX)
        assert error_of(lambda: fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)) == errno.EAGAIN


@pytest.mark.parametrize("found", ["absent", "present"])
def test_creating_by_another_spelling(found, z, server):
    if found == "absent":
        absent(z / "Config", z / "CONFIG")
    (z / "Config").write_text("one")
    (z / "CONFIG").write_text("second")
    with opened(z / "config", "ab") as file:
        file.write(b"!")
    assert (z / "Config").read_text() == "second!" and on_server(server) == {"Config": b"second!"} == tree(z)
    assert error_of(lambda: os.open(z / "CONFIG", os.O_CREAT | os.O_EXCL)) == errno.EEXIST
    assert error_of(lambda: os.mkdir(z / "CONFIG")) == errno.EEXIST


def test_running_a_program_by_another_spelling(z):
    (z / "Tool").write_text("#!/bin/sh\nexit 3\n")
    os.chmod(z / "Tool", 0o755)
    assert subprocess.run([z / "TOOL"], check=False).returncode == 3


def test_a_path_alone_can_be_opened_by_another_spelling(z):
    """What /proc/self/fd leads to has no name to look up again."""
    (z / "Data").write_bytes(b"content")
    os.stat(z / "Data")
    fd = os.open(z / "DATA", os.O_PATH)
    with opened(f"/proc/self/fd/{fd}", "rb") as file:
        assert file.read() == b"content"
    os.close(fd)


# ---- what looks like it, and is not ----


@pytest.mark.parametrize("kind", ["folding", "exact"])
def test_links_on_the_server_are_names_of_their_own(kind, wnet, make_server):
    """Two names of one file: deleting, renaming or replacing the one leaves the other alone."""
    exact = {"exact": {"path": "exact", "read only": "no", "case sensitive": "yes"}}
    server = make_server(more_shares=exact if kind == "exact" else {})
    data = server.data if kind == "folding" else server.data.parent / "exact"
    wnet.add("Z:", server.url("exact") if kind == "exact" else server.url())
    z = wnet.folder("Z:")
    (data / "new").write_bytes(b"new")
    names = {way: (way, way.upper() if kind == "exact" else f"{way} too") for way in ("unlink", "rename", "replace")}
    for one, other in names.values():
        (data / one).write_bytes(b"content")
        os.link(data / one, data / other)
    for way, (one, other) in names.items():
        change = {"unlink": lambda: os.unlink(z / other), "rename": lambda: os.rename(z / other, z / "third"),  # noqa: B023
                  "replace": lambda: os.rename(z / "new", z / other)}[way]  # noqa: B023
        with opened(z / one, "r+b") as file:
            assert os.path.samefile(z / one, z / other)
            assert error_of(change) in (None, errno.EBUSY)
            assert file.read() == b"content" and os.fstat(file.fileno()).st_nlink == 1
            file.write(b"!")
            os.fsync(file.fileno())
            assert (data / one).read_bytes() == b"content!" == (z / one).read_bytes()


def test_two_files_that_differ_in_case(wnet, make_server):
    server = make_server(more_shares={"exact": {"path": "exact", "read only": "no", "case sensitive": "yes"}})
    wnet.add("Z:", server.url("exact"))
    z = wnet.folder("Z:")
    (z / "Readme").write_bytes(b"one")
    (z / "README").write_bytes(b"two")
    with opened(z / "Readme", "rb") as one, opened(z / "README", "rb") as two:
        os.unlink(z / "README")
        assert os.fstat(one.fileno()).st_nlink == 1 and os.fstat(two.fileno()).st_nlink == 0
        assert one.read() == b"one" and two.read() == b"two" and os.listdir(z) == ["Readme"]
    absent(z / "README")
    (z / "D").mkdir()
    (z / "d").mkdir()
    (z / "D" / "f").write_bytes(b"D")
    (z / "d" / "f").write_bytes(b"d")
    os.unlink(z / "d" / "f")
    assert tree(z) == {"Readme": b"one", "D": None, "D/f": b"D", "d": None}
