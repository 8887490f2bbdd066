"""The server's local users."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Final

from mock_server import administrators
from mock_server.control.forms import Answer, Fields, Operation
from mock_server.domain import users
from mock_server.domain.state import PasswordHash, UserRole
from mock_server.domain.words import date
from mock_server.serving import Serving

__all__ = ["OPERATIONS"]


class _Name(Fields, kw_only=True):
    name: str


class _Password(_Name, kw_only=True):
    password: str

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, password=…)"


class _Add(_Password, kw_only=True):
    role: UserRole = UserRole.USER


async def add(serving: Serving, fields: _Add) -> Answer:
    password = await _hashed(fields.password)
    made = users.add(serving.state, fields.name, fields.role, password, by=fields.by, now=serving.now())
    await serving.commit(fields.by, made)
    return {"user": fields.name, "role": fields.role}


async def list_users(serving: Serving, _fields: Fields) -> Answer:
    found = [
        {
            "name": user.name,
            "role": user.role,
            "created_at": date(user.created_at),
            "created_by": user.created_by,
            "password_changed_at": date(user.changed_at),
        }
        for user in serving.state.users.values()
    ]
    await serving.ledger.settled()
    return {"users": found}


async def change_password(serving: Serving, fields: _Password) -> Answer:
    password = await _hashed(fields.password)
    await serving.commit(fields.by, users.change_password(serving.state, fields.name, password))
    _forget(serving, fields.name)
    return {"user": fields.name}


async def remove(serving: Serving, fields: _Name) -> Answer:
    await serving.commit(fields.by, users.remove(serving.state, fields.name))
    _forget(serving, fields.name)
    return {"user": fields.name}


async def _hashed(password: str) -> PasswordHash:
    return await asyncio.to_thread(users.hashed, password, os.urandom)


def _forget(serving: Serving, name: str) -> None:
    """The file with the first password is not true any more."""
    if name == users.FIRST:
        administrators.forget_password(serving.context.folder)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "user.add": Operation(_Add, add),
    "user.list": Operation(Fields, list_users),
    "user.password": Operation(_Password, change_password),
    "user.remove": Operation(_Name, remove),
}
