# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleting, renaming and replacing what is open, as POSIX has it."""

import contextlib
import errno
import hmac
import mmap
import os
import random
import threading
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from harness import PARK, beside, error_name, error_of, nothing_parked, opened, parked, tree, wait_until
from proxy import Proxy


def no_folder(server):
    wait_until(lambda: not (server.data / PARK).exists(), "the hidden folder is gone", timeout=10)


def test_a_deleted_file_stays_readable_and_writable(z, server):
    (z / "d").mkdir()
    (z / "d" / "f").write_bytes(b"before")
    with opened(z / "d" / "f", "r+b") as f:
        os.unlink(z / "d" / "f")
        assert not (z / "d" / "f").exists() and os.listdir(z / "d") == []
        assert PARK not in os.listdir(z) and not (z / PARK).exists()
        os.rmdir(z / "d")  # nothing of ours is in it
        assert f.read() == b"before"
        f.write(b" and after")
        f.seek(0)
        assert f.read() == b"before and after"
        stat = os.fstat(f.fileno())
        assert stat.st_nlink == 0 and stat.st_size == 16
        os.ftruncate(f.fileno(), 3)
        assert os.fstat(f.fileno()).st_size == 3
        assert len(parked(server)) == 1
        with open(f"/proc/self/fd/{f.fileno()}", "rb") as again:
            assert again.read() == b"bef"
    nothing_parked(server)


def test_the_name_is_free_at_once(z, server):
    with contextlib.ExitStack() as stack:
        files = []
        for i in range(20):
            f = stack.enter_context(opened(z / "f", "x+b"))
            f.write(b"%d" % i)
            files.append(f)
            os.unlink(z / "f")
        (z / "f").write_text("the last one")
        for i, f in enumerate(files):
            f.seek(0)
            assert f.read() == b"%d" % i
        assert (server.data / "f").read_text() == "the last one"
    nothing_parked(server)


def test_several_descriptors_the_last_one_counts(z, server):
    (z / "f").write_bytes(b"shared")
    with opened(z / "f", "rb") as one:
        with opened(z / "f", "r+b") as two:
            os.unlink(z / "f")
            two.write(b"SHARED")
        assert len(parked(server)) == 1
        assert one.read() == b"SHARED"
    nothing_parked(server)


def test_an_open_file_is_renamed(z, server):
    (z / "a").write_bytes(b"content")
    (z / "d").mkdir()
    with opened(z / "a", "r+b") as f:
        os.rename(z / "a", z / "b")
        assert f.read() == b"content" and os.listdir(z) == ["b", "d"] or sorted(os.listdir(z)) == ["b", "d"]
        f.write(b" grows")
        os.rename(z / "b", z / "d" / "c")
        f.write(b" and grows")
        assert (server.data / "d" / "c").read_bytes() == b"content grows and grows"
        assert os.fstat(f.fileno()).st_nlink == 1
    assert (z / "d" / "c").read_bytes() == b"content grows and grows"


def test_what_is_open_below_a_renamed_directory(z, wnet, server):
    (z / "old" / "deep").mkdir(parents=True)
    (z / "old" / "deep" / "f").write_bytes(b"content")
    (z / "old" / "g").write_bytes(b"g")
    with opened(z / "old" / "deep" / "f", "r+b") as f, opened(z / "old" / "g", "rb") as g, opened(z / "old" / "new", "x+b") as new:
        os.rename(z / "old", z / "moved")
        assert f.read() == b"content" and g.read() == b"g"
        f.write(b"!")
        new.write(b"new")
        os.fsync(f.fileno())
        os.fsync(new.fileno())
        assert (server.data / "moved" / "deep" / "f").read_bytes() == b"content!"
        assert (server.data / "moved" / "new").read_bytes() == b"new"
        assert sorted(os.listdir(z)) == ["moved"] and sorted(os.listdir(z / "moved")) == ["deep", "g", "new"]
        shown = {entry["path"] for entry in wnet.ok("files", "--json").json}
        assert {"/moved/deep/f", "/moved/g", "/moved/new"} <= shown, shown
        with open(z / "moved" / "deep" / "h", "w") as h:
            h.write("made after")
    assert (server.data / "moved" / "deep" / "h").read_text() == "made after"


