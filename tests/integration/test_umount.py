# SPDX-License-Identifier: GPL-3.0-or-later
"""A drive is unmounted from outside: by umount(8), whose helper makes it a cancel, by GIO, which is that, and behind wnetd's back."""

import contextlib
import os
import signal
import subprocess

import pytest
from harness import LONG, alive, error_name, error_of, wait_until

HELPER = "/sbin/umount.fuse.wnet"
# what umount(8) hands on to its helper: no HOME and no PATH
STRIPPED = ("HOME", "PATH", "SHELL", "MAIL", "LD_PRELOAD")
with_helper = pytest.mark.skipif(not os.path.exists(HELPER), reason=f"only root can let umount(8) find its helper, {HELPER}")


@pytest.fixture
def helper(wnet):
    """helper(folder, option, …): the program as umount(8) calls it."""
    env = {name: value for name, value in wnet.env.items() if name not in STRIPPED}
    return lambda *args: wnet.program(wnet.build / "umount.fuse.wnet", *args, env=env, cwd="/")


@contextlib.contextmanager
def held(wnet, path):
    """A program that has path open."""
    tail = wnet.popen(["tail", "-f", path], stdout=subprocess.PIPE)
    assert tail.stdout.readline()
    yield tail
    tail.kill()
    tail.wait(LONG)


def assert_refused(result, tail, code=32):
    assert result.code == code, repr(result)
    assert result.err == f"Z: cannot be disconnected: files on it are open\nZ:/letter.txt: tail (process {tail.pid})\n", repr(result)


def assert_works(wnet, server):
    (wnet.folder() / "probe").write_text("works")
    assert (server.data / "probe").read_text() == "works" and wnet.entry()["state"] == "ok"


def assert_gone(wnet):
    assert wnet.list() == [] and wnet.mount() is None and not wnet.folder().exists()


@pytest.fixture
def letter(server, z):
    (server.data / "letter.txt").write_text("Dear all\n")
    return z / "letter.txt"


# the helper


def test_the_helper_disconnects(wnet, z, helper):
    result = helper(z)
    assert (result.code, result.out, result.err) == (0, "", ""), repr(result)
    assert_gone(wnet)
    assert wnet.ok("history", "--json").json[0]["event"] == "disconnected"


def test_the_helper_itself_holds_nothing(wnet, letter):
    result = wnet.program("bash", "-c", 'exec 5< "$1" && exec "$0" "${1%/*}"', wnet.build / "umount.fuse.wnet", letter)
    assert result.code == 0, repr(result)
    assert_gone(wnet)


def test_the_helper_is_refused_while_a_file_is_open(wnet, server, z, letter, helper):
    with held(wnet, letter) as tail:
        assert_refused(helper(z, "-v", "-n"), tail)
        assert_works(wnet, server)
    assert helper(z).code == 0
    assert_gone(wnet)


