# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy in front of a server that tells which SMB requests pass, to the last one: they hardly depend on the machine."""

import contextlib
import struct

from proxy import Proxy

COMMANDS = ["NEGOTIATE", "SESSION_SETUP", "LOGOFF", "TREE_CONNECT", "TREE_DISCONNECT", "CREATE", "CLOSE", "FLUSH", "READ", "WRITE",
            "LOCK", "IOCTL", "CANCEL", "ECHO", "QUERY_DIRECTORY", "CHANGE_NOTIFY", "QUERY_INFO", "SET_INFO", "OPLOCK_BREAK"]
HEADER_BYTES = 4 # in front of each message: its length
SMB2 = b"\xfeSMB"


class Requests(Proxy):
    """.seen: (number of the connection, command) of each request; a compound has one for each of its parts."""

    def __init__(self, port, **kwargs):
        self.seen, self.pending = [], {}
        super().__init__(port, **kwargs)

    def passes(self, number, back, data):
        if back:
            return
        data = self.pending.get(number, b"") + data
        while len(data) >= HEADER_BYTES:
            end = HEADER_BYTES + int.from_bytes(data[1:HEADER_BYTES], "big")
            if len(data) < end:
                break
            self._message(number, data[HEADER_BYTES:end])
            data = data[end:]
        self.pending[number] = data

    def _message(self, number, message):
        while message.startswith(SMB2):
            command, = struct.unpack_from("<H", message, 12)
            following, = struct.unpack_from("<I", message, 20)
            self.seen.append((number, COMMANDS[command]))
            if not following:
                return
            message = message[following:]

    @contextlib.contextmanager
    def counted(self):
        """What it gives is a list that has the commands of the block's requests when the block has ended."""
        found, before = [], len(self.seen)
        yield found
        found += [command for _number, command in self.seen[before:]]
