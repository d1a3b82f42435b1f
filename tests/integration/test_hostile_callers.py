# SPDX-License-Identifier: GPL-3.0-or-later
"""A program of the same user speaks to the daemon in its language and means no good: every method, with what it does not take, too
much, or not all of it. It gets the specified code, the daemon lives, and nothing is changed. (Of another user, none gets in:
test_two_users.py.)"""

import os
import re
import socket
import struct

import pytest

from harness import LONG, TOP, alive, error_of, wait_until
from proxy import Proxy
from test_hostile import connect

# method: (signature, arguments that mean nothing here)
METHODS = {
    "GetVersion": ("", []),
    "Add": ("ssa{sv}", ["Q:", "//127.0.0.1:1/share", {}]),
    "Restore": ("s", ["Q:"]),
    "Cancel": ("subt", ["Q:", 0, False, 0]),
    "Forget": ("s", ["Q:"]),
    "Shares": ("sa{sv}", ["//127.0.0.1:1", {}]),
    "History": ("su", ["Q:", 10]),
    "GetPersistence": ("", []),
    "SetPersistence": ("b", [True]),
    "Shutdown": ("b", [False]),
    "List": ("", []),
    "CheckProfile": ("", []),
    "Files": ("s", ["Q:"]),
    "Get": ("s", ["Q:"]),
}
SIGNATURES = ["", "s", "u", "b", "t", "ss", "sb", "us", "subts", "sa{sv}s", "v", "as", "(s)", "ay"]
PATH, INTERFACE = "/org/wnet/Manager1", "org.wnet.Manager1"

HOSTILE = {
    "empty": "",
    "64 KiB": "x" * 65536,
    "64 KiB of a drive": "Z:" * 32768,
    "64 KiB of a share": "//server/" + "x" * 65536,
    "1 MiB": "\\\\" + "y" * (1 << 20),
    "control bytes": "Z\x01:\x1b[31m\r\n",
    "control bytes in a share": "//ser\x02ver/sha\x7fre",
    "format": "%s%n%d:",
    "folders": "//../..",
    "a path": "/etc/passwd",
    "odd letters": "\u202e\ufeff\U0001f600:",
}


# D-Bus, little-endian, as far as these methods need it


class Body:
    def __init__(self):
        self.data = b""

    def pad(self, to):
        self.data += b"\0" * (-len(self.data) % to)

    def number(self, form, value):
        self.pad(struct.calcsize(form))
        self.data += struct.pack("<" + form, value)

    def text(self, value):
        value = value if isinstance(value, bytes) else value.encode()
        self.number("I", len(value))
        self.data += value + b"\0"

    def variant(self, signature, value):
        self.data += bytes([len(signature)]) + signature.encode() + b"\0"
        self.put(signature, [value])

    def array(self, alignment, put, values):
        self.number("I", 0)
        at = len(self.data)
        self.pad(alignment)
        begin = len(self.data)
        for value in values:
            put(value)
        self.data = self.data[: at - 4] + struct.pack("<I", len(self.data) - begin) + self.data[at:]

    def option(self, item):
        self.pad(8)
        self.text(item[0])
        self.variant(*item[1])

    def put(self, signature, values):
        for kind, value in zip(re.findall(r"a\{sv\}|\(s\)|a?\w", signature), values):
            if kind in "ubt":
                self.number({"u": "I", "b": "I", "t": "Q"}[kind], value)
            elif kind == "s":
                self.text(value)
            elif kind == "v":
                self.variant("s", value)
            elif kind == "a{sv}":
                self.array(8, self.option, list(value.items()) if isinstance(value, dict) else value)
            elif kind == "as":
                self.array(4, self.text, value)
            elif kind == "ay":
                self.array(1, lambda byte: self.number("B", byte), value)
            elif kind == "(s)":
                self.pad(8)
                self.text(value)


SOME = {"s": "x", "u": 1, "b": 1, "t": 1, "v": "x", "a{sv}": {}, "as": ["x", "y"], "(s)": "x", "ay": b"x"}


