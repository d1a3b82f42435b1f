# SPDX-License-Identifier: GPL-3.0-or-later
"""What is taken away on the server while it is in use here: files, folders, rights, the share, the session."""

import contextlib
import os
import shutil
import signal
from pathlib import Path

import pytest
from harness import BOB, LONG, alive, error_name, error_of, mounts_below, opened, wait_until


def errno_of(call):
    return error_name(error_of(call))


AWAY = ("EIO", "EHOSTDOWN")  # at first, and while nothing has changed


def wait_for(call, *expected):
    """What a call answers in the end: the kernel knows attributes for a second, smbd reads its configuration in its own time."""
    seen = [None]

    def answers():
        seen[0] = errno_of(call)
        return seen[0] in expected

    try:
        wait_until(answers, "", timeout=10, interval=0.2)
    except AssertionError:
        raise AssertionError(f"{seen[0]} instead of {expected}") from None


def comm(pid):
    """What a process is called; "" when it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8")
    except OSError:
        return ""


def goes_on(z, server):
    wait_for(lambda: (z / "works").write_text("w"), "no error")
    assert (server.data / "works").read_text() == "w"


# files and folders


def test_an_open_file_is_deleted_there(z, server):
    """By the server itself, that is: another machine would be refused. Who has it open may go on writing; as soon as the kernel asks for the
    file's attributes anew, which a read does after a second, the answer is ESTALE."""
    (z / "f").write_bytes(b"content")
    with open(z / "f", "r+b", buffering=0) as f:
        assert f.read() == b"content"
        os.unlink(server.data / "f")
        wait_for(lambda: os.stat(z / "f"), "ENOENT")
        assert os.listdir(z) == []
        f.write(b" and more")
        wait_for(lambda: os.fstat(f.fileno()), "ESTALE")
        assert errno_of(lambda: os.pread(f.fileno(), 100, 0)) == "ESTALE"
        os.fsync(f.fileno())
    assert os.listdir(z) == os.listdir(server.data) == []
    goes_on(z, server)


def test_another_file_takes_the_place_of_an_open_one(z, server):
    (z / "f").write_bytes(b"content")
    with open(z / "f", "r+b", buffering=0) as f:
        (server.data / "g").write_bytes(b"another one")
        os.rename(server.data / "g", server.data / "f")
        f.write(b"CONTENT")
        assert os.pread(f.fileno(), 100, 0) == b"CONTENT"
        wait_for(lambda: (z / "f").read_bytes().index(b"another"), "no error")
    assert (server.data / "f").read_bytes() == b"another one" == (z / "f").read_bytes()


def test_a_directory_is_removed_there(z, server):
    (z / "d" / "sub").mkdir(parents=True)
    (z / "d" / "f").write_text("x")
    fd = os.open(z / "d", os.O_RDONLY | os.O_DIRECTORY)
    try:
        assert sorted(os.listdir(fd)) == ["f", "sub"]
        shutil.rmtree(server.data / "d")
        for call in (lambda: os.stat("f", dir_fd=fd), lambda: os.listdir(z / "d"), lambda: os.stat(z / "d" / "sub"),
                     lambda: (z / "d" / "new").write_text("x"), lambda: os.mkdir(z / "d" / "new"), lambda: os.rmdir(z / "d"),
                     lambda: os.rename(z / "d", z / "e"), lambda: os.open("new", os.O_CREAT | os.O_WRONLY, dir_fd=fd)):
            wait_for(call, "ENOENT", "ESTALE")
    finally:
        os.close(fd)
    assert os.listdir(z) == []
    os.mkdir(z / "d")
    assert os.listdir(z / "d") == [] and os.listdir(server.data) == ["d"]


def test_the_folder_of_the_drive_is_removed_there(wnet, server):
    (server.data / "d").mkdir()
    wnet.add("Z:", server.url() + "/d")
    z = wnet.folder()
    (z / "f").write_text("x")
    shutil.rmtree(server.data / "d")
    for call in (lambda: (z / "f").read_text(), lambda: os.listdir(z), lambda: (z / "g").write_text("x"), lambda: os.mkdir(z / "new")):
        wait_for(call, "ENOENT", "ESTALE")
    (server.data / "d").mkdir()
    wait_for(lambda: (z / "g").write_text("x"), "no error")
    assert os.listdir(z) == os.listdir(server.data / "d") == ["g"]


# rights


def test_the_rights_to_an_open_file_are_withdrawn(z, server):
    """As on a local disk, they count when a file is opened."""
    (z / "f").write_bytes(b"content")
    with open(z / "f", "r+b", buffering=0) as f:
        os.chmod(server.data / "f", 0)
        assert f.read() == b"content"
        f.write(b" and more")
        wait_for(lambda: open(z / "f", "rb"), "EACCES")
        wait_for(lambda: open(z / "f", "r+b"), "EACCES")
        assert os.pread(f.fileno(), 100, 0) == b"content and more"
    os.chmod(server.data / "f", 0o644)
    assert (z / "f").read_bytes() == b"content and more" == (server.data / "f").read_bytes()


def test_an_open_file_without_rights_is_renamed(z, server):
    """It has to be opened again under its new name, which it then cannot be: its descriptors say so, its data stays."""
    (z / "f").write_bytes(b"content")
    with opened(z / "f", "r+b") as f:
        os.chmod(server.data / "f", 0o000)
        renamed = errno_of(lambda: os.rename(z / "f", z / "g"))
        assert renamed in ("no error", "EACCES")
        name = "g" if renamed == "no error" else "f"
        wait_for(lambda: os.pread(f.fileno(), 100, 0), "EIO")
        assert os.listdir(server.data) == [name]
    os.chmod(server.data / name, 0o644)
    assert (z / name).read_bytes() == b"content"


