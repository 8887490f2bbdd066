"""How events change the state. Nothing here can refuse: what is in the journal has happened."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

import msgspec

from mock_server.domain import apply_api, apply_instances, apply_users, events, places, pools
from mock_server.domain.apply_instances import index_key, share_texts
from mock_server.domain.history import UseHistory
from mock_server.domain.places import forget
from mock_server.domain.pools import Touched
from mock_server.domain.state import (
    DEFAULT_VIRTUAL_ACCOUNT,
    LOCAL_LOT,
    AccessToken,
    Account,
    ApiClient,
    Instance,
    Lot,
    Origin,
    Pool,
    Settings,
    State,
    Token,
    Tombstone,
    UsageReport,
    User,
)
from smartlic_client.protocol.identity import device_digest

__all__ = ["LicensingMachine"]

_SETTINGS: Final = ("settings", "")
_encode = msgspec.msgpack.Encoder().encode


def _account_changed(state: State, event: events.AccountChanged, at: float, touched: Touched) -> None:
    account = event.account
    if account.requested_at is None and account.name not in state.accounts:
        account.requested_at = at
    state.accounts[account.name] = account
    touched.add(("account", account.name))


def _account_deleted(state: State, event: events.AccountDeleted, _at: float, touched: Touched) -> None:
    del state.accounts[event.name]
    touched.add(("account", event.name))
    forget(state.tokens, "token", lambda token: token.account == event.name, touched)
    forget(state.pools, "pool", lambda pool: pool.account == event.name, touched)
    forget(state.api_clients, "api_client", lambda client: client.account == event.name, touched)
    forget(state.access_tokens, "access_token", lambda token: token.account == event.name, touched)


def _virtual_account_created(
    state: State, event: events.VirtualAccountCreated, _at: float, touched: Touched
) -> None:
    account = state.accounts[event.account]
    account.virtual_accounts.append(event.name)
    account.descriptions[event.name] = event.description
    touched.add(("account", event.account))


def _virtual_account_deleted(
    state: State, event: events.VirtualAccountDeleted, _at: float, touched: Touched
) -> None:
    here = (event.account, event.name)
    pools.move_all(state, event.account, (event.name, DEFAULT_VIRTUAL_ACCOUNT), touched)
    forget(state.tokens, "token", lambda token: (token.account, token.virtual_account) == here, touched)
    account = state.accounts[event.account]
    account.virtual_accounts.remove(event.name)
    account.descriptions.pop(event.name, None)
    touched.add(("account", event.account))


def _account_synchronized(
    state: State, event: events.AccountSynchronized, at: float, touched: Touched
) -> None:
    account = state.accounts[event.name]
    account.last_sync, account.waiting = at, event.waiting
    account.next_sync, account.sync_failure = event.next_sync, None
    account.sync_serial = max(account.sync_serial, event.serial)
    if event.by_file:
        account.pending_request = None
    touched.add(("account", event.name))


def _sync_failed(state: State, event: events.SyncFailed, _at: float, touched: Touched) -> None:
    account = state.accounts[event.name]
    account.sync_failure, account.next_sync = event.failure, event.next_sync
    touched.add(("account", event.name))


def _sync_scheduled(state: State, event: events.SyncScheduled, _at: float, touched: Touched) -> None:
    account = state.accounts[event.name]
    account.schedule, account.next_sync = event.schedule, event.next_sync
    touched.add(("account", event.name))


def _signed_in(state: State, event: events.SignedIn, at: float, touched: Touched) -> None:
    account = state.accounts[event.name]
    account.signed_in_at, account.next_sync = at, event.next_sync
    touched.add(("account", event.name))


def _sync_requested(state: State, event: events.SyncRequested, _at: float, touched: Touched) -> None:
    state.accounts[event.name].pending_request = event.nonce
    touched.add(("account", event.name))


def _token_created(state: State, event: events.TokenCreated, _at: float, touched: Touched) -> None:
    state.tokens[event.digest] = event.token
    touched.add(("token", event.digest))


def _token_revoked(state: State, event: events.TokenRevoked, _at: float, touched: Touched) -> None:
    state.tokens[event.digest].revoked = True
    touched.add(("token", event.digest))


def _licenses_purchased(state: State, event: events.LicensesPurchased, _at: float, touched: Touched) -> None:
    # An event of before there were lots has none for a quantity of 0.
    lot = event.pool.lots.get(LOCAL_LOT) or Lot(id=LOCAL_LOT, quantity=0, origin=Origin.LOCAL)
    pools.put(state, event.pool, lot, touched)


def _lots_arrived(state: State, event: events.LotsArrived, _at: float, touched: Touched) -> None:
    pools.replace(state, event.account, event.tag, event.name, event.lots, touched)


def _licenses_transferred(
    state: State, event: events.LicensesTransferred, _at: float, touched: Touched
) -> None:
    pools.move(state, event.account, event.tag, event.lots, (event.source, event.target), touched)


def _common_name_set(state: State, event: events.CommonNameSet, _at: float, touched: Touched) -> None:
    state.settings.common_name = event.name
    touched.add(_SETTINGS)
    for account in state.accounts.values():
        account.waiting = True
        touched.add(("account", account.name))


def _certificates_installed(
    state: State, event: events.CertificatesInstalled, _at: float, touched: Touched
) -> None:
    settings = state.settings
    settings.served_name, settings.generation = event.served_name, event.generation
    settings.certificates.update(event.certificates)
    if "browser" in event.certificates:
        settings.browser_key = ""
    touched.add(_SETTINGS)


def _browser_key_made(state: State, event: events.BrowserKeyMade, _at: float, touched: Touched) -> None:
    state.settings.browser_request = event.key
    touched.add(_SETTINGS)


def _browser_certificate_uploaded(
    state: State, event: events.BrowserCertificateUploaded, _at: float, touched: Touched
) -> None:
    settings = state.settings
    settings.certificates["browser"] = event.chain
    settings.browser_key, settings.browser_request = event.key, ""
    touched.add(_SETTINGS)


def _browser_certificate_reset(
    state: State, event: events.BrowserCertificateReset, _at: float, touched: Touched
) -> None:
    settings = state.settings
    settings.certificates["browser"] = event.chain
    settings.browser_key, settings.browser_request = "", ""
    touched.add(_SETTINGS)


def _anchor_kept(state: State, event: events.AnchorKept, _at: float, touched: Touched) -> None:
    state.settings.certificates["root"] = [event.root]
    touched.add(_SETTINGS)


def _clock_set(state: State, event: events.ClockSet, _at: float, touched: Touched) -> None:
    state.settings.clock_offset = event.offset
    touched.add(_SETTINGS)


_APPLY: Final[dict[type[Any], Callable[[State, Any, float, Touched], None]]] = {
    events.AccountChanged: _account_changed,
    events.AccountDeleted: _account_deleted,
    events.VirtualAccountCreated: _virtual_account_created,
    events.VirtualAccountDeleted: _virtual_account_deleted,
    events.AccountSynchronized: _account_synchronized,
    events.SyncFailed: _sync_failed,
    events.SyncScheduled: _sync_scheduled,
    events.SignedIn: _signed_in,
    events.SyncRequested: _sync_requested,
    events.TokenCreated: _token_created,
    events.TokenRevoked: _token_revoked,
    events.LicensesPurchased: _licenses_purchased,
    events.LotsArrived: _lots_arrived,
    events.LicensesTransferred: _licenses_transferred,
    events.CommonNameSet: _common_name_set,
    events.CertificatesInstalled: _certificates_installed,
    events.BrowserKeyMade: _browser_key_made,
    events.BrowserCertificateUploaded: _browser_certificate_uploaded,
    events.BrowserCertificateReset: _browser_certificate_reset,
    events.AnchorKept: _anchor_kept,
    events.ClockSet: _clock_set,
    **apply_instances.APPLY,
    **apply_api.APPLY,
    **apply_users.APPLY,
}

_ROWS: Final[dict[str, type[Any]]] = {
    "settings": Settings,
    "account": Account,
    "token": Token,
    "pool": Pool,
    "instance": Instance,
    "tombstone": Tombstone,
    "report": UsageReport,
    "api_client": ApiClient,
    "access_token": AccessToken,
    "user": User,
}


class LicensingMachine:
    """The domain as the cluster sees it: fed with changes, kept as rows (journal.machine.Machine)."""

    def __init__(self) -> None:
        self.state = State()
        self.use = UseHistory()

    def reset(self) -> None:
        self.state = State()

    def load(self, rows: Iterable[tuple[str, str, bytes]]) -> None:
        self.reset()
        for kind, key, body in rows:
            value = msgspec.msgpack.decode(body, type=_ROWS[kind])
            if kind == "settings":
                self.state.settings = value
            else:
                self._table(kind)[key] = value
        state = self.state
        for piid, tombstone in state.tombstones.items():
            index_key(state, tombstone.public_key, piid)
        for piid, instance in state.instances.items():
            share_texts(instance)
            index_key(state, instance.public_key, piid)
            state.by_identity[device_digest(instance.udi, instance.software_id)] = piid
        places.order(state)
        for key, report in state.reports.items():
            state.reports_of.setdefault(report.piid, set()).add(key)

    def apply(self, payload: bytes) -> Collection[tuple[str, str]]:
        return self.apply_change(events.decode(payload))

    def apply_change(self, change: events.Change) -> Collection[tuple[str, str]]:
        touched: Touched = set()
        for event in change.events:
            _APPLY[type(event)](self.state, event, change.at, touched)
        for kind, key in touched:
            if kind == "pool":
                self.use.note(key, self.state.pools.get(key), change.at)
        return touched

    def row(self, kind: str, key: str) -> bytes | None:
        value = self.state.settings if kind == "settings" else self._table(kind).get(key)
        return None if value is None else _encode(value)

    def _table(self, kind: str) -> dict[str, Any]:
        table: dict[str, Any] = getattr(self.state, f"{kind}s")
        return table
