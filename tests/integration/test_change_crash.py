# SPDX-License-Identifier: GPL-3.0-or-later
"""wnetd or a worker is killed at each step of a change of names. Whatever was to be replaced has its old or its new contents then, at
once or at the next connection; nothing is lost, and nothing is left in the hidden folder."""

import contextlib
import os
import threading

import pytest
from harness import PARK, beside, error_name, error_of, opened, tree, wait_until
from proxy import Proxy

DEEP = "/".join(f"a folder with a long name: {n} of them. " + "é" * 60 for n in range(4))  # its path does not fit into a name


def park_gone(server):
    wait_until(lambda: not (server.data / PARK).exists(), "the hidden folder is gone")


def files(server):
    """{name: contents} of all files, the hidden folder's too."""
    return {name: data for name, data in tree(server.data).items() if data is not None}


def persistent(wnet, server):
    return wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")


REPLACE = ["change.held", "change.park-made", "change.parked", "change.renamed", "change.removed"]
WORKER = ["worker.rename#1", "worker.renamed#1", "worker.rename#2", "worker.renamed#2", "worker.unlinked"]


@pytest.mark.parametrize("folder, is_open", [("", False), (DEEP, False), ("d", True)], ids=["root", "deep", "open"])
@pytest.mark.parametrize("step", REPLACE)
def test_wnetd_is_killed_while_a_file_is_replaced(wnet, server, faulty, step, folder, is_open):
    faulty.arm(step)
    persistent(wnet, server)
    z = wnet.folder()
    os.makedirs(z / folder, exist_ok=True)
    old, new = z / folder / "f", z / folder / "f.new"
    old.write_text("old")
    new.write_text("new")
    with contextlib.ExitStack() as stack:
        if is_open:
            for path in (old, new):
                stack.enter_context(opened(path, "r+b"))
        error = error_of(lambda: os.rename(new, old))
    assert error is not None or step == "change.removed"
    wait_until(lambda: not wnet.daemons(), "the daemon has killed itself")
    assert sorted(files(server).values()) in ([b"new", b"old"], [b"new"])
    faulty.disarm()
    wnet.wait_state("Z:", "ok")
    left = {path.name: path.read_text() for path in (z / folder).iterdir() if path.is_file()}
    assert left in ({"f": "old", "f.new": "new"}, {"f": "new"}), left
    assert (left["f"] == "old") == (step in ("change.held", "change.park-made", "change.parked"))
    assert {os.path.basename(name): data.decode() for name, data in files(server).items()} == left
    park_gone(server)


@pytest.mark.parametrize("step", ["change.held", "change.parked", "change.renamed", "change.removed"])
def test_wnetd_is_killed_while_a_file_is_replaced_below_a_closed_root(wnet, server, faulty, close_root, step):
    """The new contents are there, be it under the name that they had."""
    (server.data / "d").mkdir()
    close_root()
    faulty.arm(step)
    persistent(wnet, server)
    folder = wnet.folder() / "d"
    (folder / "f").write_text("old")
    (folder / "f.new").write_text("new")
    error = error_of(lambda: os.rename(folder / "f.new", folder / "f"))
    assert error is not None or step == "change.removed"
    wait_until(lambda: not wnet.daemons(), "the daemon has killed itself")
    faulty.disarm()
    wnet.wait_state("Z:", "ok")
    left = {path.name: path.read_text() for path in folder.iterdir()}
    assert left == {"change.held": {"f": "old", "f.new": "new"}, "change.parked": {"f.new": "new"}}.get(step, {"f": "new"})
    wait_until(lambda: not beside(server, "d"), "nothing is left beside")


@pytest.mark.parametrize("step", ["change.held", "change.folder-removed", "change.renamed"])
def test_wnetd_is_killed_while_an_empty_folder_is_replaced(wnet, server, faulty, step):
    faulty.arm(step)
    persistent(wnet, server)
    z = wnet.folder()
    (z / "empty").mkdir()
    (z / "d").mkdir()
    (z / "d" / "f").write_text("f")
    assert error_of(lambda: os.rename(z / "d", z / "empty"))
    wait_until(lambda: not wnet.daemons(), "the daemon has killed itself")
    faulty.disarm()
    wnet.wait_state("Z:", "ok")
    assert list(files(server)) in (["d/f"], ["empty/f"])
    park_gone(server)


