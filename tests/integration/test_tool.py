# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: help, versions, JSON, usage errors; and the daemon behind it, one to a user."""

import json
import os
import signal
import socket
import subprocess
import unicodedata

import pytest

from harness import ALICE, LONG, PASSWORD, alive, wait_until

COMMANDS = ("add", "cancel", "restore", "forget", "list", "get", "files", "history", "shares", "use", "shutdown")


@pytest.mark.parametrize("program", ["wnet", "wnetd", "wnet-smb", "wnet-secret"])
def test_every_program_has_a_version(wnet, program):
    result = wnet.program(wnet.build / program, "--version")
    assert result.code == 0
    assert result.out.split()[1][0].isdigit() and "\n" in result.out, repr(result)
    assert wnet.daemons() == [], "asking for the version starts nothing"


def test_help_names_every_command(wnet):
    result = wnet.ok("--help")
    for command in COMMANDS:
        assert command in result.out
    assert wnet.program(wnet.build / "wnetd", "--help").code == 0
    assert wnet.daemons() == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(wnet, command):
    result = wnet.ok(command, "--help")
    assert command in result.out and "sage" in result.out
    assert wnet.daemons() == []


@pytest.mark.parametrize("args", [["nonsense"], ["--nonsense"], [], ["add"], ["add", "Z:"], ["add", "Z:", "//s/s", "extra"], ["cancel"],
                                  ["cancel", "Z:", "Y:"], ["get"], ["list", "--nonsense"], ["list", "extra"], ["add", "--user"],
                                  ["shutdown", "now"], ["cancel", "Z:", "--wait", "--force"], ["cancel", "Z:", "--wait=soon"],
                                  ["cancel", "Z:", "--wait=-1"], ["cancel", "Z:", "--wait="], ["forget"], ["forget", "Z:", "Y:"],
                                  ["history", "Z:", "Y:"], ["history", "--lines"], ["history", "--lines=0"],
                                  ["shares"], ["shares", "//s", "//t"],
                                  ["shares", "//s", "--password-stdin", "--credentials", "/x"], ["history", "--lines=all"], ["history", "--lines=10001"], ["add", "Z:", "//s/s", "--password", "x"],
                                  ["add", "Z:", "//s/s", "--password-stdin", "--credentials", "/x"],
                                  ["add", "Z:", "//s/s", "--user", "u", "--credentials", "/x"], ["shares", "//s", "--user", "u", "--credentials", "/x"]], ids=" ".join)
def test_wrong_usage(wnet, args):
    result = wnet.run(*args)
    assert result.code == 2, repr(result)
    assert result.out == "" and result.err.startswith(("wnet: ", "Usage: ", "usage: ")), repr(result)
    assert wnet.daemons() == []


EATEN = "a shell takes backslashes away: put the name in quotation marks, or write //server/share"
USER = "the user is given with --user"


@pytest.mark.parametrize("remote, hint", [("\\server\\share", EATEN), ("\\servershare", EATEN), ("server/share", EATEN), ("smb:server/share", EATEN),
                                          ("smb://alice@server/share", USER), ("smb://alice:word@server:445/share", USER),
                                          ("\\\\alice@server\\share", USER), ("//server/sha@re/..", None), ("//server", None)])
def test_what_may_be_wrong_with_a_remote_name(wnet, remote, hint):
    hints = [line for line in wnet.fails(67, "add", "Z:", remote).err.splitlines() if line.startswith("hint: ")]
    assert hints == ([f"hint: {hint}"] if hint else [])


def test_a_remote_name_whose_backslashes_are_eaten_is_not_connected(wnet):
    assert f"hint: {EATEN}\n" in wnet.fails(2250, "cancel", "\\server\\share").err


