"""A name to its addresses. `getaddrinfo` takes no timeout, so it runs in a thread that may be left behind."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping

from smartlic_client.names import DnsHost, Host
from smartlic_client.preflight.observation import Resolution

__all__ = ["Resolver"]


class Resolver:
    """Asks for each name once. `given`: addresses by name and port, asked of nobody (`--resolve`)."""

    def __init__(self, given: Mapping[tuple[str, int], tuple[str, ...]]) -> None:
        self._given = given
        self._asked: dict[str, _Question] = {}
        self._guard = threading.Lock()

    def resolve(self, host: Host, port: int, until: float) -> Resolution:
        """What `host` resolves to; an address is itself."""
        if addresses := self._given.get((host.text, port)):
            return Resolution(addresses=addresses)
        if not isinstance(host, DnsHost):
            return Resolution(addresses=(host.text,))
        with self._guard:
            question = self._asked.get(host.text)
            if question is None:
                question = self._asked[host.text] = _Question(host.text)
        return question.answer(until)


class _Question:
    def __init__(self, name: str) -> None:
        self._name = name
        self._answered = threading.Event()
        self._resolution = Resolution()
        threading.Thread(target=self._ask, name=f"resolve {name}", daemon=True).start()

    def answer(self, until: float) -> Resolution:
        if self._answered.wait(max(0.0, until - time.monotonic())):
            return self._resolution
        return Resolution(failure="no answer in time", late=True)

    def _ask(self) -> None:
        try:
            # The port says nothing here, but without one some resolvers refuse the family-neutral question.
            found = socket.getaddrinfo(self._name, 443, type=socket.SOCK_STREAM)
            addresses = dict.fromkeys(str(place[4][0]).partition("%")[0] for place in found)
            self._resolution = Resolution(addresses=tuple(addresses))
        except OSError as error:
            self._resolution = Resolution(failure=(error.strerror or str(error)).rstrip("."))
        except UnicodeError as error:  # of the codec that the socket module puts names through
            self._resolution = Resolution(failure=str(error))
        finally:
            self._answered.set()
