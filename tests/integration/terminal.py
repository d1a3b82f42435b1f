# SPDX-License-Identifier: GPL-3.0-or-later
"""A terminal for a program under test, and the person before it."""

import os
import pty
import select
import sys
import termios

from harness import LONG, wait_until

# a program that makes the terminal its own before it becomes another
ON_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """A program on a terminal of its own, and the person before it."""

    def __init__(self, wnet, *argv):
        self.fd, side = pty.openpty()
        self.shown = ""
        self.process = wnet.popen([sys.executable, "-c", ON_TERMINAL, *argv], stdin=side, stdout=side, stderr=side)
        self.side = side  # kept open, so that what is shown last can be read

    def echoes(self):
        return bool(termios.tcgetattr(self.side)[3] & termios.ECHO)

    def read(self):
        while select.select([self.fd], [], [], 0)[0]:
            self.shown += os.read(self.fd, 10_000).decode(errors="replace")
        self.shown = self.shown.replace("\r\n", "\n")
        return self.shown

    def wait_for(self, text):
        wait_until(lambda: text in self.read(), f"{text!r} is shown, after {self.shown!r}")

    def type(self, text):
        os.write(self.fd, text.encode())

    def answer(self, text, question="assword for "):
        """Types a password when it is asked for."""
        self.wait_for(question)
        wait_until(lambda: not self.echoes(), "the echo is off")
        self.type(text)

    def end(self):
        code = self.process.wait(LONG)
        self.read()
        return code

    def close(self):
        os.close(self.side)
        os.close(self.fd)
