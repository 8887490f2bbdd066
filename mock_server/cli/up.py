"""`smartlic-mock up`."""

from __future__ import annotations

import asyncio
import datetime
import secrets
from typing import Any

import click
import msgspec

from mock_server import pki
from mock_server.administrators import kept_password
from mock_server.cli.addresses import address_options, own_address
from mock_server.cli.common import folder_of
from mock_server.cli.passwords import password_of
from mock_server.cli.status import stands_alone, text
from mock_server.cluster import config
from mock_server.cluster.config import ClusterConfig, Layout
from mock_server.cluster.hosts import Processes
from mock_server.cluster.membership import standing_of
from mock_server.cluster.problems import FOLDER_UNUSABLE, REMOTE_ALLOWED
from mock_server.cluster.standing import Standing
from mock_server.cluster.supervisor import Supervisor
from mock_server.cssm import given as given_root
from mock_server.domain import users
from mock_server.errors import CallerError, problem
from mock_server.files import write_private
from smartlic_client.cli.output import note, printable, say, wants_json

OTHER_ADDRESSES = problem(
    "other-addresses",
    CallerError,
    "The cluster in {folder} has {option} {there}, not {given}.",
    "Leave the addresses out to start it as it is, or make another cluster with --folder.",
)
PORTS_CLASH = problem(
    "ports-clash",
    CallerError,
    "The cluster cannot have these ports: {why}.",
    "Give other ports; where all three addresses are the same, each is counted up for the servers.",
)
IS_CLUSTER = problem(
    "is-cluster",
    CallerError,
    "{folder} holds a cluster, not stand-alone servers.",
    "Start it as it is, or make stand-alone servers in another folder with --folder.",
)


_HOSTS = ("primary", "secondary", "vip")


