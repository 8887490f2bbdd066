"""The time line of a play: lanes of what was seen, as seconds from its beginning, and where to draw them.

The template only draws; all positions are made here. `Picture.changes` says the same in words.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mock_server.demo.play import Played, act_of
from mock_server.demo.probes import PERIOD, Request, Tally, Trace
from mock_server.demo.watch import Watched

__all__ = ["Bar", "Change", "Lane", "Picture", "RequestLane", "picture"]

LEFT, RIGHT = 172.0, 990.0
_BAR, _REQUESTS, _GAP = 24.0, 56.0, 8.0
_FASTEST, _SLOWEST = 0.001, 2.0
_LONG = 1.5 * PERIOD
"""Seconds from one answer to the next that are worth marking: without a failure it is one period."""
_CHARACTER = 7.4
"""The width of a letter in the picture's units: what does not fit is not written into its bar."""

_LANES = (
    ("Primary", "primary"),
    ("Secondary", "secondary"),
    ("VIP held by", "vip"),
    ("Heartbeat", "heartbeat"),
    ("Replication", "replication"),
)
_TONES = {
    "Active": "strong",
    "Stand-alone": "strong",
    "Primary": "strong",
    "Primary → Secondary": "strong",
    "connected": "strong",
    "Secondary": "other",
    "Secondary → Primary": "other",
    "Standby": "other",
}


@dataclass(frozen=True)
class Bar:
    """`start`, `end`: seconds. `tone`: strong, other, or off. `label`: `word` where there is room for it."""

    word: str
    tone: str
    start: float
    end: float
    x: float
    width: float
    label: str


@dataclass(frozen=True)
class Lane:
    title: str
    y: float
    height: float
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Figures:
    """The requests of one act. `silence`: seconds without an answer at most, from `since` on."""

    act: str
    sent: int
    failed: int
    reasons: str
    silence: float
    since: float
    open: bool


@dataclass(frozen=True)
class RequestLane:
    """`answered`, `failed`: the paths of an SVG; how high a line is tells how long it took, by logarithm."""

    title: str
    y: float
    height: float
    answered: str
    failed: str
    silences: tuple[Bar, ...]
    figures: tuple[Figures, ...]
    median: float | None
    longest: float | None


@dataclass(frozen=True)
class Change:
    at: float
    what: str
    word: str


@dataclass(frozen=True)
class Tick:
    x: float
    label: str


@dataclass(frozen=True)
class Mark:
    """A step of the play that did something."""

    x: float
    y: float
    step: str
    title: str


@dataclass(frozen=True)
class Picture:
    width: float
    height: float
    seconds: float
    acts: Lane
    lanes: tuple[Lane, ...]
    requests: tuple[RequestLane, ...]
    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    changes: tuple[Change, ...]
    lag: int

    @property
    def left(self) -> float:
        return LEFT

    @property
    def right(self) -> float:
        return RIGHT

    @property
    def axis(self) -> float:
        return self.height - 26


class _Scale:
    """From Unix seconds to the picture's units."""

    def __init__(self, began: float, ended: float) -> None:
        self.began = began
        self.seconds = max(ended - began, 0.001)

    def of(self, at: float) -> float:
        """Seconds since the beginning, within the picture."""
        return min(max(at - self.began, 0.0), self.seconds)

    def x(self, at: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * self.of(at) / self.seconds, 2)

    def bar(self, word: str, tone: str, start: float, end: float) -> Bar:
        x = self.x(start)
        width = round(max(self.x(end) - x, 1.0), 2)
        label = word if len(word) * _CHARACTER + 6 <= width else ""
        return Bar(word, tone, round(self.of(start), 3), round(self.of(end), 3), x, width, label)


