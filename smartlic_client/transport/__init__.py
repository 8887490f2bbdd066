"""How a message reaches the server: the TLS handshake with the name check inside, and the drivers over it.

`urls` reads destination URLs, `tls` makes the one kind of TLS context that is used, `errors` turns whatever
happens below into problems, `sync` sends on requests, `aio` on httpx, and `common` is what these two share.
No driver is imported here: each costs its library.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MAX_ANSWER", "HttpAnswer"]

MAX_ANSWER = 1024 * 1024
"""Bytes of an answer's body that are read at most; a licensing answer is a few KiB."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer that may be read; to a licensing message: 2xx, or 4xx whose body is JSON or XML.

    `status`: the HTTP status. `content_type`: media type in lower case, without parameters. `retry_after`:
    seconds, or None. `body`: at most `MAX_ANSWER` bytes, or the limit of its request. `location`: where a
    redirect leads.
    """

    status: int
    content_type: str
    retry_after: float | None
    body: bytes
    location: str = ""
