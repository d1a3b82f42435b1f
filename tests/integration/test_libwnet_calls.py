# SPDX-License-Identifier: GPL-3.0-or-later
"""The C library, in both forms: errors per thread, many threads, forks, and a daemon that is not there, hangs, or is killed."""

import contextlib
import errno
import json
import os
import signal

from harness import ALICE, LONG, PASSWORD, alive, wait_until
from library import ANY, CONNECTED, DISK, UPDATE_PROFILE
from proxy import Proxy


def test_the_last_failure_outlives_success(lib, wnet):
    cancelled, opened, closed, error, cut, none, no_code = lib.calls(
        ["cancel2", "Z:", 0, 0], ["open", CONNECTED, ANY], ["close"], ["error", 600, 16], ["error", 5, 3], ["error", 0, 1],
        ["error", 600, 16, "no-code"])
    assert (cancelled["code"], opened["code"], closed["code"]) == (2250, 0, 0)
    assert (error["code"], error["error"], error["provider"]) == (0, 2250, "wnet") and "Z:" in error["text"]
    assert (cut["text"], cut["provider"]) == (error["text"][:4], "wn")
    assert (none["code"], none["error"], none["touched"]) == (0, 2250, 1)
    assert no_code["code"] == 487


def test_causes_and_phases(lib, wnet, server):
    def fails(code, *call, input=""):
        result = lib(*call, input=input)
        assert result["code"] == code, result
        assert result["text"].endswith(")"), "the phase is told"
        return result["cause"], result["text"].rpartition("(")[2][:-1]

    def add(remote, password, flags=0):
        return ["add2", DISK, "Z:", remote, None, "@stdin", ALICE, flags], password + "\n"

    call, password = add(server.unc(), "not-it")
    assert fails(1326, *call, input=password) == (0xC000006D, "connect")
    call, password = add(server.unc("no-such-share"), PASSWORD)
    assert fails(67, *call, input=password) == (0xC00000CC, "connect")
    call, password = add(server.unc("denied"), PASSWORD)
    assert fails(5, *call, input=password) == (0xC0000022, "connect")
    call, password = add("\\\\127.0.0.1:1\\data", PASSWORD)
    cause, phase = fails(lib(*call, input=password)["code"], *call, input=password)
    assert cause not in (0, 53, 1203) and phase == "connect", "why the server cannot be reached"
    assert fails(2250, "cancel2", "Z:", 0, 0) == (2250, "resolve"), "there is no other cause"
    wnet.profile.parent.mkdir(exist_ok=True)
    wnet.profile.mkdir()
    call, password = add(server.unc(), PASSWORD, UPDATE_PROFILE)
    cause, phase = fails(1205, *call, input=password)
    assert cause and phase
    wnet.profile.rmdir()
    assert lib.add("Z:", server.unc()) == 0
    with open(wnet.folder("Z:") / "f", "wb"):
        assert fails(2401, "cancel2", "Z:", 0, 0) == (2401, "count")
    sleeper = wnet.popen(["sleep", "1000"], cwd=wnet.folder("Z:"))
    assert fails(2404, "cancel2", "Z:", 0, 0) == (errno.EBUSY, "unmount")
    sleeper.kill()


def test_it_starts_a_daemon_when_there_is_none(lib, wnet):
    assert wnet.daemons() == []
    first, wait, second = None, None, None
    process = lib.start(["cancel2", "Z:", 0, 0], ["wait"], ["cancel2", "Z:", 0, 0])
    first = json.loads(process.stdout.readline())
    wnet.end_daemon(signal.SIGKILL)
    out, _err = process.communicate("\n", timeout=LONG)
    wait, second = map(json.loads, out.splitlines())
    assert (first["code"], wait["code"], second["code"]) == (2250, 0, 2250)
    assert alive(wnet.daemon()), "and another one when that has crashed"


def test_many_threads_and_forks(lib, wnet, server):
    wnet.add("Z:", server.url())
    (result,) = lib.calls(["threads"])
    assert result["wrong"] == 0
    assert wnet.mount("Z:")


def test_many_threads_connect_and_disconnect(lib, wnet, server):
    (result,) = lib.calls(["stress", server.unc(), "@stdin", ALICE, 3], input=PASSWORD + "\n")
    assert result["wrong"] == 0
    assert wnet.list() == []


def test_the_daemon_is_killed_under_many_threads(lib, wnet, server):
    """Each call fails with a code or succeeds; none crashes, waits for ever or tells another thread's error."""
    wnet.expect_log("no connection data came from wnetd")
    wnet.list()
    process = lib.start(["stress", server.unc(), "@stdin", ALICE, 6, "breaks"])
    process.stdin.write(PASSWORD + "\n")
    process.stdin.flush()
    for _ in range(3):
        wait_until(lambda: process.poll() is not None or wnet.daemons() and wnet.list(), "a drive is there")
        for daemon in wnet.daemons():
            with contextlib.suppress(ProcessLookupError):  # one that has just started its successor in the background
                os.kill(daemon, signal.SIGKILL)
            wait_until(lambda daemon=daemon: not alive(daemon), "it is gone")
    out, err = process.communicate(timeout=4 * LONG)
    assert process.returncode == 0 and err == ""
    result = json.loads(out)
    assert result["wrong"] == 0 and result["broken"] > 0
    for entry in wnet.list():
        wnet.ok("cancel", entry["device"], "--force")


def test_a_program_that_ends_while_it_connects(lib, wnet, server):
    slow = Proxy(server.port)
    slow.hold = True
    process = lib.start(["add2", DISK, "Z:", slow.share(), None, "@stdin", ALICE, UPDATE_PROFILE])
    process.stdin.write(PASSWORD + "\n")
    process.stdin.flush()
    wnet.wait_state("Z:", "connecting")
    process.kill()
    process.wait()
    wait_until(lambda: wnet.list() == [], "the attempt ends with it")
    slow.hold = False
    assert wnet.rows() == {} and wnet.mount() is None and "given up" in wnet.ok("history").out


def test_a_daemon_that_does_not_answer_is_1208(lib, wnet):
    """It hangs: the greeting has its own, shorter limit."""
    wnet.list()
    daemon = wnet.daemon()
    os.kill(daemon, signal.SIGSTOP)
    try:
        result = lib("get", "Z:", 100)
    finally:
        os.kill(daemon, signal.SIGCONT)
    assert result["code"] == 1208 and "did not answer" in result["text"]
    wait_until(lambda: lib.code("get", "Z:", 100) == 2250, "it answers again")
