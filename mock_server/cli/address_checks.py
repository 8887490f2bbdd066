"""Whether the addresses and ports that were given can be, and are those of the cluster that is there."""

from __future__ import annotations

from typing import Any

from mock_server.cluster import config
from mock_server.cluster.config import ClusterConfig
from mock_server.errors import CallerError, problem

__all__ = ["ports_or_refuse", "same_or_refuse"]

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


def same_or_refuse(folder: str, there: ClusterConfig, given: dict[str, Any]) -> None:
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


def ports_or_refuse(asked: ClusterConfig) -> None:
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
