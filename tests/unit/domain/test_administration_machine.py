"""Whatever people ask for in any order, between what products say: the books balance, on every copy."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mock_server.domain import accounts, clock, events, instances, licenses, tokens, virtual_accounts
from mock_server.domain.alerts import alerts
from mock_server.domain.apply import LicensingMachine
from mock_server.domain.state import AccountStatus, Lot, LotKind, Origin
from mock_server.domain.words import describe
from smartlic_client.errors import CallerError
from smartlic_client.protocol.identity import IdToken
from tests.unit.domain.world import NOW, Server, Speaker, derived, loaded, rows, tag

DAY = 86400.0
ACCOUNTS = ["Lab", "TEST", "Büro Süd"]
PLACES = ["Default", "Branch", "Zweig stelle"]
TAGS = [tag(n) for n in range(3)]
WHAT = ["rename", "transfer", "transfer", "transfer", "remove", "de-register"]
KINDS = [None, None, *LotKind]
LOTS = [f"L{n}" for n in range(3)]
some_lots = st.lists(
    st.builds(
        Lot,
        id=st.sampled_from(LOTS),
        quantity=st.integers(0, 9),
        kind=st.sampled_from(LotKind),
        start=st.sampled_from([None, NOW - DAY, NOW + 20 * DAY]),
        end=st.sampled_from([None, NOW + 10 * DAY, NOW + 60 * DAY]),
    ),
    unique_by=lambda lot: lot.id,
    max_size=3,
)
account_names = st.sampled_from(["Lab", "Lab", *ACCOUNTS])
places = st.sampled_from(PLACES)


class Administration(RuleBasedStateMachine):
    """All commands of people, messages of products, and a follower that gets the journal's payloads."""

    def __init__(self) -> None:
        super().__init__()
        self.time = NOW
        self.server = Server(lambda: self.time, random.Random(3))
        self.follower = LicensingMachine()
        self.followed = 0
        self.journal: dict[tuple[str, str], bytes] = {}
        self.known_tokens: list[IdToken] = []
        self.speakers: list[Speaker] = []
        # Account, tag and lot → quantity: what CSSM said last, and what was added here.
        self.bought: Counter[tuple[str, str, str]] = Counter()
        self.create_virtual_account("Lab", "Branch")
        self.purchase("Lab", "Default", TAGS[0], 5)
        self.known_tokens.append(self.server.token())
        self.registered("A", self.known_tokens[0], force=False)
        self.reported(self.speakers[0], {TAGS[0]: 2})

    def follow(self) -> None:
        for change in self.server.ledger.changes[self.followed :]:
            self.followed += 1
            assert all(describe(event) for event in change.events)
            for key in self.follower.apply(events.encode(change)):
                row = self.follower.row(*key)
                if row is None:
                    self.journal.pop(key, None)
                else:
                    self.journal[key] = row

    def ask(self, command: Callable[[], list[events.Event]]) -> bool:
        """Do it if it may be done. A command that is refused changes nothing."""
        before = rows(self.server.machine)
        try:
            happened = command()
        except CallerError:
            assert rows(self.server.machine) == before
            return False
        assert rows(self.server.machine) == before, "a decision decides, and changes nothing"
        if happened:
            self.server.commit(happened)
        self.follow()
        return True

    # ---- accounts -----------------------------------------------------------------------------------------
    @rule(name=account_names, at_once=st.booleans())
    def request(self, name: str, at_once: bool) -> None:
        new = accounts.create_account if at_once else accounts.request
        there = name in self.server.state.accounts
        assert self.ask(lambda: new(self.server.state, name, "S", name)) is not there

    @rule(
        name=st.sampled_from(ACCOUNTS),
        step=st.sampled_from(["approve", "refuse", "activate", "deactivate", "delete"]),
    )
    def step(self, name: str, step: str) -> None:
        state = self.server.state
        commands: dict[str, Callable[[], list[events.Event]]] = {
            "approve": lambda: accounts.approve(state, name),
            "refuse": lambda: accounts.refuse(state, name),
            "activate": lambda: accounts.activate(state, name),
            "deactivate": lambda: accounts.deactivate(state, name, "why not"),
            "delete": lambda: accounts.delete(state, name),
        }
        if self.ask(commands[step]) and step in ("refuse", "delete"):
            assert name not in state.accounts
            for key in [key for key in self.bought if key[0] == name]:
                del self.bought[key]

    @rule(name=account_names, place=places)
    def create_virtual_account(self, name: str, place: str) -> None:
        self.ask(lambda: virtual_accounts.create(self.server.state, name, place, "for Zürich"))

    @rule(name=account_names, place=places)
    def delete_virtual_account(self, name: str, place: str) -> None:
        self.ask(lambda: virtual_accounts.delete(self.server.state, name, place, self.time))

    # ---- licenses -----------------------------------------------------------------------------------------
    def local(self, name: str, place: str, what: str) -> int:
        pool = self.server.state.pools.get("\x1f".join((name, place, what)))
        lot = pool.lots.get("local") if pool else None
        return lot.quantity if lot else 0

    @rule(name=account_names, place=places, what=st.sampled_from(TAGS), quantity=st.integers(0, 9))
    def purchase(self, name: str, place: str, what: str, quantity: int) -> None:
        before = self.local(name, place, what)
        if self.ask(lambda: licenses.purchase(self.server.state, name, place, what, "DNA", quantity)):
            self.bought[name, what, "local"] += quantity - before

    @rule(name=account_names, said=st.dictionaries(st.sampled_from(TAGS), some_lots, max_size=3))
    def cssm_says(self, name: str, said: dict[str, list[Lot]]) -> None:
        told = [licenses.Entitlement(what, f"DNA {what[-1]}", parts) for what, parts in said.items()]
        if self.ask(lambda: licenses.arrive(self.server.state, name, told)):
            for key in [key for key in self.bought if key[0] == name and key[2] != "local"]:
                del self.bought[key]
            for what, parts in said.items():
                self.bought.update({(name, what, lot.id): lot.quantity for lot in parts})
            assert licenses.arrive(self.server.state, name, told) == [], "said again, it is no news"

    @precondition(lambda self: self.server.state.pools)
    @rule(
        data=st.data(), to=places, quantity=st.sampled_from([1, 1, 2, 5, 0, 40]), kind=st.sampled_from(KINDS)
    )
    def transfer_licenses(self, data: st.DataObject, to: str, quantity: int, kind: LotKind | None) -> None:
        state = self.server.state
        pool = state.pools[data.draw(st.sampled_from(sorted(state.pools)))]
        way = (pool.virtual_account, to)
        self.ask(
            lambda: licenses.transfer(state, pool.account, pool.tag, way, quantity, kind=kind, now=self.time)
        )

    # ---- tokens and time ----------------------------------------------------------------------------------
    @rule(name=account_names, place=places, uses=st.sampled_from([None, 1, 2]), days=st.sampled_from([1, 90]))
    def create_token(self, name: str, place: str, uses: int | None, days: int) -> None:
        def command() -> list[events.Event]:
            happened, token = tokens.create_token(
                self.server.state,
                name,
                place,
                days=days,
                uses=uses,
                description="",
                export_controlled=False,
                now=self.time,
                random=self.server.chance.randbytes,
            )
            self.known_tokens.append(token)
            return happened

        self.ask(command)

    @precondition(lambda self: self.known_tokens)
    @rule(data=st.data())
    def revoke_token(self, data: st.DataObject) -> None:
        token = data.draw(st.sampled_from(self.known_tokens))
        self.ask(lambda: tokens.revoke_token(self.server.state, token.token_id))

    @rule(days=st.sampled_from([0.5, 1, 40]))
    def time_passes(self, days: float) -> None:
        self.time += days * DAY

    @rule(seconds=st.sampled_from([3600.0, 0.0, 1e12]))
    def the_clock_is_moved(self, seconds: float) -> None:
        self.ask(lambda: clock.advance(self.server.state, seconds, NOW))

    # ---- instances ----------------------------------------------------------------------------------------
    @precondition(lambda self: self.known_tokens)
    @rule(data=st.data(), sn=st.sampled_from(["A", "B", "C"]), force=st.booleans())
    def register(self, data: st.DataObject, sn: str, force: bool) -> None:
        self.registered(sn, data.draw(st.sampled_from(self.known_tokens)), force=force)

    def registered(self, sn: str, token: IdToken, *, force: bool) -> None:
        speaker = Speaker(sn=sn)
        decision = self.server.decide(speaker.say(speaker.registration(token.reveal(), force=force)))
        if decision.problem is None:
            speaker.piid = decision.piid
            self.speakers.append(speaker)
        self.follow()

    def one_of_them(self, data: st.DataObject) -> Speaker:
        """Mostly one that is registered."""
        live = [speaker for speaker in self.speakers if speaker.piid in self.server.state.instances]
        return data.draw(st.sampled_from([*live, *live, *self.speakers]))

    @precondition(lambda self: self.speakers)
    @rule(data=st.data(), counts=st.dictionaries(st.sampled_from(TAGS), st.integers(0, 4), max_size=3))
    def report(self, data: st.DataObject, counts: dict[str, int]) -> None:
        """Also of instances that are gone, or whose account is inactive: those have no effect."""
        self.reported(self.one_of_them(data), counts)

    def reported(self, speaker: Speaker, counts: dict[str, int]) -> None:
        instance = self.server.state.instances.get(speaker.piid)
        before = len(self.server.ledger.changes)
        decision = self.server.decide(speaker.say(speaker.authorization(counts)))
        if instance is None:
            assert decision.unknown_piid == speaker.piid
        elif self.server.state.accounts[instance.account].status is not AccountStatus.ACTIVE:
            assert decision.problem is not None
            assert decision.problem.code == "account-inactive"
        else:
            assert decision.result is not None
        assert (len(self.server.ledger.changes) > before) == (decision.result is not None)
        self.follow()

    @precondition(lambda self: self.speakers)
    @rule(
        data=st.data(),
        place=places,
        what=st.sampled_from(WHAT),
    )
    def do_with_an_instance(self, data: st.DataObject, place: str, what: str) -> None:
        speaker = self.one_of_them(data)
        piid = speaker.piid
        state = self.server.state
        commands: dict[str, Callable[[], list[events.Event]]] = {
            "rename": lambda: instances.rename(state, piid, "pi37"),
            "transfer": lambda: instances.transfer(state, piid, place),
            "remove": lambda: instances.remove(state, piid),
        }
        if what == "de-register":
            self.server.decide(speaker.say(speaker.deregistration()))
            self.follow()
        elif not self.ask(commands[what]):
            return
        assert (piid in state.tombstones) is (what in ("remove", "de-register"))

    # ---- what always holds --------------------------------------------------------------------------------
    @invariant()
    def what_is_in_use_is_exact(self) -> None:
        """A pool holds the sum of its instances; each use of an entitlement that is known is in one."""
        state = self.server.state
        used: Counter[tuple[str, str, str]] = Counter()
        for instance in state.instances.values():
            for what, count in instance.usage.items():
                used[instance.account, instance.virtual_account, what] += count
        known = {(pool.account, pool.tag) for pool in state.pools.values()}
        told = {(pool.account, pool.virtual_account, pool.tag): pool.in_use for pool in state.pools.values()}
        assert +Counter(told) == +Counter(
            {key: count for key, count in used.items() if (key[0], key[2]) in known}
        )
        assert all(count >= 0 for count in told.values())

    @invariant()
    def nothing_bought_is_lost_or_doubled(self) -> None:
        """The lots of all virtual accounts add up to what CSSM said and what was added here."""
        there: Counter[tuple[str, str, str]] = Counter()
        for pool in self.server.state.pools.values():
            for lot in pool.lots.values():
                assert lot.quantity > 0
                assert (lot.origin is Origin.LOCAL) == (lot.id == "local")
                there[pool.account, pool.tag, lot.id] += lot.quantity
        assert there == +self.bought

    @invariant()
    def everything_is_somewhere(self) -> None:
        """Tokens, pools and instances lie in accounts and virtual accounts that there are."""
        state = self.server.state
        places = {(one.name, place) for one in state.accounts.values() for place in one.virtual_accounts}
        for table in (state.tokens, state.pools, state.instances):
            assert {(one.account, one.virtual_account) for one in table.values()} <= places
        bound = [(one.smart_account, one.virtual_account) for one in state.accounts.values()]
        assert len(set(bound)) == len(bound)
        for one in state.accounts.values():
            assert one.virtual_accounts[0] == "Default"
            assert one.status is not AccountStatus.DELETED

    @invariant()
    def tokens_are_not_used_more_often_than_they_allow(self) -> None:
        for token in self.server.state.tokens.values():
            assert token.uses is None or token.used <= token.uses

    @invariant()
    def alerts_tell_every_shortage(self) -> None:
        state = self.server.state
        short = {
            (pool.account, pool.virtual_account, pool.name)
            for pool in state.pools.values()
            if licenses.standing(pool, self.time).overage
        }
        told = {
            (alert.account, alert.virtual_account, alert.source)
            for alert in alerts(state, self.time)
            if alert.message_type == "Insufficient Licenses"
        }
        assert told == short

    @invariant()
    def copies_are_equal(self) -> None:
        """Rows loaded anew, and a machine that follows the journal, are what is in memory."""
        mine = rows(self.server.machine)
        assert rows(self.follower) == mine
        assert {key: row for key, row in self.journal.items() if key != ("settings", "")} == {
            key: row for key, row in mine.items() if key != ("settings", "")
        }
        copy = loaded(self.server.machine)
        assert rows(copy) == mine
        assert derived(copy.state) == derived(self.server.state) == derived(self.follower.state)


Administration.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=50)


class TestAdministration(Administration.TestCase):  # type: ignore[misc, valid-type]
    """After each step the books balance, and all copies are the same."""
