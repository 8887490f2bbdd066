"""The REST API of an SSM On-Prem, in the calling thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from smartlic_client.driving import drive
from smartlic_client.errors import RemoteError
from smartlic_client.names import Policy
from smartlic_client.onprem.calls import Pages
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
from smartlic_client.onprem.opening import BASE, PAGE, calls_for
from smartlic_client.onprem.talk import Alone, Outcome, Send, Step, Talk
from smartlic_client.transport.sync import SyncTransport

__all__ = ["OnPremApi"]

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")


class OnPremApi:
    """One client of the REST API. Threads may share it; `close` it, or use it in a `with`.

    `url`: `https://HOST:8443`, with the path under which the API is if that is not `base`. `trust`: CA
    certificates in PEM; no others are trusted. The host of the URL has to be the Common Name of the server's
    certificate, as for a product (`policy`: another rule). `client_id` and `client_secret`, or `user` and
    `password`.

    `wait`: the seconds for which a server that cannot be reached, or says "later", is asked again.
    `page_size`: how many lines of a list are asked for at once; -1: all in one answer. `resolve`, `proxy`,
    time-outs: as those of `smartlic_client.transport.sync.SyncTransport`. `sleep`: for tests.

    Lists of licenses, subscriptions, product instances and alerts are iterators: a page is asked for when it
    is needed. A list that changes meanwhile may repeat a line, or miss one.

    Methods raise RemoteError: api-client-refused, api-forbidden, api-not-found, api-refused,
    api-rate-limited, server-unavailable, api-redirected, api-answer-unreadable, a TrustError (nothing was
    sent), and so on; and api-bad-name. Changes are never sent twice: api-maybe-done says that one may have
    been done.
    """

    def __init__(
        self,
        url: str,
        *,
        trust: bytes,
        client_id: str | None = None,
        client_secret: str | Secret | None = None,
        user: str | None = None,
        password: str | Secret | None = None,
        base: str = BASE,
        wait: float = 10.0,
        page_size: int = PAGE,
        policy: Policy = Policy.COMMON_NAME,
        resolve: Mapping[tuple[str, int], str] | None = None,
        proxy: str | None = None,
        connect_timeout: float = 10.0,
        read_timeout: float = 30.0,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Raises api-bad-url, bad-host, api-credentials-needed, bad-anchors, bad-proxy."""
        client, person = (client_id, client_secret), (user, password)
        self._calls = calls_for(url, base, client, person, wait, page_size)
        self._transport = SyncTransport(
            trust,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            resolve=resolve,
            proxy=proxy,
            policy=policy,
        )
        self._sleep = sleep
        self._alone = threading.Lock()

    def close(self) -> None:
        """Close the connections that are kept alive. The client can be used again: it makes new ones."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # ---- accounts ------------------------------------------------------------------------------------------
    def accounts(self) -> list[Account]:
        """The local accounts that the client may see."""
        return self._run(self._calls.accounts())

    def search_accounts(self, domain: str) -> list[Account]:
        """The local accounts of a domain."""
        return self._run(self._calls.search_accounts(domain))

    def virtual_accounts(self, account: str) -> list[VirtualAccount]:
        """The local virtual accounts of a local account."""
        return self._run(self._calls.virtual_accounts(account))

    def create_virtual_account(self, account: str, name: str, description: str = "") -> Done:
        """Make a local virtual account."""
        return self._run(self._calls.create_virtual_account(account, name, description))

    def delete_virtual_account(self, account: str, name: str) -> Done:
        """Delete a local virtual account."""
        return self._run(self._calls.delete_virtual_account(account, name))

    # ---- ID tokens -----------------------------------------------------------------------------------------
    def id_tokens(self, account: str, virtual_account: str) -> list[Token]:
        """The ID tokens of a virtual account; most servers do not show their texts again."""
        return self._run(self._calls.id_tokens(account, virtual_account))

    def create_id_token(
        self,
        account: str,
        virtual_account: str,
        *,
        description: str = "",
        expires_after_days: int = 30,
        export_controlled: bool = False,
        uses: int | None = None,
    ) -> NewToken:
        """Make an ID token. `uses`: how many products may register with it; None: the server's limit."""
        return self._run(
            self._calls.create_id_token(
                account,
                virtual_account,
                description=description,
                expires_after_days=expires_after_days,
                export_controlled=export_controlled,
                uses=uses,
            )
        )

    def revoke_id_tokens(
        self, account: str, virtual_account: str, tokens: Iterable[Token | Secret | str]
    ) -> Done:
        """Revoke ID tokens, by their texts, or by their ids if listed so. Raises api-token-hidden."""
        return self._run(self._calls.revoke_id_tokens(account, virtual_account, tokens))

    # ---- licenses ------------------------------------------------------------------------------------------
    def licenses(self, account: str, virtual_accounts: Iterable[str] = ()) -> Iterator[License]:
        """The licenses of these virtual accounts, or of all."""
        return self._all(self._calls.licenses(account, virtual_accounts))

    def subscriptions(self, account: str, virtual_accounts: Iterable[str] = ()) -> Iterator[Subscription]:
        """What was bought for a term, of these virtual accounts or of all."""
        return self._all(self._calls.subscriptions(account, virtual_accounts))

    def transfer_licenses(
        self, account: str, virtual_account: str, transfers: Iterable[LicenseTransfer]
    ) -> Done:
        """Move licenses out of a virtual account into others."""
        return self._run(self._calls.transfer_licenses(account, virtual_account, transfers))

    # ---- product instances ---------------------------------------------------------------------------------
    def devices(self, account: str, virtual_account: str) -> Iterator[Device]:
        """The product instances of a virtual account."""
        return self._all(self._calls.devices(account, virtual_account))

    def transfer_devices(
        self, account: str, virtual_account: str, devices: Iterable[Device], to: str
    ) -> Done:
        """Move product instances, as they were listed, into the virtual account `to`."""
        return self._run(self._calls.transfer_devices(account, virtual_account, devices, to))

    def remove_devices(self, account: str, virtual_account: str, devices: Iterable[Device]) -> Done:
        """Remove product instances, as they were listed: they have to register again."""
        return self._run(self._calls.remove_devices(account, virtual_account, devices))

    # ---- alerts --------------------------------------------------------------------------------------------
    def alerts(self, account: str, virtual_accounts: Iterable[str] = ()) -> Iterator[Alert]:
        """What wants attention, in these virtual accounts or all."""
        return self._all(self._calls.alerts(account, virtual_accounts))

    # ---- the driver (talk, "A talk is a generator of steps") ----------------------------------------------
    def _all(self, pages: Pages[S]) -> Iterator[S]:
        while (page := pages.next()) is not None:
            yield from self._run(page)

    def _run(self, talk: Talk[T]) -> T:
        return drive(talk, self._do)

    def _do(self, step: Step) -> Outcome:
        if isinstance(step, Send):
            try:
                return self._transport.exchange(step.request)
            except RemoteError as error:
                return error
        if isinstance(step, Alone):
            with self._alone:
                self._run(step.talk)
        else:
            self._sleep(step.seconds)
        return None
