"""`smartlic fleet`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smartlic_client.cli.common import proxy_of
from smartlic_client.cli.output import INTERRUPTED, emit, note, wants_json
from smartlic_client.cli.resolve import resolve_option
from smartlic_client.cli.tokens import token_of
from smartlic_client.errors import CallerError, problem

if TYPE_CHECKING:
    from smartlic_client.fleet.figures import Figures
    from smartlic_client.fleet.processes import Job, Shares
    from smartlic_client.fleet.report import Course, Summary

FLEET_NEEDED = problem(
    "fleet-extra-needed",
    CallerError,
    "`smartlic fleet` needs {missing}, which is not installed.",
    "Install it: pip install 'smartlic[fleet]'",
)

_SHOWN = 0.25
_TOLD = 5.0

_EPILOG = """\b
An inventory is CSV or YAML: name, pid, sn, software, count, licenses. One line may stand for many devices:
  name,pid,sn,count,licenses
  access-{n},C9300-24T,FOC{n:06},1000,"TAG=2 08:00=24 18:00=2"

\b
Exit codes:
  0    done; without --once also when it was ended by Ctrl-C or --duration
  1    some devices were refused, or the inventory has mistakes
  2    a process of the fleet has ended; start again to go on
  3    the server is not the one that was named; nothing was sent to it
  130  interrupted before --once was done

Ctrl-C ends it: what is under way is finished and kept, and the same command goes on from there. Ctrl-C again
ends it now; nothing is lost by that either. The devices register with mocks of this project only."""


@click.command("fleet", epilog=_EPILOG)
@click.argument("inventory", type=click.Path(path_type=Path))
@click.option("--server", "url", metavar="URL", required=True, help="The destination URL: VIP or FQDN.")
@click.option(
    "--ca", "anchors", type=click.Path(path_type=Path), required=True, help="The trust anchor, in PEM."
)
@click.option("--token", metavar="-|FILE", help="The ID token, for devices that are not registered yet.")
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    help="Where all of the fleet is kept (by default beside the inventory, as NAME.fleet).",
)
@click.option("--once", is_flag=True, help="End when every device is registered and has told its counts.")
@click.option("--duration", type=click.FloatRange(min=0.1), metavar="SECONDS", help="End after so long.")
@click.option(
    "--rate", type=click.FloatRange(min=0.01), metavar="N", help="Begin at most N devices a second."
)
@click.option("--ramp", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS", help="Rise to --rate.")
@click.option(
    "--splay", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS", help="Spread the beginning."
)
@click.option(
    "--every", type=click.FloatRange(min=0.1), metavar="SECONDS", help="Each device reports so often again."
)
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Go on trying for so long where the server cannot be reached, as through a failover.",
)
@click.option(
    "--at-once",
    type=click.IntRange(1, 20_000),
    default=64,
    show_default=True,
    metavar="N",
    help="Devices that talk at the same time, and connections, in each process.",
)
@click.option("--processes", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N")
@click.option("--new-connections", "anew", is_flag=True, help="A TLS connection of its own for each message.")
@click.option("--report", "page", metavar="FILE", help="Write a page with charts.")
@resolve_option
@click.pass_context
def command(context: click.Context, /, **options: Any) -> None:
    """Run many devices at once, from an inventory: register them, report, renew, through failovers."""
    job = _job(context, options)
    devices = len(job.inventory)
    with _state_held(job.state):
        shares = _shares(job)
        run = _Run(job, shares, options["duration"])
        try:
            with _display(devices) as show:
                asyncio.run(run.live(show))
        finally:
            shares.close()
    summary = run.summary()
    if options["page"]:
        from smartlic_client.cli.files import write_file
        from smartlic_client.fleet.report import page

        write_file(options["page"], page(summary).encode(), mode=0o644)
    _tell(context, summary, job, interrupted=run.interrupted)


def _job(context: click.Context, options: dict[str, Any]) -> Job:
    """Everything that can be wrong is told before a process is started."""
    try:
        import aiohttp  # noqa: F401
        import yaml  # noqa: F401

        from smartlic_client.fleet.engine import Pace
        from smartlic_client.fleet.inventory import read_inventory
        from smartlic_client.fleet.processes import Job, enough_connections
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("smartlic_client", ""):
            raise
        raise FLEET_NEEDED(missing=error.name) from None
    inventory = read_inventory(options["inventory"])
    if inventory.events:
        note("note: the events of the inventory are for `smartlic-mock simulate`; they are left out here")
    at_once = enough_connections(options["at_once"])
    if at_once < options["at_once"]:
        note(f"note: this user may open {at_once} connections, not {options['at_once']}: devices share them")
    rate = options["rate"]
    pace = Pace(
        rate=None if rate is None else rate / options["processes"],
        ramp=options["ramp"],
        splay=options["splay"],
        every=options["every"],
        wait=options["wait"],
        at_once=at_once,
    )
    return Job(
        inventory=inventory,
        state=options["state"] or Path(f"{options['inventory']}.fleet"),
        settings=_settings(options["url"], options["anchors"]),
        token=None if options["token"] is None else token_of(context, options["token"]),
        pace=pace,
        processes=options["processes"],
        once=options["once"],
        anew=options["anew"],
        resolve=dict(options["resolve"]),
    )


def _settings(url: str, anchors: Path) -> Any:
    from smartlic_client.errands import Settings
    from smartlic_client.protocol.transports import TransportKind
    from smartlic_client.transport.tls import context_for
    from smartlic_client.transport.urls import Destination

    destination = Destination.parse(url, TransportKind.CALLHOME)
    try:
        pem = anchors.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{anchors} cannot be read: {error.strerror}.") from None
    context_for(pem)  # raises bad-anchors
    kind = TransportKind.of_path(destination.path)
    return Settings(
        url=destination.url, transport=kind, anchors=pem.decode("ascii", "replace"), proxy=proxy_of()
    )


@contextlib.contextmanager
def _state_held(state: Path) -> Iterator[None]:
    """The file is this command's alone; it is made, and closed again before processes are forked."""
    from smartlic_client.fleet.store import FleetLock, FleetStore

    with FleetLock(state):
        FleetStore.make(state)
        yield


