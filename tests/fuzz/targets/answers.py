"""What a server answers, as a device reads it: raw on both transports, and signed after it was changed."""

from __future__ import annotations

import json
from collections.abc import Iterator

from smartlic_client.errors import RefusedError, SmartlicError
from smartlic_client.protocol import callhome, flow, signing, smart
from smartlic_client.protocol.agent import Agent
from smartlic_client.protocol.record import Record
from smartlic_client.protocol.transports import TransportKind
from tests.fuzz.mutation import json_in_json
from tests.fuzz.target import Read, Target
from tests.unit.domain.world import authorities
from tests.unit.protocol.life import Life, legal
from tests.unit.protocol.test_hostile_answers import STARTS

RAW = 0x80
CALL_HOME = 0x40


class Scene:
    """A device that waits for an answer. What differs from run to run has a word in its place in an input."""

    def __init__(self, start: str) -> None:
        self.life: Life = STARTS[start]()
        self.sent = self.life.say()
        self.meant = self.life.record.in_flight
        self.before = self.life.record.to_data()
        envelope = json.loads(self.life.answer(self.sent))
        self.inner = str(envelope["response"])
        self.certificates: list[str] = envelope["signature"]["certificates"]
        said = json.loads(json.loads(self.inner)["response_data"])
        given = said.get("data") or {}
        self.words = {
            "@NONCE@": self.sent.nonce,
            "@MESSAGE@": said["message_id"],
            "@PIID@": given.get("product_instance_identifier") or self.sent.piid or "@PIID@",
            "@CERTIFICATE@": given.get("id_certificate") or "@CERTIFICATE@",
            "@CHAIN@": (given.get("id_certificate_chain") or ["@CHAIN@"])[0],
        }

    def seed(self) -> bytes:
        text = self.inner
        for word, value in self.words.items():
            text = text.replace(value, word)
        return text.encode()

    def sealed(self, text: str, sign: signing.PrivateKey) -> bytes:
        for word, value in self.words.items():
            text = text.replace(word, value)
        signature = {
            "type": "SHA-256",
            "value": signing.sign(sign, text.encode()),
            "certificates": self.certificates,
        }
        return json.dumps({"signature": signature, "response": text}).encode()

    def hear(self, kind: TransportKind, body: bytes) -> None:
        """As a shell does (flow.deliver): taken, refused, or doubted, and then the message is still there."""
        life = self.life
        life.agent = agent = Agent(Record.from_data(self.before))
        try:
            agent.receive(self.sent, flow.unpack(kind, body), life.server.anchors, life.time)
        except RefusedError:
            pass
        except SmartlicError as error:
            agent.lost(error, life.time)
            assert agent.record.in_flight == self.meant, error.code
        legal(agent.record)


def prepare() -> Read:
    scenes = [Scene(start) for start in STARTS]
    key = signing.load_key(authorities().answers.key_pem.decode())

    def read(data: bytes) -> None:
        if not data:
            return
        kind = TransportKind.CALLHOME if data[0] & CALL_HOME else TransportKind.SMART
        scene = scenes[(data[0] & 0x3F) % len(scenes)]
        body = data[1:]
        if not data[0] & RAW:
            body = scene.sealed(body.decode("utf-8", "replace"), key)
            if kind is TransportKind.CALLHOME:
                body = callhome.wrap(body, serial="s", now=scene.life.time, number=1, to="d", sender="SSM")
        scene.hear(kind, body)

    return read


def seeds() -> Iterator[bytes]:
    for number, start in enumerate(STARTS):
        scene = Scene(start)
        yield bytes((number,)) + scene.seed()
        if start == "AUTHORIZATION":
            yield bytes((number | CALL_HOME,)) + scene.seed()
            yield bytes((number | RAW,)) + scene.life.answer(scene.sent)
            yield bytes((number | RAW,)) + smart.encode_error_map({"product_instance_identifier": ["gone"]})
            later = json.loads(scene.life.later(scene.sent, "OK_POLL", 60))["response"]
            again = later.replace(scene.sent.nonce, "@NONCE@").replace(scene.words["@MESSAGE@"], "@MESSAGE@")
            yield bytes((number,)) + again.encode()


TARGETS = (Target("answers", prepare, seeds, json_in_json, longest=8192),)
