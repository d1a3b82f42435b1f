# SPDX-License-Identifier: GPL-3.0-or-later
"""A user wants the drive back: after the daemon's end, its crash, a logout; and without its password anywhere but in one file."""

import os
import signal
import subprocess

import pytest

from harness import BOB, BOB_PASSWORD, alive, error_name, error_of, mounts_below, wait_until


def remember(wnet, server, device="Z:", *options):
    wnet.ok("add", device, server.url(), "--credentials", wnet.credentials(), "--persistent", *options)


def assert_back(wnet, server, device="Z:"):
    wnet.wait_state(device, "ok")
    assert wnet.mount(device)
    (wnet.folder(device) / "back").write_text("again")
    assert (server.data / "back").read_text() == "again"


def test_it_is_remembered(wnet, server):
    remember(wnet, server)
    row = wnet.rows()["Z:"]
    assert server.unc() in [str(value) for value in row.values()]
    assert wnet.entry()["persistent"] is True
    assert wnet.profile.stat().st_mode & 0o077 == 0


def test_without_persistent_nothing_is_remembered(z, wnet):
    assert wnet.rows() == {}
    wnet.ok("shutdown")
    assert wnet.list() == []
    assert not z.exists()


def test_it_is_back_after_a_shutdown(wnet, server):
    remember(wnet, server)
    wnet.ok("shutdown")
    assert mounts_below(wnet.drives) == []
    assert_back(wnet, server)


def test_while_the_daemon_is_down_nothing_can_be_written_where_the_drive_was(wnet, server):
    remember(wnet, server)
    wnet.ok("shutdown")
    folder = wnet.folder()
    assert folder.is_dir() and folder.stat().st_mode & 0o777 == 0o500
    assert error_name(error_of(lambda: (folder / "f").write_text("x"))) == "EACCES"
    assert error_name(error_of(lambda: (folder / "d").mkdir())) == "EACCES"


def test_it_is_back_after_a_crash_of_the_daemon(wnet, server):
    """The dead drive is in everybody's way until the next start clears it."""
    remember(wnet, server)
    wnet.add("Y:", server.url())
    (wnet.folder() / "f").write_text("x")
    wnet.end_daemon(signal.SIGKILL)
    assert_back(wnet, server)
    assert (wnet.folder() / "f").read_text() == "x"
    assert len(mounts_below(wnet.drives)) == 1, "the dead drive Y: is still mounted"
    assert wnet.entry("Y:") is None
    assert not wnet.folder("Y:").exists()


def test_it_is_back_after_a_crash_with_files_open(wnet, server):
    remember(wnet, server)
    # keeps the dead mount busy
    holder = wnet.popen(["sleep", "1000"], cwd=wnet.folder())
    fd = os.open(wnet.folder() / "f", os.O_CREAT | os.O_RDWR)
    reader = wnet.popen(["sleep", "1000"], stdin=fd)
    os.close(fd)
    wnet.end_daemon(signal.SIGKILL)
    assert_back(wnet, server)
    holder.kill()
    reader.kill()


def test_a_crash_loses_nothing_that_was_synced(wnet, server):
    remember(wnet, server)
    fd = os.open(wnet.folder() / "f", os.O_CREAT | os.O_WRONLY)
    os.write(fd, b"x" * 100_000)
    os.fsync(fd)
    wnet.end_daemon(signal.SIGKILL)
    error_of(lambda: os.close(fd))
    assert (server.data / "f").read_bytes() == b"x" * 100_000
    assert_back(wnet, server)


def test_a_logout_sends_everything_and_the_next_logon_restores(wnet, server):
    """SIGTERM is how a session ends its programs."""
    remember(wnet, server)
    data = os.urandom(2_000_000)
    fd = os.open(wnet.folder() / "f", os.O_CREAT | os.O_WRONLY)
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    wnet.end_daemon(signal.SIGTERM)
    error_of(lambda: os.close(fd))
    assert mounts_below(wnet.drives) == []
    assert (server.data / "f").read_bytes() == data
    assert set(wnet.rows()) == {"Z:"}
    assert_back(wnet, server)


def test_cancelled_it_comes_back_only_with_the_next_start(wnet, server):
    remember(wnet, server)
    wnet.ok("cancel", "Z:")
    assert wnet.entry()["state"] == "unavailable"
    wnet.ok("shutdown")
    assert_back(wnet, server)


def test_forgotten_it_does_not_come_back(wnet, server):
    remember(wnet, server)
    wnet.ok("cancel", "Z:", "--forget")
    wnet.ok("shutdown")
    assert wnet.list() == []
    assert not wnet.folder().exists()


def test_a_drive_that_is_remembered_can_be_added_again(wnet, server):
    remember(wnet, server)
    wnet.ok("cancel", "Z:")
    wnet.add_fails(1202, "Z:", server.url("readonly"))
    assert set(wnet.rows()) == {"Z:"}
    wnet.add("Z:", server.url())
    assert wnet.entry()["state"] == "ok" and set(wnet.rows()) == {"Z:"}


