# SPDX-License-Identifier: GPL-3.0-or-later
"""A server behind a DFS link says nothing, from the beginning or at some time; and a drive is disconnected while files behind a link
are open."""

import os
import socket
import subprocess
import sys
import time

import pytest
from harness import LONG, beside, error_name, error_of, mounts_below, opened, wait_until
from test_dfs import namespace, target  # noqa: F401
from test_failures import FAILURE
from test_revocation import WRITE, hold, still_answers

TIMEOUT = 2  # operation_timeout; the library's own are 20 seconds, the kernel's more than a minute
IN_TIME = 18  # seconds, on a busy machine, but sooner than the library gives up
PATTERN = bytes(range(256))

# A program that makes one call, and tells when it is about to; then what it came to, and after how many seconds.
ASK = """
import errno, os, sys, time
call, path = sys.argv[1:]
calls = {
    "stat": lambda: os.stat(path), "list": lambda: os.listdir(path), "read": lambda: open(path + "/f", "rb").read(),
    "write": lambda: open(path + "/f", "wb").write(b"x"), "mkdir": lambda: os.mkdir(path + "/d"), "rename": lambda: os.rename(path + "/f", path + "/g"),
}
print("asking", flush=True)
begin = time.monotonic()
try:
    calls[call]()
    name = "no error"
except OSError as e:
    name = errno.errorcode[e.errno]
print(name, time.monotonic() - begin)
"""


class Asker:
    def __init__(self, wnet, call, path):
        self.process = wnet.popen([sys.executable, "-c", ASK, call, path], stdout=subprocess.PIPE)

    def begun(self):
        """Waits until it is about to ask."""
        assert self.process.stdout.readline() == "asking\n"

    def waits(self):
        return self.process.poll() is None

    def answer(self):
        """(the error's name, seconds)"""
        self.process.wait(LONG)
        return self.process.stdout.read().splitlines()[-1].split(" ")[-2:]

    def assert_failed_in_time(self):
        name, seconds = self.answer()
        assert name in FAILURE and float(seconds) < IN_TIME, (name, seconds)


@pytest.fixture(params=["drops packets", "takes connections"])
def silent(request, namespace):  # noqa: F811
    """The name of a link to where nobody says a word."""
    address = "10.255.0.2" if request.param == "drops packets" else "127.0.0.4"  # the first: see own-namespaces
    (namespace.folder / "silent").symlink_to(f"msdfs:{address}\\data")
    with socket.create_server(("127.0.0.4", 445)):
        yield "silent"


@pytest.fixture
def z(request, wnet, namespace, target):  # noqa: F811
    wnet.configure(operation_timeout=getattr(request, "param", TIMEOUT))
    wnet.expect_log("worker|connection|server")
    (namespace.folder / "own").write_bytes(PATTERN * 40_000)
    wnet.add("Z:", namespace.name)
    return wnet.folder()


def goes_on(wnet, z):
    """All of the drive but what is behind the silent link."""
    assert {"own", "away"} <= set(os.listdir(z)) and (z / "own").stat().st_size == 10_240_000
    (z / "away" / "works").write_text("w")
    assert (z / "away" / "works").read_text() == "w"
    wnet.wait_state("Z:", "ok")


@pytest.mark.parametrize("call", ["list", "write"])
def test_a_target_that_says_nothing(z, wnet, silent, call):
    with opened(z / "own", "rb") as own:
        asker = Asker(wnet, call, z / silent)
        rounds = 0
        while asker.waits():  # what is open is not held up
            assert os.pread(own.fileno(), 256, rounds * 102_400 % 10_240_000) == PATTERN
            assert [entry["device"] for entry in wnet.list()] == ["Z:"]
            rounds += 1
        assert rounds > 1
        asker.assert_failed_in_time()
    goes_on(wnet, z)
    wnet.ok("cancel", "Z:")


def test_many_who_ask_it_wait_no_longer_than_one(z, wnet, silent):
    askers = [Asker(wnet, call, z / silent) for call in ("stat", "list", "read", "write", "mkdir", "rename")]
    time.sleep(0.5)
    other = Asker(wnet, "list", z / "own")  # not a folder
    for asker in askers:
        asker.assert_failed_in_time()
    assert other.answer()[0] == "ENOTDIR"
    goes_on(wnet, z)


@pytest.mark.parametrize("options", [[], ["--force"]], ids=["unforced", "forced"])
@pytest.mark.parametrize("z", [2 * TIMEOUT], indirect=True)  # the cancel comes meanwhile; at 5 seconds the library may say ENOENT
def test_a_cancel_meanwhile(z, wnet, silent, options):
    asker = Asker(wnet, "read", z / silent)
    asker.begun()
    time.sleep(0.3)
    assert asker.waits()
    if options:
        wnet.ok("cancel", "Z:", *options)
        assert mounts_below(wnet.drives) == [] and wnet.list() == []
        asker.assert_failed_in_time()
    else:
        assert "waits for an answer" in wnet.fails(2404, "cancel", "Z:").text
        asker.assert_failed_in_time()
        goes_on(wnet, z)
        wnet.ok("cancel", "Z:")


