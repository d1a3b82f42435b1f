# SPDX-License-Identifier: GPL-3.0-or-later
"""A DFS root: a folder of its share is a link to a share of another server, and a drive goes through it.

Referrals lead to port 445, so run-file starts this file with a network of its own, where everybody may listen there.
"""

import os
import random

import pytest
from harness import error_name, error_of, mounts_below, opened, tree, wait_until

ROOT, TARGET = "127.0.0.1", "127.0.0.2"


@pytest.fixture
def target(make_server):
    return make_server(address=TARGET, port=445)


@pytest.fixture
def namespace(make_server):
    """The server of the root: its folder is .folder, its share's name .name."""
    server = make_server(address=ROOT, port=445, more_shares={"root": {"path": "root", "read only": "no", "msdfs root": "yes"}})
    server.folder = server.data.parent / "root"
    server.name = f"//{ROOT}/root"
    (server.folder / "away").symlink_to(f"msdfs:{TARGET}\\data")
    (server.folder / "nobody").symlink_to("msdfs:127.0.0.3\\data")
    (server.folder / "no share").symlink_to(f"msdfs:{TARGET}\\nothing")
    return server


@pytest.fixture
def z(wnet, namespace, target):
    wnet.add("Z:", namespace.name)
    return wnet.folder()


def on_target(target):
    """Its tree, or None where something of it goes while it is looked at."""
    try:
        return tree(target.data)
    except FileNotFoundError:
        return None


def test_through_the_link(z, namespace, target):
    data = random.Random(1).randbytes(5_000_001)
    (target.data / "sub").mkdir()
    (target.data / "sub" / "big").write_bytes(data)
    (namespace.folder / "own").write_text("own")
    assert {"own", "away"} <= set(os.listdir(z))
    assert (z / "away").is_dir() and os.listdir(z / "away") == ["sub"] and os.listdir(z / "away" / "sub") == ["big"]
    assert (z / "away" / "sub" / "big").read_bytes() == data
    (z / "away" / "new").write_bytes(data)
    assert (target.data / "new").read_bytes() == data
    with open(z / "away" / "new", "r+b") as f:
        os.ftruncate(f.fileno(), 1000)
        assert os.fstat(f.fileno()).st_size == 1000
    os.rename(z / "away" / "new", z / "away" / "sub" / "renamed")
    assert (target.data / "sub" / "renamed").read_bytes() == data[:1000]
    os.mkdir(z / "away" / "d")
    os.rmdir(z / "away" / "d")
    os.unlink(z / "away" / "sub" / "renamed")
    assert tree(target.data) == {"sub": None, "sub/big": data}
    (z / "own").write_text("changed")
    assert (namespace.folder / "own").read_text() == "changed"


def test_programs(z, wnet, target):
    source = wnet.home / "many"
    source.mkdir()
    for number in range(50):
        (source / f"file {number}").write_bytes(b"%d" % number * 1000)
    for command in (["cp", "-r", source, z / "away"], ["diff", "-r", source, z / "away" / "many"],
                    ["sed", "-i", "s/^/changed /", z / "away" / "many" / "file 7"], ["cp", "-a", z / "away" / "many", z / "copied"],
                    ["diff", "-r", z / "away" / "many", z / "copied"], ["rm", "-r", z / "copied", z / "away" / "many"], ["df", z / "away"]):
        result = wnet.program(*command)
        assert result.code == 0 and result.err == "", repr(result)
    assert tree(target.data) == {}


def test_times_cannot_be_set_there(z, target):
    (z / "away" / "f").write_text("content")
    before = os.stat(target.data / "f").st_mtime_ns
    assert error_name(error_of(lambda: os.utime(z / "away" / "f", (1, 1)))) == "ENOTSUP"
    assert os.stat(target.data / "f").st_mtime_ns == before
    os.chmod(z / "away" / "f", 0o444)
    assert error_name(error_of(lambda: open(z / "away" / "f", "r+b"))) == "EACCES"


