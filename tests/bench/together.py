# SPDX-License-Identifier: GPL-3.0-or-later
"""Workloads about several things at once, and about what wnet itself needs."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from harness import wait_until
from results import AT_LEAST, AT_MOST, REFERENCE
from setting import Failed
from transfers import CALL, SEED, SPEED, Big, human
from workloads import Workload, workload

FOLDER_FILE = 100
UNDISTURBED = "the same, undisturbed"
MILLISECONDS = 1e3
IDLE_SECONDS = 60 # by then a drive that nobody uses has but one process


@workload
class Lookups(Big):
    """Attributes of names that nobody has asked for yet, while a big file is read again and again through the same mount."""

    key, only_mounts = "lookups", True

    def make_rows(self):
        self.count, self.folder_count = self.size["lookups"], 2 * self.size["lookups"]
        self.memory_bytes = 0
        return [self.row(f"{self.count:,} look-ups during a bulk copy, median", "ms", UNDISTURBED, AT_MOST, 2),
                self.row("— the worst", "ms", "", AT_MOST, 50, part="worst")]

    def prepare(self):
        super().prepare()
        self.setting.make_folder(f"list-{self.folder_count}", self.folder_count, FOLDER_FILE)

    def before(self):
        self.setting.warm(self.path)

    def measure(self, way):
        folder = f"list-{self.folder_count}"
        free = self.setting.load("stat", way.where, folder, 0, self.count)
        copying = self.setting.user.popen(["sh", "-c", 'while cat "$0" > /dev/null; do :; done', way.where / self.name],
                                          start_new_session=True)
        try:
            with open(way.where / self.name, "rb", buffering=0) as f:
                f.read(1) # it is under way
            loaded = self.setting.load("stat", way.where, folder, self.count, self.count)
            assert copying.poll() is None, "the copy has ended"
        finally:
            os.killpg(copying.pid, signal.SIGKILL)
            copying.wait()
        found = {(0, way.key): loaded["median"] * MILLISECONDS, (1, way.key): loaded["worst"] * MILLISECONDS}
        if way.key == "drive":
            found[0, REFERENCE] = free["median"] * MILLISECONDS
        return found


@workload
class SideBySide(Workload):
    """Drives on several servers, one of which hangs while a program reads from it."""

    key, only_drive = "side-by-side", True

    def make_rows(self):
        self.bytes, self.count = self.size["big"] // 4, self.size["servers"]
        self.memory_bytes = 2 * self.count * self.bytes
        title = f"{self.count - 1} drives of {self.count} read {human(self.bytes)} each, the last server is frozen"
        return [self.row(title, SPEED, UNDISTURBED, AT_LEAST, 0.9)]

    def connected(self, way):
        return contextlib.nullcontext()

    def prepare(self):
        self.servers = [self.setting.make_server() for _ in range(self.count)]
        for server in self.servers:
            self.setting.load("make", server.data, "file", SEED, self.bytes)

    def speed(self, folders):
        with self.setting.clock() as took, self.setting.loads(*(("read", folder, "file", SEED, self.bytes, CALL) for folder in folders)):
            pass
        return len(folders) * self.bytes / took[0] / 1e6

    def measure(self, way):
        user, drives = self.setting.user, [f"{letter}:" for letter in "STUV"[:self.count]]
        for drive, server in zip(drives, self.servers):
            user.ok("add", drive, server.url(), "--credentials", self.setting.credentials)
        folders = [user.folder(drive) for drive in drives]
        undisturbed = self.speed(folders[:-1])
        for drive, server in zip(drives[:-1], self.servers): # nothing is cached for the second time
            user.ok("cancel", drive)
            user.ok("add", drive, server.url(), "--credentials", self.setting.credentials)
        with open(folders[-1] / "file", "rb") as file:
            self.servers[-1].freeze()
            reader = user.popen(["cat"], stdin=file, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            disturbed = self.speed(folders[:-1])
        finally:
            self.servers[-1].thaw()
            reader.kill()
            reader.wait()
        for drive in drives:
            user.ok("cancel", drive, "--force")
        return {(0, REFERENCE): undisturbed, (0, way.key): disturbed}


def field(path, key):
    """A line "key: N kB" of a file of /proc, in MiB."""
    for line in Path(path).read_text(encoding="ascii").splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    raise KeyError(key)


@workload
class Memory(Workload):
    key, only_drive, rounds_max = "memory", True, 1

    def make_rows(self):
        self.count = self.size["drives"]
        return [self.row(f"memory of wnetd with {self.count} idle drives, without the slots", "MiB", "", AT_MOST, 32),
                self.row("— of it not shared (PSS)", "MiB", "", AT_MOST, part="pss"),
                self.row("— of a worker (PSS), the largest", "MiB", "", AT_MOST, 6, part="worker"),
                self.row("— of all workers (PSS)", "MiB", "", AT_MOST, part="workers")]

    def connected(self, way):
        return contextlib.nullcontext()

    def measure(self, way):
        user = self.setting.user
        letters = [f"{chr(ord('A') + number)}:" for number in range(self.count)]
        for letter in letters:
            user.ok("add", letter, self.server.url(), "--credentials", self.setting.credentials)
        wait_until(lambda: len(user.workers()) == self.count, "one process for each idle drive", timeout=IDLE_SECONDS)
        daemon = Path(f"/proc/{user.daemon()}")
        workers = [field(f"/proc/{pid}/smaps_rollup", "Pss") for pid in user.workers()]
        found = {(0, way.key): field(daemon / "status", "VmRSS") - field(daemon / "status", "RssShmem"),
                 (1, way.key): field(daemon / "smaps_rollup", "Pss"), (2, way.key): max(workers), (3, way.key): sum(workers)}
        for letter in letters:
            user.ok("cancel", letter)
        return found


@workload
class HugeListing(Workload):
    """A listing of a million entries: that it ends, and what it takes."""

    key, only_drive, rounds_max = "huge-listing", True, 1

    def make_rows(self):
        self.count = self.size["huge_list"]
        return [self.row(f"listing of {self.count:,} entries: peak of wnetd", "MiB", "", AT_MOST),
                self.row("— peak of its worker", "MiB", "", AT_MOST, part="worker"),
                self.row("— its time", "s", "", AT_MOST, part="time")]

    def prepare(self):
        self.setting.make_folder("huge", self.count, 1)

    def before(self):
        self.setting.user.run("shutdown") # the peak of the next daemon is that of this listing

    def measure(self, way):
        user = self.setting.user
        with self.setting.clock() as took:
            lines = self.setting.program("ls", "-f", way.where / "huge").out.count("\n")
        if lines != self.count + len((".", "..")):
            raise Failed(f"WRONG: ls shows {lines} entries of {self.count}")
        return {(0, way.key): field(f"/proc/{user.daemon()}/status", "VmHWM"),
                (1, way.key): max(field(f"/proc/{pid}/status", "VmHWM") for pid in user.workers()), (2, way.key): took[0]}
