# SPDX-License-Identifier: GPL-3.0-or-later
"""The conformance test's cases of asking for connections, of names and of errors."""

import json

from conformance import ADD, BUFFERS, CANCEL, FLAGS, GET, POINTERS, RESTORE, ThroughLibrary, ThroughTool, case
from harness import LONG
from library import ALL, ANY, CONNECTED, CONTAINER, DISK, GLOBALNET, PRINT, REMEMBERED, REMOTE, UNIVERSAL


@case("WNetGetConnection", {GET: (0, 1201)})
def connected_and_remembered(u):
    u.remember("Z:")
    assert u.get("z:") == (0, u.server.unc())
    u.wnet.ok("cancel", "Z:")
    assert u.get("Z:") == (1201, u.server.unc())


@case("WNetGetConnection", {GET: 2250})
def not_redirected(u):
    assert u.get("Z:") == (2250, None)
    assert u.get("LPT1") == (2250, None)


@case("WNetGetConnection", {GET: 1200})
def a_malformed_name_to_ask_for(u):
    for name in ("", "Z", "ZZ:", "LPT0", u.server.unc(), "Z:" * 30_000):
        assert u.get(name)[0] == 1200, name


@case("WNetGetConnection", {GET: 234}, only_in_c=BUFFERS)
def a_buffer_too_small_for_the_name(u):
    u.connect("Z:")
    needed = len(u.server.unc()) + 1
    for small in ("NULL:0", "1", needed - 1):
        result = u.call(GET, "get", "Z:", small)
        assert (result["code"], result["size"], result["touched"]) == (234, needed, 0)
    assert u.call(GET, "get", "Z:", needed)["name"] == u.server.unc()


@case("WNetGetConnection", {GET: 487}, only_in_c=POINTERS)
def null_name_length_or_buffer(u):
    assert u.call(GET, "get", None, 100)["code"] == 487
    assert u.call(GET, "get", "Z:", "100:NULL")["code"] == 487
    assert u.call(GET, "get", "Z:", "NULL:100")["code"] == 487


@case("WNetGetLastError", {"WNetGetLastError": 0}, only_in_c="the tool prints the error itself")
def strings_are_cut_to_fit_and_terminated(u):
    _failed, whole, cut, none = u.lib.calls(["cancel2", "Q:", 0, 0], ["error", 600, 16], ["error", 5, 3], ["error", 0, 0])
    assert whole["error"] == 2250 and whole["provider"] == "wnet" and "Q:" in whole["text"]
    assert (cut["text"], cut["provider"]) == (whole["text"][:4], "wn")
    assert u.saw("WNetGetLastError", none["code"]) == 0 and none["touched"] == 0


@case("WNetGetLastError", {"WNetGetLastError": 487}, only_in_c=POINTERS)
def null_pointers_for_the_error(u):
    results = u.lib.calls(["error", 600, 16, "no-code"], ["error", "NULL", 16], ["error", 600, "NULL"])
    assert [u.saw("WNetGetLastError", result["code"]) for result in results] == [487] * 3


@case("WNetGetLastError", {"WNetGetLastError": 0}, only_in_c="the tool has one thread")
def errors_are_per_thread(u):
    u.connect("Z:")
    (result,) = u.lib.calls(["threads"])
    u.saw("WNetGetLastError", result["code"])
    assert result["wrong"] == 0


ENUM = "WNetOpenEnum / WNetEnumResource / WNetCloseEnum"
OPEN, NEXT, CLOSE = "WNetOpenEnum", "WNetEnumResource", "WNetCloseEnum"


def enum_codes(u, *calls):
    names = {"open": OPEN, "next": NEXT, "close": CLOSE}
    results = u.lib.calls(*calls)
    return [u.saw(names[call[0]], result["code"]) for call, result in zip(calls, results) if call[0] in names]


@case(ENUM, {OPEN: 0})
def what_is_connected_and_what_is_remembered(u):
    u.remember_only("Y:", share="readonly")
    u.remember("Z:")
    u.connect("X:")
    u.connect_share("readonly")
    assert u.enumerate(CONNECTED) == [("", u.server.unc("readonly")), ("X:", u.server.unc()), ("Z:", u.server.unc())]
    assert u.enumerate(REMEMBERED) == [("Y:", u.server.unc("readonly")), ("Z:", u.server.unc())]


@case(ENUM, {OPEN: 0})
def a_servers_shares(u):
    u.connect("Z:")
    shares = ["data", "denied", "printer", "readonly"]
    if isinstance(u, ThroughTool):
        assert sorted(share["name"] for share in u.wnet.ok("shares", f"//127.0.0.1:{u.server.port}", "--json").json) == shares
        u.saw(OPEN, 0)
    else:
        server = f"\\\\127.0.0.1:{u.server.port}"
        assert u.lib.enumerate(GLOBALNET, ANY, server, CONTAINER) == [(None, u.server.unc(share)) for share in shares]
        assert u.lib.enumerate(GLOBALNET, PRINT, server, CONTAINER) == [(None, u.server.unc("printer"))]
        assert enum_codes(u, ["open", GLOBALNET, ANY, server, CONTAINER], ["close"]) == [0, 0]


