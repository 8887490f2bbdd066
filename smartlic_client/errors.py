"""Every error of this toolkit is a `Problem` raised with its context.

    SmartlicError                 code, sentence, context, mend, retry_after
     ├── CallerError              what the caller did wrong: input, order of steps, local files
     │    ├── BusyError           somebody else holds what the caller wants; the same call later may work
     │    └── UsageError          it was written in a way that nobody understands
     └── RemoteError              what the other side or the network did
          ├── CommunicationError  no answer, or one that says "later": the only kind that is retried
          ├── TrustError          the server is not the one the user named: nothing was sent to it
          ├── AnswerError         an answer came, and it is none that can be believed
          └── RefusedError        the server understood and said no

A problem has a code that never changes (kebab-case), a sentence and a mend. Both are templates that the
context fills. Rooms define their own next to the code that raises them; `PROBLEMS` holds all of them, for
the reference page and for tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = [
    "PROBLEMS",
    "AnswerError",
    "BusyError",
    "CallerError",
    "CommunicationError",
    "Problem",
    "RefusedError",
    "RemoteError",
    "SmartlicError",
    "TrustError",
    "UsageError",
    "problem",
]


class SmartlicError(Exception):
    """Base of all errors that can happen in the field.

    `code`: stable kebab-case name. `sentence`: what happened. `context`: the facts, by name.
    `mend`: what to do. `retry_after`: seconds after which the same call may work, or None.
    """

    exit_code = 1

    def __init__(
        self,
        code: str,
        sentence: str,
        mend: str,
        context: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.mend = mend
        self.context: dict[str, Any] = dict(context or {})
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.sentence} [{self.code}]"

    def as_dict(self) -> dict[str, Any]:
        """The error as JSON-ready data: what `--format json` prints under "error"."""
        return {
            "code": self.code,
            "sentence": self.sentence,
            "mend": self.mend,
            "context": self.context,
            "retry_after": self.retry_after,
        }


class CallerError(SmartlicError):
    exit_code = 1


class BusyError(CallerError):
    exit_code = 75


class UsageError(CallerError):
    exit_code = 64


class RemoteError(SmartlicError):
    """`sent`: False where it is known that nothing of the request has left this machine."""

    exit_code = 1
    sent = True


class CommunicationError(RemoteError):
    exit_code = 2


class TrustError(RemoteError):
    exit_code = 3


class AnswerError(RemoteError):
    exit_code = 2


class RefusedError(RemoteError):
    exit_code = 1


@dataclass(frozen=True)
class Problem:
    """One thing that can go wrong. Call it with its context to get the exception to raise."""

    code: str
    kind: type[SmartlicError]
    sentence: str
    mend: str

    def __call__(self, *, retry_after: float | None = None, **context: Any) -> SmartlicError:
        return self.kind(
            self.code,
            self.sentence.format_map(context),
            self.mend.format_map(context),
            context,
            retry_after,
        )


PROBLEMS: dict[str, Problem] = {}


def problem(code: str, kind: type[SmartlicError], sentence: str, mend: str) -> Problem:
    """Define a problem. A code is defined once; a second definition is a programming error."""
    if code in PROBLEMS:
        raise ValueError(f"problem {code!r} is defined twice")
    PROBLEMS[code] = made = Problem(code, kind, sentence, mend)
    return made
