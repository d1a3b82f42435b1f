# SPDX-License-Identifier: GPL-3.0-or-later
"""Where it is measured: a private server, networks in front of it, one user of wnet, and the files that the workloads work on."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import harness
from processors import Processors

MIB = 1 << 20
ASIDE = ("make", "verify") # workloads of load.c that only help
READY = "ready" # a file that says that a mount works, and has its connections made: not so small that a drive opens it with what is there
READY_TEXT = "ready" * 20_000

# How much of everything: as the requirements say, for a look, and only to see that it works. On a long line, a "far"th of the
# big file does, and libsmbclient alone does a "sample"th of many small ones.
SIZES = {
    "full": {"big": 1 << 30, "small_writes": 256 * MIB, "random": 2000, "list": (10_000, 100_000), "folder": 10_000,
             "stats": 2000, "tree": 2000, "churn": 1000, "git": 5000, "lookups": 1000, "servers": 4, "drives": 26,
             "huge_list": 1_000_000, "far": 4, "sample": 10},
    "quick": {"big": 64 * MIB, "small_writes": 8 * MIB, "random": 200, "list": (1000, 10_000), "folder": 1000,
              "stats": 200, "tree": 200, "churn": 100, "git": 500, "lookups": 200, "servers": 4, "drives": 5,
              "huge_list": 20_000, "far": 1, "sample": 10},
    "smoke": {"big": 4 * MIB, "small_writes": MIB // 4, "random": 20, "list": (50, 100), "folder": 60,
              "stats": 20, "tree": 20, "churn": 10, "git": 20, "lookups": 20, "servers": 2, "drives": 2,
              "huge_list": 1000, "far": 1, "sample": 5},
}


class Failed(Exception):
    """Why a measurement has no value."""


def say(text):
    print(text, file=sys.stderr, flush=True)


class Network:
    """A proxy in front of a port: a round-trip time in milliseconds, a limit in bytes a second (0: none)."""

    def __init__(self, program, port, rtt_ms, bandwidth):
        self.process = subprocess.Popen([program, str(port), str(int(rtt_ms * 1000)), str(int(bandwidth))], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def requests(self):
        """How many SMB requests have passed."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Setting:
    def __init__(self, folder, build, size, limit, bandwidth):
        harness.become_reaper()
        self.folder, self.size, self.limit, self.bandwidth = Path(folder), SIZES[size], limit, bandwidth
        self.programs = Path(build) / "tests" / "bench"
        self.servers = []
        self.server = self.make_server()
        (self.server.data / READY).write_text(READY_TEXT, encoding="utf-8")
        self.user = harness.Wnet(self.folder / "u", build=build)
        self.credentials = self.user.credentials()
        self.user.env["LOAD_CREDENTIALS"] = str(self.credentials)
        self.networks = {}
        self.processors = Processors()

    def make_server(self):
        self.servers.append(harness.make_server(self.folder / f"smb{len(self.servers)}"))
        return self.servers[-1]

    def end(self):
        """Ends everything and returns what is wrong, as texts. (That a server that was frozen did not answer is not.)"""
        wrong = [text for text in self.user.end() if "daemon's log" not in text]
        for network in self.networks.values():
            network.end()
        for server in self.servers:
            server.thaw()
            server.stop()
        return wrong

    def network(self, rtt_ms):
        """The network of a round-trip time in front of the server."""
        if rtt_ms not in self.networks:
            self.networks[rtt_ms] = Network(self.programs / "proxy", self.server.port, rtt_ms, self.bandwidth)
        return self.networks[rtt_ms]

    def port(self, rtt_ms):
        return self.network(rtt_ms).port if rtt_ms or self.bandwidth else self.server.port

    # programs

    @contextlib.contextmanager
    def clock(self):
        """What it gives is a list that has the seconds when the block has ended."""
        took = []
        with self.processors.watch():
            began = time.monotonic()
            yield took
            took.append(time.monotonic() - began)

    def program(self, *argv, **kwargs):
        """Runs a program to its end; what goes wrong is why there is no value."""
        try:
            result = self.user.program(*argv, timeout=self.limit, **kwargs)
        except AssertionError:
            raise Failed(f"took longer than {self.limit:g} s") from None
        if result.code:
            raise Failed((result.err.strip().splitlines() or [f"{argv[0]}: exit {result.code}"])[-1])
        return result

    def load(self, workload, where, *args):
        """One workload of load.c: what it has measured."""
        with contextlib.nullcontext() if workload in ASIDE else self.processors.watch():
            out = self.program(self.programs / "load", workload, where, *args).out
        return json.loads(out) if out else {}

    @contextlib.contextmanager
    def loads(self, *commands):
        """Several of them at once; they have ended, well, when the block has."""
        processes = [self.user.popen([self.programs / "load", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                     for command in commands]
        yield processes
        for process in processes:
            try:
                _out, err = process.communicate(timeout=self.limit)
            except subprocess.TimeoutExpired:
                process.kill()
                raise Failed(f"took longer than {self.limit:g} s") from None
            if process.returncode:
                raise Failed(err.strip() or f"load: exit {process.returncode}")

    # the server's files

    def make_file(self, name, seed, size):
        path = self.server.data / name
        if not path.exists():
            self.load("make", self.server.data, name, seed, size)
        return path

    def make_folder(self, name, count, size):
        path = self.server.data / name
        if not path.exists():
            path.mkdir()
            self.fill(name, count, size)
        return path

    def fill(self, name, count, size):
        subprocess.run([self.programs / "load", "fill", self.server.data, name, str(count), str(size)], check=True)

    def drop(self, path):
        """Takes a file's contents out of the server's memory; its pages are clean, so no rights are needed."""
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)

    def warm(self, path):
        with open(path, "rb", buffering=0) as f:
            while f.read(4 * MIB):
                pass
