"""A toy service: counters that each write moves exactly once. It stands for the licensing domain."""

from __future__ import annotations

import json
import os
import signal
import ssl
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from mock_server.cluster import identity
from mock_server.cluster.machine import ASGIApp, ControlHandler, Ledger, NodeContext
from mock_server.errors import SmartlicError


class ToyMachine:
    """Aggregates: ("counter", name) -> its value, ("write", id) -> how often it was applied."""

    def __init__(self) -> None:
        self.counters: dict[str, int] = {}
        self.writes: dict[str, int] = {}

    def reset(self) -> None:
        self.counters = {}
        self.writes = {}

    def load(self, rows: Iterable[tuple[str, str, bytes]]) -> None:
        for kind, key, body in rows:
            (self.counters if kind == "counter" else self.writes)[key] = int(body)

    def apply(self, payload: bytes) -> Collection[tuple[str, str]]:
        change = json.loads(payload)
        counter, write = change["counter"], change["id"]
        if change["add"] == 0:
            self.counters.pop(counter, None)
        else:
            self.counters[counter] = self.counters.get(counter, 0) + change["add"]
        self.writes[write] = self.writes.get(write, 0) + 1
        return (("counter", counter), ("write", write))

    def row(self, kind: str, key: str) -> bytes | None:
        value = (self.counters if kind == "counter" else self.writes).get(key)
        return None if value is None else str(value).encode()


def change(write: str, counter: str = "c", add: int = 1) -> bytes:
    """A change of the toy machine."""
    return json.dumps({"id": write, "counter": counter, "add": add}).encode()


class ToyService:
    """/add?id=&counter= adds one; /counter/<name> reads; /dump gives all; /events the journal."""

    def __init__(self, context: NodeContext) -> None:
        self.context = context
        self.machine = ToyMachine()
        self.ledger: Ledger | None = None
        self.control: Mapping[str, ControlHandler] = {"dump": self._dump, "key": self._key, "die": self._die}
        self.hooks: defaultdict[str, int] = defaultdict(int)

    async def activate(self, ledger: Ledger) -> None:
        self.ledger = ledger
        if "made-keys" not in self.machine.writes:
            certificate, key = identity.make("toy")
            ledger.propose(change("made-keys", "keys"), {"toy": certificate + key})
            await ledger.settled()

    def deactivate(self) -> None:
        self.ledger = None

    async def torn_down(self) -> None:
        """Noted as a change, so that a test sees that it was called."""
        if self.ledger is not None and "torn-down" not in self.machine.writes:
            self.ledger.propose(change("torn-down", "teardowns"))
            await self.ledger.settled()

    def pages(self, _keys: Mapping[str, bytes]) -> tuple[ASGIApp, ssl.SSLContext | None]:
        return self._pages, None

    async def _pages(self, _scope: Any, _receive: Any, send: Any) -> None:
        body = json.dumps({"discarded": dict(self.machine.counters)}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def applied(self, payload: bytes) -> None:
        self.hooks[f"{len(payload)} bytes"] += 1

    def device_tls(self) -> ssl.SSLContext | None:
        if not (self.context.folder / "toy-tls").exists() or self.ledger is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:
            Path(file.name).write_bytes(self.ledger.key("toy"))
            context.load_cert_chain(file.name)
        return context

    def gui_tls(self) -> ssl.SSLContext | None:
        return None

    def device_app(self) -> ASGIApp:
        return self._app

    def gui_app(self) -> ASGIApp:
        return self._app

    async def _app(self, scope: Any, _receive: Any, send: Any) -> None:
        try:
            status, answer = await self._answer(scope)
        except SmartlicError as error:
            status, answer = 503, error.as_dict()
        body = json.dumps(answer).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if status == 503:
            headers.append((b"retry-after", b"1"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Any) -> tuple[int, Any]:
        ledger, machine = self.ledger, self.machine
        path = scope["path"]
        if ledger is None:
            return 500, "asked before it was activated"
        if path == "/add":
            query = {key: values[0] for key, values in parse_qs(scope["query_string"].decode()).items()}
            if query["id"] not in machine.writes:
                ledger.propose(change(query["id"], query.get("counter", "c"), int(query.get("add", "1"))))
            answer: Any = {"index": ledger.index, "node": self.context.name, "epoch": ledger.epoch}
        elif path == "/dump":
            answer = {"counters": dict(machine.counters), "writes": dict(machine.writes)}
        elif path == "/events":
            events = await ledger.read_events(0, 1000, newest_first=True)
            answer = [event.index for event in events]
        else:
            value = machine.counters.get(path.rpartition("/")[2], 0)
            answer = {"value": value, "node": self.context.name}
        await ledger.settled()
        return 200, answer

    async def _dump(self, _request: dict[str, Any]) -> dict[str, Any]:
        return {"counters": dict(self.machine.counters), "writes": len(self.machine.writes)}

    async def _die(self, _request: dict[str, Any]) -> dict[str, Any]:
        """End before the answer, Active or not."""
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    async def _key(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"pem": self.ledger.key(request["name"]).decode() if self.ledger else ""}


def factory(context: NodeContext) -> ToyService:
    return ToyService(context)


def broken(context: NodeContext) -> ToyService:
    """A service that cannot be activated."""
    service = ToyService(context)

    async def activate(_ledger: Ledger) -> None:
        raise RuntimeError("no")

    service.activate = activate  # type: ignore[assignment,method-assign]
    return service
