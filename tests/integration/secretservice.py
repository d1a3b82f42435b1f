# SPDX-License-Identifier: GPL-3.0-or-later
"""A Secret Service of a user's own: gnome-keyring-daemon on a session bus on which nobody else is and that starts nothing itself."""

import re
import signal
import socket
import struct
import subprocess

from harness import LONG, wait_until

MASTER = "Open-sesame-1001"
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
"""


def listens(path):
    """Whether somebody can connect: the socket is there a moment before that."""
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(str(path)) == 0


class Bus:
    """A session bus for a user of wnet; before the daemon starts."""

    def __init__(self, wnet):
        self.wnet = wnet
        path, config = wnet.root / "bus", wnet.root / "bus.conf"
        config.write_text(BUS.format(path))
        self.process = wnet.popen(["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile"])
        wnet.env["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={path}"
        wnet.env["XDG_DATA_HOME"] = str(wnet.root / "data")
        wait_until(lambda: listens(path), "the session bus listens")


class Keyring:
    """Looked at with libsecret's own tool, and never through wnet."""

    def __init__(self, wnet):
        self.wnet, self.bus = wnet, Bus(wnet)
        wnet.secrets.add(MASTER)
        self.start()

    def start(self, unlock=True):
        self.process = self.wnet.popen(["gnome-keyring-daemon", "--foreground", "--components=secrets", *(["--unlock"] if unlock else [])],
                                       stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.process.stdin.write(MASTER)
        self.process.stdin.close()
        wait_until(lambda: self._tool("lookup", "no", "such").err == "", "the Secret Service answers")

    def stop(self):
        self.process.kill()
        self.process.wait(LONG)

    def hang(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def _tool(self, *args):
        return self.wnet.program("secret-tool", *args)

    def lock(self):
        result = self.wnet.program("gdbus", "call", "--session", "--dest", "org.freedesktop.secrets", "--object-path",
                                   "/org/freedesktop/secrets", "--method", "org.freedesktop.Secret.Service.Lock",
                                   "['/org/freedesktop/secrets/collection/login']")
        assert "collection/login" in result.out, repr(result)

    def unlock(self):
        """As a logon does through PAM: over the daemon's control socket."""
        unlock, secret = 1, MASTER.encode()
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(LONG)
            s.connect(str(self.wnet.runtime / "keyring" / "control"))
            s.sendall(b"\0" + struct.pack(">III", 12 + len(secret), unlock, len(secret)) + secret)
            assert s.recv(8) == struct.pack(">II", 8, 0)

    def items(self):
        """[(device, server, user)] of all our items."""
        result = self._tool("search", "--all", "xdg:schema", "org.wnet.Password")
        names = [re.findall(rf"^attribute\.{name} = (.*)$", result.err, re.MULTILINE) for name in ("device", "server", "user")]
        return sorted(zip(*names, strict=True))

    def password(self, device="Z:", **attributes):
        result = self._tool("lookup", "device", device, *(part for pair in attributes.items() for part in pair))
        return result.out if result.code == 0 else None
