"""What a play acts on: a real cluster of two processes, and real devices that reach it by the VIP."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from mock_server.administrators import kept_password
from mock_server.cluster.client import call, console
from mock_server.cluster.config import ClusterConfig, load
from mock_server.demo.visiting import visited
from mock_server.errors import PROBLEMS, CallerError, CommunicationError, problem
from smartlic_client.device import Device
from smartlic_client.errors import SmartlicError
from smartlic_client.protocol.identity import IdToken, Udi

__all__ = ["Addresses", "Said", "Stage", "raised_cluster", "seen_by_active"]

NOT_UP = problem(
    "cluster-not-up",
    CommunicationError,
    "The cluster did not start: {why}",
    "Look at {folder}; with addresses of your own: --primary, --secondary, --vip.",
)
NO_NAME = problem(
    "no-name-for-address",
    CallerError,
    "Nothing on this machine leads to {address} by a name, and it stands for the Primary as for the VIP.",
    "Give 127.0.0.1 for all three, or give three addresses; or name it in /etc/hosts after this host.",
)
TITLE = "On-Prem License Workspace"
WAIT = 10.0


@dataclass(frozen=True)
class Addresses:
    primary: str
    secondary: str
    vip: str
    device_port: int = 4443
    gui_port: int = 8443
    peer_port: int = 5405
    allow_remote: bool = False

    def options(self) -> list[str]:
        """As `smartlic-mock up` takes them."""
        given = [
            f"--{name.replace('_', '-')}={value}" for name, value in vars(self).items() if value is not False
        ]
        return [option.removesuffix("=True") for option in given]


@dataclass
class Said:
    """What a console command said and asked, and what came of it: done, declined, failed and so on."""

    lines: list[str]
    questions: list[str]
    outcome: str


class Stage:
    """A cluster in `folder`/cluster, devices in `folder`/devices."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster = folder / "cluster"
        self.devices = folder / "devices"
        self.anchor = folder / "trust-anchor.pem"
        self.config = load(self.cluster)
        self.token = ""
        self.notes: dict[str, Any] = {}
        """What a step keeps for a later look, by its id."""
        self.product_host = host_of_products(self.config)

    # ---- the servers --------------------------------------------------------------------------------------
    def ask(self, operation: str, **fields: Any) -> dict[str, Any]:
        return call(self.cluster, operation, **fields)

    def console(self, node: str, line: str) -> list[str]:
        """A command on a server's console; its lines, stripped, without empty ones."""
        return self.talk(node, line).lines

    def talk(self, node: str, line: str, answer: str = "") -> Said:
        """A command on a server's console whose questions are all answered with `answer`."""
        said = Said([], [], "")

        def reply(question: str) -> str:
            said.questions.append(question.strip())
            return answer

        talk = console(self.cluster, node, line, reply)
        try:
            while True:
                text = next(talk).strip()
                said.lines.extend([text] if text else [])
        except StopIteration as end:
            said.outcome = end.value["outcome"]
        return said

    def console_refusal(self, node: str, line: str) -> str:
        """The code with which a console command is refused, else its outcome."""
        try:
            return self.talk(node, line).outcome
        except SmartlicError as error:
            return error.code

    def status(self) -> dict[str, Any]:
        """Both servers as the Active sees them; where there is none, each as it tells of itself."""
        return seen_by_active(self.ask("status"))

    def roles(self) -> dict[str, str]:
        return self._each("role")

    def databases(self) -> dict[str, str]:
        return self._each("database")

    def _each(self, field: str) -> dict[str, str]:
        """What each server says of itself."""
        nodes = self.ask("status")["nodes"]
        return {name.capitalize(): node[field] for name, node in nodes.items()}

    def gui(self, where: str) -> str:
        """What the GUI at "vip", "primary" or "secondary" does: "answers", "down", or what it said."""
        return self._seen(where, None)[0]

    def page(self, where: str) -> tuple[str, str]:
        """What the GUI does, and the page that it shows to an administrator who has signed in."""
        return self._seen(where, kept_password(self.cluster))

    def _seen(self, where: str, password: str | None) -> tuple[str, str]:
        address = self.config.vip if where == "vip" else self.config.node(where)
        host = f"[{address.host}]" if ":" in address.host else address.host
        try:
            answer = visited(f"https://{host}:{address.gui_port}", str(self.anchor), password)
        except requests.exceptions.SSLError as error:
            return f"not trusted: {error}", ""
        except requests.exceptions.ConnectionError:
            return "down", ""
        except requests.exceptions.RequestException as error:
            return f"no answer: {type(error).__name__}", ""
        right = answer.status_code == 200 and TITLE in answer.text
        return "answers" if right else f"HTTP {answer.status_code}", answer.text

    # ---- the devices --------------------------------------------------------------------------------------
    @property
    def url(self) -> str:
        """The Transport Gateway URL with the VIP."""
        return self.url_of(self.product_host, self.config.vip.device_port)

    def url_of(self, host: str, port: int) -> str:
        shown = f"[{host}]" if ":" in host else host
        return f"https://{shown}:{port}/Transportgateway/services/DeviceRequestHandler"

    @property
    def primary_url(self) -> str:
        """The Transport Gateway URL with the Primary's own address."""
        own = self.config.nodes.primary
        return self.url_of(own.host, own.device_port)

    def make_device(self, name: str, pid: str, serial: str, software: str, url: str) -> str:
        folder = self.devices / name
        Device.create(folder, Udi(pid=pid, sn=serial), software=software, hostname=name)
        with Device.open(folder) as device:
            device.trust(self.ask("certificates")["trust_anchor"].encode())
        return self.point(name, url)

    def point(self, name: str, url: str) -> str:
        """Give a device a destination URL."""
        with Device.open(self.devices / name) as device:
            device.set_destination(url)
        return f"{name}: Transport Gateway URL {url}"

    def register(self, name: str, *, force: bool = False) -> str:
        """Register a device by its URL. Says what the product's licensing page would."""
        with Device.open(self.devices / name) as device:
            device.register(IdToken(self.token), force=force, wait=WAIT)
        return f"{name}: Registration completed successfully"

    def use(self, name: str, tag: str, count: int) -> str:
        with Device.open(self.devices / name) as device:
            device.request(tag, count, wait=WAIT)
        return f"{name} uses {count} of {tag.partition(',')[0]}"

    def refusal(self, name: str) -> str:
        """The code with which a registration fails on the device; "registered" if it does not."""
        return self.try_to_register(name)[0]

    def try_to_register(self, name: str) -> tuple[str, str]:
        """`refusal`, and what the device says of it."""
        try:
            return "registered", self.register(name)
        except SmartlicError as error:
            return error.code, f"{name} tries to register: {error.sentence} What to do: {error.mend}"

    def states(self, *names: str) -> dict[str, str]:
        """The registration state that each device has by itself."""
        return {name: Device.peek(self.devices / name)[0].registration.value for name in names}

    # ---- what the pages show ------------------------------------------------------------------------------
    def events(self) -> list[dict[str, Any]]:
        """The end of the event log, newest first."""
        found: list[dict[str, Any]] = self.ask("event.list", limit=50)["events"]
        return found

    def accounts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("account.list")["accounts"]
        return found

    def account(self, name: str) -> dict[str, Any]:
        """A local account as its page shows it; empty if there is none of that name."""
        return next((row for row in self.accounts() if row["name"] == name), {})

    def instances(self) -> dict[str, dict[str, Any]]:
        return {found["name"]: found for found in self.ask("instance.list", limit=-1)["instances"]}

    def in_use(self) -> dict[str, int]:
        """License → count in use, as the licenses page shows it."""
        return {row["license"]: row["in_use"] for row in self.ask("license.list")["licenses"]}


