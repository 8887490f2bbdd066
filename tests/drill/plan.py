"""What a seed stands for: a list of operations, each of which can be left out."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mock_server.simulation.disk import Crash

__all__ = ["Operation", "Plan", "draw"]

_STEPS = (16, 30)
DEVICES = 9
_PAIRS = (
    ("primary", "secondary"),
    ("primary", "clients"),
    ("secondary", "clients"),
    ("primary", "cssm"),
    ("secondary", "cssm"),
)


@dataclass(frozen=True)
class Operation:
    """A method of `stand.DrillStand`, and what it is called with."""

    name: str
    given: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(_spelled, self.given))})"


@dataclass(frozen=True)
class Plan:
    seed: int
    operations: tuple[Operation, ...]


def _spelled(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def draw(seed: int) -> Plan:
    """Always the same operations for a seed."""
    chance = random.Random(f"plan {seed}")
    operations = [Operation("send_out", (DEVICES,)), _sleep(chance)]
    kinds, weights = zip(*_KINDS, strict=True)
    for _ in range(chance.randint(*_STEPS)):
        (kind,) = chance.choices(kinds, weights)
        operations += kind(chance)
    return Plan(seed, tuple(operations))


def _sleep(chance: random.Random, longest: float = 1.0) -> Operation:
    return Operation("sleep", (round(chance.choice([0.02, 0.1, 0.3, 1.0]) * chance.random() * longest, 4),))


def _node(chance: random.Random) -> str:
    return chance.choice(["active", "active", "standby"])


Kind = Callable[[random.Random], list[Operation]]


def _on_a_node(name: str, *more: Callable[[random.Random], Any]) -> Kind:
    return lambda chance: [Operation(name, (_node(chance), *(one(chance) for one in more))), _sleep(chance)]


def _plain(name: str, *more: Callable[[random.Random], Any]) -> Kind:
    return lambda chance: [Operation(name, tuple(one(chance) for one in more)), _sleep(chance)]


def _one_of(*values: Any) -> Callable[[random.Random], Any]:
    return lambda chance: chance.choice(values)


def _between(least: float, most: float) -> Callable[[random.Random], float]:
    return lambda chance: round(chance.uniform(least, most), 4)


def _some(most: int) -> Callable[[random.Random], int]:
    return lambda chance: int(most ** chance.random())


def _start_again(chance: random.Random) -> list[Operation]:
    return [Operation("start", ("standby",)), Operation("start", ("active",)), _sleep(chance, 3.0)]


def _storm(chance: random.Random) -> list[Operation]:
    """Messages of devices are lost, doubled and late for a while."""
    return [Operation("weather", tuple(chance.choice([0.0, 0.1, 0.4]) for _ in range(3))), _sleep(chance)]


def _killed_at_work(chance: random.Random) -> list[Operation]:
    """The Active dies while what it has written is on the way to the Standby."""
    return [
        Operation("slow", (2.0,)),
        _sleep(chance),
        Operation("kill_after", ("active", _some(600)(chance), True)),
        _sleep(chance),
    ]


def _power_cut(chance: random.Random) -> list[Operation]:
    """Both die within a few steps; one of them is there again first."""
    first, second = chance.choice([("standby", "active"), ("active", "standby")])
    return [
        Operation("slow_disk", ("standby", chance.choice([0.0, 2.0]))),
        _sleep(chance),
        Operation("kill_both", (_some(300)(chance), _some(300)(chance))),
        Operation("sleep", (0.3,)),
        Operation("start", (first,)),
        Operation("sleep", (chance.choice([0.1, 1.5, 4.0]),)),
        Operation("start", (second,)),
    ]


_KINDS: tuple[tuple[Kind, int], ...] = (
    (_start_again, 26),
    (lambda chance: [_sleep(chance, 3.0)], 8),
    (_on_a_node("kill"), 6),
    (_on_a_node("kill_after", _some(3000), _one_of(True, False)), 10),
    (_on_a_node("kill_in_write", _one_of(*Crash), lambda chance: chance.randrange(2**32)), 12),
    (_on_a_node("stop"), 6),
    (_on_a_node("hang", _between(0.1, 3.5), _one_of(True, True, False)), 8),
    (_on_a_node("resume"), 4),
    (_on_a_node("cut", _one_of("heartbeat", "replication"), _between(0.1, 3.0)), 5),
    (_on_a_node("fill_disk"), 2),
    (_on_a_node("empty_disk"), 4),
    (_plain("slow", _between(0.5, 2.0)), 4),
    (_on_a_node("slow_disk", _between(0.5, 3.0)), 6),
    (_killed_at_work, 10),
    (_power_cut, 6),
    (_plain("part", _one_of(*_PAIRS), _one_of(True, True, False), _between(0.1, 4.0)), 12),
    (_storm, 10),
    (_plain("crash_device", _some(60), lambda chance: chance.randrange(2**16)), 14),
    (_plain("kill_cssm"), 2),
    (_plain("start_cssm"), 3),
    (_plain("buy", lambda chance: chance.randint(1, 5)), 4),
    (_plain("synchronize"), 6),
)
