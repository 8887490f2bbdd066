"""How the REST API is asked: one access token for all calls, retries, and changes that are never made twice.

Rules:

1. An access token is asked for when it is needed, and anew shortly before it ends. After a 401, or a 403 that
   may mean the same, the call is made once more with a new one; what is refused then is refused.
2. A failure of communication is tried again for `wait` seconds from the first one on. Retry-After is kept to;
   one that is later than that ends the call at once, and the error has it.
3. A change is tried again where nothing of it was sent, or where the server says that it did not do it: 429,
   503, and a 502 with an error of the server's own. A 502 or 504 of somebody in between says nothing of the
   sort.
4. Where a change may have been done, the error says that (`api-maybe-done`), whatever the failure was.

A talk is a generator of steps; a driver carries each out and sends the outcome back in:

| step    | it means                                                        | outcome                       |
|---------|-----------------------------------------------------------------|-------------------------------|
| `Send`  | sends the request                                               | an HttpAnswer or a RemoteError |
| `Wait`  | lets seconds pass                                               | None                          |
| `Alone` | runs the talk in it, while no other `Alone` of this client runs | None                          |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlencode

import msgspec

from smartlic_client.errors import CallerError, CommunicationError, RefusedError, RemoteError, problem
from smartlic_client.onprem.answers import (
    CLIENT_REFUSED,
    MAYBE_DONE,
    Refusal,
    judge,
    of_transport,
    refusal,
    unreadable,
)
from smartlic_client.onprem.reading import UnreadableError, parse, read
from smartlic_client.onprem.secret import Secret
from smartlic_client.protocol.timers import back_off
from smartlic_client.transport import HttpAnswer
from smartlic_client.transport.common import HttpRequest
from smartlic_client.transport.urls import Destination

__all__ = [
    "Alone",
    "Base",
    "Call",
    "Credentials",
    "Outcome",
    "Send",
    "Step",
    "Surroundings",
    "Talk",
    "Talker",
    "Wait",
]

BAD_API_URL = problem(
    "api-bad-url",
    CallerError,
    "{url!r} is no URL of a REST API: {reason}.",
    "Write it as https://HOST:8443, with the VIP or the name of the cluster for HOST.",
)
CREDENTIALS_NEEDED = problem(
    "api-credentials-needed",
    CallerError,
    "There is nothing that an access token could be asked for with: {why}.",
    "Give a client ID and its client secret (API Toolkit of the local account), or a user and a password.",
)

LARGEST = 256 * 1024 * 1024
"""Bytes of an answer that are read at most: a whole list comes in one, if it is asked for so."""
_EARLY = 10.0  # seconds before its end, or a tenth of a short life, from which a token is not used any more
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, section 2.1
_PATH_OF_ITS_OWN = re.compile(r"//[^/]*/+[^/]")
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}

T = TypeVar("T")


@dataclass(frozen=True)
class Send:
    request: HttpRequest


@dataclass(frozen=True)
class Wait:
    seconds: float
    error: RemoteError


@dataclass(frozen=True)
class Alone:
    talk: Talk[None]


Step: TypeAlias = Send | Wait | Alone
Outcome: TypeAlias = HttpAnswer | RemoteError | None
Talk: TypeAlias = Generator[Step, Outcome, T]


@dataclass(frozen=True)
class Credentials:
    """A client's ID and secret, or a user and a password, or all of them. Raises api-credentials-needed."""

    client_id: str | None = None
    client_secret: Secret | None = None
    user: str | None = None
    password: Secret | None = None

    def __post_init__(self) -> None:
        if not self.client_id and not self.user:
            raise CREDENTIALS_NEEDED(why="neither a client ID nor a user is given")
        if self.client_id and not self.client_secret:
            raise CREDENTIALS_NEEDED(why="the client secret is missing")
        if self.user and not self.password:
            raise CREDENTIALS_NEEDED(why="the password is missing")

    @property
    def who(self) -> str:
        return f"the user {self.user}" if self.user else f"the client {self.client_id}"

    def without(self, text: str) -> str:
        """A text that somebody else wrote, without the secrets if they are in it."""
        for secret in (self.client_secret, self.password):
            if secret:
                text = text.replace(secret.reveal(), "…")
        return text

    def form(self) -> bytes:
        """The body that asks for a token (RFC 6749, sections 4.3.2 and 4.4.2, and 2.3.1 for the client)."""
        fields = {"grant_type": "password" if self.user else "client_credentials"}
        if self.user and self.password:
            fields |= {"username": self.user, "password": self.password.reveal()}
        if self.client_id and self.client_secret:
            fields |= {"client_id": self.client_id, "client_secret": self.client_secret.reveal()}
        return urlencode(fields).encode()