def test_nothing_to_list(wnet):
    result = wnet.ok("list")
    assert result.out.strip() and "Z:" not in result.out
    assert wnet.list() == []
    assert wnet.ok("files", "--json").json == []
    wnet.ok("files")
    for command in ("files", "get", "cancel"):
        result = wnet.fails(2250, command, "Z:")
        assert result.text == "Z: is not connected" and result.err.endswith("\nhint: wnet list shows the connections\n"), repr(result)
    wnet.fails(1200, "get", "nonsense")


def test_a_list_in_a_pipe_does_not_wait_for_the_daemon_it_started(wnet):
    result = wnet.program("sh", "-c", "wnet list | cat; wnet list 2>&1 | cat")
    assert result.code == 0 and result.out
    wnet.daemon()


def test_the_daemon_holds_nothing_of_its_starter(wnet):
    read, write = os.pipe()
    folder = wnet.home / "where"
    folder.mkdir()
    wnet.program("sh", "-c", "wnet list", cwd=folder, pass_fds=[write])
    pid = wnet.daemon()
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    os.close(write)
    os.set_blocking(read, False)
    assert os.read(read, 1) == b"", "the daemon keeps a descriptor that it inherited"
    os.close(read)
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        session = int(f.read().rpartition(")")[2].split()[3])
    assert session != os.getsid(0), "it would go with the terminal"


def test_columns_stay_in_line_beside_wide_characters(wnet, server):
    def width(text):
        return sum(2 if unicodedata.east_asian_width(c) == "W" else 0 if unicodedata.combining(c) else 1 for c in text)

    for folder in ("日", "u\u0308"):
        (server.data / folder).mkdir()
        wnet.ok("add", f"{server.url()}/{folder}", "--credentials", wnet.credentials())
    wnet.add("Z:", server.url())
    heading, *lines = wnet.ok("list").out.splitlines()
    assert {width(line[: line.index("  ok  ")]) for line in lines if "  ok  " in line} == {width(heading[: heading.index("  STATE")])}
    shown = wnet.program(wnet.build / "wnet", "use").out
    for remote in (server.unc(), f"{server.unc()}\\日", f"{server.unc()}\\u\u0308"):
        assert f" {remote}{' ' * (25 - width(remote))} wnet\n" in shown


def test_json_is_json(wnet, server):
    wnet.add("Z:", server.url())
    (entry,) = wnet.ok("list", "--json").json
    assert set(entry) >= {"device", "remote", "state", "reason", "user", "folder", "since", "next_retry", "persistent", "read_only"}
    assert wnet.ok("get", "Z:", "--json").json["remote"] == server.unc()
    outcome = wnet.ok("cancel", "Z:", "--json").json
    assert outcome["status"] == "NO_ERROR" and outcome["code"] == 0
    assert outcome["cause"] is None and outcome["phase"] == ""
    assert outcome["holders_total"] == 0 and outcome["holders"] == [] and outcome["lost"] == []
    assert wnet.ok("shutdown", "--json").json["code"] == 0


def test_one_daemon_to_a_user(wnet, server):
    wnet.add("Z:", server.url())
    first = wnet.daemon()
    result = wnet.program(wnet.build / "wnetd", "--background", timeout=LONG)
    assert result.code in (0, 1), repr(result)
    assert wnet.daemon() == first
    assert wnet.entry("Z:")["state"] == "ok"


