"""A cable between DVC and a server: it counts what passes, and it can be pulled."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

HERE = "127.0.0.1"


class Relay:
    """Passes on what reaches `port` to the server at another port of this machine."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = free_port()
        self.sent = 0  # bytes towards the server
        self._cut: tuple[int, Callable[[], None], threading.Event] | None = None
        self._counting = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._listener: socket.socket | None = None

    def cut_after(self, num_bytes: int, then: Callable[[], None]) -> threading.Event:
        """Call `then` when so many bytes have come to be sent; tell when it is done."""
        done = threading.Event()
        self._cut = (self.sent + num_bytes, then, done)
        return done

    def plug(self) -> None:
        """Listen."""
        self._listener = socket.create_server((HERE, self.port))
        _thread(self._accept, self._listener)

    def unplug(self) -> None:
        """Break all connections, and refuse new ones."""
        if self._listener:
            _close(self._listener)
        self._listener = None
        for end in list(self._ends):
            _close(end)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:  # unplugged
                return
            try:
                server = socket.create_connection((HERE, self.target))
            except OSError:  # it is gone
                _close(client)
                continue
            for end in (client, server):  # small packets go at once
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._ends |= {client, server}
            _thread(self._copy, client, server, self._count)
            _thread(self._copy, server, client, lambda _: None)

    def _copy(
        self, source: socket.socket, sink: socket.socket, count: Callable[[int], None]
    ) -> None:
        try:
            while data := source.recv(1 << 16):
                count(len(data))
                sink.sendall(data)
        except OSError:  # unplugged, or one side has gone
            pass
        _close(source)
        _close(sink)
        self._ends -= {source, sink}

    def _count(self, num_bytes: int) -> None:
        with self._counting:
            self.sent += num_bytes
            if self._cut and self.sent >= self._cut[0]:
                _, then, done = self._cut
                self._cut = None
                then()
                done.set()


def free_port() -> int:
    """Return a port that nobody listens on, nor gets for an outgoing connection."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with suppress(OSError), socket.create_server((HERE, port)):
            return port


def _thread(function: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=function, args=arguments, daemon=True).start()


def _close(end: socket.socket) -> None:
    """Wake whoever waits at this end, and close it."""
    with suppress(OSError):  # closed on the other side already
        end.shutdown(socket.SHUT_RDWR)
    end.close()