def test_the_helper_says_who_works_in_it(wnet, server, z, helper):
    (z / "folder").mkdir()
    shell = wnet.popen(["sh", "-c", "echo ready; read answer"], cwd=z / "folder", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert shell.stdout.readline()
    result = helper(z)
    assert result.code == 32 and result.err.endswith(f"Z:/folder: sh (process {shell.pid})\n"), repr(result)
    assert len(result.err.splitlines()) == 2
    assert_works(wnet, server)


def test_the_helper_names_a_few_of_many(wnet, server, z, letter, helper):
    with contextlib.ExitStack() as stack:
        for _ in range(7):
            stack.enter_context(held(wnet, letter))
        lines = helper(z).err.splitlines()
        assert len(lines) == 7 and lines[-1] == "and 2 more", lines


def test_the_helper_forces(wnet, letter, helper):
    with held(wnet, letter):
        assert helper(wnet.folder(), "-f").code == 0
        assert_gone(wnet)


def test_the_helper_keeps_the_row(wnet, server, helper):
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    assert helper(wnet.folder()).code == 0
    assert wnet.mount() is None and wnet.entry()["state"] == "unavailable" and "Z:" in wnet.rows()


def test_the_helper_and_connections_without_a_device(wnet, server, z, helper):
    """One of several to a share is taken out alone: its name would stand for the drive, too, in whatever case."""
    wnet.ok("cancel", "Z:")
    for url, others in ((server.url(), []), (server.url(), ["Z:"]), (server.url("DATA"), ["Z:"])):
        if others and not wnet.entry("Z:"):
            wnet.add("Z:", server.url())
        wnet.ok("add", url, "--user", "alice", "--password-stdin", input="Kew-gardens-88\n")
        (folder,) = [entry["folder"] for entry in wnet.list() if entry["device"] == ""]
        assert helper(folder).code == 0
        wait_until(lambda: [entry["device"] for entry in wnet.list()] == others, f"{others} are left")


def test_the_helper_and_a_drive_that_is_only_remembered(wnet, server, helper):
    """It has no part in a connection without a device to the same share, which is refused as any other."""
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    wnet.ok("cancel", "Z:")
    wnet.ok("add", server.url(), "--credentials", wnet.credentials())
    (folder,) = [entry["folder"] for entry in wnet.list() if entry["device"] == ""]
    with open(os.path.join(folder, "f"), "wb"):
        result = helper(folder)
        assert result.code != 0 and "/f" in result.err, repr(result)
    assert helper(folder).code == 0
    assert [entry["device"] for entry in wnet.list()] == ["Z:"]


def test_the_helper_unmounts_what_a_killed_daemon_left(wnet, z, helper):
    wnet.end_daemon(signal.SIGKILL)
    assert wnet.mount()
    assert helper(z).code == 0
    assert wnet.mount() is None and wnet.daemons() == []


def test_the_helper_leaves_alone_what_is_no_drive(wnet, helper):
    for path in ("/proc", wnet.home, "Z:"):
        result = helper(path)
        assert result.code != 0 and result.err != "", repr(result)


# umount(8) and GIO


def umount(wnet, *args):
    return wnet.program("umount", *args)


def eject(wnet, folder):
    return wnet.program("gio", "mount", "-u", folder)


@with_helper
@pytest.mark.parametrize(("unmount", "code"), [(umount, 32), (eject, 2)])
def test_it_is_a_cancel(wnet, server, z, letter, unmount, code):
    with held(wnet, letter) as tail:
        result = unmount(wnet, z)
        text = result.err.replace(f"gio: file://{z}: ", "").replace("\n\n", "\n")
        assert result.code == code and f"Z:/letter.txt: tail (process {tail.pid})\n" in text, repr(result)
        assert "Z: cannot be disconnected: files on it are open\n" in text
        assert_works(wnet, server)
    result = unmount(wnet, z)
    assert (result.code, result.err) == (0, ""), repr(result)
    assert_gone(wnet)
    assert [event["event"] for event in wnet.ok("history", "--json").json][0] == "disconnected"


@with_helper
def test_umount_by_force_and_lazily(wnet, server, letter):
    with held(wnet, letter):
        assert umount(wnet, "-f", wnet.folder()).code == 0
        assert_gone(wnet)
    wnet.add("Z:", server.url())
    assert umount(wnet, "-l", wnet.folder()).code == 0
    wait_until(lambda: wnet.list() == [], "the drive is gone")


# behind wnetd's back


BEHIND = [["fusermount3", "-u"], ["umount", "-i"], ["fusermount3", "-u", "-z"]]


@pytest.mark.parametrize("command", BEHIND, ids=" ".join)
@pytest.mark.parametrize("remembered", [False, True], ids=["", "remembered"])
def test_behind_its_back(wnet, server, command, remembered):
    options = ["--persistent"] if remembered else []
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), *options)
    assert_works(wnet, server)
    workers = wnet.workers()
    assert wnet.program(*command, wnet.folder()).code == 0
    if remembered:
        entry = wnet.wait_state("Z:", "unavailable")
        assert entry["reason"] == "unmounted by another program" and entry["next_retry"] is None
        assert set(wnet.rows()) == {"Z:"} and os.listdir(wnet.folder()) == []
        assert error_name(error_of(lambda: (wnet.folder() / "f").write_text("to the local disk"))) == "EACCES"
    else:
        wait_until(lambda: wnet.list() == [], "the drive is gone")
        wait_until(lambda: not wnet.folder().exists(), "its folder is gone")
    wait_until(lambda: not any(map(alive, workers)), "its workers are gone")
    event = wnet.ok("history", "--json").json[0]
    assert (event["device"], event["event"], event["detail"]) == ("Z:", "unmounted", "by another program")
    if remembered:
        wnet.ok("restore", "Z:")
    else:
        wnet.add("Z:", server.url())
    assert_works(wnet, server)


@pytest.mark.parametrize("command", BEHIND[:2], ids=" ".join)
def test_behind_its_back_it_is_refused_while_in_use(wnet, server, z, letter, command):
    with held(wnet, letter):
        result = wnet.program(*command, z)
        assert result.code != 0 and "busy" in result.err, repr(result)
        assert_works(wnet, server)


def test_behind_its_back_lazily_while_in_use(wnet, z, letter):
    """Who has a file open goes on; the list says that nobody else comes to it."""
    with held(wnet, letter) as tail:
        assert wnet.entry()["reason"] == ""
        assert wnet.program("fusermount3", "-u", "-z", z).code == 0
        assert wnet.entry()["reason"] == "it is not mounted in its place any more, and is still in use; wnet cancel ends it"
        assert str(tail.pid) in wnet.fails(2401, "cancel", "Z:").err
        wnet.ok("cancel", "Z:", "--force")
    assert_gone(wnet)
