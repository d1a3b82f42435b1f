# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon is killed at each step of a cancel, of an add and of a restore. What the next one finds is one of two states: connected
and remembered, or gone and forgotten. wnetd-fault is the daemon that kills itself at the step that WNET_FAULT names."""

import os
import subprocess
import sys

import pytest

from harness import mounts, mounts_below, wait_until

CONNECT = ["mount.connected", "mount.folder", "mount.helper", "mount.initialized", "add.mounted"]
NEW_PROFILE = ["profile.made", "profile.written", "profile.published"]
FORGOTTEN = "profile.committed#2"  # the first commit is the add's
COMMITTED = ("profile.committed", FORGOTTEN, "add.committed", "add.answer", "cancel.committed", "cancel.answer")
# the steps of a cancel
UNFORCED = ["cancel.resolved", "cancel.frozen", "cancel.counted", "cancel.unmounted", "cancel.commit", "cancel.committed", "cancel.answer"]
FORCED = ["cancel.resolved", "cancel.revoked", "cancel.commit", "cancel.committed", "cancel.answer"]
WITH_ROW = ["cancel.staged", FORGOTTEN]


def persistent(wnet, device, url):
    return ["add", device, url, "--credentials", wnet.credentials(), "--persistent"]


def dead_mounts(wnet):
    """Mounts below the drives that no daemon serves."""
    return [point for point, _type, _source in mounts_below(wnet.drives)
            if subprocess.run(["stat", "--", point], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode]


def assert_connected(wnet, server, device="Z:"):
    """Connected, remembered, and of use."""
    assert device in wnet.rows()
    wnet.wait_state(device, "ok")
    (wnet.folder(device) / "probe").write_text(device)
    assert (server.data / "probe").read_text() == device


def assert_nothing(wnet):
    """Gone, forgotten, and no trace of it anywhere."""
    assert wnet.list() == []
    assert wnet.rows() == {}
    assert mounts_below(wnet.drives) == []
    assert os.listdir(wnet.drives) == []


def assert_profile_whole(wnet):
    """No half-made file beside the profile, no journal that a later one would take for its own."""
    left = {name for name in os.listdir(wnet.config / "wnet") if name.startswith("profile.db")}
    assert left <= {"profile.db"}, left
    assert wnet.profile.exists() == (left == {"profile.db"})


def assert_consistent(wnet, server, remembered, device="Z:"):
    """The next daemon is started; what it finds must be one of the two states, and the right one."""
    wnet.list()
    if remembered:
        assert_connected(wnet, server, device)
    else:
        assert_nothing(wnet)
    assert dead_mounts(wnet) == []
    # and the letter can be used again, for whatever its owner likes
    if remembered:
        wnet.ok("cancel", device, "--forget")
        assert_nothing(wnet)
    wnet.ok(*persistent(wnet, device, server.url()))
    assert_profile_whole(wnet)
    wnet.ok("cancel", device, "--forget")
    assert_nothing(wnet)
    assert_profile_whole(wnet)


HOLD = """
import os, sys
os.chdir(sys.argv[1])
f = open("held", "wb", buffering=0)
print("ready", flush=True)
sys.stdin.readline()
"""


def hold(wnet, folder):
    """A program with an open file and its working directory on the drive."""
    holder = wnet.popen([sys.executable, "-c", HOLD, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == "ready\n"
    return holder


# cancel


def steps(every, with_row):
    """As parametrize() takes them: each step with the flag, and without it those that there are then."""
    return [pytest.param(step, True, id=f"{step}-forget") for step in every + with_row] + [
        pytest.param(step, False, id=f"{step}-keep") for step in every]


@pytest.mark.parametrize("step, forget", steps(UNFORCED, WITH_ROW))
def test_killed_while_cancelling(wnet, server, faulty, step, forget):
    faulty.arm(step)
    wnet.ok(*persistent(wnet, "Z:", server.url()))
    faulty.dies("cancel", "Z:", *(["--forget"] if forget else []))
    assert_consistent(wnet, server, not (forget and step in COMMITTED))


@pytest.mark.parametrize("step, forget", steps(FORCED, WITH_ROW))
def test_killed_while_forcing(wnet, server, faulty, step, forget):
    """A program keeps the dead drive in use meanwhile."""
    faulty.arm(step)
    wnet.ok(*persistent(wnet, "Z:", server.url()))
    holder = hold(wnet, wnet.folder())
    faulty.dies("cancel", "Z:", "--force", *(["--forget"] if forget else []))
    assert_consistent(wnet, server, not (forget and step in COMMITTED))
    holder.communicate("\n")


@pytest.mark.parametrize("step", ["cancel.staged", "cancel.commit", "profile.committed", "cancel.committed", "cancel.answer"])
def test_killed_while_forgetting_what_is_not_connected(wnet, server, faulty, step):
    wnet.ok(*persistent(wnet, "Z:", server.url()))
    wnet.end_daemon()
    server.freeze()
    faulty.arm(step)
    assert wnet.entry("Z:")["state"] in ("connecting", "unavailable")
    faulty.dies("cancel", "Z:", "--forget")
    server.thaw()
    assert_consistent(wnet, server, step not in COMMITTED)


@pytest.mark.parametrize("step", ["cancel.unmounted", "cancel.commit", "cancel.answer"])
def test_killed_while_cancelling_what_is_not_remembered(wnet, server, faulty, step):
    faulty.arm(step)
    wnet.add("Z:", server.url())
    faulty.dies("cancel", "Z:", "--forget")
    assert_consistent(wnet, server, False)


@pytest.mark.parametrize("step", ["cancel.resolved", "cancel.unmounted#1", "cancel.unmounted#2", "cancel.remounted", "cancel.committed"])
def test_killed_while_cancelling_all_of_a_share(wnet, server, faulty, step):
    """Rows stay, so that both drives are back, and the connection without a device is not."""
    faulty.arm(step)
    wnet.ok(*persistent(wnet, "Y:", server.url()))
    wnet.ok(*persistent(wnet, "Z:", server.url()))
    # with this the last one refuses only when the others have gone already: it is neither open nor a working directory
    held = os.open(wnet.folder("Z:"), os.O_PATH) if step == "cancel.remounted" else None
    faulty.dies("cancel", server.url(), "--forget")
    wnet.list()
    for device in ("Y:", "Z:"):
        assert_connected(wnet, server, device)
    assert len(wnet.list()) == len(mounts_below(wnet.drives)) == 2
    assert dead_mounts(wnet) == []
    if held is not None:
        os.close(held)


# add


@pytest.mark.parametrize("step", ["add.checked", *CONNECT, *NEW_PROFILE, "add.staged", "profile.committed", "add.committed", "add.answer"])
def test_killed_while_adding(wnet, server, faulty, step):
    faulty.arm(step)
    faulty.dies(*persistent(wnet, "Z:", server.url()))
    assert_consistent(wnet, server, step in COMMITTED)


@pytest.mark.parametrize("step", [*CONNECT, "add.answer"])
def test_killed_while_adding_what_is_not_to_be_remembered(wnet, server, faulty, step):
    faulty.arm(step)
    faulty.dies("add", "Z:", server.url(), "--credentials", wnet.credentials())
    assert not wnet.profile.exists()
    assert_consistent(wnet, server, False)


@pytest.mark.parametrize("step", ["add.staged", "profile.committed"])
def test_killed_while_adding_beside_another_row(wnet, server, faulty, step):
    wnet.ok(*persistent(wnet, "Y:", server.url("readonly")))
    wnet.ok("shutdown")
    wait_until(lambda: not wnet.daemons(), "the daemon has ended")
    row = wnet.rows()["Y:"]
    faulty.arm(step)
    faulty.dies(*persistent(wnet, "Z:", server.url()))
    wnet.wait_state("Y:", "ok")  # by now a journal has been rolled back
    assert wnet.rows()["Y:"] == row
    wnet.ok("cancel", "Y:", "--forget")
    assert_consistent(wnet, server, step in COMMITTED)


@pytest.mark.parametrize("step", [*CONNECT, "add.answer", "cancel.unmounted", "cancel.answer"])
def test_killed_with_a_connection_without_a_device(wnet, server, faulty, step):
    add = ["add", server.url(), "--credentials", wnet.credentials()]
    faulty.arm(step)
    if step.startswith("cancel"):
        wnet.ok(*add)
        faulty.dies("cancel", server.url())
    else:
        faulty.dies(*add)
    assert wnet.list() == [] and mounts_below(wnet.drives) == []
    assert [folder for folder, _folders, _files in os.walk(wnet.drives / "UNC") if folder != str(wnet.drives / "UNC")] == []
    wnet.ok(*add)
    wnet.ok("cancel", server.url())
    assert wnet.list() == [] and mounts_below(wnet.drives) == []


# forget


@pytest.mark.parametrize("step", ["cancel.staged", "cancel.commit", FORGOTTEN, "cancel.committed", "cancel.answer"])
def test_killed_while_forgetting_what_is_connected(wnet, server, faulty, step):
    faulty.arm(step)
    wnet.ok(*persistent(wnet, "Z:", server.url()))
    faulty.dies("forget", "Z:")
    assert_consistent(wnet, server, step not in COMMITTED)


# restore


@pytest.mark.parametrize("step", ["restore.loaded", "restore.folder", *CONNECT, "add.answer"])
def test_killed_while_restoring_at_the_start(wnet, server, faulty, step):
    wnet.ok(*persistent(wnet, "Z:", server.url()))
    row = wnet.rows()["Z:"]
    wnet.ok("shutdown")
    faulty.arm(step)
    wnet.run("list")  # answered or not: the daemon dies some time after its start
    wait_until(lambda: not wnet.daemons(), "the daemon has killed itself")
    faulty.disarm()
    assert wnet.rows() == {"Z:": row}
    assert_consistent(wnet, server, True)


@pytest.mark.parametrize("step", [*CONNECT, "add.answer"])
def test_killed_while_restoring_on_request(wnet, server, faulty, step):
    wnet.ok(*persistent(wnet, "Z:", server.url()))
    row = wnet.rows()["Z:"]
    wnet.ok("shutdown")
    faulty.arm(f"{step}#2")  # the first one is the restoring at the start
    wnet.wait_state("Z:", "ok")
    wnet.ok("cancel", "Z:")
    faulty.dies("restore", "Z:")
    assert wnet.rows() == {"Z:": row}
    assert_consistent(wnet, server, True)


def test_the_product_has_no_fault_points(wnet, server):
    wnet.env["WNET_FAULT"] = "add.mounted"
    wnet.add("Z:", server.url())
    assert len([m for m in mounts() if m[0] == str(wnet.folder())]) == 1
