# SPDX-License-Identifier: GPL-3.0-or-later
"""A password is asked for on the terminal, unseen; and it is nowhere else."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from harness import BOB_PASSWORD, LONG, PASSWORD, descendants, error_of, mounts_below


def test_it_is_asked_for_without_echo(wnet, server, terminal):
    on = terminal("add", "Z:", server.url(), "--user", "alice")
    on.answer(PASSWORD + "\n")
    assert on.end() == 0, on.shown
    assert "alice" in on.shown and "127.0.0.1" in on.shown.splitlines()[0], "whose password, and for whom"
    assert PASSWORD not in on.shown and "Z: is now connected" in on.shown
    assert on.echoes(), "the terminal is as it was"
    assert wnet.entry()["state"] == "ok"


def test_standard_input_that_is_a_terminal_does_not_show_it_either(wnet, server, terminal):
    on = terminal("add", "Z:", server.url(), "--user", "alice", "--password-stdin")
    on.answer(PASSWORD + "\n")
    assert on.end() == 0, on.shown
    assert on.shown.startswith("Password for alice on //127.0.0.1: \n") and PASSWORD not in on.shown and on.echoes()
    on = terminal("shares", f"//127.0.0.1:{server.port}", "--password-stdin")
    on.answer("not-it\n")
    assert on.end() == 1
    assert on.shown.startswith("Password for //127.0.0.1: \n") and "not-it" not in on.shown, "whose, the daemon knows"


def test_a_wrong_one_is_told(wnet, server, terminal):
    on = terminal("add", "Z:", server.url(), "--user", "alice")
    on.answer("not-it\n")
    assert on.end() == 1
    assert "not-it" not in on.shown and "(ERROR_LOGON_FAILURE, 1326)" in on.shown
    assert wnet.list() == []


def test_without_a_user_it_is_asked_for_when_the_server_wants_it(wnet, server, terminal):
    """Nobody is asked before the server has been; then it is the login name's."""
    on = terminal("add", "Z:", server.url())
    on.answer("not-it\n")
    assert on.end() == 1
    assert "(ERROR_LOGON_FAILURE, 1326)" in on.shown and on.echoes()
    assert wnet.list() == []


def test_it_is_not_asked_for_where_it_would_not_help(wnet, server, terminal):
    """The account that all connections to the server share has no access."""
    wnet.add("Z:", server.url())
    hint = "alice, as on Z:, has no access; a server knows one account at a time: wnet cancel Z: first"
    on = terminal("add", "*", server.url("denied"))
    assert on.end() == 1 and "assword" not in on.shown
    assert "(ERROR_ACCESS_DENIED, 5)\nhint: " in on.shown and f"{hint}\n" in on.shown
    on = terminal("use", "*", server.unc("denied"), "/persistent:no")
    assert on.end() == 2
    assert on.shown.startswith("System error 5 has occurred.\n\nAccess is denied.\n(") and f"{hint})\n" in on.shown
    wnet.ok("cancel", "Z:")
    on = terminal("add", "*", server.url("denied"), "--user", "bob")
    on.answer(BOB_PASSWORD + "\n")
    assert on.end() == 0, on.shown


@pytest.mark.parametrize("key, number", [("\x03", signal.SIGINT), ("\x1c", signal.SIGQUIT)], ids=["Ctrl-C", "Ctrl-backslash"])
def test_interrupted_nothing_happens(wnet, server, terminal, key, number):
    on = terminal("add", "Z:", server.url(), "--user", "alice")
    on.answer("half of it" + key)
    assert on.end() in (1, -number)
    assert on.echoes(), "the terminal is as it was"
    assert "half" not in on.shown
    assert wnet.list() == []


def test_no_answer_is_no_password(wnet, server, terminal):
    on = terminal("add", "Z:", server.url(), "--user", "alice")
    on.answer("\x04")
    assert on.end() == 1
    assert on.echoes() and "(ERROR_CANCELLED, 1223)" in on.shown
    assert wnet.list() == []


def test_without_a_terminal_nobody_is_asked(wnet, server):
    result = wnet.fails(1326, "add", "Z:", server.url(), "--user", "alice", start_new_session=True)
    assert "password" in result.err
    assert wnet.list() == []


# where it is not


def secrets_of(pids):
    """What can be seen of processes: [(pid, what)] where the password is."""
    found = []
    for pid in pids:
        for what in ("cmdline", "environ", "comm"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                if PASSWORD.encode() in Path(f"/proc/{pid}/{what}").read_bytes():
                    found.append((pid, what))
    return found


def test_it_is_nowhere_to_be_seen(z, wnet):
    (z / "f").write_text("x")
    seen = [*wnet.daemons(), *wnet.workers()]
    assert len(seen) >= 3
    for pid in seen:
        assert Path(f"/proc/{pid}/cmdline").read_bytes(), "it could be looked at"
    assert secrets_of(seen) == []
    assert len(mounts_below(wnet.drives)) == 1
    assert PASSWORD not in Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    assert PASSWORD not in wnet.log_text()


@pytest.mark.parametrize("way", ["stdin", "credentials"])
def test_nor_while_it_is_used(wnet, way):
    """All along an attempt to connect, of every process that takes part."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        remote = f"//127.0.0.1:{hole.getsockname()[1]}/data"
        how = ["--user", "alice", "--password-stdin"] if way == "stdin" else ["--credentials", wnet.credentials()]
        adding = wnet.popen([wnet.build / "wnet", "add", "Z:", remote, *how], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
        adding.stdin.write(PASSWORD + "\n")
        adding.stdin.close()
        adding.stdin = None
        found, missing = [], {"wnet", "wnetd", "wnet-smb"}
        deadline = time.monotonic() + LONG
        while time.monotonic() < deadline:
            table = descendants()
            names = {name for name, _parent in table.values()}
            if missing and not missing - names:
                deadline = time.monotonic() + 2  # all have begun
            missing -= names
            found += secrets_of(table)
            time.sleep(0.01)
        assert not missing
        assert found == []
        wnet.ok("cancel", "Z:")
        adding.wait(LONG)


def test_no_core_file_can_hold_it(z, wnet):
    for pid in [*wnet.daemons(), *wnet.workers()]:
        limits = Path(f"/proc/{pid}/limits").read_text(encoding="utf-8")
        assert [line.split()[4] for line in limits.splitlines() if line.startswith("Max core file size")] == ["0"], limits


def test_standard_input_is_not_read_further_than_needed(wnet, server):
    """Only the first line is the password's."""
    script = 'wnet add Z: "$1" --user alice --password-stdin; cat'
    result = wnet.program("sh", "-c", script, "sh", server.url(), input=PASSWORD + "\nthe rest\n")
    assert result.code == 0 and result.out.endswith("\nthe rest\n"), repr(result)
    assert error_of(lambda: os.listdir(wnet.folder())) is None
