"""The list of 100,000 product instances on the pages: a page of 50 at any offset, by any search and order.

Measured beside the request itself, in the server's own process: what a page costs the server, without TLS and
without a network. What the first search after a start takes, and a list after a new name, is printed.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from benchmarks.figures import Figure
from mock_server.cluster.config import configure
from mock_server.cluster.machine import NodeContext
from mock_server.domain import places, users
from mock_server.domain.apply import LicensingMachine
from mock_server.domain.state import Account, Instance, LastMessage, State, User, UserRole
from mock_server.pages.app import Pages
from mock_server.pages.live import Live
from mock_server.pages.sessions import Sessions
from mock_server.pages.site import Site
from mock_server.serving import Serving
from smartlic_client.protocol.identity import Udi
from smartlic_client.protocol.messages import Acknowledged

_INSTANCES = 100_000
_LIMIT = 20.0
_TYPES = ("C9300-24T", "C9300-48P", "UCS-CUCM", "PI-APL", "ISR4331")
QUERIES = (
    "page=1",
    "page=1000",
    "page=2000",
    "page=999&order=descending&sort=name",
    "search=device-0999",
    "search=device-0999&page=1000",
    "search=c9300&page=300",
    "search=device&page=2000",
    "search=nothing+has+this+name",
    "search=%C3%BC",
)


class _Ledger:
    """All is safe at once."""

    index = 0

    async def settled(self, _index: int | None = None) -> None:
        return None


def measure() -> list[Figure]:
    gc.set_threshold(20_000, 50, 100)  # as a node's process does
    with TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> list[Figure]:
    site, user = _site(folder)
    text = site.sessions.text(site.sessions.begin(user, time.time()))
    cookie = f"{site.sessions.cookie}={text}".encode()
    pages = Pages(lambda: site)
    started = await _milliseconds(pages, "account=Lab&search=9", cookie)
    state = site.serving.state
    some = next(iter(state.instances.values()))
    asked: list[float] = []
    changed: list[float] = []
    for query in QUERIES:
        samples = [await _milliseconds(pages, f"account=Lab&{query}", cookie) for _ in range(3)]
        asked.append(statistics.median(samples))
        places.take(state, some)  # as a new name does
        places.put(state, some)
        changed.append(await _milliseconds(pages, f"account=Lab&{query}", cookie))
    print(f"     the first search after a start: {started:.0f} ms")
    print(f"     the first list after a new name: at most {max(changed):.1f} ms")
    csv = await _milliseconds(pages, "account=Lab&format=csv", cookie)
    print(f"     all of them as CSV: {csv:.0f} ms")
    return [
        Figure(
            "a page of 50 of 100,000 product instances, the slowest of offsets and searches",
            max(asked),
            _LIMIT,
            "ms",
            "20 ms",
            1,
            asked,
        )
    ]


async def _milliseconds(app: Callable[..., Awaitable[None]], query: str, cookie: bytes) -> float:
    status: list[int] = []

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()  # a GET has no body, and nobody disconnects
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            status.append(message["status"])

    path = "/licensing/instances"
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"ssm"), (b"cookie", cookie)],
        "scheme": "https",
        "server": ("ssm", 443),
        "client": ("ssm", 1),
    }
    began = time.perf_counter()
    await app(scope, receive, send)
    took = (time.perf_counter() - began) * 1000
    assert status == [200], (query, status)
    return took


def _site(folder: Path) -> tuple[Site, User]:
    machine = LicensingMachine()
    machine.load(_rows(machine))
    config = configure()
    context = NodeContext("primary", folder, config, lambda: _STATUS)
    serving = Serving(context, machine, cast(Any, _Ledger()), cast(Any, None))
    site = Site(serving, Sessions(b"k" * 32, config.cluster), Live(context.status))
    return site, machine.state.users["admin"]


_STATUS: dict[str, Any] = {"active": "primary", "mode": "cluster", "node": "primary"}


def _rows(machine: LicensingMachine) -> Sequence[tuple[str, str, bytes]]:
    """As a journal holds them."""
    machine.state = state = State()
    account = Account(name="Lab", smart_account="S", virtual_account="V")
    state.accounts["Lab"] = account
    password = users.hashed("a good password", lambda count: bytes(count), made_here=True)
    state.users["admin"] = User(name="admin", role=UserRole.ADMINISTRATOR, password=password, created_at=0.0)
    now = time.time()
    for number in range(_INSTANCES):
        piid = f"{number:08x}-0000-4000-8000-000000000000"
        state.instances[piid] = Instance(
            piid=piid,
            name=f"device-{number:06d}",
            udi=Udi(pid=_TYPES[number % len(_TYPES)], sn=f"N{number:08d}"),
            software_id="regid.2017-05.com.cisco.C9300,v1_727af1d9-6c39-4444-b301-863f81445b72",
            account="Lab",
            virtual_account="Default",
            public_key=number.to_bytes(91, "big"),
            certificate_serial=f"{number:x}",
            registered_at=now - number,
            last_contact=now - number % 86_400,
            last=LastMessage(sequence=1, message_id="m", meaning="x", result=Acknowledged()),
        )
    keys = [("account", "Lab"), ("user", "admin"), *(("instance", piid) for piid in state.instances)]
    return [(kind, key, machine.row(kind, key) or b"") for kind, key in keys]
