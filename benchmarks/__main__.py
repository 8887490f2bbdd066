"""`python -m benchmarks [NAME …]`: figures of one run, each beside its limit or a peer."""

from __future__ import annotations

import datetime
import json
import os
import sys
from pathlib import Path

import click

from benchmarks import machine
from benchmarks.report import Report, page, text
from benchmarks.running import run_part, title_of

PARTS = (
    "startup",
    "agent",
    "names",
    "preflight",
    "rates",
    "durability",
    "failover",
    "fixtures",
    "bignode",
    "rest",
    "fleet",
    "fleet_failover",
    "simulated_year",
    "pages",
)
ON_DEMAND = ("peers", "fleet_peer")
"""Run where they are named."""


def _writable(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> Path | None:
    """A run takes long: that its report cannot be written is told before."""
    if path is not None and not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        raise click.BadParameter(f"{path.parent} is no folder that can be written to.")
    return path


def _list(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        for name in (*PARTS, *ON_DEMAND):
            print(f"{name:<16}{title_of(name)}{'' if name in PARTS else ' (where it is named)'}")
        context.exit()


_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "data_file", type=_FILE, callback=_writable, help="Write the report as data.")
@click.option("--html", "page_file", type=_FILE, callback=_writable, help="Write it as a page with charts.")
@click.option(
    "--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="Name the parts."
)
def main(names: tuple[str, ...], data_file: Path | None, page_file: Path | None) -> None:
    """Measure all parts, or those that are named; what one of them costs beside its limit or a peer.

    Exit 1 where a figure is over its limit or a part failed, 130 where it was interrupted.
    """
    if unknown := [name for name in names if name not in (*PARTS, *ON_DEMAND)]:
        raise click.BadParameter(f"there is no {', '.join(unknown)}; --list names what there is.")
    report = _measured(names or PARTS)
    print(f"\n{text(report)}")
    if data_file is not None:
        data_file.write_text(json.dumps(report.data(), indent=2) + "\n", encoding="utf-8")
    if page_file is not None:
        page_file.write_text(page(report), encoding="utf-8")
    if report.interrupted:
        sys.exit(130)
    sys.exit(0 if report.ok else 1)


def _measured(names: tuple[str, ...]) -> Report:
    """What has run until Ctrl-C is reported too."""
    here, began = machine.described(), f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"
    parts = []
    try:
        for name in names:
            print(f"\n{title_of(name)} ({name})", flush=True)
            parts.append(run_part(name))
            if parts[-1].failure:
                print(f"FAILED: {parts[-1].failure}", flush=True)
    except KeyboardInterrupt:
        return Report(here, began, parts, interrupted=True)
    return Report(here, began, parts)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
