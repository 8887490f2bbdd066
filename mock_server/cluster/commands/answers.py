"""What every command of the console does in every state of a server: the whole table, and its page.

`ha_status`, `ha_cluster_stop` and `ha_cluster_start` are tables here, which their handlers obey; the answers
to the commands of deployment and teardown come from `allowed.refusal`, which theirs obey.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from mock_server.cluster.commands.allowed import DEPLOYING, refusal
from mock_server.cluster.roles import State
from mock_server.cluster.standing import Standing

FORCE = "ha_cluster_start --force"
MEMBERSHIP = ("ha_status", "ha_cluster_stop", "ha_cluster_start", FORCE)
DEPLOYMENT = (*DEPLOYING, "ha_teardown")
COLUMNS = (*MEMBERSHIP, *DEPLOYMENT)


class Answer(Enum):
    """What a server does: a word for the table, and what it means."""

    SHOWS = "status", "shows both servers; of a dead or hung one, what the other one or the folder knows"
    NOT_ENABLED = "no HA", "two lines: no cluster is running on this node, HA is not enabled; exit code 1"
    STOPS = "stops", "stops the cluster on this server; an Active one hands over first"
    STOPPED_ALREADY = "stopped already", "says so; exit code 0"
    STARTS = "starts", "starts the cluster on this server; exit code 3 where it has to wait for the other one"
    RUNNING_ALREADY = "running already", "says so, and the role; exit code 0"
    FORCES = "forces", "warns of what may be lost, and takes over without the other one"
    AFTER = (
        "waits",
        "waits until the state has passed, and does what is done then; `not-settled` if it does not",
    )
    STARTS_ALONE = "serves", "starts, and serves without a cluster"
    STARTS_PAGES = "pages", "shows its pages again; it cannot do more, and says `discarded`"
    NEW_PROCESS = "new process", "starts a new process, and then what is done when stopped"
    TAKES = "does it", "asks what it has to ask, and does it, if the other server is ready for it too"
    CODE = "a code", "refuses with this [error](errors.md), which says what to do"

    @property
    def word(self) -> str:
        return self.value[0]

    @property
    def meaning(self) -> str:
        return self.value[1]


S, A = State, Answer
_RUNNING = (A.RUNNING_ALREADY, A.RUNNING_ALREADY)

# State of a member: ha_cluster_stop, ha_cluster_start, ha_cluster_start --force.
_MEMBER: dict[State, tuple[Answer, Answer, Answer]] = {
    S.STOPPED: (A.STOPPED_ALREADY, A.STARTS, A.STARTS),
    S.STARTING: (A.AFTER, *_RUNNING),
    S.WAITING: (A.STOPS, A.RUNNING_ALREADY, A.FORCES),
    S.CATCHING_UP: (A.STOPS, *_RUNNING),
    S.STANDBY: (A.STOPS, *_RUNNING),
    S.LEAVING: (A.AFTER, A.AFTER, A.AFTER),
    S.TAKING_OVER: (A.AFTER, *_RUNNING),
    S.ACTIVE_ALONE: (A.STOPS, *_RUNNING),
    S.ACTIVE: (A.STOPS, *_RUNNING),
    S.DRAINING: (A.AFTER, A.AFTER, A.AFTER),
    S.DEPOSED: (A.AFTER, *_RUNNING),
    S.TEARING_DOWN: (A.AFTER, A.AFTER, A.AFTER),
}
# What a server outside of a cluster does at a start; it is never stopped.
_OUTSIDE: dict[Standing, dict[State, Answer]] = {
    Standing.ALONE: {
        S.STOPPED: A.STARTS_ALONE,
        S.STARTING: A.AFTER,
        S.GOING_ALONE: A.AFTER,
        S.ALONE: A.NOT_ENABLED,
        S.DRAINING: A.AFTER,
        S.TEARING_DOWN: A.AFTER,
    },
    Standing.DISCARDED: {
        S.STOPPED: A.STARTS_PAGES,
        S.STARTING: A.AFTER,
        S.DISCARDED: A.CODE,
    },
}


def states(standing: Standing) -> tuple[State, ...]:
    """The states that a server can be in."""
    return tuple(_MEMBER if standing is Standing.MEMBER else _OUTSIDE[standing])


def here(command: str, standing: Standing, state: State) -> Answer:
    """What a server does at one of `MEMBERSHIP`. A state that it cannot stay in passes."""
    if standing is Standing.MEMBER:
        passing = (Answer.AFTER, Answer.AFTER, Answer.AFTER)
        return (Answer.SHOWS, *_MEMBER.get(state, passing))[MEMBERSHIP.index(command)]
    start = _OUTSIDE[standing].get(state, Answer.AFTER)
    return start if command in ("ha_cluster_start", FORCE) else Answer.NOT_ENABLED


def dead(command: str, standing: Standing) -> Answer:
    """What is done for a server whose process is gone. CODE: `not-serving`."""
    if command in ("ha_cluster_start", FORCE):
        return Answer.NEW_PROCESS
    if command == "ha_status":
        return Answer.SHOWS if standing is Standing.MEMBER else Answer.NOT_ENABLED
    if command == "ha_cluster_stop" and standing is Standing.MEMBER:
        return Answer.STOPPED_ALREADY
    return Answer.CODE


def hung(command: str, standing: Standing) -> Answer:
    """What is done for a server whose process does not answer. CODE: `node-hung`."""
    return dead(command, standing) if command == "ha_status" else Answer.CODE


# --- the page


def rows() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Standing, state and the words of each column; of both servers where they differ."""
    for standing in Standing:
        for state in states(standing):
            yield standing, state, tuple(_words(command, standing, state) for command in COLUMNS)
        for name, answer, code in (
            ("process gone", dead, "not-serving"),
            ("process hung", hung, "node-hung"),
        ):
            yield standing, name, tuple(_said(answer(command, standing), code) for command in COLUMNS)


def _said(answer: Answer, code: str) -> str:
    return f"`{code}`" if answer is Answer.CODE else answer.word


def _words(command: str, standing: Standing, state: State) -> str:
    if command in MEMBERSHIP:
        return _said(here(command, standing, state), "discarded")
    primary, secondary = (_taken(command, me, standing, state) for me in ("primary", "secondary"))
    if standing is Standing.DISCARDED:
        return secondary  # a Primary never is
    return primary if primary == secondary else f"Primary: {primary}; Secondary: {secondary}"


def _taken(command: str, me: str, standing: Standing, state: State) -> str:
    error = refusal(command, me, standing, state)
    if error is not None:
        return f"`{error.code}`"
    outside = command == "ha_teardown" and standing is not Standing.MEMBER
    return Answer.NOT_ENABLED.word if outside else Answer.TAKES.word


def page() -> str:
    """The table as Markdown: a section a standing, a row a state; and what its words mean."""
    parts = []
    for standing in Standing:
        lines = [f"### {standing.capitalize()}\n", f"| state | {' | '.join(f'`{c}`' for c in COLUMNS)} |"]
        lines.append("|---" * (len(COLUMNS) + 1) + "|")
        lines += [f"| {state} | {' | '.join(words)} |" for what, state, words in rows() if what == standing]
        parts.append("\n".join(lines) + "\n")
    meanings = "\n".join(f"| {answer.word} | {answer.meaning} |" for answer in Answer)
    return "\n".join(parts) + f"\n### What the words mean\n\n| | |\n|---|---|\n{meanings}\n"
