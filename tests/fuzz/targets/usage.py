"""Usage files as a server takes them, acknowledgements as a device does: raw, and signed after a change."""

from __future__ import annotations

import json
from collections.abc import Iterator

from smartlic_client.errors import SmartlicError
from smartlic_client.protocol import signing, usage_file
from smartlic_client.protocol.agent import Agent
from smartlic_client.protocol.identity import device_digest
from smartlic_client.protocol.record import Record
from tests.fuzz.mutation import json_in_json
from tests.fuzz.target import Read, Target
from tests.unit.domain.test_usage_files import DAY, ONE, TWO, Lab
from tests.unit.domain.world import authorities, loaded, rows
from tests.unit.protocol.life import legal

RAW, SIGNED = 0x80, 1


class Office:
    """A server, a device that it trusts and one that it does not know; each has saved a file."""

    def __init__(self) -> None:
        self.lab = Lab()
        self.trusted, self.stranger = self.lab.device("FOC1"), self.lab.device("FOC2")
        self.lab.trust(self.trusted)
        self.files = [self.lab.used(self.stranger, ONE, 2), self.lab.used(self.trusted, TWO, 3)]
        self.kept = rows(self.lab.server.machine)
        usage = self.trusted.record.usage
        assert usage is not None
        assert usage.identity is not None
        self.key, self.serial = signing.load_key(usage.identity.key), usage.identity.serial_number

    def sealed(self, content: str, *, signed: bool) -> bytes:
        value = signing.sign(self.key, content.encode()) if signed else ""
        signature = {"type": "SHA-256", "key": self.serial, "value": value} if signed else None
        file = {"format": usage_file.FORMAT, "version": usage_file.VERSION, "content": content}
        return json.dumps(file | {"signature": signature}).encode()

    def take(self, data: bytes) -> None:
        """Taken or refused; what was taken can be loaded again, and taken again with the same answer."""
        server = self.lab.server
        before = server.ledger.index
        try:
            taken = self.lab.take(data)
        except SmartlicError:
            assert server.ledger.index == before
            return
        assert rows(loaded(server.machine)) == rows(server.machine)
        again = self.lab.take(data)
        assert (again.result, again.events, again.new) == (taken.result, [], 0)
        server.machine.load([(kind, key, body) for (kind, key), body in self.kept.items()])
        del server.ledger.changes[before:]


def prepare() -> Read:
    office = Office()

    def read(data: bytes) -> None:
        if not data:
            return
        text = data[1:].decode("utf-8", "replace")
        office.take(data[1:] if data[0] & RAW else office.sealed(text, signed=bool(data[0] & SIGNED)))

    return read


def seeds() -> Iterator[bytes]:
    office = Office()
    for signed, file in enumerate(office.files):
        yield bytes((signed,)) + json.loads(file)["content"].encode()
    yield bytes((RAW,)) + office.files[0]
    yield bytes((RAW,)) + office.files[1]


# ---- acknowledgements -------------------------------------------------------------------------------------
class Desk:
    """A device that waits for an acknowledgement, and the server that signs."""

    def __init__(self) -> None:
        office = Office()
        self.lab = office.lab
        self.before = office.trusted.record.to_data()
        self.device = device_digest(office.trusted.record.udi, office.trusted.record.software_id)
        taken = self.lab.take(office.files[1])
        desk = self.lab.server.desk
        self.whole = usage_file.acknowledge(
            taken.result, taken.instance.piid, self.lab.time, desk.sign, desk.certificates
        )
        self.key = signing.load_key(authorities().answers.key_pem.decode())

    def sealed(self, text: str) -> bytes:
        envelope = json.loads(self.whole)
        envelope["response"] = text
        envelope["signature"]["value"] = signing.sign(self.key, text.encode())
        return json.dumps(envelope).encode()

    def hear(self, data: bytes) -> None:
        agent = Agent(Record.from_data(self.before))
        try:
            agent.import_acknowledgement(data, self.lab.server.anchors, self.lab.time + DAY)
        except SmartlicError:
            assert agent.record.to_data() == self.before
        legal(agent.record)


def prepare_acknowledgement() -> Read:
    desk = Desk()

    def read(data: bytes) -> None:
        if data:
            raw = data[0] & RAW
            desk.hear(data[1:] if raw else desk.sealed(data[1:].decode("utf-8", "replace")))

    return read


def acknowledgement_seeds() -> Iterator[bytes]:
    desk = Desk()
    yield b"\0" + json.loads(desk.whole)["response"].encode()
    yield bytes((RAW,)) + desk.whole


TARGETS = (
    Target("usage-files", prepare, seeds, json_in_json, longest=8192),
    Target("acknowledgements", prepare_acknowledgement, acknowledgement_seeds, json_in_json, longest=8192),
)
