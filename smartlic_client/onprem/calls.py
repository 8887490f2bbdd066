"""The routes of the REST API: what each is asked with, and what its answer means.

Each method makes a talk (`talk`) or, for a list that comes in pages, `Pages`. Nothing happens before its
first step; what is given wrongly is raised when it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec

from smartlic_client.errors import CallerError, problem
from smartlic_client.onprem.model import (
    Account,
    Alert,
    Device,
    Done,
    License,
    LicenseTransfer,
    NewToken,
    Secret,
    Subscription,
    Token,
    VirtualAccount,
)
from smartlic_client.onprem.reading import UnreadableError, items, read
from smartlic_client.onprem.talk import Call, Talk, Talker

__all__ = ["Calls", "Pages"]

BAD_NAME = problem(
    "api-bad-name",
    CallerError,
    "{name!r} cannot be the name of {what}.",
    "Give the name as the server lists it.",
)
TOKEN_HIDDEN = problem(
    "api-token-hidden",
    CallerError,
    "An ID token is given without its text and without an id: the server shows neither.",
    "Revoke it on the server's page, or by the text that was shown when it was made.",
)

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")
Answer = Mapping[str, Any]


class Pages(Generic[S]):
    """A list that comes in pages. `next()` gives the talk for one more page, or None at the end.

    The end is where the server's `totalRecords` is reached, or a page is empty, or the same page comes again,
    as from a server that knows no pages.
    """

    def __init__(self, page: Callable[[int], Talk[tuple[Answer, list[S]]]], everything: bool) -> None:
        self._page = page
        self._everything = everything
        self._offset = 0
        self._former: list[S] | None = None
        self._over = False

    def next(self) -> Talk[list[S]] | None:
        return None if self._over else self._next()

    def _next(self) -> Talk[list[S]]:
        answer, found = yield from self._page(self._offset)
        if found == self._former:
            found = []
        self._former = found
        self._offset += len(found)
        total = read(_Total, answer).total_records
        self._over = not found or self._everything or (0 < total <= self._offset)
        return found


class _Total(msgspec.Struct, frozen=True, rename="camel"):
    total_records: int = 0


class Calls:
    """The routes, asked by one `Talker`."""

    def __init__(self, talker: Talker, page_size: int) -> None:
        self._talker = talker
        self._page_size = page_size

    # ---- accounts -----------------------------------------------------------------------------------------
    def accounts(self) -> Talk[list[Account]]:
        call = Call("/api/v1/upstream_satellites/accounts", "list the local accounts", body={})
        return self._list(Account, call, "accounts")

    def search_accounts(self, domain: str) -> Talk[list[Account]]:
        call = Call(
            "/api/v1/accounts/search", "search for local accounts", method="GET", query={"domain": domain}
        )
        return self._list(Account, call, "accounts")

    def virtual_accounts(self, account: str) -> Talk[list[VirtualAccount]]:
        path = f"{_account(account)}/virtual-accounts"
        call = Call(path, "list the virtual accounts", method="GET")
        return self._list(VirtualAccount, call, "virtualAccounts")

    def create_virtual_account(self, account: str, name: str, description: str) -> Talk[Done]:
        body = {"name": _named(name, "a virtual account"), "description": description}
        return self._change(
            f"{_account(account)}/virtual-accounts", f"make the virtual account {name!r}", body
        )

    def delete_virtual_account(self, account: str, name: str) -> Talk[Done]:
        path = f"{_virtual_account(account, name)}/delete"
        return self._change(path, f"delete the virtual account {name!r}", {})

    # ---- ID tokens ----------------------------------------------------------------------------------------
    def id_tokens(self, account: str, virtual_account: str) -> Talk[list[Token]]:
        path = f"{_virtual_account(account, virtual_account)}/tokens"
        return self._list(Token, Call(path, "list the ID tokens", method="GET"), "tokens")

    def create_id_token(
        self,
        account: str,
        virtual_account: str,
        *,
        description: str,
        expires_after_days: int,
        export_controlled: bool,
        uses: int | None,
    ) -> Talk[NewToken]:
        body: dict[str, Any] = {
            "description": description,
            "expiresAfterDays": expires_after_days,
            "exportControlled": "Allowed" if export_controlled else "Not Allowed",
        }
        if uses is not None:
            body["numberOfUses"] = uses
        path = f"{_virtual_account(account, virtual_account)}/tokens"
        call = Call(path, "make an ID token", body=body, changes=True)
        return self._understood(call, _new_token)

    def revoke_id_tokens(
        self, account: str, virtual_account: str, tokens: Iterable[Token | Secret | str]
    ) -> Talk[Done]:
        path = f"{_virtual_account(account, virtual_account)}/tokens/revoke"
        return self._change(path, "revoke the ID tokens", {"tokens": [_token(each) for each in tokens]})

    # ---- licenses -----------------------------------------------------------------------------------------
    def licenses(self, account: str, virtual_accounts: Iterable[str]) -> Pages[License]:
        return self._pages_by_body(License, account, "licenses", "licenses", virtual_accounts)

    def subscriptions(self, account: str, virtual_accounts: Iterable[str]) -> Pages[Subscription]:
        route = "license-subscriptions"
        return self._pages_by_body(Subscription, account, route, "licenseSubscriptions", virtual_accounts)

    def transfer_licenses(
        self, account: str, virtual_account: str, transfers: Iterable[LicenseTransfer]
    ) -> Talk[Done]:
        path = f"{_virtual_account(account, virtual_account)}/licenses/transfer"
        body = {"licenses": [msgspec.to_builtins(each) for each in transfers]}
        return self._change(path, "transfer the licenses", body)

    # ---- product instances --------------------------------------------------------------------------------
    def devices(self, account: str, virtual_account: str) -> Pages[Device]:
        path = f"{_virtual_account(account, virtual_account)}/devices"

        def page(offset: int) -> Talk[tuple[Answer, list[Device]]]:
            query = {"limit": str(self._page_size), "offset": str(offset)}
            call = Call(path, "list the product instances", method="GET", query=query)
            return self._listed(Device, call, "devices")

        return Pages(page, self._page_size < 0)

    def transfer_devices(
        self, account: str, virtual_account: str, devices: Iterable[Device], to: str
    ) -> Talk[Done]:
        target = _named(to, "a virtual account")
        body = {"productInstances": [_device(each) | {"targetVirtualAccount": target} for each in devices]}
        path = f"{_virtual_account(account, virtual_account)}/devices/transfer"
        return self._change(path, "transfer the product instances", body)

    def remove_devices(self, account: str, virtual_account: str, devices: Iterable[Device]) -> Talk[Done]:
        body = {"productInstances": [_device(each) for each in devices]}
        path = f"{_virtual_account(account, virtual_account)}/devices/remove"
        return self._change(path, "remove the product instances", body)

    # ---- alerts -------------------------------------------------------------------------------------------
    def alerts(self, account: str, virtual_accounts: Iterable[str]) -> Pages[Alert]:
        return self._pages_by_body(Alert, account, "alerts", "alerts", virtual_accounts)

    # ---- inside -------------------------------------------------------------------------------------------
    def _pages_by_body(
        self, kind: type[S], account: str, route: str, name: str, virtual_accounts: Iterable[str]
    ) -> Pages[S]:
        path = f"{_account(account)}/{route}"
        wanted = [_named(each, "a virtual account") for each in virtual_accounts]

        def page(offset: int) -> Talk[tuple[Answer, list[S]]]:
            body: dict[str, Any] = {"limit": self._page_size, "offset": offset}
            if wanted:
                body["virtualAccounts"] = wanted
            return self._listed(kind, Call(path, f"list the {route.replace('-', ' ')}", body=body), name)

        return Pages(page, self._page_size < 0)

    def _listed(self, kind: type[S], call: Call, name: str) -> Talk[tuple[Answer, list[S]]]:
        return self._understood(call, lambda answer: (answer, items(kind, answer, name)))

    def _list(self, kind: type[S], call: Call, name: str) -> Talk[list[S]]:
        return self._understood(call, lambda answer: items(kind, answer, name))

    def _change(self, path: str, what: str, body: Mapping[str, Any]) -> Talk[Done]:
        return self._understood(Call(path, what, body=body, changes=True), lambda answer: read(Done, answer))

    def _understood(self, call: Call, reading: Callable[[Answer], T]) -> Talk[T]:
        answer = yield from self._talker.ask(call)
        try:
            return reading(answer)
        except UnreadableError as error:
            raise self._talker.unreadable(call, str(error)) from None


def _new_token(answer: Answer) -> NewToken:
    try:
        made = read(NewToken, answer.get("tokenInfo"))
    except UnreadableError as error:
        raise error.inside("tokenInfo") from None
    if not made.token:
        raise UnreadableError("has no token", "tokenInfo")
    return made


def _account(name: str) -> str:
    return f"/api/v1/accounts/{_segment(name, 'a local account')}"


def _virtual_account(account: str, name: str) -> str:
    return f"{_account(account)}/virtual-accounts/{_segment(name, 'a virtual account')}"


def _segment(name: str, what: str) -> str:
    """A name as one segment of a path: percent-encoded, so that a slash in it is none of the path's."""
    return quote(_named(name, what), safe="")


def _named(name: str, what: str) -> str:
    """The name, if there can be such a one; `.` and `..` would be taken out of a path by whoever reads it."""
    if not name.strip() or name in (".", "..") or not name.isprintable():
        raise BAD_NAME(name=name[:100], what=what)
    return name


def _token(given: Token | Secret | str) -> str:
    if isinstance(given, Token):
        given = given.token or given.token_id
    text = given.reveal() if isinstance(given, Secret) else given
    if not text.strip():
        raise TOKEN_HIDDEN()
    return text


def _device(device: Device) -> dict[str, Any]:
    return {"sudi": msgspec.to_builtins(device.sudi), "productTagName": device.product_tag_name}
