"""SSM On-Prem and CSSM in memory, with the real documents between them."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import msgspec

from mock_server import pki
from mock_server.cssm.port import LocalCssm
from mock_server.cssm.service import CssmService
from mock_server.domain import documents, events, synchronization
from mock_server.domain.state import Account
from mock_server.domain.synchronization import SyncAnswer, SyncRequest
from smartlic_client.protocol import signing
from tests.unit.domain.world import NOW, Server, authorities, tag

CLUSTER = "c1"
TAG = tag(1)


def certified(clock: Any) -> Server:
    """A server that has its CA's certificate and the root's."""
    server = Server(clock, random.Random(1))
    known = authorities()
    made = {"ca": pki.der_chain(known.ca.chain)}
    server.commit([events.CertificatesInstalled(served_name="p", generation=1, certificates=made)])
    server.commit([events.CommonNameSet(name="p"), events.AnchorKept(root=root_text())])
    return server


def root_text() -> str:
    return pki.der_chain([authorities().root.certificate])[0]


class Sides:
    """`now`: the time of licensing. `cssm`: CSSM, whose portal is `portal`."""

    def __init__(self) -> None:
        self.now = NOW
        self.server = certified(lambda: self.now)
        self.service = CssmService(None, lambda: self.now)
        self.service.root.adopt(authorities().root)
        self.cssm = LocalCssm(self.service)
        self.nonces = 0

    @property
    def lab(self) -> Account:
        return self.server.state.accounts["Lab"]

    def portal(self, op: str, **fields: Any) -> dict[str, Any]:
        return asyncio.run(self.cssm.dispatch({"op": f"cssm.{op}", **fields}))

    def buy(self, quantity: int, **fields: Any) -> str:
        bought = {"tag": TAG, "name": "DNA", "quantity": quantity, **fields}
        return str(self.portal("purchase.add", **bought)["id"])

    # ---- the steps of a synchronization -------------------------------------------------------------------
    def request(self, account: str = "Lab", **changed: Any) -> SyncRequest:
        self.nonces += 1
        state = self.server.state
        made = synchronization.request_for(
            state,
            account,
            cluster=CLUSTER,
            nonce=f"n{self.nonces}",
            now=self.now,
            usage=synchronization.usage_of(state, [account])[account],
        )
        return msgspec.structs.replace(made, **changed)

    def sealed(self, request: SyncRequest) -> bytes:
        known = authorities()
        return documents.seal(request, lambda data: signing.sign(known.ca.key, data), known.root.certificate)

    def answered(self, document: bytes) -> bytes:
        return asyncio.run(self.cssm.port.synchronize(document))

    def opened(self, document: bytes) -> SyncAnswer:
        return documents.open_answer(document, authorities().root.certificate)

    def take(
        self, answer: SyncAnswer, nonce: str | None, account: str = "Lab", cluster: str = CLUSTER
    ) -> None:
        self.server.commit(
            synchronization.take(
                self.server.state, answer, account=account, cluster=cluster, nonce=nonce, now=self.now
            )
        )

    def synchronize(self, account: str = "Lab") -> SyncAnswer:
        request = self.request(account)
        answer = self.opened(self.answered(self.sealed(request)))
        self.take(answer, request.nonce, account)
        return answer
