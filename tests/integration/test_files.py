# SPDX-License-Identifier: GPL-3.0-or-later
"""`wnet files`: who has what open on a drive."""

import os
import signal
import subprocess
import sys

from harness import LONG, wait_until

HOLD = """
import os, sys
mode = {'r': os.O_RDONLY, 'w': os.O_WRONLY, 'rw': os.O_RDWR}[sys.argv[2]]
fd = os.open(sys.argv[1], mode)
if 'r' in sys.argv[2]:
    os.read(fd, 1000)
if 'w' in sys.argv[2]:
    os.pwrite(fd, b'y' * 500, 0)
print('ready', flush=True)
sys.stdin.readline()
"""


def hold(wnet, path, mode):
    process = wnet.popen([sys.executable, "-c", HOLD, path, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    return process


def test_nothing_is_open(z, wnet):
    (z / "f").write_text("x")
    os.listdir(z)
    wait_until(lambda: wnet.ok("files", "Z:", "--json").json == [], "what was closed is no longer listed")


def test_every_open_file_with_its_program(z, wnet, server):
    (server.data / "sub").mkdir()
    for name in ("r", "w", "sub/rw"):
        (server.data / name).write_bytes(b"x" * 4000)
    holders = {mode: hold(wnet, z / name, mode) for name, mode in (("r", "r"), ("w", "w"), ("sub/rw", "rw"))}
    entries = {entry["mode"]: entry for entry in wnet.ok("files", "--json").json}

    assert set(entries) == {"r", "w", "rw"}
    for mode, entry in entries.items():
        assert entry["device"] == "Z:" and entry["kind"] == "file"
        assert entry["pid"] == holders[mode].pid and entry["uid"] == os.getuid()
        assert "python" in entry["program"]
        assert entry["path"].endswith({"r": "r", "w": "w", "rw": "sub/rw"}[mode])
        assert entry["since"]
    assert entries["r"]["read_bytes"] >= 1000 and entries["r"]["written_bytes"] == 0
    assert entries["w"]["read_bytes"] == 0 and entries["w"]["written_bytes"] == 500
    assert entries["rw"]["written_bytes"] == 500
    text = wnet.ok("files", "Z:").out
    for mode, holder in holders.items():
        assert str(holder.pid) in text
    assert "sub/rw" in text

    for holder in holders.values():
        holder.stdin.close()
        holder.wait(LONG)
    wait_until(lambda: wnet.ok("files", "--json").json == [], "closed files are no longer listed")


def test_a_redirection_is_its_programs(z, wnet):
    """A shell opens the file, and becomes the program that has it."""
    sleeper = wnet.popen(["bash", "-c", f"exec sleep 1000 > {z}/log"])
    wait_until(lambda: [f["program"] for f in wnet.files("Z:")] == ["sleep"], "the shell has become sleep")
    (entry,) = wnet.files("Z:")
    assert entry["pid"] == sleeper.pid
    (holder,) = wnet.run("cancel", "Z:", "--json").json["holders"]
    assert (holder["pid"], holder["program"]) == (sleeper.pid, "sleep")
    sleeper.kill()
    sleeper.wait()


def test_an_opener_that_has_ended_is_not_named(z, wnet):
    opener = wnet.popen(["bash", "-c", f"exec 5> {z}/f; sleep 1000 & echo $!"], stdout=subprocess.PIPE)
    heir = int(opener.stdout.readline())
    opener.wait(LONG)
    (entry,) = wnet.files("Z:")
    assert (entry["pid"], entry["program"], entry["path"]) == (None, "", "/f")
    device, pid, program = wnet.ok("files", "Z:").out.splitlines()[1].split()[:3]
    assert (device, pid, program) == ("Z:", "-", "-")
    (holder,) = wnet.run("cancel", "Z:", "--json").json["holders"]
    assert holder["pid"] == heir
    os.kill(heir, signal.SIGKILL)


def test_folders_are_listed(z, wnet):
    (z / "d").mkdir()
    fd = os.open(z / "d", os.O_RDONLY | os.O_DIRECTORY)
    (entry,) = wnet.ok("files", "Z:", "--json").json
    assert entry["kind"] == "directory" and entry["pid"] == os.getpid() and entry["path"].endswith("d")
    os.close(fd)


def test_only_the_drive_that_was_asked_for(wnet, server):
    wnet.add("Y:", server.url())
    wnet.add("Z:", server.url("readonly"))
    (server.readonly / "r").write_text("x")
    with open(wnet.folder("Y:") / "y", "w", encoding="utf-8"), open(wnet.folder("Z:") / "r", encoding="utf-8"):
        assert [e["device"] for e in wnet.ok("files", "Y:", "--json").json] == ["Y:"]
        assert [e["device"] for e in wnet.ok("files", "Z:", "--json").json] == ["Z:"]
        assert sorted(e["device"] for e in wnet.ok("files", "--json").json) == ["Y:", "Z:"]


def test_a_remote_name_stands_for_all_its_connections(wnet, server, z):
    wnet.ok("add", server.url("DATA"))
    (other,) = [entry for entry in wnet.list() if entry["device"] == ""]
    wnet.add("Y:", server.url("readonly"))
    spellings = [server.url(), server.url("Data") + "/", server.unc(), server.unc("DATA"), "smb:" + server.url()]
    for name in spellings:
        assert wnet.files(name) == []
    with open(z / "z", "w", encoding="utf-8"), open(os.path.join(other["folder"], "u"), "w", encoding="utf-8"):
        for name in spellings:
            assert sorted((e["device"], e["path"]) for e in wnet.files(name)) == [("Z:", "/z"), (server.unc("DATA"), "/u")], name
        assert wnet.files(server.url("readonly")) == [] and [e["path"] for e in wnet.files("z:")] == ["/z"]
        for name in (server.url("denied"), server.url() + "/dir", "//server", "nonsense", "X:"):
            wnet.fails(2250, "files", name)


def test_names_that_would_disturb_a_terminal_are_shown_harmlessly(z, wnet):
    name = "line\nbreak\x1b[31mred"
    with open(z / name, "w", encoding="utf-8"):
        text = wnet.ok("files", "Z:").out
        assert "\x1b" not in text and "line\nbreak" not in text
        (entry,) = wnet.ok("files", "Z:", "--json").json
        assert entry["pid"] == os.getpid()