def test_a_directory_without_rights(z, server):
    (z / "d").mkdir()
    (z / "d" / "f").write_text("x")
    os.chmod(server.data / "d", 0o500)
    try:
        for call in (lambda: (z / "d" / "new").write_text("x"), lambda: os.mkdir(z / "d" / "new"), lambda: os.unlink(z / "d" / "f"),
                     lambda: os.rename(z / "d" / "f", z / "g")):
            assert errno_of(call) == "EACCES"
        assert (z / "d" / "f").read_text() == "x"
        os.chmod(server.data / "d", 0)
        wait_for(lambda: os.listdir(z / "d"), "EACCES")
        wait_for(lambda: (z / "d" / "f").read_text(), "EACCES")
    finally:
        os.chmod(server.data / "d", 0o755)
    wait_for(lambda: os.listdir(z / "d").index("f"), "no error")


# the share, the session


def test_the_share_becomes_read_only(z, server):
    with opened(z / "f", "x+b") as f:
        f.write(b"before")
        server.shares["data"]["read only"] = "yes"
        server.write_config()
        server.control("reload-config")
        server.control("close-share", "data")
        wait_for(lambda: (z / "g").write_text("x"), "EACCES")
        wait_for(lambda: f.write(b"x"), "EIO")  # it cannot be opened again
        assert (z / "f").read_bytes() == b"before"
    server.shares["data"]["read only"] = "no"
    server.write_config()
    server.control("reload-config")
    server.control("close-share", "data")
    goes_on(z, server)
    assert (server.data / "f").read_bytes() == b"before"


@pytest.mark.parametrize("how", ("forbidden", "gone"))
def test_the_share_is_taken_away(z, wnet, server, how):
    """The drive says why it does not work, and works again when the share is back."""
    wnet.configure(connect_timeout=5)
    with opened(z / "f", "x+b") as f:
        f.write(b"before")
        share = server.shares["data"]
        if how == "forbidden":
            server.shares["data"] = {**share, "valid users": BOB}
        else:
            del server.shares["data"]
        server.write_config()
        server.control("reload-config")
        server.control("close-share", "data")
        wait_for(lambda: (z / "g").write_text("x"), *AWAY)
        assert errno_of(lambda: f.write(b"x")) in AWAY
        reason = "this user may not use the share" if how == "forbidden" else "no such share"
        wait_until(lambda: reason in wnet.entry()["reason"], f"the drive says: {reason}")
        assert wnet.entry()["state"] == "reconnecting"
        server.shares["data"] = share
        server.write_config()
        server.control("reload-config")
        goes_on(z, server)
        f.write(b" and after")
    assert (server.data / "f").read_bytes() == b"before and after"
    assert wnet.entry()["state"] == "ok" and wnet.entry()["reason"] == ""


def test_a_drive_without_its_share_is_cancelled(z, wnet, server):
    with opened(z / "f", "x+b"):
        del server.shares["data"]
        server.write_config()
        server.control("reload-config")
        server.control("close-share", "data")
        wait_for(lambda: (z / "g").write_text("x"), *AWAY)
        wnet.fails(2401, "cancel", "Z:")
    wnet.ok("cancel", "Z:")
    assert mounts_below(wnet.drives) == []


@pytest.mark.parametrize("busy", (False, True))
def test_the_share_is_closed_and_free_at_once(z, server, busy):
    """As an administrator does to have it to himself for a moment. Whatever was open is opened again."""
    (server.data / "r").write_bytes(bytes(range(256)) * 20_000)
    with opened(z / "r", "rb") as r, opened(z / "f", "x+b") as f:
        for number in range(3):
            assert os.pread(r.fileno(), 256, 256_000 * number) == bytes(range(256))
            assert f.write(b"%d" % number) == 1
            server.control("close-share", "data")
            if busy:
                assert os.pread(r.fileno(), 256, 2_560_000 + 256_000 * number) == bytes(range(256))
        assert os.fstat(f.fileno()).st_size == 3
    assert (server.data / "f").read_bytes() == b"012"
    assert sorted(os.listdir(z)) == ["f", "r"]
    goes_on(z, server)


def test_the_session_is_killed(z, wnet, server):
    """The server goes on taking connections."""
    (server.data / "r").write_bytes(bytes(range(256)) * 20_000)
    with opened(z / "r", "rb") as r, opened(z / "f", "x+b") as f:
        assert r.read(256) == bytes(range(256)) and f.write(b"before") == 6
        # the first one listens, and helpers have names of their own
        sessions = [pid for pid in server.processes() if pid != server.session and comm(pid) == "smbd\n"]
        assert sessions
        for pid in sessions:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(map(alive, sessions)), "the sessions have ended", timeout=LONG)
        wait_for(lambda: os.pread(r.fileno(), 256, 256_000).index(bytes(range(256))), "no error")
        wait_for(lambda: os.pwrite(f.fileno(), b" and after", 6), "no error")
    assert (server.data / "f").read_bytes() == b"before and after"
    goes_on(z, server)
    assert wnet.wait_state("Z:", "ok")["reason"] == ""
