# SPDX-License-Identifier: GPL-3.0-or-later
"""A password that was saved on request: kept in the Secret Service and nowhere else, there at the next logon, gone with the drive."""

import contextlib
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest
from harness import ALICE, BOB, BOB_PASSWORD, LONG, PASSWORD, descendants, mounts_below, opened, wait_until
from secretservice import Bus, Keyring

IN_SERVICE = 2  # of the profile's column


@pytest.fixture
def keyring(wnet):
    return Keyring(wnet)


def save(wnet, server, device="Z:", **kwargs):
    wnet.add(device, server.url(), "--save-password", **kwargs)


def key(server, device="Z:", user=ALICE):
    return device, f"127.0.0.1:{server.port}", user


def assert_back(wnet, server, device="Z:"):
    wnet.wait_state(device, "ok")
    (wnet.folder(device) / "back").write_text("again")
    assert (server.data / "back").read_text() == "again"


def assert_nothing_left(wnet):
    assert mounts_below(wnet.drives) == [] and wnet.list() == [] and wnet.rows() == {}
    assert not wnet.folder().exists()


def askers():
    """What everybody can see of the processes that ask the Secret Service now."""
    found = []
    for pid in (pid for pid, (name, _parent) in descendants().items() if name == "wnet-secret"):
        with contextlib.suppress(OSError):
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes())
    return found


def wait_for_asker():
    wait_until(lambda: any(askers()), "the Secret Service is asked", interval=0.01)


# saving


def test_it_is_saved_and_used_at_the_next_start(wnet, server, keyring):
    save(wnet, server)
    assert keyring.items() == [key(server)] and keyring.password() == PASSWORD
    row = wnet.rows()["Z:"]
    assert row["secret"] == IN_SERVICE and row["credentials_file"] is None and row["user"] == ALICE
    assert wnet.entry()["persistent"] is True
    wnet.end_daemon(signal.SIGKILL)
    assert_back(wnet, server)
    wnet.ok("shutdown")
    assert_back(wnet, server)
    assert keyring.items() == [key(server)]


def test_a_user_of_a_domain(wnet, server, keyring):
    wnet.add("Z:", server.url(), "--save-password", user=f"WORKGROUP\\{ALICE}")
    assert keyring.items() == [key(server, user=f"WORKGROUP\\{ALICE}")]
    wnet.ok("shutdown")
    assert_back(wnet, server)


def test_several_drives_keep_their_own(wnet, server, keyring):
    save(wnet, server, "Z:")
    save(wnet, server, "Y:")
    wnet.ok("shutdown")
    assert_back(wnet, server, "Z:")
    assert_back(wnet, server, "Y:")
    wnet.ok("cancel", "Y:", "--forget")
    assert keyring.items() == [key(server)]


def test_a_drive_beside_it_comes_back_with_its_session(wnet, server, keyring):
    save(wnet, server, "Z:")
    wnet.ok("add", "A:", server.url(), "--persistent")
    assert wnet.rows()["A:"]["secret"] == 0
    wnet.ok("shutdown")
    assert_back(wnet, server, "Z:")
    assert_back(wnet, server, "A:")


def test_without_the_option_nothing_is_saved(wnet, server, keyring):
    wnet.add("Z:", server.url(), "--persistent")
    assert keyring.items() == [] and wnet.rows()["Z:"]["secret"] == 0


def test_a_wrong_password_is_not_saved(wnet, server, keyring):
    wnet.add_fails((86, 1326), "Z:", server.url(), "--save-password", password="not-it")
    assert keyring.items() == []
    assert_nothing_left(wnet)
    save(wnet, server)
    wnet.ok("cancel", "Z:")
    wnet.add_fails((86, 1326), "Z:", server.url(), "--save-password", password="not-it")
    assert keyring.password() == PASSWORD
    assert wnet.rows()["Z:"]["secret"] == IN_SERVICE


def test_there_has_to_be_a_password(wnet, server, keyring):
    wnet.fails(87, "add", "Z:", server.url(), "--user", ALICE, "--save-password")
    wnet.fails(87, "add", "Z:", server.url(), "--save-password")
    assert wnet.run("add", "Z:", server.url(), "--save-password", "--credentials", wnet.credentials()).code == 2
    assert_nothing_left(wnet)
    assert keyring.items() == []


