# SPDX-License-Identifier: GPL-3.0-or-later
"""How many processes a drive has, and who waits for whom: an idle one has one process; what a server takes long for holds up nobody else."""

import errno
import os
import re
import signal
import statistics
import subprocess
import threading
from pathlib import Path

import pytest
from harness import LONG, wait_until
from proxy import Proxy

IDLE = 20  # seconds after which a worker ends that has no open file
MIB = 1 << 20
A_MOMENT = 8  # seconds: less than a server that does not answer is waited for


@pytest.fixture
def far(wnet, server):
    """The proxy through which Z: is connected: each worker has two connections, one after the other."""
    for folder in ("many", "other"):
        (server.data / folder).mkdir()
        for number in range(20):
            (server.data / folder / f"f{number}").write_text("text")
    proxy = Proxy(server.port)
    wnet.add("Z:", proxy.share())
    both(wnet)
    wait_until(lambda: proxy.count == 4, "two connections of each worker")
    (wnet.folder() / "started").touch()  # the worker for files is connected, too
    assert (wnet.folder() / "many" / "f0").read_text() == "text"
    return proxy


def both(wnet):
    wait_until(lambda: len(wnet.workers()) == 2, "a worker for names and one for files")


def one(wnet):
    wait_until(lambda: len(wnet.workers()) == 1, "one process", timeout=IDLE + LONG)


def slots(wnet):
    """The memory that wnetd shares with its workers: bytes that were used and not given back."""
    status = Path(f"/proc/{wnet.daemon()}/status").read_text(encoding="ascii")
    return int(re.search(r"RssShmem:\s+(\d+) kB", status)[1]) * 1024


class Listing(threading.Thread):
    """Lists a folder, which gets no answer, for the proxy lets nothing from these connections pass."""

    def __init__(self, proxy, folder, connections):
        super().__init__(daemon=True)
        self.proxy, self.folder, self.error, self.found = proxy, folder, None, []
        os.stat(folder)  # known for a second: what comes next is the listing
        proxy.held = set(connections)
        self.start()
        self.join(0.5)
        assert self.is_alive()

    def run(self):
        try:
            self.found = os.listdir(self.folder)
        except OSError as error:
            self.error = error.errno

    def goes_on(self):
        assert self.is_alive(), "the listing was not held up"
        self.proxy.held = set()
        self.join(LONG)
        assert not self.is_alive()


def looks(wnet, *paths):
    """stat answers, and soon."""
    for path in paths:
        assert wnet.program("timeout", A_MOMENT, "stat", path, timeout=LONG).code == 0, path


def test_an_idle_drive_has_one_process(z, wnet, server):
    """It ends with the last open file, and its memory is given back; what is opened then is served at once, and rightly."""
    data = os.urandom(16 * MIB)
    (server.data / "big").write_bytes(data)
    both(wnet)
    names, files = wnet.workers()
    with open(z / "big", "r+b", buffering=0) as held:
        assert (z / "big").read_bytes() == data
        assert slots(wnet) > 2 * MIB
        with pytest.raises(AssertionError):
            wait_until(lambda: len(wnet.workers()) == 1, "it has an open file", timeout=IDLE * 1.5)
        assert held.read(4) == data[:4]
        assert held.write(b"more") == 4
    one(wnet)
    assert wnet.workers() in ([names], [files])
    wait_until(lambda: slots(wnet) < 2 * MIB, "the slots' memory is given back", timeout=IDLE + LONG)

    with open(z / "big", "r+b", buffering=0) as first, open(z / "new", "wb", buffering=0) as second:
        assert first.read(12) == data[:4] + b"more" + data[8:12]
        assert second.write(data) == len(data)
        os.rename(z / "big", z / "renamed")
        assert first.write(b"!") == 1
    assert (server.data / "new").read_bytes() == data
    assert (server.data / "renamed").read_bytes() == data[:4] + b"more" + data[8:12] + b"!" + data[13:]
    assert wnet.entry()["state"] == "ok"


def test_a_look_up_passes_a_listing(far, wnet):
    z = wnet.folder()
    listing = Listing(far, z / "many", {2, 3})
    looks(wnet, z / "many", z / "many" / "f3")
    assert wnet.program("timeout", A_MOMENT, "mkdir", z / "new", timeout=LONG).code == 0
    listing.goes_on()
    assert len(listing.found) == 20


def test_a_look_up_passes_a_listing_of_the_only_worker(far, wnet):
    z = wnet.folder()
    one(wnet)
    listing = Listing(far, z / "many", {0, 1})
    looks(wnet, z / "other" / "f3", z / "other" / "f4")
    listing.goes_on()
    assert len(listing.found) == 20


def test_what_is_listed_is_not_removed_meanwhile(far, wnet, server):
    z = wnet.folder()
    (server.data / "empty").mkdir()
    listing = Listing(far, z / "empty", {2, 3})
    removal = wnet.popen(["rmdir", z / "empty"], stderr=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        removal.wait(0.5)
    looks(wnet, z / "many" / "f5")
    listing.goes_on()
    assert removal.wait(LONG) == 0, removal.stderr.read()
    assert listing.error in (None, errno.ENOENT, errno.ESTALE)  # it may see the end of it
    assert not (server.data / "empty").exists()


def bytes_passed(proxy, call):
    """How much the proxy has let through, in both directions, until call has returned."""
    proxy.heard = []
    call()
    return sum(map(len, proxy.heard))


def test_a_small_reader_among_bulk_transfers(wnet, server):
    """Each of its reads waits for a few pieces of the others, not for all that they want."""
    for number in range(5):
        with open(server.data / f"big{number}", "wb") as file:
            file.truncate(64 * MIB)
    proxy = Proxy(server.port, rate=5 * MIB)  # slow enough that it is not the machine that they wait for
    wnet.add("Z:", proxy.share())
    z = wnet.folder()
    bulk = [wnet.popen(["sh", "-c", f"while cat '{z}/big{number}' > /dev/null; do :; done"], start_new_session=True) for number in range(4)]
    bulk += [wnet.popen(["sh", "-c", f"while cp '{server.data}/big4' '{z}/copy{number}'; do :; done"], start_new_session=True)
             for number in range(4)]
    try:
        wait_until(lambda: len(os.listdir(server.data)) == 9, "all of them are under way")
        with open(z / "big4", "rb", buffering=0) as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
            waits = [bytes_passed(proxy, lambda at=number * 7 * MIB // 2: os.pread(file.fileno(), 4096, at)) for number in range(1, 12)]
        assert all(process.poll() is None for process in bulk)
    finally:
        for process in bulk:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(LONG)
    print("MiB that passed during each:", [round(wait / MIB, 1) for wait in waits])
    assert statistics.median(waits) < 3 * MIB
