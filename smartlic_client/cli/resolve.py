"""`--resolve NAME:PORT:ADDRESS`, apart from the other options: a check takes it, and starts with little."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["resolve_option"]

F = TypeVar("F", bound=Callable[..., Any])


class _Resolve(click.ParamType):  # type: ignore[type-arg]
    """NAME:PORT:ADDRESS; an IPv6 address in brackets or not."""

    name = "NAME:PORT:ADDRESS"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> tuple[tuple[str, int], str]:
        from smartlic_client.errors import SmartlicError
        from smartlic_client.names import DnsHost, parse_host

        if isinstance(value, tuple):
            return value
        name, _, rest = str(value).partition(":")
        port, _, address = rest.partition(":")
        try:
            host, found = parse_host(name), parse_host(address)
        except SmartlicError as error:
            self.fail(error.sentence, param, context)
        if isinstance(found, DnsHost) or not (
            port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535
        ):
            self.fail("give NAME:PORT:ADDRESS, for example ssm.example.com:4443:127.0.0.12", param, context)
        return (host.text, int(port)), found.text


def resolve_option(command: F) -> F:
    return click.option(
        "--resolve",
        type=_Resolve(),
        multiple=True,
        help="Connect to ADDRESS for NAME:PORT, before DNS knows the name; NAME is what is checked.",
    )(command)