def message(member, signature, values, serial=1, path=PATH, interface=INTERFACE):
    body, head = Body(), Body()
    body.put(signature, values)
    fields = [(1, "o", path), (2, "s", interface), (3, "s", member)]

    def field(item):
        code, kind, value = item
        head.pad(8)
        head.data += bytes([code])
        if kind == "g":
            head.data += b"\1g\0" + bytes([len(value)]) + value.encode() + b"\0"
        else:
            head.data += b"\1" + kind.encode() + b"\0"
            head.text(value)

    head.data = b"l\1\0\1" + struct.pack("<II", len(body.data), serial)
    head.array(8, field, fields + ([(8, "g", signature)] if signature else []))
    head.pad(8)
    return head.data + body.data


def receive(s, size):
    data = b""
    while len(data) < size:
        piece = s.recv(size - len(data))
        if not piece:
            return None
        data += piece
    return data


def answer(s, sent):
    """"ok", an error's name, what a cancel's outcome says, or None where the daemon hangs up."""
    try:
        s.sendall(sent)
        while True:
            head = receive(s, 16)
            if head is None:
                return None
            body_bytes, _serial, fields_bytes = struct.unpack("<III", head[4:])
            rest = receive(s, fields_bytes + -fields_bytes % 8 + body_bytes)
            if head[1] in (2, 3):
                break
    except (BrokenPipeError, ConnectionResetError):
        return None
    if head[1] == 3:
        return re.search(rb"(org\.[\w.]+)\0", rest)[1].decode()
    outcome = re.match(rb"....((?:NO_)?ERROR\w*)\0", rest[fields_bytes + -fields_bytes % 8 :], re.DOTALL)
    return outcome[1].decode() if outcome else "ok"


def talking(wnet):
    """As sd-bus does, all of the greeting at once: what comes together with its end lies there until more comes."""
    s = connect(wnet)
    s.settimeout(20)
    s.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\nBEGIN\r\n")
    received = b""
    while b"\r\n" not in received:
        received += s.recv(1)
    assert received.startswith(b"OK "), received
    return s


def error(name):
    return f"org.wnet.Error.{name}"


@pytest.fixture
def serving(wnet, server):
    """A user with a remembered drive; afterwards everything is as it was."""
    (server.data / "f").write_text("x")
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    pid, before, profile = wnet.daemon(), wnet.list(), wnet.profile.read_bytes()
    yield wnet
    assert wnet.daemon() == pid and alive(pid)
    assert wnet.list() == before and wnet.profile.read_bytes() == profile
    assert (wnet.folder() / "f").read_text() == "x"


def test_these_are_all_methods():
    calls = (TOP / "core" / "control-calls.c").read_text(encoding="utf-8")
    assert set(re.findall(r'SD_BUS_METHOD\("(\w+)"', calls)) == set(METHODS)


@pytest.mark.parametrize("member", METHODS)
def test_a_wrong_signature(serving, member):
    right, _values = METHODS[member]
    with talking(serving) as s:
        for serial, signature in enumerate(SIGNATURES, 1):
            if signature == right:
                continue
            values = [SOME[kind] for kind in re.findall(r"a\{sv\}|\(s\)|a?\w", signature)]
            assert answer(s, message(member, signature, values, serial)) == "org.freedesktop.DBus.Error.InvalidArgs", signature


@pytest.mark.parametrize("member", METHODS)
def test_a_wrong_address(serving, member):
    signature, values = METHODS[member]
    with talking(serving) as s:
        unknown = {f"org.freedesktop.DBus.Error.Unknown{what}" for what in ("Object", "Interface", "Method")}
        for path, interface, name in [("/", INTERFACE, member), ("/org/wnet/Manager2", INTERFACE, member), (PATH + "/x", INTERFACE, member),
                                      (PATH, "org.wnet.Manager2", member), (PATH, INTERFACE, member + "2"), (PATH, INTERFACE, "x" * 200)]:
            assert answer(s, message(name, signature, values, path=path, interface=interface)) in unknown, (path, interface, name)


# what a method answers to a text that it cannot know
CODES = {
    ("Add", 0): {error("BAD_DEVICE")},
    ("Add", 1): {error("BAD_NET_NAME")},
    ("Restore", 0): {error("BAD_DEVICE")},
    ("Cancel", 0): {"ERROR_NOT_CONNECTED"},
    ("Forget", 0): {error("BAD_DEVICE")},
    ("Shares", 0): {error("BAD_NET_NAME")},
    ("History", 0): {"ok"},
    ("Files", 0): {error("NOT_CONNECTED")},
    ("Get", 0): {error("BAD_DEVICE")},
}


