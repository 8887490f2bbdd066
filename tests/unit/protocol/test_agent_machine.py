"""Any life of a device: commands, answers of every kind, restarts and clocks that jump, in any order."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from smartlic_client.errors import CallerError, RefusedError, SmartlicError
from smartlic_client.protocol import errors, smart
from smartlic_client.protocol.messages import DeregistrationRequest, RegistrationRequest, TrustRequest
from smartlic_client.protocol.states import Authorization, Registration
from tests.unit.domain.world import NOW
from tests.unit.protocol.bench import DAY, ONE, TWO, refusing
from tests.unit.protocol.life import LOST, Life, legal

HOUR = 3600.0
NO_ANSWERS = (b"", b"<html>", b"{}", b'{"request":["cannot be read"]}')
GONE = smart.encode_error_map({"product_instance_identifier": ["The identity is not valid."]})


class Lives(RuleBasedStateMachine):
    """One device and its server; the network between them is each rule's own."""

    def __init__(self) -> None:
        super().__init__()
        self.life = Life()
        self.old: list[bytes] = []
        self.sequences: dict[str, int] = {}

    @initialize(registered=st.booleans())
    def begin(self, registered: bool) -> None:
        if registered:
            self.life.registered()

    # ---- the owner ----------------------------------------------------------------------------------------
    @rule(force=st.booleans())
    def register(self, force: bool) -> None:
        if isinstance(self.life.record.in_flight, (RegistrationRequest, DeregistrationRequest)):
            return
        with contextlib.suppress(CallerError):
            self.life.ask(force=force, now=self.life.time, token=self.life.server.token())

    @rule(what=st.sampled_from([ONE, TWO]), count=st.sampled_from([0, 1, 3, 9, -1, 2**31 - 1, 2**31, 2**63]))
    def use(self, what: str, count: int) -> None:
        with contextlib.suppress(CallerError):
            self.life.use(what, count)

    @rule(what=st.sampled_from(["report", "renew"]))
    def ask(self, what: str) -> None:
        with contextlib.suppress(CallerError):
            getattr(self.life.agent, what)(self.life.time)

    @rule()
    def deregister(self) -> None:
        if isinstance(self.life.record.in_flight, RegistrationRequest):
            return
        with contextlib.suppress(CallerError):
            self.life.agent.deregister(self.life.chance.randbytes, self.life.time)

    @precondition(lambda self: isinstance(self.life.record.in_flight, DeregistrationRequest))
    @rule()
    def forget(self) -> None:
        self.life.agent.forget(self.life.time)

    @rule(hidden=st.booleans())
    def withhold(self, hidden: bool) -> None:
        self.life.agent.configure(hostname_private=hidden, version_private=hidden, custom_id="a" * hidden)

    # ---- the world ----------------------------------------------------------------------------------------
    @rule(seconds=st.sampled_from([0.0, 1.0, 3.0, HOUR, DAY, 13 * DAY, 31 * DAY, 100 * DAY]))
    def pass_time(self, seconds: float) -> None:
        self.life.time += seconds
        self.life.agent.tick(self.life.time)

    @rule(days=st.sampled_from([0, 0, 1, 10, 200, 370, -365, -3650, 3650]))
    def set_clock(self, days: int) -> None:
        self.life.time = NOW + days * DAY
        self.life.agent.tick(self.life.time)

    @rule(quantity=st.sampled_from([0, 2, 100]))
    def purchase(self, quantity: int) -> None:
        self.life.server.purchase(ONE, quantity)

    @rule()
    def restart(self) -> None:
        self.life.restart()

    # ---- the network --------------------------------------------------------------------------------------
    def sending(self) -> Any:
        """What is sent next, None where there is nothing. A repeat is the same message."""
        sent = self.life.agent.next_request(self.life.time, self.life.chance.randbytes)
        if sent is not None:
            highest = max(self.sequences.values(), default=0)
            known = self.sequences.setdefault(sent.request.message_id, sent.request.sequence)
            assert known == sent.request.sequence
            assert known >= highest
        return sent

    def hear(self, sent: Any, body: bytes) -> None:
        meant = self.life.record.in_flight
        try:
            self.life.hear(sent, body)
        except RefusedError:
            assert self.life.record.in_flight is None
            if isinstance(meant, DeregistrationRequest):  # as a shell does: local data goes all the same
                self.life.agent.forget(self.life.time)
        except SmartlicError as error:
            assert self.life.record.in_flight == meant
            self.life.agent.lost(error, self.life.time, 0.25)

    @rule()
    def well(self) -> None:
        if (sent := self.sending()) is not None:
            self.old.append(body := self.life.answer(sent))
            self.hear(sent, body)

    @rule(arrives=st.booleans(), after=st.sampled_from([None, -1, 0, 5, 2**62]))
    def lose(self, arrives: bool, after: int | None) -> None:
        if (sent := self.sending()) is not None:
            if arrives:
                self.old.append(self.life.answer(sent))
            self.life.agent.lost(LOST(retry_after=after), self.life.time, 0.75)

    @rule(answer=st.sampled_from(NO_ANSWERS))
    def answer_nonsense(self, answer: bytes) -> None:
        if (sent := self.sending()) is not None:
            self.hear(sent, answer)

    @precondition(lambda self: self.old)
    @rule(data=st.data())
    def answer_again(self, data: st.DataObject) -> None:
        if (sent := self.sending()) is not None:
            self.hear(sent, data.draw(st.sampled_from(self.old)))

    @rule(code=st.sampled_from([*sorted(errors.REFUSALS), None]))
    def refuse(self, code: str | None) -> None:
        if (sent := self.sending()) is not None:
            self.hear(sent, refusing(self.life.answer(sent), code) if self.signed(sent) else b"")

    @rule(status=st.sampled_from(["OK_TRY_AGAIN", "OK_POLL", "VERSION_TOO_HIGH", "WHATEVER"]))
    def put_off(self, status: str) -> None:
        if (sent := self.sending()) is not None:
            if status == "OK_POLL" and (self.life.record.poll_id is not None or not self.signed(sent)):
                return
            self.hear(sent, self.life.later(sent, status, 60))

    @rule()
    def forget_instance(self) -> None:
        if (sent := self.sending()) is not None:
            self.hear(sent, GONE)

    def signed(self, sent: Any) -> bool:
        """Whether the server's answer would be a signed one: not where it does not know the instance."""
        return smart.decode_error_map(self.life.answer(sent)) is None

    # ---- what always holds --------------------------------------------------------------------------------
    @invariant()
    def it_is_legal(self) -> None:
        legal(self.life.record)
        assert not isinstance(self.life.record.in_flight, TrustRequest)

    @invariant()
    def time_goes_on(self) -> None:
        """After a tick there is something to send now, or the next deadline is ahead."""
        life = self.life
        if life.agent.tick(life.time):
            return
        at = life.agent.next_deadline()
        assert at is None or at > life.time

    def teardown(self) -> None:
        """A server that answers, and a clock that is right, bring any device home."""
        life = self.life
        life.time = NOW + 20 * DAY
        life.agent.tick(life.time)
        for _ in range(3):
            life.codes.clear()
            life.speak()
            if not life.codes:
                break
        legal(life.record)
        assert life.record.in_flight is None
        if life.record.identity is not None:
            life.agent.report(life.time)
            life.speak()
        if life.record.identity is None:  # or no more: a server may say no to what it has done
            assert life.codes in ([], ["identity-not-valid"])
            life.codes.clear()
            life.ask(token=life.server.token(), force=True)
            life.speak()
        assert life.codes == []
        identity = life.record.identity
        assert identity is not None
        assert life.record.registration is Registration.COMPLETE
        counts = {what: used.count for what, used in life.record.entitlements.items()}
        assert life.server.state.instances[identity.piid].usage == counts
        settled = (Authorization.AUTHORIZED, Authorization.OUT_OF_COMPLIANCE)
        assert life.record.authorization in (settled if counts else (Authorization.NONE,))
        assert len(life.server.state.instances) == 1
        legal(life.record)


TestLives = Lives.TestCase
TestLives.settings = settings(deadline=None, max_examples=60, stateful_step_count=40)
