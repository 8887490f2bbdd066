"""`smartlic run`: the service. It ends cleanly on SIGTERM and SIGINT, with 0."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import click

from smartlic_client.cli.attending import Attended, Health, alone
from smartlic_client.cli.common import device_folder_of, home_of, proxy_of
from smartlic_client.cli.files import write_file
from smartlic_client.cli.notify import notify
from smartlic_client.cli.output import note, printable, say, wants_json
from smartlic_client.cli.resolve import resolve_option
from smartlic_client.cli.tokens import token_from_file
from smartlic_client.device import NO_DEVICE, Device
from smartlic_client.errors import SmartlicError
from smartlic_client.protocol.logs import Logged
from smartlic_client.store import device_folder, list_devices

# A message that is under way when the service ends stays on disk: nothing is lost by not waiting longer.
_GRACE = 3.0

_EPILOG = """\b
On standard error come the log messages of the devices (%SMART_LIC-…), and a line when a device's health
changes; with --format json, one JSON object a line on standard output. SIGTERM and SIGINT end it, exit 0.
What was under way is kept, and goes on with the next start. How-to: run-as-a-service.md."""


@click.command("run", epilog=_EPILOG)
@click.option("-d", "--device", multiple=True, metavar="NAME", help="Which; several times for several.")
@click.option("--all", "every", is_flag=True, help="All devices there are.")
@click.option(
    "--token-file",
    metavar="FILE",
    help="An ID token, to register what was never registered, and what the server has forgotten.",
)
@click.option("--health-file", metavar="FILE", help="Keep there how the devices are, as JSON.")
@resolve_option
@click.pass_context
def command(
    context: click.Context,
    device: tuple[str, ...],
    every: bool,
    token_file: str | None,
    health_file: str | None,
    resolve: tuple[tuple[tuple[str, int], str], ...],
) -> None:
    """Honour the timers of one device or several, in the foreground, until it is told to end.

    Renews authorizations and ID certificates, tries again what failed, closes and sends usage reports. The
    other verbs work beside it.
    """
    if every and device:
        raise click.UsageError("--all and --device exclude each other.", context)
    folders = _folders(context, device, every)
    service = Service(health_file, named=len(folders) > 1)
    proxy = proxy_of()
    if token_file is not None:
        token_from_file(token_file)  # said now, not when it is needed
    attended = [
        Attended(
            folder.name,
            folder,
            service.told,
            service.changed,
            token=(lambda: token_from_file(token_file)) if token_file is not None else None,
            resolve=dict(resolve),
            proxy=proxy,
        )
        for folder in folders
    ]
    with contextlib.ExitStack() as held, _told_to_end() as told_to_end:
        for folder in folders:
            held.enter_context(alone(folder))
            Device.open(folder).close()  # what is wrong with it is said before the service is ready
        left = service.run(attended, told_to_end)
    if left:
        _leave()


def _folders(context: click.Context, devices: tuple[str, ...], every: bool) -> list[Path]:
    home = home_of(context)
    if every:
        devices = tuple(list_devices(home))
        if not devices:
            raise NO_DEVICE(folder=str(home))
    if not devices:
        return [device_folder_of(context)]
    return [device_folder(home, name) for name in dict.fromkeys(devices)]


def _leave() -> NoReturn:
    """End with threads that wait for a server: the interpreter's own end could stumble over them."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


@contextlib.contextmanager
def _told_to_end() -> Iterator[Callable[[float], bool]]:
    """A function that waits for SIGTERM or SIGINT for so many seconds, and says whether one came.

    By signal.set_wakeup_fd: a handler in Python runs only when the main thread is back from what it waits in,
    and a signal that came just before that, or to another thread, does not wake it.
    """
    here, there = os.pipe()
    os.set_blocking(there, False)
    before_fd = signal.set_wakeup_fd(there, warn_on_full_buffer=False)
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}

    def wait(seconds: float) -> bool:
        if not select.select([here], [], [], seconds)[0]:
            return False
        return any(number in before for number in os.read(here, 512))

    try:
        yield wait
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before_fd)
        os.close(here)
        os.close(there)


class Service:
    """Threads, and what they say."""

    def __init__(self, health_file: str | None, *, named: bool) -> None:
        self.stop = threading.Event()
        self._file = Path(health_file) if health_file is not None else None
        self._named = named
        self._since = time.time()
        self._health: dict[str, Health] = {}
        self._speaking = threading.Lock()
        self._file_failed = False

    def run(self, attended: list[Attended], told_to_end: Callable[[float], bool]) -> bool:
        """Until it is told to end. Whether threads are left that wait for a server."""
        names = [one.name for one in attended]
        self._say("ready", f"ready: {', '.join(names)}", devices=names, pid=os.getpid())
        notify("READY=1", f"STATUS=attends to {len(names)} device{'' if len(names) == 1 else 's'}")
        # Daemons: one that waits for a server must not hold up the end; its message is on disk.
        threads = [threading.Thread(target=one.run, args=[self.stop], daemon=True) for one in attended]
        for thread in threads:
            thread.start()
        while not told_to_end(60.0):
            self._write()  # shows whoever watches the file that this process lives
        self.stop.set()
        notify("STOPPING=1")
        until = time.monotonic() + _GRACE
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._say("stopped", "stopped", devices=names)
        return any(thread.is_alive() for thread in threads)

    def told(self, name: str, event: Logged) -> None:
        """A log event of a device."""
        fields = {"at": event.at, "severity": event.severity, "name": event.name, "fields": event.fields}
        prefix = f"{printable(name)}: " if self._named else ""
        self._say("log", f"{prefix}{event.text()}", device=name, **fields, text=event.text())

    def changed(self, name: str, health: Health) -> None:
        """The health of a device is another."""
        before = self._health.get(name)
        self._health[name] = health
        at = _date(health.next) if health.next is not None else "nothing ahead"
        line = f"{printable(name)}: {health.registration}, {health.authorization}; next {at}"
        failure = health.failure
        if failure is not None:
            line += f"; {failure.get('sentence', failure.get('code'))} [{failure.get('code')}]"
        if before is None or _told(before) != _told(health):
            self._say("health", line, device=name, **asdict(health))
            notify(f"STATUS={line}")
        self._write()

    def _say(self, event: str, line: str, **fields: Any) -> None:
        with (
            self._speaking,
            contextlib.suppress(OSError, SmartlicError),
        ):  # nobody reads it: the devices matter more
            if wants_json():
                import msgspec

                say(msgspec.json.encode({"event": event, **fields}, enc_hook=str).decode())
            else:
                note(printable(line))

    def _write(self) -> None:
        if self._file is None:
            return
        import msgspec

        healths = dict(self._health)
        document = {
            "pid": os.getpid(),
            "since": self._since,
            "at": time.time(),
            "ok": all(one.well for one in healths.values()),
            "devices": {name: {"ok": one.well, **asdict(one)} for name, one in healths.items()},
        }
        try:
            with self._speaking:
                write_file(self._file, msgspec.json.format(msgspec.json.encode(document)), 0o644)
            self._file_failed = False
        except SmartlicError as error:
            if not self._file_failed:
                self._file_failed = True
                self._say("problem", f"warning: {error}", error=error.as_dict())


def _told(health: Health) -> tuple[Any, ...]:
    """What makes a line: not that the next time is another."""
    return health.registration, health.authorization, (health.failure or {}).get("code")


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
