"""A licensing server in memory, made of the real domain and the real answers; and a device's own words."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import msgspec

from mock_server import pki
from mock_server.domain import accounts, devices, events, licenses, tokens
from mock_server.domain.apply import LicensingMachine
from mock_server.domain.state import State
from mock_server.web.devices import Desk, answer
from smartlic_client.protocol import signing, smart
from smartlic_client.protocol.identity import IdToken, Udi
from smartlic_client.protocol.messages import (
    AuthorizationRequest,
    DeregistrationRequest,
    EntitlementUse,
    IdCertRenewalRequest,
    LicenseUsageRequest,
    PollRequest,
    RegistrationRequest,
    Request,
    RequestHeader,
    Sudi,
    TrustRequest,
    request_type,
)
from smartlic_client.protocol.rum import (
    Asset,
    AssetIdentification,
    Instance,
    Measurement,
    Meta,
    RumReport,
    Value,
)

NOW = 1_750_000_000.0
WHEN = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
SOFTWARE = "regid.2017-05.com.cisco.C9300,v1_727af1d9-6c39-4444-b301-863f81445b72"


def tag(number: int) -> str:
    """An entitlement tag, one for each number."""
    return f"regid.2018-12.com.cisco.DNA_{number},1.0_100fb8b2-f5cc-459c-9253-{number:012x}"


@dataclass(frozen=True)
class Authorities:
    """The whole PKI of one server. `root`: the anchor; `answers`: what signs licensing answers."""

    root: pki.Issuer
    ca: pki.Issuer
    id_ca: pki.Issuer
    answers: pki.Issued

    @property
    def anchors(self) -> bytes:
        return pki.to_pem(self.root.certificate)


def new_authorities(when: datetime.datetime = WHEN) -> Authorities:
    root = pki.new_root("Test Licensing Root CA", when)
    ca_key, id_key = signing.new_key(), signing.new_key()
    ca, ca_chain = pki.new_authority(root, "Test CA", ca_key.public_key(), now=when, path_length=1)
    authority = pki.Issuer(ca, ca_key, ca_chain)
    id_ca, id_chain = pki.new_id_authority(authority, "Test ID CA", id_key.public_key(), now=when)
    answers = authority.leaf("SSM On-Prem licensing answers", pki.ANSWERS, now=when)
    return Authorities(root, authority, pki.Issuer(id_ca, id_key, id_chain), answers)


@cache
def authorities() -> Authorities:
    return new_authorities()


class Ledger:
    """Keeps and applies changes at once; it never makes anybody wait."""

    def __init__(self, machine: LicensingMachine) -> None:
        self.machine = machine
        self.changes: list[events.Change] = []

    @property
    def index(self) -> int:
        return len(self.changes)

    def propose(self, payload: bytes) -> int:
        self.machine.apply(payload)
        self.changes.append(events.decode(payload))
        return self.index

    async def settled(self, index: int | None = None) -> None:
        assert index is None or index <= self.index


class Server:
    """One Active node without network, disk and clock: `post` is what the device endpoint does."""

    def __init__(self, clock: Callable[[], float], chance: random.Random) -> None:
        known = authorities()
        self.clock = clock
        self.chance = chance
        self.machine = LicensingMachine()
        self.ledger = Ledger(self.machine)
        key = signing.load_key(known.answers.key_pem.decode())
        self.desk = Desk(
            node="test",
            machine=self.machine,
            ledger=self.ledger,
            now=clock,
            environment=lambda now: environment(now, chance),
            sign=lambda data: signing.sign(key, data),
            certificates=known.answers.der_chain,
            id_chain=pki.der_chain(known.id_ca.chain),
        )
        self.commit(accounts.create_account(self.state, "Lab", "Lab Smart Account", "On-Prem"))

    @property
    def state(self) -> State:
        return self.machine.state

    @property
    def anchors(self) -> bytes:
        return authorities().anchors

    def commit(self, happened: list[events.Event]) -> None:
        change = events.Change(at=self.clock(), by="test", node="test", events=happened)
        self.ledger.propose(events.encode(change))

    def token(self, uses: int | None = None, days: float = 365) -> IdToken:
        happened, token = tokens.create_token(
            self.state,
            "Lab",
            "Default",
            days=days,
            uses=uses,
            description="",
            export_controlled=True,
            now=self.clock(),
            random=self.chance.randbytes,
        )
        self.commit(happened)
        return token

    def purchase(self, what: str, quantity: int) -> None:
        self.commit(licenses.purchase(self.state, "Lab", "Default", what, "DNA", quantity))

    def post(self, raw: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to one message of the Smart transport."""
        running = answer(self.desk, raw)
        try:
            running.send(None)
        except StopIteration as done:
            status, body = done.value
            return int(status), bytes(body)
        raise AssertionError("the answer waits for something")

    def registrations(self) -> list[events.InstanceRegistered]:
        """All registrations that were ever accepted."""
        return [
            event
            for change in self.ledger.changes
            for event in change.events
            if isinstance(event, events.InstanceRegistered)
        ]

    def decide(
        self, signed: smart.SignedRequest, account: str | None = None, *, postpone: bool = False
    ) -> devices.Decision:
        """Decide on a message and keep what happened."""
        now = replace(environment(self.clock(), self.chance), postpone=postpone)
        decision = devices.decide(self.state, signed, now, account)
        if decision.events:
            self.commit(decision.events)
        return decision


def again(request: Request, **changed: Any) -> Any:
    """The message with some fields changed."""
    return msgspec.structs.replace(request, **changed)


