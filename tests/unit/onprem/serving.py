"""A REST API on a real TLS listener that answers as a test says, and both clients with one face."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from smartlic_client.onprem import AsyncOnPremApi, OnPremApi
from tests.unit.client.tls_servers import Authority, Certificate, RawServer, http

T = TypeVar("T")

AUTHORITY = Authority()
CERTIFICATE = AUTHORITY.issue("127.0.0.1")
SECRET = "s" * 64
BOTH = ("sync", "async")


@dataclass
class Asked:
    """A request as it came. `path`: still encoded."""

    method: str
    path: str
    query: dict[str, str]
    header: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def bearer(self) -> str:
        return self.header["authorization"].removeprefix("Bearer ")


@dataclass
class Answer:
    body: Any = field(default_factory=dict)
    status: str = "200 OK"
    header: tuple[str, ...] = ()
    content_type: str = "application/json"

    def octets(self) -> bytes:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        return http(self.status, *self.header, body=body, content_type=self.content_type)


Given = Answer | None
"""None: the connection is closed in place of an answer."""


class Api(RawServer):
    """Gives access tokens t1, t2, …; what else it answers is up to `answer`. `asked`: all but those."""

    def __init__(
        self,
        answer: Callable[[Asked], Given] = lambda _: Answer(),
        certificate: Certificate = CERTIFICATE,
        grant: Callable[[int], Given] = lambda number: granted(number),
        host: str = "127.0.0.1",
    ) -> None:
        self._answer = answer
        self._grant = grant
        self.asked: list[Asked] = []
        self.grants: list[Asked] = []
        super().__init__(certificate, self._handle, host)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def _handle(self, connection: ssl.SSLSocket, octets: bytes) -> None:
        asked = _read(octets)
        if asked.path.endswith("/oauth/token"):
            self.grants.append(asked)
            answer = self._grant(len(self.grants))
        else:
            self.asked.append(asked)
            answer = self._answer(asked)
        if answer is None:
            connection.close()
        else:
            connection.sendall(answer.octets())


def granted(number: int, expires_in: Any = 3600) -> Answer:
    return Answer({"access_token": f"t{number}", "token_type": "Bearer", "expires_in": expires_in})


def in_turn(*answers: Given) -> Callable[[Asked], Given]:
    """One after the other."""
    left = iter(answers)
    return lambda _: next(left)


def _read(octets: bytes) -> Asked:
    head, _, body = octets.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, target, _ = first.split(" ")
    parts = urlsplit(target)
    header = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Asked(method, parts.path, dict(parse_qsl(parts.query)), header, body)


Work = Callable[[Any], Any]


def ask(kind: str, server: Api, *works: Work, **settings: Any) -> list[Any]:
    """What `works` give, one after the other, with one client of the kind. Pauses take no time.

    A list of a client comes as a list. `pauses`, if given, is where the seconds of each pause go.
    """
    given = {"client_id": "me", "client_secret": SECRET, "trust": AUTHORITY.pem} | settings
    pauses: list[float] = given.pop("pauses", [])
    url = given.pop("url", server.url)
    if kind == "sync":
        with OnPremApi(url, sleep=pauses.append, **given) as api:
            return [_whole(work(api)) for work in works]
    return asyncio.run(_ask(url, given, pauses, works))


async def _ask(url: str, given: dict[str, Any], pauses: list[float], works: tuple[Work, ...]) -> list[Any]:
    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async with AsyncOnPremApi(url, sleep=sleep, **given) as api:
        return [await _whole_async(work(api)) for work in works]


def _whole(found: Any) -> Any:
    return list(found) if isinstance(found, Iterator) else found


async def _whole_async(found: Any) -> Any:
    if isinstance(found, AsyncIterator):
        return [each async for each in found]
    return await found if isinstance(found, Awaitable) else found
