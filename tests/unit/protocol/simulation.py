"""Devices and a server over a network that loses, doubles and delays, with devices that crash at any step.

Everything is drawn from one seed, and time is virtual: a run that fails is repeated by its seed. `World.run`
plays a random life and lets everything settle; the properties are asserted while it runs and by `check`.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field

from smartlic_client.errors import AnswerError, CommunicationError, RefusedError, SmartlicError, problem
from smartlic_client.protocol import callhome, signing, smart
from smartlic_client.protocol.agent import Agent
from smartlic_client.protocol.flow import Persist, Send, deliver
from smartlic_client.protocol.identity import IdToken, Udi
from smartlic_client.protocol.messages import DeregistrationRequest, RegistrationRequest, meaning
from smartlic_client.protocol.record import Record
from smartlic_client.protocol.states import Authorization, Registration
from smartlic_client.protocol.transports import TransportKind
from tests.unit.domain.world import NOW, SOFTWARE, Server, loaded, rows, tag

LOST = problem("simulation-lost", CommunicationError, "Nothing came back.", "Try again.")
# What a server may refuse in this world. Anything else would be a message that went wrong on its way.
EXPECTED = {"token-used-up", "token-revoked", "token-unknown", "already-registered"}
UNKNOWN = IdToken.make("727af1d9-6c39-4444-b301-863f81445b72", 1_800_000_000_000, bytes(32))
CRASH = 0.06
FIRST_TAGS = 3


@dataclass
class Device:
    """An agent with what is on its disk, and what the test knows of it."""

    world: World
    number: int
    kind: TransportKind
    agent: Agent = field(init=False)
    disk: bytes = b""
    wanted: dict[str, int] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    sent: dict[str, tuple[int, set[str]]] = field(default_factory=dict)
    answers: list[bytes] = field(default_factory=list)
    piids: set[str] = field(default_factory=set)
    abandoned: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        udi = Udi(pid="C9300-24T", sn=f"FOC{self.number:04}")
        self.agent = Agent(Record(udi=udi, software_id=SOFTWARE, hostname=f"device-{self.number}"))
        self.save()

    # The three things of flow.Environment.
    def now(self) -> float:
        return self.world.time

    def random(self, count: int, /) -> bytes:
        return self.world.chance.randbytes(count)

    def new_key(self) -> signing.PrivateKey:
        return signing.new_key()

    @property
    def record(self) -> Record:
        return self.agent.record

    def save(self) -> None:
        """Write the record, and see that it keeps no token longer than it needs it."""
        self.disk = json.dumps(self.record.to_data()).encode()
        if not isinstance(self.record.in_flight, RegistrationRequest):
            assert not any(token.encode() in self.disk for token in self.tokens)
            assert self.record.new_key is None
            assert self.record.registration not in (Registration.IN_PROGRESS, Registration.RETRY)
        used = any(self.record.entitlements[what].count for what in self.record.entitlements)
        assert (self.record.evaluation_since is not None) == (self.record.authorization is Authorization.EVAL)
        assert used or self.record.authorization is not Authorization.EVAL
        if self.record.identity is not None:
            self.piids.add(self.record.identity.piid)

    def restart(self) -> None:
        """Lose all but the disk."""
        self.world.seen["crash"] += 1
        self.agent = Agent(Record.from_data(json.loads(self.disk)))

    def sending(self, raw: bytes) -> None:
        """Assert what has to hold of every message at the moment in which it leaves."""
        data = smart.decode_request(raw).data
        saved = Record.from_data(json.loads(self.disk)).in_flight
        assert saved is not None, "a message leaves that is not on the disk"
        assert meaning(saved) == meaning(data), "another message leaves than the one on the disk"
        if (known := self.sent.get(data.message_id)) is not None:
            sequence, nonces = known
            assert data.sequence == sequence, "a retry has another sequence"
            assert data.nonce not in nonces, "a retry has an old nonce"
            nonces.add(data.nonce)
            self.world.seen["retry"] += 1
        else:
            highest = max((sequence for sequence, _ in self.sent.values()), default=0)
            assert data.sequence > highest, "a new message has no higher sequence"
            self.sent[data.message_id] = (data.sequence, {data.nonce})


class World:
    """One server, a few devices, and the network between them."""

    def __init__(self, seed: int, devices: int = 3) -> None:
        self.chance = random.Random(seed)
        self.time = NOW
        self.server = Server(lambda: self.time, self.chance)
        self.delayed: list[bytes] = []
        self.refused: set[str] = set()
        self.seen: Counter[str] = Counter()
        self.tokens = [self.server.token(), self.server.token(uses=2), self.server.token(uses=1)]
        self.revoked = self.server.token()
        for known in self.server.state.tokens.values():
            known.revoked = known.token_id == self.revoked.token_id
        for number in range(FIRST_TAGS):
            self.server.purchase(tag(number), 4)
        kinds = list(TransportKind)
        self.devices = [Device(self, n, self.chance.choice(kinds)) for n in range(devices)]

    # ---- the network --------------------------------------------------------------------------------------
    def arrive(self, raw: bytes) -> bytes:
        """One copy of a message reaches the server. Its answer, in the form of the Smart transport."""
        data = smart.decode_request(raw).data
        _, body = self.server.post(raw)
        if smart.decode_error_map(body) is None:
            status = smart.decode_answer(body).answer.data.status
            if isinstance(data, RegistrationRequest) and status == "FAILED":
                self.refused.add(data.message_id)
        return body

    def stragglers(self, share: float) -> None:
        """Some of the delayed copies arrive now; nobody waits for their answers.

        A server keeps nothing of a registration that it refused, so a late copy of one is a new try, which
        may succeed: such copies do not arrive here.
        """
        self.chance.shuffle(self.delayed)
        for raw in [raw for raw in self.delayed if self.chance.random() < share]:
            if smart.decode_request(raw).data.message_id not in self.refused:
                self.seen["straggler"] += 1
                self.arrive(raw)

    def post(self, device: Device, step: Send, lossy: bool) -> bytes | SmartlicError:
        raw = step.body if device.kind is TransportKind.SMART else callhome.unwrap(step.body)
        device.sending(raw)
        if not lossy:
            return self.packed(device, self.arrive(raw))
        self.stragglers(0.1)
        fate = self.chance.choices(
            ["well", "lost", "delayed", "answer lost", "doubled", "copied", "stale", "later"],
            [40, 10, 10, 14, 10, 10, 3, 3],
        )[0]
        self.seen[fate] += 1
        if fate in ("delayed", "copied"):
            self.delayed.append(raw)
        if fate in ("lost", "delayed"):
            return LOST()
        if fate == "later":
            return LOST(retry_after=self.chance.choice([0, 1, 30]))
        answer = self.packed(device, self.arrive(raw))
        if fate == "answer lost":
            return LOST()
        if fate == "doubled":
            answer = self.packed(device, self.arrive(raw))
        if fate == "stale" and device.answers:
            return self.chance.choice(device.answers)
        device.answers.append(answer)
        return answer

    def packed(self, device: Device, body: bytes) -> bytes:
        if device.kind is TransportKind.SMART or smart.decode_error_map(body) is not None:
            return body
        return callhome.wrap(body, serial="test", now=self.time, number=1, to="device", sender="SSM")

    # ---- a device's life ----------------------------------------------------------------------------------
    def drive(self, device: Device, *, until: float | None, lossy: bool = True) -> bool:
        """Run the flow as a shell does. True: everything was said and answered."""

        def crashes() -> bool:
            return lossy and self.chance.random() < CRASH

        flow = deliver(
            device.agent, device, device.kind, self.server.anchors, to="https://vip/x", until=until
        )
        outcome: bytes | SmartlicError | None = None
        try:
            while True:
                step = flow.send(outcome)
                outcome = None
                if crashes():
                    device.restart()
                    return False
                if isinstance(step, Persist):
                    device.save()
                elif isinstance(step, Send):
                    outcome = self.post(device, step, lossy)
                    if crashes():
                        device.restart()
                        return False
                else:
                    self.time += step.seconds
        except StopIteration:
            return True
        except RefusedError as error:
            assert error.code in EXPECTED, error
            self.seen[error.code] += 1
        except (CommunicationError, AnswerError) as error:
            assert lossy, error
            assert error.code in ("simulation-lost", "answer-mismatch"), error
            self.seen[error.code] += 1
        finally:
            flow.close()
        return False

    def kept(self, device: Device) -> bool:
        """Save what the owner asked for, unless the device crashes before that."""
        if self.chance.random() < CRASH:
            device.restart()
            return False
        device.save()
        return True

    def use(self, device: Device) -> None:
        what, count = tag(self.chance.randrange(FIRST_TAGS + 1)), self.chance.choice([0, 1, 2, 3, 9])
        if count == 0 and what not in device.record.entitlements:
            return
        device.agent.request(what, count, self.time)
        if self.kept(device):
            device.wanted[what] = count
            if count == 0:
                del device.wanted[what]

    def register(self, device: Device) -> None:
        if isinstance(device.record.in_flight, (RegistrationRequest, DeregistrationRequest)):
            return
        force = self.chance.random() < 0.5
        if device.record.identity is not None and not force:
            return
        kinds = [*self.tokens, self.revoked, UNKNOWN]
        token = self.chance.choices(kinds, [44, 14, 14, 14, 14])[0]
        device.tokens.append(token.reveal())
        self.seen["forced" if device.record.identity else "registered"] += 1
        device.agent.register(token, device.new_key(), device.random, force)
        self.kept(device)

    def deregister(self, device: Device) -> None:
        record = device.record
        if record.identity is None or isinstance(record.in_flight, RegistrationRequest):
            return
        device.agent.deregister(device.random)
        if not self.kept(device):
            return
        self.drive(device, until=self.time + 1)
        identity = device.record.identity
        if identity is not None and isinstance(device.record.in_flight, DeregistrationRequest):
            self.seen["abandoned"] += 1
            device.abandoned.add(identity.piid)
            device.agent.forget(self.time)
            device.save()

    def live(self, device: Device) -> None:
        """One random thing happens to a device."""
        kind = self.chance.choices(
            ["use", "register", "report", "deregister", "speak", "restart", "time"], [28, 20, 5, 10, 27, 3, 7]
        )[0]
        if kind == "use":
            self.use(device)
        elif kind == "register":
            self.register(device)
        elif kind == "report" and device.record.identity is not None:
            device.agent.report()
            self.kept(device)
        elif kind == "deregister":
            self.deregister(device)
        elif kind == "restart":
            device.restart()
        elif kind == "time":
            self.time += self.chance.choice([1, 3600, 86400])
        self.drive(device, until=self.chance.choice([None, self.time + 1, self.time + 60]))

    def run(self, steps: int) -> None:
        """Live for `steps`, then let the network work and everything be said, and check the outcome."""
        for _ in range(steps):
            self.live(self.chance.choice(self.devices))
        self.settle()
        self.check()
        self.stragglers(1)
        self.check()

    def settle(self) -> None:
        for device in self.devices:
            for _ in range(3):
                if self.drive(device, until=self.time + 60, lossy=False):
                    break
            else:
                raise AssertionError("a device is never done")

    # ---- what has to be true when all is quiet ------------------------------------------------------------
    def check(self) -> None:
        state = self.server.state
        accepted = self.server.registrations()
        assert len({event.instance.last.message_id for event in accepted}) == len(accepted)
        assert len({event.key_digest for event in accepted}) == len(accepted)
        assert len({event.instance.piid for event in accepted}) == len(accepted)
        spent = Counter(event.token_digest for event in accepted)
        for digest, token in state.tokens.items():
            assert token.used == spent[digest]
            assert token.uses is None or token.used <= token.uses
        by_device = {event.instance.piid for event in accepted}
        expected: set[str] = set()
        for device in self.devices:
            self.check_device(device, by_device)
            if device.record.identity is not None:
                expected.add(device.record.identity.piid)
        left = set(state.instances) - expected
        assert left <= set().union(*(device.abandoned for device in self.devices))
        for pool in state.pools.values():
            assert pool.in_use == sum(i.usage.get(pool.tag, 0) for i in state.instances.values())
        assert rows(loaded(self.server.machine)) == rows(self.server.machine)

    def check_device(self, device: Device, accepted: set[str]) -> None:
        record = device.record
        assert record.in_flight is None
        assert device.piids <= accepted
        counts = {what: used.count for what, used in record.entitlements.items() if used.count}
        assert counts == device.wanted
        if record.identity is None:
            assert record.registration in (Registration.NOT_REGISTERED, Registration.FAILED)
            return
        assert record.registration is Registration.COMPLETE
        instance = self.server.state.instances[record.identity.piid]
        assert instance.usage == counts
        assert record.entitlements.keys() == counts.keys()
        key = signing.load_key(record.identity.key).public_key()
        assert instance.public_key == signing.public_key_bytes(key)
        states = (Authorization.AUTHORIZED, Authorization.OUT_OF_COMPLIANCE)
        assert record.authorization in (states if counts else (Authorization.NONE,))
