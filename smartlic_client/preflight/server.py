"""What the server itself says of its name, so that "set, but not yet synchronized" is told from a wrong name.

The seam is `ServerSide`: the mock's control socket is one; the REST API of an SSM On-Prem can be another.
The mock is spoken to by its documented socket and not imported.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Protocol

import msgspec

from smartlic_client.errors import SmartlicError
from smartlic_client.preflight.observation import ServerFacts
from smartlic_client.preflight.problems import SERVER_SILENT

__all__ = ["MockFolder", "ServerSide"]

_LONGEST = 4 << 20


class ServerSide(Protocol):
    """Somebody who knows what is set on the server."""

    def facts(self, timeout: float) -> ServerFacts:
        """Raises `check-server-silent`."""
        ...


class _Answer(msgspec.Struct):
    ok: bool = False
    result: ServerFacts | None = None
    error: dict[str, object] = {}


class MockFolder:
    """A mock cluster on this machine, by its folder: FOLDER/control.json says where it listens."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    def facts(self, timeout: float) -> ServerFacts:
        try:
            path = str(json.loads((self._folder / "control.json").read_bytes())["control"])
            answer = msgspec.json.decode(_ask(path, timeout), type=_Answer)
        except (OSError, ValueError, KeyError, TypeError, msgspec.MsgspecError) as error:
            raise self._silent(getattr(error, "strerror", None) or str(error) or "no answer") from None
        if answer.result is None:
            raise self._silent(str(answer.error.get("sentence", "it refused")))
        return answer.result

    def _silent(self, why: str) -> SmartlicError:
        return SERVER_SILENT(folder=str(self._folder), why=why.rstrip("."))


def _ask(path: str, timeout: float) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        sock.connect(path)
        sock.sendall(b'{"op":"certificates"}\n')
        with sock.makefile("rb") as answers:
            return answers.readline(_LONGEST)