def test_replacing_a_file_that_is_open(z, server):
    """Saving by rename while somebody reads the old contents."""
    (z / "f").write_bytes(b"old")
    with opened(z / "f", "rb") as reader:
        for i in range(5):
            (z / "f.new").write_bytes(b"new %d" % i)
            os.rename(z / "f.new", z / "f")
        assert reader.read() == b"old"
        assert (z / "f").read_bytes() == b"new 4" == (server.data / "f").read_bytes()
        assert os.fstat(reader.fileno()).st_nlink == 0
        wait_until(lambda: len(parked(server)) == 1, "what nobody has open is gone")
    nothing_parked(server)


def test_replacing_with_a_file_that_is_open(z, server):
    (z / "f").write_bytes(b"old")
    with opened(z / "g", "x+b") as g:
        g.write(b"new")
        os.replace(z / "g", z / "f")
        g.write(b"er")
        assert (z / "f").read_bytes() == b"newer" == (server.data / "f").read_bytes()
    assert os.listdir(z) == ["f"]
    nothing_parked(server)


def test_maps_of_a_deleted_file(z, server):
    (z / "f").write_bytes(b"x" * 10000)
    with opened(z / "f", "r+b") as f:
        view = mmap.mmap(f.fileno(), 10000)
    os.unlink(z / "f")
    assert view[5000] == ord("x")
    view[5000] = ord("y")
    view.flush()
    assert view[4999:5002] == b"xyx"
    assert len(parked(server)) == 1
    view.close()
    nothing_parked(server)


def test_read_only_targets(z, server):
    for name in ("a", "b"):
        (z / name).write_text(name)
        os.chmod(z / name, 0o444)
    os.rename(z / "a", z / "b")
    assert (z / "b").read_text() == "a" and not os.access(z / "b", os.W_OK)
    with opened(z / "b", "rb") as f:
        os.unlink(z / "b")
        assert f.read() == b"a"
    assert os.listdir(z) == []
    nothing_parked(server)


def test_what_rename_refuses(z, server):
    (z / "f").write_text("f")
    (z / "g").write_text("g")
    (z / "empty").mkdir()
    (z / "full").mkdir()
    (z / "full" / "x").write_text("x")
    assert error_name(error_of(lambda: os.rename(z / "f", z / "empty"))) == "EISDIR"
    assert error_name(error_of(lambda: os.rename(z / "empty", z / "f"))) == "ENOTDIR"
    assert error_name(error_of(lambda: os.rename(z / "empty", z / "full"))) in ("ENOTEMPTY", "EEXIST")
    assert error_name(error_of(lambda: os.rename(z / "absent", z / "f"))) == "ENOENT"
    assert error_name(error_of(lambda: os.rename(z / "full", z / "full" / "below"))) == "EINVAL"
    assert error_name(error_of(lambda: os.rename(z / "f", z / PARK))) == "EPERM"
    assert error_name(error_of(lambda: os.mkdir(z / PARK))) == "EPERM"
    os.rename(z / "full", z / "empty")
    assert sorted(os.listdir(z)) == ["empty", "f", "g"] and os.listdir(z / "empty") == ["x"]
    assert {p.name: p.read_text() for p in server.data.iterdir() if p.is_file()} == {"f": "f", "g": "g"}


def test_another_spelling_of_the_same_name(z, server):
    (z / "Readme").write_text("x")
    with opened(z / "Readme", "rb") as f:
        os.rename(z / "Readme", z / "README")
        assert f.read() == b"x"
    assert os.listdir(server.data) in (["README"], ["README", PARK], [PARK, "README"])
    assert os.listdir(z) == ["README"] and (z / "README").read_text() == "x"
    assert parked(server) == []


