"""What the verbs share: which device is meant, and the options that many take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from smartlic_client.cli.configuration import setting
from smartlic_client.cli.output import note, wants_json
from smartlic_client.device import NO_DEVICE, Device, Outcome
from smartlic_client.errors import CallerError, problem
from smartlic_client.store import default_root, device_folder, list_devices

__all__ = ["device_folder_of", "home_of", "opened", "outcome_data", "proxy_of", "wait_option"]

F = TypeVar("F", bound=Callable[..., Any])

WHICH_DEVICE = problem(
    "which-device",
    CallerError,
    "There are {count} devices in {home}, and none was named.",
    "Name one: smartlic --device NAME …; there are: {names}.",
)


def home_of(context: click.Context) -> Path:
    given = context.find_root().meta.get("smartlic.home")
    return Path(given) if given else default_root()


def device_folder_of(context: click.Context) -> Path:
    """The folder of the device that is meant: the one named, or the only one there is."""
    home = home_of(context)
    name = context.find_root().meta.get("smartlic.device")
    if name:
        return device_folder(home, name)
    names = list_devices(home)
    if not names:
        raise NO_DEVICE(folder=str(home))
    if len(names) > 1:
        shown = ", ".join(names[:10]) + (" …" if len(names) > 10 else "")
        raise WHICH_DEVICE(count=len(names), home=str(home), names=shown)
    return device_folder(home, names[0])


def opened(context: click.Context) -> Device:
    resolve = context.params.get("resolve") or ()
    return Device.open(device_folder_of(context), resolve=dict(resolve), proxy=proxy_of())


def proxy_of() -> str | None:
    """The proxy that was configured, checked before anything is kept or sent. Raises bad-proxy."""
    if (proxy := setting("proxy")) is None:
        return None
    from smartlic_client.transport.common import checked_proxy

    return checked_proxy(str(proxy))


def wait_option(command: F) -> F:
    return click.option(
        "--wait",
        type=click.FloatRange(min=0, max=86400),
        default=lambda: setting("wait"),
        metavar="SECONDS",
        help="Go on trying for so long where the server cannot be reached, as through a failover.",
    )(command)


def outcome_data(outcome: Outcome) -> dict[str, Any]:
    """The part of a result that every verb has; says aloud what could not be told yet."""
    pending = outcome.pending
    if pending is not None and not wants_json():
        note(f"note: {pending.sentence} [{pending.code}]")
        note(f"  what to do: {pending.mend}")
    return {"changed": outcome.changed, "pending": pending.as_dict() if pending else None}
