"""`python -m benchmarks [--json FILE]`: all figures of one run; exit 1 if one is over its limit."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks import (
    agent,
    bignode,
    cluster,
    durability,
    failover,
    fixtures,
    fleet,
    fleet_failover,
    names,
    pages,
    preflight,
    rest,
    startup,
)
from benchmarks.figures import machine


def main() -> None:
    here = machine()
    print(f"{here['system']}, Python {here['python']}, {here['cores']} cores")
    parts = (
        startup,
        agent,
        names,
        preflight,
        cluster,
        durability,
        failover,
        fixtures,
        bignode,
        rest,
        fleet,
        fleet_failover,
        pages,
    )
    figures = [figure for part in parts for figure in part.measure()]
    for figure in figures:
        print(figure.line())
    if "--json" in sys.argv[1:]:
        path = Path(sys.argv[sys.argv.index("--json") + 1])
        data = {"machine": here, "figures": [figure.as_dict() for figure in figures]}
        path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    if not all(figure.ok for figure in figures):
        sys.exit(1)


main()
