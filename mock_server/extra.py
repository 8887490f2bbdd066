"""The extra [server]: what it brings, and what is said where it is missing."""

from __future__ import annotations

from importlib.util import find_spec

from mock_server.errors import CallerError, problem

__all__ = ["MODULES", "SERVER_MISSING", "require"]

MODULES = (
    "httptools",
    "itsdangerous",
    "jinja2",
    "prompt_toolkit",
    "pygal",
    "python_multipart",
    "rich",
    "starlette",
    "swagger_ui",
    "uvicorn",
    "uvloop",
    "yaml",
)

SERVER_MISSING = problem(
    "server-missing",
    CallerError,
    "The mock server is not installed whole: {missing} is missing.",
    'Install it with its extra: pip install "smartlic[server]".',
)


def require() -> None:
    """Raise `server-missing` unless all is there; without it servers would fail one by one."""
    missing = [name for name in MODULES if find_spec(name) is None]
    if missing:
        raise SERVER_MISSING(missing=", ".join(missing))
