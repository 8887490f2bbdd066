"""`smartlic-mock simulate`."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smartlic_client.cli.output import INTERRUPTED, emit, note, wants_json
from smartlic_client.fleet.happenings import Happening, duration, moment, usual

if TYPE_CHECKING:
    from mock_server.simulated_fleet.fleet import Plan, SimulatedFleet

_TOLD = 5.0
_SHOWN = 0.1
_LONGEST = 3650

_EPILOG = """\b
An inventory is that of `smartlic fleet`. As YAML it may have events:
  events:
    - {at: 30d 08:00, event: failover, outage: 45s}
    - {at: 61d, event: network-down, outage: 6h}

\b
Exit codes:
  0    done; servers and devices agree at the end
  1    they do not, or the inventory has mistakes
  130  interrupted; what was done until then is reported

Nothing is sent anywhere: servers, devices and network are in this process. The same seed gives the same
report, byte for byte."""


def _span(_context: click.Context, _option: click.Parameter, value: str) -> float:
    """Seconds, of 45s, 10m, 6h or 2d."""
    try:
        return duration(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None


def _failovers(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> tuple[Happening, ...]:
    """Of `30d 08:00` or `30d 08:00/45s`."""
    try:
        return tuple(_failover(value) for value in values)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None


def _failover(value: str) -> Happening:
    at, slash, outage = value.partition("/")
    return Happening(moment(at), "failover", duration(outage) if slash else usual("failover"))


@click.command("simulate", epilog=_EPILOG)
@click.argument("inventory", type=click.Path(path_type=Path))
@click.option(
    "--days",
    type=click.FloatRange(0, _LONGEST, min_open=True),
    default=365.0,
    show_default="365",
    metavar="N",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N")
@click.option(
    "--crypto",
    type=click.Choice(["hash", "real"]),
    default="hash",
    show_default=True,
    help="hash: a keyed hash stands for keys, signatures and certificates; some five times as fast.",
)
@click.option(
    "--failover",
    "failovers",
    callback=_failovers,
    multiple=True,
    metavar="AT[/OUTAGE]",
    help='The Active dies then, beside the events of the inventory: "30d 08:00/45s".',
)
@click.option(
    "--splay",
    callback=_span,
    default="1d",
    show_default=True,
    metavar="SPAN",
    help="The devices begin over it.",
)
@click.option(
    "--no-splay", is_flag=True, help="All begin at once, and nobody draws how long to wait for a next try."
)
@click.option(
    "--licensed",
    type=click.FloatRange(0, 1000),
    default=100.0,
    show_default="100",
    metavar="PERCENT",
    help="Licenses that are bought, in percent of the highest use.",
)
@click.option("--report", "page", metavar="FILE", help="Write a page with charts.")
@click.pass_context
def command(context: click.Context, /, inventory: Path, page: str | None, **options: Any) -> None:
    """Simulate a fleet and its cluster in virtual time: a year of it in minutes."""
    from mock_server.simulated_fleet.fleet import SimulatedFleet
    from mock_server.simulated_fleet.report import Report
    from smartlic_client.fleet.inventory import read_inventory

    known = read_inventory(inventory)
    fleet = SimulatedFleet(known, _plan(options, known.events))
    began = time.monotonic()
    with _interrupting(fleet), _display(fleet) as show:
        fleet.run(show)
    report = Report(fleet)
    if page:
        from smartlic_client.cli.files import write_file

        write_file(page, report.page().encode(), mode=0o644)
    emit(report.data(), report.text())
    note(f"simulated in {time.monotonic() - began:.1f} s")
    if fleet.interrupted:
        context.exit(INTERRUPTED)
    if not report.audit.ok:
        context.exit(1)


def _plan(options: dict[str, Any], events: tuple[Happening, ...]) -> Plan:
    from mock_server.simulated_fleet.fleet import Plan

    return Plan(
        days=options["days"],
        seed=options["seed"],
        crypto=options["crypto"],
        splay=0.0 if options["no_splay"] else options["splay"],
        drawn=not options["no_splay"],
        licensed=options["licensed"],
        events=tuple(sorted((*events, *options["failovers"]))),
    )


@contextmanager
def _interrupting(fleet: SimulatedFleet) -> Iterator[None]:
    """Ctrl-C ends the run, and not the report; a second one ends all."""

    def interrupt(*_: object) -> None:
        fleet.stop()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    former = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def _display(fleet: SimulatedFleet) -> Iterator[Callable[[SimulatedFleet], None]]:
    """A bar at a terminal; a line now and then elsewhere, on standard error."""
    days = fleet.plan.days
    if wants_json() or not sys.stderr.isatty():
        note(f"simulating {len(fleet.devices)} devices for {days:g} days; Ctrl-C ends it with a report")
        yield _now_and_then(
            _TOLD,
            lambda: note(
                f"day {_day(fleet):.0f} of {days:g}: {fleet.figures.total_answered} messages answered"
            ),
        )
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=days)

        def show() -> None:
            told = f"day {_day(fleet):4.0f} of {days:g}, {fleet.figures.total_answered} messages"
            progress.update(task, completed=_day(fleet), description=told)

        yield _now_and_then(_SHOWN, show)


def _now_and_then(seconds: float, show: Callable[[], None]) -> Callable[[SimulatedFleet], None]:
    told = time.monotonic()

    def maybe(_fleet: SimulatedFleet) -> None:
        nonlocal told
        if time.monotonic() - told >= seconds:
            told = time.monotonic()
            show()

    return maybe


def _day(fleet: SimulatedFleet) -> float:
    from mock_server.simulated_fleet.fleet import BEGIN

    return (fleet.now() - BEGIN) / 86400
