"""The report of a demo for a change ticket: one HTML file that needs nothing beside it."""

from __future__ import annotations

import contextlib
import datetime
import os
import platform
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from mock_server.demo.performance import Performance
from mock_server.demo.show import words
from mock_server.demo.timeline import Picture, picture
from mock_server.errors import CallerError, problem
from smartlic_client import __version__

__all__ = ["ReportFile", "render"]

REPORT_UNWRITABLE = problem(
    "report-unwritable",
    CallerError,
    "The report cannot be written to {path}: {why}.",
    "Give a file in a folder that this user may write to, on a disk with room for it: --report.",
)
_RESERVED = 4 << 20
"""Bytes; a report has less, as all that is in it is bounded."""


class ReportFile:
    """A file that can be written at the end of a play, as was found out before it: its room is taken then.

    Written whole or not at all. Raises `report-unwritable`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._temporary: Path | None = None
        if path.exists() and not path.is_file():
            raise REPORT_UNWRITABLE(path=str(path), why="there is something that is no file")
        try:
            handle, temporary = tempfile.mkstemp(prefix=".smartlic-report.", dir=path.absolute().parent)
            self._temporary = Path(temporary)
            with os.fdopen(handle, "wb") as file:
                file.write(bytes(_RESERVED))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            self.drop()
            raise REPORT_UNWRITABLE(path=str(path), why=error.strerror or str(error)) from None

    def write(self, text: str) -> None:
        assert self._temporary is not None  # noqa: S101 - written once
        try:
            with self._temporary.open("r+b") as file:
                file.write(text.encode())
                file.truncate()
                file.flush()
                os.fsync(file.fileno())
            self._temporary.chmod(0o644)
            self._temporary.replace(self.path)
        except OSError as error:
            raise REPORT_UNWRITABLE(path=str(self.path), why=error.strerror or str(error)) from None
        finally:
            self.drop()

    def drop(self) -> None:
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                self._temporary.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Section:
    """A scenario and its picture, if it was watched."""

    performance: Performance
    picture: Picture | None


def render(performances: Sequence[Performance]) -> str:
    """The page. Performances that were not begun are in it as such."""
    sections = [
        _Section(each, picture(each.watched, each.played) if each.watched else None) for each in performances
    ]
    begun = [each for each in performances if each.began]
    began = min((each.began for each in begun), default=0.0)
    ended = max((each.ended for each in begun), default=0.0)
    facts = {
        "Begun": _when(began),
        "Ended": _when(ended),
        "Duration": f"{ended - began:.1f} s",
        "Played": ", ".join(f"scenario {each.scenario.letter}" for each in performances),
        "Program": f"smartlic {__version__}: smartlic-mock demo",
        "Python": f"{platform.python_version()}, {ssl.OPENSSL_VERSION}",
        "System": platform.platform(),
    }
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            sections=sections,
            facts=facts,
            right=bool(performances) and all(each.ok for each in performances),
            count=sum(len(each.scenario.steps) for each in performances),
            wrong=[step for each in performances for step in each.wrong],
            broke_off=next((each for each in performances if each.broke_off), None),
        )
    )


def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("mock_server.demo"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["words"] = words
    made.filters["when"] = _when
    made.filters["seconds"] = _seconds
    return made


def _when(at: float) -> str:
    """Unix seconds as a person and a ticket read it."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if at else "–"


def _seconds(value: Any) -> str:
    """A time that may be short: 82 ms, 1.25 s."""
    if value is None:
        return "–"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
