# SPDX-License-Identifier: GPL-3.0-or-later
"""Two users, each with a home directory and a daemon: neither sees, lists or cancels what is the other's. (Here both are the same
account; two-users does it with two, and needs root for that.)"""

import os

from harness import BOB, BOB_PASSWORD, alive


def test_each_has_a_daemon_and_drives_of_their_own(make_wnet, server):
    one, two = make_wnet("one"), make_wnet("two")
    one.ok("add", "Z:", server.url(), "--credentials", one.credentials(), "--persistent")
    two.add("Z:", server.url("denied"), user=BOB, password=BOB_PASSWORD)  # no 1219: it is another user's session
    assert one.daemon() != two.daemon()
    assert [entry["remote"] for entry in one.list()] == [server.unc()]
    assert [entry["remote"] for entry in two.list()] == [server.unc("denied")]
    assert set(one.rows()) == {"Z:"} and two.rows() == {}
    (one.folder() / "f").write_text("one's")
    assert os.listdir(two.folder()) == []


def test_neither_disconnects_the_others(make_wnet, server):
    one, two = make_wnet("one"), make_wnet("two")
    one.ok("add", "Z:", server.url(), "--credentials", one.credentials(), "--persistent")
    two.add("Y:", server.url())
    for name in ("Z:", server.url("readonly")):
        for options in ([], ["--force"], ["--forget"], ["--force", "--forget"]):
            two.fails(2250, "cancel", name, *options)
    two.fails(2250, "get", "Z:")
    two.fails(2250, "restore", "Z:")
    with open(one.folder() / "held", "wb", buffering=0) as held:  # and is no reason to refuse
        two.ok("cancel", server.url())
        assert two.list() == []
        held.write(b"x")
        two.ok("shutdown", "--force")
        held.write(b"y")
    assert alive(one.daemon()) and one.entry("Z:")["state"] == "ok" and set(one.rows()) == {"Z:"}
    assert (server.data / "held").read_bytes() == b"xy"
