"""Random commands against a model: what the server keeps is what happened, on every copy of it."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mock_server.domain import administration, devices, events, licenses, tokens
from mock_server.domain.apply import LicensingMachine
from mock_server.domain.apply_instances import key_digest
from mock_server.domain.state import Mode
from smartlic_client.protocol import signing
from smartlic_client.protocol.identity import IdToken, Udi, device_digest
from smartlic_client.protocol.messages import (
    AuthorizationRequest,
    AuthorizationResult,
    DeregistrationRequest,
    IdCertRenewalResult,
    LicenseUsageResult,
    RegistrationRequest,
    Result,
    TrustRequest,
)
from smartlic_client.protocol.rum import RumReport
from tests.unit.domain.world import (
    NOW,
    SOFTWARE,
    Server,
    Speaker,
    again,
    derived,
    loaded,
    polling,
    rows,
    tag,
    usage_report,
)

DAY = 86400.0
SERIALS = [f"SN{n}" for n in range(4)]
TAGS = [tag(n) for n in range(3)]


@dataclass
class ModelToken:
    token: IdToken
    uses: int | None
    expires_at: float
    used: int = 0
    revoked: bool = False


@dataclass
class ModelDevice:
    """What the model knows of a registered device: who speaks, what was said last, what it uses."""

    speaker: Speaker
    said: list[tuple[Any, Result | None]] = field(default_factory=list)
    usage: dict[str, int] = field(default_factory=dict)
    mode: Mode = Mode.REGISTERED
    reports: dict[str, RumReport] = field(default_factory=dict)
    closed: int = 1
    """When its last usage report was closed."""


class Licensing(RuleBasedStateMachine):
    """Commands in, and a copy of the server that follows by the journal's payloads, sometimes from rows."""

    def __init__(self) -> None:
        super().__init__()
        self.time = NOW
        self.server = Server(lambda: self.time, random.Random(7))
        self.follower = LicensingMachine()
        self.followed = 0
        self.journal: dict[tuple[str, str], bytes] = {}
        self.tokens: list[ModelToken] = []
        self.registered: dict[str, ModelDevice] = {}
        self.gone: list[ModelDevice] = []
        self.refused: list[tuple[Speaker, RegistrationRequest]] = []
        self.purchased: dict[str, int] = {}
        self.follow()

    def follow(self) -> None:
        """The same payloads, applied by the other machine, give byte-equal rows for what they touched.

        The journal keeps only the rows of what a change says it touched, as the real one does.
        """
        for change in self.server.ledger.changes[self.followed :]:
            self.followed += 1
            for kind, key in self.follower.apply(events.encode(change)):
                row = self.follower.row(kind, key)
                if self.followed == len(self.server.ledger.changes):
                    assert row == self.server.machine.row(kind, key)
                if row is None:
                    self.journal.pop((kind, key), None)
                else:
                    self.journal[kind, key] = row

    def decide(
        self, speaker: Speaker, request: Any, expected: str | None, udi: Udi | None = None
    ) -> devices.Decision:
        """Decide, commit, and see that the outcome is the expected code, None for an acceptance."""
        before = len(self.server.ledger.changes)
        decision = self.server.decide(speaker.say(request, udi=udi))
        code = decision.problem.code if decision.problem else None
        if decision.unknown_piid is not None:
            code = "unknown"
        assert code == expected
        if expected is not None:
            assert len(self.server.ledger.changes) == before
        self.follow()
        return decision

    # ---- administration -----------------------------------------------------------------------------------
    @rule(uses=st.sampled_from([None, 1, 3]), days=st.sampled_from([1, 30, 365]))
    def create_token(self, uses: int | None, days: int) -> None:
        token = self.server.token(uses=uses, days=days)
        self.tokens.append(ModelToken(token, uses, self.time + days * DAY))
        self.follow()

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def revoke_token(self, data: st.DataObject) -> None:
        token = data.draw(st.sampled_from(self.tokens))
        self.server.commit(tokens.revoke_token(self.server.state, token.token.token_id))
        token.revoked = True
        self.follow()

    @rule(what=st.sampled_from(TAGS), quantity=st.integers(0, 6))
    def purchase(self, what: str, quantity: int) -> None:
        self.server.purchase(what, quantity)
        self.purchased[what] = quantity
        self.follow()

    @rule(name=st.sampled_from(["vip.lab", "10.0.0.1"]))
    def set_common_name(self, name: str) -> None:
        self.server.commit(administration.set_common_name(self.server.state, name))
        assert self.server.state.settings.common_name == name
        self.follow()

    @rule()
    def synchronize(self) -> None:
        self.server.commit([events.AccountSynchronized(name="Lab")])
        assert not self.server.state.accounts["Lab"].waiting
        self.follow()

    @rule(days=st.sampled_from([0.5, 1, 40]))
    def time_passes(self, days: float) -> None:
        self.time += days * DAY

    # ---- registrations ------------------------------------------------------------------------------------
    def why_not(self, token: ModelToken) -> str | None:
        if token.revoked:
            return "token-revoked"
        if self.time >= token.expires_at:
            return "token-expired"
        if token.uses is not None and token.used >= token.uses:
            return "token-used-up"
        return None

    @precondition(lambda self: self.tokens)
    @rule(
        data=st.data(),
        sn=st.sampled_from(SERIALS),
        force=st.booleans(),
        start=st.integers(1, 50),
        mode=st.sampled_from(Mode),
    )
    def register(self, data: st.DataObject, sn: str, force: bool, start: int, mode: Mode) -> None:
        """With a REGISTRATION or a TRUST. A new trust code of the same device goes on with its reports."""
        token = data.draw(st.sampled_from(self.tokens))
        speaker = Speaker(sn=sn, sequence=start)
        begin = speaker.registration if mode is Mode.REGISTERED else speaker.trust
        request = begin(token.token.reveal(), force=force)
        expected = self.why_not(token)
        if expected is None and sn in self.registered and not force:
            expected = "already-registered"
        decision = self.decide(speaker, request, expected)
        if expected is not None:
            return
        made = ModelDevice(speaker, [(request, decision.result)], mode=mode)
        if (former := self.registered.pop(sn, None)) is not None:
            self.gone.append(former)
            if former.mode is mode is Mode.POLICY:
                made.usage, made.closed = former.usage, former.closed
                made.reports = former.reports
        token.used += 1
        speaker.piid = decision.piid
        self.registered[sn] = made

    @rule(
        text=st.sampled_from(["", "junk", "%zz", "unknown"]), sn=st.sampled_from(SERIALS), force=st.booleans()
    )
    def register_with_no_token(self, text: str, sn: str, force: bool) -> None:
        speaker = Speaker(sn=sn)
        unknown = IdToken.make("727af1d9-6c39-4444-b301-863f81445b72", 1_900_000_000_000, bytes(32))
        token = unknown.reveal() if text == "unknown" else text or "?"
        expected = "token-unknown" if text == "unknown" else "token-invalid"
        self.decide(speaker, speaker.registration(token, force=force), expected)

    # ---- what devices say ---------------------------------------------------------------------------------
    def mode(self, device: ModelDevice, what: str, count: int) -> str:
        if what not in self.purchased:
            return "invalid-tag"
        others = sum(d.usage.get(what, 0) for d in self.registered.values() if d is not device)
        return "in-compliance" if others + count <= self.purchased[what] else "out-of-compliance"

    def draw(self, data: st.DataObject, mode: Mode | None = None) -> ModelDevice:
        """A device, or one of a mode."""
        return data.draw(st.sampled_from([d for d in self.registered.values() if mode in (None, d.mode)]))

    def has(self, mode: Mode) -> bool:
        return any(device.mode is mode for device in self.registered.values())

    @precondition(lambda self: self.has(Mode.REGISTERED))
    @rule(
        data=st.data(),
        counts=st.dictionaries(st.sampled_from(TAGS), st.integers(0, 4), max_size=3),
        skip=st.integers(0, 3),
    )
    def report(self, data: st.DataObject, counts: dict[str, int], skip: int) -> None:
        device = self.draw(data, Mode.REGISTERED)
        device.speaker.sequence += skip
        request = device.speaker.authorization(counts)
        modes = {what: self.mode(device, what, count) for what, count in counts.items()}
        decision = self.decide(device.speaker, request, None)
        assert isinstance(decision.result, AuthorizationResult)
        assert {e.tag: e.enforcement_mode for e in decision.result.entitlements} == modes
        device.usage = {what: count for what, count in counts.items() if count}
        device.said.append((request, decision.result))

    @precondition(lambda self: self.has(Mode.POLICY))
    @rule(
        data=st.data(),
        counts=st.lists(st.tuples(st.sampled_from(TAGS), st.integers(1, 4), st.booleans()), max_size=3),
        repeated=st.integers(0, 3),
    )
    def report_usage(self, data: st.DataObject, counts: list[tuple[str, int, bool]], repeated: int) -> None:
        """Some new reports, of licenses in use or released, and some that were taken before."""
        device = self.draw(data, Mode.POLICY)
        new = []
        for what, count, released in counts:
            number, device.closed = len(device.reports), device.closed + 10
            span = (device.closed - 10, device.closed - 5 if released else device.closed, count)
            new.append(usage_report(f"{number}", what, span, closed=device.closed))
            device.reports[f"{number}"] = new[-1]
            device.usage = {tag: n for tag, n in device.usage.items() if tag != what}
            if not released:
                device.usage[what] = count
        old = [one for one in device.reports.values() if one not in new][-repeated:] if repeated else []
        request = device.speaker.usage(*new, *old)
        decision = self.decide(device.speaker, request, None)
        assert isinstance(decision.result, LicenseUsageResult)
        assert decision.result.report_ids == [one.asset_identification.report_id for one in [*new, *old]]
        device.said.append((request, decision.result))

    @precondition(lambda self: self.registered)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        """A new certificate for the device's key; or, with another key, nothing."""
        device = self.draw(data)
        stranger = signing.make_csr(signing.new_key(), "x")
        self.decide(device.speaker, again(device.speaker.renewal(), csr=stranger), "csr-not-valid")
        request = device.speaker.renewal()
        decision = self.decide(device.speaker, request, None)
        assert isinstance(decision.result, IdCertRenewalResult)
        _, key = signing.read_certificate(decision.result.id_certificate)
        assert key == device.speaker.key.public_key()
        device.said.append((request, decision.result))

    @precondition(lambda self: self.registered)
    @rule(data=st.data(), lost=st.booleans())
    def poll(self, data: st.DataObject, lost: bool) -> None:
        """The answer to the last message is asked for; an older one, or a wrong poll id, is not there."""
        device = self.draw(data)
        request, result = data.draw(st.sampled_from(device.said))
        poll_id = f"{device.speaker.piid}.{request.message_id}"
        expected = None if request is device.said[-1][0] and not lost else "poll-unknown"
        decision = self.decide(device.speaker, polling(request, "lost" if lost else poll_id), expected)
        assert decision.events == []
        assert decision.result == (result if expected is None else None)

    @precondition(lambda self: self.registered)
    @rule(data=st.data())
    def report_in_the_other_mode(self, data: st.DataObject) -> None:
        device = self.draw(data)
        speaker = device.speaker
        registered = device.mode is Mode.REGISTERED
        self.decide(speaker, speaker.usage() if registered else speaker.authorization({}), "other-mode")

    @precondition(lambda self: self.has(Mode.REGISTERED))
    @rule(data=st.data())
    def report_named_twice(self, data: st.DataObject) -> None:
        device = self.draw(data, Mode.REGISTERED)
        request = device.speaker.authorization({TAGS[0]: 1})
        fields = {name: getattr(request, name) for name in request.__struct_fields__}
        doubled = AuthorizationRequest(**fields | {"entitlements": request.entitlements * 2})
        self.decide(device.speaker, doubled, "message-malformed")

    @precondition(lambda self: self.registered)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Any earlier message arrives once more: the last one gets its result, an older one nothing."""
        device = data.draw(st.sampled_from(list(self.registered.values())))
        request, result = data.draw(st.sampled_from(device.said))
        if request is device.said[-1][0]:
            decision = self.decide(device.speaker, request, None)
            assert (decision.result, decision.events) == (result, [])
        else:
            self.decide(device.speaker, request, "superseded")

    @precondition(lambda self: self.registered)
    @rule(data=st.data(), by=st.integers(0, 60))
    def report_with_a_lower_sequence(self, data: st.DataObject, by: int) -> None:
        device = data.draw(st.sampled_from(list(self.registered.values())))
        last = device.said[-1][0].sequence
        request = device.speaker.authorization({TAGS[0]: 1})
        fields = {name: getattr(request, name) for name in request.__struct_fields__}
        late = AuthorizationRequest(**fields | {"sequence": max(1, last - by)})
        self.decide(device.speaker, late, "superseded")

    @precondition(lambda self: self.registered)
    @rule(data=st.data())
    def deregister(self, data: st.DataObject) -> None:
        sn = data.draw(st.sampled_from(sorted(self.registered)))
        device = self.registered.pop(sn)
        request = device.speaker.deregistration()
        decision = self.decide(device.speaker, request, None)
        device.said.append((request, decision.result))
        self.gone.append(device)

    @precondition(lambda self: self.gone)
    @rule(data=st.data())
    def repeat_from_the_grave(self, data: st.DataObject) -> None:
        """Messages of an instance that is gone: only its own de-registration is answered."""
        device = data.draw(st.sampled_from(self.gone))
        request, result = data.draw(st.sampled_from(device.said))
        if isinstance(request, DeregistrationRequest):
            decision = self.decide(device.speaker, request, None)
            assert (decision.result, decision.events) == (result, [])
        else:
            registration = isinstance(request, (RegistrationRequest, TrustRequest))
            self.decide(device.speaker, request, "superseded" if registration else "unknown")

    # ---- copies -------------------------------------------------------------------------------------------
    @rule()
    def the_follower_starts_again_from_rows(self) -> None:
        """A machine made from rows is equal in every row and index, and goes on following."""
        copy = loaded(self.server.machine)
        assert rows(copy) == rows(self.server.machine)
        assert derived(copy.state) == derived(self.server.state)
        self.follower = copy

    @rule()
    def the_follower_starts_again_from_the_journal(self) -> None:
        """What changes said they touched is all that there is: a restart from those rows loses nothing."""
        self.follower.load([(kind, key, row) for (kind, key), row in self.journal.items()])
        assert rows(self.follower) == rows(self.server.machine)
        assert derived(self.follower.state) == derived(self.server.state)

    # ---- what always holds --------------------------------------------------------------------------------
    @invariant()
    def pools_are_the_sum_of_the_instances(self) -> None:
        state = self.server.state
        for pool in state.pools.values():
            assert pool.in_use == sum(i.usage.get(pool.tag, 0) for i in state.instances.values())
            assert licenses.standing(pool, self.time).purchased == self.purchased[pool.tag]

    @invariant()
    def tokens_count_accepted_registrations(self) -> None:
        accepted = self.server.registrations()
        for known in self.tokens:
            digest = tokens.token_digest(known.token)
            token = self.server.state.tokens[digest]
            assert token.used == known.used == sum(e.token_digest == digest for e in accepted)
            assert token.uses is None or token.used <= token.uses
            assert token.revoked == known.revoked

    @invariant()
    def instances_are_those_of_the_model(self) -> None:
        state = self.server.state
        expected = {d.speaker.piid: (d.mode, d.usage) for d in self.registered.values()}
        known = {piid: (instance.mode, instance.usage) for piid, instance in state.instances.items()}
        assert known == expected
        assert set(state.tombstones) == {device.speaker.piid for device in self.gone}

    @invariant()
    def each_report_is_kept_once(self) -> None:
        kept = Counter((one.piid, one.report_id) for one in self.server.state.reports.values())
        expected = {(d.speaker.piid, one) for d in self.registered.values() for one in d.reports}
        assert kept == Counter(expected)

    @invariant()
    def indexes_are_derived(self) -> None:
        state = self.server.state
        by_key = {}
        for device in [*self.registered.values(), *self.gone]:
            raw = signing.public_key_bytes(device.speaker.key.public_key())
            by_key[key_digest(raw)] = device.speaker.piid
        assert state.by_key == by_key
        udis = {sn: Udi(pid="C9300-24T", sn=sn) for sn in self.registered}
        assert state.by_identity == {
            device_digest(udis[sn], SOFTWARE): device.speaker.piid for sn, device in self.registered.items()
        }

    def teardown(self) -> None:
        """At the end, the leader, its follower, and a machine made from rows are the same."""
        assert rows(self.follower) == rows(self.server.machine)
        self.the_follower_starts_again_from_the_journal()
        copy = loaded(self.server.machine)
        assert rows(copy) == rows(self.server.machine)
        assert derived(copy.state) == derived(self.server.state)


Licensing.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=40)


class TestLicensing(Licensing.TestCase):  # type: ignore[misc, valid-type]
    """Whatever is asked and said, in any order, model, server and copies agree after each step."""
