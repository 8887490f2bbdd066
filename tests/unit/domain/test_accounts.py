"""The life of local accounts and virtual accounts, step by step."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from mock_server.domain import (
    accounts,
    administration,
    events,
    instances,
    licenses,
    synchronization,
    tokens,
    virtual_accounts,
)
from mock_server.domain.accounts import LIFE, AccountEvent
from mock_server.domain.state import AccountStatus, State
from smartlic_client.errors import CallerError
from tests.unit.domain.world import NOW, Server, Speaker, tag

Command = Callable[[State], list[events.Event]]
TAG = tag(1)
TO_STATUS: dict[AccountStatus, list[Command]] = {
    AccountStatus.REQUESTED: [lambda state: accounts.request(state, "TEST", "S", "V")],
    AccountStatus.ACTIVE: [lambda state: accounts.create_account(state, "TEST", "S", "V")],
    AccountStatus.INACTIVE: [
        lambda state: accounts.create_account(state, "TEST", "S", "V"),
        lambda state: accounts.deactivate(state, "TEST", "audit"),
    ],
}
STEPS: dict[AccountEvent, Command] = {
    AccountEvent.APPROVED: lambda state: accounts.approve(state, "TEST"),
    AccountEvent.REFUSED: lambda state: accounts.refuse(state, "TEST"),
    AccountEvent.DEACTIVATED: lambda state: accounts.deactivate(state, "TEST", "audit"),
    AccountEvent.ACTIVATED: lambda state: accounts.activate(state, "TEST"),
    AccountEvent.DELETED: lambda state: accounts.delete(state, "TEST"),
}


@pytest.fixture
def server() -> Server:
    return Server(lambda: NOW, random.Random(1))


def do(server: Server, command: Command) -> None:
    server.commit(command(server.state))


def refused(server: Server, command: Command) -> CallerError:
    """The refusal of a command; it leaves nothing behind."""
    before = len(server.ledger.changes)
    with pytest.raises(CallerError) as caught:
        command(server.state)
    assert len(server.ledger.changes) == before
    return caught.value


def with_account(status: AccountStatus, server: Server) -> None:
    for command in TO_STATUS[status]:
        do(server, command)
    assert server.state.accounts["TEST"].status is status


# ---- the table --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", TO_STATUS)
@pytest.mark.parametrize("step", STEPS)
def test_each_step_in_each_state_is_what_the_table_says(
    server: Server, status: AccountStatus, step: AccountEvent
) -> None:
    """A step in the table leads where it says; an absent one is refused and names where it is possible."""
    with_account(status, server)
    then = LIFE.get((status, step))
    if then is None:
        error = refused(server, STEPS[step])
        possible = [one for one, event in LIFE if event is step]
        assert error.code == "account-step"
        assert all(one in error.mend for one in possible)
        assert (status in error.sentence, step in error.sentence) == (True, True)
        return
    do(server, STEPS[step])
    account = server.state.accounts.get("TEST")
    assert (account.status if account else AccountStatus.DELETED) is then


def test_an_account_ends_by_a_refusal_or_from_being_inactive() -> None:
    """What the contract says of the table: requested, active, inactive, deleted, and no shorter way."""
    ends = {(status, step) for (status, step), then in LIFE.items() if then is AccountStatus.DELETED}
    assert ends == {
        (AccountStatus.REQUESTED, AccountEvent.REFUSED),
        (AccountStatus.INACTIVE, AccountEvent.DELETED),
    }
    to_active = {status for (status, _), then in LIFE.items() if then is AccountStatus.ACTIVE}
    assert to_active == {AccountStatus.REQUESTED, AccountStatus.INACTIVE}


def test_every_state_can_be_reached_and_left(server: Server) -> None:
    """All states but the end have a way out, and the tests above know all of them."""
    assert {status for status, _ in LIFE} == set(TO_STATUS)
    assert set(LIFE.values()) == set(AccountStatus) - {AccountStatus.REQUESTED}
    assert set(AccountEvent) == set(STEPS)


def test_the_reason_is_shown_until_it_is_activated_again(server: Server) -> None:
    """Deactivated with a reason, which is kept with the account and goes with the next activation."""
    do(server, lambda state: accounts.deactivate(state, "Lab", " audit "))
    assert server.state.accounts["Lab"].reason == "audit"
    do(server, lambda state: accounts.activate(state, "Lab"))
    assert server.state.accounts["Lab"].reason == ""
    for reason in ("", "  ", "a\nb", "x" * 256):
        assert refused(server, lambda state: accounts.deactivate(state, "Lab", reason)).code == "bad-reason"  # noqa: B023


def test_names_and_cssms_virtual_accounts_are_unique(server: Server) -> None:
    """One local account has a name, and one has a virtual account of CSSM; a refused request frees both."""
    do(server, lambda state: accounts.request(state, "TEST", "S", "V"))
    assert refused(server, lambda state: accounts.request(state, "TEST", "S", "W")).code == "account-exists"
    taken = refused(server, lambda state: accounts.request(state, "Two", "S", "V"))
    assert (taken.code, taken.context["account"]) == ("virtual-account-taken", "TEST")
    do(server, lambda state: accounts.request(state, "Two", "T", "V"))
    do(server, lambda state: accounts.refuse(state, "TEST"))
    do(server, lambda state: accounts.request(state, "TEST", "S", "V", "who@example.com"))
    account = server.state.accounts["TEST"]
    assert (account.email, account.requested_at) == ("who@example.com", NOW)


@pytest.mark.parametrize("email", ["nobody", "a b@c", "x" * 255 + "@y", "a@\x1b"])
def test_an_email_address_has_the_shape_of_one(server: Server, email: str) -> None:
    """It is for people to read: only what cannot be one is refused."""
    assert refused(server, lambda state: accounts.request(state, "T", "S", "V", email)).code == "bad-email"


# ---- nothing else before it is active ---------------------------------------------------------------------
NEEDS_ACTIVE: dict[str, Command] = {
    "token": lambda state: tokens.create_token(
        state,
        "TEST",
        "Default",
        days=1,
        uses=None,
        description="",
        export_controlled=False,
        now=NOW,
        random=random.Random(1).randbytes,
    )[0],
    "license": lambda state: licenses.purchase(state, "TEST", "Default", TAG, "DNA", 1),
    "transfer": lambda state: licenses.transfer(
        state, "TEST", TAG, ("Default", "Branch"), 1, kind=None, now=NOW
    ),
    "virtual account": lambda state: virtual_accounts.create(state, "TEST", "New"),
    "its end": lambda state: virtual_accounts.delete(state, "TEST", "Default", NOW),
    "synchronization": lambda state: synchronization.request_to_file(state, "TEST", "nonce"),
}


@pytest.mark.parametrize("status", [AccountStatus.REQUESTED, AccountStatus.INACTIVE])
@pytest.mark.parametrize("what", NEEDS_ACTIVE)
def test_nothing_can_be_done_with_an_account_that_is_not_active(
    server: Server, status: AccountStatus, what: str
) -> None:
    """Tokens, licenses, virtual accounts and synchronization are refused with one code, and its state."""
    with_account(status, server)
    error = refused(server, NEEDS_ACTIVE[what])
    assert (error.code, error.context["status"]) == ("account-not-active", status)


def inactive_with_a_product(server: Server) -> Speaker:
    speaker = Speaker()
    token = server.token()
    speaker.piid = server.decide(speaker.say(speaker.registration(token.reveal()))).piid
    do(server, lambda state: accounts.deactivate(state, "Lab", "audit"))
    return speaker


def test_products_of_an_inactive_account_are_refused_until_it_is_active_again(server: Server) -> None:
    """A report gets account-inactive and has no effect; the same message is taken afterwards."""
    speaker = inactive_with_a_product(server)
    message = speaker.authorization({TAG: 1})
    before = len(server.ledger.changes)
    told = server.decide(speaker.say(message)).problem
    assert told is not None
    assert (told.code, len(server.ledger.changes)) == ("account-inactive", before)
    do(server, lambda state: accounts.activate(state, "Lab"))
    assert server.decide(speaker.say(message)).problem is None
    assert server.state.instances[speaker.piid].usage == {TAG: 1}


def test_an_inactive_account_can_be_cleared_out_and_deleted(server: Server) -> None:
    """It refuses while there are products; those may be removed; tokens and licenses go with it."""
    do(server, lambda state: licenses.purchase(state, "Lab", "Default", TAG, "DNA", 5))
    speaker = inactive_with_a_product(server)
    in_use = refused(server, lambda state: accounts.delete(state, "Lab"))
    assert (in_use.code, in_use.context["count"]) == ("account-in-use", 1)
    for change in (
        lambda state: instances.rename(state, speaker.piid, "x"),
        lambda state: instances.transfer(state, speaker.piid, "Default"),
    ):
        assert refused(server, change).code == "account-not-active"
    do(server, lambda state: instances.remove(state, speaker.piid))
    do(server, lambda state: accounts.delete(state, "Lab"))
    state = server.state
    assert (state.accounts, state.tokens, state.pools, state.instances) == ({}, {}, {}, {})
    assert server.decide(speaker.say(speaker.authorization({}))).unknown_piid == speaker.piid


def test_an_inactive_account_does_not_hold_certificates_up(server: Server) -> None:
    """New certificates wait for every active account (B1.5), and for no other."""
    with_account(AccountStatus.ACTIVE, server)
    do(server, lambda state: administration.set_common_name(state, "vip.lab"))
    do(server, lambda _state: [events.AccountSynchronized(name="Lab")])
    assert not administration.regeneration_due(server.state)
    do(server, lambda state: accounts.deactivate(state, "TEST", "audit"))
    assert administration.regeneration_due(server.state)


# ---- virtual accounts -------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["Zweig stelle", "支店", "Über-uns", "a" * 100, "x/y?z", "-1"])
def test_virtual_accounts_have_names_as_people_give_them(server: Server, name: str) -> None:
    """Blanks, letters of any language and signs are fine; the description is kept with it."""
    do(server, lambda state: virtual_accounts.create(state, "Lab", name, "für Zürich"))
    account = server.state.accounts["Lab"]
    assert (account.virtual_accounts, account.descriptions) == (["Default", name], {name: "für Zürich"})
    again = refused(server, lambda state: virtual_accounts.create(state, "Lab", name))
    assert again.code == "virtual-account-exists"
    do(server, lambda state: virtual_accounts.delete(state, "Lab", name, NOW))
    assert (account.virtual_accounts, account.descriptions) == (["Default"], {})


def test_a_virtual_account_in_use_is_not_deleted(server: Server) -> None:
    """Each thing that holds it is named; afterwards its licenses are in Default, its tokens gone."""
    state = server.state
    do(server, lambda state: virtual_accounts.create(state, "Lab", "Branch"))
    do(server, lambda state: licenses.purchase(state, "Lab", "Branch", TAG, "DNA", 5))
    happened, token = tokens.create_token(
        state,
        "Lab",
        "Branch",
        days=1,
        uses=None,
        description="",
        export_controlled=False,
        now=NOW,
        random=server.chance.randbytes,
    )
    server.commit(happened)
    speaker = Speaker()
    speaker.piid = server.decide(speaker.say(speaker.registration(token.reveal()))).piid
    server.decide(speaker.say(speaker.authorization({TAG: 2})))

    def delete(now: float = NOW) -> Command:
        return lambda state: virtual_accounts.delete(state, "Lab", "Branch", now)

    error = refused(server, delete())
    assert error.code == "virtual-account-in-use"
    assert "1 product instances, 2 licenses in use, 1 usable ID tokens" in error.sentence
    server.decide(speaker.say(speaker.deregistration()))
    assert "it has 1 usable ID tokens" in refused(server, delete()).sentence
    do(server, delete(NOW + 86400))
    (pool,) = state.pools.values()
    assert (pool.virtual_account, licenses.standing(pool, NOW).purchased) == ("Default", 5)
    assert state.tokens == {}
    default = refused(server, lambda state: virtual_accounts.delete(state, "Lab", "Default", NOW))
    assert default.code == "default-virtual-account"
