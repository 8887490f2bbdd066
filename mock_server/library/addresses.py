"""Addresses and ports of a cluster in a test: free ones, unless somebody says which."""

from __future__ import annotations

import secrets
import socket

from mock_server.cluster import config
from mock_server.cluster.config import Address, ClusterConfig, NodeAddress, NodeAddresses
from mock_server.cluster.problems import ADDRESS_NOT_ALLOWED, ADDRESS_NOT_HERE

__all__ = ["free_config"]


def free_config(host: str, allow_remote: bool = False) -> ClusterConfig:
    """A cluster on one address, with ports in place of addresses that nobody listens on just now.

    Somebody else may be faster: then the cluster does not start, with port-in-use, and others are tried.
    """
    device, gui, *own = _free_ports(host, 8)
    primary, secondary = (NodeAddress(host, *own[start : start + 3]) for start in (0, 3))
    nodes = NodeAddresses(primary, secondary)
    return ClusterConfig(
        config.FORMAT, secrets.token_hex(8), nodes, Address(host, device, gui), allow_remote=allow_remote
    )


def _free_ports(host: str, count: int) -> list[int]:
    sockets = []
    try:
        for _ in range(count):
            sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
            sockets.append(sock)
            sock.bind((host, 0))
        return [sock.getsockname()[1] for sock in sockets]
    except socket.gaierror as error:
        raise ADDRESS_NOT_ALLOWED(address=host, detail="it is no numeric address") from error
    except OSError as error:
        raise ADDRESS_NOT_HERE(address=host) from error
    finally:
        for sock in sockets:
            sock.close()
