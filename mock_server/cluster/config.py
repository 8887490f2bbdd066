"""A cluster's folder: what is in it, and the addresses of its nodes and its VIP.

F/cluster.json           this configuration
F/nodes/<name>/          journal.sqlite, node.json (pid, start time, control socket, role), node.log,
                         and what a deployment and a teardown leave (`membership`)
F/witness/               N.json, the records of who has every acknowledged change
F/cssm/                  CSSM's root, its state, and where its socket is
F/peer/                  a key and a certificate a node, for heartbeat and replication
F/admin-password         the first administrator's password, until it is changed
F/supervisor.lock, F/control.json
"""

from __future__ import annotations

import ipaddress
import os
import secrets
from pathlib import Path
from typing import Literal, get_args

import msgspec

from mock_server.cluster import identity
from mock_server.cluster.problems import (
    ADDRESS_NOT_ALLOWED,
    FOLDER_DAMAGED,
    FOLDER_EXISTS,
    NO_CLUSTER,
    REMOTE_NOT_ALLOWED,
)
from mock_server.files import write_private
from mock_server.journal.problems import FOLDER_VERSION

FORMAT = 1
NodeName = Literal["primary", "secondary"]
NODES: tuple[NodeName, ...] = get_args(NodeName)


class Address(msgspec.Struct, frozen=True):
    """Where devices and browsers are served: the VIP."""

    host: str
    device_port: int
    gui_port: int


class NodeAddress(Address, frozen=True):
    """A node's own address; `peer_port` carries heartbeat and replication."""

    peer_port: int


class NodeAddresses(msgspec.Struct, frozen=True):
    primary: NodeAddress
    secondary: NodeAddress


class ClusterConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """`cluster.json`. `mode`: how the servers were made; stand-alone ones until `ha_deploy`.

    `allow_remote`: other machines may reach it; else all addresses are the loopback's."""

    format: int
    cluster: str
    nodes: NodeAddresses
    vip: Address
    mode: Literal["cluster", "stand-alone"] = "cluster"
    allow_remote: bool = False

    def node(self, name: str) -> NodeAddress:
        return self.nodes.primary if name == "primary" else self.nodes.secondary


class Layout:
    """The paths in a cluster's folder."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).absolute()
        self.cluster_json = self.folder / "cluster.json"
        self.witness = self.folder / "witness"
        self.peer = self.folder / "peer"
        self.lock = self.folder / "supervisor.lock"
        self.control_json = self.folder / "control.json"
        self.cssm = self.folder / "cssm"
        self.cssm_json = self.cssm / "control.json"
        self.admin_password = self.folder / "admin-password"
        self.cssm_log = self.cssm / "cssm.log"

    def node(self, name: str) -> Path:
        return self.folder / "nodes" / name

    def journal(self, name: str) -> Path:
        return self.node(name) / "journal.sqlite"

    def node_json(self, name: str) -> Path:
        return self.node(name) / "node.json"

    def log(self, name: str) -> Path:
        return self.node(name) / "node.log"

    def key(self, name: str) -> Path:
        """The private key of a node, for heartbeat and replication."""
        return self.peer / f"{name}.key"

    def certificate(self, name: str) -> Path:
        """The certificate that a node shows its peer."""
        return self.peer / f"{name}.crt"

    def trusted(self, name: str) -> Path:
        """The certificate that a node trusts as its peer's: the one that it was given by a provisioning."""
        given = self.node(name) / "peer.crt"
        return given if given.exists() else self.certificate(peer_of(name))


def peer_of(name: str) -> NodeName:
    """The other node."""
    return "secondary" if name == "primary" else "primary"


def configure(
    primary: str = "127.0.0.5",
    secondary: str = "127.0.0.10",
    vip: str = "127.0.0.12",
    *,
    device_port: int = 4443,
    gui_port: int = 8443,
    peer_port: int = 5405,
    stand_alone: bool = False,
    allow_remote: bool = False,
) -> ClusterConfig:
    """A configuration. All three addresses the same: ports stand for nodes, counted up from those given.

    `stand_alone`: two servers of their own; the VIP is that of a later deployment."""
    step = 1 if _check_hosts(primary, secondary, vip) == 1 else 0
    nodes = NodeAddresses(
        NodeAddress(primary, device_port + step, gui_port + step, peer_port),
        NodeAddress(secondary, device_port + 2 * step, gui_port + 2 * step, peer_port + step),
    )
    mode: Literal["cluster", "stand-alone"] = "stand-alone" if stand_alone else "cluster"
    where = Address(vip, device_port, gui_port)
    return checked(ClusterConfig(FORMAT, secrets.token_hex(8), nodes, where, mode, allow_remote))


