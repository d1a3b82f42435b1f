# SPDX-License-Identifier: GPL-3.0-or-later
"""The C library as a program written for Windows uses it, in its UTF-8 and in its UTF-16 form: connecting and disconnecting; codes,
outputs, and what changed."""

import json
import os
import sqlite3

import pytest

from harness import ALICE, BOB, BOB_PASSWORD, LONG, PASSWORD, alive, opened
from library import ANY, CONNECTED, DISK, INTERACTIVE, LOCALDRIVE, PRINT, REDIRECT, REMEMBERED, TEMPORARY, UPDATE_PROFILE

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
