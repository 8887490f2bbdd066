"""`smartlic-mock clock show|advance|set|reset`."""

from __future__ import annotations

import datetime
import re
from typing import Any, Final

import click

from mock_server.cli.common import ask
from smartlic_client.cli.lazy import VerbGroup
from smartlic_client.cli.output import emit

UNITS: Final = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_DURATION: Final = re.compile(r"(-?)((?:\d{1,9}[wdhms])+)")


class Duration(click.ParamType[float]):
    """Such as 31d, 1d12h, 90m; with - before it, back."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = _DURATION.fullmatch(str(value))
        if found is None:
            self.fail(f"{value!r} is no duration: give one such as 31d, 12h, 90m or 1d12h.", param, ctx)
        sign, parts = found.groups()
        seconds = sum(int(part[:-1]) * UNITS[part[-1]] for part in re.findall(r"\d+.", parts))
        return float(-seconds if sign else seconds)


class Time(click.ParamType[float]):
    """A date or a date with a time, ISO 8601; UTC where no offset is given."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            read = datetime.datetime.fromisoformat(str(value))
            if read.tzinfo is None:
                read = read.replace(tzinfo=datetime.UTC)
            return read.timestamp()
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time: give one such as 2027-01-31T12:00Z.", param, ctx)


@click.group("clock", cls=VerbGroup)
def command() -> None:
    """The clock of licensing: terms, tokens, renewals and alerts. TLS keeps to the real time."""


@command.command("show")
@click.pass_context
def show(context: click.Context) -> None:
    """What time it is for licensing."""
    _said(ask(context, "clock.show"))


@command.command("advance", context_settings={"ignore_unknown_options": True})
@click.argument("duration", type=Duration())
@click.pass_context
def advance(context: click.Context, duration: float) -> None:
    """Move the clock by DURATION, such as 31d, 12h, 90m or 1d12h; back with - before it."""
    _said(ask(context, "clock.advance", seconds=duration))


@command.command("set")
@click.argument("time", type=Time())
@click.pass_context
def set_(context: click.Context, time: float) -> None:
    """Make it TIME now, such as 2027-01-31T12:00Z; it runs on from there."""
    _said(ask(context, "clock.set", at=time))


@command.command("reset")
@click.pass_context
def reset(context: click.Context) -> None:
    """The real time again."""
    _said(ask(context, "clock.reset"))


def _said(found: dict[str, Any]) -> None:
    offset = found["ahead_by_seconds"]
    if not offset:
        emit(found, f"{found['now']}, the real time")
        return
    shown = datetime.timedelta(seconds=round(abs(offset)))
    emit(found, f"{found['now']}, {shown} {'ahead of' if offset > 0 else 'behind'} the real time")
