# SPDX-License-Identifier: GPL-3.0-or-later
"""The C library, in both forms: what it tells about connections and servers, and restoring them."""

import json

from harness import ALICE, LONG
from library import ALL, ANY, CONNECTABLE, CONNECTED, CONTAINER, DISK, GLOBALNET, PRINT, REMEMBERED, REMOTE, UNIVERSAL, UPDATE_PROFILE

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


def assert_not_known(lib, code):
    """Whether a device is remembered. What is connected is known all the same."""
    assert lib.code("get", "Z:", 100) == code
    assert lib.code("universal", "Z:\\a", UNIVERSAL, 1000) == code
    assert lib.code("open", REMEMBERED, ANY) == code
    assert lib.code("open", CONNECTED, ANY) == 0


def test_without_a_profile(lib, wnet, server):
    """It was no profile, or could not be opened, when the daemon started."""
    wnet.expect_log("profile")
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    wnet.ok("shutdown")
    kept = wnet.profile.rename(wnet.profile.with_name("kept"))
    wnet.profile.write_bytes(b"not a database " * 100)
    for device in (None, "Z:"):
        result = lib("restore", device)
        assert result["code"] == 1206 and str(wnet.profile) in result["text"]
    assert_not_known(lib, 1206)
    wnet.profile.unlink()
    wnet.profile.mkdir()
    for device in (None, "Z:"):
        assert lib.code("restore", device) == 1205
    assert_not_known(lib, 1205)
    wnet.profile.rmdir()
    kept.rename(wnet.profile)
    assert lib.code("restore", None) == 0
    assert wnet.mount("Z:")
