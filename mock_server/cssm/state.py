"""What CSSM knows, and how commands change it. Pure: a command changes the draft that it is given.

CSSM is the source of truth for what was bought, SSM On-Prem for its product instances. Unless it is strict,
CSSM makes smart and virtual accounts when they are first named, by a purchase or by a synchronization.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from mock_server.cssm import problems
from mock_server.domain.accounts import name_for
from mock_server.domain.state import LOCAL_LOT, LotKind
from mock_server.domain.synchronization import DATES, Purchase, SyncAnswer, SyncRequest
from smartlic_client.protocol.identity import MAX_COUNT, entitlement_tag

__all__ = [
    "FORMAT",
    "CssmState",
    "OnPremAccount",
    "SmartAccount",
    "VirtualAccount",
    "add_purchase",
    "answer",
    "create_smart_account",
    "create_virtual_account",
    "purchases",
    "remove_on_prem",
    "remove_purchase",
]

FORMAT: Final = 1
MAX_PURCHASES: Final = 2_000
"""In one virtual account: an answer is one document."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_SEPARATOR: Final = "\x1f"


class VirtualAccount(msgspec.Struct, kw_only=True):
    """`purchases`: by their ids."""

    purchases: dict[str, Purchase] = msgspec.field(default_factory=dict)


class SmartAccount(msgspec.Struct, kw_only=True):
    virtual_accounts: dict[str, VirtualAccount] = msgspec.field(default_factory=dict)


class OnPremAccount(msgspec.Struct, kw_only=True):
    """A local account of an SSM On-Prem, as its last request told. `serial`: of the last answer to it."""

    cluster: str
    account: str
    smart_account: str
    virtual_account: str
    registered_at: float
    last_sync: float
    serial: int = 0
    usage: dict[str, int] = msgspec.field(default_factory=dict)


class CssmState(msgspec.Struct, kw_only=True):
    """`on_prem`: by cluster and account. `strict`: nothing is made by being named."""

    format: int = FORMAT
    smart_accounts: dict[str, SmartAccount] = msgspec.field(default_factory=dict)
    on_prem: dict[str, OnPremAccount] = msgspec.field(default_factory=dict)
    strict: bool = False
    last_number: int = 0


# ---- accounts ---------------------------------------------------------------------------------------------
def create_smart_account(draft: CssmState, name: str) -> None:
    if name_for(name, "a smart account") in draft.smart_accounts:
        raise problems.EXISTS(what="a smart account", name=name)
    draft.smart_accounts[name] = SmartAccount()


def create_virtual_account(draft: CssmState, smart_account: str, name: str) -> None:
    name_for(name, "a virtual account")
    there = _smart(draft, smart_account).virtual_accounts
    if name in there:
        raise problems.EXISTS(what="a virtual account", name=name)
    there[name] = VirtualAccount()


def _smart(draft: CssmState, name: str) -> SmartAccount:
    found = draft.smart_accounts.get(name)
    if found is None:
        if draft.strict:
            raise problems.SMART_ACCOUNT_UNKNOWN(smart_account=name)
        found = draft.smart_accounts[name_for(name, "a smart account")] = SmartAccount()
    return found


def _virtual(draft: CssmState, smart_account: str, name: str) -> VirtualAccount:
    there = _smart(draft, smart_account).virtual_accounts
    found = there.get(name)
    if found is None:
        if draft.strict:
            raise problems.CSSM_VIRTUAL_ACCOUNT_UNKNOWN(smart_account=smart_account, virtual_account=name)
        found = there[name_for(name, "a virtual account")] = VirtualAccount()
    return found


# ---- purchases --------------------------------------------------------------------------------------------
def purchases(state: CssmState) -> Iterator[tuple[str, str, Purchase]]:
    """Smart account, virtual account, purchase."""
    for smart_account, smart in state.smart_accounts.items():
        for virtual_account, virtual in smart.virtual_accounts.items():
            for bought in virtual.purchases.values():
                yield smart_account, virtual_account, bought