def test_several_drives_with_their_options(wnet, server):
    remember(wnet, server, "X:")
    remember(wnet, server, "Y:", "--read-only")
    wnet.ok("shutdown")
    assert_back(wnet, server, "X:")
    wnet.wait_state("Y:", "ok")
    assert wnet.entry("Y:")["read_only"] is True
    assert error_name(error_of(lambda: (wnet.folder("Y:") / "f").write_text("x"))) == "EROFS"


def test_a_failed_add_remembers_nothing(wnet, server):
    wnet.fails(1326, "add", "Z:", server.url(), "--credentials", wnet.credentials(password="not-it"), "--persistent")
    assert wnet.rows() == {} and wnet.list() == []
    assert not wnet.folder().exists()


# credentials


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_credentials_file_that_others_can_read_is_refused(wnet, server, mode):
    path = wnet.credentials(mode=mode)
    result = wnet.fails((5, 87), "add", "Z:", server.url(), "--credentials", path, "--persistent")
    assert str(path) in result.text
    assert wnet.list() == [] and wnet.rows() == {}


@pytest.mark.parametrize("text", ["", "username=alice\n", "nonsense\n", "user name\n=\n", "password=x\n", "username=alice\npassword=wrong\n",
                                  "a" * 100_000, "username=alice\nflavour=salt\n"])
def test_a_credentials_file_that_does_not_do(wnet, server, text):
    path = wnet.home / "c"
    path.write_text(text)
    path.chmod(0o600)
    wnet.fails((5, 86, 87, 1326, 2202), "add", "Z:", server.url(), "--credentials", path)
    wnet.fails((5, 86, 87, 1326, 2202), "add", "Z:", server.url(), "--credentials", wnet.home / "missing")
    assert wnet.list() == []


def test_a_credentials_file_in_all_its_forms(wnet, server):
    path = wnet.home / "c"
    path.write_text(f"# mine\n\n user=alice\npass={wnet.credentials().read_text().split('password=')[1].strip()}\ndom=WNET\n")
    path.chmod(0o600)
    wnet.ok("add", "Z:", server.url(), "--credentials", path)
    assert wnet.entry()["state"] == "ok"


def test_without_credentials_it_needs_a_password(wnet, server):
    wnet.add("Z:", server.url(), "--persistent")
    assert set(wnet.rows()) == {"Z:"}
    wnet.ok("shutdown")
    entry = wnet.wait_state("Z:", "unavailable")
    assert "needs a password" in entry["reason"]
    assert "needs a password" in wnet.ok("list").out
    assert error_name(error_of(lambda: (wnet.folder() / "f").write_text("x"))) == "EACCES"
    wnet.add("Z:", server.url())
    assert_back(wnet, server)


def test_restored_when_the_credentials_file_has_changed(wnet, server):
    wnet.expect_log("credentials|Z:")
    remember(wnet, server)
    wnet.ok("shutdown")
    wnet.credentials(mode=0o644)
    entry = wnet.wait_state("Z:", "unavailable")
    assert entry["reason"]
    assert wnet.rows()["Z:"]
    wnet.credentials(user=BOB, password=BOB_PASSWORD)
    wnet.ok("shutdown")
    wnet.wait_state("Z:", "ok")


def test_restored_when_the_server_is_away_at_first(wnet, server):
    wnet.expect_log("Z:|server|smb|connect")
    remember(wnet, server)
    wnet.ok("shutdown")
    server.kill()
    wait_until(lambda: (wnet.entry() or {}).get("state") in ("unavailable", "reconnecting"), "it says that it is not there")
    entry = wnet.entry()
    assert entry["reason"]
    server.start()
    wnet.wait_state("Z:", "ok", timeout=180)
    assert_back(wnet, server)


def test_the_folder_is_kept_for_a_remembered_drive_only(wnet, server):
    remember(wnet, server)
    wnet.ok("cancel", "Z:")
    assert wnet.folder().is_dir()
    wnet.ok("cancel", "Z:", "--forget")
    assert not wnet.folder().exists()


def test_killed_in_the_middle_of_a_cancel_one_of_two_states_is_found(wnet, server):
    for _ in range(4):
        remember(wnet, server)
        cancelling = wnet.popen([wnet.build / "wnet", "cancel", "Z:", "--forget"], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
        daemon = wnet.daemon()
        os.kill(daemon, signal.SIGKILL)
        wait_until(lambda pid=daemon: not alive(pid), "the daemon is gone")
        cancelling.wait(60)
        wnet.list()  # the next start puts in order what it finds
        if set(wnet.rows()) == {"Z:"}:
            assert_back(wnet, server)
            wnet.ok("cancel", "Z:", "--forget")
        assert wnet.list() == []
        assert mounts_below(wnet.drives) == [] and wnet.rows() == {}