def picture(watched: Watched, played: Sequence[Played]) -> Picture:
    """Lanes for both servers, the VIP, heartbeat, replication, and each probe."""
    scale = _Scale(watched.began, watched.ended)
    acts = Lane("Steps", 6, _BAR, tuple(_acts(scale, played)))
    y = acts.y + _BAR + 2 * _GAP
    lanes = []
    for title, name in _LANES:
        lanes.append(Lane(title, y, _BAR, tuple(_bars(scale, watched, name))))
        y += _BAR + _GAP
    requests = []
    for trace in watched.traces:
        y += _GAP
        requests.append(_request_lane(scale, trace, y))
        y += _REQUESTS + _GAP
    marks = [Mark(scale.x(step.began), acts.y, step.id, step.title) for step in played if step.done]
    return Picture(
        width=1000,
        height=y + 30,
        seconds=scale.seconds,
        acts=acts,
        lanes=tuple(lanes),
        requests=tuple(requests),
        marks=tuple(marks),
        ticks=tuple(_ticks(scale)),
        changes=tuple(_changes(acts, lanes)),
        lag=max((stay.lag for stay in watched.stays), default=0),
    )


def _acts(scale: _Scale, played: Iterable[Played]) -> Iterable[Bar]:
    spans: dict[str, list[float]] = {}
    for step in played:
        span = spans.setdefault(act_of(step.id), [step.began, step.ended])
        span[1] = max(span[1], step.ended)
    for place, (act, (began, ended)) in enumerate(spans.items()):
        yield scale.bar(act, "off" if place % 2 else "plain", began, ended)


def _bars(scale: _Scale, watched: Watched, name: str) -> Iterable[Bar]:
    """One bar for as long as a word stays the same. Each lasts until the next one was seen, or to the end."""
    begun: list[tuple[str, float]] = []
    for stay in watched.stays:
        word = str(getattr(stay.view, name))
        if not begun or begun[-1][0] != word:
            begun.append((word, stay.start))
    ends = [start for _, start in begun[1:]] + [watched.ended]
    for (word, start), end in zip(begun, ends, strict=False):
        yield scale.bar(word, _TONES.get(word, "off"), start, end)


def _request_lane(scale: _Scale, trace: Trace, y: float) -> RequestLane:
    answered = [request for request in trace.requests if not request.failure]
    times = sorted(request.seconds for request in answered)
    silences = [
        scale.bar(_milliseconds(tally.silence), "silence", tally.since, tally.since + tally.silence)
        for tally in trace.tallies
        if tally.silence > _LONG
    ]
    return RequestLane(
        title=trace.title,
        y=y,
        height=_REQUESTS,
        answered=" ".join(_line(scale, request, y) for request in answered),
        failed=" ".join(_cross(scale, request, y) for request in trace.requests if request.failure),
        silences=tuple(silences),
        figures=tuple(_figures(scale, tally) for tally in trace.tallies),
        median=times[len(times) // 2] if times else None,
        longest=times[-1] if times else None,
    )


def _line(scale: _Scale, request: Request, y: float) -> str:
    """Upwards from the lane's foot: 1 ms a little, 2 s all of it."""
    took = min(max(request.seconds, _FASTEST), _SLOWEST)
    share = math.log(took / _FASTEST) / math.log(_SLOWEST / _FASTEST)
    high = 3 + share * (_REQUESTS - 6)
    return f"M{scale.x(request.at):g} {y + _REQUESTS:g}v-{high:.1f}"


def _cross(scale: _Scale, request: Request, y: float) -> str:
    x = scale.x(request.at)
    return f"M{x - 4:g} {y + 4:g}l8 8m0 -8l-8 8M{x:g} {y + 14:g}V{y + _REQUESTS:g}"


def _figures(scale: _Scale, tally: Tally) -> Figures:
    reasons = ", ".join(f"{count} × {reason}" for reason, count in tally.reasons.items())
    since = round(scale.of(tally.since), 3)
    return Figures(tally.act, tally.sent, tally.failed, reasons, tally.silence, since, tally.open)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def _ticks(scale: _Scale) -> Iterable[Tick]:
    """Six to fifteen of them, at round numbers."""
    rough = scale.seconds / 10
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    digits = max(0, -math.floor(math.log10(step)))
    for number in range(int(scale.seconds / step) + 1):
        at = number * step
        yield Tick(scale.x(scale.began + at), f"{at:.{digits}f} s")


def _changes(acts: Lane, lanes: Iterable[Lane]) -> list[Change]:
    """What the picture shows, in words, in the order of time."""
    found = [Change(bar.start, "Steps", f"{bar.word} begins") for bar in acts.bars]
    found += [Change(bar.start, lane.title, bar.word) for lane in lanes for bar in lane.bars]
    return sorted(found, key=lambda change: change.at)
