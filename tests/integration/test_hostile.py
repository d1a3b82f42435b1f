# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes from elsewhere and means no good: names of a server, programs that talk to the daemon's socket."""

import os
import select
import signal
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from harness import LONG, alive, error_name, error_of, wait_until

ODD = [b"new\nline", b"esc\x1b[31m", b"ctl\x01\x7f", b"co:lon", b"trailing.", b"space ", b"st*r", b"q?", b"invalid \xff\xfe", b"...", b"con",
       "\u202egpj.exe".encode(), b"-rf", b"~", b"$(reboot)", b"%s%n",
       # these stand for ".", "..", a control character and a backslash where a client maps them
       "\uf029".encode(), "\uf029\uf029".encode(), "\uf001".encode(), "\uf026".encode(), "..\uf026..\uf026up".encode()]


@pytest.mark.parametrize("mangled", ["yes", "no"])
def test_odd_names_of_a_server_do_no_harm(make_server, wnet, mangled):
    """Made in its own folder; with "mangled names = no" it sends them as they are, as no honest server would."""
    server = make_server(options={"mangled names": mangled})
    folder = os.fsencode(server.data)
    for name in ODD:
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(b"odd")
    (server.data / "plain").write_text("plain")
    os.symlink("/etc/passwd", server.data / "out")
    os.symlink("nowhere", server.data / "dangling")
    os.symlink(".", server.data / "itself")
    os.mkfifo(server.data / "fifo")
    wnet.add("Z:", server.url())
    z = wnet.folder()
    names = os.listdir(os.fsencode(z))
    assert b"plain" in names and len(names) >= len(ODD) // 2
    assert not {b".", b"..", b""} & set(names) and not any(b"/" in name or b"\0" in name for name in names)
    for name in names:
        path = os.fsdecode(os.fsencode(z) + b"/" + name)
        assert error_name(error_of(lambda path=path: os.stat(path))) in ("no error", "ENOENT", "EINVAL", "EACCES"), name
        if os.path.isfile(path):
            assert error_name(error_of(lambda path=path: Path(path).read_bytes())) in ("no error", "ENOENT", "EINVAL", "EACCES"), name
    assert (z / "plain").read_text() == "plain"
    assert "root:" not in subprocess.run(["cat", z / "out"], capture_output=True, text=True, timeout=LONG, check=False).stdout
    found = wnet.program("find", z, "-maxdepth", "3", timeout=2 * LONG)
    assert found.code in (0, 1) and "plain" in found.out
    assert "\x1b" not in wnet.log_text()
    wnet.program("rm", "-r", *[os.fsdecode(os.fsencode(z) + b"/" + name) for name in names if name != b"itself"])
    assert not (server.data / "plain").exists() and server.data.is_dir()
    assert wnet.entry()["state"] == "ok"
    assert Path("/etc/passwd").exists()


@pytest.mark.parametrize("name", [b"\xed\xa0\x80", b"back\\slash"], ids=["half a character", "backslash"])
def test_a_folder_that_cannot_be_listed_is_an_error_of_that_folder(make_server, wnet, name):
    """libsmbclient refuses the whole listing of a server that sends such a name."""
    server = make_server(options={"mangled names": "no"})
    for folder in ("bad", "good"):
        (server.data / folder).mkdir()
        (server.data / folder / "f").write_text("x")
    Path(os.fsdecode(os.fsencode(server.data / "bad") + b"/" + name)).write_text("x")
    wnet.add("Z:", server.url())
    z = wnet.folder()
    failed = error_name(error_of(lambda: os.listdir(z / "bad")))
    assert failed in ("EIO", "EINVAL", "no error")
    assert (z / "bad" / "f").read_text() == "x"
    assert os.listdir(z / "good") == ["f"]
    assert wnet.entry()["state"] == "ok"


def test_what_smb_has_not_is_refused_clearly(z, server):
    (z / "f").write_text("x")
    for call in (lambda: os.symlink("f", z / "l"), lambda: os.link(z / "f", z / "l"), lambda: os.mkfifo(z / "p")):
        assert error_name(error_of(call)) in ("EPERM", "ENOSYS", "EOPNOTSUPP")
    assert error_name(error_of(lambda: os.chown(z / "f", os.getuid(), -1))) in ("no error", "EPERM", "ENOSYS")
    assert os.listdir(server.data) == ["f"]


# programs at the daemon's socket


def connect(wnet):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(LONG)
    s.connect(str(wnet.runtime / "wnet" / "control"))
    return s


def dbus(wnet):
    """A connection on which D-Bus may be spoken."""
    s = connect(wnet)
    s.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\n")
    received = b""
    while b"\r\n" not in received:
        data = s.recv(1000)
        assert data, "the daemon hung up"
        received += data
    assert received.startswith(b"OK "), received
    s.sendall(b"BEGIN\r\n")
    return s


def call(member, serial, signature="", body=b""):
    """A method call as D-Bus has it, little-endian."""

    def padded(data, to):
        return data + b"\0" * (-len(data) % to)

    def text(value):
        return struct.pack("<I", len(value)) + value.encode() + b"\0"

    fields = b""
    for code, kind, value in ((1, "o", "/org/wnet/Manager1"), (2, "s", "org.wnet.Manager1"), (3, "s", member)):
        fields = padded(fields, 8) + bytes([code, 1]) + kind.encode() + b"\0" + text(value)
    if signature:
        fields = padded(fields, 8) + bytes([8, 1]) + b"g\0" + bytes([len(signature)]) + signature.encode() + b"\0"
    return padded(b"l\1\0\1" + struct.pack("<III", len(body), serial, len(fields)) + fields, 8) + body


