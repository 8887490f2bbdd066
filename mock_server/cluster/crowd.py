"""Who is connected to a listener, by address: where there is no room, the address that has most gives way.

One client that opens connections without end pushes out its own, and the others get in.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

__all__ = ["Crowd", "client_of"]


class Guest(Protocol):
    """`client`: whose it is. `busy`: its request is being answered."""

    @property
    def client(self) -> str: ...

    @property
    def busy(self) -> bool: ...


G = TypeVar("G", bound=Guest)


def client_of(host: str) -> str:
    """The one who is behind an address: of IPv6 its first 64 bits, because the others are free to choose."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return host


class Crowd(Generic[G]):
    """At most `room` guests. They are in the order in which they came."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._guests: dict[str, dict[G, None]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[G]:
        return (guest for guests in list(self._guests.values()) for guest in list(guests))

    def enter(self, guest: G) -> G | None:
        """Let it in; the one to be shown out, which may be itself, where there is no room."""
        self._guests.setdefault(guest.client, {})[guest] = None
        self._count += 1
        return self.victim(spare=guest) or guest if self._count > self.room else None

    def leave(self, guest: G) -> None:
        """It is gone; again does nothing."""
        guests = self._guests.get(guest.client, {})
        if guest in guests:
            del guests[guest]
            self._count -= 1
            if not guests:
                del self._guests[guest.client]

    def victim(self, *, spare: G | None = None) -> G | None:
        """Of the client that has most, the one that has been here longest and is not being answered."""
        if not self._guests:
            return None
        most = max(self._guests.values(), key=len)
        return next((guest for guest in most if guest is not spare and not guest.busy), None)
