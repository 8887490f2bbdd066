"""Who was at a server's console last: the file last-login.json in the server's folder."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from mock_server.cluster.config import Layout
from mock_server.files import write_private

log = logging.getLogger(__name__)

_LONGEST = 64


class Login(msgspec.Struct, frozen=True):
    """`at`: seconds since 1970."""

    at: float
    terminal: str


def last(layout: Layout, node: str) -> dict[str, object] | None:
    """The login before this one; None where none is known."""
    try:
        found = msgspec.json.decode(_path(layout, node).read_bytes(), type=Login)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        log.warning("the last login cannot be read: %s", error)
        return None
    return {"at": found.at, "terminal": found.terminal}


def remember(layout: Layout, node: str, terminal: str, now: float) -> None:
    """This login. A disk that takes no more keeps nobody from the console."""
    try:
        write_private(_path(layout, node), msgspec.json.encode(Login(now, terminal[:_LONGEST])) + b"\n")
    except OSError as error:
        log.warning("the login cannot be kept: %s", error)


def _path(layout: Layout, node: str) -> Path:
    return layout.node(node) / "last-login.json"