@dataclass(frozen=True)
class Base:
    """Where the API is. `path`: what stands before its routes, `/backend` or nothing."""

    root: Destination
    path: str

    @classmethod
    def parse(cls, url: str, base: str) -> Base:
        """`base` is taken where the URL has no path of its own. Raises api-bad-url, bad-host."""
        try:
            root = Destination.parse(url)
            path = root.path if _PATH_OF_ITS_OWN.search(url) else f"/{base.strip('/')}"
            Destination.parse(f"https://{root.authority}{path}")  # so that `base` is checked too
        except CallerError as error:
            if error.code not in ("bad-url", "not-https"):
                raise
            reason = error.context.get("reason", "it is no https URL")
            raise BAD_API_URL(url=error.context["url"], reason=reason) from None
        return cls(root, path.rstrip("/"))

    def at(self, path: str) -> Destination:
        root = self.root
        path = self.path + path
        return Destination(root.host, root.port, path, f"https://{root.authority}{path}", root.kind)


@dataclass(frozen=True)
class Call:
    """One request of a route. `what`: the same in words. `changes`: it is no mere question."""

    path: str
    what: str
    method: str = "POST"
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    changes: bool = False


@dataclass(frozen=True)
class Surroundings:
    """`now`: seconds on a clock that nobody sets. `chance`: in [0, 1)."""

    now: Callable[[], float]
    chance: Callable[[], float]


