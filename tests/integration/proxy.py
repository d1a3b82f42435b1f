# SPDX-License-Identifier: GPL-3.0-or-later
"""A TCP proxy in front of a server, to make its network slow or dead at a chosen moment."""

import socket
import threading
import time


class Proxy:
    """Listens on .port of the loopback. .hold: nothing from the clients passes; .hold_back: nothing from the server does; .held:
    numbers of the connections (in order of their making) from which nothing passes; rate: bytes a second from the server."""

    def __init__(self, port, rate=None):
        self.target, self.rate = port, rate
        self.hold = self.hold_back = False
        self.held = set()
        self.count = 0
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(32)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def share(self, name="data"):
        return f"//127.0.0.1:{self.port}/{name}"

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            number, self.count = self.count, self.count + 1
            for source, sink, back in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pump, args=(source, sink, number, back), daemon=True).start()

    def _waits(self, number, back):
        return self.hold_back if back else self.hold or number in self.held

    def _pump(self, source, sink, number, back):
        try:
            while data := source.recv(65536):
                while self._waits(number, back):
                    time.sleep(0.002)
                if back and self.rate:
                    time.sleep(len(data) / self.rate)
                sink.sendall(data)
        except OSError:
            pass
        source.close()
        sink.close()
