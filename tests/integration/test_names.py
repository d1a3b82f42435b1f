# SPDX-License-Identifier: GPL-3.0-or-later
"""Names on a drive: whatever Linux allows, though servers refuse it; and names that differ only in case."""

import errno
import os
import unicodedata

import pytest

from harness import error_name, error_of, opened, sh, tree, wait_until

SPECIAL = list('\\:*?"<>|') + [chr(i) for i in range(1, 32)]
ORDINARY = ["\x7f", "#", "%41", "a%2Fb", "a&b", "a;b", "~", "-rf", " a", ".hidden", "é", "e\u0301", "ß", "中文", "😀", "👩‍👩‍👧", "\u200b", "\ufeff"]
REFUSED_ENDS = ["dot.", "dots...", "space ", "spaces   ", "both. ", "both .", "..."]


def everything_about(folder, name):
    """What is done with a name: made, listed, read, renamed both ways, made a directory, removed."""
    contents = name.encode()
    (folder / name).write_bytes(contents)
    assert os.listdir(folder) == [name]
    assert (folder / name).read_bytes() == contents and (folder / name).stat().st_size == len(contents)
    os.rename(folder / name, folder / "plain")
    assert os.listdir(folder) == ["plain"]
    os.rename(folder / "plain", folder / name)
    with opened(folder / name, "rb") as file:
        os.unlink(folder / name)
        assert file.read() == contents
    assert os.listdir(folder) == []
    os.mkdir(folder / name)
    (folder / name / name).write_text("x")
    assert tree(folder) == {name: None, f"{name}/{name}": b"x"}
    os.unlink(folder / name / name)
    os.rmdir(folder / name)


@pytest.mark.parametrize("group", ["alone", "first", "last", "within", "ends", "ordinary"])
def test_every_name_that_linux_allows(group, z):
    form = {"alone": "{}", "first": "{}a", "last": "a{}", "within": "a{}b"}.get(group)
    names = [form.format(c) for c in SPECIAL] if form else REFUSED_ENDS if group == "ends" else ORDINARY
    (z / "d").mkdir()
    for name in names:
        everything_about(z / "d", name)


def test_special_characters_travel_as_the_kernel_client_sends_them(z, server):
    for name, wire in (("a:b", "a\uf022b"), ("a?", "a\uf025"), ("dot.", "dot\uf029"), ("space ", "space\uf028"), ("tab\t", "tab\uf009")):
        (z / name).write_text("x")
        assert os.listdir(server.data) == [wire]
        os.unlink(z / name)


def test_composed_and_decomposed_names_are_two_files(z, server):
    composed, decomposed = "\u00e9t\u00e9", unicodedata.normalize("NFD", "\u00e9t\u00e9")
    (z / composed).write_text("composed")
    (z / decomposed).write_text("decomposed")
    assert tree(z) == tree(server.data) == {composed: b"composed", decomposed: b"decomposed"}
    assert not os.path.samefile(z / composed, z / decomposed)


CALLS = {
    "open": lambda p, f: os.open(p, os.O_RDONLY),
    "create": lambda p, f: os.open(p, os.O_WRONLY | os.O_CREAT),
    "stat": lambda p, f: os.stat(p),
    "access": lambda p, f: os.stat(p + b"/x"),
    "mkdir": lambda p, f: os.mkdir(p),
    "rmdir": lambda p, f: os.rmdir(p),
    "unlink": lambda p, f: os.unlink(p),
    "rename from": lambda p, f: os.rename(p, os.path.dirname(p) + b"/new"),
    "rename to": lambda p, f: os.rename(f, p),
    "symlink": lambda p, f: os.symlink("target", p),
    "link": lambda p, f: os.link(f, p),
    "mknod": lambda p, f: os.mknod(p),
    "mkfifo": lambda p, f: os.mkfifo(p),
    "truncate": lambda p, f: os.truncate(p, 0),
    "utime": lambda p, f: os.utime(p),
    "chmod": lambda p, f: os.chmod(p, 0o600),
    "getxattr": lambda p, f: os.getxattr(p, "user.x"),
    "list": lambda p, f: os.listdir(p),
}


