"""Synchronization with CSSM: what a request and an answer hold, when one is due, what an answer changes.

The same two documents go by the network and by file. Rules:

- A request is signed with the key of SSM On-Prem's own CA, which CSSM certified; an answer with the licensing
  root. What is signed is the kind, the format and the body, so that neither passes for the other.
- An answer is for one request (nonce) of one local account of one cluster, and is taken once: its serial must
  be newer than that of the last answer taken.
- A failure is kept with the account, and the account is synchronized again by itself: after a minute, then
  after twice as long each time, up to six hours. Without a schedule it is left after eight times.
- What CSSM knows of who signed in ages out after 180 days: a scheduled synchronization then fails until
  somebody signs in again. One that somebody asks for does not need it.

Times are Unix seconds of the clock of licensing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final

import msgspec

from mock_server.domain import accounts, events, licenses
from mock_server.domain.licenses import Entitlement
from mock_server.domain.state import Account, AccountStatus, Lot, LotKind, Schedule, State, SyncFailure
from mock_server.errors import RefusedError, SmartlicError, problem
from smartlic_client.protocol.identity import Count

__all__ = [
    "ATTEMPTS",
    "DATES",
    "PERIODS",
    "TOKEN_LIFE",
    "Purchase",
    "SyncAnswer",
    "SyncRequest",
    "due",
    "fail",
    "request_for",
    "request_to_file",
    "schedule",
    "sign_in",
    "sign_in_ends",
    "signed_out",
    "take",
    "usage_of",
]

DAY: Final = 86_400.0
PERIODS: Final[Mapping[Schedule, float]] = {
    Schedule.DAILY: DAY,
    Schedule.WEEKLY: 7 * DAY,
    Schedule.MONTHLY: 30 * DAY,
}
TOKEN_LIFE: Final = 180 * DAY
ATTEMPTS: Final = 8
_FIRST_PAUSE: Final = 60.0
_LONGEST_PAUSE: Final = 6 * 3600.0

FOREIGN = problem(
    "sync-answer-foreign",
    RefusedError,
    "The answer is for {account!r} of the cluster {cluster}, not for {wanted!r} of {here}.",
    "Upload it where its request came from, or make a request here: `smartlic-mock sync request-file`.",
)
OLD = problem(
    "sync-answer-old",
    RefusedError,
    "The answer cannot be taken for {account!r}: {why}.",
    "Make a new request (`smartlic-mock sync request-file`), have it answered, and upload that answer.",
)
SIGNED_OUT = problem(
    "cssm-signed-out",
    RefusedError,
    "Nobody has signed in to CSSM for the local account {account!r} for 180 days.",
    "Sign in again: `smartlic-mock sync sign-in USER --account {account}`.",
)


DATES: Final = (-62_135_596_800.0, 253_402_300_799.0)
"""The years 1 to 9999, in Unix seconds: what can be shown as a date."""
Moment = Annotated[float, msgspec.Meta(ge=DATES[0], le=DATES[1])]
Whole = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""What a journal can hold, and JSON of any side."""


class Purchase(msgspec.Struct, frozen=True, kw_only=True):
    """So many licenses of one entitlement, bought together. `start`, `end`: of its term; None: no bound."""

    id: str
    tag: str
    name: str
    quantity: Count
    kind: LotKind = LotKind.PERPETUAL
    start: Moment | None = None
    end: Moment | None = None


class SyncRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What SSM On-Prem tells CSSM of one local account.

    `serial`: of the last answer taken. `usage`: entitlement tag → count in use. `common_name`: the wish for
    certificates with this Host Common Name; None: there is none. `authority`: the certificate of the CA that
    signs, base64 DER.
    """

    cluster: str
    account: str
    smart_account: str
    virtual_account: str
    nonce: str
    serial: Whole
    made_at: Moment
    usage: dict[str, Whole]
    common_name: str | None
    authority: str


class SyncAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What CSSM answers: all purchases of the virtual account, absolute. `common_name`: the wish, granted."""

    cluster: str
    account: str
    nonce: str
    serial: Whole
    issued_at: Moment
    purchases: list[Purchase]
    common_name: str | None


# ---- requests ---------------------------------------------------------------------------------------------
def request_for(
    state: State, name: str, *, cluster: str, nonce: str, now: float, usage: Mapping[str, int]
) -> SyncRequest:
    """The request of an active account. `usage`: of this account, from `usage_of`."""
    account = accounts.active(state, name)
    settings = state.settings
    wish = settings.common_name if settings.common_name != settings.served_name else None
    return SyncRequest(
        cluster=cluster,
        account=name,
        smart_account=account.smart_account,
        virtual_account=account.virtual_account,
        nonce=nonce,
        serial=account.sync_serial,
        made_at=now,
        usage=dict(usage),
        common_name=wish,
        authority=settings.certificates["ca"][0],
    )


