# SPDX-License-Identifier: GPL-3.0-or-later
"""The C library as a program written for Windows uses it, in its UTF-8 and in its UTF-16 form: codes, outputs, and what changed."""

import contextlib
import errno
import json
import os
import signal
import sqlite3
import subprocess

import pytest

from harness import ALICE, BOB, BOB_PASSWORD, LONG, PASSWORD, alive, opened, wait_until

ANY, DISK, PRINT = 0, 1, 2
UPDATE_PROFILE, TEMPORARY, INTERACTIVE, REDIRECT, LOCALDRIVE = 1, 4, 8, 0x80, 0x100
CONNECTED, GLOBALNET, REMEMBERED = 1, 2, 3
ALL = 0xFFFFFFFF
UNIVERSAL, REMOTE = 1, 2
CONNECTABLE, CONTAINER = 1, 2
BEFORE_ASKING = (87, 124, 234, 259, 487, 1200, 1204)  # codes without a cause of their own


class Library:
    """Calls the probe: lib(CALL, ARGUMENT…) is the dict that it prints; a call that fails says so in words, too."""

    def __init__(self, wnet, form):
        self.wnet, self.wide = wnet, form == "wide"
        self.program = wnet.build / "tests" / "integration" / ("libwnet-probe-wide" if self.wide else "libwnet-probe")
        self.char_bytes = 2 if self.wide else 1
        self.bad_text = "%uD83D" if self.wide else "%FF"  # an unpaired surrogate, or no UTF-8

    def start(self, *calls, **kwargs):
        args = []
        for call in calls:
            args += ["--", *call] if args else call
        return self.wnet.popen([self.program, *map(self.argument, args)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, **kwargs)

    @staticmethod
    def argument(value):
        return "NULL" if value is None else str(value)

    def calls(self, *calls, input=""):
        process = self.start(*calls)
        out, err = process.communicate(input, timeout=LONG)
        assert process.returncode == 0 and err == "", (process.returncode, out, err)
        results = [json.loads(line) for line in out.splitlines()]
        for result in results:
            assert result["last"] == result["code"], "the last error is what the call returned"
        return results

    def __call__(self, *call, input=""):
        result, error = self.calls(call, ["error", 600, 16], input=input)
        assert error["provider"] == "wnet"
        if result["code"] in BEFORE_ASKING:
            assert error["error"] == result["code"], (result, error)
        assert bool(error["error"]) == bool(result["code"]), (result, error)
        assert bool(error["text"]) == (result["code"] != 0), error
        result["text"], result["cause"] = error["text"], error["error"]
        return result

    def code(self, *call, input=""):
        return self(*call, input=input)["code"]

    def add(self, device, remote, flags=0, type=DISK, user=ALICE, password=PASSWORD):
        return self.code("add2", type, device, remote, None, "@stdin" if password is not None else None, user, flags,
                         input=f"{password}\n")

    def use(self, device, remote, flags, buffer, *rest, type=DISK, user=ALICE, password=PASSWORD):
        return self("use", type, device, remote, None, "@stdin" if password is not None else None, user, flags, buffer, *rest,
                    input=f"{password}\n")

    def enumerate(self, scope, type=ANY, *container):
        opened, listed, ended, closed = self.calls(["open", scope, type, *container], ["next", ALL, 100_000], ["next", ALL, 100_000], ["close"])
        assert opened["code"] == 0 and closed["code"] == 0
        if listed["code"] == 259:
            return []
        assert listed["code"] == 0 and ended["code"] == 259, (listed, ended)
        assert listed["count"] == len(listed["entries"])
        for entry in listed["entries"]:
            assert entry["scope"] == scope and entry["provider"] == "wnet" and entry["comment"] == ""
            port = (entry["local"] or "").startswith("LPT")
            assert entry["type"] == (PRINT if port else DISK) or (scope == GLOBALNET and entry["type"] == PRINT)
            assert entry["display"] == 3 and entry["usage"] == 1
        return sorted(((entry["local"], entry["remote"]) for entry in listed["entries"]), key=str)


@pytest.fixture(params=["narrow", "wide"])
def lib(request, wnet):
    return Library(wnet, request.param)


# adding


def test_a_drive_is_connected_and_disconnected(lib, wnet, server):
    assert lib.add("z:", server.unc()) == 0
    (wnet.folder("Z:") / "f").write_text("x")
    assert (server.data / "f").read_text() == "x"
    assert wnet.rows() == {}
    assert lib("get", "Z:", 260)["name"] == server.unc()
    assert lib.add("Z:", server.unc()) == 85
    assert lib.add("Z:", server.unc("readonly")) == 85
    assert lib.code("cancel2", "Z:", 0, 0) == 0
    assert wnet.mount("Z:") is None
    assert lib.code("get", "Z:", 260) == 2250


@pytest.mark.parametrize("call", ["add2", "add3"])
def test_remembering(lib, wnet, server, call):
    arguments = [DISK, "Z:", server.unc(), "wnet", "@stdin", f"WORKGROUP\\{ALICE}"]
    assert lib.code(call, *arguments, UPDATE_PROFILE | INTERACTIVE, input=PASSWORD + "\n") == 0
    assert set(wnet.rows()) == {"Z:"}
    assert lib.code("cancel2", "Z:", 0, 0) == 0
    assert set(wnet.rows()) == {"Z:"} and wnet.entry()["state"] == "unavailable"
    assert lib.add("Z:", server.unc("readonly")) == 1202
    assert lib.add("Z:", server.unc("readonly"), UPDATE_PROFILE) == 1202
    assert lib.add("Z:", server.unc(), TEMPORARY) == 0
    assert set(wnet.rows()) == {"Z:"}, "reconnected, and the row stays"
    assert lib.code("cancel2", "Z:", UPDATE_PROFILE, 0) == 0
    assert wnet.rows() == {} and wnet.mount("Z:") is None


def test_the_old_call_remembers(lib, wnet, server):
    wnet.add("Y:", server.url())  # whose credentials are reused
    assert lib.code("add", server.unc(), None, "Z:") == 0
    assert set(wnet.rows()) == {"Z:"}
    assert lib.code("cancel", "Z:", 0) == 0
    assert wnet.rows() == {} and wnet.mount("Z:") is None and wnet.mount("Y:")


def test_without_a_device_nothing_is_remembered(lib, wnet, server):
    assert lib.add(None, server.unc(), UPDATE_PROFILE) == 0
    assert wnet.rows() == {}
    assert [entry["device"] for entry in wnet.list()] == [""]
    assert lib.enumerate(CONNECTED) == [(None, server.unc())]
    assert lib.code("cancel2", server.url(), 0, 0) == 0
    assert wnet.list() == []


def test_a_printer_port(lib, wnet, make_server):
    server = make_server(more_shares={"printer": {"path": "spool", "printed": "printed"}})
    for device, share, type in [("Z:", "printer", ANY), ("Z:", "printer", DISK), ("LPT1", "data", ANY), ("LPT1", "data", PRINT),
                                (None, "printer", PRINT), (None, "printer", ANY)]:
        assert lib.add(device, server.unc(share), UPDATE_PROFILE, type) == 66, (device, share, type)
    assert wnet.list() == [] and wnet.rows() == {}

    assert lib.add("lpt1:", server.unc("printer"), UPDATE_PROFILE, PRINT) == 0
    assert lib.add("LPT2", server.unc("printer"), 0, ANY) == 0
    assert lib.add("LPT2", server.unc("printer"), 0, ANY) == 85
    assert sorted(lib.enumerate(CONNECTED, PRINT)) == [("LPT1", server.unc("printer")), ("LPT2", server.unc("printer"))]
    assert lib.enumerate(CONNECTED, DISK) == []
    assert lib.enumerate(REMEMBERED, PRINT) == [("LPT1", server.unc("printer"))]
    assert lib("get", "LPT1:", 260)["name"] == server.unc("printer")
    with opened(wnet.folder("LPT1"), "wb") as job:
        job.write(b"never printed")
        assert lib.code("cancel2", "LPT1", 0, 0) == 2401
        assert lib.code("cancel2", server.unc("printer"), 0, 0) == 2401
        assert wnet.mount("LPT1") and wnet.mount("LPT2")
        assert lib.code("cancel2", "lpt1", UPDATE_PROFILE, 1) == 0
    assert lib.code("cancel2", "LPT1:", 0, 0) == 2250
    assert lib.code("cancel2", server.unc("printer"), 0, 0) == 0
    assert wnet.list() == [] and wnet.rows() == {}
    assert os.listdir(server.path("printed")) == []


ADD_FAILURES = [
    # device, share, flags, type, user, password, codes
    ("Z:", "data", 0, DISK, ALICE, "not-it", (86, 1326)),
    ("Z:", "data", 0, DISK, "nobody-of-that-name", "not-it", (86, 1326)),
    ("Z:", "data", UPDATE_PROFILE, DISK, ALICE, "not-it", (86, 1326)),
    ("Z:", "denied", 0, DISK, ALICE, PASSWORD, (5,)),
    ("Z:", "no-such-share", UPDATE_PROFILE, DISK, ALICE, PASSWORD, (67,)),
    ("Z:", "data", 0, DISK, "a\\b\\c", PASSWORD, (2202,)),
    ("Z:", "data", 0, DISK, "", PASSWORD, (2202,)),
    ("Z:", "data", 0, DISK, "u" * 60_000, PASSWORD, (2202,)),
    ("Z:", "data", 0, DISK, "BAD", PASSWORD, (2202,)),
    ("Z:", "data", 0, DISK, ALICE, "BAD", (86,)),
    ("Z:", "data", 0, DISK, ALICE, "x" * 1025, (86,)),
    ("Z:", "data", 0, PRINT, ALICE, PASSWORD, (66,)),
    ("LPT1", "data", 0, DISK, ALICE, PASSWORD, (66,)),
    ("Z", "data", 0, DISK, ALICE, PASSWORD, (1200,)),
    ("BAD", "data", 0, DISK, ALICE, PASSWORD, (1200,)),
    ("Z:", "data", 2, DISK, ALICE, PASSWORD, (87,)),
    ("Z:", "data", 0x80000000, DISK, ALICE, PASSWORD, (87,)),
    ("Z:", "data", TEMPORARY | UPDATE_PROFILE, DISK, ALICE, PASSWORD, (87,)),
    ("Z:", "data", 0, 3, ALICE, PASSWORD, (87,)),
]


def test_a_failed_add_leaves_nothing(lib, wnet, server):
    for device, share, flags, type, user, password, codes in ADD_FAILURES:
        device, user, password = (lib.bad_text if value == "BAD" else value for value in (device, user, password))
        code = lib.add(device, server.unc(share), flags, type, user, password)
        assert code in codes, (device, share, flags, type, user[:20], code)
    for remote, codes in [("", (67,)), (lib.bad_text, (67,)), (server.unc() + lib.bad_text, (67,)), ("Z:", (67,)),
                          ("\\\\127.0.0.1:1\\data", (53, 1203)), (None, (67,))]:
        assert lib.add("Z:", remote) in codes, remote
    assert lib.code("add2", DISK, "Z:", server.unc(), "Some Other Network", None, None, 0) == 1204
    assert lib.code("add2", None) == 487
    assert lib.code("add3", None) == 487
    assert wnet.list() == [] and wnet.rows() == {}
    assert alive(wnet.daemon())


def test_credentials_of_a_live_connection(lib, wnet, server, make_server):
    assert lib.add("Z:", server.unc()) == 0
    assert lib.add("Y:", server.unc("readonly"), user=None, password=None) == 0
    assert lib.add("X:", server.unc("denied"), user=BOB, password=BOB_PASSWORD) == 1219
    assert wnet.mount("X:") is None
    lib_error = lib("add2", DISK, "X:", server.unc("denied"), None, None, BOB, 0)
    assert lib_error["code"] == 1219 and ("Z:" in lib_error["text"] or "Y:" in lib_error["text"])
    assert lib.add("X:", make_server().unc("denied"), user=BOB, password=BOB_PASSWORD) == 0
    assert lib.code("cancel2", "Z:", 0, 0) == 0 and lib.code("cancel2", "Y:", 0, 0) == 0
    assert lib.add("Z:", server.unc("denied"), user=BOB, password=BOB_PASSWORD) == 0, "the old session is gone"


@pytest.mark.parametrize("broken, code", [("directory", 1205), ("garbage", 1206)])
def test_a_broken_profile(lib, wnet, server, broken, code):
    wnet.expect_log("profile|restored")
    wnet.list()
    wnet.profile.parent.mkdir(mode=0o700, exist_ok=True)
    if broken == "directory":
        wnet.profile.mkdir()
    else:
        wnet.profile.write_bytes(b"this is no profile" * 100)
    assert lib.add("Z:", server.unc(), UPDATE_PROFILE) == code
    assert wnet.mount("Z:") is None and wnet.entry() is None
    assert lib.add("Z:", server.unc()) == 0, "without the flag a broken profile does not matter"
    assert lib.code("cancel2", "Z:", UPDATE_PROFILE, 0) == 0, "it is not remembered: the flag is ignored"


def test_cancelled_while_it_connects(lib, wnet, server):
    wnet.list()
    server.freeze()
    adding = lib.start(["add2", DISK, "Z:", server.unc(), None, None, ALICE, UPDATE_PROFILE])
    wnet.wait_state("Z:", "connecting")
    assert lib.code("get", "Z:", 260) == 1201
    assert lib.code("cancel2", "Z:", 0, 0) == 0
    out, _err = adding.communicate(timeout=LONG)
    server.thaw()
    assert json.loads(out)["code"] == 1223
    assert wnet.list() == [] and wnet.rows() == {}


# WNetUseConnection


def test_use_gives_the_device_its_name(lib, wnet, server):
    result = lib.use("x:", server.unc(), 0, 3)
    assert (result["code"], result["name"], result["size"], result["result"]) == (0, "X:", 3, LOCALDRIVE)
    assert wnet.mount("X:")
    result = lib.use(None, server.url("readonly"), 0, 200)
    assert (result["code"], result["name"], result["size"], result["result"]) == (0, server.unc("readonly"), 200, 0)
    assert sorted(entry["device"] for entry in wnet.list()) == ["", "X:"]


def test_use_chooses_a_letter(lib, wnet, server):
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    wnet.ok("cancel", "Z:")
    wnet.add("Y:", server.url())
    result = lib.use(None, server.unc(), REDIRECT, 3)
    assert (result["code"], result["name"], result["result"]) == (0, "X:", LOCALDRIVE), "Z: is remembered, Y: connected"
    assert wnet.mount("X:")
    result = lib.use("", server.unc("readonly"), REDIRECT | UPDATE_PROFILE, 3, "no-result")
    assert (result["code"], result["name"], result["result"]) == (0, "W:", 77)
    assert set(wnet.rows()) == {"W:", "Z:"}
    result = lib.use("V:", server.unc("readonly"), REDIRECT, 3)
    assert (result["code"], result["name"]) == (0, "V:")
    for type in (ANY, PRINT):
        assert lib.use(None, server.unc(), REDIRECT, 3, type=type)["code"] == 66


@pytest.mark.parametrize("buffer, code, size", [("NULL:0", 0, 0), ("NULL", 0, None), ("NULL:1", 0, 1), ("0", 87, 0), ("8:NULL", 87, None),
                                                ("1", 234, 3), ("2", 234, 3), ("3", 0, 3), ("99", 0, 99)])
@pytest.mark.parametrize("device, flags", [("Z:", 0), (None, REDIRECT)], ids=["device", "redirect"])
def test_the_buffer_of_use(lib, wnet, server, device, flags, buffer, code, size):
    result = lib.use(device, server.unc(), flags, buffer)
    assert result["code"] == code and result.get("size") == size
    assert bool(wnet.mount("Z:")) == (code == 0)
    if code:
        assert result["touched"] == 0 and result["result"] == 77 and wnet.list() == []
    else:
        assert result["result"] == LOCALDRIVE and result["name"] == (None if buffer.startswith("NULL") else "Z:")


# cancelling


CANCEL_ROWS = [
    # connected, remembered, name, flags, code, connected after, remembered after
    (True, False, "Z:", 0, 0, False, False),
    (True, False, "z:", 0, 0, False, False),
    (True, True, "Z:", 0, 0, False, True),
    (True, True, "Z:", UPDATE_PROFILE, 0, False, False),
    (True, False, "Z:", UPDATE_PROFILE, 0, False, False),
    (False, True, "Z:", UPDATE_PROFILE, 0, False, False),
    (False, True, "Z:", 0, 2250, False, True),
    (True, True, "remote", 0, 0, False, True),
    (True, True, "remote", UPDATE_PROFILE, 0, False, True),
    (False, True, "remote", 0, 2250, False, True),
    (False, True, "remote", UPDATE_PROFILE, 2250, False, True),
    (True, True, "Z:", 2, 87, True, True),
    (True, True, "Z:", 0x80000001, 87, True, True),
    (True, True, "remote", 4, 87, True, True),
]


@pytest.mark.parametrize("force", [0, 1, -1, 256])
def test_the_rows_of_cancel(lib, wnet, server, force):
    for connected, remembered, name, flags, code, connected_after, remembered_after in CANCEL_ROWS:
        row = (connected, remembered, name, flags)
        wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), *(["--persistent"] if remembered else []))
        if not connected:
            wnet.ok("cancel", "Z:")
        assert lib.code("cancel2", server.unc() if name == "remote" else name, flags, force) == code, row
        assert bool(wnet.mount("Z:")) == connected_after, row
        assert bool(wnet.rows()) == remembered_after, row
        wnet.run("cancel", "Z:", "--forget")
        assert wnet.list() == [] and wnet.rows() == {}


