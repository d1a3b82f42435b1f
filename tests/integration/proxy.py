# SPDX-License-Identifier: GPL-3.0-or-later
"""A TCP proxy in front of a server, to make its network slow or dead at a chosen moment."""

import queue
import socket
import threading
import time


class Proxy:
    """Listens on .port of the loopback. .hold: nothing from the clients passes; .hold_back: nothing from the server does; .held:
    numbers of the connections (in order of their making) from which nothing passes; .waiting: how many pieces are kept back by that; .heard:
    what has passed, if a list; rate, upload_rate: bytes a second from the server, and to it; delay: seconds that everything is on its way,
    in each direction."""

    def __init__(self, port, rate=None, upload_rate=None, delay=0):
        self.target, self.delay = port, delay
        self.rates = {True: rate, False: upload_rate}
        self.heard = None
        self.hold = self.hold_back = False
        self.held = set()
        self.waiting, self.lock = 0, threading.Lock()
        self.count = 0
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(32)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def share(self, name="data"):
        return f"//127.0.0.1:{self.port}/{name}"

    def passes(self, _number, _back, data):
        """A piece of a connection is about to be handed on."""
        if self.heard is not None:
            self.heard.append(data)

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

    def _keep_back(self, number, back):
        with self.lock:
            self.waiting += 1
        while self._waits(number, back):
            time.sleep(0.002)
        with self.lock:
            self.waiting -= 1

    def _arriving(self, source):
        """What comes from source, each piece .delay later; as a long line does, it does not hold up the next one."""
        line = queue.Queue()

        def read():
            data = b"begin"
            while data:
                try:
                    data = source.recv(65536)
                except OSError:
                    data = b""
                line.put((time.monotonic() + self.delay, data))

        threading.Thread(target=read, daemon=True).start()
        while True:
            due, data = line.get()
            time.sleep(max(0, due - time.monotonic()))
            if not data:
                return
            yield data

    def _pump(self, source, sink, number, back):
        try:
            for data in self._arriving(source) if self.delay else iter(lambda: source.recv(65536), b""):
                if self._waits(number, back):
                    self._keep_back(number, back)
                self.passes(number, back, data)
                if self.rates[back]:
                    time.sleep(len(data) / self.rates[back])
                sink.sendall(data)
        except OSError:
            pass
        source.close()
        sink.close()