def test_a_target_that_falls_silent(z, wnet, target):
    (target.data / "f").write_bytes(PATTERN * 40_000)
    with opened(z / "away" / "f", "r+b") as f, opened(z / "own", "rb") as own:
        assert f.read(256) == PATTERN == own.read(256)
        target.freeze()
        askers = [Asker(wnet, call, z / "away") for call in ("read", "list", "mkdir")]
        assert error_name(error_of(lambda: os.pread(f.fileno(), 256, 5_120_000))) in FAILURE
        assert os.pread(own.fileno(), 256, 5_120_000) == PATTERN and (z / "own").stat().st_size == 10_240_000
        assert error_name(error_of(lambda: f.write(b"x")) or error_of(lambda: os.fsync(f.fileno()))) in FAILURE
        for asker in askers:
            asker.assert_failed_in_time()
        target.thaw()
        wait_until(lambda: error_of(lambda: os.pread(f.fileno(), 256, 5_120_000)) is None, "the open file is read on")
        os.pwrite(f.fileno(), b"later", 1000)
        os.fsync(f.fileno())
    assert (target.data / "f").read_bytes()[1000:1005] == b"later"
    wait_until(lambda: error_of(lambda: (z / "away" / "works").write_text("w")) is None, "the target is back")
    goes_on(wnet, z)


def test_the_library_gives_up_by_itself(wnet, namespace, target):  # noqa: F811
    """It stops connecting after 20 seconds, and what it says then is an error that a program may get."""
    wnet.configure(operation_timeout=40)
    wnet.add("Z:", namespace.name)
    assert (wnet.folder() / "away").is_dir()
    target.freeze()
    begin = time.monotonic()
    assert error_name(error_of(lambda: os.listdir(wnet.folder() / "away"))) in (*FAILURE, "ENOENT")
    assert time.monotonic() - begin < 40
    target.thaw()


def writes(wnet, path):
    """A program that has written to a file and holds it; it writes a million bytes more when it is told to, tells that and syncs."""
    process = wnet.popen([sys.executable, "-c", WRITE, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout.readline() == "ready\n"
    return process


def go_on(process):
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.parametrize("how", ["it answers", "it hangs"])
def test_forced_while_files_behind_the_link_are_open(z, wnet, namespace, target, how):
    (target.data / "data").write_bytes(os.urandom(3_000_000))
    holder = hold(wnet, z / "away")
    writers = {path: writes(wnet, z / path) for path in ("root's", "away/written")}
    result = wnet.run("cancel", "Z:", "--json")
    assert result.json["code"] == 2401
    assert {(h["path"], h["pid"]) for h in result.json["holders"]} == \
        {(f"/{path}", writer.pid) for path, writer in writers.items()} | {(f"/away{path}", holder.pid) for path in ("/data", "")}
    assert wnet.mount("Z:") and "pread, what was not" in still_answers(holder)

    if how == "it hangs":
        wnet.expect_log("are lost")
        target.freeze()
        go_on(writers["away/written"])
        assert writers["away/written"].stdout.readline() == "written\n"
    forced = wnet.run("cancel", "Z:", "--force")
    lost = "lost: Z:/away/written (1000000 bytes could not be sent)\n"
    assert (forced.code, forced.err) == (0, lost if how == "it hangs" else ""), repr(forced)
    assert mounts_below(wnet.drives) == [] and wnet.list() == []
    assert still_answers(holder) == "[]"
    for path, writer in writers.items():
        if how == "it answers" or path == "root's":
            go_on(writer)
        assert writer.wait(LONG) == 1, "it has not failed"
    target.thaw()
    assert (namespace.folder / "root's").read_bytes() == b"acknowledged"
    assert (target.data / "written").read_bytes()[:12] == b"acknowledged"


def test_what_was_deleted_there_cannot_be_removed(wnet, z, namespace, target):  # noqa: F811
    """It is tried some times, each of which costs the drive's changes of names two seconds; then, when the folder is listed."""
    (target.data / "f").write_text("content")
    with opened(z / "away" / "f", "rb"):
        os.unlink(z / "away" / "f")
        assert len(beside(target, "")) == 1
        target.freeze()

    def is_quiet():
        ends = wnet.log.read_text().count("worker for names ended")
        time.sleep(3 * TIMEOUT + 1)
        return wnet.entry()["state"] == "ok" and wnet.log.read_text().count("worker for names ended") == ends

    wait_until(is_quiet, "it is not tried any more", timeout=2 * LONG)
    target.thaw()
    wait_until(lambda: os.listdir(z / "away") == [] and not beside(target, ""), "it is gone")
