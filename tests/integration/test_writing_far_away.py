# SPDX-License-Identifier: GPL-3.0-or-later
"""On a long line, what is written goes to the server in large requests; nobody loses anything by that, nor waits for it."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from harness import LONG, alive, error_of, opened, wait_until
from smbrequests import Requests

# Writes the first so many MiB of what a file holds, and the rest when it is told to, and keeps the file open.
WRITER = """
import os, sys
data, first = open(sys.argv[2], "rb").read(), int(sys.argv[3]) << 20
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
for at in range(0, len(data), 1 << 20):
    if at == first:
        os.fsync(fd)
        print("first", flush=True)
        sys.stdin.readline()
    os.write(fd, data[at : at + (1 << 20)])
print("all", flush=True)
sys.stdin.readline()
"""

KIB, MIB = 1 << 10, 1 << 20
ONE_WAY = 0.02
OPS = int(os.environ.get("WNET_EXERCISE_OPS", "60"))  # of the random ones; --seed=N repeats a failure


def contents(megabytes, seed=0):
    return random.Random(seed).randbytes(megabytes * MIB)


def write_in_calls(fd, data, call=256 * KIB):
    for at in range(0, len(data), call):
        assert os.write(fd, data[at : at + call]) == len(data[at : at + call])


@pytest.fixture
def line(wnet, server):
    line = Requests(server.port, delay=ONE_WAY)
    wnet.add("Z:", line.share())
    (wnet.folder() / "started").touch()  # the worker for files is there
    line.transfers.clear()
    return line


@pytest.mark.parametrize("call", (MIB, 100_000, 4 * KIB))
def test_large_requests(wnet, server, line, call):
    data = contents(48)
    with opened(wnet.folder() / "f", "wb") as f:
        write_in_calls(f.fileno(), data, call)
    assert (server.data / "f").read_bytes() == data
    sent = line.of("WRITE")
    assert sum(length for _, length in sent) == len(data), "nothing is sent twice"
    assert max(length for _, length in sent) >= 4 * 1000 * 1000 and len(sent) <= 32, sent


def test_who_writes_a_little_now_and_then(wnet, server, line):
    """It does not wait for more to come."""
    data = contents(24)
    with opened(wnet.folder() / "f", "wb") as f:
        write_in_calls(f.fileno(), data)
        os.fsync(f.fileno())
        for number in range(3):
            os.write(f.fileno(), b"line %d\n" % number)
            wait_until(lambda n=number: (server.data / "f").read_bytes().endswith(b"line %d\n" % n), "the server has it", timeout=2)


def test_rewriting_here_and_there(wnet, server, line):
    """Pieces that overlap others of the same batch, lie before it or behind a gap."""
    chance = random.Random(3)
    data = bytearray(contents(24, 1))
    with opened(wnet.folder() / "f", "w+b") as f:
        write_in_calls(f.fileno(), data)
        for _ in range(100):
            piece = chance.randbytes(chance.choice((10, 5_000, 400_000)))
            at = chance.randrange(len(data) - len(piece))
            assert os.pwrite(f.fileno(), piece, at) == len(piece)
            data[at : at + len(piece)] = piece
        assert os.pread(f.fileno(), MIB, 11 * MIB) == data[11 * MIB : 12 * MIB]
    assert (server.data / "f").read_bytes() == data


@pytest.mark.time_limit(120 + OPS)
@pytest.mark.parametrize("kills", (False, True), ids=("undisturbed", "workers are killed"))
def test_like_a_local_file(wnet, server, line, request, kills):
    """Whatever is written, cut, read and written again, in runs and here and there: a drive's file is as a local one would be."""
    seed = request.config.getoption("--seed") or random.randrange(10**6)
    chance = random.Random(seed)
    model = bytearray()
    at = 0
    if kills:
        wnet.expect_log(r".")
    fd = os.open(wnet.folder() / "f", os.O_RDWR | os.O_CREAT)
    for _ in range(OPS):
        what = chance.choices(("run", "jump", "write", "cut", "read", "sync", "close", "kill"), (40, 10, 10, 3, 6, 3, 3, 3 if kills else 0))[0]
        if what in ("run", "write"):
            for _call in range(chance.choice((1, 4, 40)) if what == "run" else 1):
                piece = chance.randbytes(chance.choice((100, 4 * KIB, 100_000, MIB)))
                assert os.pwrite(fd, piece, at) == len(piece)
                model.extend(bytes(max(0, at + len(piece) - len(model))))
                model[at : at + len(piece)] = piece
                at += len(piece)
        elif what == "jump":
            at = chance.randrange(len(model) + 2 * MIB)
        elif what == "cut":
            size = chance.randrange(len(model) + MIB)
            os.ftruncate(fd, size)
            model = model[:size] + bytes(max(0, size - len(model)))
        elif what == "read":
            begin = chance.randrange(len(model) + 1)
            assert os.pread(fd, MIB, begin) == model[begin : begin + MIB], seed
        elif what == "sync":
            os.fsync(fd)
            assert (server.data / "f").read_bytes() == model, seed
        elif what == "close":
            os.close(fd)
            assert (server.data / "f").read_bytes() == model, seed
            fd = os.open(wnet.folder() / "f", os.O_RDWR)
        else:
            wnet.kill_workers()
    os.close(fd)
    assert (server.data / "f").read_bytes() == model, seed