def seen_by_active(found: dict[str, Any]) -> dict[str, Any]:
    """Of the answer of the control op `status`: what the Active sees of both servers.

    Where there is none, the Primary's answer, with each server as it tells of itself.
    """
    nodes: dict[str, dict[str, Any]] = found["nodes"]
    if found["active"]:
        return nodes[found["active"]]
    return {**nodes["primary"], "servers": {name: node["servers"][name] for name, node in nodes.items()}}


def host_of_products(config: ClusterConfig) -> str:
    """What products have in their URL for the VIP: its address.

    Where one address stands for all, it is the Primary's too, and so the first Host Common Name. A name that
    leads to it is then the VIP's, so that setting it changes something.
    """
    vip = config.vip.host
    if vip != config.nodes.primary.host:
        return vip
    for name in ("localhost", socket.gethostname(), socket.getfqdn()):
        try:
            found = {entry[4][0] for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
        except OSError:
            continue
        if vip in found:
            return name
    raise NO_NAME(address=vip)


@contextmanager
def raised_cluster(folder: Path, addresses: Addresses, *, active: bool = True) -> Iterator[Stage]:
    """A cluster started by `smartlic-mock up` in a process of its own, and stopped at the end.

    `active` False: one of which no server can become Active by itself; its consoles are there.
    """
    command = [sys.executable, "-m", "mock_server.cli", "--folder", str(folder / "cluster"), "up"]
    process = subprocess.Popen(
        [*command, *addresses.options(), "--format", "json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # Ctrl-C is ours: the cluster is stopped in order, below
    )
    assert process.stdout is not None  # noqa: S101 - narrows the type
    try:
        _wait_until_up(process, folder, active)
        stage = Stage(folder)
        if active:
            stage.anchor.write_text(stage.ask("certificates")["trust_anchor"], encoding="ascii")
        yield stage
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _wait_until_up(process: subprocess.Popen[str], folder: Path, active: bool) -> None:
    assert process.stdout is not None  # noqa: S101 - narrows the type
    said = []
    for line in process.stdout:
        if f'"up":{json.dumps(active)}' in line:
            return
        said.append(line)
    raise _why_not("".join(said), folder)


def _why_not(said: str, folder: Path) -> SmartlicError:
    """The problem that `up` ended with, as it was; another one where it ended without one."""
    try:
        error = json.loads(said)["error"]
        known = PROBLEMS[error["code"]]
    except (ValueError, KeyError, TypeError):
        return NOT_UP(why=said.strip()[-500:] or "it said nothing", folder=str(folder))
    return known.kind(error["code"], error["sentence"], error["mend"], error["context"], error["retry_after"])
