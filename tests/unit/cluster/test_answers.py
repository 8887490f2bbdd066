"""Each state × each command of the console: the table is whole, and says what can be done."""

from __future__ import annotations

import itertools

import pytest

from docs.generate import _all_modules
from mock_server.cluster.commands import answers
from mock_server.cluster.commands.answers import COLUMNS, MEMBERSHIP, Answer
from mock_server.cluster.commands.table import COMMANDS, plain
from mock_server.cluster.commands.table import Arguments as NoArguments
from mock_server.cluster.roles import COMMANDS as ASKED_FOR
from mock_server.cluster.roles import OUTSIDE, TABLE, Event, State
from mock_server.cluster.standing import Standing
from mock_server.errors import PROBLEMS

ROWS = list(answers.rows())


def test_every_command_is_a_column() -> None:
    """All commands of the console, but those that everyone answers in the same way."""
    of_nodes = {name for name, command in COMMANDS.items() if plain(command, NoArguments()) is None}
    assert {column.split()[0] for column in COLUMNS} == of_nodes
    assert "ha_cluster_start --force" in COLUMNS


def test_every_state_is_a_row() -> None:
    """Each state that the machine of roles knows is somewhere; a dead and a hung process everywhere."""
    assert {state for _, state, _ in ROWS} == {*State, "process gone", "process hung"}
    assert set(answers.states(Standing.MEMBER)) == set(State) - OUTSIDE
    for standing in Standing:
        mine = [state for what, state, _ in ROWS if what == standing]
        assert len(mine) == len(set(mine))
        assert {"stopped", "process gone", "process hung"} <= set(mine)


def test_every_cell_is_an_answer() -> None:
    """Words of the legend, or a code that is a problem with a mend; none is empty."""
    _all_modules()
    words = {answer.word for answer in Answer}
    for _, _, cells in ROWS:
        assert len(cells) == len(COLUMNS)
        for cell in cells:
            for part in cell.split("; "):
                said = part.removeprefix("Primary: ").removeprefix("Secondary: ")
                code = said.strip("`")
                assert (said in words and said != Answer.CODE.word) or (code in PROBLEMS and said != code), (
                    cell
                )


def test_who_waits_is_not_left_waiting() -> None:
    """From every state in which a command waits, what happens by itself leads to one in which it does not."""
    for standing, command in itertools.product(Standing, MEMBERSHIP):
        for state in answers.states(standing):
            if answers.here(command, standing, state) is Answer.AFTER:
                reached, new = {state}, {state}
                while new:
                    new = {
                        after.state
                        for (before, event), after in TABLE.items()
                        if before in new and event not in ASKED_FOR
                    } - reached
                    reached |= new
                assert any(answers.here(command, standing, other) is not Answer.AFTER for other in reached)


@pytest.mark.parametrize(
    ("answer", "event"),
    [(Answer.STOPS, Event.STOP), (Answer.STARTS, Event.START), (Answer.FORCES, Event.FORCE)],
)
def test_what_is_done_can_be_done(answer: Answer, event: Event) -> None:
    """A state in which a command acts has that step in the machine of roles."""
    for standing, command in itertools.product(Standing, MEMBERSHIP):
        for state in answers.states(standing):
            if answers.here(command, standing, state) is answer:
                assert (state, event) in TABLE


def test_what_is_said_to_be_so_is_so() -> None:
    """ "Stopped already" where nothing runs, and nowhere else; "running already" where a start is no step."""
    for state in answers.states(Standing.MEMBER):
        stop = answers.here("ha_cluster_stop", Standing.MEMBER, state)
        assert (stop is Answer.STOPPED_ALREADY) == (state is State.STOPPED)
        if answers.here("ha_cluster_start", Standing.MEMBER, state) is Answer.RUNNING_ALREADY:
            assert (state, Event.START) not in TABLE


def test_looking_is_always_possible() -> None:
    """`ha_status` never waits and is never refused, whatever has happened to a server."""
    for standing, _, cells in ROWS:
        shown = Answer.SHOWS if standing == Standing.MEMBER else Answer.NOT_ENABLED
        assert cells[COLUMNS.index("ha_status")] == shown.word


def test_a_pair_that_cannot_stay_passes() -> None:
    """A server that is just becoming something else is waited for."""
    assert answers.here("ha_cluster_start", Standing.DISCARDED, State.LEAVING) is Answer.AFTER


def test_the_page_has_all_of_it() -> None:
    """A section a standing, a row a state, and what each word means."""
    page = answers.page()
    for standing, state, cells in ROWS:
        assert f"| {state} | {' | '.join(cells)} |" in page, standing
    assert all(f"| {answer.word} | {answer.meaning} |" in page for answer in Answer)