@pytest.fixture
def close_root(server):
    """Leaves what is below the share's root to us, but not that itself."""
    yield lambda: server.data.chmod(0o555)
    server.data.chmod(0o755)


@pytest.mark.parametrize("folder, is_open, closed", [("", False, False), (DEEP, True, False), ("d", False, True), ("d", True, True)],
                         ids=["root", "deep and open", "root closed", "root closed and open"])
@pytest.mark.parametrize("step", WORKER)
def test_a_worker_is_killed_while_a_file_is_replaced(wnet, server, faulty, close_root, step, folder, is_open, closed):
    """The program hears how it has ended, and its descriptors go on."""
    faulty.arm(step)
    persistent(wnet, server)
    z = wnet.folder()
    os.makedirs(z / folder, exist_ok=True)
    if closed:
        close_root()
    old, new = z / folder / "f", z / folder / "f.new"
    old.write_text("old")
    new.write_text("new")
    with contextlib.ExitStack() as stack:
        if is_open:
            descriptors = {path: stack.enter_context(opened(path, "r+b")) for path in (old, new)}
        error = error_of(lambda: os.rename(new, old))
        assert error_name(error) in ("no error", "EIO")
        left = {path.name: path.read_text() for path in (z / folder).iterdir() if path.is_file()}
        assert left == ({"f": "old", "f.new": "new"} if error else {"f": "new"})
        if is_open:
            assert descriptors[old].read() == b"old"
            descriptors[new].write(b"newer")
            assert (old if not error else new).read_text() == "newer"
            if not error:
                assert os.fstat(descriptors[old].fileno()).st_nlink == 0
    wait_until(faulty.struck, "a worker has died")
    park_gone(server)
    if closed:
        wait_until(lambda: not beside(server, folder), "nothing is left beside")
    assert {os.path.basename(name): data.decode() for name, data in files(server).items()} == {
        path.name: path.read_text() for path in (z / folder).iterdir() if path.is_file()}


@pytest.mark.parametrize("n", (1, 2), ids=["hidden", "path"])
def test_a_worker_is_killed_having_made_a_folder_for_what_is_replaced(wnet, server, faulty, n):
    """The hidden folder, or the one in it that tells the path."""
    faulty.arm(f"worker.folder-made#{n}")
    persistent(wnet, server)
    z = wnet.folder()
    (z / "f").write_text("old")
    (z / "f.new").write_text("new")
    with opened(z / "f", "rb") as old:
        assert error_name(error_of(lambda: os.rename(z / "f.new", z / "f"))) == "EIO"
        assert faulty.struck()
        assert old.read() == b"old"
    park_gone(server)
    assert files(server) == {"f": b"old", "f.new": b"new"}


@pytest.mark.parametrize("step", ["worker.rename", "worker.renamed"])
@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_worker_is_killed_while_an_open_thing_is_renamed(wnet, server, faulty, step, what):
    faulty.arm(step)
    persistent(wnet, server)
    z = wnet.folder()
    (z / "a").mkdir()
    (z / "a" / "f").write_text("content")
    old, new = (z / "a" / "f", z / "a" / "g") if what == "file" else (z / "a", z / "b")
    with opened(z / "a" / "f", "r+b") as f:
        error = error_of(lambda: os.rename(old, new))
        assert error_name(error) in ("no error", "EIO")
        assert (error is None) == (step == "worker.renamed")
        assert new.exists() == (error is None) and old.exists() == (error is not None)
        assert f.read() == b"content"
        f.write(b" and more")
    assert list(files(server).values()) == [b"content and more"]


@pytest.mark.parametrize("step", ["worker.rename", "worker.renamed"])
def test_a_worker_is_killed_while_an_open_file_is_deleted(wnet, server, faulty, step):
    faulty.arm(step)
    persistent(wnet, server)
    z = wnet.folder()
    (z / "f").write_text("content")
    with opened(z / "f", "r+b") as f:
        error = error_of(lambda: os.unlink(z / "f"))
        assert (error is None) == (step == "worker.renamed")
        assert (z / "f").exists() == (error is not None)
        assert f.read() == b"content"
    park_gone(server)
    assert list(files(server)) == ([] if error is None else ["f"])


