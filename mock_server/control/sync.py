"""Synchronization with CSSM: now, by schedule, by file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from mock_server.control.certificates import described
from mock_server.control.forms import Answer, Fields, Operation, Placed
from mock_server.domain import accounts, administration, events, synchronization
from mock_server.domain.state import AccountStatus, Schedule
from mock_server.domain.words import date
from mock_server.errors import CommunicationError, problem
from mock_server.serving import Serving
from mock_server.syncing import Outcome, Synchronizer

__all__ = ["OPERATIONS"]

INCOMPLETE = problem(
    "sync-incomplete",
    CommunicationError,
    "{failed} of {count} local accounts are not synchronized: {why}.",
    "The others are. These are tried again by themselves; `smartlic-mock sync status` shows each.",
)


class _Synchronize(Fields, kw_only=True):
    """`accounts`: None, all that are active. `timeout`: seconds for CSSM's answer."""

    accounts: list[str] | None = None
    timeout: float = 8.0


class _Schedule(Placed, kw_only=True):
    every: Literal["daily", "weekly", "monthly", "never"]


class _SignIn(Placed, kw_only=True):
    user: str


class _AnswerFile(Fields, kw_only=True):
    """`of`: the account that it has to be for; None: the one that it is for."""

    answer: str
    of: str | None = None


async def synchronize(serving: Serving, fields: _Synchronize) -> Answer:
    names = fields.accounts
    if names is None:
        every = serving.state.accounts.values()
        names = [account.name for account in every if account.status is AccountStatus.ACTIVE]
    for name in names:
        accounts.active(serving.state, name)
    seconds = min(max(fields.timeout, 0.05), 20.0)
    outcome = await Synchronizer(serving).by_network(names, fields.by, seconds)
    if len(names) == 1 and outcome.failed:
        raise next(iter(outcome.failed.values()))
    if outcome.failed:
        why = "; ".join(f"{name}: {error.sentence.rstrip('.')}" for name, error in outcome.failed.items())
        raise INCOMPLETE(
            failed=len(outcome.failed), count=len(names), why=why, synchronized=outcome.synchronized
        )
    return await _done(serving, outcome)


async def _done(serving: Serving, outcome: Outcome) -> Answer:
    return {
        **described(serving, await serving.anchor()),
        "synchronized": outcome.synchronized,
        "certificates_regenerated": outcome.renewed,
        "still_to_synchronize": administration.behind(serving.state),
    }


async def status(serving: Serving, _fields: Fields) -> Answer:
    now = serving.now()
    found: list[Answer] = []
    for account in serving.state.accounts.values():
        failure = account.sync_failure
        found.append(
            {
                "account": account.name,
                "status": account.status,
                "smart_account": account.smart_account,
                "cssm_virtual_account": account.virtual_account,
                "schedule": account.schedule,
                "last_sync": date(account.last_sync),
                "next_sync": date(account.next_sync),
                "signed_in_at": date(account.signed_in_at),
                "signed_out": synchronization.signed_out(account, now),
                "failure": None
                if failure is None
                else {
                    "code": failure.code,
                    "sentence": failure.sentence,
                    "at": date(failure.at),
                    "attempts": failure.attempts,
                },
            }
        )
    await serving.ledger.settled()
    return {"accounts": found}


async def schedule(serving: Serving, fields: _Schedule) -> Answer:
    every = None if fields.every == "never" else Schedule(fields.every)
    happened = synchronization.schedule(serving.state, fields.account, every, serving.now())
    await serving.commit(fields.by, happened)
    first = next((one.next_sync for one in happened if isinstance(one, events.SyncScheduled)), None)
    return {"account": fields.account, "schedule": every, "next_sync": date(first)}


async def sign_in(serving: Serving, fields: _SignIn) -> Answer:
    happened = synchronization.sign_in(serving.state, fields.account, fields.user, serving.now())
    await serving.commit(fields.by, happened)
    return {"account": fields.account, "user": fields.user}


async def request_file(serving: Serving, fields: Placed) -> Answer:
    accounts.active(serving.state, fields.account)
    document = await Synchronizer(serving).request_file(fields.account, fields.by)
    return {"account": fields.account, "request": document.decode()}


async def answer_file(serving: Serving, fields: _AnswerFile) -> Answer:
    outcome = await Synchronizer(serving).answer_file(fields.of, fields.answer.encode(), fields.by)
    return await _done(serving, outcome)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "synchronize": Operation(_Synchronize, synchronize),
    "sync.status": Operation(Fields, status),
    "sync.schedule": Operation(_Schedule, schedule),
    "sync.sign-in": Operation(_SignIn, sign_in),
    "sync.request-file": Operation(Placed, request_file),
    "sync.answer-file": Operation(_AnswerFile, answer_file),
}
