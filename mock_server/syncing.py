"""Synchronization with CSSM while this node is Active: by the network, by itself when it is due, by file.

The rules are in `domain.synchronization`; here requests are signed, carried and their answers committed.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mock_server import issuing
from mock_server.cssm.port import TIMEOUT
from mock_server.cssm.problems import CSSM_TIMEOUT
from mock_server.domain import accounts, documents, synchronization
from mock_server.domain.synchronization import SyncRequest
from mock_server.errors import CommunicationError, SmartlicError
from mock_server.serving import Serving
from smartlic_client.protocol import signing

__all__ = ["Outcome", "Synchronizer"]

log = logging.getLogger(__name__)

_LOOK = 1.0
"""Seconds between two looks whether an account is due."""
_AT_ONCE = 8
"""So many accounts are asked for at the same time."""
_WHOLE = 15.0
"""Seconds in which CSSM is asked for one account after the other: whoever waits is told something then."""


@dataclass
class Outcome:
    """`failed`: account → why it was not synchronized. `renewed`: there are new certificates."""

    synchronized: list[str] = field(default_factory=list)
    failed: dict[str, SmartlicError] = field(default_factory=dict)
    renewed: bool = False


class Synchronizer:
    """One at a time on a node: `serving.changing_certificates` is held throughout."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._cluster = serving.context.config.cluster

    # ---- by the network -----------------------------------------------------------------------------------
    async def by_network(self, names: Iterable[str], by: str = "system", seconds: float = TIMEOUT) -> Outcome:
        """Synchronize accounts, each for itself: one that fails keeps none of the others from it."""
        serving = self._serving
        async with serving.changing():
            return await self._by_network(list(dict.fromkeys(names)), by, seconds)

    async def _by_network(self, names: list[str], by: str, seconds: float) -> Outcome:
        serving, outcome = self._serving, Outcome()
        usage = synchronization.usage_of(serving.state, names)
        requests: dict[str, SyncRequest] = {}
        for name in names:
            try:
                requests[name] = self._request(name, usage[name])
            except SmartlicError as error:  # it has gone while another synchronization was under way
                outcome.failed[name] = error
        limit = asyncio.Semaphore(_AT_ONCE)
        loop = asyncio.get_running_loop()
        until = loop.time() + _WHOLE

        async def exchange(request: SyncRequest) -> bytes | SmartlicError:
            try:
                async with limit:
                    if (left := until - loop.time()) <= 0:
                        return CSSM_TIMEOUT(seconds=_WHOLE, retry_after=60)
                    return await serving.cssm.synchronize(self._sealed(request), min(seconds, left))
            except SmartlicError as error:
                return error

        try:
            await serving.anchor()
        except SmartlicError as error:
            for name in requests:
                await self._failed(name, error, outcome, by)
            return outcome
        said = await asyncio.gather(*(exchange(request) for request in requests.values()))
        for name, answer in zip(requests, said, strict=True):
            await self._take(name, requests[name].nonce, answer, outcome, by)
        if outcome.synchronized:
            outcome.renewed = await issuing.renew(serving, by)
        return outcome

    async def _take(
        self, name: str, nonce: str, said: bytes | SmartlicError, outcome: Outcome, by: str
    ) -> None:
        serving = self._serving
        try:
            if isinstance(said, SmartlicError):
                raise said
            answer = documents.open_answer(said, await serving.anchor())
            happened = synchronization.take(
                serving.state, answer, account=name, cluster=self._cluster, nonce=nonce, now=serving.now()
            )
        except SmartlicError as error:
            await self._failed(name, error, outcome, by)
            return
        await serving.commit(by, happened)
        outcome.synchronized.append(name)

    async def _failed(self, name: str, error: SmartlicError, outcome: Outcome, by: str) -> None:
        serving = self._serving
        log.warning("%s is not synchronized: %s", name, error)
        outcome.failed[name] = error
        await serving.commit(by, synchronization.fail(serving.state, name, error, serving.now()))

    def _request(self, name: str, usage: Mapping[str, int]) -> SyncRequest:
        serving = self._serving
        return synchronization.request_for(
            serving.state,
            name,
            cluster=self._cluster,
            nonce=os.urandom(16).hex(),
            now=serving.now(),
            usage=usage,
        )

    def _sealed(self, request: SyncRequest) -> bytes:
        serving = self._serving
        root = serving.kept_anchor
        assert root is not None  # noqa: S101 - asked for before
        key = serving.key("ca")
        return documents.seal(request, lambda data: signing.sign(key, data), root)

    # ---- by file ------------------------------------------------------------------------------------------
    async def request_file(self, name: str, by: str) -> bytes:
        """A request to carry to CSSM. Only the answer to the last one can be taken."""
        serving = self._serving
        async with serving.changing():
            await serving.anchor()
            request = self._request(name, synchronization.usage_of(serving.state, [name])[name])
            happened = synchronization.request_to_file(serving.state, name, request.nonce)
            await serving.commit(by, happened)
            return self._sealed(request)

    async def answer_file(self, name: str | None, data: bytes, by: str) -> Outcome:
        """Take an answer that was carried here. `name`: the account that it has to be for; None: its own."""
        serving = self._serving
        async with serving.changing():
            answer = documents.open_answer(data, await serving.anchor())
            of = name if name is not None else answer.account
            account = accounts.active(serving.state, of)
            happened = synchronization.take(
                serving.state,
                answer,
                account=of,
                cluster=self._cluster,
                nonce=account.pending_request,
                now=serving.now(),
            )
            await serving.commit(by, happened)
            return Outcome([of], {}, await issuing.renew(serving, by))

    # ---- by itself ----------------------------------------------------------------------------------------
    async def look(self) -> None:
        """Keep looking what is due, as long as this node is Active."""
        while True:
            try:
                await self._look()
            except CommunicationError as error:
                log.debug("the next look will tell: %s", error)
            except SmartlicError as error:
                log.warning("%s", error)
            except Exception:
                log.exception("a scheduled synchronization failed")
            await asyncio.sleep(_LOOK)

    async def _look(self) -> None:
        serving = self._serving
        if serving.kept_anchor is None:
            await serving.anchor()
        now = serving.now()
        names = synchronization.due(serving.state, now)
        signed_out = [name for name in names if synchronization.signed_out(serving.state.accounts[name], now)]
        for name in signed_out:
            error = synchronization.SIGNED_OUT(account=name)
            await self._failed(name, error, Outcome(), "system")
        rest = [name for name in names if name not in signed_out]
        if rest:
            await self.by_network(rest)
