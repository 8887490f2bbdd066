"""`smartlic check`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smartlic_client.cli.api_client import CLIENT_HELP, SECRET_HELP, client_of
from smartlic_client.cli.configuration import setting
from smartlic_client.cli.output import note, say
from smartlic_client.cli.resolve import resolve_option

if TYPE_CHECKING:
    from smartlic_client.names import Policy
    from smartlic_client.onprem import Secret
    from smartlic_client.preflight.observation import Target
    from smartlic_client.preflight.options import Options
    from smartlic_client.preflight.run import Run
    from smartlic_client.preflight.server import ServerSide

_FORMATS = ("text", "json", "junit", "sarif", "summary")
_POLICIES = ("common-name", "subject-alternative-name", "either", "both")
_DAY = 86400.0
_WATCH = 300.0

_EPILOG = """\b
A target is
  https://VIP/Transportgateway/services/DeviceRequestHandler   a destination URL, as on the product
  HOST or HOST:PORT     short for it; the port is 443, the path that of the Transport Gateway
  certificate.pem       a certificate file (PEM, DER or PKCS#12); with --expected-name
  @FILE                 an inventory: one target a line, or CSV with a name and a URL
  -                     an inventory on standard input

\b
Exit codes:
  0    all well: no finding of severity error
  1    there are findings of severity error
  2    the check could not run
  64   wrong usage

The check changes nothing. A server whose chain or name does not hold sees a TLS handshake and the end of it;
only behind a chain and a name that hold, a GET (and where that does not tell, a POST without a body) asks
whether the path answers."""


def _remember_format(context: click.Context, _parameter: click.Parameter, value: str | None) -> str:
    """The form of the report; errors come as JSON where the report would, else as text."""
    meta = context.find_root().meta
    form = value or meta.get("smartlic.format") or "text"
    meta["smartlic.format"] = "json" if form == "json" else "text"
    return form


@click.command("check", epilog=_EPILOG)
@click.argument("targets", nargs=-1, metavar="[TARGET]…")
@click.option("--inventory", multiple=True, metavar="FILE", help="Targets from a file, as @FILE.")
@click.option(
    "--policy",
    type=click.Choice(_POLICIES),
    default="common-name",
    show_default=True,
    help="Which names of the certificate count. All are reported side by side, whatever the policy.",
)
@click.option("--ca", metavar="FILE", help="The products' trust anchors, PEM or DER.")
@click.option(
    "--fingerprint",
    metavar="sha256:…",
    help="Take the trust anchor from the server's chain, if its DER has this fingerprint.",
)
@click.option(
    "--nodes", metavar="PRIMARY,SECONDARY", help="The nodes' own addresses, each HOST or HOST:PORT."
)
@click.option(
    "--expected-name", metavar="HOST", help="The name that certificates must have, if not the target's host."
)
@click.option(
    "--expires-within",
    type=click.FloatRange(0, 36500),
    default=30,
    show_default=True,
    metavar="DAYS",
    help="Warn of certificates that expire so soon.",
)
@click.option(
    "--compare-with", metavar="FILE", help="An earlier result (JSON): says what a failover has changed."
)
@click.option(
    "--server-folder",
    metavar="FOLDER",
    help="A mock cluster's folder: asks it which Host Common Name is set.",
)
@click.option(
    "--api-client",
    metavar="ID|@FILE",
    help=f"Ask the server by its REST API about accounts and alerts. {CLIENT_HELP}",
)
@click.option(
    "--api-secret",
    metavar="-|FILE",
    help=SECRET_HELP,
)
@click.option("--api-url", metavar="URL", help="Where the REST API is: https://HOST:8443 of the target.")
@click.option("--api-ca", metavar="FILE", help="The trust anchors of the REST API, if not those of --ca.")
@click.option(
    "--virtual-account",
    metavar="NAME",
    help="With --api-client: the virtual account that products are to register in.",
)
@resolve_option
@click.option("--proxy", metavar="URL", help="Go through this proxy: http://[USER:PASSWORD@]HOST:PORT.")
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 600),
    default=10,
    show_default=True,
    metavar="SECONDS",
    help="The most that one target takes, all in all.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 512),
    default=32,
    show_default=True,
    help="How many targets at once, at most.",
)
@click.option(
    "--watch",
    type=click.FloatRange(0, 86400),
    is_flag=False,
    flag_value=_WATCH,
    metavar="[SECONDS]",
    help=f"Check again and again until it is well, for {_WATCH:g} seconds by default; says what changes.",
)
@click.option(
    "--until",
    type=click.Choice(["well", "failover"]),
    default="well",
    help="With --watch: end when it is well (default), or when it is well and the other node answers.",
)
@click.option("--only", multiple=True, metavar="ID", help="Look for this finding, or family, only.")
@click.option("--skip", multiple=True, metavar="ID", help="Leave this finding, or family, out.")
@click.option("--explain", metavar="ID", help="Say what a finding means and what to do; `all` lists them.")
@click.option(
    "--format",
    type=click.Choice(_FORMATS),
    is_eager=True,
    callback=_remember_format,
    help="text (default), json, junit, sarif or summary.",
)
@click.option("--output", metavar="FILE", help="Write the report there; the summary goes to standard output.")
@click.pass_context
def command(
    context: click.Context, /, format: str, explain: str | None, output: str | None, **given: Any
) -> None:
    """Check whether products will register by a destination URL: before a migration, or when they do not.

    Looks at the URL, name resolution, TLS, the certificate's chain, dates and names, the nodes, the path.
    """
    if explain is not None:
        say(_explain(explain))
        return
    targets, options, server = _read(given)
    run = _run(targets, options, server, given)
    from smartlic_client.preflight.reports import render

    report = render(format, run)
    if output is not None:
        _write(Path(output), report)
        report = render("summary", run)
    say(report.rstrip("\n"))
    context.exit(0 if run.well else 1)


def _read(given: dict[str, Any]) -> tuple[list[Target], Options, ServerSide | None]:
    """Targets and options. What is written wrongly is wrong usage; what cannot be read is a problem."""
    from smartlic_client.errors import SmartlicError
    from smartlic_client.preflight import intake
    from smartlic_client.preflight.problems import CheckError

    try:
        targets = intake.read_targets(given["targets"], given["inventory"])
        options, server = _options(given, targets)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None
    except CheckError:
        raise
    except SmartlicError as error:
        raise click.UsageError(error.sentence) from None
    if not targets:
        raise click.UsageError("There is nothing to check: give a URL, a host, a file, or an inventory.")
    return targets, options, server


def _options(given: dict[str, Any], targets: list[Target]) -> tuple[Options, ServerSide | None]:
    from smartlic_client.names import Policy, parse_host
    from smartlic_client.preflight import intake
    from smartlic_client.preflight.options import Options

    resolve: dict[tuple[str, int], tuple[str, ...]] = {}
    for name, address in given["resolve"]:
        resolve[name] = (*resolve.get(name, ()), address)
    wanted = intake.read_wanted(given["only"], given["skip"])
    if given["until"] == "failover" and not (given["watch"] and given["nodes"]):
        raise ValueError("--until failover needs --watch and --nodes")
    trust = _trust(given)
    policy, proxy = Policy(given["policy"]), _proxy(given["proxy"] or setting("proxy"))
    server = _server(given["server_folder"], _api(given, targets, trust, policy, proxy, resolve))
    options = Options(
        now=time.time(),
        policy=policy,
        wanted=wanted[0] if wanted else None,
        families=wanted[1] if wanted else None,
        nodes=intake.read_nodes(given["nodes"]) if given["nodes"] else (),
        resolve=resolve,
        expected_name=parse_host(given["expected_name"]) if given["expected_name"] else None,
        expires_within=given["expires_within"] * _DAY,
        proxy=proxy,
        proxy_in_environment=intake.proxy_in_environment(),
        timeout=given["timeout"],
        jobs=given["jobs"],
        server=server.facts(given["timeout"]) if server else None,
        **trust,
        **_earlier(given["compare_with"]),
    )
    return options, server


def _trust(given: dict[str, Any]) -> dict[str, Any]:
    if given["ca"] is None and given["fingerprint"] is None:
        return {}
    from smartlic_client.preflight import anchors

    if given["ca"] is not None and given["fingerprint"] is not None:
        raise ValueError("--ca and --fingerprint exclude each other")
    if given["ca"] is not None:
        return {"anchors": anchors.load_anchors(given["ca"])}
    return {"fingerprint": anchors.read_fingerprint(given["fingerprint"])}


def _earlier(path: str | None) -> dict[str, Any]:
    if path is None:
        return {}
    from smartlic_client.preflight.earlier import load_earlier

    return {"earlier": load_earlier(path)}


def _proxy(text: str | None) -> str | None:
    if text is not None:
        from smartlic_client.preflight.probes.proxy import read_proxy

        try:
            read_proxy(text)
        except ValueError as error:
            raise ValueError(f"the proxy cannot be used: {error}") from None
    return text


def _server(folder: str | None, api: ServerSide | None) -> ServerSide | None:
    if folder is None:
        return api
    from smartlic_client.preflight.server import MockFolder, Together

    names = MockFolder(folder)
    return names if api is None else Together(names, api)


def _api(
    given: dict[str, Any],
    targets: list[Target],
    trust: dict[str, Any],
    policy: Policy,
    proxy: str | None,
    resolve: dict[tuple[str, int], tuple[str, ...]],
) -> ServerSide | None:
    """The REST API that was named. Raises ValueError, api-bad-url, api-secret-needed and so on."""
    needless = [name for name in ("api_secret", "api_url", "api_ca", "virtual_account") if given[name]]
    if given["api_client"] is None:
        if needless:
            raise ValueError(f"--{needless[0].replace('_', '-')} is for --api-client, which is not given")
        return None
    from smartlic_client.names import Policy
    from smartlic_client.preflight import anchors
    from smartlic_client.preflight.server import RestApi, api_at

    pem = anchors.load_anchors(given["api_ca"]) if given["api_ca"] else trust.get("anchors")
    if pem is None:
        raise ValueError("--api-client needs the trust anchors of the REST API: --ca or --api-ca")
    if given["api_secret"] == "-" and "-" in (*given["targets"], *given["inventory"]):  # noqa: S105
        raise ValueError("standard input is the inventory already, and cannot be the secret too")
    return RestApi(
        given["api_url"] or api_at(targets),
        pem,
        _client(given["api_client"], given["api_secret"]),
        policy=Policy.COMMON_NAME if policy is Policy.BOTH else policy,
        resolve={place: addresses[0] for place, addresses in resolve.items()},
        proxy=proxy,
        wanted=given["virtual_account"],
    )


def _client(client: str, secret: str | None) -> tuple[str, Secret]:
    from smartlic_client.errors import CallerError
    from smartlic_client.preflight.problems import CheckError

    try:
        return client_of(client, secret)
    except CallerError as error:
        raise CheckError(error.code, error.sentence, error.mend, error.context) from None


def _run(targets: list[Target], options: Options, server: ServerSide | None, given: dict[str, Any]) -> Run:
    if given["watch"] is not None:
        from smartlic_client.preflight.watch import watch

        through = given["until"] == "failover"
        return watch(targets, options, given["watch"], note, through_failover=through, server=server)
    from smartlic_client.preflight.run import run

    if len(targets) == 1:
        return run(targets, options)
    from smartlic_client.preflight.progress import progress

    with progress(len(targets)) as done:
        return run(targets, options, done)


def _write(path: Path, report: str) -> None:
    """Whole or not at all: it may be the file that was compared with."""
    import os
    import tempfile

    from smartlic_client.preflight.problems import CANNOT_WRITE

    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(report)
            os.chmod(temporary, 0o644)  # noqa: PTH101 - mkstemp's 0600 would keep CI from reading it
            os.replace(temporary, path)  # noqa: PTH105
        except BaseException:
            os.unlink(temporary)  # noqa: PTH108
            raise
    except OSError as error:
        raise CANNOT_WRITE(path=str(path), why=error.strerror) from None


def _explain(name: str) -> str:
    from smartlic_client.preflight import intake
    from smartlic_client.preflight.catalogue import catalogue

    found = catalogue()
    if name == "all":
        return "\n".join(f"{each.id:36}{each.severity.value:12}{each.title}" for each in found.values())
    if name not in found:
        raise click.UsageError(f"There is no finding {name!r}{intake.close_to(name, found)}")
    each = found[name]
    lines = (
        f"{each.id} ({each.severity.value}, {each.family}): {each.title}",
        f"  seen:       {each.seen}",
        f"  expected:   {each.expected}",
        f"  what to do: {each.mend}",
        f"  reference:  {each.reference}",
    )
    return "\n".join(lines)


if sys.platform == "win32":  # pragma: no cover
    _EPILOG += "\n\n--server-folder needs unix sockets."
