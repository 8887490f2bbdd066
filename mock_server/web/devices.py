"""The device endpoint, on the VIP and the Active's address: Transport Gateway (Call Home), Smart and CSLU."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol
from urllib.parse import unquote

import msgspec

from mock_server.domain import devices, events
from mock_server.domain.apply import LicensingMachine
from mock_server.errors import CommunicationError, SmartlicError
from mock_server.faults import ANSWERS, Fault, Faults, Request
from mock_server.web.asgi import (
    BodyTooLarge,
    ClientGone,
    Receive,
    Scope,
    Send,
    raw_path,
    read_body,
    send_json,
    send_problem,
    send_whole,
)
from mock_server.web.faulty import NOTED
from smartlic_client.protocol import callhome, errors, smart
from smartlic_client.protocol.messages import (
    MAX_MESSAGE,
    VERSIONS,
    AnswerData,
    AnswerHeader,
    IdCertRenewalResult,
    RegistrationResult,
    TrustResult,
)
from smartlic_client.protocol.seals import REAL, Seals
from smartlic_client.protocol.transports import CSLU_PATH

__all__ = ["PATHS", "Desk", "DeviceEndpoint", "Postponing"]

PATHS: Final = {
    "/Transportgateway/services/DeviceRequestHandler": "callhome",
    "/SmartTransport": "smart",
}
_TENANT: Final = "-1"
_CERTIFIED: Final = (RegistrationResult, IdCertRenewalResult, TrustResult)
_CONTENT_TYPES: Final = {"callhome": callhome.CONTENT_TYPE.encode(), "smart": smart.CONTENT_TYPE.encode()}


class Journal(Protocol):
    """What the endpoint needs of the ledger (cluster.machine.Ledger)."""

    @property
    def index(self) -> int: ...

    def propose(self, payload: bytes) -> int: ...

    async def settled(self, index: int | None = None) -> None: ...


@dataclass
class Postponing:
    """The next `left` messages that are accepted are answered OK_POLL: to be asked for after `seconds`."""

    left: int = 0
    seconds: int = 30


@dataclass(frozen=True)
class Desk:
    """What answers devices while this node is Active. `now()` is the time of licensing, which decides;
    answers bear the real time. `sign` and `certificates` make licensing answers; `id_chain` is the chain of
    every ID certificate. `postponing`: of this node only, and not kept: it is for tests of clients. `seals`:
    how messages are made believable, on both ways."""

    node: str
    machine: LicensingMachine
    ledger: Journal
    now: Callable[[], float]
    environment: Callable[[float], devices.Environment]
    sign: Callable[[bytes], str]
    certificates: list[str]
    id_chain: list[str]
    postponing: Postponing = field(default_factory=Postponing)
    faults: Faults = field(default_factory=Faults)
    seals: Seals = REAL


class DeviceEndpoint:
    """An ASGI application. `desk()` gives the desk of the moment, or None while this node is not Active."""

    def __init__(self, desk: Callable[[], Desk | None], not_active: Callable[[], SmartlicError]) -> None:
        self._desk = desk
        self._not_active = not_active

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = unquote(scope["path"]).rstrip("/")
        account = _account_of(scope)
        kind = PATHS.get(path) if account is None else "smart"
        if kind is None:
            known = ", ".join([*PATHS, f"{CSLU_PATH}<local account>-1"])
            await send_json(send, 404, {"path": [f"There is nothing at {path[:200]!r}; there is {known}."]})
        elif scope["method"] != "POST":
            text = {"method": ["Messages are sent by POST."]}
            await send_json(send, 405, text, [(b"allow", b"POST")])
        else:
            await self._message(kind, account, scope, receive, send)

    async def _message(
        self, kind: str, account: str | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        try:
            raw = await read_body(scope, receive, MAX_MESSAGE)
        except BodyTooLarge:
            text = {"request": [f"The message is longer than {MAX_MESSAGE} bytes."]}
            await send_json(send, 413, text, [(b"connection", b"close")])
            return
        except ClientGone:
            return
        desk = self._desk()
        if desk is None:
            await send_problem(send, 503, self._not_active())
            return
        if account is not None and account not in desk.machine.state.accounts:
            text = {"path": [f"There is no local account {account[:100]!r}."]}
            await send_json(send, 404, text)
            return
        try:
            message = callhome.unwrap(raw) if kind == "callhome" else raw
            status, body = await answer(desk, message, account, scope.get(NOTED))
        except smart.Malformed as error:
            await _unreadable(send, scope, kind, error)
            return
        except CommunicationError as error:
            await send_problem(send, 503, error)
            return
        if status != 200:
            await send_whole(send, status, b"application/json", body)
            return
        if kind == "callhome":
            body = callhome.wrap(body, serial=desk.node, now=time.time(), number=1, to="device", sender="SSM")
        await send_whole(send, 200, _CONTENT_TYPES[kind], body)


def _account_of(scope: Scope) -> str | None:
    """The local account that a CSLU URL names; None for any other URL. Read from what was sent: an account
    may have a per cent sign or a slash in its name."""
    if not scope["path"].startswith(CSLU_PATH):
        return None
    path = raw_path(scope).rstrip("/")
    if not path.startswith(CSLU_PATH) or not path.endswith(_TENANT):
        return None
    account = path[len(CSLU_PATH) : -len(_TENANT)]
    return unquote(account) if account and "/" not in account else None


async def _unreadable(send: Send, scope: Scope, kind: str, error: smart.Malformed) -> None:
    """A content type that is not the transport's is no harm where the message can be read."""
    told = dict(scope["headers"]).get(b"content-type", b"").partition(b";")[0].strip().lower()
    wanted = _CONTENT_TYPES[kind].partition(b";")[0]
    if told and told != wanted:
        text = f"This URL takes {wanted.decode()}, and not {told[:100].decode('latin-1')!r}."
        await send_json(send, 415, {"content_type": [text]})
        return
    await send_json(send, 400, {"request": [f"The message cannot be read: {str(error)[:300]}"]})


