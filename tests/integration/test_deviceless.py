# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections without a device: below UNC in the folder of the drives."""

import os

import pytest
from harness import ALICE, PASSWORD, mounts_below, opened


def add(wnet, remote):
    return wnet.ok("add", remote, "--user", ALICE, "--password-stdin", input=PASSWORD + "\n")


def place(wnet, server, share="data"):
    return wnet.drives / "UNC" / f"127.0.0.1@{server.port}" / share


def mounted(wnet):
    return sorted(m[0] for m in mounts_below(wnet.drives))


def test_it_is_a_drive_like_any_other(wnet, server):
    result = add(wnet, server.url())
    folder = place(wnet, server)
    assert result.out == f"{server.unc()} is now connected, at {folder}\n"
    (folder / "f").write_text("x")
    assert (server.data / "f").read_text() == "x"
    [entry] = wnet.list()
    assert entry["device"] in ("", None) and entry["remote"] == server.unc() and entry["state"] == "ok" and not entry["persistent"]
    assert wnet.rows() == {}
    with opened(folder / "f", "rb"):
        refused = wnet.fails(2401, "cancel", server.url())
        assert "/f" in refused.out + refused.err
        assert (folder / "f").read_text() == "x"
    wnet.ok("add", server.url("readonly"))
    wnet.ok("cancel", server.url("readonly"))
    assert folder.exists() and os.listdir(folder.parent) == ["data"]
    wnet.ok("cancel", server.url())
    assert mounted(wnet) == [] and os.listdir(wnet.drives) == []
    wnet.fails(2250, "cancel", server.url())


def test_twice_the_same_is_already_connected(wnet, server):
    add(wnet, server.url())
    wnet.fails(85, "add", server.url(), "--user", ALICE, "--password-stdin", input=PASSWORD + "\n")
    wnet.ok("cancel", server.unc().upper())  # compared without case


def test_a_deeper_path_is_a_resource_of_its_own(wnet, server):
    (server.data / "one" / "two").mkdir(parents=True)
    (server.data / "one" / "two" / "f").write_text("deep")
    add(wnet, server.url())
    add(wnet, f"{server.url()}/one/two")
    folders = mounted(wnet)
    assert len(folders) == 2
    # no mount lies inside another one
    assert not any(a != b and b.startswith(a + "/") for a in folders for b in folders)
    deep = next(f for f in folders if f != str(place(wnet, server)))
    assert os.path.dirname(deep) == str(place(wnet, server).parent)
    assert os.listdir(deep) == ["f"]
    wnet.ok("cancel", f"{server.url()}/one/two/")
    assert mounted(wnet) == [str(place(wnet, server))]


def test_all_or_nothing_with_the_letters(wnet, server):
    add(wnet, server.url())
    wnet.ok("add", "Z:", server.url())  # no credentials: those of the session
    wnet.ok("add", "Y:", server.url("readonly"))
    (server.data / "f").write_text("x")
    for busy in (place(wnet, server), wnet.folder("Z:")):
        with opened(busy / "f", "rb"):
            wnet.fails(2401, "cancel", server.url())
            assert len(mounted(wnet)) == 3
            assert (wnet.folder("Z:") / "f").read_text() == "x" == (place(wnet, server) / "f").read_text()
    wnet.ok("cancel", server.url(), "--forget")
    assert mounted(wnet) == [str(wnet.folder("Y:"))]


def test_it_is_never_remembered(wnet, server):
    result = wnet.run("add", server.url(), "--user", ALICE, "--persistent", "--password-stdin", input=PASSWORD + "\n")
    assert result.code == 2 and "remembered" in result.err
    add(wnet, server.url())
    wnet.ok("shutdown")
    assert wnet.list() == [] and wnet.rows() == {}
    assert not (wnet.drives / "UNC").exists()


@pytest.mark.parametrize("remote", ["//server", "server/share", "", "//", "//server/../share", "//server/share\n"])
def test_what_is_no_remote_name(wnet, remote):
    wnet.fails(67, "add", remote)
    assert mounted(wnet) == []
