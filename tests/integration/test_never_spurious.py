# SPDX-License-Identifier: GPL-3.0-or-later
"""A user lets go of a drive and disconnects it at once. A file that was closed before does not count, however far its server is."""

import subprocess

import pytest

from harness import ALICE, LONG, PASSWORD, mounts_below
from proxy import Proxy

USES = ["whole", "tiny", "begin", "map", "folder", "many", "copies", "child", "write", "nothing"]


@pytest.fixture
def shared(server):
    (server.data / "small").write_bytes(bytes(range(256)) * 4096)
    with open(server.data / "big", "wb") as f:
        f.truncate(64 << 20)
    (server.data / "d").mkdir()
    for number in range(300):
        (server.data / "d" / f"entry {number}").write_bytes(bytes(4096))
    return server


def run(wnet, remote, use, count):
    """Rounds of cancel-probe; none of its calls may answer anything but 0."""
    program = wnet.build / "tests" / "integration" / "cancel-probe"
    probe = wnet.popen([program, "Z:", remote, wnet.folder(), use, str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE)
    out, err = probe.communicate(f"{ALICE}\n{PASSWORD}\n", timeout=LONG + 6 * count)
    assert (out, err, probe.returncode) == (f"{count} done\n", "", 0)
    assert wnet.list() == [] and mounts_below(wnet.drives) == []


@pytest.mark.parametrize("use", USES)
def test_at_once(wnet, shared, long, use):
    run(wnet, shared.url(), use, 500 if long else 25 if use in ("whole", "begin") else 8)


@pytest.mark.parametrize("use", USES)
def test_at_once_when_the_server_is_far(wnet, shared, long, use):
    """20 ms of round trip."""
    usual = {"whole": 3, "many": 1}.get(use, 2)
    thorough = {"whole": 500}.get(use, 40)
    run(wnet, Proxy(shared.port, delay=0.010).share(), use, thorough if long else usual)
