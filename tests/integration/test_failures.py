# SPDX-License-Identifier: GPL-3.0-or-later
"""What fails beneath a drive: its server, its worker processes. The drive says so in bounded time and comes back by itself."""

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from harness import LONG, alive, error_name, error_of, opened, wait_until

FAILURE = ("EIO", "ETIMEDOUT", "ECONNABORTED", "ECONNRESET", "ENOTCONN", "EHOSTDOWN", "ESTALE")

READ_ALL = """
import sys
with open(sys.argv[1], 'rb', buffering=0) as f:
    print('begun', len(f.read(1000)), flush=True)
    try:
        while f.read(1 << 20):
            pass
    except OSError as e:
        print('failed', e.errno, flush=True)
        sys.exit(7)
print('complete', flush=True)
"""


@pytest.fixture
def quick(wnet):
    """Time-outs that a test can wait for."""
    wnet.configure(operation_timeout=5, connect_timeout=5)
    wnet.expect_log(r"worker|wnet-smb|smb|server|connection|connect|time|Z:|Y:")
    return wnet


def read_all(wnet, path):
    process = wnet.popen([sys.executable, "-c", READ_ALL, path], stdout=subprocess.PIPE)
    assert process.stdout.readline() == "begun 1000\n"
    return process


def works(folder, server, name="works"):
    def try_it():
        return error_of(lambda: (folder / name).write_text("w")) is None and (server.data / name).read_text() == "w"

    wait_until(try_it, "the drive works again without a command", timeout=2 * LONG, interval=0.3)


BIG_BYTES = 100_000 << 20  # nobody reads that to its end


def big_file(server):
    with open(server.data / "big", "wb") as f:
        f.truncate(BIG_BYTES)


def test_the_server_dies_in_the_middle_of_a_read(quick, server):
    big_file(server)
    quick.add("Z:", server.url())
    reader = read_all(quick, quick.folder() / "big")
    server.kill()
    assert reader.wait(LONG) == 7, "no error reached the reader"
    assert error_name(error_of(lambda: os.listdir(quick.folder()))) in FAILURE
    entry = quick.entry()
    assert entry["state"] == "reconnecting" and entry["reason"]
    server.start()
    works(quick.folder(), server)
    assert quick.wait_state("Z:", "ok")["reason"] == ""
    assert (quick.folder() / "big").stat().st_size == BIG_BYTES


def test_the_server_restarts_while_nobody_looks(quick, server):
    (server.data / "f").write_text("x")
    quick.add("Z:", server.url())
    assert (quick.folder() / "f").read_text() == "x"
    server.kill()
    server.start()
    works(quick.folder(), server)
    assert (quick.folder() / "f").read_text() == "x"


def test_a_file_open_across_a_restart_is_read_on(quick, server):
    """It is the same file still, so the handle may be opened again; if not, it says so and never gives wrong data."""
    (server.data / "f").write_bytes(bytes(range(256)) * 8000)
    quick.add("Z:", server.url())
    with opened(quick.folder() / "f", "rb") as f:
        assert f.read(256) == bytes(range(256))
        server.kill()
        server.start()
        works(quick.folder(), server)
        try:
            assert os.pread(f.fileno(), 256, 1_024_000) == bytes(range(256))
        except OSError as e:
            assert error_name(e.errno) in FAILURE


def test_what_could_not_be_written_is_an_error_of_close_or_fsync(quick, server):
    quick.add("Z:", server.url())
    with opened(quick.folder() / "f", "wb") as f:
        f.write(b"first")
        os.fsync(f.fileno())
        server.kill()
        failed = error_of(lambda: f.write(b"x" * 100_000)) or error_of(lambda: os.fsync(f.fileno()))
        assert error_name(failed) in FAILURE
    server.start()
    works(quick.folder(), server)


def test_the_server_hangs(quick, server):
    (server.data / "f").write_bytes(b"x" * 5_000_000)
    quick.add("Z:", server.url())
    server.freeze()
    for call in (lambda: (quick.folder() / "f").read_bytes(), lambda: os.listdir(quick.folder()),
                 lambda: (quick.folder() / "new").write_text("x")):
        assert error_name(error_of(call)) in FAILURE
    assert quick.entry()["state"] == "reconnecting"
    server.thaw()
    works(quick.folder(), server)


def test_a_program_blocked_on_a_hanging_server_can_be_interrupted(wnet, server):
    wnet.configure(operation_timeout=100)
    wnet.expect_log(r"worker|smb|server|connection|time")
    (server.data / "f").write_bytes(b"x" * 5_000_000)
    wnet.add("Z:", server.url())
    server.freeze()
    reader = wnet.popen([sys.executable, "-c", "import sys; open(sys.argv[1], 'rb').read()", wnet.folder() / "f"],
                        stderr=subprocess.DEVNULL)
    time.sleep(1)
    os.kill(reader.pid, signal.SIGKILL)
    reader.wait(30)
    server.thaw()
    works(wnet.folder(), server)


