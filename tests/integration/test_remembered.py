# SPDX-License-Identifier: GPL-3.0-or-later
"""Remembered drives whose server is away: listed with the reason, tried again, and at once when somebody opens their folder."""

import datetime
import os
import time

import pytest

from harness import wait_until


@pytest.fixture
def away(wnet, make_server):
    """Z: is remembered, its server was away when the daemon started, and its next attempt is minutes ahead."""
    server = make_server()
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    wnet.ok("shutdown")
    server.kill()
    wnet.wait_state("Z:", "unavailable")
    return server


def is_tried(wnet, attempts):
    return wnet.log_text().count("Z: is connecting") > attempts


def test_listed_with_reason_since_when_and_next_attempt(away, wnet):
    entry = wnet.entry()
    assert entry["state"] == "unavailable" and entry["persistent"] and entry["reason"]
    assert abs(time.time() - wnet_time(entry["since"])) < 60
    assert wnet_time(entry["next_retry"]) > time.time() - 1
    text = wnet.ok("list").out
    assert "Z:" in text and "unavailable" in text.lower()
    assert set(wnet.rows()) == {"Z:"}  # failing never deletes a row


def wnet_time(value):
    """A time of `wnet list --json` as seconds."""
    return datetime.datetime.fromisoformat(value).timestamp()


def test_opened_it_is_tried_at_once(away, wnet):
    # far enough ahead that ours comes first: the distance doubles
    entry = wait_until(lambda: (e := wnet.entry())["next_retry"] and wnet_time(e["next_retry"]) - time.time() > 9 and e,
                       "the next attempt is ten seconds ahead", timeout=60)
    assert entry["state"] == "unavailable"
    away.start()
    os.listdir(wnet.folder())  # as a file manager does: it is empty, and this is noticed
    wnet.wait_state("Z:", "ok")
    _before, opened, after = wnet.log_text().partition("somebody opens the folder of Z:\n")
    assert opened and after.partition("\n")[0].endswith("Z: is connecting"), "it was tried, but not for that"
    (wnet.folder() / "f").write_text("at once")
    assert (away.data / "f").read_text() == "at once"


def test_opened_in_vain_it_stays_planned(away, wnet):
    for _ in range(3):
        attempts = wnet.log_text().count("Z: is connecting")
        os.listdir(wnet.folder())
        wait_until(lambda n=attempts: is_tried(wnet, n), "it is tried when it is opened")
        wnet.wait_state("Z:", "unavailable")
        assert wnet.entry()["next_retry"] is not None
    assert set(wnet.rows()) == {"Z:"}
    # it does not go on by itself: what wnetd does with the folder is not somebody opening it
    attempts = wnet.log_text().count("Z: is connecting")
    time.sleep(2)
    assert wnet.log_text().count("Z: is connecting") <= attempts + 1


def test_cancelled_it_is_not_tried_when_it_is_opened(wnet, server):
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    wnet.ok("cancel", "Z:")
    for _ in range(5):
        assert os.listdir(wnet.folder()) == []
        time.sleep(0.3)
    assert wnet.entry()["state"] == "unavailable" and wnet.entry()["next_retry"] is None


def test_a_dead_server_delays_nobody(wnet, server, make_server):
    """Twenty-one drives at the daemon's start, one of them on a server that does not answer."""
    wnet.configure(connect_timeout=20)
    frozen = make_server()
    file = wnet.credentials()
    devices = [f"{chr(letter)}:" for letter in range(ord("F"), ord("F") + 20)]
    wnet.ok("add", "A:", frozen.url(), "--credentials", file, "--persistent")
    for device in devices:
        wnet.ok("add", device, server.url(), "--credentials", file, "--persistent")
    wnet.ok("shutdown")
    frozen.freeze()
    wnet.list()  # starts the daemon
    began = time.monotonic()
    for device in devices:
        wnet.wait_state(device, "ok", timeout=19)
        assert (wnet.folder(device)).is_mount()
    assert wnet.entry("A:")["state"] == "connecting", f"all others took {time.monotonic() - began:.1f} s"
    frozen.thaw()
    wnet.wait_state("A:", "ok")
