# SPDX-License-Identifier: GPL-3.0-or-later
"""A big copy does not hold up those who only look."""

import os
import signal
import subprocess

from harness import LONG, alive


def busy_copy(wnet, script):
    """Copies over and over until it is told to stop: however slow the machine, it is under way all the time."""
    process = wnet.popen(["sh", "-c", f"echo ready; while :; do {script} || exit 3; done"], stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, start_new_session=True)
    assert process.stdout.readline() == "ready\n"
    return process


def look_around(z, server):
    for number in range(5):
        assert len(os.listdir(z / "many")) == 300
        with os.scandir(z / "many") as entries:
            assert sum(entry.stat().st_size for entry in entries) == 300 * 3
        (z / f"small {number}").write_text("small")
        assert (server.data / f"small {number}").read_text() == "small"
        os.rename(z / f"small {number}", z / f"renamed {number}")
        os.unlink(z / f"renamed {number}")


def prepare(server):
    (server.data / "many").mkdir()
    for number in range(300):
        (server.data / "many" / f"f{number}").write_text("abc")
    with open(server.data / "big", "wb") as f:
        f.truncate(300 << 20)


def still_running_then_stop(process):
    assert process.poll() is None and alive(process.pid), "the copy failed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(LONG)


def test_a_listing_while_a_big_file_is_read(z, wnet, server):
    prepare(server)
    copy = busy_copy(wnet, f"dd if='{z}/big' of=/dev/null bs=1M iflag=nocache status=none")
    look_around(z, server)
    still_running_then_stop(copy)


def test_a_listing_while_a_big_file_is_written(z, wnet, server):
    prepare(server)
    copy = busy_copy(wnet, f"dd if=/dev/zero of='{z}/copy' bs=1M count=300 status=none")
    look_around(z, server)
    still_running_then_stop(copy)
