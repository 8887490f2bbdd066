"""A fleet over several machines, by Locust: each of its users is a device of the inventory.

    # locustfile.py
    from locust import between
    from smartlic_client.fleet.locust import DeviceUser

    class Switch(DeviceUser):
        wait_time = between(5, 15)

    locust --host https://VIP:4443 --inventory campus.csv --ca anchor.pem --token-file token.txt

Locust distributes users over its workers and adds up their figures; here a user only becomes a device. Of W
workers each takes every W-th device of the inventory, so no two are the same one. Messages are counted by
what they are (registration, authorization), never by device.

Import it in a locustfile: Locust replaces the sockets of Python before it reads that.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locust import User, constant_pacing, events, task
from locust.exception import StopUser

from smartlic_client.device import Device
from smartlic_client.errors import RemoteError, SmartlicError
from smartlic_client.fleet.inventory import Inventory, Member, read_inventory
from smartlic_client.folders import MemoryFolder
from smartlic_client.protocol.identity import IdToken
from smartlic_client.protocol.messages import request_type
from smartlic_client.transport.sync import SyncTransport
from smartlic_client.transport.urls import Destination

if TYPE_CHECKING:
    from locust.argument_parser import LocustArgumentParser
    from locust.env import Environment

__all__ = ["DeviceUser"]

_WAIT = 60.0


@events.init_command_line_parser.add_listener
def _options(parser: LocustArgumentParser) -> None:
    group = parser.add_argument_group("Devices", "A fleet of Smart Licensing product instances")
    group.add_argument("--inventory", env_var="SMARTLIC_INVENTORY", help="CSV or YAML: the devices")
    group.add_argument("--ca", env_var="SMARTLIC_CA", help="The trust anchor, in PEM")
    group.add_argument("--token-file", env_var="SMARTLIC_TOKEN_FILE", help="A file with the ID token")


class _Share:
    """What a worker's users share: the inventory, and which device is next."""

    def __init__(self, environment: Environment) -> None:
        given = environment.parsed_options
        missing = [name for name in ("inventory", "ca", "token_file") if not getattr(given, name, None)]
        if missing or not environment.host:
            words = ["--host", *(f"--{name.replace('_', '-')}" for name in missing)]
            raise SystemExit(f"A fleet needs {', '.join(words)}.")
        self.inventory: Inventory = read_inventory(Path(given.inventory))
        self.anchors = Path(given.ca).read_bytes()
        self.token = IdToken(Path(given.token_file).read_text(encoding="ascii"))
        workers = max(getattr(given, "expect_workers", 1) or 1, 1)
        index = getattr(environment.runner, "worker_index", 0)
        self._next = itertools.count(max(index, 0), workers)

    def member(self) -> Member:
        """The next device. Raises StopUser where there are more users than devices."""
        index = next(self._next)
        if index >= len(self.inventory):
            raise StopUser
        return self.inventory[index]


_shares: dict[int, _Share] = {}


def _share(environment: Environment) -> _Share:
    """The one of this process; it is made when the first user starts, and the options are known."""
    if id(environment) not in _shares:
        _shares[id(environment)] = _Share(environment)
    return _shares[id(environment)]


class DeviceUser(User):  # type: ignore[misc]
    """One product instance, in memory. It registers as it starts, and then reports its counts again.

    Tasks of a subclass use `self.device`, a `smartlic_client.Device`.
    """

    abstract = True
    wait_time = constant_pacing(10)
    device: Device

    def on_start(self) -> None:
        share = _share(self.environment)
        member = share.member()
        self._transport = SyncTransport(share.anchors)
        folder = MemoryFolder(member.udi, software=member.software, hostname=member.name)
        self.device = Device(folder, post=self._post)
        self.device.set_destination(self.host)
        self.device.trust(share.anchors)
        now = time.time()
        for tag, schedule in member.licenses:
            self.device.request(tag, schedule.count(now, now))
        try:
            # What an earlier run has registered is this device too: force takes it over.
            self.device.register(share.token, force=True, wait=_WAIT)
        except RemoteError:
            raise StopUser from None  # it is counted

    def on_stop(self) -> None:
        if hasattr(self, "_transport"):
            self._transport.close()

    @task
    def report(self) -> None:
        """Tell the counts again."""
        with contextlib.suppress(RemoteError):  # it is counted
            self.device.report()

    def _post(self, destination: Destination, body: bytes, content_type: str) -> bytes:
        message = self.device.record.in_flight
        name = "message" if message is None else request_type(message).lower()
        began, error, answer = time.perf_counter(), None, b""
        try:
            answer = self._transport.post(destination, body, content_type).body
        except SmartlicError as met:
            error = met
            raise
        finally:
            self._count(name, began, answer, error)
        return answer

    def _count(self, name: str, began: float, answer: bytes, error: SmartlicError | None) -> None:
        events_: Any = self.environment.events
        events_.request.fire(
            request_type="POST",
            name=name,
            response_time=1000 * (time.perf_counter() - began),
            response_length=len(answer),
            exception=error,
            context={},
        )