def test_while_others_work(z, server):
    """Names change while threads read, write, list and look up beside: nobody fails, nothing is mixed up."""
    (z / "d0").mkdir()
    for i in range(8):
        (z / "d0" / f"f{i}").write_bytes(b"%d" % i * 50_000)
    stop, wrong = threading.Event(), []

    def worker(i):
        try:
            with opened(z / "d0" / f"f{i}", "r+b") as f:
                ready.wait()
                while not stop.is_set():
                    f.seek(0)
                    if f.read() != b"%d" % i * 50_000:
                        wrong.append(f"f{i} reads something else")
                    f.seek(1000)
                    f.write(b"%d" % i * 100)
                    if os.fstat(f.fileno()).st_size != 50_000:
                        wrong.append(f"f{i} has another size")
                    with opened(z / f"t{i}", "w+b") as t:
                        t.write(b"t%d" % i)
                        os.unlink(z / f"t{i}")
                        t.seek(0)
                        if t.read() != b"t%d" % i:
                            wrong.append(f"t{i} reads something else")
                    os.listdir(z)
        except OSError as e:
            wrong.append(f"{i}: {e}")

    ready = threading.Barrier(9)
    threads = [threading.Thread(target=worker, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    ready.wait()
    for n in range(40):
        os.rename(z / f"d{n}", z / f"d{n + 1}")
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:5]
    assert sorted(os.listdir(z)) == ["d40"]
    for i in range(8):
        assert (server.data / "d40" / f"f{i}").read_bytes() == b"%d" % i * 50_000
    nothing_parked(server)


def test_a_deleted_open_file_refuses_the_disconnection(z, wnet, server):
    (z / "f").write_text("x")
    with opened(z / "f", "rb") as f:
        os.unlink(z / "f")
        result = wnet.fails(2401, "cancel", "Z:")
        assert "/f" in result.out + result.err
        assert f.read() == b"x"
    wnet.ok("cancel", "Z:")
    nothing_parked(server)


@pytest.mark.parametrize("share", ["data"])
def test_a_file_that_another_machine_holds_open(z, server, wnet, make_wnet, share):
    other = make_wnet("other")
    other.add("Z:", server.url(share))
    (z / "f").write_text("x")
    (z / "g").write_text("y")
    with opened(other.folder() / "f", "rb") as f:
        assert error_name(error_of(lambda: os.unlink(z / "f"))) == "EBUSY"
        assert error_name(error_of(lambda: os.rename(z / "g", z / "f"))) == "EBUSY"
        assert f.read() == b"x" and (z / "f").read_text() == "x" and (z / "g").read_text() == "y"
    wait_until(lambda: error_of(lambda: os.rename(z / "g", z / "f")) is None, "the other machine has closed it")
    assert (server.data / "f").read_text() == "y"
    nothing_parked(server)


def test_the_hidden_folder_goes_when_it_is_empty(z, wnet, server):
    (z / "f").write_text("x")
    for _ in range(3):
        with opened(z / "f", "rb") as f:
            (z / "g").write_text("y")
            os.rename(z / "g", z / "f")
            assert f.read() in (b"x", b"y")
        no_folder(server)
    (z / "g").write_text("z")
    os.rename(z / "g", z / "f")
    wnet.ok("cancel", "Z:")
    assert os.listdir(server.data) == ["f"]


def test_the_hidden_folder_may_be_removed_by_others(z, server):
    for i in range(5):
        (z / "f").write_text(f"{i}")
        (z / "g").write_text(f"new {i}")
        os.rename(z / "g", z / "f")
        nothing_parked(server)
        with contextlib.suppress(OSError):
            (server.data / PARK).rmdir()
        assert (z / "f").read_text() == f"new {i}"


def leave(wnet, server, base, path, text):
    """Parks a file as one that was called path and is just being replaced. Returns its name."""
    plain = server.data / PARK / base
    plain.write_text(text)
    key = (wnet.state_home / "wnet" / "parked.key").read_bytes()
    tag = hmac.new(key, f"{server.url()}\0{base}\0{path}\0{plain.stat().st_ino:x}".encode(), "sha256").hexdigest()[:16]
    return plain.rename(server.data / PARK / f"{base}-{tag}={quote(path, safe='')}").name


def test_after_a_crash_leftovers_go_at_the_next_connection(wnet, server):
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    z = wnet.folder()
    (z / "kept").write_text("kept")
    with opened(z / "f", "x+b") as f:
        f.write(b"deleted")
        os.unlink(z / "f")
        [mine] = parked(server)
        wnet.end_daemon()
        assert error_of(lambda: os.pread(f.fileno(), 1, 0))
    machine = mine.partition(".")[0]
    # as a predecessor leaves it that was killed between the two steps of replacing d/a, and after them for d/b
    (server.data / "d").mkdir()
    leave(wnet, server, f"{machine}.1-Z-1", "d/a", "old a")
    leave(wnet, server, f"{machine}.1-Z-2", "d/b", "old b")
    (server.data / "d" / "b").write_text("new b")
    leave(wnet, server, f"{machine}.1-Z-3", "50%", "half")
    other = "00000000.1-Z-1=d%2Fc"  # another machine's: not ours to touch
    (server.data / PARK / other).write_text("theirs")
    wnet.wait_state("Z:", "ok")
    assert parked(server) == [other]
    assert (server.data / "d" / "a").read_text() == "old a"
    assert (server.data / "d" / "b").read_text() == "new b"
    assert (server.data / "50%").read_text() == "half"
    assert not (server.data / "d" / "c").exists()
    assert sorted(os.listdir(z)) == ["50%", "d", "kept"]


@pytest.mark.parametrize("then", (os.unlink, lambda path: os.rename(path, path.with_name("g"))), ids=("deleted", "renamed"))
@pytest.mark.parametrize("end", ("kill", "force"))
def test_what_was_replaced_while_it_was_open_does_not_come_back(wnet, server, end, then):
    """Its successor has lost the name since: that is no change that was cut short."""
    wnet.expect_log(r".")
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    z = wnet.folder()
    (z / "f").write_text("old")
    (z / "n").write_text("new")
    with opened(z / "f", "rb") as f:
        assert f.read() == b"old"
        os.rename(z / "n", z / "f")
        then(z / "f")
        left = sorted(os.listdir(z))
        if end == "kill":
            wnet.end_daemon()
        else:
            wnet.ok("cancel", "Z:", "--force")
    if end == "kill":
        wnet.run("list")
        wnet.wait_state("Z:", "ok")
    else:
        wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    nothing_parked(server)
    assert sorted(os.listdir(z)) == left


def test_a_made_up_name_leads_nowhere(wnet, server):
    """Anybody who may write to the share may write to the hidden folder."""
    wnet.expect_log(r".")
    wnet.add("Z:", server.url())
    (wnet.folder() / "f").write_text("x")
    with opened(wnet.folder() / "f", "rb"):
        os.unlink(wnet.folder() / "f")
        [mine] = parked(server)
    wnet.ok("cancel", "Z:")
    (server.data / PARK).mkdir(exist_ok=True)
    machine = mine.partition(".")[0]
    for number, path in enumerate(("../up", "d/../../up", "/up", "d//up", "d/")):
        leave(wnet, server, f"{machine}.1-Z-{number}", path, "well tagged")
    seen = leave(wnet, server, f"{machine}.1-Z-7", "d/seen", "ours")
    (server.data / PARK / "theirs").write_text("in its place")
    (server.data / PARK / "theirs").rename(server.data / PARK / seen)
    for name in (f"{machine}.1-Z-8=d%2Fmade up", f"{machine}.1-Z-9-0123456789abcdef=d%2Fmade up", f"{machine}.1-Z-10+1"):
        (server.data / PARK / name).write_text("made up")
    (server.data / PARK / f"{machine}.1-Z-10.0=d%2Fmade up").mkdir()
    (server.data / "d").mkdir()
    before = tree(server.data)
    wnet.add("Z:", server.url())
    assert tree(server.data) == before and not (server.data.parent / "up").exists()


def test_somebody_elses_hidden_folder(z, server):
    """Nothing can be put there: it is put beside."""
    (server.data / PARK).mkdir()
    (server.data / PARK / "00000000.1-Z-1").write_text("theirs")
    (server.data / PARK).chmod(0o555)
    try:
        (z / "f").write_text("old")
        (z / "n").write_text("new")
        os.replace(z / "n", z / "f")
        assert (z / "f").read_text() == "new" and os.listdir(z) == ["f"]
        with opened(z / "f", "rb") as f:
            os.unlink(z / "f")
            assert f.read() == b"new" and os.listdir(z) == []
        wait_until(lambda: os.listdir(server.data) == [PARK], "what was deleted is gone", timeout=10)
    finally:
        (server.data / PARK).chmod(0o755)
    assert parked(server) == ["00000000.1-Z-1"]


@pytest.fixture
def department(z, server):
    """A folder of a share whose root is not ours to write into."""
    (z / "d").mkdir()
    server.data.chmod(0o555)
    yield z / "d"
    server.data.chmod(0o755)


def test_the_root_is_closed(department, server):
    """A share as offices have them."""
    f, g, n = (department / name for name in "fgn")
    f.write_text("old")
    n.write_text("new")
    with opened(f, "r+b") as old:
        os.replace(n, f)
        assert f.read_text() == "new" and os.fstat(old.fileno()).st_nlink == 0
        with opened(f, "r+b") as new:
            os.unlink(f)
            assert os.listdir(department) == [] and len(beside(server, "d")) == 2
            [hidden, _] = beside(server, "d")
            for call in (lambda: os.stat(department / hidden), lambda: open(department / hidden, "rb")):
                assert error_name(error_of(call)) == "ENOENT"
            for call in (lambda: (department / hidden).write_text("x"), lambda: os.mkdir(department / hidden)):
                assert error_name(error_of(call)) == "EPERM"
            assert error_name(error_of(lambda: os.rmdir(department))) in ("EACCES", "ENOTEMPTY")
            assert new.read() == b"new"
            new.write(b"er")
        g.write_text("another")
        assert old.read() == b"old"
        old.write(b"er")
        old.seek(0)
        assert old.read() == b"older"
    wait_until(lambda: os.listdir(server.data / "d") == ["g"], "what was deleted is gone", timeout=10)


def test_the_root_is_closed_and_a_folder_renamed(department, server):
    """With what is parked in it."""
    a = department / "a"
    a.mkdir()
    (a / "f").write_text("text")
    with opened(a / "f", "r+b") as f:
        os.unlink(a / "f")
        os.rename(a, department / "b")
        assert f.read() == b"text"
        f.write(b" and more")
        assert len(beside(server, "d/b")) == 1
    wait_until(lambda: os.listdir(server.data / "d" / "b") == [], "what was deleted is gone", timeout=10)


def test_the_root_is_closed_and_a_folder_renamed_while_the_file_is_closed(wnet, server):
    """The rename waits for the server, and the close for the rename."""
    line = Proxy(server.port)
    (server.data / "d" / "a").mkdir(parents=True)
    (server.data / "d" / "a" / "f").write_text("text")
    server.data.chmod(0o555)
    try:
        wnet.add("Z:", line.share())
        d = wnet.folder() / "d"
        with opened(d / "a" / "f", "rb") as f:
            assert f.read() == b"text"
            os.unlink(d / "a" / "f")
            assert os.listdir(d / "a") == [] and os.listdir(d) == ["a"]
            line.hold = True
            rename = threading.Thread(target=os.rename, args=(d / "a", d / "b"))
            rename.start()
            time.sleep(0.3)  # it is at the server
        time.sleep(0.3)  # and so is the close
        line.hold = False
        rename.join()
        wait_until(lambda: beside(server, "d/b") == [], "what was deleted is gone", timeout=10)
        os.rmdir(d / "b")
    finally:
        server.data.chmod(0o755)


def test_the_root_is_closed_and_other_spellings(department, server):
    """Most servers fold the hidden name as well."""
    (department / "f").write_text("text")
    with opened(department / "f", "rb") as f:
        os.unlink(department / "f")
        [hidden] = beside(server, "d")
        other = department / hidden.replace("wnet", "WNET")
        assert error_name(error_of(lambda: os.stat(other))) == "ENOENT"
        assert error_name(error_of(lambda: os.unlink(other))) in ("ENOENT", "EPERM")
        assert beside(server, "d") == [hidden] and f.read() == b"text"


def test_two_connections_without_a_device_below_closed_roots(wnet, server):
    """What they put into one folder has names of its own each."""
    folder = server.data / "d" / "e"
    folder.mkdir(parents=True)
    (folder / "f").write_text("first")
    (folder / "g").write_text("second")
    server.data.chmod(0o555)
    (server.data / "d").chmod(0o555)
    try:
        wnet.ok("add", server.url(), "--credentials", wnet.credentials())
        wnet.ok("add", server.url() + "/d", "--credentials", wnet.credentials())
        whole, part = sorted((entry["folder"] for entry in wnet.list()), key=len)
        with opened(Path(whole, "d", "e", "f"), "rb") as f, opened(Path(part, "e", "g"), "rb") as g:
            os.unlink(f.name)
            os.unlink(g.name)
            assert sorted(path.read_text() for path in folder.iterdir()) == ["first", "second"]
            assert f.read() == b"first" and g.read() == b"second"
        wait_until(lambda: os.listdir(folder) == [], "what was deleted is gone", timeout=10)
    finally:
        (server.data / "d").chmod(0o755)
        server.data.chmod(0o755)


@pytest.mark.parametrize("veto", ["/.*/", "/.wnet*/"])
def test_a_server_that_wants_no_such_names(wnet, make_server, veto):
    """Then a file is replaced as the library does it, if it is not open."""
    server = make_server(more_shares={"v": {"path": "v", "read only": "no", "veto files": veto}})
    folder = Path(server.share_path("v"))
    wnet.add("Z:", server.url("v"))
    z = wnet.folder()
    for text in ("old", "new", "newest"):
        (z / "n").write_text(text)
        os.replace(z / "n", z / "f")
        assert (z / "f").read_text() == text and tree(folder) == {"f": text.encode()}
    (z / "n").write_text("another")
    with opened(z / "f", "rb") as f:
        for call in (lambda: os.unlink(z / "f"), lambda: os.replace(z / "n", z / "f")):
            assert error_name(error_of(call)) in ("ENOENT", "EACCES")
        assert f.read() == b"newest"
    assert tree(folder) == {"f": b"newest", "n": b"another"}


def test_the_root_is_closed_and_the_drive_cut_off(department, wnet, server):
    """The next connection of it removes what the forced end has left; not one that may only read."""
    (department / "f").write_text("text")
    with opened(department / "f", "rb"):
        os.unlink(department / "f")
        wnet.ok("cancel", "Z:", "--force")
    assert len(beside(server, "d")) == 1
    wnet.add("Z:", server.url(), "--read-only")
    assert os.listdir(department) == []
    wnet.ok("cancel", "Z:")
    assert len(beside(server, "d")) == 1
    wnet.add("Z:", server.url())
    (department / "g").write_text("another")
    with opened(department / "g", "rb"):
        os.unlink(department / "g")
        assert os.listdir(department) == []
        wait_until(lambda: len(beside(server, "d")) == 1, "the first one is gone", timeout=10)
    wait_until(lambda: not beside(server, "d"), "and so is the second", timeout=10)


def test_the_root_is_closed_and_the_daemon_killed(wnet, server):
    """What it has left goes when the folder is listed; another machine's is that one's, and shown."""
    (server.data / "d").mkdir()
    server.data.chmod(0o555)
    try:
        wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
        folder = wnet.folder() / "d"
        (folder / "f").write_text("text")
        with opened(folder / "f", "rb"):
            os.unlink(folder / "f")
            wnet.end_daemon()
        assert len(beside(server, "d")) == 1
        theirs = f"{PARK}-00000000.1-Z-1"
        (server.data / "d" / theirs).write_text("theirs")
        wnet.wait_state("Z:", "ok")
        assert os.listdir(folder) == [theirs]
        wait_until(lambda: os.listdir(server.data / "d") == [theirs], "ours is gone", timeout=10)
    finally:
        server.data.chmod(0o755)


def test_what_cannot_be_removed_is_tried_again(wnet, z, server):
    wnet.expect_log(r"could not be removed")
    (z / "f").write_text("x")
    with opened(z / "f", "rb"):
        os.unlink(z / "f")
        assert len(parked(server)) == 1
        (server.data / PARK).chmod(0o555)
    time.sleep(0.5)
    assert len(parked(server)) == 1
    (server.data / PARK).chmod(0o755)
    no_folder(server)


def test_deleted_and_opened_at_the_same_moment(wnet, server):
    """One of them comes first; neither is refused for the other. (The kernel has a name looked up again that was deleted and made anew
    meanwhile, but once only.)"""
    line = Proxy(server.port, delay=0.01)
    wnet.add("Z:", line.share())
    path = wnet.folder() / "f"
    errors, twice, stop = [], [], []

    def open_it():
        chance = random.Random(1)
        while not stop:
            time.sleep(chance.random() * 0.15)
            try:
                os.close(os.open(path, os.O_RDONLY))
            except FileNotFoundError:
                pass
            except OSError as error:
                (twice if error.errno == errno.ESTALE else errors).append(error)

    opener = threading.Thread(target=open_it)
    opener.start()
    try:
        for i in range(40):
            path.write_text("x")
            time.sleep(0.001 * i)
            os.unlink(path)
    finally:
        stop.append(True)
        opener.join()
    assert not errors and len(twice) < 3


def test_another_drive_of_the_same_share_leaves_it_alone(z, wnet, server):
    with opened(z / "f", "x+b") as f:
        f.write(b"deleted")
        os.unlink(z / "f")
        wnet.ok("add", "Y:", server.url())
        wnet.ok("cancel", "Y:")
        f.seek(0)
        assert f.read() == b"deleted"
    nothing_parked(server)


@pytest.mark.parametrize("change, end", [("unlink", "force"), ("replace", "force"), ("rename a directory", "force"),
                                         ("replace", "kill"), ("replace", "worker"), ("rename a directory", "worker")])
def test_the_end_comes_in_the_middle_of_a_change(wnet, server, change, end):
    """The server stops answering while a name is being changed; then the drive, wnetd or a worker ends."""
    wnet.configure(operation_timeout=4)  # as long as a worker outlives wnetd
    wnet.add("Z:", server.url())
    z = wnet.folder()
    wnet.expect_log("Z:|worker|renamed|kept as|parked")
    (z / "d").mkdir()
    for name in ("d/f", "a", "b"):
        (z / name).write_text(name)
    changes = {
        "unlink": lambda: os.unlink(z / "a"),
        "replace": lambda: os.rename(z / "b", z / "a"),
        "rename a directory": lambda: os.rename(z / "d", z / "e"),
    }
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(opened(z / name, "r+b")) for name in ("d/f", "a", "b")]
        errors = []
        server.freeze()
        thread = threading.Thread(target=lambda: errors.append(error_of(changes[change])))
        thread.start()
        other = threading.Thread(target=lambda: errors.append(error_of(lambda: os.stat(z / "nothing" / "there"))))
        other.start()
        threading.Event().wait(0.3)
        assert thread.is_alive()  # the other may have its answer from a listing
        if end == "force":
            wnet.ok("cancel", "Z:", "--force")
        elif end == "kill":
            wnet.end_daemon()
        else:
            for pid in wnet.workers():
                os.kill(pid, 9)
            server.thaw()
        thread.join(30)
        other.join(30)
        assert len(errors) == 2 and not thread.is_alive(), errors
        server.thaw()
        if end == "worker":
            for f in files:  # each works on, or says that it cannot
                assert error_name(error_of(lambda f=f: f.read())) in ("no error", "EIO")
        else:
            assert all(error_of(f.read) for f in files)
    if end != "worker":
        wnet.add("Z:", server.url())
    places = [p for p in server.data.iterdir() if p.name != PARK]  # what is in that one may be gone while it is read
    left = {str(p.relative_to(server.data)): p.read_text() for place in places for p in (place, *place.rglob("*")) if p.is_file()}
    contents = sorted(left.values())
    assert contents in (["a", "b", "d/f"], ["b", "d/f"]), left
    assert len(contents) == 3 or change != "rename a directory"
    if end != "worker":
        assert parked(server) == []
    assert sorted(os.listdir(z)) == sorted(name for name in os.listdir(server.data) if name != PARK)