def still_serves(wnet, pid):
    assert wnet.daemon() == pid and alive(pid)
    entry = wnet.entry()
    assert entry["state"] == "ok"
    assert (wnet.folder() / "f").read_text() == "x"


def memory_of(pid):
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


@pytest.fixture
def serving(z, wnet, server):
    """A daemon with a drive. Gives its pid."""
    (server.data / "f").write_text("x")
    return wnet.daemon()


@pytest.mark.parametrize("garbage", [b"", b"\0", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100_000, b"\xff" * 100_000, b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n",
                                     b"\0AUTH ANONYMOUS\r\nBEGIN\r\n", b"\0AUTH EXTERNAL zz\r\n", b"\0" + b"A" * 1_000_000],
                         ids=lambda garbage: ascii(garbage)[:25])
def test_garbage_at_the_socket(serving, wnet, garbage):
    with connect(wnet) as s:
        error_of(lambda: s.sendall(garbage))
        still_serves(wnet, serving)
    still_serves(wnet, serving)


@pytest.mark.parametrize("message", [b"x" * 1000, b"l\1\0\1" + b"\xff" * 12, b"B\1\0\1" + b"\0" * 60, call("List", 1)[:20], call("List", 1)[:-1],
                                     call("Nonsense", 1), call("Cancel", 1), call("Add", 1, "s", struct.pack("<I", 1000) + b"x"),
                                     call("List", 0), call("Get", 1, "s", struct.pack("<I", 4) + b"\xff\xfe\xfd\xfc\0")],
                         ids=lambda message: ascii(message)[:12])
def test_nonsense_in_its_language(serving, wnet, message):
    with dbus(wnet) as s:
        error_of(lambda: s.sendall(message * 3))
        still_serves(wnet, serving)
    still_serves(wnet, serving)


def test_many_that_connect_and_say_nothing(serving, wnet):
    silent = [connect(wnet) for _ in range(60)]
    still_serves(wnet, serving)
    for s in silent:
        s.close()
    still_serves(wnet, serving)


def test_one_that_asks_and_never_reads(wnet, server):
    """The daemon neither waits for it nor keeps answers for it without end."""
    wnet.env["ASAN_OPTIONS"] += ":quarantine_size_mb=8"  # else what was freed would count
    (server.data / "f").write_text("x")
    wnet.add("Z:", server.url())
    serving = wnet.daemon()
    before = memory_of(serving)
    with dbus(wnet) as s:
        s.setblocking(False)
        sent, serial, idle = 0, 1, 0
        while sent < 20_000_000 and idle < 20:
            message = b"".join(call("List", serial + n) for n in range(100))
            try:
                sent += s.send(message)
                serial += 100
                idle = 0
            except BlockingIOError:
                select.select([], [s], [], 0.1)
                idle += 1
            except OSError:
                break  # it hung up: right
        still_serves(wnet, serving)
        assert memory_of(serving) - before < 200 << 20
    still_serves(wnet, serving)


def test_a_client_that_is_stopped_holds_up_nobody(serving, wnet):
    with socket.create_server(("127.0.0.1", 0)) as hole:
        wnet.configure(connect_timeout=5)
        adding = wnet.popen([wnet.build / "wnet", "add", "Y:", f"//127.0.0.1:{hole.getsockname()[1]}/data", "--user", "alice",
                             "--password-stdin"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        adding.stdin.write("irrelevant\n")
        adding.stdin.close()
        adding.stdin = None
        wnet.wait_state("Y:", "connecting")
        os.kill(adding.pid, signal.SIGSTOP)
        still_serves(wnet, serving)
        wnet.ok("cancel", "Y:")
        still_serves(wnet, serving)
        os.kill(adding.pid, signal.SIGCONT)
        assert adding.wait(LONG) == 1


@pytest.mark.parametrize("closed", ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"))
def test_started_with_closed_descriptors(wnet, server, closed):
    """What the daemon opens must not take their place: the lock would be closed with them, or written to."""
    started = wnet.program("sh", "-c", f"exec wnetd --background {closed}")
    assert started.code == 0, repr(started)
    wnet.add("Z:", server.url())
    second = wnet.program("wnetd")
    assert second.code != 0 and "already running" in second.err, repr(second)
    assert wnet.entry()["state"] == "ok" and os.listdir(wnet.folder()) is not None
    locks = [path for path in wnet.root.rglob("wnetd.lock")]
    assert locks and all(b"info" not in path.read_bytes() for path in locks)


def test_the_log_does_not_grow_without_end(wnet, server):
    wnet.list()
    with open(wnet.log, "ab") as log:
        log.write(b"a line\n" * 1_000_000)
    before = wnet.log.with_name("wnetd.log.1")
    wait_until(lambda: before.exists() and wnet.log.stat().st_size < 1000, "there is a new one", timeout=LONG)
    assert before.read_bytes().endswith(b"a line\n")
    wnet.add("Z:", server.url())
    assert "Z: is ok" in wnet.log_text()


def test_a_low_limit_of_open_files_is_raised(wnet, server):
    """A low limit of open files is raised as far as it goes."""
    started = wnet.program("sh", "-c", "ulimit -S -n 40 && exec wnetd --background")
    assert started.code == 0, repr(started)
    wnet.add("Z:", server.url())
    limits = Path(f"/proc/{wnet.daemon()}/limits").read_text(encoding="utf-8")
    (line,) = [line for line in limits.splitlines() if line.startswith("Max open files")]
    assert line.split()[3] == line.split()[4], "the soft limit is the hard one"
    wait_until(lambda: wnet.entry()["state"] == "ok", "the drive works")
