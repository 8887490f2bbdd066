"""One device and its server, one message at a time, and answers that were tampered with."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable
from typing import Any

import msgspec

from smartlic_client.errors import RefusedError
from smartlic_client.protocol import signing, smart
from smartlic_client.protocol.agent import Agent, Outgoing
from smartlic_client.protocol.identity import IdToken, Udi
from smartlic_client.protocol.messages import (
    AnswerData,
    AnswerHeader,
    IdCertRenewalRequest,
    IdCertRenewalResult,
    LicenseUsageRequest,
    LicenseUsageResult,
    PollRequest,
    Result,
    TrustRequest,
    TrustResult,
    meaning,
)
from smartlic_client.protocol.record import Record
from smartlic_client.protocol.rum import Policy, RumReport
from smartlic_client.protocol.states import Authorization, Registration
from tests.unit.domain.world import NOW, SOFTWARE, Server, authorities, environment, tag

DAY = 86400.0
ONE, TWO = tag(1), tag(2)


class WholeServer(Server):
    """The server in memory, which answers renewals and polls too: each message takes effect once.

    `later`: message ids that are answered OK_POLL, and get their answer by POLL.
    """

    def __init__(self, clock: Callable[[], float], chance: random.Random) -> None:
        super().__init__(clock, chance)
        self.results: dict[str, tuple[str, Result]] = {}
        self.renewals = 0
        self.waiting: dict[str, bytes] = {}
        self.policy: Policy | None = None
        self.trusted_keys: dict[str, signing.PublicKey] = {}
        self.tokens_spent: list[str] = []
        self.reports: dict[str, RumReport] = {}
        self.deaf_to: set[str] = set()

    def post(self, raw: bytes) -> tuple[int, bytes]:
        signed = smart.decode_request(raw)
        data = signed.data
        if isinstance(data, IdCertRenewalRequest):
            if signed.header.product_instance_identifier not in self.state.instances:
                text = {"product_instance_identifier": ["The identity is not valid."]}
                return 400, smart.encode_error_map(text)
            return 200, self.sealed(signed, data=self.renewed(signed, data))
        if isinstance(data, PollRequest):
            return 200, self.polled(signed, data)
        if isinstance(data, TrustRequest):
            return 200, self.trusted(signed, data)
        if isinstance(data, LicenseUsageRequest):
            return 200, self.reported(signed, data)
        return super().post(raw)

    def renewed(self, signed: smart.SignedRequest, data: IdCertRenewalRequest) -> Result:
        known = self.results.get(data.message_id)
        if known is not None:
            assert known[0] == meaning(data)
            return known[1]
        instance = self.state.instances[signed.header.product_instance_identifier]
        public_key = signing.read_csr(data.csr)
        assert public_key is not None
        assert signing.public_key_bytes(public_key) == instance.public_key
        assert signing.verify(public_key, signed.signed, signed.signature)
        self.renewals += 1
        issued = environment(self.clock(), self.chance).issue(public_key, instance.piid)
        result = IdCertRenewalResult(
            id_certificate=issued.certificate, id_certificate_chain=self.desk.id_chain
        )
        self.results[data.message_id] = (meaning(data), result)
        return result

    def trusted(self, signed: smart.SignedRequest, data: TrustRequest) -> bytes:
        """One trust code for each message id; the token's digest is noted."""
        public_key = signing.read_csr(data.csr)
        assert public_key is not None
        assert signing.verify(public_key, signed.signed, signed.signature)
        known = self.results.get(data.message_id)
        if known is None:
            self.tokens_spent.append(data.id_token)
            piid = f"trust-{len(self.trusted_keys)}"
            self.trusted_keys[piid] = public_key
            issued = environment(self.clock(), self.chance).issue(public_key, piid)
            result = TrustResult(
                product_instance_identifier=piid,
                id_certificate=issued.certificate,
                id_certificate_chain=self.desk.id_chain,
                smart_account="Lab Smart Account",
                virtual_account="Default",
                trust_code=f"code-{piid}",
                policy=self.policy,
            )
            known = self.results[data.message_id] = (meaning(data), result)
        assert known[0] == meaning(data)
        return self.sealed(signed, piid=known[1].product_instance_identifier, data=known[1])  # type: ignore[union-attr]

    def reported(self, signed: smart.SignedRequest, data: LicenseUsageRequest) -> bytes:
        """Each report is kept once under its id, and has to be the same every time."""
        key = self.trusted_keys[signed.header.product_instance_identifier]
        assert signing.verify(key, signed.signed, signed.signature)
        for report in data.reports:
            report_id = report.asset_identification.report_id
            assert self.reports.setdefault(report_id, report) == report
        acknowledged = [
            report.asset_identification.report_id
            for report in data.reports
            if report.meta.entitlement_tag not in self.deaf_to
        ]
        return self.sealed(signed, data=LicenseUsageResult(report_ids=acknowledged))

    def postpone(self, raw: bytes, poll_id: str, seconds: int | None) -> bytes:
        """Take a message, and answer it OK_POLL."""
        self.waiting[poll_id] = self.post(raw)[1]
        signed = smart.decode_request(raw)
        return self.sealed(signed, status="OK_POLL", poll_id=poll_id, retry_time_seconds=seconds)

    def polled(self, signed: smart.SignedRequest, data: PollRequest) -> bytes:
        if data.poll_id not in self.waiting:
            return self.sealed(signed, status="FAILED", code="poll-unknown")
        answer = smart.decode_answer(self.waiting[data.poll_id]).answer
        piid = answer.header.product_instance_identifier
        return self.sealed(signed, piid=piid, data=answer.data.data, status=answer.data.status)

    def sealed(self, signed: smart.SignedRequest, *, piid: str | None = None, **fields: Any) -> bytes:
        header = AnswerHeader(
            nonce=signed.header.nonce,
            request_type=signed.header.request_type,
            product_instance_identifier=(signed.header.product_instance_identifier if piid is None else piid),
        )
        fields.setdefault("status", "OK")
        data = AnswerData(timestamp=0, nonce=signed.header.nonce, message_id=signed.data.message_id, **fields)
        return smart.encode_answer(header, data, self.desk.sign, self.desk.certificates)


