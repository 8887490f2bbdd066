"""What a run of a fleet came to: in text, as data, and as a page with charts."""

from __future__ import annotations

from typing import Any

import msgspec

from smartlic_client.fleet import charts
from smartlic_client.fleet.figures import Durations, Figures, Second

__all__ = ["Course", "Summary", "limit_of", "page", "text"]

_MOST = 600
_BUSY = 0.9


class Course:
    """The run over time: at most 600 points, of spans that grow with the run."""

    def __init__(self) -> None:
        self.points: list[Second] = []
        self._span = 1.0
        self._last = 0.0
        self._before = Figures()

    def add(self, at: float, now: Figures) -> None:
        """Take the figures at `at` seconds, if the span is over."""
        if at - self._last < self._span:
            return
        before = self._before
        answered, failed = now.total_answered - before.total_answered, now.total_failed - before.total_failed
        recent = Durations()
        for name, operation in now.operations.items():
            former = before.operations.get(name)
            recent.merge(_since(operation.durations, former.durations if former else Durations()))
        seconds = at - self._last
        self.points.append(
            Second(
                round(at, 1),
                round(answered / seconds),
                round(failed / seconds),
                round(1000 * recent.percentile(95), 1),
                now.settled,
            )
        )
        self._last, self._before = at, msgspec.msgpack.decode(msgspec.msgpack.encode(now), type=Figures)
        if len(self.points) > _MOST:
            self.points = self.points[1::2]
            self._span *= 2


def _since(now: Durations, before: Durations) -> Durations:
    classes = {place: count - before.classes.get(place, 0) for place, count in now.classes.items()}
    return Durations(classes, now.count - before.count, now.total - before.total, now.longest)


class Summary(msgspec.Struct):
    """A run that has ended. `seconds`: how long it took; `devices`: how many the inventory has."""

    devices: int
    seconds: float
    processes: int
    at_once: int
    server: str
    figures: Figures
    course: list[Second]
    limit: str = ""

    def data(self) -> dict[str, Any]:
        answered = self.figures.total_answered
        return {
            "devices": self.devices,
            "seconds": round(self.seconds, 3),
            "processes": self.processes,
            "server": self.server,
            "exchanges_per_second": round(answered / self.seconds, 1) if self.seconds else 0.0,
            "limit": self.limit,
            **self.figures.data(),
            "course": msgspec.to_builtins(self.course),
        }


def limit_of(figures: Figures, seconds: float, processes: int, at_once: int, *, paced: bool) -> str:
    """What held the run back, in a sentence. The fleet says when that was itself. `paced`: it was asked to
    go slower than it can."""
    share = figures.cpu / (seconds * processes) if seconds else 0.0
    used = f"its processes used {100 * share:.0f} % of {processes} core{'s' if processes > 1 else ''}"
    if share >= _BUSY:
        return (
            f"The fleet itself was the limit: {used}. Give it more --processes, or read its rates as a floor."
        )
    waiting = sum(one.durations.total for one in figures.operations.values()) / seconds if seconds else 0.0
    places = at_once * processes
    if waiting >= 0.8 * places:
        return f"The server or the way to it was the limit: all {places} places waited; {used}."
    under_way = f"{waiting:.1f} messages were under way at a time"
    if paced:
        return f"The pace that was asked for was the limit: {under_way}; {used}."
    return f"Neither the fleet nor the server alone was the limit: {under_way}, of {places} places; {used}."


def text(summary: Summary) -> str:
    """For a terminal."""
    figures = summary.figures
    data = summary.data()
    lines = [
        f"{figures.settled} of {summary.devices} devices are registered and have told their counts.",
        f"{figures.total_answered} messages answered in {summary.seconds:.1f} s, "
        f"{data['exchanges_per_second']} a second; {figures.total_failed} failed.",
        "",
        f"{'operation':<16}{'answered':>9}{'failed':>8}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'max ms':>9}",
    ]
    for name, one in data["operations"].items():
        cells = "".join(f"{one[key]:>9.1f}" for key in ("p50_ms", "p95_ms", "p99_ms", "max_ms"))
        lines.append(f"{name:<16}{one['answered']:>9}{one['failed']:>8}{cells}")
    for title, counts in (
        ("registration", data["registration"]),
        ("authorization", data["authorization"]),
        ("waiting for their owner", {k: v for k, v in figures.refused.items() if v}),
    ):
        if counts:
            lines.append(f"{title}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    failures: dict[str, int] = {}
    for one in figures.operations.values():
        for code, count in one.failures.items():
            failures[code] = failures.get(code, 0) + count
    if failures:
        lines.append("failures: " + ", ".join(f"{count} {code}" for code, count in sorted(failures.items())))
    return "\n".join([*lines, summary.limit])


def page(summary: Summary) -> str:
    """A page that stands by itself, with charts of rates, durations and registrations."""
    course = summary.course

    def chart(title: str, series: dict[str, list[float]], unit: str) -> str:
        points = {
            name: [(point.at, value) for point, value in zip(course, values, strict=True)]
            for name, values in series.items()
        }
        return charts.lines(title, points, x_title="seconds", unit=unit)

    drawn = [
        chart(
            "Messages a second",
            {
                "answered": [float(point.answered) for point in course],
                "failed": [float(point.failed) for point in course],
            },
            "a second",
        ),
        chart("95 of 100 messages are answered within", {"p95": [point.p95_ms for point in course]}, "ms"),
        chart("Devices registered", {"registered": [float(p.registered) for p in course]}, "devices"),
    ]
    title = f"A fleet of {summary.devices} devices"
    return charts.document(title, f"Against {summary.server}", text(summary), drawn)
