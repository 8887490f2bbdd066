"""Devices as users of Locust, over its quickest client: what `fleet_peer` runs beside a fleet.

Once all users have registered, their exchanges and the processor time of this process are counted, and told
as a line of JSON when the test ends.
"""

from __future__ import annotations

import json
import time
from typing import Any

from locust import constant, events
from locust.contrib.fasthttp import FastHttpUser

from smartlic_client.fleet.locust import DeviceUser
from smartlic_client.transport.urls import Destination

__all__ = ["FastDevice"]


class FastDevice(FastHttpUser, DeviceUser):  # type: ignore[misc]
    """The same agent and the same messages; the certificate is not looked at, which saves it work."""

    wait_time = constant(0)
    insecure = True

    def on_start(self) -> None:
        super().on_start()
        _ready.add(id(self))
        if len(_ready) == self.environment.parsed_options.num_users:
            _begin(self.environment)

    def _post(self, destination: Destination, body: bytes, content_type: str) -> bytes:
        headers = {"Content-Type": content_type}
        answer = self.client.post(destination.url, data=body, headers=headers, name="exchange")
        answer.raise_for_status()
        content: bytes = answer.content
        return content


_ready: set[int] = set()
_begun: dict[str, float] = {}


def _begin(environment: Any) -> None:
    """All users have registered: what came before is forgotten."""
    environment.stats.reset_all()
    _begun.update(cpu=time.process_time(), at=time.perf_counter())


@events.test_stop.add_listener
def _end(environment: Any, **_rest: Any) -> None:
    total = environment.stats.total
    answered = total.num_requests - total.num_failures
    cpu, seconds = time.process_time() - _begun["cpu"], time.perf_counter() - _begun["at"]
    print(json.dumps({"answered": answered, "cpu": cpu, "seconds": seconds}), flush=True)
