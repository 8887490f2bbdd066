"""What happened, in words for the event log, and times as texts. No secret is in an event or its words."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from mock_server.domain import events
from mock_server.domain.state import Mode

__all__ = ["date", "describe"]


def date(at: float | None) -> str | None:
    """Unix seconds as ISO 8601, in UTC."""
    if at is None:
        return None
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def describe(event: events.Event) -> str:
    """One line for one event."""
    match event:
        case events.AccountChanged(account=account):
            because = f": {account.reason}" if account.reason else ""
            return f"Local account {account.name} is {account.status}{because}"
        case events.AccountDeleted(name=name, why=why):
            return f"Local account {name} {why}"
        case events.VirtualAccountCreated(account=account, name=name):
            return f"Virtual account {name} created in {account}"
        case events.VirtualAccountDeleted(account=account, name=name):
            return f"Virtual account {name} deleted from {account}"
        case events.AccountSynchronized(name=name):
            how = " by file" if event.by_file else ""
            return f"Local account {name} synchronized with CSSM{how}"
        case events.SyncFailed(name=name, failure=failure):
            return f"Local account {name} not synchronized with CSSM: {failure.sentence} [{failure.code}]"
        case events.SyncScheduled(name=name, schedule=every):
            return f"Local account {name} synchronizes {every or 'only when asked to'}"
        case events.SignedIn(name=name, user=user):
            return f"{user} signed in to CSSM for the local account {name}"
        case events.SyncRequested(name=name):
            return f"Synchronization request of the local account {name} written to a file"
        case events.TokenCreated(token=token):
            uses = "any number of uses" if token.uses is None else f"{token.uses} uses"
            return f"ID token {token.token_id} created in {token.account} / {token.virtual_account}, {uses}"
        case events.TokenRevoked(token_id=token_id):
            return f"ID token {token_id} revoked".replace("  ", " ")
        case events.LicensesPurchased(pool=pool):
            quantity = sum(lot.quantity for lot in pool.lots.values())
            return f"{quantity} {pool.name} in {pool.account} / {pool.virtual_account}"
        case events.LotsArrived(account=account, name=name, lots=lots):
            quantity = sum(lot.quantity for parts in lots.values() for lot in parts)
            return f"{quantity} {name} in {account} by CSSM"
        case events.LicensesTransferred(name=name, source=source, target=target, lots=taken):
            return f"{sum(taken.values())} {name} transferred from {source} to {target} in {event.account}"
        case events.CommonNameSet(name=name):
            return f"Host Common Name set to {name}"
        case events.CertificatesInstalled(served_name=name):
            return f"Certificates regenerated with Common Name {name}"
        case events.BrowserKeyMade():
            return "Request for a browser certificate made"
        case events.BrowserCertificateUploaded(subject=subject):
            return f"Browser certificate uploaded: {subject}"
        case events.BrowserCertificateReset(why=why):
            return f"Uploaded browser certificate {why}"
        case events.AnchorKept():
            return "Trust anchor of CSSM kept"
        case events.ClockSet(offset=offset):
            return f"Clock of licensing set {offset:+.0f} s from the real time" if offset else "Clock reset"
        case events.InstanceRegistered(instance=instance):
            how = "trusted" if instance.mode is Mode.POLICY else "registered"
            return f"Product instance {instance.name} {how} as {instance.piid}"
        case events.UsageReported(usage=usage):
            return f"Licenses in use: {_counts(usage)}"
        case events.ReportsTaken(reports=reports, usage=usage):
            return f"Usage reports taken: {len(reports)}; licenses in use: {_counts(usage)}"
        case events.InstanceImported(instance=instance):
            return f"Product instance {instance.name} known by a file as {instance.piid}"
        case events.ReportsImported(reports=reports, usage=usage):
            return f"Usage reports imported: {len(reports)}; licenses in use: {_counts(usage)}"
        case events.CertificateRenewed(name=name):
            return f"ID certificate of {name} renewed"
        case events.InstanceRenamed(former=former, name=name):
            return f"Product instance {former} renamed to {name}"
        case events.InstanceTransferred(name=name, source=source, target=target):
            return f"Product instance {name} transferred from {source} to {target}"
        case events.UserCreated(user=user):
            return f"User {user.name} created as {user.role}"
        case events.PasswordChanged(name=name):
            return f"Password of user {name} changed"
        case events.SignedOut(name=name):
            return f"User {name} signed out"
        case events.UserRemoved(name=name):
            return f"User {name} removed"
        case events.InstanceGone(tombstone=tombstone, why=why, name=name):
            return f"Product instance {name or tombstone.piid} {why}"
        case events.ApiClientCreated(client=client):
            return f"API client {client.name} created in {client.account}"
        case events.ApiClientRenewed(name=name):
            return f"API client {name} has a new secret"
        case events.ApiClientDeleted(name=name):
            return f"API client {name} deleted"
        case events.AccessTokenIssued(who=who):
            return f"Access token issued to {who}"
        case events.RestApiConfigured(rate_limit=limit, whole_tokens=whole):
            calls = f"{limit} calls a minute" if limit else "any number of calls"
            return f"REST API allows {calls}; new ID tokens are kept {'whole' if whole else 'as hashes only'}"


def _counts(usage: Mapping[str, int]) -> str:
    """Each license by the short name in its tag."""
    return ", ".join(f"{tag.partition(',')[0].rpartition('.')[2]} {n}" for tag, n in usage.items()) or "none"