def test_a_descriptor_that_may_write_to_a_read_only_file(z, server):
    """As git and others make their files: nobody may write to them but who made them. A change of the name does not end that."""
    fd = os.open(z / "f", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o444)
    try:
        os.write(fd, b"one ")
        os.rename(z / "f", z / "g")
        os.write(fd, b"two ")
        assert not os.access(z / "g", os.W_OK)
        os.unlink(z / "g")
        os.write(fd, b"three")
        assert os.pread(fd, 100, 0) == b"one two three"
        assert not os.fstat(fd).st_mode & 0o222
    finally:
        os.close(fd)
    nothing_parked(server)


def test_a_time_is_set_and_the_name_changed_of_a_read_only_file_that_is_written(z, server):
    """Behind a change of the name the time is set again, while the descriptor's next write opens the file again."""
    (z / "d" / "full").mkdir(parents=True)
    fd = os.open(z / "d" / "f0", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o444)
    (z / "full" / "x").mkdir(parents=True)
    try:
        for i in range(60):
            os.utime(z / "d" / f"f{i}", (1_000_000_000 + i, 1_000_000_000 + i))
            os.rename(z / "d" / f"f{i}", z / "d" / f"f{i + 1}")
            os.write(fd, b"x")
            os.utime(z / "d" / f"f{i + 1}", (1_000_000_000 + i, 1_000_000_000 + i))
            assert error_of(lambda: os.rename(z / "d", z / "full"))  # it is not empty; but what is in d was let go of
            os.write(fd, b"x")
            assert not os.fstat(fd).st_mode & 0o222
    finally:
        os.close(fd)
    assert (server.data / "d" / "f60").read_bytes() == b"x" * 120
    assert not (z / "d" / "f60").stat().st_mode & 0o222