def ask_for_shares(u, port):
    if isinstance(u, ThroughTool):
        return u.call(OPEN, "shares", f"//127.0.0.1:{port}")
    return enum_codes(u, ["open", GLOBALNET, ANY, f"\\\\127.0.0.1:{port}", CONTAINER])[0]


@case(ENUM, {OPEN: 53})
def shares_of_no_server(u):
    assert ask_for_shares(u, 1) == 53


@case(ENUM, {OPEN: 1326})
def shares_that_a_server_does_not_tell_a_guest(u):
    assert ask_for_shares(u, u.server.port) == 1326


@case(ENUM, {OPEN: 0})
def no_profile_yet_is_an_empty_list(u):
    assert u.enumerate(REMEMBERED) == [] and u.enumerate(CONNECTED) == []
    assert not u.wnet.profile.exists()


@case(ENUM, {OPEN: 87}, only_in_c=FLAGS)
def an_unknown_scope(u):
    assert enum_codes(u, *(["open", scope, ANY] for scope in (0, 4, 5, 6, ALL))) == [87] * 5


@case(ENUM, {OPEN: 487}, only_in_c=POINTERS)
def null_for_the_handle(u):
    assert enum_codes(u, ["open", CONNECTED, ANY, "no-handle"]) == [487]


@case(ENUM, {OPEN: 0, NEXT: (0, 259), CLOSE: 0}, only_in_c="the tool lists all at once")
def to_the_end(u):
    u.connect("Z:")
    assert enum_codes(u, ["open", CONNECTED, ANY], ["next", ALL, 1000], ["next", ALL, 1000], ["next", ALL, 0], ["close"]) == [0, 0, 259, 259, 0]


@case(ENUM, {NEXT: 234}, only_in_c=BUFFERS)
def a_buffer_too_small_for_one_entry(u):
    u.connect("Z:")
    _opened, small, again, _closed = u.lib.calls(["open", CONNECTED, ANY], ["next", ALL, 1], ["next", ALL, 1000], ["close"])
    assert u.saw(NEXT, small["code"]) == 234 and small["size"] > 48 and small["touched"] == 0
    assert [entry["local"] for entry in again["entries"]] == ["Z:"], "the position is kept"
    assert enum_codes(u, ["open", CONNECTED, ANY], ["next", ALL, small["size"]], ["close"]) == [0, 0, 0]


@case(ENUM, {NEXT: 6, CLOSE: 6}, only_in_c=POINTERS)
def a_bad_or_closed_handle(u):
    assert enum_codes(u, ["next", 1, 100], ["close"], ["handle", "0xdeadbeef"], ["next", 1, 100], ["close"], ["open", CONNECTED, ANY], ["close"],
                      ["close"], ["next", 1, 100]) == [6, 6, 6, 6, 0, 0, 6, 6]


@case(ENUM, {NEXT: (0, 259)}, only_in_c="the tool lists all at once")
def a_snapshot(u):
    u.connect("Z:")
    process = u.lib.start(["open", CONNECTED, ANY], ["wait"], ["next", ALL, 1000], ["next", ALL, 1000], ["close"])
    process.stdout.readline()
    u.wnet.ok("cancel", "Z:")
    u.connect("Y:")
    out, _err = process.communicate("\n", timeout=LONG)
    _waited, listed, end, _closed = map(json.loads, out.splitlines())
    assert [entry["local"] for entry in listed["entries"]] == ["Z:"]
    assert u.saw(NEXT, listed["code"]) == 0 and u.saw(NEXT, end["code"]) == 259


NAME = "WNetGetUniversalName"
NO_PATHS = "the tool translates no paths"


@case(NAME, {NAME: 0}, only_in_c=NO_PATHS)
def both_levels(u):
    u.connect("Z:")
    unc = u.server.unc()
    assert u.call(NAME, "universal", "z:\\a\\b c", UNIVERSAL, 1000)["name"] == unc + "\\a\\b c"
    result = u.call(NAME, "universal", "Z:/a", REMOTE, 1000)
    assert (result["name"], result["connection"], result["rest"]) == (unc + "\\a", unc, "\\a")


@case(NAME, {NAME: (87, 234)}, only_in_c=BUFFERS)
def buffers_for_a_universal_name(u):
    u.connect("Z:")
    for level in (UNIVERSAL, REMOTE):
        small = u.call(NAME, "universal", "Z:\\a", level, 1)
        assert small["code"] == 234 and small["touched"] == 0
        assert u.call(NAME, "universal", "Z:\\a", level, small["size"] - 1)["code"] == 234
        assert u.call(NAME, "universal", "Z:\\a", level, small["size"])["code"] == 0
        assert u.call(NAME, "universal", "Z:\\a", level, 0)["code"] == 87