def _shares(job: Job) -> Shares:
    from smartlic_client.fleet.processes import Shares

    return Shares(job)


class _Run:
    """The run as the parent sees it: signals, time, figures."""

    def __init__(self, job: Job, shares: Shares, duration: float | None) -> None:
        from smartlic_client.fleet.report import Course

        self.job = job
        self.interrupted = False
        self._shares = shares
        self._duration = duration
        self._course: Course = Course()
        self._began = time.monotonic()
        self._ended = self._began

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    async def live(self, show: Callable[[float, Figures, Course], None]) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupt)
        ending = None
        if self._duration is not None:
            ending = loop.call_later(self._duration, self._shares.tell, b"stop")

        def each() -> None:
            whole = self._shares.whole()
            self._course.add(self.seconds, whole)
            show(self.seconds, whole, self._course)

        try:
            await self._shares.run(each, _SHOWN)
        finally:
            self._ended = time.monotonic()
            if ending is not None:
                ending.cancel()

    def _interrupt(self) -> None:
        self._shares.tell(b"now" if self.interrupted else b"stop")
        if not self.interrupted:
            note("ending: what is under way is finished and kept; Ctrl-C again ends it now")
        self.interrupted = True

    def summary(self) -> Summary:
        from smartlic_client.fleet.report import Summary, limit_of

        job, figures, seconds = self.job, self._shares.whole(), self._ended - self._began
        limit = limit_of(
            figures, seconds, job.processes, job.pace.at_once, paced=job.pace.slows or not job.once
        )
        return Summary(
            devices=len(job.inventory),
            seconds=seconds,
            processes=job.processes,
            at_once=job.pace.at_once,
            server=job.settings.url or "",
            figures=figures,
            course=self._course.points,
            limit=limit,
        )


def _tell(context: click.Context, summary: Summary, job: Job, *, interrupted: bool) -> None:
    from smartlic_client.fleet.report import text

    data = {**summary.data(), "state": str(job.state), "interrupted": interrupted}
    emit(data, f"{text(summary)}\nThe fleet is kept in {job.state}; the same command goes on with it.")
    refused = any(summary.figures.refused.values())
    if interrupted and job.once and summary.figures.settled < summary.devices:
        context.exit(INTERRUPTED)
    if refused:
        context.exit(1)


# ---- while it runs ----------------------------------------------------------------------------------------
@contextlib.contextmanager
def _display(devices: int) -> Iterator[Callable[[float, Figures, Course], None]]:
    """A table that is drawn anew at a terminal; a line now and then elsewhere, on standard error."""
    if wants_json() or not sys.stderr.isatty():
        yield _lines(devices)
        return
    from smartlic_client.cli.fleet_table import table

    with table(devices) as show:
        yield show


def _lines(devices: int) -> Callable[[float, Figures, Course], None]:
    told = 0.0

    def show(at: float, figures: Figures, _course: Course) -> None:
        nonlocal told
        if at - told >= _TOLD:
            told = at
            note(
                f"{at:.0f} s: {figures.settled} of {devices} registered, {figures.total_answered} messages "
                f"answered, {figures.total_failed} failed"
            )

    return show
