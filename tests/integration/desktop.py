# SPDX-License-Identifier: GPL-3.0-or-later
"""A desktop of a user's own: an X server without a screen, a window manager, a session bus; and a person before it.

What is shown is found by what it says (eyes.py), and waited for.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import harness
from harness import LONG, PROGRAMS, descendants

WIDTH, HEIGHT = 642, 500  # as large as their windows
AGAIN = 10  # seconds until something that may be done twice is done again
PATIENCE = 3 * LONG  # windows are slow on a machine that is busy


def wait_until(condition, what, timeout=PATIENCE):
    return harness.wait_until(condition, what, timeout, interval=0.2)


class Desktop:
    def __init__(self, wnet):
        self.wnet = wnet
        folders = {"XDG_DATA_HOME": wnet.root / "data", "XDG_CACHE_HOME": wnet.root / "cache"}
        for folder in folders.values():
            folder.mkdir(exist_ok=True)
        # the monitor of mounts: GLib's own, whatever other ones are installed; see docs/desktop.md
        wnet.env.update({name: str(folder) for name, folder in folders.items()}, GTK_MODULES="gail:atk-bridge",
                        GIO_USE_VOLUME_MONITOR="unix")
        read, write = os.pipe()
        self.start("Xvfb", "-displayfd", write, "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-nolisten", "tcp", pass_fds=[write])
        os.close(write)
        with os.fdopen(read) as f:
            wnet.env["DISPLAY"] = f":{int(f.readline())}"
        address = f"unix:path={wnet.root}/bus"
        bus = self.start("dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1", f"--address={address}",
                         stdout=subprocess.PIPE)
        assert bus.stdout.readline()
        wnet.env["DBUS_SESSION_BUS_ADDRESS"] = address
        self.start("openbox")
        self.eyes = self.start("/usr/bin/python3", Path(__file__).with_name("eyes.py"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=None)

    def start(self, *argv, **kwargs):
        kwargs = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **kwargs}
        return self.wnet.popen(argv, **kwargs)

    def end(self):
        """Everything that was started on it, by the bus too; wnet ends in its own way."""
        on_it = b"\0DBUS_SESSION_BUS_ADDRESS=" + self.wnet.env["DBUS_SESSION_BUS_ADDRESS"].encode() + b"\0"
        for pid, (name, _parent) in descendants().items():
            with contextlib.suppress(OSError):
                if name not in PROGRAMS and on_it in b"\0" + Path(f"/proc/{pid}/environ").read_bytes():
                    os.kill(pid, signal.SIGKILL)

    # seeing

    def ask(self, *request):
        self.eyes.stdin.write(json.dumps(request) + "\n")
        self.eyes.stdin.flush()
        answer = self.eyes.stdout.readline()
        assert answer, "eyes.py has ended"
        return json.loads(answer)

    def see(self, text, role="", below=None):
        """All that says so; role: and has that role; below: and lies in that."""
        return [node for node in self.ask("look") or [] if re.fullmatch(text, node["name"] or node["text"], re.DOTALL)
                and re.fullmatch(role or ".*", node["role"]) and (below is None or node["at"][:len(below["at"])] == below["at"])]

    def wait_for(self, text, role="", below=None):
        """The last of those: a row comes before its cell."""
        try:
            return wait_until(lambda: self.see(text, role, below), "")[-1]
        except AssertionError:
            shown = [(node["role"], node["name"] or node["text"]) for node in self.ask("look") or []]
            raise AssertionError(f"{role} {text!r} is not shown, but {[s for s in shown if s[1]]}") from None

    # doing

    def do(self, text, role="", action="click", below=None):
        wait_until(lambda: any(self.ask("do", node["at"], action) for node in self.see(text, role, below)), f"{action} {role} {text!r}")

    def select(self, text):
        """A row of a list, by the mouse."""
        self.until(lambda: self.click(self.wait_for(text, "table cell")),
                   lambda: any(node["selected"] for node in self.see(text, "table cell")), f"{text!r} is selected")

    def type(self, text, below):
        wait_until(lambda: any(self.ask("type", node["at"], text) for node in self.see(".*", "text", below)), f"{text!r} is typed")

    def press(self, *keys):
        assert self.wnet.program("xdotool", "key", *keys).code == 0

    def click(self, node, beyond=None):
        """In its middle, or beyond its right end."""
        x, y, width, height = node["place"]
        x += width // 2 if beyond is None else width + beyond
        assert self.wnet.program("xdotool", "mousemove", x, y + height // 2, "click", "1").code == 0

    def until(self, act, condition, what):
        """Acts until it has worked, for what may be done twice: a key or a click can come before a window is ready for it."""
        for _ in range(PATIENCE // AGAIN):
            act()
            with contextlib.suppress(AssertionError):
                return wait_until(condition, what, AGAIN)
        return wait_until(condition, what)

    def picture(self, file):
        """Without the mouse and what it brings up."""
        assert self.wnet.program("xdotool", "mousemove", WIDTH - 1, HEIGHT - 1).code == 0
        wait_until(lambda: not self.see(".*", "tool tip"), "no tool tip is shown")
        assert self.ask("picture", str(file))