class Bench:
    """One device and its server, one message at a time."""

    def __init__(self, **fields: Any) -> None:
        self.time = NOW
        self.chance = random.Random(3)
        self.server = WholeServer(lambda: self.time, self.chance)
        for what in (ONE, TWO):
            self.server.purchase(what, 5)
        self.token = self.server.token()
        udi = Udi(pid="C9300-24T", sn="FOC1")
        self.agent = Agent(Record(udi=udi, software_id=SOFTWARE, **fields))

    @property
    def record(self) -> Record:
        return self.agent.record

    def authorization(self) -> Authorization:
        return self.record.authorization

    def registration(self) -> Registration:
        return self.record.registration

    def say(self) -> Outgoing:
        sent = self.agent.next_request(self.time, self.chance.randbytes)
        assert sent is not None
        return sent

    def answer(self, sent: Outgoing) -> bytes:
        return self.server.post(sent.body)[1]

    def hear(self, sent: Outgoing, body: bytes) -> AnswerData | None:
        return self.agent.receive(sent, body, self.server.anchors, self.time)

    def turn(self) -> AnswerData | None:
        sent = self.say()
        return self.hear(sent, self.answer(sent))

    def ask(
        self, *, force: bool = False, token: IdToken | None = None, kind: str = "ec", now: float = 0.0
    ) -> None:
        self.agent.register(token or self.token, signing.new_key(kind), self.chance.randbytes, force, now)

    def later(self, sent: Outgoing, status: str, seconds: int | None) -> bytes:
        """The server's answer to `sent`: later."""
        if status == "OK_POLL":
            return self.server.postpone(sent.body, "poll-1", seconds)
        signed = smart.decode_request(sent.body)
        return self.server.sealed(signed, status=status, retry_time_seconds=seconds)

    def forgotten(self) -> None:
        """The server says that it does not know the instance."""
        self.agent.report(self.time)
        text = {"product_instance_identifier": ["The identity is not valid."]}
        with contextlib.suppress(RefusedError):
            self.hear(self.say(), smart.encode_error_map(text))

    def registered(self) -> Bench:
        self.ask()
        self.turn()
        return self

    def restart(self) -> None:
        self.agent = Agent(Record.from_data(json.loads(json.dumps(self.record.to_data()))))

    def use(self, what: str, count: int) -> None:
        self.agent.request(what, count, self.time)


def forged(
    body: bytes,
    *,
    header: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    text: Callable[[bytes], bytes] = lambda text: text,
    world: Any = None,
) -> bytes:
    """The answer with fields replaced, and signed as a server does: by `world`, the right one by default.

    `text` changes what is sent after it was signed.
    """
    read = smart.decode_answer(body)
    signer = world or authorities()
    key = signing.load_key(signer.answers.key_pem.decode())
    raw = smart.encode_answer(
        msgspec.structs.replace(read.answer.header, **(header or {})),
        msgspec.structs.replace(read.answer.data, **(data or {})),
        lambda signed: signing.sign(key, signed),
        signer.answers.der_chain,
    )
    envelope = json.loads(raw)
    envelope["response"] = text(envelope["response"].encode()).decode()
    return json.dumps(envelope).encode()


def refusing(body: bytes, code: str | None, message: str = "no") -> bytes:
    return forged(body, data={"status": "FAILED", "code": code, "status_message": message, "data": None})
