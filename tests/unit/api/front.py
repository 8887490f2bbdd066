"""The API over a real domain, without network and disks; a client that speaks ASGI to it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import msgspec

from mock_server.api.app import ApiEndpoint
from mock_server.api.paths import is_of_api
from mock_server.cluster.config import configure
from mock_server.cluster.machine import NodeContext
from mock_server.cluster.problems import NOT_ACTIVE
from mock_server.domain import accounts, api_clients, events, licenses, tokens, users, virtual_accounts
from mock_server.domain.state import State, UserRole
from mock_server.serving import Serving
from tests.unit.domain.world import NOW, Ledger, Server, Speaker, tag

__all__ = ["PASSWORD", "Answer", "Front"]

PASSWORD = "correct horse"
Part = bytes | float


@dataclass(frozen=True)
class Answer:
    """`parts`: the body as it was sent."""

    status: int
    headers: Mapping[str, str]
    parts: Sequence[bytes]

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json"
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str:
        """Of an error, which has to have all that an error has."""
        said = self.json
        assert said["status"] == "ERROR"
        assert 0 < len(said["statusMessage"]) <= 500
        assert said["mend"]
        return str(said["code"])


class KeyLedger(Ledger):
    """With a key store. `on_settled`: called before an answer may leave."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.machine)
        self.keys: dict[str, bytes] = {}
        self.waits = 0
        self.failing = False

    def propose(self, payload: bytes, keys: Mapping[str, bytes] = {}) -> int:
        self.keys.update(keys)
        return super().propose(payload)

    async def settled(self, index: int | None = None) -> None:
        await super().settled(index)
        self.waits += 1
        if self.failing:
            raise NOT_ACTIVE(node="primary", state="Standby", retry_after=1, kept="unknown")

    def key(self, name: str) -> bytes:
        return self.keys[name]


class _Serving(Serving):
    """At the test's time."""

    clock = NOW

    def now(self) -> float:
        return self.clock


class Front:
    """A server with the accounts `Lab` and `Other`, each with a virtual account `Branch`, some licenses and
    an API client; and the user `anna`."""

    def __init__(self, body_seconds: float = 5.0) -> None:
        self.server = Server(lambda: NOW, random.Random(7))
        self.ledger = self.server.ledger = KeyLedger(self.server)
        context = NodeContext("primary", Path("nowhere"), configure(), dict)
        self.serving = _Serving(context, self.server.machine, cast("Any", self.ledger), cast("Any", None))
        self.active: Serving | None = self.serving
        self.app = ApiEndpoint(self._active, body_seconds)
        self.chance = random.Random(8)
        commit = self.server.commit
        commit(accounts.create_account(self.state, "Other", "S", "V"))
        for account in ("Lab", "Other"):
            commit(virtual_accounts.create(self.state, account, "Branch"))
            commit(licenses.purchase(self.state, account, "Default", tag(1), "DNA", 10))
            commit(licenses.purchase(self.state, account, "Default", tag(2), "Other thing", 5))
        kept = users.hashed(PASSWORD, self.chance.randbytes, made_here=True)
        commit(users.add(self.state, "anna", UserRole.ADMINISTRATOR, kept, by="t", now=NOW))
        self.clients = {account: self.client(account) for account in ("Lab", "Other")}
        self.bearer = self.sign_in("Lab")

    def _active(self) -> Serving:
        if self.active is None:
            raise NOT_ACTIVE(node="primary", state="Standby", retry_after=1)
        return self.active

    @property
    def state(self) -> State:
        return self.server.state

    def client(self, account: str) -> tuple[str, str]:
        happened, client_id, secret = api_clients.create(
            self.state, account, "robot", now=NOW, random=self.chance.randbytes, by="t"
        )
        self.server.commit(happened)
        return client_id, secret

    def sign_in(self, account: str) -> str:
        """An access token of the account's client."""
        client_id, secret = self.clients[account]
        asked = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        return str(self.call("POST", "/oauth/token", asked, bearer=None).json["access_token"])

    def id_token(self, account: str = "Lab", virtual_account: str = "Default") -> str:
        happened, token = tokens.create_token(
            self.state,
            account,
            virtual_account,
            days=30,
            uses=None,
            description="",
            export_controlled=False,
            now=NOW,
            random=self.chance.randbytes,
        )
        self.server.commit(happened)
        return token.reveal()

    def register(self, sn: str, token: str, uses: int = 0) -> Speaker:
        """A product instance that uses so many of license 1."""
        speaker = Speaker(sn=sn)
        decision = self.server.decide(speaker.say(speaker.registration(token)))
        assert decision.problem is None
        speaker.piid = decision.piid
        if uses:
            self.server.decide(speaker.say(speaker.authorization({tag(1): uses})))
        return speaker

    def log(self) -> list[tuple[str, events.Event]]:
        """Who did what."""
        return [(change.by, event) for change in self.ledger.changes for event in change.events]

    def get(self, path: str, **more: Any) -> Answer:
        return self.call("GET", path, **more)

    def post(self, path: str, said: Any = None, **more: Any) -> Answer:
        return self.call("POST", path, said, **more)

    def call(
        self,
        method: str,
        path: str,
        said: Any = None,
        *,
        bearer: str | None = "",
        content_type: str | None = None,
        headers: Sequence[tuple[bytes, bytes]] = (),
        parts: Sequence[Part] | None = None,
    ) -> Answer:
        """`said`: bytes as they are, all else as JSON. `bearer`: "" for that of Lab's client. `parts`: of the
        body; a number is a pause in seconds."""
        raw = said if isinstance(said, bytes) else b"" if said is None else msgspec.json.encode(said)
        if content_type is None:
            content_type = "application/json"
        sent = [(b"content-type", content_type.encode())] if content_type else []
        if bearer is not None:
            sent.append((b"authorization", f"Bearer {bearer or self.bearer}".encode()))
        length = (b"content-length", str(len(raw)).encode())
        sent.append(length if parts is None else (b"transfer-encoding", b"chunked"))
        return asyncio.run(
            _speak(self.app, method, path, [*sent, *headers], [raw] if parts is None else parts)
        )


async def _speak(
    app: ApiEndpoint,
    method: str,
    path: str,
    headers: Sequence[tuple[bytes, bytes]],
    parts: Sequence[Part],
) -> Answer:
    raw, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": unquote(raw),
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "headers": list(headers),
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8443),
    }
    left = list(parts)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        while left:
            part = left.pop(0)
            if isinstance(part, bytes):
                return {"type": "http.request", "body": part, "more_body": bool(left)}
            await asyncio.sleep(part)
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def send(message: Any) -> None:
        sent.append(message)

    assert is_of_api(scope)
    await app(scope, receive, send)
    named = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], named, [one["body"] for one in sent[1:] if one.get("body")])
