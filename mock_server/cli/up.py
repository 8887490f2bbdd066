"""`smartlic-mock up`."""

from __future__ import annotations

import asyncio
import datetime
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import msgspec

from mock_server import pki
from mock_server.administrators import kept_password
from mock_server.cli.address_checks import ports_or_refuse, same_or_refuse
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
    given = {name: value for name, value in addresses.items() if value is not None}
    if address is not None and given.keys() & {*_HOSTS}:
        raise click.UsageError("--address stands for --primary, --secondary and --vip.", context)
    one = own_address() if address == "own" else address
    if one is not None:
        given |= dict.fromkeys(_HOSTS, one)
    folder = folder_of(context)
    root = _given_root(ca_certificate, ca_key)
    start = _Start(folder, kept_password(folder) is not None)
    if start.new:
        start.password = _password(admin_password_file)
        start.asked = config.configure(**given, stand_alone=stand_alone, allow_remote=allow_remote)
        ports_or_refuse(start.asked)
    else:
        start.move_to = _moved(folder, one, given, stand_alone=stand_alone)
    try:
        if root is not None and ca_certificate is not None:
            start.adopted = given_root.adopt(start.layout.cssm, root, ca_certificate, new=start.new)
        supervisor = start.supervisor(allow_remote=allow_remote)
    except OSError as error:
        raise FOLDER_UNUSABLE(folder=str(folder), why=error.strerror) from None
    try:
        asyncio.run(supervisor.serve(lambda status: _tell(start, supervisor, status)))
    except OSError as error:
        if not str(error.filename).startswith(str(folder)):
            raise
        raise FOLDER_UNUSABLE(folder=str(folder), why=error.strerror) from None
    finally:
        start.undo_if_never_up()
    if not wants_json():
        say("The cluster is down.")


@dataclass
class _Start:
    """What one start makes in a folder, and takes away again where the cluster never came up.

    `asked`: how a new cluster is to be; `move_to`: the address that one with a single address moves to;
    `password`: that of a new administrator, where one was given; `adopted`: a licensing root was.
    """

    folder: Path
    had_password: bool
    asked: ClusterConfig | None = None
    move_to: str | None = None
    password: str | None = None
    adopted: bool = False
    new: bool = field(init=False)
    layout: Layout = field(init=False)

    def __post_init__(self) -> None:
        self.layout = Layout(self.folder)
        self.new = not self.layout.cluster_json.exists()

    def supervisor(self, *, allow_remote: bool) -> Supervisor:
        host = Processes("mock_server.service:make", "mock_server.cssm.main")
        made = Supervisor(self.folder, self.asked, host, move_to=self.move_to, allow_remote=allow_remote)
        if self.password is not None:
            write_private(self.layout.admin_password, self.password.encode() + b"\n")
        return made

    def undo_if_never_up(self) -> None:
        """The next start may then have the addresses that this one should have had."""
        if not self.new or any(self.layout.journal(name).exists() for name in config.NODES):
            return
        self.layout.cluster_json.unlink(missing_ok=True)
        if self.adopted:
            (self.layout.cssm / "root.pem").unlink(missing_ok=True)
            (self.layout.cssm / "root.key").unlink(missing_ok=True)
        if self.password is not None:
            self.layout.admin_password.unlink(missing_ok=True)


def _password(file: str | None) -> str | None:
    """The administrator's password, where one is given; refused now, if it is to be."""
    if file is None:
        return None
    password = password_of(file)
    users.hashed(password, secrets.token_bytes)
    return password


def _moved(folder: Path, one: str | None, given: dict[str, Any], *, stand_alone: bool) -> str | None:
    """The address that the cluster that is there moves to, if any; what is given has to be what it has."""
    there = config.load(folder)
    moves = one is not None and config.has_one_address(there)
    fixed = {name: value for name, value in given.items() if name not in _HOSTS} if moves else given
    same_or_refuse(str(folder), there, fixed)
    if stand_alone and standing_of(Layout(folder), there, "primary") is Standing.MEMBER:
        raise IS_CLUSTER(folder=str(folder))
    return one if moves else None


# ---- what is told -----------------------------------------------------------------------------------------
def _tell(start: _Start, supervisor: Supervisor, status: dict[str, Any]) -> None:
    """Both servers have started: as far as they have."""
    alone = stands_alone(status)
    active = status["active"] is not None or alone
    reached = config.remote(supervisor.config)
    problems = [*supervisor.problems, *(REMOTE_ALLOWED(address=host) for host in reached)]
    if wants_json():
        line = {
            "ok": active,
            "up": active,
            "folder": str(start.folder),
            "admin_password_file": str(start.layout.admin_password) if kept_password(start.folder) else None,
            "problems": [found.as_dict() for found in problems],
            "status": status,
        }
        say(msgspec.json.encode(line).decode())
        return
    for found in problems:
        note(f"warning: {found.sentence} [{found.code}]")
        note(f"  what to do: {found.mend}")
    say(text(status))
    if active:
        _tell_where(start, supervisor.config, alone=alone)
    else:
        say(f"\nNo server is Active. The consoles are there; the folder is {start.folder}. Ctrl-C stops it.")


def _tell_where(start: _Start, made: ClusterConfig, *, alone: bool) -> None:
    vip = made.nodes.primary if alone else made.vip
    host = f"[{vip.host}]" if ":" in vip.host else vip.host
    what, whose = ("servers are", "their") if alone else ("cluster is", "its")
    say(f"\nThe {what} up; {whose} folder is {start.folder}")
    say(f"  Pages:    https://{host}:{vip.gui_port}/")
    say(f"  Products: https://{host}:{vip.device_port}/Transportgateway/services/DeviceRequestHandler")
    if (kept := kept_password(start.folder)) is not None:
        shown = "admin" if start.had_password or start.password is not None else f"admin, {kept}"
        say(f"  Sign-in:  {printable(shown)} (the password is in {start.layout.admin_password})")
    say("A mock for tests: it authorizes no real product. Ctrl-C stops it.")


def _given_root(certificate: str | None, key: str | None) -> pki.Issuer | None:
    if certificate is None or key is None:
        return None
    return given_root.read(certificate, key, datetime.datetime.now(datetime.UTC))