def test_cancel_of_what_is_no_connection(lib, wnet, server):
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    names = [None, "", "Y:", "Z", "LPT1", lib.bad_text + ":", "//127.0.0.1/x" + lib.bad_text, "Z:" * 30_000, "\\\\" + "x" * 60_000,
             str(wnet.home), str(wnet.folder("Z:")), server.unc("readonly"), "Z:%07" if not lib.wide else "Z:%u0007"]
    for name in names:
        for flags in (0, UPDATE_PROFILE):
            for force in (0, 1):
                assert lib.code("cancel2", name, flags, force) == 2250, (name, flags, force)
        assert lib.code("cancel", name, 0) == 2250
    assert wnet.mount("Z:") and set(wnet.rows()) == {"Z:"}


def test_cancel_by_the_remote_name_breaks_all(lib, wnet, server):
    for device in ("X:", "Y:"):
        assert lib.add(device, server.unc()) == 0
    assert lib.add("", server.unc()) == 0
    assert lib.add("W:", server.unc("readonly")) == 0
    with open(wnet.folder("Y:") / "f", "w", encoding="utf-8"):
        result = lib("cancel2", server.url().upper(), 0, 0)
        assert result["code"] == 2401 and result["text"]
        assert len(wnet.list()) == 4, "all or nothing"
    assert lib.code("cancel2", server.url().upper(), 0, 0) == 0
    assert [entry["device"] for entry in wnet.list()] == ["W:"]