@pytest.mark.parametrize("step", ["worker.folder-removed", "worker.rename", "worker.renamed"])
def test_a_worker_is_killed_while_an_empty_folder_is_replaced(wnet, server, faulty, step):
    faulty.arm(step)
    persistent(wnet, server)
    z = wnet.folder()
    (z / "empty").mkdir()
    (z / "d").mkdir()
    (z / "d" / "f").write_text("f")
    error = error_of(lambda: os.rename(z / "d", z / "empty"))
    assert sorted(tree(server.data)) == (["d", "d/f", "empty"] if error else ["empty", "empty/f"])
    assert (error is None) == (step == "worker.renamed")


@pytest.mark.parametrize("n", range(4))
def test_the_server_goes_away_while_a_file_is_replaced(wnet, server, n):
    """Long enough for the program to be told that it failed; when the server is back, the name has its contents again, and what is open
    goes on."""
    way = Proxy(server.port)
    wnet.configure(operation_timeout=5, connect_timeout=5)
    wnet.ok("add", "Z:", way.share(), "--credentials", wnet.credentials(), "--persistent")
    z = wnet.folder()
    (z / "f").write_text("old")
    (z / "f.new").write_text("new")
    with opened(z / "f", "rb") as old, opened(z / "f.new", "r+b") as new:
        cut = threading.Thread(target=cut_after, args=(way, server, n))
        cut.start()
        error = error_of(lambda: os.rename(z / "f.new", z / "f"))
        cut.join()
        assert error_name(error) in ("no error", "EIO", "EHOSTDOWN")
        way.hold = False
        wnet.wait_state("Z:", "ok")
        wait_until(lambda: (z / "f").exists(), "the name is there again")
        left = {path.name: path.read_text() for path in z.iterdir()}
        assert left in ({"f": "old", "f.new": "new"}, {"f": "new"}), left
        assert old.read() == b"old"
        new.write(b"newer")
        assert (z / ("f.new" if "f.new" in left else "f")).read_text() == "newer"
    park_gone(server)


def test_the_server_goes_away_and_the_folder_is_renamed(wnet, server, close_root):
    """What lies beside is found where it is then."""
    (server.data / "d").mkdir()
    close_root()
    way = Proxy(server.port)
    wnet.configure(operation_timeout=5, connect_timeout=5)
    wnet.add("Z:", way.share())
    z = wnet.folder()
    (z / "d" / "e").mkdir()
    (z / "d" / "e" / "f").write_text("old")
    (z / "d" / "e" / "f.new").write_text("new")

    def cut():
        wait_until(lambda: beside(server, "d/e"), "it is parked", interval=0, timeout=20)
        way.hold = True

    cutter = threading.Thread(target=cut)
    cutter.start()
    error = error_of(lambda: os.rename(z / "d" / "e" / "f.new", z / "d" / "e" / "f"))
    cutter.join()
    rename = threading.Thread(target=lambda: wait_until(lambda: error_of(lambda: os.rename(z / "d" / "e", z / "d" / "g")) is None, "it is renamed"))
    rename.start()
    way.hold = False
    rename.join()
    wnet.wait_state("Z:", "ok")
    wait_until(lambda: not beside(server, "d/g"), "nothing is left beside")
    left = {path.name: path.read_text() for path in (z / "d" / "g").iterdir()}
    assert left in ({"f": "old", "f.new": "new"}, {"f": "new"})
    assert error is None or left == {"f": "old", "f.new": "new"}


def cut_after(way, server, n):
    """Nothing passes any more when so much of the change is to be seen in the server's folder."""
    if n == 0:
        way.hold = True
        return
    seen = {
        1: lambda: (server.data / PARK).exists(),
        2: lambda: not (server.data / "f").exists(),
        3: lambda: not (server.data / "f.new").exists(),
    }[n]
    with contextlib.suppress(AssertionError):
        wait_until(seen, "it has come as far", interval=0, timeout=20)
    way.hold = True


def test_what_an_earlier_connection_of_the_drive_has_left(wnet, server):
    """Cut off by force in the middle: the next connection of the same daemon sees to it."""
    wnet.add("Z:", server.url())
    z = wnet.folder()
    (z / "f").write_text("f")
    with opened(z / "f", "rb") as f:
        os.unlink(z / "f")
        assert f.read() == b"f"
        wnet.ok("cancel", "Z:", "--force")
    assert len(files(server)) == 1
    wnet.add("Z:", server.url())
    assert files(server) == {}
    park_gone(server)
    assert os.listdir(z) == []