class Talker:
    """The talks of one client. Its driver runs them, several at once if it likes."""

    def __init__(self, base: Base, credentials: Credentials, wait: float, around: Surroundings) -> None:
        self._base = base
        self._credentials = credentials
        self._wait = wait
        self._around = around
        self._token: Secret | None = None
        self._ends: float | None = None

    def ask(self, call: Call) -> Talk[Mapping[str, Any]]:
        """The answer to a call, an object. Raises RemoteError."""
        patience = _Patience(self._wait, self._around)
        while True:
            token, fresh = yield from self._current()
            there = self._base.at(call.path)
            outcome = yield Send(_request(call, there, token))
            if isinstance(outcome, HttpAnswer) and outcome.status in (401, 403) and not fresh:
                self._drop(token)
                continue
            found = _read(outcome, there, call.what)
            if not isinstance(found, Refusal):
                return found
            if call.changes and not found.undone:
                raise _maybe_done(call, there, found.error) from found.error
            yield patience.wait(found.error)

    def unreadable(self, call: Call, why: str) -> RemoteError:
        """The error that an answer to a call is, whose content cannot be read."""
        there = self._base.at(call.path)
        error = unreadable(there, why)
        return _maybe_done(call, there, error) if call.changes else error

    # ---- the access token ---------------------------------------------------------------------------------
    def _current(self) -> Talk[tuple[Secret, bool]]:
        """A token that can be used, and whether it was asked for just now."""
        token, fresh = self._token, False
        if token is None or (self._ends is not None and self._around.now() >= self._ends):
            yield Alone(self._renew(token))
            token, fresh = self._token, True
        if token is None:
            raise RuntimeError("a driver runs an Alone to its end, or raises what it raises")
        return token, fresh

    def _drop(self, token: Secret) -> None:
        if self._token is token:
            self._token = None

    def _renew(self, former: Secret | None) -> Talk[None]:
        """Ask for a token, unless somebody else has done so meanwhile."""
        patience, there = _Patience(self._wait, self._around), self._base.at("/oauth/token")
        while self._token is former or self._token is None:
            body = self._credentials.form()
            request = HttpRequest(there, header=_FORM, body=body, judge=judge)
            asked = self._around.now()
            found = _read((yield Send(request)), there, "give an access token")
            if isinstance(found, Refusal):
                yield patience.wait(self._refused(found.error, there))
                continue
            self._keep(found, there, asked)

    def _keep(self, answer: Mapping[str, Any], there: Destination, asked: float) -> None:
        try:
            grant = read(_Grant, answer)
        except UnreadableError as error:
            raise unreadable(there, str(error)) from None
        if not _TOKEN.fullmatch(grant.access_token.reveal()):
            raise unreadable(there, "it has no access_token that a request can carry")
        self._token, self._ends = grant.access_token, None
        if grant.expires_in > 0:
            self._ends = asked + grant.expires_in - min(_EARLY, grant.expires_in / 10)

    def _refused(self, error: RemoteError, there: Destination) -> RemoteError:
        """A refusal here is one of the client, not of what it wants to do."""
        if not isinstance(error, RefusedError) or error.context.get("status") not in (400, 401, 403):
            return error
        who, why = self._credentials.who, self._credentials.without(str(error.context.get("why", "")))
        found = CLIENT_REFUSED(host=there.host.text, url=there.url, who=who, why=why)
        assert isinstance(found, RemoteError)  # noqa: S101 - narrows the type
        return found


class _Grant(msgspec.Struct, frozen=True):
    access_token: Secret = Secret("")
    expires_in: float = 0.0


class _Patience:
    """How long failures of communication are waited for, from the first one on."""

    def __init__(self, seconds: float, around: Surroundings) -> None:
        self._seconds = seconds
        self._around = around
        self._attempt = 0
        self._until: float | None = None

    def wait(self, error: RemoteError) -> Wait:
        """The pause before the next try. Raises the error where there is none."""
        now, chance = self._around.now(), self._around.chance()
        if self._until is None:
            self._until = now + self._seconds
        told = error.retry_after
        pause = max(back_off(self._attempt, chance, told), told or 0.0)
        self._attempt += 1
        if not isinstance(error, CommunicationError) or now + pause > self._until:
            raise error
        return Wait(pause, error)


def _maybe_done(call: Call, there: Destination, error: RemoteError) -> RemoteError:
    found = MAYBE_DONE(host=there.host.text, url=there.url, what=call.what, why=error.sentence)
    assert isinstance(found, RemoteError)  # noqa: S101 - narrows the type
    return found


def _request(call: Call, there: Destination, token: Secret) -> HttpRequest:
    header = {"Accept": "application/json", "Authorization": f"Bearer {token.reveal()}"}
    body = None
    if call.body is not None:
        header["Content-Type"] = "application/json"
        body = msgspec.json.encode(call.body)
    query = urlencode(call.query)
    return HttpRequest(there, call.method, query, header, body, judge=judge, limit=LARGEST)


def _read(outcome: Outcome, there: Destination, what: str) -> Mapping[str, Any] | Refusal:
    if outcome is None:
        raise TypeError("a driver answers Send with an answer or an error")
    if isinstance(outcome, RemoteError):
        return Refusal(of_transport(outcome, there), undone=not outcome.sent)
    if found := refusal(outcome, there, what):
        return found
    try:
        return parse(outcome.body)
    except UnreadableError as error:
        return Refusal(
            unreadable(there, f"{error}, but {outcome.content_type or 'without a content type'}"), False
        )
