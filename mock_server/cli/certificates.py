"""`smartlic-mock certificates`, and its verbs for the browser certificate."""

from __future__ import annotations

from typing import Any

import click

from mock_server.cli.common import ask
from mock_server.cli.common_name import text
from mock_server.cli.files import read_text, write_text
from smartlic_client.cli.output import emit

MAX_CHAIN = 64 << 10


@click.group("certificates", invoke_without_command=True)
@click.option(
    "--save-anchor", type=click.Path(dir_okay=False), help="Write the trust anchor (PEM) to this file."
)
@click.pass_context
def command(context: click.Context, save_anchor: str | None) -> None:
    """The names that are served, and the trust anchor for products with its fingerprint.

    The verbs are for the browser certificate, of the pages.
    """
    if context.invoked_subcommand is not None:
        return
    found = ask(context, "certificates")
    lines = [text(found), f"Trust anchor:     {found['fingerprint']}"]
    if save_anchor:
        write_text(save_anchor, found["trust_anchor"])
        lines.append(f"Wrote it to {save_anchor}")
    else:
        lines.append(found["trust_anchor"])
    emit(found, "\n".join(lines))


@command.command("browser")
@click.pass_context
def browser(context: click.Context) -> None:
    """The browser certificate that is served."""
    found = ask(context, "certificates")["browser_certificate"]
    emit(found, _described(found))


@command.command("csr")
@click.argument("file", type=click.Path(dir_okay=False))
@click.pass_context
def csr(context: click.Context, file: str) -> None:
    """Make a key and write a request for it (PKCS #10, PEM) to FILE, for an authority of your own.

    The key stays in the key store of both servers. Only the last request counts.
    """
    made = ask(context, "browser-certificate.csr")
    write_text(file, made["csr"])
    said = f"Wrote the request for {', '.join(made['names'])} to {file}"
    emit({"file": file, "names": made["names"], "common_name": made["common_name"]}, said)


@command.command("upload")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.pass_context
def upload(context: click.Context, file: str) -> None:
    """Serve the certificate in FILE (PEM, followed by those of its issuers) to browsers from now on."""
    done = ask(context, "browser-certificate.upload", chain=read_text(file, MAX_CHAIN))
    emit(done, _described(done))


@command.command("reset")
@click.pass_context
def reset(context: click.Context) -> None:
    """Serve a certificate of the cluster's own to browsers again."""
    done = ask(context, "browser-certificate.reset")
    emit(done, _described(done))


def _described(found: dict[str, Any]) -> str:
    whose = "uploaded" if found["uploaded"] else "of the cluster's own"
    return "\n".join(
        [
            f"Browser certificate: {found['subject']}, {whose}",
            f"Names:               {', '.join(found['names'])}",
            f"Ends:                {found['ends']}",
            f"Fingerprint:         {found['fingerprint']}",
        ]
    )