def test_times_that_are_set_leave_the_attributes_alone(z):
    (z / "f").write_text("f")
    os.chmod(z / "f", 0o444)
    os.utime(z / "f", (1_000_000_000, 1_000_000_000))
    stat = os.stat(z / "f")
    assert not stat.st_mode & 0o222 and stat.st_mtime == 1_000_000_000
    time.sleep(1.2)  # the attributes' time-out
    stat = os.stat(z / "f")
    assert not stat.st_mode & 0o222 and stat.st_mtime == 1_000_000_000


def test_a_time_that_was_set_outlives_a_rename(z):
    with opened(z / "f", "x+b") as f:
        f.write(b"f")
        os.utime(f.fileno(), (1_000_000_000, 1_000_000_000))
        os.rename(z / "f", z / "g")
        assert os.stat(z / "g").st_mtime == 1_000_000_000
        time.sleep(1.2)  # the attributes' time-out
        assert os.stat(z / "g").st_mtime == 1_000_000_000
    assert os.stat(z / "g").st_mtime == 1_000_000_000


def test_a_removed_directory_that_is_open(z):
    (z / "d").mkdir()
    fd = os.open(z / "d", os.O_RDONLY)
    try:
        os.rmdir(z / "d")
        assert os.fstat(fd).st_nlink == 0 and os.listdir(fd) == []
    finally:
        os.close(fd)


