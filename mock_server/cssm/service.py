"""What CSSM answers: to SSM On-Prem by its network, and to whoever stands at its portal.

Requests are those of a control socket: {"op": "cssm.…", fields}. Three come from SSM On-Prem (`cssm.anchor`,
`cssm.certify`, `cssm.synchronize`) and meet the faults; the others are the portal's.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from mock_server import pki
from mock_server.cluster.problems import BAD_REQUEST, UNKNOWN_OP
from mock_server.cssm import state
from mock_server.cssm.faults import Fault, Faults
from mock_server.cssm.root import Root
from mock_server.cssm.store import Store
from mock_server.domain import documents
from mock_server.domain.state import DEFAULT_CSSM_VIRTUAL_ACCOUNT, DEFAULT_SMART_ACCOUNT, LotKind
from mock_server.domain.synchronization import Purchase
from mock_server.domain.words import date
from smartlic_client.protocol import signing

__all__ = ["CssmService"]

Answer = dict[str, Any]


class _Place(msgspec.Struct, kw_only=True):
    smart_account: str = DEFAULT_SMART_ACCOUNT
    virtual_account: str = DEFAULT_CSSM_VIRTUAL_ACCOUNT


class _None(msgspec.Struct):
    pass


class _Certify(msgspec.Struct, kw_only=True):
    """`public_key`: SubjectPublicKeyInfo, base64 DER."""

    common_name: str
    public_key: str


class _Document(msgspec.Struct, kw_only=True):
    request: str


class _SmartAccount(msgspec.Struct, kw_only=True):
    name: str


class _VirtualAccount(msgspec.Struct, kw_only=True):
    name: str
    smart_account: str = DEFAULT_SMART_ACCOUNT


class _Purchase(_Place, kw_only=True):
    """`start`, `end`: Unix seconds."""

    tag: str
    name: str
    quantity: int
    kind: LotKind = LotKind.PERPETUAL
    start: float | None = None
    end: float | None = None
    id: str = ""


class _Remove(msgspec.Struct, kw_only=True):
    id: str


class _OnPrem(msgspec.Struct, kw_only=True):
    account: str
    cluster: str | None = None


class _Strict(msgspec.Struct, kw_only=True):
    strict: bool


class CssmService:
    """CSSM in this process. `folder`: where it keeps its root and its state; None: in memory only.

    `now`: the time of its answers, as Unix seconds; certificates keep to the real time, as TLS does.
    """

    def __init__(self, folder: str | os.PathLike[str] | None, now: Callable[[], float] = time.time) -> None:
        place = None if folder is None else Path(folder)
        self._now = now
        self.store = Store(place)
        self.root = Root(place)
        self.faults = Faults()
        self._network: Mapping[str, tuple[type[msgspec.Struct], Callable[[Any], Answer]]] = {
            "cssm.anchor": (_None, self._anchor),
            "cssm.certify": (_Certify, self._certify),
            "cssm.synchronize": (_Document, self._answer),
        }
        self._portal: Mapping[str, tuple[type[msgspec.Struct], Callable[[Any], Answer]]] = {
            "cssm.status": (_None, self._status),
            "cssm.answer": (_Document, self._answer),
            "cssm.strict": (_Strict, self._strict),
            "cssm.smart-account.create": (_SmartAccount, self._create_smart_account),
            "cssm.smart-account.list": (_None, self._list_smart_accounts),
            "cssm.virtual-account.create": (_VirtualAccount, self._create_virtual_account),
            "cssm.purchase.add": (_Purchase, self._add_purchase),
            "cssm.purchase.list": (_None, self._list_purchases),
            "cssm.purchase.remove": (_Remove, self._remove_purchase),
            "cssm.on-prem.list": (_None, self._list_on_prem),
            "cssm.on-prem.remove": (_OnPrem, self._remove_on_prem),
            "cssm.fault.set": (Fault, self._set_fault),
            "cssm.fault.list": (_None, self._list_faults),
            "cssm.fault.clear": (_None, self._clear_faults),
        }

    async def dispatch(self, request: Mapping[str, Any]) -> Answer:
        """Answer one request; what is refused is raised as its problem."""
        op = str(request.get("op"))
        fields = {key: value for key, value in request.items() if key != "op"}
        found = self._network.get(op) or self._portal.get(op)
        if found is None:
            raise UNKNOWN_OP(op=op, known=", ".join(sorted(self._portal)))
        form, run = found
        try:
            asked = msgspec.convert(fields, form)
        except msgspec.ValidationError as error:
            raise BAD_REQUEST(detail=str(error)) from None
        if op in self._network:
            await self.faults.meet(op)
        return run(asked)

    def close(self) -> None:
        self.store.close()

    # ---- SSM On-Prem --------------------------------------------------------------------------------------
    def _anchor(self, _asked: _None) -> Answer:
        return {"anchor": pki.to_pem(self.root.issuer().certificate).decode()}

    def _certify(self, asked: _Certify) -> Answer:
        try:
            key = serialization.load_der_public_key(base64.b64decode(asked.public_key, validate=True))
        except (ValueError, binascii.Error) as error:
            raise BAD_REQUEST(detail=str(error)) from None
        if not isinstance(key, (ec.EllipticCurvePublicKey, rsa.RSAPublicKey)):
            raise BAD_REQUEST(detail="the key is neither EC nor RSA")
        self.root.ensure()
        now = datetime.datetime.now(datetime.UTC)
        issuer = self.root.issuer()
        _, chain = pki.new_authority(issuer, asked.common_name, key, now=now, path_length=1)
        return {"chain": pki.der_chain(chain), "anchor": pki.to_pem(issuer.certificate).decode()}

    def _answer(self, asked: _Document) -> Answer:
        issuer = self.root.issuer()
        request = documents.open_request(asked.request.encode(), issuer.certificate)
        now = self._now()
        answer = self.store.change(lambda draft: state.answer(draft, request, now))
        sealed = documents.seal(answer, lambda data: signing.sign(issuer.key, data), issuer.certificate)
        return {"answer": sealed.decode(), "account": answer.account, "serial": answer.serial}

    # ---- the portal ---------------------------------------------------------------------------------------
    def _status(self, _asked: _None) -> Answer:
        known = self.store.state
        return {
            "running": True,
            "root": pki.fingerprint(self.root.issuer().certificate) if self.root.there else None,
            "strict": known.strict,
            "smart_accounts": len(known.smart_accounts),
            "purchases": sum(1 for _ in state.purchases(known)),
            "on_prem_accounts": len(known.on_prem),
            "faults": self.faults.listed(),
        }

    def _strict(self, asked: _Strict) -> Answer:
        def change(draft: state.CssmState) -> None:
            draft.strict = asked.strict

        self.store.change(change)
        return {"strict": asked.strict}

    def _create_smart_account(self, asked: _SmartAccount) -> Answer:
        self.store.change(lambda draft: state.create_smart_account(draft, asked.name))
        return {"smart_account": asked.name}

    def _list_smart_accounts(self, _asked: _None) -> Answer:
        found = [
            {"name": name, "virtual_accounts": list(smart.virtual_accounts)}
            for name, smart in self.store.state.smart_accounts.items()
        ]
        return {"smart_accounts": found}

    def _create_virtual_account(self, asked: _VirtualAccount) -> Answer:
        self.store.change(lambda draft: state.create_virtual_account(draft, asked.smart_account, asked.name))
        return {"smart_account": asked.smart_account, "virtual_account": asked.name}

    def _add_purchase(self, asked: _Purchase) -> Answer:
        bought = Purchase(
            id=asked.id,
            tag=asked.tag,
            name=asked.name,
            quantity=asked.quantity,
            kind=asked.kind,
            start=asked.start,
            end=asked.end,
        )
        place = (asked.smart_account, asked.virtual_account)
        made = self.store.change(lambda draft: state.add_purchase(draft, *place, bought))
        return _described(*place, made)

    def _list_purchases(self, _asked: _None) -> Answer:
        return {"purchases": [_described(*found) for found in state.purchases(self.store.state)]}

    def _remove_purchase(self, asked: _Remove) -> Answer:
        gone = self.store.change(lambda draft: state.remove_purchase(draft, asked.id))
        return {"id": gone.id, "name": gone.name}

    def _list_on_prem(self, _asked: _None) -> Answer:
        found = self.store.state.on_prem.values()
        return {
            "on_prem": [
                {
                    **msgspec.to_builtins(one),
                    "registered_at": date(one.registered_at),
                    "last_sync": date(one.last_sync),
                }
                for one in found
            ]
        }

    def _remove_on_prem(self, asked: _OnPrem) -> Answer:
        count = self.store.change(lambda draft: state.remove_on_prem(draft, asked.account, asked.cluster))
        return {"account": asked.account, "removed": count}

    def _set_fault(self, asked: Fault) -> Answer:
        self.faults.set(asked)
        return {"faults": self.faults.listed()}

    def _list_faults(self, _asked: _None) -> Answer:
        return {"faults": self.faults.listed()}

    def _clear_faults(self, _asked: _None) -> Answer:
        return {"cleared": self.faults.clear()}


def _described(smart_account: str, virtual_account: str, bought: Purchase) -> Answer:
    return {
        "id": bought.id,
        "name": bought.name,
        "tag": bought.tag,
        "quantity": bought.quantity,
        "kind": bought.kind,
        "start": date(bought.start),
        "end": date(bought.end),
        "smart_account": smart_account,
        "virtual_account": virtual_account,
    }