def test_these_are_all_texts():
    assert set(CODES) == {(member, n) for member, (signature, _values) in METHODS.items()
                          for n, kind in enumerate(re.findall(r"a\{sv\}|\w", signature)) if kind == "s"}


@pytest.mark.parametrize("member, position", CODES, ids=lambda value: str(value))
def test_hostile_texts(serving, member, position):
    signature, values = METHODS[member]
    with talking(serving) as s:
        for what, text in HOSTILE.items():
            if not text and (member, position) in (("Add", 0), ("Files", 0), ("History", 0)):
                continue  # it has a meaning there
            got = answer(s, message(member, signature, [text if n == position else value for n, value in enumerate(values)]))
            assert got in CODES[member, position], (what, got)
    assert "\x1b" not in serving.log_text() and "x" * 5000 not in serving.log_text()


@pytest.mark.parametrize("text", [b"\xff\xfe:", b"Z\xc3", b"\xed\xa0\xbd:", b"Z:\0more"], ids=ascii)
def test_texts_that_are_none(serving, text):
    """Invalid UTF-8, half a pair of surrogates, a NUL within: D-Bus has no such text, and whoever sends one is hung up on or refused."""
    for member, position in CODES:
        signature, values = METHODS[member]
        with talking(serving) as s:
            got = answer(s, message(member, signature, [text if n == position else value for n, value in enumerate(values)]))
            assert got is None or got.startswith("org.freedesktop.DBus.Error."), (member, position, got)


BAD_OPTIONS = {
    "unknown": ({"colour": ("s", "red")}, {"INVALID_PARAMETER"}),
    "an empty key": ({"": ("s", "x")}, {"INVALID_PARAMETER"}),
    "a giant key": ({"k" * 100_000: ("s", "x")}, {"INVALID_PARAMETER"}),
    "a key with control bytes": ({"\x1b[31m": ("s", "x")}, {"INVALID_PARAMETER"}),
    "a number for a user": ({"user": ("u", 1)}, {"INVALID_PARAMETER"}),
    "an empty user": ({"user": ("s", "")}, {"BAD_USERNAME"}),
    "a giant user": ({"user": ("s", "u" * 65536)}, {"BAD_USERNAME"}),
    "a user with control bytes": ({"user": ("s", "al\x07ice")}, {"BAD_USERNAME"}),
    "a user of three parts": ({"user": ("s", "a\\b\\c")}, {"BAD_USERNAME"}),
    "a giant password": ({"user": ("s", "alice"), "password": ("s", "p" * 65536)}, {"INVALID_PASSWORD"}),
    "a flag for a password": ({"password": ("b", 1)}, {"INVALID_PARAMETER"}),
    "a relative credentials file": ({"credentials": ("s", "credentials")}, {"INVALID_PARAMETER"}),
    "a giant credentials file": ({"credentials": ("s", "/" + "c" * 65536)}, {"INVALID_PARAMETER"}),
}
ADD_OPTIONS = {
    "an unknown type": ({"type": ("u", 77)}, {"INVALID_PARAMETER"}),
    "a text for a type": ({"type": ("s", "disk")}, {"INVALID_PARAMETER"}),
    "the other kind": ({"type": ("u", 2)}, {"BAD_DEV_TYPE"}),
    "a text for persistent": ({"persistent": ("s", "yes")}, {"INVALID_PARAMETER"}),
    "a number for read-only": ({"read-only": ("u", 1)}, {"INVALID_PARAMETER"}),
}


@pytest.mark.parametrize("member, table", [("Add", {**BAD_OPTIONS, **ADD_OPTIONS}), ("Shares", BAD_OPTIONS)], ids=["Add", "Shares"])
def test_hostile_options(serving, member, table):
    signature, values = METHODS[member]
    for what, (options, codes) in table.items():
        with talking(serving) as s:
            assert answer(s, message(member, signature, [*values[:-1], options])) in {error(code) for code in codes}, what


