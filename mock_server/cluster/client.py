"""Talk to a running cluster from any program: blocking, standard library only, quick to import."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from smartlic_client import errors
from smartlic_client.errors import SmartlicError

REQUEST_LIMIT = 4 << 20
"""Bytes of one request."""
TIMEOUT = 60.0
CONSOLE_TIMEOUT = 180.0
"""Seconds of silence. A start may wait for a whole copy; a question waits for a person on our side."""

Answer = Callable[[str], str]
"""Gives the answer to a question of a console command; "" is no."""


def call(folder: str | os.PathLike[str], op: str, **fields: Any) -> dict[str, Any]:
    """Run a control operation of the supervisor, which forwards a service's own operations to the Active."""
    result: dict[str, Any] = {}
    for answer in request(control_path(folder), {"op": op, **fields}, folder=folder):
        result = answer.get("result", result)
    return result


def console(
    folder: str | os.PathLike[str], node: str, line: str, answer: Answer | None = None
) -> Generator[str, None, dict[str, Any]]:
    """Run a command on a node's console; its lines, as they come.

    Questions go to `answer`; without it the answer to all is no. The generator's own result is
    {"outcome": …, "exit_code": …}, as `talk.Outcome` has them. Stopping early does not stop the command.
    """
    path = control_path(folder)
    answers = request(path, {"op": "console", "node": node, "line": line}, CONSOLE_TIMEOUT, folder)
    result: dict[str, Any] = {}
    answered: str | None = None
    while True:
        try:
            said = answers.send(answered)
        except StopIteration:
            return result
        answered = None
        if "ask" in said:
            answered = answer(said["ask"]) if answer is not None else ""
        elif "line" in said:
            yield said["line"]
        result = said.get("result", result)


def control_path(folder: str | os.PathLike[str]) -> str:
    """The supervisor's control socket, as the folder names it."""
    try:
        return str(json.loads((Path(folder) / "control.json").read_bytes())["control"])
    except (OSError, ValueError, KeyError):
        raise not_running(folder) from None


def request(
    path: str,
    message: dict[str, Any],
    seconds: float = TIMEOUT,
    folder: str | os.PathLike[str] | None = None,
) -> Generator[dict[str, Any], str | None, None]:
    """All answers to one request; an error among them is raised. What is sent in answers {"ask": …}."""
    folder = Path(path).parent if folder is None else folder
    line = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
    if len(line) > REQUEST_LIMIT:
        raise _too_long()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(seconds)
        try:
            sock.connect(path)
        except TimeoutError:
            raise _hung(folder) from None
        except OSError:
            raise not_running(folder) from None
        try:
            sock.sendall(line)
            with sock.makefile("rb") as answers:
                for answered in answers:
                    answer: dict[str, Any] = json.loads(answered)
                    if "error" in answer:
                        raise revive(answer["error"])
                    said = yield answer
                    if "ok" in answer:
                        return
                    if "ask" in answer:
                        sock.sendall(json.dumps({"answer": said or ""}).encode() + b"\n")
        except TimeoutError:
            raise _hung(folder) from None
        except OSError:
            pass  # it has gone
    raise _lost(str(message.get("op")))


def revive(error: dict[str, Any]) -> SmartlicError:
    """An error that came over a control socket, as the exception that it was."""
    kind: type[SmartlicError] = getattr(errors, str(error.get("kind")), SmartlicError)
    return kind(
        error["code"], error["sentence"], error["mend"], error.get("context"), error.get("retry_after")
    )


def not_running(folder: str | os.PathLike[str]) -> SmartlicError:
    from mock_server.cluster.problems import NOT_RUNNING  # only here: the import costs more than the call

    return NOT_RUNNING(folder=str(folder))


def _too_long() -> SmartlicError:
    from mock_server.cluster.problems import REQUEST_TOO_LONG

    return REQUEST_TOO_LONG(limit=REQUEST_LIMIT)


def _lost(op: str) -> SmartlicError:
    from mock_server.cluster.problems import ANSWER_LOST

    return ANSWER_LOST(node="cluster", op=op)


def _hung(folder: str | os.PathLike[str]) -> SmartlicError:
    from mock_server.cluster.problems import SUPERVISOR_HUNG

    return SUPERVISOR_HUNG(folder=str(folder))
