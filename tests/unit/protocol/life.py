"""A device left alone in virtual time: what its timers make it say, over a network that the test chooses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec

from smartlic_client.errors import CommunicationError, SmartlicError, problem
from smartlic_client.protocol import signing
from smartlic_client.protocol.flow import Persist, Send, deliver
from smartlic_client.protocol.messages import (
    LicenseUsageRequest,
    RegistrationRequest,
    TrustRequest,
    request_type,
)
from smartlic_client.protocol.record import Record, contradiction
from smartlic_client.protocol.states import Authorization, Registration
from smartlic_client.protocol.transports import TransportKind
from tests.unit.protocol.bench import Bench

LOST = problem("life-lost", CommunicationError, "Nothing came back.", "Try again.")

Network = Callable[[bytes], bytes | SmartlicError]


class Life(Bench):
    """`said`: (time, request type) of each message that left. `codes`: why sendings did not work."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        self.said: list[tuple[float, str]] = []
        self.codes: list[str] = []
        self.logs: list[tuple[float, str]] = []

    # The three things of flow.Environment.
    def now(self) -> float:
        return self.time

    def random(self, count: int, /) -> bytes:
        return self.chance.randbytes(count)

    def new_key(self) -> signing.PrivateKey:
        return signing.new_key()

    def well(self, raw: bytes) -> bytes | SmartlicError:
        return self.server.post(raw)[1]

    def heard(self) -> None:
        self.logs += [(log.at, log.name) for log in self.agent.take_logs()]
        legal(self.record)

    def speak(self, network: Network | None = None) -> None:
        """Send what is to be sent, as a shell does."""
        network = network or self.well
        flow = deliver(self.agent, self, TransportKind.SMART, self.server.anchors, to="https://vip/x")
        outcome: bytes | SmartlicError | None = None
        try:
            while True:
                step = flow.send(outcome)
                outcome = None
                if isinstance(step, Send):
                    meant = self.record.in_flight
                    assert meant is not None
                    self.said.append((self.time, request_type(meant)))
                    outcome = network(step.body)
                else:
                    assert isinstance(step, Persist)
        except StopIteration:
            pass
        except SmartlicError as error:
            self.codes.append(error.code)
        self.heard()

    def alone(self, until: float, network: Network | None = None, limit: int = 20_000) -> None:
        """Look at the clock, do what is due, sleep until the next deadline, and so on up to `until`."""
        for _ in range(limit):
            if self.agent.tick(self.time):
                self.speak(network)
            self.heard()
            at = self.agent.next_deadline()
            assert at is None or at > self.time, "a deadline that does not pass"
            if at is None or at > until:
                self.time = until
                return
            self.time = at
        raise AssertionError("the device never sleeps")

    def count(self, kind: str) -> int:
        return [name for _, name in self.said].count(kind)

    def logged(self, name: str) -> list[float]:
        """When it was logged."""
        return [at for at, known in self.logs if known == name]


def legal(record: Record) -> None:
    """What holds of a record at every moment, whatever happened."""
    registered, flight = record.identity is not None, record.in_flight
    registering = isinstance(flight, RegistrationRequest)
    assert (record.registration in (Registration.IN_PROGRESS, Registration.RETRY)) == registering
    if record.registration is Registration.COMPLETE:
        assert registered
    if record.registration in (Registration.NOT_REGISTERED, Registration.FAILED):
        assert not registered
    assert (record.new_key is not None) == isinstance(flight, (RegistrationRequest, TrustRequest))
    in_use = any(used.count for used in record.entitlements.values())
    assert (record.evaluation_since is not None) == (record.authorization is Authorization.EVAL)
    assert in_use or record.authorization not in (Authorization.EVAL, Authorization.EVAL_EXPIRED)
    assert record.evaluation_used >= 0
    if not registered:
        assert record.deadline is None
        assert record.authorization in UNREGISTERED
        assert flight is None or isinstance(flight, (RegistrationRequest, TrustRequest, LicenseUsageRequest))
    assert record.poll_id is None or flight is not None
    assert flight is None or flight.sequence <= record.sequence
    assert len(record.history) <= 16
    assert len(record.notes) <= 8
    assert contradiction(record) is None
    data = json.loads(msgspec.json.encode(record.to_data()))
    assert Record.from_data(data).to_data() == record.to_data()


UNREGISTERED = (Authorization.NONE, Authorization.EVAL, Authorization.EVAL_EXPIRED)