def test_another_password_replaces_it(wnet, server, keyring):
    save(wnet, server)
    wnet.ok("cancel", "Z:")
    save(wnet, server, user=BOB, password=BOB_PASSWORD)
    assert wnet.rows()["Z:"]["user"] == BOB
    wait_until(lambda: keyring.items() == [key(server, user=BOB)], "the old one is removed")
    assert keyring.password() == BOB_PASSWORD
    wnet.ok("shutdown")
    assert wnet.wait_state("Z:", "ok")["user"] == BOB


def test_a_credentials_file_replaces_it(wnet, server, keyring):
    save(wnet, server)
    wnet.ok("cancel", "Z:")
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    wait_until(lambda: keyring.items() == [], "the saved one is removed")
    wnet.ok("shutdown")
    assert_back(wnet, server)


def test_other_credentials_for_once_change_nothing_that_is_kept(wnet, server, keyring):
    save(wnet, server)
    row = wnet.rows()["Z:"]
    wnet.ok("cancel", "Z:")
    wnet.add("Z:", server.url(), user=BOB, password=BOB_PASSWORD)
    assert wnet.entry()["user"].endswith(BOB)
    assert wnet.rows()["Z:"] == row and keyring.items() == [key(server)]
    wnet.ok("cancel", "Z:")
    wnet.ok("restore", "Z:")
    assert wnet.entry()["user"].endswith(ALICE)
    wnet.ok("shutdown")
    assert wnet.wait_state("Z:", "ok")["user"].endswith(ALICE)


def test_the_same_users_new_password_replaces_it(wnet, server, keyring):
    """Remembered with a password that is typed: the next start must not come with the old one."""
    save(wnet, server)
    wnet.ok("cancel", "Z:")
    server.set_password(ALICE, BOB_PASSWORD)
    wnet.add("Z:", server.url(), "--persistent", password=BOB_PASSWORD)
    assert wnet.rows()["Z:"]["secret"] == IN_SERVICE and keyring.password() == BOB_PASSWORD
    wnet.ok("shutdown")
    assert_back(wnet, server)


@pytest.mark.parametrize("command", [["restore", "Z:"], ["add", "Z:", "URL"], ["add", "Z:", "URL", "--user", ALICE],
                                     ["add", "Z:", "URL", "--persistent"]])
def test_it_is_used_without_being_asked_for(wnet, server, keyring, command):
    save(wnet, server)
    wnet.ok("cancel", "Z:")
    wnet.ok("shutdown")
    keyring.lock()
    wnet.wait_state("Z:", "unavailable")
    keyring.unlock()
    wnet.ok(*[server.url() if word == "URL" else word for word in command])
    assert_back(wnet, server)
    assert wnet.rows()["Z:"]["secret"] == IN_SERVICE and keyring.items() == [key(server)]


def test_it_goes_to_no_other_server(wnet, server, make_server, keyring):
    """The one who can write the profile, and not read the keyring, gets nobody's password."""
    save(wnet, server)
    other = make_server()
    wnet.ok("shutdown")
    wnet.program("sqlite3", wnet.profile, f"UPDATE device SET remote = '{other.unc()}'")
    assert "needs a password" in wnet.wait_state("Z:", "unavailable")["reason"]


# forgetting


@pytest.mark.parametrize("state", ["connected", "busy", "disconnected"])
def test_forgotten_with_the_drive(wnet, server, keyring, state):
    save(wnet, server)
    if state == "disconnected":
        wnet.ok("cancel", "Z:")
    elif state == "busy":
        wnet.popen(["sleep", "1000"], cwd=wnet.folder())
    assert keyring.items() == [key(server)]
    result = wnet.ok("cancel", "Z:", "--forget", *(["--force"] if state == "busy" else []))
    assert keyring.items() == [], "as soon as it is said"
    assert result.err == ""
    assert_nothing_left(wnet)


def test_not_forgotten_when_the_cancel_is_refused(wnet, server, keyring):
    save(wnet, server)
    with opened(wnet.folder() / "f", "wb"):
        wnet.fails(2401, "cancel", "Z:", "--forget")
        assert keyring.password() == PASSWORD
        wnet.ok("cancel", "Z:", "--forget", "--force")
    assert keyring.items() == []


