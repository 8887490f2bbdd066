"""A server whose journal is of a release without users and pages: it gets an administrator and a key."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from mock_server.administrators import first_administrator, forget_password, kept_password
from mock_server.cluster.config import configure
from mock_server.cluster.machine import NodeContext
from mock_server.domain import events, users
from mock_server.domain.apply import LicensingMachine
from mock_server.serving import Serving, kept_key


class Ledger:
    """All is kept at once."""

    def __init__(self) -> None:
        self.keys: dict[str, bytes] = {}
        self.payloads: list[bytes] = []

    def key(self, name: str) -> bytes:
        return self.keys[name]

    def propose(self, payload: bytes, keys: Mapping[str, bytes]) -> int:
        self.payloads.append(payload)
        self.keys.update(keys)
        return len(self.payloads)

    async def settled(self, _index: int | None = None) -> None:
        return None


@pytest.fixture
def serving(tmp_path: Path) -> Serving:
    context = NodeContext("primary", tmp_path, configure(), dict)
    return Serving(context, LicensingMachine(), cast(Any, Ledger()), cast(Any, None))


def test_a_key_is_made_once(serving: Serving) -> None:
    """The second time it is the same one; the change that carries it has no events, and holds no key."""
    key = asyncio.run(kept_key(serving, "page-sessions"))
    assert len(key) == 32
    assert asyncio.run(kept_key(serving, "page-sessions")) == key
    (payload,) = cast(Ledger, serving.ledger).payloads
    assert events.decode(payload).events == []
    assert key not in payload


@pytest.mark.parametrize("before", [None, "", "short", "given by somebody", "\0" * 20])
def test_the_first_administrator_has_the_password_in_the_folder(serving: Serving, before: str | None) -> None:
    """One that is there already is taken, if it can be one; else one is made. Nobody else can read it."""
    folder = serving.context.folder
    path = folder / "admin-password"
    if before is not None:
        path.write_text(before)
        path.chmod(0o600)
    (created,) = first_administrator(serving)
    assert isinstance(created, events.UserCreated)
    serving.state.users["admin"] = created.user
    password = kept_password(folder)
    assert password is not None
    assert (password == before) == (before == "given by somebody")
    assert users.verified(serving.state, "admin", password) is created.user
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in folder.iterdir()] == ["admin-password"]
    assert first_administrator(serving) == []
    forget_password(folder)
    assert kept_password(folder) is None
