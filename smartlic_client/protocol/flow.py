"""One flow for every shell: what to save, send and wait for, in which order.

A driver runs the generator: it carries out each step and sends its outcome back in. The sync driver is in
`smartlic_client.device`; an asynchronous one and a simulated one drive the same generator.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from smartlic_client.errors import AnswerError, CommunicationError, SmartlicError
from smartlic_client.protocol import callhome, errors, smart
from smartlic_client.protocol.agent import Agent, Outgoing
from smartlic_client.protocol.signing import PrivateKey
from smartlic_client.protocol.timers import back_off
from smartlic_client.protocol.transports import TransportKind

__all__ = ["Environment", "Persist", "Send", "Step", "Wait", "deliver", "pack", "unpack"]


class Environment(Protocol):
    """All that the agent needs from outside: a real one in a device, a virtual one in a simulation."""

    def now(self) -> float:
        """Unix seconds."""

    def random(self, count: int, /) -> bytes: ...

    def new_key(self) -> PrivateKey: ...


@dataclass(frozen=True)
class Persist:
    """Save the agent's record; go on when it is on disk. Outcome: None."""


@dataclass(frozen=True)
class Send:
    """POST `body`. Outcome: the answer's body as bytes, or the SmartlicError that came instead."""

    content_type: str
    body: bytes

    def __repr__(self) -> str:
        return f"Send({self.content_type}, {len(self.body)} bytes)"


@dataclass(frozen=True)
class Wait:
    """Let `seconds` pass. `error` is why. Outcome: None."""

    seconds: float
    error: SmartlicError


Step: TypeAlias = Persist | Send | Wait
Outcome: TypeAlias = bytes | SmartlicError | None


def pack(kind: TransportKind, sent: Outgoing, *, now: float, serial: str, to: str) -> tuple[str, bytes]:
    """Content type and bytes of a message on the given transport."""
    if kind is TransportKind.SMART:
        return smart.CONTENT_TYPE, sent.body
    body = callhome.wrap(sent.body, serial=serial, now=now, number=sent.number, to=to, sender="call-home")
    return callhome.CONTENT_TYPE, body


def unpack(kind: TransportKind, body: bytes) -> bytes:
    """The message inside an answer's body. Raises answer-unreadable.

    The public error form comes without an envelope on either transport.
    """
    if kind is TransportKind.SMART or body.lstrip()[:1] == b"{":
        return body
    try:
        return callhome.unwrap(body)
    except smart.Malformed as error:
        raise errors.ANSWER_UNREADABLE(why=str(error)) from None


def deliver(
    agent: Agent,
    environment: Environment,
    kind: TransportKind,
    anchors: bytes,
    *,
    to: str,
    until: float | None = None,
) -> Generator[Step, Outcome, None]:
    """Say all that the agent has to say, one message after the other, each kept until it is answered.

    `to` is the destination's URL. `until` (Unix seconds): communication failures are retried up to then;
    None: not at all. Raises what stopped it; what was meant is in the saved record (agent, rule 1).
    """
    attempt = 0
    while (sent := agent.next_request(environment.now(), environment.random)) is not None:
        yield Persist()
        serial = agent.record.udi.sn or agent.record.udi.uuid or "-"
        outcome = yield Send(*pack(kind, sent, now=environment.now(), serial=serial, to=to))
        try:
            if isinstance(outcome, SmartlicError):
                raise outcome
            if outcome is None:
                raise TypeError("a driver answers Send with bytes or an error")
            agent.receive(sent, unpack(kind, outcome), anchors, environment.now())
        except (CommunicationError, AnswerError) as error:
            chance = environment.random(1)[0] / 256
            agent.lost(error, environment.now(), chance)
            yield Persist()
            delay = back_off(attempt, chance, error.retry_after)
            attempt += 1
            final = not isinstance(error, CommunicationError) or until is None
            if final or (until is not None and environment.now() + delay > until):
                raise
            yield Wait(delay, error)
        except SmartlicError as error:
            if agent.record.in_flight is not None:
                agent.lost(error, environment.now())
            yield Persist()
            raise
        else:
            attempt = 0
            yield Persist()