def test_cancel_of_what_is_in_use(lib, wnet, server):
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    folder = wnet.folder("Z:")
    with open(folder / "f", "wb", buffering=0) as f:
        for flags in (0, UPDATE_PROFILE):
            assert lib.code("cancel2", "Z:", flags, 0) == 2401
        f.write(b"still works")
        (folder / "new").write_text("so do new opens")
    sleeper = wnet.popen(["sleep", "1000"], cwd=folder)
    assert lib.code("cancel2", "Z:", UPDATE_PROFILE, 0) == 2404
    assert wnet.mount("Z:") and set(wnet.rows()) == {"Z:"}
    assert lib.code("cancel2", "Z:", UPDATE_PROFILE, 1) == 0
    assert wnet.mount("Z:") is None and wnet.rows() == {}
    sleeper.kill()


def test_cancel_with_a_broken_profile(lib, wnet, server):
    wnet.expect_log("profile")
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    good = wnet.profile.read_bytes()
    wnet.profile.write_bytes(b"garbage" * 500)
    assert lib.code("cancel2", "Z:", UPDATE_PROFILE, 0) == 1206
    assert lib.code("cancel2", "Z:", UPDATE_PROFILE, 1) == 1206
    assert wnet.mount("Z:") and wnet.profile.read_bytes() == b"garbage" * 500
    wnet.profile.write_bytes(good)
    lock = sqlite3.connect(wnet.profile, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    assert lib.code("cancel", "Z:", 0) == 1205
    assert lib.code("cancel2", "Z:", 0, 0) == 0, "with flags 0 it is never even read"
    lock.execute("ROLLBACK")
    lock.close()
    assert set(wnet.rows()) == {"Z:"}


# asking


def test_get_connection(lib, wnet, server):
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    size = len(server.unc()) + 1
    for state, code in [("connected", 0), ("remembered", 1201)]:
        result = lib("get", "z:", size)
        assert (result["code"], result["name"], result["size"]) == (code, server.unc(), size), state
        for small in ("NULL:0", "1", str(size - 1)):
            result = lib("get", "Z:", small)
            assert (result["code"], result["size"], result["touched"]) == (234, size, 0), small
        wnet.ok("cancel", "Z:") if code == 0 else None
    assert lib.code("get", "Y:", 100) == 2250
    assert lib.code("get", "LPT1", 100) == 2250
    for name in ("", "Z", "nonsense", server.unc(), lib.bad_text, "Z:" * 30_000):
        assert lib.code("get", name, 100) == 1200, name
    assert lib.code("get", None, 100) == 487
    assert lib.code("get", "Z:", "100:NULL") == 487
    assert lib.code("get", "Z:", "NULL:100") == 487


def test_names_that_are_not_ascii(lib, wnet, root):
    wnet.ok("list")
    share = "Fotos-\u00e4\u20ac\U0001f600"
    wnet.run("add", "Z:", f"//127.0.0.1:1/{share}", "--persistent")  # nobody is there: only its name matters
    result = lib("add2", DISK, "Z:", f"\\\\127.0.0.1:1\\{share}", None, None, None, 0)
    assert result["code"] in (53, 1203)
    assert share in result["text"]


def test_get_user(lib, wnet, server):
    login = wnet.program("id", "-un").out.strip()
    assert lib("user", None, 100)["name"] == login
    result = lib("user", None, len(login))
    assert (result["code"], result["size"], result["touched"]) == (234, len(login) + 1, 0)
    assert lib.add("Z:", server.unc(), UPDATE_PROFILE) == 0
    assert lib("user", "Z:", 6)["name"] == ALICE
    assert lib("user", server.url(), 6)["name"] == ALICE
    assert lib("user", "Z:", 5)["size"] == 6
    wnet.ok("cancel", "Z:")
    for name in ("Z:", "Y:", "", "nonsense", server.unc(), lib.bad_text):
        assert lib.code("user", name, 100) == 2250, name
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials())  # only the worker reads that file
    assert lib("user", "Z:", 100)["name"] == ALICE
    wnet.ok("cancel", "Z:")
    assert lib.add("Y:", server.unc(), user=f"WORKGROUP\\{ALICE}") == 0
    assert lib("user", "Y:", 100)["name"] == f"WORKGROUP\\{ALICE}"
    assert lib.code("user", "Z:", "100:NULL") == 487
    assert lib.code("user", "Z:", "NULL:100") == 487