def add_purchase(draft: CssmState, smart_account: str, virtual_account: str, bought: Purchase) -> Purchase:
    """Buy licenses for a virtual account. Without an id the purchase gets the next number as one.

    An entitlement has one name in a virtual account: the newest.
    """
    number = draft.last_number
    if not bought.id:
        number += 1
        bought = msgspec.structs.replace(bought, id=f"P-{number:06d}")
    _check(draft, bought)
    there = _virtual(draft, smart_account, virtual_account).purchases
    if len(there) >= MAX_PURCHASES:
        raise problems.BAD_PURCHASE(why=f"a virtual account holds {MAX_PURCHASES} purchases")
    for key, other in there.items():
        if other.tag == bought.tag and other.name != bought.name:
            there[key] = msgspec.structs.replace(other, name=bought.name)
    there[bought.id] = bought
    draft.last_number = number
    return bought


def _check(draft: CssmState, bought: Purchase) -> None:
    entitlement_tag(bought.tag)
    name_for(bought.name, "a license")
    why = ""
    if not _ID.fullmatch(bought.id) or bought.id == LOCAL_LOT:
        why = f"{bought.id!r} is no id for a purchase: letters, digits, '.', '_' and '-', at most 40"
    elif any(bought.id == other.id for _, _, other in purchases(draft)):
        why = f"there is a purchase {bought.id} already"
    elif not 1 <= bought.quantity <= MAX_COUNT:
        why = f"{bought.quantity} is no quantity from 1 to {MAX_COUNT}"
    elif not all(DATES[0] <= at <= DATES[1] for at in (bought.start, bought.end) if at is not None):
        why = "its dates are not in the years 1 to 9999"
    elif bought.kind is LotKind.TERM and bought.end is None:
        why = "a term has an end"
    elif bought.kind is LotKind.PERPETUAL and bought.end is not None:
        why = "what is perpetual has no end"
    elif bought.start is not None and bought.end is not None and bought.end <= bought.start:
        why = "its term ends before it begins"
    if why:
        raise problems.BAD_PURCHASE(why=why)


def remove_purchase(draft: CssmState, purchase_id: str) -> Purchase:
    """Take a purchase back: at the next synchronization the licenses are gone."""
    for smart_account, virtual_account, bought in purchases(draft):
        if bought.id == purchase_id:
            del draft.smart_accounts[smart_account].virtual_accounts[virtual_account].purchases[purchase_id]
            return bought
    raise problems.PURCHASE_UNKNOWN(purchase=purchase_id)


# ---- SSM On-Prem ------------------------------------------------------------------------------------------
def answer(draft: CssmState, request: SyncRequest, now: float) -> SyncAnswer:
    """Register the local account, or what it tells now, and answer with all that was bought for it.

    A request that is asked twice is answered twice, with a newer serial each time.
    """
    for other in draft.on_prem.values():
        bound = (other.smart_account, other.virtual_account)
        same = (other.cluster, other.account) == (request.cluster, request.account)
        if bound == (request.smart_account, request.virtual_account) and not same:
            raise problems.TAKEN(
                smart_account=other.smart_account,
                virtual_account=other.virtual_account,
                account=other.account,
                cluster=other.cluster,
            )
        if same and bound != (request.smart_account, request.virtual_account):
            raise problems.REGISTERED_ELSEWHERE(
                account=other.account,
                smart_account=other.smart_account,
                virtual_account=other.virtual_account,
            )
    bought = _virtual(draft, request.smart_account, request.virtual_account).purchases
    key = _SEPARATOR.join((request.cluster, request.account))
    before = draft.on_prem.get(key)
    # A store that was restored from an older copy must not fall behind what was taken already.
    serial = 1 + max(request.serial, before.serial if before is not None else 0)
    draft.on_prem[key] = OnPremAccount(
        cluster=request.cluster,
        account=request.account,
        smart_account=request.smart_account,
        virtual_account=request.virtual_account,
        registered_at=before.registered_at if before is not None else now,
        last_sync=now,
        serial=serial,
        usage=request.usage,
    )
    return SyncAnswer(
        cluster=request.cluster,
        account=request.account,
        nonce=request.nonce,
        serial=serial,
        issued_at=now,
        purchases=list(bought.values()),
        common_name=request.common_name,
    )


def remove_on_prem(draft: CssmState, account: str, cluster: str | None) -> int:
    """End the registration of a local account of this cluster, or of all clusters; how many there were."""
    gone = [
        key
        for key, found in draft.on_prem.items()
        if found.account == account and cluster in (None, found.cluster)
    ]
    if not gone:
        raise problems.ON_PREM_UNKNOWN(account=account)
    for key in gone:
        del draft.on_prem[key]
    return len(gone)