def test_a_second_start_says_that_the_first_one_runs(wnet):
    first = wnet.popen([wnet.build / "wnetd"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: (wnet.runtime / "wnet" / "control").exists(), "the first one is ready")
    assert wnet.list() == []
    second = wnet.program(wnet.build / "wnetd")
    assert second.code == 1 and "already running" in second.err, repr(second)
    assert wnet.daemons() == [first.pid]
    wnet.ok("shutdown")
    assert first.wait(LONG) == 0


def test_as_a_service_it_tells_when_it_is_ready(wnet, server):
    """What systemd waits for with Type=notify: ready means that clients are answered, and that drives are on their way."""
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    wnet.ok("shutdown")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        path = wnet.root / "notify"
        notify.bind(str(path))
        notify.settimeout(LONG)
        daemon = wnet.popen([wnet.build / "wnetd"], env={**wnet.env, "NOTIFY_SOCKET": str(path)}, stderr=subprocess.PIPE)
        assert b"READY=1" in notify.recv(1000)
        assert [entry["device"] for entry in wnet.list()] == ["Z:"]
        wnet.wait_state("Z:", "ok")
        os.kill(daemon.pid, signal.SIGTERM)
        assert b"STOPPING=1" in notify.recv(1000)
        assert daemon.wait(LONG) == 0
    assert wnet.mount("Z:") is None
    assert wnet.rows()["Z:"]


def test_many_at_once_start_one_daemon(wnet):
    tools = [wnet.popen([wnet.build / "wnet", "list", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(8)]
    for tool in tools:
        out, err = tool.communicate(timeout=LONG)
        assert tool.returncode == 0 and json.loads(out) == [], err
    wnet.daemon()


def test_two_homes_do_not_see_each_other(make_wnet, server):
    one, two = make_wnet("one"), make_wnet("two")
    one.add("Z:", server.url())
    two.add("Y:", server.url("readonly"))
    assert [e["device"] for e in one.list()] == ["Z:"]
    assert [e["device"] for e in two.list()] == ["Y:"]
    assert one.daemon() != two.daemon()
    two.end_daemon(signal.SIGKILL)
    two.list()  # cleans up after itself, and only after itself
    (one.folder("Z:") / "f").write_text("x")
    assert (server.data / "f").read_text() == "x"


def test_a_daemon_that_crashed_is_started_again(wnet):
    wnet.list()
    wnet.end_daemon(signal.SIGKILL)
    assert wnet.list() == []
    wnet.daemon()


def test_shutdown_without_a_daemon(wnet):
    result = wnet.run("shutdown")
    assert result.code in (0, 1)
    wait_until(lambda: wnet.daemons() == [], "no daemon is left running")


def test_a_client_that_goes_away_does_no_harm(wnet, server):
    wnet.add("Z:", server.url())
    daemon = wnet.daemon()
    for _ in range(5):
        tool = wnet.popen([wnet.build / "wnet", "list"], stdout=subprocess.DEVNULL)
        tool.kill()
        tool.wait()
    assert wnet.daemon() == daemon and alive(daemon)
    assert wnet.entry("Z:")["state"] == "ok"


# waiting for holders


def waiting(wnet, *args):
    """A `wnet cancel --wait` that waits."""
    tool = wnet.popen([wnet.build / "wnet", "cancel", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    shown = ""
    while "waiting for them to let go; Ctrl-C gives up\n" not in shown:
        line = tool.stderr.readline()
        assert line, (shown, tool.wait(LONG))
        shown += line
    tool.shown = shown
    return tool


def test_a_cancel_waits_for_the_holder(wnet, server, z):
    with open(z / "f", "wb", buffering=0) as f:
        tool = waiting(wnet, "Z:", "--wait")
        assert "Z:/f" in tool.shown and str(os.getpid()) in tool.shown, "who is waited for"
        f.write(b"still works")
        (z / "g").write_text("so do new opens")
        assert tool.poll() is None and wnet.mount("Z:")
    out, err = tool.communicate(timeout=LONG)
    assert (tool.returncode, out, err) == (0, "Z: has been disconnected.\n", "")
    assert wnet.mount("Z:") is None and wnet.list() == []
    assert (server.data / "f").read_bytes() == b"still works"


def test_a_cancel_waits_for_a_working_directory(wnet, z):
    sleeper = wnet.popen(["sleep", "1000"], cwd=z)
    tool = waiting(wnet, "Z:", "--wait=1000", "--json")
    assert "sleep" not in tool.shown, "with --json the table is not for the eye"
    sleeper.kill()
    sleeper.wait()
    out, err = tool.communicate(timeout=LONG)
    assert tool.returncode == 0 and err == "" and json.loads(out)["status"] == "NO_ERROR"
    assert wnet.mount("Z:") is None


def test_the_tool_itself_holds_nothing(wnet, server):
    """Neither where it was started, nor by descriptors that it has inherited."""
    for args in (["cancel", "Z:"], ["use", "Z:", "/delete"], ["use", "*", "/delete", "/y"], ["shutdown"]):
        wnet.add("Z:", server.url())
        result = wnet.program("bash", "-c", 'cd "$0" && exec 5> f && exec wnet "$@"', wnet.folder(), *args)
        assert result.code == 0 and "lost" not in result.err and wnet.mount("Z:") is None, repr(result)


def test_nothing_to_wait_for(wnet, z):
    assert wnet.ok("cancel", "Z:", "--wait").err == ""
    wnet.fails(2250, "cancel", "Z:", "--wait")


def test_a_wait_ends(wnet, z):
    with open(z / "f", "wb"):
        result = wnet.run("cancel", "Z:", "--wait=1")
        assert result.code == 1 and "(ERROR_OPEN_FILES, 2401)\n" in result.err, repr(result)
        assert result.err.count("Z:/f") == 2, "who is waited for, and who it was in the end"
        result = wnet.run("cancel", "Z:", "--wait=1", "--json")
        assert result.code == 1 and result.json["code"] == 2401, repr(result)
        assert result.json["phase"] and len(result.json["holders"]) == 1
        assert "waiting" not in wnet.fails(2401, "cancel", "Z:", "--wait=0").err
    assert wnet.entry("Z:")["state"] == "ok"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_wait_is_given_up(wnet, z, number):
    with open(z / "f", "wb"):
        tool = waiting(wnet, "Z:", "--wait")
        tool.send_signal(number)
        out, _err = tool.communicate(timeout=LONG)
        assert tool.returncode == -number and out == ""
        wait_until(lambda: wnet.entry("Z:")["state"] == "ok", "nothing has changed")
    (z / "g").write_text("x")
    assert wnet.list()[0]["device"] == "Z:" and wnet.mount("Z:"), "the holder has let go, and nobody waits any more"
    wnet.ok("cancel", "Z:")


def test_what_would_help(wnet, z):
    with open(z / "f", "wb"):
        hints = wnet.fails(2401, "cancel", "Z:").err.partition("hint: ")[2]
        assert "close the files" in hints and "wnet cancel Z: --wait " in hints and "wnet cancel Z: --force " in hints
    sleeper = wnet.popen(["sleep", "1000"], cwd=z)
    hints = wnet.fails(2404, "cancel", "Z:", "--forget").err.partition("hint: ")[2]
    assert f"sleep (process {sleeper.pid}) has its working directory in Z:/" in hints
    assert "wnet cancel Z: --wait --forget" in hints and "wnet cancel Z: --force --forget" in hints
    hints = wnet.fails(2404, "shutdown").err.partition("hint: ")[2]
    assert "wnet shutdown --force" in hints and "--wait" not in hints
    sleeper.kill()


# forgetting, and what happened


def test_forget(wnet, server):
    wnet.fails(2250, "forget", "Z:")
    wnet.fails(1200, "forget", "Z")
    for device in ("Y:", "Z:"):
        wnet.ok("add", device, server.url(), "--credentials", wnet.credentials(), "--persistent")
    wnet.ok("cancel", "Y:")
    assert wnet.ok("forget", "y:").out == "Y: is forgotten.\n"
    result = wnet.ok("forget", "Z:")
    assert result.out == f"Z: is forgotten. It stays connected to {server.unc()} until it is disconnected: wnet cancel Z:\n"
    assert wnet.rows() == {} and wnet.mount("Z:")
    assert [(e["device"], e["persistent"]) for e in wnet.list()] == [("Z:", False)]
    wnet.fails(2250, "forget", "Z:")
    wnet.ok("cancel", "Z:")
    assert wnet.list() == []


def test_history(wnet, server):
    assert wnet.ok("history").out == "Nothing has happened yet.\n" and wnet.ok("history", "--json").json == []
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    wnet.add("Y:", server.url("readonly"))
    wnet.ok("cancel", "z:", "--forget")
    events = wnet.ok("history", "--json").json
    assert [(e["device"], e["event"]) for e in events] == [("Z:", "forgotten"), ("Z:", "disconnected"), ("Y:", "connected"),
                                                          ("Z:", "connected")]
    assert {e["remote"] for e in events} == {server.unc(), server.unc("readonly")}
    assert all(e["program"] == "wnet" and e["pid"] for e in events)
    assert [e["event"] for e in wnet.ok("history", "z:", "--json").json] == ["forgotten", "disconnected", "connected"]
    assert wnet.ok("history", "--lines=2", "--json").json == events[:2]
    lines = wnet.ok("history", "Z:").out.splitlines()
    assert lines[0].split() == ["WHEN", "DEVICE", "EVENT", "BY", "REMOTE", "DETAIL"] and len(lines) == 4
    assert all("Z:" in line and f"wnet ({e['pid']})" in line and server.unc() in line for line, e in zip(lines[1:], events[:2]))
    assert wnet.ok("history", "q:").out == "Nothing has happened to Q: yet.\n"
    assert wnet.ok("history", server.url()).out == f"Nothing has happened to {server.unc()} yet.\n", "there was no connection without a device"
    wnet.ok("add", server.url("Data"))
    for name in (server.url(), server.unc("DATA"), "smb:" + server.url() + "/"):
        assert [e["device"] for e in wnet.ok("history", name, "--json").json] == [server.unc("Data")], name
    wnet.ok("cancel", server.url())
    wnet.fails(1200, "history", "nonsense")


@pytest.mark.parametrize("args", [[], ["Z:"], ["--json"]], ids=" ".join)
def test_no_history(wnet, server, args):
    file = wnet.state_home / "wnet" / "history.db"
    file.mkdir(mode=0o700, parents=True)
    wnet.add("Z:", server.url())
    result = wnet.fails(1208, "history", *args)
    assert result.out == "" and str(file) in result.text


# a server's shares


def test_printers_among_the_shares(wnet, make_server):
    server = make_server(more_shares={"printer": {"path": "spool", "printed": "printed", "comment": "the one upstairs"}})
    wnet.add("Z:", server.url())
    assert {"name": "printer", "type": "printer", "comment": "the one upstairs"} in wnet.ok("shares", f"//127.0.0.1:{server.port}", "--json").json
    assert ["printer", "printer", "the one upstairs"] in [line.split(maxsplit=2) for line in wnet.ok("shares", f"//127.0.0.1:{server.port}").out.splitlines()]


def test_shares(wnet, server):
    name = f"//127.0.0.1:{server.port}"
    args = ["shares", name, "--user", ALICE, "--password-stdin"]
    visible = [{"name": name, "type": "disk", "comment": ""} for name in ("data", "denied", "readonly")]
    found = wnet.ok(*args, "--json", input=PASSWORD + "\n").json
    assert sorted(found, key=lambda share: share["name"]) == visible
    everything = wnet.ok(*args, "--json", "--all", input=PASSWORD + "\n").json
    assert [(s["name"], s["type"]) for s in everything if s not in visible] == [("IPC$", "other")]
    lines = wnet.ok("shares", f"\\\\127.0.0.1:{server.port}", "--credentials", wnet.credentials()).out.splitlines()
    assert lines[0].split() == ["NAME", "TYPE", "COMMENT"] and sorted(line.split()[0] for line in lines[1:]) == ["data", "denied", "readonly"]
    wnet.fails((86, 1326), *args, input="not-it\n")
    assert wnet.fails(67, "shares", name + "/data").text
    assert wnet.list() == [], "no connection is left"
    wnet.fails((53, 1203), "shares", "//127.0.0.1:1")
    wnet.add("Z:", server.url())
    assert len(wnet.ok("shares", name, "--json").json) == 3, "as the user of the live connection"
