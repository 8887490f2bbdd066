"""What a console command says, and how its words go from process to process.

A command is an asynchronous generator (a `Talk`): it yields lines (`str`), a `Question` whose answer is what
that yield gives, and at most one `Outcome`. Without an outcome it is done. An answer is "" where nobody
answers: at the end of input, when the client has gone, after `ANSWER_SECONDS`, and for an answer longer than
`ANSWER_LIMIT`. To a command "" is no.

On the wire: {"line": …}; {"ask": …}, to which the client sends {"answer": …}; and at the end
{"ok": true, "result": {"outcome": …, "exit_code": …}}, or an error.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AbstractContextManager
from enum import Enum
from typing import Any, NamedTuple

ANSWER_SECONDS = 120.0
ANSWER_LIMIT = 1000
"""Characters."""

NO_ANSWER = f"No answer within {ANSWER_SECONDS:.0f} seconds: taken as no."


class Question(NamedTuple):
    """Asked in place; `text` ends where the answer begins."""

    text: str


class Outcome(Enum):
    """What came of a command: a word, and what `smartlic-mock console NODE COMMAND` exits with."""

    DONE = "done", 0, "it is done"
    UNCHANGED = "unchanged", 0, "it was so already"
    WAITING = "waiting", 3, "started, but it has no role until the other server is there, too"
    DECLINED = "declined", 1, "a question was answered with no: nothing was done"
    FAILED = "failed", 1, "it could not be done; what it printed says why"

    @property
    def word(self) -> str:
        return self.value[0]

    @property
    def exit_code(self) -> int:
        return self.value[1]

    @property
    def meaning(self) -> str:
        return self.value[2]


Said = str | Question | Outcome
Talk = AsyncGenerator[Said, str]


def is_yes(answer: str) -> bool:
    """Whether a question was answered with yes; all else is no."""
    return answer.strip().lower() in ("y", "yes")


def result_of(outcome: Outcome) -> dict[str, Any]:
    """The result of a command, on the wire."""
    return {"outcome": outcome.word, "exit_code": outcome.exit_code}


def outcome_of(result: dict[str, Any]) -> Outcome:
    """`result_of`, read again; DONE where there is none."""
    found = [outcome for outcome in Outcome if outcome.word == result.get("outcome")]
    return found[0] if found else Outcome.DONE


async def spoken(lines: Iterable[str | Outcome]) -> Talk:
    """A command that has all its lines already."""
    for line in lines:
        yield line


async def reply(talk: Talk, answer: str) -> Said | None:
    """Give the answer to the question that was asked; what is said next, None at the end."""
    try:
        return await talk.asend(answer)
    except StopAsyncIteration:
        return None


async def within(around: AbstractContextManager[object], talk: Talk) -> Talk:
    """The same talk, inside of `around`, which may turn away who comes and what is raised."""
    try:
        with around:
            said = await anext(talk, None)
            while said is not None:
                if isinstance(said, Question):
                    said = await reply(talk, (yield said))
                else:
                    yield said
                    said = await anext(talk, None)
    finally:
        await talk.aclose()


async def converse(
    talk: Talk,
    say: Callable[[str], Awaitable[None]],
    ask: Callable[[str], Awaitable[str]],
) -> Outcome:
    """Let a command say all that it says; `ask` gives the answers."""
    outcome = Outcome.DONE
    try:
        said = await anext(talk, None)
        while said is not None:
            if isinstance(said, Question):
                said = await reply(talk, await ask(said.text))
                continue
            if isinstance(said, Outcome):
                outcome = said
            else:
                await say(said)
            said = await anext(talk, None)
    finally:
        await talk.aclose()
    return outcome


async def relay(answers: AsyncGenerator[dict[str, Any], str | None]) -> Talk:
    """The talk that another process holds, from its answers on the wire."""
    answered: str | None = None
    try:
        while True:
            try:
                said = await answers.asend(answered)
            except StopAsyncIteration:
                return
            answered = None
            if "ask" in said:
                answered = yield Question(str(said["ask"]))
            elif "line" in said:
                yield str(said["line"])
            elif "result" in said:
                yield outcome_of(said["result"])
    finally:
        await answers.aclose()
