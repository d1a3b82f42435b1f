# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon is killed at any moment of an add, a cancel or a restore. What the next one finds is one of two states: connected and
remembered, or gone and forgotten."""

import collections
import os
import random
import re
import signal
import subprocess
import sys
import time

from harness import LONG, alive, error_of, mounts_below, wait_until

# What a command may say whose daemon was killed: that it does not know; or what it found to be so, when it came so late
# that the next daemon was asked.
UNKNOWN = {"add": {1208, 85}, "restore": {1208, 85, 2250}, "cancel": {1208, 2250}}


def commands(server, credentials, mounted, remembered):
    """What makes sense in this state."""
    add = ["add", "Z:", server.url(), "--credentials", credentials]
    if mounted:
        return [["cancel", "Z:"], ["cancel", "Z:", "--forget"], ["cancel", "Z:", "--force"], ["cancel", "Z:", "--force", "--forget"],
                ["cancel", server.url(), "--forget"]]
    if remembered:
        return [["restore", "Z:"], add, ["cancel", "Z:", "--forget"]]
    return [add, [*add, "--persistent"], [*add, "--persistent"]]


def promised(command, remembered):
    """(mounted, remembered) as the command leaves it when it answers 0."""
    if command[0] == "cancel":
        return False, remembered and not ("Z:" in command and "--forget" in command)
    return True, remembered or "--persistent" in command


def check(wnet, mounted, remembered):
    assert bool(mounts_below(wnet.drives)) == mounted
    assert ("Z:" in wnet.rows()) == remembered
    if mounted:
        wnet.wait_state("Z:", "ok")
        (wnet.folder() / "probe").write_text("x")
        (wnet.folder() / "probe").unlink()
    elif not remembered:
        assert wnet.list() == [] and os.listdir(wnet.drives) == []
    assert files(wnet) <= {"profile.db", "profile.db-journal"}  # a journal that is not hot stays until the next change


def files(wnet):
    return {name for name in os.listdir(wnet.config / "wnet") if name.startswith("profile.db")}


class Victim:
    """A daemon and the commands that it is killed in the middle of."""

    def __init__(self, wnet, server, chance):
        self.wnet, self.server, self.chance = wnet, server, chance
        self.credentials = wnet.credentials()
        self.seconds = collections.defaultdict(lambda: 0.1)  # that a command takes
        self.codes = collections.Counter()

    def kill(self):
        for pid in self.wnet.daemons():
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda pid=pid: not alive(pid), "the daemon is gone")

    def whole(self, command, before):
        """Undisturbed, and then it is known how long it takes."""
        begin = time.monotonic()
        self.wnet.ok(*command)
        self.seconds[command[0]] = time.monotonic() - begin
        check(self.wnet, *promised(command, before[1]))

    def killed(self, command, before):
        wnet = self.wnet
        wnet.list()  # there is one to be killed
        daemon = wnet.daemon()
        delay = self.chance.uniform(0, 1.1 * self.seconds[command[0]])
        process = wnet.popen([wnet.build / "wnet", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(delay)
        os.kill(daemon, signal.SIGKILL)
        out, err = process.communicate(timeout=LONG)
        self.kill()  # if it has started another one meanwhile
        _mounted, after = promised(command, before[1])
        code = 0
        if process.returncode:
            code = int(re.search(r"\(ERROR_[A-Z_]+, (\d+)\)", err)[1])
        self.codes[command[0], code] += 1
        try:
            assert code in (0, *UNKNOWN[command[0]]), out + err
            wnet.list()  # the next daemon puts in order what it finds, and connects what is remembered
            wait_until(lambda: (wnet.entry() or {}).get("state") != "connecting", "it is connected")
            remembered = "Z:" in wnet.rows()
            assert remembered in ({after} if code == 0 else {before[1], after})
            check(wnet, remembered, remembered)
        except AssertionError as e:
            raise AssertionError(f"{' '.join(map(str, command))}, killed after {delay} s, answered {code}: {e}") from None

    def round(self, kill):
        before = bool(mounts_below(self.wnet.drives)), "Z:" in self.wnet.rows()
        command = self.chance.choice(commands(self.server, self.credentials, *before))
        held = os.open(self.wnet.folder() / "held", os.O_CREAT | os.O_RDWR) if before[0] and "--force" in command else None
        if kill:
            self.killed(command, before)
        else:
            self.whole(command, before)
        if held is not None:
            error_of(lambda: os.close(held))


def test_killed_at_random(wnet, server, request, long):
    seed = request.config.getoption("--seed") or random.randrange(10**6)
    print(f"seed {seed}", file=sys.stderr)
    chance = random.Random(seed)
    victim = Victim(wnet, server, chance)
    wnet.expect_log("no connection data came from wnetd")  # a worker that had just been started
    kills = 200 if long else 25
    while kills:
        kill = chance.random() < 0.6
        kills -= kill
        victim.round(kill)
    print(f"answers: {dict(victim.codes)}", file=sys.stderr)
    if not mounts_below(wnet.drives):
        wnet.ok("add", "Z:", server.url(), "--credentials", victim.credentials, "--persistent")
    wnet.ok("cancel", "Z:", "--forget")
    assert files(wnet) <= {"profile.db"}
