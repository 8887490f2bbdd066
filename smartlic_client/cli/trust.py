"""`smartlic trust anchor|idtoken`; `smartlic trust FILE` is `smartlic trust anchor FILE`."""

from __future__ import annotations

from typing import IO

import click

from smartlic_client.cli.common import opened, outcome_data, wait_option
from smartlic_client.cli.lazy import VerbGroup
from smartlic_client.cli.output import emit, note, wants_json
from smartlic_client.cli.resolve import resolve_option
from smartlic_client.cli.tokens import refuse_arguments, token_of, token_option

_LARGEST = 1024 * 1024


class _Trust(VerbGroup):
    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A first word that is none of ours is the anchor's file."""
        known = args[0] in self.commands or args[0].startswith("--")
        return super().resolve_command(context, args if known else ["anchor", *args])


@click.group("trust", cls=_Trust)
def command() -> None:
    """Trust the server's licensing root, or get a trust code from the server.

    `smartlic trust FILE` is `smartlic trust anchor FILE`.
    """


@command.command("anchor")
@click.argument("file", type=click.File("rb"))
@click.pass_context
def anchor(context: click.Context, file: IO[bytes]) -> None:
    """Trust the CA certificates in FILE (PEM; - is standard input) and no others.

    Compare the fingerprint that is printed with the one that the server's console or page shows.
    """
    from cryptography.hazmat.primitives import hashes

    pem = file.read(_LARGEST)
    with opened(context) as device:
        anchors = device.trust(pem)
    found = [
        {
            "subject": a.subject.rfc4514_string(),
            "fingerprint": f"sha256:{a.fingerprint(hashes.SHA256()).hex()}",
        }
        for a in anchors
    ]
    emit(
        {"anchors": found},
        "\n".join(f"Trusts {anchor['subject']}\n  {anchor['fingerprint']}" for anchor in found),
    )


@command.command("idtoken", context_settings={"allow_extra_args": True})
@token_option
@click.option("--force", is_flag=True, help="Replace the trust code that there is.")
@wait_option
@resolve_option
@click.pass_context
def idtoken(
    context: click.Context,
    token: str | None,
    force: bool,
    wait: float,
    resolve: tuple[tuple[tuple[str, int], str], ...],  # noqa: ARG001 - `opened` reads it
) -> None:
    """Get a trust code with an ID token (Smart Licensing Using Policy).

    Usage reports are signed and sent with it. The device has to use policies: `smartlic policy`.
    """
    refuse_arguments(context)
    secret = token_of(context, token)
    with opened(context) as device:
        outcome = device.get_trust_code(secret, force=force, wait=wait)
        usage = device.record.usage
    if not outcome.token_used and not wants_json():
        note("note: a request for a trust code that was under way is finished; it used its own token")
    at = usage.trusted_at if usage is not None else None
    emit(
        {"trusted_at": at, **outcome_data(outcome), "resumed": outcome.resumed},
        "Trust code installed",
    )
