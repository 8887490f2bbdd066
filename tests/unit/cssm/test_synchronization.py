"""What an answer changes, what is refused, and when an account synchronizes by itself."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_server.cssm.problems import CSSM_UNREACHABLE
from mock_server.domain import accounts, administration, events, licenses, synchronization
from mock_server.domain.state import AccountStatus, Schedule
from mock_server.domain.synchronization import ATTEMPTS, PERIODS, due
from smartlic_client.errors import SmartlicError
from tests.unit.cssm.sides import CLUSTER, TAG, Sides
from tests.unit.domain.world import NOW

DAY = 86_400.0
HOUR = 3600.0


@pytest.fixture
def sides() -> Sides:
    return Sides()


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(SmartlicError) as caught:
        call()
    return caught.value.code


def there(sides: Sides, virtual_account: str = "Default") -> int:
    """How many licenses there are now."""
    pool = licenses.find(sides.server.state, sides.lab, virtual_account, TAG)
    return licenses.standing(pool, sides.now).purchased


# ---- what an answer brings --------------------------------------------------------------------------------
def test_what_was_bought_at_cssm_is_in_the_account_after_a_synchronization(sides: Sides) -> None:
    """Quantities are absolute: more, fewer, and none when the purchase was taken back."""
    first = sides.buy(5)
    sides.buy(7, id="term", kind="TERM", start=NOW + DAY, end=NOW + 10 * DAY)
    sides.synchronize()
    assert there(sides) == 5
    sides.now += 2 * DAY
    assert there(sides) == 12
    sides.now += 10 * DAY
    assert there(sides) == 5
    sides.portal("purchase.remove", id=first)
    sides.synchronize()
    assert there(sides) == 0


def test_what_was_transferred_stays_where_it_is(sides: Sides) -> None:
    """A synchronization brings what is new to Default only, and local licenses are not CSSM's."""
    sides.buy(5)
    sides.synchronize()
    state = sides.server.state
    sides.server.commit([events.VirtualAccountCreated(account="Lab", name="Branch")])
    way = ("Default", "Branch")
    sides.server.commit(licenses.transfer(state, "Lab", TAG, way, 3, kind=None, now=sides.now))
    sides.server.commit(licenses.purchase(state, "Lab", "Branch", TAG, "DNA", 10))
    sides.buy(4)
    sides.synchronize()
    assert (there(sides), there(sides, "Branch")) == (2 + 4, 3 + 10)


def test_cssm_knows_what_is_in_use(sides: Sides) -> None:
    """The request tells usage per entitlement, whether or not it was bought."""
    sides.synchronize()
    assert sides.portal("on-prem.list")["on_prem"][0]["usage"] == {}
    request = sides.request(usage={TAG: 3})
    sides.answered(sides.sealed(request))
    (told,) = sides.portal("on-prem.list")["on_prem"]
    assert (told["account"], told["cluster"], told["usage"]) == ("Lab", CLUSTER, {TAG: 3})


# ---- what is refused --------------------------------------------------------------------------------------
def test_an_answer_is_taken_once_and_for_its_own_request_only(sides: Sides) -> None:
    """Foreign, answered twice, of an earlier request, with none waiting: refused, and nothing changes."""
    sides.buy(5)
    earlier, request = sides.request(), sides.request()
    old = sides.opened(sides.answered(sides.sealed(earlier)))
    answer = sides.opened(sides.answered(sides.sealed(request)))
    before = msgspec.msgpack.encode(sides.lab)
    assert refused(lambda: sides.take(answer, request.nonce, cluster="c2")) == "sync-answer-foreign"
    sides.server.commit(accounts.create_account(sides.server.state, "Two", "S", "V"))
    assert refused(lambda: sides.take(answer, request.nonce, account="Two")) == "sync-answer-foreign"
    assert refused(lambda: sides.take(old, request.nonce)) == "sync-answer-old"
    assert refused(lambda: sides.take(answer, None)) == "sync-answer-old"
    assert msgspec.msgpack.encode(sides.lab) == before
    sides.take(answer, request.nonce)
    assert refused(lambda: sides.take(answer, request.nonce)) == "sync-answer-old"
    assert there(sides) == 5


