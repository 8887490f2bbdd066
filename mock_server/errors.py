"""The mock's own problems are defined with the client's words for errors: one form on both sides."""

from smartlic_client.errors import (
    PROBLEMS,
    BusyError,
    CallerError,
    CommunicationError,
    RefusedError,
    SmartlicError,
    UsageError,
    problem,
)

__all__ = [
    "PROBLEMS",
    "BusyError",
    "CallerError",
    "CommunicationError",
    "RefusedError",
    "SmartlicError",
    "UsageError",
    "problem",
]
