"""What wants somebody's attention: a function of the state and the time. Nothing has to run for it.

Ages are those of server.md ("Synchronization with CSSM") and of the device's protocol: a product instance
renews its authorization every 30 days, and it ends 90 days after the last contact.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

import msgspec

from mock_server.domain import licenses, lots, synchronization
from mock_server.domain.state import Account, AccountStatus, Instance, Mode, Pool, State, Token
from mock_server.domain.tokens import TokenState, token_state

__all__ = ["Alert", "Kind", "Severity", "SourceType", "alerts", "of_instance"]

DAY: Final = 86400.0
SYNC_OVERDUE: Final = 30 * DAY
SYNC_REMOVED: Final = 90 * DAY
RENEWAL: Final = 30 * DAY
AUTHORIZATION_ENDS: Final = 90 * DAY
REPORT_OVERDUE: Final = 90 * DAY
"""The longest interval between reports, and after a change, of the CISCO default policy."""
TERM_NOTICE: Final = 30 * DAY
TOKEN_NOTICE: Final = 7 * DAY


class Severity(StrEnum):
    MAJOR = "Major"
    MINOR = "Minor"
    INFORMATIONAL = "Informational"


class SourceType(StrEnum):
    SYSTEM = "System"
    ACCOUNT = "Local Account"
    LICENSE = "License"
    INSTANCE = "Product Instance"
    TOKEN = "ID Token"  # noqa: S105 - a kind of thing, no secret


class Kind(StrEnum):
    CERTIFICATES_PENDING = "Certificates Pending"
    SYNC_OVERDUE = "Synchronization Overdue"
    SYNC_REMOVED = "Synchronization Removed"
    SYNC_FAILED = "Synchronization Failed"
    SIGN_IN_EXPIRED = "CSSM Sign-In Expired"
    ACCOUNT_REQUEST = "Account Request"
    INSUFFICIENT = "Insufficient Licenses"
    EXPIRING = "Licenses Expiring"
    EXPIRED = "Licenses Expired"
    FAILED_TO_CONNECT = "Failed to Connect"
    FAILED_TO_RENEW = "Failed to Renew"
    REPORT_OVERDUE = "Usage Report Overdue"
    TOKEN_EXPIRING = "ID Token Expiring"  # noqa: S105 - a kind of thing, no secret


class Alert(msgspec.Struct, frozen=True, gc=False):
    """`source`: the name of what it is about. `due`: act before this time (Unix seconds).

    `due` is the time itself where it is late already, and None where nothing has to be done by a time.
    `account` and `virtual_account`: where it is; None: the whole server, the whole account.
    """

    message_type: Kind
    message: str
    severity: Severity
    source: str
    source_type: SourceType
    due: float | None = None
    account: str | None = None
    virtual_account: str | None = None


def alerts(state: State, now: float) -> list[Alert]:
    """All alerts at `now`, the major ones first."""
    found = [*_system(state)]
    for account in state.accounts.values():
        found += _account(account, now)
    for pool in state.pools.values():
        found += _pool(pool, now)
    for instance in state.instances.values():
        if now - instance.last_contact > RENEWAL:
            found += of_instance(instance, now)
    for token in state.tokens.values():
        found += _token(token, now)
    order = {severity: place for place, severity in enumerate(Severity)}
    return sorted(found, key=lambda one: (order[one.severity], one.account or "", one.source))


def _system(state: State) -> Iterator[Alert]:
    settings = state.settings
    if settings.common_name != settings.served_name:
        yield Alert(
            message_type=Kind.CERTIFICATES_PENDING,
            message=f"The Host Common Name is {settings.common_name}, but the certificates still bear "
            f"{settings.served_name}: synchronize the local accounts with CSSM",
            severity=Severity.MAJOR,
            source="Host Common Name",
            source_type=SourceType.SYSTEM,
        )


def _account(account: Account, now: float) -> Iterator[Alert]:
    def alert(message_type: Kind, message: str, severity: Severity, due: float | None = None) -> Alert:
        source = account.name
        return Alert(message_type, message, severity, source, SourceType.ACCOUNT, due, account=account.name)

    if account.status is AccountStatus.REQUESTED:
        yield alert(
            Kind.ACCOUNT_REQUEST, "The account is requested: approve or refuse it", Severity.INFORMATIONAL
        )
    if account.status is not AccountStatus.ACTIVE:
        return
    since = account.last_sync if account.last_sync is not None else account.requested_at
    if since is not None and now - since >= SYNC_REMOVED:
        message = "Not synchronized for 90 days: CSSM has removed the account until it is synchronized"
        yield alert(Kind.SYNC_REMOVED, message, Severity.MAJOR, since + SYNC_REMOVED)
    elif since is not None and now - since >= SYNC_OVERDUE:
        message = "Not synchronized for 30 days; after 90 days CSSM removes the account"
        yield alert(Kind.SYNC_OVERDUE, message, Severity.MINOR, since + SYNC_REMOVED)
    if account.sync_failure is not None:
        message = f"The last synchronization failed: {account.sync_failure.sentence}"
        yield alert(Kind.SYNC_FAILED, message, Severity.MINOR)
    if synchronization.signed_out(account, now):
        message = (
            "The sign-in to CSSM is older than 180 days: scheduled synchronizations fail until a new one"
        )
        yield alert(Kind.SIGN_IN_EXPIRED, message, Severity.MAJOR, synchronization.sign_in_ends(account))


def _pool(pool: Pool, now: float) -> Iterator[Alert]:
    def alert(message_type: Kind, message: str, severity: Severity, due: float | None = None) -> Alert:
        where = (pool.account, pool.virtual_account)
        return Alert(message_type, message, severity, pool.name, SourceType.LICENSE, due, *where)

    standing = licenses.standing(pool, now)
    if standing.overage:
        message = f"{standing.in_use} in use, {standing.purchased} purchased: {standing.overage} short"
        yield alert(Kind.INSUFFICIENT, message, Severity.MAJOR)
    for lot in pool.lots.values():
        if lot.end is None:
            continue
        if not lots.ended(lot, now) and lot.end - now <= TERM_NOTICE:
            yield alert(Kind.EXPIRING, f"{lot.quantity} licenses end soon", Severity.MINOR, lot.end)
        elif lots.ended(lot, now) and now - lot.end <= TERM_NOTICE:
            yield alert(Kind.EXPIRED, f"{lot.quantity} licenses have ended", Severity.MINOR, lot.end)


def of_instance(instance: Instance, now: float) -> Iterator[Alert]:
    """The alerts of one product instance."""

    def alert(message_type: Kind, message: str, severity: Severity) -> Alert:
        due = since + AUTHORIZATION_ENDS
        where = (instance.account, instance.virtual_account)
        return Alert(message_type, message, severity, instance.name, SourceType.INSTANCE, due, *where)

    since = instance.last_contact
    if instance.mode is Mode.POLICY:
        since = instance.last_report or instance.registered_at
        if now - since > REPORT_OVERDUE:
            message = "No usage report for more than 90 days"
            yield alert(Kind.REPORT_OVERDUE, message, Severity.MINOR)
        return
    silent = now - since
    if silent > AUTHORIZATION_ENDS:
        message = "No contact for more than 90 days: its authorization has ended"
        yield alert(Kind.FAILED_TO_RENEW, message, Severity.MAJOR)
    elif silent > RENEWAL:
        message = "No contact for more than 30 days; its authorization ends 90 days after the last one"
        yield alert(Kind.FAILED_TO_CONNECT, message, Severity.MINOR)


def _token(token: Token, now: float) -> Iterator[Alert]:
    if token_state(token, now) is TokenState.USABLE and token.expires_at - now <= TOKEN_NOTICE:
        yield Alert(
            message_type=Kind.TOKEN_EXPIRING,
            message="Products cannot register with it afterwards",
            severity=Severity.INFORMATIONAL,
            source=token.description or token.token_id,
            source_type=SourceType.TOKEN,
            due=token.expires_at,
            account=token.account,
            virtual_account=token.virtual_account,
        )