@case(NAME, {NAME: 487}, only_in_c=POINTERS)
def null_for_a_universal_name(u):
    for arguments in ((None, UNIVERSAL, 1000), ("Z:", UNIVERSAL, "NULL:1000"), ("Z:", REMOTE, "1000:NULL")):
        assert u.call(NAME, "universal", *arguments)["code"] == 487


@case(NAME, {NAME: (1201, 2250)}, only_in_c=NO_PATHS)
def a_path_on_no_drive(u):
    u.remember_only("Z:")
    for level in (UNIVERSAL, REMOTE):
        assert u.call(NAME, "universal", "Z:\\a", level, 1000)["code"] == 1201
        assert u.call(NAME, "universal", "Y:\\a", level, 1000)["code"] == 2250


@case(NAME, {NAME: 124}, only_in_c=NO_PATHS)
def a_bad_level(u):
    for level in (0, 3, ALL):
        assert u.call(NAME, "universal", "Z:", level, 1000)["code"] == 124


@case("WNetRestoreConnection", {RESTORE: (0, 85)})
def one_remembered_device(u):
    u.remember_only("Y:", "Z:")
    assert u.restore("z:") == 0
    assert u.connected() == ["Z:"] and u.rows() == ["Y:", "Z:"]
    assert u.restore("Z:") == 85
    u.works()


@case("WNetRestoreConnection", {RESTORE: 0})
def all_remembered_devices(u):
    u.remember_only("X:", "Y:", "Z:")
    u.connect("W:")
    assert u.restore() == 0
    assert u.connected() == ["W:", "X:", "Y:", "Z:"]
    assert u.restore() == 0, "there is nothing to do"


@case("WNetRestoreConnection", {RESTORE: 2250})
def what_is_not_remembered(u):
    u.wnet.list()
    assert u.restore("Z:") == 2250
    assert u.wnet.list() == []


@case("Every function has its A form", {GET: 0, ADD: 53}, only_in_c="a matter of types")
def both_forms_take_and_give_the_same_text(u):
    """That they are exported is a check of its own: tests/unit/check-exports."""
    u.connect("Z:")
    share = "Fotos-\u00e4\u20ac\U0001f600"
    for form in ("narrow", "wide"):
        lib = ThroughLibrary(u.wnet, u.server, u.make_server, form)
        assert lib.get("Z:") == (0, u.server.unc())
        result = lib.call(ADD, "add2", DISK, "Y:", f"\\\\127.0.0.1:1\\{share}", None, None, None, 0)
        assert result["code"] == 53 and share in result["text"]
        u.seen |= lib.seen


# Names and errors


@case("redirected local device", {ADD: 0, CANCEL: 0, GET: 0})
def devices_have_no_case(u):
    assert u.add("q:", u.server.unc()) == 0
    assert u.connected() == ["Q:"]
    assert u.get("Q:") == u.get("q:") == (0, u.server.unc())
    assert u.cancel("q:") == 0
    assert u.cancel("Q") == 2250, "the colon is part of a drive's name"
    assert u.get("LPT1")[0] == u.get("lpt1:")[0] == 2250, "and optional for a printer port"


@case("remote network resource", {ADD: 0, CANCEL: 0})
def every_way_to_write_a_remote_name(u):
    port = u.server.port
    (u.server.data / "dir").mkdir()
    for name in (f"\\\\127.0.0.1:{port}\\data", f"//127.0.0.1:{port}/data", f"smb://127.0.0.1:{port}/data", f"//127.0.0.1:{port}/DATA/",
                 f"\\\\127.0.0.1:{port}\\data\\"):
        u.connect("Y:")
        assert u.add("Z:", name) == 0, name
        assert u.get("Z:")[1].lower() == u.server.unc()
        assert u.cancel(name + "\\dir") == 2250, "a deeper path is a resource of its own"
        assert u.cancel(name) == 0
        assert u.connected() == [], name
    assert u.add("Z:", u.server.unc() + "\\dir") == 0
    assert u.cancel(u.server.unc()) == 2250
    assert u.cancel(u.server.url() + "/DIR") == 0


@case("Every call returns its code and sets", {CANCEL: 2250}, only_in_c="the tool prints the error itself")
def the_last_error_is_the_code(u):
    """Every other call through the library is compared with it, too."""
    for name, number in (("Q:", 2250), (None, 2250)):
        (result,) = u.lib.calls(["cancel2", name, 0, 0])
        assert result["last"] == result["code"] == u.saw(CANCEL, number)
