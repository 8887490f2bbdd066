"""The charts, and the stream that tells open pages of changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec
from starlette.responses import Response, StreamingResponse

from mock_server.cluster.config import Layout
from mock_server.cluster.listeners import DRAINING, Draining
from mock_server.cluster.witness import Record
from mock_server.domain import licenses
from mock_server.domain.state import pool_key
from mock_server.pages import charts
from mock_server.pages.visit import Visit

__all__ = ["PAGES", "live", "stays"]


async def live(visit: Visit) -> Response:
    """Server-sent events until the session ends or this server is Active no more."""
    site, session = visit.site, visit.session

    def allowed() -> bool:
        sessions = site.sessions
        same = sessions.user(session, site.serving.state) is not None
        return same and time.time() - session.began < sessions.longest

    stream = site.live.stream(visit.request.scope.get(DRAINING) or Draining(), allowed)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"cache-control": "no-store"})


async def use(visit: Visit) -> Response:
    account, place = visit.account()
    pool = licenses.find(visit.state, account, place, visit.query.get("license", ""))
    key = pool_key(pool.account, pool.virtual_account, pool.tag)
    points = visit.serving.machine.use.of(key, pool, visit.serving.now())
    await visit.serving.ledger.settled()
    return _svg(charts.use(points))


async def lag(visit: Visit) -> Response:
    return _svg(charts.lag(list(visit.site.live.lag)))


async def roles(visit: Visit) -> Response:
    return _svg(charts.roles(await stays(visit)))


def _svg(document: bytes) -> Response:
    headers = {"content-security-policy": charts.CSP, "cache-control": "no-store"}
    return Response(document, media_type="image/svg+xml", headers=headers)


async def stays(visit: Visit) -> list[charts.Stay]:
    """Which server was Active, by the witness's records: both servers write them."""
    folder = Layout(visit.site.context.folder).witness
    return await asyncio.to_thread(_stays, folder, time.time())


def _stays(folder: Path, now: float) -> list[charts.Stay]:
    records: list[tuple[float, Record]] = []
    for path in folder.glob("[0-9]*.json"):
        try:
            records.append((path.stat().st_mtime, msgspec.json.decode(path.read_bytes(), type=Record)))
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            continue  # pruned just now; what is damaged, the node says itself
    records.sort(key=lambda one: one[1].number)
    found: list[charts.Stay] = []
    for place, (begin, record) in enumerate(records):
        end = records[place + 1][0] if place + 1 < len(records) else now
        if found and found[-1][2] == record.active:
            found[-1] = (found[-1][0], end, record.active)
        else:
            found.append((begin, end, record.active))
    return found


PAGES: Final[Mapping[str, Callable[[Visit], Awaitable[Response]]]] = {
    "/charts/use.svg": use,
    "/charts/lag.svg": lag,
    "/charts/roles.svg": roles,
}
