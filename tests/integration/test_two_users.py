# SPDX-License-Identifier: GPL-3.0-or-later
"""Two users, each with a home directory and a daemon: neither sees, lists or cancels what is the other's. (Here both are the same
account; two-users does it with two, and needs root for that.)"""

import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from harness import BOB, BOB_PASSWORD, LONG, alive

# Tries to make the files 0, 1, 2 … at the moments that it is told, writes its name into those that it has made, and says their numbers.
MAKE = """
import os, random, sys, time
folder, name, begin, count, seed = sys.argv[1], sys.argv[2], *map(float, sys.argv[3:])
chance = random.Random(seed)
for number in range(int(count)):
    at = begin + 0.01 * number + chance.uniform(0, 0.001)
    while time.monotonic() < at:
        pass
    try:
        fd = os.open(f"{folder}/{number}", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        continue
    os.write(fd, name.encode())
    os.close(fd)
    print(number)
"""


def test_each_has_a_daemon_and_drives_of_their_own(make_wnet, server):
    one, two = make_wnet("one"), make_wnet("two")
    one.ok("add", "Z:", server.url(), "--credentials", one.credentials(), "--persistent")
    two.add("Z:", server.url("denied"), user=BOB, password=BOB_PASSWORD)  # no 1219: it is another user's session
    assert one.daemon() != two.daemon()
    assert [entry["remote"] for entry in one.list()] == [server.unc()]
    assert [entry["remote"] for entry in two.list()] == [server.unc("denied")]
    assert set(one.rows()) == {"Z:"} and two.rows() == {}
    (one.folder() / "f").write_text("one's")
    assert os.listdir(two.folder()) == []


def test_neither_disconnects_the_others(make_wnet, server):
    one, two = make_wnet("one"), make_wnet("two")
    one.ok("add", "Z:", server.url(), "--credentials", one.credentials(), "--persistent")
    two.add("Y:", server.url())
    for name in ("Z:", server.url("readonly")):
        for options in ([], ["--force"], ["--forget"], ["--force", "--forget"]):
            two.fails(2250, "cancel", name, *options)
    two.fails(2250, "get", "Z:")
    two.fails(2250, "restore", "Z:")
    with open(one.folder() / "held", "wb", buffering=0) as held:  # and is no reason to refuse
        two.ok("cancel", server.url())
        assert two.list() == []
        held.write(b"x")
        two.ok("shutdown", "--force")
        held.write(b"y")
    assert alive(one.daemon()) and one.entry("Z:")["state"] == "ok" and set(one.rows()) == {"Z:"}
    assert (server.data / "held").read_bytes() == b"xy"


def make(wnet, name, begin, count, seed):
    """The numbers of the files that this user has made, racing with another one who is told the same."""
    result = wnet.program(sys.executable, "-c", MAKE, wnet.folder(), name, begin, count, seed, timeout=LONG + count / 50)
    assert result.code == 0 and result.err == "", repr(result)
    return set(map(int, result.out.split()))


def assert_one_has_made_each(folder, count, made):
    """made: {user: numbers}"""
    one, two = made.values()
    assert not one & two and one | two == set(range(count))
    assert one and two, "it was no race"
    assert {path.name: path.read_text() for path in folder.iterdir()} == {str(n): user for user, numbers in made.items() for n in numbers}


def test_of_two_who_make_a_file_one_has_made_it(make_wnet, server, long):
    """O_EXCL between two clients of the server."""
    count, begin, seed = 5000 if long else 300, time.monotonic() + 2, random.randrange(10**6)
    print(f"seed {seed}", file=sys.stderr)
    users = [make_wnet(name) for name in ("one", "two")]
    for user in users:
        user.add("Z:", server.url())
    with ThreadPoolExecutor() as pool:
        made = pool.map(make, users, ("one", "two"), [begin] * 2, [count] * 2, [seed, seed + 1])
    assert_one_has_made_each(server.data, count, dict(zip(("one", "two"), made)))