def test_universal_name(lib, wnet, server):
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    unc = server.unc()
    for path, rest in [("Z:", ""), ("z:\\", "\\"), ("Z:\\a\\b c", "\\a\\b c"), ("Z:/a/b", "\\a\\b"),
                       ("Z:\\\u00e4\u20ac\U0001f600", "\\\u00e4\u20ac\U0001f600")]:
        assert lib("universal", path, UNIVERSAL, 1000)["name"] == unc + rest
        result = lib("universal", path, REMOTE, 1000)
        assert (result["name"], result["connection"], result["rest"]) == (unc + rest, unc, rest)
        for level, pointers in [(UNIVERSAL, 1), (REMOTE, 3)]:
            small = lib("universal", path, level, 1)
            assert (small["code"], small["touched"]) == (234, 0)
            texts = [unc + rest, unc, rest][:pointers]
            encoding = "utf-16-le" if lib.wide else "utf-8"
            needed = 8 * pointers + sum(len(text.encode(encoding)) + lib.char_bytes for text in texts)
            assert small["size"] == needed
            assert lib.code("universal", path, level, needed - 1) == 234
            assert lib("universal", path, level, needed)["name"] == unc + rest
    for arguments, code in [(("Z:", UNIVERSAL, 0), 87), (("Z:", 3, 1000), 124), (("Z:", 0, 1000), 124), ((None, UNIVERSAL, 1000), 487),
                            (("Z:", UNIVERSAL, "NULL:1000"), 487), (("Z:", UNIVERSAL, "NULL"), 487), (("Y:\\x", REMOTE, 1000), 2250),
                            (("/home", UNIVERSAL, 1000), 1200), (("Z:" + lib.bad_text, UNIVERSAL, 1000), 1200)]:
        assert lib.code("universal", *arguments) == code, arguments
    wnet.ok("cancel", "Z:")
    assert lib.code("universal", "Z:\\a", UNIVERSAL, 1000) == 1201


