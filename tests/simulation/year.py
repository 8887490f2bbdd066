"""A year of many devices in virtual time: the device's pure agent against the server's pure decisions.

Nothing here waits, and nothing is stubbed: keys, signatures, certificates and bytes are real. The server has
two copies; a change is on both before its answer leaves. Replication is a call, and a node dies at the worst
moments: before its change is on the other copy, or after that and before the answer leaves.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import msgspec

from mock_server import pki
from mock_server.domain import accounts, events, licenses, tokens
from mock_server.domain.apply import LicensingMachine
from mock_server.domain.state import Mode, State
from mock_server.web.devices import Desk, answer
from smartlic_client.errors import CommunicationError, SmartlicError, problem
from smartlic_client.protocol import signing, smart
from smartlic_client.protocol.agent import Agent
from smartlic_client.protocol.flow import Send, deliver
from smartlic_client.protocol.identity import IdToken, Udi
from smartlic_client.protocol.messages import LicenseUsageRequest, RequestData, request_type
from smartlic_client.protocol.record import Record
from smartlic_client.protocol.rum import RumReport, RumState
from smartlic_client.protocol.states import Authorization, Registration
from smartlic_client.protocol.transports import TransportKind
from tests.unit.domain.world import NOW, SOFTWARE, authorities, environment, loaded, rows, tag

DAY = 86400.0
YEAR = 365 * DAY
LOSS = 0.2
COPIES = 0.02
TAGS = [tag(number) for number in range(3)]
LOST = problem("year-lost", CommunicationError, "Nothing came back.", "Try again.")


class Died(Exception):
    """The Active died; whoever waits for it hears nothing."""


@dataclass
class Node:
    machine: LicensingMachine = field(default_factory=LicensingMachine)
    journal: list[bytes] = field(default_factory=list)

    def append(self, payload: bytes) -> None:
        self.journal.append(payload)
        self.machine.apply(payload)


class Pair:
    """Two nodes, of which the first serves. It is also the ledger that its desk writes to."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.time = NOW
        self.active, self.standby = Node(), Node()
        self.down_until = 0.0
        self.dies: str | None = None
        self.failovers: Counter[str] = Counter()
        self.cut = 0
        self.key = signing.load_key(authorities().answers.key_pem.decode())
        self.commit(accounts.create_account(self.state, "Lab", "Lab Smart Account", "On-Prem"))

    @property
    def state(self) -> State:
        return self.active.machine.state

    def commit(self, happened: list[events.Event]) -> None:
        change = events.Change(at=self.time, by="test", node="test", events=happened)
        self.propose(events.encode(change))

    # ---- the ledger (web.devices.Journal) -----------------------------------------------------------------
    @property
    def index(self) -> int:
        return len(self.active.journal)

    def propose(self, payload: bytes) -> int:
        self.active.append(payload)
        if self.dies == "before its change was replicated":
            raise Died
        self.standby.append(payload)
        return self.index

    async def settled(self, index: int | None = None) -> None:  # noqa: ARG002 - the ledger's form
        if self.dies == "before its answer left":
            raise Died

    # ---- serving ------------------------------------------------------------------------------------------
    def post(self, raw: bytes) -> bytes | None:
        """The body of the answer, None if nothing comes back."""
        if self.time < self.down_until:
            return None
        known = authorities()
        desk = Desk(
            node="test",
            machine=self.active.machine,
            ledger=self,
            now=lambda: self.time,
            environment=lambda now: environment(now, self.chance),
            sign=lambda data: signing.sign(self.key, data),
            certificates=known.answers.der_chain,
            id_chain=pki.der_chain(known.id_ca.chain),
        )
        running = answer(desk, raw)
        try:
            running.send(None)
        except StopIteration as done:
            return bytes(done.value[1])
        except Died:
            self.fail_over()
            return None
        raise AssertionError("the answer waits for something")

    def fail_over(self) -> None:
        """The Standby serves after a while; the dead node returns, cuts what only it has, and follows."""
        self.failovers[self.dies or "while nothing was said"] += 1
        self.dies = None
        self.down_until = self.time + self.chance.uniform(1, 600)
        dead, self.active = self.active, self.standby
        common = len(self.active.journal)
        assert dead.journal[:common] == self.active.journal
        self.cut += len(dead.journal) - common
        returned = Node(journal=dead.journal[:common])
        if self.chance.random() < 0.5:
            returned.machine = loaded(self.active.machine)
        else:
            for payload in returned.journal:
                returned.machine.apply(payload)
        self.standby = returned
        self.check()

    def check(self) -> None:
        """Both copies are byte-equal, row for row."""
        assert self.active.journal == self.standby.journal
        assert rows(self.active.machine) == rows(self.standby.machine)

    def happened(self) -> Iterator[events.Event]:
        for payload in self.active.journal:
            yield from events.decode(payload).events