def test_forgotten_while_the_keyring_is_locked(wnet, server, keyring):
    """The drive is forgotten all the same; what is left, and how to remove it, is said."""
    wnet.expect_log("password of Z:")
    save(wnet, server)
    keyring.lock()
    result = wnet.ok("cancel", "Z:", "--forget")
    assert_nothing_left(wnet)
    assert "locked" in result.err
    keyring.unlock()
    assert keyring.items() == [key(server)]
    by_hand = re.search(r"secret-tool clear .*", result.err)[0]
    assert wnet.program(*shlex.split(by_hand)).code == 0
    assert keyring.items() == []


@pytest.mark.parametrize("connected", [True, False])
def test_wnet_forget_removes_it(wnet, server, keyring, connected):
    save(wnet, server)
    if not connected:
        wnet.ok("cancel", "Z:")
    assert wnet.ok("forget", "Z:").err == ""
    assert keyring.items() == [] and wnet.rows() == {}
    assert (wnet.mount() is not None) == connected
    if connected:
        wnet.ok("cancel", "Z:")
    assert_nothing_left(wnet)


def test_wnet_forget_says_when_it_cannot_be_removed(wnet, server, keyring):
    wnet.expect_log("password of Z:")
    save(wnet, server)
    keyring.lock()
    result = wnet.ok("forget", "Z:")
    assert "locked" in result.err and "secret-tool clear" in result.err
    assert wnet.rows() == {} and wnet.mount() is not None
    keyring.unlock()
    assert keyring.items() == [key(server)]


# a keyring that gives no answer


def test_locked_it_cannot_be_saved(wnet, server, keyring):
    keyring.lock()
    result = wnet.add_fails(1208, "Z:", server.url(), "--save-password")
    assert "locked" in result.text and "hint: without --save-password it can be connected all the same\n" in result.err
    result = wnet.program(wnet.build / "wnet", "use", "Z:", server.unc(), PASSWORD, f"/user:{ALICE}", "/savecred")
    assert result.code == 2 and "locked; unlock it first; without /savecred it can be connected all the same)\n" in result.err, repr(result)
    assert_nothing_left(wnet)
    wnet.add("Z:", server.url())
    keyring.unlock()
    assert keyring.items() == []


def test_locked_the_drive_is_unavailable_until_it_is_unlocked(wnet, server, keyring):
    save(wnet, server)
    wnet.ok("shutdown")
    keyring.lock()
    entry = wnet.wait_state("Z:", "unavailable")
    assert "locked" in entry["reason"] and "wnet restore Z:" in entry["reason"]
    assert entry["next_retry"], "it may be unlocked later"
    assert "locked" in wnet.fails(1208, "restore", "Z:").text
    keyring.unlock()
    wnet.ok("restore", "Z:")
    assert_back(wnet, server)


def test_unlocked_it_comes_back_by_itself(wnet, server, keyring):
    save(wnet, server)
    wnet.ok("shutdown")
    keyring.lock()
    wnet.wait_state("Z:", "unavailable")
    keyring.unlock()
    assert_back(wnet, server)


