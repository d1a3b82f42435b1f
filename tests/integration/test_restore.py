# SPDX-License-Identifier: GPL-3.0-or-later
"""A drive that was disconnected for now is wanted back before the next logon."""

import signal
import subprocess
import time

import pytest

from harness import LONG, alive, error_name, error_of
from proxy import Proxy


@pytest.fixture
def cancelled(wnet, server):
    """Z: is remembered, with a credentials file, and cancelled without --forget."""
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    wnet.ok("cancel", "Z:")
    return wnet.folder("Z:")


def test_cancelled_it_stays_away_until_it_is_restored(cancelled, wnet, server):
    assert wnet.entry()["state"] == "unavailable"
    for _ in range(14):  # more than twice the first distance between attempts to reconnect
        assert error_name(error_of(lambda: (cancelled / "f").write_text("x"))) == "EACCES"
        assert wnet.entry()["state"] == "unavailable" and wnet.entry()["next_retry"] is None
        assert wnet.mount() is None
        time.sleep(1)
    result = wnet.ok("restore", "z:")
    assert result.out == f"Z: is connected again, at {cancelled}\n"
    assert wnet.mount() and wnet.entry()["state"] == "ok"
    (cancelled / "f").write_text("back")
    assert (server.data / "f").read_text() == "back"
    assert set(wnet.rows()) == {"Z:"}
    wnet.ok("cancel", "Z:", "--forget")
    wnet.fails(2250, "restore", "Z:")


def test_given_up_it_stays_away(wnet, server):
    slow = Proxy(server.port)
    wnet.ok("add", "Z:", slow.share(), "--credentials", wnet.credentials(), "--persistent")
    wnet.ok("cancel", "Z:")
    slow.hold = True
    tool = wnet.popen([wnet.build / "wnet", "restore", "Z:"])
    wnet.wait_state("Z:", "connecting")
    tool.send_signal(signal.SIGINT)
    assert tool.wait(LONG) == -signal.SIGINT
    entry = wnet.wait_state("Z:", "unavailable")
    assert "given up" in entry["reason"] and entry["next_retry"] is None
    slow.hold = False
    wnet.ok("restore", "Z:")
    assert set(wnet.rows()) == {"Z:"}


def test_all_at_once(wnet, server):
    wnet.ok("add", "X:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    wnet.ok("add", "Y:", server.url("readonly"), "--credentials", wnet.credentials(), "--persistent")
    wnet.add("W:", server.url())
    assert wnet.ok("restore").out == "There is nothing to restore.\n"
    wnet.ok("cancel", "X:")
    wnet.ok("cancel", "Y:")
    result = wnet.ok("restore")
    assert sorted(result.out.splitlines()) == [
        f"X: is connected again to {server.unc()}, at {wnet.folder('X:')}",
        f"Y: is connected again to {server.unc('readonly')}, at {wnet.folder('Y:')}",
    ]
    assert all(wnet.mount(device) for device in ("W:", "X:", "Y:"))


def test_one_that_fails_does_not_keep_the_others(wnet, server, make_server):
    wnet.expect_log("Y:|server|smb|connect")
    other = make_server()
    wnet.ok("add", "Y:", other.url(), "--credentials", wnet.credentials(), "--persistent")
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    wnet.ok("cancel", "Y:")
    wnet.ok("cancel", "Z:")
    other.kill()
    result = wnet.run("restore")
    assert result.code == 1
    assert result.out == f"Z: is connected again to {server.unc()}, at {wnet.folder('Z:')}\n"
    assert result.err.startswith("wnet: Y: cannot be connected") and "(ERROR_" in result.err, repr(result)
    assert wnet.entry("Y:")["state"] == "unavailable" and set(wnet.rows()) == {"Y:", "Z:"}
    other.start()
    wnet.ok("restore", "Y:")
    assert wnet.mount("Y:")


def test_without_a_password_it_stays_unavailable_and_remembered(wnet, server):
    wnet.add("Z:", server.url(), "--persistent")
    wnet.ok("shutdown")
    wnet.wait_state("Z:", "unavailable")
    wnet.fails((5, 86, 1326), "restore", "Z:")
    assert set(wnet.rows()) == {"Z:"} and wnet.entry()["state"] == "unavailable"


@pytest.mark.parametrize("device", ((), ("Z:",)), ids=("all", "one"))
def test_what_the_daemon_is_connecting_is_waited_for(wnet, server, device):
    """As at a logon, whose script goes on when its drives are there."""
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    wnet.ok("shutdown")
    server.freeze()
    restoring = wnet.popen([wnet.build / "wnet", "restore", *device], stdout=subprocess.PIPE)
    wnet.wait_state("Z:", "connecting")
    time.sleep(1)
    assert restoring.poll() is None
    server.thaw()
    out = restoring.communicate(timeout=LONG)[0]
    assert restoring.returncode == 0 and wnet.entry()["state"] == "ok", out


def test_what_has_no_password_shares_the_session_of_what_has_one(wnet, server):
    """Whichever of them is tried first."""
    wnet.add("Y:", server.url(), "--persistent")
    for device in ("Z:", "X:"):
        wnet.ok("add", device, server.url(), "--persistent")
    for device in ("X:", "Y:", "Z:"):
        wnet.ok("cancel", device)
    wnet.ok("restore")
    assert {entry["device"]: entry["state"] for entry in wnet.list()} == {"X:": "ok", "Y:": "ok", "Z:": "ok"}


def test_what_cannot_be_restored(wnet, server):
    wnet.add("Z:", server.url())
    wnet.fails(85, "restore", "Z:")
    wnet.fails(2250, "restore", "Y:")
    wnet.fails(2250, "restore", "LPT1")
    for name in ("Z", "ZZ:", "", "*", server.url(), "\udcff:", "Z:" * 30_000):
        wnet.fails(1200, "restore", name)
    assert wnet.run("restore", "Z:", "Y:").code == 2
    assert alive(wnet.daemon()) and wnet.entry()["state"] == "ok"
