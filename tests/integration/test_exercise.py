# SPDX-License-Identifier: GPL-3.0-or-later
"""Random operations on a drive and on a local directory: the same comes of both, for the program and on the server.

WNET_EXERCISE_OPS is the number of operations (a million for a night), --seed=N repeats a failure.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import fsexercise
import pytest
from harness import PARK, parked, wait_until

PROGRAM = Path(__file__).with_name("fsexercise.py")
OPS = int(os.environ.get("WNET_EXERCISE_OPS", "3000"))

pytestmark = pytest.mark.time_limit(240 + OPS // 20)


@pytest.fixture
def seed(request):
    given = request.config.getoption("--seed")
    return random.randrange(10**6) if given is None else given


class Exercises:
    """Processes at work, each in a folder of its own."""

    def __init__(self, wnet, root, seed, n, *options):
        self.wnet, self.drive, self.model = wnet, wnet.folder(), root / "model"
        self.model.mkdir()
        self.running = []
        for i in range(n):
            name = f"p{i}"
            (self.drive / name).mkdir()
            (self.model / name).mkdir()
            self.running.append(wnet.popen(
                [sys.executable, PROGRAM, self.drive / name, self.model / name, "--seed", seed * 10 + i, "--ops", OPS // n,
                 "--name", name, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT))

    def wait(self, meanwhile=lambda: time.sleep(0.1)):
        while self.running[0].poll() is None:
            meanwhile()
        outputs = [process.communicate(timeout=120 + OPS // 20)[0] for process in self.running]
        assert all(process.returncode == 0 for process in self.running), "\n".join(outputs)
        print(*outputs)

    def compare(self, folder):
        fsexercise.compare_contents(fsexercise.contents(folder, without=(PARK, "shared")), fsexercise.contents(self.model), f"in {folder}")


def nothing_parked(server):
    wait_until(lambda: not parked(server), "nothing is parked any more", timeout=20)


@pytest.mark.parametrize("n", [1, 4])
def test_a_drive_is_like_a_local_directory(n, z, wnet, server, root, seed):
    (z / "shared").mkdir()
    exercises = Exercises(wnet, root, seed, n, "--shared", z / "shared")
    exercises.wait()
    nothing_parked(server)
    exercises.compare(server.data)
    wnet.ok("cancel", "Z:")
    wnet.add("Z:", server.url())
    exercises.compare(z)


def test_workers_are_killed_meanwhile(z, wnet, server, root, seed):
    """What fails is told; what was not told to have failed is there, and right."""
    chance = random.Random(seed)

    def kill():
        time.sleep(chance.uniform(0.05, 0.6))
        workers = wnet.workers()
        if workers:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(chance.choice(workers), signal.SIGKILL)

    wnet.expect_log("could not be renamed; what it would have replaced is kept as")
    exercises = Exercises(wnet, root, seed, 1, "--lossy")
    exercises.wait(kill)
    wnet.wait_state("Z:", "ok")
    exercises.compare(server.data)