@pytest.mark.parametrize("there", ["no bus", "a bus that is dead", "no service"])
def test_no_service_nothing_can_be_saved(wnet, server, there):
    if there == "a bus that is dead":
        wnet.env["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={wnet.root}/nothing"
    elif there == "no service":
        Bus(wnet)
    result = wnet.add_fails(1208, "Z:", server.url(), "--save-password")
    assert "Secret Service" in result.text and "hint: without --save-password " in result.err
    assert_nothing_left(wnet)
    wnet.add("Z:", server.url(), "--persistent")


def test_no_service_at_the_next_start(wnet, server, keyring):
    save(wnet, server)
    wnet.ok("shutdown")
    keyring.stop()
    entry = wnet.wait_state("Z:", "unavailable")
    assert "Secret Service" in entry["reason"] and entry["next_retry"]
    keyring.start()
    wnet.ok("restore", "Z:")
    assert_back(wnet, server)


def test_gone_from_the_keyring_it_needs_a_password(wnet, server, keyring):
    save(wnet, server)
    assert wnet.program("secret-tool", "clear", "device", "Z:").code == 0
    wnet.ok("shutdown")
    entry = wnet.wait_state("Z:", "unavailable")
    assert "needs a password" in entry["reason"] and not entry["next_retry"]
    assert "needs a password" in wnet.fails((86, 1326), "restore", "Z:").text
    save(wnet, server)
    assert keyring.password() == PASSWORD
    wnet.ok("cancel", "Z:", "--forget")
    assert keyring.items() == []


# a service that hangs


def start_add(wnet, server, device="Z:"):
    process = wnet.popen([wnet.build / "wnet", "add", device, server.url(), "--user", ALICE, "--password-stdin", "--save-password"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(PASSWORD + "\n")
    process.stdin.flush()
    return process


def test_hanging_it_holds_up_nothing_and_shows_nothing(wnet, server, keyring):
    wnet.add("Y:", server.url())
    keyring.hang()
    process = start_add(wnet, server)
    wait_for_asker()
    rounds = 0
    while seen := askers():
        assert all(b"Z:" in asker and PASSWORD.encode() not in asker for asker in seen)
        (wnet.folder("Y:") / "f").write_text("meanwhile")
        wnet.ok("list")
        rounds += 1
    assert rounds, "all that while it has waited"
    _out, err = process.communicate(timeout=LONG)
    assert process.returncode == 1 and "1208" in err and "does not answer" in err, err
    keyring.go_on()
    assert keyring.items() == []
    assert wnet.entry("Z:") is None and wnet.rows() == {} and not wnet.folder().exists()
    save(wnet, server)


def test_hanging_at_the_start_only_its_own_drive_waits(wnet, server, keyring):
    save(wnet, server)
    wnet.ok("add", "Y:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    wnet.ok("shutdown")
    keyring.hang()
    assert_back(wnet, server, "Y:")
    entry = wnet.wait_state("Z:", "unavailable")
    assert "does not answer" in entry["reason"] and entry["next_retry"]
    keyring.go_on()
    wnet.ok("restore", "Z:")
    assert_back(wnet, server)


def test_cancelled_while_it_is_saved(wnet, server, keyring):
    wnet.expect_log("password of Z:")  # that it could not be looked whether there is something to remove
    keyring.hang()
    process = start_add(wnet, server)
    wait_for_asker()
    wnet.ok("cancel", "Z:")
    _out, err = process.communicate(timeout=LONG)
    assert process.returncode == 1 and "1223" in err, err
    keyring.go_on()
    assert_nothing_left(wnet)
    assert keyring.items() == []


def test_given_up_while_it_is_saved(wnet, server, keyring):
    wnet.expect_log("password of Z:")
    keyring.hang()
    process = start_add(wnet, server)
    wait_for_asker()
    process.kill()
    process.wait()
    wait_until(lambda: wnet.list() == [], "it is undone")
    keyring.go_on()
    assert_nothing_left(wnet)
    assert "given up" in wnet.ok("history").out
    assert keyring.items() == []


def test_cancelled_while_it_is_looked_up(wnet, server, keyring):
    wnet.expect_log("password of Z:")
    save(wnet, server)
    wnet.ok("shutdown")
    keyring.hang()
    assert wnet.entry()["state"] == "connecting"
    wait_for_asker()
    wnet.ok("cancel", "Z:")
    assert wnet.entry()["state"] == "unavailable" and askers() == []
    assert "does not answer" in wnet.ok("cancel", "Z:", "--forget").err
    assert_nothing_left(wnet)
    keyring.go_on()


def test_the_daemon_ends_while_it_is_looked_up(wnet, server, keyring):
    save(wnet, server)
    wnet.ok("shutdown")
    keyring.hang()
    wnet.list()
    wait_for_asker()
    wnet.ok("shutdown")
    wait_until(lambda: not askers(), "nobody asks any more")
    keyring.go_on()
    assert_back(wnet, server)


# the library


@pytest.mark.parametrize("form", ["libwnet-probe", "libwnet-probe-wide"])
def test_the_library_saves(wnet, server, keyring, form):
    def add(device, flags):
        result = wnet.program(wnet.build / "tests" / "integration" / form, "add2", 1, device, server.unc(), "NULL", "@stdin", ALICE, flags,
                              input=PASSWORD + "\n")
        return int(re.search(r'"code": *(\d+)', result.out)[1])

    savecred, temporary = 0x1000, 4
    assert add("", savecred) == 87
    assert add("Z:", savecred | temporary) == 87
    assert keyring.items() == []
    assert add("Z:", savecred) == 0
    assert keyring.items() == [key(server)]
    wnet.ok("shutdown")
    assert_back(wnet, server)
    wnet.ok("cancel", "Z:", "--forget")
    assert keyring.items() == []
