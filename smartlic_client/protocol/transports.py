"""How a message is wrapped, and the path it goes to (protocol, "Destination URLs")."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = ["CSLU_PATH", "TransportKind"]

CSLU_PATH: Final = "/cslu/v1/pi/"
"""Followed by the local account and `-1`: the CSLU URL of an account."""


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
        """The transport that a path belongs to; a path that is none of them counts as Transport Gateway.

        CSLU takes the message of the Smart transport (ours: what CSLU itself takes is not public).
        """
        return cls.SMART if path == cls.SMART.path or path.startswith(CSLU_PATH) else cls.CALLHOME


_PATHS = {
    TransportKind.CALLHOME: "/Transportgateway/services/DeviceRequestHandler",
    TransportKind.SMART: "/SmartTransport",
}
