# SPDX-License-Identifier: GPL-3.0-or-later
"""On a slow line one request takes longer than a hung server is given. Who disconnects there by force loses nothing that it would have carried."""

import random
import subprocess
import sys

import pytest
from proxy import Proxy

MIB = 1 << 20
HOLDER = """
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
data = open(sys.argv[2], "rb").read()
if sys.argv[3] == "mapped":
    os.ftruncate(fd, len(data))
    m = mmap.mmap(fd, len(data))
    m[:] = data
else:
    for at in range(0, len(data), 1 << 20):
        os.write(fd, data[at : at + (1 << 20)])
print("all", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("how", ("written", "mapped"))
def test_force_waits_for_a_slow_line(wnet, server, tmp_path, how):
    data = random.Random(how).randbytes(3 * MIB)
    (tmp_path / "data").write_bytes(data)
    line = Proxy(server.port)
    wnet.add("Z:", line.share())
    (wnet.folder() / "before").write_bytes(b"x")
    line.rates[False] = 5 * MIB // 4
    holder = wnet.popen([sys.executable, "-c", HOLDER, wnet.folder() / "f", tmp_path / "data", how], stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE)
    assert holder.stdout.readline() == "all\n"
    result = wnet.run("cancel", "Z:", "--force", "--json")
    assert result.code == 0 and result.json["lost"] == [], result
    assert (server.data / "f").read_bytes() == data
