"""A TCP proxy on localhost whose connections can be cut, as a network's are."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


@dataclass
class Proxy:
    """Forwards to `target`; `sent` counts the bytes of clients that have gone through."""

    target: str
    listener: socket.socket
    sent: int = 0
    _ends: list[socket.socket] = field(default_factory=list[socket.socket])
    _threads: list[threading.Thread] = field(default_factory=list[threading.Thread])

    @property
    def address(self) -> str:
        return f"localhost:{self.listener.getsockname()[1]}"

    def start(self) -> None:
        self._run(self._accept)

    def cut(self) -> None:
        """End all connections that there are now; new ones are served."""
        for end in list(self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self.cut()
        for thread in self._threads:
            thread.join()
        for end in self._ends:
            end.close()

    def _run(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        host, _, port = self.target.rpartition(":")
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection((host, int(port)))
                self._ends += [client, server]
                self._run(self._forward, client, server)
                self._run(self._forward, server, client)

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        upward = source.getsockname() == self.listener.getsockname()
        with suppress(OSError):
            while data := source.recv(65536):
                if upward:
                    self.sent += len(data)
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy_to(target: str) -> Generator[Proxy]:
    """Forward to `target` in threads of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(target, listener)
        proxy.start()
        try:
            yield proxy
        finally:
            proxy.stop()
