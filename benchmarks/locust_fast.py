"""Devices as users of Locust, over its quickest client: what `fleet_peer` runs beside a fleet.

Once all users are there their exchanges and the processor time of this process are counted, and told as a
line of JSON when the test ends.
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

    def _post(self, destination: Destination, body: bytes, content_type: str) -> bytes:
        headers = {"Content-Type": content_type}
        answer = self.client.post(destination.url, data=body, headers=headers, name="exchange")
        answer.raise_for_status()
        content: bytes = answer.content
        return content


_begun: dict[str, float] = {}


def _answered(environment: Any) -> int:
    return int(environment.stats.total.num_requests - environment.stats.total.num_failures)


@events.spawning_complete.add_listener
def _begin(**_rest: Any) -> None:
    _begun["cpu"] = time.process_time()


@events.test_stop.add_listener
def _end(environment: Any, **_rest: Any) -> None:
    """Locust forgets what was counted before all users were there (--reset-stats)."""
    cpu = time.process_time() - _begun["cpu"]
    print(json.dumps({"answered": _answered(environment), "cpu": cpu}), flush=True)
