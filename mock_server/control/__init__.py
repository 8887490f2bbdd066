"""Domain commands of the control socket: what `smartlic-mock token create` and its like ask of the Active.

A module for each subject, with its OPERATIONS: name → form and function. Errors are
problems, never tracebacks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from mock_server.cluster.machine import ControlHandler
from mock_server.control import (
    accounts,
    alerts,
    answers,
    api_clients,
    certificates,
    clock,
    events,
    faults,
    instances,
    licenses,
    sync,
    tokens,
    users,
)
from mock_server.control.forms import Answer, Operation, handler
from mock_server.serving import Serving

__all__ = ["OPERATIONS", "handlers", "perform"]

_SUBJECTS = (
    accounts,
    tokens,
    licenses,
    instances,
    certificates,
    sync,
    alerts,
    clock,
    events,
    answers,
    api_clients,
    users,
    faults,
)


OPERATIONS: Final[Mapping[str, Operation]] = {
    name: operation for subject in _SUBJECTS for name, operation in subject.OPERATIONS.items()
}


def handlers(active: Callable[[], Serving]) -> Mapping[str, ControlHandler]:
    """Operation → handler. `active()` gives what serves, or raises not-active."""
    return {name: handler(active, operation) for name, operation in OPERATIONS.items()}


async def perform(serving: Serving, operation: str, **fields: Any) -> Answer:
    """An operation as a part of the same process asks for it, done when it is kept; `by`: who asks."""
    known = OPERATIONS[operation]
    answer: Answer = await known.run(serving, msgspec.convert(fields, known.form))
    return answer
