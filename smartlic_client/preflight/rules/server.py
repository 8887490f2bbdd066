"""What the REST API tells: the local accounts, the products' virtual account, what wants attention."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from smartlic_client.preflight.catalogue import Finding, Severity, entry
from smartlic_client.preflight.observation import Observation, ServerAccount, ServerApi
from smartlic_client.preflight.options import Options

__all__ = ["find"]

_ERROR, _WARNING, _INFORMATION = Severity.ERROR, Severity.WARNING, Severity.INFORMATION
_API = "Server, REST API"
_ACCOUNTS = "Server, Accounts"

unanswered = entry(
    "api-unanswered",
    "server",
    _WARNING,
    "The REST API does not answer",
    seen="{failure}",
    expected="answers of the REST API at {url}",
    mend="{mend}",
    reference=_API,
)
no_account = entry(
    "no-local-account",
    "server",
    _ERROR,
    "There is no local account",
    seen="The client sees no local account at {url}.",
    expected="an active local account, in which products register",
    mend="On the server: request a local account, and approve it. If there is one: use an "
    "API client of that one.",
    reference=_ACCOUNTS,
)
not_active = entry(
    "local-account-not-active",
    "server",
    _ERROR,
    "A local account is not active",
    seen="The local account {account} is {status}.",
    expected="an active local account: until it is active nothing else can be done with it",
    mend="On the server: Accounts: approve or activate {account}.",
    reference=_ACCOUNTS,
)
no_virtual_account = entry(
    "no-virtual-account",
    "server",
    _ERROR,
    "The products' virtual account is not there",
    seen="None of the local accounts that the client sees has the virtual account {wanted}; "
    "there are: {there}.",
    expected="the virtual account {wanted}, whose ID tokens the products register with",
    mend="Make it on the server, or take an ID token of a virtual account that is there.",
    reference=_ACCOUNTS,
)
alert = entry(
    "server-alert",
    "server",
    _WARNING,
    "The server has an alert",
    seen="{account}: {degree}: {kind}{about}: {message}",
    expected="no alert",
    mend="See the alerts on the server's page; products register all the same, unless the "
    "alert says otherwise.",
    reference=_API,
)

_SHOWN: Final = 20


def find(seen: Observation, options: Options) -> Iterator[Finding]:
    api = options.server.api if options.server else None
    if api is None or seen.target.host is None:
        return
    label = seen.target.label
    if api.failure:
        yield unanswered(label, failure=api.failure, mend=api.mend, url=api.url)
        return
    if not api.accounts:
        yield no_account(label, url=api.url)
        return
    for account in api.accounts:
        if account.status and account.status.casefold() != "active":
            yield not_active(label, at=account.name, account=account.name, status=account.status)
    yield from _virtual_account(label, api)
    for account in api.accounts:
        yield from _alerts(label, account)


def _virtual_account(label: str, api: ServerApi) -> Iterator[Finding]:
    there = sorted({name for account in api.accounts for name in account.virtual_accounts})
    if api.wanted is not None and api.wanted not in there:
        shown = ", ".join(there[:_SHOWN]) + (", …" if len(there) > _SHOWN else "")
        yield no_virtual_account(label, wanted=api.wanted, there=shown or "none")


def _alerts(label: str, account: ServerAccount) -> Iterator[Finding]:
    for place, each in enumerate(account.alerts[:_SHOWN], 1):
        severity = _WARNING if each.severity.casefold() == "major" else _INFORMATION
        facts = {"account": account.name, "kind": each.kind, "message": each.message}
        about = f" ({each.source})" if each.source else ""
        where = f"{account.name}, alert {place}"
        yield alert(label, severity=severity, at=where, degree=each.severity, about=about, **facts)
