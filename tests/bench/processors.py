# SPDX-License-Identifier: GPL-3.0-or-later
"""Who had the processors while something was measured."""

import contextlib
import os
import statistics
import time
from pathlib import Path

PROGRAM, IDLE, SECONDS = "program and kernel", "idle", "seconds"
KINDS = {"wnetd": "wnetd", "wnet-smb": "workers", "smbd": "server", "proxy": "network"} # of processes, by their names
COLUMNS = [SECONDS, PROGRAM, *KINDS.values(), IDLE]
NANOSECONDS = 1e9
ENDING_SECONDS = 0.1 # in which the server's process for a connection ends that is over


def of_ended_children(folder):
    """What a process's children that have ended had used, in seconds."""
    fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def of_processes():
    """{kind: seconds} of those of KINDS, all their threads; smbd has a child for each connection."""
    used = dict.fromkeys(KINDS.values(), 0)
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError): # it has ended
            name = (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
            if name in KINDS:
                used[KINDS[name]] += sum(int((task / "schedstat").read_text(encoding="ascii").split()[0])
                                         for task in (folder / "task").iterdir()) / NANOSECONDS
                if name == "smbd":
                    used[KINDS[name]] += of_ended_children(folder)
    return used


def of_machine():
    """(seconds used, seconds idle) of all processors together."""
    with open("/proc/stat", encoding="ascii") as f:
        user, nice, system, idle, waiting, *others = (int(n) / os.sysconf("SC_CLK_TCK") for n in f.readline().split()[1:9])
    return user + nice + system + sum(others[:2]), idle + waiting


class Processors:
    """Adds up what is done within watch(). All that is not of KINDS counts as the program's: it may have ended by then."""

    def __init__(self):
        self.used = {}

    def take(self):
        """What was added up, as {column: seconds}, and begins anew."""
        used, self.used = self.used, {}
        return used

    @contextlib.contextmanager
    def watch(self):
        before, (busy, idle) = of_processes(), of_machine()
        try:
            yield
        finally:
            busy_now, idle_now = of_machine()
            time.sleep(ENDING_SECONDS)
            now = of_processes()
            found = {IDLE: idle_now - idle, SECONDS: (busy_now + idle_now - busy - idle) / os.cpu_count()}
            for kind, seconds in now.items():
                found[kind] = max(0, seconds - before[kind])
            found[PROGRAM] = max(0, busy_now - busy - sum(found[kind] for kind in KINDS.values()))
            for column, seconds in found.items():
                self.used[column] = self.used.get(column, 0) + seconds


def medians(rounds):
    """Of the rounds of one way, {column: seconds}."""
    return {column: statistics.median(used.get(column, 0) for used in rounds) for column in COLUMNS}
