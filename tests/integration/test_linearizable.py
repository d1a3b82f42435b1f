# SPDX-License-Identifier: GPL-3.0-or-later
"""Many use two drives while others disconnect and connect them. Whatever each of them was told, there is an order of events in which all of it
is true: race-probe records what happened, and this judges."""

import bisect
import collections
import errno
import os
import random
import subprocess
import sys
import threading
import time

import pytest

from harness import ALICE, LONG, PASSWORD, error_of, mounts_below, wait_until
from proxy import Proxy

OPENERS = 4
IN_USE = (2401, 2404)

Event = collections.namedtuple("Event", "kind name thread begin end code handle value")


class Handle:
    """From its open to its close, as its owner saw it."""

    def __init__(self, opened):
        self.opened, self.closed, self.uses = opened, None, []


class History:
    """What happened to one device: by its name, or by its share's ("*")."""

    def __init__(self, events, device):
        self.everything = sorted(events, key=lambda e: e.begin)
        self.events = [e for e in self.everything if e.name in (device, "*")]
        done = [e for e in self.events if e.code == 0]
        self.adds = [e for e in done if e.kind == "add"]
        self.cancels = [e for e in done if e.kind == "cancel"]
        self.forces = [e for e in done if e.kind == "force"]
        self.ends = sorted(self.cancels + self.forces, key=lambda e: e.begin)
        self.refusals = [e for e in self.events if e.kind == "cancel" and e.code in IN_USE]
        self.handles = {}
        for e in self.events:
            if e.kind == "open" and e.code == 0:
                self.handles[e.handle] = Handle(e)
        for e in self.events:
            if e.kind == "close":
                self.handles[e.handle].closed = e
            elif e.kind in ("read", "write"):
                self.handles[e.handle].uses.append(e)

    # what may lie between two moments: each answers with one such event, or None

    @staticmethod
    def _overlapping(events, begin, end):
        """One that may have taken effect between the two: the lists are short enough within a window."""
        for e in events[: bisect.bisect_left(events, end, key=lambda e: e.begin)][::-1]:
            if e.end >= begin:
                return e
            if begin - e.begin > 60e9:
                return None
        return None

    def revoked(self, handle, until):
        """A force that may have ended the handle until then."""
        return self._overlapping(self.forces, handle.opened.begin, until)

    def dead(self, handle, when):
        """A force that must have ended the handle before then."""
        first = bisect.bisect_right(self.forces, handle.opened.end, key=lambda e: e.begin)
        return next((e for e in self.forces[first : first + 1] if e.end < when), None)


def handles_work_until_they_are_revoked(h):
    for handle in h.handles.values():
        for use in handle.uses:
            if use.code and not h.revoked(handle, use.end):
                yield "an open handle failed, though nothing was forced", handle.opened, use
            if not use.code and (force := h.dead(handle, use.begin)):
                yield "a revoked handle goes on working", handle.opened, force, use


def nothing_is_open_across_a_cancel(h):
    handles = sorted(h.handles.values(), key=lambda x: x.opened.end)
    for cancel in h.cancels:
        for handle in handles:
            if handle.opened.end >= cancel.begin:
                break
            if handle.closed.begin > cancel.end and not h.revoked(handle, cancel.end):
                yield "disconnected without force, though a file was open all the time", handle.opened, cancel, handle.closed


def refusals_have_a_reason(h):
    """Something was open, or about to be, at some time between the call and its answer."""
    closes = {e.handle: e.end for e in h.everything if e.kind == "close"}
    opens = [(e.begin, closes.get(e.handle, e.end), e.name) for e in h.everything if e.kind == "open"]
    for refusal in h.refusals:
        candidates = opens[: bisect.bisect_left(opens, (refusal.end,))]
        if not any(end >= refusal.begin and refusal.name in (name, "*") for _begin, end, name in candidates[::-1]):
            yield "refused, though nothing was open", refusal