def test_several_writers_and_a_reader(wnet, server, line):
    """They share the slots."""
    for number in range(2):
        (server.data / f"r{number}").write_bytes(contents(24, 10 + number))
    wrong = []

    def write(number):
        fd = os.open(wnet.folder() / f"w{number}", os.O_WRONLY | os.O_CREAT)
        write_in_calls(fd, contents(24, number))
        os.close(fd)

    def read(number):
        if (wnet.folder() / f"r{number}").read_bytes() != contents(24, 10 + number):
            wrong.append(number)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)] + [threading.Thread(target=read, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * LONG)
        assert not thread.is_alive()
    assert not wrong
    for number in range(4):
        assert (server.data / f"w{number}").read_bytes() == contents(24, number)


def test_wnetd_is_killed(wnet, server, line):
    """What it had taken over of a long batch, its worker writes."""
    wnet.expect_log(r".")
    data = contents(18, 2)
    fd = os.open(wnet.folder() / "f", os.O_WRONLY | os.O_CREAT)
    try:
        write_in_calls(fd, data[: 16 * MIB])
        os.fsync(fd)
        workers = wnet.workers()
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        write_in_calls(fd, data[16 * MIB :])
        assert (server.data / "f").stat().st_size < len(data)
        os.kill(wnet.daemon(), signal.SIGKILL)
        for worker in workers:
            os.kill(worker, signal.SIGCONT)
        wait_until(lambda: not any(map(alive, workers)), "the workers have ended")
    finally:
        error_of(lambda: os.close(fd))
    assert (server.data / "f").read_bytes() == data
    wnet.ok("list")  # the next daemon cleans the mount up


def test_workers_are_killed(wnet, server, line):
    wnet.expect_log(r".")
    data = contents(40, 4)
    with opened(wnet.folder() / "f", "wb") as f:
        for at in range(0, len(data), MIB):
            write_in_calls(f.fileno(), data[at : at + MIB])
            if at in (10 * MIB, 24 * MIB, 39 * MIB):
                wnet.kill_workers()
    assert (server.data / "f").read_bytes() == data


def test_a_slow_line(wnet, server):
    """Large requests would be in everybody's way there, and gain nothing."""
    line = Requests(server.port, delay=0.005, upload_rate=8 * MIB)
    wnet.add("Z:", line.share())
    data = contents(12)
    with opened(wnet.folder() / "f", "wb") as f:
        write_in_calls(f.fileno(), data)
    assert (server.data / "f").read_bytes() == data
    assert max(length for _, length in line.of("WRITE")) <= MIB


def test_force_waits_for_a_large_request(wnet, server, line, tmp_path):
    """Nothing is heard of it until all of it is there."""
    data = contents(26, 5)
    (tmp_path / "data").write_bytes(data)
    writer = wnet.popen([sys.executable, "-c", WRITER, wnet.folder() / "f", tmp_path / "data", "20"], stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE)
    assert writer.stdout.readline().strip() == "first"
    assert max(length for _, length in line.of("WRITE")) >= 4 * MIB
    line.rates[False] = 6 * MIB
    writer.stdin.write("\n")
    writer.stdin.flush()
    assert writer.stdout.readline().strip() == "all"
    result = wnet.run("cancel", "Z:", "--force", "--json")
    assert result.code == 0 and result.json["lost"] == [], result
    assert (server.data / "f").read_bytes() == data


def test_a_line_that_becomes_slow(wnet, server):
    """A large request does not get there in time any more. What it was about does, in small ones, ahead of what was written later."""
    wnet.configure(operation_timeout=3)
    wnet.expect_log(r"worker|connection|server|connect|Z:")
    line = Requests(server.port, delay=ONE_WAY)
    wnet.add("Z:", line.share())
    data = bytearray(contents(25))
    fd = os.open(wnet.folder() / "f", os.O_WRONLY | os.O_CREAT)
    write_in_calls(fd, data[: 20 * MIB], MIB)
    os.fsync(fd)
    assert max(length for _, length in line.of("WRITE")) >= 4 * MIB
    line.rates[False] = MIB // 2
    write_in_calls(fd, data[20 * MIB :], MIB)
    time.sleep(0.5)  # it is on its way
    for at in (20 * MIB, 24 * MIB):
        data[at : at + 10] = b"the header"
        assert os.pwrite(fd, b"the header", at) == 10
    os.close(fd)  # tells of no error
    assert (server.data / "f").read_bytes() == data
