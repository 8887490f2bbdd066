"""How a message is wrapped, and the path it goes to (protocol, "Destination URLs")."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["TransportKind"]


class TransportKind(StrEnum):
    """The transports that send to a URL whose path is known beforehand."""

    CALLHOME = "callhome"
    SMART = "smart"

    @property
    def path(self) -> str:
        """The path on SSM On-Prem."""
        return _PATHS[self]

    @classmethod
    def of_path(cls, path: str) -> TransportKind:
        """The transport that a path belongs to; a path that is none of them counts as Transport Gateway."""
        return cls.SMART if path == cls.SMART.path else cls.CALLHOME


_PATHS = {
    TransportKind.CALLHOME: "/Transportgateway/services/DeviceRequestHandler",
    TransportKind.SMART: "/SmartTransport",
}
