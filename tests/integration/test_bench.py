# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmarks themselves work; how fast anything was is not looked at."""

import json
import socket
import subprocess
import threading
import time

import pytest
from harness import BUILD, TOP

PROGRAMS = BUILD / "tests" / "bench"
ROWS = {"read", "read-warm", "write", "write-4k", "random", "four-files", "four-files-limit", "copy", "cpu", "list-10k",
        "list-100k", "stat", "tree", "churn", "git", "git-time", "lookups", "lookups-worst", "side-by-side",
        "memory", "memory-pss", "memory-worker", "memory-workers", "huge-listing", "huge-listing-worker", "huge-listing-time"}
FAR = {"read", "write", "stat", "tree"}


def run(wnet, root, *options):
    return wnet.program(TOP / "tests" / "bench" / "run", "--smoke", "--no-peers", "--build", BUILD, "--json", root / "bench.json",
                        *options, timeout=500)


@pytest.mark.time_limit(600)
def test_the_benchmark_runs(wnet, root):
    result = run(wnet, root, "--plot", root / "bench.png")
    assert result.code == 0, repr(result)
    rows = json.loads((root / "bench.json").read_text())["rows"]
    assert {row["key"] for row in rows} == ROWS
    assert {row["key"] for row in rows if row["rtt_ms"] == 20} == FAR
    assert all(len(row["samples"]["drive"]) == 1 and not row["problems"] for row in rows), rows
    assert all(len(row["samples"]["reference"]) == 1 for row in rows if row["reference"]), rows
    assert (root / "bench.png").read_bytes().startswith(b"\x89PNG")


def test_a_way_that_fails_has_the_reason_in_its_place(wnet, root):
    result = run(wnet, root, "--only", "stat", "--rtt", "200", "--limit", "1")
    assert result.code == 1, repr(result)
    (row,) = json.loads((root / "bench.json").read_text())["rows"]
    # seven round trips are over before libsmbclient has connected, and more on the drive
    assert row["problems"] == {"reference": "took longer than 1 s", "drive": "took longer than 1 s"}, row
    assert row["samples"] == {} and row["ratio"] is None, row


def load(*args):
    return subprocess.run([PROGRAMS / "load", *map(str, args)], check=False, capture_output=True, text=True)


def test_a_wrong_answer_is_a_failure(root):
    size = 3 * 4096 + 5
    assert load("make", root, "file", 7, size).returncode == 0
    assert load("verify", root, "file", 7, size).returncode == 0
    assert json.loads(load("read", root, "file", 7, size, 4096).stdout)["seconds"] > 0
    for seed, length in ((8, size), (7, size + 1), (7, size - 1)):
        assert "WRONG" in load("read", root, "file", seed, length, 4096).stderr
    with open(root / "file", "r+b") as f: # a page that belongs elsewhere
        page = f.read(4096)
        f.seek(8192)
        f.write(page)
    assert "WRONG" in load("read", root, "file", 7, size, 4096).stderr
    with open(root / "file", "r+b") as f: # a byte that only the thorough comparison sees
        f.seek(4096 + 100)
        byte = f.read(1)[0]
        f.seek(4096 + 100)
        f.write(bytes([byte ^ 1]))
    assert "WRONG" in load("verify", root, "file", 7, size).stderr


class Echo:
    """A server that sends back what it gets, and a proxy in front of it."""

    def __init__(self, rtt_usec, bandwidth):
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()
        self.proxy = subprocess.Popen([PROGRAMS / "proxy", str(self.listener.getsockname()[1]), str(rtt_usec), str(bandwidth)],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.proxy.stdout.readline())

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                while data := connection.recv(1 << 20):
                    connection.sendall(data)

    def requests(self):
        self.proxy.stdin.write("\n")
        self.proxy.stdin.flush()
        return int(self.proxy.stdout.readline())

    def ask(self, data):
        """Sends data, and reads as much; returns the seconds that took."""
        with socket.create_connection(("127.0.0.1", self.port)) as s:
            began = time.monotonic()
            threading.Thread(target=s.sendall, args=(data,), daemon=True).start()
            got = b""
            while len(got) < len(data):
                got += s.recv(1 << 20)
            took = time.monotonic() - began
            assert got == data
            s.shutdown(socket.SHUT_WR)
            assert s.recv(1) == b"", "the end did not come through"
        return took

    def end(self):
        self.proxy.stdin.close()
        self.proxy.wait()
        self.proxy.stdout.close()
        self.listener.close()


def frame(payload):
    return len(payload).to_bytes(4, "big") + payload


def test_the_network_delays_limits_and_counts():
    data = frame(b"x" * 1000) + frame(b"") + frame(bytes(range(256)) * 2000)
    for rtt_usec, bandwidth, least in ((0, 0, 0), (50_000, 0, 0.05), (0, 1_000_000, 0.45)):
        network = Echo(rtt_usec, bandwidth)
        try:
            assert network.ask(data) >= least
            assert network.requests() == 3
            network.ask(frame(b"more"))
            assert network.requests() == 4
        finally:
            network.end()


def test_the_benchmark_of_scale_runs(wnet):
    result = wnet.program(TOP / "tests" / "bench" / "scale", "--quick", "--build", BUILD, "--json", timeout=180)
    assert result.code == 0, repr(result)
    measured = json.loads(result.out)
    assert measured["connections"]["deviceless"] == 5 and measured["handles"]["handles"] == 500, measured
