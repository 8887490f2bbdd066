"""`smartlic trust`."""

from __future__ import annotations

from typing import IO

import click
from cryptography.hazmat.primitives import hashes

from smartlic_client.cli.common import opened
from smartlic_client.cli.output import emit

_LARGEST = 1024 * 1024


@click.command("trust")
@click.argument("file", type=click.File("rb"))
@click.pass_context
def command(context: click.Context, file: IO[bytes]) -> None:
    """Trust the CA certificates in FILE (PEM; - is standard input) and no others.

    Compare the fingerprint that is printed with the one that the server's console or page shows.
    """
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
