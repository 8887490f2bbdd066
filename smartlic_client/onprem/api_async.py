"""The REST API of an SSM On-Prem, in an event loop. It needs httpx: `pip install 'smartlic[async]'`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from smartlic_client.driving import drive_async
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
from smartlic_client.transport.common import async_transport

__all__ = ["AsyncOnPremApi"]

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")


class AsyncOnPremApi:
    """As `OnPremApi`: the same settings, methods and errors. `aclose` it, or use it in an `async with`.

    An object belongs to one event loop; tasks may share it. What is cancelled closes its connection; a change
    that was cancelled may have been done.
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
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Raises as `OnPremApi`, and httpx-needed."""
        client, person = (client_id, client_secret), (user, password)
        self._calls = calls_for(url, base, client, person, wait, page_size)
        self._transport = async_transport()(
            trust,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            resolve=resolve,
            proxy=proxy,
            policy=policy,
        )
        self._sleep = sleep
        self._alone = asyncio.Lock()

    async def aclose(self) -> None:
        """Close the connections that are kept alive."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    # ---- accounts ------------------------------------------------------------------------------------------
    async def accounts(self) -> list[Account]:
        """As `OnPremApi.accounts`."""
        return await self._run(self._calls.accounts())

    async def search_accounts(self, domain: str) -> list[Account]:
        """As `OnPremApi.search_accounts`."""
        return await self._run(self._calls.search_accounts(domain))

    async def virtual_accounts(self, account: str) -> list[VirtualAccount]:
        """As `OnPremApi.virtual_accounts`."""
        return await self._run(self._calls.virtual_accounts(account))

    async def create_virtual_account(self, account: str, name: str, description: str = "") -> Done:
        """As `OnPremApi.create_virtual_account`."""
        return await self._run(self._calls.create_virtual_account(account, name, description))

    async def delete_virtual_account(self, account: str, name: str) -> Done:
        """As `OnPremApi.delete_virtual_account`."""
        return await self._run(self._calls.delete_virtual_account(account, name))

    # ---- ID tokens -----------------------------------------------------------------------------------------
    async def id_tokens(self, account: str, virtual_account: str) -> list[Token]:
        """As `OnPremApi.id_tokens`."""
        return await self._run(self._calls.id_tokens(account, virtual_account))

    async def create_id_token(
        self,
        account: str,
        virtual_account: str,
        *,
        description: str = "",
        expires_after_days: int = 30,
        export_controlled: bool = False,
        uses: int | None = None,
    ) -> NewToken:
        """As `OnPremApi.create_id_token`."""
        return await self._run(
            self._calls.create_id_token(
                account,
                virtual_account,
                description=description,
                expires_after_days=expires_after_days,
                export_controlled=export_controlled,
                uses=uses,
            )
        )

    async def revoke_id_tokens(
        self, account: str, virtual_account: str, tokens: Iterable[Token | Secret | str]
    ) -> Done:
        """As `OnPremApi.revoke_id_tokens`."""
        return await self._run(self._calls.revoke_id_tokens(account, virtual_account, tokens))

    # ---- licenses ------------------------------------------------------------------------------------------
    def licenses(self, account: str, virtual_accounts: Iterable[str] = ()) -> AsyncIterator[License]:
        """As `OnPremApi.licenses`."""
        return self._all(self._calls.licenses(account, virtual_accounts))

    def subscriptions(
        self, account: str, virtual_accounts: Iterable[str] = ()
    ) -> AsyncIterator[Subscription]:
        """As `OnPremApi.subscriptions`."""
        return self._all(self._calls.subscriptions(account, virtual_accounts))

    async def transfer_licenses(
        self, account: str, virtual_account: str, transfers: Iterable[LicenseTransfer]
    ) -> Done:
        """As `OnPremApi.transfer_licenses`."""
        return await self._run(self._calls.transfer_licenses(account, virtual_account, transfers))

    # ---- product instances ---------------------------------------------------------------------------------
    def devices(self, account: str, virtual_account: str) -> AsyncIterator[Device]:
        """As `OnPremApi.devices`."""
        return self._all(self._calls.devices(account, virtual_account))

    async def transfer_devices(
        self, account: str, virtual_account: str, devices: Iterable[Device], to: str
    ) -> Done:
        """As `OnPremApi.transfer_devices`."""
        return await self._run(self._calls.transfer_devices(account, virtual_account, devices, to))

    async def remove_devices(self, account: str, virtual_account: str, devices: Iterable[Device]) -> Done:
        """As `OnPremApi.remove_devices`."""
        return await self._run(self._calls.remove_devices(account, virtual_account, devices))

    # ---- alerts --------------------------------------------------------------------------------------------
    def alerts(self, account: str, virtual_accounts: Iterable[str] = ()) -> AsyncIterator[Alert]:
        """As `OnPremApi.alerts`."""
        return self._all(self._calls.alerts(account, virtual_accounts))

    # ---- the driver (talk, "A talk is a generator of steps") ----------------------------------------------
    async def _all(self, pages: Pages[S]) -> AsyncIterator[S]:
        while (page := pages.next()) is not None:
            for each in await self._run(page):
                yield each

    async def _run(self, talk: Talk[T]) -> T:
        return await drive_async(talk, self._do)

    async def _do(self, step: Step) -> Outcome:
        if isinstance(step, Send):
            try:
                return await self._transport.exchange(step.request)
            except RemoteError as error:
                return error
        if isinstance(step, Alone):
            async with self._alone:
                await self._run(step.talk)
        else:
            await self._sleep(step.seconds)
        return None
