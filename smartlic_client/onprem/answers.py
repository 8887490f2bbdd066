"""What an answer of the REST API means, when it is not what was asked for. Pure.

A refusal says, besides its problem, whether the server is known not to have done what was asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from smartlic_client.errors import (
    AnswerError,
    CommunicationError,
    Problem,
    RefusedError,
    RemoteError,
    SmartlicError,
    problem,
)
from smartlic_client.onprem.reading import UnreadableError, parse
from smartlic_client.transport import HttpAnswer
from smartlic_client.transport.errors import answer_too_large, http_error, server_unavailable
from smartlic_client.transport.urls import Destination

__all__ = [
    "CLIENT_REFUSED",
    "MAYBE_DONE",
    "Refusal",
    "judge",
    "of_transport",
    "refusal",
    "said",
    "unreadable",
]

CLIENT_REFUSED = problem(
    "api-client-refused",
    RefusedError,
    "{host} gives no access token for {who}: {why}.",
    "Check the client ID and its secret (API Toolkit of the local account), or the user and the password. "
    "A secret "
    "that was lost is made anew there.",
)
_FORBIDDEN = problem(
    "api-forbidden",
    RefusedError,
    "{host} does not allow this client to {what}: {why}.",
    "A client is for one local account: check the account's name, and in its API Toolkit what the client "
    "may do.",
)
_NOT_FOUND = problem(
    "api-not-found",
    RefusedError,
    "{host} cannot {what}, since something is not there: {why}.",
    "Check the names of the local account and of the virtual account; ask for the lists of them.",
)
_REFUSED = problem(
    "api-refused",
    RefusedError,
    "{host} does not {what}: {why}.",
    "Change what the server says, and ask again.",
)
_RATE_LIMITED = problem(
    "api-rate-limited",
    CommunicationError,
    "{host} was asked too often, and did not {what}.",
    "Ask less often, or let the client wait longer (wait=).",
)
_REDIRECTED = problem(
    "api-redirected",
    AnswerError,
    "{host} redirects to {location!r} (HTTP {status}), and the access token goes to the named server only.",
    "Give the URL of the REST API itself, and look who redirects: often a portal or a proxy in the way.",
)
_UNREADABLE = problem(
    "api-answer-unreadable",
    AnswerError,
    "The answer of {url} cannot be read: {why}.",
    "Check host and port, and the path under which the API is (/backend). If they are right, a portal or a "
    "proxy "
    "may answer in the server's place.",
)
_TOO_LARGE = problem(
    "api-answer-too-large",
    AnswerError,
    "The answer of {url} has more than {limit} bytes.",
    "Ask for a list in pages (page_size=). If it is no list, something else answers there.",
)
MAYBE_DONE = problem(
    "api-maybe-done",
    RemoteError,
    "It is not known whether {host} did what it was asked for ({what}): {why}",
    "Look whether it is done before you ask again.",
)

_MOST_SAID: Final = 300
_WORDS: Final = ("statusMessage", "error_description", "message", "error")
_FAILED: Final = ("ERROR", "FAILED", "FAILURE")


@dataclass(frozen=True)
class Refusal:
    """`undone`: the server is known not to have done it."""

    error: RemoteError
    undone: bool


def judge(_status: int, header: Mapping[str, str], there: Destination, _now: float) -> SmartlicError | None:
    """Every body is read; only one that is packed could unpack to any size."""
    if header.get("content-encoding", "identity").lower() != "identity":
        return unreadable(there, "it is compressed, and that was not asked for")
    return None


def of_transport(error: RemoteError, there: Destination) -> RemoteError:
    """What a transport says, which speaks of licensing messages, in words of the API."""
    if error.code == answer_too_large.code:
        return _made(_TOO_LARGE, there, limit=error.context["limit"])
    return error


def unreadable(there: Destination, why: str) -> RemoteError:
    return _made(_UNREADABLE, there, why=why)


def refusal(answer: HttpAnswer, there: Destination, what: str) -> Refusal | None:
    """What stands against the answer; None where its body is what was asked for."""
    status, told = answer.status, _object(answer)
    facts: dict[str, Any] = {
        "what": what,
        "status": status,
        "why": said(told),
        "server_code": _line(told.get("code")),
    }
    if 200 <= status < 300:
        failed = str(told.get("status", "")).upper() in _FAILED
        return Refusal(_made(_REFUSED, there, **facts), undone=True) if failed else None
    if status == 429:
        return Refusal(_made(_RATE_LIMITED, there, answer.retry_after, **facts), undone=True)
    if status in (502, 503, 504):
        undone = status == 503 or (status == 502 and _is_of_api(told))
        return Refusal(_made(server_unavailable, there, answer.retry_after, **facts), undone)
    if 300 <= status < 400:
        return Refusal(_made(_REDIRECTED, there, location=answer.location[:500], **facts), undone=True)
    if status >= 500 or status < 200:
        return Refusal(_made(http_error, there, **facts), undone=False)
    if not _is_of_api(told) and status not in (401, 403):
        kind = answer.content_type or "no content type"
        return Refusal(unreadable(there, f"it is HTTP {status} with {kind}, and no error of the API"), True)
    return Refusal(_made(_BY_STATUS.get(status, _REFUSED), there, **facts), undone=True)


_BY_STATUS: Final = {401: _FORBIDDEN, 403: _FORBIDDEN, 404: _NOT_FOUND}


def said(told: Mapping[str, Any]) -> str:
    """What an error says in its own words, on one line. RFC 6749, section 5.2, has other names for it."""
    for name in _WORDS:
        if words := _line(told.get(name)):
            return words.rstrip(".")
    return "it does not say why"


def _is_of_api(told: Mapping[str, Any]) -> bool:
    """Whether it has the form of the API's errors, and not that of a page or of something in between."""
    return any(isinstance(told.get(name), str) for name in ("status", *_WORDS))


def _object(answer: HttpAnswer) -> Mapping[str, Any]:
    try:
        return parse(answer.body)
    except UnreadableError:
        return {}


def _line(text: object) -> str:
    if not isinstance(text, str):
        return ""
    plain = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(plain.split())[:_MOST_SAID]


def _made(kind: Problem, there: Destination, retry_after: float | None = None, **facts: Any) -> RemoteError:
    where = {"url": there.url, "host": there.host.text, "port": there.port}
    error = kind(retry_after=retry_after, **{**where, **facts})
    assert isinstance(error, RemoteError)  # noqa: S101 - narrows the type
    return error
