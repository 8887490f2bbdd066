"""What a step of the agent costs without cryptography, and how much a registered idle device keeps.

A step is one thing that happens to the machine: a command, a tick, a failure, an answer that is applied.
Signing, verifying and the certificate's key are left out; so is the disk. It is CPU time of the process.
"""

from __future__ import annotations

import gc
import json
import time
import tracemalloc
from collections.abc import Callable

from benchmarks.figures import Figure, median
from smartlic_client.errors import CommunicationError, problem
from smartlic_client.protocol import answers
from smartlic_client.protocol.agent import Agent, Outgoing
from smartlic_client.protocol.identity import Udi
from smartlic_client.protocol.messages import (
    AnswerData,
    AuthorizationRequest,
    AuthorizationResult,
    Enforced,
    EntitlementUse,
)
from smartlic_client.protocol.record import Identity, Record
from smartlic_client.protocol.states import Registration

_MICROSECONDS = 25.0
_KIBIBYTES = 4.0
_STEPS = 2_000
_TURNS = 11
_AGENTS = 300
_NOW = 1_750_000_000.0
_TAG = "regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71"
_LOST = problem("benchmark-lost", CommunicationError, "Nothing came back.", "Try again.")


def measure() -> list[Figure]:
    return [
        _figure("a tick of an idle registered device", _tick),
        _figure("a count that changes", _request),
        _figure("a sending that is lost", _lost),
        _figure("an authorization that is applied", _answer),
        _memory("a registered idle agent in memory", _worn),
        _memory("one that was read from its store", _loaded),
    ]


def _agent(number: int = 0) -> Agent:
    """A registered device that uses one license, with a history as long as it gets."""
    identity = Identity(
        piid=f"{number:08x}-f5cc-459c-9253-ac77b827fd71",
        key="-",
        certificate="-",
        chain=["-"],
        serial_number=f"{number:032x}",
        valid_from=_NOW,
        valid_until=_NOW + 365 * 86400,
        smart_account="Lab Smart Account",
        virtual_account="Default",
        export_controlled_allowed=True,
        registered_at=_NOW,
    )
    record = Record(
        udi=Udi(pid="C9300-24T", sn=f"FOC{number:08X}"),
        software_id="regid.2017-05.com.cisco.C9300,v1_727af1d9-6c39-4444-b301-863f81445b72",
        registration=Registration.COMPLETE,
        identity=identity,
    )
    agent = Agent(record)
    agent.request(_TAG, 3, _NOW)
    for _ in range(20):
        _apply(agent)
    return agent


def _sent(agent: Agent) -> Outgoing:
    """An authorization in flight, as `next_request` makes it, but not signed."""
    record = agent.record
    record.sequence += 1
    record.to_report = False
    record.in_flight = AuthorizationRequest(
        message_id=f"{record.sequence:08x}-6ee6-44e2-a833-0e4b6c8d9a75",
        sequence=record.sequence,
        software_tag_identifier=record.software_id,
        entitlements=[EntitlementUse(tag=t, count=e.count) for t, e in record.entitlements.items()],
    )
    piid = record.identity.piid if record.identity else ""
    return Outgoing(request=record.in_flight, nonce="1", piid=piid, number=1, body=b"")


def _apply(agent: Agent) -> None:
    sent = _sent(agent)
    result = AuthorizationResult(
        entitlements=[Enforced(tag=_TAG, enforcement_mode="in-compliance")],
        renewal_interval_seconds=30 * 86400,
        expiry_interval_seconds=90 * 86400,
    )
    data = AnswerData(
        timestamp=0, nonce="1", message_id=sent.request.message_id, status="COMPLETE", data=result
    )
    answers.take(agent._machine, sent, data, _NOW)


def _tick(agent: Agent, _number: int) -> None:
    agent.tick(_NOW)
    agent.next_deadline()


def _request(agent: Agent, number: int) -> None:
    agent.request(_TAG, number % 9 + 1, _NOW)


def _lost(agent: Agent, _number: int) -> None:
    _sent(agent)
    agent.lost(_LOST(), _NOW, 0.5)
    agent.take_logs()


def _answer(agent: Agent, _number: int) -> None:
    _apply(agent)
    agent.take_logs()


def _figure(name: str, step: Callable[[Agent, int], None]) -> Figure:
    samples = []
    for _ in range(_TURNS):
        agent = _agent()
        began = time.process_time()
        for number in range(_STEPS):
            step(agent, number)
        samples.append((time.process_time() - began) / _STEPS * 1e6)
    return Figure(name, median(samples), _MICROSECONDS, "µs", "the time of a step", 1.0, samples)


def _worn(number: int) -> Agent:
    """An agent whose history and notes are as full as they get."""
    agent = _agent(number)
    for turn in range(20):
        _lost(agent, turn)
        _apply(agent)
    agent.take_logs()
    return agent


def _loaded(number: int) -> Agent:
    """The same as a process has it that read it from its store."""
    return Agent(Record.from_data(json.loads(json.dumps(_worn(number).record.to_data()))))


def _memory(name: str, make: Callable[[int], Agent]) -> Figure:
    """Bytes of the process for each of many agents; key and certificates are a dash here."""
    kept = [make(-1)]
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept += [make(number) for number in range(_AGENTS)]
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    size = (after - before) / _AGENTS / 1024
    return Figure(name, size, _KIBIBYTES, "KiB", "what it may keep", 1.0)


if __name__ == "__main__":
    for figure in measure():
        print(figure.line())
