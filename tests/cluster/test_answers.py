"""Each state × each command on real processes, for the states in which a server can be kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mock_server.cluster import client, config, console
from mock_server.cluster.commands import answers
from mock_server.cluster.commands.allowed import refusal
from mock_server.cluster.commands.answers import COLUMNS, MEMBERSHIP, Answer
from mock_server.cluster.config import peer_of
from mock_server.cluster.roles import State, known
from mock_server.cluster.standing import Standing
from smartlic_client.errors import SmartlicError
from tests.cli.harness import until
from tests.cluster.upper import Up

pytestmark = pytest.mark.real

GONE, HUNG = "process gone", "process hung"
# What the other server lacks is told after what this one's state forbids.
_NOT_READY = {"no-keys", "not-provisioned", "keys-differ", "last-copy", "torn-down"}


class Rehearsal:
    """A cluster whose servers are brought into a state, and asked."""

    def __init__(self, up: Up) -> None:
        self.up = up

    def say(self, node: str, line: str, answer: str = "no") -> tuple[list[str], str]:
        """Lines, and the outcome or the error's code."""
        talk = client.console(
            self.up.folder, node, line, lambda question: answer if "[y/N]" in question else ""
        )
        lines: list[str] = []
        while True:
            try:
                lines.append(next(talk))
            except StopIteration as end:
                return lines, str(end.value["outcome"])
            except SmartlicError as error:
                assert error.mend
                return lines, error.code

    def drill(self, node: str, kind: str) -> None:
        client.call(self.up.folder, "drill", node=node, kind=kind)

    def state(self, node: str) -> Any:
        return client.call(self.up.folder, "status")["nodes"][node]["state"]

    def both(self, active: str = "primary") -> None:
        """This one Active, the other one in sync."""
        for node in config.NODES:
            self.drill(node, "resume")
        for node in config.NODES:
            self.say(node, "ha_cluster_start")
        for node in config.NODES:
            self.say(node, "ha_cluster_start --force")  # where it waits for what only the other one has
        until(lambda: set(self.states()) == {"active", "standby"}, "both are in sync")
        other = peer_of(active)
        if self.state(other) == "active":
            self.say(other, "ha_cluster_stop")
            self.say(other, "ha_cluster_start")
            until(
                lambda: self.states() == ["active", "standby"][:: 1 if active == "primary" else -1],
                "fallback",
            )

    def states(self) -> list[Any]:
        return [self.state(node) for node in config.NODES]

    def fallen_over(self) -> None:
        self.both("secondary")

    def stopped(self, node: str) -> None:
        self.both()
        self.say(node, "ha_cluster_stop")

    def waiting(self, node: str) -> None:
        """Started while the other one has what it lacks."""
        (self.both if node == "secondary" else self.fallen_over)()
        self.say(node, "ha_cluster_stop")
        self.say(peer_of(node), "ha_cluster_stop")
        assert self.say(node, "ha_cluster_start")[1] == "waiting"

    def gone(self, node: str) -> None:
        self.both()
        self.drill(node, "kill")

    def hung(self, node: str) -> None:
        self.both()
        self.drill(node, "hang")


def expected(command: str, node: str, standing: Standing, state: str) -> Answer | str:
    """What the table says; a refusal by its code."""
    if state in (GONE, HUNG):
        found = (answers.dead if state == GONE else answers.hung)(command, standing)
        return {GONE: "not-serving", HUNG: "node-hung"}[state] if found is Answer.CODE else found
    at = known(state)
    assert at is not None
    if command in MEMBERSHIP:
        found = answers.here(command, standing, at)
        return "discarded" if found in (Answer.CODE, Answer.STARTS_PAGES) else found
    error = refusal(command, node, standing, at)
    if error is not None:
        return error.code
    return (
        Answer.NOT_ENABLED if command == "ha_teardown" and standing is not Standing.MEMBER else Answer.TAKES
    )


CHECKS: dict[Answer, Callable[[list[str], str], bool]] = {
    Answer.SHOWS: lambda lines, said: (
        said == "done" and any(line.startswith("Heartbeat: ") for line in lines)
    ),
    Answer.NOT_ENABLED: lambda lines, said: (tuple(lines), said) == (console.NOT_ENABLED, "failed"),
    Answer.STOPS: lambda lines, said: (lines[-1], said) == (console.STOP_COROSYNC, "done"),
    Answer.STOPPED_ALREADY: lambda lines, said: "stopped" in lines[0] and said == "unchanged",
    Answer.STARTS: lambda lines, said: lines[0] == console.START_COROSYNC and said in ("done", "waiting"),
    Answer.NEW_PROCESS: lambda lines, said: (
        said == "discarded" or (bool(lines) and said in ("done", "waiting"))
    ),
    Answer.RUNNING_ALREADY: lambda lines, said: "is running" in lines[0] and said == "unchanged",
    Answer.FORCES: lambda lines, said: lines[0].startswith("WARNING: ") and said == "done",
    Answer.STARTS_ALONE: lambda lines, said: "stand-alone" in lines[0] and said == "done",
    Answer.TAKES: lambda _lines, said: said in ("done", "declined") or said in _NOT_READY,
}


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    made = Up(tmp_path_factory.mktemp("answers") / "cluster")
    assert made.up() == {"up": "primary"}
    yield Rehearsal(made)
    made.close()