def environment(now: float, chance: random.Random) -> devices.Environment:
    issuer = authorities().id_ca
    when = datetime.datetime.fromtimestamp(now, datetime.UTC)

    def issue(public_key: signing.PublicKey, piid: str) -> devices.IssuedCertificate:
        certificate = issuer.identity(public_key, piid, now=when)
        return devices.IssuedCertificate(pki.der_chain([certificate])[0], f"{certificate.serial_number:x}")

    return devices.Environment(now=now, random=chance.randbytes, issue=issue)


@dataclass
class Speaker:
    """Says what a device would say, and also what a broken or hostile one would."""

    sn: str = "FOC2705Y8X0"
    piid: str = ""
    sequence: int = 0
    messages: int = 0

    def __post_init__(self) -> None:
        self.key: signing.PrivateKey = signing.new_key()

    def common(self) -> dict[str, object]:
        self.sequence += 1
        self.messages += 1
        return {
            "message_id": f"{self.sn}-{self.messages}-{id(self.key):x}",
            "sequence": self.sequence,
            "software_tag_identifier": SOFTWARE,
        }

    def registration(self, token: str, *, force: bool = False) -> RegistrationRequest:
        csr = signing.make_csr(self.key, self.sn)
        return RegistrationRequest(**self.common(), id_token=token, csr=csr, force=force)  # type: ignore[arg-type]

    def authorization(self, counts: dict[str, int]) -> AuthorizationRequest:
        used = [EntitlementUse(tag=what, count=count) for what, count in counts.items()]
        return AuthorizationRequest(**self.common(), entitlements=used)  # type: ignore[arg-type]

    def renewal(self) -> IdCertRenewalRequest:
        return IdCertRenewalRequest(**self.common(), csr=signing.make_csr(self.key, self.sn))  # type: ignore[arg-type]

    def trust(self, token: str, *, force: bool = False) -> TrustRequest:
        csr = signing.make_csr(self.key, self.sn)
        return TrustRequest(**self.common(), id_token=token, csr=csr, force=force)  # type: ignore[arg-type]

    def usage(self, *reports: RumReport) -> LicenseUsageRequest:
        return LicenseUsageRequest(**self.common(), reports=list(reports))  # type: ignore[arg-type]

    def deregistration(self) -> DeregistrationRequest:
        return DeregistrationRequest(**self.common())  # type: ignore[arg-type]

    def say(
        self,
        request: Request,
        *,
        key: signing.PrivateKey | None = None,
        piid: str | None = None,
        udi: Udi | None = None,
    ) -> smart.SignedRequest:
        """The message as it arrives: through its bytes, signed with the device's key or another."""
        return smart.decode_request(self.bytes_of(request, key=key, piid=piid, udi=udi))

    def bytes_of(
        self,
        request: Request,
        *,
        key: signing.PrivateKey | None = None,
        piid: str | None = None,
        udi: Udi | None = None,
    ) -> bytes:
        signer = key or self.key
        header = RequestHeader(
            sudi=Sudi.of(udi or Udi(pid="C9300-24T", sn=self.sn)),
            nonce=request.nonce,
            request_type=request_type(request),
            product_instance_identifier=self.piid if piid is None else piid,
        )
        return smart.encode_request(header, request, lambda data: signing.sign(signer, data))


def polling(request: Request, poll_id: str) -> PollRequest:
    """A POLL for the answer to `request`."""
    common = ("message_id", "sequence", "software_tag_identifier", "hostname", "custom_id")
    return PollRequest(**{name: getattr(request, name) for name in common}, poll_id=poll_id)


def usage_report(report_id: str, what: str, *spans: tuple[int, int, int], closed: int = 0) -> RumReport:
    """A usage report of spans (start, end, count), closed when the last one ended or at `closed`."""
    closed = closed or max((end for _, end, _ in spans), default=0)
    measurements = [
        Measurement(
            log_time=closed,
            start_time=start,
            end_time=end,
            sample_interval=900,
            num_samples=(end - start) // 900,
            value=Value(value=str(count)),
        )
        for start, end, count in spans
    ]
    asset = AssetIdentification(
        report_id=report_id, asset=Asset(name=SOFTWARE), instance=Instance(sudi={"udi_pid": "C9300-24T"})
    )
    return RumReport(asset_identification=asset, meta=Meta(entitlement_tag=what), measurements=measurements)


def derived(state: State) -> tuple[object, ...]:
    """The indexes of a state, as values to compare."""
    return dict(state.by_key), dict(state.by_identity), dict(state.reports_of), dict(state.by_place)


KINDS = (
    "settings",
    "account",
    "token",
    "pool",
    "instance",
    "tombstone",
    "report",
    "api_client",
    "access_token",
)


def rows(machine: LicensingMachine) -> dict[tuple[str, str], bytes]:
    """Every aggregate of a machine as the journal would keep it."""
    state = machine.state
    keys = {
        "settings": [""],
        "account": list(state.accounts),
        "token": list(state.tokens),
        "pool": list(state.pools),
        "instance": list(state.instances),
        "tombstone": list(state.tombstones),
        "report": list(state.reports),
        "api_client": list(state.api_clients),
        "access_token": list(state.access_tokens),
        "user": list(state.users),
    }
    found: dict[tuple[str, str], bytes] = {}
    for kind in KINDS:
        for key in keys[kind]:
            row = machine.row(kind, key)
            assert row is not None
            found[kind, key] = row
    return found


def loaded(machine: LicensingMachine) -> LicensingMachine:
    """A machine that was made from another one's rows."""
    copy = LicensingMachine()
    copy.load([(kind, key, row) for (kind, key), row in rows(machine).items()])
    return copy
