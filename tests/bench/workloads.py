# SPDX-License-Identifier: GPL-3.0-or-later
"""The workloads. Each knows its rows of the table, the files that it needs, and how it is done once in one way; it sees to it
that the result is right. Runner does them: all ways in turns, in several rounds."""

import mmap

from results import REFERENCE, Row
from setting import Failed, say
from ways import Alone, Drive

ALL_WORKLOADS = {}
MOUNTER_ROUNDS = 1 # of other mounters: some take minutes where a drive takes seconds


def workload(cls):
    """Enters a workload into the table, under its key."""
    ALL_WORKLOADS[cls.key] = cls
    return cls


class Workload:
    key = ""
    far_ms = ()           # round-trip times at which it is measured, beside none
    only_mounts = False   # there is nothing to compare with in libsmbclient alone
    only_drive = False
    rounds_max = 100
    memory_bytes = 0      # that both sides' kernels are going to fill

    def __init__(self, setting, rtt_ms):
        self.setting, self.size, self.rtt_ms = setting, setting.size, rtt_ms
        self.server, self.data = setting.server, setting.server.data
        self.far = rtt_ms > 0
        self.rows = self.make_rows()
        for row in self.rows:
            row.rtt_ms = rtt_ms

    def make_rows(self):
        raise NotImplementedError

    def row(self, title, unit, reference, better, target=None, part=None):
        return Row(f"{self.key}-{part}" if part else self.key, title, unit, reference, better, target)

    def prepare(self):
        """Makes the server's files, unless another workload has."""

    def before(self):
        """Brings the server's caches into the state that is asked for."""

    def connected(self, way):
        """What it is done within."""
        return way.connected(self.setting.port(self.rtt_ms))

    def measure(self, way):
        """Does it once. Returns the first row's sample, or {(number of the row, column): sample}."""
        raise NotImplementedError


def back_memory(size):
    """Touches so much memory and frees it again. A virtual machine gives what it does not use back to its host, and a page's first
    use then takes several times as long as copying it: that would be a matter of what was done before, and is nobody's work here."""
    if size:
        mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE).close()


class Runner:
    """Does workloads in all ways; a way that fails at one of them is not tried again at that one, and the row says why."""

    def __init__(self, setting, ways, rounds):
        self.setting, self.ways, self.rounds = setting, ways, rounds

    def run(self, work):
        say(f"{work.key}{f', {work.rtt_ms:g} ms' if work.far else ''}: {work.rows[0].title}")
        work.prepare()
        takes_part = [way for way in self.ways if not (work.only_mounts and not way.is_mount) and
                      not (work.only_drive and not isinstance(way, Drive))]
        failed = {}
        for way in takes_part:
            if why := way.problem():
                failed[way] = why
        for number in range(min(self.rounds, work.rounds_max)):
            for way in takes_part:
                enough = number >= MOUNTER_ROUNDS and not isinstance(way, (Alone, Drive))
                if way not in failed and not enough and (why := self.once(work, way, number)):
                    failed[way] = why
                    say(f"  {way.title}: {why}")
        for way, why in failed.items():
            for row in work.rows:
                row.fail(column_of(way), why)
        return work.rows

    def once(self, work, way, number):
        """One round of one way: None, or why it has no value."""
        try:
            work.before()
            with work.connected(way):
                back_memory(work.memory_bytes)
                self.setting.processors.take()
                found = work.measure(way)
                work.rows[0].processors.setdefault(column_of(way), []).append(self.setting.processors.take())
        except Failed as e:
            return str(e)
        if not isinstance(found, dict):
            found = {(0, column_of(way)): found}
        for (row, column), value in found.items():
            work.rows[row].add(column, value)
            say(f"  round {number + 1}, {column}{f', {work.rows[row].title}' if row else ''}: {value:.4g} {work.rows[row].unit}")
        return None


def column_of(way):
    return REFERENCE if isinstance(way, Alone) else way.key
