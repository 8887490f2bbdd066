"""What a decision on a device's message is made of, and what all of them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mock_server.domain import events
from mock_server.domain.state import LastMessage
from smartlic_client.errors import Problem
from smartlic_client.protocol import errors, signing
from smartlic_client.protocol.messages import RequestData, Result, meaning
from smartlic_client.protocol.seals import REAL, Seals
from smartlic_client.protocol.smart import SignedRequest

__all__ = ["Decision", "Environment", "IssuedCertificate", "kept", "known", "signed_by"]


@dataclass(frozen=True)
class IssuedCertificate:
    """An ID certificate in base64 DER. Its chain is the same for all, and is put in when one is answered."""

    certificate: str
    serial: str


@dataclass(frozen=True)
class Environment:
    """What the decision needs from outside. `issue(public key, piid)` signs an ID certificate.

    `postpone`: what is accepted now is answered OK_POLL, and has its effect all the same. `seals`: how the
    messages of devices are made believable.
    """

    now: float
    random: Callable[[int], bytes]
    issue: Callable[[signing.PublicKey, str], IssuedCertificate]
    postpone: bool = False
    seals: Seals = REAL


@dataclass(frozen=True)
class Decision:
    """Events to keep, and what to answer: `result`, or `problem`; `by` is who did it, for the event log.

    `unknown_piid`, `unknown_type`: the answer is the public error form, for an instance that the server does
    not know, and for a request type that it does not know. `poll_id`: the result is to be asked for by POLL.
    """

    piid: str = ""
    by: str = ""
    events: list[events.Event] = field(default_factory=list)
    result: Result | None = None
    problem: Problem | None = None
    unknown_piid: str | None = None
    unknown_type: str | None = None
    poll_id: str | None = None


def signed_by(public_key: bytes, signed: SignedRequest, seals: Seals) -> bool:
    if not public_key:  # known by a file only: it has said nothing, and can say nothing before it has a key
        return False
    return seals.verify(seals.load_public_key(public_key), signed.signed, signed.signature)


def known(piid: str, last: LastMessage, data: RequestData) -> Decision | None:
    """Rules 1 and 2, for a message of the instance whose last message is `last`; None: it is a new one."""
    if data.message_id == last.message_id:
        if data.sequence == last.sequence and meaning(data) == last.meaning:
            return Decision(piid=piid, result=last.result)
        return Decision(piid=piid, problem=errors.MESSAGE_ID_REUSED)
    if data.sequence <= last.sequence:
        return Decision(piid=piid, problem=errors.SUPERSEDED)
    return None


def kept(data: RequestData, result: Result) -> LastMessage:
    """A message that is accepted, with its result, so that a repeat gets the same one."""
    return LastMessage(
        sequence=data.sequence, message_id=data.message_id, meaning=meaning(data), result=result
    )