async def answer(
    desk: Desk, raw: bytes, account: str | None = None, request: Request | None = None
) -> tuple[int, bytes]:
    """Status and body of the answer to one message of the Smart transport.

    `account`: the local account that the URL names, if it does. `request`: its entry in the journal of them.
    Raises smart.Malformed for what is no message, CommunicationError for what cannot be done now. Nothing
    leaves before all that it shows is on the disks of both nodes (server, "Replication").
    """
    signed = desk.seals.decode_request(raw)
    if request is not None:
        request.what = signed.header.request_type[:100]
    now = desk.now()
    environment = desk.environment(now)
    if desk.postponing.left > 0:
        environment = replace(environment, postpone=True)
    decision = devices.decide(desk.machine.state, signed, environment, account)
    if decision.poll_id is not None:
        desk.postponing.left -= 1
    if decision.events:
        change = events.Change(at=now, by=decision.by, node=desk.node, events=decision.events)
        await desk.ledger.settled(desk.ledger.propose(events.encode(change)))
    else:
        await desk.ledger.settled()
    if decision.unknown_piid is not None:
        text = (
            f"The identity for the instance {decision.unknown_piid} is not valid. "
            "Please re-register the instance."
        )
        return 400, smart.encode_error_map({"product_instance_identifier": [text]})
    if decision.unknown_type is not None:
        text = f"The request type {decision.unknown_type[:100]!r} is not known."
        return 400, smart.encode_error_map({"request_type": [text]})
    met = {} if request is None else {kind: desk.faults.meets(kind, request) for kind in ANSWERS}
    flaws = {kind: fault for kind, fault in met.items() if fault is not None}
    return 200, _signed_answer(desk, signed, decision, flaws)


def _signed_answer(
    desk: Desk, signed: smart.SignedRequest, decision: devices.Decision, flaws: Mapping[str, Fault]
) -> bytes:
    """`flaws`: what is wrong with it on purpose, by kinds of `faults.ANSWERS`."""
    refused = decision.problem
    code, _ = errors.agent_error(refused.code) if refused else (0, "")
    now = int((time.time() + (flaws["skew"].seconds if "skew" in flaws else 0.0)) * 1000)
    nonce = signed.header.nonce[::-1] if "wrong-nonce" in flaws else signed.header.nonce
    result = decision.result if decision.poll_id is None else None
    if isinstance(result, _CERTIFIED):
        result = msgspec.structs.replace(result, id_certificate_chain=desk.id_chain)
    version = VERSIONS[-1] if "old-version" in flaws else signed.header.version
    header = AnswerHeader(
        version=version if version in VERSIONS else VERSIONS[0],
        timestamp=now,
        nonce=nonce,
        request_type=signed.header.request_type,
        product_instance_identifier=decision.piid,
    )
    data = AnswerData(
        timestamp=now,
        nonce=nonce,
        message_id=signed.data.message_id,
        status=_status(decision),
        status_code=code,
        status_message=refused.sentence if refused else "",
        code=refused.code if refused else None,
        retry_time_seconds=desk.postponing.seconds if decision.poll_id else None,
        poll_id=decision.poll_id,
        data=result,
    )
    sign = (lambda text: desk.sign(text[1:])) if "wrong-signature" in flaws else desk.sign
    return desk.seals.encode_answer(header, data, sign, desk.certificates)


def _status(decision: devices.Decision) -> str:
    if decision.problem is errors.VERSION_TOO_HIGH:
        return "VERSION_TOO_HIGH"
    if decision.problem is not None:
        return "FAILED"
    return "COMPLETE" if decision.poll_id is None else "OK_POLL"