def test_enumeration(lib, wnet, server):
    assert lib.enumerate(CONNECTED) == [] and lib.enumerate(REMEMBERED) == [], "no profile yet is an empty list"
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    wnet.ok("add", "Y:", server.url("readonly"), "--credentials", wnet.credentials(), "--persistent")
    wnet.ok("add", "X:", server.url(), "--credentials", wnet.credentials())
    wnet.ok("cancel", "Y:")
    assert lib.enumerate(CONNECTED) == [("X:", server.unc()), ("Z:", server.unc())]
    assert lib.enumerate(REMEMBERED) == [("Y:", server.unc("readonly")), ("Z:", server.unc())]
    assert lib.enumerate(CONNECTED, DISK) == lib.enumerate(CONNECTED) == lib.enumerate(CONNECTED, DISK | PRINT)
    assert lib.enumerate(CONNECTED, PRINT) == []
    for arguments, code in [((0, ANY), 87), ((4, ANY), 87), ((ALL, ANY), 87), ((CONNECTED, 4), 87),
                            ((CONNECTED, ALL), 87), ((CONNECTED, ANY, "resource"), 87), ((CONNECTED, ANY, "no-handle"), 487)]:
        assert lib.code("open", *arguments) == code, arguments


def test_a_servers_shares(lib, wnet, server):
    wnet.add("Z:", server.url())
    name = server.unc("")[:-1]
    shares = [(None, server.unc(share)) for share in ("data", "denied", "readonly")]
    for container in ([name, CONTAINER], [name + "\\", CONTAINER | CONNECTABLE, 0, "WNET"],
                      [name.replace("\\", "/"), CONTAINER, CONNECTABLE | CONTAINER, ""]):
        assert lib.enumerate(GLOBALNET, ANY, *container) == lib.enumerate(GLOBALNET, DISK, *container) == shares, container
    assert lib.enumerate(GLOBALNET, PRINT, name, CONTAINER) == []
    assert lib.enumerate(GLOBALNET, ANY, name, CONTAINER, CONTAINER) == [], "no share is a container"
    assert lib.enumerate(GLOBALNET) == lib.enumerate(GLOBALNET, ANY, "", CONTAINER) == [], "servers are not searched for"
    for arguments, code in [((GLOBALNET, ANY, name, CONNECTABLE), 87), ((GLOBALNET, ANY, name, CONTAINER, 4), 87),
                            ((GLOBALNET, 4, name, CONTAINER), 87), ((GLOBALNET, ANY, server.unc(), CONTAINER), 67),
                            ((GLOBALNET, ANY, lib.bad_text, CONTAINER), 67), ((GLOBALNET, ANY, "server", CONTAINER), 67),
                            ((GLOBALNET, ANY, name, CONTAINER, 0, "Other Network"), 1204), ((GLOBALNET, ANY, "no-handle"), 487)]:
        assert lib.code("open", *arguments) == code, arguments
    assert lib.code("open", GLOBALNET, ANY, "\\\\127.0.0.1:1", CONTAINER) in (53, 1203)
    assert [entry["device"] for entry in wnet.list()] == ["Z:"]