def test_an_answer_that_was_overtaken_is_old(sides: Sides) -> None:
    """A file answered before a synchronization by the network does not take back what that brought."""
    request = sides.request()
    sides.server.commit(synchronization.request_to_file(sides.server.state, "Lab", request.nonce))
    answer = sides.opened(sides.answered(sides.sealed(request)))
    sides.buy(5)
    sides.synchronize()
    assert refused(lambda: sides.take(answer, sides.lab.pending_request)) == "sync-answer-old"
    assert there(sides) == 5
    later = sides.opened(sides.answered(sides.sealed(request)))
    sides.take(later, sides.lab.pending_request)
    assert sides.lab.pending_request is None


@pytest.mark.parametrize("status", ["requested", "inactive"])
def test_only_an_active_account_synchronizes(sides: Sides, status: str) -> None:
    """No request is made for another, none is due, and no answer is taken."""
    request = sides.request()
    answer = sides.opened(sides.answered(sides.sealed(request)))
    sides.server.commit(synchronization.schedule(sides.server.state, "Lab", Schedule.DAILY, sides.now))
    changed = msgspec.structs.replace(sides.lab, status=AccountStatus(status))
    sides.server.commit([events.AccountChanged(account=changed)])
    assert refused(sides.request) == "account-not-active"
    assert refused(lambda: sides.take(answer, request.nonce)) == "account-not-active"
    assert due(sides.server.state, sides.now + 90 * DAY) == []
    assert synchronization.fail(sides.server.state, "Lab", CSSM_UNREACHABLE(why="x"), sides.now) == []


def test_a_name_that_changed_after_the_request_is_not_granted(sides: Sides) -> None:
    """The account goes on waiting, so that no certificate is made for a name that CSSM was not told."""
    state = sides.server.state
    sides.server.commit(administration.set_common_name(state, "one.lab"))
    request = sides.request()
    sides.server.commit(administration.set_common_name(state, "two.lab"))
    sides.take(sides.opened(sides.answered(sides.sealed(request))), request.nonce)
    assert administration.behind(state) == ["Lab"]
    sides.synchronize()
    assert administration.regeneration_due(state)


def test_without_an_active_account_nothing_is_regenerated(sides: Sides) -> None:
    """Who is requested, inactive or new is not waited for, but somebody has to have synchronized."""
    state = sides.server.state
    sides.server.commit(administration.set_common_name(state, "one.lab"))
    sides.server.commit(accounts.request(state, "TEST", "S", "V"))
    assert administration.behind(state) == ["Lab"]
    sides.server.commit(accounts.deactivate(state, "Lab", "audit"))
    assert not administration.regeneration_due(state)
    sides.server.commit(accounts.approve(state, "TEST"))
    assert administration.behind(state) == ["TEST"]
    sides.synchronize("TEST")
    assert administration.regeneration_due(state)


# ---- when -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("every", "count"), [("daily", 365), ("weekly", 52), ("monthly", 12)])
def test_a_year_of_scheduled_synchronizations(sides: Sides, every: str, count: int) -> None:
    """Looked at every hour, it happens as often as it should, always at the same time of day."""
    state = sides.server.state
    sides.server.commit(synchronization.schedule(state, "Lab", Schedule(every), sides.now))
    happened = []
    for _ in range(365 * 24):
        sides.now += HOUR
        if due(state, sides.now):
            if synchronization.signed_out(sides.lab, sides.now):
                sides.server.commit(synchronization.sign_in(state, "Lab", "admin", sides.now))
            sides.synchronize()
            happened.append(sides.now)
    assert len(happened) == count
    assert {(at - NOW) % DAY for at in happened} == {0.0}
    assert sides.lab.sync_serial == count


def test_a_synchronization_by_hand_does_not_move_the_schedule(sides: Sides) -> None:
    """The next one stays at its time of day."""
    sides.server.commit(synchronization.schedule(sides.server.state, "Lab", Schedule.DAILY, sides.now))
    planned = sides.lab.next_sync
    sides.now += HOUR
    sides.synchronize()
    assert sides.lab.next_sync == planned
    sides.now += 40 * DAY
    sides.synchronize()
    assert sides.lab.next_sync == sides.now + DAY


