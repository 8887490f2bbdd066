"""Synchronization with CSSM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mock_server.control.certificates import described
from mock_server.control.forms import Answer, Fields, Operation
from mock_server.domain import administration
from mock_server.serving import Serving

__all__ = ["OPERATIONS"]


class _Synchronize(Fields, kw_only=True):
    accounts: list[str] | None = None


async def synchronize(serving: Serving, fields: _Synchronize) -> Answer:
    names = fields.accounts if fields.accounts is not None else list(serving.state.accounts)
    for name in names:
        administration.account_of(serving.state, name)
    renewed = await serving.synchronize(names)
    waiting = [account.name for account in serving.state.accounts.values() if account.waiting]
    return {
        **described(serving),
        "synchronized": names,
        "certificates_regenerated": renewed,
        "still_to_synchronize": waiting,
    }


OPERATIONS: Final[Mapping[str, Operation]] = {"synchronize": Operation(_Synchronize, synchronize)}