class Device:
    """An agent left alone, and what the test saw of it."""

    def __init__(self, year: Year, number: int, mode: Mode) -> None:
        self.year = year
        self.mode = mode
        self.changes = 0
        self.said: dict[str, str] = {}
        self.sendings = 0
        self.accepted: set[str] = set()
        self.reports: dict[str, RumReport] = {}
        self.codes: Counter[str] = Counter()
        udi = Udi(pid="C9300-24T", sn=f"FOC{number:05}")
        self.agent = Agent(Record(udi=udi, software_id=SOFTWARE, hostname=f"device-{number}"))

    # The three things of flow.Environment.
    def now(self) -> float:
        return self.year.time

    def random(self, count: int, /) -> bytes:
        return self.year.chance.randbytes(count)

    def new_key(self) -> signing.PrivateKey:
        return signing.new_key()

    @property
    def record(self) -> Record:
        return self.agent.record

    def begin(self) -> None:
        """Register, or ask for a trust code, and use a license."""
        if self.mode is Mode.POLICY:
            self.agent.use_policy(self.now())
            self.agent.trust(self.year.token, self.new_key(), self.random, now=self.now())
        else:
            self.agent.register(self.year.token, self.new_key(), self.random, now=self.now())
        self.agent.request(TAGS[0], 1, self.now())

    def change(self) -> None:
        """Another count of some license; one license stays in use."""
        chance = self.year.chance
        what = chance.choice(TAGS)
        count = chance.choice([1, 2, 3] if what == TAGS[0] else [0, 1, 2])
        known = self.record.entitlements.get(what)
        if count != (known.count if known is not None else 0):
            self.changes += 1
            self.agent.request(what, count, self.now())

    def wake(self) -> float | None:
        """Do what is due. When to wake next."""
        for _ in range(3):  # what had to wait for a message that was tried again is due once that is answered
            if not self.agent.tick(self.now()):
                break
            self.speak()
        self.agent.take_logs()
        at = self.agent.next_deadline()
        assert at is None or at > self.now(), "a deadline that does not pass"
        return at

    def speak(self) -> None:
        flow = deliver(
            self.agent, self, TransportKind.SMART, authorities().anchors, to="https://vip/SmartTransport"
        )
        outcome: bytes | SmartlicError | None = None
        said = ""
        try:
            while True:
                step = flow.send(outcome)
                outcome = None
                if isinstance(step, Send):
                    said = self.sending(step.body)
                    outcome = self.year.carry(step.body)
                elif said:
                    self.accepted.add(said)  # the flow goes on: the answer was applied
        except StopIteration:
            pass
        except SmartlicError as error:
            self.codes[error.code] += 1
            self.accepted.discard(said)

    def sending(self, raw: bytes) -> str:
        data: RequestData = smart.decode_request(raw).data
        self.sendings += 1
        self.said[data.message_id] = request_type(data)
        if isinstance(data, LicenseUsageRequest):
            for report in data.reports:
                known = self.reports.setdefault(report.asset_identification.report_id, report)
                assert known == report, "a report that was closed has changed"
        return data.message_id

    def count(self, kind: str) -> int:
        """How many different messages of a type were sent."""
        return list(self.said.values()).count(kind)

    def counts(self) -> dict[str, int]:
        return {what: used.count for what, used in self.record.entitlements.items() if used.count}


