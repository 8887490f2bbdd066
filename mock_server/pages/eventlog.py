"""The event log as pages: all of it, or what concerns one local account; newest first."""

from __future__ import annotations

from typing import Any, Final

from mock_server.control.events import log_lines
from mock_server.domain import events
from mock_server.domain.state import State
from mock_server.pages.tables import PAGE, Asked, Column, Listing
from mock_server.serving import Serving

__all__ = ["COLUMNS", "account_of", "of_account", "whole"]

COLUMNS: Final = (
    Column("index", "Number", sortable=False, number=True),
    Column("at", "Time", sortable=False),
    Column("by", "By", sortable=False),
    Column("node", "Server", sortable=False),
    Column("event", "Event", sortable=False),
)
_AT_ONCE: Final = 500
_LOOKED_AT: Final = 5_000
"""Changes that are looked through for one page of an account's log."""
_IN_CSV: Final = 20_000


async def whole(serving: Serving, asked: Asked, *, csv: bool) -> Listing:
    """A page of the journal; a change may have several events, each a row."""
    await serving.ledger.settled()
    head = serving.ledger.index
    if csv:
        return Listing(asked, COLUMNS, await _between(serving, max(0, head - _IN_CSV), _IN_CSV), head)
    pages = max(1, -(-head // PAGE))
    page = min(asked.page, pages)
    last = head - (page - 1) * PAGE
    rows = await _between(serving, max(0, last - PAGE), min(PAGE, last))
    return Listing(asked, COLUMNS, rows, head, searchable=False, caption="Event log")


async def _between(serving: Serving, after: int, count: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while count > 0:
        found = await serving.ledger.read_events(after, min(count, _AT_ONCE))
        if not found:
            break
        for entry in found:
            rows.extend(log_lines(entry.index, entry.payload))
        after, count = found[-1].index, count - len(found)
    rows.reverse()
    return rows


async def of_account(
    serving: Serving, account: str, before: int, limit: int = PAGE
) -> tuple[list[dict[str, Any]], int | None]:
    """Rows about one account with a number below `before`, and where the older ones begin; None: there are
    no more. So far as it is looked for: a page may be short, and go on all the same."""
    await serving.ledger.settled()
    state = serving.state
    last = min(before - 1, serving.ledger.index)
    rows: list[dict[str, Any]] = []
    looked = 0
    while last > 0 and looked < _LOOKED_AT:
        after = max(0, last - _AT_ONCE)
        found = await serving.ledger.read_events(after, last - after)
        for entry in reversed(found):
            lines = _lines_about(state, account, entry.index, entry.payload)
            rows.extend(reversed(lines))
            if len(rows) >= limit:
                return rows, entry.index if entry.index > 1 else None
        looked += last - after
        last = after
    return rows, last + 1 if last > 0 else None


def _lines_about(state: State, account: str, index: int, payload: bytes) -> list[dict[str, Any]]:
    change = events.decode(payload)
    lines = log_lines(index, payload)
    about = [account_of(state, event) == account for event in change.events]
    return [line for line, mine in zip(lines, about, strict=True) if mine]


def account_of(state: State, event: events.Event) -> str | None:
    """The local account that an event is about; None: the server, or a product instance that is gone."""
    match event:
        case events.AccountChanged(account=account):
            return account.name
        case (
            events.AccountDeleted(name=name)
            | events.AccountSynchronized(name=name)
            | events.SyncFailed(name=name)
            | events.SyncScheduled(name=name)
            | events.SignedIn(name=name)
            | events.SyncRequested(name=name)
        ):
            return name
        case events.TokenCreated(token=token):
            return token.account
        case events.TokenRevoked(digest=digest):
            token_there = state.tokens.get(digest)
            return token_there.account if token_there is not None else None
        case events.LicensesPurchased(pool=pool):
            return pool.account
        case events.InstanceRegistered(instance=instance):
            return instance.account
        case events.ApiClientCreated(client=client):
            return client.account
        case (
            events.VirtualAccountCreated(account=name)
            | events.VirtualAccountDeleted(account=name)
            | events.LotsArrived(account=name)
            | events.LicensesTransferred(account=name)
        ):
            return name
    piid = getattr(event, "piid", None)
    there = state.instances.get(piid) if isinstance(piid, str) else None
    return there.account if there is not None else None
