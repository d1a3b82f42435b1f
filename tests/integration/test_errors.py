# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong is told in one line that says what, why and by which number; and nothing is left of the attempt."""

import getpass
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from harness import ALICE, BOB, BOB_PASSWORD, LONG, PASSWORD, alive, error_of, mounts_below, opened, wait_until


def assert_nothing_left(wnet):
    assert wnet.list() == []
    assert mounts_below(wnet.drives) == []
    assert not wnet.folder().exists()
    wait_until(lambda: wnet.workers() == [], "no worker is left")  # one that dies is listed still


def assert_one_line(result):
    """One line of error; what can be done about it may follow as a hint."""
    assert result.out == ""
    lines = result.err.splitlines()
    assert result.err.endswith("\n") and lines[0].startswith("wnet: ") and lines[0].endswith(")"), repr(result)
    assert all(line.startswith("hint: ") for line in lines[1:]) and len(lines) <= 2, repr(result)
    assert all(line.isprintable() for line in lines)


@pytest.fixture
def hole():
    """A server that takes connections and never says a word. Gives its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("user, password", [(ALICE, "wrong"), (ALICE, ""), ("nobody-here", PASSWORD), (BOB, PASSWORD), ("", "")])
def test_a_wrong_password_is_never_a_guest(wnet, server, user, password):
    result = wnet.run("add", "Z:", server.url(), "--user", user or "guest", "--password-stdin", input=password + "\n")
    assert result.code == 1, repr(result)
    assert_one_line(result)
    assert "(ERROR_LOGON_FAILURE, 1326)" in result.err or "(ERROR_INVALID_PASSWORD, 86)" in result.err
    assert_nothing_left(wnet)


@pytest.mark.parametrize("flags, why", [("D", "the account is disabled"), ("L", "the account is locked")], ids=["disabled", "locked"])
def test_the_password_is_right_and_the_account_is_not(wnet, server, flags, why):
    """Nobody shall look for the mistake in the password."""
    server.set_flags(ALICE, flags)
    result = wnet.add_fails(1326, "Z:", server.url())
    assert why in result.err and "wrong" not in result.err.replace("too many wrong passwords", ""), result.err
    assert_nothing_left(wnet)
    server.set_flags(ALICE, "")
    wnet.add("Z:", server.url())


def test_a_server_that_takes_a_wrong_password_for_a_guest(wnet, make_server):
    server = make_server(options={"map to guest": "bad password", "guest ok": "yes", "restrict anonymous": "0",
                                  "guest account": getpass.getuser()})
    (server.data / "f").write_text("x")
    listing = subprocess.run(["smbclient", "-p", str(server.port), "-U", f"{ALICE}%wrong", "//127.0.0.1/data", "-c", "ls"],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert listing.returncode == 0, f"the server does not make guests: {listing.stdout}"
    wnet.add_fails(1326, "Z:", server.url(), password="wrong")
    assert_nothing_left(wnet)
    wnet.add("Z:", server.url())


def test_a_server_that_lets_nobody_into_the_share_of_its_own(wnet, make_server):
    """Where a password is proved, IPC$, is not where a user wants to go."""
    server = make_server(more_shares={"IPC$": {"path": "ipc", "hosts deny": "127.0.0.1"}})
    wnet.add_fails(1326, "Z:", server.url(), password="wrong")
    wnet.add_fails(67, "Z:", server.url("nothing"))
    wnet.add("Z:", server.url())
    (wnet.folder() / "f").write_text("x")
    assert (server.data / "f").read_text() == "x"


def test_after_a_wrong_password_the_right_one_works(wnet, server):
    wnet.add_fails(1326, "Z:", server.url(), password="wrong")
    wnet.add("Z:", server.url())
    assert wnet.entry()["state"] == "ok"


def test_no_such_share(wnet, server):
    result = wnet.add_fails(67, "Z:", server.url("nothing"))
    assert_one_line(result)
    assert "nothing" in result.text
    assert_nothing_left(wnet)


def test_a_share_of_somebody_else(wnet, server):
    result = wnet.add_fails(5, "Z:", server.url("denied"))
    assert_one_line(result)
    assert_nothing_left(wnet)
    wnet.add("Z:", server.url("denied"), user=BOB, password=BOB_PASSWORD)


@pytest.mark.parametrize("folder", ["missing", "a file"])
def test_no_such_folder_in_the_share(wnet, server, folder):
    (server.data / "a file").write_text("x")
    assert_one_line(wnet.add_fails((53, 67, 1203), "Z:", server.url() + "/" + folder))
    assert_nothing_left(wnet)


@pytest.mark.parametrize("host", ["127.0.0.1:1", "no-such-server.invalid", "[::1]:1"])
def test_no_such_server(wnet, host):
    result = wnet.add_fails((53, 1203), "Z:", f"//{host}/data")
    assert_one_line(result)
    assert_nothing_left(wnet)


def test_a_server_that_never_answers_costs_only_its_own_user_time(wnet, server, hole):
    wnet.configure(connect_timeout=5)
    (server.data / "f").write_text("x")
    wnet.add("Y:", server.url())
    done = threading.Event()
    result = []

    def connect():
        try:
            result.append(wnet.add_fails(53, "Z:", f"//127.0.0.1:{hole}/data"))
        finally:
            done.set()

    thread = threading.Thread(target=connect)
    thread.start()
    served = 0
    while not done.is_set():
        assert (wnet.folder("Y:") / "f").read_text() == "x"
        (wnet.folder("Y:") / f"new {served}").write_text("x")
        assert wnet.entry("Y:")["state"] == "ok"
        served += 1
        time.sleep(0.05)
    thread.join()
    assert served > 1, "nothing was served meanwhile"
    assert_one_line(result[0])
    assert wnet.entry("Z:") is None and len(mounts_below(wnet.drives)) == 1


def test_a_server_that_talks_nonsense(wnet):
    def serve(listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nServer: nonsense\r\n\r\n" * 100)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        wnet.configure(connect_timeout=5)
        wnet.add_fails((53, 1203, 1208), "Z:", f"//127.0.0.1:{listener.getsockname()[1]}/data")
        listener.shutdown(socket.SHUT_RDWR)
    assert_nothing_left(wnet)


def test_a_letter_in_use(wnet, server):
    wnet.add("Z:", server.url())
    for url in (server.url(), server.url("readonly")):
        result = wnet.add_fails(85, "Z:", url)
        assert_one_line(result)
        assert "Z:" in result.text
    assert wnet.entry()["state"] == "ok" and wnet.entry()["remote"] == server.unc()
    assert len(mounts_below(wnet.drives)) == 1


def test_two_users_on_one_server_at_once(wnet, server):
    wnet.add("Y:", server.url())
    result = wnet.add_fails(1219, "Z:", server.url("denied"), user=BOB, password=BOB_PASSWORD)
    assert_one_line(result)
    assert "Y:" in result.text
    wnet.ok("cancel", "Y:")
    wnet.add("Z:", server.url("denied"), user=BOB, password=BOB_PASSWORD)


@pytest.mark.parametrize("device", ["Z", "ZZ:", "1:", "é:", "Z:/", "Z:\\", "LPT0", "LPT10", "COM1", "/tmp/x", " Z:", "Z::", ":"])
def test_malformed_local_names(wnet, server, device):
    assert_one_line(wnet.add_fails(1200, device, server.url()))
    assert_nothing_left(wnet)


@pytest.mark.parametrize("remote", ["", "server", "/server/share", "//server", "//server/", "\\\\", "//", "///x", "\\\\server", "//a//b",
                                    "http://server/share", "//server:0/share", "//server:99999/share", "//server:x/share",
                                    "//server/../x", "//server/share/../other", "//us\ner/share", "smb://user:secret@server/share",
                                    "//" + "s" * 300 + "/share", "//server/" + "s" * 300], ids=lambda r: ascii(r)[:30])
def test_malformed_remote_names(wnet, remote):
    assert_one_line(wnet.add_fails(67, "Z:", remote))
    assert_nothing_left(wnet)


@pytest.mark.parametrize("user", ["", "a" * 300, "a\tb", "\\"], ids=ascii)
def test_malformed_user_names(wnet, server, user):
    result = wnet.run("add", "Z:", server.url(), "--user", user, "--password-stdin", input=PASSWORD + "\n")
    assert result.code == 1 and "(ERROR_BAD_USERNAME, 2202)" in result.err, repr(result)
    assert_one_line(result)
    assert_nothing_left(wnet)


def test_a_printer_port_is_no_drive(wnet, server):
    wnet.add_fails(66, "LPT1", server.url())
    assert wnet.list() == []


# the folder of the drive


def test_a_folder_that_is_not_empty_is_left_alone(wnet, server):
    wnet.folder().mkdir(parents=True)
    (wnet.folder() / "mine").write_text("precious")
    result = wnet.fails(tuple(range(1, 3000)), *wnet._add_args("Z:", server.url(), ALICE), input=PASSWORD + "\n")
    assert_one_line(result)
    assert str(wnet.folder()) in result.text
    assert (wnet.folder() / "mine").read_text() == "precious"
    assert wnet.list() == [] and mounts_below(wnet.drives) == []


@pytest.mark.parametrize("what", ["a file", "a link", "a dangling link"])
def test_something_else_where_the_folder_should_be(wnet, server, what):
    wnet.drives.mkdir()
    elsewhere = wnet.home / "elsewhere"
    elsewhere.mkdir()
    if what == "a file":
        wnet.folder().write_text("precious")
    else:
        wnet.folder().symlink_to(elsewhere if what == "a link" else wnet.home / "nowhere")
    result = wnet.fails(tuple(range(1, 3000)), *wnet._add_args("Z:", server.url(), ALICE), input=PASSWORD + "\n")
    assert_one_line(result)
    assert wnet.folder().is_symlink() or wnet.folder().read_text() == "precious"
    assert os.listdir(elsewhere) == []
    assert wnet.list() == [] and mounts_below(wnet.home) == []


def test_drives_that_cannot_be_made(wnet, server):
    wnet.drives.mkdir(mode=0o500)
    result = wnet.fails(tuple(range(1, 3000)), *wnet._add_args("Z:", server.url(), ALICE), input=PASSWORD + "\n")
    assert_one_line(result)
    assert str(wnet.drives) in result.text
    assert wnet.list() == []
    wnet.drives.chmod(0o700)
    wnet.add("Z:", server.url())


@pytest.mark.parametrize("folder", ["Network", "My Network Drives/ä"])
def test_drives_elsewhere_by_configuration(wnet, server, folder):
    wnet.configure(drives=f"~/{folder}")
    wnet.add("Z:", server.url())
    (wnet.home / folder / "Z" / "f").write_text("x")
    assert (server.data / "f").read_text() == "x"
    wnet.ok("cancel", "Z:")
    assert mounts_below(wnet.home) == []


@pytest.mark.parametrize("text", ["connect_timeout = soon\n", "colour = red\n", "connect_timeout\n", "operation_timeout = 0\n"])
def test_a_configuration_that_does_not_do(wnet, text):
    (wnet.config / "wnet").mkdir(mode=0o700)
    (wnet.config / "wnet" / "wnet.conf").write_text(text)
    wnet.expect_log("wnet.conf")
    result = wnet.run("list")
    # it must be told; whether the daemon then goes on with its defaults is its own choice
    assert "wnet.conf" in result.err + wnet.log_text(), repr(result)


def assert_does_not_start(wnet, *texts):
    result = wnet.fails(1208, "list")
    assert_one_line(result)
    assert all(text in result.text for text in texts), repr(result)
    assert re.match(r"cannot start the daemon: [a-z]", result.text), "not as the log has it, with a date"
    assert "another wnetd" not in result.text and wnet.daemons() == [], repr(result)


@pytest.mark.parametrize("what", ["unreadable", "a folder"])
def test_a_configuration_that_cannot_be_read(wnet, what):
    wnet.configure(connect_timeout=5)
    conf = wnet.config / "wnet" / "wnet.conf"
    conf.chmod(0)
    if what == "a folder":
        conf.unlink()
        conf.mkdir()
    assert_does_not_start(wnet, str(conf), "Permission denied" if what == "unreadable" else "Is a directory", "move it away")
    conf.rename(conf.with_name("away"))
    assert wnet.list() == []


@pytest.mark.parametrize("name", ["wnetd.lock", "workers.lock"])
def test_a_lock_that_cannot_be_opened(wnet, name):
    folder = wnet.config / "wnet"
    folder.mkdir(mode=0o700)
    (folder / name).symlink_to("/nowhere")
    assert_does_not_start(wnet, str(folder / name), "symbolic links")
    (folder / name).unlink()
    if name == "wnetd.lock":
        folder.chmod(0o500)
        assert_does_not_start(wnet, str(folder / name), "Permission denied", "may write to")
        folder.chmod(0o700)
    assert wnet.list() == []


def test_a_log_that_cannot_be_opened(wnet):
    wnet.log.mkdir(parents=True, mode=0o700)
    assert_does_not_start(wnet, str(wnet.log), "Is a directory")
    wnet.log.rmdir()
    assert wnet.list() == []


@pytest.mark.parametrize("what", ["the profile", "the drives"])
def test_nothing_of_the_daemon_may_lie_on_a_drive(make_wnet, server, what):
    """It would wait for itself."""
    one, two = make_wnet("one"), make_wnet("two")
    one.add("Z:", server.url())
    for name in ("config", "drives"):
        (one.folder() / name).mkdir()
    two.env.update({"XDG_CONFIG_HOME": str(one.folder() / "config")} if what == "the profile" else
                   {"WNET_DRIVES": str(one.folder() / "drives")})
    result = two.run("list")
    assert result.code == 1, repr(result)
    assert str(one.folder()) in result.err + two.log_text(), repr(result)
    assert two.daemons() == []
    one.ok("cancel", "Z:")


# the profile


def break_profile(wnet, how):
    folder = wnet.config / "wnet"
    folder.mkdir(mode=0o700, exist_ok=True)
    if how == "garbage":
        wnet.profile.write_bytes(b"not a database " * 100)
    elif how == "zero bytes":
        wnet.profile.write_bytes(b"")
    elif how == "another schema":
        subprocess.run(["sqlite3", wnet.profile, "CREATE TABLE device (x)"], check=True)
    elif how == "a directory":
        wnet.profile.mkdir()
    elif how == "unreadable":
        wnet.profile.write_bytes(b"")
        wnet.profile.chmod(0)


@pytest.mark.parametrize("how, code", [("garbage", 1206), ("zero bytes", 1206), ("another schema", 1206), ("a directory", 1205),
                                       ("unreadable", 1205)])
def test_a_broken_profile_is_told_and_left_alone(wnet, server, how, code):
    wnet.expect_log("profile")
    break_profile(wnet, how)
    before = wnet.profile.read_bytes() if code == 1206 else None
    credentials = wnet.credentials()
    wnet.fails(code, "add", "Z:", server.url(), "--credentials", credentials, "--persistent")
    assert mounts_below(wnet.drives) == []
    wnet.add("Z:", server.url())  # without it, it does not matter
    assert wnet.entry()["state"] == "ok"
    wnet.ok("cancel", "Z:", "--forget")
    if before is not None:
        assert wnet.profile.read_bytes() == before


# runtime directory


def answers(path):
    """The pid of whoever has made the socket, if somebody listens there."""
    with socket.socket(socket.AF_UNIX) as s:
        if error_of(lambda: s.connect(str(path))) is None:
            return struct.unpack("iII", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    return None


def test_without_a_runtime_directory_of_the_session(wnet, server):
    """As under su, cron, and in containers."""
    del wnet.env["XDG_RUNTIME_DIR"]
    folder = f"/tmp/wnet-{os.getuid()}"
    there = os.path.exists(folder)
    if answers(f"{folder}/control"):
        pytest.skip(f"a daemon of this user answers in {folder}")
    try:
        wnet.add("Z:", server.url())
        assert os.stat(folder).st_mode & 0o777 == 0o700
        assert answers(f"{folder}/control")
        wnet.ok("cancel", "Z:")
        wnet.ok("shutdown")
    finally:
        if not there:
            subprocess.run(["rm", "-rf", folder], check=True)


def test_another_runtime_directory_than_that_of_the_daemon(wnet, server):
    """As cron has it: the daemon that runs cannot be found, and there may be one only."""
    wnet.add("Z:", server.url())
    pid = wnet.daemon()
    other = wnet.root / "other"
    other.mkdir(mode=0o700)
    env = {**wnet.env, "XDG_RUNTIME_DIR": str(other)}
    for command in ("list", "shutdown", "--version"):
        result = wnet.fails(1208, command, env=env)
        assert len(result.err.splitlines()) == 1
        for text in (f"(process {pid})", str(other / "wnet" / "control"), str(wnet.runtime / "wnet" / "control"), "XDG_RUNTIME_DIR", f"kill {pid},"):
            assert text in result.text, repr(result)
    assert wnet.daemon() == pid and wnet.entry()["state"] == "ok"
    wnet.ok("shutdown")
    assert wnet.ok("shutdown", env=env).out == "wnetd is not running.\n"


@pytest.mark.parametrize("what", ["control", "wnet", "."])
def test_the_runtime_directory_is_removed(wnet, server, what):
    """As logind does at logout, where the daemon stays."""
    wnet.add("Z:", server.url())
    pid, control = wnet.daemon(), wnet.runtime / "wnet" / "control"
    gone = control if what == "control" else wnet.runtime / what
    subprocess.run(["rm", "-rf", gone.resolve()], check=True)
    assert wnet.entry()["state"] == "ok", "it is found all the same"
    assert wnet.daemon() == pid and os.stat(control.parent).st_mode & 0o777 == 0o700
    (wnet.folder() / "f").write_text("x")
    subprocess.run(["rm", "-rf", gone.resolve()], check=True)
    wait_until(lambda: answers(control), "it is back without anybody asking")
    subprocess.run(["rm", "-rf", gone.resolve()], check=True)
    assert wnet.ok("shutdown").out == "All drives have been disconnected, and wnetd has ended.\n"
    wait_until(lambda: not alive(pid), "it has ended")
    assert (server.data / "f").read_text() == "x" and wnet.mount() is None


def test_the_runtime_directory_cannot_be_made_again(wnet, server):
    wnet.expect_log("control socket .* cannot be made again: Permission denied")
    wnet.add("Z:", server.url())
    pid, control = wnet.daemon(), wnet.runtime / "wnet" / "control"
    subprocess.run(["rm", "-rf", control.parent], check=True)
    wnet.runtime.chmod(0o500)
    for command in ("shutdown", "--version"):
        result = wnet.fails(1208, command)
        assert f"wnetd (process {pid}) runs, but does not answer at {control}" in result.text and f"kill {pid}," in result.text
    with opened(wnet.folder() / "f", "wb") as f:
        f.write(b"x" * 1_000_000)
        os.kill(pid, signal.SIGTERM)  # as it says
        wait_until(lambda: not alive(pid), "it has ended")
        error_of(lambda: f.write(b"y"))
    assert (server.data / "f").read_bytes() == b"x" * 1_000_000 and wnet.mount() is None
    assert wnet.ok("shutdown").out == "wnetd is not running.\n"
    assert "wnetd is not running" in wnet.ok("--version").out
    wnet.runtime.chmod(0o700)


def test_two_daemons_and_one_socket(make_wnet):
    """Of two homes, by mistake: each leaves the other one's socket alone."""
    one, two = make_wnet("one"), make_wnet("two")
    one.list()
    daemon = two.popen([two.build / "wnetd"], env={**two.env, "XDG_RUNTIME_DIR": str(one.runtime)}, stderr=subprocess.DEVNULL)
    control = one.runtime / "wnet" / "control"
    wait_until(lambda: answers(control) == daemon.pid, "the second one has it")
    time.sleep(5)  # longer than the first one takes to look
    assert answers(control) == daemon.pid
    daemon.terminate()
    assert daemon.wait(LONG) == 0
    wait_until(lambda: answers(control), "the first one has it again")
    assert one.list() == []


def test_a_runtime_directory_of_somebody_else_is_refused(wnet):
    (wnet.runtime / "wnet").mkdir(mode=0o777)
    (wnet.runtime / "wnet").chmod(0o777)
    result = wnet.run("list", timeout=LONG)
    assert result.code == 1, repr(result)
    assert str(wnet.runtime / "wnet") in result.err + wnet.log_text()