def test_a_clock_that_is_set_back_does_not_put_the_schedule_off(sides: Sides) -> None:
    """What would be due in more than a whole period is due now."""
    state = sides.server.state
    sides.server.commit(synchronization.schedule(state, "Lab", Schedule.WEEKLY, sides.now + 400 * DAY))
    assert due(state, sides.now) == ["Lab"]
    assert due(state, sides.now + 400 * DAY) == []
    sides.synchronize()
    assert (due(state, sides.now), sides.lab.next_sync) == ([], sides.now + 7 * DAY)


def test_a_failure_is_shown_and_tried_again_ever_more_rarely(sides: Sides) -> None:
    """After 1, 2, 4 … minutes, at most 6 hours; without a schedule eight times; success ends it."""
    state = sides.server.state
    pauses = []
    for _ in range(ATTEMPTS - 1):
        sides.server.commit(synchronization.fail(state, "Lab", CSSM_UNREACHABLE(why="off"), sides.now))
        assert sides.lab.sync_failure is not None
        assert (sides.lab.sync_failure.code, sides.lab.sync_failure.at) == ("cssm-unreachable", sides.now)
        assert sides.lab.next_sync is not None
        assert due(state, sides.lab.next_sync - 1) == []
        pauses.append(sides.lab.next_sync - sides.now)
        sides.now = sides.lab.next_sync
        assert due(state, sides.now) == ["Lab"]
    assert pauses == [60.0 * 2**n for n in range(ATTEMPTS - 1)]
    sides.server.commit(synchronization.fail(state, "Lab", CSSM_UNREACHABLE(why="off"), sides.now))
    assert due(state, sides.now + 365 * DAY) == []
    sides.server.commit(synchronization.schedule(state, "Lab", Schedule.MONTHLY, sides.now))
    for _ in range(30):
        sides.server.commit(synchronization.fail(state, "Lab", CSSM_UNREACHABLE(why="off"), sides.now))
    assert sides.lab.next_sync == sides.now + 6 * HOUR
    sides.synchronize()
    assert (sides.lab.sync_failure, sides.lab.next_sync) == (None, sides.now + PERIODS[Schedule.MONTHLY])


def test_who_signed_in_is_signed_out_after_180_days(sides: Sides) -> None:
    """Counted from the account's request, then from each sign-in, which has what failed tried again."""
    state = sides.server.state
    assert not synchronization.signed_out(sides.lab, NOW + 180 * DAY - 1)
    assert synchronization.signed_out(sides.lab, NOW + 180 * DAY)
    sides.now += 200 * DAY
    sides.server.commit(
        synchronization.fail(state, "Lab", synchronization.SIGNED_OUT(account="Lab"), sides.now)
    )
    assert due(state, sides.now) == []
    sides.server.commit(synchronization.sign_in(state, "Lab", "admin", sides.now))
    assert due(state, sides.now) == ["Lab"]
    assert not synchronization.signed_out(sides.lab, sides.now + 179 * DAY)


def test_a_journal_of_before_knows_of_no_sign_in(sides: Sides) -> None:
    """An account whose request is not on record is not signed out."""
    old = msgspec.structs.replace(sides.lab, requested_at=None)
    assert not synchronization.signed_out(old, NOW + 4000 * DAY)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.tuples(st.floats(1, 3 * DAY), st.booleans()), min_size=1, max_size=30),
    every=st.sampled_from([None, *Schedule]),
)
def test_whatever_fails_and_when_the_next_time_is_ahead(
    steps: list[tuple[float, bool]], every: Schedule | None
) -> None:
    """After every attempt an account is not due, and one with a schedule will be within its period."""
    sides = Sides()
    state = sides.server.state
    sides.server.commit(synchronization.schedule(state, "Lab", every, sides.now))
    for passed, works in steps:
        sides.now += passed
        if works:
            sides.synchronize()
        else:
            sides.server.commit(synchronization.fail(state, "Lab", CSSM_UNREACHABLE(why="x"), sides.now))
        assert due(state, sides.now) == []
        if every is not None:
            assert sides.lab.next_sync is not None
            assert sides.now < sides.lab.next_sync <= sides.now + PERIODS[every]
