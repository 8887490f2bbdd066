"""Talk to a running cluster from any program: blocking, standard library only, quick to import."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from smartlic_client import errors
from smartlic_client.errors import SmartlicError

TIMEOUT = 60.0


def call(folder: str | os.PathLike[str], op: str, **fields: Any) -> dict[str, Any]:
    """Run a control operation of the supervisor, which forwards a service's own operations to the Active."""
    result: dict[str, Any] = {}
    for answer in request(control_path(folder), {"op": op, **fields}):
        result = answer.get("result", result)
    return result


def console(folder: str | os.PathLike[str], node: str, line: str) -> Iterator[str]:
    """Run a command on a node's console; its lines, as they come."""
    for answer in request(control_path(folder), {"op": "console", "node": node, "line": line}):
        if "line" in answer:
            yield answer["line"]


def control_path(folder: str | os.PathLike[str]) -> str:
    """The supervisor's control socket, as the folder names it."""
    try:
        return str(json.loads((Path(folder) / "control.json").read_bytes())["control"])
    except (OSError, ValueError, KeyError):
        raise not_running(folder) from None


def request(path: str, message: dict[str, Any], seconds: float = TIMEOUT) -> Iterator[dict[str, Any]]:
    """All answers to one request; an error among them is raised."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(seconds)
        try:
            sock.connect(path)
            sock.sendall(json.dumps(message).encode() + b"\n")
            with sock.makefile("rb") as answers:
                for line in answers:
                    answer: dict[str, Any] = json.loads(line)
                    if "error" in answer:
                        raise revive(answer["error"])
                    yield answer
                    if "ok" in answer:
                        return
        except OSError:
            raise not_running(Path(path).parent) from None
    raise not_running(Path(path).parent)


def revive(error: dict[str, Any]) -> SmartlicError:
    """An error that came over a control socket, as the exception that it was."""
    kind: type[SmartlicError] = getattr(errors, str(error.get("kind")), SmartlicError)
    return kind(
        error["code"], error["sentence"], error["mend"], error.get("context"), error.get("retry_after")
    )


def not_running(folder: str | os.PathLike[str]) -> SmartlicError:
    from mock_server.cluster.problems import NOT_RUNNING  # only here: the import costs more than the call

    return NOT_RUNNING(folder=str(folder))