def test_replacing(z, target):
    """The hidden folder is another server's: what is replaced gets another name where it is, meanwhile."""
    for number in range(3):
        (z / "away" / "f.new").write_bytes(b"%d" % number)
        os.rename(z / "away" / "f.new", z / "away" / "f")
    wait_until(lambda: on_target(target) == {"f": b"2"}, "what was replaced is gone")
    with opened(z / "away" / "g", "x+b") as g:
        g.write(b"new")
        os.rename(z / "away" / "g", z / "away" / "f")
        g.write(b"er")
    wait_until(lambda: on_target(target) == {"f": b"newer"}, "what was replaced is gone")
    (z / "away" / "g").write_bytes(b"newest")
    with opened(z / "away" / "f", "rb") as f:
        os.rename(z / "away" / "g", z / "away" / "f")
        assert f.read() == b"newer"
        assert os.listdir(z / "away") == ["f"] and len(os.listdir(target.data)) == 2
    wait_until(lambda: on_target(target) == {"f": b"newest"}, "what was replaced is gone")


def test_between_the_servers(z, namespace, target):
    """Nothing is renamed from one to the other, and a copy goes through here."""
    (z / "f").write_bytes(b"content")
    assert error_name(error_of(lambda: os.rename(z / "f", z / "away" / "f"))) == "EXDEV"
    (z / "away" / "g").write_bytes(b"other")
    assert error_name(error_of(lambda: os.rename(z / "away" / "g", z / "f"))) == "EXDEV"
    with opened(z / "f", "rb") as source, opened(z / "away" / "h", "x+b") as copy:
        assert os.copy_file_range(source.fileno(), copy.fileno(), 100) == 7
    assert (namespace.folder / "f").read_bytes() == b"content" == (target.data / "h").read_bytes()
    assert (target.data / "g").read_bytes() == b"other"


def test_what_is_open(z, wnet, target):
    (target.data / "f").write_bytes(b"content")
    with opened(z / "away" / "f", "r+b") as f:
        (entry,) = wnet.files("Z:")
        assert entry["path"] == "/away/f" and entry["pid"] == os.getpid()
        wnet.fails(2401, "cancel", "Z:")
        assert f.read() == b"content"
        f.write(b" and more")
    wnet.ok("cancel", "Z:")
    assert mounts_below(wnet.drives) == []
    assert (target.data / "f").read_bytes() == b"content and more"


def test_deleting_and_renaming_what_is_open(z, target):
    (target.data / "f").write_bytes(b"content")
    (target.data / "g").write_bytes(b"other")
    with opened(z / "away" / "f", "rb") as f, opened(z / "away" / "g", "rb") as g:
        os.rename(z / "away" / "g", z / "away" / "h")
        assert g.read() == b"other"
        os.unlink(z / "away" / "f")
        assert f.read() == b"content"
        assert os.listdir(z / "away") == ["h"]
    wait_until(lambda: os.listdir(target.data) == ["h"], "what was deleted is gone")


def test_what_does_not_answer(z, wnet, namespace):
    """A link to nowhere is told at once, by the only word that libsmbclient has for it; the rest of the drive is not held up."""
    (namespace.folder / "own").write_text("own")
    for name in ("nobody", "no share"):
        for call in (lambda: os.listdir(z / name), lambda: (z / name / "f").read_text(), lambda: (z / name / "f").write_text("x")):  # noqa: B023
            assert error_name(error_of(call)) == "ENOENT"
    assert (z / "own").read_text() == "own"
    assert wnet.entry()["state"] == "ok"


def test_a_target_that_goes_away(z, namespace, target):
    (target.data / "f").write_text("content")
    (namespace.folder / "own").write_text("own")
    assert (z / "away" / "f").read_text() == "content"
    target.kill()
    assert error_name(error_of(lambda: (z / "away" / "f").read_text())) in ("ENOENT", "EIO")
    wait_until(lambda: error_of(lambda: (z / "own").read_text()) is None, "the root's own files are read")
    target.start()
    wait_until(lambda: error_of(lambda: (z / "away" / "f").read_text()) is None, "the target is back")
    (z / "away" / "g").write_text("new")
    assert (target.data / "g").read_text() == "new"