def test_a_servers_printers(lib, wnet, make_server):
    server = make_server(more_shares={"printer": {"path": "spool", "printed": "printed", "comment": "upstairs \u00e4"}})
    wnet.add("Z:", server.url())
    _opened, listed, _closed = lib.calls(["open", GLOBALNET, PRINT, server.unc("")[:-1], CONTAINER], ["next", ALL, 10_000], ["close"])
    (entry,) = listed["entries"]
    assert (entry["scope"], entry["type"], entry["display"], entry["usage"]) == (GLOBALNET, PRINT, 3, CONNECTABLE)
    assert (entry["local"], entry["remote"], entry["comment"]) == (None, server.unc("printer"), "upstairs \u00e4")


def test_enumeration_piece_by_piece(lib, wnet, server):
    for device in ("X:", "Y:", "Z:"):
        wnet.add(device, server.url())
    chars = sum(len(text) + 1 for text in ("Z:", server.unc(), "", "wnet"))
    needed = 48 + chars * lib.char_bytes
    _opened, small, odd, first, none, no_count, no_buffer, no_size, second, rest, end, *_ = lib.calls(
        ["open", CONNECTED, ANY], ["next", ALL, 1], ["next", 5, needed - 1], ["next", 1, 10_000], ["next", 0, 10_000],
        ["next", None, 10_000], ["next", 1, "NULL:100"], ["next", 1, "100:NULL"], ["next", ALL, needed], ["next", ALL, 2 * needed], ["next", ALL, 10_000],
        ["next", ALL, 0], ["close"], ["next", ALL, 10_000], ["close"])
    for result in (small, odd):
        assert (result["code"], result["touched"]) == (234, 0)
        assert needed <= result["size"] <= needed + 1
    assert (first["code"], first["count"]) == (0, 1)
    assert (none["code"], none["touched"]) == (87, 0)
    assert (no_count["code"], no_buffer["code"], no_size["code"]) == (487, 487, 487)
    if small["size"] == needed:
        assert (second["code"], second["count"]) == (0, 1), "as many as fit"
    assert rest["code"] == 0
    assert end["code"] == 259
    seen = [entry["local"] for result in (first, second, rest) for entry in result["entries"]]
    assert sorted(seen) == ["X:", "Y:", "Z:"], "each once"