_MEMBERS: list[tuple[str, str, Callable[[Rehearsal], None]]] = [
    ("primary", State.ACTIVE, Rehearsal.both),
    ("secondary", State.STANDBY, Rehearsal.both),
    ("secondary", State.ACTIVE, Rehearsal.fallen_over),
    ("primary", State.STANDBY, Rehearsal.fallen_over),
    ("primary", State.ACTIVE_ALONE, lambda it: it.stopped("secondary")),
    ("secondary", State.STOPPED, lambda it: it.stopped("secondary")),
    ("secondary", State.ACTIVE_ALONE, lambda it: it.stopped("primary")),
    ("primary", State.STOPPED, lambda it: it.stopped("primary")),
    ("secondary", State.WAITING, lambda it: it.waiting("secondary")),
    ("primary", State.WAITING, lambda it: it.waiting("primary")),
    ("secondary", GONE, lambda it: it.gone("secondary")),
    ("primary", GONE, lambda it: it.gone("primary")),
    ("secondary", HUNG, lambda it: it.hung("secondary")),
]
_ACTS = {Answer.STOPS, Answer.STARTS, Answer.FORCES, Answer.NEW_PROCESS}


@pytest.mark.parametrize(
    ("node", "state", "enter"), _MEMBERS, ids=lambda it: it if isinstance(it, str) else ""
)
def test_a_member_answers_as_the_table_says(
    rehearsal: Rehearsal, node: str, state: str, enter: Callable[[Rehearsal], None]
) -> None:
    """Every command in this state; after one that changed it, the state is made anew."""
    enter(rehearsal)
    _ask_all(rehearsal, node, Standing.MEMBER, state, lambda: enter(rehearsal))


def _ask_all(
    rehearsal: Rehearsal, node: str, standing: Standing, state: str, enter: Callable[[], None]
) -> None:
    # Each command waits a second for a hung process, whatever its server was: once for all of them is enough.
    some = state == HUNG and standing is not Standing.MEMBER
    commands = ("ha_status", "ha_cluster_start", "ha_teardown") if some else COLUMNS
    for command in sorted(commands, key=lambda one: expected(one, node, standing, state) in _ACTS):
        wanted = expected(command, node, standing, state)
        lines, said = rehearsal.say(node, command)
        told = (node, state, command, wanted, lines, said)
        if isinstance(wanted, Answer):
            assert CHECKS[wanted](lines, said), told
        else:
            assert said in (wanted, *_NOT_READY.intersection({"torn-down"})), told
        if wanted in _ACTS:
            enter()


def test_servers_without_a_cluster_answer_as_the_table_says(tmp_path: Path) -> None:
    """Two stand-alone servers, running, hung and dead: every command on each of them."""
    made = Up(tmp_path / "alone", "stand-alone")
    try:
        made.up()
        rehearsal = Rehearsal(made)
        for node in config.NODES:
            for state, kind in ((State.ALONE, "resume"), (HUNG, "hang"), (GONE, "kill")):

                def enter(node: str = node, kind: str = kind) -> None:
                    rehearsal.drill(node, "resume")
                    rehearsal.say(node, "ha_cluster_start")
                    until(lambda: rehearsal.state(node) == State.ALONE, "it serves alone")
                    rehearsal.drill(node, kind)

                enter()
                _ask_all(rehearsal, node, Standing.ALONE, state, enter)
            enter()
            rehearsal.say(node, "ha_cluster_start")
    finally:
        made.close()


def test_servers_after_a_teardown_answer_as_the_table_says(tmp_path: Path) -> None:
    """The Primary stands alone, the Secondary is discarded; running, hung and dead."""
    made = Up(tmp_path / "torn")
    try:
        made.up()
        rehearsal = Rehearsal(made)
        for node in config.NODES:
            assert rehearsal.say(node, "ha_teardown", "yes")[1] == "done"
        for node, standing, settled in (
            ("primary", Standing.ALONE, State.ALONE),
            ("secondary", Standing.DISCARDED, State.DISCARDED),
        ):
            for state, kind in ((settled, "resume"), (HUNG, "hang"), (GONE, "kill")):

                def enter(node: str = node, kind: str = kind, settled: State = settled) -> None:
                    rehearsal.drill(node, "resume")
                    rehearsal.say(node, "ha_cluster_start")
                    until(lambda: rehearsal.state(node) == settled, "it is there")
                    rehearsal.drill(node, kind)

                enter()
                _ask_all(rehearsal, node, standing, state, enter)
    finally:
        made.close()