def test_unknown_flags_and_numbers(serving):
    with talking(serving) as s:
        for bit in range(1, 32):
            assert answer(s, message("Cancel", "subt", ["Z:", 1 << bit, 0, 0])) == "ERROR_INVALID_PARAMETER"
        assert answer(s, message("Cancel", "subt", ["Q:", 0, 1, (1 << 64) - 1])) == "ERROR_NOT_CONNECTED", "it waits for no holder"
        assert answer(s, message("History", "su", ["", 0xFFFFFFFF])) == "ok"
        assert answer(s, message("History", "su", ["", 0])) == "ok"


def test_a_giant_message(serving):
    """Of 100 MiB: D-Bus allows 128, nothing here needs one."""
    with talking(serving) as s:
        head = message("Get", "s", ["x"])
        s.settimeout(5)
        s.sendall(head[:4] + struct.pack("<I", 100 << 20) + head[8:])
        error_of(lambda: s.sendall(b"x" * (20 << 20)))
        assert serving.entry()["state"] == "ok"


@pytest.mark.parametrize("begin", [b"", b"\0", b"\0BEGIN\r\n", b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n", b"\0AUTH ANONYMOUS\r\nBEGIN\r\n"], ids=ascii)
def test_without_authentication(serving, begin):
    for member, (signature, values) in METHODS.items():
        with connect(serving) as s:
            s.settimeout(0.2)
            error_of(lambda: s.sendall(begin + message(member, signature, values)))  # noqa: B023
            received = b""
            while True:
                try:
                    piece = s.recv(1000)
                except (TimeoutError, ConnectionResetError):
                    break
                if not piece:
                    break
                received += piece
            assert b"l\2" not in received and b"l\3" not in received, (member, received)


def test_one_that_listens_no_longer(wnet, server):
    """As a program whose call timed out: it lives, and what it has asked for is done."""
    slow = Proxy(server.port)
    slow.hold = True
    wnet.list()
    s = talking(wnet)
    s.sendall(message("Add", "ssa{sv}", ["Z:", slow.share(), {"credentials": ("s", str(wnet.credentials())), "persistent": ("b", True)}]))
    wnet.wait_state("Z:", "connecting")
    s.close()
    wnet.list()
    slow.hold = False
    wnet.wait_state("Z:", "ok")
    assert set(wnet.rows()) == {"Z:"}


def test_half_a_message_and_then_silence(serving):
    """Everybody else is served meanwhile."""
    waiting = []
    for member, (signature, values) in METHODS.items():
        whole = message(member, signature, values)
        for size in {1, 15, 16, 17, len(whole) // 2, len(whole) - 1} - {len(whole)}:
            waiting.append(talking(serving))
            waiting[-1].sendall(whole[:size])
    assert serving.entry()["state"] == "ok"
    serving.fails(2250, "cancel", "Q:")
    for s in waiting:
        s.close()


def test_two_hundred_connections(serving):
    """More than it takes: some are closed at once, and when there is room again everybody is served."""
    pid, held = serving.daemon(), []
    for _ in range(200):
        held.append(socket.socket(socket.AF_UNIX))
        held[-1].connect(str(serving.runtime / "wnet" / "control"))
    result = serving.run("list", "--json", timeout=2 * LONG)
    assert result.code == 0 or "1208" in result.err, repr(result)
    assert (serving.folder() / "f").read_text() == "x"
    closed = 0
    for s in held:
        s.setblocking(False)
        try:
            closed += s.recv(1) == b""
        except BlockingIOError:
            pass
        s.close()
    assert closed > 0
    assert serving.entry()["state"] == "ok"
    wait_until(lambda: len(os.listdir(f"/proc/{pid}/fd")) < 100, "what they held is given back")


def test_silent_clients_do_not_hold_up_the_end(wnet):
    """Those that never greet, and one that never reads."""
    wnet.list()
    pid, held = wnet.daemon(), []
    for _ in range(50):
        held.append(socket.socket(socket.AF_UNIX))
        held[-1].connect(str(wnet.runtime / "wnet" / "control"))
    held.append(talking(wnet))
    held[-1].setblocking(False)
    error_of(lambda: [held[-1].sendall(message("List", "", [], serial)) for serial in range(1, 20_000)])
    wnet.ok("shutdown")
    wait_until(lambda: not alive(pid), "it is gone", timeout=15)
    for s in held:
        s.close()
