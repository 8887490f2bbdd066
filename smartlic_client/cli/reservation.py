"""`smartlic reservation`: refused, so that who looks for it knows."""

from __future__ import annotations

import click

from smartlic_client.errors import CallerError, problem

RESERVATION_NOT_OFFERED = problem(
    "reservation-not-offered",
    CallerError,
    "License reservation (SLR, PLR) is not offered: devices register with SSM On-Prem, or report usage.",
    "Register (`smartlic register`); or without a network: `smartlic policy`, `smartlic transport off` and "
    "`smartlic report --save FILE`.",
)


@click.command("reservation", context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[WORDS]")
def command(words: tuple[str, ...]) -> None:  # noqa: ARG001 - whatever is said, it is refused
    """License reservation is not offered; says what is in its place."""
    raise RESERVATION_NOT_OFFERED()