@pytest.mark.parametrize("name", [b"\xff", b"a\x80", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"])
def test_a_name_that_is_not_utf8_is_refused_by_every_call(name, z):
    (z / "f").write_text("x")
    for call, do in CALLS.items():
        error = error_of(lambda: do(os.fsencode(z / "") + b"/" + name, os.fsencode(z / "f")))  # noqa: B023
        assert error == errno.EILSEQ, f"{call}: {error_name(error)}"
    assert tree(z) == {"f": b"x"}


def test_names_as_long_as_the_servers_disk_has_them(z):
    """255 bytes; whether the protocol's 255 units of UTF-16 would be enough for more does not matter to it."""
    for name in ("x" * 255, "é" * 127 + "x", "中" * 85, "😀" * 63 + "xyz", "?" * 85):
        everything_about(z, name)
    (z / "f").write_text("x")
    for name in ("x" * 256, "é" * 128, "中" * 86, "中" * 255, "中" * 256, "😀" * 64, "😀" * 128, "😀" * 255):
        for call in ("create", "mkdir", "rename to"):
            error = error_of(lambda: CALLS[call](os.fsencode(z / name), os.fsencode(z / "f")))  # noqa: B023
            assert error == errno.ENAMETOOLONG, f"{call}, {len(name)} {name[0]}: {error_name(error)}"
    assert tree(z) == {"f": b"x"}


def test_what_was_made_since_a_directory_was_opened_is_listed(z):
    fd = os.open(z, os.O_RDONLY)
    (z / "f").write_text("x")
    assert os.listdir(fd) == ["f"]
    (z / "d").mkdir()
    os.unlink(z / "f")
    assert os.listdir(fd) == ["d"]
    os.close(fd)


def test_a_path_as_long_as_linux_has_them(z, server, wnet):
    depth = 16
    fd = os.open(z, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d" * 250, dir_fd=fd)
        new = os.open("d" * 250, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = new
    os.close(os.open("f", os.O_WRONLY | os.O_CREAT, dir_fd=fd))
    assert os.listdir(fd) == ["f"]
    error = error_of(lambda: os.close(os.open("f" * 250, os.O_WRONLY | os.O_CREAT, dir_fd=fd)))
    assert error == errno.ENAMETOOLONG, error_name(error)
    os.close(fd)
    sh(wnet, "rm -r d*", z)
    assert os.listdir(server.data) == []


# ---- case ----


def test_another_spelling_is_the_same_file_to_the_server(z, server):
    (z / "Readme").write_text("one")
    assert (z / "README").read_text() == "one"
    (z / "rEADME").write_text("three")
    assert (z / "README").read_text() == "three"
    assert os.listdir(z) == os.listdir(server.data) == ["Readme"]
    assert error_of(lambda: os.close(os.open(z / "README", os.O_WRONLY | os.O_CREAT | os.O_EXCL))) == errno.EEXIST
    assert error_of(lambda: os.mkdir(z / "README")) == errno.EEXIST
    os.unlink(z / "README")
    assert os.listdir(z) == [] and error_of(lambda: os.stat(z / "README")) == errno.ENOENT


def test_programs_notice_that_two_spellings_are_one_file(z, server, wnet):
    """cp would empty the file otherwise, before it reads it."""
    (z / "Readme").write_text("content")
    (z / "Folder").mkdir()
    (z / "Folder" / "f").write_text("x")
    for one, other in (("Readme", "README"), ("Folder", "FOLDER"), ("Folder/f", "folder/F")):
        assert os.path.samefile(z / one, z / other) and os.stat(z / one).st_ino == os.stat(server.data / one).st_ino
    for program in ("cp", "cp -a", "cp --remove-destination", "mv"):
        result = wnet.program("sh", "-c", f"{program} Readme README", cwd=z)
        assert result.code == 1 and "are the same file" in result.err, result
    assert tree(server.data) == {"Readme": b"content", "Folder": None, "Folder/f": b"x"}
    assert {entry.name: entry.inode() for entry in os.scandir(z)} == {name: os.stat(z / name).st_ino for name in ("Readme", "Folder")}


@pytest.mark.parametrize("how", ["rename", "steps", "open"])
@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_rename_that_changes_case(how, kind, z, server, wnet):
    if kind == "file":
        (z / "Readme").write_text("x")
    else:
        (z / "Readme").mkdir()
        (z / "Readme" / "f").write_text("x")
    before = tree(z)
    if how == "steps":
        sh(wnet, "mv -T Readme readme.new; mv -T readme.new README", z)
    elif how == "rename":
        os.rename(z / "Readme", z / "README")
    else:
        with opened(z / ("Readme" if kind == "file" else "Readme/f"), "rb") as file:
            os.rename(z / "Readme", z / "README")
            assert file.read() == b"x"
            assert file.seek(0) == 0 and file.read() == b"x"
    assert [name for name in os.listdir(server.data) if name[0] != "."] == os.listdir(z) == ["README"]
    assert tree(z) == {path.replace("Readme", "README"): contents for path, contents in before.items()}


def test_two_files_on_a_server_that_tells_case_apart(wnet, make_server):
    server = make_server(more_shares={"exact": {"path": "exact", "read only": "no", "case sensitive": "yes"}})
    wnet.add("Z:", server.url("exact"))
    z = wnet.folder("Z:")
    (z / "Readme").write_text("one")
    (z / "README").write_text("two")
    assert sorted(os.listdir(z)) == ["README", "Readme"]
    assert (z / "Readme").read_text() == "one" and (z / "README").read_text() == "two"
    assert not os.path.samefile(z / "Readme", z / "README")
    assert error_of(lambda: os.stat(z / "readme")) == errno.ENOENT
    os.rename(z / "Readme", z / "README")
    assert tree(z) == {"README": b"one"}


def test_a_servers_name_that_cannot_be_one_here_is_left_out(z, server, wnet):
    """As "." and "..", which these would be when they are mapped back; another code point of that range is a name as any."""
    for wire in ("\uf029", ".\uf029", "\uf02e", "f"):
        (server.data / wire).write_text("x")
    assert sorted(os.listdir(z)) == ["f", "\uf02e"] and (z / "\uf02e").read_text() == "x"
    wait_until(lambda: "2 names of the server cannot be names here" in wnet.log_text(), "the log counts them")