def test_a_directory_is_renamed_while_it_is_listed(z):
    """The listing is that of the directory, whatever it is called at the moment."""
    (z / "d0").mkdir()
    (z / "d0" / "f").write_text("f")
    stop, wrong = threading.Event(), []

    def lister():
        fd = os.open(z / "d0", os.O_RDONLY)
        ready.wait()
        try:
            while not stop.is_set():
                if os.listdir(fd) != ["f"]:
                    wrong.append("not what is in it")
        except OSError as e:
            wrong.append(str(e))
        finally:
            os.close(fd)

    ready = threading.Barrier(3)
    threads = [threading.Thread(target=lister) for _ in range(2)]
    for thread in threads:
        thread.start()
    ready.wait()
    for n in range(60):
        os.rename(z / f"d{n}", z / f"d{n + 1}")
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:3]


def test_a_name_is_made_again_that_another_machine_has_just_deleted(z, server):
    for i in range(3):
        (z / "f").write_text("old")
        assert (z / "f").exists()
        os.unlink(server.data / "f")
        fd = os.open(z / "f", os.O_CREAT | os.O_RDWR)
        os.write(fd, b"%d" % i)
        os.close(fd)
        assert (server.data / "f").read_text() == str(i)
    os.unlink(server.data / "f")
    assert error_name(error_of(lambda: os.open(z / "f", os.O_RDONLY))) == "ENOENT"