class Year:
    """`devices` devices, a third of them of Smart Licensing Using Policy; `failovers` of the server."""

    def __init__(self, seed: int, devices: int, failovers: int = 10) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.pair = Pair(self.chance)
        self.lossy = True
        self.seen: Counter[str] = Counter()
        self.failovers = failovers
        for what in TAGS:
            self.pair.commit(licenses.purchase(self.pair.state, "Lab", "Default", what, "DNA", 10 * devices))
        self.token = self._token()
        self.devices = [
            Device(self, number, Mode.POLICY if number % 3 == 0 else Mode.REGISTERED)
            for number in range(devices)
        ]
        self._heap: list[tuple[float, int, str, object]] = []
        self._numbered = 0
        self._due: dict[int, float] = {}

    @property
    def time(self) -> float:
        return self.pair.time

    def _token(self) -> IdToken:
        happened, token = tokens.create_token(
            self.pair.state,
            "Lab",
            "Default",
            days=365,
            uses=None,
            description="",
            export_controlled=True,
            now=NOW,
            random=self.chance.randbytes,
        )
        self.pair.commit(happened)
        return token

    # ---- the network --------------------------------------------------------------------------------------
    def carry(self, raw: bytes) -> bytes | SmartlicError:
        """A fifth of what is asked gets no answer: half of it never arrives, half of it has its effect."""
        fate = self.chance.random() if self.lossy else 1.0
        if self.lossy and self.chance.random() < COPIES:
            self._at(self.time + self.chance.uniform(0, 40 * DAY), "copy", raw)
        if fate < LOSS / 2:
            self.seen["requests lost"] += 1
            return LOST()
        body = self.pair.post(raw)
        if body is None:
            self.seen["no answer from a server that died"] += 1
            return LOST()
        if fate < LOSS:
            self.seen["answers lost"] += 1
            return LOST()
        self.seen["answers"] += 1
        return body

    # ---- time ---------------------------------------------------------------------------------------------
    def _at(self, when: float, what: str, about: object) -> None:
        self._numbered += 1
        heapq.heappush(self._heap, (when, self._numbered, what, about))

    def live(self) -> None:
        """The year, and three quiet days in which everything is said."""
        chance = self.chance
        for device in self.devices:
            self._at(NOW + chance.uniform(0, DAY), "begin", device)
            for _ in range(chance.choice([0, 0, 1, 2, 4])):
                self._at(NOW + chance.uniform(2 * DAY, YEAR), "change", device)
        for number in range(self.failovers):
            self._at(NOW + (number + chance.random()) * YEAR / self.failovers, "failover", None)
        self._until(NOW + YEAR)
        self.lossy = False
        for device in self.devices:
            if device.mode is Mode.POLICY:
                device.agent.report_usage(self.time)
            self._wake(device)
        self._until(NOW + YEAR + 3 * DAY)

    def _until(self, end: float) -> None:
        while self._heap and self._heap[0][0] <= end:
            self.pair.time, _, what, about = heapq.heappop(self._heap)
            if what == "failover":
                self._die()
            elif what == "copy":
                assert isinstance(about, bytes)
                self.seen["late copies"] += 1
                self.pair.post(about)
            else:
                assert isinstance(about, Device)
                self._happen(what, about)
        self.pair.time = end

    def _die(self) -> None:
        ways = ["before its change was replicated", "before its answer left", None]
        self.pair.dies = self.chance.choice(ways)
        if self.pair.dies is None:
            self.pair.fail_over()

    def _happen(self, what: str, device: Device) -> None:
        if what == "wake" and self._due.get(id(device)) != self.time:
            return  # it was woken before, and set another time
        if what == "begin":
            device.begin()
        elif what == "change":
            device.change()
        self._wake(device)

    def _wake(self, device: Device) -> None:
        at = device.wake()
        if at is None:
            self._due.pop(id(device), None)
        elif self._due.get(id(device)) != at:
            self._due[id(device)] = at
            self._at(at, "wake", device)

    # ---- what has to be true at the end -------------------------------------------------------------------
    def check(self) -> None:
        """Nothing lost, nothing doubled, every device authorized."""
        self.pair.check()
        assert sum(self.pair.failovers.values()) == self.failovers
        state = self.pair.state
        began = [e for e in self.pair.happened() if isinstance(e, events.InstanceRegistered)]
        assert len(began) == len(state.instances) == len(self.devices)
        (token,) = state.tokens.values()
        assert token.used == len(self.devices)
        taken = Counter(_message_ids(self.pair.happened()))
        assert max(taken.values()) == 1, "a message had its effect twice"
        for device in self.devices:
            assert device.codes.keys() <= {"year-lost"}
            assert device.accepted == device.said.keys(), "a message was never answered"
            assert device.accepted <= taken.keys(), "an answered message is not in the journal"
            self._check_device(device)
        for pool in state.pools.values():
            assert pool.in_use == sum(i.usage.get(pool.tag, 0) for i in state.instances.values())

    def _check_device(self, device: Device) -> None:
        record = device.record
        usage = record.usage
        identity = record.identity if usage is None else usage.identity
        assert identity is not None
        assert record.in_flight is None
        instance = self.pair.state.instances[identity.piid]
        assert instance.mode is device.mode
        assert instance.certificate_serial == identity.serial_number
        assert instance.usage == device.counts()
        if usage is not None:
            assert usage.trust_code
            assert all(kept.state is RumState.ACKNOWLEDGED for kept in usage.reports)
            self._check_reports(device, identity.piid)
            return
        assert record.registration is Registration.COMPLETE
        assert record.authorization is Authorization.AUTHORIZED
        assert record.evaluation_since is None
        assert all(used.enforcement_mode == "in-compliance" for used in record.entitlements.values())
        assert device.count("ID_CERT_RENEWAL") == 2
        told = device.count("AUTHORIZATION")
        # A change brings the next renewal forward, and an authorization of its own.
        assert 12 <= told <= 14 + device.changes, told

    def _check_reports(self, device: Device, piid: str) -> None:
        """Each report is there once, and of each license every second is in exactly one of them."""
        state = self.pair.state
        kept = [state.reports[key] for key in state.reports_of[piid]]
        assert sorted(one.report_id for one in kept) == sorted(device.reports)
        spans = defaultdict(list)
        for report in device.reports.values():
            for measured in report.measurements:
                spans[report.meta.entitlement_tag].append((measured.start_time, measured.end_time))
        for what, told in spans.items():
            told.sort()
            assert all(before[1] <= after[0] for before, after in pairwise(told)), what
        whole = sorted(spans[TAGS[0]])
        assert all(before[1] == after[0] for before, after in pairwise(whole))
        assert whole[-1][1] == int(NOW + YEAR)
        assert sum(one.end - one.start for one in kept if one.tag == TAGS[0]) == whole[-1][1] - whole[0][0]

    def told(self) -> str:
        """One line for the test's output."""
        by_type = Counter(kind for device in self.devices for kind in device.said.values())
        sendings = sum(device.sendings for device in self.devices)
        reports = len(self.pair.state.reports)
        return (
            f"seed {self.seed}: {len(self.devices)} devices, {sum(by_type.values())} messages "
            f"({', '.join(f'{count} {kind}' for kind, count in sorted(by_type.items()))}) in {sendings} "
            f"sendings, {reports} usage reports kept; {msgspec.json.encode(self.seen).decode()}; "
            f"failovers {msgspec.json.encode(self.pair.failovers).decode()}, {self.pair.cut} changes cut"
        )


def _message_ids(happened: Iterator[events.Event]) -> Iterator[str]:
    """Of every message that has had an effect."""
    for event in happened:
        if isinstance(event, events.InstanceRegistered):
            yield event.instance.last.message_id
        elif isinstance(event, (events.UsageReported, events.ReportsTaken, events.CertificateRenewed)):
            yield event.last.message_id
