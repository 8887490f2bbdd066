"""The device endpoint, on the VIP and the Active's address: Transport Gateway (Call Home) and Smart."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import unquote

import msgspec

from mock_server.domain import devices, events
from mock_server.domain.apply import LicensingMachine
from mock_server.errors import CommunicationError, SmartlicError
from mock_server.web.asgi import (
    BodyTooLarge,
    ClientGone,
    Receive,
    Scope,
    Send,
    read_body,
    send_json,
    send_problem,
    send_whole,
)
from smartlic_client.protocol import callhome, errors, smart
from smartlic_client.protocol.messages import MAX_MESSAGE, AnswerData, AnswerHeader, RegistrationResult

__all__ = ["PATHS", "Desk", "DeviceEndpoint"]

PATHS: Final = {
    "/Transportgateway/services/DeviceRequestHandler": "callhome",
    "/SmartTransport": "smart",
}
_CONTENT_TYPES: Final = {"callhome": callhome.CONTENT_TYPE.encode(), "smart": smart.CONTENT_TYPE.encode()}


class Journal(Protocol):
    """What the endpoint needs of the ledger (cluster.machine.Ledger)."""

    @property
    def index(self) -> int: ...

    def propose(self, payload: bytes) -> int: ...

    async def settled(self, index: int | None = None) -> None: ...


@dataclass(frozen=True)
class Desk:
    """What answers devices while this node is Active. `now()` is the time of licensing, which decides;
    answers bear the real time. `sign` and `certificates` make licensing answers; `id_chain` is the chain of
    every ID certificate."""

    node: str
    machine: LicensingMachine
    ledger: Journal
    now: Callable[[], float]
    environment: Callable[[float], devices.Environment]
    sign: Callable[[bytes], str]
    certificates: list[str]
    id_chain: list[str]


class DeviceEndpoint:
    """An ASGI application. `desk()` gives the desk of the moment, or None while this node is not Active."""

    def __init__(self, desk: Callable[[], Desk | None], not_active: Callable[[], SmartlicError]) -> None:
        self._desk = desk
        self._not_active = not_active

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = unquote(scope["path"]).rstrip("/")
        kind = PATHS.get(path)
        if kind is None:
            known = ", ".join(PATHS)
            await send_json(send, 404, {"path": [f"There is nothing at {path[:200]!r}; there is {known}."]})
        elif scope["method"] != "POST":
            text = {"method": ["Messages are sent by POST."]}
            await send_json(send, 405, text, [(b"allow", b"POST")])
        else:
            await self._message(kind, scope, receive, send)

    async def _message(self, kind: str, scope: Scope, receive: Receive, send: Send) -> None:
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
        try:
            status, body = await answer(desk, callhome.unwrap(raw) if kind == "callhome" else raw)
        except smart.Malformed as error:
            await send_json(send, 400, {"request": [f"The message cannot be read: {str(error)[:300]}"]})
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


async def answer(desk: Desk, raw: bytes) -> tuple[int, bytes]:
    """Status and body of the answer to one message of the Smart transport.

    Raises smart.Malformed for what is no message, CommunicationError for what cannot be done now. Nothing
    leaves before all that it shows is on the disks of both nodes (server, "Replication").
    """
    signed = smart.decode_request(raw)
    now = desk.now()
    decision = devices.decide(desk.machine.state, signed, desk.environment(now))
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
    return 200, _signed_answer(desk, signed, decision)


def _signed_answer(desk: Desk, signed: smart.SignedRequest, decision: devices.Decision) -> bytes:
    refused = decision.problem
    code, _ = errors.agent_error(refused.code) if refused else (0, "")
    now = int(time.time() * 1000)
    result = decision.result
    if isinstance(result, RegistrationResult):
        result = msgspec.structs.replace(result, id_certificate_chain=desk.id_chain)
    header = AnswerHeader(
        timestamp=now,
        nonce=signed.header.nonce,
        request_type=signed.header.request_type,
        product_instance_identifier=decision.piid,
    )
    data = AnswerData(
        timestamp=now,
        nonce=signed.header.nonce,
        message_id=signed.data.message_id,
        status="FAILED" if refused else "COMPLETE",
        status_code=code,
        status_message=refused.sentence if refused else "",
        code=refused.code if refused else None,
        data=result,
    )
    return smart.encode_answer(header, data, desk.sign, desk.certificates)