def usage_of(state: State, names: Iterable[str]) -> dict[str, dict[str, int]]:
    """Account → entitlement tag → count in use by its product instances."""
    found: dict[str, dict[str, int]] = {name: {} for name in names}
    for instance in state.instances.values():
        if (total := found.get(instance.account)) is not None:
            for tag, count in instance.usage.items():
                total[tag] = total.get(tag, 0) + count
    return found


def request_to_file(state: State, name: str, nonce: str) -> list[events.Event]:
    """A request goes to a file: the answer to it, and to no earlier one, can be uploaded."""
    accounts.active(state, name)
    return [events.SyncRequested(name=name, nonce=nonce)]


# ---- answers ----------------------------------------------------------------------------------------------
def take(
    state: State, answer: SyncAnswer, *, account: str, cluster: str, nonce: str | None, now: float
) -> list[events.Event]:
    """What an answer changes. `nonce`: of the request that waits for one, None if none does."""
    of = accounts.active(state, account)
    if (answer.cluster, answer.account) != (cluster, account):
        raise FOREIGN(account=answer.account, cluster=answer.cluster, wanted=account, here=cluster)
    if nonce is None:
        raise OLD(account=account, why="no request waits for one")
    if answer.nonce != nonce:
        raise OLD(account=account, why="it answers an earlier request")
    if answer.serial <= of.sync_serial:
        why = f"its serial {answer.serial} is not newer than {of.sync_serial}, which was taken"
        raise OLD(account=account, why=why)
    settings = state.settings
    granted = settings.common_name in (settings.served_name, answer.common_name)
    synchronized = events.AccountSynchronized(
        name=account,
        serial=answer.serial,
        waiting=of.waiting and not granted,
        next_sync=_next(of, now),
        by_file=nonce == of.pending_request,
    )
    return [*licenses.arrive(state, account, _entitlements(answer.purchases)), synchronized]


def _entitlements(purchases: Iterable[Purchase]) -> list[Entitlement]:
    lots: dict[str, list[Lot]] = {}
    names: dict[str, str] = {}
    for bought in purchases:
        names[bought.tag] = bought.name
        lots.setdefault(bought.tag, []).append(
            Lot(
                id=bought.id,
                quantity=bought.quantity,
                kind=bought.kind,
                start=bought.start,
                end=bought.end,
            )
        )
    return [Entitlement(tag, name, lots[tag]) for tag, name in names.items()]


def _next(account: Account, now: float) -> float | None:
    """The next time of its schedule. It keeps its time of day, unless it was missed or tried again."""
    if account.schedule is None:
        return None
    period = PERIODS[account.schedule]
    planned = account.next_sync
    if account.sync_failure is not None or planned is None or abs(now - planned) >= period:
        return now + period
    return planned if planned > now else planned + period


# ---- when -------------------------------------------------------------------------------------------------
def due(state: State, now: float) -> list[str]:
    """The accounts that are to be synchronized by themselves now."""
    return [
        account.name
        for account in state.accounts.values()
        if account.status is AccountStatus.ACTIVE
        and account.next_sync is not None
        # A clock that was set back does not put off what is scheduled.
        and (account.next_sync <= now or account.next_sync > now + _longest(account))
    ]


def _longest(account: Account) -> float:
    return PERIODS[account.schedule] if account.schedule is not None else _LONGEST_PAUSE


def schedule(state: State, name: str, every: Schedule | None, now: float) -> list[events.Event]:
    """Synchronize the account by itself from now on, or, None, no more."""
    accounts.active(state, name)
    first = None if every is None else now + PERIODS[every]
    return [events.SyncScheduled(name=name, schedule=every, next_sync=first)]


def sign_in_ends(account: Account) -> float | None:
    """When the token that CSSM gave to who signed in ages out. Who asked for the account had signed in."""
    since = account.signed_in_at if account.signed_in_at is not None else account.requested_at
    return None if since is None else since + TOKEN_LIFE


def signed_out(account: Account, now: float) -> bool:
    ends = sign_in_ends(account)
    return ends is not None and now >= ends


def sign_in(state: State, name: str, user: str, now: float) -> list[events.Event]:
    """Somebody signs in to CSSM for the account. What failed is tried again at once."""
    account = accounts.active(state, name)
    accounts.name_for(user, "a user")
    again = now if account.sync_failure is not None else account.next_sync
    return [events.SignedIn(name=name, user=user, next_sync=again)]


def fail(state: State, name: str, error: SmartlicError, now: float) -> list[events.Event]:
    """A synchronization has failed: the account shows why, and when it is tried again."""
    account = state.accounts.get(name)
    if account is None or account.status is not AccountStatus.ACTIVE:
        return []
    attempts = 1 + (account.sync_failure.attempts if account.sync_failure is not None else 0)
    pause = min(_FIRST_PAUSE * 2.0 ** min(attempts - 1, 20), _LONGEST_PAUSE)
    left = account.schedule is None and attempts >= ATTEMPTS
    failure = SyncFailure(code=error.code, sentence=error.sentence, at=now, attempts=attempts)
    return [events.SyncFailed(name=name, failure=failure, next_sync=None if left else now + pause)]
