"""Check again and again until it is well, a failover is through, or the time is up; say what changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import msgspec

from smartlic_client.errors import SmartlicError
from smartlic_client.preflight.earlier import earlier_of
from smartlic_client.preflight.observation import ServerFacts, Target
from smartlic_client.preflight.options import Options
from smartlic_client.preflight.run import Result, Run, run
from smartlic_client.preflight.server import ServerSide

__all__ = ["changes", "watch"]

_PAUSE = 1.0
_never = threading.Event()


def watch(
    targets: Sequence[Target],
    options: Options,
    seconds: float,
    say: Callable[[str], None],
    *,
    through_failover: bool = False,
    server: ServerSide | None = None,
) -> Run:
    """The last run. The certificates of the first one that saw any are what later ones are compared with."""
    until = time.monotonic() + seconds
    baseline, first_active = dict(options.earlier), None
    former: Run | None = None
    while True:
        facts = _facts(server, options.timeout)
        now = msgspec.structs.replace(options, now=time.time(), earlier=baseline, server=facts)
        latest = run(targets, now)
        for line in changes(former, latest):
            say(line)
        baseline = {**earlier_of(latest), **baseline}
        active = _active(latest)
        first_active = first_active or active
        through = not through_failover or (active is not None and active != first_active)
        left = until - time.monotonic()
        if (latest.well and through) or left <= 0:
            return latest
        former = latest
        # What is watched tells nobody when it changes, so it is looked at again after a pause.
        _never.wait(min(_PAUSE, left))


def _facts(server: ServerSide | None, timeout: float) -> ServerFacts | None:
    """What the server says; nothing while it cannot, as in the middle of a failover."""
    try:
        return server.facts(timeout) if server is not None else None
    except SmartlicError:
        return None


def changes(former: Run | None, latest: Run) -> list[str]:
    """What is different from the run before, one line a change; at first all that is found."""
    lines = []
    before = {result.target.label: result for result in former.results} if former else {}
    for result in latest.results:
        lines += _changes(before.get(result.target.label), result)
    return lines


def _changes(former: Result | None, latest: Result) -> list[str]:
    label = latest.target.label
    gone = [each.id for each in former.findings] if former else []
    here = [each.id for each in latest.findings]
    lines = [f"{label}: no longer {each}" for each in dict.fromkeys(gone) if each not in here]
    lines += [f"{label}: {each.id}: {each.seen}" for each in latest.findings if each.id not in gone]
    if former is None:
        return lines if lines else [f"{label}: well"]
    old, new = former.observation.answered, latest.observation.answered
    if old is not None and new is not None and old.leaf != new.leaf and new.leaf is not None:
        lines.append(f"{label}: another certificate: {', '.join(new.leaf.names.seen) or 'no name'}")
    nodes = (former.observation.active, latest.observation.active)
    if nodes[1] is not None and (nodes[0] is None or nodes[0].role is not nodes[1].role):
        lines.append(f"{label}: the {nodes[1].role.value.capitalize()} answers now")
    return lines


def _active(latest: Run) -> str | None:
    found = {result.observation.active.role.value for result in latest.results if result.observation.active}
    return found.pop() if len(found) == 1 else None
