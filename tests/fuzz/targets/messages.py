"""What devices send, as the server reads it: raw, as Call Home, and signed after it was changed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from mock_server.domain import events
from mock_server.domain.words import describe
from mock_server.errors import SmartlicError
from mock_server.web.devices import DeviceEndpoint
from smartlic_client.protocol import callhome, signing, smart
from smartlic_client.protocol.messages import HelloRequest, Request
from tests.fuzz.asgi import Caller
from tests.fuzz.mutation import json_in_json
from tests.fuzz.target import Read, Target
from tests.unit.domain.world import NOW, SOFTWARE, Server, Speaker, loaded, polling, rows, tag, usage_report

RAW = 0x80
CALL_HOME = 0x40
PATHS = (b"/SmartTransport", b"/Transportgateway/services/DeviceRequestHandler", b"/cslu/v1/pi/Lab-1")


class Site:
    """A server with licenses, a registered device, and one that uses policies."""

    def __init__(self) -> None:
        self.server = Server(lambda: NOW, random.Random(4))
        self.server.purchase(tag(1), 5)
        self.token = self.server.token().reveal()
        self.speakers = [Speaker(sn=f"FOC{number}") for number in range(3)]
        registered, trusting, new = self.speakers
        registered.piid = self.server.decide(registered.say(registered.registration(self.token))).piid
        trusting.piid = self.server.decide(trusting.say(trusting.trust(self.token))).piid
        self.kept = rows(self.server.machine)
        self.app = Caller(DeviceEndpoint(lambda: self.server.desk, _not_active))
        self.words = {"@TOKEN@": self.token, "@NEW@": signing.make_csr(new.key, "n")}
        for number, speaker in enumerate(self.speakers[:2]):
            self.words[f"@PIID{number}@"] = speaker.piid
            self.words[f"@CSR{number}@"] = signing.make_csr(speaker.key, "n")

    def sealed(self, text: str, signer: signing.PrivateKey) -> bytes:
        for word, value in self.words.items():
            text = text.replace(word, value)
        signature = {"type": "SHA-256", "value": signing.sign(signer, text.encode())}
        return json.dumps({"signature": signature, "request": text}).encode()

    def post(self, path: bytes, body: bytes) -> None:
        """Answered, whatever it is; and what came of it can be kept, shown and loaded again."""
        ledger, before = self.server.ledger, self.server.ledger.index
        status, _, said = self.app.call("POST", path, b"", [(b"content-type", b"")], body)
        assert status in (200, 400, 404, 413, 415), status
        assert said
        if ledger.index == before:
            return
        for change in ledger.changes[before:]:
            assert events.decode(events.encode(change)) == change
            assert all(describe(event) for event in change.events)
        assert rows(loaded(self.server.machine)) == rows(self.server.machine)
        self.server.machine.load([(kind, key, body) for (kind, key), body in self.kept.items()])
        del ledger.changes[before:]


def _not_active() -> SmartlicError:
    raise AssertionError("there is always a desk")


def prepare() -> Read:
    site = Site()

    def read(data: bytes) -> None:
        if not data:
            return
        chosen, body = data[0], data[1:]
        if not chosen & RAW:
            body = site.sealed(body.decode("utf-8", "replace"), site.speakers[(chosen & 0x0F) % 3].key)
            if chosen & CALL_HOME:
                body = callhome.wrap(body, serial="s", now=NOW, number=1, to="SSM", sender="call-home")
        site.post(PATHS[1 if chosen & CALL_HOME else (chosen >> 4 & 1) * 2], body)

    return read


def seeds() -> Iterator[bytes]:
    site = Site()
    registered, trusting, new = site.speakers
    hello = HelloRequest(
        message_id="m", sequence=9, software_tag_identifier=SOFTWARE, hostname="annanr-39", custom_id="rack 7"
    )
    said: list[tuple[int, Speaker, Request]] = [
        (2, new, new.registration("@TOKEN@")),
        (2, new, new.trust("@TOKEN@")),
        (0, registered, registered.authorization({tag(1): 3, tag(2): 1})),
        (0, registered, registered.renewal()),
        (0, registered, registered.deregistration()),
        (1, trusting, trusting.usage(usage_report("r1", tag(1), (0, 900, 2), (900, 1800, 3)))),
        (0, registered, hello),
        (0, registered, polling(registered.authorization({tag(1): 3}), "x.y")),
    ]
    for number, speaker, request in said:
        text = json.loads(speaker.bytes_of(request))["request"]
        for word, value in site.words.items():
            text = text.replace(value, word)
        inner = json.loads(text)
        whole = json.loads(inner["request_data"])
        if "csr" in whole:  # no two signatures are the same
            whole["csr"] = "@NEW@" if number == 2 else f"@CSR{number}@"
        whole["message_id"] = f"m{whole['sequence']}"
        inner["request_data"] = json.dumps(whole)
        yield bytes((number,)) + json.dumps(inner).encode()
    raw = new.bytes_of(said[6][2])
    yield bytes((RAW,)) + raw
    yield bytes((RAW | CALL_HOME,)) + callhome.wrap(raw, serial="s", now=NOW, number=1, to="SSM", sender="d")
    yield bytes((RAW | 0x10,)) + raw


def prepare_call_home() -> Read:
    def read(data: bytes) -> None:
        try:
            message = callhome.unwrap(data)
        except smart.Malformed:
            return
        wrapped = callhome.wrap(message, serial="s", now=NOW, number=1, to="SSM", sender="d")
        assert callhome.unwrap(wrapped) == message

    return read


def call_home_seeds() -> Iterator[bytes]:
    whole = callhome.wrap(
        b'{"a": 1}', serial="FOC1", now=NOW, number=7, to="https://vip/x", sender="call-home"
    )
    yield whole
    yield whole.replace(b' encoding="base64"', b"")
    yield whole.replace(b"UTF-8", b"iso-8859-1")
    yield whole.decode().replace("UTF-8", "UTF-16").encode("utf-16")


_XML = (
    b"<!DOCTYPE a [<!ENTITY e 'e'>]>",
    b"&e;",
    b"&lt;",
    b"&#0;",
    b"&#xD800;",
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"-->",
    b"<?pi ?>",
    b"smart_licensing_data",
    b"aml-block:Attachment",
    b"aml-block:Data",
    b"aml-block:Name",
    b' encoding="base64"',
    b' xmlns="',
    b"xmlns:xi='http://www.w3.org/2001/XInclude'",
    b"<xi:include href='/etc/passwd'/>",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
)

TARGETS = (
    Target("messages", prepare, seeds, json_in_json, longest=8192),
    Target("call-home", prepare_call_home, call_home_seeds, longest=8192, words=_XML),
)
