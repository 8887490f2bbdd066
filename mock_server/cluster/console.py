"""What the consoles of the nodes print. Formatting only."""

from __future__ import annotations

from typing import Any

from mock_server.cluster.decide import PROVISIONED, waits_for_peer

STOP_PACEMAKER = "Stopping Cluster (pacemaker)..."
STOP_COROSYNC = "Stopping Cluster (corosync)..."
START_COROSYNC = "Starting Cluster (corosync)..."
START_PACEMAKER = "Starting Cluster (pacemaker)..."
NOT_ENABLED = (
    "Error: cluster is not currently running on this node",
    "Error: HA is not enabled on this server",
)
TEARDOWN_WARNING = (
    "WARNING: The HA cluster configuration is about to be destroyed, and this server converted to "
    "stand-alone mode."
)


def title(name: str) -> str:
    """A node's name as operators write it."""
    return name.capitalize()


def already_stopped(name: str) -> list[str]:
    return [f"The cluster is stopped on the {title(name)} already."]


def already_running(name: str, role: str) -> list[str]:
    return [f"The cluster is running on the {title(name)} already; it is {role}."]


def _active(status: dict[str, Any]) -> str:
    return title(status["active"] or "Active")


def started(status: dict[str, Any]) -> list[str]:
    """What came of a start."""
    me = status["servers"][status["node"]]
    if status["node"] in status["in_sync"] and me["role"] == "Active":
        return [f"{title(me['name'])} is Active."]
    if status["state"] == "standby":
        return [f"{title(me['name'])} is Standby, in sync; replicating from the {_active(status)}."]
    if status["state"] == "catching-up":
        return [f"{title(me['name'])} is Standby and catches up with the {_active(status)}."]
    return [f"{title(me['name'])}: {status['reason']}", *_mend(status)]


def force_warning(status: dict[str, Any], peer: str) -> list[str]:
    """Rule 7: what may be lost."""
    index = status["servers"][status["node"]]["index"]
    return [
        f"WARNING: {title(status['node'])} is not in sync. Its journal ends at change {index}.",
        f"WARNING: Changes that only the {title(peer)} has, acknowledged ones too, will be no part of the "
        "cluster's state any more.",
        f"WARNING: When the {title(peer)} returns it keeps them in a file lost-<epoch>.sqlite.",
    ]


def cut_lines(cut: dict[str, Any]) -> list[str]:
    """Rule 6: what a returning node dropped."""
    if not cut.get("changes"):
        return []
    count = cut["changes"]
    were = "was" if count == 1 else "were"
    if cut.get("saved"):
        return [f"{_changes(count)} after {cut['after']} {were} set aside; they are in {cut['saved']}."]
    return [f"{_changes(count)} after {cut['after']} {were} cut; none of them was acknowledged."]


def _changes(count: int) -> str:
    return f"{count} change{'' if count == 1 else 's'}"


def ha_status(status: dict[str, Any]) -> list[str]:
    """Both servers side by side (A2.2, A2.10)."""
    rows = [("", *(title(name) for name in status["servers"]))]
    servers = list(status["servers"].values())
    vip = status["vip"]
    rows += [
        ("Address", *(server["address"] for server in servers)),
        ("Role", *(server["role"] for server in servers)),
        ("Cluster", *(server["cluster"] for server in servers)),
        ("Database", *(_database(server) for server in servers)),
        ("In sync", *("yes" if server["name"] in status["in_sync"] else "no" for server in servers)),
        ("Last change", *("-" if s["index"] is None else str(s["index"]) for s in servers)),
        ("VIP", *("held here" if s["name"] == vip["holder"] else "-" for s in servers)),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines = [line.rstrip() for line in lines]
    lines.insert(1, "  ".join("-" * width for width in widths))
    holder = f"held by the {title(vip['holder'])}" if vip["holder"] else "held by nobody"
    lines += [
        "",
        f"Heartbeat: {status['heartbeat']}",
        f"VIP: {vip['host']} ({holder})",
        f"Replication: {_replication(status)}",
    ]
    if status["reason"]:
        lines.append(f"{title(status['node'])}: {status['reason']}")
    if status["problem"] and status["problem"]["sentence"] != status["reason"]:
        lines.append(f"{title(status['node'])}: {status['problem']['sentence']}")
    if status.get("refused"):
        lines.append(f"{title(status['node'])}: {status['refused']}")
    return lines + cut_lines(status.get("cut") or {})


def _database(server: dict[str, Any]) -> str:
    return str(server["database"])


def _replication(status: dict[str, Any]) -> str:
    slaves = [s["name"] for s in status["servers"].values() if s["database"] == "Replication Slave"]
    if not slaves or status["active"] is None:
        return "none"
    lag = f", {_changes(status['lag'])} behind" if status["lag"] is not None else ""
    return f"{title(status['active'])} (Master) -> {title(slaves[0])} (Slave){lag}"


def _mend(status: dict[str, Any]) -> list[str]:
    if not waits_for_peer(status["reason"]):
        return []
    return ["Start the other server, or run `ha_cluster_start --force` to give up what only it has."]


def serves_alone(name: str, host: str) -> str:
    return f"{title(name)} is a stand-alone server; it serves at {host}."


def torn_down(host: str, *, discarded: bool) -> list[str]:
    """What a teardown ends with (C.7)."""
    lines = ["The HA cluster has been destroyed. This server is in stand-alone mode."]
    if discarded:
        return [*lines, f"It is discarded: its pages can be read at {host}, and nothing else."]
    return [
        *lines,
        f"Everything is served at {host}. Set the Host Common Name to this server's own address or name, and "
        "synchronize the local accounts, before products register again.",
        "Next: ha_teardown on the Secondary, once this server has been checked.",
    ]


def outside(status: dict[str, Any]) -> list[str]:
    """Both servers, in no cluster."""
    rows = [("", "Address", "Server", "High Availability")]
    for name, node in status["nodes"].items():
        server = node["servers"][name]
        waiting = "provisioned" if node["reason"] == PROVISIONED else "not discarded yet"
        kind = waiting if node["mode"] == "cluster" else node["mode"]
        kind = f"{kind}, stopped" if server["cluster"] == "stopped" else kind
        rows.append((title(name), server["address"], kind, "not enabled"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