def opens_tell_what_is_connected(h):
    # all of a share are refused if but one of them is in use: that does not tell whether this one was there
    known = sorted(h.adds + [e for e in h.refusals if e.name != "*"], key=lambda e: e.end)
    ends_by_end = sorted(h.ends, key=lambda e: e.end)
    for e in h.events:
        if e.kind != "open":
            continue
        if e.code:
            # connected for certain when the open was called
            i = bisect.bisect_left(known, e.begin, key=lambda x: x.end)
            if i and not h._overlapping(h.ends, known[i - 1].begin, e.end):
                yield "an open failed on a drive that was connected", known[i - 1], e
        else:
            i = bisect.bisect_left(ends_by_end, e.begin, key=lambda x: x.end)
            if i and not h._overlapping(h.adds, ends_by_end[i - 1].begin, e.end):
                yield "an open succeeded on a drive that was gone", ends_by_end[i - 1], e


def values_are_what_was_written(h):
    """Its own file is what nobody else writes to: what a handle reads is what was written last, or what failed to be written since."""
    for thread in range(OPENERS):
        possible = {0}
        for e in h.events:
            if e.thread == thread and e.kind == "write":
                possible = {e.value} if e.code == 0 else possible | {e.value}
            elif e.thread == thread and e.kind == "read" and e.code == 0 and e.value not in possible:
                yield f"read {e.value}, and not one of {sorted(possible)}", e


RULES = [handles_work_until_they_are_revoked, nothing_is_open_across_a_cancel, refusals_have_a_reason, opens_tell_what_is_connected,
         values_are_what_was_written]


def explain(history, rule, why, *told):
    """What else happened around what contradicts itself."""
    begin, end = min(e.begin for e in told), max(e.end for e in told)
    lines = [f"{rule.__name__}: {why}"]
    for e in history.events:
        if e.end >= begin and e.begin <= end and (e in told or e.kind in ("add", "cancel", "force")):
            lines.append(f"{'→' if e in told else ' '} {e.kind} {e.name} by {e.thread}, {(e.begin - begin) / 1e6:.3f} … {(e.end - begin) / 1e6:.3f} ms: "
                         f"{e.code}, handle {e.handle}, value {e.value}")
    return "\n".join(lines[:60])


def told(text):
    """A history from lines such as "open 0 10 20 0 1 0": kind, thread, begin, end, code, handle, value."""
    return History([Event(line.split()[0], "Z:", *map(int, line.split()[1:])) for line in text.strip().splitlines()], "Z:")


@pytest.mark.parametrize("rule, contradiction, way_out", [
    (handles_work_until_they_are_revoked, "open 0 10 20 0 1 0\n read 0 30 40 5 1 0\n close 0 80 90 0 1 0", "force 1 35 50 0 -1 0"),
    (nothing_is_open_across_a_cancel, "open 0 10 20 0 1 0\n cancel 1 30 40 0 -1 0\n close 0 50 60 0 1 0", "force 2 15 70 0 -1 0"),
    (refusals_have_a_reason, "open 0 10 20 0 1 0\n close 0 30 40 0 1 0\n cancel 1 50 60 2401 -1 0", "open 1 55 70 2 2 0"),
    (opens_tell_what_is_connected, "add 0 10 20 0 -1 0\n open 1 30 40 2 1 0", "cancel 2 35 50 0 -1 0"),
    (opens_tell_what_is_connected, "cancel 0 10 20 0 -1 0\n open 1 30 40 0 1 0\n close 1 50 60 0 1 0", "add 2 5 35 0 -1 0"),
    (values_are_what_was_written, "open 0 1 2 0 1 0\n write 0 10 20 0 1 7\n read 0 30 40 0 1 5\n close 0 50 60 0 1 0",
     "write 0 25 27 5 1 5"),
])
def test_a_contradiction_is_seen(rule, contradiction, way_out):
    """The judge is judged: what cannot be true is told, and with what makes it possible it is not."""
    assert list(rule(told(contradiction)))
    assert not list(rule(told(contradiction + "\n" + way_out)))


def test_a_revoked_handle_is_dead_for_ever():
    history = "open 0 10 20 0 1 0\n force 1 30 40 0 -1 0\n add 1 50 60 0 -1 0\n close 0 90 95 0 1 0\n"
    assert list(handles_work_until_they_are_revoked(told(history + "read 0 70 80 0 1 0")))
    assert not list(handles_work_until_they_are_revoked(told(history + "read 0 35 45 0 1 0")))


