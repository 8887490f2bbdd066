"""The device's side of Cisco Smart Licensing against SSM On-Prem: the public names, nothing else.

They are loaded when they are first used, so that a command line that needs none of them starts quickly.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from smartlic_client.device import Device, Outcome
    from smartlic_client.device_async import AsyncDevice
    from smartlic_client.errors import (
        AnswerError,
        BusyError,
        CallerError,
        CommunicationError,
        RefusedError,
        RemoteError,
        SmartlicError,
        TrustError,
    )
    from smartlic_client.onprem.api import OnPremApi
    from smartlic_client.onprem.api_async import AsyncOnPremApi
    from smartlic_client.protocol.identity import IdToken, Udi
    from smartlic_client.transport.urls import Destination

__all__ = [
    "AnswerError",
    "AsyncDevice",
    "AsyncOnPremApi",
    "BusyError",
    "CallerError",
    "CommunicationError",
    "Destination",
    "Device",
    "IdToken",
    "OnPremApi",
    "Outcome",
    "RefusedError",
    "RemoteError",
    "SmartlicError",
    "TrustError",
    "Udi",
]

_WHERE = {
    "AsyncDevice": "device_async",
    "AsyncOnPremApi": "onprem.api_async",
    "OnPremApi": "onprem.api",
    "Device": "device",
    "Outcome": "device",
    "IdToken": "protocol.identity",
    "Udi": "protocol.identity",
    "Destination": "transport.urls",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_WHERE.get(name, 'errors')}"), name)
