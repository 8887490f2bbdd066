"""What happened, in words for the event log. No secret is in an event, so none is in its words."""

from __future__ import annotations

from mock_server.domain import events

__all__ = ["describe"]


def describe(event: events.Event) -> str:
    """One line for one event."""
    match event:
        case events.AccountChanged(account=account):
            return f"Local account {account.name} is {account.status}"
        case events.AccountSynchronized(name=name):
            return f"Local account {name} synchronized with CSSM"
        case events.TokenCreated(token=token):
            uses = "any number of uses" if token.uses is None else f"{token.uses} uses"
            return f"ID token {token.token_id} created in {token.account} / {token.virtual_account}, {uses}"
        case events.TokenRevoked():
            return "ID token revoked"
        case events.LicensesPurchased(pool=pool):
            return f"{pool.purchased} {pool.name} in {pool.account} / {pool.virtual_account}"
        case events.CommonNameSet(name=name):
            return f"Host Common Name set to {name}"
        case events.CertificatesInstalled(served_name=name):
            return f"Certificates regenerated with Common Name {name}"
        case events.ClockSet(offset=offset):
            return f"Clock of licensing set {offset:+.0f} s from the real time" if offset else "Clock reset"
        case events.InstanceRegistered(instance=instance):
            return f"Product instance {instance.name} registered as {instance.piid}"
        case events.UsageReported(usage=usage):
            counts = ", ".join(f"{tag.partition(',')[0].rpartition('.')[2]} {n}" for tag, n in usage.items())
            return f"Licenses in use: {counts or 'none'}"
        case events.InstanceGone(tombstone=tombstone, why=why):
            return f"Product instance {tombstone.piid} {why}"
