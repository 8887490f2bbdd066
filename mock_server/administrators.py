"""The first administrator of a new server, and the private file in the cluster's folder with its password."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from mock_server.cluster.config import Layout
from mock_server.domain import events, users
from mock_server.domain.state import UserRole
from mock_server.errors import CallerError
from mock_server.files import write_new
from mock_server.serving import Serving

__all__ = ["first_administrator", "forget_password", "kept_password"]


def first_administrator(serving: Serving) -> list[events.Event]:
    """A server without a user gets one: `admin`, with the password in the folder, or one that is made."""
    if serving.state.users:
        return []
    path = Layout(serving.context.folder).admin_password
    made = users.generated(os.urandom)
    password = _kept_or(path, made)
    try:
        kept = users.hashed(password, os.urandom, made_here=password == made)
    except CallerError:  # somebody wrote to the file what is no password
        path.unlink(missing_ok=True)
        password = _kept_or(path, made)
        kept = users.hashed(password, os.urandom, made_here=True)
    now = serving.now()
    return users.add(serving.state, users.FIRST, UserRole.ADMINISTRATOR, kept, by="system", now=now)


def kept_password(folder: Path) -> str | None:
    """The first administrator's password; None where it has been changed, or never was made."""
    try:
        return Layout(folder).admin_password.read_text(encoding="utf-8", errors="replace").rstrip("\r\n")
    except OSError:
        return None


def forget_password(folder: Path) -> None:
    """The file goes when the password is another one."""
    Layout(folder).admin_password.unlink(missing_ok=True)


def _kept_or(path: Path, made: str) -> str:
    """What is in the file; a new one has `made`. Two servers that stand alone may come here at once."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    write_new(temporary, made.encode() + b"\n", sync=False)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return kept_password(path.parent) or ""
    finally:
        temporary.unlink()
    return made