def create(folder: str | os.PathLike[str], config: ClusterConfig | None = None) -> ClusterConfig:
    """Make a new folder; in that of a cluster with keys for the two nodes to know each other by."""
    config = checked(config or configure())
    layout = Layout(folder)
    if layout.cluster_json.exists():
        raise FOLDER_EXISTS(folder=str(layout.folder))
    for name in NODES:
        if layout.journal(name).exists():
            raise FOLDER_DAMAGED(
                path=str(layout.cluster_json), detail="it is missing, and there are journals"
            )
    folders = (layout.folder, layout.witness, layout.peer, layout.folder / "nodes")
    for path in (*folders, *map(layout.node, NODES)):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
    if config.mode == "cluster":  # others make theirs with ha_generatekeys and ha_provision_standby
        for name in NODES:
            make_keys(layout, config, name)
    save(layout, config)  # written last: a folder with this file is whole
    return config


def make_keys(layout: Layout, config: ClusterConfig, name: str) -> None:
    """New keys for a node's heartbeat and replication."""
    certificate, key = identity.make(f"{config.cluster} {name}")
    write_private(layout.key(name), key)
    write_private(layout.certificate(name), certificate)


def save(layout: Layout, config: ClusterConfig) -> None:
    """Write `cluster.json`, whole and durable."""
    data = msgspec.json.format(msgspec.json.encode(config)) + b"\n"
    write_private(layout.cluster_json, data, sync=True)


def has_one_address(config: ClusterConfig) -> bool:
    """Whether ports stand for servers."""
    return config.nodes.primary.host == config.vip.host


def remote(config: ClusterConfig) -> list[str]:
    """The addresses that other machines may reach."""
    hosts = dict.fromkeys((config.vip.host, *(config.node(name).host for name in NODES)))
    return [host for host in hosts if not ipaddress.ip_address(host).is_loopback]


def checked(config: ClusterConfig) -> ClusterConfig:
    """The same. Raises remote-not-allowed."""
    if not config.allow_remote and (found := remote(config)):
        raise REMOTE_NOT_ALLOWED(address=found[0])
    return config


def allow(folder: str | os.PathLike[str], allowed: bool) -> ClusterConfig:
    """Write down whether other machines may reach the cluster. Nothing of it may run."""
    here = load(folder)
    if here.allow_remote != allowed:
        here = msgspec.structs.replace(here, allow_remote=allowed)
        save(Layout(folder), here)
    return here


def move(folder: str | os.PathLike[str], address: str) -> ClusterConfig:
    """Give a cluster whose servers are told apart by ports another address. Nothing of it may run."""
    here = load(folder)
    if not has_one_address(here):
        raise ADDRESS_NOT_ALLOWED(address=address, detail="this cluster has three addresses")
    _check_host(address)
    nodes = [msgspec.structs.replace(here.node(name), host=address) for name in NODES]
    vip = msgspec.structs.replace(here.vip, host=address)
    moved = checked(msgspec.structs.replace(here, nodes=NodeAddresses(*nodes), vip=vip))
    save(Layout(folder), moved)
    return moved


def load(folder: str | os.PathLike[str]) -> ClusterConfig:
    """The configuration of an existing cluster."""
    path = Layout(folder).cluster_json
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NO_CLUSTER(folder=str(path.parent)) from None
    except OSError as error:
        raise FOLDER_DAMAGED(path=str(path), detail=error.strerror) from None
    try:
        version = msgspec.json.decode(data, type=dict[str, msgspec.Raw]).get("format", msgspec.Raw(b"null"))
        if bytes(version) != str(FORMAT).encode():
            raise FOLDER_VERSION(path=str(path), found=bytes(version).decode(), wanted=FORMAT)
        return msgspec.json.decode(data, type=ClusterConfig)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FOLDER_DAMAGED(path=str(path), detail=str(error)) from None


def with_vip(config: ClusterConfig, vip: str) -> ClusterConfig:
    """The same servers with this VIP."""
    _check_hosts(config.nodes.primary.host, config.nodes.secondary.host, vip)
    return checked(msgspec.structs.replace(config, vip=msgspec.structs.replace(config.vip, host=vip)))


def _check_hosts(primary: str, secondary: str, vip: str) -> int:
    """How many addresses there are: three, or one for all."""
    for host in (primary, secondary, vip):
        _check_host(host)
    hosts = {ipaddress.ip_address(host) for host in (primary, secondary, vip)}
    if len(hosts) == 2:
        raise ADDRESS_NOT_ALLOWED(address=vip, detail="two of the three are the same; all or none may be")
    return len(hosts)


def _check_host(host: str) -> None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ADDRESS_NOT_ALLOWED(address=host, detail="it is no numeric address") from None
    if address.is_unspecified or address.is_multicast or host == "255.255.255.255":
        raise ADDRESS_NOT_ALLOWED(address=host, detail="it stands for many")
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        raise ADDRESS_NOT_ALLOWED(address=host, detail=f"it is {address.ipv4_mapped}; write it so")
    if address.is_link_local:
        raise ADDRESS_NOT_ALLOWED(address=host, detail="it is of one link only, and no URL can hold it")