def test_one_server_hangs_and_the_drive_on_another_goes_on(quick, server, make_server):
    other = make_server()
    quick.add("Z:", server.url())
    quick.add("Y:", other.url())
    server.freeze()
    blocked = quick.popen(["ls", "-l", quick.folder("Z:")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for number in range(20):
        (quick.folder("Y:") / f"{number}").write_text("x")
        assert (other.data / f"{number}").read_text() == "x"
        assert quick.entry("Y:")["state"] == "ok"
    assert blocked.wait(LONG) != 0
    server.thaw()
    works(quick.folder("Z:"), server)


# the workers


def test_a_worker_that_is_killed_is_replaced(quick, server):
    (server.data / "f").write_text("x")
    quick.add("Z:", server.url())
    assert (quick.folder() / "f").read_text() == "x"
    for worker in quick.workers():
        os.kill(worker, signal.SIGKILL)
        works(quick.folder(), server, f"after {worker}")
    assert (quick.folder() / "f").read_text() == "x"
    quick.wait_state("Z:", "ok")
    assert quick.workers()


def test_a_read_goes_on_when_its_worker_is_killed(quick, server):
    """The file is opened again where it was, and nothing of it is lost or comes twice."""
    data = os.urandom(32 << 20)
    (server.data / "f").write_bytes(data)
    quick.add("Z:", server.url())
    reader = quick.popen([sys.executable, "-c", """
import hashlib, sys
digest, done, pause = hashlib.sha256(), 0, 2_000_000
with open(sys.argv[1], 'rb', buffering=0) as f:
    while block := f.read(200_000):
        digest.update(block)
        done += len(block)
        if done >= pause:
            pause += 6_000_000
            print('waits', flush=True)
            sys.stdin.readline()
print(digest.hexdigest(), flush=True)
""", quick.folder() / "f"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    killed = 0
    while (last := reader.stdout.readline().strip()) == "waits":
        reader.stdin.write("\n")
        reader.stdin.flush()
        killed += wait_until(quick.kill_workers, "there is a worker to kill")
    assert reader.wait(LONG) == 0, "the read has failed"
    assert killed >= 4
    assert last == hashlib.sha256(data).hexdigest()
    quick.wait_state("Z:", "ok")


def test_all_workers_are_killed_at_once(quick, server):
    (server.data / "f").write_text("x")
    quick.add("Z:", server.url())
    quick.kill_workers()
    works(quick.folder(), server)
    assert (quick.folder() / "f").read_text() == "x"
    quick.wait_state("Z:", "ok")


def test_workers_are_killed_while_they_are_at_work(quick, server):
    quick.add("Z:", server.url())
    stop = threading.Event()
    wrong = []

    def work():
        number = 0
        while not stop.is_set():
            number += 1
            path = quick.folder() / f"w {number % 7}"
            data = bytes([number % 256]) * 10_000
            try:
                path.write_bytes(data)
                if path.read_bytes() != data:
                    wrong.append(f"{path} has wrong contents")
            except OSError:
                pass  # told: right

    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(5):
        time.sleep(0.5)
        quick.kill_workers()
    time.sleep(0.5)
    stop.set()
    thread.join(LONG)
    assert not thread.is_alive(), "the program on the drive hangs"
    assert not wrong
    works(quick.folder(), server)


def test_a_worker_that_hangs_is_replaced(quick, server, make_server):
    other = make_server()
    quick.add("Z:", server.url())
    workers = quick.workers()
    quick.add("Y:", other.url())
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    blocked = quick.popen(["ls", "-l", quick.folder("Z:")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for number in range(20):
        (quick.folder("Y:") / f"{number}").write_text("x")
        assert quick.entry("Y:")["state"] == "ok"
    blocked.wait(LONG)
    works(quick.folder("Z:"), server)
    wait_until(lambda: not any(map(alive, workers)) or set(workers) & set(quick.workers()) == set(),
               "the workers that hung have been replaced")


def test_workers_go_with_their_daemon(wnet, server):
    wnet.add("Z:", server.url())
    assert wnet.workers()
    wnet.end_daemon(signal.SIGKILL)
    assert wnet.list() == []  # the next daemon clears the dead mount away
    assert wnet.mount("Z:") is None


def test_workers_go_with_their_drive(wnet, server):
    wnet.add("Z:", server.url())
    wnet.add("Y:", server.url("readonly"))
    wnet.ok("cancel", "Z:")
    wnet.ok("cancel", "Y:")
    wait_until(lambda: wnet.workers() == [], "no worker is left")


def test_a_server_that_takes_no_more_open_files_is_not_one_without_the_file(wnet, make_server):
    server = make_server(options={"max open files": "200"})
    for number in range(400):
        (server.data / f"f{number}").write_text("x")
    wnet.add("Z:", server.url())
    folder = wnet.folder()
    with contextlib.ExitStack() as stack:
        errors = [error_of(lambda name=name: stack.enter_context(open(folder / f"f{name}", "rb"))) for name in range(400)]
        assert 20 < errors.count(None) < 400, errors
        assert set(map(error_name, filter(None, errors))) == {"ENFILE"}
        # while the worker is busy another one opens it, and the server has room on that connection
        assert error_name(error_of(lambda: open(folder / "new", "wb"))) in ("ENFILE", "EINVAL", "no error")
        assert error_name(error_of(lambda: open(folder / "none", "rb"))) == "ENOENT"
        assert error_name(error_of(lambda: open(folder / "none" / "new", "wb"))) == "ENOENT"
    (folder / "new").write_text("y")
    assert (server.data / "new").read_text() == "y"