@click.command("up")
@address_options(None, None, None)
@click.option(
    "--address",
    metavar="ADDRESS|own",
    help="One address for all three, ports stand for servers; own: that of this machine. A cluster made so "
    "moves to it.",
)
@click.option("--ca-certificate", metavar="FILE", help="The licensing root of a new cluster (PEM).")
@click.option("--ca-key", metavar="FILE", help="Its key (PKCS#8, PEM); nobody else may read the file.")
@click.option(
    "--admin-password-file",
    metavar="-|FILE",
    help="The password of a new cluster's administrator `admin`. Without this option one is made, shown, and "
    "kept in the folder.",
)
@click.option(
    "--stand-alone",
    is_flag=True,
    help="Two servers that are no cluster yet, to rehearse its deployment from their consoles.",
)
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    address: str | None,
    ca_certificate: str | None,
    ca_key: str | None,
    admin_password_file: str | None,
    stand_alone: bool,
    allow_remote: bool,
    **addresses: Any,
) -> None:
    """Start the cluster in the foreground; Ctrl-C stops all of it.

    A folder that holds no cluster gets a new one. What is in a cluster stays in its folder.
    """
    if (ca_certificate is None) != (ca_key is None):
        raise click.UsageError("--ca-certificate and --ca-key belong together.", context)
    folder = folder_of(context)
    given = {name: value for name, value in addresses.items() if value is not None}
    if address is not None and given.keys() & {*_HOSTS}:
        raise click.UsageError("--address stands for --primary, --secondary and --vip.", context)
    one = own_address() if address == "own" else address
    if one is not None:
        given |= dict.fromkeys(_HOSTS, one)
    layout = Layout(folder)
    new = not layout.cluster_json.exists()
    root = _given_root(ca_certificate, ca_key)
    adopted = False
    asked = None
    password = None
    had_password = kept_password(folder) is not None
    if new:
        if admin_password_file is not None:
            password = password_of(admin_password_file)
            users.hashed(password, secrets.token_bytes)  # refused now, if it is to be
        asked = config.configure(**given, stand_alone=stand_alone, allow_remote=allow_remote)
        _ports_or_refuse(asked)
    else:
        there = config.load(folder)
        if one is not None and config.has_one_address(there):
            given = {name: value for name, value in given.items() if name not in _HOSTS}
        else:
            one = None
        _same_or_refuse(str(folder), there, given)
        if stand_alone and standing_of(layout, there, "primary") is Standing.MEMBER:
            raise IS_CLUSTER(folder=str(folder))
    try:
        if root is not None and ca_certificate is not None:
            adopted = given_root.adopt(layout.cssm, root, ca_certificate, new=new)
        host = Processes("mock_server.service:make", "mock_server.cssm.main")
        supervisor = Supervisor(folder, asked, host, move_to=one, allow_remote=allow_remote)
        if password is not None:
            write_private(layout.admin_password, password.encode() + b"\n")
    except OSError as error:
        raise FOLDER_UNUSABLE(folder=str(folder), why=error.strerror) from None

    def on_up(status: dict[str, Any]) -> None:
        alone = stands_alone(status)
        active = status["active"] is not None or alone
        reached = config.remote(supervisor.config)
        found_problems = [*supervisor.problems, *(REMOTE_ALLOWED(address=host) for host in reached)]
        if wants_json():
            problems = [found.as_dict() for found in found_problems]
            line = {
                "ok": active,
                "up": active,
                "folder": str(folder),
                "admin_password_file": str(layout.admin_password) if kept_password(folder) else None,
                "problems": problems,
                "status": status,
            }
            say(msgspec.json.encode(line).decode())
            return
        for found in found_problems:
            note(f"warning: {found.sentence} [{found.code}]")
            note(f"  what to do: {found.mend}")
        vip = supervisor.config.nodes.primary if alone else supervisor.config.vip
        host = f"[{vip.host}]" if ":" in vip.host else vip.host
        say(text(status))
        if not active:
            say(f"\nNo server is Active. The consoles are there; the folder is {folder}. Ctrl-C stops it.")
            return
        what, whose = ("servers are", "their") if alone else ("cluster is", "its")
        say(f"\nThe {what} up; {whose} folder is {folder}")
        say(f"  Pages:    https://{host}:{vip.gui_port}/")
        say(f"  Products: https://{host}:{vip.device_port}/Transportgateway/services/DeviceRequestHandler")
        if (kept := kept_password(folder)) is not None:
            shown = f"admin, {kept}" if not had_password and password is None else "admin"
            say(f"  Sign-in:  {printable(shown)} (the password is in {layout.admin_password})")
        say("A mock for tests: it authorizes no real product. Ctrl-C stops it.")

    try:
        asyncio.run(supervisor.serve(on_up))
    except OSError as error:
        if not str(error.filename).startswith(str(folder)):
            raise
        raise FOLDER_UNUSABLE(folder=str(folder), why=error.strerror) from None
    finally:
        if new and not any(layout.journal(name).exists() for name in config.NODES):
            # It never was up: the next one may have the addresses that this one should have had.
            layout.cluster_json.unlink(missing_ok=True)
            if adopted:
                (layout.cssm / "root.pem").unlink(missing_ok=True)
                (layout.cssm / "root.key").unlink(missing_ok=True)
            if password is not None:
                layout.admin_password.unlink(missing_ok=True)
    if not wants_json():
        say("The cluster is down.")


def _given_root(certificate: str | None, key: str | None) -> pki.Issuer | None:
    if certificate is None or key is None:
        return None
    return given_root.read(certificate, key, datetime.datetime.now(datetime.UTC))


def _same_or_refuse(folder: str, there: ClusterConfig, given: dict[str, Any]) -> None:
    """What is given has to be what the cluster has; what is not given is as it is."""
    nodes, vip = there.nodes, there.vip
    has = {
        "primary": nodes.primary.host,
        "secondary": nodes.secondary.host,
        "vip": vip.host,
        "device_port": vip.device_port,
        "gui_port": vip.gui_port,
        "peer_port": nodes.primary.peer_port,
    }
    for name, value in given.items():
        if str(has[name]) != str(value):
            option = f"--{name.replace('_', '-')}"
            raise OTHER_ADDRESSES(folder=folder, option=option, there=has[name], given=value)


def _ports_or_refuse(asked: ClusterConfig) -> None:
    """No address and port stands for two things, also after a failover, and every port is one."""
    taken: dict[tuple[str, int], str] = {}
    listeners = [
        ("the VIP", asked.vip),
        *((f"the {name.capitalize()}", asked.node(name)) for name in config.NODES),
    ]
    for owner, address in listeners:
        for what in ("device_port", "gui_port", "peer_port"):
            port = getattr(address, what, None)
            if port is None:
                continue
            name = f"{owner}'s {what.replace('_', ' ')}"
            if port > 65535:
                raise PORTS_CLASH(why=f"{name} would be {port}")
            other = taken.setdefault((address.host, port), name)
            if other != name:
                raise PORTS_CLASH(why=f"{other} and {name} would both be {port}")
