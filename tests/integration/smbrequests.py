# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy in front of a server that tells which SMB requests pass, to the last one: they hardly depend on the machine."""

import contextlib
import struct

from proxy import Proxy

COMMANDS = ["NEGOTIATE", "SESSION_SETUP", "LOGOFF", "TREE_CONNECT", "TREE_DISCONNECT", "CREATE", "CLOSE", "FLUSH", "READ", "WRITE",
            "LOCK", "IOCTL", "CANCEL", "ECHO", "QUERY_DIRECTORY", "CHANGE_NOTIFY", "QUERY_INFO", "SET_INFO", "OPLOCK_BREAK"]
HEADER_BYTES = 4 # in front of each message: its length
SMB2 = b"\xfeSMB"
BODY = 64 # behind the message's own header


class Requests(Proxy):
    """.seen: (number of the connection, command) of each request; a compound has one for each of its parts. .transfers: (command, offset,
    length) of each READ and WRITE."""

    def __init__(self, port, **kwargs):
        self.seen, self.transfers, self.pending = [], [], {}
        super().__init__(port, **kwargs)

    def passes(self, number, back, data):
        if back:
            return
        pending = self.pending.setdefault(number, bytearray())
        pending += data
        while len(pending) >= HEADER_BYTES:
            end = HEADER_BYTES + int.from_bytes(pending[1:HEADER_BYTES], "big")
            if len(pending) < end:
                break
            self._message(number, bytes(pending[HEADER_BYTES:end]))
            del pending[:end]

    def of(self, command):
        """(offset, length) of the READs, or of the WRITEs, in order."""
        return [(offset, length) for seen, offset, length in self.transfers if seen == command]

    def _message(self, number, message):
        while message.startswith(SMB2):
            command, = struct.unpack_from("<H", message, 12)
            following, = struct.unpack_from("<I", message, 20)
            self.seen.append((number, COMMANDS[command]))
            if COMMANDS[command] in ("READ", "WRITE"):
                length, offset = struct.unpack_from("<IQ", message, BODY + 4)
                self.transfers.append((COMMANDS[command], offset, length))
            if not following:
                return
            message = message[following:]

    @contextlib.contextmanager
    def counted(self):
        """What it gives is a list that has the commands of the block's requests when the block has ended."""
        found, before = [], len(self.seen)
        yield found
        found += [command for _number, command in self.seen[before:]]
