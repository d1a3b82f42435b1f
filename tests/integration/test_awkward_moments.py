# SPDX-License-Identifier: GPL-3.0-or-later
"""Things that happen at the worst moment: each of these once killed the daemon, hung a program or told an untruth."""

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from harness import error_of, mounts_below, wait_until
from proxy import Proxy


@pytest.fixture
def proxy(server):
    return Proxy(server.port)


@pytest.fixture
def remembered(wnet, proxy):
    """Z: is remembered, its server does not answer, the daemon has just been started again."""
    wnet.expect_log(r".")
    wnet.ok("add", "Z:", proxy.share(), "--credentials", str(wnet.credentials()), "--persistent")
    wnet.end_daemon(signal.SIGTERM)
    proxy.hold = True
    assert wnet.entry("Z:")["state"] == "connecting"
    yield wnet
    proxy.hold = False


def start(wnet, *args, **kwargs):
    return wnet.popen([wnet.build / "wnet", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)


WRITER = """
import mmap, os, sys
f = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.ftruncate(f, 1 << 20)
m = mmap.mmap(f, 1 << 20) if sys.argv[2] == "map" else None
print("ready", flush=True)
sys.stdin.readline()
try:
    if m:
        m[:] = b"x" * (1 << 20)
        m.flush()
    else:
        os.write(f, b"x" * (1 << 20))
        os.fsync(f)
except OSError as e:
    print(e, flush=True)
"""


def writers(wnet, folder, n):
    started = [wnet.popen([sys.executable, "-c", WRITER, folder / f"out{i}", "map" if i % 2 else "write"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for i in range(n)]
    for writer in started:
        assert writer.stdout.readline()
    return started


def go(started):
    for writer in started:
        writer.stdin.write("\n")
        writer.stdin.flush()


# ---- cancel ----


def test_a_remote_name_is_forgotten_while_its_drive_is_restored(remembered, proxy):
    pid = remembered.daemon()
    remembered.run("cancel", proxy.share(), "--forget")
    assert remembered.daemon() == pid
    assert "Z:" in remembered.rows()  # a remote name never touches the rows


def test_unmounted_by_hand_while_the_profile_is_locked(wnet, server):
    wnet.expect_log(r".")
    wnet.ok("add", "Z:", server.url(), "--credentials", str(wnet.credentials()), "--persistent")
    pid = wnet.daemon()
    lock = sqlite3.connect(wnet.profile, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    cancel = start(wnet, "cancel", "Z:", "--forget")
    time.sleep(0.5)
    subprocess.run(["fusermount3", "-u", wnet.folder()], check=True)
    time.sleep(0.3)
    lock.execute("ROLLBACK")
    lock.close()
    cancel.communicate(timeout=30)
    assert wnet.daemon() == pid and not mounts_below(wnet.root)


def test_shutdown_while_one_drive_connects(wnet, server, proxy):
    wnet.expect_log(r".")
    wnet.add("Z:", server.url())
    proxy.hold = True
    adding = start(wnet, "add", "Y:", proxy.share(), "--credentials", str(wnet.credentials()))
    wait_until(lambda: wnet.entry("Y:"), "connecting")
    assert wnet.run("shutdown").code == 0
    assert "1223" in adding.communicate(timeout=30)[1] and not mounts_below(wnet.root)


def test_sigterm_while_one_drive_connects(wnet, server, proxy):
    wnet.expect_log(r".")
    wnet.add("Z:", server.url())
    proxy.hold = True
    start(wnet, "add", "Y:", proxy.share(), "--credentials", str(wnet.credentials()))
    wait_until(lambda: wnet.entry("Y:"), "connecting")
    wnet.end_daemon(signal.SIGTERM)
    assert not mounts_below(wnet.root)


def test_a_refused_shutdown_leaves_attempts_alone(remembered, server, proxy):
    wnet = remembered
    (server.data / "f").write_text("x")
    wnet.add("Y:", server.url())
    with open(wnet.folder("Y:") / "f", encoding="utf-8"):
        assert wnet.run("shutdown").code == 1
        proxy.hold = False
        wait_until(lambda: wnet.entry("Z:")["state"] == "ok", "the attempt that was under way succeeds")


def test_a_remote_name_is_refused_at_its_second_drive(wnet, server, proxy):
    """The first one is mounted again, though a close on it is still on its way to the server."""
    wnet.expect_log(r".")
    (server.data / "f").write_text("x")
    wnet.add("Y:", proxy.share())
    wait_until(lambda: proxy.count >= 2, "the workers of Y: are connected")
    wnet.add("Z:", proxy.share())
    f = os.open(wnet.folder("Y:") / "f", os.O_RDONLY)
    shell = wnet.popen(["sh", "-c", 'cd "$0" && echo ready && exec sleep 60', wnet.folder("Z:")], stdout=subprocess.PIPE)
    assert shell.stdout.readline()
    pid = wnet.daemon()
    proxy.held = {1}
    os.close(f)
    assert "2404" in wnet.run("cancel", proxy.share()).err
    proxy.held = set()
    wait_until(lambda: (wnet.folder("Y:") / "f").exists(), "Y: works again")
    shell.kill()
    shell.wait()
    assert wnet.daemon() == pid


def test_a_home_behind_a_symbolic_link(wnet, server):
    real = wnet.root / "realhome"
    os.rename(wnet.home, real)
    os.symlink(real, wnet.home)
    wnet.add("Z:", server.url())
    shell = wnet.popen(["sleep", "60"], cwd=wnet.folder())
    assert "2404" in wnet.run("cancel", "Z:").err
    shell.kill()
    shell.wait()
    wnet.ok("cancel", "Z:")
    assert not mounts_below(real)


def test_profile_and_history_behind_a_symbolic_link(wnet, server):
    """As where /home leads to /var/home."""
    real = wnet.root / "realhome"
    os.rename(wnet.home, real)
    os.symlink(real, wnet.home)
    del wnet.env["XDG_CONFIG_HOME"], wnet.env["XDG_STATE_HOME"]
    wnet.config, wnet.state_home = wnet.home / ".config", wnet.home / ".local" / "state"
    wnet.profile, wnet.log = wnet.config / "wnet" / "profile.db", wnet.state_home / "wnet" / "wnetd.log"
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    assert set(wnet.rows()) == {"Z:"}
    wnet.ok("shutdown")
    wnet.ok("list")
    wnet.wait_state("Z:", "ok")
    wnet.ok("cancel", "Z:", "--forget")
    assert wnet.rows() == {}
    events = [e["event"] for e in wnet.ok("history", "Z:", "--json").json]
    assert sorted(events) == ["connected", "disconnected", "disconnected", "forgotten", "restored"], events
    assert "no history is kept" not in wnet.log_text()


def test_cancel_between_the_mount_and_the_end_of_fusermount3(wnet, server):
    wnet.expect_log(r".")
    slow = wnet.root / "bin" / "fusermount3"
    slow.parent.mkdir()
    # long enough for the cancel to begin meanwhile, which is not to be seen; wnetd waits 10 seconds for it
    slow.write_text('#!/bin/sh\n/usr/bin/fusermount3 "$@"\nr=$?\ncase "$1" in -u) ;; *) sleep 7;; esac\nexit $r\n')
    slow.chmod(0o755)
    wnet.env["PATH"] = f"{slow.parent}:{wnet.env['PATH']}"
    adding = start(wnet, "add", "Z:", server.url(), "--credentials", str(wnet.credentials()))
    wait_until(lambda: mounts_below(wnet.root), "mounted")
    assert wnet.run("cancel", "Z:").code == 0
    assert not mounts_below(wnet.root)
    assert "1223" in adding.communicate(timeout=30)[1]
    wnet.ok("list")


# ---- force ----


def test_a_late_answer_after_a_force(wnet, server, proxy):
    wnet.expect_log(r".")
    wnet.add("Z:", proxy.share())
    pid = wnet.daemon()
    started = writers(wnet, wnet.folder(), 1)
    proxy.hold_back = True
    go(started)
    time.sleep(0.3)
    cancel = start(wnet, "cancel", "Z:", "--force")
    for writer in started:
        assert "Errno" in writer.stdout.readline()
    proxy.hold_back = False
    cancel.communicate(timeout=60)
    assert cancel.returncode == 0 and wnet.daemon() == pid


def test_force_with_a_hung_server_and_many_writers(wnet, proxy):
    wnet.expect_log(r".")
    wnet.add("Z:", proxy.share())
    started = writers(wnet, wnet.folder(), 40)
    proxy.hold = True
    go(started)
    time.sleep(0.5)
    begin = time.monotonic()
    result = wnet.run("cancel", "Z:", "--force")
    assert result.code == 0 and time.monotonic() - begin < 15
    assert set(result.err.splitlines()) <= {f"lost: Z:/out{i} ({1 << 20} bytes could not be sent)" for i in range(0, 40, 2)}, result
    for writer in started:
        writer.wait(20)


def test_the_profile_cannot_be_committed_after_a_force(wnet, server, proxy):
    wnet.expect_log(r".")
    wnet.ok("add", "Z:", proxy.share(), "--credentials", str(wnet.credentials()), "--persistent")
    started = writers(wnet, wnet.folder(), 1)  # not the test itself: what it starts would close, and so flush, copies of its descriptors
    proxy.hold = True
    go(started)
    time.sleep(0.2)
    cancel = start(wnet, "cancel", "Z:", "--force", "--forget")
    time.sleep(0.25)
    os.chmod(wnet.config / "wnet", 0o500)
    cancel.communicate(timeout=60)
    proxy.hold = False
    os.chmod(wnet.config / "wnet", 0o700)
    assert started[0].wait(20) == 0
    connected = wnet.entry("Z:") is not None and wnet.entry("Z:")["state"] != "unavailable"
    assert bool(mounts_below(wnet.root)) == connected
    with sqlite3.connect(wnet.profile) as profile:  # whoever may write rolls back what the failed commit has left
        profile.execute("SELECT * FROM sqlite_schema").fetchall()
    profile.close()
    assert not connected or "Z:" in wnet.rows()


# ---- data ----


def test_appending_after_a_listing_that_is_older(wnet, server):
    wnet.add("Z:", server.url())
    (server.data / "log").write_bytes(b"")
    folder = os.open(wnet.folder(), os.O_RDONLY | os.O_DIRECTORY)
    with open(wnet.folder() / "log", "ab", buffering=0) as f:
        f.write(b"AAAAAAAAAA")
        os.listdir(folder)
        f.write(b"BBBBB")
    os.close(folder)
    assert (server.data / "log").read_bytes() == b"AAAAAAAAAABBBBB"


def test_a_write_is_seen_through_another_descriptor(wnet, server, proxy):
    (server.data / "f").write_bytes(b"o" * (4 << 20))
    wnet.add("Z:", proxy.share())
    wait_until(lambda: proxy.count >= 2, "connected")
    a = os.open(wnet.folder() / "f", os.O_WRONLY)
    b = os.open(wnet.folder() / "f", os.O_RDONLY)
    proxy.held = {1}
    writer = threading.Thread(target=os.pwrite, args=(a, b"N" * 100, (512 << 10) + 10))
    writer.start()
    time.sleep(0.2)
    reader = threading.Thread(target=os.pread, args=(b, 131072, 0))  # reads ahead, beyond what is being written
    reader.start()
    time.sleep(0.2)
    proxy.held = set()
    writer.join()
    reader.join()
    assert os.pread(b, 110, 512 << 10)[10:] == b"N" * 100
    os.close(a)
    os.close(b)


def test_truncating_a_file_whose_time_was_copied(wnet, server):
    wnet.add("Z:", server.url())
    with open(wnet.folder() / "b", "wb", buffering=0) as f:
        f.write(b"x" * 10)
        os.utime(f.fileno(), (10**9, 10**9))
    assert int((server.data / "b").stat().st_mtime) == 10**9
    with open(wnet.folder() / "b", "wb"):
        pass
    wait_until(lambda: (server.data / "b").stat().st_mtime > 1.5 * 10**9, "a new time")


def test_an_idle_open_keeps_the_time_that_others_set(wnet, server):
    wnet.add("Z:", server.url())
    with open(wnet.folder() / "b", "wb", buffering=0) as f:
        f.write(b"x" * 10)
        os.utime(f.fileno(), (10**9, 10**9))
    (server.data / "b").write_bytes(b"changed elsewhere")
    changed = (server.data / "b").stat().st_mtime
    with open(wnet.folder() / "b", "r+b") as f:
        f.read(3)
    time.sleep(0.5)
    assert abs((server.data / "b").stat().st_mtime - changed) < 2


@pytest.mark.parametrize("seen_by", ["stat", "listing"])
def test_a_file_replaced_while_its_worker_is_dead(wnet, server, seen_by):
    """The descriptor means the old file, which is gone: an error, never the other file's contents."""
    wnet.expect_log(r".")
    (server.data / "f").write_bytes(b"a" * (8 << 20))
    wnet.add("Z:", server.url())
    os.stat(wnet.folder() / "f") if seen_by == "stat" else os.listdir(wnet.folder())
    f = os.open(wnet.folder() / "f", os.O_RDONLY)
    assert os.pread(f, 10, 0) == b"a" * 10
    (server.data / "new").write_bytes(b"b" * (8 << 20))
    os.rename(server.data / "new", server.data / "f")
    for pid in wnet.workers():
        os.kill(pid, signal.SIGKILL)
    assert error_of(lambda: os.pread(f, 10, 6 << 20)) == errno.EIO
    os.close(f)


def test_a_file_replaced_before_it_is_opened(wnet, server):
    wnet.expect_log(r".")
    (server.data / "f").write_bytes(b"a" * (8 << 20))
    (server.data / "new").write_bytes(b"b" * (8 << 20))
    wnet.add("Z:", server.url())
    os.stat(wnet.folder() / "f")
    os.rename(server.data / "new", server.data / "f")
    f = os.open(wnet.folder() / "f", os.O_RDONLY)
    assert os.pread(f, 10, 0) == b"b" * 10
    for pid in wnet.workers():
        os.kill(pid, signal.SIGKILL)
    assert os.pread(f, 10, 6 << 20) == b"b" * 10
    os.close(f)


def test_small_reads_on_a_slow_link_come_to_their_end(wnet, server):
    wnet.expect_log(r".")
    proxy = Proxy(server.port, rate=500_000)
    contents = os.urandom(2 << 20)
    (server.data / "big").write_bytes(contents)
    wnet.add("Z:", proxy.share())
    reader = wnet.popen(["dd", "bs=4k", f"if={wnet.folder() / 'big'}", f"of={wnet.root / 'copy'}"], stderr=subprocess.DEVNULL)
    assert reader.wait(90) == 0
    assert (wnet.root / "copy").read_bytes() == contents


# ---- profile ----


def test_the_profile_is_locked_when_the_daemon_starts(wnet, server):
    wnet.expect_log(r".")
    wnet.ok("add", "Z:", server.url(), "--credentials", str(wnet.credentials()), "--persistent")
    wnet.end_daemon(signal.SIGTERM)
    lock = sqlite3.connect(wnet.profile, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    wnet.ok("list")
    lock.execute("ROLLBACK")
    lock.close()
    wait_until(lambda: wnet.entry("Z:") and wnet.entry("Z:")["state"] == "ok", "restored after all")
    assert "readonly" not in wnet.rows()["Z:"]["remote"]
