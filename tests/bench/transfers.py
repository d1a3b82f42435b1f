# SPDX-License-Identifier: GPL-3.0-or-later
"""Workloads that move data."""

from results import AT_LEAST, AT_MOST, REFERENCE
from setting import MIB, Failed
from ways import Alone, Drive, cpu_seconds
from workloads import Workload, workload

CALL = MIB
LONG_CALL = 8 * MIB # what libsmbclient alone needs on a long line
SEED, WRITE_SEED = 1, 2
SPEED = "MB/s"
CALLS = "libsmbclient: calls of 1 MiB"
LONG_CALLS = "libsmbclient: calls of 8 MiB"


def human(size):
    return f"{size / MIB / 1024:g} GiB" if size >= 1 << 30 else f"{size / MIB:g} MiB" if size >= MIB else f"{size // 1024} KiB"


class Big(Workload):
    """Something with the big file."""

    def __init__(self, setting, rtt_ms):
        self.bytes = setting.size["big"] // (setting.size["far"] if rtt_ms else 1)
        self.name = f"big-{self.bytes}"
        self.memory_bytes = 5 * self.bytes // 2
        super().__init__(setting, rtt_ms)

    def prepare(self):
        self.path = self.setting.make_file(self.name, SEED, self.bytes)

    def check_whole(self, folder, name, seed, size):
        """Compares all of a file, on the server or in a way, beside the clock."""
        try:
            self.setting.load("verify", folder, name, seed, size)
        except Failed as e:
            raise Failed(f"WRONG behind the measurement: {e}") from None


@workload
class Read(Big):
    """A file from its begin to its end; it lies on the server's disk only."""

    key, far_ms = "read", (20,)

    def make_rows(self):
        return [self.row(f"sequential read, {human(self.bytes)}, cold", SPEED,
                         LONG_CALLS if self.far else CALLS, AT_LEAST, 0.9)]

    def before(self):
        self.setting.drop(self.path)

    def measure(self, way):
        call = LONG_CALL if self.far and isinstance(way, Alone) else CALL
        seconds = self.setting.load("read", way.where, self.name, SEED, self.bytes, call)["seconds"]
        return self.bytes / seconds / 1e6


@workload
class ReadWarm(Read):
    """The same with the file in the server's memory: the way there alone."""

    key, far_ms = "read-warm", ()

    def make_rows(self):
        return [self.row(f"sequential read, {human(self.bytes)}, in the server's memory", SPEED, CALLS, AT_LEAST, 0.9)]

    def before(self):
        self.setting.warm(self.path)


@workload
class Write(Big):
    key, call, far_ms = "write", CALL, (20,)

    def make_rows(self):
        calls, target = (LONG_CALLS, None) if self.far else (CALLS, 0.9)
        return [self.row(f"sequential write, {human(self.bytes)}, then fsync", SPEED, calls, AT_LEAST, target)]

    def prepare(self):
        pass

    def measure(self, way):
        try:
            call = self.call if not isinstance(way, Alone) else LONG_CALL if self.far else CALL
            seconds = self.setting.load("write", way.where, "new", WRITE_SEED, self.bytes, call)["seconds"]
            self.check_whole(self.data, "new", WRITE_SEED, self.bytes)
            return self.bytes / seconds / 1e6
        finally:
            (self.data / "new").unlink(missing_ok=True)


@workload
class WriteSmall(Write):
    key, call, far_ms = "write-4k", 4096, ()

    def make_rows(self):
        self.bytes = self.size["small_writes"]
        self.memory_bytes = 5 * self.bytes // 2
        return [self.row(f"writes of 4 KiB, {human(self.bytes)}, then fsync", SPEED, LONG_CALLS if self.far else CALLS, AT_LEAST, 0.5)]


@workload
class RandomRead(Big):
    key = "random"

    def make_rows(self):
        self.memory_bytes = 0
        return [self.row(f"{self.size['random']} random reads of 4 KiB, cold", "s", "libsmbclient: the same", AT_MOST, 1.2)]

    def before(self):
        self.setting.drop(self.path)

    def measure(self, way):
        return self.setting.load("random", way.where, self.name, SEED, self.bytes, self.size["random"])["seconds"]


@workload
class FourFiles(Workload):
    """Four files at once. Beside it: what four processes of libsmbclient alone reach, which is the machine's limit."""

    key = "four-files"

    def make_rows(self):
        self.bytes = self.size["big"] // 4
        self.memory_bytes = 10 * self.bytes
        return [self.row(f"four files of {human(self.bytes)} at once", SPEED, "libsmbclient: one stream", AT_LEAST, 1.5),
                self.row("— against the machine's limit", SPEED, "libsmbclient: four processes", AT_LEAST, part="limit")]

    def prepare(self):
        self.names = [f"quarter-{number}" for number in range(4)]
        self.paths = [self.setting.make_file(name, seed, self.bytes) for seed, name in enumerate(self.names)]

    def before(self):
        for path in self.paths:
            self.setting.warm(path)

    def speed(self, way, count):
        commands = [("read", way.where, name, seed, self.bytes, CALL) for seed, name in enumerate(self.names[:count])]
        with self.setting.clock() as took, self.setting.loads(*commands):
            pass
        return count * self.bytes / took[0] / 1e6

    def measure(self, way):
        if isinstance(way, Alone):
            return {(0, REFERENCE): self.speed(way, 1), (1, REFERENCE): self.speed(way, 4)}
        speed = self.speed(way, 4)
        return {(0, way.key): speed, (1, way.key): speed}


@workload
class Copy(Big):
    """`cp` from one place of the share to another: the server makes the copy itself."""

    key = "copy"

    def make_rows(self):
        return [self.row(f"cp of {human(self.bytes)} inside the share", "s", "libsmbclient: server-side copy", AT_MOST, 1.2)]

    def before(self):
        self.setting.warm(self.path)

    def measure(self, way):
        try:
            if isinstance(way, Alone):
                seconds = self.setting.load("copy", way.where, self.name, "copy", self.bytes)["seconds"]
            else:
                with self.setting.clock() as took:
                    self.setting.program("cp", way.where / self.name, way.where / "copy")
                seconds = took[0]
            self.check_whole(self.data, "copy", SEED, self.bytes)
            return seconds
        finally:
            (self.data / "copy").unlink(missing_ok=True)


@workload
class Cpu(Big):
    """CPU seconds of what stands between a program and the server, without the kernel's and the program's own."""

    key = "cpu"

    def make_rows(self):
        return [self.row(f"CPU time of reading {human(self.bytes)}", "CPU s", CALLS, AT_MOST, 1.3)]

    def before(self):
        self.setting.warm(self.path)

    def measure(self, way):
        if isinstance(way, Alone):
            return self.setting.load("read", way.where, self.name, SEED, self.bytes, CALL)["cpu"]
        before = cpu_seconds(way.pids())
        self.setting.load("read", way.where, self.name, SEED, self.bytes, CALL)
        took = cpu_seconds(way.pids()) - before
        if isinstance(way, Drive): # once, beside the clock: what is measured all the time compares each page's begin only
            self.check_whole(way.where, self.name, SEED, self.bytes)
        return took