def test_an_open_on_its_way_to_the_server_is_one(wnet, server):
    """No handle yet, and nobody's working directory either: it is being opened, so it counts as open."""
    wnet.expect_log("Z:")
    proxy = Proxy(server.port)
    (server.data / "f").write_text("contents")
    wnet.add("Z:", proxy.share())
    path = wnet.folder() / "f"
    assert path.read_text() == "contents"  # the worker that opens is connected
    path.stat()  # so that nothing has to be looked up
    proxy.hold = True
    read = []
    opener = threading.Thread(target=lambda: read.append(path.read_text()))
    opener.start()
    wait_until(lambda: proxy.waiting, "the open is on its way")
    try:
        wnet.fails(2401, "cancel", "Z:")
    finally:
        proxy.hold = False
        opener.join(LONG)
    assert read == ["contents"]
    wnet.ok("cancel", "Z:")


def test_a_look_up_on_its_way_to_the_server_is_waited_for(wnet, server):
    """The mount is busy meanwhile, though nothing is open and nobody is inside."""
    wnet.expect_log("Z:")
    proxy = Proxy(server.port)
    wnet.add("Z:", proxy.share())
    found = []
    for name, held_seconds in ("soon", 0.4), ("never", LONG):
        proxy.hold = True
        later = threading.Timer(held_seconds, lambda: setattr(proxy, "hold", False))
        asker = threading.Thread(target=lambda name=name: found.append(error_of(lambda: os.stat(wnet.folder() / name))))
        asker.start()
        wait_until(lambda: proxy.waiting, "the look-up is on its way")
        later.start()
        if name == "soon":
            wnet.ok("cancel", "Z:")
            assert mounts_below(wnet.drives) == []
        else:
            result = wnet.fails(2404, "cancel", "Z:")
            assert "waits for an answer" in result.text and "administrator" not in result.err
            assert wnet.mount("Z:")
        later.cancel()
        proxy.hold = False
        asker.join(LONG)
        if name == "soon":
            wnet.add("Z:", proxy.share())
    assert found == [errno.ENOENT, errno.ENOENT]
    wnet.ok("cancel", "Z:")


def test_every_answer_is_true(wnet, server, request, long):
    seconds = 300 if long else 12
    seed = request.config.getoption("--seed") or random.randrange(10**6)
    for number in range(OPENERS):
        (server.data / str(number)).write_bytes(bytes(8))
    wnet.expect_log("[YZ]:")
    wnet.list()
    probe = wnet.popen([wnet.build / "tests" / "integration" / "race-probe", server.url(), wnet.drives, seconds, seed],
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = probe.communicate(f"{ALICE}\n{PASSWORD}\n", timeout=seconds + LONG)
    assert probe.returncode == 0 and err == "", err
    events = []
    for line in out.splitlines():
        kind, name, *numbers = line.split()
        events.append(Event(kind, name, *map(int, numbers)))

    answers = collections.Counter((e.kind, e.code) for e in events)
    print(f"seed {seed}, answers: {dict(sorted(answers.items()))}, of these by the share's name: "
          f"{dict(collections.Counter((e.kind, e.code) for e in events if e.name == '*'))}", file=sys.stderr)
    allowed = {"add": {0, 85, 170, 1223}, "cancel": {0, 2250, *IN_USE}, "force": {0, 2250}}
    for kind, codes in allowed.items():
        found = {code for k, code in answers if k == kind}
        assert found <= codes, f"{kind} answers {found - codes}"
    histories = [History(events, device) for device in ("Y:", "Z:")]
    contradictions = [explain(history, rule, *found) for history in histories for rule in RULES for found in rule(history)]
    assert not contradictions, f"{len(contradictions)} contradictions, seed {seed}\n" + "\n\n".join(contradictions[:5])
    # or it has shown nothing
    assert answers["cancel", 0] and answers["cancel", 2401] and answers["force", 0] and answers["add", 0]

    for number in range(OPENERS):
        written = [e for e in events if e.kind == "write" and e.thread == number]
        acknowledged = max((e.value for e in written if e.code == 0), default=0)
        value = int.from_bytes((server.data / str(number)).read_bytes(), sys.byteorder)
        assert acknowledged <= value <= max((e.value for e in written), default=0), "an acknowledged write is lost"
    wnet.run("cancel", server.url(), "--force")
    assert wnet.list() == [] and mounts_below(wnet.drives) == [] and os.listdir(wnet.drives) == []
