"""What is seen of a cluster while a play goes on: both servers' states, and requests of clients.

A thread samples the status, and each probe has a thread of its own. All are bounded, and end with the watch.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from mock_server.demo.probes import PERIOD, Probe, Trace
from mock_server.demo.scenario import Probed
from mock_server.demo.stage import Stage, seen_by_active
from smartlic_client.errors import SmartlicError

__all__ = ["Stay", "View", "Watch", "Watched", "watching"]

STAYS = 2000
"""Changes of the servers' states that are kept; a run that has more keeps the first ones."""
_KINDS = {"gui": "pages", "devices": "products"}
_PLACES = {"vip": "the VIP", "primary": "the Primary", "secondary": "the Secondary"}


@dataclass(frozen=True)
class View:
    """Both servers at one moment, in words."""

    primary: str
    secondary: str
    vip: str
    heartbeat: str
    replication: str


@dataclass
class Stay:
    """Unix seconds from when to when it was seen so. `lag`: how many changes a Standby was behind at most."""

    view: View
    start: float
    end: float
    lag: int = 0


@dataclass
class Watched:
    """`began`, `ended`: Unix seconds."""

    began: float
    ended: float = 0.0
    stays: list[Stay] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)

    def saw(self, view: View, lag: int, at: float) -> None:
        last = self.stays[-1] if self.stays else None
        if last is not None:
            last.end = at
        if (last is None or last.view != view) and len(self.stays) < STAYS:
            self.stays.append(Stay(view, at, at, lag))
        elif last is not None:
            last.lag = max(last.lag, lag)


class Watch:
    """`act`: the act of the play that is on, for the figures."""

    def __init__(self, act: str) -> None:
        self.act = act
        self.watched = Watched(time.time())
        self._stop = threading.Event()

    def sample(self, stage: Stage) -> None:
        for _ in self._rounds():
            self._look(stage)
        self._look(stage)  # as it is at the end

    def _look(self, stage: Stage) -> None:
        with contextlib.suppress(SmartlicError):  # the cluster does not tell now
            self.watched.saw(*view_of(stage.ask("status")), time.time())

    def probe(self, ask: Callable[[], Any], trace: Trace) -> None:
        trace.begin(time.time())
        for _ in self._rounds():
            trace.add(ask(), self.act)
        trace.end(time.time())

    def end(self) -> None:
        self._stop.set()
        self.watched.ended = time.time()

    def _rounds(self) -> Iterator[None]:
        """At least one; then one a period, or at once when the last one took longer, until the watch ends."""
        following = time.monotonic()
        while True:
            yield
            following = max(following + PERIOD, time.monotonic())
            if self._stop.wait(max(0.0, following - time.monotonic())):
                return


@contextlib.contextmanager
def watching(stage: Stage, probed: Iterable[Probed], act: str) -> Iterator[Watch]:
    """A watch over a cluster that is up. A defect of a thread is raised at its end."""
    watch = Watch(act)
    probes = [(_probe(stage, where, kind), _title(where, kind)) for where, kind in probed]
    with ThreadPoolExecutor(len(probes) + 1, thread_name_prefix="watch") as pool:
        threads = [pool.submit(watch.sample, stage)]
        for probe, title in probes:
            watch.watched.traces.append(Trace(title))
            threads.append(pool.submit(watch.probe, probe.ask, watch.watched.traces[-1]))
        try:
            yield watch
        finally:
            watch.end()
    for thread in threads:
        thread.result()


def _probe(stage: Stage, where: str, kind: Any) -> Probe:
    address = stage.config.vip if where == "vip" else stage.config.node(where)
    port = address.gui_port if kind == "gui" else address.device_port
    return Probe(address.host, port, kind, str(stage.anchor))


def _title(where: str, kind: str) -> str:
    return f"{_KINDS[kind]} by {_PLACES[where]}"


def view_of(found: dict[str, Any]) -> tuple[View, int]:
    """The answer of the control op `status` in words, and how many changes the Standby is behind.

    A server is as the Active sees it; where there is none, as it tells of itself.
    """
    active = found["active"]
    told = seen_by_active(found)
    servers = told["servers"]
    slave = next((name for name, one in servers.items() if one["database"] == "Replication Slave"), None)
    view = View(
        primary=_role(servers["primary"]),
        secondary=_role(servers["secondary"]),
        vip=_holder(told, active),
        heartbeat=str(told["heartbeat"]),
        replication=f"{active.capitalize()} → {slave.capitalize()}" if active and slave else "none",
    )
    return view, int(told["lag"] or 0)


def _role(server: dict[str, Any]) -> str:
    if server["process"] == "gone":
        return f"{server['role']}, gone"
    return f"{server['role']}, stopped" if server["cluster"] == "stopped" else str(server["role"])


def _holder(told: dict[str, Any], active: str | None) -> str:
    holder = told["vip"]["holder"] if active else None
    return str(holder).capitalize() if holder else "nobody"
