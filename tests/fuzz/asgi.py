"""One request to an ASGI application, without network, in one event loop for all of them."""

from __future__ import annotations

import asyncio
import logging
import re
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

__all__ = ["Caller", "Failures", "written"]

Headers = Sequence[tuple[bytes, bytes]]


class Written(NamedTuple):
    """A request, as an input has it in text."""

    method: str
    path: bytes
    query: bytes
    headers: Headers
    body: bytes


_LINE = re.compile(rb"([A-Z]{1,10}) ([!-~]+)")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*)")
"""What uvicorn lets through (RFC 9110, section 5)."""


def written(data: bytes, words: Mapping[bytes, bytes]) -> Written | None:
    """A line with method and path, headers, an empty line, the body; `words` stand for their values."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    asked = _LINE.fullmatch(first)
    if asked is None:
        return None
    for word, value in words.items():
        body = body.replace(word, value)
        lines = [line.replace(word, value) for line in lines]
    fields = [found for line in lines if (found := _FIELD.fullmatch(line))]
    headers = [(found[1].lower(), found[2].strip()) for found in fields]
    headers = [one for one in headers if one[0] not in (b"content-length", b"transfer-encoding")]
    path, _, query = asked[2].partition(b"?")
    return Written(asked[1].decode(), path, query, headers, body)


class Caller:
    def __init__(self, app: Any) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        weakref.finalize(self, self._loop.close)

    def call(
        self, method: str, path: bytes, query: bytes, headers: Headers, body: bytes
    ) -> tuple[int, Mapping[bytes, bytes], bytes]:
        """Status, headers and body of the answer. `path`: as it is sent."""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": unquote(path.decode("latin-1")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": [*headers, (b"content-length", str(len(body)).encode())],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8443),
        }
        sent: list[Any] = []
        unread = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            return unread.pop() if unread else await asyncio.get_running_loop().create_future()

        async def send(message: Any) -> None:
            sent.append(message)

        self._loop.run_until_complete(self._app(scope, receive, send))
        parts = [one.get("body", b"") for one in sent[1:]]
        return sent[0]["status"], dict(sent[0]["headers"]), b"".join(parts)


class Failures(logging.Handler):
    """An application answers 500 for what it did not foresee, and logs it: here it is raised again."""

    def __init__(self, name: str) -> None:
        super().__init__(logging.ERROR)
        self._met: list[BaseException] = []
        logger = logging.getLogger(name)
        logger.addHandler(self)
        logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self._met.append(record.exc_info[1])

    def tell(self) -> None:
        if self._met:
            met = self._met[:]
            self._met.clear()
            raise met[0]