def test_bad_and_closed_handles(lib, wnet):
    results = lib.calls(["close"], ["next", 1, 100], ["handle", "0xdeadbeef"], ["next", 1, 100], ["close"], ["handle", 1], ["close"],
                        ["open", CONNECTED, ANY], ["close"], ["close"], ["next", 1, 100], ["handle", "0xffffffffffffffff"], ["close"])
    assert [result["code"] for result in results] == [6, 6, 0, 6, 6, 0, 6, 0, 0, 6, 6, 0, 6]


def test_an_enumeration_is_a_snapshot(lib, wnet, server):
    wnet.add("Z:", server.url())
    process = lib.start(["open", CONNECTED, ANY], ["wait"], ["next", ALL, 10_000], ["next", ALL, 10_000], ["close"])
    assert json.loads(process.stdout.readline())["code"] == 0
    wnet.ok("cancel", "Z:")
    wnet.add("Y:", server.url())
    out, _err = process.communicate("\n", timeout=LONG)
    listed, end = [json.loads(line) for line in out.splitlines()][1:3]
    assert [entry["local"] for entry in listed["entries"]] == ["Z:"] and end["code"] == 259


# restoring


def test_restore(lib, wnet, server):
    for device in ("Y:", "Z:"):
        wnet.ok("add", device, server.url(), "--credentials", wnet.credentials(), "--persistent")
    assert lib.code("restore", "Z:") == 85
    assert lib.code("restore", None) == 0, "there is nothing to do"
    wnet.ok("cancel", "Z:")
    assert lib.code("restore", "z:") == 0
    assert wnet.mount("Z:")
    wnet.ok("cancel", "Z:")
    wnet.ok("cancel", "Y:")
    assert lib.code("restore", None) == 0
    assert wnet.mount("Z:") and wnet.mount("Y:")
    assert lib.code("restore", "X:") == 2250
    for name in ("", "Z", lib.bad_text, server.unc()):
        assert lib.code("restore", name) == 1200
    wnet.ok("cancel", "Z:")
    wnet.ok("cancel", "Y:")
    wnet.credentials(password="not-it")
    result = lib("restore", None)
    assert result["code"] in (86, 1326) and ("Z:" in result["text"] or "Y:" in result["text"])
    assert set(wnet.rows()) == {"Y:", "Z:"}


# errors


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
