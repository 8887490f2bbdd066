"""A TCP proxy in a test: passes what the client sends, and holds back what the server answers."""

from __future__ import annotations

import selectors
import socket
import threading
from types import TracebackType


class HoldingProxy:
    """Listens at `address` and forwards to `target`. With `hold` set, the bytes of an answer to the request
    (all after the TLS handshake) stay here: `answered` is set when the first of them has come."""

    def __init__(self, address: tuple[str, int], target: tuple[str, int]) -> None:
        self.target = target
        self.answered = threading.Event()
        self._listener = socket.create_server(address)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._ended = False

    def __enter__(self) -> HoldingProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, socket.create_connection(self.target) as server:
                self._pump(client, server)

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        """Let the handshake through both ways; once the client has sent a request, hold what comes back."""
        sent_request = False
        selector = selectors.DefaultSelector()
        selector.register(client, selectors.EVENT_READ)
        selector.register(server, selectors.EVENT_READ)
        with selector:
            while not self._ended:
                for key, _ in selector.select(timeout=0.2):
                    source = key.fileobj
                    try:
                        data = source.recv(65536)  # type: ignore[union-attr]
                    except ConnectionError:
                        return
                    if source is client:
                        if not data:
                            return
                        # A licensing message is longer than anything that a client says in a handshake.
                        sent_request = sent_request or len(data) > 1500
                        server.sendall(data)
                    elif not data:
                        return
                    elif sent_request and len(data) > 1500:
                        self.answered.set()
                    else:
                        client.sendall(data)
